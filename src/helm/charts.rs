//! The store of charts: directories by digest, shared by all projects. helm renders from there only, so that what is
//! rendered is what the digest says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::Chart;
use crate::catalog::{CatalogService, EmbeddedChart};
use crate::diag::{Error, Result};
use crate::fsx;
use crate::ids::{Digest, hex};

/// Largest chart directory of a user, in bytes and in files: more is a mistake (a `node_modules` below it, say).
pub const MAX_BYTES: u64 = 20 * 1024 * 1024;
pub(super) const MAX_FILES: usize = 2000;

/// Name of the catalog file beside a stored chart of the catalog.
const CATALOG: &str = "catalog.json";

/// Files of a chart by their path inside it.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Computes the digest of a chart: SHA-256 over, for each file in order of its path, the path, a NUL, the hex SHA-256
/// of its bytes and a newline.
pub fn digest<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Digest {
    let mut hasher = Sha256::new();
    for (path, bytes) in files {
        hasher.update(format!("{path}\0{}\n", hex(&Sha256::digest(bytes))));
    }
    Digest::from_hasher(hasher)
}

/// Returns the digest of a chart's files.
pub fn digest_of(files: &Files) -> Digest {
    digest(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())))
}

/// Takes files only when their digest is the expected one; `shown` names them in the message.
///
/// # Errors
/// When it is another one.
pub fn require_digest(files: &Files, expected: &Digest, shown: &str) -> Result<()> {
    let got = digest_of(files);
    if got == *expected {
        return Ok(());
    }
    Err(Error::missing(format!("`{shown}` is not the chart that kilter.lock holds"))
        .detail(format!("expected {expected}\ngot      {got}"))
        .help("Nothing of it was kept. Check the mirror (`KILTER_MIRROR`)."))
}

/// The store, a directory.
#[derive(Debug, Clone)]
pub struct ChartStore {
    /// Where it is.
    pub root: PathBuf,
}

