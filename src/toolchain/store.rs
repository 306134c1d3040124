//! The store: `<store>/<tool>/<version>/<platform>/<tool>` with a receipt beside each program.

use std::fs;
use std::path::{Path, PathBuf};

use semver::Version;

use super::explicit;
use super::model::{Installed, Settings, Source, Want};
use super::pins::{Pins, Platform, Tool};
use super::receipt::Receipt;
use crate::diag::Result;

/// The places of one version of one tool in the store.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    /// The directory that holds everything of it.
    pub(super) dir: PathBuf,
    /// The program.
    pub(super) program: PathBuf,
}

impl Slot {
    /// Returns the places of a version.
    pub(super) fn new(settings: &Settings, tool: Tool, version: &Version) -> Self {
        let dir = settings.store.join(tool.name()).join(version.to_string()).join(settings.platform.as_str());
        Self { program: dir.join(tool.name()), dir }
    }

    /// Returns where the receipt is.
    pub(super) fn receipt(&self) -> PathBuf {
        self.dir.join("receipt.json")
    }

    /// Returns where a download is while it is not complete.
    pub(super) fn part(&self) -> PathBuf {
        self.dir.join("download.part")
    }

    /// Reads what is there; `None` when nothing is, or not the bytes that were installed.
    fn installed(&self) -> Option<(Option<crate::ids::Digest>, Installed)> {
        let receipt = Receipt::read(&self.receipt())?;
        receipt.holds(&self.program, &self.receipt()).then(|| {
            let archive = receipt.archive.clone();
            (archive, receipt.installed(&self.program))
        })
    }
}

/// Finds a tool that is there already: the explicit path, when it has been checked, or the store. Starts no process,
/// opens no socket and hashes nothing while the file is untouched since it was installed.
///
/// # Errors
/// When the user named a program that is not there or is of another version.
pub fn find(settings: &Settings, want: &Want) -> Result<Option<Installed>> {
    if let Some(path) = settings.explicit.get(&want.tool) {
        return explicit::known(settings, want, path);
    }
    let Some((archive, installed)) = Slot::new(settings, want.tool, &want.version).installed() else {
        return Ok(None);
    };
    let right = installed.tool == want.tool
        && installed.version == want.version
        && came_from_the_right_bytes(&settings.pins, &settings.platform, want, archive.as_ref(), &installed.source);
    Ok(right.then_some(installed))
}

/// A checksum that was changed in kilter.yaml or in the table makes the store's copy another program.
fn came_from_the_right_bytes(
    pins: &Pins,
    platform: &Platform,
    want: &Want,
    archive: Option<&crate::ids::Digest>,
    source: &Source,
) -> bool {
    match source {
        Source::Built(_) => want.sha256.is_empty() && pins.has(want.tool, &want.version),
        _ => archive.is_some() && archive == pins.sha256(want, platform).as_ref(),
    }
}

/// Lists what the store holds for this platform, by tool and version.
pub fn list(settings: &Settings) -> Vec<Installed> {
    let mut all = Vec::new();
    for tool in Tool::all() {
        let mut versions: Vec<Version> =
            names(&settings.store.join(tool.name())).iter().filter_map(|name| Version::parse(name).ok()).collect();
        versions.sort();
        for version in versions {
            all.extend(Slot::new(settings, tool, &version).installed().map(|(_, installed)| installed));
        }
    }
    all
}

fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
