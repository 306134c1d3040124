//! Chart directories on disk, which may hold anything.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::charts::Files;
use crate::diag::{Error, Result};
use crate::fsx;

/// Largest chart directory of a user, in bytes and in files and directories: more is a mistake (a `node_modules` below
/// it, say).
pub const MAX_BYTES: u64 = 20 * 1024 * 1024;
pub(super) const MAX_FILES: usize = 2000;

/// Reads all files of a chart directory; `shown` names it in messages.
///
/// # Errors
/// When a file cannot be read, there is too much, or links go in a circle.
pub fn read_files(dir: &Path, shown: &str) -> Result<Files> {
    let mut walk = Walk { shown, above: Vec::new(), files: Files::new(), entries: 0, bytes: 0 };
    walk.read(dir, "")?;
    Ok(walk.files)
}

/// A chart directory that is being read.
struct Walk<'a> {
    shown: &'a str,
    /// The directories on the way by device and number, to notice a circle.
    above: Vec<(u64, u64)>,
    files: Files,
    /// Files and directories so far: links to directories can make many of few.
    entries: usize,
    bytes: u64,
}

impl Walk<'_> {
    /// Reads all files below `dir`, which is `prefix` inside the chart. Links are followed, as helm does.
    fn read(&mut self, dir: &Path, prefix: &str) -> Result<()> {
        let shown = self.shown;
        let fail = |error: &std::io::Error| Error::io(format!("read chart `{shown}`"), error);
        let meta = fs::metadata(dir).map_err(|error| fail(&error))?;
        let real = (meta.dev(), meta.ino());
        if self.above.contains(&real) {
            return Err(Error::project(format!(
                "chart `{shown}`: the link `{prefix}` leads back to a directory above it"
            ))
            .help("Remove the link."));
        }
        self.above.push(real);
        for entry in fs::read_dir(dir).map_err(|error| fail(&error))? {
            let entry = entry.map_err(|error| fail(&error))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(Error::project(format!("chart `{shown}` has a file whose name is not UTF-8"))
                    .help("Rename the file."));
            };
            let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            self.entry(&entry.path(), path)?;
        }
        self.above.pop();
        Ok(())
    }

    /// Reads a file, or what is below a directory.
    fn entry(&mut self, place: &Path, path: String) -> Result<()> {
        let shown = self.shown;
        let meta =
            fs::metadata(place).map_err(|error| Error::io(format!("read `{path}` of chart `{shown}`"), &error))?;
        self.entries += 1;
        self.bytes += if meta.is_dir() { 0 } else { meta.len() };
        let kind = meta.is_dir() || meta.is_file();
        if self.bytes > MAX_BYTES || self.entries > MAX_FILES || !kind {
            return Err(Error::project(format!("chart `{shown}` is not a chart kilter can take: see `{path}`")).help(
                format!(
                    "A chart has ordinary files and directories, at most {MAX_FILES} of them and {} in all.",
                    fsx::size(MAX_BYTES)
                ),
            ));
        }
        if meta.is_dir() {
            return self.read(place, &path);
        }
        let bytes = fsx::read(place, MAX_BYTES)?;
        let gone = || Error::io(format!("read chart `{shown}`"), &std::io::ErrorKind::NotFound.into());
        self.files.insert(path, bytes.ok_or_else(gone)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_that_make_many_directories_of_few_are_too_much() {
        let dir = tempfile::tempdir().unwrap();
        for level in 0..30 {
            let here = dir.path().join(format!("{level}"));
            fsx::create_dir(&here).unwrap();
            for link in ["a", "b"] {
                symlink(dir.path().join(format!("{}", level + 1)), here.join(link)).unwrap();
            }
        }
        fsx::create_dir(&dir.path().join("30")).unwrap();
        let error = read_files(&dir.path().join("0"), "wide").unwrap_err();
        assert!(error.to_string().contains("chart `wide` is not a chart kilter can take"), "{error}");
        assert!(error.problems()[0].help[0].contains("at most 2000 of them"), "{error:?}");
    }
}
