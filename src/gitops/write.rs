//! Writing to the branch: own paths on the newest head, one commit for many apps, fast-forward or not at all.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::git::{failure, run};
use super::refused::{Unwritten, is_refusal};
use super::restore::Earlier;
use super::{APPS, Entry, Files, Head, Remote};
use crate::api::{KilterAppSpec, NAMESPACE};
use crate::diag::{Error, Result};
use crate::yaml;

/// How often a write starts over because somebody else moved the branch.
const TRIES: usize = 6;
/// Who commits.
const AUTHOR: &str = "kilter-operator <kilter-operator@kilter.netshire.com>";
/// Where a commit is made before it is pushed.
const NEXT: &str = "refs/kilter/next";

/// What should become of one app.
#[derive(Debug, Clone)]
pub struct Change {
    /// Namespace of the app.
    pub namespace: String,
    /// `metadata.uid` of its KilterApp; of one that is removed, of the KilterApp that the branch has it of.
    pub uid: String,
    /// `metadata.generation` of its KilterApp.
    pub generation: i64,
    /// Its files with their receipt; `None` removes the app.
    pub files: Option<(Files, super::AppReceipt)>,
    /// What the commit's subject says of it, for example `shop prod revision 7`.
    pub title: String,
    /// Trailer lines of the commit.
    pub trailers: Vec<String>,
    /// Whether the branch had it before.
    pub restores: bool,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This commit has it.
    Committed(String),
    /// The head has it already.
    Unchanged(String),
    /// The head has a newer generation, or another KilterApp of that name: nothing was written.
    Stale,
}

/// The branch and its copy on this machine. One process writes at a time.
#[derive(Debug)]
pub struct Repository {
    pub(super) remote: Remote,
    pub(super) head: Head,
    /// Whether a fetch found another branch than was known, and nobody was told.
    pub(super) is_moved: bool,
    /// What an earlier process had on this copy, and the branch has not.
    pub(super) earlier: Option<Earlier>,
}

impl Repository {
    /// Returns what the head holds, as of the last fetch or push.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Tells once whether somebody else moved the branch since it was asked last: a write that fetches finds that out, too.
    pub fn take_move(&mut self) -> bool {
        std::mem::take(&mut self.is_moved)
    }

    /// Returns the files of an app at the head.
    ///
    /// # Errors
    /// When git fails.
    pub fn files(&self, namespace: &str) -> Result<Files> {
        self.head.files(&self.remote, namespace)
    }

    /// Writes changes as one commit and pushes it; an outcome per change, in their order. When somebody else moved the branch,
    /// they are weighed and written again on the head that was fetched.
    ///
    /// # Errors
    /// When the remote cannot be reached or refuses. Then it is not known whether the remote has the commit; the next call finds
    /// out.
    pub fn write(&mut self, changes: &[Change]) -> Result<Vec<Outcome>> {
        self.try_write(changes).map_err(Error::from)
    }

    pub(super) fn try_write(&mut self, changes: &[Change]) -> Result<Vec<Outcome>, Unwritten> {
        let (mut last, mut mended) = (None, false);
        for _ in 0..TRIES {
            if let Some(unwritten) = last.take() {
                self.look_again(unwritten)?;
            }
            let weighed: Vec<Option<Outcome>> = changes.iter().map(|change| self.weigh(change)).collect();
            let open: Vec<&Change> =
                changes.iter().zip(&weighed).filter(|(_, known)| known.is_none()).map(|(change, _)| change).collect();
            if open.is_empty() && self.head.laid_out {
                self.confirm(changes, &weighed);
                return Ok(weighed.into_iter().flatten().collect());
            }
            let commit = match self.commit(&open) {
                Ok(commit) => commit,
                Err(error) if mended => return Err(error.into()),
                Err(error) => {
                    self.mend(&error).map_err(|_| error.clone())?;
                    (last, mended) = (Some(Unwritten::Failed(error)), true);
                    continue;
                }
            };
            match self.push(&commit) {
                Ok(()) => {
                    self.head.advance(&commit);
                    self.take(&open, &commit);
                    self.confirm(changes, &weighed);
                    self.remember()?;
                    let outcome = |known: Option<Outcome>| known.unwrap_or_else(|| Outcome::Committed(commit.clone()));
                    return Ok(weighed.into_iter().map(outcome).collect());
                }
                Err(unwritten) => last = Some(unwritten),
            }
        }
        Err(last.unwrap_or_else(|| Error::bug("no write was tried").into()))
    }

    /// Fetches after a push that failed: whether or not it got through, the remote tells what it has. A commit that it refused on
    /// the head that is there still, it would refuse again.
    fn look_again(&mut self, unwritten: Unwritten) -> Result<(), Unwritten> {
        let before = self.head.commit.clone();
        if self.refresh().is_err() {
            return Err(Unwritten::Failed(unwritten.into()));
        }
        match unwritten {
            Unwritten::Refused(_) if self.head.commit == before => Err(unwritten),
            _ => Ok(()),
        }
    }

