//! Running a tool to its end while reading what it says.

use std::io::{PipeWriter, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::interrupt::{self, Registered};
use super::{Environment, Invocation};
use crate::diag::{Error, Result};

/// How many bytes of standard error are kept (the last ones).
const STDERR_TAIL: usize = 64 * 1024;

/// How often and how soon a program is started again that was "busy": written a moment ago, and its file still open in a
/// process that another thread was starting at that moment (it closes the file when it starts its own program).
const BUSY_TRIES: u32 = 50;
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It ended by itself with this code.
    Exited(i32),
    /// A signal that kilter did not send ended it.
    Signalled(i32),
    /// It ran longer than it may and was stopped.
    TimedOut,
    /// It printed more than it may and was stopped.
    Flooded,
}

impl std::fmt::Display for Ending {
    /// Says how a process ended, as the end of a sentence about it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "it ended with code {code}"),
            Self::Signalled(signal) => write!(f, "signal {signal} ended it"),
            Self::TimedOut => f.write_str("it did not end in time and was stopped"),
            Self::Flooded => f.write_str("it printed without end and was stopped"),
        }
    }
}

/// What a captured process said and how it ended.
#[derive(Debug, Clone)]
pub struct Captured {
    /// How it ended.
    pub ending: Ending,
    /// Standard output, at most the call's `max_output` bytes.
    pub stdout: Vec<u8>,
    /// The last 64 KiB of standard error.
    pub stderr: String,
}

impl Captured {
    /// Tells whether the process ended by itself with code 0.
    pub fn ok(&self) -> bool {
        self.ending == Ending::Exited(0)
    }

    /// Returns standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl Invocation {
    /// Runs the call in a process group of its own and waits for its end.
    ///
    /// # Errors
    /// When the program cannot be started, or kilter is interrupted. How the process ended is no error here.
    pub fn capture(&self) -> Result<Captured> {
        let captured = self.captured(|start| Registered::start(start).map(|(handle, group)| (handle, Some(group))));
        if interrupt::interrupted() { Err(Error::interrupted()) } else { captured }
    }

    /// Runs the call as [`Invocation::capture`] does, whether kilter was told to stop or not, and is not ended by that: for
    /// putting away what an interrupted tool left. kilter does not wait for it longer than it takes to end.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn capture_regardless(&self) -> Result<Captured> {
        self.captured(|start| start().map(|(handle, _)| (handle, None)))
    }

    /// Runs the call to its end. `begin` starts it and keeps what is to be kept meanwhile.
    fn captured(
        &self,
        begin: impl FnOnce(Start<'_>) -> Result<(duct::Handle, Option<Registered>)>,
    ) -> Result<Captured> {
        if let Some(tell) = super::ON_START.get() {
            tell(self);
        }
        let (out_read, out_write) = std::io::pipe().map_err(|e| Error::io("open a pipe", &e))?;
        let (err_read, err_write) = std::io::pipe().map_err(|e| Error::io("open a pipe", &e))?;
        let (handle, _registered) = begin(Box::new(|| {
            let handle = self.start(out_write, err_write)?;
            let group = group_of(&handle);
            Ok((handle, group))
        }))?;
        let group = group_of(&handle);
        let flooded = Arc::new(AtomicBool::new(false));
        let out = read_up_to(out_read, self.max_output, Arc::clone(&flooded), group);
        let err = read_tail(err_read);
        let timed_out = !wait(&handle, self.timeout, group)?;
        let status = handle.wait().map_err(|error| self.cannot_start(&error))?.status;
        // Whatever the process left running in its group goes with it: it would hold the pipes open.
        interrupt::end_group(group);
        let stdout = join(out);
        let stderr = String::from_utf8_lossy(&join(err)).into_owned();
        let ending = match (timed_out, flooded.load(Ordering::SeqCst), status.code(), status.signal()) {
            (true, ..) => Ending::TimedOut,
            (_, true, ..) => Ending::Flooded,
            (_, _, Some(code), _) => Ending::Exited(code),
            (.., signal) => Ending::Signalled(signal.unwrap_or_default()),
        };
        Ok(Captured { ending, stdout, stderr })
    }

    /// Starts the call. The expressions made here hold the write ends of the pipes: they end with this function, so that
    /// the readers see the end of the stream when the process is gone.
    pub(super) fn start(&self, stdout: PipeWriter, stderr: PipeWriter) -> Result<duct::Handle> {
        let expression = self.expression().stdout_file(stdout).stderr_file(stderr).unchecked();
        let expression = expression.before_spawn(|command| {
            command.process_group(0);
            Ok(())
        });
        let expression = match &self.stdin {
            Some(bytes) => expression.stdin_bytes(bytes.clone()),
            None => expression.stdin_null(),
        };
        let mut tries = 0;
        loop {
            match expression.start() {
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES => {
                    tries += 1;
                    thread::sleep(BUSY_PAUSE);
                }
                result => return result.map_err(|error| self.cannot_start(&error)),
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the room that starts processes")]
    pub(super) fn expression(&self) -> duct::Expression {
        let mut expression = duct::cmd(&self.program, &self.args);
        match &self.env {
            Environment::Only(vars) => expression = expression.full_env(vars),
            Environment::Inherit(vars) => {
                for (name, value) in vars {
                    expression = match value {
                        Some(value) => expression.env(name, value),
                        None => expression.env_remove(name),
                    };
                }
            }
        }
        match &self.cwd {
            Some(dir) => expression.dir(dir),
            None => expression,
        }
    }

    pub(super) fn cannot_start(&self, error: &std::io::Error) -> Error {
        let words = crate::diag::io_words(error);
        Error::missing(format!("cannot run `{}`: {words}", self.program.display()))
            .help("Check that the file is there and may be executed.")
    }
}

/// Starts a process; returns its group with it.
type Start<'a> = Box<dyn FnOnce() -> Result<(duct::Handle, u32)> + 'a>;

fn group_of(handle: &duct::Handle) -> u32 {
    handle.pids().first().copied().unwrap_or_default()
}

/// Waits for the end; on the time limit, ends the group. Returns whether the process ended in time.
fn wait(handle: &duct::Handle, timeout: Duration, group: u32) -> Result<bool> {
    let deadline = Instant::now() + timeout;
    match handle.wait_deadline(deadline) {
        Ok(Some(_)) => Ok(true),
        Ok(None) => {
            interrupt::end_group(group);
            Ok(false)
        }
        Err(error) => Err(Error::io("wait for a process", &error)),
    }
}

/// Reads a stream to its end, or until `limit` bytes, when the group is ended.
fn read_up_to(mut stream: impl Read + Send + 'static, limit: usize, over: Arc<AtomicBool>, group: u32) -> Reader {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = stream.read(&mut buffer) {
            let room = limit - bytes.len();
            bytes.extend_from_slice(&buffer[..n.min(room)]);
            if n > room {
                over.store(true, Ordering::SeqCst);
                interrupt::end_group(group);
                break;
            }
        }
        bytes
    })
}

/// Reads a stream to its end and keeps its last bytes.
pub(super) fn read_tail(mut stream: impl Read + Send + 'static) -> Reader {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(n @ 1..) = stream.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..n]);
            if bytes.len() > 2 * STDERR_TAIL {
                bytes.drain(..bytes.len() - STDERR_TAIL);
            }
        }
        bytes.drain(..bytes.len().saturating_sub(STDERR_TAIL));
        bytes
    })
}

pub(super) type Reader = JoinHandle<Vec<u8>>;

pub(super) fn join(reader: Reader) -> Vec<u8> {
    reader.join().unwrap_or_default()
}
