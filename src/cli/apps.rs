//! `kilter apps`.

use serde_json::json;

use super::context::Context;
use super::production::{Access, Place, ServerArgs, named, printable};
use crate::api::{AppId, AppInfo, ConditionStatus, DeployInfo, Phase};
use crate::diag::{Error, Result};

/// Lists the apps on a kilter-server, or shows one of them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter apps\n  kilter apps show                    # the project's own\n  kilter apps show acme/shop --env staging\n  kilter apps logs --component worker\n  kilter apps delete acme/shop --env staging"
)]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Shows one environment of an app: its state, its history, and what is wrong.
    #[command(after_help = "Examples:\n  kilter apps show\n  kilter apps show acme/shop --env staging")]
    Show {
        #[command(flatten)]
        app: One,
    },
    /// Prints the last lines of what an app says.
    #[command(after_help = "Examples:\n  kilter apps logs\n  kilter apps logs acme/shop --component worker --tail 20")]
    Logs {
        #[command(flatten)]
        app: One,
        /// Only of this component.
        #[arg(long, value_name = "NAME")]
        component: Option<String>,
        /// How many of the last lines of each container.
        #[arg(long, value_name = "LINES", default_value_t = 200)]
        tail: u16,
    },
    /// Deletes one environment of an app: its pods, its addresses, its namespace and what is in it.
    #[command(
        after_help = "Examples:\n  kilter apps delete acme/shop --env staging\n  kilter apps delete acme/shop --env staging --yes    # for a script"
    )]
    Delete {
        #[command(flatten)]
        app: One,
        /// Do not ask for the app's name.
        #[arg(short, long)]
        yes: bool,
    },
}

/// One environment of an app.
#[derive(Debug, Clone, clap::Args)]
struct One {
    /// The app; the project's own when left out.
    #[arg(value_name = "ORG/APP")]
    name: Option<String>,
    /// The environment.
    #[arg(long, value_name = "ENV", default_value = "prod", add = clap_complete::ArgValueCandidates::new(super::candidates::environments))]
    env: String,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let place = Place::look(ctx)?;
    let one = |one: &One| -> Result<(AppId, Access)> {
        let id = match &one.name {
            Some(name) => named(name, &one.env)?,
            None => place.app(ctx, None, &one.env)?.0,
        };
        let server = ServerArgs {
            server: one.server.server.clone().or_else(|| args.server.server.clone()),
            insecure: one.server.insecure || args.server.insecure,
        };
        Ok((id, place.access(ctx, &server)?))
    };
    match &args.action {
        None => list(ctx, &place.access(ctx, &args.server)?),
        Some(Action::Show { app }) => {
            let (id, access) = one(app)?;
            show(ctx, &access, &id)
        }
        Some(Action::Logs { app, component, tail }) => {
            let (id, access) = one(app)?;
            logs(ctx, &access, &id, component.as_deref(), *tail)
        }
        Some(Action::Delete { app, yes }) => {
            let (id, access) = one(app)?;
            delete(ctx, &access, &id, *yes)
        }
    }
}

fn list(ctx: &Context, access: &Access) -> Result<()> {
    let mut apps = access.client.apps()?;
    apps.sort_by(|a, b| (&a.org, &a.app, &a.env).cmp(&(&b.org, &b.app, &b.env)));
    if ctx.ui.json {
        ctx.ui.json(&json!(apps));
        return Ok(());
    }
    if apps.is_empty() {
        ctx.ui.talk(&format!("No app that this token may see is on {}.", access.server.value));
        return Ok(());
    }
    let rows = apps.iter().map(|app| {
        let revision = app.deploy.revision.map(|revision| revision.to_string()).unwrap_or_default();
        [format!("{}/{}", app.org, app.app), app.env.clone(), word(app).to_owned(), revision, app.url.clone()]
    });
    table(ctx, ["APP", "ENV", "STATE", "REVISION", "URL"], &rows.collect::<Vec<_>>());
    Ok(())
}