    /// Says what is known about a change without writing it.
    fn weigh(&self, change: &Change) -> Option<Outcome> {
        let head = || self.head.commit.clone().unwrap_or_default();
        let Some(entry) = self.head.entries.get(&change.namespace) else {
            return change.files.is_none().then(|| Outcome::Unchanged(head()));
        };
        let same = entry.receipt.uid == change.uid;
        match &change.files {
            None => (!same).then_some(Outcome::Stale),
            Some(_) if same && entry.receipt.generation > change.generation => Some(Outcome::Stale),
            Some((_, receipt)) => {
                let mut known = entry.receipt.clone();
                known.generation = receipt.generation;
                (entry.whole && known == *receipt).then(|| Outcome::Unchanged(entry.commit.clone()))
            }
        }
    }

    /// Notes what was written.
    pub(super) fn take(&mut self, written: &[&Change], commit: &str) {
        for change in written {
            match &change.files {
                Some((_, receipt)) => {
                    let entry = Entry { receipt: receipt.clone(), whole: true, commit: commit.to_owned() };
                    self.head.entries.insert(change.namespace.clone(), Arc::new(entry));
                }
                None => drop(self.head.entries.remove(&change.namespace)),
            }
        }
    }

    /// Notes that the head is what a newer generation wants as well.
    fn confirm(&mut self, changes: &[Change], weighed: &[Option<Outcome>]) {
        for (change, outcome) in changes.iter().zip(weighed) {
            if let (Some(Outcome::Unchanged(_)), Some(entry)) = (outcome, self.head.entries.get_mut(&change.namespace))
            {
                let newest = entry.receipt.generation.max(change.generation);
                if newest != entry.receipt.generation {
                    Arc::make_mut(entry).receipt.generation = newest;
                }
            }
        }
    }

    /// Makes the commit in the copy, on top of the head.
    pub(super) fn commit(&self, changes: &[&Change]) -> Result<String> {
        let mut call = self.remote.call(["fast-import", "--quiet", "--force", "--done"]);
        call.stdin = Some(self.stream(changes)?);
        run(&call, "write the commit")?;
        let made = run(&self.remote.call(["rev-parse", NEXT]), "read the commit")?.text().trim().to_owned();
        match &self.remote.signing_key {
            None => Ok(made),
            Some(key) => self.signed(&made, &key.to_string_lossy(), &message(changes)),
        }
    }

    /// Makes the same commit once more with a signature, as `fast-import` makes none.
    fn signed(&self, made: &str, key: &str, message: &str) -> Result<String> {
        let (name, mail) = AUTHOR.split_once(" <").unwrap_or((AUTHOR, ""));
        let mail = mail.trim_end_matches('>');
        let mut args: Vec<String> = ["-c", "gpg.format=ssh", "-c"].map(str::to_owned).into();
        args.push(format!("user.signingkey={key}"));
        args.extend(["commit-tree".to_owned(), "-S".to_owned(), "-F".to_owned(), "-".to_owned()]);
        if let Some(head) = &self.head.commit {
            args.extend(["-p".to_owned(), head.clone()]);
        }
        args.push(format!("{made}^{{tree}}"));
        let mut call = self.remote.call(args);
        for who in ["AUTHOR", "COMMITTER"] {
            call = call.env(format!("GIT_{who}_NAME"), name).env(format!("GIT_{who}_EMAIL"), mail);
        }
        call.stdin = Some(message.as_bytes().to_vec());
        Ok(run(&call, "sign the commit")?.text().trim().to_owned())
    }

    /// Writes what `git fast-import` reads (git-fast-import(1)).
    fn stream(&self, changes: &[&Change]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let data = |out: &mut Vec<u8>, bytes: &[u8]| {
            out.extend(format!("data {}\n", bytes.len()).bytes());
            out.extend(bytes);
            out.push(b'\n');
        };
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        out.extend(format!("feature done\ncommit {NEXT}\ncommitter {AUTHOR} {seconds} +0000\n").bytes());
        data(&mut out, message(changes).as_bytes());
        if let Some(head) = &self.head.commit {
            out.extend(format!("from {head}\n").bytes());
        }
        let mut file = |path: &str, bytes: &[u8]| {
            out.extend(format!("M 100644 inline {path}\n").bytes());
            data(&mut out, bytes);
        };
        if !self.head.laid_out {
            file(&layout_path(), layout_file()?.as_bytes());
        }
        for change in changes {
            for (path, bytes) in change.files.iter().flat_map(|(files, _)| files) {
                file(path, bytes);
            }
        }
        // Behind the files that are there now: what is there no longer, each alone, as a directory cannot go without them.
        for change in changes {
            out.extend(self.gone(change)?.iter().flat_map(|path| format!("D {path}\n").into_bytes()));
        }
        out.extend(b"\ndone\n");
        Ok(out)
    }

