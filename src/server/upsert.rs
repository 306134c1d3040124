//! The one effect of a deploy: a KilterApp is made or moved to a new revision.
//!
//! The first deploy is a `create`: an apply that makes an object cannot be told from one that changes it, so of two first deploys
//! one would be lost. Every later one is a server-side apply, bound to the uid and the resourceVersion that were read. The spec is one
//! atomic field, so that an apply takes it over whole, from whoever wrote it before; labels and annotations of others stay theirs.

use std::sync::Arc;

use axum::http::StatusCode;
use kube::ResourceExt as _;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};

use super::MANAGER;
use super::deploys::valid;
use super::failure::Refusal;
use super::hosts::{self, Claims};
use super::info::{Accepted, accepted, phase, remember};
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
    /// Tells the body of the request from others.
    pub digest: &'a str,
    pub by: &'a str,
    pub template: Template,
}

/// Makes the KilterApp what was asked for; a repeated request, and one that changes nothing, have no effect.
pub(super) async fn upsert(server: &Arc<Server>, asked: &Asked<'_>) -> Result<DeployAccepted, Refusal> {
    let api = server.api();
    let name = asked.id.namespace();
    for _ in 0..TRIES {
        let found = api.get_opt(&name).await.map_err(|error| Refusal::cluster("read the app", &error))?;
        let deployed = found.as_ref().map(|app| hosts::names(server, asked.id, &app.spec.template)).unwrap_or_default();
        let next = found.map_or_else(|| first(server, asked), |app| next(server, asked, app))?;
        let (app, answer) = match next {
            Next::Known(answer) => return Ok(answer),
            Next::Write(app, answer) => (app, answer),
        };
        let mut claims = Claims::default();
        if !answer.unchanged {
            let wanted = hosts::names(server, asked.id, &app.spec.template);
            claims = hosts::claim(server, asked.id, &wanted, &deployed).await?;
        }
        match write(&api, &app).await {
            Ok(app) => {
                claims.settle(server, &app).await;
                return Ok(answer);
            }
            // Somebody was faster: AlreadyExists, Conflict, or gone meanwhile.
            Err(kube::Error::Api(error)) if matches!(error.code, 404 | 409) => {}
            Err(error) => return Err(Refusal::cluster("keep the deploy", &error)),
        }
    }
    Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Busy", format!("too many deploys of {} at once", asked.id))
        .retry_after(1))
}

/// Makes an app, or moves the very one that was read.
async fn write(api: &Api<KilterApp>, app: &KilterApp) -> kube::Result<KilterApp> {
    if app.metadata.uid.is_none() {
        return api.create(&PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() }, app).await;
    }
    // By force: a spec that somebody wrote by hand is a conflict otherwise, and the deploy decides.
    api.patch(&app.name_any(), &PatchParams::apply(MANAGER).force(), &Patch::Apply(app)).await
}

fn first(server: &Arc<Server>, asked: &Asked<'_>) -> Result<Next, Refusal> {
    let template = with_secrets(server, asked.id, &asked.template, None)?;
    free_hosts(server, asked.id, &template)?;
    let known = remember(Vec::new(), request(asked, 1, None));
    let app = written(asked.id, ObjectMeta::default(), known, spec(asked, 1, template));
    let answer = answer(server, asked.id, &app, false);
    Ok(Next::Write(Box::new(app), answer))
}

/// Returns what the server says of an app, and nothing of what others do; `metadata` tells which object it is.
fn written(id: &AppId, metadata: ObjectMeta, known: String, spec: KilterAppSpec) -> KilterApp {
    let mut app = KilterApp::new(&id.namespace(), spec);
    let labels = [(LABEL_APP, id.app()), (LABEL_ENV, id.env()), (LABEL_ORG, id.org())];
    app.metadata.labels = Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    app.metadata.annotations = Some([(ANNOTATION_ACCEPTED.to_owned(), known)].into());
    app.metadata.uid = metadata.uid;
    app.metadata.resource_version = metadata.resource_version;
    app
}

enum Next {
    /// The request was answered before.
    Known(DeployAccepted),
    /// What to write, and what to answer then.
    Write(Box<KilterApp>, DeployAccepted),
}

