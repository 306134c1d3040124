//! What a chart's values.schema.json takes from elsewhere. helm fetches references to http and https while it renders,
//! whatever it was told of the network, so that the same chart renders here and fails there: such a chart is refused.
//!
//! What is a reference, and what helm has at hand: santhosh-tekuri/jsonschema v6, `roots.go` and `metaschemas.go`. Only the forms
//! that it is sure to find in the file itself are taken for such; where the two could differ, the chart is refused.

use serde_json::{Map, Value};

use super::charts::Files;
use super::packed::{packed, unreadable};
use crate::diag::{Error, Result};
use crate::exec::redact;

/// The file that helm checks values by, in a chart and in each of its subcharts.
const SCHEMA: &str = "values.schema.json";

/// Keywords whose value is the address of another schema.
const REFERENCES: [&str; 4] = ["$ref", "$dynamicRef", "$recursiveRef", "$schema"];

/// Keywords whose value is data, which is a schema only for a reference that leads into it.
const DATA: [&str; 4] = ["default", "examples", "enum", "const"];

/// Keywords whose value has names for keys.
const NAMED: [&str; 5] = ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"];

/// Schemas that helm has compiled in, below `json-schema.org/`.
const BUILT_IN: [&str; 6] =
    ["schema", "draft-04/schema", "draft-06/schema", "draft-07/schema", "draft/2019-09/schema", "draft/2020-12/schema"];

/// Refuses a chart when a schema of it, or of a subchart, is partly on the network; `shown` names the chart.
///
/// # Errors
/// When one is, or a packed subchart cannot be looked into.
pub(super) fn refuse_remote(files: &Files, shown: &str) -> Result<()> {
    look(files, "", shown, 0)
}

/// Looks through the files of a chart; `at` is where they are inside the outermost one.
fn look(files: &Files, at: &str, shown: &str, depth: usize) -> Result<()> {
    for (path, bytes) in files {
        let place = format!("{at}{path}");
        if is_schema(path) {
            match remote(&String::from_utf8_lossy(bytes)) {
                Ok(None) => {}
                Ok(Some(address)) => return Err(refused(shown, &place, &address)),
                Err(why) => return Err(unclear(shown, &place, &why)),
            }
        } else if path.ends_with(".tgz") && path.rsplit('/').nth(1) == Some("charts") {
            let inside = packed(bytes, is_schema, depth).map_err(|why| unreadable(shown, &place, &why))?;
            look(&inside, &format!("{place}:"), shown, depth + 1)?;
        }
    }
    Ok(())
}

fn refused(shown: &str, place: &str, address: &str) -> Error {
    Error::project(format!("chart `{shown}`: `{place}` takes a part from the network: `{}`", redact(address)))
        .help("Copy that part into the file, below `$defs`: then the chart renders the same everywhere, offline too.")
        .help("In a chart that is not yours, use another version, or copy it into the project and change it there.")
}

fn unclear(shown: &str, place: &str, why: &str) -> Error {
    Error::project(format!("chart `{shown}`: `{place}` may take a part from the network; kilter cannot read it: {why}"))
        .help("Write it as plain JSON.")
}

/// Tells whether helm takes the file for a schema: that of the chart, or of a subchart.
fn is_schema(path: &str) -> bool {
    let Some(directories) = path.strip_suffix(SCHEMA) else { return false };
    let names: Vec<&str> = directories.split_terminator('/').collect();
    names.len().is_multiple_of(2) && names.iter().step_by(2).all(|name| *name == "charts")
}

/// Returns the first address that the schema refers to and helm would fetch; why it cannot be read when there may be one.
fn remote(text: &str) -> Result<Option<String>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let schema: Value = match serde_json::from_str(text) {
        Ok(schema) => schema,
        // helm may be able to read it all the same.
        Err(error) if text.to_lowercase().contains("http") || text.contains("\\u") => return Err(error.to_string()),
        Err(_) => return Ok(None),
    };
    let scan = Scan { own: own_addresses(&schema), into_data: leads_into_data(&schema) };
    Ok(scan.first(&schema, None, false))
}

/// What is known of a schema before it is looked through.
struct Scan {
    /// Addresses that the file itself has.
    own: Vec<String>,
    /// Whether a reference leads to data, which then is a schema.
    into_data: bool,
}

