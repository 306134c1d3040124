//! The proof of an edit: both texts read and compared.

use std::ops::Range;

use serde_json::Value;

use super::super::node::{Key, Node, NodeKind};
use super::super::read::{self, Tree};
use super::super::source::Source;
use super::{FILE, SERVICES, items, render};

/// Tells whether a new text is the old one plus a service at the end of the list.
pub(super) fn added(old: &Tree, old_source: &Source, new: &str, wanted: &Value) -> bool {
    let Some((new_source, new)) = reread(new) else { return false };
    let (before, after) = (items(&old.root), items(&new.root));
    let Some((last, rest)) = after.split_last() else { return false };
    rest_is_same(&old.root, &new.root)
        && all_same(before, rest)
        && last.to_json() == render::shortest(wanted)
        && comments(old, old_source, &[]) == comments(&new, &new_source, &[])
}

/// Tells whether a new text is the old one without one service and the comments in the removed bytes.
pub(super) fn removed(old: &Tree, old_source: &Source, new: &str, index: usize, removed: &[Range<usize>]) -> bool {
    let Some((new_source, new)) = reread(new) else { return false };
    let mut before: Vec<&Node> = items(&old.root).iter().collect();
    before.remove(index);
    let after = items(&new.root);
    rest_is_same(&old.root, &new.root)
        && before.len() == after.len()
        && before.iter().zip(after).all(|(a, b)| same(a, b))
        && new.root.get(SERVICES).is_some()
        && comments(old, old_source, removed) == comments(&new, &new_source, &[])
}

fn reread(text: &str) -> Option<(Source, Tree)> {
    let source = Source::new(FILE, text);
    let tree = read::parse(&source, true).ok()?;
    tree.problems.is_empty().then_some((source, tree))
}

/// Compares everything but the services: same keys, same order, same values, same spelling.
fn rest_is_same(old: &Node, new: &Node) -> bool {
    if !matches!(new.kind, NodeKind::Map(_)) || !(matches!(old.kind, NodeKind::Map(_)) || old.is_null()) {
        return false;
    }
    let rest = |node: &'_ Node| -> Vec<(Key, Node)> {
        node.entries().iter().filter(|(key, _)| key.text != SERVICES).cloned().collect()
    };
    let place = |node: &Node| node.entries().iter().position(|(key, _)| key.text == SERVICES);
    let moved = place(old).is_some() && place(old) != place(new);
    !moved && all_entries_same(&rest(old), &rest(new))
}

fn same(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (NodeKind::Map(a), NodeKind::Map(b)) => all_entries_same(a, b),
        (NodeKind::List(a), NodeKind::List(b)) => all_same(a, b),
        (NodeKind::Scalar(a), NodeKind::Scalar(b)) => {
            a.text == b.text && format!("{:?}", a.typed) == format!("{:?}", b.typed)
        }
        _ => false,
    }
}

fn all_same(a: &[Node], b: &[Node]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

fn all_entries_same(a: &[(Key, Node)], b: &[(Key, Node)]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|((a_key, a), (b_key, b))| a_key.text == b_key.text && same(a, b))
}

/// Returns the comments outside of some ranges, sorted.
fn comments<'a>(tree: &Tree, source: &'a Source, without: &[Range<usize>]) -> Vec<&'a str> {
    let gone =
        |comment: &Range<usize>| without.iter().any(|range| range.start <= comment.start && comment.end <= range.end);
    let mut texts: Vec<&str> =
        tree.comments.iter().filter(|comment| !gone(comment)).map(|comment| &source.text()[comment.clone()]).collect();
    texts.sort_unstable();
    texts
}
