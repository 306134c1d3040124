//! The only room that starts processes.
//!
//! A call is a value, [`Invocation`], that can be printed, compared and recorded. [`Invocation::capture`] runs it in a
//! process group of its own with a time limit and a limit on its output; [`Invocation::lines`] listens to it while it runs;
//! [`Invocation::detach`] lets it outlive kilter; [`Invocation::become_it`] hands this process over to it.

mod capture;
mod detached;
mod interrupt;
mod redact;
mod stream;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

pub use capture::{Captured, Ending};
pub use detached::{Process, Record, become_detached, tail};
pub use interrupt::{Interrupt, Whole, end_tools, interrupted, on_interrupt, pause_if_interrupted};
pub use redact::redact;
pub use stream::{Said, Stream};

static ON_START: OnceLock<fn(&Invocation)> = OnceLock::new();

/// Has every call told to `tell` right before it starts; the first to ask is the one who is told.
pub fn tell_calls(tell: fn(&Invocation)) {
    let _ = ON_START.set(tell);
}

/// What a process sees of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Environment {
    /// Only these variables.
    Only(BTreeMap<String, String>),
    /// kilter's own environment with these variables set (`Some`) or removed (`None`).
    Inherit(BTreeMap<String, Option<String>>),
}

/// One call of one tool, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The program: an absolute path (see [`find_program`]).
    pub program: PathBuf,
    /// The arguments, one string each; never a shell line.
    pub args: Vec<String>,
    /// The environment.
    pub env: Environment,
    /// The working directory; kilter's own when `None`.
    pub cwd: Option<PathBuf>,
    /// What the process reads on standard input; nothing when `None`.
    pub stdin: Option<Vec<u8>>,
    /// How long it may run.
    pub timeout: Duration,
    /// How many bytes of standard output are taken before the process is stopped.
    pub max_output: usize,
}

impl Invocation {
    /// Creates a call with a cleared environment, no input, two minutes and 64 MiB of output.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Environment::Only(BTreeMap::new()),
            cwd: None,
            stdin: None,
            timeout: Duration::from_secs(120),
            max_output: 64 * 1024 * 1024,
        }
    }

    /// Appends one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Appends several arguments.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets one variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        match &mut self.env {
            Environment::Only(vars) => vars.insert(name.into(), value.into()).map(Some),
            Environment::Inherit(vars) => vars.insert(name.into(), Some(value.into())),
        };
        self
    }

    /// Gives the call kilter's own environment.
    #[must_use]
    pub fn inherit_env(mut self) -> Self {
        self.env = Environment::Inherit(BTreeMap::new());
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn cwd(mut self, dir: impl Into<PathBuf>) -> Self {
        self.cwd = Some(dir.into());
        self
    }

    /// Sets the time limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Returns the complete shell command, environment included, that does the same when pasted into a POSIX shell; with every
    /// login in it, so that it is for [`redact`] where others may read it.
    pub fn shell_line(&self) -> String {
        let mut words = Vec::new();
        match &self.env {
            Environment::Only(vars) => {
                words.push("env -i".to_owned());
                words.extend(vars.iter().map(|(name, value)| format!("{name}={}", shell_word(value))));
            }
            Environment::Inherit(vars) if vars.is_empty() => {}
            Environment::Inherit(vars) => {
                words.push("env".to_owned());
                words.extend(vars.iter().filter(|(_, v)| v.is_none()).map(|(name, _)| format!("-u {name}")));
                let set = vars.iter().filter_map(|(name, v)| v.as_ref().map(|v| (name, v)));
                words.extend(set.map(|(name, value)| format!("{name}={}", shell_word(value))));
            }
        }
        words.push(shell_word(&self.program.to_string_lossy()));
        words.extend(self.args.iter().map(|arg| shell_word(arg)));
        let line = words.join(" ");
        match &self.cwd {
            Some(dir) => format!("cd {} && {line}", shell_word(&dir.to_string_lossy())),
            None => line,
        }
    }
}

/// Quotes a word for a POSIX shell when it needs it.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Finds a program on a search path (the value of `PATH`); `None` when there is none.
pub fn find_program(name: &str, search_path: Option<&std::ffi::OsStr>) -> Option<PathBuf> {
    which::which_in(name, search_path, "/").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_line_quotes_what_needs_it() {
        let call = Invocation::new("/bin/echo").env("A", "it's").arg("plain").arg("two words").arg("");
        assert_eq!(call.shell_line(), r"env -i A='it'\''s' /bin/echo plain 'two words' ''");
    }

    #[test]
    fn capture_bounds_output_and_time() {
        let flood = Invocation { max_output: 1000, ..Invocation::new("/bin/sh").args(["-c", "yes"]) };
        assert!(matches!(flood.capture().unwrap().ending, Ending::Flooded));
        let hang = Invocation::new("/bin/sh").args(["-c", "sleep 60 & sleep 60"]).timeout(Duration::from_millis(50));
        assert!(matches!(hang.capture().unwrap().ending, Ending::TimedOut));
        let fine = Invocation::new("/bin/sh").args(["-c", "echo hi; echo no >&2; exit 3"]).capture().unwrap();
        assert_eq!((fine.stdout.as_slice(), fine.stderr.as_str()), (&b"hi\n"[..], "no\n"));
        assert_eq!(fine.ending, Ending::Exited(3));
        let killed = Invocation::new("/bin/sh").args(["-c", "kill -9 $$"]).capture().unwrap();
        assert_eq!(killed.ending, Ending::Signalled(9));
    }

    #[test]
    fn capture_feeds_standard_input() {
        let call = Invocation { stdin: Some(b"abc".to_vec()), ..Invocation::new("/bin/cat") };
        assert_eq!(call.capture().unwrap().stdout, b"abc");
    }
}
