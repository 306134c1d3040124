//! An API server in memory, as far as kilter-server uses one: objects with uid, resourceVersion and generation, watches, logs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http::{Method, Request, Response, StatusCode, Uri};
use futures::StreamExt as _;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

type Key = (String, String, String);

/// The API server. Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Cluster(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Plural, namespace and name → object.
    objects: BTreeMap<Key, Value>,
    logs: BTreeMap<(String, String), String>,
    version: u64,
    /// Version, key, and the line of a watch.
    events: Vec<(u64, Key, String)>,
    watches: Vec<Watch>,
    writes: usize,
    /// Resource and verb, as RBAC has them.
    calls: BTreeSet<(String, String)>,
    is_away: bool,
    /// The watches are open and hear nothing.
    is_silent: bool,
    /// Resource and verb.
    forbidden: Option<(String, String)>,
    refusal: Option<(u16, String)>,
}

struct Watch {
    plural: String,
    namespace: String,
    name: Option<String>,
    to: UnboundedSender<io::Result<String>>,
}

impl Watch {
    fn wants(&self, (plural, namespace, name): &Key) -> bool {
        self.plural == *plural && self.namespace == *namespace && self.name.as_ref().is_none_or(|wanted| wanted == name)
    }
}

/// What a request is about.
struct Target {
    kind: &'static str,
    plural: String,
    namespace: String,
    name: Option<String>,
    of_object: Option<String>,
    query: HashMap<String, String>,
}

type Done = Result<Value, Value>;

