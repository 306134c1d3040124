//! One thing that was checked, and what to do about it.

use crate::diag::Error;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It may break something, or breaks what is not in use yet.
    Warning,
    /// It breaks something.
    Failed,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Name of the check, for example `docker`.
    pub check: &'static str,
    /// How it went.
    pub state: State,
    /// What was found, one line.
    pub what: String,
    /// What to do, in full sentences; there is one unless all is well.
    pub fix: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, state: State::Ok, what: what.into(), fix: None }
    }

    /// It may break something.
    pub fn warning(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, state: State::Warning, what: what.into(), fix: Some(fix.into()) }
    }

    /// It breaks something.
    pub fn failed(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, state: State::Failed, what: what.into(), fix: Some(fix.into()) }
    }

    /// The check itself failed, or what it looked at is wrong.
    pub fn error(check: &'static str, error: &Error) -> Self {
        let first = &error.problems()[0];
        let place = first.place.as_ref().map(|p| format!(" ({}:{}:{})", p.file, p.line, p.column)).unwrap_or_default();
        Self {
            check,
            state: State::Failed,
            what: format!("{}{place}", first.what),
            fix: Some(first.help.join(" ")).filter(|fix| !fix.is_empty()),
        }
    }
}