/// Returns what is remembered of a request.
fn request(asked: &Asked<'_>, revision: u64, same_as: Option<String>) -> Accepted {
    Accepted { deploy: asked.deploy.to_owned(), digest: asked.digest.to_owned(), revision, same_as }
}

fn next(server: &Arc<Server>, asked: &Asked<'_>, app: KilterApp) -> Result<Next, Refusal> {
    let id = asked.id;
    of_its_own(id, &app)?;
    if let Some(answer) = repeated(server, id, &app, asked.deploy, asked.digest)? {
        return Ok(Next::Known(answer));
    }
    let template = with_secrets(server, id, &asked.template, Some(&app.spec))?;
    // The same once more, unless it failed: then it is a new try, with Jobs of its own. It is remembered as well: sent again after
    // somebody else's deploy, it must not undo that.
    let same = template == app.spec.template && phase(&app).0 != Phase::Failed;
    let mut revision = app.spec.revision;
    if !same {
        free_hosts(server, id, &template)?;
        revision += 1;
    }
    let same_as = same.then(|| app.spec.deploy.clone());
    let known = remember(accepted(&app), request(asked, revision, same_as));
    let spec = if same { app.spec } else { spec(asked, revision, template) };
    let app = written(id, app.metadata, known, spec);
    let answer = answer(server, id, &app, same);
    Ok(Next::Write(Box::new(app), answer))
}

/// Returns the answer to a request that was accepted before; `digest` is of its body.
pub(super) fn repeated(
    server: &Server,
    id: &AppId,
    app: &KilterApp,
    deploy: &str,
    digest: &str,
) -> Result<Option<DeployAccepted>, Refusal> {
    let Some(known) = accepted(app).into_iter().find(|known| known.deploy == deploy) else { return Ok(None) };
    if known.digest != digest {
        let what = "this Idempotency-Key was used for another request";
        let refusal = Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "KeyUsed", what);
        return Err(refusal.help("Send a new key with a new request."));
    }
    let deploy = known.same_as.unwrap_or(known.deploy);
    Ok(Some(DeployAccepted { deploy, revision: known.revision, ..answer(server, id, app, true) }))
}

/// Returns the answer to a request after which an app is this.
fn answer(server: &Server, id: &AppId, app: &KilterApp, unchanged: bool) -> DeployAccepted {
    let url = id.url(&server.platform, &app.spec.template);
    DeployAccepted { deploy: app.spec.deploy.clone(), revision: app.spec.revision, url, unchanged }
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

/// Refuses a name that is another app's, or of an app that is being deleted.
pub(super) fn of_its_own(id: &AppId, app: &KilterApp) -> Result<(), Refusal> {
    if !id.is_of(&app.spec.org, &app.spec.app, &app.spec.env) {
        return Err(Refusal::conflict("NameTaken", format!("`{}` belongs to another app", id.namespace()))
            .help("Give the app or the environment another name."));
    }
    if app.metadata.deletion_timestamp.is_some() {
        return Err(Refusal::conflict("Deleting", format!("{id} is being deleted")).retry_after(5));
    }
    Ok(())
}

/// Fills in the ciphertexts of Secrets that are deployed already, `now`, and were not sent again; checks the whole.
pub(super) fn with_secrets(
    server: &Server,
    id: &AppId,
    template: &Template,
    now: Option<&KilterAppSpec>,
) -> Result<Template, Refusal> {
    let mut template = template.clone();
    let mut missing = Vec::new();
    for secret in template.secrets.iter_mut().filter(|secret| secret.sealed.is_none() && !secret.external) {
        let known = now.and_then(|spec| spec.template.secrets.iter().find(|known| known.name == secret.name));
        match known {
            Some(known) => *secret = known.clone(),
            None => missing.push(secret.name.clone()),
        }
    }
    if missing.is_empty() {
        // Together with what is deployed already they may be too much.
        valid(id, &template, server)?;
        return Ok(template);
    }
    let message = format!("missing secrets in {}: {}", id.namespace(), missing.join(", "));
    Err(Refusal::bad("MissingSecrets", message)
        .help("Name a file for each under `environments.<env>.secrets` in kilter.yaml, or mark it `external`."))
}

/// Checks that no other app has one of the host names, as far as the watch has seen. It costs no call, and knows also the apps whose
/// last deploy was before there were claims (`hosts`), which decide.
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
            return Err(hosts::taken(name));
        }
    }
    Ok(())
}