impl Cluster {
    /// Returns a client of it.
    pub(super) fn client(&self) -> kube::Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let cluster = cluster.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect_bytes().await.map_err(io::Error::other)?;
                // Where a real request would be under way others come in between.
                tokio::task::yield_now().await;
                cluster.answer(&head.method, &head.uri, &body)
            }
        });
        kube::Client::new(service, "default")
    }

    /// Returns an object.
    pub(super) fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(&key(plural, namespace, name)).cloned()
    }

    /// Puts an object in place, as somebody else would: status and all.
    pub(super) fn put(&self, plural: &str, namespace: &str, mut object: Value) {
        let mut state = self.0.lock().unwrap();
        let key = key(plural, namespace, object["metadata"]["name"].as_str().unwrap());
        let kind = if state.objects.contains_key(&key) { "MODIFIED" } else { "ADDED" };
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", state.version + 1));
        }
        state.keep(kind, key, object);
    }

    /// Says what a container said.
    pub(super) fn say(&self, pod: &str, container: &str, text: &str) {
        self.0.lock().unwrap().logs.insert((pod.into(), container.into()), text.into());
    }

    /// Returns how many requests wrote something.
    pub(super) fn writes(&self) -> usize {
        self.0.lock().unwrap().writes
    }

    /// Returns the rights that were used: resource and verb.
    pub(super) fn calls(&self) -> BTreeSet<(String, String)> {
        self.0.lock().unwrap().calls.clone()
    }

    /// Begins to note anew which rights are used.
    pub(super) fn forget_calls(&self) {
        self.0.lock().unwrap().calls.clear();
    }

    /// Lets no connection come about, or lets them again.
    pub(super) fn be_away(&self, is_away: bool) {
        self.0.lock().unwrap().is_away = is_away;
    }

    /// Lets watches hear of nothing that happens from now on.
    pub(super) fn be_silent(&self) {
        self.0.lock().unwrap().is_silent = true;
    }

    /// Takes away a right, or gives it back.
    pub(super) fn forbid(&self, right: Option<(&str, &str)>) {
        self.0.lock().unwrap().forbidden = right.map(|(resource, verb)| (resource.into(), verb.into()));
    }

    /// Removes an object, as somebody else would.
    pub(super) fn remove(&self, plural: &str, namespace: &str, name: &str) {
        let mut state = self.0.lock().unwrap();
        let key = key(plural, namespace, name);
        let object = state.objects[&key].clone();
        state.keep("DELETED", key, object);
    }

    /// Refuses the next write with this status and these words.
    pub(super) fn refuse(&self, status: u16, words: &str) {
        self.0.lock().unwrap().refusal = Some((status, words.into()));
    }

    /// Ends all watches as an API server does that has forgotten their versions: who watches has to list again.
    pub(super) fn forget(&self) {
        let mut state = self.0.lock().unwrap();
        state.events.clear();
        let line = json!({"type": "ERROR", "object": status(410, "Expired", "too old resource version")});
        for watch in state.watches.drain(..) {
            let _ = watch.to.unbounded_send(Ok(format!("{line}\n")));
        }
    }

    fn answer(&self, method: &Method, uri: &Uri, body: &Bytes) -> io::Result<Response<Body>> {
        let mut state = self.0.lock().unwrap();
        if state.is_away {
            return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
        }
        let target = target(uri);
        let right = target.right(method);
        if state.forbidden.as_ref() == Some(&right) {
            return Ok(respond(&status(403, "Forbidden", "the account has no such right")));
        }
        state.calls.insert(right);
        if target.query.get("watch").is_some_and(|watch| watch == "true") {
            return Ok(Response::new(state.watch(&target)));
        }
        if target.of_object.as_deref() == Some("log") {
            let container = target.query.get("container").cloned().unwrap_or_default();
            let said = state.logs.get(&(target.name.clone().unwrap(), container)).cloned();
            let lines: usize = target.query["tailLines"].parse().unwrap();
            return Ok(match said {
                Some(said) => {
                    let all: Vec<&str> = said.lines().collect();
                    Response::new(Body::from(all[all.len().saturating_sub(lines)..].join("\n")))
                }
                None => respond(&status(400, "BadRequest", "the container is waiting to start")),
            });
        }
        if *method != Method::GET
            && let Some((code, words)) = state.refusal.take()
        {
            return Ok(respond(&status(code, "Invalid", &words)));
        }
        let sent = || serde_json::from_slice::<Value>(body).unwrap();
        let done = match (method.as_str(), &target.name) {
            ("GET", Some(name)) => state.read(&target, name),
            ("GET", None) => Ok(state.list(&target)),
            ("POST", None) => state.create(&target, sent()),
            ("PUT", Some(name)) => state.replace(&target, name, sent()),
            ("PATCH", Some(name)) => state.apply(&target, name, &sent()),
            ("DELETE", Some(name)) => state.delete(&target, name, body),
            other => panic!("kilter-server never sends {other:?} {uri}"),
        };
        Ok(respond(&done.unwrap_or_else(|status| status)))
    }
}

impl State {
    fn keep(&mut self, kind: &str, key: Key, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if kind == "DELETED" {
            self.objects.remove(&key);
        } else {
            self.objects.insert(key.clone(), object.clone());
        }
        let line = format!("{}\n", json!({"type": kind, "object": object}));
        let is_silent = self.is_silent;
        self.watches
            .retain(|watch| is_silent || !watch.wants(&key) || watch.to.unbounded_send(Ok(line.clone())).is_ok());
        self.events.push((self.version, key, line));
        object
    }

    fn watch(&mut self, target: &Target) -> Body {
        let (to, lines) = unbounded();
        let (plural, namespace) = (target.plural.clone(), target.namespace.clone());
        let watch = Watch { plural, namespace, name: target.field_name(), to };
        let from: u64 = target.query["resourceVersion"].parse().unwrap();
        for (version, key, line) in &self.events {
            if *version > from && watch.wants(key) {
                watch.to.unbounded_send(Ok(line.clone())).unwrap();
            }
        }
        self.watches.push(watch);
        Body::from_stream(lines.map(|line| line))
    }

    fn read(&self, target: &Target, name: &str) -> Done {
        let found = self.objects.get(&key(&target.plural, &target.namespace, name)).cloned();
        found.ok_or_else(|| status(404, "NotFound", &format!("{} {name:?} not found", target.plural)))
    }

