//! A question as it is being answered, and the choice of the terminal's way to ask it.

use super::frame::{Frame, Parts, Size, layout};
use super::keys::Key;
use super::line::Line;
use super::list::List;
use super::machine::{Answers, Flow, Machine};
use super::page::Page;
use super::question::{Answer, Kind, Question};
use super::{linear, screen};
use crate::cli::ui::Ui;
use crate::diag::{Error, Result};

/// What a key brings about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The question stays open.
    Stay,
    /// It stays open, and this is said.
    Notice(String),
    /// It is answered.
    Answer(Answer),
    /// It and the texts after it have their defaults.
    Rest,
    /// Back to the question before.
    Back,
    /// No consent.
    No,
    /// The person quits.
    Quit,
}

/// A question as it is being answered.
#[derive(Debug)]
pub(crate) enum Widget {
    /// A list.
    List(List),
    /// A line.
    Line(Line),
    /// A page.
    Page(Page),
}

impl Widget {
    /// Opens a question, with what was answered before.
    pub(crate) fn new(question: &Question, kept: Option<&Answer>) -> Self {
        match &question.kind {
            Kind::Many(items) => Self::List(List::new(items, true, kept)),
            Kind::One(items) => Self::List(List::new(items, false, kept)),
            Kind::Text { default } => Self::Line(Line::new(default, kept)),
            Kind::Consent(lines) => Self::Page(Page::new(lines)),
        }
    }

    /// Presses a key.
    pub(crate) fn key(&mut self, key: Key) -> Reply {
        match self {
            Self::List(list) => list.key(key),
            Self::Line(line) => line.key(key),
            Self::Page(page) => page.key(key),
        }
    }

    /// Draws it for a screen of this size.
    pub(crate) fn frame(&self, question: &Question, notice: Option<&str>, size: Size) -> Frame {
        let (detail, keys) = match self {
            Self::List(list) => (list.detail(), list.keys()),
            Self::Line(line) => (Vec::new(), line.keys()),
            Self::Page(page) => (Vec::new(), page.keys()),
        };
        let parts = Parts { title: &question.title, about: &question.about, detail: &detail, notice, keys: &keys };
        layout(&parts, size, |columns, height| match self {
            Self::List(list) => list.body(columns, height),
            Self::Line(line) => {
                let (row, column) = line.row("> ", columns);
                (vec![row], Some((0, column)))
            }
            Self::Page(page) => (page.body(columns, height), None),
        })
    }
}

/// Asks the questions of a flow on the terminal, in the way that suits it. Only when `interactive`.
///
/// # Errors
/// When the person leaves or quits, or the terminal fails; and the flow's own.
pub(crate) fn run(ui: &Ui, flow: &dyn Flow) -> Result<Answers> {
    let machine = Machine::new(flow)?;
    if ui.linear { linear::run(machine) } else { screen::run(machine, ui.color_err) }
}

/// The error for who steps back from the first question.
pub(super) fn left() -> Error {
    Error::refused("left without an answer, so nothing was written")
}

/// The error for who gives no consent.
pub(super) fn refused() -> Error {
    Error::refused("not confirmed, so nothing was written")
}

#[cfg(test)]
mod tests {
    use super::super::question::Item;
    use super::*;

    /// Every kind of question, with texts longer than any screen.
    fn questions() -> Vec<Question> {
        let long = "word ".repeat(60);
        let items: Vec<Item> = (0..23)
            .map(|n| Item {
                name: format!("name-{n}"),
                group: format!("group {}", n / 5),
                about: long.clone(),
                detail: vec![long.clone(), "ünï 漢字".into()],
                barred: (n % 7 == 3).then(|| "not this one".to_owned()),
                marked: n % 5 == 0,
            })
            .collect();
        let kinds = [
            Kind::Many(items.clone()),
            Kind::One(items),
            Kind::Text { default: long.clone() },
            Kind::Consent((0..50).map(|n| format!("+ line {n} {long}")).collect()),
        ];
        let question = |(n, kind)| Question { key: format!("{n}"), title: long.clone(), about: long.clone(), kind };
        kinds.into_iter().enumerate().map(question).collect()
    }

    #[test]
    fn every_frame_fits_its_screen_whatever_the_keys() {
        let mut state: u64 = 42;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        use Key::*;
        let keys = [
            Char('n'),
            Char('a'),
            Char(' '),
            Char('漢'),
            Enter,
            Esc,
            Backspace,
            Delete,
            Tab,
            Up,
            Down,
            Left,
            Right,
            PageUp,
            PageDown,
            Home,
            End,
            Clear,
            Char('1'),
            Char('y'),
        ];
        for question in questions() {
            for _ in 0..300 {
                let mut widget = Widget::new(&question, None);
                for _ in 0..20 {
                    widget.key(keys[random(keys.len())]);
                    let size = Size { columns: 1 + random(120), rows: 1 + random(40) };
                    let frame = widget.frame(&question, Some("a notice of some length that may be cut"), size);
                    assert!(!frame.rows.is_empty() && frame.rows.len() <= size.rows, "{size:?}");
                    for row in &frame.rows {
                        let text: String = row.iter().map(|(_, text)| text.as_str()).collect();
                        assert!(console::measure_text_width(&text) <= size.columns, "{size:?}: {text:?}");
                    }
                    assert!(frame.cursor.is_none_or(|(_, column)| column < size.columns));
                }
            }
        }
    }
}