fn show(ctx: &Context, access: &Access, id: &AppId) -> Result<()> {
    let app = access.client.app(id)?.ok_or_else(|| unknown(id, access))?;
    let deploys = access.client.deploys(id)?;
    if ctx.ui.json {
        ctx.ui.json(&json!({"app": app, "deploys": deploys}));
        return Ok(());
    }
    let ui = &ctx.ui;
    let line = |name: &str, text: &str| ui.result(&format!("  {name:9} {}", printable(text)));
    ui.result(&ui.strong(&printable(&format!("{}/{} {}", app.org, app.app, app.env))));
    let deploy = &app.deploy;
    let message = if deploy.message.is_empty() { String::new() } else { format!(": {}", deploy.message) };
    let lines = [
        ("url", app.url.clone()),
        ("state", format!("{}{message}", word(&app))),
        ("revision", deploy.revision.map(|revision| revision.to_string()).unwrap_or_default()),
        ("image", deploy.image.clone()),
        ("commit", deploy.commit.clone().unwrap_or_default()),
        ("by", deploy.by.clone()),
        ("about", app.about.description.clone().unwrap_or_default()),
        ("owner", app.about.owner.clone().unwrap_or_default()),
    ];
    lines.iter().filter(|(_, text)| !text.is_empty()).for_each(|(name, text)| line(name, text));
    app.about.links.iter().for_each(|(name, address)| line(&printable(name), address));
    for condition in app.conditions.iter().filter(|condition| condition.status != ConditionStatus::True) {
        let text = format!("{:?}, {}: {}", condition.status, condition.reason, condition.message);
        line(&format!("{:?}", condition.type_), &text);
    }
    if !deploys.is_empty() {
        ui.result("");
        let rows: Vec<[String; 5]> = deploys.iter().map(history_row).collect();
        table(ctx, ["REVISION", "STATE", "AT", "BY", "IMAGE"], &rows);
    }
    Ok(())
}

fn history_row(deploy: &DeployInfo) -> [String; 5] {
    let at = deploy.timeline.as_ref().and_then(|timeline| timeline.accepted.clone()).unwrap_or_default();
    // The day and the minute are enough for a person.
    let at = at.get(..16).map(|at| at.replace('T', " ")).unwrap_or(at);
    let image = deploy.image.rsplit('/').next().unwrap_or_default();
    let image = match image.split_once("@sha256:") {
        Some((name, hex)) => format!("{name}@{}", hex.get(..12).unwrap_or(hex)),
        None => image.to_owned(),
    };
    let revision = deploy.revision.map(|revision| revision.to_string()).unwrap_or_default();
    [revision, phase(deploy.phase).to_owned(), at, deploy.by.clone(), image]
}

fn logs(ctx: &Context, access: &Access, id: &AppId, component: Option<&str>, tail: u16) -> Result<()> {
    let logs = access.client.logs(id, component, tail)?;
    if ctx.ui.json {
        ctx.ui.json(&json!(logs));
        return Ok(());
    }
    let several = logs.pods.len() > 1;
    for pod in &logs.pods {
        let prefix = if several { ctx.ui.strong(&format!("{} | ", pod.pod)) } else { String::new() };
        pod.log.lines().for_each(|line| ctx.ui.result(&format!("{prefix}{line}")));
    }
    if logs.pods.is_empty() {
        ctx.ui.talk("No pod of it says anything. `kilter apps show` says how it is.");
    }
    Ok(())
}

fn delete(ctx: &Context, access: &Access, id: &AppId, yes: bool) -> Result<()> {
    if !yes {
        let what = format!(
            "This deletes {id} on {}: its pods, its addresses, the namespace `{}` and what is in it.",
            access.server.value,
            id.namespace()
        );
        ctx.ui.confirm_by_name(&what, &id.namespace(), "--yes")?;
    }
    if !access.client.delete(id)? {
        return Err(unknown(id, access));
    }
    ctx.ui.talk(&format!("{id} is being deleted; once it is gone, `kilter apps` no longer lists it."));
    if ctx.ui.json {
        ctx.ui.json(&json!({"deleting": {"org": id.org(), "app": id.app(), "env": id.env()}}));
    }
    Ok(())
}

fn unknown(id: &AppId, access: &Access) -> Error {
    Error::project(format!("{id} is not on {}, or this token may not see it", access.server.value))
        .help("See what is there: `kilter apps`.")
}

fn word(app: &AppInfo) -> &'static str {
    if app.deleting { "deleting" } else { phase(app.deploy.phase) }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Accepted => "accepted",
        Phase::Rendered => "rendered",
        Phase::Committed => "committed",
        Phase::Reconciled => "reconciled",
        Phase::Ready => "ready",
        Phase::Failed => "failed",
        Phase::Superseded => "superseded",
    }
}

/// Prints rows under their heads, each column as wide as its widest text; what the server says moves no cursor.
fn table<const N: usize>(ctx: &Context, heads: [&str; N], rows: &[[String; N]]) {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|text| printable(text)).collect()).collect();
    let width = |column: usize| {
        let texts = rows.iter().map(|row| row[column].chars().count());
        texts.chain([heads[column].len()]).max().unwrap_or_default()
    };
    let line = |cells: Vec<&str>| {
        let cells = cells.iter().enumerate().map(|(column, text)| format!("{text:0$}", width(column)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    ctx.ui.result(&ctx.ui.strong(&line(heads.to_vec())));
    for row in &rows {
        ctx.ui.result(&line(row.iter().map(String::as_str).collect()));
    }
}
