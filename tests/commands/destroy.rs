//! `kilter destroy` on a cluster that kilter did not make, and what can be ended without a kilter.yaml that can be read.

use super::*;
use serde_json::json;

use crate::support::cluster::{CLUSTER, asked, docker, has, kilter, kubectl, project, store};

/// A namespace of the project's, until it is deleted.
const NAMESPACE: &str = r#"case "$*" in
"get namespace "*) test -e deleted || echo '{"metadata": {"labels": {"kilter.netshire.com/project": "shop"}}}' ;;
"delete namespace "*) touch deleted ;;
"get deployments,"*) echo '{"items": [{"kind": "StatefulSet", "metadata": {"name": "redis"}}]}' ;;
"get pods "*) echo '{"items": []}' ;;
esac"#;

const IMAGES: &str = r#"case "$*" in "image ls "*)
echo 127.0.0.1:1/kilter.local_shop_app:tilt-1
echo 127.0.0.1:1/kilter.local_shop-2_app:tilt-2
esac"#;

/// Has this machine know an instance in the project's directory, or in another that is there.
fn claim(project: &Project, instance: Option<&str>, dir: &Path) {
    let name = |text: &str| kilter::ids::Name::new(text).unwrap();
    let instance = instance.map(name);
    fs::create_dir_all(dir).unwrap();
    let state = project.state().join("kilter");
    kilter::cluster::Instance::claim(&state, &name("shop"), instance.as_ref(), dir, 4).unwrap();
}

fn files(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn nothing_of_the_project_is_left_on_this_machine() {
    let project = project("shop", "services: [redis]\n");
    store(&project, "redis", "kind: StatefulSet\nmetadata: {name: redis}\n");
    kubectl(&project, NAMESPACE);
    docker(&project, IMAGES);
    claim(&project, None, &project.root());
    kilter(&project, &["destroy", "--yes"]).succeeds();
    let calls = asked(&project);
    assert!(calls[1].starts_with("shop-dev: delete namespace shop-dev --wait=true"), "{calls:?}");
    assert_eq!(calls.last().unwrap(), "docker: image rm 127.0.0.1:1/kilter.local_shop_app:tilt-1");
    assert_eq!(files(&project.cache().join(".store/locks")), Vec::<String>::new());
    assert!(!project.cache().join("shop").exists());
    let machine = fs::read_to_string(project.state().join("kilter/machine.json")).unwrap();
    assert!(!machine.contains("shop"), "{machine}");

    // Who only looks makes nothing of it again.
    let status = kilter(&project, &["status"]).succeeds().stdout;
    assert!(status.contains("nothing of this project is rendered yet"), "{status}");
    assert!(!project.cache().join("shop").exists() && !project.state().join("kilter/instances/shop").exists());

    // A second time there is nothing to do; docker does not have to be there.
    write_script(&project.outside("bin/docker"), "exit 1");
    kilter(&project, &["destroy", "--yes"]).succeeds();
    assert!(!project.cache().join("shop").exists());
}

#[test]
fn images_stay_as_long_as_another_working_copy_does() {
    let project = project("shop", "services: [redis]\n");
    kubectl(&project, NAMESPACE);
    docker(&project, IMAGES);
    claim(&project, None, &project.root());
    claim(&project, Some("review"), &project.outside("work/review"));
    kilter(&project, &["destroy", "--yes"]).succeeds();
    let calls = asked(&project);
    assert!(calls[1].starts_with("shop-dev: delete namespace shop-dev") && calls.len() == 2, "{calls:?}");
}

#[test]
fn what_was_brought_up_can_be_ended_whatever_became_of_kilter_yaml() {
    let project = project("shop", "services: [redis]\n");
    store(&project, "redis", "kind: StatefulSet\nmetadata: {name: redis}\n");
    kubectl(&project, NAMESPACE);
    claim(&project, None, &project.root());
    let place = project.state().join("kilter/instances/shop/place.json");
    kilter::fsx::write(&place, br#"{"context": "team", "namespace": "shop-dev"}"#).unwrap();
    let record = place.with_file_name("tilt.json");
    project.write("kilter.yaml", format!("nam: other\n{CLUSTER}"));
    for command in ["down", "stop"] {
        kilter::fsx::write(&record, br#"{"process": {"pid": 1, "started": "another time"}, "note": ""}"#).unwrap();
        let said = kilter(&project, &[command]).succeeds().stderr;
        assert!(said.contains("unknown key `nam`") && said.contains("what this machine remembers of `shop`"), "{said}");
        assert!(!record.exists(), "{command} ends Tilt");
    }
    assert!(asked(&project).contains(&"shop-dev: scale --replicas=0 statefulset/redis".to_owned()));
    // Another cluster by now: what runs is where it was brought up.
    project.write("kilter.yaml", "name: shop\nservices: [postgres, {name: db, from: postgres}]\n");
    kilter(&project, &["stop"]).succeeds();
    assert!(asked(&project).contains(&"shop-dev: scale --replicas=0 statefulset/redis".to_owned()));
    // A directory that was made again.
    fs::remove_file(project.root().join("kilter.yaml")).unwrap();
    has(&project, "down", "");
    let said = kilter(&project, &["destroy", "--yes"]).fails(3);
    assert!(said.contains("Nothing was deleted") && place.exists(), "{said}");
    fs::remove_file(project.outside("cluster/down")).unwrap();
    project.write("kilter.yaml", "services: {\n");
    kilter(&project, &["destroy", "--yes"]).succeeds();
    assert!(asked(&project).iter().any(|call| call.contains("delete namespace shop-dev")));
    // By now nothing is remembered.
    assert!(kilter(&project, &["down"]).fails(1).starts_with("error: "));
}

#[test]
fn what_ends_something_says_so_as_json() {
    let project = project("shop", "services: [redis]\n");
    kubectl(&project, NAMESPACE);
    docker(&project, "");
    claim(&project, None, &project.root());
    let json = |args: &[&str]| -> serde_json::Value {
        let output = kilter(&project, args).arg("--json").succeeds();
        serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{args:?}: {:?}", output.stdout))
    };
    assert_eq!(json(&["down"]), json!({"ended": false}));
    assert_eq!(json(&["stop"]), json!({"stopped": "shop", "context": "team"}));
    assert_eq!(json(&["destroy", "--yes"]), json!({"deleted": "shop", "context": "team"}));
    let said = kilter(&project, &["logs", "--json"]).fails(2);
    assert!(said.contains("`kilter logs` has no JSON"), "{said}");
}
