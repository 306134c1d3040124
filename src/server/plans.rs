//! `POST …/plans` and `GET …/plans/{plan}`: what a deploy would change.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use kube::ResourceExt as _;
use kube::api::{Api, PostParams};

use super::MANAGER;
use super::answers::{Body, app_id, bad_name};
use super::auth::Grant;
use super::deploys::{OfApp, OfDeploy};
use super::failure::Refusal;
use super::state::Server;
use super::tokens::entropy;
use crate::api::{DeployRequest, KilterPlan, KilterPlanSpec, PlanAccepted, PlanInfo, check};
use crate::ids::{Name, hex};

pub(super) async fn ask(
    State(server): State<Arc<Server>>,
    Extension(grant): Extension<Grant>,
    Path(path): OfApp,
    Body(body): Body<DeployRequest>,
) -> Result<(StatusCode, Json<PlanAccepted>), Refusal> {
    let id = app_id(&path)?;
    grant.may_deploy(&id)?;
    let problems = check(&id, &body.template, &server.platform);
    if let Some(first) = problems.first() {
        return Err(Refusal::bad("Invalid", first.clone()).problems(problems));
    }
    let random = entropy::<10>()
        .map_err(|_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "NoEntropy", "no random numbers").retry_after(5))?;
    let name = format!("plan-{}", hex(&random));
    let spec =
        KilterPlanSpec { org: id.org().into(), app: id.app().into(), env: id.env().into(), template: body.template };
    let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    let created = api(&server).create(&params, &KilterPlan::new(&name, spec)).await;
    created.map_err(|error| Refusal::cluster("keep the plan", &error))?;
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
    let of_this = |plan: &KilterPlan| {
        (plan.spec.org.as_str(), plan.spec.app.as_str(), plan.spec.env.as_str()) == (id.org(), id.app(), id.env())
    };
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
