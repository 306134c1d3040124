//! The copy of the repository on this machine. It is safe to lose: one that a kill or a full disk damaged is made anew.

use std::collections::BTreeSet;
use std::path::Path;

use super::git::{failure, is_full, run};
use super::refused::{Unwritten, in_halves};
use super::restore::known;
use super::{Change, Head, Remote, Repository};
use crate::diag::{Error, Result};
use crate::fsx;

/// Where the copy keeps the branch.
const TRACKED: &str = "refs/remotes/origin/head";
/// What the branch had last: were the branch set back while nobody looks, this is what it lost.
const LAST: &str = "refs/kilter/last";

impl Repository {
    /// Makes the copy where there is none, and fetches. What an earlier process had on this copy and the branch has not is for
    /// [`Repository::settle`].
    ///
    /// # Errors
    /// When the remote cannot be reached, or the copy not written.
    pub fn open(remote: Remote) -> Result<Self> {
        let mut repository = Self::unread(remote);
        repository.refresh()?;
        // Whoever opens it has looked at nothing yet.
        repository.take_move();
        Ok(repository)
    }

    /// Returns the repository as it is before anybody looked: nothing is known of it until [`Repository::refresh`] succeeds.
    pub fn unread(remote: Remote) -> Self {
        Self { remote, head: Head::default(), is_moved: false, earlier: None }
    }

    /// Makes the copy where there is none, and fetches.
    fn look_first(&mut self) -> Result<()> {
        fsx::create_dir(&self.remote.dir.join("home"))?;
        if self.remote.copy().join("HEAD").is_file() {
            // Whoever wrote it before is gone, and so are the calls that these belonged to.
            tidy(&self.remote.copy());
        } else {
            make(&self.remote)?;
        }
        let last = known(&self.remote, LAST)?;
        (_, self.head) = self.look_or_mend()?;
        self.earlier = last.and_then(|commit| self.earlier(&commit));
        self.head.is_read = true;
        self.remember()
    }

    /// Fetches; tells whether the branch is another one than was known: never at the first time. One that no longer has what it had
    /// gets that again.
    ///
    /// # Errors
    /// When the remote cannot be reached, or refuses what it lost: then the next call tries again.
    pub fn refresh(&mut self) -> Result<bool> {
        if !self.head.is_read {
            self.look_first()?;
            return Ok(false);
        }
        let (commit, head) = self.look_or_mend()?;
        if commit == self.head.commit {
            self.head.is_read = true; // of a copy that was made anew, and a branch that is not there
            return Ok(false);
        }
        self.is_moved = true;
        let before = std::mem::replace(&mut self.head, head);
        self.head.keep(&before);
        self.restore(&before).inspect_err(|_| self.head = before)?;
        self.head.is_read = true;
        self.remember()?;
        Ok(true)
    }

    fn look_or_mend(&mut self) -> Result<(Option<String>, Head)> {
        match self.look() {
            Ok(seen) => Ok(seen),
            Err(error) => {
                self.mend(&error).map_err(|_| error)?;
                self.look()
            }
        }
    }

    /// Fetches and reads the branch, where it is not the one that is known.
    fn look(&self) -> Result<(Option<String>, Head)> {
        let commit = self.fetch()?;
        let head = match &commit {
            Some(commit) if self.head.commit.as_ref() != Some(commit) => Head::load(&self.remote, commit)?,
            _ => Head::default(),
        };
        Ok((commit, head))
    }

