//! The YAML parser's errors in our words.

use granit_parser::{ErrorKind, ScanError};

use super::source::Source;
use crate::diag::Problem;

/// Says what is wrong with the YAML, where, and what to do.
pub(super) fn problem(source: &Source, error: &ScanError) -> Problem {
    let marker = error.marker();
    let offset = marker.byte_offset().unwrap_or_else(|| {
        source.text().char_indices().nth(marker.index()).map_or(source.text().len(), |(offset, _)| offset)
    });
    if let Some(tab) = tab_near(source, offset) {
        return Problem::new("a tab is used for indentation")
            .at(source.place(&(tab..tab + 1)))
            .help("YAML wants spaces there: replace every such tab with two spaces.");
    }
    let (what, help) = words(error.kind());
    // The end of the file is a place of no use: the last character is.
    let at = if offset >= source.text().len() { source.text().trim_end().len().saturating_sub(1) } else { offset };
    Problem::new(what).at(source.place(&(at..at + 1))).help(help)
}

/// Finds a tab in the indentation of the line of an offset, or of a line beside it: the parser stops on either.
fn tab_near(source: &Source, offset: usize) -> Option<usize> {
    let line = source.line_of(offset);
    [Some(line), line.checked_sub(1), Some(line + 1)].into_iter().flatten().find_map(|line| {
        let range = source.line_range(line);
        let text = &source.text()[range.clone()];
        let indent = text.len() - text.trim_start().len();
        text[..indent].find('\t').filter(|_| indent < text.len()).map(|tab| range.start + tab)
    })
}

fn words(kind: &ErrorKind) -> (String, &'static str) {
    let (what, help) = match kind {
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => (
            "a quote is opened and never closed",
            "Close the quote, or double it (`''`) where the text itself has one.",
        ),
        ErrorKind::InvalidQuotedScalarIndent => (
            "a text in quotes goes on in a line that is not indented",
            "Close the quote on the line before, or indent the line.",
        ),
        ErrorKind::UnclosedFlowCollection { open } => {
            return (format!("`{open}` is opened and never closed"), "Close it, or put the text in quotes.");
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            return (format!("`{open}` is closed by `{close}`"), "Close each bracket with its own kind.");
        }
        ErrorKind::MisplacedFlowCollectionEnd => {
            ("a bracket is closed that was not opened", "Delete the bracket, or put the text in quotes.")
        }
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator => {
            ("a `,` or a closing bracket is missing", "Put a `,` between entries and close every `[` and `{`.")
        }
        ErrorKind::UnknownAnchor => (
            "an alias names an anchor that is not there",
            "Write `&name` at the value first, or put text with `*` in quotes.",
        ),
        ErrorKind::RecursionLimitExceeded => ("lists and maps are nested too deeply", "Nest at most 64 deep."),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => (
            "a `:` stands where no key can be",
            "Put text that contains `: ` in quotes, add the `:` that the line before may lack, or correct the indentation.",
        ),
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::SimpleKeyExpected
        | ErrorKind::InvalidSimpleKey
        | ErrorKind::MappingKeyNotAllowed => {
            ("a key with a `:` is expected here", "Write `key: value`, indented like the keys beside it.")
        }
        ErrorKind::ExpectedBlockSequenceEntry | ErrorKind::BlockSequenceEntryNotAllowed => (
            "the list and its surroundings do not fit together",
            "Indent every `- ` of a list by the same number of spaces.",
        ),
        ErrorKind::InvalidIndentation => {
            ("the indentation fits nothing above it", "Indent the line like the entries that it belongs to.")
        }
        ErrorKind::UnexpectedCharacter { character } => {
            return (
                format!("nothing in YAML starts with `{}`", character.escape_default()),
                "Put the text in quotes.",
            );
        }
        ErrorKind::UnknownQuotedScalarEscape => {
            ("the text in double quotes has an unknown `\\` escape", "Write `\\\\` for one `\\`, or use single quotes.")
        }
        other => return (format!("this is not YAML ({other})"), "Correct the line, or put its text in quotes."),
    };
    (what.into(), help)
}
