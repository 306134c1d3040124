//! Typing one line.

use console::measure_text_width;

use super::frame::{Look, Row};
use super::keys::Key;
use super::question::Answer;
use super::widget::Reply;

/// Longest line that is taken; nothing that is asked for is as long.
const LONGEST: usize = 4096;

/// A line as it is being typed.
#[derive(Debug, Default)]
pub(crate) struct Line {
    text: Vec<char>,
    at: usize,
    default: String,
    hidden: bool,
}

impl Line {
    /// Begins a line, with what was typed before.
    pub(crate) fn new(default: &str, kept: Option<&Answer>) -> Self {
        let text: Vec<char> = match kept {
            Some(Answer::Text(Some(text))) => text.chars().collect(),
            _ => Vec::new(),
        };
        Self { at: text.len(), text, default: default.to_owned(), hidden: false }
    }

    /// Begins a line that is not shown.
    pub(crate) fn hidden() -> Self {
        Self { hidden: true, ..Self::default() }
    }

    /// Presses a key.
    pub(crate) fn key(&mut self, key: Key) -> Reply {
        match key {
            Key::Char(c) if self.text.len() < LONGEST => {
                self.text.insert(self.at, c);
                self.at += 1;
            }
            Key::Backspace if self.at > 0 => {
                self.at -= 1;
                self.text.remove(self.at);
            }
            Key::Delete if self.at < self.text.len() => drop(self.text.remove(self.at)),
            Key::Left => self.at = self.at.saturating_sub(1),
            Key::Right if self.text.is_empty() && !self.hidden => return Reply::Rest,
            Key::Right => self.at = (self.at + 1).min(self.text.len()),
            Key::Home => self.at = 0,
            Key::End => self.at = self.text.len(),
            Key::Clear => (self.text, self.at) = (Vec::new(), 0),
            Key::Tab if self.text.is_empty() && !self.hidden => {
                self.text = self.default.chars().collect();
                self.at = self.text.len();
            }
            Key::Enter => {
                let text = self.text.iter().collect::<String>().trim().to_owned();
                return Reply::Answer(Answer::Text(Some(text).filter(|text| !text.is_empty())));
            }
            Key::Esc => return Reply::Back,
            Key::Quit => return Reply::Quit,
            _ => {}
        }
        Reply::Stay
    }

    /// What the keys do.
    pub(crate) fn keys(&self) -> String {
        "Enter takes it · Esc back · Tab edits it · → all defaults · Ctrl-C quits".into()
    }

    /// The row, scrolled to the cursor, and the column of the cursor.
    pub(crate) fn row(&self, prompt: &str, columns: usize) -> (Row, usize) {
        let mut row: Row = vec![(Look::Strong, prompt.to_owned())];
        let before = measure_text_width(prompt);
        if self.text.is_empty() || self.hidden {
            row.push((Look::Lined, if self.hidden { String::new() } else { self.default.clone() }));
            return (row, before);
        }
        let room = columns.saturating_sub(before + 1).max(1);
        let width = |chars: &[char]| measure_text_width(&chars.iter().collect::<String>());
        let mut start = 0;
        while width(&self.text[start..self.at]) > room {
            start += 1;
        }
        row.push((Look::Plain, self.text[start..].iter().collect()));
        (row, before + width(&self.text[start..self.at]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Line {
        let mut line = Line::new("d", None);
        text.chars().for_each(|c| drop(line.key(Key::Char(c))));
        line
    }

    fn answer(line: &mut Line) -> Option<String> {
        match line.key(Key::Enter) {
            Reply::Answer(Answer::Text(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_typed_is_the_default() {
        assert_eq!(answer(&mut typed("")), None);
        assert_eq!(answer(&mut typed("  ")), None);
        assert_eq!(answer(&mut typed(" a b ")), Some("a b".into()));
        let mut line = typed("");
        line.key(Key::Tab);
        line.key(Key::Char('x'));
        assert_eq!(answer(&mut line), Some("dx".into()));
        assert_eq!(typed("").key(Key::Right), Reply::Rest);
        assert_eq!(typed("").key(Key::Esc), Reply::Back);
    }

    #[test]
    fn a_line_is_edited_in_its_middle() {
        let mut line = typed("abd");
        for key in [Key::Left, Key::Char('c'), Key::Home, Key::Delete, Key::End, Key::Backspace] {
            line.key(key);
        }
        assert_eq!(answer(&mut line), Some("bc".into()));
    }

    #[test]
    fn a_long_line_scrolls() {
        let line = typed(&"x".repeat(100));
        let (row, column) = line.row("> ", 20);
        assert!(column < 20, "{column}");
        assert_eq!(row[1].1.len(), 17);
        let mut hidden = Line::hidden();
        hidden.key(Key::Char('s'));
        assert_eq!(hidden.row("Token: ", 20).0[1].1, "");
    }
}
