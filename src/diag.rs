//! What went wrong, where, and what to do: the one error type of kilter.
//!
//! A room reports a [`Problem`] in three parts (what, where, do); [`Error`] groups the problems of one failure under
//! one [`Kind`], which decides the exit code. Only `cli::ui` prints them.

use std::fmt;
use std::path::Path;

/// The result of everything in kilter that can fail for a reason the user should read.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Decides the exit code of a failure; the codes are an interface (see the README).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The project or its files are wrong, or a check failed (exit 1).
    Project,
    /// The command line is wrong, or an answer is missing that a flag gives (exit 2).
    Usage,
    /// Something needed is not there: a tool, docker, a cluster, a login (exit 3).
    Missing,
    /// A tool that kilter runs failed (exit 4).
    Tool,
    /// kilter would have overwritten something or deleted data, or was not confirmed (exit 5).
    Refused,
    /// A bug in kilter (exit 70).
    Bug,
    /// The user pressed Ctrl-C, or the process was told to stop (exit 130).
    Interrupted,
}

impl Kind {
    /// Returns the process exit code of this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Project => 1,
            Self::Usage => 2,
            Self::Missing => 3,
            Self::Tool => 4,
            Self::Refused => 5,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }
}

/// A place in a text file, with the line itself so that it can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as the user knows it, for example `kilter.yaml`.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// The whole line, without its line end.
    pub text: String,
    /// How many characters to underline, at least 1.
    pub width: usize,
}

/// What of a project a problem is about, before its place in kilter.yaml is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The service, `app` for the app itself.
    pub service: String,
    /// The keys from its entry down, for example `values`, `auth`, `password`; empty for the entry.
    pub keys: Vec<String>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong: one line, names the thing, no full stop.
    pub what: String,
    /// Where, if it is a place in a file.
    pub place: Option<Place>,
    /// What it is about, for finding the place.
    pub subject: Option<Subject>,
    /// The words of a tool, or other lines that explain; printed indented as they are.
    pub detail: Option<String>,
    /// What to do: full sentences, commands in backticks.
    pub help: Vec<String>,
}

impl Problem {
    /// Creates a problem that only says what is wrong.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), place: None, subject: None, detail: None, help: Vec::new() }
    }

    /// Adds the place in a file.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Says which service it is about, and which keys of its entry.
    #[must_use]
    pub fn about(mut self, service: impl Into<String>, keys: &[&str]) -> Self {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        self.subject = Some(Subject { service: service.into(), keys });
        self
    }

    /// Adds one thing to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds the words of a tool.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// A failure: its kind and every problem found.
#[derive(Debug, Clone)]
pub struct Error(Box<Failure>);

#[derive(Debug, Clone)]
struct Failure {
    kind: Kind,
    problems: Vec<Problem>,
    is_passing: bool,
}

