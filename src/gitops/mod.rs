//! The flux repository: which files an app has in it (pure), and the one way they get there: on top of the head that was
//! fetched last, as one commit for many apps, pushed only when that is a fast-forward.

mod copy;
mod dropped;
mod git;
mod head;
mod layout;
mod receipt;
mod refused;
mod restore;
mod write;

pub use dropped::{Dropped, Sealed, dropped, is_ciphertext, sealed};
pub use git::{Credentials, Remote};
pub use head::{Entry, Head};
pub use layout::{Files, Phase, Phased, files, kustomization_name, labels, namespace_object};
pub use receipt::{AppReceipt, RenderReceipt};
pub use write::{Change, Outcome, Repository};

/// Directory of the apps in the repository.
pub const APPS: &str = "apps";

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
pub(crate) mod tests;
