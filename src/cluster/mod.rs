//! The cluster side of dev: which instance of a project this is, which ports of this machine it has, its kind
//! cluster and the registry that serves it; and what on this machine gets in their way.

mod claims;
mod docker;
mod documents;
mod images;
mod instance;
mod kind;
mod kind_cluster;
mod kind_create;
mod kubeconfig;
mod kubectl;
pub mod pods;
mod ports;
mod ports_taken;
pub mod probes;
mod registry;
mod stale;
mod target;

pub use claims::{ClaimingSet, LoneClaim, Volume, claiming_sets, claims_of, lone_claims};
pub use docker::{Container, Docker, Listed, Published, Status};
pub use documents::{config_maps, differ_beyond_config};
pub use images::remove_built;
pub use instance::{Instance, linked_worktree};
pub use kind::{kind_settings, kind_yaml};
pub use kind_cluster::{Ensured, KindCluster, Limits, Made, State};
pub use kubectl::{Kubectl, PROJECT_LABEL, take_context};
pub use ports::{BLOCK, FIRST_HOST_PORT, Machine};
pub use ports_taken::{Holder, holder, holders, is_own, listed, others, taken};
pub use registry::{REGISTRY_IMAGE, Registry};
pub use target::Target;

/// Returns the name that clusters and namespaces have of an instance's key: they take no `@`.
fn flat(key: &str) -> String {
    key.replace('@', "-")
}
