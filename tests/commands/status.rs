//! `kilter status` on a cluster that kilter did not make, with a Tilt that runs.

use kilter::toolchain::Tool;

use super::*;
use crate::support::cluster::{Tilt, has, kilter, kubectl, project, store, tool};
use crate::support::project::write_script;

#[test]
fn a_build_that_failed_is_not_hidden_by_the_pods_of_the_one_before() {
    let project = project("shop", "services: [{name: x, image: 'acme/x:1', port: 80}, redis]\n");
    store(&project, "x", "kind: StatefulSet\nmetadata: {name: x}\n");
    store(&project, "redis", "kind: StatefulSet\nmetadata: {name: redis}\n");
    kubectl(&project, r#"case "$*" in "get pods "*) cat pods ;; esac"#);
    let pod = |name: &str| {
        json!({
            "metadata": {"name": format!("{name}-0"), "ownerReferences": [{"kind": "StatefulSet", "name": name}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        })
    };
    has(&project, "pods", &json!({"items": [pod("x"), pod("redis")]}).to_string());
    tool(&project, Tool::Tilt, "cat resources");
    let resource = |name: &str, update: &str| json!({"metadata": {"name": name}, "status": {"updateStatus": update}});
    let resources = json!({"items": [resource("x", "error"), resource("redis", "ok")]});
    has(&project, "resources", &resources.to_string());

    let services = |project: &Project| {
        let status: Value = serde_json::from_str(&kilter(project, &["status", "--json"]).succeeds().stdout).unwrap();
        let services = status["services"].as_array().unwrap();
        let row = |row: &Value| json!([row["name"], row["state"], row["build"]]);
        services.iter().map(row).collect::<Vec<_>>()
    };
    assert_eq!(services(&project), [json!(["x", "ready", null]), json!(["redis", "ready", null])], "nobody builds");
    let _tilt = Tilt::start(&project);
    assert_eq!(services(&project), [json!(["x", "ready", "failed"]), json!(["redis", "ready", "ok"])]);
    let status = kilter(&project, &["status"]).succeeds();
    assert!(status.stdout.contains("\nx      ready, but its last build failed  127.0.0.1:"), "{}", status.stdout);
    assert!(status.stdout.contains("\nredis  ready  127.0.0.1:"), "{}", status.stdout);
    assert!(status.stderr.contains("Why a build failed: http://127.0.0.1:"), "{}", status.stderr);
}

#[test]
fn docker_is_missed_before_a_tool_is_got_that_is_of_no_use_without_it() {
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
    store(&project, "redis", "kind: StatefulSet\nmetadata: {name: redis}\n");
    let down = "echo 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?' >&2; exit 1";
    write_script(&project.outside("bin/docker"), down);
    for args in [&["logs"][..], &["restart"], &["status"]] {
        let run = kilter(&project, &[&["--offline"], args].concat()).run();
        let said = run.stdout + &run.stderr;
        assert!(said.contains("docker is not running") && !said.contains("kubectl"), "{args:?}: {said}");
    }
}
