//! The user's file: where it is, what is in it.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::catalog;
use crate::config::lock::{Lock, Origin};
use crate::config::{self, Loaded};
use crate::diag::{Error, Place, Result};
use crate::fsx;

/// The user's file.
pub(crate) const KILTER_YAML: &str = "kilter.yaml";

/// What every machine renders from.
pub(crate) const KILTER_LOCK: &str = "kilter.lock";

/// Largest kilter.lock that is read.
const MAX_LOCK: u64 = 4 * 1024 * 1024;

/// What it is named by mistake.
const OTHER_ENDING: &str = "kilter.yml";

/// The project's root: the nearest directory with a kilter.yaml, no further up than the git repository and below the
/// home directory; else the directory itself. Above it, what is another user's is none of ours, and what is no file is no project's.
pub(crate) fn find_root(dir: &Path, home: Option<&Path>) -> PathBuf {
    for above in dir.ancestors() {
        if above != dir && Some(above) == home {
            break;
        }
        let there = std::fs::metadata(above.join(KILTER_YAML));
        match there.or_else(|_| std::fs::metadata(above.join(OTHER_ENDING))) {
            Ok(_) if above == dir => return above.to_path_buf(),
            Ok(about) if about.is_file() && about.uid() == rustix::process::geteuid().as_raw() => {
                return above.to_path_buf();
            }
            _ => {}
        }
        if above.join(".git").exists() {
            break;
        }
    }
    dir.to_path_buf()
}

/// Reads kilter.yaml; `None` when there is none.
///
/// # Errors
/// When it cannot be read, or has the other ending that files of YAML have: as good as not there, and surely not meant so.
pub(crate) fn read_config(root: &Path) -> Result<Option<String>> {
    let path = root.join(KILTER_YAML);
    ordinary(&path, "A file of this name says what the project needs: move what is there elsewhere.")?;
    let Some(bytes) = fsx::read(&path, 64 * 1024 * 1024)? else {
        return match root.join(OTHER_ENDING).is_file() {
            false => Ok(None),
            true => {
                Err(Error::project(format!("the file is named `{OTHER_ENDING}`, and kilter reads `{KILTER_YAML}`"))
                    .help(format!("Rename it to {KILTER_YAML}: `mv {OTHER_ENDING} {KILTER_YAML}`.")))
            }
        };
    };
    config::text_of(KILTER_YAML, &bytes).map(|text| Some(text.to_owned()))
}

/// Reads kilter.lock; `None` when there is none.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read_lock(root: &Path) -> Result<Option<String>> {
    let path = root.join(KILTER_LOCK);
    ordinary(&path, "A file of this name holds what kilter decided: move what is there elsewhere.")?;
    fsx::read_text(&path, MAX_LOCK)
}

/// Refuses what is there and no file: a pipe would be waited for without an end.
fn ordinary(path: &Path, help: &str) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(about) if !about.is_file() => {
            let what = if about.is_dir() { "a directory" } else { "no ordinary file" };
            Err(Error::project(format!("`{}` is {what}", path.display())).help(help))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && std::fs::symlink_metadata(path).is_ok() => {
            Err(Error::project(format!("`{}` is a link to nothing", path.display())).help(help))
        }
        _ => Ok(()),
    }
}

/// Reads and checks the text of a kilter.yaml. A service that is locked is known, though a later catalog may not have it.
pub(crate) fn load(text: &str, lock: Option<&Lock>) -> Result<Loaded> {
    if let Some(line) = text.lines().position(|line| line.starts_with("<<<<<<< ")) {
        let place = Place {
            file: KILTER_YAML.into(),
            line: line + 1,
            column: 1,
            text: text.lines().nth(line).unwrap_or_default().into(),
            width: 7,
        };
        return Err(Error::project("kilter.yaml has the conflict markers of a merge")
            .at(place)
            .help("Settle the merge in your editor, then run the same command again."));
    }
    let locked = lock.iter().flat_map(|lock| lock.services.values()).filter(|s| s.origin == Origin::Catalog);
    let names: BTreeSet<&str> = catalog::services().keys().copied().chain(locked.map(|s| s.chart.as_str())).collect();
    let names: Vec<&str> = names.into_iter().collect();
    config::load(KILTER_YAML, text, config::Known { services: &names, absent: catalog::absent })
}
