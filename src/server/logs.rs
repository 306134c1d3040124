//! `GET …/logs` and `GET …/deploys/{deploy}/logs`: the end of what containers said.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams, LogParams};
use serde::Deserialize;

use super::answers::{app_id, bad_name};
use super::auth::Grant;
use super::deploys::{OfApp, OfDeploy, find};
use super::failure::Refusal;
use super::state::Server;
use crate::api::{AppId, LABEL_APP, LABEL_ENV, LABEL_ORG, Logs, PodLog};

/// Most containers of one answer, and most bytes of each.
const CONTAINERS: usize = 20;
const BYTES: i64 = 64 * 1024;

/// What of the logs is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// One component; `app` is the app itself.
    component: Option<String>,
    /// How many lines of each container.
    tail: Option<u16>,
}

pub(super) async fn app(
    State(server): State<Arc<Server>>,
    Extension(grant): Extension<Grant>,
    Path(path): OfApp,
    Query(which): Query<Which>,
) -> Result<Json<Logs>, Refusal> {
    let id = app_id(&path)?;
    grant.may_read(&id)?;
    find(&server, &id).await?;
    let component = which.component.as_deref().map(|name| crate::ids::Name::new(name).map_err(|why| bad_name(&why)));
    let component = match component.transpose()? {
        Some(name) => format!("app.kubernetes.io/component={name}"),
        None => "app.kubernetes.io/component".to_owned(),
    };
    read(&server, &id, &component, which.tail).await
}

pub(super) async fn deploy(
    State(server): State<Arc<Server>>,
    Extension(grant): Extension<Grant>,
    Path((org, app, env, deploy)): OfDeploy,
) -> Result<Json<Logs>, Refusal> {
    let id = app_id(&(org, app, env))?;
    grant.may_read(&id)?;
    find(&server, &id).await?;
    let deploy = crate::ids::Name::new(&deploy).map_err(|why| bad_name(&why))?;
    let selector = format!("batch.kubernetes.io/job-name in (migration-{deploy},seed-{deploy})");
    read(&server, &id, &selector, None).await
}

/// Reads what those pods of an app say that are `which`. The namespace may be somebody else's, of which kilter made nothing: so the
/// app's own labels are asked for, which all its pods have (the chart `kilter-app`).
async fn read(server: &Arc<Server>, id: &AppId, which: &str, tail: Option<u16>) -> Result<Json<Logs>, Refusal> {
    let api: Api<Pod> = Api::namespaced(server.client.clone(), &id.namespace());
    let (org, app, env) = (id.org(), id.app(), id.env());
    let selector = format!("{LABEL_APP}={app},{LABEL_ENV}={env},{LABEL_ORG}={org},{which}");
    let listed = api.list(&ListParams::default().labels(&selector)).await;
    let mut pods = listed.map_err(|error| Refusal::cluster("list the pods", &error))?.items;
    pods.sort_by_key(ResourceExt::creation_timestamp);
    let mut logs = Logs::default();
    for pod in pods {
        let spec = pod.spec.clone().unwrap_or_default();
        for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
            if logs.pods.len() >= CONTAINERS {
                return Ok(Json(logs));
            }
            let params = LogParams {
                container: Some(container.name.clone()),
                tail_lines: Some(tail.map_or(200, i64::from)),
                limit_bytes: Some(BYTES),
                ..LogParams::default()
            };
            // One that has not started, or is gone, said nothing.
            let log = api.logs(&pod.name_any(), &params).await.unwrap_or_default();
            logs.pods.push(PodLog { pod: pod.name_any(), container: container.name.clone(), log });
        }
    }
    Ok(Json(logs))
}
