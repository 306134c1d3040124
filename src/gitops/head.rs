//! What the head of the branch holds: the receipt of every app, and which commit came when.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::git::run;
use super::{APPS, AppReceipt, Files, Remote};
use crate::diag::{Error, Result};

/// How many commits back a commit is known.
const KNOWN: usize = 50_000;
/// How many commits of its own a head holds beside those that all its clones share.
const NEW: usize = 500;
/// How many apps' files are read at a time, which all are in memory then.
const AT_ONCE: usize = 50;
/// How many commits back it is looked for the one that changed an app last.
const LOOKED_THROUGH: usize = 1_000;

/// An app as the head has it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it was made from.
    pub receipt: AppReceipt,
    /// Whether its files are what the receipt says: nobody else wrote there.
    pub whole: bool,
    /// The commit that wrote it; of one that was written long ago a later one that still has it.
    pub commit: String,
}

/// The head of the branch. A clone costs little: there is one for whoever looks at it while the next is made.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// Whether the branch was fetched: what one that was not says of apps is not so.
    pub is_read: bool,
    /// The commit; `None` for a branch without any.
    pub commit: Option<String>,
    /// Namespace → app.
    pub entries: BTreeMap<String, Arc<Entry>>,
    /// Whether the file that keeps the root from being empty is there.
    pub laid_out: bool,
    /// Where in the history the commits are that were there when it was read.
    places: Arc<HashMap<String, usize>>,
    /// Where the commits are that were made since.
    new_places: HashMap<String, usize>,
}

impl Head {
    /// Tells whether a revision that Flux applied contains a commit: is the same or came after it. What is not known is not
    /// contained.
    pub fn contains(&self, applied: &str, commit: &str) -> bool {
        match (self.place(applied), self.place(commit)) {
            (Some(applied), Some(commit)) => applied >= commit,
            _ => applied == commit,
        }
    }

    /// Tells whether the branch has a commit.
    pub fn knows(&self, commit: &str) -> bool {
        self.place(commit).is_some()
    }

    fn place(&self, commit: &str) -> Option<usize> {
        self.new_places.get(commit).or_else(|| self.places.get(commit)).copied()
    }

    /// Moves to a commit that was made on top.
    pub(super) fn advance(&mut self, commit: &str) {
        let place = self.places.len() + self.new_places.len();
        self.new_places.insert(commit.to_owned(), place);
        if self.new_places.len() > NEW {
            Arc::make_mut(&mut self.places).extend(self.new_places.drain());
        }
        self.commit = Some(commit.to_owned());
        self.laid_out = true;
    }

    /// Reads a commit.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn load(remote: &Remote, commit: &str) -> Result<Self> {
        let count = format!("--max-count={KNOWN}");
        let listed =
            run(&remote.call(["rev-list", count.as_str(), "--reverse", commit]), "list the repository's commits")?;
        let places = listed.text().lines().enumerate().map(|(place, line)| (line.to_owned(), place)).collect();
        let blobs = blobs_below(remote, commit, &format!("{APPS}/"))?;
        let layout = super::write::layout_path();
        let laid_out = blobs.iter().any(|blob| blob.path == layout);
        let (mut changed, before) = last_changes(remote, commit, LOOKED_THROUGH)?;
        let mut entries = BTreeMap::new();
        each_app(remote, &blobs, |namespace, files| {
            // What has no receipt is not kilter's: it is left alone, and written over by the app of that name.
            let Some(receipt) = AppReceipt::of(namespace, &files) else { return };
            let whole = receipt.describes(&files);
            let commit = changed.remove(namespace).unwrap_or_else(|| before.clone());
            entries.insert(namespace.to_owned(), Arc::new(Entry { receipt, whole, commit }));
        })?;
        let commit = Some(commit.to_owned());
        Ok(Self { is_read: false, commit, entries, laid_out, places: Arc::new(places), new_places: HashMap::new() })
    }

    /// Takes over what was known of the apps that are the same as before: which commit they are in, and the generation for which
    /// that was found out. Somebody's commit elsewhere is none that Flux has to apply for them.
    pub(super) fn keep(&mut self, before: &Self) {
        let places = &self.places;
        for (namespace, entry) in &mut self.entries {
            let was = before.entries.get(namespace).filter(|was| was.whole && places.contains_key(&was.commit));
            let Some(was) = was.filter(|was| entry.whole && was.receipt.generation >= entry.receipt.generation) else {
                continue;
            };
            if was.receipt == (AppReceipt { generation: was.receipt.generation, ..entry.receipt.clone() }) {
                *entry = was.clone();
            }
        }
    }

    /// Reads the files of one app.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn files(&self, remote: &Remote, namespace: &str) -> Result<Files> {
        let Some(commit) = &self.commit else { return Ok(Files::new()) };
        let prefix = format!("{APPS}/{namespace}/");
        let mut blobs = blobs_below(remote, commit, &prefix)?;
        blobs.retain(|blob| blob.path.starts_with(&prefix));
        read(remote, &blobs)
    }
}

