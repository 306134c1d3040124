//! What holds for every object of every app.

use std::collections::BTreeSet;

use kilter::exec::Invocation;
use serde_json::{Map, Value, json};

use super::{
    DEPLOY, MIGRATE, NAMESPACE, SEED, all_containers, full, jobs, names, objects_of, pod, run, run_as, runs_pods,
    scenarios,
};
use crate::charts::objects::check_text;
use crate::charts::render::find;
use crate::support;

const KINDS: &[(&str, &str)] = &[
    ("v1", "ServiceAccount"),
    ("v1", "Service"),
    ("apps/v1", "Deployment"),
    ("batch/v1", "Job"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
];

/// Labels by which server and operator find what belongs to an app.
fn owner() -> Map<String, Value> {
    let owner = json!({"kilter.netshire.com/app": "shop", "kilter.netshire.com/env": "prod", "kilter.netshire.com/org": "acme",
        "app.kubernetes.io/managed-by": "kilter", "app.kubernetes.io/part-of": "shop", "app.kubernetes.io/instance": NAMESPACE});
    owner.as_object().unwrap().clone()
}

fn has(labels: &Value, wanted: &Map<String, Value>) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[test]
fn objects_and_pods_say_whose_they_are() {
    let Some(helm) = support::helm() else { return };
    for (scenario, values) in scenarios() {
        let objects = objects_of(&helm, &values);
        for object in &objects {
            let name = format!("{scenario}: {}", names(std::slice::from_ref(object))[0]);
            assert!(KINDS.iter().any(|(version, kind)| object["apiVersion"] == *version && object["kind"] == *kind));
            assert_eq!(object["metadata"]["namespace"], NAMESPACE, "{name}");
            check_text(&name, "", object);
            let labels = &object["metadata"]["labels"];
            assert!(has(labels, &owner()), "{name}: {labels}");
            assert!(labels["app.kubernetes.io/name"].is_string(), "{name}");
            assert_eq!(labels["kilter.netshire.com/revision"], "7", "{name}");
            if runs_pods(object) {
                let labels = &pod(object)["metadata"]["labels"];
                assert!(has(labels, &owner()), "{name}: {labels}");
                assert!(labels.get("kilter.netshire.com/revision").is_none(), "{name}: a revision would roll pods");
            }
        }
        let unique: BTreeSet<_> = names(&objects).into_iter().collect();
        assert_eq!(unique.len(), objects.len(), "{scenario}: a name is there twice");
    }
}

#[test]
fn pods_have_no_rights() {
    let Some(helm) = support::helm() else { return };
    for (scenario, values) in scenarios() {
        for object in objects_of(&helm, &values).iter().filter(|object| runs_pods(object)) {
            let spec = &pod(object)["spec"];
            assert_eq!(spec["automountServiceAccountToken"], false, "{scenario}");
            assert_eq!(spec["enableServiceLinks"], false, "{scenario}");
            let expected = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
            assert_eq!(spec["securityContext"], expected, "{scenario}");
            assert_eq!(spec["volumes"], json!([{"name": "tmp", "emptyDir": {}}]), "{scenario}");
            let expected = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": values["security"]["readOnlyRoot"]});
            for container in all_containers(object) {
                assert_eq!(container["securityContext"], expected, "{scenario}");
                assert_eq!(container["volumeMounts"], json!([{"name": "tmp", "mountPath": "/tmp"}]), "{scenario}");
                for pointer in ["/resources/requests/cpu", "/resources/requests/memory", "/resources/limits/memory"] {
                    assert!(container.pointer(pointer).is_some_and(Value::is_string), "{scenario}: {pointer}");
                }
            }
        }
        let objects = objects_of(&helm, &values);
        for account in objects.iter().filter(|object| object["kind"] == "ServiceAccount") {
            assert_eq!(account["automountServiceAccountToken"], false, "{scenario}");
        }
    }
}

/// Selectors of an object, with who they are.
fn selectors(object: &Value) -> Option<&Map<String, Value>> {
    match object["kind"].as_str().unwrap() {
        "Deployment" | "PodDisruptionBudget" => object["spec"]["selector"]["matchLabels"].as_object(),
        "Service" => object["spec"]["selector"].as_object(),
        "NetworkPolicy" => object["spec"]["podSelector"]["matchLabels"].as_object(),
        _ => None,
    }
}

#[test]
fn a_selector_selects_the_pods_of_one_process_and_never_those_of_jobs() {
    let Some(helm) = support::helm() else { return };
    let mut values = full();
    // Whose container has the name of the app's own.
    values["components"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "app", "command": [], "variables": {}, "port": 4003}));
    let mut objects = objects_of(&helm, &values);
    objects.extend(objects_of(&helm, &jobs(MIGRATE, SEED)));
    objects.extend(objects_of(&helm, &jobs(&[], SEED)));
    let pods: Vec<_> = objects.iter().filter(|object| runs_pods(object)).collect();
    assert_eq!(pods.len(), 8, "app, five components, two Jobs");
    let mut seen = BTreeSet::new();
    for object in objects.iter().filter(|object| object["kind"] != "Job") {
        let Some(selector) = selectors(object) else { continue };
        assert_eq!(selector.keys().collect::<Vec<_>>(), ["app.kubernetes.io/name", "app.kubernetes.io/component"]);
        let selected = pods.iter().filter(|workload| has(&pod(workload)["metadata"]["labels"], selector));
        let selected: Vec<_> = selected.map(|workload| &workload["metadata"]["name"]).collect();
        assert_eq!(selected, [&object["metadata"]["name"]], "{}", object["kind"]);
        seen.insert(object["kind"].as_str().unwrap());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"]);
}

