//! `kilter status`.

use serde_json::{Value, json};

use super::context::Context;
use super::dev::{Dev, workloads};
use super::project::Project;
use crate::cluster::pods::{self, PodState};
use crate::diag::Result;
use crate::plan::APP;

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
}

pub(crate) fn run(_args: &Args, ctx: &Context) -> Result<()> {
    let project = Project::open(ctx)?;
    let dev = Dev::look(ctx, &project)?;
    let tilt = match (dev.session.runs()?, dev.session.died()?) {
        (true, _) => "running",
        (_, true) => "ended by itself",
        _ => "not running",
    };
    let (cluster, rows) = match dev.kubectl_there(ctx, &project) {
        Ok(kubectl) => ("running".to_owned(), rows(&dev, &kubectl.list("pods", &[])?)?),
        Err(error) => (error.problems()[0].what.clone(), Vec::new()),
    };
    if ctx.ui.json {
        let rows = rows.iter().map(|row| {
            json!({"name": row.service, "state": row.state, "pod": row.pod, "restarts": row.restarts, "address": row.address})
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
    let width = rows.iter().map(|row| row.service.len()).max().unwrap_or_default();
    for row in &rows {
        let restarts = match row.restarts {
            0 => String::new(),
            1 => ", restarted once".to_owned(),
            n => format!(", restarted {n} times"),
        };
        let address = if row.address.is_empty() { String::new() } else { format!("  {}", row.address) };
        let service = ctx.ui.strong(&format!("{:width$}", row.service));
        ctx.ui.result(&format!("{service}  {}{restarts}{address}", row.state));
    }
    if cluster == "running" && rows.is_empty() {
        ctx.ui.talk("Nothing is rendered yet: `kilter up` brings it up.");
    }
    Ok(())
}

/// A line per workload, with its newest pod.
fn rows(dev: &Dev, all: &[Value]) -> Result<Vec<Row>> {
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
        Row { address: address(dev, &workload.service), service: workload.service.clone(), state, pod, restarts }
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
    let ports = dev.plan.service(service).and_then(|service| service.ports.first());
    ports.map_or_else(String::new, |port| format!("127.0.0.1:{}", dev.instance.host_port(port.slot)))
}