/// Returns the commit that changed each app last, of the last `count` that the branch itself was at, and for all others the newest
/// commit before those, or the first. Every change of an app changes its receipt.
///
/// # Errors
/// When git fails.
fn last_changes(remote: &Remote, head: &str, count: usize) -> Result<(HashMap<String, String>, String)> {
    let max = format!("--max-count={}", count + 1);
    let listed =
        run(&remote.call(["rev-list", "--first-parent", max.as_str(), head]), "list the repository's commits")?.text();
    let commits: Vec<&str> = listed.lines().collect();
    let before = commits.last().copied().unwrap_or(head).to_owned();
    let range = if commits.len() > count { format!("{before}..{head}") } else { head.to_owned() };
    // Of a merge what it brought to the branch (`-m --first-parent`, git-log(1)).
    let words = ["log", "--first-parent", "-m", "--name-only", "--no-renames", "--format=%x00%H", &range, "--"];
    let path = format!(":(glob){APPS}/*/receipt.json");
    let mut call = remote.call(words.into_iter().chain([path.as_str()]));
    call.max_output = 1 << 30;
    let mut changed = HashMap::new();
    for entry in run(&call, "read the repository's history")?.text().split('\0') {
        let mut lines = entry.lines();
        let Some(commit) = lines.next() else { continue };
        let namespaces = lines.filter_map(|path| path.strip_prefix("apps/")?.strip_suffix("/receipt.json"));
        for namespace in namespaces {
            changed.entry(namespace.to_owned()).or_insert_with(|| commit.to_owned());
        }
    }
    Ok((changed, before))
}

/// Reads the files of every app of a commit, by namespace.
///
/// # Errors
/// When git fails.
pub(super) fn apps_below(remote: &Remote, commit: &str) -> Result<BTreeMap<String, Files>> {
    let mut apps = BTreeMap::new();
    each_app(remote, &blobs_below(remote, commit, &format!("{APPS}/"))?, |namespace, files| {
        apps.insert(namespace.to_owned(), files);
    })?;
    Ok(apps)
}

/// A file of a commit.
struct Blob {
    path: String,
    /// git's name of what is in it.
    object: String,
}

impl Blob {
    fn namespace(&self) -> Option<&str> {
        self.path.strip_prefix("apps/")?.split_once('/').map(|(namespace, _)| namespace)
    }
}

/// Hands out the files of one app after another; `blobs` are in the order of their paths, as git lists them.
fn each_app(remote: &Remote, blobs: &[Blob], mut take: impl FnMut(&str, Files)) -> Result<()> {
    let apps: Vec<&[Blob]> = blobs.chunk_by(|one, next| one.namespace() == next.namespace()).collect();
    for some in apps.chunks(AT_ONCE) {
        let mut files = read(remote, some.iter().copied().flatten())?;
        for app in some {
            // What is in no app's directory is not kilter's.
            let Some(namespace) = app.first().and_then(Blob::namespace) else { continue };
            take(namespace, app.iter().filter_map(|blob| files.remove_entry(&blob.path)).collect());
        }
    }
    Ok(())
}

