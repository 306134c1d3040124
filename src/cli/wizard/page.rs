//! Consent to what is shown.

use std::cell::Cell;

use super::frame::{Look, Row, diff_look, fold, row};
use super::keys::Key;
use super::question::Answer;
use super::widget::Reply;

/// A page that is read before consent.
#[derive(Debug)]
pub(crate) struct Page {
    lines: Vec<String>,
    /// The line to begin with.
    top: usize,
    /// The line to begin with that shows the end of the page: further down there is nothing.
    end: Cell<usize>,
}

impl Page {
    /// Opens a page.
    pub(crate) fn new(lines: &[String]) -> Self {
        Self { lines: lines.to_vec(), top: 0, end: Cell::new(usize::MAX) }
    }

    /// Presses a key.
    pub(crate) fn key(&mut self, key: Key) -> Reply {
        let last = self.lines.len().saturating_sub(1);
        let at = self.top.min(self.end.get());
        match key {
            Key::Enter | Key::Char('y' | 'Y') => return Reply::Answer(Answer::Yes),
            Key::Char('n' | 'N') => return Reply::No,
            Key::Esc => return Reply::Back,
            Key::Quit => return Reply::Quit,
            Key::Up => self.top = at.saturating_sub(1),
            Key::Down => self.top = (at + 1).min(last),
            Key::PageUp => self.top = at.saturating_sub(5),
            Key::PageDown | Key::Char(' ') => self.top = (at + 5).min(last),
            Key::Home => self.top = 0,
            Key::End => self.top = last,
            _ => {}
        }
        Reply::Stay
    }

    /// What the keys do.
    pub(crate) fn keys(&self) -> String {
        "Enter or y: yes · n: no · Esc back · ↑↓ scroll · Ctrl-C quits".into()
    }

    /// The rows from where it is scrolled to. What is wider than the screen goes on in the next row.
    pub(crate) fn body(&self, columns: usize, height: usize) -> Vec<Row> {
        let mut rows: Vec<(usize, Row)> = Vec::new();
        for (number, line) in self.lines.iter().enumerate() {
            let parts = fold(line, columns).into_iter();
            rows.extend(parts.map(|part| (number, row(diff_look(line), part))));
        }
        let wanted = rows.iter().position(|(number, _)| *number >= self.top).unwrap_or(0);
        let last = rows.len().saturating_sub(height);
        let begins = |row: &usize| *row == 0 || rows[*row - 1].0 != rows[*row].0;
        self.end.set((last..rows.len()).find(begins).map_or(usize::MAX, |row| rows[row].0));
        let start = wanted.min(last);
        let below = rows.len().saturating_sub(start + height);
        let mut shown: Vec<Row> = rows.into_iter().skip(start).take(height).map(|(_, row)| row).collect();
        if below > 0 && height > 1 {
            shown.pop();
            shown.push(row(Look::Plain, format!("… {} more below: ↓", below + 1)));
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(page: &Page) -> Vec<String> {
        let text = |row: Row| row.into_iter().map(|(_, text)| text).collect();
        page.body(4, 3).into_iter().map(text).collect()
    }

    #[test]
    fn a_page_is_read_to_its_end_and_back() {
        let lines: Vec<String> = ["one", "two and", "three", "x", "last"].map(str::to_owned).into();
        let mut page = Page::new(&lines);
        assert_eq!(seen(&page), ["one", "two ", "… 5 more below: ↓"]);
        page.key(Key::End);
        assert_eq!(seen(&page), ["e", "x", "last"]);
        page.key(Key::Up);
        assert_eq!(seen(&page), ["thre", "e", "… 2 more below: ↓"], "from the end, by a line");
        page.key(Key::Home);
        assert_eq!(seen(&page)[0], "one");
        page.key(Key::Down);
        page.key(Key::Down);
        assert_eq!(seen(&page)[0], "thre", "however fast the keys come");
    }
}
