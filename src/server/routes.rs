//! The routes: one table for the router and for the OpenAPI document.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, delete, get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use super::failure::Refusal;
use super::limits::MAX_BODY;
use super::state::Server;
use super::{answers, apps, auth, deploys, limits, logs, openapi, plans};

/// How long a request may take, its body included.
const TIME: Duration = Duration::from_secs(30);

/// The form of `/metrics` (OpenMetrics 1.0, "Overall Structure").
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A route that needs a token.
pub(super) struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub about: &'static str,
    /// Names of the types of the body and of the answer in the OpenAPI document.
    pub body: Option<&'static str>,
    pub answer: &'static str,
    pub handler: fn() -> MethodRouter<Arc<Server>>,
}

const APP: &str = "/v1/apps/{org}/{app}/envs/{env}";

/// A path below an app.
macro_rules! concat_path {
    ($rest:literal) => {
        concat!("/v1/apps/{org}/{app}/envs/{env}", $rest)
    };
}

/// Returns every route that needs a token.
pub(super) fn table() -> Vec<Route> {
    let route = |method, path, about, body, answer, handler| Route { method, path, about, body, answer, handler };
    vec![
        route("get", "/v1/info", "What a client has to know", None, "Info", || get(apps::info)),
        route("get", "/v1/apps", "The apps in the token's scope", None, "[AppInfo]", || get(apps::list)),
        route("get", APP, "One app", None, "AppInfo", || get(apps::show)),
        route("delete", APP, "Delete an app and all it has", None, "AppInfo", || delete(apps::delete)),
        route("get", concat_path!("/deploys"), "Its deploys, newest first", None, "[DeployInfo]", || {
            get(deploys::list)
        }),
        route("post", concat_path!("/deploys"), "Deploy", Some("DeployRequest"), "DeployAccepted", || {
            post(deploys::deploy)
        }),
        route("get", concat_path!("/deploys/{deploy}"), "How far a deploy is", None, "DeployInfo", || {
            get(deploys::show)
        }),
        route("get", concat_path!("/deploys/{deploy}/logs"), "What its Jobs said", None, "Logs", || get(logs::deploy)),
        route(
            "post",
            concat_path!("/rollback"),
            "Deploy an earlier revision again",
            Some("RollbackRequest"),
            "DeployAccepted",
            || post(deploys::rollback),
        ),
        route("get", concat_path!("/logs"), "What its containers said", None, "Logs", || get(logs::app)),
        route(
            "post",
            concat_path!("/plans"),
            "Ask what a deploy would change",
            Some("DeployRequest"),
            "PlanAccepted",
            || post(plans::ask),
        ),
        route("get", concat_path!("/plans/{plan}"), "The answer to that", None, "PlanInfo", || get(plans::show)),
    ]
}

/// Returns the whole server.
pub(super) fn router(server: Arc<Server>) -> Router {
    router_within(server, TIME)
}

/// Returns the whole server with another time for a request.
pub(super) fn router_within(server: Arc<Server>, time: Duration) -> Router {
    let mut protected = Router::new();
    for route in table() {
        protected = protected.route(route.path, (route.handler)());
    }
    let protected = protected.layer(from_fn_with_state(server.clone(), auth::authenticate));
    let ready = |server: Arc<Server>| async move {
        if server.is_ready() { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "starting\n") }
    };
    let (for_ready, for_metrics) = (server.clone(), server.clone());
    let open = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(move || ready(for_ready.clone())))
        .route("/metrics", get(move || async move { ([(CONTENT_TYPE, OPEN_METRICS)], for_metrics.metrics.text()) }))
        .route("/openapi.json", get(|| async { axum::Json(openapi::document()) }));
    let nothing = || async { Refusal::not_found("there is nothing at this path") };
    let other_method =
        || async { Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "not with this method") };
    protected
        .layer(from_fn_with_state(server.clone(), limits::shed))
        .merge(open)
        .fallback(nothing)
        .method_not_allowed_fallback(other_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, time))
        .layer(CatchPanicLayer::new())
        .layer(map_response(in_form))
        .layer(from_fn_with_state(server.clone(), answers::observe))
        .with_state(server)
}

/// Gives the answers of layers the form of all others.
async fn in_form(response: Response) -> Response {
    let is_json =
        response.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    match response.status() {
        StatusCode::REQUEST_TIMEOUT => {
            Refusal::new(StatusCode::REQUEST_TIMEOUT, "TooSlow", "the request took too long").into_response()
        }
        StatusCode::INTERNAL_SERVER_ERROR if !is_json => {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Bug", "the server failed; its log says why")
                .into_response()
        }
        StatusCode::BAD_REQUEST if !is_json => Refusal::bad("BadRequest", "the request cannot be read").into_response(),
        _ => response,
    }
}
