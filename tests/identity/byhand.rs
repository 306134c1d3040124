//! What is stored is what helm prints when a person runs it: with the arguments of the receipt, and by the line that
//! `--show-commands` prints.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::projects::{all, files, project};
use crate::support::project::{Project, command};
use crate::support::{self};

#[test]
fn a_stored_manifest_is_what_helm_prints_with_the_arguments_of_its_receipt() {
    let Some(helm) = support::helm() else { return };
    for name in all() {
        let project = project(&name);
        project.kilter(&["render"]).succeeds();
        let artifacts = project.cache().join(&name);
        let services = services(&artifacts);
        assert!(!services.is_empty(), "{name}");
        for service in services {
            let said = replay(&helm, &project, &artifacts, &service);
            let stored = fs::read(artifacts.join(format!("manifests/{service}.yaml"))).unwrap();
            assert!(said == stored, "{name}/{service}:\n{}", String::from_utf8_lossy(&said));
        }
    }
}

#[test]
fn a_pasted_command_prints_the_stored_manifest() {
    let Some(_) = support::helm() else { return };
    for name in ["pipeline", "museum", "backing", "whole-catalog"] {
        let project = project(name);
        let lines = project.kilter(&["render", "--show-commands"]).succeeds().stdout;
        let artifacts = project.cache().join(name);
        let mut printed = Vec::new();
        for line in lines.lines() {
            let mut shell = command(Path::new("/bin/sh"));
            shell.args(["-c", line]).current_dir("/").env("HELM_NAMESPACE", "elsewhere").env("HELM_DEBUG", "true");
            let said = shell.output().unwrap();
            assert!(said.status.success() && said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
            printed.push(said.stdout);
        }
        let mut stored: Vec<Vec<u8>> = files(&artifacts.join("manifests")).into_values().collect();
        printed.sort();
        stored.sort();
        assert!(printed == stored, "{name}: a line prints something else than what is stored");
    }
}

#[test]
fn a_pasted_command_works_in_a_path_that_a_shell_would_split() {
    let Some(_) = support::helm() else { return };
    let project = project("just-redis");
    let cache = project.outside("a cache; with 'quotes' & $HOME");
    let render = |args: &[&str]| project.kilter(args).env("KILTER_CACHE_DIR", &cache).succeeds().stdout;
    let line = render(&["render", "--show-commands"]);
    let said = command(Path::new("/bin/sh")).args(["-c", &line]).output().unwrap();
    assert_eq!(said.stdout, fs::read(cache.join("just-redis/manifests/redis.yaml")).unwrap());
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
    super::projects::assert_same("--out", &stored, &files(&out));
    // In the order of kilter.yaml.
    assert_eq!(printed, [&stored[Path::new("legacy.yaml")][..], &stored[Path::new("archive.yaml")]].concat());
}

fn services(artifacts: &Path) -> Vec<String> {
    let receipts = files(&artifacts.join("receipts"));
    receipts.keys().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Runs helm as the receipt says, from charts found by their digest, in an environment of nothing but a home.
fn replay(helm: &Path, project: &Project, artifacts: &Path, service: &str) -> Vec<u8> {
    let receipt = fs::read(artifacts.join(format!("receipts/{service}.json"))).unwrap();
    let receipt: Value = serde_json::from_slice(&receipt).unwrap();
    let digest = receipt["chartDigest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let chart: PathBuf = project.cache().join(".store/charts").join(digest).join(receipt["chart"].as_str().unwrap());
    let values = artifacts.join(format!("values/{service}.yaml"));
    assert_eq!(receipt["values"], kilter::ids::Digest::of(&fs::read(&values).unwrap()).to_string());
    let arguments = receipt["arguments"].as_array().unwrap().iter().map(|argument| match argument.as_str().unwrap() {
        "{chart}" => chart.clone().into_os_string(),
        "{values}" => values.clone().into_os_string(),
        plain => plain.into(),
    });
    let home = project.outside("by-hand");
    let mut call = command(helm);
    call.args(arguments).env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").current_dir("/");
    let said = call.output().unwrap();
    assert!(said.status.success(), "{service}: {}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(receipt["manifest"], kilter::ids::Digest::of(&said.stdout).to_string());
    said.stdout
}
