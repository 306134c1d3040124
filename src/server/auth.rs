//! Who asks, and what they may: tokens from the header against the digests in the Secret `kilter-tokens`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::Api;
use kube::runtime::{WatchStreamExt as _, watcher};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

use super::answers::app_id;
use super::failure::Refusal;
use super::state::Server;
use crate::api::{AppId, Token, TokenError};
use crate::daemon::WatchPause;
use crate::ids::Digest;

/// Name of the Secret with the digests of all tokens.
pub(super) const SECRET: &str = "kilter-tokens";

/// Any name.
const ANY: &str = "*";

/// What is stored of a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    /// Who has it.
    pub name: String,
    /// SHA-256 of the token.
    pub digest: Digest,
    /// The organisation.
    pub org: String,
    /// One app, or `*`.
    pub app: String,
    /// One environment, or `*`.
    pub env: String,
    /// It may look and not change.
    #[serde(default)]
    pub read_only: bool,
    /// When it was made, RFC 3339.
    pub created: String,
    /// When it ends, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// When it was revoked, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
}

/// Token id → record.
pub(super) type Records = BTreeMap<String, Record>;

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub id: String,
    pub record: Record,
}

impl Grant {
    /// Tells whether an environment of an app is within the token's scope.
    pub(super) fn covers(&self, org: &str, app: &str, env: &str) -> bool {
        let is = |pattern: &str, name: &str| pattern == ANY || pattern == name;
        self.record.org == org && is(&self.record.app, app) && is(&self.record.env, env)
    }

    /// Checks that the token may look at an app.
    pub(super) fn may_read(&self, id: &AppId) -> Result<(), Refusal> {
        if self.covers(id.org(), id.app(), id.env()) {
            return Ok(());
        }
        Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "OutOfScope",
            format!("the token `{}` is not for {id}", self.record.name),
        )
        .help("Ask whoever runs the platform for a token of this scope."))
    }

    /// Checks that the token may change an app.
    pub(super) fn may_deploy(&self, id: &AppId) -> Result<(), Refusal> {
        self.may_read(id)?;
        if !self.record.read_only {
            return Ok(());
        }
        Err(Refusal::new(StatusCode::FORBIDDEN, "ReadOnly", format!("the token `{}` may only look", self.record.name)))
    }
}

/// The app of the path, which the token may change: as an extractor it comes before the body, of which nothing is read for
/// whoever may not.
#[derive(Debug)]
pub(super) struct ToChange {
    pub id: AppId,
    pub grant: Grant,
}

impl FromRequestParts<Arc<Server>> for ToChange {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Refusal> {
        let unread = |_| Refusal::bad("BadName", "the names in the path cannot be read");
        let Path(path) = Path::<(String, String, String)>::from_request_parts(parts, server).await.map_err(unread)?;
        let id = app_id(&path)?;
        let grant = parts.extensions.get::<Grant>().cloned();
        let grant = grant.ok_or_else(|| unauthorized("there is no token: send `Authorization: Bearer kltr_…`"))?;
        grant.may_deploy(&id)?;
        Ok(Self { id, grant })
    }
}

/// Reads the records out of the Secret; what cannot be read is no token.
pub(super) fn records(secret: &Secret) -> Records {
    let entries = secret.data.iter().flatten();
    entries.filter_map(|(id, bytes)| Some((id.clone(), serde_json::from_slice(&bytes.0).ok()?))).collect()
}

/// Follows the Secret for as long as the server lives.
pub(super) async fn follow(api: Api<Secret>, tell: watch::Sender<Option<Arc<Records>>>) {
    let config = watcher::Config::default().fields(&format!("metadata.name={SECRET}"));
    let mut events = watcher(api, config).backoff(WatchPause::default()).boxed();
    let mut found = Records::new();
    while let Some(event) = events.next().await {
        match event {
            // A list has begun and may fail half way: what is known stays until it is whole.
            Ok(watcher::Event::Init) => {
                found = Records::new();
                continue;
            }
            Ok(watcher::Event::InitApply(secret)) => {
                found = records(&secret);
                continue;
            }
            Ok(watcher::Event::Apply(secret)) => found = records(&secret),
            Ok(watcher::Event::Delete(_)) => found = Records::new(),
            Ok(watcher::Event::InitDone) => {}
            // What is known stays: a cluster that is away for a moment must not shut everybody out.
            Err(error) => {
                tracing::warn!(%error, "cannot watch the tokens");
                continue;
            }
        }
        tell.send_replace(Some(Arc::new(found.clone())));
    }
}