    fn list(&self, target: &Target) -> Value {
        let ours = self.objects.iter().filter(|((plural, namespace, name), object)| {
            *plural == target.plural
                && *namespace == target.namespace
                && target.field_name().is_none_or(|wanted| wanted == *name)
                && target.query.get("labelSelector").is_none_or(|selector| selects(selector, object))
        });
        let items: Vec<&Value> = ours.map(|(_, object)| object).collect();
        let (group, version) = ("v1", self.version.to_string());
        json!({"apiVersion": group, "kind": format!("{}List", target.kind), "metadata": {"resourceVersion": version},
            "items": items})
    }

    fn create(&mut self, target: &Target, mut object: Value) -> Done {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let key = key(&target.plural, &target.namespace, &name);
        if self.objects.contains_key(&key) {
            return Err(status(409, "AlreadyExists", &format!("{} {name:?} already exists", target.plural)));
        }
        valid(target, &object, None)?;
        object["metadata"]["namespace"] = json!(target.namespace);
        object["metadata"]["uid"] = json!(format!("uid-{}", self.version + 1));
        object["metadata"]["generation"] = json!(1);
        object["metadata"]["creationTimestamp"] = json!(format!("{:.0}", Timestamp::now()));
        object.as_object_mut().unwrap().remove("status");
        self.writes += 1;
        Ok(self.keep("ADDED", key, object))
    }

    fn replace(&mut self, target: &Target, name: &str, mut object: Value) -> Done {
        let old = self.read(target, name)?;
        let version = &object["metadata"]["resourceVersion"];
        if !version.is_null() && *version != old["metadata"]["resourceVersion"] {
            return Err(status(409, "Conflict", "the object has been modified"));
        }
        valid(target, &object, Some(&old))?;
        for kept in ["uid", "creationTimestamp", "namespace"] {
            object["metadata"][kept] = old["metadata"][kept].clone();
        }
        let generation = old["metadata"]["generation"].as_i64().unwrap_or(1);
        object["metadata"]["generation"] = json!(generation + i64::from(object["spec"] != old["spec"]));
        // The status is a subresource: nobody writes it here.
        match old.get("status") {
            Some(status) => object["status"] = status.clone(),
            None => drop(object.as_object_mut().unwrap().remove("status")),
        }
        self.writes += 1;
        Ok(self.keep("MODIFIED", key(&target.plural, &target.namespace, name), object))
    }

    /// A forced server-side apply that is bound to an object; its spec is atomic.
    fn apply(&mut self, target: &Target, name: &str, sent: &Value) -> Done {
        assert_eq!((&*target.query["fieldManager"], &*target.query["force"]), ("kilter-server", "true"));
        // What an apply says of an object that is gone, it says with this code, too.
        let old = self.read(target, name).map_err(|_| status(409, "Conflict", "uid mismatch: no existing object"))?;
        if sent["metadata"]["uid"] != old["metadata"]["uid"] {
            return Err(status(409, "Conflict", "uid mismatch"));
        }
        let mut object = old;
        for map in ["labels", "annotations"] {
            for (key, value) in sent["metadata"][map].as_object().into_iter().flatten() {
                object["metadata"][map][key] = value.clone();
            }
        }
        object["metadata"]["resourceVersion"] = sent["metadata"]["resourceVersion"].clone();
        object["spec"] = sent["spec"].clone();
        self.replace(target, name, object)
    }

    fn delete(&mut self, target: &Target, name: &str, body: &Bytes) -> Done {
        let mut old = self.read(target, name)?;
        let options: Value = serde_json::from_slice(body).unwrap_or_default();
        let uid = &options["preconditions"]["uid"];
        if !uid.is_null() && *uid != old["metadata"]["uid"] {
            return Err(status(409, "Conflict", "the UID in the precondition does not match"));
        }
        let version = &options["preconditions"]["resourceVersion"];
        if !version.is_null() && *version != old["metadata"]["resourceVersion"] {
            return Err(status(409, "Conflict", "the ResourceVersion in the precondition does not match"));
        }
        self.writes += 1;
        let key = key(&target.plural, &target.namespace, name);
        if old["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty()) {
            old["metadata"]["deletionTimestamp"] = json!("2026-11-24T11:00:00Z");
            return Ok(self.keep("MODIFIED", key, old));
        }
        Ok(self.keep("DELETED", key, old))
    }
}

