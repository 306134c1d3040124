//! From the spec of a KilterApp to the values of the chart `kilter-app`.

use serde_json::{Map, Value, json};

use crate::api::{AppId, Component, KilterAppSpec, Platform, Resources, digest_of_sealed};
use crate::diag::Result;

/// First line of every values file in the flux repository.
const HEADER: &str = "# From the KilterApp of this app; written by kilter-operator.\n";

/// Returns the values file of one helm run: of the Jobs of a deploy, or of the app itself.
///
/// # Errors
/// Never for a checked spec.
pub fn production_values(id: &AppId, spec: &KilterAppSpec, platform: &Platform, jobs: bool) -> Result<Vec<u8>> {
    let template = &spec.template;
    let secrets: Vec<Value> = template
        .secrets
        .iter()
        .map(|secret| {
            let digest = secret.sealed.as_ref().map(|sealed| digest_of_sealed(sealed).as_str().to_owned());
            json!({"name": secret.name, "digest": digest.unwrap_or_default()})
        })
        .collect();
    let mut values = json!({
        "phase": if jobs { "jobs" } else { "app" },
        "org": id.org(),
        "app": id.app(),
        "env": id.env(),
        "revision": spec.revision,
        "deploy": spec.deploy,
        "image": template.image,
        "port": template.port,
        "health": template.health.clone().unwrap_or_default(),
        "command": template.command,
        "replicas": template.replicas,
        "variables": template.variables,
        "secrets": secrets,
        "public": template.public,
        "hostnames": id.hostnames(platform, template),
        "components": template.components.iter().map(|c| component(c, template.public)).collect::<Vec<_>>(),
        "pullSecrets": platform.pull_secrets,
        "gateway": platform.gateway,
        "peers": platform.peers,
        "security": {"readOnlyRoot": platform.read_only_root},
    });
    // A component's own host name leads to the component alone.
    let own: Vec<&str> = template.components.iter().filter_map(|component| component.route.as_deref()).collect();
    if let Some(hostnames) = values["hostnames"].as_array_mut() {
        hostnames.retain(|name| !name.as_str().is_some_and(|name| own.contains(&name)));
    }
    if let Some(resources) = resources(&template.resources) {
        values["resources"] = resources;
    }
    if jobs {
        values["migration"] = json!(template.migration);
        values["seed"] = json!(template.seed);
        // No longer than Flux waits for them.
        if let Some(seconds) = platform.flux.jobs_seconds() {
            values["jobsDeadline"] = json!(seconds);
        }
    }
    Ok((HEADER.to_owned() + &crate::yaml::emit(&values)?).into_bytes())
}

fn component(component: &Component, public: bool) -> Value {
    let mut values = json!({"name": component.name, "command": component.command, "variables": component.variables});
    if let Some(image) = &component.image {
        values["image"] = json!(image);
    }
    if let Some(port) = component.port {
        values["port"] = json!(port);
    }
    match component.route.as_deref().filter(|_| public) {
        Some(path) if path.starts_with('/') => values["path"] = json!(path),
        Some(host) => values["hostnames"] = json!([host]),
        None => {}
    }
    values
}

/// What is said; the chart's defaults stand for the rest.
fn resources(resources: &Resources) -> Option<Value> {
    let mut said = Map::new();
    for (key, amounts) in [("requests", &resources.requests), ("limits", &resources.limits)] {
        if !amounts.is_empty() {
            said.insert(key.into(), json!(amounts));
        }
    }
    (!said.is_empty()).then_some(Value::Object(said))
}
