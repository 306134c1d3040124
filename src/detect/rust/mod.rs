//! Rust: every Cargo.toml; workspaces, features, renamed packages.

mod app;
mod features;
mod workspace;

use std::collections::HashMap;

pub(super) use app::candidates;

use super::confidence::Scope;
use super::files::Files;
use super::places::{is_of_tests, split};
use super::rules::Declared;
use super::toml::{Kind, Toml};
use crate::catalog::Ecosystem;
use features::Features;

/// One Cargo.toml.
pub(super) struct Crate {
    /// Its directory, empty for the root.
    pub dir: String,
    pub file: String,
    pub toml: Toml,
    pub packages: Vec<Declared>,
}

/// A dependency as one entry of a table says it.
struct Dependency {
    /// Name in the table, by which features know it.
    key: String,
    /// Name on the registry.
    name: String,
    features: Vec<String>,
    optional: bool,
    scope: Scope,
    line: usize,
}

/// Tables of dependencies and where what they name is used
/// (<https://doc.rust-lang.org/cargo/reference/specifying-dependencies.html>).
const TABLES: [(&str, Scope); 3] =
    [("dependencies", Scope::Runtime), ("dev-dependencies", Scope::Dev), ("build-dependencies", Scope::Dev)];

/// What Cargo takes as tables only.
const EXPECTED: [&str; 9] = [
    "package",
    "dependencies",
    "dev-dependencies",
    "build-dependencies",
    "target",
    "target.*.dependencies",
    "workspace",
    "workspace.dependencies",
    "features",
];

/// Tells whether a file is Cargo's, or the entry of a program.
pub(super) fn is_manifest(path: &str, name: &str) -> bool {
    name == "Cargo.toml"
        || (name == "main.rs" && split(split(path).0).1 == "src")
        || (name.ends_with(".rs") && split(path).0.ends_with("src/bin"))
}

/// Reads every Cargo.toml, sorted by path.
pub(super) fn read(files: &Files<'_>) -> Vec<Crate> {
    let read = |path: &str| {
        let text = files.read(path)?;
        let toml = Toml::parse(files, path, &text)?;
        toml.expect(files, path, &text, &EXPECTED, &["features.*"]);
        Some((path.to_owned(), toml))
    };
    let manifests: Vec<(String, Toml)> = files.named("Cargo.toml").filter_map(read).collect();
    let shared = workspaces(&manifests);
    let left_out = workspace::left_out(&manifests);
    let packages: Vec<Vec<Declared>> = manifests
        .iter()
        .map(|(path, toml)| {
            let dir = split(path).0;
            let mut packages = declared_by(path, toml, nearest(&shared, dir));
            if let Some(root) = left_out.get(path.as_str()) {
                let why = format!("in a crate that the workspace of {root} leaves out");
                let said = packages.iter_mut().filter(|one| one.scope == Scope::Runtime);
                said.for_each(|one| one.scope = Scope::Aside(why.clone()));
            }
            if is_of_tests(dir) {
                packages.iter_mut().for_each(Declared::for_tests);
            }
            packages
        })
        .collect();
    let crates = manifests.into_iter().zip(packages);
    crates.map(|((file, toml), packages)| Crate { dir: split(&file).0.into(), file, toml, packages }).collect()
}

/// Returns what the crates declare.
pub(super) fn declared(crates: &[Crate]) -> Vec<Declared> {
    crates.iter().flat_map(|one| one.packages.iter().cloned()).collect()
}

/// The dependencies that a workspace offers its members, by the directory of its root. They declare nothing by themselves.
fn workspaces(manifests: &[(String, Toml)]) -> HashMap<&str, &Toml> {
    let root = |(path, toml): &'_ (String, Toml)| toml.get(&["workspace"]).map(|_| path.len());
    let roots = manifests.iter().filter(|manifest| root(manifest).is_some());
    roots.map(|(path, toml)| (split(path).0, toml)).collect()
}

