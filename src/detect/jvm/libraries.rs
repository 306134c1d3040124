//! Gradle's version catalogs: what `libs.postgresql` in a build file stands for. They stand in
//! `gradle/libs.versions.toml`, or in a block of settings.gradle
//! (<https://docs.gradle.org/current/userguide/version_catalogs.html>). A catalog alone declares nothing.

use std::collections::HashMap;

use super::script::{Statement, Token};
use crate::detect::files::Files;
use crate::detect::places::split;
use crate::detect::toml::Toml;

/// One catalog.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// Directory of the build it belongs to.
    dir: String,
    /// Name it has in build files, for example `libs`.
    name: String,
    /// Coordinates by alias.
    libraries: HashMap<String, String>,
    /// Aliases of libraries by that of the bundle.
    bundles: HashMap<String, Vec<String>>,
    /// Ids of plugins by alias.
    plugins: HashMap<String, String>,
}

/// All catalogs of the project.
#[derive(Debug, Default)]
pub(super) struct Catalogs(Vec<Catalog>);

/// An alias as it is compared: `-`, `_` and `.` are one, and case does not matter after them.
fn canonical(alias: &str) -> String {
    alias.replace(['-', '_'], ".").to_ascii_lowercase()
}

impl Catalogs {
    /// Reads every `*.versions.toml`.
    pub(super) fn read(files: &Files<'_>) -> Self {
        let paths = files.all().filter(|path| path.ends_with(".versions.toml"));
        Self(paths.filter_map(|path| from_toml(files, path)).collect())
    }

    /// Takes up the catalogs of a settings script.
    pub(super) fn add_settings(&mut self, path: &str, statements: &[Statement]) {
        let dir = split(path).0;
        for block in blocks_below(statements, "dependencyResolutionManagement") {
            for statement in blocks_below(block, "versionCatalogs").into_iter().flatten() {
                self.add_block(dir, statement);
            }
        }
    }

    fn add_block(&mut self, dir: &str, statement: &Statement) {
        // `libs { … }` of Groovy, `create("libs") { … }` of both.
        let named = statement.tokens.iter().find_map(Token::text);
        let name = named.map_or_else(|| statement.first().to_owned(), str::to_owned);
        let mut catalog = Catalog { dir: dir.to_owned(), name: name.clone(), ..Catalog::default() };
        for entry in statement.blocks.iter().flatten() {
            if entry.first() == "from" {
                let file = entry.tokens.iter().find_map(Token::text).unwrap_or_default();
                self.rename(&name, file);
            } else {
                catalog.add(entry);
            }
        }
        if !catalog.libraries.is_empty() {
            self.0.push(catalog);
        }
    }

    /// A settings script gives the catalog of a file another name.
    fn rename(&mut self, name: &str, file: &str) {
        let file = split(file).1;
        if let Some(stem) = file.strip_suffix(".versions.toml") {
            self.0.iter_mut().filter(|catalog| catalog.name == stem).for_each(|catalog| catalog.name = name.to_owned());
        }
    }

    /// Returns the catalogs of this name for a build file, the nearest first.
    fn named<'a>(&'a self, dir: &'a str, name: &'a str) -> impl Iterator<Item = &'a Catalog> {
        let above = move |catalog: &&Catalog| {
            catalog.dir.is_empty()
                || dir == catalog.dir
                || dir.strip_prefix(catalog.dir.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        let mut found: Vec<&Catalog> = self.0.iter().filter(|catalog| catalog.name == name).filter(above).collect();
        found.sort_by_key(|catalog| std::cmp::Reverse(catalog.dir.len()));
        found.into_iter()
    }

    /// Tells whether a build file knows a catalog of this name.
    pub(super) fn has(&self, dir: &str, name: &str) -> bool {
        self.named(dir, name).next().is_some()
    }

    /// Returns the coordinates behind `libs.a.b` or `libs.bundles.c`, given without the catalog's name. What follows an
    /// alias, as `.get()` does, is passed over.
    pub(super) fn libraries(&self, dir: &str, catalog: &str, path: &[&str]) -> Vec<String> {
        self.named(dir, catalog)
            .find_map(|catalog| {
                if let ["bundles", rest @ ..] = path {
                    let aliases = longest(&catalog.bundles, rest)?;
                    return Some(aliases.iter().filter_map(|alias| catalog.libraries.get(alias).cloned()).collect());
                }
                longest(&catalog.libraries, path).map(|name| vec![name.clone()])
            })
            .unwrap_or_default()
    }

    /// Returns the id of the plugin behind `libs.plugins.a.b`, given without the catalog's name.
    pub(super) fn plugin(&self, dir: &str, catalog: &str, path: &[&str]) -> Option<String> {
        let ["plugins", rest @ ..] = path else { return None };
        self.named(dir, catalog).find_map(|catalog| longest(&catalog.plugins, rest).cloned())
    }
}

