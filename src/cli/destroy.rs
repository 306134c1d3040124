//! `kilter destroy`.

use super::context::Context;
use super::dev::{Place, docker, kubectl_program};
use super::project::Project;
use crate::artifacts::Directory;
use crate::cluster::{Docker, Machine, Registry, Target, remove_built};
use crate::diag::{Error, Kind, Result};
use crate::fsx;
use crate::plan::app_image_of;

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
    let (place, project) = Place::find(ctx)?;
    let what = match &place.target {
        Target::Kind { name } => format!("the kind cluster `{name}` and the data in it"),
        Target::Context { context, .. } => {
            format!("the namespace `{}` in the cluster of `{context}` and the data in it", place.namespace)
        }
    };
    if !args.yes {
        ctx.ui.confirm_by_name(&format!("This deletes {what}."), place.project.as_str(), "--yes")?;
    }
    let lock = place.take_lock(ctx)?;
    let work = ctx.ui.work(&format!("deleting {what}"));
    let docker = match &place.target {
        Target::Kind { .. } => Some(destroy_kind(ctx, &place)?),
        Target::Context { .. } => {
            destroy_namespace(ctx, &place, project.as_ref())?;
            // Without a docker there are no images of it either.
            docker(ctx).ok()
        }
    };
    drop(work);
    if let Some(docker) = docker {
        remove_images(ctx, &place, &docker)?;
    }
    fsx::remove(&place.directory.root)?;
    fsx::remove(&place.session.dir)?;
    Machine::forget(&ctx.state_dir()?, &place.key, &place.root)?;
    lock.delete()?;
    ctx.ui.talk(&format!("Deleted {what}. `kilter up` makes it anew."));
    if ctx.ui.json {
        ctx.ui.json(&serde_json::json!({"deleted": place.key, "context": place.target.context()}));
    }
    Ok(())
}

/// Deletes the kind cluster, and the local registry when no cluster is left that needs it.
fn destroy_kind(ctx: &Context, place: &Place) -> Result<Docker> {
    let kind = place.kind_without_tools(ctx)?;
    place.session.stop()?;
    kind.destroy()?;
    Registry::remove_if_unused(&kind.docker, &ctx.state_dir()?)?;
    Ok(kind.docker)
}

fn destroy_namespace(ctx: &Context, place: &Place, project: Option<&Project>) -> Result<()> {
    let program = kubectl_program(ctx, project)?;
    // The artifacts may be lost, and nothing is made in order to be deleted.
    let temporary = tempfile::tempdir().map_err(|error| Error::io("make a temporary directory", &error))?;
    let there = match place.directory.root.is_dir() {
        true => place.there(ctx, program),
        false => {
            let directory = Directory { root: temporary.path().to_path_buf() };
            Place { directory, ..place.clone() }.there(ctx, program)
        }
    };
    let kubectl =
        there.map_err(|error| error.help("Nothing was deleted: the data in that cluster would stay behind unseen."))?;
    place.session.stop()?;
    if kubectl.delete_namespace(place.project.as_str())? || kubectl.get("namespace", &place.namespace)?.is_none() {
        return Ok(());
    }
    Err(Error::tool(format!("the namespace `{}` is still there", place.namespace)))
}

/// Deletes what was built of the app, unless another working copy is left: it builds under the same name.
fn remove_images(ctx: &Context, place: &Place, docker: &Docker) -> Result<()> {
    let machine = Machine::read(&ctx.state_dir()?)?;
    let of = |key: &str| key.split('@').next() == Some(place.project.as_str());
    if machine.instances.keys().any(|key| *key != place.key && of(key)) {
        return Ok(());
    }
    match remove_built(docker, &app_image_of(&place.project)) {
        Err(error) if error.kind() == Kind::Interrupted => Err(error),
        Err(error) => {
            error.problems().iter().for_each(|problem| ctx.ui.warn(problem));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