impl Target {
    fn right(&self, method: &Method) -> (String, String) {
        let resource = self.of_object.as_ref().map(|sub| format!("{}/{sub}", self.plural));
        let verb = match (method.as_str(), &self.name) {
            ("GET", None) if self.query.contains_key("watch") => "watch",
            ("GET", None) => "list",
            ("GET", Some(_)) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            (_, _) => "delete",
        };
        (resource.unwrap_or_else(|| self.plural.clone()), verb.to_owned())
    }

    fn field_name(&self) -> Option<String> {
        let selector = self.query.get("fieldSelector")?;
        Some(selector.strip_prefix("metadata.name=").unwrap().to_owned())
    }
}

/// The rules of the KilterApp and of the KilterHost (src/api/app.rs, src/api/host.rs).
fn valid(target: &Target, object: &Value, old: Option<&Value>) -> Result<(), Value> {
    if target.plural == "kilterhosts" && old.is_some_and(|old| old["spec"] != object["spec"]) {
        return Err(status(422, "Invalid", "KilterHost is invalid"));
    }
    if target.plural != "kilterapps" {
        return Ok(());
    }
    let spec = &object["spec"];
    let text = |key: &str| spec[key].as_str().unwrap().to_owned();
    let named = object["metadata"]["name"] == format!("{}-{}", text("app"), text("env"));
    let same = old.is_none_or(|old| ["org", "app", "env"].iter().all(|key| old["spec"][key] == spec[key]));
    let forward = old.is_none_or(|old| old["spec"]["revision"].as_u64() <= spec["revision"].as_u64());
    if named && same && forward { Ok(()) } else { Err(status(422, "Invalid", "KilterApp is invalid")) }
}

fn key(plural: &str, namespace: &str, name: &str) -> Key {
    (plural.into(), namespace.into(), name.into())
}

fn target(uri: &Uri) -> Target {
    let parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
    let at = parts.iter().position(|part| *part == "namespaces").unwrap();
    let kind = match parts[at + 2] {
        "kilterapps" => "KilterApp",
        "kilterhosts" => "KilterHost",
        "kilterplans" => "KilterPlan",
        "controllerrevisions" => "ControllerRevision",
        "secrets" => "Secret",
        "pods" => "Pod",
        other => panic!("kilter-server has no rights on {other}"),
    };
    let Query(query) = Query::try_from_uri(uri).unwrap();
    Target {
        kind,
        plural: parts[at + 2].into(),
        namespace: parts[at + 1].into(),
        name: parts.get(at + 3).map(|name| (*name).to_owned()),
        of_object: parts.get(at + 4).map(|name| (*name).to_owned()),
        query,
    }
}

/// Tells whether a label selector takes an object: `a=b`, `a` with commas between, and `a in (b,c)` at the end.
fn selects(selector: &str, object: &Value) -> bool {
    let label = |key: &str| object["metadata"]["labels"][key].as_str();
    if let Some((terms, values)) = selector.split_once(" in (") {
        let (others, key) = terms.rsplit_once(',').unwrap_or(("", terms));
        let values = values.strip_suffix(')').unwrap();
        let is_in = label(key).is_some_and(|label| values.split(',').any(|value| value == label));
        return is_in && (others.is_empty() || selects(others, object));
    }
    selector.split(',').all(|term| match term.split_once('=') {
        Some((key, value)) => label(key) == Some(value),
        None => label(term).is_some(),
    })
}

fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure", "reason": reason,
        "message": message, "code": code})
}

fn respond(body: &Value) -> Response<Body> {
    let failed = body["kind"] == "Status";
    let code = if failed { body["code"].as_u64().unwrap() as u16 } else { 200 };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}
