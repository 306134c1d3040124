//! Ctrl-C and termination: no orphan process, no half-written file, exit code 130.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::diag::{Error, Result};

/// Kilter does what it was asked to.
const GOES_ON: u8 = 0;
/// It has been told to stop.
const INTERRUPTED: u8 = 1;
/// It is writing what has to be whole: see [`Whole`].
const WRITES: u8 = 2;
/// It has been told to stop meanwhile.
const WRITES_STILL: u8 = 3;

static STATE: AtomicU8 = AtomicU8::new(GOES_ON);
static GROUPS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Tells whether kilter has been told to stop.
pub fn interrupted() -> bool {
    STATE.load(Ordering::SeqCst) == INTERRUPTED
}

/// Holds an interrupt back while several files are written that belong together: none of them is written, or all are.
/// Whoever insists (a second Ctrl-C) is heard.
#[derive(Debug)]
pub struct Whole(());

impl Whole {
    /// Begins; not within another.
    ///
    /// # Errors
    /// When kilter has been told to stop: then nothing is to be written any more.
    pub fn begin() -> Result<Self> {
        match STATE.compare_exchange(GOES_ON, WRITES, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => Ok(Self(())),
            Err(_) => Err(Error::interrupted()),
        }
    }

    /// Says that all is done and kilter about to end: an interrupt comes too late from now on.
    pub fn and_done(self) {
        std::mem::forget(self);
    }
}

impl Drop for Whole {
    /// An interrupt that came meanwhile counts now.
    fn drop(&mut self) {
        let after = |state| match state {
            WRITES => Some(GOES_ON),
            WRITES_STILL => Some(INTERRUPTED),
            _ => None,
        };
        let _ = STATE.fetch_update(Ordering::SeqCst, Ordering::SeqCst, after); // None: somebody insisted
    }
}

/// What an interrupt has to bring about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// Nothing: what is being written has to be whole.
    HeldBack,
    /// The end: no tool ran.
    End,
    /// The end: the command waits for its tools no longer and ends by itself.
    EndOfTools,
}

/// Fails with [`Error::interrupted`] when kilter has been told to stop.
///
/// # Errors
/// When kilter has been told to stop.
pub fn pause_if_interrupted() -> Result<()> {
    if interrupted() { Err(Error::interrupted()) } else { Ok(()) }
}

/// To be called by the signal handler: notes the interrupt and, unless it is held back, ends every process that kilter runs.
pub fn on_interrupt() -> Interrupt {
    if STATE.compare_exchange(WRITES, WRITES_STILL, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        return Interrupt::HeldBack;
    }
    STATE.store(INTERRUPTED, Ordering::SeqCst);
    if end_tools() { Interrupt::EndOfTools } else { Interrupt::End }
}

/// Ends every process that kilter runs, and lets kilter go on. Returns whether there was one.
pub fn end_tools() -> bool {
    let groups: Vec<u32> = lock().iter().copied().collect();
    for group in &groups {
        end_group(*group);
    }
    !groups.is_empty()
}

/// Ends a process group at once. Captured tools keep no state that a gentler end would save.
pub(super) fn end_group(group: u32) {
    let pid = i32::try_from(group).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// Keeps a process group known to [`on_interrupt`] while it runs.
#[derive(Debug)]
pub(super) struct Registered(u32);

impl Registered {
    /// Starts a process and makes its group known. An interrupt comes before the start, which then fails, or after both: no
    /// process starts unknown.
    pub(super) fn start<T>(start: impl FnOnce() -> Result<(T, u32)>) -> Result<(T, Self)> {
        let mut groups = lock();
        pause_if_interrupted()?;
        let (process, group) = start()?;
        groups.insert(group);
        Ok((process, Self(group)))
    }

    /// Returns the group.
    pub(super) fn group(&self) -> u32 {
        self.0
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock().remove(&self.0);
    }
}

fn lock() -> std::sync::MutexGuard<'static, BTreeSet<u32>> {
    GROUPS.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
