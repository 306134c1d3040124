//! kilter on a terminal: its questions, and how to leave them.

use kilter::ids::Digest;
use kilter::toolchain::Platform;
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};

use crate::support::http::{Reply, Server};
use crate::support::platform::{self as production, APP, Answer, IMAGE, URL, phase, token};
use crate::support::project::{Project, Run, fake_helm};

/// Makes the cursor visible again (DEC private mode 25).
const SHOW_CURSOR: &str = "\x1b[?25h";

/// Far above what any answer needs on a loaded machine.
const HANGS_AFTER: u64 = 120_000;

const CTRL_C: &str = "\x03";
const ESC: &str = "\x1b";
const ENTER: &str = "\r";

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

#[test]
fn init_asks_and_enter_takes() {
    let project = shop();
    let mut session = on_terminal(kilter(&project, &["init"]));
    session.exp_string("looking at the project").unwrap();
    session.exp_string("Which services?").unwrap();
    session.exp_string("redis").unwrap();
    send(&mut session, ENTER);
    session.exp_string("The same without questions: `kilter init --yes`").unwrap();
    session.exp_string("Write kilter.yaml?").unwrap();
    send(&mut session, ENTER);
    let (rest, code) = end(session);
    assert_eq!(code, 0, "{rest:?}");
    assert!(project.read("kilter.yaml").ends_with("services:\n  - postgres\n  - redis\n"));
    assert_eq!(written(&project), ["kilter.yaml"]);
}

#[test]
fn space_unmarks_and_an_answer_counts() {
    let project = shop();
    let mut session = on_terminal(kilter(&project, &["init"]));
    session.exp_string("redis").unwrap();
    session.exp_string("Which services?").unwrap();
    send(&mut session, " ");
    send(&mut session, ENTER);
    session.exp_string("The same without questions: `kilter add redis`").unwrap();
    session.exp_string("Write kilter.yaml?").unwrap();
    send(&mut session, "y");
    let (rest, code) = end(session);
    assert_eq!(code, 0, "{rest:?}");
    assert!(project.read("kilter.yaml").ends_with("services:\n  - redis\n"));
}

#[test]
fn ctrl_c_in_a_list_leaves_with_130_and_a_cursor() {
    for args in [["init"], ["add"]] {
        let project = shop();
        let mut session = on_terminal(kilter(&project, &args));
        session.exp_string("Which services?").unwrap();
        send(&mut session, CTRL_C);
        let (rest, code) = end(session);
        assert_eq!(code, 130, "{rest:?}");
        assert!(rest.contains(SHOW_CURSOR), "{rest:?}");
        assert!(!rest.contains("error"), "{rest:?}");
        assert!(written(&project).is_empty());
    }
}

#[test]
fn ctrl_c_in_a_question_leaves_with_130_and_a_cursor() {
    let project = shop();
    let mut session = on_terminal(kilter(&project, &["init"]));
    session.exp_string("Which services?").unwrap();
    send(&mut session, ENTER);
    session.exp_string("Write kilter.yaml?").unwrap();
    send(&mut session, CTRL_C);
    let (rest, code) = end(session);
    assert_eq!(code, 130, "{rest:?}");
    assert!(rest.contains(SHOW_CURSOR), "{rest:?}");
    assert!(!rest.contains("error"), "{rest:?}");
    assert!(written(&project).is_empty());
}

#[test]
fn esc_leaves_with_5() {
    for args in [["init"], ["add"]] {
        let project = shop();
        let mut session = on_terminal(kilter(&project, &args));
        session.exp_string("Which services?").unwrap();
        send(&mut session, ESC);
        let (rest, code) = end(session);
        assert_eq!(code, 5, "{rest:?}");
        assert!(rest.contains("left without an answer, so nothing was written"), "{rest:?}");
        assert!(rest.contains(SHOW_CURSOR), "{rest:?}");
        assert!(written(&project).is_empty());
    }
}

#[test]
fn no_leaves_with_5() {
    for key in ["n", ESC] {
        let project = shop();
        let mut session = on_terminal(kilter(&project, &["init"]));
        session.exp_string("Which services?").unwrap();
        send(&mut session, ENTER);
        session.exp_string("Write kilter.yaml?").unwrap();
        send(&mut session, key);
        let (rest, code) = end(session);
        assert_eq!(code, 5, "{rest:?}");
        assert!(rest.contains("not confirmed, so nothing was written"), "{rest:?}");
        assert!(written(&project).is_empty());
    }
}

