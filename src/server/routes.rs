//! The routes: one table for the router and for the OpenAPI document.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
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
    /// Parameters of the query: name, what it is for, type.
    pub query: &'static [(&'static str, &'static str, &'static str)],
    pub handler: fn() -> MethodRouter<Arc<Server>>,
}

/// What of an app's logs is asked for.
const OF_LOGS: &[(&str, &str, &str)] = &[
    ("component", "One component; `app` is the app itself", "string"),
    ("tail", "How many lines of each container", "integer"),
];

const APP: &str = "/v1/apps/{org}/{app}/envs/{env}";

/// A path below an app.
macro_rules! concat_path {
    ($rest:literal) => {
        concat!("/v1/apps/{org}/{app}/envs/{env}", $rest)
    };
}

/// Returns every route that needs a token.
pub(super) fn table() -> Vec<Route> {
    let route =
        |method, path, about, body, answer, handler| Route { method, path, about, body, answer, query: &[], handler };
    let logs = route("get", concat_path!("/logs"), "What its containers said", None, "Logs", || get(logs::app));
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
        Route { query: OF_LOGS, ..logs },
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

/// A route that needs none.
pub(super) struct Open {
    pub path: &'static str,
    pub about: &'static str,
    /// Media type of the answer.
    pub kind: &'static str,
    pub handler: fn() -> MethodRouter<Arc<Server>>,
}

/// Returns every route that needs no token.
pub(super) fn open() -> Vec<Open> {
    let route = |path, about, kind, handler| Open { path, about, kind, handler };
    vec![
        route("/healthz", "Whether the process lives", "text/plain", || get(|| async { "ok\n" })),
        route("/readyz", "Whether it has seen what it needs to answer", "text/plain", || get(ready)),
        route("/metrics", "What it counts", "application/openmetrics-text", || get(metrics)),
        route("/openapi.json", "This document", "application/json", || get(document)),
    ]
}

async fn ready(State(server): State<Arc<Server>>) -> (StatusCode, &'static str) {
    if server.is_ready() { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "starting\n") }
}

async fn metrics(State(server): State<Arc<Server>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPEN_METRICS)], server.metrics.text())
}

/// It is the same every time, and anybody may ask: it is made once.
async fn document() -> impl IntoResponse {
    static TEXT: LazyLock<String> = LazyLock::new(|| openapi::document().to_string());
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str())
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
    let mut open = Router::new();
    for route in self::open() {
        open = open.route(route.path, (route.handler)());
    }
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
