//! What people say stays text, and what is no text of theirs is refused.

use serde_json::{Value, json};

use super::{full, jobs, manifest, objects_of, pod, run, values, with};
use crate::charts::objects::check_text;
use crate::charts::overrides::{HOSTILE, hostile_env, literal};
use crate::charts::render::{containers, env, find};
use crate::support;

#[test]
fn hostile_text_in_variables_and_commands_survives() {
    let Some(helm) = support::helm() else { return };
    let components = json!([{"name": "worker", "command": HOSTILE, "variables": {"TEXT_1": "own"}}]);
    let change = json!({"variables": hostile_env(), "command": HOSTILE, "components": components});
    let objects = objects_of(&helm, &with(&change));
    for name in ["shop", "shop-worker"] {
        let container = &containers(find(&objects, "Deployment", name))[0];
        assert_eq!(literal(&container["command"]), HOSTILE, "{name}");
        for (i, text) in HOSTILE.iter().enumerate() {
            let expected = if i == 1 && name == "shop-worker" { "own" } else { text };
            assert_eq!(env(container, &format!("TEXT_{i}")).as_deref(), Some(expected), "{name}");
        }
    }
    let mut job = jobs(HOSTILE, HOSTILE);
    job["variables"] = hostile_env();
    let job = &objects_of(&helm, &job)[0];
    for container in super::all_containers(job) {
        assert_eq!(literal(&container["command"]), HOSTILE);
        for (i, text) in HOSTILE.iter().enumerate() {
            assert_eq!(env(container, &format!("TEXT_{i}")).as_deref(), Some(*text));
        }
    }
}

/// A manifest is read by others than the reader of these tests, old ones among them: text is quoted whatever it is.
#[test]
fn text_is_quoted() {
    let Some(helm) = support::helm() else { return };
    let change = json!({"variables": {"y": "on", "NO": "1_000", "_": "0777", "null": "=", "a.b-c": "12:30:45"}});
    let manifest = manifest(&helm, &with(&change));
    for (name, value) in change["variables"].as_object().unwrap() {
        assert!(
            manifest.contains(&format!("- name: \"{name}\"\n              value: {value}\n")),
            "{name}: {manifest}"
        );
    }
}

#[test]
fn names_that_yaml_could_take_for_something_else_stay_names() {
    let Some(helm) = support::helm() else { return };
    let mut values = full();
    for (key, name) in [("org", "null"), ("app", "on"), ("env", "1e3"), ("deploy", "0777")] {
        values[key] = json!(name);
    }
    values["components"] = json!([{"name": "007", "command": [], "variables": {}, "port": 4000, "path": "/1e3"},
        {"name": "true", "command": [], "variables": {}}]);
    values["secrets"] = json!([{"name": "0", "digest": ""}]);
    values["pullSecrets"] = json!(["1.5"]);
    values["gateway"] = json!({"name": "no", "namespace": "0x1f", "section": "1"});
    let objects = objects_of(&helm, &values);
    for object in &objects {
        check_text("kilter-app", "", object);
        let labels = &object["metadata"]["labels"];
        assert_eq!(
            (&labels["kilter.netshire.com/org"], &labels["kilter.netshire.com/env"]),
            (&json!("null"), &json!("1e3"))
        );
    }
    let component = pod(find(&objects, "Deployment", "on-007"));
    assert_eq!(component["metadata"]["labels"]["app.kubernetes.io/component"], "007");
    assert_eq!(component["spec"]["containers"][0]["name"], "007");
    assert_eq!(component["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"], "0");
    assert_eq!(component["spec"]["imagePullSecrets"][0]["name"], "1.5");
    assert_eq!(component["spec"]["serviceAccountName"], "on");
    find(&objects, "Deployment", "on-true");
    let route = &find(&objects, "HTTPRoute", "on")["spec"];
    let parent = &route["parentRefs"][0];
    assert_eq!([&parent["name"], &parent["namespace"], &parent["sectionName"]], ["no", "0x1f", "1"]);
    assert_eq!(route["rules"][0]["backendRefs"][0]["name"], "on-007");
    values["phase"] = json!("jobs");
    values["migration"] = json!(["x"]);
    assert_eq!(objects_of(&helm, &values)[0]["metadata"]["name"], "migration-0777");
}

#[test]
fn what_is_not_of_its_form_is_refused_by_name() {
    let Some(helm) = support::helm() else { return };
    let image = |image: &str| json!({"image": image});
    let component = |component: Value| json!({"components": [component]});
    let line = "a\nkind: Pod";
    for (change, place) in [
        (json!({"nonsense": 1}), "nonsense"),
        (json!({"phase": "all"}), "/phase"),
        (json!({"app": line}), "/app"),
        (json!({"org": "a/b"}), "/org"),
        (json!({"env": "{{ .x }}"}), "/env"),
        (json!({"app": "a".repeat(64)}), "/app"),
        (json!({"deploy": "d".repeat(25)}), "/deploy"),
        (json!({"revision": "7"}), "/revision"),
        (json!({"revision": 0}), "/revision"),
        (image("shop:latest"), "/image"),
        (image(&format!("{line}@sha256:{}", "a".repeat(64))), "/image"),
        (image(&format!("shop@sha256:{}\n", "a".repeat(64))), "/image"),
        (json!({"port": 0}), "/port"),
        (json!({"port": "3000"}), "/port"),
        (json!({"health": "up"}), "/health"),
        (json!({"health": "/\nkind: Pod"}), "/health"),
        (json!({"command": "npm start"}), "/command"),
        (json!({"command": [1]}), "/command"),
        (json!({"replicas": -1}), "/replicas"),
        (json!({"resources": {"limits": {"memory": "lots"}}}), "/resources"),
        (json!({"resources": {"limits": {"nvidia.com/gpu": "1"}}}), "/resources"),
        (json!({"variables": {"A": 1}}), "/variables"),
        (json!({"variables": {"A B": "1"}}), "A B"),
        (json!({"secrets": [{"name": "a.b", "digest": ""}]}), "/secrets"),
        (json!({"secrets": [{"name": "a", "digest": line}]}), "/secrets"),
        (json!({"hostnames": ["localhost"]}), "/hostnames"),
        (json!({"hostnames": ["a.b\n- c.d"]}), "/hostnames"),
        (json!({"hostnames": ["*.example.com"]}), "/hostnames"),
        (json!({"gateway": {"name": line, "namespace": "g"}}), "/gateway"),
        (json!({"peers": [{}]}), "/peers"),
        (json!({"peers": [{"everybody": true}]}), "/peers"),
        (component(json!({"name": "Api"})), "/components"),
        (component(json!({"name": "api", "image": "a b"})), "/components"),
        (component(json!({"name": "api", "path": "/api"})), "port"),
        (component(json!({"name": "api", "hostnames": ["a.b"]})), "port"),
        (component(json!({"name": "api", "port": 1, "path": "api"})), "/components"),
        (component(json!({"name": "api", "port": 1, "path": "/a\nb"})), "/components"),
        (json!({"pullSecrets": [line]}), "/pullSecrets"),
        (json!({"security": {"readOnlyRoot": "yes"}}), "/security"),
        (json!({"jobsDeadline": 0}), "/jobsDeadline"),
    ] {
        let said = run(&helm, &with(&change));
        assert!(!said.ok() && said.stderr.contains(place), "{change}: {}", said.stderr);
    }
    assert!(run(&helm, &values()).ok());
}
