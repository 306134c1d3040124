//! The directory of a project's artifacts: compare, write what differs, remove what is no longer made.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::diag::{Error, Result};
use crate::fsx;
use crate::helm::Receipt;

/// Artifacts by their path inside the directory.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The places that hold artifacts and nothing else.
const PLACES: [&str; 3] = ["values", "manifests", "receipts"];

/// The artifacts beside them.
const SINGLE: [&str; 3] = [TILTFILE, "Dockerfile.dev", "kind.yaml"];

pub(super) const TILTFILE: &str = "Tiltfile";

/// The directory of one project's artifacts.
#[derive(Debug, Clone)]
pub struct Directory {
    /// Where it is.
    pub root: PathBuf,
}

/// One file that would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Path inside the directory.
    pub path: String,
    /// What would happen to it.
    pub kind: ChangeKind,
    /// Its bytes now, empty when there is none.
    pub old: Vec<u8>,
    /// Its bytes then, empty when it goes.
    pub new: Vec<u8>,
}

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It is made.
    Added,
    /// Its bytes change.
    Changed,
    /// It goes.
    Removed,
}

impl Directory {
    /// Returns the path of an artifact.
    pub fn path(&self, artifact: &str) -> PathBuf {
        self.root.join(artifact)
    }

    /// Reads what is stored for a service: its receipt and manifest, when both are there.
    pub fn stored(&self, service: &str) -> Option<(Receipt, Vec<u8>)> {
        let read = |path: String| fsx::read(&self.path(&path), fsx::MAX_FILE).ok().flatten();
        let receipt = serde_json::from_slice(&read(format!("receipts/{service}.json"))?).ok()?;
        let manifest = read(format!("manifests/{service}.yaml"))?;
        Some((receipt, manifest))
    }

    /// Lists what writing `files` would change, in order of path. What is stored but not in `files` is removed.
    ///
    /// # Errors
    /// When a stored file cannot be read.
    pub fn changes(&self, files: &Files) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        for (path, new) in files {
            let old = fsx::read(&self.path(path), fsx::MAX_FILE)?;
            let kind = match &old {
                None => ChangeKind::Added,
                Some(old) if old != new => ChangeKind::Changed,
                Some(_) => continue,
            };
            changes.push(Change { path: path.clone(), kind, old: old.unwrap_or_default(), new: new.clone() });
        }
        for path in self.existing()? {
            if !files.contains_key(&path) {
                let old = fsx::read(&self.path(&path), fsx::MAX_FILE)?.unwrap_or_default();
                changes.push(Change { path, kind: ChangeKind::Removed, old, new: Vec::new() });
            }
        }
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(changes)
    }

    /// Makes the changes. A running Tilt loads the Tiltfile again whenever it or a file that it reads changes: what it reads
    /// is there before it, and what it no longer reads goes after it. Receipts come last: a crash in between leaves a
    /// manifest whose receipt does not fit, which the next run renders again.
    ///
    /// # Errors
    /// When a file cannot be written or removed.
    pub fn apply(&self, changes: &[Change]) -> Result<()> {
        let path = |change: &Change| self.path(&change.path);
        let mut ordered: Vec<&Change> = changes.iter().collect();
        ordered.sort_by_key(|change| turn(change));
        ordered.chunk_by(|a, b| (a.kind == ChangeKind::Removed) == (b.kind == ChangeKind::Removed)).try_for_each(
            |part| match part[0].kind {
                ChangeKind::Removed => part.iter().try_for_each(|change| fsx::remove(&path(change))),
                ChangeKind::Added | ChangeKind::Changed => {
                    let files: Vec<_> = part.iter().map(|change| (path(change), change.new.as_slice())).collect();
                    fsx::write_together(&files)
                }
            },
        )
    }

    /// Lists the artifacts that are stored now.
    fn existing(&self) -> Result<Vec<String>> {
        let mut found: Vec<String> =
            SINGLE.iter().filter(|f| self.path(f).is_file()).map(|f| (*f).to_owned()).collect();
        for place in PLACES {
            let entries = match fs::read_dir(self.path(place)) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::io(format!("read `{}`", self.path(place).display()), &error)),
            };
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if !name.starts_with('.') {
                    found.push(format!("{place}/{name}"));
                }
            }
        }
        Ok(found)
    }
}

/// When it is a change's turn, see [`Directory::apply`].
fn turn(change: &Change) -> u8 {
    match (change.path.as_str(), change.kind) {
        (path, _) if path.starts_with("receipts/") => 3,
        (_, ChangeKind::Removed) => 2,
        (TILTFILE, _) => 1,
        _ => 0,
    }
}

/// Returns the unified diff of two texts under one name; empty when they are equal.
pub fn unified_diff(name: &str, old: &[u8], new: &[u8]) -> String {
    if old == new {
        return String::new();
    }
    let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
    let patch = diffy::DiffOptions::new()
        .set_original_filename(format!("a/{name}"))
        .set_modified_filename(format!("b/{name}"))
        .create_patch(&old, &new)
        .to_string();
    if patch.ends_with('\n') { patch } else { patch + "\n" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory, and what it becomes: `old` leaves the project, `new` enters it.
    fn moving() -> (tempfile::TempDir, Directory, Vec<Change>) {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory { root: place.path().to_owned() };
        let files = |service: &str| {
            let of = |kind: &str| (format!("{kind}/{service}.yaml"), service.as_bytes().to_vec());
            let receipt = (format!("receipts/{service}.json"), Vec::new());
            Files::from([of("manifests"), of("values"), receipt, (TILTFILE.to_owned(), service.as_bytes().to_vec())])
        };
        directory.apply(&directory.changes(&files("old")).unwrap()).unwrap();
        let changes = directory.changes(&files("new")).unwrap();
        (place, directory, changes)
    }

    fn there(directory: &Directory, artifact: &str) -> bool {
        directory.path(artifact).is_file()
    }

    #[test]
    fn a_tiltfile_is_written_after_what_it_reads() {
        let (_place, directory, changes) = moving();
        fs::create_dir_all(directory.path("manifests/new.yaml/x")).unwrap();
        directory.apply(&changes).unwrap_err();
        assert_eq!(fs::read(directory.path(TILTFILE)).unwrap(), b"old");
        assert!(there(&directory, "manifests/old.yaml"));
    }

    #[test]
    fn what_a_tiltfile_no_longer_reads_goes_after_it_and_receipts_last() {
        let (_place, directory, changes) = moving();
        fs::remove_file(directory.path(TILTFILE)).unwrap();
        fs::create_dir_all(directory.path("Tiltfile/x")).unwrap();
        directory.apply(&changes).unwrap_err();
        assert!(there(&directory, "manifests/new.yaml") && there(&directory, "manifests/old.yaml"));
        assert!(there(&directory, "receipts/old.json") && !there(&directory, "receipts/new.json"));
        fs::remove_dir_all(directory.path(TILTFILE)).unwrap();
        directory.apply(&changes).unwrap();
        assert!(!there(&directory, "manifests/old.yaml") && there(&directory, "receipts/new.json"));
        assert_eq!(directory.changes(&Files::new()).unwrap().len(), 4);
    }
}
