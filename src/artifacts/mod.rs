//! The rendered artifacts of a project: files outside the repository that can be made again at any time, and the
//! ejected copies inside it that are the user's.

pub mod eject;
mod ejected;
mod files;

pub use ejected::{Ejected, Thing};
pub use files::{Change, ChangeKind, Directory, Files, unified_diff};

use crate::helm::Rendered;

/// Returns the three files of one rendered release.
pub fn of_release(service: &str, values: &[u8], rendered: &Rendered) -> Files {
    Files::from([
        (format!("values/{service}.yaml"), values.to_vec()),
        (format!("manifests/{service}.yaml"), rendered.manifest.to_vec()),
        (format!("receipts/{service}.json"), rendered.receipt.to_text().into_bytes()),
    ])
}
