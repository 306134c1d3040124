//! The chart `kilter-app`: an app in production, with values as kilter-operator writes them.

mod objects;
#[cfg(feature = "platform")]
mod operator;
mod own;
mod text;

use std::path::Path;

use kilter::exec::{Captured, Invocation};
use serde_json::{Value, json};

use super::{Chart, chart, render};

/// Namespace of the app, and helm's name of the release.
const NAMESPACE: &str = "shop-prod";
const IMAGE: &str =
    "registry.example:5000/acme/shop@sha256:4c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e2";
const DEPLOY: &str = "d0123456789abcdef";

/// What the operator says of the smallest app.
fn values() -> Value {
    json!({
        "phase": "app", "org": "acme", "app": "shop", "env": "prod", "revision": 7, "deploy": DEPLOY,
        "image": IMAGE, "port": 3000, "health": "", "command": [], "replicas": 1, "variables": {}, "secrets": [],
        "public": true, "hostnames": ["shop.apps.example.com"], "components": [], "pullSecrets": [],
        "gateway": {"name": "public", "namespace": "gateways", "section": ""},
        "peers": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateways"}}}],
        "security": {"readOnlyRoot": false},
    })
}

/// The same with other values at the top.
fn with(change: &Value) -> Value {
    let mut values = values();
    values.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    values
}

/// An app that has everything.
fn full() -> Value {
    with(&json!({
        "health": "/healthz?full=1",
        "command": ["node", "server.js", "--price=$5"],
        "replicas": 2,
        "resources": {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
        "variables": {"GREETING": "it's $5, \"quoted\"", "LOG_LEVEL": "info"},
        "secrets": [{"name": "shop-keys", "digest": format!("sha256:{}", "ab".repeat(32))}, {"name": "shared", "digest": ""}],
        "hostnames": ["shop.apps.example.com", "www.example.org"],
        "pullSecrets": ["registry"],
        "gateway": {"name": "public", "namespace": "gateways", "section": "https"},
        "peers": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateways"}},
            "podSelector": {"matchLabels": {"role": "proxy"}}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}],
        "security": {"readOnlyRoot": true},
        "components": components(),
    }))
}

/// One of each kind: with a path, with a host name of its own, internal, without a port.
fn components() -> Value {
    json!([
        {"name": "api", "command": ["node", "api.js"], "variables": {"LOG_LEVEL": "debug"}, "port": 4000, "path": "/api"},
        {"name": "admin", "command": [], "variables": {}, "port": 4001, "hostnames": ["admin.shop.apps.example.com"],
            "image": "registry.example/acme/admin:1.2.3"},
        {"name": "cache", "command": [], "variables": {}, "port": 4002, "image": "registry.example/acme/cache:7.2"},
        {"name": "worker", "command": ["node", "worker.js"], "variables": {}},
    ])
}

/// Everything of the jobs of a deploy of that app.
fn jobs(migration: &[&str], seed: &[&str]) -> Value {
    let mut values = full();
    values["phase"] = json!("jobs");
    values["migration"] = json!(migration);
    values["seed"] = json!(seed);
    values["jobsDeadline"] = json!(900);
    values
}

const MIGRATE: &[&str] = &["npm", "run", "migrate"];
const SEED: &[&str] = &["npm", "run", "seed"];

/// Every kind of app and of jobs, by name; the golden manifests are of these.
pub(super) fn scenarios() -> Vec<(&'static str, Value)> {
    let internal = json!({"public": false, "hostnames": [], "components": [{"name": "api", "command": [], "variables": {}, "port": 4000}]});
    vec![
        ("minimal", values()),
        ("everything", full()),
        ("internal", with(&internal)),
        ("components", with(&json!({"components": components()}))),
        ("two-replicas", with(&json!({"replicas": 2}))),
        ("migration", jobs(MIGRATE, &[])),
        ("seed", jobs(&[], SEED)),
        ("migration-and-seed", jobs(MIGRATE, SEED)),
    ]
}

/// Renders an app by a call of helm that is changed before.
fn run_as(helm: &Path, values: &Value, change: impl FnOnce(Invocation) -> Invocation) -> Captured {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("values.yaml");
    kilter::fsx::write(&file, kilter::yaml::emit(values).unwrap().as_bytes()).unwrap();
    let chart: Chart = chart("kilter-app");
    let words = ["template", NAMESPACE, chart.dir.to_str().unwrap(), "--namespace", NAMESPACE];
    let call = render::call(helm, home.path()).args(words).args(["--kube-version", "v1.36.0"]);
    change(call.args(["-f", file.to_str().unwrap()])).capture().unwrap()
}

fn run(helm: &Path, values: &Value) -> Captured {
    run_as(helm, values, |call| call)
}

pub(super) fn manifest(helm: &Path, values: &Value) -> String {
    let said = run(helm, values);
    assert!(said.ok(), "{values}: {}", said.stderr);
    said.text()
}

fn objects_of(helm: &Path, values: &Value) -> Vec<Value> {
    render::parse(&manifest(helm, values))
}

/// The pod template of what runs pods.
fn pod(workload: &Value) -> &Value {
    &workload["spec"]["template"]
}

/// The containers of what runs pods, those that run first included.
fn all_containers(workload: &Value) -> impl Iterator<Item = &Value> {
    let spec = &pod(workload)["spec"];
    ["initContainers", "containers"].into_iter().flat_map(|kind| spec[kind].as_array().into_iter().flatten())
}

fn runs_pods(object: &Value) -> bool {
    object["kind"] == "Deployment" || object["kind"] == "Job"
}

fn names(objects: &[Value]) -> Vec<String> {
    let name = |object: &Value| format!("{} {}", object["kind"], object["metadata"]["name"]).replace('"', "");
    objects.iter().map(name).collect()
}
