//! What a person sees of the waiting: a line per service.

use super::verdict::{Outcome, Verdict};
use crate::cli::ui::{Rows, Ui};

/// The lines.
#[derive(Debug)]
pub(super) struct View<'a>(Rows<'a>);

impl<'a> View<'a> {
    /// Starts with none.
    pub(super) fn new(ui: &'a Ui) -> Self {
        Self(Rows::new(ui))
    }

    /// Shows how far a service is.
    pub(super) fn show(&self, outcome: &Outcome) {
        match &outcome.verdict {
            Verdict::Waiting(what) => self.0.set(&outcome.service, &format!("waiting: {what}")),
            Verdict::Ready => self.0.settle(&outcome.service, true, "ready"),
            Verdict::Failed(failure) => self.0.settle(&outcome.service, false, &failure.reason),
        }
    }
}
