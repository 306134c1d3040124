//! `kilter status`.

use serde_json::{Value, json};

use super::context::Context;
use super::dev::{Dev, workloads};
use super::project::Project;
use crate::cluster::pods::{self, PodState};
use crate::diag::Result;
use crate::plan::APP;
use crate::tilt::{Phase, Resource};

/// Shows what runs of the project: cluster, Tilt, app and services.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kilter status\n  kilter status --json    # for a script")]
pub(crate) struct Args {}

/// One line of the table.
struct Row {
    service: String,
    state: String,
    pod: String,
    restarts: u64,
    address: String,
    /// How Tilt fares with building and applying it; `None` while no Tilt says so.
    build: Option<&'static str>,
}

pub(crate) fn run(_args: &Args, ctx: &Context) -> Result<()> {
    let project = Project::open(ctx)?;
    let dev = Dev::look(ctx, &project)?;
    let tilt = match (dev.session.runs()?, dev.session.died()?) {
        (true, _) => "running",
        (_, true) => "ended by itself",
        _ => "not running",
    };
    let resources = resources(ctx, &dev, &project)?;
    let (cluster, rows) = match dev.kubectl_there(ctx, &project) {
        Ok(kubectl) => ("running".to_owned(), rows(&dev, &kubectl.list("pods", &[])?, &resources)?),
        Err(error) => (error.problems()[0].what.clone(), Vec::new()),
    };
    if ctx.ui.json {
        let rows = rows.iter().map(|row| {
            json!({
                "name": row.service,
                "state": row.state,
                "build": row.build,
                "pod": row.pod,
                "restarts": row.restarts,
                "address": row.address,
            })
        });
        ctx.ui.json(&json!({
            "project": project.key(),
            "namespace": dev.plan.namespace,
            "cluster": {"context": dev.target.context(), "state": cluster},
            "tilt": {"state": tilt, "url": dev.session.url()},
            "services": rows.collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    ctx.ui.result(&format!("{}  {}", ctx.ui.strong(&format!("{:9}", "cluster")), dev.target.shown()));
    ctx.ui.result(&format!("           {cluster}"));
    let url = if tilt == "running" { format!(", {}", dev.session.url()) } else { String::new() };
    ctx.ui.result(&format!("{}  {tilt}{url}", ctx.ui.strong(&format!("{:9}", "Tilt"))));
    table(ctx, &rows);
    if rows.iter().any(|row| row.build == Some(FAILED)) {
        ctx.ui.talk(&format!("Why a build failed: {}, or `{}`.", dev.session.url(), dev.session.log().display()));
    }
    if cluster == "running" && rows.is_empty() {
        ctx.ui.talk("Nothing is rendered yet: `kilter up` brings it up.");
    }
    Ok(())
}

fn table(ctx: &Context, rows: &[Row]) {
    let width = rows.iter().map(|row| row.service.len()).max().unwrap_or_default();
    for row in rows {
        let restarts = match row.restarts {
            0 => String::new(),
            1 => ", restarted once".to_owned(),
            n => format!(", restarted {n} times"),
        };
        // The pods of the last good build go on as if nothing were.
        let build = if row.build == Some(FAILED) { ", but its last build failed" } else { "" };
        let address = if row.address.is_empty() { String::new() } else { format!("  {}", row.address) };
        let service = ctx.ui.strong(&format!("{:width$}", row.service));
        ctx.ui.result(&format!("{service}  {}{restarts}{build}{address}", row.state));
    }
}

/// Asks the Tilt that runs; nothing without one, or while it does not answer.
fn resources(ctx: &Context, dev: &Dev, project: &Project) -> Result<Vec<Resource>> {
    match dev.session.runs()? {
        true => Ok(dev.tilt(ctx, project)?.resources()?.unwrap_or_default()),
        false => Ok(Vec::new()),
    }
}

/// How a build is said to be that failed.
const FAILED: &str = "failed";

/// Says how far Tilt is with building and applying.
fn build(resource: &Resource) -> Option<&'static str> {
    match resource.update {
        Phase::None => None,
        Phase::Pending => Some("waiting"),
        Phase::InProgress => Some("running"),
        Phase::Ok => Some("ok"),
        Phase::Error => Some(FAILED),
    }
}

/// A line per workload, with its newest pod.
fn rows(dev: &Dev, all: &[Value], resources: &[Resource]) -> Result<Vec<Row>> {
    let found = match workloads(dev, &[]) {
        Ok(found) => found,
        Err(_) => return Ok(Vec::new()),
    };
    let row = |workload: &super::dev::Workload| {
        let mine = all.iter().filter(|pod| workload.owns(pod));
        let newest = mine.max_by_key(|pod| pod["metadata"]["creationTimestamp"].as_str().unwrap_or_default());
        let (state, pod, restarts) = match newest {
            None => ("no pod".to_owned(), String::new(), 0),
            Some(pod) => (shown(&pods::state(pod)), pods::name(pod).to_owned(), pods::restarts(pod)),
        };
        let build = resources.iter().find(|resource| resource.name == workload.service).and_then(build);
        Row { address: address(dev, &workload.service), service: workload.service.clone(), state, pod, restarts, build }
    };
    Ok(found.iter().map(row).collect())
}

fn shown(state: &PodState) -> String {
    match state {
        PodState::Ready => "ready".into(),
        PodState::Waiting(what) => format!("waiting for {what}"),
        PodState::Trouble(trouble) => trouble.what.clone(),
    }
}

/// Where a person or a client finds it on this machine.
fn address(dev: &Dev, service: &str) -> String {
    if service == APP {
        return dev
            .plan
            .app
            .as_ref()
            .map_or_else(String::new, |app| format!("http://127.0.0.1:{}", dev.instance.host_port(app.slot)));
    }
    let first = dev.plan.service(service).and_then(|service| Some(service.local_slot(service.ports.first()?)));
    first.map_or_else(String::new, |slot| format!("127.0.0.1:{}", dev.instance.host_port(slot)))
}
