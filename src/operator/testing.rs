//! An API server that a test plays, where every request is answered as the test says, and an operator with a helm that is played.

use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, Response};
use kube::runtime::reflector;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::apps::Operator;
use super::committer::Committer;
use super::decide::{AtHead, Namespace, Observed, Rendering, Sync};
use super::memory::Memory;
use super::metrics::Metrics;
use super::render::AppRenderer;
use crate::api::{AppId, KilterApp, Platform, Template};
use crate::gitops::tests::{Bench, spec};

/// Returns a client of an API server that answers a request with a status and a body. A request's body is null when it has none.
pub(super) fn client<F>(answer: impl Fn(Request<Value>) -> F + Clone + Send + 'static) -> kube::Client
where
    F: Future<Output = (u16, Value)> + Send + 'static,
{
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect_bytes().await.map_err(io::Error::other)?;
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let (status, said) = answer(Request::from_parts(head, body)).await;
            let response = Response::builder().status(status).body(Body::from(said.to_string()));
            response.map_err(io::Error::other)
        }
    });
    kube::Client::new(service, "default")
}

/// Returns an object as it is after a merge patch (RFC 7396) or a JSON patch (RFC 6902).
pub(super) fn patched(object: &Value, asked: &Request<Value>) -> Value {
    let mut object = object.clone();
    match asked.headers()["content-type"].to_str().unwrap() {
        "application/merge-patch+json" => json_patch::merge(&mut object, asked.body()),
        "application/json-patch+json" => {
            let patch: json_patch::Patch = serde_json::from_value(asked.body().clone()).unwrap();
            json_patch::patch(&mut object, &patch).unwrap();
        }
        other => panic!("{other}"),
    }
    object
}

/// What an API server says that refuses.
pub(super) fn refusal(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure", "reason": reason,
        "message": reason, "code": code});
    (code, status)
}

/// Returns an operator that writes to a repository and has one slot for helm: a shell script that is run as `helm template`.
pub(super) fn operator(bench: &Bench, client: kube::Client, template: &str) -> Arc<Operator> {
    let dir = bench.remote("operator").dir;
    let helm = dir.join("helm.sh");
    let script = format!("#!/bin/sh\n[ \"$1\" = version ] && {{ echo v4.3.0 c0ffee; exit; }}\n{template}\n");
    crate::fsx::write(&helm, script.as_bytes()).unwrap();
    std::fs::set_permissions(&helm, std::fs::Permissions::from_mode(0o755)).unwrap();
    let renderer = AppRenderer::new(&helm, &dir, Platform::default()).unwrap().unconfined();
    let metrics = Arc::new(Metrics::new());
    Arc::new(Operator {
        client,
        renderer: Arc::new(renderer),
        committer: Committer::start(bench.open("operator"), metrics.clone()),
        metrics,
        confined: true,
        render_slots: Arc::new(Semaphore::new(1)),
        apps: reflector::store().0,
        die_after: None,
        memory: Mutex::new(Memory::default()),
        telling: tokio::sync::Mutex::default(),
    })
}

/// Returns the KilterApp `acme/shop` in `prod`, as the API server has it after its first deploy.
pub(super) fn app(template: Template) -> (AppId, KilterApp) {
    let id = AppId::new("acme", "shop", "prod").unwrap();
    let mut app = KilterApp::new(&id.namespace(), spec(template));
    (app.metadata.uid, app.metadata.generation) = (Some("u".into()), Some(1));
    (id, app)
}

/// Returns what is seen of a KilterApp that is live in a generation.
pub(super) fn seen(generation: i64) -> Observed {
    let done = Sync { exists: true, applied: true, tried: true, failure: None };
    let (uid, commit) = ("u".into(), "c".into());
    let head = AtHead { uid, owned: true, generation, rerender: String::new(), whole: true, commit };
    Observed {
        complaint: None,
        finalizer: true,
        namespace: Namespace::Unseen,
        head: Some(head),
        rendering: Rendering::Missing,
        job: None,
        repository: None,
        recorded: true,
        told: true,
        nudged: true,
        jobs: done.clone(),
        app: done,
        workload: Ok(()),
    }
}
