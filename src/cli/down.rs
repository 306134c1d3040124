//! `kilter down`.

use super::context::Context;
use super::dev::Dev;
use super::project::Project;
use crate::diag::Result;

/// Ends Tilt: edits no longer reach the app. Cluster and pods go on serving.
///
/// What Tilt forwards from this machine ends with it. `kilter up` starts it again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kilter down    # `kilter up` starts it again")]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, ctx: &Context) -> Result<()> {
    let project = Project::open(ctx)?;
    let _lock = project.take_lock(ctx)?;
    let dev = Dev::look(ctx, &project)?;
    let work = ctx.ui.work("ending Tilt");
    let ended = dev.session.stop()?;
    drop(work);
    match ended {
        true => ctx
            .ui
            .talk("Tilt has ended; the cluster goes on. `kilter up` starts it again, `kilter stop` rests all of it."),
        false => ctx.ui.talk("Tilt is not running; nothing to end."),
    }
    Ok(())
}
