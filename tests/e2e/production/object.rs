//! What the API server keeps of a KilterApp, and what it refuses, whoever asks.

use serde_json::{Value, json};

use super::Platform;

/// An app that needs no pod.
fn template(variables: &Value) -> Value {
    let image = format!("registry.example/acme/owned@sha256:{}", "0".repeat(64));
    json!({"image": image, "port": 3000, "replicas": 0, "public": false, "variables": variables})
}

#[test]
fn slow_a_deploy_takes_over_the_whole_spec_and_nothing_else() {
    let Some(platform) = Platform::start("who owns the fields of a KilterApp") else { return };
    let post = |key: &str, variables: Value| {
        let (status, answer) = platform.post("owned", key, &template(&variables)).unwrap();
        assert_eq!(status, 202, "{answer}");
    };
    post("owned-0001", json!({"KEPT": "1", "DROPPED": "1"}));
    patch(
        &platform,
        &json!({"metadata": {"labels": {"team": "blue"}}, "spec": {"template": {"variables": {"BY_HAND": "1"}}}}),
    )
    .unwrap();
    post("owned-0002", json!({"KEPT": "2"}));

    let app: Value = serde_json::from_str(&platform.kubectl(&[
        "get",
        "kilterapp",
        "owned-prod",
        "--output=json",
        "--show-managed-fields",
    ]))
    .unwrap();
    assert_eq!(app["spec"]["revision"], 2);
    assert_eq!(
        app["spec"]["template"]["variables"],
        json!({"KEPT": "2"}),
        "what was dropped, or added by hand, is gone"
    );
    assert_eq!(app["metadata"]["labels"]["team"], "blue", "a label that is no business of the server's stays");
    let owners: Vec<_> = app["metadata"]["managedFields"].as_array().unwrap().iter().collect();
    let of_the_spec: Vec<_> = owners
        .iter()
        .filter(|entry| entry["fieldsV1"].get("f:spec").is_some())
        .map(|entry| (entry["manager"].as_str().unwrap(), entry["operation"].as_str().unwrap()))
        .collect();
    assert_eq!(of_the_spec, [("kilter-server", "Apply")], "{owners:?}");
    platform.delete("owned-prod");
}

#[test]
fn slow_the_api_server_keeps_the_rules_of_a_kilter_app() {
    let Some(platform) = Platform::start("the rules of a KilterApp") else { return };
    for key in ["owned-0001", "owned-0002"] {
        assert_eq!(platform.post("owned", key, &template(&json!({"KEY": key}))).unwrap().0, 202);
    }
    for wrong in [
        json!({"org": "other"}),
        json!({"app": "other"}),
        json!({"env": "dev"}),
        json!({"revision": 1}),
        json!({"revision": 0}),
        json!({"template": {"port": 0}}),
        json!({"template": {"replicas": 1001}}),
    ] {
        assert_eq!(patch(&platform, &json!({"spec": wrong})), None, "{wrong}");
    }
    patch(&platform, &json!({"spec": {"revision": 3}})).expect("a change that breaks no rule");
    assert_eq!(platform.app("owned-prod").unwrap()["spec"]["revision"], 3);

    let named = |name: &str, app: &str, env: &str| {
        let spec = json!({"org": "acme", "app": app, "env": env, "revision": 1, "deploy": "d1", "template": template(&json!({}))});
        let object = json!({"apiVersion": "kilter.netshire.com/v1alpha1", "kind": "KilterApp",
            "metadata": {"name": name, "namespace": "kilter-system"}, "spec": spec});
        let path = platform.dir.path().join("kilterapp.json");
        super::write(&path, &object.to_string());
        platform.try_kubectl(&["create", "--dry-run=server", "--output=name", "-f", &path.to_string_lossy()])
    };
    assert_eq!(named("another", "shop", "prod"), None, "a KilterApp has the name of its app and environment");
    let (app, env) = ("a".repeat(40), "e".repeat(13));
    assert_eq!(named(&format!("{app}-{env}"), &app, &env), None, "helm takes no longer name for a release");
    named("shop-prod", "shop", "prod").expect("one that breaks no rule");
    platform.delete("owned-prod");
}

#[test]
fn slow_a_deletion_takes_what_an_earlier_kilter_app_of_the_name_left() {
    let Some(mut platform) = Platform::start("KilterApps from a backup") else { return };
    assert_eq!(platform.post("owned", "owned-0001", &template(&json!({}))).unwrap().0, 202);
    let was = platform.live("owned-prod");
    super::end(platform.operator.take().unwrap());
    // The cluster's store is lost, and the KilterApp comes out of a backup: it has another uid than the repository knows.
    patch(&platform, &json!({"metadata": {"finalizers": null}})).unwrap();
    platform.kubectl(&["delete", "kilterapp", "owned-prod"]);
    let kept = ["name", "namespace", "labels", "annotations", "finalizers"];
    let metadata: Value = kept.iter().map(|key| ((*key).to_owned(), was["metadata"][key].clone())).collect();
    let object =
        json!({"apiVersion": was["apiVersion"], "kind": was["kind"], "metadata": metadata, "spec": was["spec"]});
    platform.apply_text(&object.to_string());
    assert_ne!(platform.app("owned-prod").unwrap()["metadata"]["uid"], was["metadata"]["uid"]);
    // It goes before an operator has committed it anew.
    platform.kubectl(&["delete", "kilterapp", "owned-prod", "--wait=false"]);
    platform.start_operator(&[]);
    super::until("nothing of it is left", || {
        (platform.app("owned-prod").is_none() && !platform.has_namespace("owned-prod")).then_some(())
    });
    assert!(!platform.git(&["ls-tree", "-r", "--name-only", "main"]).contains("apps/owned-prod/"));
    assert!(!platform.said().contains("forbidden"), "the chart gives all the rights that are used");
}

/// Changes the KilterApp by hand; `None` when the API server refuses.
fn patch(platform: &Platform, change: &Value) -> Option<String> {
    platform.try_kubectl(&["patch", "kilterapp", "owned-prod", "--type=merge", "--patch", &change.to_string()])
}
