//! The OpenAPI document, from the table of routes and the types themselves.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::routes::{Open, Route, open, table};
use crate::api::{
    AppInfo, DeployAccepted, DeployInfo, DeployRequest, FailureBody, Info, Logs, PlanAccepted, PlanInfo,
    RollbackRequest,
};

/// Returns the document (OpenAPI 3.1).
pub(super) fn document() -> Value {
    let mut schemas = SchemaSettings::draft2020_12();
    schemas.definitions_path = "/components/schemas".into();
    let mut generator = schemas.into_generator();
    name::<AppInfo>(&mut generator);
    name::<DeployAccepted>(&mut generator);
    name::<DeployInfo>(&mut generator);
    name::<DeployRequest>(&mut generator);
    name::<FailureBody>(&mut generator);
    name::<Info>(&mut generator);
    name::<Logs>(&mut generator);
    name::<PlanAccepted>(&mut generator);
    name::<PlanInfo>(&mut generator);
    name::<RollbackRequest>(&mut generator);
    let mut paths = Map::new();
    for route in table() {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation(&route);
    }
    for route in open() {
        paths.insert(route.path.to_owned(), json!({"get": open_operation(&route)}));
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "kilter-server", "version": env!("CARGO_PKG_VERSION"), "license": {"name": "Apache-2.0"}},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "kltr_…"}},
        },
    })
}

fn name<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) {
    generator.subschema_for::<T>();
}

fn open_operation(route: &Open) -> Value {
    json!({
        "summary": route.about,
        "security": [],
        "responses": {"200": {"description": "Done", "content": {route.kind: {"schema": {}}}}},
    })
}

fn operation(route: &Route) -> Value {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let content = |schema: Value| json!({"application/json": {"schema": schema}});
    let answer = match route.answer.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(item) => json!({"type": "array", "items": reference(item)}),
        None => reference(route.answer),
    };
    let good = if route.method == "get" { "200" } else { "202" };
    let failure = json!({"description": "Not done", "content": content(reference("FailureBody"))});
    let named = route.path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let mut parameters: Vec<Value> =
        named.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})).collect();
    if route.answer == "DeployAccepted" {
        let schema = json!({"type": "string", "minLength": 8, "maxLength": 128});
        parameters.push(json!({"name": "Idempotency-Key", "in": "header", "required": true, "schema": schema}));
    }
    for (name, about, kind) in route.query {
        parameters.push(json!({"name": name, "in": "query", "description": about, "schema": {"type": kind}}));
    }
    let mut responses = json!({"default": failure});
    if route.answer == "DeployAccepted" {
        responses["200"] = json!({"description": "There was nothing to do", "content": content(answer.clone())});
    }
    responses[good] = json!({"description": "Done", "content": content(answer)});
    let mut operation = json!({"summary": route.about, "parameters": parameters, "responses": responses});
    if let Some(body) = route.body {
        operation["requestBody"] = json!({"required": body == "DeployRequest", "content": content(reference(body))});
    }
    operation
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference}"));
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        assert_eq!(document["paths"].as_object().unwrap().len(), 10 + open().len());
    }
}
