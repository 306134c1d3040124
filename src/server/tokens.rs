//! `kilter-server token create|list|revoke`: the Secret with the digests of all tokens.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::{Span, Timestamp};
use kube::api::{Api, ObjectMeta, PostParams};

use super::MANAGER;
use super::auth::{Record, SECRET, records};
use crate::api::{AppId, Token};
use crate::daemon::api_error;
use crate::diag::{Error, Kind, Result};
use crate::fsx::random_bytes;
use crate::ids::Name;

/// How often a change of the Secret is tried when another one came between.
const TRIES: usize = 20;

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Who gets it.
    pub name: String,
    /// The organisation it is for.
    pub org: String,
    /// One app, or `*`.
    pub app: String,
    /// One environment, or `*`.
    pub env: String,
    /// It may look and not change.
    pub read_only: bool,
    /// How many days it lasts; for ever when `None`.
    pub days: Option<u32>,
}

impl NewToken {
    /// Checks the names.
    ///
    /// # Errors
    /// When one is wrong; the option that gave it is named.
    pub fn check(&self) -> Result<()> {
        Name::new(&self.name).map_err(|why| usage(&format!("--name: {why}")))?;
        // Any app or environment that there can be.
        let any = |name: &'_ str, short: &'static str| if name == "*" { short.to_owned() } else { name.to_owned() };
        let id = AppId::new(&self.org, &any(&self.app, "a"), &any(&self.env, "e"));
        id.map(drop).map_err(|why| usage(&format!("--{why}")))
    }
}

fn usage(why: &str) -> Error {
    Error::new(Kind::Usage, why)
}

/// Makes a token and returns it: it is shown once and stored nowhere.
///
/// # Errors
/// When a name is wrong, or the cluster does not keep it.
pub async fn create_token(client: kube::Client, namespace: &str, new: &NewToken) -> Result<String> {
    new.check()?;
    let token = Token::from_entropy(random_bytes()?);
    let now = Timestamp::now();
    let expires = new.days.map(|days| now.checked_add(Span::new().hours(i64::from(days) * 24))).transpose();
    let expires = expires.map_err(|error| usage(&format!("--expires: {error}")))?;
    let record = Record {
        name: new.name.clone(),
        digest: token.digest(),
        org: new.org.clone(),
        app: new.app.clone(),
        env: new.env.clone(),
        read_only: new.read_only,
        created: format!("{now:.0}"),
        expires: expires.map(|time| format!("{time:.0}")),
        revoked: None,
    };
    let id = token.id().to_owned();
    change(client, namespace, |secret| put(secret, &id, &record)).await?;
    Ok(token.secret().to_owned())
}

/// Lists the tokens, one line each: id, name, scope, times; nothing that could be used.
///
/// # Errors
/// When the cluster does not answer.
pub async fn list_tokens(client: kube::Client, namespace: &str) -> Result<Vec<String>> {
    let api: Api<Secret> = Api::namespaced(client, namespace);
    let found = api.get_opt(SECRET).await.map_err(|error| api_error("read the tokens", &error))?;
    let records = found.map(|secret| records(&secret)).unwrap_or_default();
    let line = |(id, record): (&String, &Record)| {
        let scope = format!("{}/{} {}", record.org, record.app, record.env);
        let may = if record.read_only { "read" } else { "deploy" };
        let until = match (&record.revoked, &record.expires) {
            (Some(when), _) => format!("revoked {when}"),
            (None, Some(when)) => format!("until {when}"),
            (None, None) => "for ever".to_owned(),
        };
        format!("{id}  {}  {scope}  {may}  {until}", record.name)
    };
    Ok(records.iter().map(line).collect())
}

/// Ends a token; servers refuse it as soon as they see the change.
///
/// # Errors
/// When there is none of that id, or the cluster does not keep the change.
pub async fn revoke_token(client: kube::Client, namespace: &str, id: &str) -> Result<()> {
    let now = format!("{:.0}", Timestamp::now());
    change(client, namespace, |secret| {
        let mut record = records(secret).remove(id).ok_or_else(|| {
            Error::project(format!("there is no token `{id}`")).help("`kilter-server token list` shows the ids.")
        })?;
        record.revoked.get_or_insert(now.clone());
        put(secret, id, &record)
    })
    .await
}

fn put(secret: &mut Secret, id: &str, record: &Record) -> Result<()> {
    let bytes = serde_json::to_vec(record).map_err(|error| Error::bug(error.to_string()))?;
    secret.data.get_or_insert_default().insert(id.to_owned(), ByteString(bytes));
    Ok(())
}

/// Changes the Secret on top of its newest state.
async fn change(client: kube::Client, namespace: &str, change: impl Fn(&mut Secret) -> Result<()>) -> Result<()> {
    let api: Api<Secret> = Api::namespaced(client, namespace);
    let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    for _ in 0..TRIES {
        let found = api.get_opt(SECRET).await.map_err(|error| api_error("read the tokens", &error))?;
        let is_new = found.is_none();
        let metadata = ObjectMeta { name: Some(SECRET.into()), ..ObjectMeta::default() };
        let mut secret =
            found.unwrap_or_else(|| Secret { metadata, type_: Some("Opaque".into()), ..Secret::default() });
        change(&mut secret)?;
        let written =
            if is_new { api.create(&params, &secret).await } else { api.replace(SECRET, &params, &secret).await };
        match written {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(error)) if error.code == 409 => {}
            Err(error) => return Err(api_error("write the tokens", &error)),
        }
    }
    Err(Error::missing("the tokens are being changed by others all the time").help("Try again."))
}
