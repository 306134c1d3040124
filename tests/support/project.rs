//! A project in a place of its own, and kilter run on it as a person would: the whole binary, and nothing of this
//! machine's environment.

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// After this a run counts as hanging. Far above what any run needs on a loaded machine.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// A project with a cache, a state directory and a home that no other test sees; gone when dropped.
#[derive(Debug)]
pub(crate) struct Project {
    dir: tempfile::TempDir,
    name: String,
    helm: PathBuf,
}

impl Project {
    /// Makes an empty project in a directory of this name. Its helm is the one that the tests run (`KILTER_HELM`), or
    /// none.
    pub(crate) fn new(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let project = Self { dir, name: name.to_owned(), helm: super::helm_of_tests().unwrap_or_default() };
        for made in [project.root(), project.cache(), project.state(), project.home()] {
            fs::create_dir_all(made).unwrap();
        }
        project
    }

    /// Writes a file of the project, with the directories above it.
    pub(crate) fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.write(path, text);
        self
    }

    /// Copies a project of `tests/fixtures/projects` into this one.
    pub(crate) fn fixture(self, name: &str) -> Self {
        copy_tree(&super::root().join("tests/fixtures/projects").join(name), &self.root());
        self
    }

    /// Gives the project a helm of the test's own: a shell script. It has to answer `version` (see [`fake_helm`]).
    pub(crate) fn helm_script(mut self, script: &str) -> Self {
        self.helm = self.outside("bin/helm");
        write_script(&self.helm, script);
        self
    }

    /// Gives the project another helm.
    pub(crate) fn with_helm(mut self, helm: &Path) -> Self {
        self.helm = helm.to_owned();
        self
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        kilter::fsx::write(&self.root().join(path), text.as_ref()).unwrap();
    }

    /// Reads a file of the project as text; fails the test when it is not there.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// The project's directory.
    pub(crate) fn root(&self) -> PathBuf {
        self.outside("work").join(&self.name)
    }

    /// What `KILTER_CACHE_DIR` says.
    pub(crate) fn cache(&self) -> PathBuf {
        self.outside("cache")
    }

    /// What `XDG_STATE_HOME` says.
    pub(crate) fn state(&self) -> PathBuf {
        self.outside("state")
    }

    /// What `HOME` says.
    pub(crate) fn home(&self) -> PathBuf {
        self.outside("home")
    }

    /// What `KILTER_HELM` says; empty when the tests have no helm.
    pub(crate) fn helm(&self) -> &Path {
        &self.helm
    }

    /// A path beside the project, in the directory that goes with it.
    pub(crate) fn outside(&self, path: &str) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap().join(path)
    }

    /// Prepares a run of kilter in the project's directory, with an environment of `PATH`, `HOME`, `KILTER_CACHE_DIR`,
    /// `XDG_STATE_HOME` and `KILTER_HELM` and nothing else.
    pub(crate) fn kilter<S: AsRef<OsStr>>(&self, args: &[S]) -> Run<'_> {
        let mut command = command(Path::new(env!("CARGO_BIN_EXE_kilter")));
        command.args(args).current_dir(self.root()).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("HOME", self.home()).env("KILTER_CACHE_DIR", self.cache()).env("XDG_STATE_HOME", self.state());
        if !self.helm.as_os_str().is_empty() {
            command.env("KILTER_HELM", &self.helm);
        }
        Run { project: self, command, stdin: None, patience: HANGS_AFTER }
    }

    /// Takes out of a text what differs from run to run: `[PROJECT]`, `[CACHE]`, `[STATE]`, `[HOME]`, `[HELM]`, and
    /// `[TMP]` for what lies beside them.
    pub(crate) fn shown(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if !self.helm.as_os_str().is_empty() {
            text = text.replace(&*self.helm.to_string_lossy(), "[HELM]");
        }
        for (path, name) in [
            (self.root(), "[PROJECT]"),
            (self.cache(), "[CACHE]"),
            (self.state(), "[STATE]"),
            (self.home(), "[HOME]"),
            (self.outside(""), "[TMP]/"),
        ] {
            text = text.replace(&*path.to_string_lossy(), name);
        }
        text
    }
}

/// One run of kilter that is being prepared.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    project: &'a Project,
    command: Command,
    stdin: Option<Vec<u8>>,
    patience: Duration,
}

impl Run<'_> {
    /// Sets a variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Takes a variable out of the environment.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Adds an argument.
    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    /// Runs in this directory.
    pub(crate) fn cwd(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Feeds standard input, which is empty otherwise.
    pub(crate) fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = Some(bytes.to_vec());
        self
    }

    /// Counts as hanging only after this time.
    pub(crate) fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Returns the process as it is prepared, for a terminal to start it.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    /// Starts kilter and does not wait for it.
    pub(crate) fn start(mut self) -> Running {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = self.command.spawn().unwrap();
        if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), self.stdin.take()) {
            // A kilter that does not read what it is given is no failure of the test.
            thread::spawn(move || pipe.write_all(&bytes));
        }
        let (stdout, stderr) = (Heard::new(child.stdout.take().unwrap()), Heard::new(child.stderr.take().unwrap()));
        Running { child, stdout, stderr, patience: self.patience }
    }

    /// Runs kilter to its end. Fails the test when it hangs.
    pub(crate) fn run(self) -> Output {
        self.start().end()
    }

    /// Runs kilter and expects success.
    pub(crate) fn succeeds(self) -> Output {
        let output = self.run();
        assert_eq!(output.code, 0, "kilter failed:\n{}", output.stderr);
        output
    }

    /// Runs kilter and expects this exit code and nothing on standard output; returns standard error as
    /// [`Project::shown`] has it.
    pub(crate) fn fails(self, code: i32) -> String {
        let project = self.project;
        let output = self.run();
        let stderr = project.shown(&output.stderr);
        assert_eq!((output.code, output.stdout.as_str()), (code, ""), "standard error:\n{stderr}");
        stderr
    }
}

