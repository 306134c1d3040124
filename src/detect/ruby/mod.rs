//! Ruby: Gemfile, gems.rb, *.gemspec; the adapters in config/database.yml and config/cable.yml.

mod app;
mod config;
mod gemfile;

use std::collections::HashSet;

pub(super) use app::{candidates, reachable, stack};
pub(super) use config::ADAPTER;

use super::confidence::Scope;
use super::files::Files;
use super::places::split;
use super::rules::Declared;
use crate::catalog::Ecosystem;

/// A gem that a manifest declares.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gem {
    pub name: String,
    pub line: usize,
    pub scope: Scope,
}

/// What one Gemfile or gemspec declares.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RubyManifest {
    /// Its directory, empty for the root.
    pub dir: String,
    pub file: String,
    /// Whether it is a Gemfile, of an app or a library; else a gemspec.
    pub is_gemfile: bool,
    pub gems: Vec<Gem>,
    /// The version of Ruby it asks for.
    pub ruby: Option<(String, usize)>,
    /// Name of the gem that a gemspec makes.
    pub name: Option<(String, usize)>,
    /// Whether Bundler reads more of the project than the Gemfile and its lock.
    pub needs_sources: bool,
}

/// Tells whether a path can be a manifest of Ruby, or says something by being there.
pub(super) fn is_manifest(path: &str) -> bool {
    const NAMES: [&str; 7] =
        ["Gemfile", "gems.rb", "Gemfile.lock", "gems.locked", ".ruby-version", ".tool-versions", "config.ru"];
    let name = split(path).1;
    NAMES.contains(&name)
        || name.ends_with(".gemspec")
        || config::is_config(path)
        || path == "bin/rails"
        || path.ends_with("/bin/rails")
}

/// Reads every Gemfile and gemspec, sorted by path.
pub(super) fn read(files: &Files<'_>) -> Vec<RubyManifest> {
    let is_read = |path: &&str| {
        let name = split(path).1;
        matches!(name, "Gemfile" | "gems.rb") || name.ends_with(".gemspec")
    };
    let paths = files.all().filter(is_read).filter(|path| !is_beside(path));
    paths.filter_map(|path| files.read(path).map(|text| gemfile::parse(files, path, &text))).collect()
}

/// Tells whether a path is that of the apps which gems are tested with: `spec/dummy/Gemfile`.
fn is_beside(path: &str) -> bool {
    split(path).0.split('/').any(|directory| matches!(directory, "spec" | "gemfiles" | "dummy"))
}

/// Returns what the manifests declare and what the configuration names, without the project's own gems.
pub(super) fn declared(files: &Files<'_>, manifests: &[RubyManifest]) -> Vec<Declared> {
    let own: HashSet<&str> = manifests.iter().filter_map(|m| m.name.as_ref()).map(|(name, _)| name.as_str()).collect();
    let gems = manifests.iter().flat_map(|manifest| {
        let gems = manifest.gems.iter().filter(|gem| !own.contains(gem.name.as_str()));
        gems.map(|gem| Declared {
            ecosystem: Ecosystem::Ruby,
            name: gem.name.clone(),
            extras: Vec::new(),
            scope: gem.scope.clone(),
            file: manifest.file.clone(),
            line: gem.line,
        })
    });
    let mut declared: Vec<Declared> = gems.collect();
    let configs = files.all().filter(|path| config::is_config(path) && !is_beside(path));
    declared.extend(configs.flat_map(|path| config::declared(files, path)));
    declared
}

#[cfg(test)]
mod tests;
