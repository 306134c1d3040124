//! The one effect of a deploy: a KilterApp is made or moved to a new revision.
//!
//! It is written whole, by `create` or by `replace` with the resourceVersion that was read, and not by server-side apply: an apply
//! that makes an object cannot be told from one that changes it, so of two first deploys one would be lost, and what a
//! `create` owns a later apply cannot take away. The field manager tells whose the fields are all the same.

use std::sync::Arc;

use axum::http::StatusCode;
use kube::ResourceExt as _;
use kube::api::{ObjectMeta, PostParams};

use super::MANAGER;
use super::failure::Refusal;
use super::info::{Accepted, accepted, digest_of, phase, remember};
use super::state::Server;
use crate::api::{
    ANNOTATION_ACCEPTED, AppId, DeployAccepted, KilterApp, KilterAppSpec, LABEL_APP, LABEL_ENV, LABEL_ORG, Phase,
    Template,
};

/// How often a deploy starts over because another one came between.
const TRIES: usize = 60;

/// A deploy that somebody asks for.
pub(super) struct Asked<'a> {
    pub id: &'a AppId,
    pub deploy: &'a str,
    pub by: &'a str,
    pub template: Template,
}

/// Makes the KilterApp what was asked for; a repeated request, and one that changes nothing, have no effect.
pub(super) async fn upsert(server: &Arc<Server>, asked: &Asked<'_>) -> Result<DeployAccepted, Refusal> {
    let api = server.api();
    let name = asked.id.namespace();
    let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    for _ in 0..TRIES {
        let found = api.get_opt(&name).await.map_err(|error| Refusal::cluster("read the app", &error))?;
        let written = match found {
            None => api.create(&params, &first(server, asked)?).await,
            Some(app) => match next(server, asked, app)? {
                Next::Known(accepted) => return Ok(accepted),
                Next::Write(app) => api.replace(&name, &params, &app).await,
            },
        };
        match written {
            Ok(app) => {
                return Ok(DeployAccepted {
                    deploy: app.spec.deploy.clone(),
                    revision: app.spec.revision,
                    url: asked.id.url(&server.platform, &app.spec.template),
                    unchanged: false,
                });
            }
            // Somebody was faster: AlreadyExists, Conflict, or gone meanwhile.
            Err(kube::Error::Api(error)) if matches!(error.code, 404 | 409) => {}
            Err(error) => return Err(Refusal::cluster("keep the deploy", &error)),
        }
    }
    Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Busy", format!("too many deploys of {} at once", asked.id))
        .retry_after(1))
}

fn first(server: &Arc<Server>, asked: &Asked<'_>) -> Result<KilterApp, Refusal> {
    let digest = digest_of(&asked.template);
    let template = with_secrets(asked, None)?;
    free_hosts(server, asked.id, &template)?;
    let mut app = KilterApp::new(&asked.id.namespace(), spec(asked, 1, template));
    let id = asked.id;
    let labels = [(LABEL_APP, id.app()), (LABEL_ENV, id.env()), (LABEL_ORG, id.org())];
    let known = Accepted { deploy: asked.deploy.to_owned(), digest, revision: 1 };
    app.metadata = ObjectMeta {
        labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        annotations: Some([(ANNOTATION_ACCEPTED.to_owned(), remember(Vec::new(), known))].into()),
        ..app.metadata
    };
    Ok(app)
}

enum Next {
    Known(DeployAccepted),
    Write(Box<KilterApp>),
}

