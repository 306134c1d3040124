//! A release: what helm renders.

use crate::config::model::Hooks;
use crate::ids::Digest;

/// Everything helm is told about one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The service (or `app`) it belongs to: names its artifacts.
    pub service: String,
    /// Name of the Helm release.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// `--kube-version`, for example `v1.37.0`.
    pub kubernetes: String,
    /// The chart, as a directory whose digest is known.
    pub chart: Chart,
    /// The values file, byte for byte.
    pub values: Vec<u8>,
    /// What happens to hooks: `None` stops the render when the chart has any.
    pub hooks: Option<Hooks>,
}

/// A chart on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Name as Chart.yaml has it.
    pub name: String,
    /// Version as Chart.yaml has it.
    pub version: String,
    /// Digest of its files.
    pub digest: Digest,
    /// The directory helm reads; its contents have that digest.
    pub dir: std::path::PathBuf,
}

impl Release {
    /// Returns the flags of `helm template` behind name and chart, `-f` left out, in a fixed order.
    pub fn flags(&self) -> Vec<String> {
        let mut flags: Vec<String> =
            ["--namespace", &self.namespace, "--kube-version", &self.kubernetes, "--include-crds", "--skip-tests"]
                .map(str::to_owned)
                .into();
        if self.hooks == Some(Hooks::Drop) {
            flags.push("--no-hooks".into());
        }
        flags
    }
}
