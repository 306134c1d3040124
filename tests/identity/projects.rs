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

/// Puts a project's files into an empty one.
pub(crate) fn fill(name: &str, project: Project) -> Project {
    if fixtures().iter().any(|fixture| fixture == name) {
        return project.fixture(name);
    }
    let services: Vec<&str> = match name {
        "whole-catalog" => kilter::catalog::services().keys().copied().collect(),
        _ => vec![name.strip_prefix("just-").unwrap()],
    };
    // Each decides on the variables that two services of the whole catalog may both provide.
    let lines: String = services.iter().map(|service| format!("  - {service}\n")).collect();
    let decided: String = provided_twice(&services).iter().map(|name| format!("  {name}: decided\n")).collect();
    let env = if decided.is_empty() { String::new() } else { format!("env:\n{decided}") };
    project.file("kilter.yaml", format!("services:\n{lines}{env}"))
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

/// Makes a project by its name.
pub(crate) fn project(name: &str) -> Project {
    fill(name, Project::new(name))
}

/// Returns the names of all projects: the fixtures, one per service of the catalog, and one with all of them.
pub(crate) fn all() -> Vec<String> {
    let mut names = fixtures();
    names.extend(kilter::catalog::services().keys().map(|service| format!("just-{service}")));
    names.push("whole-catalog".into());
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
