//! `POST …/plans` and `GET …/plans/{plan}`: what a deploy would change.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams, PostParams};
use kube::core::PartialObjectMeta;
use serde_json::json;

use super::MANAGER;
use super::answers::{Body, RequestId, app_id, bad_name};
use super::audit::Entry;
use super::auth::{Grant, ToChange};
use super::deploys::{OfDeploy, valid};
use super::failure::Refusal;
use super::state::Server;
use super::upsert::{of_its_own, with_secrets};
use crate::api::{
    AppId, DeployRequest, KilterPlan, KilterPlanSpec, LABEL_APP, LABEL_ENV, LABEL_ORG, PLAN_MINUTES, PlanAccepted,
    PlanInfo,
};
use crate::fsx::random_bytes;
use crate::ids::{Name, hex};

/// Most plans of one app, and of all apps of an organisation, that are kept: a plan may have a megabyte, and etcd has but a few
/// gigabytes for everything.
const MOST_OF_APP: usize = 10;
const MOST_OF_ORG: usize = 100;

pub(super) async fn ask(
    State(server): State<Arc<Server>>,
    ToChange { id, grant }: ToChange,
    Extension(request): Extension<RequestId>,
    Body(body): Body<DeployRequest>,
) -> Result<(StatusCode, Json<PlanAccepted>), Refusal> {
    valid(&id, &body.template, &server)?;
    let now = server.api().get_opt(&id.namespace()).await;
    let now = now.map_err(|error| Refusal::cluster("read the app", &error))?;
    now.iter().try_for_each(|app| of_its_own(&id, app))?;
    // As the deploy would have them: what is deployed already and was not sent again does not change.
    let template = with_secrets(&server, &id, &body.template, now.as_ref().map(|app| &app.spec))?;
    free_place(&server, &id).await?;
    let random = random_bytes::<10>()
        .map_err(|_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "NoEntropy", "no random numbers").retry_after(5))?;
    let name = format!("plan-{}", hex(&random));
    let spec = KilterPlanSpec { org: id.org().into(), app: id.app().into(), env: id.env().into(), template };
    let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    let about = json!({"plan": name, "image": spec.template.image});
    let entry = Entry::begin(&server.audit, &request.0, &grant, "plan", &id, &about)?;
    let mut plan = KilterPlan::new(&name, spec);
    plan.metadata.labels = Some(labels(&id).map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    let created = api(&server).create(&params, &plan).await;
    let created = created.map_err(|error| Refusal::cluster("keep the plan", &error));
    entry.end(created.as_ref().map_or_else(|refusal| refusal.failure.code.as_str(), |_| "accepted"));
    created?;
    Ok((StatusCode::ACCEPTED, Json(PlanAccepted { plan: name })))
}

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    Extension(grant): Extension<Grant>,
    Path((org, app, env, plan)): OfDeploy,
) -> Result<Json<PlanInfo>, Refusal> {
    let id = app_id(&(org, app, env))?;
    grant.may_read(&id)?;
    let name = Name::new(&plan).map_err(|why| bad_name(&why))?;
    let found = api(&server).get_opt(name.as_str()).await.map_err(|error| Refusal::cluster("read the plan", &error))?;
    let of_this = |plan: &KilterPlan| id.is_of(&plan.spec.org, &plan.spec.app, &plan.spec.env);
    let plan = found
        .filter(of_this)
        .ok_or_else(|| Refusal::not_found("there is no such plan; one is kept for ten minutes"))?;
    tracing::debug!(plan = plan.name_any(), "shown");
    let status = plan.status.unwrap_or_default();
    let failed = status.state.as_deref() == Some("Failed");
    Ok(Json(PlanInfo {
        done: status.state.is_some(),
        diff: status.diff.unwrap_or_default(),
        error: failed.then(|| status.message.unwrap_or_default()),
    }))
}

/// Checks that there is room for one more plan: each is kept, with its template and its diff, until its time is over, whether somebody
/// answers it or not. Requests at the same moment may be a few too many; how many those are is bounded as well.
async fn free_place(server: &Server, id: &AppId) -> Result<(), Refusal> {
    let ours = ListParams::default().labels(&format!("{LABEL_ORG}={}", id.org()));
    let listed = api(server).list_metadata(&ours).await;
    let open = listed.map_err(|error| Refusal::cluster("list the plans", &error))?.items;
    let is_of_app = |plan: &&PartialObjectMeta<KilterPlan>| {
        labels(id).iter().all(|(key, value)| plan.labels().get(*key).is_some_and(|label| label == value))
    };
    let of_app = open.iter().filter(is_of_app).count();
    let (whose, most) = if of_app >= MOST_OF_APP {
        (id.to_string(), MOST_OF_APP)
    } else if open.len() >= MOST_OF_ORG {
        (format!("`{}`", id.org()), MOST_OF_ORG)
    } else {
        return Ok(());
    };
    let words = format!("there are {most} plans of {whose} already; each is kept for {PLAN_MINUTES} minutes");
    Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TooManyPlans", words)
        .retry_after(60)
        .help("Ask again when the oldest of them is forgotten; a deploy needs no plan."))
}

pub(super) fn labels(id: &AppId) -> [(&'static str, &str); 3] {
    [(LABEL_APP, id.app()), (LABEL_ENV, id.env()), (LABEL_ORG, id.org())]
}

fn api(server: &Server) -> Api<KilterPlan> {
    Api::namespaced(server.client.clone(), &server.namespace)
}