/// Looks for the longest beginning of a path that is an alias.
fn longest<'a, V>(entries: &'a HashMap<String, V>, path: &[&str]) -> Option<&'a V> {
    (1..=path.len()).rev().find_map(|length| entries.get(&canonical(&path[..length].join("."))))
}

impl Catalog {
    /// Takes up a line of a settings script: `library("a", "g:n:v")`, `library("a", "g", "n")`, `alias("a").to("g:n:v")`,
    /// `bundle("a", ["b", "c"])`, `plugin("a", "id")`.
    fn add(&mut self, entry: &Statement) {
        let texts: Vec<&str> = entry.tokens.iter().filter_map(Token::text).collect();
        match (entry.first(), texts.as_slice()) {
            ("library" | "alias", [alias, coordinate, ..]) if coordinate.contains(':') => {
                self.libraries.insert(canonical(alias), short(coordinate));
            }
            ("library" | "alias", [alias, group, name, ..]) => {
                self.libraries.insert(canonical(alias), format!("{group}:{name}"));
            }
            ("bundle", [alias, members @ ..]) => {
                self.bundles.insert(canonical(alias), members.iter().map(|member| canonical(member)).collect());
            }
            ("plugin", [alias, id, ..]) => {
                self.plugins.insert(canonical(alias), (*id).to_owned());
            }
            _ => {}
        }
    }
}

/// Returns `group:artifact` of a coordinate.
fn short(coordinate: &str) -> String {
    coordinate.split(':').take(2).collect::<Vec<_>>().join(":")
}

fn from_toml(files: &Files<'_>, path: &str) -> Option<Catalog> {
    let text = files.read(path)?;
    let toml = Toml::parse(files, path, &text)?;
    toml.expect(files, path, &text, &["libraries", "bundles", "plugins"], &["bundles.*"]);
    let (dir, file) = split(path);
    let mut catalog = Catalog {
        dir: dir.strip_suffix("gradle").unwrap_or(dir).trim_end_matches('/').to_owned(),
        name: file.trim_end_matches(".versions.toml").to_owned(),
        ..Catalog::default()
    };
    let section = |name: &str| toml.get(&[name]).map(Toml::entries).unwrap_or_default();
    let text_of = |value: &Toml, key: &str| value.get(&[key]).and_then(Toml::text).map(str::to_owned);
    for (alias, _, value) in section("libraries") {
        let parts = || Some(format!("{}:{}", text_of(value, "group")?, text_of(value, "name")?));
        let name = value.text().map(short).or_else(|| text_of(value, "module")).or_else(parts);
        catalog.libraries.extend(name.map(|name| (canonical(alias), name)));
    }
    for (alias, _, value) in section("bundles") {
        let members = value.list().iter().filter_map(Toml::text).map(canonical).collect();
        catalog.bundles.insert(canonical(alias), members);
    }
    for (alias, _, value) in section("plugins") {
        let id = value.text().map(|text| text.split(':').next().unwrap_or_default().to_owned());
        catalog.plugins.extend(id.or_else(|| text_of(value, "id")).map(|id| (canonical(alias), id)));
    }
    Some(catalog)
}

/// Returns the blocks of the statements that begin with this word.
fn blocks_below<'a>(statements: &'a [Statement], word: &str) -> Vec<&'a [Statement]> {
    let named = statements.iter().filter(|statement| statement.first() == word);
    named.flat_map(|statement| statement.blocks.iter().map(Vec::as_slice)).collect()
}
