//! What `kilter up` finds out before anything starts.

use std::net::TcpListener;

use kilter::toolchain::Tool;
use rustix::process::Signal;

use super::*;
use crate::support::cluster::{asked, docker, kilter, kubectl, project, tool};
use crate::support::project::fake_helm;

const SERVICE: &str = "services: [{name: x, image: 'acme/x:1', port: 80}]\n";

/// A helm that renders one Deployment.
fn rendering(project: Project) -> Project {
    project.helm_script(&fake_helm("printf 'kind: Deployment\\nmetadata: {name: x}\\n'"))
}

fn port(project: &Project) -> u16 {
    let env = parsed(project, &["env", "--json"]);
    env["services"][0]["ports"][0]["localhost"].as_str().unwrap().rsplit_once(':').unwrap().1.parse().unwrap()
}

fn without_proc(test: &str) -> bool {
    let without = !Path::new("/proc/net/tcp").is_file();
    if without {
        skip(&format!("{test}: there is no /proc here"));
    }
    without
}

#[test]
fn a_port_that_tilt_is_to_forward_is_taken() {
    if without_proc("a_port_that_tilt_is_to_forward_is_taken") {
        return;
    }
    let project = rendering(project("gull", SERVICE));
    kubectl(&project, r#"case "$*" in "get namespace "*) echo '{"status": {}}' ;; esac"#);
    tool(&project, Tool::Tilt, "touch started");
    let port = port(&project);
    let _other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let said = kilter(&project, &["up", "--ci"]).fails(3);
    let me = std::process::id();
    assert!(
        said.contains(&format!("error: port {port} is taken by `")) && said.contains(&format!("`kill {me}`")),
        "{said}"
    );
    assert!(!project.outside("cluster/started").exists());
    let remembered = project.state().join("kilter/instances/gull/place.json");
    let remembered: Value = serde_json::from_str(&fs::read_to_string(remembered).unwrap()).unwrap();
    assert_eq!(remembered, json!({"context": "team", "namespace": "gull-dev"}));
}

#[test]
fn a_port_that_the_node_is_to_have_is_taken() {
    if without_proc("a_port_that_the_node_is_to_have_is_taken") {
        return;
    }
    let project = rendering(Project::new("tern").file("kilter.yaml", SERVICE));
    kubectl(&project, "");
    for other in [Tool::Tilt, Tool::Kind] {
        tool(&project, other, "touch started");
    }
    let unused = port(&project) + 5;
    docker(&project, &format!("test \"$1\" != ps || printf 'web\\t\\t127.0.0.1:{unused}->80/tcp\\n'"));
    let _helper = TcpListener::bind(("127.0.0.1", unused)).unwrap();
    let said = kilter(&project, &["up", "--ci"]).fails(3);
    assert!(said.contains(&format!("error: port {unused} is taken by the container `web`.\n")), "{said}");
    assert!(!project.outside("cluster/started").exists());
    let calls = asked(&project);
    assert!(
        calls.iter().all(|call| ["docker: container ls", "docker: ps"].iter().any(|ask| call.starts_with(ask))),
        "{calls:?}"
    );
}

#[test]
fn nothing_to_run_needs_no_cluster() {
    let project = rendering(Project::new("wren").file("kilter.yaml", "services: []\n"));
    docker(&project, "");
    let said = kilter(&project, &["up", "--ci"]).fails(1);
    insta::assert_snapshot!(said, @r"
    looking at the project and what runs of it
    error: this project has no app and no services, so there is nothing to bring up.
      = See what its manifests name: `kilter init`. Add a service: `kilter add SERVICE`.
      = With `dev:` in kilter.yaml, the command that starts it, the app runs.
    ");
    assert_eq!(asked(&project), Vec::<String>::new());
}

#[test]
fn an_interrupted_kind_leaves_no_node() {
    let project = rendering(Project::new("lark").file("kilter.yaml", SERVICE));
    kubectl(&project, "");
    tool(&project, Tool::Tilt, "");
    tool(&project, Tool::Kind, "touch begun; sleep 600");
    let node = r#"case "$*" in
        *"--quiet"*) test ! -e begun || echo 0123abc ;;
        "container rm "*) rm begun ;;
    esac"#;
    docker(&project, node);
    let mut up = kilter(&project, &["up", "--ci"]).start();
    up.said("making the cluster `kilter-lark`");
    let begun = project.outside("cluster/begun");
    while !begun.exists() {
        assert!(up.child.try_wait().unwrap().is_none(), "kilter ended before kind began");
        std::thread::yield_now();
    }
    up.signal(Signal::INT);
    let output = up.end();
    assert_eq!(output.code, 130, "{}", output.stderr);
    assert!(output.stderr.ends_with("deleting what there is of the cluster `kilter-lark`\n"), "{}", output.stderr);
    assert_eq!(asked(&project).last().unwrap(), "docker: container rm --force --volumes 0123abc");
}
