//! A helm that does what no helm should.

use super::{quick, quick_helm, same, tree};
use crate::support::project::{Project, fake_helm, write_script};

/// Renders with a helm that runs these lines, which must fail; checks that no artifact and no lock was made. The command
/// that is shown is cut to its program.
fn words(lines: &str) -> String {
    failing(&quick("shop").helm_script(&fake_helm(lines)), 4)
}

fn failing(project: &Project, code: i32) -> String {
    failing_within(project, code, "60")
}

fn failing_within(project: &Project, code: i32, seconds: &str) -> String {
    let before = tree(&project.root());
    let words = project.kilter(&["render"]).env("KILTER_HELM_TIMEOUT", seconds).fails(code);
    same(&tree(&project.root()), &before, "written");
    assert!(!project.cache().join("shop").exists());
    let line = |line: &str| match line.find("  | $ env -i") {
        Some(_) => "  | $ env -i …".to_owned(),
        None => line.to_owned(),
    };
    words.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn it_hangs() {
    let project = quick("shop").helm_script(&fake_helm("echo working >&2; sleep 1000"));
    insta::assert_snapshot!(failing_within(&project, 4, "3"), @r"
    rendering postgres
    error: helm could not render `postgres` from chart `postgres`: it did not end within 3 seconds and was stopped.
      | $ env -i …
      | working
      = Look for a template of the chart that loops, or run `kilter doctor` to check helm.
    ");
}

#[test]
fn it_floods_standard_output() {
    insta::assert_snapshot!(words("yes"), @r"
    rendering postgres
    error: helm could not render `postgres` from chart `postgres`: it printed more than 32 MiB and was stopped.
      | $ env -i …
      = Look for a template of the chart that loops.
    ");
}

#[test]
fn it_floods_standard_error() {
    insta::assert_snapshot!(words("yes 'no end' | head -c 20000000 >&2; echo 'the last word' >&2; exit 3"), @r"
    rendering postgres
    error: helm could not render `postgres` from chart `postgres`: it ended with code 3.
      | $ env -i …
      | no end
      | no end
      | no end
      | no end
      | no end
      | no end
      | no end
      | no end
      | no end
      | no end
      | no end
      | no end
      | no end
      | no end
      | no end
      | no end
      | no end
      | no end
      | no end
      | no endthe last word
      = Correct the values or the chart that helm names, then run `kilter render` again.
    ");
}

#[test]
fn it_floods_standard_error_and_works() {
    let project = quick("shop").helm_script(&format!("yes | head -c 20000000 >&2\n{}", quick_helm()));
    project.kilter(&["render"]).succeeds();
    assert!(project.cache().join("shop/manifests/postgres.yaml").is_file());
}

#[test]
fn a_signal_ends_it() {
    insta::assert_snapshot!(words("kill -SEGV $$"), @r"
    rendering postgres
    error: helm could not render `postgres` from chart `postgres`: signal 11 ended it.
      | $ env -i …
      = Check the machine's memory, then run `kilter render` again; `kilter doctor` checks the tools.
    ");
}

#[test]
fn it_prints_nothing() {
    insta::assert_snapshot!(words("exit 0"), @r"
    rendering postgres
    error: helm could not render `postgres` from chart `postgres`: it printed nothing.
      | $ env -i …
      = A chart that makes no objects is most likely not what you meant: check its values.
    ");
    insta::assert_snapshot!(words("echo; echo"), @r"
    rendering postgres
    error: helm could not render `postgres` from chart `postgres`: it printed nothing.
      | $ env -i …
      = A chart that makes no objects is most likely not what you meant: check its values.
    ");
}

#[test]
fn it_fails_without_a_word() {
    insta::assert_snapshot!(words("exit 1"), @r"
    rendering postgres
    error: helm could not render `postgres` from chart `postgres`: it ended with code 1.
      | $ env -i …
      = Correct the values or the chart that helm names, then run `kilter render` again.
    ");
}

#[test]
fn it_closes_its_input_and_works() {
    let project = quick("shop").helm_script(&fake_helm("exec <&-; echo 'a: b'"));
    project.kilter(&["render"]).succeeds();
    assert_eq!(std::fs::read(project.cache().join("shop/manifests/postgres.yaml")).unwrap(), b"a: b\n");
}

#[test]
fn it_leaves_a_process_behind() {
    let project = quick("shop").helm_script(&fake_helm("sleep 1000 & echo 'a: b'"));
    project.kilter(&["render"]).succeeds();
    assert_eq!(std::fs::read(project.cache().join("shop/manifests/postgres.yaml")).unwrap(), b"a: b\n");
}

#[test]
fn it_is_not_executable() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = quick("shop");
    std::fs::set_permissions(project.helm(), std::fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(failing(&project, 3), @r"
    error: cannot run `[HELM]`: permission denied.
      = Check that the file is there and may be executed.
    ");
}

#[test]
fn it_is_not_there() {
    let project = quick("shop");
    kilter::fsx::remove(project.helm()).unwrap();
    insta::assert_snapshot!(failing(&project, 3), @r"
    error: `[HELM]` is no file, and `KILTER_HELM` names it.
      = Set `KILTER_HELM` to a helm 4.3.0, or unset it and run `kilter tools install`.
    ");
}

#[test]
fn it_is_no_program() {
    let project = quick("shop");
    write_script(project.helm(), "");
    kilter::fsx::write(project.helm(), b"\x7fELF\x02 and nothing more").unwrap(); // keeps the permissions
    insta::assert_snapshot!(failing(&project, 3), @r"
    error: cannot run `[HELM]`: exec format error.
      = Check that the file is there and may be executed.
    ");
}

#[test]
fn it_is_another_version() {
    insta::assert_snapshot!(failing(&quick("shop").helm_script("echo v3.14.2"), 3), @r"
    error: `[HELM]` is helm 3.14.2, and helm 4.3.0 is needed.
      = Set `KILTER_HELM` to a helm 4.3.0, or unset it and run `kilter tools install`.
    ");
}

#[test]
fn it_says_no_version() {
    insta::assert_snapshot!(failing(&quick("shop").helm_script("echo hello"), 3), @r"
    error: `[HELM]` prints no version.
      | hello
      = Run `[HELM] version` to see what it says.
    ");
    insta::assert_snapshot!(failing(&quick("shop").helm_script("echo oh no >&2; exit 2"), 3), @r"
    error: `[HELM]` does not say its version: it ended with code 2.
      | oh no
      = Run `[HELM] version` to see what it says.
    ");
    insta::assert_snapshot!(failing(&quick("shop").helm_script("kill -9 $$"), 3), @r"
    error: `[HELM]` does not say its version: signal 9 ended it.
      = Run `[HELM] version` to see what it says.
    ");
}

#[test]
fn it_changes_into_another_version_between_two_runs() {
    let project = quick("shop");
    project.kilter(&["render"]).succeeds();
    write_script(project.helm(), "echo v3.14.2");
    insta::assert_snapshot!(project.kilter(&["render"]).fails(3), @r"
    error: `[HELM]` is helm 3.14.2, and helm 4.3.0 is needed.
      = Set `KILTER_HELM` to a helm 4.3.0, or unset it and run `kilter tools install`.
    ");
}

#[test]
fn a_time_limit_that_is_no_number() {
    for text in ["soon", "0", "-1", "1.5", "99999999999999999999"] {
        let words = quick("shop").kilter(&["render"]).env("KILTER_HELM_TIMEOUT", text).fails(2);
        assert_eq!(
            words.replace(&format!("`{text}`"), "`TEXT`"),
            quick("shop").kilter(&["render"]).env("KILTER_HELM_TIMEOUT", "TEXT").fails(2)
        );
    }
    insta::assert_snapshot!(quick("shop").kilter(&["render"]).env("KILTER_HELM_TIMEOUT", "soon").fails(2), @r"
    error: `KILTER_HELM_TIMEOUT` is `soon`, which is no number of seconds.
      = Set it to a whole number of seconds from 1 to 86400, or unset it to have 60.
    ");
}
