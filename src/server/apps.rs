//! `GET /v1/info`, `GET /v1/apps`, `GET` and `DELETE` of one app.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use kube::api::DeleteParams;
use serde_json::json;

use super::answers::{RequestId, app_id};
use super::audit::Entry;
use super::auth::{Grant, ToChange};
use super::deploys::{OfApp, find};
use super::failure::Refusal;
use super::info;
use super::state::Server;
use crate::api::{AppId, AppInfo, Info, KilterApp};

pub(super) async fn info(State(server): State<Arc<Server>>) -> Json<Info> {
    Json(Info {
        version: env!("CARGO_PKG_VERSION").into(),
        api: vec!["v1".into()],
        domain: server.platform.domain.clone(),
        platforms: server.platform.platforms.clone(),
        sops_recipient: server.platform.sops_recipient.clone(),
    })
}

pub(super) async fn list(State(server): State<Arc<Server>>, Extension(grant): Extension<Grant>) -> Json<Vec<AppInfo>> {
    let state = server.apps.state();
    let apps = state.iter().filter_map(|app| app.0.as_ref().ok());
    let ours = apps.filter(|app| grant.covers(&app.spec.org, &app.spec.app, &app.spec.env));
    let mut all: Vec<AppInfo> = ours.map(|app| about(&server, app)).collect();
    all.sort_by(|a, b| (&a.org, &a.app, &a.env).cmp(&(&b.org, &b.app, &b.env)));
    Json(all)
}

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    Extension(grant): Extension<Grant>,
    Path(path): OfApp,
) -> Result<Json<AppInfo>, Refusal> {
    let id = app_id(&path)?;
    grant.may_read(&id)?;
    let app = find(&server, &id).await?;
    Ok(Json(about(&server, &app)))
}

pub(super) async fn delete(
    State(server): State<Arc<Server>>,
    ToChange { id, grant }: ToChange,
    Extension(request): Extension<RequestId>,
) -> Result<(StatusCode, Json<AppInfo>), Refusal> {
    let app = find(&server, &id).await?;
    let facts = json!({"revision": app.spec.revision});
    let entry = Entry::begin(&server.audit, &request.0, &grant, "delete", &id, &facts)?;
    let uid = app.metadata.uid.clone();
    let params = DeleteParams {
        preconditions: uid.map(|uid| kube::api::Preconditions { uid: Some(uid), resource_version: None }),
        ..DeleteParams::default()
    };
    let done = server.api().delete(&id.namespace(), &params).await;
    match done {
        Ok(_) => entry.end("accepted"),
        Err(kube::Error::Api(error)) if error.code == 404 => entry.end("gone"),
        Err(error) => {
            entry.end("ClusterUnavailable");
            return Err(Refusal::cluster("delete the app", &error));
        }
    }
    Ok((StatusCode::ACCEPTED, Json(AppInfo { deleting: true, ..about(&server, &app) })))
}

fn about(server: &Server, app: &KilterApp) -> AppInfo {
    let spec = &app.spec;
    let url = AppId::new(&spec.org, &spec.app, &spec.env).map(|id| id.url(&server.platform, &spec.template));
    AppInfo {
        org: spec.org.clone(),
        app: spec.app.clone(),
        env: spec.env.clone(),
        url: url.unwrap_or_default(),
        deploy: info::current(app),
        conditions: app.status.clone().unwrap_or_default().conditions,
        about: spec.template.about.clone(),
        deleting: app.metadata.deletion_timestamp.is_some(),
    }
}
