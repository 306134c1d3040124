//! `kilter restart`.

use super::context::Context;
use super::dev::{Dev, Workload, workloads};
use super::project::{Outcome, Prepared, Project};
use crate::artifacts::Change;
use crate::cluster::Kubectl;
use crate::diag::{Error, Result};
use crate::tilt::{TILTFILE, Tilt};

/// Restarts pods, so that they read their environment again; the images stay the same.
///
/// Renders first, so what `env` of kilter.yaml says by now reaches them. Without a name, the app and all services restart.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kilter restart app\n  kilter restart")]
pub(crate) struct Args {
    /// Restart only these.
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let (project, lock) = Project::open_locked(ctx)?;
    let mut prepared = Prepared::new(ctx, project)?;
    prepared.claim(ctx)?;
    let rendered = prepared.render(ctx)?;
    let outcome = Outcome::new(ctx, &prepared, &rendered)?;
    let dev = Dev::of(ctx, &prepared)?;
    let kubectl = dev.kubectl_there(ctx, &prepared.project)?;
    let tilt = dev.tilt(ctx, &prepared.project)?;
    let manifests = |change: &&Change| change.path.starts_with("manifests/");
    if outcome.changes.iter().any(|change| manifests(&change)) {
        if !tilt.session.runs()? {
            return Err(Error::missing(
                "kilter.yaml says other things than what runs, and Tilt is not there to apply them",
            )
            .help("Bring it up: `kilter up`."));
        }
        apply(ctx, &tilt, &kubectl, &outcome, &prepared)?;
    }
    let found = workloads(&dev, &args.services)?;
    drop(lock);
    for workload in &found {
        roll(ctx, &kubectl, workload)?;
    }
    Ok(())
}

/// Writes what changed and waits until Tilt has applied it.
fn apply(ctx: &Context, tilt: &Tilt, kubectl: &Kubectl, outcome: &Outcome, prepared: &Prepared) -> Result<()> {
    let before = tilt.resources()?.unwrap_or_default();
    outcome.write(prepared)?;
    tilt.trigger(TILTFILE)?;
    let waiting = super::dev::Waiting { ctx, tilt, kubectl };
    waiting.applied(super::up::taken_up(outcome, &before))
}

/// Rolls the pods of a workload and waits until the new ones are ready.
fn roll(ctx: &Context, kubectl: &Kubectl, workload: &Workload) -> Result<()> {
    let kubectl = workload.kubectl(kubectl);
    let work = ctx.ui.work(&format!("restarting {}", workload.service));
    let failed = |what: &str, said: &str| {
        Error::tool(format!("`{}` {what}", workload.service))
            .detail(said.trim())
            .help(format!("See what it says: `kilter logs {}`.", workload.service))
    };
    let rolled = kubectl.call(["rollout", "restart", &workload.reference]).capture()?;
    if !rolled.ok() {
        return Err(failed("cannot be restarted", &rolled.stderr));
    }
    let call = kubectl.call(["rollout", "status", &workload.reference, "--timeout=300s"]);
    let ready = call.timeout(std::time::Duration::from_secs(310)).capture()?;
    drop(work);
    if !ready.ok() {
        return Err(failed("did not get ready again", &ready.stderr));
    }
    ctx.ui.result(&format!("{} restarted", workload.service));
    Ok(())
}
