//! Node: package.json of the root and of every package below it; npm, pnpm, yarn and bun; workspaces.

mod app;
mod frameworks;
mod production;
mod scripts;

use std::collections::HashSet;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde_json::Value;

pub(super) use app::{candidate, opens_by_flag, stack};
pub(super) use frameworks::starts_dev_server;
pub(super) use production::{production, start};

use super::confidence::Scope;
use super::files::{Files, key_line};
use super::json::{Json, Objects};
use super::places::split;
use super::rules::Declared;
use crate::catalog::Ecosystem;

/// Where package.json declares packages. `peerDependencies` name what a host brings, so a workspace package that really needs
/// the package declares it itself (<https://docs.npmjs.com/cli/v11/configuring-npm/package-json>).
const SECTIONS: [(&str, Scope); 3] =
    [("dependencies", Scope::Runtime), ("optionalDependencies", Scope::Optional), ("devDependencies", Scope::Dev)];

/// One package.json.
pub(super) struct NodePackage {
    /// Its directory, empty for the root.
    pub dir: String,
    pub file: String,
    pub json: Json,
}

impl NodePackage {
    /// Returns the line of a package among the dependencies, whichever section it stands in.
    pub(super) fn dependency(&self, name: &str) -> Option<usize> {
        SECTIONS
            .iter()
            .find(|(section, _)| self.json.value[*section].get(name).is_some())
            .map(|(section, _)| self.json.line(&[section, name]))
    }

    /// Tells whether the package is the root of a workspace.
    pub(super) fn is_workspace_root(&self, files: &Files<'_>) -> bool {
        self.json.value.get("workspaces").is_some() || (self.dir.is_empty() && files.has("pnpm-workspace.yaml"))
    }
}

/// Reads every package.json that belongs to the project, sorted by path.
pub(super) fn read(files: &Files<'_>) -> Vec<NodePackage> {
    let mut packages: Vec<NodePackage> = files.named("package.json").filter_map(|path| one(files, path)).collect();
    if let Some(excluded) = excluded(files, &packages) {
        packages.retain(|package| !excluded.matched_path_or_any_parents(&package.file, false).is_ignore());
    }
    packages
}

fn one(files: &Files<'_>, path: &str) -> Option<NodePackage> {
    // npm itself takes an empty list, as PHP writes it, and calls it a package without dependencies.
    let objects = Objects { names: &SECTIONS.map(|(section, _)| section), or_empty_list: true };
    let json = Json::object(files, path, str::to_owned, &objects)?;
    Some(NodePackage { dir: split(path).0.into(), file: path.into(), json })
}

/// Returns what the workspace excludes by `!pattern` (<https://pnpm.io/pnpm-workspace_yaml>,
/// <https://docs.npmjs.com/cli/v11/using-npm/workspaces>).
fn excluded(files: &Files<'_>, packages: &[NodePackage]) -> Option<Gitignore> {
    let mut patterns = Vec::new();
    if let Some(root) = packages.iter().find(|package| package.dir.is_empty()) {
        let workspaces = &root.json.value["workspaces"];
        let list = workspaces.as_array().or_else(|| workspaces["packages"].as_array());
        patterns.extend(list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    }
    if let Some(text) = files.read_if_there("pnpm-workspace.yaml") {
        let workspace = files.yaml("pnpm-workspace.yaml", &text).unwrap_or_default();
        let packages = &workspace["packages"];
        if !packages.is_sequence() && !packages.is_null() {
            let line = key_line(&text, "packages");
            files.malformed("pnpm-workspace.yaml", &text, line, 1, "`packages` is not a list");
        }
        let list = packages.as_sequence();
        patterns.extend(list.into_iter().flatten().filter_map(|item| item.as_str()).map(str::to_owned));
    }
    let mut builder = GitignoreBuilder::new("");
    for pattern in patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')) {
        // A pattern that cannot be read excludes nothing.
        let _ = builder.add_line(None, &format!("/{}", pattern.trim_start_matches("./").trim_start_matches('/')));
    }
    builder.build().ok().filter(|excluded| !excluded.is_empty())
}

/// Returns what the packages declare, without one another.
pub(super) fn declared(packages: &[NodePackage]) -> Vec<Declared> {
    let own: HashSet<&str> = packages.iter().filter_map(|p| p.json.value["name"].as_str()).collect();
    let mut declared = Vec::new();
    for package in packages {
        let optional = &package.json.value["optionalDependencies"];
        for (section, scope) in &SECTIONS {
            let Some(entries) = package.json.value[*section].as_object() else { continue };
            for (key, version) in entries {
                let version = version.as_str().unwrap_or_default();
                // npm lets an entry of optionalDependencies override the same name in dependencies.
                let overridden = *section != "optionalDependencies" && optional.get(key).is_some();
                let Some(name) = real_name(key, version).filter(|name| !overridden && !own.contains(name)) else {
                    continue;
                };
                declared.push(Declared {
                    ecosystem: Ecosystem::Node,
                    name: name.into(),
                    extras: Vec::new(),
                    scope: scope.clone(),
                    file: package.file.clone(),
                    line: package.json.line(&[section, key]),
                });
            }
        }
    }
    declared
}

/// Returns the name of the package behind an entry: `npm:real@1` renames it, and `workspace:`, `file:` and the like are
/// the project's own. With `catalog:` only the version stands elsewhere.
fn real_name<'a>(key: &'a str, version: &'a str) -> Option<&'a str> {
    if ["workspace:", "file:", "link:", "portal:"].iter().any(|own| version.starts_with(own)) {
        return None;
    }
    let Some(alias) = version.strip_prefix("npm:") else { return Some(key) };
    let end = alias.get(1..).and_then(|rest| rest.find('@')).map_or(alias.len(), |at| at + 1);
    // `npm:^7.0.0` (of pnpm) is a version without a name.
    if alias.starts_with(|c: char| c.is_ascii_digit() || "^~<>=*".contains(c)) { Some(key) } else { alias.get(..end) }
}

#[cfg(test)]
mod tests;
