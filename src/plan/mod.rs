//! What a project runs, complete and in order: configuration, lock, detection and catalog brought together.
//!
//! Pure. A [`Plan`] holds everything that later stages need; none of them looks at kilter.yaml again.

mod amounts;
mod app;
mod build;
mod restart;
mod service;
mod template;

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::catalog::{Credential, Protocol};
use crate::config::model::Hooks;
use crate::ids::{Digest, Name};

pub use crate::config::lock::Origin;
pub use crate::ids::APP;
pub use amounts::{is_size, quantity, require_amounts};
pub use app::{app_image, app_image_of, argv, env_file_secret};
pub use build::{Facts, Input, build, namespace, project_name};
pub(crate) use restart::LINES;
pub use restart::{SUPERVISOR, restarts, supervised};
pub(crate) use service::not_carried;
pub use template::{Addresses, Fill};

/// Number of NodePorts that a kind cluster maps to this machine, and of host ports in a block.
pub const SLOTS: u16 = 48;

/// First NodePort: slot N of a project is NodePort 30000 + N.
pub const FIRST_NODE_PORT: u16 = 30000;

/// Everything kilter will run for a project.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the project.
    pub project: Name,
    /// Namespace of everything in it.
    pub namespace: String,
    /// The Kubernetes version that charts see, for example `v1.37.0`.
    pub kubernetes: String,
    /// Whether Services get NodePorts (or else are forwarded).
    pub node_ports: bool,
    /// The app, when there is a command or an image to run.
    pub app: Option<AppPlan>,
    /// Backing services, in the order of kilter.yaml.
    pub services: Vec<ServicePlan>,
    /// The app's environment in the cluster, PORT included, in a stable order.
    pub env: IndexMap<String, String>,
    /// The file with further environment of the app in dev, relative to the project's root.
    pub env_file: Option<String>,
    /// Files that hold secrets, relative to the project's root: no image gets them.
    pub secret_files: BTreeSet<String>,
}

/// The app in dev.
#[derive(Debug, Clone)]
pub struct AppPlan {
    /// Port it listens on.
    pub port: u16,
    /// Slot of that port.
    pub slot: u16,
    /// Command that starts it.
    pub dev: Option<String>,
    /// Base image of its container.
    pub image: String,
    /// Path for its readiness probe.
    pub health: Option<String>,
    /// Values of the `dev-app` chart.
    pub values: Value,
    /// The chart and where it comes from.
    pub chart: ChartSource,
}

/// One backing service.
#[derive(Debug, Clone)]
pub struct ServicePlan {
    /// Name of the service in the project, of its release and of its Kubernetes Service.
    pub name: Name,
    /// The catalog service it is an instance of.
    pub catalog: Option<String>,
    /// Where its chart comes from.
    pub chart: ChartSource,
    /// What it is, for kilter.lock.
    pub origin: Origin,
    /// The catalog's default image, for kilter.lock.
    pub default_image: Option<String>,
    /// Ports with their slots.
    pub ports: Vec<PortPlan>,
    /// Variables for the app, not yet filled in.
    pub provides: IndexMap<String, String>,
    /// What a person types to log in, not yet filled in.
    pub credentials: Vec<Credential>,
    /// Values that go to helm: kilter's with the user's over them.
    pub values: Value,
    /// What to do with hooks of the chart.
    pub hooks: Option<Hooks>,
    /// What the templates of this service are filled with.
    pub fill: Fill,
}

/// Where a chart comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChartSource {
    /// One that is compiled into kilter, or was at the time of the lock: by name and digest.
    Embedded {
        /// Name of the chart.
        name: String,
        /// Digest that the lock holds, or the compiled-in one.
        digest: Digest,
    },
    /// A directory of the project, relative to its root.
    Local(String),
    /// A chart of a registry or repository.
    Remote {
        /// Reference without version, `oci://…` or `https://…/name`.
        reference: String,
        /// Exact version.
        version: String,
        /// Digest of the pulled archive's contents, once it is locked.
        digest: Option<Digest>,
    },
}

/// One port of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortPlan {
    /// Name of the port.
    pub name: String,
    /// Number in the cluster.
    pub port: u16,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// Whether a person opens it in a browser.
    pub ui: bool,
    /// Slot: NodePort 30000 + slot, host port block + slot.
    pub slot: u16,
    /// Name of the port of the service that stands for it on this machine, when it is another.
    pub localhost: Option<String>,
}

impl Plan {
    /// Tells whether every working copy has this namespace. An instance on a context's cluster has its own, so its values
    /// and manifests are others, and kilter.lock holds those of the first.
    pub fn namespace_is_common(&self) -> bool {
        self.namespace == format!("{}-dev", self.project)
    }

    /// Returns the slots in use as `service/port` → slot.
    pub fn slots(&self) -> Vec<(String, u16)> {
        let app = self.app.iter().map(|app| (format!("{APP}/http"), app.slot));
        let services =
            self.services.iter().flat_map(|s| s.ports.iter().map(|p| (format!("{}/{}", s.name, p.name), p.slot)));
        app.chain(services).collect()
    }

    /// Returns a service by its name in the project.
    pub fn service(&self, name: &str) -> Option<&ServicePlan> {
        self.services.iter().find(|service| service.name.as_str() == name)
    }
}

/// Lays `over` on `base`: maps are merged key by key, everything else of `over` wins, `null` included (helm takes a
/// `null` as "remove the chart's default").
pub fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

/// Returns a map of one key, for building values.
pub(crate) fn single(key: &str, value: Value) -> Value {
    let mut map = Map::new();
    map.insert(key.to_owned(), value);
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_users_values_win_key_by_key() {
        let mut base = json!({"a": {"x": 1, "y": 2}, "b": [1, 2], "c": 3});
        merge(&mut base, &json!({"a": {"y": null, "z": 4}, "b": [9], "d": {"e": 1}}));
        assert_eq!(base, json!({"a": {"x": 1, "y": null, "z": 4}, "b": [9], "c": 3, "d": {"e": 1}}));
    }
}
