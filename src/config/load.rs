//! `kilter.yaml` from text to [`Config`].

use serde::Deserialize;

use super::model::Config;
use super::node::{Node, PathItem};
use super::source::{self, Source};
use super::{check, read, rules};
use crate::diag::{Error, Kind, Place, Result};

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

    /// Returns the text that was read.
    pub fn source(&self) -> &Source {
        &self.source
    }
}

/// Reads and checks a `kilter.yaml`; `file` is its name for messages, `catalog` the names of the catalog's services.
/// An empty text is a valid project.
///
/// # Errors
/// Every problem of the file at once, in the order of the file. Text that is not YAML has one problem: the first.
pub fn load(file: &str, text: &str, catalog: &[&str]) -> Result<Loaded> {
    source::text_of(file, text.as_bytes())?;
    let source = Source::new(file, text);
    let tree = read::parse(&source, false)?;
    let (value, found) = check::check(&source, &tree.root);
    let mut problems = tree.problems;
    problems.extend(found);
    problems.extend(rules::check(&source, &tree.root, catalog));
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.place.as_ref().map(|place| (place.line, place.column)));
        problems.dedup();
        return Err(Error::from_problems(Kind::Project, problems));
    }
    let config = Config::deserialize(value).map_err(|error| Error::bug(format!("cannot read `{file}`: {error}")))?;
    Ok(Loaded { config, node: tree.root, source })
}
