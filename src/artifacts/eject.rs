//! Ejecting: the copy that becomes the user's, the base it was taken from, and the three-way merge of later defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::ejected::{BASE_DIR, DIR, Thing};
use super::files::unified_diff;
use crate::diag::{Error, Result};
use crate::fsx;
use crate::helm::charts::read_files;

/// A thing's files: one under the empty path, or those of a chart by their path inside it.
pub type Contents = BTreeMap<String, Vec<u8>>;

/// How an ejected copy stands to kilter's current default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not ejected: kilter's default is used.
    Default,
    /// Ejected; the default has not moved since.
    Current,
    /// Ejected; the default has moved since.
    Behind,
    /// Ejected, of a service that the project does not have: nothing uses it.
    Unused,
}

/// One ejectable thing of a project on disk.
#[derive(Debug, Clone)]
pub struct Copy {
    own: PathBuf,
    base: PathBuf,
    thing: String,
    /// The user's path, relative to the project.
    pub shown: String,
}

/// What a merge gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// The new contents; nothing clashed.
    Clean(Contents),
    /// The files that clash, with conflict markers.
    Conflicts(Contents),
}

impl Copy {
    /// Returns the places of a thing.
    pub fn new(project: &Path, thing: &Thing) -> Self {
        let path = thing.path();
        Self {
            own: project.join(DIR).join(&path),
            base: project.join(BASE_DIR).join(&path),
            thing: thing.to_string(),
            shown: format!("{DIR}/{path}"),
        }
    }

    /// Reads the user's copy.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn own(&self) -> Result<Option<Contents>> {
        contents(&self.own)
    }

    /// Reads the default that the copy was taken from, or last merged with.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn base(&self) -> Result<Option<Contents>> {
        contents(&self.base)
    }

    /// Compares with the current default.
    ///
    /// # Errors
    /// When a copy cannot be read.
    pub fn state(&self, default: &Contents) -> Result<State> {
        Ok(match (self.own()?, self.base()?) {
            (None, _) => State::Default,
            (Some(_), Some(base)) if base == *default => State::Current,
            (Some(own), None) if own == *default => State::Current,
            _ => State::Behind,
        })
    }

    /// Makes the copy: the base first, so that a copy is never without one.
    ///
    /// # Errors
    /// When there is a copy already, or it cannot be written.
    pub fn eject(&self, default: &Contents) -> Result<()> {
        if self.own.exists() {
            return Err(Error::refused(format!("`{}` is there already, and it is yours", self.shown))
                .help(format!("See what kilter's default has that it does not: `kilter eject --diff {}`.", self.thing))
                .help("To start over from the default, delete it first."));
        }
        replace(&self.base, default)?;
        replace(&self.own, default)
    }

    /// Shows what the current default has that the base did not: the improvements since.
    ///
    /// # Errors
    /// When there is no copy, or it cannot be read.
    pub fn improvements(&self, default: &Contents) -> Result<String> {
        let own = self.own()?.ok_or_else(|| self.not_ejected("compare"))?;
        let base = self.base()?.unwrap_or(own);
        Ok(diff(&self.shown, &base, default))
    }

    /// Merges the improvements of the current default into the user's copy. Nothing is written.
    ///
    /// # Errors
    /// When there is no copy, or no base to merge from.
    pub fn merge(&self, default: &Contents) -> Result<Merged> {
        let own = self.own()?.ok_or_else(|| self.not_ejected("merge"))?;
        let base = self.base()?.ok_or_else(|| {
            Error::project(format!("`{}` has no base under {BASE_DIR}, so there is no three-way merge", self.shown))
                .help(format!("Compare by hand: `kilter eject --diff {}`.", self.thing))
                .help(format!("Then take the default as the base: `kilter eject --merge --resolved {}`.", self.thing))
        })?;
        let paths: BTreeSet<&String> = own.keys().chain(base.keys()).chain(default.keys()).collect();
        let (mut merged, mut conflicts) = (Contents::new(), Contents::new());
        for path in paths {
            match merge_file(base.get(path), own.get(path), default.get(path)) {
                Ok(Some(bytes)) => drop(merged.insert(path.clone(), bytes)),
                Ok(None) => {}
                Err(marked) => drop(conflicts.insert(path.clone(), marked)),
            }
        }
        Ok(if conflicts.is_empty() { Merged::Clean(merged) } else { Merged::Conflicts(conflicts) })
    }

    /// Stores merged contents, and the default they now contain as the base.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn store(&self, merged: &Contents, default: &Contents) -> Result<()> {
        replace(&self.own, merged)?;
        replace(&self.base, default)
    }

    fn not_ejected(&self, verb: &str) -> Error {
        Error::project(format!("`{}` is not ejected, so there is nothing to {verb}", self.shown))
            .help("List what is: `kilter eject --list`.")
    }

    /// Takes the current default as the base: the user has merged by hand.
    ///
    /// # Errors
    /// When there is no copy, or it cannot be written.
    pub fn resolved(&self, default: &Contents) -> Result<()> {
        self.own()?.ok_or_else(|| self.not_ejected("merge"))?;
        replace(&self.base, default)
    }
}

