//! Single questions. Each has a flag that answers it, and the message for a missing answer names it.

use super::{Ui, show_cursor};
use crate::cli::wizard;
use crate::diag::{Error, Result};

impl Ui {
    /// Asks a yes-or-no question; Enter is yes.
    ///
    /// # Errors
    /// When the answer is no, or nobody can be asked: then the message names the flag that answers.
    pub(crate) fn confirm(&self, question: &str, flag: &str) -> Result<()> {
        if !self.interactive {
            return Err(Error::refused(format!(
                "not confirmed: \"{question}\" needs an answer, and nobody can be asked here"
            ))
            .help(format!("Add `{flag}`.")));
        }
        let yes = if self.linear {
            wizard::ask_yes_linear(question)?
        } else {
            // What a signal ends in the middle leaves the terminal as it was.
            let _held = wizard::hold()?;
            let answer = dialoguer::Confirm::new().with_prompt(question).default(true).interact_opt();
            answer.map_err(|error| asked(&error))? == Some(true)
        };
        if yes { Ok(()) } else { Err(Error::refused("not confirmed, so nothing was written")) }
    }

    /// Asks a person to type a name, as consent to something that cannot be undone.
    ///
    /// # Errors
    /// When another name is typed, or nobody can be asked: then the message names the flag that answers.
    pub(crate) fn confirm_by_name(&self, what: &str, name: &str, flag: &str) -> Result<()> {
        if !self.interactive {
            return Err(Error::refused(format!("not confirmed: {}", what.trim_end_matches('.')))
                .help(format!("Nobody can be asked here: add `{flag}`.")));
        }
        self.stderr(what);
        match self.line(&format!("Type `{name}` to go on"), false)? {
            Some(typed) if typed.trim() == name => Ok(()),
            Some(_) => Err(Error::refused(format!("that is not `{name}`, so nothing was deleted"))),
            None => Err(Error::refused("left without an answer, so nothing was deleted")),
        }
    }

    /// Asks a person for something that is not shown; `None` when the person goes back.
    ///
    /// # Errors
    /// When it is not given, or nobody can be asked: then the message names the flag that answers.
    pub(crate) fn ask_hidden(&self, prompt: &str, flag: &str) -> Result<Option<String>> {
        match self.ask(prompt, flag, true)? {
            Some(text) if text.is_empty() => Err(left(flag)),
            answer => Ok(answer),
        }
    }

    /// Asks a person for a line of text; nothing typed is the default, where there is one.
    ///
    /// # Errors
    /// When it is not given, or nobody can be asked: then the message names the flag that answers.
    pub(crate) fn ask_text(&self, prompt: &str, default: Option<&str>, flag: &str) -> Result<String> {
        let words = default.map_or_else(|| prompt.to_owned(), |default| format!("{prompt} (Enter: {default})"));
        match (self.ask(&words, flag, false)?, default) {
            (Some(text), Some(default)) if text.is_empty() => Ok(default.to_owned()),
            (Some(text), _) if !text.is_empty() => Ok(text),
            _ => Err(left(flag)),
        }
    }

    /// Asks for a line without blanks at its ends; `None` when the person goes back.
    fn ask(&self, prompt: &str, flag: &str, hidden: bool) -> Result<Option<String>> {
        if !self.interactive {
            return Err(Error::usage(format!("{} is missing, and nobody can be asked here", prompt.to_lowercase()))
                .help(format!("Add `{flag}`.")));
        }
        Ok(self.line(prompt, hidden)?.map(|text| text.trim().to_owned()))
    }

    /// Asks for a line, in the way that suits the terminal; `None` when the person leaves.
    fn line(&self, prompt: &str, hidden: bool) -> Result<Option<String>> {
        match self.linear {
            true => wizard::ask_linear(prompt, hidden),
            false => wizard::ask_line(prompt, hidden, self.color_err),
        }
    }
}

/// The error for who leaves a question without an answer.
pub(crate) fn left(flag: &str) -> Error {
    Error::refused("left without an answer, so nothing was done")
        .help(format!("To do without the question, add `{flag}`."))
}

/// A prompt that failed: interrupted, or the terminal is gone.
fn asked(error: &dialoguer::Error) -> Error {
    let dialoguer::Error::IO(error) = error;
    match error.kind() {
        std::io::ErrorKind::Interrupted => {
            // The prompt hid it, and the signal handler may not be as fast as the end of the process.
            show_cursor();
            Error::interrupted()
        }
        _ => Error::io("ask on the terminal", error).help("Use `--no-input` and the flags that `--help` lists."),
    }
}
