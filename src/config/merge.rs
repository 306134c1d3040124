//! Both sides of a merge conflict in `kilter.lock`, by its lines: every key is on one line there.

use std::collections::HashMap;

/// Tells whether a text holds conflict markers of git (also in its diff3 style).
pub(super) fn has_markers(text: &str) -> bool {
    text.lines().any(|line| marker(line) == Some('<')) || text.lines().any(|line| marker(line) == Some('>'))
}

/// Returns the character of a marker line: seven of it, alone or with a space behind.
fn marker(line: &str) -> Option<char> {
    let first = line.chars().next().filter(|c| matches!(c, '<' | '|' | '=' | '>'))?;
    let rest = line.trim_start_matches(first);
    (line.len() - rest.len() == 7 && (rest.is_empty() || rest.starts_with(' '))).then_some(first)
}

/// Returns the text with the lines of both sides, each key once; where the sides differ, the first is kept and a
/// warning says so. Of two slots the lower is kept, so that both sides of a team come to the same.
pub(super) fn union(text: &str, warnings: &mut Vec<String>) -> String {
    let mut merged = Merged::default();
    let mut section = String::new();
    let mut at_start = String::new();
    let mut in_base = false;
    for line in text.lines() {
        match marker(line) {
            Some('<') => at_start.clone_from(&section),
            Some('|') => in_base = true,
            Some('=') => {
                in_base = false;
                section.clone_from(&at_start);
            }
            Some(_) => {}
            None if in_base || line.trim().is_empty() || line.starts_with('#') => {}
            None => merged.line(line, &mut section, warnings),
        }
    }
    merged.text()
}

/// The lines of each section (`""` for the lines outside of any), in order of appearance.
#[derive(Default)]
struct Merged {
    order: Vec<String>,
    lines: HashMap<String, Vec<(String, String)>>,
}

impl Merged {
    fn line(&mut self, line: &str, section: &mut String, warnings: &mut Vec<String>) {
        let nested = line.starts_with(' ');
        let (key, value) = split(line.trim());
        if !nested {
            section.clear();
            if value.is_empty() {
                *section = key;
                if !self.order.contains(section) {
                    self.order.push(section.clone());
                }
                return;
            }
        }
        let lines = self.lines.entry(section.clone()).or_default();
        let Some((_, there)) = lines.iter_mut().find(|(k, _)| *k == key) else {
            lines.push((key, value));
            return;
        };
        if *there == value {
            return;
        }
        if section == "slots" {
            let number = |text: &str| text.parse::<u16>().unwrap_or(u16::MAX);
            if number(&value) < number(there) {
                *there = value;
            }
            return;
        }
        let label = if section.is_empty() { key } else { format!("{section}.{}", key.trim_matches('"')) };
        warnings.push(format!("both sides of the merge changed `{label}`: the first side is kept"));
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let lines = |section: &str| self.lines.get(section).map_or(&[][..], Vec::as_slice);
        for (key, value) in lines("") {
            text.push_str(&format!("{key}: {value}\n"));
        }
        for section in &self.order {
            text.push_str(&format!("{section}:\n"));
            for (key, value) in lines(section) {
                text.push_str(&format!("  {key}: {value}\n"));
            }
        }
        text
    }
}

/// Splits `key: value`; the key keeps its quotes.
fn split(line: &str) -> (String, String) {
    let from = line.strip_prefix('"').and_then(|rest| rest.find('"')).map_or(0, |end| end + 2);
    match line[from..].find(':') {
        Some(colon) => (line[..from + colon].trim().into(), line[from + colon + 1..].trim().into()),
        None => (line.into(), String::new()),
    }
}
