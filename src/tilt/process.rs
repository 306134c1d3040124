//! The running Tilt of an instance: started in the background, asked, told to end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::resource::Resource;
use crate::diag::{Error, Result};
use crate::exec::{self, Captured, Ending, Invocation, Record, Said, Stream};
use crate::fsx;
use crate::ids::Digest;

/// How long Tilt may take to end when it is asked to.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// How long one question to Tilt may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// How long a connection to Tilt's port may take.
const CONNECTS_WITHIN: Duration = Duration::from_millis(200);

/// The resource that stands for the Tiltfile itself.
pub const TILTFILE: &str = "(Tiltfile)";

/// What is kept of the Tilt of an instance, running or not.
#[derive(Debug, Clone)]
pub struct Session {
    /// Where its record, its log and its own files are.
    pub dir: PathBuf,
    /// Port of its page and of its API.
    pub port: u16,
}

/// A session with the Tilt that runs it.
#[derive(Debug, Clone)]
pub struct Tilt {
    /// The binary.
    pub program: PathBuf,
    /// The session.
    pub session: Session,
}

/// What a Tilt is started with.
#[derive(Debug)]
pub struct Start<'a> {
    /// The Tiltfile.
    pub tiltfile: &'a Path,
    /// Directory it works in.
    pub dir: &'a Path,
    /// Namespace of objects that say none.
    pub namespace: &'a str,
    /// Its environment over kilter's own.
    pub env: Vec<(String, String)>,
    /// The programs that come first on its `PATH`.
    pub tools: &'a [PathBuf],
    /// The resources to bring up; none means all.
    pub only: &'a [String],
}

impl Start<'_> {
    /// Returns the digest of everything that a running Tilt cannot take up by itself. The rest of `PATH` is none of it: each
    /// terminal has its own.
    fn digest(&self, tilt: &Tilt) -> Digest {
        let env: Vec<_> = self.env.iter().filter(|(name, _)| name != "PATH").collect();
        let place = (self.tiltfile, self.dir, self.namespace);
        let inputs = serde_json::json!([tilt.program, tilt.session.port, place, env, self.tools]);
        Digest::of(inputs.to_string().as_bytes())
    }
}

impl Session {
    fn record(&self) -> PathBuf {
        self.dir.join("tilt.json")
    }

    /// Returns the file that holds what Tilt printed.
    pub fn log(&self) -> PathBuf {
        self.dir.join("tilt.log")
    }

    /// Returns the file that says which resources Tilt was told to bring up: a JSON list, empty for all.
    fn scope(&self) -> PathBuf {
        self.dir.join("only.json")
    }

    /// Returns the address of Tilt's page.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Tells whether Tilt runs.
    ///
    /// # Errors
    /// When its record cannot be read.
    pub fn runs(&self) -> Result<bool> {
        Ok(Record::read(&self.record())?.is_some_and(|record| record.process.lives()))
    }

    /// Tells whether a Tilt was started here that nobody ended and that runs no longer.
    ///
    /// # Errors
    /// When its record cannot be read.
    pub fn died(&self) -> Result<bool> {
        Ok(Record::read(&self.record())?.is_some_and(|record| !record.process.lives()))
    }

