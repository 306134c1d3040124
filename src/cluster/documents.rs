//! The objects of a manifest, whole: those of lists among them. Read, never written back.

use serde::Deserialize as _;
use serde_yaml::Value;

/// Reads the objects of a manifest, in its order. What is no YAML is left out.
pub(super) fn documents(manifest: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(manifest);
    let documents = serde_yaml::Deserializer::from_str(&text).filter_map(|document| Value::deserialize(document).ok());
    let objects = documents.flat_map(|document| match (document["kind"].as_str(), document["items"].as_sequence()) {
        (Some("List"), Some(items)) => items.clone(),
        _ => vec![document],
    });
    objects.filter(|object| !object.is_null()).collect()
}

/// Returns the ConfigMaps of a manifest.
pub fn config_maps(manifest: &[u8]) -> Vec<serde_json::Value> {
    let maps = documents(manifest).into_iter().filter(|object| object["kind"] == "ConfigMap");
    maps.filter_map(|object| serde_json::to_value(object).ok()).collect()
}

/// Tells whether two manifests differ in more than their ConfigMaps.
pub fn differ_beyond_config(one: &[u8], other: &[u8]) -> bool {
    let rest = |manifest| documents(manifest).into_iter().filter(|object| object["kind"] != "ConfigMap");
    !rest(one).eq(rest(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_maps_are_found_and_told_from_the_rest() {
        let manifest = |value: u8, replicas: u8| {
            let text = format!(
                "# one\n---\nkind: List\nitems:\n- {{kind: ConfigMap, metadata: {{name: a}}, data: {{x: '{value}'}}}}\n---\n\
                 kind: Deployment\nmetadata: {{name: b}}\nspec: {{replicas: {replicas}}}\n---\nkind: ConfigMap\nmetadata: {{name: c}}\n"
            );
            text.into_bytes()
        };
        let names: Vec<_> = config_maps(&manifest(1, 1)).iter().map(|map| map["metadata"]["name"].clone()).collect();
        assert_eq!(names, ["a", "c"]);
        assert!(!differ_beyond_config(&manifest(1, 1), &manifest(2, 1)));
        assert!(differ_beyond_config(&manifest(1, 1), &manifest(1, 2)));
    }
}