/// Returns the unified diff of two contents.
pub fn diff(shown: &str, old: &Contents, new: &Contents) -> String {
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let empty = Vec::new();
    let parts = paths.into_iter().map(|path| {
        let name = if path.is_empty() { shown.to_owned() } else { format!("{shown}/{path}") };
        unified_diff(&name, old.get(path).unwrap_or(&empty), new.get(path).unwrap_or(&empty))
    });
    parts.collect()
}

/// Merges one file; `None` is "not there". `Err` holds the file with conflict markers.
fn merge_file(
    base: Option<&Vec<u8>>,
    own: Option<&Vec<u8>>,
    default: Option<&Vec<u8>>,
) -> Result<Option<Vec<u8>>, Vec<u8>> {
    if own == default || base == default {
        return Ok(own.cloned());
    }
    if base == own {
        return Ok(default.cloned());
    }
    let empty = Vec::new();
    let text = |bytes: Option<&Vec<u8>>| String::from_utf8_lossy(bytes.unwrap_or(&empty)).into_owned();
    let options = diffy::MergeOptions::new();
    match options.merge(&text(base), &text(own), &text(default)) {
        Ok(merged) => Ok(Some(merged.into_bytes())),
        Err(marked) => Err(marked.into_bytes()),
    }
}

fn contents(path: &Path) -> Result<Option<Contents>> {
    if path.is_dir() {
        return read_files(path, &path.to_string_lossy()).map(Some);
    }
    Ok(fsx::read(path, fsx::MAX_FILE)?.map(|bytes| Contents::from([(String::new(), bytes)])))
}

/// Makes a place hold exactly these contents. A directory is made beside and swapped in: at no moment is there none.
fn replace(path: &Path, new: &Contents) -> Result<()> {
    if let Some(bytes) = new.get("") {
        return fsx::write_if_changed(path, bytes).map(drop);
    }
    let fail = |error: &std::io::Error| Error::io(format!("write `{}`", path.display()), error);
    let parent = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    fsx::create_dir(parent)?;
    fsx::sweep(parent, &name);
    let temp = tempfile::Builder::new()
        .prefix(&format!(".{name}.{}-", std::process::id()))
        .suffix(fsx::TEMP_SUFFIX)
        .permissions(fs::Permissions::from_mode(0o777)) // less what the umask takes
        .tempdir_in(parent)
        .map_err(|error| fail(&error))?;
    let fresh = temp.path();
    for (file, bytes) in new {
        fsx::write(&fresh.join(file), bytes).map_err(|error| error.made_for(fresh, path))?;
    }
    let held = fsx::COMMIT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !path.exists() {
        fs::rename(fresh, path).map_err(|error| fail(&error))?;
        let _ = temp.keep(); // renamed: nothing is left to remove
        return Ok(());
    }
    let swapped = renameat_with(CWD, fresh, CWD, path, RenameFlags::EXCHANGE);
    drop(held);
    match swapped {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => replace_in_place(path, new),
        Err(error) => Err(fail(&error.into())),
    }
}

