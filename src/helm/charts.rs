//! The store of charts: directories by digest, shared by all projects. helm renders from there only, so that what is
//! rendered is what the digest says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{Chart, references, subcharts};
use crate::catalog::{CatalogService, ChartFile, EmbeddedChart};
use crate::diag::{Error, Kind, Result};
use crate::fsx;
use crate::ids::{Digest, hex};

pub use super::directory::{MAX_BYTES, read_files};

/// Name of the catalog file beside a stored chart of the catalog, and in the chart's digest.
const CATALOG: &str = "catalog.yaml";

/// Its name in stores of before, which held the same as JSON. The digest cannot be computed from that.
const OLD_CATALOG: &str = "catalog.json";

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
        let catalog = self.dir(&digest).join(CATALOG);
        if !dir.is_dir() {
            let mut files: Vec<(String, &[u8])> =
                chart.files.iter().map(|file| (format!("{}/{}", chart.name, file.path), file.bytes)).collect();
            files.extend(chart.catalog_yaml.map(|text| (CATALOG.to_owned(), text.as_bytes())));
            self.put(&digest, &files)?;
        } else if let Some(text) = chart.catalog_yaml.filter(|_| !catalog.is_file()) {
            let _ = fsx::write(&catalog, text.as_bytes()); // a later kilter needs it; the store may be read-only
        }
        Ok(Chart { name: chart.name.into(), version: chart.version.into(), digest, dir })
    }

    /// Returns a stored chart by its digest; `None` when it is not there, or `name` is not the name of a chart.
    pub fn stored(&self, name: &str, digest: &Digest) -> Option<Chart> {
        if !is_name(name) {
            return None;
        }
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
        let read = |file: &str| fs::read(self.dir(digest).join(file)).ok();
        let about: serde_json::Value = match read(CATALOG) {
            Some(yaml) => serde_yaml::from_slice(&yaml).ok()?,
            None => serde_json::from_slice(&read(OLD_CATALOG)?).ok()?,
        };
        serde_json::from_value(about).ok()
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

    /// Puts the files of a chart into the store; `shown` names the chart in messages. A stored copy that is not these
    /// files any more is replaced.
    ///
    /// # Errors
    /// When they are no chart, helm would fetch a part of their schema or print them in any order, or they cannot be written.
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
        if !is_name(&name) {
            return Err(Error::project(format!("Chart.yaml of `{shown}`: `{name}` is not a name"))
                .help("Use letters, digits and `-`."));
        }
        refuse_unstable(files, shown)?;
        let digest = digest_of(files);
        let dir = self.dir(&digest).join(&name);
        if read_files(&dir, &name).is_ok_and(|stored| stored != *files) {
            fsx::remove(&self.dir(&digest))?;
        }
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
        let (name, version) = about.filter(|(name, _)| is_name(name)).ok_or_else(|| {
            Error::missing(format!("`{shown}` is no chart")).help("Check the mirror (`KILTER_MIRROR`).")
        })?;
        let place = |path: &String| if path == CATALOG { path.clone() } else { format!("{name}/{path}") };
        let placed: Vec<(String, &[u8])> = files.iter().map(|(path, bytes)| (place(path), bytes.as_slice())).collect();
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
            fsx::write_cached(&temp.path().join(path), bytes)
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

/// Refuses a chart that is sure to render to something else elsewhere, or another time.
fn refuse_unstable(files: &Files, shown: &str) -> Result<()> {
    references::refuse_remote(files, shown)?;
    subcharts::refuse_unordered(files, shown)
}

/// Checks before helm renders a stored chart that it still is what its digest says: anything may have changed it since. A
/// changed one that is compiled in leaves the store, so that the next run stores it anew; any other is left to the user,
/// who may have no other copy.
///
/// # Errors
/// When it is another chart now, or cannot be read.
pub(super) fn require_whole(chart: &Chart) -> Result<()> {
    let entry = chart.dir.parent().filter(|dir| dir.ends_with(chart.digest.hex()));
    let carried = crate::catalog::chart(&chart.name).filter(|own| own.digest() == chart.digest);
    match read_files(&chart.dir, &chart.name) {
        // What is in the store may be from a kilter that did not look.
        Ok(files) if is_whole(&files, chart, entry, carried)? => return refuse_unstable(&files, &chart.name),
        Ok(_) => {}
        // What is in the way is no chart's; or there is nothing. That it cannot be read says nothing about it.
        Err(error) if error.kind() == Kind::Project || !chart.dir.exists() => {}
        Err(error) => return Err(error),
    }
    let name = &chart.name;
    let error = Error::missing(format!("kilter's stored copy of chart `{name}` was changed or damaged"));
    let error = match (entry, carried) {
        (Some(entry), Some(_)) => {
            fsx::remove(entry)?;
            error.help("It was removed: run the same command again, and the chart is stored anew.")
        }
        _ => error.help(format!(
            "Remove `{}`, then run the same command again: the chart is got anew from its registry or the mirror (`KILTER_MIRROR`).",
            entry.unwrap_or(&chart.dir).display()
        )),
    };
    Err(error.help("To change a chart, make it yours: `kilter eject chart/SERVICE`."))
}

/// Tells whether the files of a stored chart are those of its digest; the catalog file beside it belongs to them.
fn is_whole(files: &Files, chart: &Chart, entry: Option<&Path>, carried: Option<&EmbeddedChart>) -> Result<bool> {
    if let Some(own) = carried {
        let same = |file: &ChartFile| files.get(file.path).is_some_and(|bytes| bytes == file.bytes);
        return Ok(own.files.len() == files.len() && own.files.iter().all(same));
    }
    let beside = |file: &str| entry.map(|entry| entry.join(file));
    let catalog = match beside(CATALOG) {
        Some(path) => fsx::read(&path, MAX_BYTES)?,
        None => None,
    };
    if catalog.is_none() && beside(OLD_CATALOG).is_some_and(|path| path.is_file()) {
        return Ok(true); // nothing to compute the digest from
    }
    let mut all: BTreeMap<&str, &[u8]> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    all.extend(catalog.as_deref().map(|bytes| (CATALOG, bytes)));
    Ok(digest(all.into_iter()) == chart.digest)
}

/// Tells whether a chart can have this name: it becomes the name of a directory.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

/// Reads name and version out of a Chart.yaml.
fn read_about(text: &str) -> Option<(String, String)> {
    let about: serde_yaml::Value = serde_yaml::from_str(text).ok()?;
    Some((about["name"].as_str()?.to_owned(), about["version"].as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    fn older() -> Files {
        files(&[
            ("Chart.yaml", "name: old\nversion: 1.0.0\n"),
            ("catalog.yaml", "# as written\ndescription: old\n"),
            ("values.yaml", "a: 1\n"),
        ])
    }

    #[test]
    fn a_chart_of_an_older_catalog_is_checked_with_its_catalog_file_and_kept() {
        let root = tempfile::tempdir().unwrap();
        let store = ChartStore { root: root.path().to_path_buf() };
        let chart = store.carried_elsewhere(&older(), &digest_of(&older()), "old").unwrap();
        require_whole(&chart).unwrap();
        let entry = chart.dir.parent().unwrap();
        for (file, right) in
            [(entry.join("catalog.yaml"), "catalog.yaml"), (chart.dir.join("values.yaml"), "values.yaml")]
        {
            fsx::write(&file, b"edited: by hand\n").unwrap();
            let error = require_whole(&chart).unwrap_err();
            assert!(error.problems()[0].help[0].contains(&format!("Remove `{}`", entry.display())), "{error:?}");
            assert_eq!(fs::read(&file).unwrap(), b"edited: by hand\n", "there may be no other copy");
            fsx::write(&file, &older()[right]).unwrap();
            require_whole(&chart).unwrap();
        }
        // A store of before has the same as JSON, and the digest cannot be computed.
        fsx::remove(&entry.join("catalog.yaml")).unwrap();
        fsx::write(&entry.join("catalog.json"), b"{}").unwrap();
        require_whole(&chart).unwrap();
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_damaged() {
        let root = tempfile::tempdir().unwrap();
        let store = ChartStore { root: root.path().to_path_buf() };
        let chart = store.embedded(crate::catalog::chart("redis").unwrap()).unwrap();
        fsx::remove(&chart.dir.join("values.yaml")).unwrap();
        // A link to itself fails with ELOOP, for root as well.
        std::os::unix::fs::symlink("values.yaml", chart.dir.join("values.yaml")).unwrap();
        let error = require_whole(&chart).unwrap_err();
        assert!(error.to_string().contains("cannot read `values.yaml`"), "{error}");
        assert!(chart.dir.is_dir());
        fsx::remove(&chart.dir.join("values.yaml")).unwrap();
        assert!(require_whole(&chart).unwrap_err().to_string().contains("changed or damaged"));
        assert!(!chart.dir.exists(), "it is compiled in");
    }

    #[test]
    fn a_changed_copy_of_a_users_chart_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let store = ChartStore { root: root.path().to_path_buf() };
        let own = files(&[("Chart.yaml", "name: own\nversion: 1.0.0\n"), ("values.yaml", "a: 1\n")]);
        let chart = store.files(&own, "own").unwrap();
        fsx::write(&chart.dir.join("values.yaml"), b"edited: by hand\n").unwrap();
        assert_eq!(store.files(&own, "own").unwrap(), chart);
        assert_eq!(read_files(&chart.dir, "own").unwrap(), own);
    }

    #[test]
    fn the_name_of_a_chart_leads_nowhere() {
        let root = tempfile::tempdir().unwrap();
        let store = ChartStore { root: root.path().join("charts") };
        for name in ["../../../x", "..", ".x", "a/b", "/x", "a\\\\b", ""] {
            let about = format!("name: \"{name}\"\nversion: 1.0.0\n");
            let evil = files(&[("Chart.yaml", &about)]);
            let error = store.carried_elsewhere(&evil, &digest_of(&evil), "it").unwrap_err().to_string();
            assert!(error.contains("`it` is no chart"), "{name}: {error}");
            store.files(&evil, "it").unwrap_err();
            // What the lock may say.
            fsx::write(&store.dir(&digest_of(&evil)).join("x/Chart.yaml"), about.as_bytes()).unwrap();
            assert_eq!(store.stored(&format!("{name}/x"), &digest_of(&evil)), None, "{name}");
            assert_eq!(store.stored(&format!("../{}/x", digest_of(&evil).hex()), &digest_of(&evil)), None, "{name}");
        }
    }
}
