//! The tree on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use ignore::gitignore::Gitignore;
use ignore::{DirEntry, Match, WalkBuilder, WalkState};
use rustix::fs::OFlags;

use super::model::{Tree, Unreadable};
use super::python::is_requirements;
use super::{compose, deno, dotnet, elixir, env_files, hosting, jvm, php, places, ruby, rust};
use crate::diag::{Error, Problem, Result, io_words};
use crate::fsx;

/// The largest manifest that is read.
const MAX_BYTES: u64 = 1024 * 1024;

/// Directories that hold other people's code or build output, ignored by git or not.
const NEVER: [&str; 14] = [
    "node_modules",
    "bower_components",
    "vendor",
    "vendored",
    "third_party",
    "third-party",
    "thirdparty",
    "target",
    "dist",
    "venv",
    "site-packages",
    "__pycache__",
    "Pods",
    "_build",
];

/// Names that can be manifests, or whose mere presence says something (an entry file, a lockfile).
const NAMES: [&str; 46] = [
    "package.json",
    "pnpm-workspace.yaml",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "bun.lockb",
    "bunfig.toml",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".pnpmfile.cjs",
    ".nvmrc",
    ".node-version",
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
    "environment.yml",
    "environment.yaml",
    "Pipfile",
    "Pipfile.lock",
    "pixi.toml",
    "poetry.lock",
    "uv.lock",
    ".python-version",
    "runtime.txt",
    "manage.py",
    "main.py",
    "app.py",
    "server.py",
    "wsgi.py",
    ".flaskenv",
    "__init__.py",
    "go.mod",
    "go.sum",
    "go.work",
    "go.work.sum",
    "main.go",
    "Procfile",
    "Procfile.dev",
    "Dockerfile",
    "Dockerfile.dev",
    ".env.example",
    ".env.sample",
    ".env.template",
];

/// What is said of a name that is a pipe, a socket or a device.
const NO_FILE: &str = "it is no ordinary file";

/// The manifests of a project on disk.
#[derive(Debug)]
pub struct DiskTree {
    root: PathBuf,
    paths: Vec<String>,
    /// Files that are no manifests by their name, but can be named by one.
    others: Vec<String>,
    /// Those of `paths` that are no files, and what they are.
    odd: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

/// What the walk met.
enum Met {
    Manifest(String),
    /// Can be named by a manifest.
    Other(String),
    /// Has the name of a manifest and is no file; what it is.
    Odd(String, String),
    Problem(Problem),
}

impl DiskTree {
    /// Walks the project at `root` and notes the files that can be manifests; none is read yet. Its `.gitignore` files
    /// count, also outside a git repository, but for an example of an environment that `.env*` means as well; those of
    /// directories above and the user's own git settings do not, so that every machine sees the same. Hidden directories,
    /// installed packages and build output are not entered, symbolic links
    /// not followed. What has the name of a manifest and cannot be read as one (a directory, a pipe, a link that leads out of
    /// the project) is noted with the reason.
    ///
    /// # Errors
    /// When `root` is not a readable directory. A directory below it that cannot be read is left out, with a warning.
    pub fn open(root: &Path) -> Result<Self> {
        std::fs::read_dir(root)
            .map_err(|error| Error::io(format!("read the directory `{}`", root.display()), &error))?;
        let (send, receive) = mpsc::channel();
        let has_rules = !is_endless(&root.join(GITIGNORE));
        if !has_rules {
            // The receiver outlives the walk.
            let _ = send.send(Met::Problem(rules("", "No `.gitignore` of the project counts until it is one.")));
        }
        let told = send.clone();
        let place = root.to_path_buf();
        let walk = WalkBuilder::new(root)
            .hidden(false)
            .ignore(false)
            .git_ignore(has_rules)
            .git_global(false)
            .git_exclude(false)
            .require_git(false)
            .parents(false)
            .follow_links(false)
            .filter_entry(move |entry| is_entered(entry) && (!has_rules || can_be_entered(&place, entry, &told)))
            .build_parallel();
        walk.run(|| {
            let send = send.clone();
            Box::new(move |entry| {
                let met = match entry {
                    Ok(entry) => noted(root, &entry),
                    Err(error) => unread(root, &error),
                };
                if let Some(met) = met {
                    let _ = send.send(met);
                }
                WalkState::Continue
            })
        });
        drop(send);
        let mut tree = Self::of(root, receive.into_iter());
        if has_rules {
            tree.paths.extend(ignored_examples(root, &tree.paths));
            tree.paths.sort_unstable();
        }
        Ok(tree)
    }