fn next(server: &Arc<Server>, asked: &Asked<'_>, mut app: KilterApp) -> Result<Next, Refusal> {
    let id = asked.id;
    if (app.spec.org.as_str(), app.spec.app.as_str(), app.spec.env.as_str()) != (id.org(), id.app(), id.env()) {
        return Err(Refusal::conflict("NameTaken", format!("`{}` belongs to another app", id.namespace()))
            .help("Give the app or the environment another name."));
    }
    if app.metadata.deletion_timestamp.is_some() {
        return Err(Refusal::conflict("Deleting", format!("{id} is being deleted")).retry_after(5));
    }
    let known = accepted(&app);
    let digest = digest_of(&asked.template);
    let answer = |app: &KilterApp, deploy: &str, revision: u64| {
        let url = id.url(&server.platform, &app.spec.template);
        Next::Known(DeployAccepted { deploy: deploy.to_owned(), revision, url, unchanged: true })
    };
    if let Some(same) = known.iter().find(|known| known.deploy == asked.deploy) {
        if same.digest != digest {
            return Err(key_used());
        }
        return Ok(answer(&app, &same.deploy, same.revision));
    }
    let template = with_secrets(asked, Some(&app.spec))?;
    // The same once more, unless it failed: then it is a new try, with Jobs of its own.
    if template == app.spec.template && phase(&app).0 != Phase::Failed {
        return Ok(answer(&app, &app.spec.deploy, app.spec.revision));
    }
    free_hosts(server, id, &template)?;
    let revision = app.spec.revision + 1;
    app.spec = spec(asked, revision, template);
    let new = Accepted { deploy: asked.deploy.to_owned(), digest, revision };
    app.annotations_mut().insert(ANNOTATION_ACCEPTED.to_owned(), remember(known, new));
    app.metadata.managed_fields = None;
    app.status = None;
    Ok(Next::Write(Box::new(app)))
}

/// The answer to a key that came with another request before.
pub(super) fn key_used() -> Refusal {
    let refusal =
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "KeyUsed", "this Idempotency-Key was used for another deploy");
    refusal.help("Send a new key with a new deploy.")
}

fn spec(asked: &Asked<'_>, revision: u64, template: Template) -> KilterAppSpec {
    KilterAppSpec {
        org: asked.id.org().into(),
        app: asked.id.app().into(),
        env: asked.id.env().into(),
        revision,
        deploy: asked.deploy.to_owned(),
        by: asked.by.to_owned(),
        template,
    }
}

/// Fills in the ciphertexts of Secrets that are deployed already and were not sent again.
fn with_secrets(asked: &Asked<'_>, now: Option<&KilterAppSpec>) -> Result<Template, Refusal> {
    let mut template = asked.template.clone();
    let mut missing = Vec::new();
    for secret in template.secrets.iter_mut().filter(|secret| secret.sealed.is_none() && !secret.external) {
        let known = now.and_then(|spec| spec.template.secrets.iter().find(|known| known.name == secret.name));
        match known {
            Some(known) => *secret = known.clone(),
            None => missing.push(secret.name.clone()),
        }
    }
    if missing.is_empty() {
        return Ok(template);
    }
    let message = format!("missing secrets in {}: {}", asked.id.namespace(), missing.join(", "));
    Err(Refusal::bad("MissingSecrets", message)
        .help("Name a file for each under `environments.<env>.secrets` in kilter.yaml, or mark it `external`."))
}

/// Checks that no other app has one of the host names. Of two at the same moment the operator lets the older one have it.
fn free_hosts(server: &Arc<Server>, id: &AppId, template: &Template) -> Result<(), Refusal> {
    let names = id.hostnames(&server.platform, template);
    for other in server.apps.state() {
        let Ok(other) = &other.0 else { continue };
        if other.name_any() == id.namespace() {
            continue;
        }
        let spec = &other.spec;
        let Ok(of) = AppId::new(&spec.org, &spec.app, &spec.env) else { continue };
        let theirs = of.hostnames(&server.platform, &spec.template);
        if let Some(name) = names.iter().find(|name| theirs.contains(name)) {
            return Err(Refusal::conflict("HostnameTaken", format!("the host name {name} belongs to another app"))
                .help("Give the app another name, or take the name out of `deploy.domains`."));
        }
    }
    Ok(())
}