    /// Notes the head for the next process; not while what is noted is needed still.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn remember(&self) -> Result<()> {
        let Some(commit) = self.head.commit.as_ref().filter(|_| self.earlier.is_none()) else { return Ok(()) };
        run(&self.remote.call(["update-ref", LAST, commit]), "note the repository's head").map(drop)
    }

    /// Puts back what an earlier process had on this copy and the branch has lost, of the KilterApps that there are: `living`, by
    /// `metadata.uid`. While that process was away, another one may have written, on a branch that was set back meanwhile. Returns
    /// whether something was put back; nothing is to be done from the first call on that goes well.
    ///
    /// # Errors
    /// When the remote cannot be reached, or refuses it: then the next call tries again.
    pub fn settle(&mut self, living: &BTreeSet<String>) -> Result<bool> {
        let Some(earlier) = self.earlier.take() else { return Ok(false) };
        let lost = self.lost_of_earlier(&earlier, living);
        let put = lost.and_then(|lost| self.put_back_each(&lost).map(|()| !lost.is_empty()));
        if put.is_err() {
            self.earlier = Some(earlier);
        }
        self.remember().and(put)
    }

    fn restore(&mut self, before: &Head) -> Result<()> {
        self.put_back_each(&self.lost(before)?)
    }

    fn put_back_each(&mut self, lost: &[Change]) -> Result<()> {
        let open: Vec<&Change> = lost.iter().collect();
        if open.is_empty() {
            return Ok(());
        }
        // What the remote refuses alone is left to the rounds of its KilterApp: nobody else waits for it. Not so when it refuses all
        // of several, or cannot be reached.
        let mut is_away = false;
        let put = in_halves(&open, |part| {
            self.put_back(part).inspect_err(|error| is_away |= matches!(error, Unwritten::Failed(_)))
        });
        let any = put.iter().any(Result::is_ok) || open.len() == 1 && !is_away;
        for (change, error) in open.iter().zip(&put).filter_map(|(change, put)| Some((change, put.as_ref().err()?))) {
            if !any {
                return Err(error.clone());
            }
            tracing::warn!(namespace = change.namespace, %error, "cannot put an app on the branch again");
        }
        Ok(())
    }

    /// Writes changes without a look at what the head has.
    fn put_back(&mut self, changes: &[&Change]) -> Result<Vec<()>, Unwritten> {
        let commit = self.commit(changes)?;
        self.push(&commit)?;
        self.head.advance(&commit);
        self.take(changes, &commit);
        Ok(vec![(); changes.len()])
    }

    fn fetch(&self) -> Result<Option<String>> {
        let (url, branch) = (&self.remote.url, &self.remote.branch);
        // The plus: a branch that somebody set back is followed, and what is missing there is written again.
        let refspec = format!("+refs/heads/{branch}:{TRACKED}");
        let fetched = self.remote.online(["fetch", "--quiet", "--no-tags", url, &refspec])?.capture()?;
        // git's words for a branch that is not there, as in a new repository (builtin/fetch.c).
        if !fetched.ok() && fetched.stderr.contains("couldn't find remote ref") {
            return Ok(None);
        }
        if !fetched.ok() {
            return Err(failure(&fetched, &format!("fetch `{branch}` of {url}")));
        }
        let commit = run(&self.remote.call(["rev-parse", TRACKED]), "read the repository's head")?;
        Ok(Some(commit.text().trim().to_owned()))
    }

    /// Makes the copy anew after a call on it failed, when it is the copy that is at fault; the next fetch reads the branch.
    ///
    /// # Errors
    /// When the disk is full, which nothing is gained by, when the remote does not answer, or when no copy can be made.
    pub(super) fn mend(&mut self, error: &Error) -> Result<()> {
        tidy(&self.remote.copy());
        if is_full(error) || !self.remote.answers() {
            return Err(error.clone());
        }
        tracing::warn!(%error, "makes the copy of the repository anew");
        fsx::remove(&self.remote.copy())?;
        make(&self.remote)?;
        // What it had last is not known any more: the branch counts as it is, once it is read.
        (self.head, self.earlier, self.is_moved) = (Head::default(), None, true);
        Ok(())
    }
}

fn make(remote: &Remote) -> Result<()> {
    let copy = remote.copy().to_string_lossy().into_owned();
    run(&remote.call(["init", "--quiet", "--bare", &copy]), "make the repository's copy").map(drop)
}

/// Takes away what calls of git that were killed, or had no room, left in a copy: locks of references, packs that were begun, and
/// the reports of `git fast-import`.
fn tidy(dir: &Path) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            tidy(&entry.path());
        } else if name.ends_with(".lock") || name.starts_with("tmp_") || name.starts_with("fast_import_crash_") {
            let _ = fsx::remove(&entry.path()); // one that stays makes the next call fail, which says so
        }
    }
}
