//! What a plan says of each release, before its chart is on disk.

use serde_json::Value;

use super::{Chart, Release};
use crate::diag::Result;
use crate::plan::{APP, ChartSource, Plan};

/// First line of every values file: true of kilter's and of an ejected copy, which has the same bytes at first.
const HEADER: &str = "# kilter's values, from kilter.yaml; a copy at kilter/values/ (`kilter eject`) is yours and is used in their place.\n";

/// What a release still needs before it can be rendered: its chart on disk.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The service (or `app`).
    pub service: &'a str,
    /// Name of the Helm release.
    pub release: &'a str,
    /// Where the chart comes from.
    pub chart: &'a ChartSource,
    /// The values.
    pub values: &'a Value,
    /// What to do with hooks.
    pub hooks: Option<crate::config::model::Hooks>,
}

/// Returns the drafts of a plan: the app first, then the services in their order.
pub fn drafts(plan: &Plan) -> Vec<Draft<'_>> {
    let app = plan.app.iter().map(|app| Draft {
        service: APP,
        release: plan.project.as_str(),
        chart: &app.chart,
        values: &app.values,
        hooks: None,
    });
    let services = plan.services.iter().map(|service| Draft {
        service: service.name.as_str(),
        release: service.name.as_str(),
        chart: &service.chart,
        values: &service.values,
        hooks: service.hooks,
    });
    app.chain(services).collect()
}

impl Draft<'_> {
    /// Returns the values file.
    ///
    /// # Errors
    /// Never for values that came from YAML.
    pub fn values_file(&self) -> Result<Vec<u8>> {
        Ok((HEADER.to_owned() + &crate::yaml::emit(self.values)?).into_bytes())
    }

    /// Completes the release; `values` is the values file to use, kilter's or an ejected one.
    pub fn release(&self, plan: &Plan, chart: Chart, values: Vec<u8>) -> Release {
        Release {
            service: self.service.to_owned(),
            name: self.release.to_owned(),
            namespace: plan.namespace.clone(),
            kubernetes: plan.kubernetes.clone(),
            chart,
            values,
            hooks: self.hooks,
        }
    }
}
