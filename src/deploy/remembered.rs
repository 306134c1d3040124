//! What was said once for a project's deploys is remembered on this machine: organisation and app, registry, server.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::diag::{Error, Result};
use crate::fsx;

/// Largest file that is read.
const MAX: u64 = 4 * 1024 * 1024;

/// What is remembered of one project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// `ORG/APP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// `HOST/SCOPE` of the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The server's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

type All = BTreeMap<String, Remembered>;

/// Returns what is remembered of the project in `root`; `dir` is the directory of this room's state.
///
/// # Errors
/// When the file cannot be read.
pub fn remembered(dir: &Path, root: &Path) -> Result<Remembered> {
    Ok(all(dir)?.remove(&*root.to_string_lossy()).unwrap_or_default())
}

/// Remembers this of the project in `root`.
///
/// # Errors
/// When the file cannot be written.
pub fn remember(dir: &Path, root: &Path, what: &Remembered) -> Result<()> {
    let _lock = fsx::Lock::acquire(&dir.join("projects.lock"), || {})?;
    let mut all = all(dir)?;
    if all.get(&*root.to_string_lossy()) == Some(what) {
        return Ok(());
    }
    all.insert(root.to_string_lossy().into_owned(), what.clone());
    let text = serde_json::to_string_pretty(&all).map_err(|error| Error::bug(error.to_string()))?;
    fsx::write_private(&dir.join("projects.json"), format!("{text}\n").as_bytes())
}

/// A file that cannot be understood is as good as none: the flags say it again.
fn all(dir: &Path) -> Result<All> {
    let text = fsx::read_text(&dir.join("projects.json"), MAX)?.unwrap_or_default();
    Ok(serde_json::from_str(&text).unwrap_or_default())
}
