//! The cluster side of dev: which instance of a project this is, which ports of this machine it has, kind's settings.

mod instance;
mod kind;
mod ports;
mod ports_taken;
pub mod probes;

pub use instance::{Instance, linked_worktree};
pub use kind::{kind_settings, kind_yaml};
pub use ports::{BLOCK, FIRST_HOST_PORT, Machine};
pub use ports_taken::{Holder, holder, holders, is_own};

/// Returns the name that clusters and namespaces have of an instance's key: they take no `@`.
fn flat(key: &str) -> String {
    key.replace('@', "-")
}