/// Returns the workspace that a directory belongs to: the nearest one above it.
fn nearest<'a>(shared: &HashMap<&str, &'a Toml>, dir: &str) -> Option<&'a Toml> {
    let mut above = dir;
    loop {
        if let Some(toml) = shared.get(above) {
            return Some(toml);
        }
        if above.is_empty() {
            return None;
        }
        above = split(above).0;
    }
}

/// Tells whether a target of Cargo's is Windows and nothing else, where no service of kilter's runs for it: `cfg(windows)`,
/// `cfg(target_os = "windows")`, `x86_64-pc-windows-msvc`.
fn is_windows_alone(target: &str) -> bool {
    let condition: String = target.chars().filter(|c| !c.is_whitespace()).collect();
    matches!(condition.as_str(), "cfg(windows)" | "cfg(target_os=\"windows\")" | "cfg(target_family=\"windows\")")
        || (!condition.starts_with("cfg(") && condition.contains("-windows-"))
}

fn declared_by(path: &str, toml: &Toml, shared: Option<&Toml>) -> Vec<Declared> {
    let mut found = Vec::new();
    for (table, scope) in &TABLES {
        // Cargo takes `dev_dependencies`, too.
        for name in [(*table).to_owned(), table.replace('-', "_")] {
            dependencies(toml.get(&[&name]), scope, shared, &mut found);
            let targets = toml.get(&["target"]).map(Toml::entries).unwrap_or_default().iter();
            for (_, _, target) in targets.filter(|(name, ..)| !is_windows_alone(name)) {
                dependencies(target.get(&[&name]), scope, shared, &mut found);
            }
            if !table.contains('-') {
                break;
            }
        }
    }
    let features = Features::read(toml);
    found.iter().flat_map(|dependency| declarations(path, dependency, &features)).collect()
}

/// Reads a table of `name = "1"` or `name = {version = …, features = […], optional = true, package = …, workspace = true}`.
fn dependencies(table: Option<&Toml>, scope: &Scope, shared: Option<&Toml>, found: &mut Vec<Dependency>) {
    for (key, line, value) in table.map(Toml::entries).unwrap_or_default() {
        let inherits = is_true(value.get(&["workspace"]));
        let offered = shared.filter(|_| inherits).and_then(|toml| toml.get(&["workspace", "dependencies", key]));
        let said = |name: &str| value.get(&[name]).or_else(|| offered?.get(&[name]));
        // The project's own crate.
        if said("path").is_some() {
            continue;
        }
        let features = |value: &Toml| {
            let list = value.get(&["features"]).map(Toml::list).unwrap_or_default();
            list.iter().filter_map(Toml::text).map(str::to_owned).collect::<Vec<_>>()
        };
        found.push(Dependency {
            key: key.clone(),
            name: said("package").and_then(Toml::text).unwrap_or(key).to_owned(),
            features: offered.map(features).into_iter().flatten().chain(features(value)).collect(),
            optional: is_true(value.get(&["optional"])),
            scope: scope.clone(),
            line: *line,
        });
    }
}

fn is_true(value: Option<&Toml>) -> bool {
    value.is_some_and(|value| value.kind == Kind::True)
}

/// Says what one dependency declares: itself with the features that are on, and beside it each feature that a feature of the
/// project's own would switch on.
fn declarations(path: &str, dependency: &Dependency, features: &Features) -> Vec<Declared> {
    let switched = features.of_default(&dependency.key);
    let scope = match &dependency.scope {
        Scope::Runtime if dependency.optional && !switched.on => Scope::Optional,
        scope => scope.clone(),
    };
    let declared = |extras: Vec<String>, scope: Scope, line: usize| Declared {
        ecosystem: Ecosystem::Rust,
        name: dependency.name.clone(),
        extras,
        scope,
        file: path.to_owned(),
        line,
    };
    let extras: Vec<String> = dependency.features.iter().cloned().chain(switched.features).collect();
    let mut found = vec![declared(extras, scope, dependency.line)];
    for (name, feature, line) in features.of_others(&dependency.key) {
        // Only what asks for this feature is said here: the package itself is said above.
        found.push(Declared { name: dependency.name.clone(), ..declared(vec![feature], Scope::Extra(name), line) });
    }
    found
}

#[cfg(test)]
mod tests;
