//! The charts of production: `kilter-app`, which the operator renders, and `kilter-platform`, which installs the operator.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::contract::{fixed_maps, unstable};
use super::objects::{check_text, lint};
use super::overrides::{HOSTILE, hostile_env};
use super::render::{env, expanded, objects, run};
use super::{PRODUCTION, chart};
use crate::support;

const IMAGE: &str =
    "registry.example/acme/shop@sha256:4c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e2";

/// Values as the operator writes them, with more over them.
fn values(more: Value) -> Value {
    let mut values = json!({"phase": "app", "org": "acme", "app": "shop", "env": "prod", "revision": 7, "deploy": "d0123", "image": IMAGE,
        "port": 3000, "health": "/healthz", "hostnames": ["shop.apps.example.com"], "gateway": {"name": "public", "namespace": "gateways", "section": ""}});
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    values
}

/// What the golden manifests are of.
pub(super) fn cases() -> Vec<(&'static str, Value)> {
    let components = json!([{"name": "api", "port": 4000, "path": "/api", "command": ["node", "api.js"]},
        {"name": "live", "port": 5000, "hostnames": ["live.example.org"]}, {"name": "worker", "image": "registry.example/acme/worker:1.2.3", "variables": {"QUEUE": "mail"}}]);
    let all = json!({"replicas": 2, "variables": {"GREETING": "it's $5"}, "secrets": [{"name": "shop-keys", "digest": "sha256:1"}], "components": components,
        "peers": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateways"}}}], "pullSecrets": ["registry"],
        "security": {"readOnlyRoot": true}, "command": ["node", "server.js"], "resources": {"limits": {"memory": "1Gi"}}});
    vec![
        ("minimal", values(json!({}))),
        ("everything", values(all)),
        ("internal", values(json!({"public": false, "hostnames": [], "health": ""}))),
        (
            "migration",
            values(
                json!({"phase": "jobs", "migration": ["npm", "run", "migrate"], "secrets": [{"name": "shop-keys", "digest": ""}]}),
            ),
        ),
        (
            "migration-and-seed",
            values(json!({"phase": "jobs", "migration": ["npm", "run", "migrate"], "seed": ["npm", "run", "seed"]})),
        ),
    ]
}

