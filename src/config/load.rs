//! `kilter.yaml` from text to [`Config`].

use serde::Deserialize;

use super::model::{Config, ServiceEntry};
use super::node::{Node, PathItem};
use super::source::{self, Source};
use super::{check, read, rules};
use crate::diag::{Error, Kind, Place, Result, Subject};

/// What the names of services in a kilter.yaml are held against.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The services of the catalog.
    pub services: &'a [&'a str],
    /// Says about a name that is none of them why it is not and what to take, where that is known.
    pub absent: fn(&str) -> Option<String>,
}

impl<'a, const N: usize> From<&'a [&'a str; N]> for Known<'a> {
    /// Services alone: nothing is known about other names.
    fn from(services: &'a [&'a str; N]) -> Self {
        Self { services, absent: |_| None }
    }
}

/// A `kilter.yaml` that is right.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// The same as a tree with places.
    pub node: Node,
    source: Source,
}

impl Loaded {
    /// Returns the place of the value at the end of a path, or of its key when the value is left out; `None` when the
    /// file says nothing there. `[]` is the whole file.
    pub fn place_of(&self, path: &[PathItem]) -> Option<Place> {
        let (key, node) = self.node.at(path)?;
        Some(self.source.place(node.shown_span(key)))
    }

    /// Returns the place of the key at the end of a path.
    pub fn place_of_key(&self, path: &[PathItem]) -> Option<Place> {
        let (key, _) = self.node.at(path)?;
        key.map(|key| self.source.place(&key.span))
    }

    /// Returns the place of what a problem is about: of the innermost of its keys that the file has, else of the
    /// service's entry. `None` when the file has no such service.
    pub fn place_of_subject(&self, subject: &Subject) -> Option<Place> {
        let services = self.config.services.iter().flatten();
        let start: Vec<PathItem> = match services.map(ServiceEntry::name).position(|name| name == subject.service) {
            Some(index) => vec!["services".into(), index.into()],
            None if subject.service == "app" => Vec::new(),
            None => return None,
        };
        let keys: Vec<&str> = subject.keys.iter().map(String::as_str).collect();
        // What `image: …` says reaches the chart as the value `image`, and so on.
        let short: &[&str] = match keys.as_slice() {
            ["values", "ports", ..] => &["port"],
            ["values", rest @ ..] => rest,
            _ => &[],
        };
        let path = |keys: &[&str]| start.iter().cloned().chain(keys.iter().map(|key| PathItem::from(*key))).collect();
        let exact = [keys.as_slice(), short].into_iter().filter(|keys| !keys.is_empty());
        let shorter = (1..keys.len()).rev().map(|length| &keys[..length]).filter(|keys| *keys != ["values"]);
        let paths: Vec<Vec<PathItem>> = exact.chain(shorter).map(path).collect();
        let entry = Some(start.clone()).filter(|start| !start.is_empty());
        paths.iter().chain(&entry).find_map(|path| self.place_of(path))
    }

    /// Returns the text that was read.
    pub fn source(&self) -> &Source {
        &self.source
    }
}

/// Reads and checks a `kilter.yaml`; `file` is its name for messages, `catalog` what services there are.
/// An empty text is a valid project.
///
/// # Errors
/// Every problem of the file at once, in the order of the file. Text that is not YAML has one problem: the first.
pub fn load<'a>(file: &str, text: &str, catalog: impl Into<Known<'a>>) -> Result<Loaded> {
    source::text_of(file, text.as_bytes())?;
    let source = Source::new(file, text);
    let tree = read::parse(&source, false)?;
    let (value, found) = check::check(&source, &tree.root);
    let mut problems = tree.problems;
    problems.extend(found);
    problems.extend(rules::check(&source, &tree.root, catalog.into()));
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.place.as_ref().map(|place| (place.line, place.column)));
        problems.dedup();
        return Err(Error::from_problems(Kind::Project, problems));
    }
    let config = Config::deserialize(value).map_err(|error| Error::bug(format!("cannot read `{file}`: {error}")))?;
    Ok(Loaded { config, node: tree.root, source })
}
