//! Ctrl-C and termination: no orphan process, no half-written file, exit code 130.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::diag::{Error, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static GROUPS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Tells whether kilter has been told to stop.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Fails with [`Error::interrupted`] when kilter has been told to stop.
///
/// # Errors
/// When kilter has been told to stop.
pub fn pause_if_interrupted() -> Result<()> {
    if interrupted() { Err(Error::interrupted()) } else { Ok(()) }
}

/// To be called by the signal handler: notes the interrupt and ends every process that kilter runs. Returns whether there
/// was one: then the command waits for it no longer and ends by itself.
pub fn on_interrupt() -> bool {
    INTERRUPTED.store(true, Ordering::SeqCst);
    end_tools()
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
