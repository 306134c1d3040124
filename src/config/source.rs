//! The text of a file, with the way from a byte to a line and a column.

use std::ops::Range;

use crate::diag::{Error, Place, Problem, Result};

/// Largest `kilter.yaml` or `kilter.lock` that is read.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The text of a file and where its lines start.
#[derive(Debug, Clone)]
pub struct Source {
    file: String,
    text: String,
    lines: Vec<usize>,
}

impl Source {
    /// Takes the text of a file; `file` is its name as the user knows it.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let bytes = text.as_bytes();
        let mut lines = vec![0];
        for (i, byte) in bytes.iter().enumerate() {
            // YAML takes a lone carriage return for a line end too.
            if *byte == b'\n' || (*byte == b'\r' && bytes.get(i + 1) != Some(&b'\n')) {
                lines.push(i + 1);
            }
        }
        Self { file: file.into(), text, lines }
    }

    /// Returns the name of the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns the text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the line (from 0) that holds a byte offset.
    pub fn line_of(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Returns the bytes of a line (from 0), its line end left out.
    pub fn line_range(&self, line: usize) -> Range<usize> {
        let start = self.lines.get(line).copied().unwrap_or(self.text.len());
        let end = self.lines.get(line + 1).copied().unwrap_or(self.text.len());
        start..start + self.text[start..end].trim_end_matches(['\r', '\n']).len()
    }

    /// Returns where a line (from 0) starts; the end of the text for a line past the last.
    pub fn line_start(&self, line: usize) -> usize {
        self.lines.get(line).copied().unwrap_or(self.text.len())
    }

    /// Returns how many lines there are.
    pub fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// Returns the place of a span of bytes: its first line, underlined as far as the span goes on it.
    pub fn place(&self, span: &Range<usize>) -> Place {
        let start = self.boundary(span.start);
        let line = self.line_of(start);
        let range = self.line_range(line);
        let end = self.boundary(span.end).clamp(start, range.end.max(start));
        // A byte order mark is no column.
        let from =
            if range.start == 0 && self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { range.start };
        let column = self.text.get(from..start.min(range.end)).map_or(0, |before| before.chars().count()) + 1;
        let width = self.text[start..end].trim_end().chars().count().max(1);
        Place { file: self.file.clone(), line: line + 1, column, text: self.text[from..range.end].into(), width }
    }

    /// Moves an offset back to the start of a character of the text.
    fn boundary(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset.min(self.text.len()))
    }
}

/// Returns the bytes of a file as text.
///
/// # Errors
/// The file is larger than [`MAX_BYTES`], is not UTF-8, or holds characters that no text file has.
pub fn text_of<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::project(format!("`{file}` is too large: {} KiB, at most 1024", bytes.len().div_ceil(1024)))
            .help("A file of this kind is written by hand and small: check that it is the right file."));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Error::project(format!("`{file}` is UTF-16")).help("Save the file as UTF-8."));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::project(format!("`{file}` is not UTF-8 text (line {line})"))
            .help("Save the file as UTF-8; if it is a binary file, put the right one in its place.")
    })?;
    check_characters(file, text)?;
    Ok(text)
}

/// Refuses control characters: a NUL ends a YAML stream for some readers, others show nothing on a terminal.
fn check_characters(file: &str, text: &str) -> Result<()> {
    let bad = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let Some((at, c)) = text.char_indices().find(|(_, c)| bad(*c)) else { return Ok(()) };
    let problem = Problem::new(format!("`{file}` holds the control character U+{:04X}", u32::from(c)))
        .at(Source::new(file, text).place(&(at..at + c.len_utf8())))
        .help("Delete the character; if it is a binary file, put the right one in its place.");
    Err(Error::from_problems(crate::diag::Kind::Project, vec![problem]))
}
