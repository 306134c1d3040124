//! TOML with the line of every value.

use toml::de::{DeTable, DeValue};

use super::files::{Files, Lines, position};

/// A value and the line it starts on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Toml {
    pub line: usize,
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Text(String),
    List(Vec<Toml>),
    /// Keys with their lines, in order of the file's keys.
    Table(Vec<(String, usize, Toml)>),
    True,
    Other,
}

impl Toml {
    /// Reads a document; one that is malformed is a warning.
    pub(super) fn parse(files: &Files<'_>, path: &str, text: &str) -> Option<Self> {
        match DeTable::parse(text) {
            Ok(table) => {
                let lines = Lines::new(text);
                Some(Self { line: 1, kind: Kind::Table(entries(&lines, table.get_ref())) })
            }
            Err(error) => {
                let (line, column) = position(text, error.span().map_or(0, |span| span.start));
                files.malformed(path, text, line, column, error.message());
                None
            }
        }
    }

    /// Warns of the first value that is no table, or no list, where it is to be one. `*` in a path is any key.
    pub(super) fn expect(&self, files: &Files<'_>, path: &str, text: &str, tables: &[&str], lists: &[&str]) {
        let other = |keys: &&str, is_it: fn(&Kind) -> bool, what: &str| {
            let all = self.all(&keys.split('.').collect::<Vec<_>>(), "");
            let (name, value) = all.into_iter().find(|(_, value)| !is_it(&value.kind))?;
            Some((value.line, format!("`{}` is not a {what}", name.trim_start_matches('.'))))
        };
        let table = tables.iter().find_map(|keys| other(keys, |kind| matches!(kind, Kind::Table(_)), "table"));
        let list = || lists.iter().find_map(|keys| other(keys, |kind| matches!(kind, Kind::List(_)), "list"));
        if let Some((line, message)) = table.or_else(list) {
            files.malformed(path, text, line, 1, &message);
        }
    }

    /// Returns the values at a path of keys, of which `*` is any, with the keys that led there behind `above`.
    fn all(&self, path: &[&str], above: &str) -> Vec<(String, &Self)> {
        let Some((key, rest)) = path.split_first() else { return vec![(above.to_owned(), self)] };
        let values = self.entries().iter().filter(|(name, _, _)| *key == "*" || name == key);
        values.flat_map(|(name, _, value)| value.all(rest, &format!("{above}.{name}"))).collect()
    }

    /// Returns the value at this path of keys.
    pub(super) fn get(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, key| {
            value.entries().iter().find(|(name, _, _)| name == key).map(|(_, _, value)| value)
        })
    }

    /// Returns the entries of a table; nothing for anything else.
    pub(super) fn entries(&self) -> &[(String, usize, Self)] {
        match &self.kind {
            Kind::Table(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the values of a list; nothing for anything else.
    pub(super) fn list(&self) -> &[Self] {
        match &self.kind {
            Kind::List(values) => values,
            _ => &[],
        }
    }

    /// Returns the text of a string.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    fn of(lines: &Lines, line: usize, value: &DeValue<'_>) -> Self {
        let kind = match value {
            DeValue::String(value) => Kind::Text(value.to_string()),
            DeValue::Array(values) => Kind::List(
                values.iter().map(|value| Self::of(lines, lines.of(value.span().start), value.get_ref())).collect(),
            ),
            DeValue::Table(table) => Kind::Table(entries(lines, table)),
            DeValue::Boolean(true) => Kind::True,
            _ => Kind::Other,
        };
        Self { line, kind }
    }
}

fn entries(lines: &Lines, table: &DeTable<'_>) -> Vec<(String, usize, Toml)> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| {
            let value_line = lines.of(value.span().start);
            (key.get_ref().to_string(), lines.of(key.span().start), Toml::of(lines, value_line, value.get_ref()))
        })
        .collect();
    entries.sort_by_key(|(_, line, _)| *line);
    entries
}
