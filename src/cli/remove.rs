//! `kilter remove`.

use super::add::{Ending, finish};
use super::context::Context;
use super::project::{Project, unknown_service};
use crate::artifacts::{Ejected, Thing};
use crate::config::edit::remove_service;
use crate::diag::{Error, Result};

/// Takes services out of kilter.yaml, keeping its comments and layout, and removes their artifacts.
///
/// Copies that were ejected stay, and so does data in a running cluster.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kilter remove redis")]
pub(crate) struct Args {
    /// Which services.
    #[arg(value_name = "SERVICE", required = true)]
    services: Vec<String>,
    /// Show what would change, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let (project, _lock) = Project::open_locked(ctx)?;
    let Some(old) = project.text.clone() else {
        return Err(Error::project("this project has no kilter.yaml, so there is nothing to remove")
            .help("Make one: `kilter init`."));
    };
    let names: Vec<String> =
        project.loaded.config.services.iter().flatten().map(|entry| entry.name().to_owned()).collect();
    if let Some(unknown) = args.services.iter().find(|service| !names.contains(service)) {
        return Err(unknown_service(unknown, &names));
    }
    let text = args.services.iter().try_fold(old.clone(), |text, service| remove_service(&text, service))?;
    let advice = "Its data in a cluster, if there is any, stays.";
    let ending =
        Ending { old: Some(old), added: args.services.clone(), dry_run: args.dry_run, verb: "Removed", advice };
    let root = project.root.clone();
    finish(ctx, project, text, &ending)?;
    for thing in Ejected::unused(&root, &[]).into_iter().filter(|thing| belongs(thing, &args.services)) {
        ctx.ui.talk(&format!("`kilter/{}` is yours and stays; nothing uses it now.", thing.path()));
    }
    Ok(())
}

/// Tells whether an ejected copy is of one of these services.
fn belongs(thing: &Thing, services: &[String]) -> bool {
    match thing {
        Thing::Values(service) | Thing::Chart(service) | Thing::Manifest(service) => services.contains(service),
        Thing::Tiltfile | Thing::Dockerfile | Thing::Kind => false,
    }
}
