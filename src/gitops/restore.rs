//! A branch that was set back, or lost: what it had is put on it again as one commit, before Flux has much time to take away
//! what is missing. The copy on this machine still has the commits.
//!
//! What this process itself saw on the branch a minute ago counts. What an earlier one had on the same copy may be older than what
//! another operator wrote since: of that, nothing takes the place of the same or a newer generation, nor comes back when its
//! KilterApp is gone.

use std::collections::{BTreeMap, BTreeSet};

use super::head::apps_below;
use super::{Change, Entry, Files, Head, Remote, Repository};
use crate::diag::{Error, Result};
use crate::exec::Ending;

/// What an earlier process had last.
#[derive(Debug)]
pub(super) struct Earlier {
    head: Head,
    /// Whether the branch was on one of the commits before it when this process started: what it has beside was deleted since.
    is_back: bool,
}

impl Repository {
    /// Returns the changes that make the head what `before` was: empty where the head holds `before`.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn lost(&self, before: &Head) -> Result<Vec<Change>> {
        let Some(commit) = before.commit.as_deref().filter(|commit| !self.head.knows(commit)) else {
            return Ok(Vec::new());
        };
        if self.holds(commit)? {
            return Ok(Vec::new());
        }
        let mut changes = self.missing(before, commit)?;
        if self.is_before(commit)? {
            changes.extend(self.surplus(before));
        }
        Ok(changes)
    }

    /// Returns the same for what an earlier process had, as far as that is known to be right still: of the KilterApps in `living`.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn lost_of_earlier(&self, earlier: &Earlier, living: &BTreeSet<String>) -> Result<Vec<Change>> {
        let Some(commit) = earlier.head.commit.as_deref() else { return Ok(Vec::new()) };
        let mut changes = self.missing(&earlier.head, commit)?;
        changes.retain(|change| living.contains(&change.uid));
        if earlier.is_back {
            changes.extend(self.surplus(&earlier.head).filter(|change| !living.contains(&change.uid)));
        }
        Ok(changes)
    }

    /// Reads what an earlier process had: `None` where the branch holds that, or the copy has lost it.
    pub(super) fn earlier(&self, commit: &str) -> Option<Earlier> {
        if self.head.knows(commit) {
            return None;
        }
        let read = || -> Result<Option<Earlier>> {
            if self.holds(commit)? {
                return Ok(None);
            }
            Ok(Some(Earlier { head: Head::load(&self.remote, commit)?, is_back: self.is_before(commit)? }))
        };
        // One that is damaged is of no use, and of no need.
        read().ok().flatten()
    }

    /// Returns what a head has that this one has not, or in an older generation.
    fn missing(&self, before: &Head, commit: &str) -> Result<Vec<Change>> {
        let mut files: BTreeMap<String, Files> = apps_below(&self.remote, commit)?;
        let mut changes = Vec::new();
        for (namespace, entry) in &before.entries {
            if self.head.entries.get(namespace).is_some_and(|now| is_at_least(now, entry)) {
                continue;
            }
            // What was not whole before is rendered again, as before.
            if let Some(files) = files.remove(namespace).filter(|_| entry.whole) {
                changes.push(Change::restoring(namespace, entry.receipt.clone(), Some(files)));
            }
        }
        Ok(changes)
    }

    /// Returns what this head has beside another.
    fn surplus<'a>(&'a self, before: &'a Head) -> impl Iterator<Item = Change> + 'a {
        let beside = self.head.entries.iter().filter(|(namespace, _)| !before.entries.contains_key(*namespace));
        beside.map(|(namespace, entry)| Change::restoring(namespace, entry.receipt.clone(), None))
    }

    /// Tells whether a commit is one of those before the head, however far back.
    fn holds(&self, commit: &str) -> Result<bool> {
        match &self.head.commit {
            Some(head) => is_ancestor(&self.remote, commit, head),
            None => Ok(false),
        }
    }

    /// Tells whether the head is one of the commits before another: then what it has beside is what was deleted since.
    fn is_before(&self, than: &str) -> Result<bool> {
        match &self.head.commit {
            Some(head) => is_ancestor(&self.remote, head, than),
            None => Ok(false),
        }
    }
}

/// Tells whether the branch has an app as it was, or newer.
fn is_at_least(now: &Entry, before: &Entry) -> bool {
    let (now_is, was) = (&now.receipt, &before.receipt);
    if now_is.uid == was.uid && now_is.generation > was.generation {
        return true; // what somebody did to it is mended from its KilterApp
    }
    let same = super::AppReceipt { generation: was.generation, ..now_is.clone() } == *was;
    now.whole && (same || now_is.uid == was.uid && now_is.generation == was.generation)
}

fn is_ancestor(remote: &Remote, commit: &str, of: &str) -> Result<bool> {
    let asked = remote.call(["merge-base", "--is-ancestor", commit, of]).capture()?;
    // 1 says no (git-merge-base(1)).
    match asked.ending {
        Ending::Exited(0) => Ok(true),
        Ending::Exited(1) => Ok(false),
        _ => Err(Error::tool(format!("cannot compare two commits: git: {}", asked.ending)).detail(asked.stderr)),
    }
}

/// Reads which commit a reference of the copy is on.
///
/// # Errors
/// When git cannot be run.
pub(super) fn known(remote: &Remote, reference: &str) -> Result<Option<String>> {
    let known = remote.call(["rev-parse", "--quiet", "--verify", reference]).capture()?;
    Ok(known.ok().then(|| known.text().trim().to_owned()))
}