    /// Returns the paths of an app that a change does away with.
    fn gone(&self, change: &Change) -> Result<Vec<String>> {
        let Some(entry) = self.head.entries.get(&change.namespace) else {
            // Somebody's files without a receipt: the app's place is its own.
            let found = self.files(&change.namespace)?;
            return Ok(found.into_keys().filter(|path| !has(change, path)).collect());
        };
        let receipt = super::layout::receipt_path(&change.namespace);
        if entry.whole {
            let known = entry.receipt.files.keys().chain([&receipt]);
            return Ok(known.filter(|path| !has(change, path)).cloned().collect());
        }
        Ok(self.files(&change.namespace)?.into_keys().filter(|path| !has(change, path)).collect())
    }

    /// Pushes a commit, when the branch is where it was.
    ///
    /// # Errors
    /// When the remote refuses it, or cannot be reached.
    pub(super) fn push(&self, commit: &str) -> Result<(), Unwritten> {
        let (url, branch) = (&self.remote.url, &self.remote.branch);
        let refspec = format!("{commit}:refs/heads/{branch}");
        let pushed = self.remote.online(["push", "--quiet", "--porcelain", url, &refspec])?.capture()?;
        if pushed.ok() {
            return Ok(());
        }
        let error = failure(&pushed, &format!("push to `{branch}` of {url}"));
        Err(if is_refusal(&pushed) { Unwritten::Refused(error) } else { Unwritten::Failed(error) })
    }
}

fn has(change: &Change, path: &str) -> bool {
    change.files.as_ref().is_some_and(|(files, _)| files.contains_key(path))
}

fn message(changes: &[&Change]) -> String {
    let verb = |change: &Change| match &change.files {
        Some(_) if change.restores => "Restore",
        Some(_) => "Deploy",
        None => "Delete",
    };
    let subject = match changes {
        [] => "Lay out the repository".to_owned(),
        [change] => format!("{} {}", verb(change), change.title),
        many if many.iter().any(|change| change.restores) => format!("Restore {} apps", many.len()),
        many => format!("Deploy {} apps", many.len()),
    };
    let mut lines = vec![subject, String::new()];
    if changes.len() > 1 {
        lines.extend(changes.iter().map(|change| format!("{} {}", verb(change), change.title)));
        lines.push(String::new());
    }
    let mut trailers: Vec<&String> = changes.iter().flat_map(|change| &change.trailers).collect();
    trailers.dedup();
    lines.extend(trailers.into_iter().cloned());
    // A line end of somebody's text would make a trailer of its own.
    let clean = |line: String| line.chars().map(|c| if c.is_control() { '?' } else { c }).collect::<String>();
    lines.into_iter().map(clean).collect::<Vec<_>>().join("\n").trim_end().to_owned() + "\n"
}

/// Where the file is that tells which layout the repository has, and keeps its root from being empty.
pub(super) fn layout_path() -> String {
    format!("{APPS}/kilter.yaml")
}

fn layout_file() -> Result<String> {
    let metadata = json!({"name": "kilter-repository", "namespace": NAMESPACE});
    yaml::emit(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"layout": "1"}}))
}

impl Change {
    /// Returns the change that makes an app again what the branch had.
    pub(super) fn restoring(namespace: &str, receipt: super::AppReceipt, files: Option<Files>) -> Self {
        let app = format!("{}/{} env={}", receipt.org, receipt.app, receipt.env);
        let title = match files {
            Some(_) => format!("{} {} revision {}", receipt.app, receipt.env, receipt.revision),
            None => format!("{} {}", receipt.app, receipt.env),
        };
        Self {
            namespace: namespace.to_owned(),
            uid: receipt.uid.clone(),
            generation: receipt.generation,
            title,
            trailers: vec![format!("Kilter-Restore: {app} revision={} deploy={}", receipt.revision, receipt.deploy)],
            files: files.map(|files| (files, receipt)),
            restores: true,
        }
    }

    /// Returns what a commit says of an app.
    pub fn trailers_of(spec: &KilterAppSpec, generation: i64, chart: &str, helm: &str) -> Vec<String> {
        let digest = spec.template.image.rsplit('@').next().unwrap_or_default();
        vec![
            format!(
                "Kilter-App: {}/{} env={} revision={} generation={generation} deploy={} image={digest} by={}",
                spec.org, spec.app, spec.env, spec.revision, spec.deploy, spec.by
            ),
            format!("Kilter-Render: chart={chart} helm={helm}"),
        ]
    }
}
