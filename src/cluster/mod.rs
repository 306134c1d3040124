//! The cluster side of dev: which instance of a project this is, which ports of this machine it has, kind's settings.

mod instance;
mod kind;
mod kubectl;
pub mod pods;
mod ports;
mod target;

pub use instance::{Instance, linked_worktree};
pub use kind::{kind_settings, kind_yaml};
pub use kubectl::{Kubectl, PROJECT_LABEL, take_context};
pub use ports::{BLOCK, FIRST_HOST_PORT, Machine};
pub use target::Target;

/// Returns the name that clusters and namespaces have of an instance's key: they take no `@`.
fn flat(key: &str) -> String {
    key.replace('@', "-")
}