/// Lists the files below a path of a commit.
fn blobs_below(remote: &Remote, commit: &str, path: &str) -> Result<Vec<Blob>> {
    let listed = run(&remote.call(["ls-tree", "-r", "-z", commit, "--", path]), "list the repository's files")?;
    let mut blobs = Vec::new();
    for line in listed.stdout.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let line = String::from_utf8_lossy(line);
        // "<mode> <type> <object>\t<path>"; a path that is no text, a link or a submodule is not kilter's.
        let Some((about, path)) = line.split_once('\t') else { continue };
        let mut about = about.split(' ');
        if let (Some("100644"), Some("blob"), Some(object)) = (about.next(), about.next(), about.next()) {
            blobs.push(Blob { path: path.to_owned(), object: object.to_owned() });
        }
    }
    Ok(blobs)
}

/// Reads files, with one call of git.
fn read<'a>(remote: &Remote, blobs: impl IntoIterator<Item = &'a Blob>) -> Result<Files> {
    let (mut names, mut wanted) = (Vec::new(), String::new());
    for blob in blobs {
        names.push(blob.path.as_str());
        wanted.push_str(&blob.object);
        wanted.push('\n');
    }
    if names.is_empty() {
        return Ok(Files::new());
    }
    let mut call = remote.call(["cat-file", "--batch"]);
    call.stdin = Some(wanted.into_bytes());
    call.max_output = 1 << 30;
    let read = run(&call, "read the repository's files")?;
    split_batch(&names, &read.stdout).ok_or_else(|| Error::bug("git cat-file --batch did not answer in its form"))
}

/// Takes the answer of `git cat-file --batch` apart: "<object> blob <size>\n<bytes>\n" for each (git-cat-file(1)).
fn split_batch(names: &[&str], mut rest: &[u8]) -> Option<Files> {
    let mut files = Files::new();
    for name in names {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let size: usize = std::str::from_utf8(&rest[..end]).ok()?.rsplit(' ').next()?.parse().ok()?;
        rest = &rest[end + 1..];
        files.insert((*name).to_owned(), rest.get(..size)?.to_vec());
        rest = rest.get(size + 1..)?;
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::super::Change;
    use super::super::tests::{Bench, change};
    use super::*;

    #[test]
    fn a_commit_that_is_somebody_elses_is_none_of_an_apps() {
        let bench = Bench::new();
        let mut repository = bench.open("a");
        let mut write = |app: &str, generation: i64, image: &str| {
            repository.write(&[change(app, generation, image)]).unwrap();
            repository.head().commit.clone().unwrap()
        };
        let (shop, other) = (write("shop", 1, "i@sha256:1"), write("other", 1, "i@sha256:1"));
        assert_eq!(write("shop", 2, "i@sha256:1"), other, "the same for a newer generation is no commit");
        bench.foreign("README.md", "by hand\n");
        bench.foreign("apps/other-prod/note", "by hand\n");
        assert!(repository.refresh().unwrap());
        let known = |head: &Head, namespace: &str| {
            let entry = &head.entries[namespace];
            (entry.commit.clone(), entry.receipt.generation, entry.whole)
        };
        assert_eq!(known(repository.head(), "shop-prod"), (shop.clone(), 2, true));
        assert!(!known(repository.head(), "other-prod").2);
        // An operator that starts anew finds the same out, but for what no commit tells.
        assert_eq!(known(bench.open("b").head(), "shop-prod"), (shop.clone(), 1, true));
        // What is written again is in a commit of now.
        repository.write(&[change("other", 1, "i@sha256:1"), change("shop", 2, "i@sha256:1")]).unwrap();
        let head = repository.head().commit.clone().unwrap();
        assert_eq!(known(repository.head(), "other-prod"), (head, 1, true));
        assert_eq!(known(repository.head(), "shop-prod").0, shop);
        repository.write(&[Change { files: None, ..change("other", 2, "") }]).unwrap();
        // Of what was written long ago, the newest commit is taken that is not looked through.
        let (remote, head) = (bench.remote("a"), repository.head().commit.clone().unwrap());
        let commits = bench.look(&["rev-list", "main"]);
        let commits: Vec<&str> = commits.lines().collect();
        for (count, oldest) in commits.iter().enumerate().skip(1) {
            let (changed, before) = last_changes(&remote, &head, count).unwrap();
            assert_eq!((changed.get("shop-prod"), before.as_str()), (None, *oldest), "{count}");
        }
        let (changed, _) = last_changes(&remote, &head, 6).unwrap();
        assert_eq!(changed.get("shop-prod"), Some(&shop));
    }
}
