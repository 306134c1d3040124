//! The ways to take an entry out of `services:`, best first.

use std::ops::Range;

use super::super::node::{Key, Node, NodeKind, Style};
use super::super::source::Source;
use super::{SERVICES, Splice, comment_column, dash_column, last_line};

/// Returns the ways to try.
pub(super) fn ways(source: &Source, root: &Node, index: usize) -> Vec<Vec<Splice>> {
    let Some((key, list)) = root.entry(SERVICES) else { return Vec::new() };
    let remover = Remover { source };
    match (&list.kind, list.style) {
        (NodeKind::List(items), Style::Flow) => remover.out_of_flow_list(list, items, index),
        (NodeKind::List(items), Style::Plain) => remover.out_of_block_list(key, list, items, index),
        _ => Vec::new(),
    }
}

struct Remover<'a> {
    source: &'a Source,
}

impl Remover<'_> {
    fn out_of_block_list(&self, key: &Key, list: &Node, items: &[Node], index: usize) -> Vec<Vec<Splice>> {
        let (source, text) = (self.source, self.source.text());
        let column = dash_column(source, key, list);
        let Some(last) = items.last() else { return Vec::new() };
        // A first entry may be on the line below its dash.
        let lines = source.line_of(key.span.end)..=last_line(source, last);
        let dashes: Vec<usize> = lines.filter(|line| is_dash(&text[source.line_range(*line)], column)).collect();
        if dashes.len() != items.len() {
            return Vec::new();
        }
        let limit = dashes.get(index + 1).copied().unwrap_or(source.line_count());
        let end = (last_line(source, &items[index]) + 1).max(dashes[index] + 1);
        // Comments right below that are indented deeper than the dash are inside of the entry.
        let inside = |line: &usize| comment_column(source, *line).is_some_and(|c| c > column);
        let end = (end..limit).find(|line| !inside(line)).unwrap_or(limit);
        let whole = source.line_start(dashes[index])..source.line_start(end);
        if items.len() > 1 {
            let tidy = self.without_blank(dashes[index], end, whole.clone());
            return vec![vec![(tidy, String::new())], vec![(whole, String::new())]];
        }
        let colon = text[key.span.end..].find(':').map_or(key.span.end, |at| key.span.end + at + 1);
        let key_line = source.line_range(source.line_of(key.span.end));
        let key_end = key_line.start + text[key_line].trim_end().len();
        let with = |at: usize| vec![(whole.clone(), String::new()), (at..at, " []".to_owned())];
        vec![with(colon), with(key_end)]
    }

    /// Widens a removal so that no two blank lines meet, and no line end is left behind in a file without a last one.
    fn without_blank(&self, first: usize, end: usize, whole: Range<usize>) -> Range<usize> {
        let (source, text) = (self.source, self.source.text());
        let blank = |line: usize| line < source.line_count() && text[source.line_range(line)].trim().is_empty();
        if whole.end == text.len() && !text.ends_with(['\n', '\r']) && first > 0 {
            return source.line_range(first - 1).end..whole.end;
        }
        if first > 0 && blank(first - 1) && end + 1 < source.line_count() && blank(end) {
            return whole.start..source.line_start(end + 1);
        }
        whole
    }

    fn out_of_flow_list(&self, list: &Node, items: &[Node], index: usize) -> Vec<Vec<Splice>> {
        let (source, text) = (self.source, self.source.text());
        let item = &items[index].span;
        let before = if index == 0 { list.span.start + 1 } else { items[index - 1].span.end };
        // An anchor or a tag before the entry would be left behind.
        if !text[before..item.start].trim_start_matches([',', ' ']).trim().is_empty()
            && text[before..item.start].contains(['&', '!'])
        {
            return Vec::new();
        }
        let mut ways = Vec::new();
        let comma = self.comma_after(item.end, list.span.end);
        let (first, last) = (source.line_of(item.start), source.line_of(item.end));
        let rest_start = comma.map_or(item.end, |at| at + 1);
        let rest = text.get(rest_start..source.line_range(last).end).unwrap_or_default().trim();
        let alone =
            text[source.line_start(first)..item.start].trim().is_empty() && (rest.is_empty() || rest.starts_with('#'));
        if alone {
            let lines = source.line_start(first)..source.line_start(last + 1);
            let mut way = vec![(lines, String::new())];
            // The last entry goes, and it had no comma: the one before it has none then.
            if comma.is_none()
                && index > 0
                && let Some(at) = self.comma_after(before, item.start)
            {
                way.push((at..at + 1, String::new()));
            }
            ways.push(way);
        }
        if index > 0 && !text[before..item.start].contains('#') {
            ways.push(vec![(before..item.end, String::new())]);
        }
        if let Some(comma) = comma {
            let after = &text[comma + 1..];
            let blanks = after.len() - after.trim_start_matches([' ', '\t']).len();
            ways.push(vec![(item.start..comma + 1 + blanks, String::new())]);
        }
        ways.push(vec![(item.clone(), String::new())]);
        ways
    }

    /// Finds the comma behind an entry, on its line.
    fn comma_after(&self, from: usize, end: usize) -> Option<usize> {
        let text = self.source.text().get(from..end)?;
        let blanks = text.len() - text.trim_start_matches([' ', '\t']).len();
        text[blanks..].starts_with(',').then_some(from + blanks)
    }
}

/// Tells whether a line starts an entry of a block list at a column.
fn is_dash(line: &str, column: usize) -> bool {
    let Some((indent, rest)) = line.split_at_checked(column) else { return false };
    let blank = indent.trim_start_matches('\u{feff}').bytes().all(|b| b == b' ');
    blank && rest.strip_prefix('-').is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}
