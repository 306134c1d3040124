//! The one way kilter calls `helm template`: a cleared environment and homes of its own.
//!
//! What would otherwise leak into helm's output is listed in helm/helm `pkg/cli/environment.go`, `pkg/helmpath` and
//! client-go's `clientcmd`: namespace and kubeconfig, plugins, registry and repository configuration, HELM_* settings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Release;
use crate::exec::Invocation;
use crate::ids::Digest;

/// How long one call of helm may take, unless the user says otherwise. Charts of ordinary size take a fraction of a second.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// How much one `helm template` may print. The largest public charts print about 2 MiB.
pub const MAX_OUTPUT: usize = 32 * 1024 * 1024;

/// The helm to run.
#[derive(Debug, Clone)]
pub struct Helm {
    /// The binary.
    pub path: PathBuf,
    /// Version without `v`, for example `4.3.0`.
    pub version: String,
    /// Commit it was built from, when known.
    pub commit: Option<String>,
    /// Digest of the binary.
    pub digest: Digest,
    /// A directory for helm's homes; they stay empty.
    pub home: PathBuf,
    /// How long one call may take.
    pub timeout: Duration,
    /// How many bytes one call may print.
    pub max_output: usize,
    /// A program that confines helm, for charts whose values come from strangers: it is run as `PROGRAM confined CHART HELM …`.
    pub confined_by: Option<PathBuf>,
}

/// Where helm reads the values from.
#[derive(Debug, Clone, Copy)]
pub enum ValuesFrom<'a> {
    /// Standard input: kilter's own renders, so that a values file is written only when its manifest is.
    Stdin,
    /// A file: what a person runs.
    File(&'a Path),
}

impl Helm {
    /// Returns the call of helm, with the cleared environment.
    pub fn call(&self) -> Invocation {
        self.call_of(Invocation::new(&self.path))
    }

    /// Gives a call of helm the cleared environment.
    fn call_of(&self, call: Invocation) -> Invocation {
        let home = |below: &str| self.home.join(below).to_string_lossy().into_owned();
        let mut call = call.timeout(self.timeout);
        call.max_output = self.max_output;
        for (name, below) in [
            ("HOME", "home"),
            ("KUBECONFIG", "kubeconfig"),
            ("DOCKER_CONFIG", "docker"),
            ("HELM_PLUGINS", "plugins"),
            ("HELM_CACHE_HOME", "cache"),
            ("HELM_CONFIG_HOME", "config"),
            ("HELM_DATA_HOME", "data"),
        ] {
            call = call.env(name, home(below));
        }
        call.env("PATH", "/usr/bin:/bin")
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .env("NO_COLOR", "1")
            .env("HELM_NO_PLUGINS", "1")
            // Nothing of helm's reads it, Go's runtime does: a render is over before collecting garbage pays. It takes a sixth of the time.
            .env("GOGC", "400")
    }

    /// Returns the call that renders a release.
    pub fn template(&self, release: &Release, values: ValuesFrom<'_>) -> Invocation {
        let chart = release.chart.dir.to_string_lossy();
        let call = match &self.confined_by {
            None => Invocation::new(&self.path),
            Some(program) => {
                Invocation::new(program).args(["confined", &chart]).arg(self.path.to_string_lossy().into_owned())
            }
        };
        let call = self.call_of(call).arg("template").arg(&release.name).arg(chart);
        let mut call = call.args(release.flags()).arg("-f");
        match values {
            ValuesFrom::Stdin => {
                call = call.arg("-");
                call.stdin = Some(release.values.clone());
                call
            }
            ValuesFrom::File(path) => call.arg(path.to_string_lossy()),
        }
    }
}
