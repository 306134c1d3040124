//! git as a subprocess: its own home, no configuration of the machine, no prompt, logins by file alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::diag::{Error, Result};
use crate::exec::{Captured, Invocation, redact, shell_word};
use crate::fsx;

/// How long one call of git may take; a first clone of a large repository is the longest.
const TIMEOUT: Duration = Duration::from_secs(120);

/// How git logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// It does not.
    None,
    /// A directory with the files `username` and `password`, as Flux' Secrets have them.
    Basic(PathBuf),
    /// A directory with the files `identity` and `known_hosts`, as Flux' Secrets have them.
    Ssh(PathBuf),
}

/// A branch of a repository, and where its copy is kept.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Its address; holds no login.
    pub url: String,
    /// The branch that Flux follows.
    pub branch: String,
    /// How git logs in.
    pub credentials: Credentials,
    /// An SSH key that signs commits.
    pub signing_key: Option<PathBuf>,
    /// The git to run.
    pub git: PathBuf,
    /// A directory for the copy; safe to lose.
    pub dir: PathBuf,
}

impl Remote {
    /// Guesses from the files of a mounted Secret how git logs in.
    pub fn credentials_in(dir: Option<&Path>) -> Credentials {
        match dir {
            Some(dir) if dir.join("identity").is_file() => Credentials::Ssh(dir.to_owned()),
            Some(dir) if dir.join("password").is_file() => Credentials::Basic(dir.to_owned()),
            _ => Credentials::None,
        }
    }

    /// Returns a call of git on the copy; nothing of it goes to the network without [`Remote::online`].
    pub(super) fn call<S: Into<String>>(&self, args: impl IntoIterator<Item = S>) -> Invocation {
        self.bare_call().env("GIT_DIR", self.copy().to_string_lossy()).args(args)
    }

    /// Returns a call of git that needs no copy.
    fn bare_call(&self) -> Invocation {
        Invocation::new(&self.git)
            .timeout(TIMEOUT)
            .env("HOME", self.dir.join("home").to_string_lossy())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
    }

    /// Returns a call that speaks to the remote, on the copy. The login is read anew each time, as whoever runs the platform may
    /// change it.
    pub(super) fn online<S: Into<String>>(&self, args: impl IntoIterator<Item = S>) -> Result<Invocation> {
        let words: Vec<String> = args.into_iter().map(Into::into).collect();
        self.logged_in(self.call(Vec::<String>::new()), words)
    }

    /// Tells whether the remote answers, whatever the copy is like.
    pub(super) fn answers(&self) -> bool {
        let words = ["ls-remote", "--quiet", &self.url].map(str::to_owned).into();
        let asked = self.logged_in(self.bare_call(), words).and_then(|call| call.capture());
        asked.is_ok_and(|captured| captured.ok())
    }

    fn logged_in(&self, mut call: Invocation, words: Vec<String>) -> Result<Invocation> {
        let mut first: Vec<String> = Vec::new();
        match &self.credentials {
            Credentials::None => {}
            Credentials::Basic(dir) => {
                let file = self.dir.join("credentials");
                fsx::write_private(&file, self.login(dir)?.as_bytes())?;
                let helper = format!("credential.helper=store --file={}", shell_word(&file.to_string_lossy()));
                first.extend(["-c".to_owned(), "credential.helper=".to_owned(), "-c".to_owned(), helper]);
            }
            Credentials::Ssh(dir) => {
                let path = |file: &str| shell_word(&dir.join(file).to_string_lossy());
                let command = format!(
                    "ssh -i {} -o UserKnownHostsFile={} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o BatchMode=yes",
                    path("identity"),
                    path("known_hosts")
                );
                call = call.env("GIT_SSH_COMMAND", command);
            }
        }
        first.extend(words);
        Ok(call.args(first))
    }

    /// Where the copy is: a bare repository.
    pub(super) fn copy(&self) -> PathBuf {
        self.dir.join("repository.git")
    }

    /// Returns the line of git's `store` helper: the address with the login in it, percent-encoded (git-credential-store(1)).
    fn login(&self, dir: &Path) -> Result<String> {
        let read = |name: &str| {
            let text = fsx::read_text(&dir.join(name), 64 * 1024)?;
            text.map(|text| encode(text.trim_end_matches(['\r', '\n']))).ok_or_else(|| {
                Error::missing(format!("the repository's login has no `{name}`")).help(
                    "Check the Secret of the repository: `username` and `password`, or `identity` and `known_hosts`.",
                )
            })
        };
        let (scheme, rest) = self.url.split_once("://").ok_or_else(|| {
            Error::missing(format!("`{}` is no address that a user name and password are for", self.url))
                .help("Use an https address, or an SSH key.")
        })?;
        let host = rest.split('/').next().unwrap_or_default();
        Ok(format!("{scheme}://{}:{}@{host}\n", read("username")?, read("password")?))
    }
}

/// Runs a call to its end.
///
/// # Errors
/// When it does not end with code 0; git's words are in it, without logins.
pub(super) fn run(call: &Invocation, what: &str) -> Result<Captured> {
    let captured = call.capture()?;
    if captured.ok() {
        return Ok(captured);
    }
    Err(failure(&captured, what))
}

/// Returns the error for a call that failed.
pub(super) fn failure(captured: &Captured, what: &str) -> Error {
    let said = captured.stderr.lines().rev().take(12).collect::<Vec<_>>();
    let said = said.into_iter().rev().collect::<Vec<_>>().join("\n");
    let error = Error::tool(format!("cannot {what}: git: {}", captured.ending)).detail(redact(&said));
    if is_full(&error) {
        return error.help("Give the volume of the operator's directory more room: then the next try goes on.");
    }
    error.help("Check the repository's address, its login and whether its server answers.")
}

/// What is said where a disk is full: the C library's words for ENOSPC and EDQUOT, and git's own (csum-file.c).
const FULL: [&str; 3] = ["no space left on device", "disk quota exceeded", "out of diskspace"];

/// Tells whether there was no room on this machine's disk. What git marks as the remote's words is not about it.
pub(super) fn is_full(error: &Error) -> bool {
    let full = |line: &str| {
        let line = line.trim_start().to_ascii_lowercase();
        !line.starts_with("remote:") && FULL.iter().any(|words| line.contains(words))
    };
    error
        .problems()
        .iter()
        .any(|problem| full(&problem.what) || problem.detail.iter().any(|text| text.lines().any(full)))
}

/// Percent-encodes everything but unreserved characters (RFC 3986).
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