    fn of(root: &Path, met: impl Iterator<Item = Met>) -> Self {
        let (mut paths, mut others, mut odd, mut problems) = (Vec::new(), Vec::new(), BTreeMap::new(), Vec::new());
        for met in met {
            match met {
                Met::Manifest(path) => paths.push(path),
                Met::Other(path) => others.push(path),
                Met::Odd(path, what) => {
                    paths.push(path.clone());
                    odd.insert(path, what);
                }
                Met::Problem(problem) => problems.push(problem),
            }
        }
        paths.sort_unstable();
        others.sort_unstable();
        problems.sort_by(|a: &Problem, b| a.what.cmp(&b.what));
        Self { root: root.to_path_buf(), paths, others, odd, problems }
    }
}

impl Tree for DiskTree {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn can_be_named(&self, path: &str) -> bool {
        let is_in = |list: &[String]| list.binary_search_by(|known| known.as_str().cmp(path)).is_ok();
        is_in(&self.paths) || is_in(&self.others)
    }

    fn read(&self, path: &str) -> Result<String, Unreadable> {
        match self.odd.get(path) {
            Some(what) => Err(Unreadable::Access(what.clone())),
            None => text(contents(&self.root.join(path))?),
        }
    }

    fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// Reads an ordinary file. What took its place since the walk is neither followed nor waited for.
fn contents(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let cannot = |error: &io::Error| Unreadable::Access(io_words(error));
    let file = open(path).map_err(|error| cannot(&error))?;
    let about = file.metadata().map_err(|error| cannot(&error))?;
    if !about.is_file() {
        return Err(Unreadable::Access(NO_FILE.into()));
    }
    // With room for one byte more, which tells that there is none, it is read at once.
    let room = usize::try_from(about.len().min(MAX_BYTES)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(room.saturating_add(1));
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Unreadable::Content(format!("it is larger than {}", fsx::size(MAX_BYTES))));
    }
    Ok(bytes)
}

fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    OpenOptions::new().read(true).custom_flags(i32::try_from(flags).map_err(io::Error::other)?).open(path)
}

/// Returns the text of a file in UTF-8, or in UTF-16 where its byte order mark says so, as PowerShell writes it.
fn text(bytes: Vec<u8>) -> Result<String, Unreadable> {
    let content = |why: String| Err(Unreadable::Content(why));
    let text = match bytes.as_slice() {
        [0xff, 0xfe, pairs @ ..] => utf16(pairs, u16::from_le_bytes),
        [0xfe, 0xff, pairs @ ..] => utf16(pairs, u16::from_be_bytes),
        _ => match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) => {
                let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                return content(format!("line {} is not UTF-8", line_behind(before)));
            }
        },
    };
    let Some(text) = text else { return content("it is not UTF-16, though its first bytes say so".into()) };
    match text.find('\0') {
        Some(at) => content(format!("line {} holds the control character U+0000", line_behind(&text.as_bytes()[..at]))),
        None => Ok(text),
    }
}

fn utf16(pairs: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let pairs = pairs.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let units: Vec<u16> = pairs.map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16(&units).ok()
}

/// Returns the line, from 1, of what follows these bytes.
fn line_behind(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Returns the examples of environments at the root and beside manifests that the walk left out for a rule about the files of developers
/// (`.env*`). `paths` are sorted. Git has such an example all the same once somebody added it: <https://git-scm.com/docs/gitignore>.
fn ignored_examples(root: &Path, paths: &[String]) -> Vec<String> {
    const EXAMPLES: [&str; 4] = [".env.dist", ".env.example", ".env.sample", ".env.template"];
    let (rules, _) = Gitignore::new(root.join(GITIGNORE));
    // A rule with the name of the example means it, and so does one about the directory.
    let is_meant_too =
        |path: &str| matches!(rules.matched(path, false), Match::Ignore(rule) if rule.original().contains('*'));
    if !EXAMPLES.iter().any(|name| is_meant_too(name)) {
        // Hardly any project needs what follows.
        return Vec::new();
    }
    let manifests = paths.iter().filter(|path| places::declares(path)).map(|path| places::split(path).0);
    let directories: BTreeSet<&str> = std::iter::once("").chain(manifests).collect();
    let named = directories.iter().flat_map(|dir| EXAMPLES.map(|name| places::join(dir, name)));
    let is_file = |path: &str| std::fs::symlink_metadata(root.join(path)).is_ok_and(|about| about.is_file());
    named.filter(|path| is_meant_too(path) && paths.binary_search(path).is_err() && is_file(path)).collect()
}

/// The file that makes a directory a project of its own.
const PROJECT: &str = "kilter.yaml";

/// Tells whether the walk goes into a directory, or looks at a file. Below the root a project with a file of its own is another one.
fn is_entered(entry: &DirEntry) -> bool {
    if entry.depth() == 0 || !entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return true;
    }
    let name = entry.file_name().to_string_lossy();
    (!name.starts_with('.') || compose::is_entered(&name) || hosting::is_entered(&name))
        && !NEVER.contains(&name.as_ref())
        && !entry.path().join(PROJECT).is_file()
}

