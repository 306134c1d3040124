//! Many apps at once.

use std::collections::BTreeSet;
use std::thread;

use kilter::api::HISTORY;
use serde_json::{Value, json};

use super::{Platform, SERVER, app, until};
use crate::support::tell;

/// How many apps come at once, and from how many clients.
const APPS: usize = 500;
const CLIENTS: usize = 8;

#[test]
fn slow_five_hundred_apps_at_once_are_a_few_commits_and_leave_nothing() {
    let Some(platform) = Platform::start("500 KilterApps at once") else { return };
    // What Flux and one node make of so many is not what this is about. Flux never sees them, so the operator deletes their namespaces.
    let rests = Rests::new(&platform);
    let template = json!({"image": format!("registry.example/acme/app@sha256:{:064}", 0), "port": 3000, "replicas": 0, "public": false});
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (platform, template) = (&platform, &template);
            scope.spawn(move || {
                for number in (client..APPS).step_by(CLIENTS) {
                    let (status, body) = platform.post(&name(number), "crowd-0001", template).expect("an answer");
                    assert_eq!(status, 202, "{body}");
                }
            });
        }
    });
    until("all of them are committed", || (count(&platform, is_committed) == APPS).then_some(()));
    let commits = commits(&platform);
    let of_apps: Vec<String> = trailers(&platform);
    assert_eq!(of_apps.len(), APPS, "each is committed once");
    assert_eq!(of_apps.iter().collect::<BTreeSet<_>>().len(), APPS);
    // How many depends on how fast they are rendered: one commit takes what is there when the one before is pushed.
    assert!(commits <= APPS / 4, "{commits} commits");
    tell(&format!("{APPS} apps from {CLIENTS} clients: {commits} commits"));

    one_goes_on(&platform, &template);

    platform.kubectl(&["delete", "kilterapps", "--all", "--wait=false"]);
    until("they are gone with their namespaces", || (count(&platform, |_| true) == 0).then_some(()));
    let namespaces = platform.kubectl(&["get", "namespaces", "--output=name"]);
    assert!(!namespaces.contains("/crowd-"), "{namespaces}");
    assert!(!platform.git(&["ls-tree", "-r", "--name-only", "main"]).contains("apps/crowd-"));
    assert_eq!(platform.git(&["rev-list", "--merges", "--count", "main"]).trim(), "0");
    drop(rests);
    let said = app::get(SERVER, "/readyz");
    assert!(said.is_some_and(|said| said.contains("ok")), "the server is still there");
}

/// Deploys one of them as if it were alone: its new revision is committed, and its history stays short.
fn one_goes_on(platform: &Platform, template: &Value) {
    let old: Vec<Value> = (0..HISTORY).map(|number| old_entry(7, number)).collect();
    platform.apply_text(&json!({"apiVersion": "v1", "kind": "List", "items": old}).to_string());
    let (status, _) = platform
        .post(
            &name(7),
            "crowd-0002",
            &json!({"image": template["image"], "port": 3001, "replicas": 0, "public": false}),
        )
        .unwrap();
    assert_eq!(status, 202);
    until("a new revision among them is committed", || {
        let receipt = platform.git(&["show", &format!("main:apps/{}-prod/receipt.json", name(7))]);
        (serde_json::from_str::<Value>(&receipt).unwrap()["revision"] == 2).then_some(())
    });
    until("its history is as long as it may be, and has both revisions", || {
        let kept = platform.kubectl(&["get", "controllerrevisions", "--selector", &of(7), "--output=name"]);
        let kept: Vec<&str> = kept.lines().filter_map(|line| line.rsplit('/').next()).collect();
        let [first, second] = [1, 2].map(|revision| format!("{}-prod-{revision}", name(7)));
        (kept.len() == HISTORY && kept.contains(&&*first) && kept.contains(&&*second)).then_some(())
    });
    platform.kubectl(&["delete", "controllerrevisions", "--selector", &of(7)]);
}

/// The selector of the history of one of them.
fn of(number: usize) -> String {
    format!("kilter.netshire.com/app={},kilter.netshire.com/env=prod", name(number))
}

/// An entry of the history that is older than all others.
fn old_entry(app: usize, number: usize) -> Value {
    let labels = json!({"kilter.netshire.com/app": name(app), "kilter.netshire.com/env": "prod"});
    json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 0, "data": {},
        "metadata": {"name": format!("{}-prod-old-{number}", name(app)), "labels": labels}})
}

fn name(number: usize) -> String {
    format!("crowd-{number}")
}

/// Flux rests, until this is dropped.
struct Rests<'a>(&'a Platform);

impl<'a> Rests<'a> {
    fn new(platform: &'a Platform) -> Self {
        suspend(platform, true);
        Self(platform)
    }
}

impl Drop for Rests<'_> {
    fn drop(&mut self) {
        suspend(self.0, false);
    }
}

fn suspend(platform: &Platform, suspend: bool) {
    let patch = json!({"spec": {"suspend": suspend}}).to_string();
    let _ = platform.try_kubectl(&["patch", "kustomization", "kilter-apps", "--type=merge", "--patch", &patch]);
}

/// Counts the KilterApps for which something is true.
fn count(platform: &Platform, is: impl Fn(&Value) -> bool) -> usize {
    let listed = platform.try_kubectl(&["get", "kilterapps", "--output=json"]).unwrap_or_default();
    let listed: Value = serde_json::from_str(&listed).unwrap_or_default();
    listed["items"].as_array().map_or(usize::MAX, |all| all.iter().filter(|app| is(app)).count())
}

fn is_committed(app: &Value) -> bool {
    let committed = |condition: &Value| condition["type"] == "Committed" && condition["status"] == "True";
    app["status"]["conditions"].as_array().is_some_and(|all| all.iter().any(committed))
}

fn commits(platform: &Platform) -> usize {
    platform.git(&["rev-list", "--count", &platform.range()]).trim().parse().unwrap()
}

/// What the commits since the test began say of the apps, one line each.
fn trailers(platform: &Platform) -> Vec<String> {
    let said = platform.git(&["log", "--format=%(trailers:key=Kilter-App,valueonly)", &platform.range()]);
    said.lines().filter(|line| line.starts_with("acme/crowd-")).map(str::to_owned).collect()
}
