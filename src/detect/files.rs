//! The tree with the side places left out, and the warnings that reading it gives.

use std::cell::RefCell;

use indexmap::IndexMap;
use serde_yaml::Value;

use super::model::{Tree, Unreadable};
use super::places::{split, without_side};
use crate::diag::{Place, Problem};

/// How deeply brackets may be nested in YAML. The parser gives up at 128 levels, yet looks for those that follow ever more slowly:
/// a file of 40 KiB takes it many seconds.
const DEEPEST: usize = 500;

/// What begins the lines that git puts around the sides of a conflict: ours, their common past, theirs; and what is between them
/// (<https://git-scm.com/docs/git-merge#_how_conflicts_are_presented>).
const MARKS: [&str; 4] = ["<<<<<<< ", "||||||| ", ">>>>>>> ", "======="];

/// The manifests of a project that count.
pub(super) struct Files<'a> {
    tree: &'a dyn Tree,
    paths: Vec<&'a str>,
    /// One for a file: what else is wrong with it often follows from the first.
    warnings: RefCell<IndexMap<String, Problem>>,
}

impl<'a> Files<'a> {
    /// Takes a tree without its examples, tests and the like.
    pub(super) fn new(tree: &'a dyn Tree) -> Self {
        let mut paths = without_side(tree.paths().iter().map(String::as_str));
        paths.sort_unstable();
        Self { tree, paths, warnings: RefCell::default() }
    }

    /// Returns every file, sorted by path.
    pub(super) fn all(&self) -> impl Iterator<Item = &'a str> {
        self.paths.iter().copied()
    }

    /// Returns the files with this name, sorted by path.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.all().filter(move |path| split(path).1 == name)
    }

    /// Returns the files in the directory of a file and below it, sorted by path.
    pub(super) fn in_directory_of(&self, path: &str) -> impl Iterator<Item = &'a str> {
        let directory = path[..path.len() - split(path).1.len()].to_owned();
        let first = self.paths.partition_point(|other| *other < directory.as_str());
        self.paths[first..].iter().copied().take_while(move |other| other.starts_with(&directory))
    }

    /// Tells whether the file is there.
    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.binary_search(&path).is_ok()
    }

    /// Reads a file without its byte order mark; one that cannot be read is a warning.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        let mut text = self.tree.read(path).map_err(|why| self.unreadable(path, &why)).ok()?;
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        Some(self.unmarked(path, text))
    }

    fn unreadable(&self, path: &str, why: &Unreadable) {
        let (why, help) = match why {
            Unreadable::Access(why) => (why, "It is left out until it can be read."),
            Unreadable::Content(why) => {
                (why, "It is left out: a manifest is a text file in UTF-8 (or UTF-16 with its mark) of at most 1 MiB.")
            }
        };
        self.warn(path, Problem::new(format!("cannot read `{path}`: {why}")).help(help));
    }

    /// Reads a file of which nothing but a detail depends: one that cannot be read is none.
    pub(super) fn read_quietly(&self, path: &str) -> Option<String> {
        self.has(path).then(|| self.tree.read(path).ok()).flatten()
    }

    /// Reads a file if it is there.
    pub(super) fn read_if_there(&self, path: &str) -> Option<String> {
        self.has(path).then(|| self.read(path)).flatten()
    }

    /// Reads a file that a manifest names, wherever it is, if it is there.
    pub(super) fn read_named(&self, path: &str) -> Option<String> {
        self.tree.can_be_named(path).then(|| self.read(path)).flatten()
    }

    /// Parses a manifest that is to be a mapping, with `<<: *default` merged; what is malformed or none is a warning. Without a
    /// content it is nothing.
    pub(super) fn yaml(&self, path: &str, text: &str) -> Option<Value> {
        let (line, column, message) = match yaml(text) {
            Ok(value) => return Some(value),
            Err(fault) => fault,
        };
        self.malformed(path, text, line, column, &message);
        None
    }

    /// Remembers that a manifest is malformed at a place (line and column from 1).
    pub(super) fn malformed(&self, path: &str, text: &str, line: usize, column: usize, message: &str) {
        let message = message.lines().next().unwrap_or_default();
        self.warn(
            path,
            Problem::new(format!("`{path}` is malformed: {message}"))
                .at(place(path, text, line, column))
                .help("It is left out of the proposal until it is repaired."),
        );
    }

    /// Puts blank lines in place of the conflict markers of a merge, and remembers that there are any: both sides count.
    fn unmarked(&self, path: &str, text: String) -> String {
        // Nearly every file ends here, after one look at its bytes.
        if !text.contains(MARKS[0]) && !text.contains(MARKS[2]) {
            return text;
        }
        let sides = |line: &str| line.starts_with(MARKS[0]) || line.starts_with(MARKS[2]);
        let Some(first) = text.lines().position(sides) else { return text };
        let what = format!("`{path}` has the conflict markers of a merge");
        let help = "Settle the merge in your editor; until then what can be read of both sides counts.";
        self.warn(path, Problem::new(what).at(Place { width: 7, ..place(path, &text, first + 1, 1) }).help(help));
        let is_mark = |line: &str| sides(line) || line.starts_with(MARKS[1]) || line.trim_end() == MARKS[3];
        let line = |line: &'_ str| if is_mark(line) { String::new() } else { line.to_owned() };
        text.split('\n').map(line).collect::<Vec<_>>().join("\n")
    }

    fn warn(&self, path: &str, problem: Problem) {
        self.warnings.borrow_mut().entry(path.to_owned()).or_insert(problem);
    }

    /// Returns the warnings, in the order they came up.
    pub(super) fn into_warnings(self) -> Vec<Problem> {
        self.warnings.into_inner().into_values().collect()
    }
}

