//! Manners: what goes where, who is asked what, and a terminal or a pipe that goes away.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;

use super::{names, quick, quick_helm, refused, same, tree};
use crate::support::project::{Project, code, command};

/// A project whose manifests name two services, without a kilter.yaml.
fn undecided() -> Project {
    Project::new("shop").helm_script(&quick_helm()).fixture("shop")
}

/// Runs kilter by a shell, which can close and replace streams; `$K` is kilter.
fn shell(project: &Project, line: &str) -> (i32, String) {
    let mut shell = command(Path::new("/bin/sh"));
    shell.args(["-c", line]).current_dir(project.root()).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    shell.env("HOME", project.home()).env("KILTER_CACHE_DIR", project.cache()).env("XDG_STATE_HOME", project.state());
    shell.env("KILTER_HELM", project.helm()).env("K", env!("CARGO_BIN_EXE_kilter"));
    let output = shell.stdin(Stdio::null()).output().unwrap();
    (code(output.status), project.shown(&String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn nobody_is_asked_without_a_terminal() {
    insta::assert_snapshot!(refused(&undecided(), &["add"], 2), @r"
    error: no service is named, and nobody can be asked here.
      = Name the services: `kilter add postgres redis`. List them: `kilter catalog`.
    ");
    insta::assert_snapshot!(refused(&undecided(), &["add", "--no-input"], 2), @r"
    error: no service is named, and nobody can be asked here.
      = Name the services: `kilter add postgres redis`. List them: `kilter catalog`.
    ");
    let project = undecided();
    let before = tree(&project.outside(""));
    let output = project.kilter(&["init"]).run();
    assert_eq!(output.code, 2);
    insta::assert_snapshot!(output.stderr, @r"
    looking at the project
    error: `kilter init` asks before it writes kilter.yaml, and nobody can be asked here.
      = Take what is selected: `kilter init --yes`. Only look: `kilter init --dry-run`.
    ");
    same(&tree(&project.outside("")), &before, "not confirmed");
}

#[test]
fn a_pipe_that_says_yes_is_no_answer() {
    let project = undecided();
    let output = project.kilter(&["init"]).stdin(b"y\ny\ny\n").run();
    assert_eq!(output.code, 2);
    assert!(!project.root().join("kilter.yaml").exists());
}

#[test]
fn an_upgrade_is_not_written_without_an_answer() {
    let project = quick("shop");
    project.kilter(&["render"]).succeeds();
    // As a kilter of another time has locked it.
    let lock = project.read("kilter.lock");
    let kubernetes = lock.lines().find(|line| line.starts_with("kubernetes:")).unwrap();
    project.write("kilter.lock", lock.replace(kubernetes, "kubernetes: 1.30.0"));
    project.kilter(&["render"]).succeeds();
    let before = tree(&project.root());
    for args in [&["upgrade"][..], &["upgrade", "--no-input"]] {
        let output = project.kilter(args).run();
        assert_eq!(output.code, 5);
        insta::allow_duplicates! { insta::assert_snapshot!(output.stderr, @r#"
        error: not confirmed: "Move kilter.lock and the artifacts?" needs an answer, and nobody can be asked here.
          = Add `--yes`.
        "#); }
        same(&tree(&project.root()), &before, "not confirmed");
    }
    project.kilter(&["upgrade", "--yes"]).succeeds();
    assert_eq!(project.read("kilter.lock"), lock);
}

#[test]
fn init_with_consent_takes_what_is_selected() {
    let project = undecided();
    project.kilter(&["init", "--no-input", "--yes"]).succeeds();
    insta::assert_snapshot!(project.read("kilter.yaml"), @r"
    # What this project needs to run. Everything is optional; `kilter schema` describes every field.
    services:
      - postgres
      - redis
    ");
}

#[test]
fn an_unknown_service_as_an_argument() {
    insta::assert_snapshot!(refused(&quick("shop"), &["add", "postgrs"], 2), @r"
    error: kilter's catalog has no service `postgrs`.
      = Did you mean `postgres`?
    ");
    insta::assert_snapshot!(refused(&quick("shop"), &["add", "nothing-like-it"], 2), @r"
    error: kilter's catalog has no service `nothing-like-it`.
      = List them: `kilter catalog`. Anything with an image and a port can be added: `kilter add NAME --image IMAGE --port PORT`.
    ");
    insta::assert_snapshot!(refused(&quick("shop"), &["add", "minio"], 2), @r"
    error: kilter's catalog has no service `minio`.
      = MinIO is no longer published as an image that one can pull. Take `garage` or `rustfs`.
      = For an image that you have: `kilter add minio --image IMAGE --port PORT`.
    ");
    insta::assert_snapshot!(refused(&quick("shop"), &["catalog", "show", "localstack"], 2), @r"
    error: kilter's catalog has no service `localstack`.
      = LocalStack starts with an account's token alone since March 2026. Take `floci`.
      = For an image that you have: `kilter add localstack --image IMAGE --port PORT`.
    ");
    insta::assert_snapshot!(quick("shop").kilter(&["render", "postgre"]).fails(2), @r"
    error: this project has no service `postgre`.
      = Did you mean `postgres`?
      = It has `postgres`.
    ");
    insta::assert_snapshot!(quick("shop").kilter(&["remove", "postgre"]).fails(2), @r"
    error: this project has no service `postgre`.
      = Did you mean `postgres`?
      = It has `postgres`.
    ");
    insta::assert_snapshot!(quick("shop").kilter(&["eject", "values/postgre"]).fails(2), @r"
    error: `values/postgre` is nothing that can be ejected.
      = Did you mean `values/postgres`?
      = List what can be: `kilter eject --list`.
    ");
    insta::assert_snapshot!(refused(&quick("shop"), &["catalog", "show", "postgre"], 2), @r"
    error: kilter's catalog has no service `postgre`.
      = Did you mean `postgres`?
    ");
    insta::assert_snapshot!(refused(&quick("shop"), &["why", "postgre"], 2), @r"
    error: kilter's catalog has no service `postgre`.
      = Did you mean `postgres`?
    ");
    insta::assert_snapshot!(refused(&quick("shop"), &["tools", "path", "hlm"], 2), @r"
    error: kilter has no tool `hlm`.
      = Did you mean `helm`?
    ");
}

#[test]
fn an_unknown_command_and_option() {
    insta::assert_snapshot!(refused(&quick("shop"), &["rendr"], 2), @r"
    error: unrecognized subcommand 'rendr'

      tip: a similar subcommand exists: 'render'

    Usage: kilter [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&quick("shop"), &["render", "--chek"], 2), @r"
    error: unexpected argument '--chek' found

      tip: a similar argument exists: '--check'

    Usage: kilter render --check [SERVICE]...

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&quick("shop"), &["-C", "nowhere", "render"], 2), @r"
    error: cannot work in `[PROJECT]/nowhere`: no such file or directory.
      = Name a directory that exists: `kilter -C DIR …`.
    ");
}

#[test]
fn global_options_go_anywhere() {
    let project = quick("shop");
    let first = project.kilter(&["--json", "env"]).succeeds().stdout;
    let last = project.kilter(&["env", "--json"]).succeeds().stdout;
    assert_eq!(first, last);
    serde_json::from_str::<serde_json::Value>(&first).unwrap();
    let output = project.kilter(&["--json", "render", "--quiet", "--no-input", "--offline", "postgres"]).succeeds();
    serde_json::from_str::<serde_json::Value>(&output.stdout).unwrap();
    assert_eq!(output.stderr, "");
}

#[test]
fn json_of_every_command_is_one_value() {
    let project = quick("shop").fixture("shop");
    for args in [
        &["init", "--dry-run"][..],
        &["add", "redis"],
        &["add", "mailpit", "--dry-run"],
        &["remove", "redis"],
        &["render"],
        &["render", "--check"],
        &["eject", "--list"],
        &["env"],
        &["catalog"],
        &["catalog", "show", "postgres"],
        &["why", "postgres"],
        &["tools", "list"],
        &["upgrade", "--dry-run"],
        &["version"],
    ] {
        let output = project.kilter(args).arg("--json").succeeds();
        let value: Result<serde_json::Value, _> = serde_json::from_str(&output.stdout);
        assert!(value.is_ok(), "{args:?} printed {:?}", output.stdout);
    }
}

#[test]
fn no_escape_byte_reaches_a_pipe() {
    for variables in [&[("NO_COLOR", "1")][..], &[("CI", "true")], &[("TERM", "xterm-256color")], &[]] {
        let project = quick("shop");
        for args in [&["render"][..], &["render", "nope"], &["catalog"], &["env"], &["doctor"], &["--help"]] {
            let run = variables.iter().fold(project.kilter(args), |run, (name, value)| run.env(name, value));
            let output = run.run();
            assert!(!output.stdout.contains('\x1b'), "{args:?} {variables:?}: {:?}", output.stdout);
            assert!(!output.stderr.contains('\x1b'), "{args:?} {variables:?}: {:?}", output.stderr);
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let project = quick("shop");
    for line in ["$K catalog | head -1", "$K render --stdout | head -1", "$K --help | head -1", "$K man | head -1"] {
        let (_, stderr) = shell(&project, &format!("{line} >/dev/null"));
        assert!(!stderr.contains("panicked") && !stderr.contains("bug"), "{line}: {stderr}");
    }
    // The far end is gone before kilter starts.
    for args in ["catalog", "render", "render --stdout", "env", "schema", "completions bash", "--help", "version"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut run = command(Path::new(env!("CARGO_BIN_EXE_kilter")));
        run.args(args.split(' ')).current_dir(project.root()).env_clear().env("HOME", project.home());
        run.env("KILTER_CACHE_DIR", project.cache()).env("KILTER_HELM", project.helm());
        run.stdout(Stdio::from(OwnedFd::from(writer))).stderr(Stdio::piped());
        let output = run.output().unwrap();
        assert_eq!(
            (code(output.status), String::from_utf8_lossy(&output.stderr).contains("panicked")),
            (0, false),
            "{args}"
        );
    }
}

#[test]
fn closed_streams() {
    for line in ["$K render <&-", "$K render >&-", "$K render 2>&-", "$K render <&- >&- 2>&-"] {
        let project = quick("shop");
        let (code, stderr) = shell(&project, line);
        assert_eq!(code, 0, "{line}: {stderr}");
        assert!(!stderr.contains("panicked"), "{line}: {stderr}");
        let clean = quick("shop");
        clean.kilter(&["render"]).succeeds();
        same(&tree(&project.root()), &tree(&clean.root()), line);
        let manifests = |project: &Project| tree(&project.cache().join("shop/manifests"));
        same(&manifests(&project), &manifests(&clean), line);
    }
    let (code, stderr) = shell(&undecided(), "$K init <&-");
    assert_eq!(code, 2, "{stderr}");
}

#[test]
fn a_result_is_nothing_but_the_result() {
    let project = quick("shop");
    let printed = project.kilter(&["render", "--stdout"]).succeeds();
    assert_eq!(names(&project.root()), ["kilter.yaml"]);
    project.kilter(&["render"]).succeeds();
    let stored = std::fs::read(project.cache().join("shop/manifests/postgres.yaml")).unwrap();
    assert!(printed.stdout_bytes == stored);
    assert_eq!(printed.stderr, "rendering postgres\n");
}

#[test]
fn a_result_that_cannot_be_written_is_said() {
    if !Path::new("/dev/full").exists() {
        crate::support::skip("a full standard output: there is no /dev/full");
        return;
    }
    let project = quick("shop");
    let mut run = command(Path::new(env!("CARGO_BIN_EXE_kilter")));
    run.args(["render", "--stdout"]).current_dir(project.root()).env_clear().env("HOME", project.home());
    run.env("KILTER_CACHE_DIR", project.cache()).env("KILTER_HELM", project.helm());
    let output = run.stdout(File::options().write(true).open("/dev/full").unwrap()).output().unwrap();
    insta::assert_snapshot!(project.shown(&String::from_utf8_lossy(&output.stderr)), @r"
    rendering postgres
    error: cannot write the result to standard output: no space left on device.
      = Free some disk space, then run the same command again.
    ");
    assert_eq!(code(output.status), 3);
}
