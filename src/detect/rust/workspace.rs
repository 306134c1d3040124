//! Which crates a Cargo workspace leaves out
//! (<https://doc.rust-lang.org/cargo/reference/workspaces.html#the-members-and-exclude-fields>).

use std::collections::{BTreeMap, BTreeSet};

use super::TABLES;
use crate::detect::places::{join, relative, split};
use crate::detect::toml::Toml;

/// Returns the manifests of crates that a workspace above them leaves out, each with the manifest of that workspace: those that it
/// excludes, and those that its list of members does not have. What a member depends on by its path is part of it.
pub(super) fn left_out(manifests: &[(String, Toml)]) -> BTreeMap<&str, &str> {
    let all: BTreeMap<&str, &Toml> = manifests.iter().map(|(path, toml)| (split(path).0, toml)).collect();
    let roots = manifests.iter().filter(|(_, toml)| toml.get(&["workspace"]).is_some());
    // The nearest workspace speaks last.
    let mut roots: Vec<_> = roots.collect();
    roots.sort_by_key(|(path, _)| split(path).0.len());
    let mut left_out = BTreeMap::new();
    for (root, toml) in roots {
        if left_out.contains_key(root.as_str()) {
            // What is in it was left out with it.
            continue;
        }
        let workspace = Workspace { dir: split(root).0, toml, all: &all };
        let Some(members) = workspace.members() else { continue };
        for (path, crate_toml) in manifests {
            let dir = split(path).0;
            let below = workspace.below(dir).filter(|below| !below.is_empty());
            let Some(below) = below else { continue };
            let own = crate_toml.get(&["workspace"]).is_some() || crate_toml.get(&["package", "workspace"]).is_some();
            if members.contains(dir) || (own && !workspace.excludes(below)) {
                left_out.remove(path.as_str());
            } else {
                left_out.insert(path.as_str(), root.as_str());
            }
        }
    }
    left_out
}

/// The root of a workspace.
struct Workspace<'a> {
    dir: &'a str,
    toml: &'a Toml,
    /// Every crate of the project by its directory.
    all: &'a BTreeMap<&'a str, &'a Toml>,
}

impl<'a> Workspace<'a> {
    /// Returns a directory without that of the workspace, empty for that itself.
    fn below<'d>(&self, dir: &'d str) -> Option<&'d str> {
        match dir.strip_prefix(self.dir)? {
            rest if self.dir.is_empty() || rest.is_empty() => Some(rest),
            rest => rest.strip_prefix('/'),
        }
    }

    fn list(&self, key: &str) -> impl Iterator<Item = String> {
        let list = self.toml.get(&["workspace", key]).map(Toml::list).unwrap_or_default();
        list.iter().filter_map(|entry| relative("", entry.text()?))
    }

    /// Tells whether the workspace excludes a path below it. A member that is listed by its path is none of those.
    fn excludes(&self, below: &str) -> bool {
        let is_in = |path: &String| path.is_empty() || join(below, "").starts_with(&join(path, ""));
        self.list("exclude").any(|path| is_in(&path)) && !self.list("members").any(|path| is_in(&path))
    }

    /// Returns the directories of the members and of all they depend on by path; `None` where nothing says what is one.
    fn members(&self) -> Option<BTreeSet<&'a str>> {
        let patterns: Vec<String> = self.list("members").collect();
        let is_listed = |below: &str| patterns.iter().any(|pattern| matches(pattern, below)) && !self.excludes(below);
        let is_package = self.toml.get(&["package"]).is_some();
        let is_member = |dir: &str| {
            self.below(dir).is_some_and(|below| match below {
                "" => is_package,
                below => is_listed(below),
            })
        };
        let mut next: Vec<&str> = self.all.keys().copied().filter(|dir| is_member(dir)).collect();
        if next.is_empty() {
            return None;
        }
        let mut members = BTreeSet::new();
        while let Some(dir) = next.pop() {
            if members.insert(dir) {
                next.extend(self.all.get(dir).into_iter().flat_map(|toml| self.paths(dir, toml)));
            }
        }
        Some(members)
    }

    /// Returns the directories of the crates that a crate depends on by path.
    fn paths(&self, dir: &str, toml: &Toml) -> Vec<&'a str> {
        let targets = toml.get(&["target"]).map(Toml::entries).unwrap_or_default().iter().map(|(_, _, target)| target);
        let tables = std::iter::once(toml).chain(targets).flat_map(|toml| {
            TABLES.iter().flat_map(move |(name, _)| [toml.get(&[name]), toml.get(&[&name.replace('-', "_")])])
        });
        let entries = tables.flatten().flat_map(Toml::entries);
        let found = entries.filter_map(|(key, _, value)| {
            let own = || Some((dir, value.get(&["path"])?.text()?));
            let offered = || Some((self.dir, self.toml.get(&["workspace", "dependencies", key, "path"])?.text()?));
            let (from, path) = own().or_else(offered)?;
            relative(from, path)
        });
        found.filter_map(|dir| self.all.get_key_value(dir.as_str()).map(|(dir, _)| *dir)).collect()
    }
}

/// Tells whether a path is one of those that a pattern stands for: `crates/*`, `crates/**`, `crates/api-?`.
fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    is_like(&pattern, &path, &"**", |part, name| {
        let name: Vec<char> = name.chars().collect();
        is_like(&letters(part), &name, &'*', |letter, c| *letter == '?' || letter == c)
    })
}

