//! What is stored is what helm prints when a person runs it: with the arguments of the receipt, and by the line that
//! `--show-commands` prints.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::projects::{assert_same, files, project};
use crate::support;
use crate::support::project::{Project, command};

/// Runs helm for every receipt as the receipt says and compares with what is stored.
pub(crate) fn assert_is_what_helm_prints(project: &Project, cache: &Path, artifacts: &Path) {
    let receipts = files(&artifacts.join("receipts"));
    assert!(!receipts.is_empty(), "{}: no receipt", artifacts.display());
    for (path, receipt) in receipts {
        let service = path.file_stem().unwrap().to_str().unwrap();
        let said = replay(project, cache, artifacts, service, &serde_json::from_slice(&receipt).unwrap());
        let stored = fs::read(artifacts.join(format!("manifests/{service}.yaml"))).unwrap();
        assert!(said == stored, "{service}:\n{}", String::from_utf8_lossy(&said));
    }
}

/// Runs helm as a receipt says, on the chart of its digest, in an environment of nothing but a home.
fn replay(project: &Project, cache: &Path, artifacts: &Path, service: &str, receipt: &Value) -> Vec<u8> {
    let digest = receipt["chartDigest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let chart = cache.join(".store/charts").join(digest).join(receipt["chart"].as_str().unwrap());
    let values = artifacts.join(format!("values/{service}.yaml"));
    assert_eq!(receipt["values"], kilter::ids::Digest::of(&fs::read(&values).unwrap()).to_string());
    let arguments = receipt["arguments"].as_array().unwrap().iter().map(|argument| match argument.as_str().unwrap() {
        "{chart}" => chart.clone().into_os_string(),
        "{values}" => values.clone().into_os_string(),
        plain => plain.into(),
    });
    let mut call = command(project.helm());
    call.args(arguments).env_clear().env("HOME", project.outside("by-hand")).current_dir("/");
    let said = call.output().unwrap();
    assert!(said.status.success(), "{service}: {}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(receipt["manifest"], kilter::ids::Digest::of(&said.stdout).to_string());
    said.stdout
}

#[test]
fn a_pasted_command_prints_the_stored_manifest() {
    let Some(_) = support::helm() else { return };
    for name in ["museum", "backing"] {
        let project = project(name);
        // A path that a careless line would split.
        let cache = project.outside("a cache; with 'quotes' & $HOME");
        let run = project.kilter(&["render", "--show-commands"]).env("KILTER_CACHE_DIR", &cache);
        let lines = run.succeeds().stdout;
        let mut printed: Vec<Vec<u8>> = lines.lines().map(paste).collect();
        let mut stored: Vec<Vec<u8>> = files(&cache.join(name).join("manifests")).into_values().collect();
        assert!(!stored.is_empty());
        printed.sort();
        stored.sort();
        assert!(printed == stored, "{name}: a line prints something else than what is stored");
    }
}

/// Runs a line in a shell whose environment says other things.
fn paste(line: &str) -> Vec<u8> {
    let mut shell = command(Path::new("/bin/sh"));
    shell.args(["-c", line]).current_dir("/").env("HELM_NAMESPACE", "elsewhere").env("HELM_DEBUG", "true");
    let said = shell.output().unwrap();
    assert!(said.status.success() && said.stderr.is_empty(), "{line}\n{}", String::from_utf8_lossy(&said.stderr));
    said.stdout
}

#[test]
fn what_is_printed_or_written_elsewhere_is_what_is_stored() {
    let Some(_) = support::helm() else { return };
    let project = project("museum");
    let out = project.outside("out");
    project.kilter(&["render", "--out", out.to_str().unwrap()]).succeeds();
    let printed = project.kilter(&["render", "--stdout"]).succeeds().stdout_bytes;
    assert!(!project.root().join("kilter.lock").exists(), "neither of the two stores anything");
    project.kilter(&["render"]).succeeds();
    let stored = files(&project.cache().join("museum/manifests"));
    assert_same("--out", &stored, &files(&out));
    // In the order of kilter.yaml.
    assert_eq!(printed, [&stored[Path::new("legacy.yaml")][..], &stored[Path::new("archive.yaml")]].concat());
}