/// The file of rules about what is not looked at.
const GITIGNORE: &str = ".gitignore";

/// Tells whether the rules of a directory can be read; where they cannot it is left out, and told of.
fn can_be_entered(root: &Path, entry: &DirEntry, told: &mpsc::Sender<Met>) -> bool {
    if !entry.file_type().is_some_and(|kind| kind.is_dir()) || !is_endless(&entry.path().join(GITIGNORE)) {
        return true;
    }
    let directory = entry.path().strip_prefix(root).unwrap_or(entry.path()).to_string_lossy();
    let help = format!("The directory `{directory}` is left out until it is one.");
    let _ = told.send(Met::Problem(rules(&directory, &help)));
    false
}

/// Tells whether whoever reads a file may wait for ever, as the walk would: a pipe, a device.
fn is_endless(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir())
}

fn rules(directory: &str, help: &str) -> Problem {
    Problem::new(format!("cannot read `{}`: {NO_FILE}", places::join(directory, GITIGNORE))).help(help)
}

/// Tells of a directory that may not be read; what went while it was looked at is nobody's loss.
fn unread(root: &Path, error: &ignore::Error) -> Option<Met> {
    let ignore::Error::WithPath { path, err } = error else {
        return match error {
            ignore::Error::WithDepth { err, .. } => unread(root, err),
            _ => None,
        };
    };
    let why = err.io_error().filter(|error| error.kind() == io::ErrorKind::PermissionDenied)?;
    let path = path.strip_prefix(root).unwrap_or(path).display();
    let problem = Problem::new(format!("cannot read `{path}`: {}", io_words(why)));
    Some(Met::Problem(problem.help("What is below it does not count.")))
}

/// Returns what an entry is: a manifest by its name, or a file that can be named by one, with its path from the root. A name
/// that is not UTF-8 is neither.
fn noted(root: &Path, entry: &DirEntry) -> Option<Met> {
    let name = entry.file_name().to_str()?;
    let path = entry.path().strip_prefix(root).ok()?.to_str()?;
    if !entry.file_type()?.is_file() {
        // Only where nothing else is called like that: a directory `env-example` is none to wonder at.
        let is_odd = places::declares(path) || compose::is_compose(name);
        return is_odd.then(|| odd(root, entry)).flatten().map(|what| Met::Odd(path.to_owned(), what));
    }
    let text = name.ends_with(".txt") || name.ends_with(".in");
    let listed = NAMES.contains(&name) || name.ends_with(".prisma") || (text && is_requirements(path));
    if listed || is_other(path, name) {
        return Some(Met::Manifest(path.to_owned()));
    }
    can_be_named(name).then(|| Met::Other(path.to_owned()))
}

/// Says what an entry is that is no file; nothing of a link to something in the project, which is seen in its own place.
fn odd(root: &Path, entry: &DirEntry) -> Option<String> {
    let kind = entry.file_type()?;
    if kind.is_dir() {
        return Some("it is a directory".into());
    }
    if !kind.is_symlink() {
        return Some(NO_FILE.into());
    }
    match (std::fs::canonicalize(entry.path()), std::fs::canonicalize(root)) {
        (Ok(target), Ok(root)) if !target.starts_with(&root) => Some("it is a link out of the project".into()),
        (Err(error), _) if error.kind() == io::ErrorKind::NotFound => Some("it is a link to nothing".into()),
        (Err(error), _) => Some(io_words(&error)),
        _ => None,
    }
}

/// Tells whether a manifest can name such a file: a compose file includes others and builds from Dockerfiles, pyproject.toml takes
/// its dependencies from a text, whatever they are called before or after that; composer.json has frameworks that commit `.env`.
fn can_be_named(name: &str) -> bool {
    name == env_files::COMMITTED
        || ["Dockerfile", "Containerfile"].iter().any(|beginning| name.starts_with(beginning))
        || [".yml", ".yaml", ".txt", ".in", "ockerfile", "ontainerfile"].iter().any(|ending| name.ends_with(ending))
}

/// Tells whether a path is a manifest of one of the readers that know their own.
fn is_other(path: &str, name: &str) -> bool {
    let by_path =
        [ruby::is_manifest, php::is_manifest, elixir::is_manifest, compose::is_manifest, env_files::is_manifest];
    by_path.iter().any(|is_manifest| is_manifest(path))
        || jvm::is_manifest(path, name)
        || dotnet::is_manifest(path, name)
        || rust::is_manifest(path, name)
        || deno::is_manifest(name)
        || hosting::is_manifest(path)
}

#[cfg(test)]
mod tests;
