//! `kilter remove`.

use super::add::{Ending, finish};
use super::context::Context;
use super::project::Project;
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
    let project = Project::open(ctx)?;
    let _lock = super::render::lock(ctx, &project)?;
    let Some(old) = project.text.clone() else {
        return Err(Error::project("this project has no kilter.yaml, so there is nothing to remove")
            .help("Make one: `kilter init`."));
    };
    let text = args.services.iter().try_fold(old.clone(), |text, service| remove_service(&text, service))?;
    let ending = Ending { old: Some(old), added: args.services.clone(), dry_run: args.dry_run, verb: "Removed" };
    finish(ctx, project, text, &ending)
}