/// Returns the letters of a pattern, with `?` for `[…]`.
fn letters(pattern: &str) -> Vec<char> {
    let mut letters = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        letters.push(if c == '[' { '?' } else { c });
        if c == '[' {
            chars.by_ref().find(|c| *c == ']');
        }
    }
    letters
}

/// Tells whether a sequence is like a pattern, in which `many` stands for any number of items.
fn is_like<T: PartialEq>(pattern: &[T], items: &[T], many: &T, fits: impl Fn(&T, &T) -> bool) -> bool {
    let (mut at, mut item) = (0, 0);
    // Where the last `many` stands, and the first item behind those that it stands for.
    let mut last: Option<(usize, usize)> = None;
    while item < items.len() {
        match pattern.get(at) {
            Some(part) if part == many => {
                last = Some((at, item));
                at += 1;
            }
            Some(part) if fits(part, &items[item]) => (at, item) = (at + 1, item + 1),
            _ => {
                let Some((star, from)) = last else { return false };
                last = Some((star, from + 1));
                (at, item) = (star + 1, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|part| part == many)
}

#[cfg(test)]
mod tests {
    use super::matches;
    use crate::detect::testing::{found, selected, tree};

    const REDIS: &str = "[package]\nname = \"b\"\n[dependencies]\nredis = \"1\"\n";

    fn app(rest: &str) -> String {
        format!("[package]\nname = \"shop\"\n[dependencies]\ntokio-postgres = \"0.7\"\n{rest}")
    }

    #[test]
    fn what_an_excluded_crate_alone_depends_on_is_proposed() {
        for workspace in [
            "[workspace]\nmembers = ['app', 'crates/*']\nexclude = ['crates/bench-it']\n",
            "[workspace]\nmembers = ['./app/']\nexclude = ['crates']\n",
            "[workspace]\nmembers = ['app']\n",
        ] {
            let files =
                [("Cargo.toml", workspace), ("app/Cargo.toml", &app("")), ("crates/bench-it/Cargo.toml", REDIS)];
            let detection = tree(&files).detect_by_catalog();
            assert_eq!((found(&detection), selected(&detection)), (vec!["postgres", "redis"], vec!["postgres"]));
            let redis = detection.findings.iter().find(|finding| finding.name == "redis").unwrap();
            let note = "redis works with redis, in a crate that the workspace of Cargo.toml leaves out";
            assert_eq!(redis.evidence[0].note, note, "{workspace}");
        }
        // A crate with a workspace of its own is none of another's unless that excludes it.
        let own = format!("{REDIS}[workspace]\n");
        let excludes = "[workspace]\nmembers = ['app']\nexclude = ['b']\n";
        for (workspace, expected) in [("[workspace]\nmembers = ['app']\n", 2), (excludes, 1)] {
            let files = [("Cargo.toml", workspace), ("app/Cargo.toml", &app("")), ("b/Cargo.toml", own.as_str())];
            assert_eq!(selected(&tree(&files).detect_by_catalog()).len(), expected, "{workspace}");
            let inner = ("b/Cargo.toml", "[workspace]\nmembers = ['c']\n");
            let files = [files[0], files[1], inner, ("b/c/Cargo.toml", REDIS)];
            assert_eq!(selected(&tree(&files).detect_by_catalog()).len(), expected, "{workspace}");
        }
    }

    #[test]
    fn what_a_member_is_or_depends_on_is_selected() {
        for (workspace, rest) in [
            ("[workspace]\nmembers = ['app', 'libs/*']\n", ""),
            ("[workspace]\nmembers = ['app', 'libs/**']\n", ""),
            ("[workspace]\nmembers = ['app', 'libs/cache']\nexclude = ['libs']\n", ""),
            ("[workspace]\nmembers = ['app']\nexclude = ['libs']\n", "cache = {path = '../libs/cache'}\n"),
            (
                "[workspace]\nmembers = ['app']\n",
                "[target.'cfg(unix)'.dependencies]\ncache = {path = '../libs/cache'}\n",
            ),
            (
                "[workspace]\nmembers = ['app']\n[workspace.dependencies]\ncache = {path = 'libs/cache'}\n",
                "cache = {workspace = true}\n",
            ),
            ("[workspace]\n", ""),
        ] {
            let app = app(rest);
            let files = [("Cargo.toml", workspace), ("app/Cargo.toml", &app), ("libs/cache/Cargo.toml", REDIS)];
            assert_eq!(selected(&tree(&files).detect_by_catalog()), ["postgres", "redis"], "{workspace}{rest}");
        }
        let root = app("cache = {path = 'libs/cache'}\n[workspace]\n");
        let files = [("Cargo.toml", root.as_str()), ("libs/cache/Cargo.toml", REDIS)];
        assert_eq!(selected(&tree(&files).detect_by_catalog()), ["postgres", "redis"]);
    }

    #[test]
    fn patterns_of_members() {
        for (pattern, path, expected) in [
            ("crates/*", "crates/a", true),
            ("crates/*", "crates/a/b", false),
            ("crates/**", "crates/a/b", true),
            ("crates/api-?", "crates/api-1", true),
            ("crates/[ab]*", "crates/bc", true),
            ("crates/*-api", "crates/shop-api", true),
            ("crates/*-api", "crates/shop-web", false),
            ("crates", "crates/a", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
