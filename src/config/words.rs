//! Words for the messages about a file.

use super::node::{Node, NodeKind, PathItem};
use super::scalar::{self, Typed};

/// Names a value: its key, or its number in a list.
pub(super) fn label(path: &[PathItem]) -> String {
    match path {
        [] => "the file".into(),
        [.., PathItem::Key(key)] => format!("`{key}`"),
        [.., PathItem::Key(key), PathItem::Index(index)] => format!("entry {} of `{key}`", index + 1),
        [.., PathItem::Index(index)] => format!("entry {}", index + 1),
    }
}

/// Joins words in backticks: "`a`, `b` or `c`".
pub(super) fn quoted(words: &[&str], last: &str) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    joined(&words, last)
}

fn joined(words: &[String], last: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., end] => format!("{} {last} {end}", most.join(", ")),
    }
}

/// Says what is there.
pub(super) fn found(node: &Node) -> String {
    const MAX: usize = 40;
    let NodeKind::Scalar(scalar) = &node.kind else {
        return if matches!(node.kind, NodeKind::Map(_)) { "a map".into() } else { "a list".into() };
    };
    let mut text: String = scalar.text.lines().next().unwrap_or_default().chars().take(MAX).collect();
    if text.len() < scalar.text.len() {
        text.push('…');
    }
    match scalar.typed {
        Typed::Null => "nothing".into(),
        Typed::Bool(_) => format!("`{text}`"),
        Typed::Int(_) | Typed::Float(_) => format!("the number `{text}`"),
        Typed::Text if text.is_empty() => "empty text".into(),
        Typed::Text => format!("the text `{text}`"),
    }
}

/// Says what should be there, by the types of JSON Schema.
pub(super) fn wanted(types: &[&str]) -> String {
    if ["string", "number", "boolean"].iter().all(|kind| types.contains(kind)) {
        return "a single value".into();
    }
    let mut words: Vec<String> = Vec::new();
    for kind in types {
        let word = match *kind {
            "string" => "text",
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "`true` or `false`",
            "array" => "a list",
            "object" => "a map",
            _ => "nothing",
        };
        if !words.iter().any(|w| w == word) {
            words.push(word.into());
        }
    }
    joined(&words, "or")
}

/// Says what to write in place of a value of the wrong type.
pub(super) fn fix(path: &[PathItem], node: &Node, types: &[&str]) -> Option<String> {
    let wants = |kind: &str| types.contains(&kind);
    if let (Some(PathItem::Index(_)), true) = (path.last(), wants("object")) {
        // Entries of lists that are maps all have a name.
        let name = match &node.kind {
            NodeKind::Scalar(scalar) if scalar.typed != Typed::Null => scalar.text.as_str(),
            NodeKind::Scalar(_) => return Some("Write a value, or delete the line.".into()),
            NodeKind::Map(_) | NodeKind::List(_) => "NAME",
        };
        return Some(format!("Write `- name: {name}`, and details below it, indented alike."));
    }
    let key = match path.last() {
        Some(PathItem::Key(key)) => format!("{key}: "),
        Some(PathItem::Index(_)) => "- ".into(),
        None => return Some("Write keys with values, for example `name: shop`.".into()),
    };
    let bare = key.trim_end_matches([':', ' ']);
    let NodeKind::Scalar(scalar) = &node.kind else {
        return shape_fix(path, bare, node, types);
    };
    let text = &scalar.text;
    match &scalar.typed {
        Typed::Null if wants("string") && wants("boolean") && matches!(path.last(), Some(PathItem::Key(_))) => {
            Some(format!("Write `{key}\"\"` for empty text, or delete the line."))
        }
        Typed::Null => Some("Write a value, or delete the line.".into()),
        Typed::Text if wants("boolean") => scalar::resolve_old_bool(text).map(|word| format!("Write `{key}{word}`.")),
        Typed::Text if wants("integer") && matches!(scalar::resolve(text), Typed::Int(_)) => {
            Some(format!("Write it without quotes: `{key}{text}`."))
        }
        _ if wants("array") && path.len() == 1 => Some(format!("Write a list, for example `{bare}: [{text}]`.")),
        Typed::Bool(_) | Typed::Int(_) | Typed::Float(_) if wants("string") => {
            Some(format!("Put it in quotes: `{key}\"{text}\"`."))
        }
        _ if wants("object") => Some(format!("Write `key: value` lines below `{bare}:`, indented.")),
        _ => Some(format!("Write {}.", wanted(types))),
    }
}

/// The same for a list or a map in the wrong place.
fn shape_fix(path: &[PathItem], key: &str, node: &Node, types: &[&str]) -> Option<String> {
    let first = node.entries().first().map(|(key, _)| key.text.as_str());
    if let (NodeKind::Map(_), true, Some(first)) = (&node.kind, types.contains(&"array"), first) {
        let item = if path == ["services".into()] { format!("- name: {first}") } else { format!("- {first}") };
        return Some(format!("Write a list: lines that start with `- `, for example `{item}`."));
    }
    if matches!(node.kind, NodeKind::List(_)) && types.contains(&"object") {
        return Some(format!("Write `NAME: value` lines below `{key}:`, without `- `."));
    }
    if node.entries().iter().any(|(_, value)| value.is_null()) && node.style == super::node::Style::Flow {
        return Some("Put text that starts with `{` in quotes.".into());
    }
    Some(format!("Write {}.", wanted(types)))
}
