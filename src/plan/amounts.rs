//! Amounts in kilter.yaml: the size of a volume, and what containers are promised and may use.

use serde_json::Value;

use crate::catalog::Resources;
use crate::config::model::ServiceSpec;
use crate::diag::{Error, Result};

/// Requires that what kilter.yaml says of volume and containers can be applied: helm's schemas take any text there, and a cluster
/// refuses the object or makes a volume of a few bytes. `chart` is the name of the service's chart, one of kilter's own, and
/// `defaults` what its values say where kilter.yaml says nothing; none where that is not known.
///
/// # Errors
/// When an amount is written wrong, or more is promised than may be used.
pub fn require_amounts(spec: &ServiceSpec, chart: &str, defaults: &[Resources]) -> Result<()> {
    let Some(values) = &spec.values else { return Ok(()) };
    let size = values.get("storage").and_then(|storage| storage.get("size")?.as_str());
    if let Some(wrong) = size.filter(|size| !is_size(size)) {
        return Err(Error::project(format!("`{wrong}` is not the size of a volume"))
            .about(&spec.name, &["values", "storage", "size"])
            .help("Write a number with its unit, for example `5Gi` or `500Mi`."));
    }
    let mut path = vec!["values"];
    let container = |path: &[&str]| {
        let key = path[1..].join(".");
        let key = if key.is_empty() { chart } else { key.as_str() };
        (key.to_owned(), defaults.iter().find(|one| one.container == key))
    };
    values.iter().try_for_each(|(key, value)| require_within(spec, &container, &mut path, key, value))
}

/// Names the container whose `resources` are in the map at a path, and says what it asks for by default.
type Container<'a> = dyn Fn(&[&str]) -> (String, Option<&'a Resources>) + 'a;

fn require_within<'a>(
    spec: &ServiceSpec,
    container: &Container<'_>,
    path: &mut Vec<&'a str>,
    key: &'a str,
    value: &'a Value,
) -> Result<()> {
    let Some(map) = value.as_object() else { return Ok(()) };
    let (name, default) = container(path);
    path.push(key);
    match key {
        "resources" => require_resources(spec, &name, default, path, value)?,
        // What is taken literally has no containers.
        "env" | "config" => {}
        _ => map.iter().try_for_each(|(key, value)| require_within(spec, container, path, key, value))?,
    }
    path.pop();
    Ok(())
}

/// Checks `resources` of one container: each amount by itself, and the promise against the limit.
fn require_resources(
    spec: &ServiceSpec,
    container: &str,
    default: Option<&Resources>,
    path: &[&str],
    said: &Value,
) -> Result<()> {
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
        // What is null is taken out of the chart's own.
        let of = |part: &str| match said.get(part) {
            Some(Value::Object(map)) if map.contains_key(what) => amount(&map[what]),
            Some(Value::Null) => None,
            _ => by_default(default?, part, what),
        };
        let (Some(promised), Some(limit)) = (of("requests"), of("limits")) else { continue };
        if quantity(&promised).zip(quantity(&limit)).is_some_and(|(promised, limit)| promised > limit * (1.0 + 1e-9)) {
            let is_said = |part: &str| said[part].get(what).is_some();
            let (part, other) = if is_said("limits") { ("limits", "requests") } else { ("requests", "limits") };
            let help = match is_said(other) {
                true => "Nothing is promised above the limit: raise the limit or lower the request.".to_owned(),
                false => format!("Nothing is promised above the limit: say `{}`, too.", at(other).join(".")),
            };
            return Err(Error::project(format!("`{container}` is promised {promised} of {what} and may use {limit}"))
                .about(&spec.name, &at(part))
                .help(help));
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
    const BYTES: &str = "a number with its unit, for example `512Mi` or `2Gi`";
    let number = quantity(text).filter(|number| number.is_finite());
    match what {
        "cpu" => number.is_none().then_some(("CPU", "a number of cores, for example `0.5` or `500m`")),
        // Less than a mebibyte has forgotten its unit.
        "memory" => (number != Some(0.0) && !is_size(text)).then_some(("memory", BYTES)),
        _ => number.is_none().then_some(("storage", BYTES)),
    }
}

/// Tells whether a text is the size of a volume: a quantity of at least a mebibyte, for less has forgotten its unit.
pub fn is_size(text: &str) -> bool {
    const LEAST: f64 = 1024.0 * 1024.0;
    quantity(text).is_some_and(|bytes| (LEAST..f64::INFINITY).contains(&bytes))
}

/// Returns the number that a quantity stands for, of bytes or of cores, as Kubernetes writes it (`k8s.io/apimachinery`,
/// `resource.Quantity`).
pub fn quantity(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let binary = |power: i32| 1024_f64.powi(power);
    let unit = match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
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
        let own = crate::catalog::chart("postgres").unwrap().resources();
        let error = require_amounts(&spec, "postgres", &own).err().map(|error| error.to_string()).unwrap_or_default();
        error.split(".\n").next().unwrap().to_owned()
    }

    #[test]
    fn what_a_container_asks_for_is_written_as_a_cluster_takes_it() {
        for good in [
            "{resources: {limits: {memory: 1Gi, cpu: 2}, requests: {cpu: 500m, memory: 134217728}}}",
            "{ui: {resources: {limits: {memory: 64Mi}}}}",
            "{resources: {requests: {memory: null}, limits: {memory: 32Mi}}}",
            "{resources: {limits: {cpu: 0, memory: 0}, requests: {cpu: 0, memory: 0, ephemeral-storage: 512Ki}}}",
            "{resources: {limits: {cpu: 0.104}, requests: {cpu: 104m}}, config: {resources: {limits: {memory: 1GB}}}}",
            "{resources: {limits: null, requests: {memory: 64Gi, cpu: 100000u}}}",
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
        let own = crate::catalog::chart("postgres").unwrap().resources();
        let (promised, limit) = (&own[0].requests["memory"], &own[0].limits["memory"]);
        let lower = said("{resources: {limits: {memory: 2Mi}}}");
        assert_eq!(lower, format!("`postgres` is promised {promised} of memory and may use 2Mi"));
        let higher = said("{resources: {requests: {memory: 64Gi}}}");
        assert_eq!(higher, format!("`postgres` is promised 64Gi of memory and may use {limit}"));
        assert_eq!(said("{resources: {requests: {memory: 64Gi}, limits: {memory: 65Gi}}}"), "");
        let ui = &own[1].requests["memory"];
        let lower = said("{ui: {resources: {limits: {memory: 2Mi}}}}");
        assert_eq!(lower, format!("`ui` is promised {ui} of memory and may use 2Mi"));
        let spec: ServiceSpec =
            serde_yaml::from_str("{name: db, from: postgres, values: {resources: {limits: {memory: 2Mi}}}}").unwrap();
        assert!(require_amounts(&spec, "postgres", &[]).is_ok(), "nobody knows what the chart promises");
    }
}