impl ChartStore {
    /// Returns a chart that is compiled in, unpacked.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn embedded(&self, chart: &EmbeddedChart) -> Result<Chart> {
        let digest = chart.digest();
        let dir = self.dir(&digest).join(chart.name);
        if !dir.is_dir() {
            let mut files: Vec<(String, &[u8])> =
                chart.files.iter().map(|file| (format!("{}/{}", chart.name, file.path), file.bytes)).collect();
            if let Some(catalog) = chart.catalog {
                files.push((CATALOG.to_owned(), catalog.as_bytes()));
            }
            self.put(&digest, &files)?;
        }
        Ok(Chart { name: chart.name.into(), version: chart.version.into(), digest, dir })
    }

    /// Returns a stored chart by its digest; `None` when it is not there.
    pub fn stored(&self, name: &str, digest: &Digest) -> Option<Chart> {
        let dir = self.dir(digest).join(name);
        let about = read_about(&fs::read_to_string(dir.join("Chart.yaml")).ok()?)?;
        Some(Chart { name: about.0, version: about.1, digest: digest.clone(), dir })
    }

    /// Returns a stored chart by its digest alone; `None` when it is not there.
    pub fn by_digest(&self, digest: &Digest) -> Option<Chart> {
        let entries = fs::read_dir(self.dir(digest)).ok()?;
        let dir = entries.flatten().find(|entry| entry.path().is_dir())?;
        self.stored(&dir.file_name().to_string_lossy(), digest)
    }

    /// Returns the catalog file of a stored chart of the catalog.
    pub fn catalog(&self, digest: &Digest) -> Option<CatalogService> {
        serde_json::from_slice(&fs::read(self.dir(digest).join(CATALOG)).ok()?).ok()
    }

    /// Copies a chart directory of the user's into the store; `shown` is the directory as kilter.yaml has it.
    ///
    /// # Errors
    /// When it is no chart, too large, cannot be read, or its links go in a circle.
    pub fn local(&self, dir: &Path, shown: &str) -> Result<Chart> {
        let why = match fs::metadata(dir) {
            Ok(meta) if meta.is_dir() => return self.files(&read_files(dir, shown)?, shown),
            Ok(_) => format!("`{shown}` is a file, and a chart is a directory"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                format!("there is no chart directory `{shown}`")
            }
            Err(error) => format!("cannot read chart `{shown}`: {}", crate::diag::io_words(&error)),
        };
        Err(Error::project(why).help("Correct `chart:` in kilter.yaml; it is relative to the project's root."))
    }

    /// Puts the files of a chart into the store; `shown` names the chart in messages.
    ///
    /// # Errors
    /// When they are no chart, or cannot be written.
    pub fn files(&self, files: &Files, shown: &str) -> Result<Chart> {
        let Some(about) = files.get("Chart.yaml") else {
            return Err(Error::project(format!("`{shown}` has no Chart.yaml, so it is no chart"))
                .help("Point `chart:` at the directory that holds Chart.yaml."));
        };
        let about = read_about(&String::from_utf8_lossy(about));
        let (name, version) = about.ok_or_else(|| {
            Error::project(format!("Chart.yaml of `{shown}` does not say `name` and `version`"))
                .help("Write both into Chart.yaml.")
        })?;
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return Err(Error::project(format!("Chart.yaml of `{shown}`: `{name}` is not a name"))
                .help("Use letters, digits and `-`."));
        }
        let digest = digest_of(files);
        let dir = self.dir(&digest).join(&name);
        if !dir.is_dir() {
            let placed: Vec<(String, &[u8])> =
                files.iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes.as_slice())).collect();
            self.put(&digest, &placed)?;
        }
        Ok(Chart { name, version, digest, dir })
    }

    /// Puts a chart that was compiled into another kilter into the store: its files as the repository has them,
    /// `catalog.yaml` among them. They are taken only when `digest` is theirs; `shown` names them in messages.
    ///
    /// # Errors
    /// When the digest is another one, they are no chart, or they cannot be written.
    pub fn carried_elsewhere(&self, files: &Files, digest: &Digest, shown: &str) -> Result<Chart> {
        require_digest(files, digest, shown)?;
        let about = files.get("Chart.yaml").and_then(|bytes| read_about(&String::from_utf8_lossy(bytes)));
        let (name, version) = about.ok_or_else(|| {
            Error::missing(format!("`{shown}` is no chart")).help("Check the mirror (`KILTER_MIRROR`).")
        })?;
        let mut placed: Vec<(String, &[u8])> = files
            .iter()
            .filter(|(path, _)| *path != "catalog.yaml")
            .map(|(path, bytes)| (format!("{name}/{path}"), bytes.as_slice()))
            .collect();
        let catalog = files.get("catalog.yaml").and_then(|bytes| serde_yaml::from_slice(bytes).ok());
        let catalog = catalog.map(|about: serde_json::Value| about.to_string());
        if let Some(catalog) = &catalog {
            placed.push((CATALOG.to_owned(), catalog.as_bytes()));
        }
        self.put(digest, &placed)?;
        Ok(Chart { name: name.clone(), version, digest: digest.clone(), dir: self.dir(digest).join(name) })
    }

    fn dir(&self, digest: &Digest) -> PathBuf {
        self.root.join(digest.hex())
    }

    /// Writes the files of one digest: into a temporary neighbour, then renamed; who comes second finds it there.
    fn put(&self, digest: &Digest, files: &[(String, &[u8])]) -> Result<()> {
        fsx::create_dir(&self.root)?;
        let fail = |error: &std::io::Error| Error::io(format!("write into `{}`", self.root.display()), error);
        fsx::sweep(&self.root, "chart");
        let temp = tempfile::Builder::new()
            .prefix(&format!(".chart.{}-", std::process::id()))
            .suffix(fsx::TEMP_SUFFIX)
            .tempdir_in(&self.root)
            .map_err(|error| fail(&error))?;
        for (path, bytes) in files {
            fsx::write(&temp.path().join(path), bytes)
                .map_err(|error| error.made_for(temp.path(), &self.dir(digest)))?;
        }
        match fs::rename(temp.path(), self.dir(digest)) {
            Ok(()) => {
                let _ = temp.keep(); // renamed: nothing is left to remove
                Ok(())
            }
            Err(_) if self.dir(digest).is_dir() => Ok(()),
            Err(error) => Err(fail(&error)),
        }
    }
}

