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
