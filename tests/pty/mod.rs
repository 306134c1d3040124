//! kilter on a terminal: its questions, and how to leave them.

mod leaving;
mod prompts;
mod scripts;
mod shapes;
mod terminal;
mod wizards;

use kilter::ids::Digest;
use kilter::toolchain::Platform;
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};

use crate::support::http::{Reply, Server};
use crate::support::platform::{self as production, IMAGE, URL, phase};
use crate::support::project::{Project, Run, command, fake_helm};

/// Far above what any answer needs on a loaded machine.
const HANGS_AFTER: u64 = 120_000;

const CTRL_C: &str = "\x03";

/// A project whose manifests name postgres and redis.
fn shop() -> Project {
    let helm = fake_helm("cat >/dev/null; printf 'kind: ConfigMap\\n'");
    Project::new("shop").fixture("shop").helm_script(&helm)
}

fn on_terminal(run: Run<'_>) -> PtySession {
    let options = Options::new().timeout_ms(Some(HANGS_AFTER));
    spawn_with_options(run.into_command(), options).unwrap()
}

/// Prepares a run on a terminal that knows colours.
fn kilter<'a>(project: &'a Project, args: &[&str]) -> Run<'a> {
    project.kilter(args).env("TERM", "xterm")
}

/// Reads to the end; returns what came and the exit code.
fn end(mut session: PtySession) -> (String, i32) {
    let rest = session.exp_eof().unwrap();
    // The type is not exported: `Exited(Pid(7), 0)`.
    let status = format!("{:?}", session.process().wait().unwrap());
    let code = status.strip_prefix("Exited(").and_then(|text| text.rsplit_once(", "));
    let Some((_, code)) = code else { panic!("{status} after {rest:?}") };
    (rest, code.trim_end_matches(')').parse().unwrap())
}

fn send(session: &mut PtySession, keys: &str) {
    session.send(keys).unwrap();
    session.flush().unwrap();
}

/// The files of the project that kilter writes.
fn written(project: &Project) -> Vec<&'static str> {
    ["kilter.yaml", "kilter.lock"].into_iter().filter(|file| project.root().join(file).exists()).collect()
}

/// Tells whether a text has a sequence that sets how letters look (SGR: `ESC [ NUMBERS m`).
fn is_coloured(text: &str) -> bool {
    let ends = |rest: &str| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m');
    text.split("\x1b[").skip(1).any(ends)
}

#[test]
fn the_first_text_comes_before_anything_of_the_project_is_read() {
    // The lock is the first that is read, and no file: that is said, and nothing comes after it.
    for args in [&["add"][..], &["init"], &["remove"], &["eject"]] {
        let calls = Project::new("calls");
        let script = format!("touch '{}'; cat >/dev/null", calls.outside("called").display());
        let project = Project::new("cache").helm_script(&script);
        let pipe = project.root().join("kilter.lock");
        assert!(command("/usr/bin/mkfifo".as_ref()).arg(&pipe).status().unwrap().success());
        let mut session = on_terminal(kilter(&project, args));
        session.exp_string("looking at").unwrap();
        let (rest, code) = end(session);
        assert!(code == 1 && rest.contains("is no ordinary file"), "{rest:?}");
        assert!(!calls.outside("called").exists(), "{args:?} started helm");
    }
}

#[test]
fn plain_lines_for_those_who_ask_for_them() {
    let colour = "\x1b[1m";
    let (all, _) = end(on_terminal(kilter(&shop(), &["init", "--dry-run"])));
    assert!(all.contains(colour), "{all:?}");
    // A line that changes is no colour.
    let (all, _) = end(on_terminal(kilter(&shop(), &["init", "--dry-run"]).env("NO_COLOR", "1")));
    assert!(all.contains("looking at the project") && !is_coloured(&all), "{all:?}");
    for (name, value) in [("CI", "true"), ("TERM", "dumb")] {
        let project = shop();
        let run = kilter(&project, &["init", "--yes"]).env("NO_COLOR", "1").env(name, value);
        let (all, code) = end(on_terminal(run));
        assert_eq!((code, all.contains("rendering app")), (0, true), "{all:?}");
        assert!(!all.contains('\x1b'), "{name}: {all:?}");
    }
}

#[test]
fn ctrl_c_in_a_render_clears_the_line() {
    let project = shop().helm_script(&fake_helm("sleep 1000"));
    project.write("kilter.yaml", "services: [redis]\n");
    let mut session = on_terminal(kilter(&project, &["render"]));
    session.exp_string("rendering").unwrap();
    send(&mut session, CTRL_C);
    let (rest, code) = end(session);
    assert_eq!(code, 130, "{rest:?}");
    assert!(!rest.contains("error"), "{rest:?}");
    assert_eq!(written(&project), ["kilter.yaml"]);
}

#[test]
fn a_download_has_a_bar_on_a_terminal_and_lines_elsewhere() {
    let platform = Platform::host().to_string();
    let (os, arch) = platform.split_once('-').unwrap();
    let program = [b"#!/bin/sh\necho kind v9.9.9\n#".as_slice(), &vec![b'x'; 3 << 20]].concat();
    let digest = Digest::of(&program);
    let yaml = format!("tools:\n  kind:\n    version: 9.9.9\n    sha256: {{{platform}: \"{}\"}}\n", digest.hex());
    let mirror = Server::start();
    let path = format!("/github.com/kubernetes-sigs/kind/releases/download/v9.9.9/kind-{os}-{arch}");
    mirror.file(&path, &program, &[Reply::Whole]);
    let project = || Project::new("shop").file("kilter.yaml", &yaml);

    let here = project();
    let run = kilter(&here, &["tools", "install", "kind"]).env("KILTER_MIRROR", mirror.url());
    let (screen, code) = end(on_terminal(run));
    assert_eq!(code, 0, "{screen:?}");
    assert!(screen.contains("/3.00 MiB"), "a bar with sizes: {screen:?}");

    let here = project();
    let output = here.kilter(&["tools", "install", "kind"]).env("KILTER_MIRROR", mirror.url()).succeeds();
    assert!(output.stderr.contains("getting kind 9.9.9 from "), "{}", output.stderr);
    assert!(!output.stderr.contains(['\r', '\x1b']) && !output.stderr.contains("MiB"), "{:?}", output.stderr);
}

#[test]
fn on_a_terminal_a_deploy_is_waited_for_and_ctrl_c_leaves_it_alone() {
    let (project, platform) = (Project::new("shop").file("kilter.yaml", "port: 3000\n"), production::Platform::start());
    let deploy = || {
        let run = production::kilter(&project, &platform, &["deploy", "--image", IMAGE]);
        on_terminal(run.env("TERM", "xterm"))
    };
    platform.deploys([phase("accepted", ""), phase("ready", "")]);
    let (rest, code) = end(deploy());
    assert!(code == 0 && rest.contains("live") && rest.contains(URL), "{rest:?}");
    platform.deploys([phase("accepted", "")]);
    let mut session = deploy();
    session.exp_string("waiting for the operator").unwrap();
    send(&mut session, CTRL_C);
    let (rest, code) = end(session);
    assert_eq!(code, 130, "{rest:?}");
    assert!(rest.contains("The deploy goes on without you"), "{rest:?}");
}