/// Finds out whose request it is; without a valid token it ends here.
pub(super) async fn authenticate(State(server): State<Arc<Server>>, mut request: Request, next: Next) -> Response {
    match grant(&server, request.headers()) {
        Ok(grant) => {
            let begun = match server.limits.spend(&grant.id) {
                Some(refusal) => Err(refusal),
                None => server.limits.begin(&grant.id),
            };
            let _running = match begun {
                Ok(running) => running,
                Err(refusal) => {
                    server.metrics.refused(&refusal.failure.code);
                    return refusal.into_response();
                }
            };
            request.extensions_mut().insert(grant);
            next.run(request).await
        }
        Err(refusal) => {
            // Guessing is slow, however many guess; a server that only begins is no guess.
            let wrong = refusal.status == StatusCode::UNAUTHORIZED;
            let refusal = wrong.then(|| server.limits.spend_failure()).flatten().unwrap_or(refusal);
            server.metrics.refused(&refusal.failure.code);
            refusal.into_response()
        }
    }
}

fn grant(server: &Server, headers: &HeaderMap) -> Result<Grant, Refusal> {
    let token = token_of(headers)?;
    let records = server.tokens.borrow().clone();
    let records = records.filter(|_| server.is_ready()).ok_or_else(|| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Starting", "the server is not ready yet").retry_after(2)
    })?;
    let record = records.get(token.id());
    // The same work for a token that is not there.
    let nobody = Digest::of(b"");
    let known = record.map_or(&nobody, |record| &record.digest);
    let same: bool = known.as_str().as_bytes().ct_eq(token.digest().as_str().as_bytes()).into();
    match record {
        Some(record) if same && is_valid(record, Timestamp::now()) => {
            Ok(Grant { id: token.id().to_owned(), record: record.clone() })
        }
        // One answer for wrong, expired and revoked: which it was is nobody's business who does not have it.
        _ => Err(unauthorized("the token is not valid here: it is unknown, expired or revoked")),
    }
}

/// Tells whether a token can be used at a moment. A time that cannot be read has passed.
fn is_valid(record: &Record, now: Timestamp) -> bool {
    let future = |time: &String| time.parse::<Timestamp>().is_ok_and(|time| time > now);
    record.revoked.is_none() && record.expires.as_ref().is_none_or(future)
}

fn token_of(headers: &HeaderMap) -> Result<Token, Refusal> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = all.next() else {
        return Err(unauthorized("there is no token: send `Authorization: Bearer kltr_…`"));
    };
    if all.next().is_some() {
        return Err(Refusal::bad("TwoTokens", "there is more than one Authorization header"));
    }
    let text = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
    let text = text.ok_or_else(|| unauthorized("the Authorization header is not `Bearer kltr_…`"))?;
    Token::parse(text).map_err(|error: TokenError| unauthorized(&error.to_string()))
}

fn unauthorized(why: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "Unauthorized", why).help("Log in with `kilter login`.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            name: "ci".into(),
            digest: Digest::of(b"x"),
            org: "acme".into(),
            app: ANY.into(),
            env: "prod".into(),
            read_only: false,
            created: "2026-01-01T00:00:00Z".into(),
            expires: None,
            revoked: None,
        }
    }

    #[test]
    fn a_token_ends_at_its_time_and_when_it_is_revoked() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let with = |expires: Option<&str>, revoked: Option<&str>| {
            is_valid(&Record { expires: expires.map(Into::into), revoked: revoked.map(Into::into), ..record() }, now)
        };
        assert!(with(None, None) && with(Some("2026-11-24T10:00:01Z"), None));
        assert!(
            !with(Some("2026-11-24T10:00:00Z"), None)
                && !with(None, Some("2026-01-01T00:00:00Z"))
                && !with(Some("soon"), None)
        );
    }

    #[test]
    fn a_scope_is_an_organisation_and_perhaps_an_app_or_environment() {
        let grant = Grant { id: "i".into(), record: record() };
        assert!(grant.covers("acme", "shop", "prod"));
        assert!(!grant.covers("other", "shop", "prod") && !grant.covers("acme", "shop", "staging"));
        // A star is no organisation.
        let star = Grant { id: "i".into(), record: Record { org: ANY.into(), ..record() } };
        assert!(!star.covers("acme", "shop", "prod"));
    }
}