#[test]
fn what_is_named_is_there() {
    let Some(helm) = support::helm() else { return };
    let objects = objects_of(&helm, &full());
    for deployment in objects.iter().filter(|object| object["kind"] == "Deployment") {
        let account = pod(deployment)["spec"]["serviceAccountName"].as_str().unwrap();
        find(&objects, "ServiceAccount", account);
        let ports: Vec<_> = all_containers(deployment).filter_map(|container| container["ports"].as_array()).collect();
        let name = deployment["metadata"]["name"].as_str().unwrap();
        if ports.is_empty() {
            assert!(!names(&objects).contains(&format!("Service {name}")), "{name} listens nowhere");
            continue;
        }
        let service = &find(&objects, "Service", name)["spec"]["ports"];
        assert_eq!(service[0]["targetPort"], ports[0][0]["name"]);
        assert_eq!(service[0]["port"], ports[0][0]["containerPort"]);
    }
    for route in objects.iter().filter(|object| object["kind"] == "HTTPRoute") {
        for rule in route["spec"]["rules"].as_array().unwrap() {
            let backend = &rule["backendRefs"][0];
            let service = find(&objects, "Service", backend["name"].as_str().unwrap());
            assert_eq!(service["spec"]["ports"][0]["port"], backend["port"]);
        }
    }
}

#[test]
fn the_two_phases_share_no_object_and_jobs_need_none_of_the_app() {
    let Some(helm) = support::helm() else { return };
    let migration = format!("migration-{DEPLOY}");
    for (values, name) in [
        (jobs(MIGRATE, &[]), migration.clone()),
        (jobs(&[], SEED), format!("seed-{DEPLOY}")),
        (jobs(MIGRATE, SEED), migration),
    ] {
        let objects = objects_of(&helm, &values);
        assert_eq!(names(&objects), [format!("Job {name}")]);
        assert!(pod(&objects[0])["spec"].get("serviceAccountName").is_none(), "the account is of the other phase");
    }
    let mut app = full();
    app["migration"] = json!(MIGRATE);
    app["seed"] = json!(SEED);
    assert!(!names(&objects_of(&helm, &app)).iter().any(|name| name.starts_with("Job ")));
}

#[test]
fn an_app_renders_the_same_in_another_zone_locale_and_folder() {
    let Some(helm) = support::helm() else { return };
    for (scenario, values) in scenarios() {
        let other = |call: Invocation| {
            call.cwd("/").env("TZ", "Asia/Kolkata").env("LC_ALL", "tr_TR.UTF-8").env("USER", "somebody")
        };
        let (one, other) = (run(&helm, &values), run_as(&helm, &values, other));
        assert!(one.ok() && other.ok(), "{scenario}: {}{}", one.stderr, other.stderr);
        assert_eq!(one.text(), other.text(), "{scenario}");
    }
}
