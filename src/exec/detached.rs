//! Processes that outlive kilter: started in a session of their own, known again by their number and start time.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, setsid};
use serde::{Deserialize, Serialize};

use super::{Environment, Invocation};
use crate::diag::{Error, Result};
use crate::fsx;

/// How often a process is looked at where the system cannot say when it ends.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a launched process may take to say who it is.
const RECORDED_WITHIN: Duration = Duration::from_secs(10);

/// A process, told from a later one of the same number by when it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in words of the system that no other process of this number shares.
    pub started: String,
}

impl Process {
    /// Returns this very process.
    ///
    /// # Errors
    /// When the system does not say when it started.
    pub fn this() -> Result<Self> {
        let pid = std::process::id();
        let started = started(pid).ok_or_else(|| {
            Error::missing("the system does not say when this process started").help("Mount `/proc`.")
        })?;
        Ok(Self { pid, started })
    }

    /// Tells whether the process still runs.
    pub fn lives(&self) -> bool {
        started(self.pid).is_some_and(|started| started == self.started)
    }

    /// Ends the process and everything in its group: first it is asked (TERM), after `patience` it is made to (KILL).
    /// Returns whether there was something to end.
    ///
    /// # Errors
    /// When it runs on all the same, for example because it is another user's.
    pub fn end(&self, patience: Duration) -> Result<bool> {
        if !self.lives() {
            return Ok(false);
        }
        let Some(group) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return Ok(false) };
        // An error means that it is gone or another user's: looking tells which.
        let _ = kill_process_group(group, Signal::TERM);
        if !self.gone_within(patience) {
            let _ = kill_process_group(group, Signal::KILL);
            if !self.gone_within(Duration::from_secs(10)) {
                return Err(Error::tool(format!("the process {} does not end", self.pid))
                    .help(format!("Find out whose it is (`ps -fp {0}`) and end it: `kill -9 {0}`.", self.pid)));
            }
        }
        // Children that it did not end itself.
        let _ = kill_process_group(group, Signal::KILL);
        Ok(true)
    }

    /// Waits until the process is gone, no longer than `patience`; tells whether it is.
    pub fn gone_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.lives() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            wait_for_end(self.pid, left);
        }
        true
    }
}

/// Waits until a process ends, at most this long; it may return sooner.
#[cfg(target_os = "linux")]
fn wait_for_end(pid: u32, at_most: Duration) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{PidfdFlags, pidfd_open};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(Ok(end)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else {
        return std::thread::sleep(LOOK_EVERY.min(at_most));
    };
    let timeout = Timespec::try_from(at_most).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    let _ = poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&timeout));
}

#[cfg(not(target_os = "linux"))]
fn wait_for_end(_pid: u32, at_most: Duration) {
    std::thread::sleep(LOOK_EVERY.min(at_most));
}

/// Says when a process started; `None` when there is none of this number, or it has ended and nobody asked how.
#[cfg(target_os = "linux")]
fn started(pid: u32) -> Option<String> {
    // proc(5): the name is in parentheses and may hold anything; the state is field 3, the start in clock ticks field 22.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    match fields.first() {
        Some(&("Z" | "X")) | None => None,
        Some(_) => Some(format!("{} {}", boot.trim(), fields.get(19)?)),
    }
}

#[cfg(not(target_os = "linux"))]
fn started(pid: u32) -> Option<String> {
    let call = Invocation::new("/bin/ps").args(["-o", "stat=,lstart=", "-p", &pid.to_string()]).capture().ok()?;
    let text = call.text();
    let (state, started) = text.trim().split_once(char::is_whitespace)?;
    (!state.starts_with('Z')).then(|| started.trim().to_owned())
}

/// What a detached process leaves in its record, before its program runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The process.
    pub process: Process,
    /// What the one who started it wants to find again.
    pub note: String,
}

impl Record {
    /// Reads a record; `None` when there is none, or it is not one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let text = fsx::read_text(path, 64 * 1024)?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }
}