#[test]
fn add_picks_what_the_project_uses_and_says_the_same_without_questions() {
    let project = shop();
    let mut session = on_terminal(kilter(&project, &["add"]));
    session.exp_string("Which services?").unwrap();
    session.exp_string("redis").unwrap();
    send(&mut session, ENTER);
    session.exp_string("`kilter add postgres redis`").unwrap();
    let (rest, code) = end(session);
    assert_eq!(code, 0, "{rest:?}");
    assert!(rest.contains("DATABASE_URL="), "{rest:?}");
    assert!(project.read("kilter.yaml").contains("- postgres\n  - redis\n"));
    assert_eq!(written(&project), ["kilter.yaml", "kilter.lock"]);
}

#[test]
fn nothing_picked_is_nothing_written() {
    let project = Project::new("empty");
    let mut session = on_terminal(kilter(&project, &["add"]));
    session.exp_string("Which services?").unwrap();
    send(&mut session, ENTER);
    let (rest, code) = end(session);
    assert_eq!(code, 5, "{rest:?}");
    assert!(written(&project).is_empty());
}

#[test]
fn who_says_no_input_is_not_asked() {
    let project = shop();
    let (all, code) = end(on_terminal(kilter(&project, &["init", "--no-input"])));
    assert_eq!((code, all.contains("Which services?")), (0, false), "{all:?}");
    assert_eq!(written(&project), ["kilter.yaml"]);
    let (all, code) = end(on_terminal(kilter(&project, &["add", "--no-input"])));
    assert_eq!((code, all.contains("Which services?")), (2, false), "{all:?}");
    let (all, code) = end(on_terminal(kilter(&shop(), &["init"]).env("CI", "true")));
    assert_eq!((code, all.contains("Which services?")), (2, false), "{all:?}");
}

/// Tells whether a text has a sequence that sets how letters look (SGR: `ESC [ NUMBERS m`).
fn is_coloured(text: &str) -> bool {
    let ends = |rest: &str| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m');
    text.split("\x1b[").skip(1).any(ends)
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
        let run = kilter(&project, &["--quiet", "init", "--yes"]).env(name, value);
        let (all, code) = end(on_terminal(run));
        assert_eq!(code, 0, "{all:?}");
        let (all, code) = end(on_terminal(kilter(&project, &["render"]).env("NO_COLOR", "1").env(name, value)));
        assert_eq!((code, all.contains("rendering app")), (0, true), "{all:?}");
        assert!(!all.contains('\x1b'), "{name}: {all:?}");
    }
}

#[test]
fn ctrl_c_in_a_render_clears_the_line() {
    let project = shop().helm_script(&fake_helm("sleep 1000"));
    project.kilter(&["init", "--yes"]).succeeds();
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
fn a_token_is_asked_for_and_not_shown() {
    let (project, platform) = (Project::new("shop"), production::Platform::start());
    let mut session = on_terminal(kilter(&project, &["login", "--server", platform.url()]));
    session.exp_string("Token").unwrap();
    send(&mut session, &format!("{}{ENTER}", token().secret()));
    let (rest, code) = end(session);
    assert_eq!(code, 0, "{rest:?}");
    assert!(rest.contains("Logged in to") && !rest.contains(token().secret()), "{rest:?}");
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

#[test]
fn an_app_is_deleted_by_its_name() {
    let (project, platform) = (Project::new("shop"), production::Platform::start());
    platform.answers(&format!("DELETE {APP}"), [Answer::Json(202, serde_json::json!({}))]);
    for (typed, expected) in [("shop", 5), ("shop-prod", 0)] {
        let run = production::kilter(&project, &platform, &["apps", "delete", "acme/shop"]);
        let mut session = on_terminal(run.env("TERM", "xterm"));
        session.exp_string("Type `shop-prod` to go on").unwrap();
        send(&mut session, &format!("{typed}{ENTER}"));
        let (rest, code) = end(session);
        assert_eq!(code, expected, "{rest:?}");
    }
    assert_eq!(platform.asked_of(&format!("DELETE {APP}")).len(), 1);
}
