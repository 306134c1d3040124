//! The terminal's own state: taken over for as long as keys are read one by one, and given back whatever happens.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::frame::Size;
use crate::diag::{Error, Result};

/// How often to look whether the terminal has another size, or kilter is to stop, in milliseconds.
pub(super) const LOOKS: u64 = 150;

/// The state to give back, and what to write before.
static SAVED: Mutex<Option<(Termios, &'static str)>> = Mutex::new(None);

/// Gives the terminal back as it was. Whoever notices the end first does it: the signal handler, too.
pub(crate) fn restore() {
    if let Some((state, leave)) = SAVED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(leave.as_bytes()).and_then(|()| stderr.flush());
        // What was typed and not read is not for the shell that comes next.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &state);
    }
}

/// A terminal that is taken over; given back when dropped.
#[derive(Debug)]
pub(super) struct Taken(());

impl Taken {
    /// Takes it over for single keys. `enter` is written first, `leave` when it is given back.
    pub(super) fn keys(enter: &str, leave: &'static str) -> Result<Self> {
        Self::with(leave, |state| state.make_raw(), enter)
    }

    /// Takes it over for a line that is not shown.
    pub(super) fn hidden() -> Result<Self> {
        Self::with("", |state| state.local_modes.remove(LocalModes::ECHO), "")
    }

    fn with(leave: &'static str, change: impl FnOnce(&mut Termios), enter: &str) -> Result<Self> {
        let failed = |error: rustix::io::Errno| fails(&error.into());
        let before = tcgetattr(std::io::stdin()).map_err(failed)?;
        let mut state = before.clone();
        change(&mut state);
        *SAVED.lock().unwrap_or_else(PoisonError::into_inner) = Some((before, leave));
        let taken = Self(());
        tcsetattr(std::io::stdin(), OptionalActions::Drain, &state).map_err(failed)?;
        write(enter)?;
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        restore();
    }
}

/// Writes to the terminal.
pub(super) fn write(text: &str) -> Result<()> {
    let mut stderr = std::io::stderr().lock();
    stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()).map_err(|error| fails(&error))
}

/// The size of the terminal now; one that does not say counts as 80 by 24.
pub(super) fn size() -> Size {
    let (rows, columns) = console::Term::stderr().size_checked().unwrap_or((24, 80));
    let or = |given: u16, other: usize| if given == 0 { other } else { usize::from(given) };
    Size { columns: or(columns, 80), rows: or(rows, 24) }
}

/// The error for a terminal that fails.
pub(super) fn fails(error: &std::io::Error) -> Error {
    Error::io("ask on the terminal", error).help("Use `--no-input` and the flags that `--help` lists.")
}

/// Waits until something can be read, for at most so many milliseconds; tells whether it can.
pub(super) fn wait(milliseconds: u64) -> Result<bool> {
    let stdin = std::io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    let nanoseconds = i64::try_from(milliseconds * 1_000_000).unwrap_or_default();
    match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: nanoseconds })) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(fails(&error.into())),
    }
}
