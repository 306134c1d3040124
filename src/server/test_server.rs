//! kilter-server on an API server in memory, for tests; every answer is checked for what all answers have.

use std::io;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tower::ServiceExt as _;
use tracing_subscriber::EnvFilter;

use super::audit::Log;
use super::listen::{Settings, start};
use super::routes::router;
use super::state::Server;
use super::testing::Cluster;
use super::tokens::{NewToken, create_token};
use crate::api::{FailureBody, Gateway, NAMESPACE, Platform};
use crate::daemon::log_filter;

/// The app that most tests deploy.
pub(super) const SHOP: &str = "/v1/apps/acme/shop/envs/prod";
/// How long something may take that happens at once.
const SOON: Duration = Duration::from_secs(30);

/// What was written somewhere.
#[derive(Clone, Default)]
pub(super) struct Said(Arc<Written>);

#[derive(Default)]
struct Written {
    text: Mutex<String>,
    more: Notify,
    is_full: AtomicBool,
}

impl Said {
    pub(super) fn text(&self) -> String {
        self.0.text.lock().unwrap().clone()
    }

    /// Waits until some words were written so many times.
    pub(super) async fn until(&self, words: &str, times: usize) {
        let found = async {
            while self.text().matches(words).count() < times {
                self.0.more.notified().await;
            }
        };
        let found = tokio::time::timeout(SOON, found).await;
        found.unwrap_or_else(|_| panic!("nothing said `{words}` {times} times in {}", self.text()));
    }

    /// Lets every further write fail.
    pub(super) fn be_full(&self) {
        self.0.is_full.store(true, Ordering::SeqCst);
    }
}

impl io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.is_full.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.0.text.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
        self.0.more.notify_one();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// The body, when it is JSON.
    pub body: Value,
    pub text: String,
}

impl Answer {
    /// Returns the word of a failure.
    pub(super) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub(super) fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    /// Returns the deploy of a 2xx.
    pub(super) fn deploy(&self) -> String {
        self.body["deploy"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }

    pub(super) fn revision(&self) -> u64 {
        self.body["revision"].as_u64().unwrap_or_else(|| panic!("{self:?}"))
    }
}

/// The server and what it stands on.
pub(super) struct Bed {
    pub cluster: Cluster,
    pub server: Arc<Server>,
    pub router: Router,
    /// A token for all of `acme`.
    pub token: String,
    pub audit: Said,
    pub log: Said,
    /// All answers, heads and bodies.
    pub answers: Said,
    _log: tracing::subscriber::DefaultGuard,
}

pub(super) fn settings() -> Settings {
    Settings {
        platform: Platform {
            domain: "apps.example.com".into(),
            gateway: Gateway { name: "main".into(), namespace: "gateway".into(), section: String::new() },
            sops_recipient: Some("age1recipient".into()),
            ..Platform::default()
        },
        listen: "127.0.0.1:0".into(),
        namespace: NAMESPACE.into(),
        per_second: NonZeroU32::new(100_000).unwrap(),
        at_once: 1000,
    }
}

impl Bed {
    pub(super) async fn new() -> Self {
        Self::with(settings()).await
    }

    pub(super) async fn with(settings: Settings) -> Self {
        Self::on(Cluster::default(), settings).await
    }

    /// A server more on a cluster.
    pub(super) async fn on(cluster: Cluster, settings: Settings) -> Self {
        let (audit, log) = (Said::default(), Said::default());
        let to = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(log_filter(EnvFilter::new("info,kube=warn,kilter=trace")))
            .with_writer(move || to.clone())
            .with_ansi(false);
        let guard = tracing::subscriber::set_default(subscriber.finish());
        let server = start(cluster.client(), &settings, Log::new(audit.clone()));
        let router = router(server.clone());
        let (token, answers) = (String::new(), Said::default());
        let mut bed = Self { cluster, server, router, token, audit, log, answers, _log: guard };
        bed.token = bed.token_for("ci", "acme", "*", "*").await;
        bed
    }

    /// Makes a token and waits until the server knows it; the name `viewer` may only look.
    pub(super) async fn token_for(&self, name: &str, org: &str, app: &str, env: &str) -> String {
        let [name, org, app, env] = [name, org, app, env].map(str::to_owned);
        let read_only = name == "viewer";
        let days = (name == "late").then_some(0);
        let new = NewToken { name, org, app, env, read_only, days };
        let token = create_token(self.cluster.client(), NAMESPACE, &new).await.unwrap();
        let known = |records: &Option<Arc<super::auth::Records>>| {
            records.as_ref().is_some_and(|records| records.contains_key(&token[5..13]))
        };
        let mut tokens = self.server.tokens.clone();
        tokio::time::timeout(SOON, tokens.wait_for(known)).await.unwrap().unwrap();
        self.server.apps.wait_until_ready().await.unwrap();
        token
    }

