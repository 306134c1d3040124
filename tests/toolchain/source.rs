//! Source builds: with a Go that only pretends, to see every decision; with a real one when asked for.

use std::collections::BTreeMap;
use std::fs;

use kilter::toolchain::{self, Settings, Source, Tool, Want};
use serde_json::json;

use super::{Bench, script};

/// A bench with a `go` that says it is of this version, and that "builds" a script which prints `version`.
fn with_go(go: &str, version: &str) -> Bench {
    let mut bench = Bench::new();
    bench.settings.mirror = None;
    let (log, program) = (bench.path("log"), bench.path("program"));
    script(&program, &format!("echo '{version}'"));
    script(
        &bench.path("go"),
        &format!(
            "case $1 in\n\
             env) printf '{go}\\n%s\\ngcc\\ng++\\n' \"${{GOTOOLCHAIN-local}}\" ;;\n\
             build)\n\
             /usr/bin/env | /usr/bin/sort > {log}.env; echo \"$@\" > {log}.args; /bin/cat go.mod > {log}.mod\n\
             while [ \"$1\" != -o ]; do shift; done; /bin/cp {program} \"$2\" ;;\n\
             esac",
            log = log.display(),
            program = program.display(),
        ),
    );
    bench.settings.go = Some(bench.path("go"));
    bench.settings.go_env = BTreeMap::from([
        ("GOPROXY".to_owned(), "https://proxy.example".to_owned()),
        ("GOFLAGS".to_owned(), "-p=1".to_owned()),
        ("PATH".to_owned(), "/nowhere".to_owned()),
    ]);
    bench
}

