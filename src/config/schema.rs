//! The JSON Schema of `kilter.yaml`: for editors, and what [`super::check`] goes by.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::model::Config;

/// Returns the JSON Schema (draft 2020-12) of `kilter.yaml` as text, the same bytes each time.
pub fn schema_json() -> String {
    format!("{:#}\n", schema())
}

/// Returns the schema, made once per process.
pub(super) fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut schema = schemars::schema_for!(Config).to_value();
        tidy(&mut schema);
        schema
    })
}

/// Lets every optional key be left empty (`env:` alone on its line), and drops what says nothing to an editor.
fn tidy(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(map) => {
            if map.get("default") == Some(&Value::Null) {
                map.shift_remove("default");
            }
            let required: Vec<String> = map
                .get("required")
                .and_then(Value::as_array)
                .map_or_else(Vec::new, |names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect());
            map.values_mut().for_each(tidy);
            if let Some(Value::Object(properties)) = map.get_mut("properties") {
                for (name, property) in properties {
                    match property.as_object_mut() {
                        Some(property) if required.contains(name) => _ = property.shift_remove("default"),
                        Some(property) => nullable(property),
                        None => {}
                    }
                }
            }
        }
        _ => {}
    }
}

fn nullable(schema: &mut Map<String, Value>) {
    if let Some(kind) = schema.get_mut("type") {
        match kind {
            Value::String(one) if one != "null" => *kind = json!([one, "null"]),
            Value::Array(kinds) if !kinds.contains(&json!("null")) => kinds.push(json!("null")),
            _ => {}
        }
    } else if let Some(reference) = schema.shift_remove("$ref") {
        schema.insert("anyOf".into(), json!([{ "$ref": reference }, { "type": "null" }]));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::super::{check, read, source::Source};
    use super::schema;

    /// Any value for a place that a schema describes: mostly a right one, sometimes a wrong one.
    fn value_for(root: &Value, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
        let wrong = prop_oneof![
            Just(json!(null)),
            Just(json!(true)),
            Just(json!(-1)),
            Just(json!(70000)),
            Just(json!(1.5)),
            Just(json!("")),
            Just(json!("Some Text")),
            Just(json!(["x"])),
            Just(json!({"x": "y"})),
        ];
        prop_oneof![8 => right(root, schema, depth), 1 => wrong].boxed()
    }

    fn right(root: &Value, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
        if let Some(reference) = schema["$ref"].as_str() {
            return right(root, root.pointer(reference.trim_start_matches('#')).unwrap(), depth);
        }
        if let Some(options) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
            return proptest::strategy::Union::new(options.iter().map(|option| right(root, option, depth))).boxed();
        }
        if let Some(constant) = schema.get("const") {
            return Just(constant.clone()).boxed();
        }
        match schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("string") {
            "object" => object(root, schema, depth),
            "array" => {
                prop::collection::vec(value_for(root, &schema["items"], depth + 1), 0..3).prop_map(Value::Array).boxed()
            }
            "integer" => (0..100_000_i64).prop_map(Value::from).boxed(),
            "boolean" => any::<bool>().prop_map(Value::from).boxed(),
            "null" => Just(Value::Null).boxed(),
            _ => text().prop_map(Value::from).boxed(),
        }
    }

    fn text() -> impl Strategy<Value = String> {
        let age = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        prop_oneof![
            "[a-z][a-z0-9-]{0,4}",
            "/?[a-z]{1,4}",
            "([a-zA-Z.:]{1,3}/)?[a-zA-Z0-9._-]{1,4}(:[a-z0-9.-]{0,2})?(@[a-z.]{1,3}:[0-9a-g]{31,33})?",
            "v?1\\.[0-9]{1,2}(\\.[0-9])?([+-][a-z0-9.+]{0,3})?",
            Just("postgres".to_owned()),
            Just("a".repeat(41)),
            Just(age.to_owned()),
            Just(age[..61].to_owned()),
        ]
    }

    fn object(root: &Value, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
        let Some(properties) = schema["properties"].as_object() else {
            let rest = schema.get("additionalProperties").filter(|rest| rest.is_object());
            let value =
                rest.map_or_else(|| Just(json!({"any": [1, "x"]})).boxed(), |rest| value_for(root, rest, depth + 1));
            return prop::collection::hash_map("[A-Z]{1,2}", value, 0..2).prop_map(|map| json!(map)).boxed();
        };
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let entries: Vec<_> = properties
            .iter()
            .map(|(key, property)| {
                let there = if required.contains(&json!(key)) { 0.95 } else { 0.25 / f64::from(depth + 1) };
                (Just(key.clone()), prop::option::weighted(there, value_for(root, property, depth + 1)))
            })
            .collect();
        (entries, prop::option::weighted(0.03, Just(("unknown".to_owned(), json!(1)))))
            .prop_map(|(entries, extra)| {
                let known = entries.into_iter().filter_map(|(key, value)| Some((key, value?)));
                Value::Object(known.chain(extra).collect::<Map<_, _>>())
            })
            .boxed()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        /// JSON is YAML: both can read the same document.
        #[test]
        fn checker_and_schema_take_the_same(document in value_for(schema(), schema(), 0)) {
            static VALIDATOR: OnceLock<jsonschema::Validator> = OnceLock::new();
            let validator = VALIDATOR.get_or_init(|| jsonschema::draft202012::new(schema()).unwrap());
            // A file with nothing in it is a project, whatever a schema of objects says.
            let valid = validator.is_valid(&document) || document.is_null();
            let source = Source::new("kilter.yaml", document.to_string());
            let (value, problems) = check::check(&source, &read::parse(&source, false).unwrap().root);
            prop_assert_eq!(valid, problems.is_empty(), "{}: {:?}", document, problems);
            // And what is left without the problems is a configuration: other rules find theirs in the same run.
            prop_assert!(serde_json::from_value::<super::Config>(value.clone()).is_ok(), "{} from {}", value, document);
        }
    }
}
