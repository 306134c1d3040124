//! The terminal's own state: taken over for as long as keys are read one by one, and given back whatever happens.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::frame::Size;
use crate::diag::{Error, Result};
use crate::exec::pause_if_interrupted;

/// How often to look whether the terminal has another size, or kilter is to stop, in milliseconds.
pub(super) const LOOKS: u64 = 150;

/// Shows the cursor (xterm's private mode 25).
const SHOW: &str = "\x1b[?25h";

/// The state to give back, and what to write before.
type Saved = Option<(Termios, &'static str)>;

/// Whoever changes the terminal holds this, so that the signal handler undoes all of a change or comes before it.
static SAVED: Mutex<Saved> = Mutex::new(None);

/// Waits for the turn to change the terminal. There is none once kilter has been told to stop: it would stay changed.
fn turn() -> Result<MutexGuard<'static, Saved>> {
    let turn = SAVED.lock().unwrap_or_else(PoisonError::into_inner);
    pause_if_interrupted()?;
    Ok(turn)
}

/// Gives the terminal back as it was. Whoever notices the end first does it.
fn restore() {
    if let Some((state, leave)) = SAVED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(leave.as_bytes()).and_then(|()| stderr.flush());
        // What was typed and not read is not for the shell that comes next.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &state);
    }
}

/// Tells whether single keys were read.
static READ: AtomicBool = AtomicBool::new(false);

/// Leaves what a wizard may be in, from wherever the terminal is: what 1049 goes back to is where the cursor is now.
const AGAIN: &str = "\x1b7\x1b[?2004l\x1b[?25h\x1b[?1049l";

/// Gives the terminal back when kilter is told to stop. A Ctrl-C that is typed as soon as a wizard has given the terminal back
/// takes with it what was not read yet of what the wizard wrote (termios' NOFLSH is off), so this is said again.
pub(crate) fn restore_interrupted() {
    restore();
    if READ.load(Ordering::SeqCst) {
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(AGAIN.as_bytes()).and_then(|()| stderr.flush());
    }
}

/// A terminal that is taken over; given back when dropped.
#[derive(Debug)]
pub(crate) struct Taken(());

impl Taken {
    /// Takes it over for single keys. `enter` is written first, `leave` when it is given back.
    pub(super) fn keys(enter: &str, leave: &'static str) -> Result<Self> {
        let taken = Self::with(leave, |state| state.make_raw(), enter);
        READ.store(true, Ordering::SeqCst);
        taken
    }

    /// Holds on to its state while somebody else asks.
    fn as_it_is() -> Result<Self> {
        Self::with(SHOW, |_| {}, "")
    }

    /// Takes it over for a line that is not shown.
    pub(super) fn hidden() -> Result<Self> {
        Self::with("", |state| state.local_modes.remove(LocalModes::ECHO), "")
    }

    fn with(leave: &'static str, change: impl FnOnce(&mut Termios), enter: &str) -> Result<Self> {
        let failed = |error: rustix::io::Errno| fails(&error.into());
        let mut turn = turn()?;
        let before = tcgetattr(std::io::stdin()).map_err(failed)?;
        let mut state = before.clone();
        change(&mut state);
        *turn = Some((before, leave));
        let changed =
            tcsetattr(std::io::stdin(), OptionalActions::Drain, &state).map_err(failed).and_then(|()| put(enter));
        drop(turn);
        // Dropped, and so given back, where it failed.
        let taken = Self(());
        changed.map(|()| taken)
    }
}

/// Holds on to the state of the terminal while somebody else asks; given back when dropped, or by the signal handler.
///
/// # Errors
/// When the terminal fails.
pub(crate) fn hold() -> Result<Taken> {
    Taken::as_it_is()
}

impl Drop for Taken {
    fn drop(&mut self) {
        restore();
    }
}

/// Writes to the terminal.
pub(super) fn write(text: &str) -> Result<()> {
    let _turn = turn()?;
    put(text)
}

fn put(text: &str) -> Result<()> {
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
