//! Programs that the user named.

use std::fs;

use kilter::toolchain::{Source, Tool};

use super::{Bench, script};

/// A bench with a helm of the user's that says `text` and counts how often it is run.
fn with_helm(text: &str) -> Bench {
    let mut bench = Bench::new();
    script(&bench.path("helm"), &counted(&bench, text));
    bench.settings.explicit.insert(Tool::Helm, bench.path("helm"));
    bench
}

fn counted(bench: &Bench, text: &str) -> String {
    format!("echo run >> {}; echo '{text}'", bench.path("runs").display())
}

fn runs(bench: &Bench) -> usize {
    fs::read_to_string(bench.path("runs")).unwrap_or_default().lines().count()
}

#[test]
fn the_version_is_asked_once() {
    let bench = with_helm(r#"version.BuildInfo{Version:"v4.3.0", GitCommit:"abc"}"#);
    assert_eq!(bench.find().unwrap(), None);
    assert_eq!(runs(&bench), 0);
    let installed = bench.ensure().unwrap();
    assert_eq!((installed.source.clone(), &installed.path), (Source::Explicit, &bench.path("helm")));
    assert_eq!(bench.find().unwrap(), Some(installed.clone()));
    assert_eq!(bench.ensure().unwrap(), installed);
    assert_eq!(runs(&bench), 1);
    assert_eq!(bench.server.connections(), 0);
}

#[test]
fn a_changed_program_is_asked_again() {
    let bench = with_helm("v4.3.0");
    bench.ensure().unwrap();
    script(&bench.path("helm"), &counted(&bench, "v4.2.4"));
    assert_eq!(bench.find().unwrap(), None);
    insta::assert_snapshot!(bench.failure(), @r"
    `/dir/helm` is helm 4.2.4, and helm 4.3.0 is needed.
      = Set `KILTER_HELM` to a helm 4.3.0, or unset it and run `kilter tools install`.
      = Or pin this one in kilter.yaml: `tools: {helm: 4.2.4}`.
    ");
    // The answer is remembered: no further process.
    insta::assert_snapshot!(bench.shown(bench.find().unwrap_err()), @r"
    `/dir/helm` is helm 4.2.4, and helm 4.3.0 is needed.
      = Set `KILTER_HELM` to a helm 4.3.0, or unset it and run `kilter tools install`.
      = Or pin this one in kilter.yaml: `tools: {helm: 4.2.4}`.
    ");
    assert_eq!(runs(&bench), 2);
}

#[test]
fn a_path_that_leads_nowhere_is_an_error() {
    let mut bench = Bench::new();
    bench.settings.explicit.insert(Tool::Helm, bench.path("nowhere/helm"));
    insta::assert_snapshot!(bench.failure(), @r"
    `/dir/nowhere/helm` is no file, and `KILTER_HELM` names it.
      = Set `KILTER_HELM` to a helm 4.3.0, or unset it and run `kilter tools install`.
    ");
    assert_eq!(bench.server.connections(), 0);
}

#[test]
fn a_program_that_is_not_helm_is_an_error() {
    let bench = with_helm("hello");
    let home = regex_free(&bench.failure());
    insta::assert_snapshot!(home, @r"
    `/dir/helm` prints no version.
      | hello
      = Run `/dir/helm version` to see what it says.
    ");
    script(&bench.path("helm"), "echo 'no such command' >&2; exit 3");
    insta::assert_snapshot!(regex_free(&bench.failure()), @r"
    `/dir/helm` does not say its version: it ended with code 3.
      | no such command
      = Run `/dir/helm version` to see what it says.
    ");
    fs::set_permissions(bench.path("helm"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(regex_free(&bench.failure()), @r"
    cannot run `/dir/helm`: permission denied.
      = Check that the file is there and may be executed.
    ");
}

/// Takes the temporary home out of a command line.
fn regex_free(text: &str) -> String {
    let words = text.split(' ').map(|word| if word.starts_with("HOME=") { "HOME=/home" } else { word });
    words.collect::<Vec<_>>().join(" ")
}
