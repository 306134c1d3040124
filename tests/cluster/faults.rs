//! What goes wrong with docker and kind: scripts in their place.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use kilter::cluster::Docker;
use kilter::diag::{Error, Kind};

use super::Bed;
use crate::support::project;

/// A cluster whose docker has no containers and writes down what it is asked, then runs these lines.
fn bed(name: &str, docker: &str, kind: &str) -> Bed {
    let program = "/nonexistent/docker".into();
    let mut bed = Bed::new(name, Docker { program, env: BTreeMap::new() }, kind);
    bed.cluster.docker.program = bed.path("docker");
    project::write_script(
        &bed.path("docker"),
        &format!("cd '{}'; echo \"$*\" >>asked\n{docker}", bed.dir.path().display()),
    );
    bed
}

fn shown(bed: &Bed, error: &Error) -> String {
    error.to_string().replace(&bed.cluster.name, "NAME").replace(&*bed.dir.path().to_string_lossy(), "[BED]")
}

#[test]
fn docker_is_missing_off_or_forbidden() {
    let dir = tempfile::tempdir().unwrap();
    let find = || Docker::find(Some(dir.path().as_os_str()), BTreeMap::new());
    let fails = |begins: &str, help: &str| {
        let error = find().unwrap_err();
        assert_eq!(error.kind(), Kind::Missing);
        assert!(error.to_string().starts_with(begins), "{error}");
        assert!(error.problems()[0].help[0].contains(help), "{error}");
    };
    fails("docker is not installed", "https://docs.docker.com/get-docker/");
    let says = |words: &str| project::write_script(&dir.path().join("docker"), &format!("echo '{words}' >&2; exit 1"));
    says("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?");
    fails("docker is not running.", "`sudo systemctl start docker`");
    says("permission denied while trying to connect to the docker API at unix:///var/run/docker.sock");
    fails("this user may not use docker.", "`sudo usermod -aG docker $USER`");
    project::write_script(&dir.path().join("docker"), "echo '{\"Version\":\"28.2.2\"}'");
    assert_eq!(find().unwrap().program, dir.path().join("docker"));
}

#[test]
fn a_kind_that_hangs_is_ended_and_what_it_made_deleted() {
    // The node is there as soon as kind has begun, and until it is deleted.
    let docker = r#"case "$1 $2" in
        "container ls") test ! -e begun || echo '{"name":"node","status":"running","value":"control-plane"}' ;;
        "container rm") rm begun ;;
    esac"#;
    let mut bed = bed("hangs", docker, "touch begun; echo 'half way' >&2; sleep 600");
    bed.cluster.limits.create = Duration::from_millis(500);
    let error = bed.ensure().unwrap_err();
    assert_eq!(error.kind(), Kind::Tool);
    let text = shown(&bed, &error);
    assert!(
        text.starts_with("kind could not make the cluster `NAME`: it did not end in time and was stopped.\n"),
        "{text}"
    );
    assert!(text.contains("  | half way\n"), "{text}");
    let asked = fs::read_to_string(bed.path("asked")).unwrap();
    assert!(asked.contains("container rm --force --volumes node\n"), "{asked}");
}

#[test]
fn kind_and_its_variables_are_shown_without_logins() {
    let kind = "echo 'proxyconnect tcp: dial http://me:canary@proxy:3128: refused' >&2; exit 1";
    let mut bed = bed("logins", "true", kind);
    let vars = [("DOCKER_HOST", "tcp://me:canary@nowhere:2375"), ("HTTPS_PROXY", "me:canary@proxy:3128")];
    bed.cluster.docker.env = vars.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let error = bed.ensure().unwrap_err();
    let text = shown(&bed, &error);
    assert!(text.contains("DOCKER_HOST=tcp://…@nowhere:2375") && text.contains("dial http://…@proxy:3128"), "{text}");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
}

#[test]
fn docker_that_ends_while_kind_runs_is_named() {
    let docker = "test ! -e begun && exit; echo 'Cannot connect to the Docker daemon. Is the docker daemon running?' >&2; exit 1";
    let bed = bed("dies", docker, "touch begun; echo 'ERROR: failed to create cluster: exit status 1' >&2; exit 1");
    let error = bed.ensure().unwrap_err();
    assert_eq!(error.kind(), Kind::Missing);
    assert!(error.to_string().starts_with("docker is not running.\n"), "{error}");
}

#[test]
fn a_taken_port_and_a_wrong_kubeconfig_are_told() {
    let taken = bed("port", "", "echo 'Bind for 127.0.0.1:20000 failed: port is already allocated' >&2; exit 1");
    let text = shown(&taken, &taken.ensure().unwrap_err());
    assert!(
        text.contains("= Another program listens on a port of this project: `kilter doctor` names it.\n"),
        "{text}"
    );

    let other = bed("other", "", "sed s/NAME/somebody-elses/g kubeconfig >\"$8\"");
    let text = shown(&other, &other.ensure().unwrap_err());
    assert!(text.starts_with("kind wrote no kubeconfig with the one context `kind-NAME`.\n"), "{text}");
    assert!(!other.cluster.kubeconfig.exists());
}

#[test]
fn an_api_server_that_never_answers_is_waited_for_and_named() {
    let docker = r#"case "$1 $2" in
        "container ls") test ! -e begun || echo '{"name":"node","status":"running","value":"control-plane"}' ;;
    esac"#;
    let bed = bed("silent", docker, "touch begun; sed \"s/NAME/$4/g\" kubeconfig >\"${8:-/dev/stdout}\"");
    project::write_script(&bed.path("kubectl"), "echo 'connection refused' >&2; exit 1");
    let error = bed.ensure().unwrap_err();
    assert_eq!(error.kind(), Kind::Tool);
    let text = shown(&bed, &error);
    assert!(text.starts_with("the API server of the cluster `NAME` does not answer after 1 s.\n"), "{text}");
    assert!(text.contains("  | connection refused\n"), "{text}");
    assert_eq!(bed.said().last().unwrap(), "waiting for the API server of `kilter-test-silent`");
    // It comes late: the third time it is asked.
    project::write_script(&bed.path("kubectl"), "cd \"${0%/*}\"; echo >>tries; test $(wc -l <tries) -ge 3");
    fs::remove_file(bed.path("begun")).unwrap();
    bed.ensure().unwrap();
}
