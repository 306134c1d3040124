//! The app itself: what is known about it, and the values of its chart.

use serde_json::{Map, Value, json};

use super::build::Input;
use super::restart::supervised;
use super::{APP, AppPlan, ChartSource, FIRST_NODE_PORT, Origin, Plan, SLOTS};
use crate::catalog;
use crate::config::model::{Component, Config, EnvValue};
use crate::diag::{Error, Result};
use crate::ids::Name;

/// The chart of the app in dev.
const CHART: &str = "dev-app";

/// Port of an app about which nothing says one.
const DEFAULT_PORT: u16 = 3000;

/// Base image of an app about which nothing says one (SPEC: the one for Node).
const DEFAULT_IMAGE: &str = "node:22-alpine";

/// Brings kilter.yaml and what is known together; `None` when there is nothing to run.
pub(super) fn facts(input: &Input<'_>) -> Result<Option<AppPlan>> {
    let (config, facts) = (input.config, input.facts);
    let dev = config.dev.clone().or_else(|| facts.dev.clone());
    if dev.is_none() && config.image.is_none() {
        return Ok(None);
    }
    let image = config.image.clone().or_else(|| facts.image.clone());
    let said = config.dev.as_deref().and_then(crate::detect::port_of_command);
    let locked = input.lock.and_then(|lock| lock.services.get(APP));
    let digest = match locked {
        Some(locked) => locked.chart_digest.clone(),
        None => catalog::chart(CHART).ok_or_else(|| Error::bug("the chart `dev-app` is not compiled in"))?.digest(),
    };
    Ok(Some(AppPlan {
        port: config.port.or(said).or(facts.port).unwrap_or(DEFAULT_PORT),
        slot: 0,
        dev,
        image: image.unwrap_or_else(|| DEFAULT_IMAGE.into()),
        health: config.health.clone().or_else(|| facts.health.clone()),
        values: Value::Null,
        chart: ChartSource::Embedded { name: CHART.into(), digest },
    }))
}

/// Fills in the values of the app's chart, once environment and slots are known.
pub(super) fn values(plan: &mut Plan, config: &Config) -> Result<()> {
    let image = app_image(plan);
    let env: Map<String, Value> = plan.env.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
    let components: Vec<Value> = config.components.iter().map(|c| component(c, &image)).collect();
    let node_ports = plan.node_ports;
    let waits = waits_for(plan);
    let env_file = env_file_secret(&plan.project);
    let Some(app) = &mut plan.app else { return Ok(()) };
    let mut values = json!({"image": image, "port": app.port, "env": env, "secrets": config.app_secrets});
    if node_ports && app.slot < SLOTS {
        values["nodePorts"] = json!({"http": FIRST_NODE_PORT + app.slot});
    }
    if !waits.is_empty() && is_current(&app.chart) {
        values["waitFor"] = json!(waits);
    }
    match config.env_file {
        Some(_) if is_current(&app.chart) => values["envFile"] = json!(env_file),
        Some(_) => values["secrets"] = config.app_secrets.iter().chain([&env_file]).cloned().collect(),
        None => {}
    }
    if let Some(health) = &app.health {
        values["health"] = json!(health);
    }
    if !components.is_empty() {
        values["components"] = Value::Array(components);
    }
    app.values = values;
    Ok(())
}

/// The addresses of the services, as far as kilter's own charts say where they are: of each the first port.
fn waits_for(plan: &Plan) -> Vec<String> {
    let own = plan.services.iter().filter(|service| service.origin != Origin::Chart);
    own.filter_map(|service| Some(format!("{}:{}", service.name, service.ports.first()?.port))).collect()
}

/// Tells whether the app's chart is the one that this kilter has: a locked one from before may not know every value.
fn is_current(chart: &ChartSource) -> bool {
    let ChartSource::Embedded { name, digest } = chart else { return false };
    catalog::chart(name).is_some_and(|carried| carried.digest() == *digest)
}

/// Returns the name under which Tilt builds the app's image. No registry has it: what is not built is not pulled.
pub fn app_image(plan: &Plan) -> String {
    app_image_of(&plan.project)
}

/// Returns the name of the app's image in the manifests of a project; all its working copies share it.
pub fn app_image_of(project: &Name) -> String {
    format!("kilter.local/{project}/app:dev")
}

/// Returns the name of the Secret that holds what the project's `envFile` says.
pub fn env_file_secret(project: &Name) -> String {
    format!("{project}-env-file")
}

/// Makes a command of a production image of a line: its words where it is one program, which then gets signals itself and
/// needs no shell in the image; else through a shell.
pub fn argv(line: &str) -> Vec<String> {
    if crate::detect::is_plain_command(line) {
        return line.split_whitespace().map(str::to_owned).collect();
    }
    ["/bin/sh", "-c", line].map(str::to_owned).into()
}

fn component(component: &Component, app_image: &str) -> Value {
    let mut value = json!({"name": component.name, "image": component.image.as_deref().unwrap_or(app_image)});
    if let Some(command) = &component.command {
        let words = ["/bin/sh", "-c", command];
        // Live update reaches the app's image only, and whether a component's command loads changed files nobody knows.
        value["command"] = if component.image.is_some() { json!(words) } else { json!(supervised(&words)) };
    }
    if let Some(port) = component.port {
        value["port"] = json!(port);
    }
    if !component.env.is_empty() {
        let env: Map<String, Value> =
            component.env.iter().map(|(name, EnvValue(value))| (name.clone(), value.clone().into())).collect();
        value["env"] = Value::Object(env);
    }
    value
}
