//! Amounts in kilter.yaml: the size of a volume, and what containers are promised and may use.

use serde_json::Value;

use crate::catalog::{self, Resources};
use crate::config::model::ServiceSpec;
use crate::diag::{Error, Result};

/// Requires that what kilter.yaml says of volume and containers can be applied: helm's schemas take any text there, and a cluster
/// refuses the object or makes a volume of a few bytes.
pub(super) fn require_amounts(spec: &ServiceSpec, chart: &str) -> Result<()> {
    let Some(values) = &spec.values else { return Ok(()) };
    let size = values.get("storage").and_then(|storage| storage.get("size")?.as_str());
    if let Some(wrong) = size.filter(|size| !is_size(size)) {
        return Err(Error::project(format!("`{wrong}` is not the size of a volume"))
            .about(&spec.name, &["values", "storage", "size"])
            .help("Write a number with its unit, for example `5Gi` or `500Mi`."));
    }
    let mut path = vec!["values"];
    values.iter().try_for_each(|(key, value)| require_within(spec, chart, &mut path, key, value))
}

fn require_within<'a>(
    spec: &ServiceSpec,
    chart: &str,
    path: &mut Vec<&'a str>,
    key: &'a str,
    value: &'a Value,
) -> Result<()> {
    let Some(map) = value.as_object() else { return Ok(()) };
    path.push(key);
    match key {
        "resources" => require_resources(spec, chart, path, value)?,
        // What is taken literally has no containers.
        "env" | "config" => {}
        _ => map.iter().try_for_each(|(key, value)| require_within(spec, chart, path, key, value))?,
    }
    path.pop();
    Ok(())
}

/// Checks `resources` of one container: each amount by itself, and the promise against the limit, where the chart's own
/// values stand for what is not said.
fn require_resources(spec: &ServiceSpec, chart: &str, path: &[&str], said: &Value) -> Result<()> {
    let container = path[1..path.len() - 1].join(".");
    let container = if container.is_empty() { chart.to_owned() } else { container };
    let defaults = catalog::chart(chart).map(|chart| chart.resources()).unwrap_or_default();
    let default = defaults.iter().find(|one| one.container == container);
    for what in ["cpu", "memory", "ephemeral-storage"] {
        let at = |part: &'static str| [path, &[part, what]].concat();
        for part in ["requests", "limits"] {
            let Some(text) = amount(&said[part][what]) else { continue };
            if let Some((named, example)) = wrong(what, &text) {
                return Err(Error::project(format!("`{text}` is not an amount of {named}"))
                    .about(&spec.name, &at(part))
                    .help(format!("Write {example}.")));
            }
        }
        let of = |part: &str| match &said[part] {
            Value::Object(map) if map.contains_key(what) => amount(&map[what]),
            _ => by_default(default?, part, what),
        };
        let (Some(promised), Some(limit)) = (of("requests"), of("limits")) else { continue };
        if quantity(&promised).zip(quantity(&limit)).is_some_and(|(promised, limit)| promised > limit) {
            let (part, other) = match said["limits"].get(what) {
                Some(_) => ("limits", "requests"),
                None => ("requests", "limits"),
            };
            return Err(Error::project(format!(
                "`{}` is promised {promised} of {what} and may use {limit}",
                spec.name
            ))
            .about(&spec.name, &at(part))
            .help(format!("Nothing is promised above the limit: say `{}`, too.", at(other).join("."))));
        }
    }
    Ok(())
}

fn by_default(default: &Resources, part: &str, what: &str) -> Option<String> {
    let amounts = if part == "requests" { &default.requests } else { &default.limits };
    amounts.get(what).cloned()
}

