//! The charts of production: `kilter-app`, which the operator renders (`app` has what it renders), and `kilter-platform`, which
//! installs the operator.

use serde_json::{Value, json};

use super::contract::unstable;
use super::objects::lint;
use super::render::objects;
use super::{PRODUCTION, app, chart};
use crate::support;

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
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
        assert!(kilter::catalog::service(name).is_none(), "{name} is not for development");
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
fn the_schema_takes_what_the_operator_writes_and_nothing_wrong() {
    let chart = chart("kilter-app");
    let schema = jsonschema::validator_for(&chart.schema).unwrap();
    assert!(schema.is_valid(&chart.values));
    for (name, values) in app::scenarios() {
        let mut whole = chart.values.clone();
        whole.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
        let problems: Vec<_> = schema.iter_errors(&whole).map(|error| error.to_string()).collect();
        assert_eq!(problems, [""; 0], "{name}");
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
fn the_platform_gives_its_programs_what_they_need_and_no_secrets_of_apps() {
    let Some(helm) = support::helm() else { return };
    let chart = chart("kilter-platform");
    let objects = objects(&helm, &chart, "kilter-platform", &json!({}));
    for (kind, count) in
        [("CustomResourceDefinition", 3), ("GitRepository", 1), ("Kustomization", 1), ("Deployment", 2)]
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

#[test]
fn server_and_operator_are_reached_by_whoever_may() {
    let Some(helm) = support::helm() else { return };
    let chart = chart("kilter-platform");
    let with = |values: Value| objects(&helm, &chart, "kilter-platform", &values);
    let policies = |objects: &[Value]| -> Vec<(Value, Value)> {
        of_kind(objects, "NetworkPolicy")
            .iter()
            .map(|one| (one["metadata"]["name"].clone(), one["spec"].clone()))
            .collect()
    };
    let gateway = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway-system"}}});
    let metrics = json!({"ipBlock": {"cidr": "10.0.0.1/32"}});
    let values = json!({"platform": {"peers": [gateway]}, "networkPolicy": {"peers": [metrics]}});
    let rendered = with(values);
    let rule = |peers: Value, port: &str| json!([{"from": peers, "ports": [{"port": port, "protocol": "TCP"}]}]);
    let found = policies(&rendered);
    assert_eq!(found.len(), 2);
    for ((name, spec), (expected, ingress)) in found.iter().zip([
        ("kilter-server", rule(json!([gateway, metrics]), "http")),
        ("kilter-operator", rule(json!([metrics]), "probes")),
    ]) {
        assert_eq!((name, &spec["ingress"]), (&json!(expected), &ingress));
        // It is about the Deployment's pods, and names a port of theirs.
        let deployment =
            of_kind(&rendered, "Deployment").into_iter().find(|one| one["metadata"]["name"] == *name).unwrap();
        let pod = &deployment["spec"]["template"];
        let selected = spec["podSelector"]["matchLabels"].as_object().unwrap();
        assert!(selected.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value), "{spec}");
        assert_eq!(pod["spec"]["containers"][0]["ports"][0]["name"], ingress[0]["ports"][0]["port"]);
    }
    // Without a peer nobody: a rule without `from` would let in everybody.
    assert!(policies(&with(json!({}))).iter().all(|(_, spec)| spec.get("ingress").is_none()));
    assert_eq!(policies(&with(json!({"networkPolicy": {"enabled": false}}))), []);
    assert_eq!(policies(&with(json!({"workloads": false}))), []);
}

#[test]
fn the_servers_own_host_name_is_reserved() {
    let Some(helm) = support::helm() else { return };
    let chart = chart("kilter-platform");
    let settings = |values: Value| {
        let objects = objects(&helm, &chart, "kilter-platform", &values);
        let text = of_kind(&objects, "ConfigMap")[0]["data"]["platform.yaml"].as_str().unwrap().to_owned();
        kilter::api::Platform::from_yaml(&text).unwrap()
    };
    let hostname = json!({"hostname": "kilter.example.com"});
    assert_eq!(settings(json!({})).reserved_hosts, [""; 0]);
    assert_eq!(settings(json!({"server": hostname})).reserved_hosts, ["kilter.example.com"]);
    let more = json!({"reservedHosts": ["git.example.com", "kilter.example.com"], "port": 8443});
    let more = settings(json!({"server": hostname, "platform": more}));
    assert_eq!(more.reserved_hosts, ["git.example.com", "kilter.example.com"]);
    assert_eq!((more.port, more.domain.as_str()), (Some(8443), "apps.example.com"), "the rest stays as it is");
}

/// What the operator and its git take beside helm, and what one helm takes, in MiB (the numbers of values.yaml).
const BESIDE_HELM: u64 = 200;
const HELM: u64 = 60;

#[test]
fn the_operator_runs_no_more_helms_than_its_memory_is_for() {
    let Some(helm) = support::helm() else { return };
    let chart = chart("kilter-platform");
    let values = json!({"operator": {"args": ["--jobs", "2"]}});
    let objects = objects(&helm, &chart, "kilter-platform", &values);
    let operator = super::render::find(&objects, "Deployment", "kilter-operator");
    let container = &super::render::containers(operator)[0];
    let args: Vec<&str> = container["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let at = args.iter().position(|word| *word == "--jobs").unwrap();
    let jobs: u64 = args[at + 1].parse().unwrap();
    let limit = container["resources"]["limits"]["memory"].as_str().unwrap().strip_suffix("Mi").unwrap();
    assert!(BESIDE_HELM + jobs * HELM <= limit.parse().unwrap(), "{jobs} renders in {limit} MiB");
    assert!(args.ends_with(&["--jobs", "2"]), "the last one counts, so that `args` can say another number: {args:?}");
}
