//! Consent to what is shown.

use super::frame::{Row, diff_look, row};
use super::keys::Key;
use super::question::Answer;
use super::widget::Reply;

/// A page that is read before consent.
#[derive(Debug)]
pub(crate) struct Page {
    lines: Vec<String>,
    top: usize,
}

impl Page {
    /// Opens a page.
    pub(crate) fn new(lines: &[String]) -> Self {
        Self { lines: lines.to_vec(), top: 0 }
    }

    /// Presses a key.
    pub(crate) fn key(&mut self, key: Key) -> Reply {
        let last = self.lines.len().saturating_sub(1);
        match key {
            Key::Enter | Key::Char('y' | 'Y') => return Reply::Answer(Answer::Yes),
            Key::Char('n' | 'N') => return Reply::No,
            Key::Esc => return Reply::Back,
            Key::Quit => return Reply::Quit,
            Key::Up => self.top = self.top.saturating_sub(1),
            Key::Down => self.top = (self.top + 1).min(last),
            Key::PageUp => self.top = self.top.saturating_sub(5),
            Key::PageDown | Key::Char(' ') => self.top = (self.top + 5).min(last),
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

    /// The rows from where it is scrolled to.
    pub(crate) fn body(&self, height: usize) -> Vec<Row> {
        let top = self.top.min(self.lines.len().saturating_sub(height));
        let below = self.lines.len().saturating_sub(top + height);
        let mut rows: Vec<Row> =
            self.lines.iter().skip(top).take(height).map(|line| row(diff_look(line), line)).collect();
        if below > 0 && height > 1 {
            rows.pop();
            rows.push(row(super::frame::Look::Faint, format!("… {} more lines below", below + 1)));
        }
        rows
    }
}
