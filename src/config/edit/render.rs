//! A service entry as the lines, or the piece of a line, that are put into the file.

use serde_json::{Map, Value, json};

use super::super::model::ServiceEntry;
use super::super::scalar::{self, Typed};
use crate::diag::Result;
use crate::yaml;

/// Returns an entry as it is written: a name, or a map without what is left out.
pub(super) fn value(entry: &ServiceEntry) -> Value {
    // Serializing plain data of our own types to JSON cannot fail; an empty map would fail the proof.
    let mut value = serde_json::to_value(entry).unwrap_or_default();
    if let Value::Object(map) = &mut value {
        map.retain(|_, value| !value.is_null() && value.as_object().is_none_or(|map| !map.is_empty()));
    }
    shortest(&value)
}

/// Turns a map that only says `name` into the name.
pub(super) fn shortest(value: &Value) -> Value {
    match value.as_object() {
        Some(map) if map.len() == 1 => map.get("name").unwrap_or(value).clone(),
        _ => value.clone(),
    }
}

/// Turns a name into a map that only says `name`.
pub(super) fn long(value: &Value) -> Value {
    if value.is_object() { value.clone() } else { json!({ "name": value }) }
}

/// Returns the entry as lines of a block list, without line ends.
///
/// # Errors
/// When the value cannot be written as YAML: a bug.
pub(super) fn block(value: &Value, indent: usize) -> Result<Vec<String>> {
    let pad = " ".repeat(indent);
    let text = yaml::emit(value)?;
    let lines = text.lines().enumerate();
    Ok(lines.map(|(i, line)| format!("{pad}{}{line}", if i == 0 { "- " } else { "  " })).collect())
}

/// Returns what a user pastes: the key and the entry.
///
/// # Errors
/// When the value cannot be written as YAML: a bug.
pub(super) fn snippet(value: &Value) -> Result<String> {
    Ok(format!("services:\n{}", block(value, 2)?.join("\n")))
}

/// Returns a value on one line, for lists in `[]`.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => flow_map(map),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

fn flow_map(map: &Map<String, Value>) -> String {
    let key = |key: &String| if is_plain(key) { key.clone() } else { Value::from(key.as_str()).to_string() };
    let entries: Vec<String> = map.iter().map(|(k, value)| format!("{}: {}", key(k), flow(value))).collect();
    format!("{{{}}}", entries.join(", "))
}

/// Tells whether a text needs no quotes, in or out of brackets, for any YAML reader.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/'))
        && scalar::resolve(text) == Typed::Text
        && scalar::old_meaning(text).is_none()
}
