//! What the store remembers of a program, so that it need not be hashed or run again.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::model::{Installed, Source};
use super::pins::Tool;
use crate::diag::{Error, Result};
use crate::fsx;
use crate::ids::Digest;

/// The largest receipt that is read.
const MAX_RECEIPT: u64 = 64 * 1024;

/// What the file system says about a file that has not been changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// What is known of one program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Receipt {
    pub(super) tool: Tool,
    pub(super) version: Version,
    pub(super) commit: Option<String>,
    /// The digest of the program.
    pub(super) digest: Digest,
    /// The digest of the release file; none for what was built here or named by the user.
    pub(super) archive: Option<Digest>,
    pub(super) source: Source,
    stamp: Stamp,
}

impl Receipt {
    /// Makes the receipt of the program at `path` as it is now: hashes it.
    pub(super) fn make(
        path: &Path,
        (tool, version): (Tool, &Version),
        commit: Option<String>,
        archive: Option<Digest>,
        source: Source,
    ) -> Result<Self> {
        let (digest, stamp) = hash(path)?;
        Ok(Self { tool, version: version.clone(), commit, digest, archive, source: source.redacted(), stamp })
    }

    /// Reads a receipt; `None` when there is none, or it is damaged or of another kilter.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let bytes = fsx::read(path, MAX_RECEIPT).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    /// Writes the receipt.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let mut json =
            serde_json::to_vec_pretty(self).map_err(|error| Error::bug(format!("a receipt is no JSON: {error}")))?;
        json.push(b'\n');
        fsx::write(path, &json)
    }

    /// Tells whether the program still has the bytes that the receipt names. Where the file was touched since, it is
    /// hashed, and a receipt of the same bytes is renewed at `own`.
    pub(super) fn holds(&self, program: &Path, own: &Path) -> bool {
        let Ok(meta) = fs::metadata(program) else { return false };
        if Stamp::of(&meta) == self.stamp {
            return true;
        }
        match hash(program) {
            Ok((digest, stamp)) if digest == self.digest => {
                // A store that cannot be written costs the next run a hash, nothing else.
                let _ = Self { stamp, ..self.clone() }.write(own);
                true
            }
            _ => false,
        }
    }

    /// Tells whether the program at `path` is untouched since the receipt was made; hashes nothing.
    pub(super) fn is_fresh(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|meta| Stamp::of(&meta) == self.stamp)
    }

    /// Returns what the rest of kilter wants to know.
    pub(super) fn installed(self, path: &Path) -> Installed {
        Installed {
            tool: self.tool,
            version: self.version,
            commit: self.commit,
            path: path.to_path_buf(),
            digest: self.digest,
            // A receipt of an older kilter has the login of the mirror.
            source: self.source.redacted(),
        }
    }
}

fn hash(path: &Path) -> Result<(Digest, Stamp)> {
    let fail = |error: &std::io::Error| Error::io(format!("read `{}`", path.display()), error);
    let file = File::open(path).map_err(|error| fail(&error))?;
    let meta = file.metadata().map_err(|error| fail(&error))?;
    let digest = Digest::of_reader(file).map_err(|error| fail(&error))?;
    Ok((digest, Stamp::of(&meta)))
}