    /// Ends Tilt, and what it runs on this machine; what runs in the cluster stays. Tells whether it ran.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&self) -> Result<bool> {
        let ended = match Record::read(&self.record())? {
            Some(record) => record.process.end(ENDS_WITHIN)?,
            None => false,
        };
        fsx::remove(&self.record())?;
        Ok(ended)
    }

    fn remember(&self, only: &[String]) -> Result<()> {
        fsx::write(&self.scope(), serde_json::json!(only).to_string().as_bytes())
    }

    /// Returns the resources that the running Tilt was told to bring up; none means all.
    ///
    /// # Errors
    /// When that is not readable.
    pub fn only(&self) -> Result<Vec<String>> {
        let text = fsx::read_text(&self.scope(), fsx::MAX_FILE)?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Tells whether somebody listens on Tilt's port.
    pub fn listens(&self) -> bool {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], self.port));
        std::net::TcpStream::connect_timeout(&address, CONNECTS_WITHIN).is_ok()
    }

    /// Returns the last lines that Tilt printed.
    pub fn last_words(&self) -> String {
        let text = exec::tail(&self.log(), 4096);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

impl Tilt {
    /// Tells whether the running Tilt was started with other things than it would be now.
    ///
    /// # Errors
    /// When its record cannot be read.
    pub fn is_other(&self, start: &Start<'_>) -> Result<bool> {
        let record = Record::read(&self.session.record())?.filter(|record| record.process.lives());
        Ok(record.is_some_and(|record| record.note != start.digest(self).hex()))
    }

    /// Starts Tilt in the background. `launcher` is kilter itself.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, start: &Start<'_>, launcher: &Path) -> Result<()> {
        fsx::rename_over(&self.session.log(), &self.session.dir.join("tilt.log.old"))?;
        self.session.remember(start.only)?;
        let mut call = Invocation::new(&self.program).inherit_env().cwd(start.dir);
        for (name, value) in &start.env {
            call = call.env(name, value);
        }
        let port = self.session.port.to_string();
        let tiltfile = start.tiltfile.to_string_lossy();
        call = self.own(call).args(["up", "--stream", "--web-mode=prod", "--host=127.0.0.1", "--port", &port]);
        call = call.args(["--namespace", start.namespace]);
        call = call.args(["--file", &tiltfile, "--"]).args(start.only.iter().cloned());
        call.detach(launcher, &self.session.record(), start.digest(self).hex(), &self.session.log())
    }

    /// Returns a call of Tilt's command line to the running Tilt: a command and its arguments.
    fn ask<S: Into<String>>(&self, command: &str, args: impl IntoIterator<Item = S>) -> Invocation {
        let call = self.own(Invocation::new(&self.program).inherit_env());
        let call = call.args([command, "--host=127.0.0.1", "--port", &self.session.port.to_string()]);
        call.args(args).timeout(ANSWERS_WITHIN)
    }

    /// Gives a call Tilt's own directory: each instance has its own, so that none reads another's keys.
    fn own(&self, call: Invocation) -> Invocation {
        call.env("TILT_DEV_DIR", self.session.dir.join("tilt-dev").to_string_lossy())
            .env("DO_NOT_TRACK", "1")
            .env("TILT_DISABLE_ANALYTICS", "1")
    }

    /// Returns every resource as it is now; `None` while Tilt does not answer.
    ///
    /// # Errors
    /// When Tilt's command line cannot be run.
    pub fn resources(&self) -> Result<Option<Vec<Resource>>> {
        let answer = self.ask("get", ["uiresources", "--output", "json"]).capture()?;
        let list: Value = serde_json::from_slice(&answer.stdout).unwrap_or_default();
        let items = list["items"].as_array().filter(|_| answer.ok());
        Ok(items.map(|items| items.iter().filter_map(Resource::read).collect()))
    }

    /// Returns when the objects of a resource were last applied, as Tilt writes it; empty before the first time.
    ///
    /// # Errors
    /// When Tilt does not answer.
    pub fn applied_at(&self, resource: &str) -> Result<String> {
        let answer = self.ask("get", ["kubernetesapply", resource, "--output", "json"]).capture()?;
        let object: Value = serde_json::from_slice(&answer.stdout).unwrap_or_default();
        match answer.ok() {
            true => Ok(object["status"]["lastApplyTime"].as_str().unwrap_or_default().to_owned()),
            false => Err(Error::tool("Tilt does not answer").detail(answer.stderr.trim())),
        }
    }

    /// Listens to the resources: each as it is, and again whenever it changes.
    ///
    /// # Errors
    /// When Tilt's command line cannot be run.
    pub fn watch(&self, tell: impl Fn(Said<Value>) + Send + Sync + 'static) -> Result<Stream> {
        self.ask("get", ["uiresources", "--watch", "--output", "json"]).documents(tell)
    }

    /// Returns the call that shows what everything says, until it is ended.
    pub fn follow_logs(&self) -> Invocation {
        self.ask("logs", ["--follow"])
    }

    /// Has Tilt do a resource again: build, deploy; the Tiltfile: load.
    ///
    /// # Errors
    /// When there is no such resource, or Tilt does not answer.
    pub fn trigger(&self, resource: &str) -> Result<()> {
        require(&self.ask("trigger", [resource]))
    }

    /// Has Tilt bring up these resources and what they need; all of them when none is named. The Tiltfile is loaded anew.
    ///
    /// # Errors
    /// When Tilt does not answer.
    pub fn bring_up(&self, only: &[String]) -> Result<()> {
        let call = match only {
            [] => self.ask("args", ["--clear"]),
            some => self.ask("args", ["--"]).args(some.iter().cloned()),
        };
        require(&call)?;
        self.session.remember(only)
    }

    /// Has Tilt take up again what somebody disabled on its page.
    ///
    /// # Errors
    /// When Tilt does not answer.
    pub fn enable(&self, resources: &[String]) -> Result<()> {
        require(&self.ask("enable", resources.iter().cloned()))
    }
}

fn require(call: &Invocation) -> Result<()> {
    let Captured { ending, stderr, .. } = call.capture()?;
    match ending {
        Ending::Exited(0) => Ok(()),
        ending => Err(Error::tool(format!("Tilt did not do as told: {ending}")).detail(stderr.trim())),
    }
}