    /// Waits until the watch has seen an app.
    pub(super) async fn seen(&self, name: &str) {
        let is = |app: &Arc<kube::core::DeserializeGuard<crate::api::KilterApp>>| {
            app.0.as_ref().is_ok_and(|app| app.metadata.name.as_deref() == Some(name))
        };
        let seen = async {
            while !self.server.apps.state().iter().any(is) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, seen).await.unwrap();
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &self.token, None, Body::empty()).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, &self.token, None, Body::empty()).await
    }

    /// Posts with an idempotency key.
    pub(super) async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.call("POST", path, &self.token, Some(key), Body::from(body.to_string())).await
    }

    /// Posts a deploy of the shop.
    pub(super) async fn deploy(&self, key: &str, body: &Value) -> Answer {
        self.post(&format!("{SHOP}/deploys"), key, body).await
    }

    pub(super) async fn call(&self, method: &str, path: &str, token: &str, key: Option<&str>, body: Body) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request.body(body).unwrap()).await
    }

    /// Sends a request and checks what is true of all answers.
    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let about = format!("{} {}", request.method(), request.uri());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        io::Write::write_all(&mut self.answers.clone(), format!("{head:?}\n{text}\n").as_bytes()).unwrap();
        let status = head.status.as_u16();
        assert_ne!(status, 500, "{about}: {text}");
        assert_eq!(head.headers["cache-control"], "no-store", "{about}");
        assert_eq!(head.headers["x-request-id"].len(), 16, "{about}");
        if head.status.is_client_error() || head.status.is_server_error() {
            let failure: FailureBody = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{about}: {text}: {e}"));
            let FailureBody { error } = failure;
            assert!(!error.code.is_empty() && !error.message.is_empty(), "{about}: {text}");
            assert!(!error.message.contains(char::is_control), "{about}: {text}");
        }
        if [429, 503].contains(&status) {
            let seconds: u32 = head.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds), "{about}");
        }
        Answer { status, headers: head.headers, body: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    /// Returns the KilterApp of the shop.
    pub(super) fn shop(&self) -> Value {
        self.cluster.get("kilterapps", NAMESPACE, "shop-prod").unwrap()
    }

    /// Returns what the shop remembers: deploy → revision, in its order.
    pub(super) fn remembered(&self) -> Vec<(String, u64)> {
        let shop = self.shop();
        let text = shop["metadata"]["annotations"][crate::api::ANNOTATION_ACCEPTED].as_str().unwrap();
        let entry = |entry: &str| {
            let parts: Vec<&str> = entry.split('=').collect();
            (parts[0].to_owned(), parts[2].parse().unwrap())
        };
        text.split(',').map(entry).collect()
    }

    /// Sets a condition of the shop's current generation, as the operator would.
    pub(super) fn condition(&self, type_: &str, status: &str, reason: &str) {
        let mut shop = self.shop();
        let generation = shop["metadata"]["generation"].clone();
        let deploy = shop["spec"]["deploy"].clone();
        let mut live = shop["status"]["liveRevisions"].as_array().cloned().unwrap_or_default();
        if (type_, status) == ("Ready", "True") && !live.contains(&shop["spec"]["revision"]) {
            live.push(shop["spec"]["revision"].clone());
        }
        shop["status"] = json!({"liveRevisions": live, "deploy": deploy, "commit": "c0ffee", "url": "https://shop.apps.example.com",
            "conditions": [{"type": type_, "status": status, "reason": reason, "message": format!("it is {reason}"),
                "lastTransitionTime": "2026-11-24T10:00:00Z", "observedGeneration": generation}]});
        self.cluster.put("kilterapps", NAMESPACE, shop);
    }

    /// Commits the shop's current revision, which becomes live, as the operator would.
    pub(super) fn commit(&self) {
        self.condition("Ready", "True", "Ready");
        self.keep();
    }

    /// Commits the shop's current revision, which never becomes live.
    pub(super) fn commit_and_fail(&self) {
        self.condition("Ready", "False", "JobFailed");
        self.keep();
    }

    fn keep(&self) {
        let shop = self.shop();
        let revision = shop["spec"]["revision"].as_u64().unwrap();
        self.record(&format!("shop-prod-{revision}"), &shop["metadata"]["uid"], &shop["spec"]);
    }

    /// Writes an entry of the history.
    pub(super) fn record(&self, name: &str, owner: &Value, spec: &Value) {
        let labels = json!({"kilter.netshire.com/app": spec["app"], "kilter.netshire.com/env": spec["env"],
            "kilter.netshire.com/org": spec["org"]});
        let owner = json!({"apiVersion": "kilter.netshire.com/v1alpha1", "kind": "KilterApp", "name": "shop-prod",
            "uid": owner, "controller": true});
        let entry = json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": spec["revision"],
            "metadata": {"name": name, "labels": labels, "ownerReferences": [owner]}, "data": spec});
        self.cluster.put("controllerrevisions", NAMESPACE, entry);
    }
}

/// A request to deploy the `n`th image.
pub(super) fn image(n: u64) -> Value {
    json!({"template": {"image": format!("registry.example/acme/shop@sha256:{n:064x}"), "port": 3000}})
}

/// A Secret that is sealed, whatever is in it.
pub(super) fn sealed(name: &str, namespace: &str, data: &str) -> Value {
    let encrypted = |data: &str| format!("ENC[AES256_GCM,data:{data},iv:x,tag:y,type:str]");
    let manifest = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
        "stringData": {"KEY": encrypted(data)}, "type": "Opaque",
        "sops": {"age": [{"recipient": "age1x", "enc": "…"}], "mac": encrypted("m"),
            "encrypted_regex": "^stringData$", "version": "3.13.3"}});
    json!({"name": name, "sealed": manifest.to_string()})
}
