//! `kilter doctor`.

mod cluster;
mod docker;
mod instances;
mod machine;
mod project;

use serde_json::json;

use super::context::Context;
use super::project::Project;
use crate::cluster::probes::finding::{Finding, State};
use crate::cluster::probes::network::{self, Subnet};
use crate::diag::{Error, Kind, Result};
use crate::fsx;
use crate::plan::Plan;

/// Checks everything that commonly breaks. Each finding comes with its fix.
///
/// That is kilter.yaml, tools, artifacts and ejected copies; docker, its memory, disk and clock; this machine's disk, memory
/// and inotify limits; who has the project's ports; kubeconfig, registry, proxy and routes; a Tilt that died, and what runs on
/// of projects whose directory is gone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kilter doctor\n  kilter doctor --json    # for a script")]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, ctx: &Context) -> Result<()> {
    let docker = docker::ask(ctx);
    let mut found = machine::all(ctx);
    let project = Project::open(ctx);
    let subnets = subnets(ctx, project.as_ref().ok());
    let mut of_cluster = Vec::new();
    let docker = match project {
        Ok(project) => {
            let plan = project.plan(ctx).map(|(plan, ..)| plan);
            found.push(project::kilter_yaml(&project, plan.as_ref()));
            let plan = plan.ok();
            found.extend(project::detected(&project));
            found.extend(project::tools(ctx, &project));
            let mut docker = docker.answer(ctx);
            if !needs_docker(ctx, &project, plan.as_ref()) {
                docker.is_of_no_use();
            }
            of_cluster.extend(plan.iter().flat_map(|plan| cluster::ports(ctx, &project, plan, &docker)));
            of_cluster.extend(cluster::kubeconfig(ctx, &project));
            of_cluster.extend(plan.iter().filter_map(|plan| cluster::registry(ctx, &project, plan)));
            of_cluster.extend(instances::tilt(ctx, &project));
            found.extend(project::artifacts(ctx, project));
            docker
        }
        Err(error) => {
            found.push(Finding::error("kilter.yaml", &error));
            docker.answer(ctx)
        }
    };
    found.extend(docker.findings);
    found.extend(of_cluster);
    found.extend(instances::abandoned(ctx));
    found.extend(network::proxies(|name| ctx.var(name).map(str::to_owned), &subnets));
    found.extend(machine::routes(&subnets));
    print(ctx, &found);
    match found.iter().filter(|finding| finding.state == State::Failed).count() {
        0 => Ok(()),
        1 => Err(Error::new(Kind::Project, "1 check failed")),
        n => Err(Error::new(Kind::Project, format!("{n} checks failed"))),
    }
}

/// Tells whether the project needs docker: for a cluster of kind's, or to build the app's image.
fn needs_docker(ctx: &Context, project: &Project, plan: Option<&Plan>) -> bool {
    cluster::context(ctx, project).is_none() || plan.is_none_or(|plan| plan.app.is_some())
}

/// Returns the ranges of addresses inside the cluster: of one that kilter does not make they are not known.
fn subnets(ctx: &Context, project: Option<&Project>) -> Vec<Subnet> {
    let Some(project) = project else { return network::subnets(None).into() };
    if cluster::context(ctx, project).is_some() {
        return Vec::new();
    }
    let artifact = project.artifacts(ctx).map(|dir| dir.root.join("kind.yaml"));
    let read = |path: &std::path::Path| fsx::read_text(path, fsx::MAX_FILE).ok().flatten();
    let own = read(&project.root.join("kilter/kind.yaml")).or_else(|| read(&artifact.ok()?));
    network::subnets(own.as_deref()).into()
}

fn print(ctx: &Context, found: &[Finding]) {
    if ctx.ui.json {
        let rows = found.iter().map(|f| json!({"check": f.check, "state": f.state, "what": f.what, "fix": f.fix}));
        ctx.ui.json(&json!(rows.collect::<Vec<_>>()));
        return;
    }
    for finding in found {
        let word = match finding.state {
            State::Ok => "ok     ",
            State::Warning => "warning",
            State::Failed => "FAILED ",
        };
        let name = ctx.ui.strong(&format!("{:13}", finding.check));
        ctx.ui.result(&format!("{word}  {name}  {}", finding.what));
        if let Some(fix) = &finding.fix {
            ctx.ui.result(&format!("{:24}{fix}", ""));
        }
    }
}
