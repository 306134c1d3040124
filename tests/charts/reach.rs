//! Every value does something: another one in its place makes another manifest.

use std::path::Path;

use serde_json::{Value, json};

use super::contract::merge;
use super::render::run;
use super::schemas::resolved;
use super::{Chart, all};
use crate::support;

/// Values of a chart without which others do nothing.
const BESIDE: &[(&str, &str)] = &[("inline-service", r#"{"storage": {"path": "/data"}}"#)];

/// Values that have a form of their own: the chart, where, and one.
const HAND_MADE: &[(&str, &str, &str)] = &[
    ("dev-app", "components", r#"[{"name": "another"}]"#),
    ("floci", "scripts", r#"{"another.sh": "true"}"#),
    ("inline-service", "ports", r#"{"another": 4243}"#),
    ("inline-service", "nodePorts", r#"{"main": 4243}"#),
    ("keycloak", "realms", r#"[{"realm": "another"}]"#),
    ("ory", "kratos.schemas", r#"{"another": {}}"#),
    ("ory", "oathkeeper.rules", r#"[{"id": "another"}]"#),
];

/// One value and what may stand in its place; the first that the schema takes will do.
struct Leaf {
    path: Vec<String>,
    others: Vec<Value>,
}

#[test]
fn slow_every_value_reaches_the_manifest() {
    let Some(helm) = support::helm() else { return };
    let charts = all();
    let share = charts.len().div_ceil(std::thread::available_parallelism().map_or(1, usize::from));
    let silent: Vec<String> = std::thread::scope(|scope| {
        let shares: Vec<_> = charts
            .chunks(share)
            .map(|charts| scope.spawn(|| charts.iter().flat_map(|chart| silent(&helm, chart)).collect::<Vec<_>>()))
            .collect();
        shares.into_iter().flat_map(|share| share.join().unwrap()).collect()
    });
    assert_eq!(silent, [""; 0]);
}

/// Returns the values of a chart that do nothing, or of which no other one is known.
fn silent(helm: &Path, chart: &Chart) -> Vec<String> {
    let beside = BESIDE.iter().find(|(name, _)| *name == chart.name);
    let beside: Value = beside.map_or_else(|| json!({}), |(_, values)| serde_json::from_str(values).unwrap());
    let mut values = chart.values.clone();
    merge(&mut values, &beside);
    let schema = jsonschema::validator_for(&chart.schema).unwrap();
    let plain = run(helm, chart, "x", &beside).text();
    let mut leaves = Vec::new();
    collect(&chart.schema, &chart.schema, &values, &mut Vec::new(), &mut leaves);
    let mut silent = Vec::new();
    for leaf in leaves {
        let path = leaf.path.join(".");
        let by_hand = HAND_MADE.iter().find(|(name, at, _)| *name == chart.name && *at == path);
        let others = by_hand.map_or(leaf.others, |(_, _, value)| vec![serde_json::from_str(value).unwrap()]);
        let changes = others.into_iter().map(|other| nested(&leaf.path, other));
        let taken = changes.into_iter().find(|change| {
            let mut whole = values.clone();
            merge(&mut whole, change);
            whole != values && schema.is_valid(&whole)
        });
        let Some(change) = taken else {
            silent.push(format!("{}: {path}: the schema takes none of the values tried", chart.name));
            continue;
        };
        let mut said = beside.clone();
        merge(&mut said, &change);
        let rendered = run(helm, chart, "x", &said);
        if !rendered.ok() || rendered.text() == plain {
            silent.push(format!("{}: {change} changes nothing {}", chart.name, rendered.stderr));
        }
    }
    silent
}

/// Collects the leaves of the values, the keys that the schema names beside them, and one more where any key is taken.
fn collect(schema: &Value, at: &Value, value: &Value, path: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
    let at = resolved(schema, at);
    let Value::Object(map) = value else {
        return leaves.push(Leaf { path: path.clone(), others: others(at, value) });
    };
    for (key, value) in map {
        let named = at["properties"].get(key).unwrap_or(&at["additionalProperties"]);
        path.push(key.clone());
        collect(schema, named, value, path, leaves);
        path.pop();
    }
    for (key, at) in at["properties"].as_object().into_iter().flatten() {
        // A constant that cannot be is how a schema refuses a variable.
        if !map.contains_key(key) && at.get("const").is_none() {
            let path = path.iter().chain([key]).cloned().collect();
            leaves.push(Leaf { path, others: vec![json!(4243), json!("another"), json!(true), json!(["another"])] });
        }
    }
    if at["additionalProperties"] != false {
        let others = vec![json!({"ANOTHER": "another"}), json!({"another": "another"})];
        leaves.push(Leaf { path: path.clone(), others });
    }
}

/// Returns values of the same kind.
fn others(at: &Value, value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(is) => vec![json!(!is)],
        Value::Number(number) => vec![json!(number.as_i64().unwrap() + 1)],
        Value::String(_) if at["enum"].is_array() => at["enum"].as_array().unwrap().clone(),
        Value::String(text) => texts(text).into_iter().map(Value::from).collect(),
        Value::Array(_) => texts("").into_iter().map(|text| json!([text])).collect(),
        Value::Null | Value::Object(_) => vec![json!(4243), json!("another")],
    }
}

/// Returns texts in place of one: with another digit (versions, sizes, keys), longer, or of the forms that schemas ask for.
fn texts(text: &str) -> Vec<String> {
    let digit = text.rfind(|c: char| c.is_ascii_digit());
    let other = digit.map(|at| {
        let digit = if &text[at..=at] == "1" { "2" } else { "1" };
        format!("{}{digit}{}", &text[..at], &text[at + 1..])
    });
    let plain = ["another", "another:1", "/another", "https://another.example/", "smtp://another:25"];
    other.into_iter().chain([format!("{text}x")]).chain(plain.map(str::to_owned)).collect()
}

/// Puts a value below a path.
fn nested(path: &[String], value: Value) -> Value {
    path.iter().rev().fold(value, |value, key| json!({key.as_str(): value}))
}
