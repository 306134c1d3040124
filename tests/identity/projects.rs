//! The projects that are rendered: every fixture, and one made of each service of the catalog.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support;
use crate::support::project::Project;

/// Returns the names of the fixture projects, sorted.
pub(crate) fn fixtures() -> Vec<String> {
    let entries = fs::read_dir(support::root().join("tests/fixtures/projects")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() > 5, "the fixtures are gone: {names:?}");
    names
}

/// The project that has each service of the catalog.
pub(crate) const WHOLE_CATALOG: &str = "whole-catalog";

/// Makes a project by its name.
pub(crate) fn project(name: &str) -> Project {
    if name == WHOLE_CATALOG { whole_catalog(name) } else { Project::new(name).fixture(name) }
}

/// Makes a project of this name with each service of the catalog.
pub(crate) fn whole_catalog(name: &str) -> Project {
    let services: Vec<&str> = kilter::catalog::services().keys().copied().collect();
    let lines: String = services.iter().map(|service| format!("  - {service}\n")).collect();
    // Where two services provide one variable, the project has to decide.
    let decided: String = provided_twice(&services).iter().map(|name| format!("  {name}: decided\n")).collect();
    let env = if decided.is_empty() { String::new() } else { format!("env:\n{decided}") };
    Project::new(name).file("kilter.yaml", format!("services:\n{lines}{env}"))
}

fn provided_twice(services: &[&str]) -> Vec<String> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for service in services {
        for variable in kilter::catalog::services()[service].provides.keys() {
            *count.entry(variable).or_default() += 1;
        }
    }
    count.into_iter().filter(|(_, times)| *times > 1).map(|(name, _)| name.to_owned()).collect()
}

/// Returns the names of all projects: the fixtures, and one with every service of the catalog.
pub(crate) fn all() -> Vec<String> {
    let mut names = fixtures();
    names.push(WHOLE_CATALOG.into());
    names
}

/// Returns the files below a directory by their path in it. Links are files.
pub(crate) fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    collect(dir, dir, &mut found);
    found
}

fn collect(root: &Path, dir: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            found.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
        }
    }
}

/// Returns the artifacts of a rendered project by their path, kind.yaml with its host ports left out, and kilter.lock.
pub(crate) fn portable(project: &Project, key: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = files(&project.cache().join(key));
    found.remove(Path::new("kind.yaml"));
    found.insert("kilter.lock".into(), project.read("kilter.lock").into_bytes());
    assert!(found.keys().any(|path| path.starts_with("manifests")), "nothing was rendered");
    found
}

/// Fails, naming the first file that differs, when two sets of files are not the same.
pub(crate) fn assert_same(what: &str, one: &BTreeMap<PathBuf, Vec<u8>>, other: &BTreeMap<PathBuf, Vec<u8>>) {
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(one), names(other), "{what}: other files");
    for (path, bytes) in one {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(*bytes == other[path], "{what}: {}\n{}\n---\n{}", path.display(), text(bytes), text(&other[path]));
    }
}
