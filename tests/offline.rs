//! `--offline` opens no socket to anywhere, seen from the outside; and the helm of the tests is stamped like the release.

use std::path::Path;
use std::process::Command;

use kilter::toolchain::{Pins, Tool};

use crate::support::project::{Project, command};
use crate::support::{helm, skip};

const STRACE: &str = "/usr/bin/strace";

/// Runs a command under strace; returns its exit code and the system calls that a network needs.
fn network_calls(project: &Project, run: Command) -> (i32, Vec<String>) {
    let log = project.outside("strace.log");
    let mut traced = command(Path::new(STRACE));
    traced.args(["-f", "-qq", "-e", "trace=socket,connect,sendto,sendmsg", "-o"]).arg(&log).arg(run.get_program());
    traced.args(run.get_args()).env_clear().current_dir(run.get_current_dir().unwrap());
    traced.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let status = traced.output().unwrap().status;
    let calls = std::fs::read_to_string(&log).unwrap();
    (status.code().unwrap(), calls.lines().filter(|line| line.contains("AF_INET")).map(str::to_owned).collect())
}

#[test]
fn offline_opens_no_socket() {
    if !Path::new(STRACE).is_file() {
        return skip("offline_opens_no_socket: there is no strace");
    }
    let Some(_) = helm() else { return };
    let project = Project::new("shop").fixture("shop").file("kilter.yaml", "services: [postgres, redis]\n");
    let run = |args: &[&str]| network_calls(&project, project.kilter(args).into_command());
    assert_eq!(run(&["render", "--offline"]), (0, vec![]));
    assert_eq!(run(&["verify", "--offline"]), (0, vec![]));
    assert_eq!(run(&["doctor", "--offline"]).1, Vec::<String>::new());
    // A tool that is not here is an error, not a look-up.
    assert_eq!(run(&["tools", "install", "kind", "--offline"]), (3, vec![]));
    // The same without `--offline` does try, so the trace would have shown it.
    let nowhere = project.kilter(&["tools", "install", "kind"]).env("HTTPS_PROXY", "http://127.0.0.1:1");
    assert_ne!(network_calls(&project, nowhere.into_command()).1, Vec::<String>::new());
}

#[test]
fn the_helm_of_the_tests_prints_the_version_of_the_release() {
    let Some(path) = helm() else { return };
    let said =
        String::from_utf8(command(&path).arg("version").env("HOME", "/nonexistent").output().unwrap().stdout).unwrap();
    let pins = Pins::builtin();
    let version = pins.default_version(Tool::Helm);
    let commit = pins.commit(Tool::Helm, version).unwrap();
    // Of the long form only the Go version depends on who built it.
    let (before, after) = said.trim_end().split_once("GoVersion:\"").unwrap();
    let (_, after) = after.split_once('"').unwrap();
    let stamp = format!("version.BuildInfo{{Version:\"v{version}\", GitCommit:\"{commit}\", GitTreeState:\"clean\", ");
    assert_eq!((before, after), (stamp.as_str(), ", KubeClientVersion:\"v1.37\"}"));
}
