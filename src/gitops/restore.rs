//! A branch that was set back, or lost: what it had is put on it again as one commit, before Flux has much time to take away
//! what is missing. The copy on this machine still has the commits.

use std::collections::BTreeMap;

use super::head::apps_below;
use super::{Change, Files, Head, Remote, Repository};
use crate::diag::Result;

impl Repository {
    /// Returns the changes that make the head what `before` was: empty where the head holds `before`.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn lost(&self, before: &Head) -> Result<Vec<Change>> {
        let Some(commit) = before.commit.as_ref().filter(|commit| !self.head.knows(commit)) else {
            return Ok(Vec::new());
        };
        let mut files: BTreeMap<String, Files> = apps_below(&self.remote, commit)?;
        let mut changes = Vec::new();
        for (namespace, entry) in &before.entries {
            let now = self.head.entries.get(namespace);
            if now.is_some_and(|now| now.whole && now.receipt == entry.receipt) {
                continue;
            }
            // What was not whole before is rendered again, as before.
            if let Some(files) = files.remove(namespace).filter(|_| entry.whole) {
                changes.push(Change::restoring(namespace, entry.receipt.clone(), Some(files)));
            }
        }
        if self.is_older(&self.remote, commit)? {
            let back = self.head.entries.iter().filter(|(namespace, _)| !before.entries.contains_key(*namespace));
            changes.extend(back.map(|(namespace, entry)| Change::restoring(namespace, entry.receipt.clone(), None)));
        }
        Ok(changes)
    }

    /// Tells whether the head is one of the commits before another: then what it has beside is what was deleted since.
    fn is_older(&self, remote: &Remote, than: &str) -> Result<bool> {
        let Some(head) = &self.head.commit else { return Ok(false) };
        // The commit where both histories meet; with none in common git ends with 1 (git-merge-base(1)).
        let base = remote.call(["merge-base", head.as_str(), than]).capture()?;
        if base.ok() { Ok(base.text().trim() == head) } else { Ok(false) }
    }
}

/// Reads what the branch had last, as far as the copy knows.
///
/// # Errors
/// When git cannot be run.
pub(super) fn last_head(remote: &Remote, reference: &str) -> Result<Option<Head>> {
    let known = remote.call(["rev-parse", "--quiet", "--verify", reference]).capture()?;
    if !known.ok() {
        return Ok(None);
    }
    // One that is damaged is of no use, and of no need.
    Ok(Head::load(remote, known.text().trim()).ok())
}