fn rendered(helm: &Path, more: Value) -> Vec<Value> {
    objects(helm, &chart("kilter-app"), "shop-prod", &values(more))
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn template(objects: &[Value]) -> Value {
    of_kind(objects, "Deployment")[0]["spec"]["template"].clone()
}

#[test]
fn production_charts_are_lint_clean_and_the_same_everywhere() {
    for name in PRODUCTION {
        let folder = support::root().join("vendor-charts").join(name);
        for file in std::fs::read_dir(folder.join("templates")).unwrap() {
            let file = file.unwrap().path();
            assert_eq!(unstable(&super::text(&file)), [""; 0], "{}", file.display());
        }
        let about = super::yaml(&folder.join("Chart.yaml"));
        assert_eq!((about["apiVersion"].as_str(), about["name"].as_str()), (Some("v2"), Some(name)));
        assert!(folder.join("README.md").is_file());
    }
    assert_eq!(
        super::text(&support::root().join("vendor-charts/kilter-app/templates/_kilter.tpl")),
        super::text(&support::root().join("vendor-charts/postgres/templates/_kilter.tpl"))
    );
    let Some(helm) = support::helm() else { return };
    for name in PRODUCTION {
        let home = tempfile::tempdir().unwrap();
        let said = lint(&helm, home.path(), &chart(name));
        assert!(said.ok(), "{name}: {}{}", said.text(), said.stderr);
    }
}

#[test]
fn the_schema_takes_what_the_operator_writes_and_nothing_it_does_not_know() {
    let chart = chart("kilter-app");
    let schema = jsonschema::validator_for(&chart.schema).unwrap();
    assert!(schema.is_valid(&chart.values));
    for (name, values) in cases() {
        let mut whole = chart.values.clone();
        whole.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
        let problems: Vec<_> = schema.iter_errors(&whole).map(|error| error.to_string()).collect();
        assert_eq!(problems, [""; 0], "{name}");
    }
    for pointer in fixed_maps(&chart.schema["properties"], &chart.values) {
        let mut values = chart.values.clone();
        values.pointer_mut(&pointer).unwrap()["nonsense"] = json!("nonsense");
        assert!(!schema.is_valid(&values), "{pointer}/nonsense is taken");
    }
    for wrong in [
        json!({"image": "shop:latest"}),
        json!({"phase": "jobs"}),
        json!({"health": "up"}),
        json!({"variables": {"A=B": "x"}}),
        json!({"hostnames": ["-..-"]}),
        json!({"components": [{"name": "x", "path": "/x"}]}),
    ] {
        let mut whole = chart.values.clone();
        whole.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert!(!schema.is_valid(&whole), "{wrong}");
    }
}

#[test]
fn every_object_tells_whose_it_is_and_no_pod_may_more_than_it_needs() {
    let Some(helm) = support::helm() else { return };
    for (name, values) in cases() {
        let objects = objects(&helm, &chart("kilter-app"), "shop-prod", &values);
        assert!(!objects.is_empty());
        for object in &objects {
            check_text(name, "", object);
            let labels = &object["metadata"]["labels"];
            let wanted = ["shop", "prod", "acme", "7"].map(Value::from);
            let found =
                ["app", "env", "org", "revision"].map(|label| labels[format!("kilter.netshire.com/{label}")].clone());
            assert_eq!(found, wanted, "{name}: {object}");
            let template = &object["spec"]["template"];
            if !template.is_object() {
                continue;
            }
            assert!(
                template["metadata"]["labels"].get("kilter.netshire.com/revision").is_none(),
                "a new number rolls no pods"
            );
            let pod = &template["spec"];
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
            assert_eq!(pod["automountServiceAccountToken"], false);
            let containers =
                ["containers", "initContainers"].iter().flat_map(|key| pod[key].as_array().into_iter().flatten());
            for container in containers {
                assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
                assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
            }
        }
    }
}

#[test]
fn only_what_pods_are_made_of_rolls_them() {
    let Some(helm) = support::helm() else { return };
    let secret = |digest: &str| json!({"secrets": [{"name": "s", "digest": digest}]});
    let before = template(&rendered(&helm, secret("sha256:1")));
    let with = |more: Value| {
        let mut values = secret("sha256:1");
        values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        template(&rendered(&helm, values))
    };
    for same in [
        json!({"replicas": 3}),
        json!({"revision": 1_000_000}),
        json!({"deploy": "other"}),
        json!({"public": false}),
        json!({"hostnames": ["a.example.org"]}),
        json!({"peers": [{"podSelector": {}}]}),
    ] {
        assert_eq!(with(same.clone()), before, "{same}");
    }
    assert_ne!(with(secret("sha256:2")), before);
    assert_ne!(with(json!({"variables": {"A": "1"}})), before);
    let revision = rendered(&helm, json!({"revision": 1_000_000}));
    assert_eq!(revision[0]["metadata"]["labels"]["kilter.netshire.com/revision"], "1000000");
}

#[test]
fn who_reaches_an_app_is_decided_by_public_and_its_host_names() {
    let Some(helm) = support::helm() else { return };
    let peers = json!([{"ipBlock": {"cidr": "10.0.0.0/8"}}]);
    let sources = |objects: &[Value]| of_kind(objects, "NetworkPolicy")[0]["spec"]["ingress"].as_array().unwrap().len();
    let public = rendered(&helm, json!({"peers": peers}));
    assert_eq!((of_kind(&public, "HTTPRoute").len(), sources(&public)), (1, 2));
    let internal = rendered(&helm, json!({"peers": peers, "public": false, "hostnames": []}));
    assert_eq!((of_kind(&internal, "HTTPRoute").len(), sources(&internal)), (0, 1));
    // A route without host names would take everybody's.
    assert_eq!(of_kind(&rendered(&helm, json!({"hostnames": []})), "HTTPRoute").len(), 0);
    let budget = |replicas: u32| of_kind(&rendered(&helm, json!({"replicas": replicas})), "PodDisruptionBudget").len();
    assert_eq!((budget(1), budget(2)), (0, 1));
}

#[test]
fn the_two_phases_share_no_object() {
    let Some(helm) = support::helm() else { return };
    let names = |objects: &[Value]| -> BTreeSet<String> {
        objects.iter().map(|object| format!("{} {}", object["kind"], object["metadata"]["name"])).collect()
    };
    let app = names(&rendered(&helm, json!({"migration": ["a"], "seed": ["b"]})));
    let jobs = names(&rendered(&helm, json!({"phase": "jobs", "migration": ["a"], "seed": ["b"]})));
    assert!(app.is_disjoint(&jobs) && jobs.len() == 1, "{app:?} {jobs:?}");
}

#[test]
fn hostile_text_survives_in_variables_and_commands() {
    let Some(helm) = support::helm() else { return };
    let words: Vec<&str> = HOSTILE.iter().copied().filter(|word| !word.is_empty()).collect();
    let app = rendered(&helm, json!({"variables": hostile_env(), "command": words}));
    let jobs = rendered(&helm, json!({"phase": "jobs", "variables": hostile_env(), "migration": words}));
    for object in [of_kind(&app, "Deployment")[0], of_kind(&jobs, "Job")[0]] {
        let container = &object["spec"]["template"]["spec"]["containers"][0];
        let command: Vec<String> =
            container["command"].as_array().unwrap().iter().map(|word| expanded(word.as_str().unwrap())).collect();
        assert_eq!(command, words);
        for (name, text) in hostile_env().as_object().unwrap() {
            assert_eq!(env(container, name).as_deref(), text.as_str(), "{name}");
        }
    }
    let refused = run(&helm, &chart("kilter-app"), "x", &values(json!({"hostnames": ["{{ .Values }}"]})));
    assert!(!refused.ok());
}

#[test]
fn the_platform_gives_its_programs_what_they_need_and_no_secrets_of_apps() {
    let Some(helm) = support::helm() else { return };
    let chart = chart("kilter-platform");
    let objects = objects(&helm, &chart, "kilter-platform", &json!({}));
    for (kind, count) in
        [("CustomResourceDefinition", 2), ("GitRepository", 1), ("Kustomization", 1), ("Deployment", 2)]
    {
        assert_eq!(of_kind(&objects, kind).len(), count, "{kind}");
    }
    let roles = ["ClusterRole", "Role"].iter().flat_map(|kind| of_kind(&objects, kind));
    for role in
        roles.filter(|role| ["kilter-server", "kilter-operator"].iter().any(|name| role["metadata"]["name"] == *name))
    {
        for rule in role["rules"].as_array().unwrap() {
            let text = rule.to_string();
            assert!(!text.contains('*'), "{text}");
            assert!(!text.contains("\"secrets\"") || rule["resourceNames"] == json!(["kilter-tokens"]), "{text}");
        }
    }
    let without = super::render::objects(&helm, &chart, "kilter-platform", &json!({"workloads": false}));
    assert_eq!(of_kind(&without, "Deployment").len(), 0);
}
