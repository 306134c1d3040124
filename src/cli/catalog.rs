//! `kilter catalog`.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::context::Context;
use super::project::unknown_catalog_service;
use crate::catalog::{self, CatalogService, EmbeddedChart, Resources};
use crate::diag::{Error, Result};
use crate::ids::did_you_mean;

/// Lists the services kilter knows, or shows one of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kilter catalog\n  kilter catalog show postgres")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Shows what a service is, what it takes, what it gives the app and how it is detected.
    #[command(after_help = "Example:\n  kilter catalog show postgres")]
    Show {
        /// Which service.
        #[arg(value_name = "SERVICE", add = clap_complete::ArgValueCandidates::new(super::candidates::catalog))]
        service: String,
    },
    /// Anything else: most likely a service.
    #[command(external_subcommand)]
    Other(Vec<String>),
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    match &args.action {
        None => list(ctx),
        Some(Action::Show { service }) => {
            let about = catalog::service(service).ok_or_else(|| unknown_catalog_service(service))?;
            show(ctx, service, about);
        }
        Some(Action::Other(words)) => return Err(no_action(words.first().map_or("", String::as_str))),
    }
    Ok(())
}

fn no_action(word: &str) -> Error {
    let error = Error::usage(format!("`kilter catalog` has no command `{word}`"));
    match (catalog::service(word), did_you_mean(word, ["show"])) {
        (Some(_), _) => error.help(format!("Show the service: `kilter catalog show {word}`.")),
        (None, Some(near)) => error.help(format!("Did you mean `kilter catalog {near}`?")),
        (None, None) => error.help("Show a service: `kilter catalog show SERVICE`. List them: `kilter catalog`."),
    }
}

fn list(ctx: &Context) {
    let services = catalog::services();
    if ctx.ui.json {
        let rows: Vec<Value> = services.iter().map(|(name, about)| as_json(name, about)).collect();
        ctx.ui.json(&Value::Array(rows));
        return;
    }
    let width = services.keys().map(|name| name.len()).max().unwrap_or_default();
    let mut categories: Vec<&str> = services.values().map(|about| about.category.as_str()).collect();
    categories.sort_unstable();
    categories.dedup();
    for category in categories {
        ctx.ui.result(&ctx.ui.strong(category));
        for (name, about) in services.iter().filter(|(_, about)| about.category == category) {
            let gives: Vec<&str> = about.provides.keys().map(String::as_str).collect();
            ctx.ui.result(&format!("  {name:width$} {}", about.description));
            ctx.ui.result(&format!("  {:width$} {}", "", gives.join(", ")));
        }
    }
}

fn as_json(name: &str, about: &CatalogService) -> Value {
    let mut value = json!({"name": name});
    crate::plan::merge(&mut value, &json!(about));
    value["resources"] = json!(resources(name));
    value
}

/// What the containers of a service ask for by default.
fn resources(name: &str) -> Vec<Resources> {
    catalog::chart(name).map(EmbeddedChart::resources).unwrap_or_default()
}

/// Writes what a container asks for: `cpu 50m, memory 128Mi; at most memory 512Mi`.
fn in_words(resources: &Resources) -> String {
    let list = |map: &IndexMap<String, String>| {
        map.iter().map(|(name, amount)| format!("{name} {amount}")).collect::<Vec<_>>().join(", ")
    };
    match (list(&resources.requests), list(&resources.limits)) {
        (requests, limits) if limits.is_empty() => requests,
        (requests, limits) if requests.is_empty() => format!("at most {limits}"),
        (requests, limits) => format!("{requests}; at most {limits}"),
    }
}

fn show(ctx: &Context, name: &str, about: &CatalogService) {
    if ctx.ui.json {
        ctx.ui.json(&as_json(name, about));
        return;
    }
    let ui = &ctx.ui;
    ui.result(&format!("{}  {}", ui.strong(name), about.description));
    ui.result(&format!("  category  {}\n  image     {}\n  docs      {}", about.category, about.image, about.docs));
    for port in &about.ports {
        let page = if port.ui { "  (a page)" } else { "" };
        ui.result(&format!("  port      {} {}{page}", port.name, port.port));
    }
    for takes in resources(name) {
        ui.result(&format!("  takes     {:12} {}", takes.container, in_words(&takes)));
    }
    ui.result("  gives the app");
    about.provides.iter().for_each(|(variable, template)| ui.result(&format!("    {variable}={template}")));
    if !about.credentials.is_empty() {
        ui.result("  log in with");
    }
    about.credentials.iter().for_each(|one| ui.result(&format!("    {:8} {}", one.name, one.value)));
    if !about.detect.is_empty() {
        ui.result("  detected by");
    }
    for (ecosystem, rules) in &about.detect {
        let ecosystem = json!(ecosystem).as_str().unwrap_or_default().to_owned();
        if !rules.strong.is_empty() {
            ui.result(&format!("    {ecosystem:8} {}", rules.strong.join(", ")));
        }
        if !rules.weak.is_empty() {
            ui.result(&format!("    {ecosystem:8} perhaps: {}", rules.weak.join(", ")));
        }
    }
    for need in &about.requires {
        ui.result(&format!("  needs     {}: {}", need.service, need.why));
    }
}
