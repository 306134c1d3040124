//! `POST …/deploys`, `POST …/rollback`, `GET …/deploys`, `GET …/deploys/{deploy}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use serde_json::json;

use super::answers::{Body, RequestId, app_id};
use super::audit::Entry;
use super::auth::{Grant, ToChange};
use super::failure::Refusal;
use super::info::{self, digest_of};
use super::state::Server;
use super::upsert::{Asked, repeated, upsert};
use crate::api::{
    AppId, DeployAccepted, DeployInfo, DeployRequest, KilterApp, KilterAppSpec, LABEL_APP, LABEL_ENV, RollbackRequest,
    Template, check, deploy_id,
};

/// Path parameters of an app.
pub(super) type OfApp = Path<(String, String, String)>;
/// Path parameters of one deploy of an app.
pub(super) type OfDeploy = Path<(String, String, String, String)>;
type Accepted = Result<(StatusCode, Json<DeployAccepted>), Refusal>;

pub(super) async fn deploy(
    State(server): State<Arc<Server>>,
    ToChange { id, grant }: ToChange,
    Extension(request): Extension<RequestId>,
    headers: HeaderMap,
    Body(body): Body<DeployRequest>,
) -> Accepted {
    let key = key(&headers)?;
    valid(&id, &body.template, &server)?;
    let (deploy, digest) = (deploy_id(&id, &key), digest_of(&body.template));
    let asked = Asked { id: &id, deploy: &deploy, digest: &digest, by: &grant.record.name, template: body.template };
    accept(&server, &grant, &request, "deploy", asked).await
}

pub(super) async fn rollback(
    State(server): State<Arc<Server>>,
    ToChange { id, grant }: ToChange,
    Extension(request): Extension<RequestId>,
    headers: HeaderMap,
    Body(body): Body<RollbackRequest>,
) -> Accepted {
    let key = key(&headers)?;
    let app = find(&server, &id).await?;
    // A repeated request is answered as before, wherever "the one before" is by now.
    let (deploy, digest) = (deploy_id(&id, &key), digest_of(&body));
    if let Some(answer) = repeated(&server, &id, &app, &deploy, &digest)? {
        return Ok((StatusCode::OK, Json(answer)));
    }
    let history = history(&server, &app).await?;
    let to = match body.to {
        Some(to) => history.get(&to).ok_or_else(|| unknown_revision(&id, to, &history))?,
        None => last_live(&app, &history).ok_or_else(|| nothing_before(&id, &app, &history))?,
    };
    // A rollback ships no Jobs.
    let template = to.template.without_jobs();
    valid(&id, &template, &server)?;
    let asked = Asked { id: &id, deploy: &deploy, digest: &digest, by: &grant.record.name, template };
    accept(&server, &grant, &request, "rollback", asked).await
}

pub(super) async fn list(
    State(server): State<Arc<Server>>,
    Extension(grant): Extension<Grant>,
    Path(path): OfApp,
) -> Result<Json<Vec<DeployInfo>>, Refusal> {
    let id = app_id(&path)?;
    grant.may_read(&id)?;
    let app = find(&server, &id).await?;
    let history = history(&server, &app).await?;
    let mut all = vec![info::current(&app)];
    let older = history.values().rev().filter(|spec| spec.deploy != app.spec.deploy);
    all.extend(older.filter_map(|spec| info::of_deploy(&app, &spec.deploy, &history)));
    Ok(Json(all))
}

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    Extension(grant): Extension<Grant>,
    Path((org, app, env, deploy)): OfDeploy,
) -> Result<Json<DeployInfo>, Refusal> {
    let id = app_id(&(org, app, env))?;
    grant.may_read(&id)?;
    let app = find(&server, &id).await?;
    let mut history = BTreeMap::new();
    if app.spec.deploy != deploy {
        history = self::history(&server, &app).await?;
    }
    let found = info::of_deploy(&app, &deploy, &history);
    found.map(Json).ok_or_else(|| Refusal::not_found(format!("{id} knows no such deploy")))
}

