//! `POST …/plans` and `GET …/plans/{plan}`: what a deploy would change.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use kube::ResourceExt as _;
use kube::api::{Api, PostParams};
use serde_json::json;

use super::MANAGER;
use super::answers::{Body, RequestId, app_id, bad_name};
use super::audit::Entry;
use super::auth::{Grant, ToChange};
use super::deploys::{OfDeploy, valid};
use super::failure::Refusal;
use super::state::Server;
use super::upsert::{of_its_own, with_secrets};
use crate::api::{DeployRequest, KilterPlan, KilterPlanSpec, PlanAccepted, PlanInfo};
use crate::fsx::random_bytes;
use crate::ids::{Name, hex};

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
    let random = random_bytes::<10>()
        .map_err(|_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "NoEntropy", "no random numbers").retry_after(5))?;
    let name = format!("plan-{}", hex(&random));
    let spec = KilterPlanSpec { org: id.org().into(), app: id.app().into(), env: id.env().into(), template };
    let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    let about = json!({"plan": name, "image": spec.template.image});
    let entry = Entry::begin(&server.audit, &request.0, &grant, "plan", &id, &about)?;
    let created = api(&server).create(&params, &KilterPlan::new(&name, spec)).await;
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

fn api(server: &Server) -> Api<KilterPlan> {
    Api::namespaced(server.client.clone(), &server.namespace)
}
