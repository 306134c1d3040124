//! The catalog: the folders of `vendor-charts/`, compiled in with their digests. A service is a folder; everything the
//! rest of kilter knows about it is in its `catalog.yaml`.

mod absent;
mod model;
mod resources;
mod settings;

pub use absent::absent;
pub use model::{CatalogService, Credential, Ecosystem, Forms, OneOf, PortSpec, Protocol, Requirement, Rules};
pub use resources::Resources;
pub use settings::{Setting, SettingKind};

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::ids::Digest;

/// One file of a chart, as it is in the repository.
#[derive(Debug)]
pub struct ChartFile {
    /// Path inside the chart, with `/`.
    pub path: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

/// A chart that is compiled into kilter.
#[derive(Debug)]
pub struct EmbeddedChart {
    /// Name of the folder and of the chart.
    pub name: &'static str,
    /// `version` of Chart.yaml.
    pub version: &'static str,
    /// SHA-256 over the chart's files and its `catalog.yaml` (see `build.rs`), as `sha256:<hex>`.
    pub digest: &'static str,
    /// Every file helm sees, sorted by path; `catalog.yaml` and `README.md` are not among them.
    pub files: &'static [ChartFile],
    /// `catalog.yaml` as JSON, for the services of the catalog.
    pub catalog: Option<&'static str>,
    /// `catalog.yaml` as it is in the repository: the digest is over these bytes.
    pub catalog_yaml: Option<&'static str>,
}

impl EmbeddedChart {
    /// Returns the digest of the chart.
    ///
    /// # Panics
    /// Never: the build script writes nothing but digests.
    pub fn digest(&self) -> Digest {
        Digest::parse(self.digest).expect("the build script writes digests")
    }
}

include!(concat!(env!("OUT_DIR"), "/charts.rs"));

/// Returns the chart of that name, one of the catalog or one of kilter's own (`dev-app`, `inline-service`).
pub fn chart(name: &str) -> Option<&'static EmbeddedChart> {
    CHARTS.iter().find(|chart| chart.name == name)
}

/// Returns every service of the catalog by name.
///
/// # Panics
/// Never: the build script refuses a `catalog.yaml` that does not parse, and a test reads them all.
pub fn services() -> &'static BTreeMap<&'static str, CatalogService> {
    static SERVICES: OnceLock<BTreeMap<&'static str, CatalogService>> = OnceLock::new();
    SERVICES.get_or_init(|| {
        let entries = CHARTS.iter().filter_map(|chart| chart.catalog.map(|json| (chart.name, json)));
        entries
            .map(|(name, json)| {
                (name, serde_json::from_str(json).unwrap_or_else(|error| panic!("catalog.yaml of {name}: {error}")))
            })
            .collect()
    })
}

/// Returns one service of the catalog.
pub fn service(name: &str) -> Option<&'static CatalogService> {
    services().get(name)
}