impl Error {
    /// Creates a failure with one problem.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self::from_problems(kind, vec![Problem::new(what)])
    }

    /// Creates a failure from all the problems found; `problems` is not empty.
    pub fn from_problems(kind: Kind, problems: Vec<Problem>) -> Self {
        Self(Box::new(Failure { kind, problems, is_passing: false }))
    }

    /// The project or its files are wrong.
    pub fn project(what: impl Into<String>) -> Self {
        Self::new(Kind::Project, what)
    }

    /// The command line is wrong.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Kind::Usage, what)
    }

    /// Something needed is missing.
    pub fn missing(what: impl Into<String>) -> Self {
        Self::new(Kind::Missing, what)
    }

    /// A tool failed.
    pub fn tool(what: impl Into<String>) -> Self {
        Self::new(Kind::Tool, what)
    }

    /// kilter would have overwritten something, or was not confirmed.
    pub fn refused(what: impl Into<String>) -> Self {
        Self::new(Kind::Refused, what)
    }

    /// Something that cannot happen did.
    pub fn bug(what: impl Into<String>) -> Self {
        Self::new(Kind::Bug, what).help("This is a bug in kilter: report it with the command that you ran.")
    }

    /// The user stopped kilter.
    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted")
    }

    /// A file operation failed; `doing` reads like "write `/path`".
    pub fn io(doing: impl fmt::Display, error: &std::io::Error) -> Self {
        let hint = match error.kind() {
            std::io::ErrorKind::StorageFull => "Free some disk space, then run the same command again.",
            std::io::ErrorKind::PermissionDenied => "Check who owns the file or directory and its permissions.",
            std::io::ErrorKind::ReadOnlyFilesystem => {
                "The file system is read-only: point `KILTER_CACHE_DIR` and `XDG_STATE_HOME` at writable directories."
            }
            _ => "Check the path, then run the same command again.",
        };
        Self::missing(format!("cannot {doing}: {}", io_words(error))).help(hint)
    }

    /// Adds one thing to do to the last problem.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        if let Some(last) = self.0.problems.last_mut() {
            last.help.push(help.into());
        }
        self
    }

    /// Adds the words of a tool to the last problem.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        if let Some(last) = self.0.problems.last_mut() {
            last.detail = Some(detail.into());
        }
        self
    }

    /// Says that the same call may go well another time: the machine was at fault, and not what was asked for.
    #[must_use]
    pub fn passing(mut self) -> Self {
        self.0.is_passing = true;
        self
    }

    /// Adds a place to the last problem.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        if let Some(last) = self.0.problems.last_mut() {
            last.place = Some(place);
        }
        self
    }

    /// Says which service every problem is about that does not say it yet.
    #[must_use]
    pub fn about(mut self, service: &str, keys: &[&str]) -> Self {
        for problem in self.0.problems.iter_mut().filter(|problem| problem.subject.is_none()) {
            *problem = std::mem::replace(problem, Problem::new("")).about(service, keys);
        }
        self
    }

    /// Looks up the place of every problem that only says what it is about.
    #[must_use]
    pub fn located(mut self, place_of: impl Fn(&Subject) -> Option<Place>) -> Self {
        for problem in self.0.problems.iter_mut().filter(|problem| problem.place.is_none()) {
            problem.place = problem.subject.as_ref().and_then(&place_of);
        }
        self
    }

    /// Names the place that something is made for where a problem names the temporary place it is made in.
    #[must_use]
    pub fn made_for(mut self, temporary: &Path, place: &Path) -> Self {
        let (temporary, place) = (temporary.to_string_lossy(), place.to_string_lossy());
        for problem in &mut self.0.problems {
            problem.what = problem.what.replace(&*temporary, &place);
        }
        self
    }

    /// Words everything that a person reads anew.
    #[must_use]
    pub fn reworded(mut self, reword: impl Fn(&str) -> String) -> Self {
        for problem in &mut self.0.problems {
            problem.what = reword(&problem.what);
            problem.detail = problem.detail.as_deref().map(&reword);
            problem.help.iter_mut().for_each(|help| *help = reword(help));
        }
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Tells whether whoever raised it said that it may pass; of one who said nothing it is not known.
    pub fn is_passing(&self) -> bool {
        self.0.is_passing
    }

    /// Returns every problem, in the order found.
    pub fn problems(&self) -> &[Problem] {
        &self.0.problems
    }
}

/// Returns the operating system's words for an error without Rust's `(os error N)`.
pub fn io_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems().iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Problem {
    /// Writes the three parts as plain text, every line ended.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}.", self.what.trim_end_matches('.'))?;
        if let Some(place) = &self.place {
            write!(f, "{place}")?;
        }
        if let Some(detail) = &self.detail {
            for line in detail.lines() {
                writeln!(f, "{}", format!("  | {line}").trim_end())?;
            }
        }
        for help in &self.help {
            writeln!(f, "  = {help}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    /// Writes `--> file:line:column` and the line with the place underlined.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let pad = " ".repeat(number.len());
        writeln!(f, "{pad} --> {}:{}:{}", self.file, self.line, self.column)?;
        let (text, column) = clip(&self.text, self.column);
        writeln!(f, "{pad}  |\n{number}  | {text}")?;
        let before: String = text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let room = text.chars().count().saturating_sub(column - 1).max(1);
        writeln!(f, "{pad}  | {before}{}", "^".repeat(self.width.clamp(1, room)))
    }
}

/// Cuts an overlong or unprintable line down to what fits a terminal, keeping the column in view.
fn clip(text: &str, column: usize) -> (String, usize) {
    const MAX: usize = 120;
    let clean: Vec<char> =
        text.chars().map(|c| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if clean.len() <= MAX {
        return (clean.into_iter().collect(), column.max(1));
    }
    let start = column.saturating_sub(MAX / 2).min(clean.len() - MAX.min(clean.len()));
    (clean[start..(start + MAX).min(clean.len())].iter().collect(), (column - start).max(1))
}
