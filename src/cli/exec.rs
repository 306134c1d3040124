//! `kilter exec`.

use std::io::IsTerminal as _;

use super::context::Context;
use super::dev::{Dev, workloads};
use super::project::Project;
use crate::diag::{Error, Result};
use crate::plan::APP;

/// Runs a command inside the app, or inside a service.
///
/// The command's exit code is kilter's.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kilter exec -- npm test\n  kilter exec -c postgres -- psql -U postgres")]
pub(crate) struct Args {
    /// Inside this service.
    #[arg(short = 'c', long = "service", value_name = "SERVICE", default_value = APP, add = clap_complete::ArgValueCandidates::new(super::candidates::running))]
    service: String,
    /// The command.
    #[arg(value_name = "CMD", required = true, last = true)]
    command: Vec<String>,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let project = Project::open(ctx)?;
    let dev = Dev::look(ctx, &project)?;
    let kubectl = dev.kubectl_there(ctx, &project)?;
    let found = workloads(&dev, std::slice::from_ref(&args.service))?;
    let workload = found.first().ok_or_else(|| Error::bug("a service without a workload"))?;
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let input = if terminal { "--stdin=true --tty=true" } else { "--stdin=true" };
    let call = workload.kubectl(&kubectl).call(["exec", "--quiet"]).args(input.split(' '));
    Err(call.args([workload.reference.as_str(), "--"]).args(args.command.iter().cloned()).become_it())
}
