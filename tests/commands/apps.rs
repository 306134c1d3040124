//! `kilter apps`.

use super::*;
use crate::support::platform::{APP, Answer, Platform, URL, kilter, phase};

fn app(name: &str, env: &str, url: &str) -> Value {
    let mut deploy = phase("ready", "");
    if env != "prod" {
        deploy["phase"] = json!("failed");
        deploy["message"] = json!("the migration failed");
    }
    json!({"org": "acme", "app": name, "env": env, "url": url, "deploy": deploy,
        "about": {"owner": "shop team", "links": {"repo": "https://github.com/acme/shop"}},
        "conditions": [
            {"type": "Rendered", "status": "True", "reason": "Rendered", "lastTransitionTime": "2026-11-24T10:00:00Z"},
            {"type": "Ready", "status": "False", "reason": "JobFailed", "message": "the job \u{1b}[2Jended", "lastTransitionTime": "2026-11-24T10:00:00Z"}]})
}

#[test]
fn the_table_reads_well() {
    let (project, platform) = (Project::new("shop"), Platform::start());
    let apps = json!([
        app("shop", "staging", "https://shop-staging.apps.example.com"),
        app("shop", "prod", URL),
        app("a-longer-name", "prod", "https://x")
    ]);
    platform.answers("GET /v1/apps", [Answer::Json(200, apps)]);
    insta::assert_snapshot!(kilter(&project, &platform, &["apps"]).succeeds().stdout, @"
    APP                 ENV      STATE   REVISION  URL
    acme/a-longer-name  prod     ready   7         https://x
    acme/shop           prod     ready   7         https://shop.apps.example.com
    acme/shop           staging  failed  7         https://shop-staging.apps.example.com
    ");
    let value: Value =
        serde_json::from_str(&kilter(&project, &platform, &["apps", "--json"]).succeeds().stdout).unwrap();
    assert_eq!((value.as_array().unwrap().len(), &value[0]["app"]), (3, &json!("a-longer-name")));
}

#[test]
fn one_app_is_shown_with_its_history_and_what_is_wrong() {
    let (project, platform) = (Project::new("shop"), Platform::start());
    let staging = APP.replace("/prod", "/staging");
    platform.answers(&format!("GET {staging}"), [Answer::Json(200, app("shop", "staging", URL))]);
    let mut old = phase("ready", "");
    old["revision"] = json!(6);
    old["timeline"] = json!({"deploy": "d", "accepted": "2026-11-24T10:00:00.123Z"});
    platform.answers(&format!("GET {staging}/deploys"), [Answer::Json(200, json!([phase("failed", ""), old]))]);
    insta::assert_snapshot!(kilter(&project, &platform, &["apps", "show", "--env", "staging"]).succeeds().stdout, @"
    acme/shop staging
      url       https://shop.apps.example.com
      state     failed: the migration failed
      revision  7
      image     registry.example.com/acme/shop@sha256:4c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e2
      by        ci
      owner     shop team
      repo      https://github.com/acme/shop
      Ready     False, JobFailed: the job  [2Jended

    REVISION  STATE   AT                BY  IMAGE
    7         failed                    ci  shop@4c5ee1e24c5e
    6         ready   2026-11-24 10:00  ci  shop@4c5ee1e24c5e
    ");
    let json = kilter(&project, &platform, &["apps", "show", "acme/shop", "--env", "staging", "--json"]).succeeds();
    let value: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((keys(&value), value["deploys"].as_array().unwrap().len()), (vec!["app", "deploys"], 2));
    let said = kilter(&project, &platform, &["apps", "show", "acme/other"]).fails(1);
    assert!(said.contains("acme/other prod is not on"), "{said}");
    let said = kilter(&project, &platform, &["apps", "show", "shop"]).fails(2);
    assert!(said.contains("has no `/`"), "{said}");
}

#[test]
fn logs_name_their_pod_when_there_are_several() {
    let (project, platform) = (Project::new("shop"), Platform::start());
    let pods = json!({"pods": [{"pod": "a", "container": "app", "log": "one\ntwo\n"}, {"pod": "b", "container": "app", "log": "three"}]});
    platform.answers(&format!("GET {APP}/logs?tail=20&component=worker"), [Answer::Json(200, pods)]);
    let args = ["apps", "logs", "--component", "worker", "--tail", "20"];
    assert_eq!(kilter(&project, &platform, &args).succeeds().stdout, "a | one\na | two\nb | three\n");
}

#[test]
fn deleting_wants_consent() {
    let (project, platform) = (Project::new("shop"), Platform::start());
    let what = format!("DELETE {APP}");
    platform.answers(&what, [Answer::Json(202, json!({}))]);
    let said = kilter(&project, &platform, &["apps", "delete", "acme/shop"]).fails(5);
    assert!(said.contains("`--yes`") && platform.asked_of(&what).is_empty(), "{said}");
    let json = kilter(&project, &platform, &["apps", "delete", "acme/shop", "--yes", "--json"]).succeeds().stdout;
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value, json!({"deleting": {"org": "acme", "app": "shop", "env": "prod"}}));
    assert_eq!(platform.asked_of(&what).len(), 1);
}
