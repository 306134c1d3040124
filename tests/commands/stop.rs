//! `kilter stop` on a cluster that kilter did not make.

use super::*;
use crate::support::cluster::{asked, has, kilter, kubectl, project, store};

const MANIFEST: &str = "kind: StatefulSet\nmetadata: {name: redis}\n---\nkind: Job\nmetadata: {name: seed}\n---\n\
     kind: DaemonSet\nmetadata: {name: agent}\n---\nkind: Deployment\nmetadata: {name: ui, namespace: other}\n---\n\
     kind: Deployment\nmetadata: {name: gone}\n";

fn pod(name: &str, kind: &str, owner: &str) -> Value {
    json!({"metadata": {"name": name, "ownerReferences": [{"kind": kind, "name": owner}]}})
}

#[test]
fn only_what_is_the_projects_own_is_scaled_and_waited_for() {
    let project = project("shop", "services: [redis]\n");
    store(&project, "redis", MANIFEST);
    kubectl(
        &project,
        r#"case "$*" in
        "get pods "*) cat pods ;;
        "get deployments,"*) cat "workloads-$namespace" ;;
        esac"#,
    );
    let object = |kind: &str, name: &str| json!({"kind": kind, "metadata": {"name": name}});
    let here = json!({"items": [object("StatefulSet", "redis"), object("Deployment", "somebody-elses")]});
    has(&project, "workloads-shop-dev", &here.to_string());
    has(&project, "workloads-other", &json!({"items": [object("Deployment", "ui")]}).to_string());
    let pods = [
        pod("redis-0", "StatefulSet", "redis"),
        pod("ui-5d8-x", "ReplicaSet", "ui-5d8"),
        pod("seed-x", "Job", "seed"),
        pod("somebody-elses-7f-y", "ReplicaSet", "somebody-elses-7f"),
        json!({"metadata": {"name": "bare"}}),
    ];
    has(&project, "pods", &json!({"items": pods}).to_string());
    let said = kilter(&project, &["stop"]).succeeds().stderr;
    assert!(said.contains("`daemonset/agent` goes on: it cannot be scaled.\n"), "{said}");
    let list = "get deployments,replicasets,replicationcontrollers,statefulsets --output json --request-timeout 10s";
    let pods = "get pods --output json --request-timeout 10s";
    let expected = [
        format!("other: {list}"),
        "other: scale --replicas=0 deployment/ui".to_owned(),
        format!("shop-dev: {list}"),
        "shop-dev: scale --replicas=0 statefulset/redis".to_owned(),
        format!("other: {pods}"),
        "other: wait --for=delete --timeout=120s pod/ui-5d8-x".to_owned(),
        format!("shop-dev: {pods}"),
        "shop-dev: wait --for=delete --timeout=120s pod/redis-0".to_owned(),
    ];
    assert_eq!(asked(&project), expected);
}

#[test]
fn a_cluster_that_does_not_answer_leaves_tilt_alone() {
    let project = project("shop", "services: [redis]\n");
    store(&project, "redis", MANIFEST);
    kubectl(&project, "");
    has(&project, "down", "");
    // A Tilt that is stopped is remembered no longer, whether it still ran or not.
    let record = project.state().join("kilter/instances/shop/tilt.json");
    kilter::fsx::write(&record, br#"{"process": {"pid": 1, "started": "another time"}, "note": ""}"#).unwrap();
    let said = kilter(&project, &["stop"]).fails(3);
    assert!(said.contains("error: the cluster does not answer.\n"), "{said}");
    assert!(record.exists(), "it is as it was");
    assert_eq!(asked(&project), Vec::<String>::new());
    fs::remove_file(project.outside("cluster/down")).unwrap();
    kilter(&project, &["stop"]).succeeds();
    assert!(!record.exists());
}