/// A kilter that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    stdout: Heard,
    stderr: Heard,
    patience: Duration,
}

/// What a process says, piece by piece; the pieces end with it.
#[derive(Debug)]
struct Heard {
    pieces: Receiver<Vec<u8>>,
    text: Vec<u8>,
}

impl Running {
    /// Sends a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits until it has said this on standard error. Fails the test when it does not.
    pub(crate) fn said(&mut self, text: &str) {
        if !self.stderr.hears(text, Instant::now() + self.patience) {
            let _ = self.child.kill();
            panic!("never said {text:?}, but:\n{}", String::from_utf8_lossy(&self.stderr.text));
        }
    }

    /// Waits until it has printed this on standard output. Fails the test when it does not.
    pub(crate) fn says(&mut self, text: &str) {
        if !self.stdout.hears(text, Instant::now() + self.patience) {
            let _ = self.child.kill();
            panic!("never printed {text:?}, but:\n{}", String::from_utf8_lossy(&self.stdout.text));
        }
    }

    /// Waits for the end. Fails the test when it does not come, or when a process that kilter started outlives it with
    /// kilter's output in its hands.
    pub(crate) fn end(mut self) -> Output {
        let deadline = Instant::now() + self.patience;
        if !(self.stdout.ends(deadline) && self.stderr.ends(deadline)) {
            let _ = self.child.kill();
            panic!("kilter hangs; until then it said:\n{}", String::from_utf8_lossy(&self.stderr.text));
        }
        let status = self.child.wait().unwrap();
        Output {
            code: code(status),
            stdout: String::from_utf8_lossy(&self.stdout.text).into_owned(),
            stderr: String::from_utf8_lossy(&self.stderr.text).into_owned(),
            stdout_bytes: self.stdout.text,
        }
    }
}

/// How a run ended and what it said.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// The exit code; 128 + N for signal N.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Standard output, byte for byte.
    pub(crate) stdout_bytes: Vec<u8>,
}

/// Returns the exit code of a process; 128 + N for signal N.
pub(crate) fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
}

/// Prepares a process.
#[expect(clippy::disallowed_methods, reason = "a test runs kilter, and the tools beside it, as a person would")]
pub(crate) fn command(program: &Path) -> Command {
    Command::new(program)
}

/// The text of a helm that answers `version` as helm 4.3.0 does and for everything else runs these shell lines.
pub(crate) fn fake_helm(lines: &str) -> String {
    format!(
        "if [ \"$1\" = version ]; then echo 'version.BuildInfo{{Version:\"v4.3.0\", GoVersion:\"go1.26.8\"}}'; exit 0; fi\n{lines}"
    )
}

/// Writes a shell script that may be run. Another process writes it: were it open here for writing while another test
/// starts a process, the system would say "text file busy" to whoever runs it then.
pub(crate) fn write_script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut shell = command(Path::new("/bin/sh"));
    shell.args([OsStr::new("-c"), OsStr::new("cat >\"$0\" && chmod 755 \"$0\""), path.as_os_str()]);
    let mut shell = shell.stdin(Stdio::piped()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(format!("#!/bin/sh\n{text}\n").as_bytes()).unwrap();
    assert!(shell.wait().unwrap().success());
}

/// Copies a directory with everything below it; links stay links.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy_tree(&entry.path(), &target),
            kind if kind.is_symlink() => {
                std::os::unix::fs::symlink(fs::read_link(entry.path()).unwrap(), target).unwrap();
            }
            _ => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

impl Heard {
    fn new(mut stream: impl Read + Send + 'static) -> Self {
        let (sender, pieces) = channel();
        thread::spawn(move || {
            let mut piece = [0; 64 * 1024];
            while let Ok(length @ 1..) = stream.read(&mut piece) {
                let _ = sender.send(piece[..length].to_vec()); // nobody waits when the test has failed already
            }
        });
        Self { pieces, text: Vec::new() }
    }

    /// Waits for the next piece.
    fn listen(&mut self, deadline: Instant) -> Result<(), RecvTimeoutError> {
        let piece = self.pieces.recv_timeout(deadline.saturating_duration_since(Instant::now()))?;
        self.text.extend(piece);
        Ok(())
    }

    /// Listens until it has heard this; tells whether it has.
    fn hears(&mut self, text: &str, deadline: Instant) -> bool {
        while !String::from_utf8_lossy(&self.text).contains(text) {
            if self.listen(deadline).is_err() {
                return false;
            }
        }
        true
    }

    /// Listens to the end; tells whether it came.
    fn ends(&mut self, deadline: Instant) -> bool {
        loop {
            match self.listen(deadline) {
                Ok(()) => {}
                Err(ended) => return ended == RecvTimeoutError::Disconnected,
            }
        }
    }
}
