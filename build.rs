//! Compiles the folders of `vendor-charts/` into the binary: a table of their files, their digests and catalog files.
#![expect(clippy::disallowed_methods, reason = "cargo speaks to a build script through the environment and OUT_DIR")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest as _, Sha256};

/// What kilter knows about a service; helm does not get it, yet it is part of the chart's digest: a change in it changes
/// what kilter renders.
const CATALOG: &str = "catalog.yaml";

/// What is said about names that are no service.
const ABSENT: &str = "absent.yaml";

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let charts = root.join("vendor-charts");
    println!("cargo::rerun-if-changed={}", charts.display());
    let mut table = String::from(
        "/// Every chart that is compiled in, sorted by name.\npub static CHARTS: &[EmbeddedChart] = &[\n",
    );
    for folder in sorted(&charts) {
        // Whoever runs the platform installs that one; nothing of kilter renders it.
        if folder.join("Chart.yaml").is_file() && !folder.ends_with("kilter-platform") {
            chart(&folder, &mut table);
        }
    }
    table.push_str("];\n");
    let absent: serde_json::Value = read_yaml(&charts.join(ABSENT));
    writeln!(table, "/// `{ABSENT}` as JSON.\npub static ABSENT: &str = {:?};", absent.to_string()).expect("a string");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("charts.rs");
    fs::write(out, table).expect("OUT_DIR is writable");
}

fn chart(folder: &Path, table: &mut String) {
    let name = folder.file_name().and_then(|n| n.to_str()).expect("a UTF-8 folder name");
    let about: serde_json::Value = read_yaml(&folder.join("Chart.yaml"));
    assert_eq!(about["name"], name, "Chart.yaml of {name}: its name must be the folder's");
    let version = about["version"].as_str().expect("Chart.yaml has a version");
    let mut files = Vec::new();
    walk(folder, folder, &mut files);
    files.sort();
    // The digest of a chart: SHA-256 over, for each file in order of its path, the path, a NUL, the hex SHA-256 of its
    // bytes and a newline. `helm::charts::digest` computes the same for files on disk.
    let mut digest = Sha256::new();
    let mut rows = String::new();
    for (path, file) in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        let bytes = fs::read(file).expect("a readable chart file");
        digest.update(format!("{path}\0{}\n", hex(&Sha256::digest(&bytes))));
        if path != CATALOG {
            writeln!(rows, "            ChartFile {{ path: {path:?}, bytes: include_bytes!({file:?}) }},")
                .expect("a string");
        }
    }
    let catalog = folder.join(CATALOG);
    println!("cargo::rerun-if-changed={}", catalog.display());
    let text = if catalog.is_file() { format!("Some(include_str!({catalog:?}))") } else { "None".to_owned() };
    let catalog = catalog.is_file().then(|| read_yaml::<serde_json::Value>(&catalog).to_string());
    writeln!(
        table,
        "    EmbeddedChart {{\n        name: {name:?},\n        version: {version:?},\n        digest: \"sha256:{}\",\n        \
         files: &[\n{rows}        ],\n        catalog: {catalog:?},\n        catalog_yaml: {text},\n    }},",
        hex(&digest.finalize())
    )
    .expect("a string");
}

fn walk(root: &Path, dir: &Path, files: &mut Vec<(String, PathBuf)>) {
    for path in sorted(dir) {
        println!("cargo::rerun-if-changed={}", dir.display());
        if path.is_dir() {
            walk(root, &path, files);
            continue;
        }
        let relative = path.strip_prefix(root).expect("below the root").to_str().expect("a UTF-8 path").to_owned();
        if relative != "README.md" {
            files.push((relative, path));
        }
    }
}

fn sorted(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(dir).expect("a readable folder").map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn read_yaml<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
