//! The tree on disk.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use ignore::{DirEntry, WalkBuilder, WalkState};

use super::model::Tree;
use super::python::is_requirements;
use super::{compose, deno, dotnet, elixir, env_files, hosting, jvm, php, ruby, rust};
use crate::diag::{Error, Result};
use crate::fsx;

/// The largest manifest that is read.
const MAX_BYTES: u64 = 1024 * 1024;

/// Directories that hold other people's code or build output, ignored by git or not.
const NEVER: [&str; 10] = [
    "node_modules",
    "bower_components",
    "vendor",
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

/// The manifests of a project on disk.
#[derive(Debug)]
pub struct DiskTree {
    root: PathBuf,
    paths: Vec<String>,
    /// Files that are no manifests by their name, but can be named by one.
    others: Vec<String>,
}

impl DiskTree {
    /// Walks the project at `root` and notes the files that can be manifests; none is read yet. Its `.gitignore` files
    /// count, also outside a git repository; those of directories above and the user's own git settings do not, so that every
    /// machine sees the same. Hidden directories, installed packages and build output are not entered, symbolic links
    /// not followed.
    ///
    /// # Errors
    /// When `root` is not a readable directory. A directory below it that cannot be read is left out.
    pub fn open(root: &Path) -> Result<Self> {
        std::fs::read_dir(root)
            .map_err(|error| Error::io(format!("read the directory `{}`", root.display()), &error))?;
        let (send, receive) = mpsc::channel();
        let walk = WalkBuilder::new(root)
            .hidden(false)
            .ignore(false)
            .git_global(false)
            .git_exclude(false)
            .require_git(false)
            .parents(false)
            .follow_links(false)
            .filter_entry(is_entered)
            .build_parallel();
        walk.run(|| {
            let send = send.clone();
            Box::new(move |entry| {
                if let Some(path) = entry.ok().and_then(|entry| noted(root, &entry)) {
                    // The receiver outlives the walk.
                    let _ = send.send(path);
                }
                WalkState::Continue
            })
        });
        drop(send);
        let (mut paths, mut others) = (Vec::new(), Vec::new());
        receive
            .into_iter()
            .for_each(|(path, is_manifest)| if is_manifest { &mut paths } else { &mut others }.push(path));
        paths.sort_unstable();
        others.sort_unstable();
        Ok(Self { root: root.to_path_buf(), paths, others })
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

    fn read(&self, path: &str) -> Option<String> {
        text(fsx::read(&self.root.join(path), MAX_BYTES).ok().flatten()?)
    }
}

/// Returns the text of a file in UTF-8, or in UTF-16 where its byte order mark says so, as PowerShell writes it.
fn text(bytes: Vec<u8>) -> Option<String> {
    let unit: fn([u8; 2]) -> u16 = match bytes.as_slice() {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return String::from_utf8(bytes).ok(),
    };
    let pairs = bytes[2..].chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let units: Vec<u16> = pairs.map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16(&units).ok()
}

/// Tells whether the walk goes into a directory, or looks at a file.
fn is_entered(entry: &DirEntry) -> bool {
    if entry.depth() == 0 || !entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return true;
    }
    let name = entry.file_name().to_string_lossy();
    (!name.starts_with('.') || compose::is_entered(&name) || hosting::is_entered(&name))
        && !NEVER.contains(&name.as_ref())
}

/// Returns the path of an ordinary file, relative to the root, that is a manifest by its name (`true`) or can be named by one. A
/// name that is not UTF-8 is neither.
fn noted(root: &Path, entry: &DirEntry) -> Option<(String, bool)> {
    if !entry.file_type()?.is_file() {
        return None;
    }
    let name = entry.file_name().to_str()?;
    let path = entry.path().strip_prefix(root).ok()?.to_str()?;
    let text = name.ends_with(".txt") || name.ends_with(".in");
    let listed = NAMES.contains(&name) || name.ends_with(".prisma") || (text && is_requirements(path));
    let is_manifest = listed || is_other(path, name);
    (is_manifest || can_be_named(name)).then(|| (path.to_owned(), is_manifest))
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
