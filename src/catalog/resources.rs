//! What the containers of a chart ask for, by its default values.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::EmbeddedChart;

/// The key under which a chart's values keep what a container asks for.
const KEY: &str = "resources";

/// What one container asks for by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// The chart's own name for its main container; for another the key of the values that it is set up by (`ui`).
    pub container: String,
    /// What it is promised, for example `cpu` → `50m`.
    pub requests: IndexMap<String, String>,
    /// What it may use at most.
    pub limits: IndexMap<String, String>,
}

/// `resources` of a container, as Kubernetes has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    requests: Map<String, Value>,
    limits: Map<String, Value>,
}

impl EmbeddedChart {
    /// Returns what the containers of the chart ask for by default: `resources` of its `values.yaml`, and those further
    /// in, as `ui.resources`, in the file's order.
    ///
    /// # Panics
    /// Never: a test reads the values of every chart.
    pub fn resources(&self) -> Vec<Resources> {
        let values = self.files.iter().find(|file| file.path == "values.yaml").map_or(&[][..], |file| file.bytes);
        let values: Value = serde_yaml::from_slice(values).expect("the values of kilter's own charts are YAML");
        let mut found = Vec::new();
        collect(self.name, "", &values, &mut found);
        found
    }
}

/// Collects the `resources` of a map and of the maps in it; `path` are the keys that lead to it.
fn collect(chart: &str, path: &str, values: &Value, found: &mut Vec<Resources>) {
    for (key, value) in values.as_object().into_iter().flatten() {
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let texts = |map: Map<String, Value>| map.into_iter().map(|(name, value)| (name, text(value))).collect();
        if key == KEY
            && let Ok(Spec { requests, limits }) = Spec::deserialize(value)
        {
            if !requests.is_empty() || !limits.is_empty() {
                let container = if path.is_empty() { chart } else { path }.to_owned();
                found.push(Resources { container, requests: texts(requests), limits: texts(limits) });
            }
            continue;
        }
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        collect(chart, &path, value, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{CHARTS, ChartFile};

    #[test]
    fn every_container_that_asks_is_found() {
        let values = b"resources:\n  requests: {cpu: 1, memory: 1Gi}\nui:\n  enabled: true\n  resources:\n    limits: {memory: 64Mi}\nworker:\n  deep: {resources: {}}\nstorage: {resources: [1]}\n";
        let files = Box::leak(Box::new([ChartFile { path: "values.yaml", bytes: values }]));
        let chart = EmbeddedChart { name: "x", version: "1", digest: "", files, catalog: None, catalog_yaml: None };
        let shown = serde_json::to_value(chart.resources()).unwrap();
        assert_eq!(
            shown,
            serde_json::json!([
                {"container": "x", "requests": {"cpu": "1", "memory": "1Gi"}, "limits": {}},
                {"container": "ui", "requests": {}, "limits": {"memory": "64Mi"}},
            ])
        );
    }

    #[test]
    fn every_chart_says_what_it_asks_for() {
        // Those of production are no charts that somebody asks about before `kilter up`.
        for chart in CHARTS.iter().filter(|chart| !chart.name.starts_with("kilter-")) {
            let all = chart.resources();
            assert!(all.iter().any(|one| one.container == chart.name), "{}", chart.name);
            for one in all {
                assert!(
                    one.requests.contains_key("memory") && one.limits.contains_key("memory"),
                    "{}: {one:?}",
                    chart.name
                );
            }
        }
        let postgres = crate::catalog::chart("postgres").unwrap().resources();
        assert_eq!(postgres.iter().map(|one| one.container.as_str()).collect::<Vec<_>>(), ["postgres", "ui"]);
    }
}