#[test]
fn without_a_release_helm_is_built() {
    let bench = with_go("go1.26.8", "v4.3.0");
    let installed = bench.ensure().unwrap();
    assert_eq!(installed.source, Source::Built("go1.26.8".into()));
    assert_eq!(installed.commit.as_deref(), Some("bec5b06ed841fe5269972d864d5177944fd5970f"));
    assert_eq!(bench.files(), ["helm", "lock", "receipt.json"]);
    assert_eq!(bench.find().unwrap(), Some(installed));
    insta::assert_snapshot!(bench.said(), @r"
    getting helm 4.3.0 from https://get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz
    https://get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: connection refused
    building helm 4.3.0 from source with go1.26.8; this takes minutes
    helm 4.3.0 is built
    ");
}

#[test]
fn the_build_sees_gos_settings_and_nothing_else() {
    let bench = with_go("go1.26.8", "v4.3.0");
    bench.ensure().unwrap();
    let log = |name: &str| fs::read_to_string(bench.path(name)).unwrap();
    let ours = |line: &&str| !["PWD=", "OLDPWD=", "SHLVL=", "_="].iter().any(|own| line.starts_with(own));
    let (os, arch) = bench.settings.platform.parts();
    let env =
        log("log.env").replace(&format!("GOOS={os}"), "GOOS=OS").replace(&format!("GOARCH={arch}"), "GOARCH=ARCH");
    insta::assert_snapshot!(env.lines().filter(ours).collect::<Vec<_>>().join("\n"), @r"
    CGO_ENABLED=0
    GO111MODULE=on
    GOARCH=ARCH
    GOFLAGS=-p=1
    GOOS=OS
    GOPROXY=https://proxy.example
    GOWORK=off
    PATH=/nowhere
    ");
    let args = log("log.args").replace(&bench.slot().display().to_string(), "/slot");
    let args: Vec<&str> =
        args.split(' ').map(|word| if word.starts_with("/slot") { "/slot/build/out" } else { word }).collect();
    insta::assert_snapshot!(args.join(" "), @"build -mod=readonly -trimpath -buildvcs=false -tags= -ldflags=-s -w -X helm.sh/helm/v4/internal/version.version=v4.3.0 -X helm.sh/helm/v4/internal/version.metadata= -X helm.sh/helm/v4/internal/version.gitCommit=bec5b06ed841fe5269972d864d5177944fd5970f -X helm.sh/helm/v4/internal/version.gitTreeState=clean -o /slot/build/out helm.sh/helm/v4/cmd/helm");
    assert!(log("log.mod").contains("helm.sh/helm/v4 v4.3.0"));
}

#[test]
fn a_go_that_is_too_old_is_named() {
    let bench = with_go("go1.25.3", "v4.3.0");
    insta::assert_snapshot!(bench.failure(), @r"
    helm 4.3.0 cannot be had.
      | https://get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: connection refused
      | source build: helm 4.3.0 needs Go 1.26.0, and this is go1.25.3
      = Check the network and run the same command again: a download goes on where it stopped.
      = Or set `KILTER_MIRROR` to a URL or directory that is laid out like the release hosts.
      = Or set `KILTER_HELM` to a helm 4.3.0.
      = Or install Go 1.26.0 or newer: kilter then builds helm from source.
    ");
    assert!(!bench.path("log.args").exists());
}

#[test]
fn a_go_that_fetches_newer_ones_is_never_too_old() {
    let mut bench = with_go("go1.25.3", "v4.3.0");
    bench.settings.go_env.insert("GOTOOLCHAIN".into(), "auto".into());
    bench.ensure().unwrap();
}

#[test]
fn an_older_version_is_taken_when_go_is_too_old_for_the_default() {
    let mut bench = with_go("go1.26.8", "v4.2.4");
    bench.pin(|pins| pins["tools"]["helm"]["versions"]["4.3.0"]["source"]["go"] = json!("1.27.0"));
    let installed = bench.ensure().unwrap();
    assert_eq!(installed.version.to_string(), "4.2.4");
    assert!(bench.said().contains("helm 4.3.0 needs Go 1.27.0, and this is go1.26.8: taking helm 4.2.4 in its place"));

    // A project that asks for exactly this version does not get another.
    let want = Want::exact(Tool::Helm, "4.3.0".parse().unwrap());
    let error = toolchain::ensure(&bench.settings, &want, &bench.lines).unwrap_err();
    insta::assert_snapshot!(bench.shown(error), @r"
    helm 4.3.0 cannot be had.
      | https://get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: connection refused
      | source build: helm 4.3.0 needs Go 1.27.0, and this is go1.26.8
      = Check the network and run the same command again: a download goes on where it stopped.
      = Or set `KILTER_MIRROR` to a URL or directory that is laid out like the release hosts.
      = Or set `KILTER_HELM` to a helm 4.3.0.
      = Or install Go 1.27.0 or newer: kilter then builds helm from source.
    ");
}

#[test]
fn without_a_go_the_message_says_what_is_needed() {
    let mut bench = with_go("go1.26.8", "v4.3.0");
    bench.settings.go = None;
    insta::assert_snapshot!(bench.failure(), @r"
    helm 4.3.0 cannot be had.
      | https://get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: connection refused
      | source build: there is no `go` on PATH
      = Check the network and run the same command again: a download goes on where it stopped.
      = Or set `KILTER_MIRROR` to a URL or directory that is laid out like the release hosts.
      = Or set `KILTER_HELM` to a helm 4.3.0.
      = Or install Go 1.26.0 or newer: kilter then builds helm from source.
    ");
}

#[test]
fn tilt_needs_a_c_compiler() {
    let bench = with_go("go1.26.8", "v0.37.7");
    let want = Want::pinned(&bench.settings.pins, Tool::Tilt);
    let error = toolchain::ensure(&bench.settings, &want, &bench.lines).unwrap_err();
    insta::assert_snapshot!(bench.shown(error).replace("linux.x86_64", "OS.ARCH"), @r"
    tilt 0.37.7 cannot be had.
      | https://github.com/tilt-dev/tilt/releases/download/v0.37.7/tilt.0.37.7.OS.ARCH.tar.gz: connection refused
      | source build: tilt needs a C and a C++ compiler, and there is no `gcc` on PATH
      = Check the network and run the same command again: a download goes on where it stopped.
      = Or set `KILTER_MIRROR` to a URL or directory that is laid out like the release hosts.
      = Or set `KILTER_TILT` to a tilt 0.37.7.
      = Or install `gcc` and `g++`, or set `CC` and `CXX`: kilter then builds tilt from source.
    ");
}

#[test]
fn what_calls_itself_otherwise_is_not_installed() {
    let bench = with_go("go1.26.8", "v4.2.0");
    assert!(bench.failure().starts_with("what was built as helm 4.3.0 calls itself 4.2.0."));
    assert_eq!(bench.files(), ["lock"]);
}

#[test]
fn a_build_that_fails_shows_gos_words() {
    let bench = with_go("go1.26.8", "v4.3.0");
    script(
        &bench.path("go"),
        "case $1 in env) printf 'go1.26.8\\nlocal\\ngcc\\ng++\\n' ;; *) echo 'dial tcp: no route' >&2; exit 1 ;; esac",
    );
    insta::assert_snapshot!(bench.failure(), @r"
    helm 4.3.0 cannot be built from source with go1.26.8.
      | dial tcp: no route
      = Check that Go can reach its module proxy (`go env GOPROXY`), then run the same command again.
      = Or set `KILTER_HELM` to a helm 4.3.0.
    ");
    assert_eq!(bench.files(), ["lock"]);
}

#[test]
fn a_version_of_the_projects_own_is_not_built() {
    let bench = with_go("go1.26.8", "v4.1.9");
    let (platform, digest) = (bench.settings.platform.to_string(), "0".repeat(64));
    let want = Want::parse(Tool::Helm, "4.1.9", [(platform.as_str(), digest.as_str())]).unwrap();
    let error = toolchain::ensure(&bench.settings, &want, &bench.lines).unwrap_err();
    assert!(error.to_string().contains("source build: kilter builds its own pinned versions only"), "{error}");
}

/// Builds every pinned version for real into the directory that `KILTER_BUILD_STORE` names; takes many minutes.
#[test]
#[ignore = "needs Go, a C compiler, the Go module proxy and minutes"]
#[expect(clippy::disallowed_methods, reason = "the settings of the real Go come from the environment")]
fn every_pinned_version_is_built_from_source() {
    let store = std::env::var("KILTER_BUILD_STORE").expect("KILTER_BUILD_STORE names a directory");
    let mut settings = Settings::new(store);
    settings.proxy.https = Some("http://127.0.0.1:1".into());
    settings.go_env = std::env::vars().filter(|(name, _)| is_gos(name)).collect();
    let search_path = settings.go_env.get("PATH").map(std::ffi::OsStr::new);
    settings.go = kilter::exec::find_program("go", search_path);
    let lines = super::Lines::default();
    for tool in Tool::all() {
        for version in settings.pins.versions(tool) {
            let installed = toolchain::ensure(&settings, &Want::exact(tool, version.clone()), &lines).unwrap();
            assert_eq!(&installed.version, version);
            assert_eq!(installed.commit.as_deref(), settings.pins.commit(tool, version));
            assert!(matches!(installed.source, Source::Built(_)));
        }
    }
}

fn is_gos(name: &str) -> bool {
    name.starts_with("GO") || name.starts_with("SSL_CERT_") || ["HOME", "PATH", "CC", "CXX"].contains(&name)
}
