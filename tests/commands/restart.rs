//! `kilter restart` on a cluster that kilter did not make.

use std::net::TcpListener;

use rustix::process::Signal;

use super::*;
use crate::support::cluster::{Tilt, asked, has, kilter, kubectl, project, store};
use crate::support::project::{Running, fake_helm};

/// What helm makes of the only service: each kind of workload that can be restarted, and what pods read.
const OBJECTS: &str = r#"
kind: ConfigMap
metadata: {name: x-env}
data: {A: "1"}
---
kind: Deployment
metadata: {name: x}
---
kind: ReplicaSet
metadata: {name: set}
---
kind: Pod
metadata: {name: bare}
"#;

const ANSWERS: &str = r#"case "$*" in
"get configmap x-env "*) cat config ;;
"get replicaset set "*) echo '{"spec": {"replicas": 2}}' ;;
"get pod bare "*) echo '{"kind": "Pod", "metadata": {"name": "bare", "uid": "u"}, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}}' ;;
"get pods "*) cat pods ;;
"apply "*|"replace "*) cat >>sent ;;
"rollout restart "*) test ! -e refuses || { echo 'error: paused' >&2; exit 1; } ;;
esac"#;

#[test]
fn the_environment_is_put_into_the_cluster_and_all_roll_before_any_is_waited_for() {
    let project = project("shop", "services: [{name: x, image: 'acme/x:1', port: 80}]\n")
        .helm_script(&fake_helm(&format!("cat <<'EOF'{OBJECTS}EOF")));
    kubectl(&project, ANSWERS);
    store(&project, "x", OBJECTS);
    has(&project, "config", r#"{"data": {"A": "0"}}"#);
    let pods =
        json!({"items": [{"metadata": {"name": "set-1", "ownerReferences": [{"kind": "ReplicaSet", "name": "set"}]}}]});
    has(&project, "pods", &pods.to_string());
    let output = kilter(&project, &["restart"]).succeeds();
    assert_eq!(output.stdout, "x restarted\n");
    let mut calls = asked(&project);
    calls.iter_mut().for_each(|call| *call = call.replace(" --output json", "").replace(" --request-timeout 10s", ""));
    let (waits, others): (Vec<&str>, Vec<&str>) = calls
        .iter()
        .map(|call| call.strip_prefix("shop-dev: ").unwrap())
        .partition(|call| call.contains(" status ") || call.starts_with("wait "));
    assert_eq!(
        others,
        [
            "get configmap x-env --ignore-not-found",
            "apply --filename -",
            "rollout restart deployment/x",
            "get replicaset set --ignore-not-found",
            "get pods",
            "delete --ignore-not-found --wait=true --timeout=2m pod/set-1",
            "get pod bare --ignore-not-found",
            "replace --force --filename -",
        ]
    );
    assert_eq!(&calls[calls.len() - 3..], &waits.iter().map(|w| format!("shop-dev: {w}")).collect::<Vec<_>>());
    let begins = [
        "rollout status deployment/x --timeout=",
        "wait --for=jsonpath={.status.readyReplicas}=2 replicaset/set ",
        "wait --for=condition=Ready pod/bare ",
    ];
    assert!(waits.iter().zip(begins).all(|(wait, begins)| wait.starts_with(begins)), "{waits:?}");
    let sent = fs::read_to_string(project.outside("cluster/sent")).unwrap();
    let sent: Vec<Value> = serde_json::Deserializer::from_str(&sent).into_iter().map(Result::unwrap).collect();
    assert_eq!(sent[0], json!({"kind": "ConfigMap", "metadata": {"name": "x-env"}, "data": {"A": "1"}}));
    assert_eq!(sent[1], json!({"kind": "Pod", "metadata": {"name": "bare"}, "spec": {}, "status": {}}));

    // What the cluster has already is left alone; one that fails does not keep the others.
    has(&project, "config", r#"{"data": {"A": "1"}}"#);
    has(&project, "refuses", "");
    let output = kilter(&project, &["restart"]).run();
    assert_eq!((output.code, output.stdout.as_str()), (4, ""));
    assert!(
        output.stderr.contains("error: `x` cannot be restarted.\n  | deployment/x: error: paused\n"),
        "{}",
        output.stderr
    );
    let calls = asked(&project);
    assert!(!calls.iter().any(|call| call.contains("apply")), "{calls:?}");
    assert!(calls.iter().any(|call| call.contains("wait --for=condition=Ready pod/bare ")), "{calls:?}");
}

#[test]
fn a_render_without_tilt_does_not_hide_what_the_cluster_lacks() {
    let manifest = OBJECTS.replace("A: \"1\"", "A: \"2\"");
    let project = project("shop", "services: [{name: x, image: 'acme/x:1', port: 80}]\n")
        .helm_script(&fake_helm(&format!("cat <<'EOF'{manifest}EOF")));
    kubectl(&project, ANSWERS);
    has(&project, "config", r#"{"data": {"A": "1"}}"#);
    has(&project, "pods", "{}");
    store(&project, "x", OBJECTS);
    project.kilter(&["render"]).succeeds();
    let said = kilter(&project, &["restart", "x"]).succeeds().stderr;
    assert!(asked(&project).contains(&"shop-dev: apply --filename -".to_owned()));
    assert!(!said.contains("`kilter up`"), "nothing else changed: {said}");
}

/// A kubectl for which pods roll until the test says so.
const ROLLS: &str = r#"case "$*" in
"get configmap x-env "*) echo '{"data": {"A": "1"}}' ;;
"rollout status "*) cat rolled ;;
esac"#;

#[test]
fn it_ends_when_the_ports_that_tilt_forwarded_lead_somewhere_again() {
    let objects = OBJECTS.split_once("---\nkind: ReplicaSet").unwrap().0;
    let project = project("tern", "services: [{name: x, image: 'acme/x:1', port: 80}]\n")
        .helm_script(&fake_helm(&format!("cat <<'EOF'{objects}EOF")));
    kubectl(&project, ROLLS);
    let rolled = project.outside("cluster/rolled");
    assert!(command(Path::new("mkfifo")).arg(&rolled).status().unwrap().success());
    project.kilter(&["render"]).succeeds();
    let _tilt = Tilt::start(&project);
    let env = parsed(&project, &["env", "--json"]);
    let port = env["services"][0]["ports"][0]["localhost"].as_str().unwrap().to_owned();
    let roll = |then: &dyn Fn(TcpListener) -> Option<TcpListener>| -> (Running, Option<TcpListener>) {
        let forward = TcpListener::bind(&port).unwrap();
        let mut restart = kilter(&project, &["restart"]).start();
        // Opens once kubectl reads from it.
        let pods = fs::OpenOptions::new().write(true).open(&rolled).unwrap();
        let forward = then(forward);
        drop(pods);
        restart.says("x restarted\n");
        (restart, forward)
    };

    let (restart, forward) = roll(&Some);
    assert_eq!(restart.end().code, 0);
    drop(forward);
    let (restart, _) = roll(&|_| None);
    restart.signal(Signal::INT);
    assert_eq!(restart.end().code, 130, "it waited for nothing");
}
