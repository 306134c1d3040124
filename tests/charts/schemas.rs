//! The schemas of the values: they take the defaults, and know every key but those of what is free by nature.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Chart, PRODUCTION, all, chart};

/// Objects of the values that take keys of any name: the chart (`*` for any), where, and what the keys are.
/// `[]` is an item of a list, `.*` any value of such an object.
const FREE: &[(&str, &str, &str)] = &[
    ("*", ".env", "names of variables"),
    ("*", ".config", "settings of the product, which change with its version"),
    ("dev-app", ".components[].env", "names of variables"),
    ("floci", ".scripts", "names of files"),
    ("inline-service", ".ports", "the image's ports, which only the user knows"),
    ("inline-service", ".nodePorts", "the image's ports, which only the user knows"),
    ("keycloak", ".realms[]", "a realm as Keycloak exports it"),
    ("kilter-app", ".variables", "names of variables"),
    ("kilter-app", ".components[].variables", "names of variables"),
    ("kilter-app", ".peers[].namespaceSelector", "a selector of Kubernetes"),
    ("kilter-app", ".peers[].podSelector", "a selector of Kubernetes"),
    ("kilter-app", ".peers[].ipBlock", "Kubernetes' own"),
    ("kilter-platform", ".platform", "the settings file of server and operator, which read it themselves"),
    ("kilter-platform", ".networkPolicy.peers[]", "peers of a NetworkPolicy, as Kubernetes has them"),
    ("ory", ".kratos.schemas", "names of identity schemas"),
    ("ory", ".kratos.schemas.*", "a JSON Schema"),
    ("ory", ".kratos.config", "settings of the product"),
    ("ory", ".hydra.config", "settings of the product"),
    ("ory", ".keto.config", "settings of the product"),
    ("ory", ".oathkeeper.config", "settings of the product"),
    ("ory", ".oathkeeper.rules[]", "an access rule as Oathkeeper has it"),
    ("signoz", ".collector.config", "settings of the product"),
];

/// Every chart, those of production among them.
fn every() -> Vec<Chart> {
    all().into_iter().chain(PRODUCTION.map(chart)).collect()
}

#[test]
fn schemas_take_the_defaults_and_say_what_they_are() {
    for chart in every() {
        assert_eq!(chart.schema["$schema"], "http://json-schema.org/draft-07/schema#", "{}", chart.name);
        let remote: Vec<_> = chart.schema.to_string().match_indices("\"$ref\":\"http").map(|(at, _)| at).collect();
        assert_eq!(remote, [0; 0], "{}", chart.name);
        let schema = jsonschema::validator_for(&chart.schema).unwrap();
        let problems: Vec<_> = schema.iter_errors(&chart.values).map(|error| error.to_string()).collect();
        assert_eq!(problems, [""; 0], "{}", chart.name);
    }
}

#[test]
fn schemas_refuse_keys_they_do_not_know_at_every_level() {
    let mut used = BTreeSet::new();
    for chart in every() {
        for path in open(&chart) {
            let free = FREE.iter().find(|(name, at, _)| ["*", &chart.name].contains(name) && *at == path);
            used.insert(free.unwrap_or_else(|| panic!("{}: {path} takes any key", chart.name)));
        }
    }
    let stale: Vec<_> = FREE.iter().filter(|entry| !used.contains(entry)).collect();
    assert_eq!(stale, [&("", "", ""); 0], "no chart has these any more");
}

/// Returns where the schema of a chart takes keys that it does not name.
fn open(chart: &Chart) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(&chart.schema, &chart.schema, &chart.name, "", &mut found);
    found
}

fn walk(schema: &Value, at: &Value, chart: &str, path: &str, found: &mut BTreeSet<String>) {
    let at = resolved(schema, at);
    let says = |key: &str| at.get(key).is_some();
    let kinds: Vec<&str> = match &at["type"] {
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap()).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    let alternatives = ["anyOf", "oneOf", "allOf"].iter().flat_map(|key| at[*key].as_array().into_iter().flatten());
    if kinds.is_empty() {
        assert!(
            says("enum") || says("const") || alternatives.clone().next().is_some(),
            "{chart}: {path} is of any kind"
        );
        alternatives.for_each(|at| walk(schema, at, chart, path, found));
    }
    if kinds.contains(&"array") {
        assert!(says("items"), "{chart}: {path} has items of any kind");
        walk(schema, &at["items"], chart, &format!("{path}[]"), found);
    }
    if kinds.contains(&"object") || says("properties") {
        let of_patterns = at["patternProperties"].as_object().into_iter().flat_map(|patterns| patterns.values());
        let of_others = Some(&at["additionalProperties"]).filter(|others| others.is_object());
        of_patterns.chain(of_others).for_each(|at| walk(schema, at, chart, &format!("{path}.*"), found));
        for (key, at) in at["properties"].as_object().into_iter().flatten() {
            walk(schema, at, chart, &format!("{path}.{key}"), found);
        }
        if at["additionalProperties"] != false {
            found.insert(path.to_owned());
        }
    }
}

/// Follows a reference inside the schema.
pub(super) fn resolved<'a>(schema: &'a Value, at: &'a Value) -> &'a Value {
    match at["$ref"].as_str() {
        Some(reference) => schema.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => at,
    }
}
