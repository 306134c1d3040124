//! `kilter env`.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::context::Context;
use super::project::Project;
use crate::cluster::Instance;
use crate::diag::{Error, Result};
use crate::exec::shell_word;
use crate::plan::{Plan, ServicePlan};

/// Prints every connection string of the project: for pods, and for this machine.
///
/// It is the source of truth: what the app gets in the cluster comes from the same place.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter env\n  eval \"$(kilter env --format shell)\"    # for a client on this machine\n  kilter env --format dotenv > .env.local"
)]
pub(crate) struct Args {
    /// Print only the variables for this machine, in this format.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// With `--format`, print the variables as pods have them.
    #[arg(long, requires = "format")]
    in_cluster: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// `KEY=VALUE` lines for a `.env` file.
    Dotenv,
    /// A JSON object.
    Json,
    /// `export` lines for a POSIX shell.
    Shell,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let project = Project::open(ctx)?;
    let (plan, ..) = project.plan(ctx)?;
    let instance = project.look(ctx, &plan)?;
    let local = localhost(&plan, &instance)?;
    let format = args.format.map(|format| if ctx.ui.json { Format::Json } else { format });
    match format {
        Some(format) => {
            let variables = if args.in_cluster { &plan.env } else { &local };
            ctx.ui.result_bytes(formatted(format, variables).as_bytes());
        }
        None if ctx.ui.json => ctx.ui.json(&everything(&plan, &instance, &local)?),
        None => table(ctx, &plan, &instance, &local)?,
    }
    Ok(())
}

/// Prints the table of every address.
///
/// # Errors
/// When a template of a service cannot be filled in.
pub(crate) fn show(ctx: &Context, plan: &Plan, instance: &Instance) -> Result<()> {
    table(ctx, plan, instance, &localhost(plan, instance)?)
}

/// Returns every address as JSON.
///
/// # Errors
/// As [`show`].
pub(crate) fn as_json(plan: &Plan, instance: &Instance) -> Result<Value> {
    everything(plan, instance, &localhost(plan, instance)?)
}

/// The app's environment with every address on this machine.
fn localhost(plan: &Plan, instance: &Instance) -> Result<IndexMap<String, String>> {
    let mut env = plan.env.clone();
    for service in &plan.services {
        let inside = service.provided(&service.in_cluster()).map_err(Error::project)?;
        let outside =
            service.provided(&service.on_localhost(|slot| instance.host_port(slot))).map_err(Error::project)?;
        for ((variable, inside), (_, outside)) in inside.into_iter().zip(outside) {
            // A variable that `env` of kilter.yaml decides is the user's, wherever it points.
            if env.get(&variable) == Some(&inside) {
                env.insert(variable, outside);
            }
        }
    }
    Ok(env)
}

fn formatted(format: Format, variables: &IndexMap<String, String>) -> String {
    let lines = variables.iter().map(|(name, value)| match format {
        Format::Dotenv => format!("{name}={}\n", dotenv_value(value)),
        Format::Shell => format!("export {name}={}\n", shell_word(value)),
        Format::Json => String::new(),
    });
    match format {
        Format::Json => format!("{:#}\n", json!(variables)),
        _ => lines.collect(),
    }
}

/// Quotes a value for a `.env` file. Readers agree on little: bare words of harmless characters, and single quotes as
/// long as neither a quote nor an escape is inside. What is left gets double quotes with `\"`, `\\`, `\$` and a
/// backslash before a backtick, as a shell reads them.
fn dotenv_value(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,?=".contains(c);
    if value.chars().all(plain) {
        return value.to_owned();
    }
    if !value.contains('\'') && !value.contains(r"\\") && !value.ends_with('\\') {
        return format!("'{value}'");
    }
    let mut quoted = String::from('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted + "\""
}

fn app_url(plan: &Plan, instance: &Instance) -> Option<(String, String)> {
    plan.app.as_ref().map(|app| {
        let inside = format!("http://{}.{}.svc:{}", plan.project, plan.namespace, app.port);
        (inside, format!("http://127.0.0.1:{}", instance.host_port(app.slot)))
    })
}

fn uis(service: &ServicePlan, instance: &Instance) -> Vec<(String, String)> {
    let ui = service.ports.iter().filter(|port| port.ui);
    ui.map(|port| (port.name.clone(), format!("http://127.0.0.1:{}", instance.host_port(port.slot)))).collect()
}

fn credentials(service: &ServicePlan) -> Result<Vec<(String, String)>> {
    let filled = service.credentials.iter().map(|credential| {
        let value = service.fill.text(&credential.value, &service.in_cluster()).map_err(Error::project)?;
        Ok((credential.name.clone(), value))
    });
    filled.collect()
}

fn everything(plan: &Plan, instance: &Instance, local: &IndexMap<String, String>) -> Result<Value> {
    let mut services = Vec::new();
    for service in &plan.services {
        let ports = service.ports.iter().map(|port| {
            json!({
                "name": port.name,
                "inCluster": format!("{}:{}", service.fill.host(), port.port),
                "localhost": format!("127.0.0.1:{}", instance.host_port(service.local_slot(port))),
            })
        });
        services.push(json!({
            "name": service.name,
            "ports": ports.collect::<Vec<_>>(),
            "uis": uis(service, instance).into_iter().collect::<IndexMap<_, _>>(),
            "credentials": credentials(service)?.into_iter().collect::<IndexMap<_, _>>(),
        }));
    }
    let app = app_url(plan, instance).map(|(inside, local)| json!({"inCluster": inside, "localhost": local}));
    Ok(json!({
        "project": plan.project,
        "namespace": plan.namespace,
        "app": app,
        "inCluster": plan.env,
        "localhost": local,
        "services": services,
    }))
}

fn table(ctx: &Context, plan: &Plan, instance: &Instance, local: &IndexMap<String, String>) -> Result<()> {
    let ui = &ctx.ui;
    if let Some((inside, local)) = app_url(plan, instance) {
        ui.result(&ui.strong("app"));
        ui.result(&format!("  localhost   {local}\n  in cluster  {inside}"));
    }
    for service in &plan.services {
        ui.result(&ui.strong(service.name.as_str()));
        for (variable, _) in service.provided(&service.in_cluster()).map_err(Error::project)? {
            let empty = String::new();
            let (inside, local) = (plan.env.get(&variable).unwrap_or(&empty), local.get(&variable).unwrap_or(&empty));
            ui.result(&format!("  {variable}\n    localhost   {local}\n    in cluster  {inside}"));
        }
        for port in service.ports.iter().filter(|_| service.provides.is_empty()) {
            ui.result(&format!("  {} 127.0.0.1:{}", port.name, instance.host_port(service.local_slot(port))));
        }
        for (name, url) in uis(service, instance) {
            ui.result(&format!("  {name}  {url}"));
        }
        for (name, value) in credentials(service)? {
            ui.result(&format!("  {name}  {value}"));
        }
    }
    let provided: Vec<&String> = plan.services.iter().flat_map(|s| s.provides.keys()).collect();
    let rest: Vec<_> = plan.env.iter().filter(|(name, _)| !provided.contains(name)).collect();
    if !rest.is_empty() {
        ui.result(&ui.strong("env"));
        rest.iter().for_each(|(name, value)| ui.result(&format!("  {name}={value}")));
    }
    if plan.services.is_empty() && plan.app.is_none() {
        ui.talk("This project has no app and no services yet: `kilter init` proposes some.");
    }
    Ok(())
}
