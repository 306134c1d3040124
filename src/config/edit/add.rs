//! The ways to add an entry to `services:`, best first.

use serde_json::Value;

use super::super::node::{Key, Node, NodeKind, Style};
use super::super::source::Source;
use super::{SERVICES, Splice, column, comment_column, dash_column, last_line, line_end, render};
use crate::diag::Result;

/// Spaces per level in what is written.
const STEP: usize = 2;

/// Returns the ways to try.
pub(super) fn ways(source: &Source, root: &Node, wanted: &Value) -> Result<Vec<Vec<Splice>>> {
    let adder = Adder { source, wanted };
    if root.style == Style::Flow {
        return Ok(adder.in_flow_root(root));
    }
    let indent = root.entries().first().map_or(0, |(key, _)| column(source, key.span.start));
    match root.entry(SERVICES) {
        None => adder.new_key(root, indent),
        Some((key, node)) if node.style == Style::Elsewhere || key.span.is_empty() => Ok(Vec::new()),
        Some((key, node)) if node.is_null() => adder.instead_of(key, node, indent),
        Some((key, node)) => match (&node.kind, node.style) {
            (NodeKind::List(items), Style::Flow) if items.is_empty() => {
                let mut ways = adder.instead_of(key, node, indent)?;
                ways.push(vec![(node.span.start + 1..node.span.start + 1, render::flow(wanted))]);
                Ok(ways)
            }
            (NodeKind::List(items), Style::Flow) => Ok(adder.in_flow_list(items)),
            (NodeKind::List(items), _) => adder.in_block_list(key, node, items),
            _ => Ok(Vec::new()),
        },
    }
}

struct Adder<'a> {
    source: &'a Source,
    wanted: &'a Value,
}

impl Adder<'_> {
    /// No `services:` yet: before an end marker, at the end of the file, or before the first key.
    fn new_key(&self, root: &Node, indent: usize) -> Result<Vec<Vec<Splice>>> {
        let mut lines = vec![format!("{}{SERVICES}:", " ".repeat(indent))];
        lines.extend(render::block(self.wanted, indent + STEP)?);
        let text = self.source.text();
        let end = (0..self.source.line_count()).rfind(|line| text[self.source.line_range(*line)].trim_end() == "...");
        let mut ways: Vec<_> = end.map(|line| self.lines_at(line, &lines)).into_iter().collect();
        ways.push(self.lines_at(self.source.line_count(), &lines));
        ways.extend(root.entries().first().map(|(key, _)| self.lines_at(self.source.line_of(key.span.start), &lines)));
        Ok(ways)
    }

    /// `services:` with nothing, `null` or `[]`: a block list below the key, or brackets in its place.
    fn instead_of(&self, key: &Key, node: &Node, indent: usize) -> Result<Vec<Vec<Splice>>> {
        let text = self.source.text();
        let line = self.source.line_of(key.span.end);
        let lines = render::block(self.wanted, indent + STEP)?;
        let mut below = self.lines_at(line + 1, &lines);
        if !node.span.is_empty() {
            let blank = text[..node.span.start].len() - text[..node.span.start].trim_end_matches([' ', '\t']).len();
            below.push((node.span.start - blank..node.span.end, String::new()));
        }
        let brackets = format!("[{}]", render::flow(self.wanted));
        Ok(vec![below, vec![(node.span.clone(), brackets)]])
    }

    fn in_block_list(&self, key: &Key, list: &Node, items: &[Node]) -> Result<Vec<Vec<Splice>>> {
        let column = dash_column(self.source, key, list);
        let lines = render::block(self.wanted, column)?;
        let Some(last) = items.last() else { return Ok(Vec::new()) };
        let next = last_line(self.source, last) + 1;
        // Comments right below that are indented like the list belong to it: entries that are commented out.
        let belongs = |line: &usize| comment_column(self.source, *line).is_some_and(|c| column > 0 && c >= column);
        let after_comments = (next..self.source.line_count()).find(|line| !belongs(line)).unwrap_or(next);
        // A block scalar that keeps its blank lines ends later than what it says.
        let end = self.source.line_of(last.span.end);
        let raw_end = if self.source.line_start(end) == last.span.end { end } else { end + 1 };
        Ok([after_comments, next, raw_end].map(|line| self.lines_at(line, &lines)).into())
    }

    fn in_flow_list(&self, items: &[Node]) -> Vec<Vec<Splice>> {
        let Some(last) = items.last() else { return Vec::new() };
        let (text, end) = (self.source.text(), last.span.end);
        let entry = render::flow(self.wanted);
        let inline = vec![(end..end, format!(", {entry}"))];
        let start_line = self.source.line_of(last.span.start);
        let before = &text[self.source.line_start(start_line)..last.span.start];
        if !before.trim().is_empty() {
            return vec![inline];
        }
        // One entry per line: a comma behind the last, a comment on its line stays there, and a line of its own.
        let line = self.source.line_of(end);
        let rest = text[end..self.source.line_range(line).end].trim_start();
        let mut own_line = self.lines_at(line + 1, &[format!("{before}{entry}")]);
        if rest.is_empty() || rest.starts_with('#') {
            own_line.push((end..end, ",".into()));
        } else if rest.starts_with(',')
            && let Some((_, added)) = own_line.first_mut()
        {
            // The list has a comma behind its last entry; it keeps one.
            let at = added.trim_end_matches(['\r', '\n']).len();
            added.insert(at, ',');
        }
        vec![own_line, inline]
    }

    /// The whole file is in `{}`.
    fn in_flow_root(&self, root: &Node) -> Vec<Vec<Splice>> {
        let insert = |at: usize, text: String| vec![(at..at, text)];
        let brackets = format!("[{}]", render::flow(self.wanted));
        match (root.entry(SERVICES), root.entries().last()) {
            (Some((_, list)), _) if list.style == Style::Elsewhere => Vec::new(),
            (Some((_, list)), _) if list.is_null() && !list.span.is_empty() => {
                vec![vec![(list.span.clone(), brackets)]]
            }
            (Some((key, list)), _) if list.is_null() => {
                let colon =
                    self.source.text()[key.span.end..].find(':').map_or(key.span.end, |at| key.span.end + at + 1);
                vec![insert(colon, format!(" {brackets}")), insert(key.span.end, format!(": {brackets}"))]
            }
            (Some((_, list)), _) if list.items().is_empty() => {
                vec![insert(list.span.start + 1, render::flow(self.wanted))]
            }
            (Some((_, list)), _) => self.in_flow_list(list.items()),
            (None, Some((key, last))) => {
                vec![insert(last.span.end.max(key.span.end), format!(", {SERVICES}: {brackets}"))]
            }
            (None, None) => vec![insert(root.span.start + 1, format!("{SERVICES}: {brackets}"))],
        }
    }

    /// Puts lines before a line (from 0); past the last, at the end of the file, whose last line stays without a line
    /// end when it has none.
    fn lines_at(&self, line: usize, lines: &[String]) -> Vec<Splice> {
        let text = self.source.text();
        let eol = line_end(text);
        let at = self.source.line_start(line);
        let unfinished = at == text.len() && !text.is_empty() && !text.ends_with(['\n', '\r']);
        let lines = lines.join(eol);
        vec![(at..at, if unfinished { format!("{eol}{lines}") } else { format!("{lines}{eol}") })]
    }
}
