//! Adding and removing services in the user's `kilter.yaml`, in place: comments, order, quotes and line ends stay.
//!
//! Several ways to splice the text are tried in turn, and the first is taken that is proven: the new text, read again,
//! says what the old one said plus the change that was asked for, and has the same comments. What can't be proven
//! is not done; the user gets the lines to paste.

mod add;
mod proof;
mod remove;
mod render;

use std::ops::Range;

use super::model::ServiceEntry;
use super::node::{Key, Node, NodeKind};
use super::read::{self, Tree};
use super::source::{self, Source};
use crate::diag::{Error, Kind, Problem, Result};
use crate::ids::did_you_mean;

/// Name of the file, for messages.
const FILE: &str = "kilter.yaml";
/// The key whose list is edited.
const SERVICES: &str = "services";

/// What became of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The new text of the file.
    Changed(String),
    /// The file says so already.
    Unchanged,
}

/// A replacement of some bytes of the text.
type Splice = (Range<usize>, String);

/// Adds a service at the end of `services:`. `text` is the file, `None` when there is none. A service of that name that
/// says the same, or more than the bare name that is asked for, is left as it is.
///
/// # Errors
/// [`Kind::Project`] when the file cannot be read. [`Kind::Refused`] when there is another service of that name, or when
/// the edit can't be proven; then the help has the lines to paste.
pub fn add_service(text: Option<&str>, entry: &ServiceEntry) -> Result<Edit> {
    let (source, tree) = open(text.unwrap_or_default())?;
    let wanted = render::value(entry);
    if let Some((_, there)) = find(&tree.root, entry.name()) {
        let same = render::long(&there.to_json()) == render::long(&wanted);
        if same || matches!(entry, ServiceEntry::Name(_)) {
            return Ok(Edit::Unchanged);
        }
        let problem = Problem::new(format!("`{}` is in {FILE} already, with other details", entry.name()))
            .at(source.place(&there.span))
            .help(format!("Edit that entry, or take it out first with `kilter remove {}`.", entry.name()));
        return Err(Error::from_problems(Kind::Refused, vec![problem]));
    }
    let proven = add::ways(&source, &tree.root, &wanted)?.into_iter().find_map(|splices| {
        let new = apply(source.text(), splices)?;
        proof::added(&tree, &source, &new, &wanted).then_some(new)
    });
    match proven {
        Some(new) => Ok(Edit::Changed(new)),
        None => Err(Error::refused(format!("cannot add `{}` to {FILE} without touching the rest of it", entry.name()))
            .detail(render::snippet(&wanted)?)
            .help("Nothing was written. Add these lines to the file by hand.")),
    }
}

/// Removes the service of that name from `services:`, with the comments inside of its entry and on its lines.
///
/// # Errors
/// [`Kind::Project`] when the file cannot be read or has no such service. [`Kind::Refused`] when the edit can't be proven;
/// then the place is the entry to delete.
pub fn remove_service(text: &str, name: &str) -> Result<String> {
    let (source, tree) = open(text)?;
    let Some((index, entry)) = find(&tree.root, name) else {
        let names: Vec<&str> = items(&tree.root).iter().filter_map(name_of).collect();
        let help = match did_you_mean(name, names.iter().copied()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None if names.is_empty() => "There are no services in it.".into(),
            None => format!("Its services are {}.", super::words::quoted(&names, "and")),
        };
        return Err(Error::usage(format!("there is no service `{name}` in {FILE}")).help(help));
    };
    let proven = remove::ways(&source, &tree.root, index).into_iter().find_map(|splices| {
        let removed: Vec<Range<usize>> = splices.iter().map(|(range, _)| range.clone()).collect();
        let new = apply(source.text(), splices)?;
        proof::removed(&tree, &source, &new, index, &removed).then_some(new)
    });
    proven.ok_or_else(|| {
        let problem = Problem::new(format!("cannot remove `{name}` from {FILE} without touching the rest of it"))
            .at(source.place(&entry.span))
            .help("Nothing was written. Delete the entry by hand.");
        Error::from_problems(Kind::Refused, vec![problem])
    })
}

fn open(text: &str) -> Result<(Source, Tree)> {
    source::text_of(FILE, text.as_bytes())?;
    let source = Source::new(FILE, text);
    let mut tree = read::parse(&source, true)?;
    let problems = std::mem::take(&mut tree.problems);
    if problems.is_empty() { Ok((source, tree)) } else { Err(Error::from_problems(Kind::Project, problems)) }
}

fn items(root: &Node) -> &[Node] {
    root.get(SERVICES).map_or(&[], Node::items)
}

fn find<'a>(root: &'a Node, name: &str) -> Option<(usize, &'a Node)> {
    items(root).iter().enumerate().find(|(_, item)| name_of(item) == Some(name))
}

fn name_of(item: &Node) -> Option<&str> {
    if matches!(item.kind, NodeKind::Map(_)) { item.get("name")?.as_text() } else { item.as_text() }
}

/// Carries out splices that do not overlap; `None` when they do.
fn apply(text: &str, mut splices: Vec<Splice>) -> Option<String> {
    splices.sort_by_key(|(range, _)| (range.start, range.end));
    let mut new = String::with_capacity(text.len() + 64);
    let mut done = 0;
    for (range, with) in &splices {
        new.push_str(text.get(done..range.start)?);
        new.push_str(with);
        done = range.end;
    }
    new.push_str(text.get(done..)?);
    Some(new)
}

/// Returns the line end that the file uses.
fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// Returns the last line (from 0) of what a value says, line ends behind it left out.
fn last_line(source: &Source, node: &Node) -> usize {
    let end = source.text()[..node.span.end].trim_end().len().max(node.span.start);
    source.line_of(end.saturating_sub(usize::from(end > node.span.start)))
}

/// Returns the column (in bytes, from 0) of an offset; a byte order mark is none.
fn column(source: &Source, offset: usize) -> usize {
    let start = source.line_start(source.line_of(offset));
    source.text()[start..offset].trim_start_matches('\u{feff}').len()
}

/// Returns the column of the dashes of a block list.
fn dash_column(source: &Source, key: &Key, list: &Node) -> usize {
    // The span of a list that is indented like its key starts behind the first dash.
    let at_dash = source.text()[list.span.start..]
        .strip_prefix('-')
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
    column(source, if at_dash { list.span.start } else { key.span.start })
}

/// Returns the column (in bytes, from 0) of the comment that a line consists of.
fn comment_column(source: &Source, line: usize) -> Option<usize> {
    let text = &source.text()[source.line_range(line)];
    text.trim_start().starts_with('#').then(|| text.len() - text.trim_start().len())
}