/// Returns an amount as text; `None` for what is none, which a schema has its words for.
fn amount(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Says what an amount is no amount of, and how one is written; `None` when it is one.
fn wrong(what: &str, text: &str) -> Option<(&'static str, &'static str)> {
    const CORES: std::ops::RangeInclusive<f64> = 0.0..=1e6;
    match what {
        "cpu" => (!quantity(text).is_some_and(|cores| CORES.contains(&cores)))
            .then_some(("CPU", "a number of cores, for example `0.5` or `500m`")),
        "memory" => (!is_size(text)).then_some(("memory", "a number with its unit, for example `512Mi` or `2Gi`")),
        _ => (!is_size(text)).then_some(("storage", "a number with its unit, for example `512Mi` or `2Gi`")),
    }
}

/// Tells whether a text is the size of a volume: a quantity of at least a mebibyte, for less has forgotten its unit.
pub fn is_size(text: &str) -> bool {
    const LEAST: f64 = 1024.0 * 1024.0;
    quantity(text).is_some_and(|bytes| (LEAST..f64::INFINITY).contains(&bytes))
}

/// Returns the number that a quantity of bytes stands for, as Kubernetes writes it (`k8s.io/apimachinery`,
/// `resource.Quantity`).
pub fn quantity(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let binary = |power: i32| 1024_f64.powi(power);
    let unit = match suffix {
        // A fraction of a byte is what a cluster makes of `0.1Gi`.
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => 10_f64.powi(suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    number.parse::<f64>().ok().map(|number| number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_quantity_with_its_unit() {
        for size in ["5Gi", "1.5Ti", "500M", ".5Gi", "5.Gi", "1Mi", "5368709120", "5e9", "1E"] {
            assert!(is_size(size), "{size}");
        }
        for size in
            ["", "Gi", "5", "500m", "100k", "5 Gi", "5GB", "5gi", "-5Gi", "1.2.3Gi", "1e999", "5e", "inf", "0Gi"]
        {
            assert!(!is_size(size), "{size}");
        }
    }

    fn said(resources: &str) -> String {
        let text = format!("{{name: db, from: postgres, values: {resources}}}");
        let spec: ServiceSpec = serde_yaml::from_str(&text).unwrap();
        let error = require_amounts(&spec, "postgres").err().map(|error| error.to_string()).unwrap_or_default();
        error.split(".\n").next().unwrap().to_owned()
    }

    #[test]
    fn what_a_container_asks_for_is_written_as_a_cluster_takes_it() {
        for good in [
            "{resources: {limits: {memory: 1Gi, cpu: 2}, requests: {cpu: 500m, memory: 134217728}}}",
            "{ui: {resources: {limits: {memory: 64Mi}}}}",
            "{resources: {requests: {memory: null}, limits: {memory: 32Mi}}}",
            "{resources: {limits: {cpu: 0}, requests: {cpu: 0}}, env: {resources: none}}",
            "{resources: [1]}",
        ] {
            assert_eq!(said(good), "", "{good}");
        }
        for (text, wrong) in [
            ("{resources: {limits: {memory: 1GB}}}", "`1GB` is not an amount of memory"),
            ("{resources: {limits: {memory: 512m}}}", "`512m` is not an amount of memory"),
            ("{resources: {limits: {memory: 512}}}", "`512` is not an amount of memory"),
            ("{resources: {requests: {cpu: half}}}", "`half` is not an amount of CPU"),
            ("{ui: {resources: {requests: {ephemeral-storage: 1gb}}}}", "`1gb` is not an amount of storage"),
        ] {
            assert_eq!(said(text), wrong, "{text}");
        }
    }

    /// The other amount is the chart's own where kilter.yaml says none.
    #[test]
    fn nothing_is_promised_that_may_not_be_used() {
        let own = catalog::chart("postgres").unwrap().resources();
        let (promised, limit) = (&own[0].requests["memory"], &own[0].limits["memory"]);
        let lower = said("{resources: {limits: {memory: 2Mi}}}");
        assert_eq!(lower, format!("`db` is promised {promised} of memory and may use 2Mi"));
        let higher = said("{resources: {requests: {memory: 64Gi}}}");
        assert_eq!(higher, format!("`db` is promised 64Gi of memory and may use {limit}"));
        assert_eq!(said("{resources: {requests: {memory: 64Gi}, limits: {memory: 65Gi}}}"), "");
        assert!(said("{ui: {resources: {limits: {memory: 2Mi}}}}").ends_with(" and may use 2Mi"));
    }
}