impl Scan {
    /// Looks through a value; `base` is the address that relative ones start from, when it is on the network; `names` says that
    /// the keys are names, not keywords.
    fn first(&self, value: &Value, base: Option<&str>, names: bool) -> Option<String> {
        let map = match value {
            Value::Array(items) => return items.iter().find_map(|item| self.first(item, base, false)),
            Value::Object(map) => map,
            _ => return None,
        };
        let base = id(map).map(|id| absolute(id, base)).filter(|id| is_remote(id)).or(base.map(str::to_owned));
        let base = base.as_deref();
        map.iter().find_map(|(key, value)| {
            if !names && DATA.contains(&key.as_str()) && !self.into_data {
                return None;
            }
            match value.as_str() {
                Some(address) if REFERENCES.contains(&key.as_str()) => self.fetched(address, base),
                _ => self.first(value, base, NAMED.contains(&key.as_str())),
            }
        })
    }

    /// Returns the address when helm would fetch it.
    fn fetched(&self, reference: &str, base: Option<&str>) -> Option<String> {
        let address = reference.split('#').next().unwrap_or_default();
        if address.is_empty() {
            return None;
        }
        let address = absolute(address, base);
        (is_remote(&address) && !is_built_in(&address) && !self.own.contains(&address)).then_some(address)
    }
}

/// The address that a schema gives itself; draft 4 calls it `id`.
fn id(map: &Map<String, Value>) -> Option<&str> {
    map.get("$id").or_else(|| map.get("id"))?.as_str()?.split('#').next().filter(|id| !id.is_empty())
}

/// Returns the addresses of the schema itself and of those that it carries below `$defs` or `definitions`: where each draft
/// has them, and without what makes a draft pass over them.
fn own_addresses(schema: &Value) -> Vec<String> {
    let Some(map) = schema.as_object() else { return Vec::new() };
    let draft = map.get("$schema").and_then(Value::as_str).unwrap_or_default();
    let old = ["draft-04", "draft-06", "draft-07"].iter().any(|old| draft.contains(old));
    let key = if draft.contains("draft-04") { "id" } else { "$id" };
    let id_of = |map: &Map<String, Value>| {
        let id = map.get(key).filter(|_| !map.contains_key("$ref"))?.as_str()?;
        id.split('#').next().filter(|id| !id.is_empty()).map(str::to_owned)
    };
    let own = id_of(map);
    let places: &[&str] = if old { &["definitions"] } else { &["$defs", "definitions"] };
    let carried = places.iter().filter_map(|place| map.get(*place)?.as_object()).flat_map(Map::values);
    let carried = carried.filter_map(Value::as_object).filter(|one| !one.contains_key("$schema"));
    let carried: Vec<String> = carried.filter_map(id_of).map(|id| absolute(&id, own.as_deref())).collect();
    own.into_iter().chain(carried).collect()
}

/// Tells whether a reference may lead into data.
fn leads_into_data(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(leads_into_data),
        Value::Object(map) => map.iter().any(|(key, value)| match value.as_str() {
            Some(to) if REFERENCES.contains(&key.as_str()) => {
                to.contains('%') || DATA.iter().any(|word| to.contains(&format!("/{word}")))
            }
            _ => leads_into_data(value),
        }),
        _ => false,
    }
}