/// Checks before helm renders a stored chart that it still is what its digest says: anything may have changed it since. A
/// changed one leaves the store, so that the next run stores it anew.
///
/// # Errors
/// When it is another chart now.
pub(super) fn require_whole(chart: &Chart) -> Result<()> {
    let entry = chart.dir.parent().filter(|dir| dir.ends_with(chart.digest.hex()));
    let whole = |files: Files| match crate::catalog::chart(&chart.name) {
        Some(own) if own.digest() == chart.digest => {
            own.files.len() == files.len()
                && own.files.iter().all(|file| files.get(file.path).is_some_and(|bytes| bytes == file.bytes))
        }
        // The digest of a chart of an older catalog has the catalog file in it as it was written; the store does not.
        _ if entry.is_some_and(|entry| entry.join(CATALOG).is_file()) => true,
        _ => digest(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))) == chart.digest,
    };
    if read_files(&chart.dir, &chart.name).is_ok_and(whole) {
        return Ok(());
    }
    if let Some(entry) = entry {
        fsx::remove(entry)?;
    }
    let name = &chart.name;
    Err(Error::missing(format!("kilter's stored copy of chart `{name}` was changed or damaged"))
        .help("It was removed: run the same command again, and the chart is stored anew.")
        .help("To change a chart, make it yours: `kilter eject chart/SERVICE`."))
}

/// Reads all files of a chart directory; `shown` names it in messages.
///
/// # Errors
/// When a file cannot be read, there is too much, or links go in a circle.
pub fn read_files(dir: &Path, shown: &str) -> Result<Files> {
    let mut files = Files::new();
    read_dir(dir, "", &mut Vec::new(), &mut files, &mut 0, shown)?;
    Ok(files)
}

/// Reads name and version out of a Chart.yaml.
fn read_about(text: &str) -> Option<(String, String)> {
    let about: serde_yaml::Value = serde_yaml::from_str(text).ok()?;
    Some((about["name"].as_str()?.to_owned(), about["version"].as_str()?.to_owned()))
}

/// Reads all files below `dir`. Links are followed, as helm does; `above` holds the real directories on the way, to
/// notice a circle.
fn read_dir(
    dir: &Path,
    prefix: &str,
    above: &mut Vec<PathBuf>,
    files: &mut Files,
    total: &mut u64,
    shown: &str,
) -> Result<()> {
    let fail = |error: &std::io::Error| Error::io(format!("read chart `{shown}`"), error);
    let real = fs::canonicalize(dir).map_err(|error| fail(&error))?;
    if above.contains(&real) {
        return Err(Error::project(format!("chart `{shown}`: the link `{prefix}` leads back to a directory above it"))
            .help("Remove the link."));
    }
    above.push(real);
    for entry in fs::read_dir(dir).map_err(|error| fail(&error))? {
        let entry = entry.map_err(|error| fail(&error))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(
                Error::project(format!("chart `{shown}` has a file whose name is not UTF-8")).help("Rename the file.")
            );
        };
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        let meta = fs::metadata(entry.path())
            .map_err(|error| Error::io(format!("read `{path}` of chart `{shown}`"), &error))?;
        if meta.is_dir() {
            read_dir(&entry.path(), &path, above, files, total, shown)?;
            continue;
        }
        *total += meta.len();
        if *total > MAX_BYTES || files.len() >= MAX_FILES || !meta.is_file() {
            return Err(Error::project(format!("chart `{shown}` is not a chart kilter can take: see `{path}`")).help(
                format!("A chart has ordinary files, at most {MAX_FILES} of them and {} in all.", fsx::size(MAX_BYTES)),
            ));
        }
        files.insert(path, fs::read(entry.path()).map_err(|error| fail(&error))?);
    }
    above.pop();
    Ok(())
}
