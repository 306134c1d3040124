//! What helm can do in the cage of the operator, which runs it as `kilter-operator confined CHART HELM ARGUMENT…`.

use std::path::{Path, PathBuf};
use std::{fs, process};

use kilter::fsx;
use landlock::{ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _};

use crate::support::{self, project::command};

/// A chart of one ConfigMap.
fn chart(dir: &Path, name: &str) -> PathBuf {
    let chart = dir.join(name);
    let about = format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n");
    fsx::write(&chart.join("Chart.yaml"), about.as_bytes()).unwrap();
    let map = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    fsx::write(&chart.join("templates/map.yaml"), map).unwrap();
    chart
}

#[test]
fn helm_renders_the_chart_it_is_given_and_has_nothing_else() {
    let Some(helm) = support::helm() else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = fs::canonicalize(dir.path()).unwrap();
    let (own, other) = (chart(&dir, "own"), chart(&dir, "other"));
    let values = dir.join("values.yaml");
    fsx::write(&values, b"a: 1\n").unwrap();
    let [own, other, values, to] = [&own, &other, &values, &dir].map(|path| path.to_str().unwrap());
    let helm = |args: &[&str]| -> process::Output {
        let mut confined = command(&Path::new(env!("CARGO_BIN_EXE_kilter")).with_file_name("kilter-operator"));
        confined.arg("confined").arg(own).arg(&helm).args(args).env_clear().env("HOME", "/nonexistent");
        confined.stdin(process::Stdio::null()).output().unwrap()
    };
    let rendered = helm(&["template", "x", own]);
    assert!(rendered.status.success(), "{rendered:?}");
    assert!(String::from_utf8_lossy(&rendered.stdout).contains("kind: ConfigMap"));
    let denied = |args: &[&str]| {
        let done = helm(args);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success() && said.contains("permission denied"), "{args:?}: {done:?}");
    };
    // The network is closed on any kernel.
    denied(&["pull", "http://127.0.0.1:9/x-0.1.0.tgz"]);
    denied(&["template", "x", "oci://127.0.0.1:9/x", "--version", "0.1.0"]);
    if !has_landlock() {
        support::skip("the kernel has no Landlock (6.2 or later): which files a confined helm can reach");
        return;
    }
    denied(&["template", "x", other]);
    denied(&["template", "x", own, "--values", "/etc/passwd"]);
    denied(&["template", "x", own, "--values", values]);
    denied(&["package", own, "--destination", to]);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 3, "nothing was written");
}

/// Tells whether the kernel's Landlock bounds all that a file can be opened or changed for.
fn has_landlock() -> bool {
    let rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    rules.handle_access(AccessFs::from_all(ABI::V3)).is_ok_and(|rules| rules.create().is_ok())
}