/// Returns an address as seen from another: enough of RFC 3986 to tell where it leads.
fn absolute(address: &str, base: Option<&str>) -> String {
    let scheme = address.split_once(':').map(|(scheme, _)| scheme);
    let has_scheme = scheme.is_some_and(|scheme| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    match base {
        Some(base) if !has_scheme => {
            let host = base.find("://").map_or(0, |at| at + 3);
            let root = base[host..].find('/').map_or(base.len(), |at| host + at);
            let end = if address.starts_with('/') { root } else { base.rfind('/').map_or(root, |at| at.max(root)) };
            format!("{}/{}", &base[..end], address.trim_start_matches('/'))
        }
        _ => address.to_owned(),
    }
}

fn is_remote(address: &str) -> bool {
    let start = address.to_lowercase();
    start.starts_with("http:") || start.starts_with("https:")
}

fn is_built_in(address: &str) -> bool {
    let address = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    let Some(path) = address.and_then(|address| address.strip_prefix("json-schema.org/")) else { return false };
    let vocabularies = ["draft/2019-09/meta/", "draft/2020-12/meta/"];
    let vocabulary = vocabularies.iter().find_map(|vocabularies| path.strip_prefix(vocabularies));
    let known = ["core", "applicator", "validation", "meta-data", "content"];
    BUILT_IN.contains(&path) || vocabulary.is_some_and(|name| known.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What helm 4.3.0 fetches, tried with a server.
    #[test]
    fn what_helm_would_fetch_is_found() {
        for (schema, address) in [
            (r#"{"properties": {"a": {"$ref": "http://h/x.json"}}}"#, "http://h/x.json"),
            (r#"{"properties": {"a": {"$ref": "HTTPS://h/x.json#/a"}}}"#, "HTTPS://h/x.json"),
            (r#"{"$id": "http://h/base/", "properties": {"a": {"$ref": "x.json"}}}"#, "http://h/base/x.json"),
            (r#"{"id": "http://h/base/y", "properties": {"a": {"$ref": "/x.json"}}}"#, "http://h/x.json"),
            (r#"{"$schema": "http://h/meta"}"#, "http://h/meta"),
            (r#"{"properties": {"a": {"$schema": "http://h/meta"}}}"#, "http://h/meta"),
            (r#"{"properties": {"a": {"$dynamicRef": "http://h/d"}}}"#, "http://h/d"),
            (r#"{"properties": {"a": {"$recursiveRef": "http://h/d"}}}"#, "http://h/d"),
            (r##"{"$ref": "#/x-of/0", "x-of": [{"$ref": "http://h/x"}]}"##, "http://h/x"),
            (
                r##"{"$ref": "#/properties/b/default", "properties": {"b": {"default": {"$ref": "http://h/x"}}}}"##,
                "http://h/x",
            ),
            (r#"{"properties": {"default": {"$ref": "http://h/x"}}}"#, "http://h/x"),
            (r#"{"$ref": "http://h/x", "x-b": {"$id": "http://h/x"}}"#, "http://h/x"),
            (
                r#"{"$schema": "http://json-schema.org/draft-07/schema#", "items": {"$ref": "http://h/x"}, "$defs": {"b": {"$id": "http://h/x"}}}"#,
                "http://h/x",
            ),
            (
                r#"{"$schema": "http://json-schema.org/draft-04/schema#", "items": {"$ref": "http://h/x"}, "definitions": {"b": {"$id": "http://h/x"}}}"#,
                "http://h/x",
            ),
            (
                r#"{"$schema": "http://json-schema.org/draft-07/hyper-schema#"}"#,
                "http://json-schema.org/draft-07/hyper-schema",
            ),
            ("\u{feff}{\"$ref\": \"http://h/x\"}", "http://h/x"),
        ] {
            assert_eq!(remote(schema).unwrap().as_deref(), Some(address), "{schema}");
        }
    }

    #[test]
    fn what_only_helm_can_read_may_refer_to_nothing() {
        for schema in [r#"{"$ref": "http://h/x", "maximum": 1e999}"#, r#"{"$ref": "\u0068ttp://h/x", "a": "\ud800"}"#] {
            remote(schema).unwrap_err();
        }
    }

    #[test]
    fn what_helm_has_at_hand_is_not() {
        for schema in [
            "",
            "no JSON",
            "[]",
            r##"{"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/a"}"##,
            r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": "https://json-schema.org/draft/2020-12/meta/core"}"#,
            r#"{"$id": "http://h/x.json", "properties": {"a": {"$ref": "http://h/x.json#/$defs/a"}, "b": {"$ref": "x.json"}}}"#,
            r#"{"$id": "http://h/base/", "items": {"$ref": "a.json"}, "$defs": {"a": {"$id": "a.json"}}}"#,
            r#"{"items": {"$ref": "http://h/a"}, "definitions": {"a": {"$id": "http://h/a"}}}"#,
            r#"{"$schema": "http://json-schema.org/draft-04/schema#", "items": {"$ref": "http://h/a"}, "definitions": {"a": {"id": "http://h/a"}}}"#,
            r#"{"properties": {"$ref": {"type": "string"}, "a": {"description": "see http://h/x"}}}"#,
            r#"{"properties": {"a": {"default": {"$schema": "https://h/of-the-app.json"}, "examples": [{"$ref": "http://h/x"}]}}}"#,
            r#"{"properties": {"a": {"$ref": "urn:x:y"}, "b": {"$ref": "other.json"}}}"#,
        ] {
            assert_eq!(remote(schema), Ok(None), "{schema}");
        }
    }

    #[test]
    fn schemas_are_those_of_charts() {
        for path in ["values.schema.json", "charts/a/values.schema.json", "charts/a/charts/b/values.schema.json"] {
            assert!(is_schema(path), "{path}");
        }
        for path in [
            "files/values.schema.json",
            "charts/values.schema.json",
            "templates/values.schema.json",
            "my-values.schema.json",
        ] {
            assert!(!is_schema(path), "{path}");
        }
    }
}