async fn accept(server: &Arc<Server>, grant: &Grant, request: &RequestId, action: &str, asked: Asked<'_>) -> Accepted {
    let about = json!({"deploy": asked.deploy, "image": asked.template.image});
    let entry = Entry::begin(&server.audit, &request.0, grant, action, asked.id, &about)?;
    let done = upsert(server, &asked).await;
    entry.end(match &done {
        Ok(accepted) if accepted.unchanged => "unchanged",
        Ok(_) => "accepted",
        Err(refusal) => &refusal.failure.code,
    });
    let accepted = done?;
    Ok((if accepted.unchanged { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(accepted)))
}

/// Checks a template, and names all that is wrong with it.
pub(super) fn valid(id: &AppId, template: &Template, server: &Server) -> Result<(), Refusal> {
    let problems = check(id, template, &server.platform);
    match problems.first() {
        None => Ok(()),
        Some(first) => Err(Refusal::bad("Invalid", first.clone()).problems(problems)),
    }
}

/// Reads the header that makes a repeated request the same request.
fn key(headers: &HeaderMap) -> Result<String, Refusal> {
    let mut all = headers.get_all("idempotency-key").iter();
    let key = all.next().and_then(|value| value.to_str().ok()).filter(|key| (8..=128).contains(&key.len()));
    match (key, all.next()) {
        (Some(key), None) => Ok(key.to_owned()),
        _ => Err(Refusal::bad("NoIdempotencyKey", "a deploy needs one Idempotency-Key of 8 to 128 characters")),
    }
}

/// Reads an app.
pub(super) async fn find(server: &Arc<Server>, id: &AppId) -> Result<KilterApp, Refusal> {
    let found =
        server.api().get_opt(&id.namespace()).await.map_err(|error| Refusal::cluster("read the app", &error))?;
    let found = found.filter(|app| id.is_of(&app.spec.org, &app.spec.app, &app.spec.env));
    found.ok_or_else(|| Refusal::not_found(format!("there is no {id}")))
}

/// Reads the history that the operator keeps: revision → spec.
async fn history(server: &Arc<Server>, app: &KilterApp) -> Result<BTreeMap<u64, KilterAppSpec>, Refusal> {
    let api: Api<ControllerRevision> = Api::namespaced(server.client.clone(), &server.namespace);
    let ours = ListParams::default().labels(&format!("{LABEL_APP}={},{LABEL_ENV}={}", app.spec.app, app.spec.env));
    let listed = api.list(&ours).await.map_err(|error| Refusal::cluster("read the history", &error))?;
    // Not what is left of an app of the same name that was deleted.
    let is_owner = |owner: &OwnerReference| Some(&owner.uid) == app.metadata.uid.as_ref();
    let ours = listed.items.into_iter().filter(|entry| entry.owner_references().iter().any(is_owner));
    let specs = ours.filter_map(|entry| serde_json::from_value::<KilterAppSpec>(entry.data?.0).ok());
    Ok(specs.map(|spec| (spec.revision, spec)).collect())
}

/// Finds what ran last: the newest revision before the current one that was live. What only failed is nothing to go back to.
fn last_live<'a>(app: &KilterApp, history: &'a BTreeMap<u64, KilterAppSpec>) -> Option<&'a KilterAppSpec> {
    let live = app.status.as_ref().map(|status| status.live_revisions.as_slice()).unwrap_or_default();
    let mut before = history.range(..app.spec.revision).rev();
    before.find(|(revision, _)| live.contains(revision)).map(|(_, spec)| spec)
}

fn nothing_before(id: &AppId, app: &KilterApp, history: &BTreeMap<u64, KilterAppSpec>) -> Refusal {
    let refusal = Refusal::conflict(
        "NothingBefore",
        format!("no revision of {id} before the current one is known to have been live"),
    );
    let older: Vec<String> = history.range(..app.spec.revision).map(|(revision, _)| revision.to_string()).collect();
    if older.is_empty() {
        return refusal.help("Correct the cause, then deploy again.");
    }
    refusal.help(&format!(
        "Choose one with `--to`; there are: {}. Or correct the cause and deploy again.",
        older.join(", ")
    ))
}

fn unknown_revision(id: &AppId, to: u64, history: &BTreeMap<u64, KilterAppSpec>) -> Refusal {
    let known: Vec<String> = history.keys().map(u64::to_string).collect();
    Refusal::not_found(format!("{id} has no revision {to}; there are: {}", known.join(", ")))
}
