//! A receipt per manifest: which inputs gave which bytes, enough for anyone to do it again by hand.

use serde::{Deserialize, Serialize};

use super::{Helm, PROTOCOL, Release};
use crate::ids::Digest;

/// What a manifest was rendered from. Holds no path of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Version of the way kilter calls helm.
    pub protocol: u32,
    /// Digest of all inputs (see [`super::key`]).
    pub key: Digest,
    /// The helm that ran.
    pub helm: ReceiptHelm,
    /// `helm template` arguments: release name, `{chart}`, flags, `-f`, `{values}`.
    pub arguments: Vec<String>,
    /// Name of the chart.
    pub chart: String,
    /// Version of the chart.
    pub chart_version: String,
    /// Digest of the chart's files.
    pub chart_digest: Digest,
    /// Digest of the values file.
    pub values: Digest,
    /// Digest of helm's standard output.
    pub manifest: Digest,
}

/// The helm of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptHelm {
    /// Version without `v`.
    pub version: String,
    /// Commit, when known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<String>,
    /// Digest of the binary on this machine.
    pub digest: Digest,
}

impl Receipt {
    /// Writes the receipt for a release that rendered to these bytes.
    pub fn new(helm: &Helm, release: &Release, manifest: Digest) -> Self {
        let mut arguments = vec!["template".to_owned(), release.name.clone(), "{chart}".to_owned()];
        arguments.extend(release.flags());
        arguments.extend(["-f".to_owned(), "{values}".to_owned()]);
        Self {
            protocol: PROTOCOL,
            key: super::key(release, &helm.digest),
            helm: ReceiptHelm {
                version: helm.version.clone(),
                commit: helm.commit.clone(),
                digest: helm.digest.clone(),
            },
            arguments,
            chart: release.chart.name.clone(),
            chart_version: release.chart.version.clone(),
            chart_digest: release.chart.digest.clone(),
            values: Digest::of(&release.values),
            manifest,
        }
    }

    /// Returns the receipt as stored: indented JSON with a newline at the end.
    ///
    /// # Panics
    /// Never: a receipt is plain data.
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a receipt is plain data") + "\n"
    }
}
