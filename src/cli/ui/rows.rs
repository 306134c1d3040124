//! Progress of several things at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use console::Style;
use indicatif::{ProgressBar, ProgressStyle};

use super::Ui;

/// Lines that change, one per thing that is waited for: on a terminal each in its place, elsewhere a line per change.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    ui: &'a Ui,
    rows: Mutex<BTreeMap<String, Row>>,
}

#[derive(Debug)]
struct Row {
    bar: Option<ProgressBar>,
    text: String,
    /// When it was waited for first.
    began: Instant,
    /// When it began to wait for what it waits for now.
    since: Instant,
    /// When that was said last.
    said: Instant,
}

/// How long nothing may be said of a thing where lines do not change: a job of CI that is silent looks as if it hung.
const SAY_AGAIN: Duration = Duration::from_secs(30);

impl<'a> Rows<'a> {
    /// Starts with none.
    pub(crate) fn new(ui: &'a Ui) -> Self {
        Self { ui, rows: Mutex::default() }
    }

    /// Says what a thing waits for: when that is new, and again from time to time. The row is made when it is new.
    pub(crate) fn set(&self, name: &str, text: &str) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry(name.to_owned()).or_insert_with(|| self.row(name));
        let new = row.text != text;
        if new {
            text.clone_into(&mut row.text);
            row.since = Instant::now();
        }
        match &row.bar {
            Some(bar) if new => {
                bar.set_message(text.to_owned());
                bar.reset_elapsed();
            }
            None if new => self.ui.talk(&format!("{name}: {text}")),
            None if row.said.elapsed() >= SAY_AGAIN => {
                self.ui.talk(&format!("{name}: {text} (for {} s)", row.since.elapsed().as_secs()));
            }
            _ => return,
        }
        row.said = Instant::now();
    }

    /// Says that a thing is settled.
    pub(crate) fn settle(&self, name: &str, good: bool, text: &str) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry(name.to_owned()).or_insert_with(|| self.row(name));
        if row.text == text {
            return;
        }
        text.clone_into(&mut row.text);
        let seconds = row.began.elapsed().as_secs_f64();
        let Some(bar) = &row.bar else {
            return self.ui.talk(&format!("{name}: {text} ({seconds:.1} s)"));
        };
        let style = if good { Style::new().green() } else { Style::new().red() };
        let mark = self.ui.err_style(style).apply_to(if good { "✓" } else { "✗" });
        let template = ProgressStyle::with_template(&format!("{mark} {{prefix:.bold}} {{msg}}"));
        bar.set_style(template.unwrap_or(ProgressStyle::default_spinner()));
        bar.finish_with_message(format!("{text} ({seconds:.1} s)"));
    }

    fn row(&self, name: &str) -> Row {
        let bar = self.ui.live.then(|| {
            let style = ProgressStyle::with_template("{spinner} {prefix:.bold} {wide_msg} {elapsed}");
            let style = style.unwrap_or(ProgressStyle::default_spinner());
            let bar = self.ui.bars().add(ProgressBar::new_spinner().with_style(style).with_prefix(name.to_owned()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let now = Instant::now();
        Row { bar, text: String::new(), began: now, since: now, said: now }
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        for row in self.rows.lock().unwrap_or_else(PoisonError::into_inner).values() {
            row.bar.iter().filter(|bar| !bar.is_finished()).for_each(ProgressBar::abandon);
        }
    }
}