impl Invocation {
    /// Starts the call in a session of its own, so that neither the end of kilter nor of the terminal ends it. What it
    /// prints is appended to `log`; `record` says which process it is before its program runs, so that it is known
    /// whenever kilter is stopped. `launcher` is kilter itself, whose [`become_detached`] does it.
    ///
    /// # Errors
    /// When it cannot be started. How it fares is not waited for: only that the record names it.
    pub fn detach(&self, launcher: &Path, record: &Path, note: &str, log: &Path) -> Result<()> {
        if let Some(tell) = super::ON_START.get() {
            tell(self);
        }
        fsx::create_dir(log.parent().unwrap_or(Path::new("/")))?;
        let open = fs::OpenOptions::new().create(true).append(true).open(log);
        let log = open.map_err(|error| Error::io(format!("write `{}`", log.display()), &error))?;
        let words = [DETACH.to_owned(), record.to_string_lossy().into_owned(), note.to_owned()];
        let program = self.program.to_string_lossy().into_owned();
        let args = words.into_iter().chain([program]).chain(self.args.iter().cloned()).collect();
        let launch = Self { program: launcher.to_path_buf(), args, ..self.clone() };
        let copy = log.try_clone().map_err(|error| Error::io("open a file twice", &error))?;
        let started = launch.expression().stdin_null().stdout_file(log).stderr_file(copy).unchecked().start();
        let handle = started.map_err(|error| self.cannot_start(&error))?;
        let pid = handle.pids().first().copied();
        // Who looks at the record next has to find this process in it.
        let deadline = Instant::now() + RECORDED_WITHIN;
        while Instant::now() < deadline
            && Record::read(record)?.map(|record| record.process.pid) != pid
            && matches!(handle.try_wait(), Ok(None))
        {
            std::thread::sleep(LOOK_EVERY / 10);
        }
        // Nobody waits for it: should it end while kilter runs, this thread takes its place in the table of processes.
        std::thread::spawn(move || drop(handle.wait()));
        Ok(())
    }

    /// Becomes this call: the process goes on as its program, on the same terminal. Returns only when that fails.
    pub fn become_it(&self) -> Error {
        if let Some(tell) = super::ON_START.get() {
            tell(self);
        }
        #[expect(clippy::disallowed_methods, reason = "this is the room that starts processes")]
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.args);
        match &self.env {
            Environment::Only(vars) => {
                command.env_clear().envs(vars);
            }
            Environment::Inherit(vars) => {
                for (name, value) in vars {
                    match value {
                        Some(value) => command.env(name, value),
                        None => command.env_remove(name),
                    };
                }
            }
        }
        if let Some(dir) = &self.cwd {
            command.current_dir(dir);
        }
        self.cannot_start(&command.exec())
    }
}

/// The first argument by which kilter is told to be a launcher.
const DETACH: &str = "\u{1}detach";

/// Turns this process into a detached one when its arguments say so (see [`Invocation::detach`]); returns the error when
/// that fails, and `None` when they say nothing of the kind.
pub fn become_detached(mut args: impl Iterator<Item = std::ffi::OsString>) -> Option<Error> {
    if args.nth(1)? != DETACH {
        return None;
    }
    let mut word = || args.next().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let (record, note, program) = (word(), word(), word());
    let rest: Vec<String> = args.map(|word| word.to_string_lossy().into_owned()).collect();
    let prepared = || -> Result<()> {
        setsid().map_err(|error| Error::io("start a session", &error.into()))?;
        let record_of = Record { process: Process::this()?, note };
        let text = serde_json::to_string(&record_of).map_err(|error| Error::bug(error.to_string()))?;
        fsx::write(Path::new(&record), (text + "\n").as_bytes())
    };
    Some(match prepared() {
        Ok(()) => {
            close_inherited();
            Invocation::new(program).inherit_env().args(rest).become_it()
        }
        Err(error) => error,
    })
}

/// Where the system lists the descriptors of this process.
#[cfg(target_os = "linux")]
const DESCRIPTORS: &str = "/proc/self/fd";
#[cfg(not(target_os = "linux"))]
const DESCRIPTORS: &str = "/dev/fd";

/// Closes every descriptor beyond the standard three: what whoever started kilter left open. A detached process would keep it
/// for as long as it runs: a lock held (`flock FILE kilter up`), a pipe that never ends.
///
/// Closing by number what somebody else may own is what Rust otherwise keeps apart; here nobody does: the process has
/// one thread, has dropped whatever it opened, and becomes another program next.
fn close_inherited() {
    let listed = fs::read_dir(DESCRIPTORS).into_iter().flatten().flatten();
    let numbers = listed.filter_map(|entry| entry.file_name().to_str()?.parse::<std::os::fd::RawFd>().ok());
    let inherited: Vec<_> = numbers.filter(|number| *number > 2).collect();
    for number in inherited {
        let _ = nix::unistd::close(number); // that of the listing itself is closed already
    }
}

/// Reads the end of a log: at most `bytes` of it, whole lines.
pub fn tail(path: &Path, bytes: u64) -> String {
    use std::io::{Seek as _, SeekFrom};
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
        let mut text = Vec::new();
        file.take(bytes).read_to_end(&mut text)?;
        if length > bytes {
            let first = text.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            text.drain(..first);
        }
        Ok(text)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start() {
        let this = Process::this().unwrap();
        assert!(this.lives());
        let other = Process { started: "another time".into(), ..this };
        assert!(!other.lives());
        assert!(!other.end(Duration::ZERO).unwrap(), "what is another's is not ended");
    }

    #[test]
    fn the_end_of_a_log_is_whole_lines() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        fsx::write(&log, b"first\nsecond\nthird\n").unwrap();
        assert_eq!(tail(&log, 8), "third\n");
        assert_eq!(tail(&log, 100), "first\nsecond\nthird\n");
        assert_eq!(tail(&dir.path().join("none"), 100), "");
    }
}