/// Line, column and message of what is wrong with a text.
pub(super) type Fault = (usize, usize, String);

/// Parses a YAML document, whatever it is.
pub(super) fn document(text: &str) -> Result<Value, Fault> {
    if let Some((line, column)) = too_deep(text) {
        return Err((line, column, "brackets are nested too deeply".into()));
    }
    serde_yaml::from_str(text).map_err(|error| fault(&error))
}

fn fault(error: &serde_yaml::Error) -> Fault {
    let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
    (line, column, error.to_string())
}

/// Parses a YAML document that is a mapping, or empty, with `<<: *default` merged.
pub(super) fn yaml(text: &str) -> Result<Value, Fault> {
    let mut value = document(text)?;
    value.apply_merge().map_err(|error| fault(&error))?;
    let is_one = |value: &Value| value.is_mapping() || value.is_null();
    match &value {
        Value::Tagged(tagged) if is_one(&tagged.value) => Ok(value),
        plain if is_one(plain) => Ok(value),
        _ => Err((1, 1, "it is not a mapping".into())),
    }
}

/// Returns the line, from 1, on which a key of the outermost mapping stands; 1 where it is not seen.
pub(super) fn key_line(text: &str, key: &str) -> usize {
    let is_it = |line: &str| line.trim_matches(['"', '\'']).strip_prefix(key).is_some_and(|rest| rest.contains(':'));
    text.lines().position(is_it).map_or(1, |at| at + 1)
}

fn place(path: &str, text: &str, line: usize, column: usize) -> Place {
    let line = line.max(1);
    let shown = text.lines().nth(line - 1).unwrap_or_default();
    Place { file: path.into(), line, column: column.max(1), text: shown.into(), width: 1 }
}

/// Returns line and column (in characters), from 1, of a byte offset.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The offsets of all line ends of a text.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    /// Looks for the line ends.
    pub(super) fn new(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// Returns the line, from 1, of a byte offset.
    pub(super) fn of(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

/// Returns the place (line and column from 1) of a bracket that is too deep, wherever it stands: so many that are open are in no
/// text either.
fn too_deep(text: &str) -> Option<(usize, usize)> {
    let mut depth: usize = 0;
    for (number, line) in text.lines().enumerate() {
        for (column, char) in line.chars().enumerate() {
            match char {
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > DEEPEST {
                return Some((number + 1, column + 1));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, tree};

    #[test]
    fn brackets_without_end_are_a_warning_at_once() {
        let deep = format!("services:\n  a: {}\n", "[{".repeat(20_000));
        let packages = format!("packages: {}", "{\"a\":".repeat(30_000));
        let detection = tree(&[
            ("compose.yml", &deep),
            ("pnpm-workspace.yaml", &packages),
            ("package.json", r#"{"dependencies": {"pg": "8"}}"#),
        ])
        .detect();
        assert_eq!(found(&detection), ["postgres"]);
        let told: Vec<String> = detection.warnings.iter().map(|warning| warning.what.clone()).collect();
        let expected = ["pnpm-workspace.yaml", "compose.yml"]
            .map(|file| format!("`{file}` is malformed: brackets are nested too deeply"));
        assert_eq!(told, expected);
        assert_eq!(detection.warnings[1].place.as_ref().map(|place| (place.line, place.column)), Some((2, 506)));
    }
}
