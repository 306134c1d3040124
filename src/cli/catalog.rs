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
    ctx.ui.result(&format!("{}  {}", ctx.ui.strong(name), about.description));
    lines(about, &resources(name)).iter().for_each(|line| ctx.ui.result(line));
}

/// What there is to say of a service whose containers ask for these resources.
fn lines(about: &CatalogService, takes: &[Resources]) -> Vec<String> {
    let mut lines = vec![format!("  category  {}", about.category), format!("  image     {}", about.image)];
    if !about.variants.is_empty() {
        lines.push(format!("  or        {}, where the project runs it", about.variants.join(", ")));
    }
    lines.push(format!("  docs      {}", about.docs));
    for port in &about.ports {
        let page = if port.ui { "  (a page)" } else { "" };
        lines.push(format!("  port      {} {}{page}", port.name, port.port));
    }
    lines.extend(takes.iter().map(|takes| format!("  takes     {:12} {}", takes.container, in_words(takes))));
    lines.extend(about.requires.iter().map(|need| format!("  needs     {}: {}", need.service, need.why)));
    lines.push("  gives the app".to_owned());
    lines.extend(about.provides.iter().map(|(variable, template)| format!("    {variable}={template}")));
    if !about.credentials.is_empty() {
        lines.push("  log in with".to_owned());
    }
    lines.extend(about.credentials.iter().map(|one| format!("    {:8} {}", one.name, one.value)));
    if !about.detect.is_empty() {
        lines.push("  detected by".to_owned());
    }
    for (ecosystem, rules) in &about.detect {
        let ecosystem = json!(ecosystem).as_str().unwrap_or_default().to_owned();
        for (words, packages) in [("", &rules.strong), ("perhaps: ", &rules.weak), ("in tests: ", &rules.tests)] {
            if !packages.is_empty() {
                lines.push(format!("    {ecosystem:8} {words}{}", packages.join(", ")));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_needs_is_shown() {
        let about = serde_json::from_value(json!({
            "category": "auth",
            "image": "acme/auth:1",
            "variants": ["acme/auth-plus"],
            "docs": "https://acme.example",
            "ports": [{"name": "http", "port": 80, "protocol": "http", "ui": true}],
            "provides": {"AUTH_URL": "http://{{ .Host }}"},
            "detect": {"node": {"strong": ["auth"], "weak": ["oidc"], "tests": ["auth-in-tests"]}},
            "requires": [{"service": "postgres", "why": "it keeps users there"}],
        }));
        insta::assert_snapshot!(lines(&about.unwrap(), &[]).join("\n"), @r"
          category  auth
          image     acme/auth:1
          or        acme/auth-plus, where the project runs it
          docs      https://acme.example
          port      http 80  (a page)
          needs     postgres: it keeps users there
          gives the app
            AUTH_URL=http://{{ .Host }}
          detected by
            node     auth
            node     perhaps: oidc
            node     in tests: auth-in-tests
        ");
    }
}