/// Makes a directory hold exactly these files, each of them whole at any moment: for file systems that cannot swap two
/// directories.
fn replace_in_place(dir: &Path, new: &Contents) -> Result<()> {
    for (file, bytes) in new {
        fsx::write_if_changed(&dir.join(file), bytes)?;
    }
    let there = read_files(dir, &dir.to_string_lossy())?;
    there.keys().filter(|file| !new.contains_key(*file)).try_for_each(|file| fsx::remove(&dir.join(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Contents {
        Contents::from([(String::new(), text.as_bytes().to_vec())])
    }

    #[test]
    fn improvements_are_taken_and_the_users_lines_stay() {
        let project = tempfile::tempdir().unwrap();
        let copy = Copy::new(project.path(), &Thing::Tiltfile);
        let (old, new) = (one("a\nb\nc\nd\ne\n"), one("a\nb\nc\nd\nE\n"));
        copy.eject(&old).unwrap();
        assert_eq!(copy.state(&old).unwrap(), State::Current);
        assert_eq!(copy.eject(&old).unwrap_err().kind(), crate::diag::Kind::Refused);
        fsx::write(&project.path().join("kilter/Tiltfile"), b"A\nb\nc\nd\ne\n").unwrap();
        assert_eq!(copy.state(&new).unwrap(), State::Behind);
        assert!(copy.improvements(&new).unwrap().contains("+E"));
        let Merged::Clean(merged) = copy.merge(&new).unwrap() else { panic!("no conflict here") };
        assert_eq!(merged, one("A\nb\nc\nd\nE\n"));
        copy.store(&merged, &new).unwrap();
        assert_eq!(copy.state(&new).unwrap(), State::Current);
    }

    #[test]
    fn clashes_are_shown_and_not_written() {
        let project = tempfile::tempdir().unwrap();
        let copy = Copy::new(project.path(), &Thing::Tiltfile);
        copy.eject(&one("a\n")).unwrap();
        fsx::write(&project.path().join("kilter/Tiltfile"), b"mine\n").unwrap();
        let Merged::Conflicts(marked) = copy.merge(&one("theirs\n")).unwrap() else { panic!("a conflict") };
        assert!(String::from_utf8_lossy(&marked[""]).contains("<<<<<<<"));
        assert_eq!(copy.own().unwrap().unwrap(), one("mine\n"));
    }

    #[test]
    fn a_directory_takes_new_contents_with_and_without_a_swap() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("redis");
        let chart = |x: &str| Contents::from([("same".into(), b"s".to_vec()), (format!("a/{x}"), x.into())]);
        for (act, x) in [(replace as fn(&Path, &Contents) -> Result<()>, "1"), (replace, "2"), (replace_in_place, "3")]
        {
            act(&place, &chart(x)).unwrap();
            assert_eq!(read_files(&place, "redis").unwrap(), chart(x));
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_chart_is_a_thing_of_many_files() {
        let project = tempfile::tempdir().unwrap();
        let copy = Copy::new(project.path(), &Thing::Chart("redis".into()));
        let chart = |x: &str| {
            Contents::from([("Chart.yaml".into(), b"c".to_vec()), (format!("templates/{x}.yaml"), b"x".to_vec())])
        };
        copy.eject(&chart("a")).unwrap();
        let Merged::Clean(merged) = copy.merge(&chart("b")).unwrap() else { panic!("no conflict here") };
        copy.store(&merged, &chart("b")).unwrap();
        assert_eq!(copy.own().unwrap().unwrap(), chart("b"));
        assert_eq!(copy.base().unwrap().unwrap(), chart("b"));
    }
}
