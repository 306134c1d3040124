//! `kilter destroy`.

use super::context::Context;
use super::dev::Dev;
use super::project::Project;
use crate::cluster::{Machine, Target};
use crate::diag::{Error, Result};
use crate::fsx;

/// Deletes the cluster with its data, and everything that kilter keeps of the project on this machine.
///
/// In a cluster that kilter did not make, the project's namespace is deleted. kilter.yaml, kilter.lock and what is ejected
/// stay.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kilter destroy\n  kilter destroy --yes    # for a script")]
pub(crate) struct Args {
    /// Do not ask for the project's name.
    #[arg(short, long)]
    yes: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let project = Project::open(ctx)?;
    let dev = Dev::look(ctx, &project)?;
    let what = match &dev.target {
        Target::Kind { name } => format!("the kind cluster `{name}` and the data in it"),
        Target::Context { context, .. } => {
            format!("the namespace `{}` in the cluster of `{context}` and the data in it", dev.plan.namespace)
        }
    };
    if !args.yes {
        ctx.ui.confirm_by_name(&format!("This deletes {what}."), project.name.as_str(), "--yes")?;
    }
    let _lock = project.take_lock(ctx)?;
    let work = ctx.ui.work(&format!("deleting {what}"));
    dev.session.stop()?;
    match &dev.target {
        Target::Kind { .. } => dev.destroy_kind(ctx)?,
        Target::Context { .. } => destroy_namespace(ctx, &dev, &project)?,
    }
    drop(work);
    fsx::remove(&dev.directory.root)?;
    fsx::remove(&dev.session.dir)?;
    Machine::forget(&ctx.state_dir()?, &project.key(), &project.root)?;
    ctx.ui.talk(&format!("Deleted {what}. `kilter up` makes it anew."));
    Ok(())
}

fn destroy_namespace(ctx: &Context, dev: &Dev, project: &Project) -> Result<()> {
    let kubectl = match dev.kubectl_there(ctx, project) {
        Ok(kubectl) => kubectl,
        Err(error) => {
            return Err(error.help("Nothing was deleted: the data in that cluster would stay behind unseen."));
        }
    };
    if kubectl.delete_namespace(dev.plan.project.as_str())? || kubectl.get("namespace", &dev.plan.namespace)?.is_none()
    {
        return Ok(());
    }
    Err(Error::tool(format!("the namespace `{}` is still there", dev.plan.namespace)))
}
