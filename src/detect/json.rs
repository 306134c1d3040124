//! JSON with the line of every key.

use std::collections::HashMap;

use serde_json::Value;

use super::files::Files;

/// Stands between the keys of a path; no key of a manifest holds it.
const SEPARATOR: char = '\u{1f}';

/// A JSON document whose keys know their lines.
pub(super) struct Json {
    pub value: Value,
    lines: HashMap<String, usize>,
}

/// Which values of a manifest are to be objects.
pub(super) struct Objects<'a> {
    pub names: &'a [&'a str],
    /// Whether the manifest's own tool takes an empty list for one without entries.
    pub or_empty_list: bool,
}

impl Objects<'_> {
    fn takes(&self, value: &Value) -> bool {
        let is_empty_list = value.as_array().is_some_and(Vec::is_empty);
        value.is_object() || value.is_null() || (self.or_empty_list && is_empty_list)
    }
}

impl Json {
    /// Reads a document. The error is line, column and message.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, usize, String)> {
        let value = serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            (error.line(), error.column(), message)
        })?;
        Ok(Self { value, lines: key_lines(text) })
    }

    /// Reads a manifest that is to be a JSON object; what is none is a warning, and so is a value that is none where it is to be
    /// one. `plain` makes JSON of the text, every line where it was.
    pub(super) fn object(
        files: &Files<'_>,
        path: &str,
        plain: impl Fn(&str) -> String,
        inner: &Objects<'_>,
    ) -> Option<Self> {
        let text = files.read(path)?;
        let (line, column, message) = match Self::parse(&plain(&text)) {
            Ok(json) if json.value.is_object() => {
                if let Some(name) = inner.names.iter().find(|name| !inner.takes(&json.value[**name])) {
                    files.malformed(path, &text, json.line(&[name]), 1, &format!("`{name}` is not an object"));
                }
                return Some(json);
            }
            Ok(_) => (1, 1, "it is not a JSON object".to_owned()),
            Err(error) => error,
        };
        files.malformed(path, &text, line, column, &message);
        None
    }

    /// Returns the line of the key at this path, or 1.
    pub(super) fn line(&self, path: &[&str]) -> usize {
        self.lines.get(&path.join(&SEPARATOR.to_string())).copied().unwrap_or(1)
    }

    /// Returns the string at this path with its line.
    pub(super) fn text(&self, path: &[&str]) -> Option<(&str, usize)> {
        let value = path.iter().try_fold(&self.value, |value, key| value.get(key))?;
        Some((value.as_str()?, self.line(path)))
    }
}

/// Notes the line of every key of a document that is known to be JSON.
fn key_lines(text: &str) -> HashMap<String, usize> {
    let mut lines = HashMap::new();
    // One entry per open container: the path up to it, or `None` for an array.
    let mut open: Vec<Option<String>> = Vec::new();
    let mut pending: Option<String> = None;
    let (mut line, mut expect_key) = (1, false);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\n' => line += 1,
            b'{' | b'[' => {
                let path = pending.take().unwrap_or_default();
                expect_key = bytes[at] == b'{';
                open.push(expect_key.then_some(path));
            }
            b'}' | b']' => {
                open.pop();
                expect_key = false;
            }
            b',' => {
                expect_key = open.last().is_some_and(Option::is_some);
                pending = None;
            }
            b'"' => {
                let end = string_end(bytes, at);
                if let (true, Some(Some(path))) = (expect_key, open.last()) {
                    let key: String = serde_json::from_str(&text[at..end]).unwrap_or_default();
                    let path = if path.is_empty() { key } else { format!("{path}{SEPARATOR}{key}") };
                    lines.insert(path.clone(), line);
                    pending = Some(path);
                    expect_key = false;
                }
                at = end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    lines
}

/// Returns the offset behind the closing quote of the string that starts at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_knows_its_line() {
        let text = "{\n \"a\": {\"b\\\"\": [1,\n {\"c\": 2}],\n\"d\": \"x, {\"},\n \"e\": {}\n}\n";
        let json = Json::parse(text).unwrap();
        assert_eq!(json.line(&["a"]), 2);
        assert_eq!(json.line(&["a", "b\""]), 2);
        assert_eq!(json.text(&["a", "d"]), Some(("x, {", 4)));
        assert_eq!(json.line(&["e"]), 5);
        assert_eq!(json.line(&["missing"]), 1);
    }

    #[test]
    fn an_error_has_a_place() {
        let (line, column, message) = Json::parse("{\n  \"a\": ,\n}").err().unwrap();
        assert_eq!((line, column), (2, 8));
        assert_eq!(message, "expected value");
    }
}
