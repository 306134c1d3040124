//! XML with the line of every element.

use roxmltree::{Document, Error, Node, ParsingOptions};

use super::files::{Files, Lines, position};

/// The most nodes of a document that is read: a manifest of 1 MiB, the largest there may be, has no use for more.
const MAX_NODES: u32 = 400_000;

/// A document whose elements know their lines. Namespaces are passed over: manifests have one, or none.
pub(super) struct Xml<'t> {
    document: Document<'t>,
    lines: Lines,
}

impl<'t> Xml<'t> {
    /// Reads a document; one that is malformed is a warning.
    pub(super) fn parse(files: &Files<'_>, path: &str, text: &'t str) -> Option<Self> {
        let options = ParsingOptions { allow_dtd: true, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
        match Document::parse_with_options(text, options) {
            Ok(document) => Some(Self { document, lines: Lines::new(text) }),
            Err(error) => {
                let message = error.to_string();
                let message = message.strip_suffix(&format!(" at {}", error.pos())).unwrap_or(&message);
                let (line, column) = place(&error, text);
                files.malformed(path, text, line, column, message);
                None
            }
        }
    }

    /// Returns the outermost element.
    pub(super) fn root(&self) -> Node<'_, 't> {
        self.document.root_element()
    }

    /// Returns the line of an element, from 1.
    pub(super) fn line(&self, node: Node<'_, '_>) -> usize {
        self.lines.of(node.range().start)
    }
}

/// Returns line and column of an error. For a document that ends too soon the parser has none: it is wrong at its end.
fn place(error: &Error, text: &str) -> (usize, usize) {
    match error {
        Error::UnclosedRootNode | Error::UnexpectedEndOfStream | Error::NoRootNode => {
            position(text, text.trim_end().len())
        }
        error => (error.pos().row as usize, error.pos().col as usize),
    }
}

/// Returns the elements of this name right below another one.
pub(super) fn children<'a, 't: 'a>(
    node: Node<'a, 't>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 't>> + use<'a, 't> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// Returns the first element at a path of names.
pub(super) fn at<'a, 't>(node: Node<'a, 't>, path: &[&'static str]) -> Option<Node<'a, 't>> {
    path.iter().try_fold(node, |node, name| children(node, name).next())
}

/// Returns the text of an element without blanks around it; `None` when there is none.
pub(super) fn text<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    node.text().map(str::trim).filter(|text| !text.is_empty())
}

/// Returns the text of the first element at a path of names.
pub(super) fn text_at<'a>(node: Node<'a, '_>, path: &[&'static str]) -> Option<&'a str> {
    text(at(node, path)?)
}
