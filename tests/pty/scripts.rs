//! Where nobody can be asked: no prompt, no hang, and a message that names what to type.

use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use super::terminal::Terminal;
use super::{kilter, shop, written};
use crate::support::project::{Project, command};

/// Commands that would ask, with what the message has to name, and their exit code.
const ASKING: [(&[&str], &str, u8); 7] = [
    (&["add"], "`kilter add postgres redis`", 2),
    (&["add", "--storage", "5Gi"], "`kilter add SERVICE`", 2),
    (&["remove"], "`kilter remove SERVICE`", 2),
    (&["eject"], "`kilter eject THING`", 2),
    (&["destroy"], "`--yes`", 5),
    (&["login"], "`--server URL`", 2),
    (&["login", "--server", "https://kilter.example.com"], "`--token-stdin`", 2),
];

fn ready() -> Project {
    let project = shop();
    project.kilter(&["init", "--yes"]).succeeds();
    project
}

#[test]
fn a_terminal_with_no_input_is_not_asked() {
    for (args, named, code) in ASKING {
        let project = ready();
        let before = project.read("kilter.yaml");
        let ended = Terminal::start(&project, kilter(&project, args).arg("--no-input")).end();
        assert_eq!(ended.code, i32::from(code), "{args:?}\n{}", ended.screen);
        assert!(ended.heard.contains(named), "{args:?}\n{}", ended.screen);
        assert_eq!(project.read("kilter.yaml"), before);
    }
    let project = shop();
    for run in [kilter(&project, &["init", "--no-input"]), kilter(&project, &["init"]).env("CI", "true")] {
        let ended = Terminal::start(&project, run).end();
        assert_eq!(ended.code, 2, "{}", ended.screen);
        assert!(ended.heard.contains("`kilter init --yes`"), "{}", ended.screen);
        assert!(written(&project).is_empty());
    }
}

#[test]
fn a_pipe_is_not_asked() {
    for (args, named, code) in ASKING {
        let project = ready();
        for input in [&b""[..], b"\r\r\r\rredis\ny\n"] {
            let output = project.kilter(args).stdin(input).run();
            assert_eq!((output.code, output.stdout.as_str()), (i32::from(code), ""), "{args:?}\n{}", output.stderr);
            assert!(output.stderr.contains(named), "{args:?}\n{}", output.stderr);
        }
    }
    let output = shop().kilter(&["init"]).stdin(b"\ny\n").run();
    assert_eq!(output.code, 2, "{}", output.stderr);
    assert!(output.stderr.contains("`kilter init --yes`"), "{}", output.stderr);
}

#[test]
fn a_pipe_that_nobody_writes_to_is_not_waited_for() {
    for (args, named, code) in ASKING {
        let project = ready();
        let prepared = project.kilter(args).into_command();
        let mut open = command(prepared.get_program().as_ref());
        open.args(prepared.get_args()).current_dir(project.root()).env_clear();
        open.envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
        // Open until the end of the test, and silent.
        let mut child = open.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let silent = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(silent);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(i32::from(code)), "{args:?}\n{said}");
        assert!(said.contains(named), "{args:?}\n{said}");
    }
}

#[test]
fn standard_input_may_be_closed() {
    for (args, named, code) in ASKING {
        let project = ready();
        let prepared = project.kilter(args).into_command();
        let mut closed = command("/bin/sh".as_ref());
        closed.args(["-c", "exec \"$@\" <&-", "sh"]).arg(prepared.get_program()).args(prepared.get_args());
        closed.current_dir(project.root()).env_clear().process_group(0);
        closed.envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = closed.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(i32::from(code)), "{args:?}\n{said}");
        assert!(said.contains(named), "{args:?}\n{said}");
    }
}

#[test]
fn a_plan_and_a_result_for_programs() {
    let project = shop();
    let flags = ["--image", "postgres:17.6", "--storage", "5Gi", "--json"];
    let plan = project.kilter(&[&["add", "postgres", "--dry-run"][..], &flags].concat()).succeeds();
    assert!(written(&project).is_empty());
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let done = project.kilter(&[&["add", "postgres"][..], &flags].concat()).succeeds();
    let done: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&plan["kilterYaml"], &plan["dryRun"]), (&done["kilterYaml"], &true.into()));
    assert_eq!(done["kilterYaml"], project.read("kilter.yaml"));
    assert_eq!(
        project.read("kilter.yaml"),
        "services:\n  - name: postgres\n    image: postgres:17.6\n    values:\n      storage:\n        size: 5Gi\n"
    );
    let refused = project.kilter(&["init", "--yes", "--port", "80"]).fails(5);
    assert!(refused.contains("with an editor"), "{refused}");
    let refused = shop().kilter(&["init", "--yes", "--services", "postgre"]).fails(2);
    assert!(refused.contains("`postgres`"), "{refused}");
    let project = shop();
    project.kilter(&["init", "--yes", "--services", "", "--name", "on", "--dev", "make: all"]).succeeds();
    assert!(project.read("kilter.yaml").ends_with("field.\nname: \"on\"\ndev: \"make: all\"\nservices: []\n"));
}
