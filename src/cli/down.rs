//! `kilter down`.

use super::context::Context;
use super::dev::Place;
use crate::diag::Result;

/// Ends Tilt: edits no longer reach the app. Cluster and pods go on serving.
///
/// What Tilt forwards from this machine ends with it. `kilter up` starts it again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kilter down    # `kilter up` starts it again")]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, ctx: &Context) -> Result<()> {
    let (place, _) = Place::find(ctx)?;
    let _lock = place.take_lock(ctx)?;
    let work = ctx.ui.work("ending Tilt");
    let ended = place.session.stop()?;
    drop(work);
    match ended {
        true => ctx
            .ui
            .talk("Tilt has ended; the cluster goes on. `kilter up` starts it again, `kilter stop` rests all of it."),
        false => ctx.ui.talk("Tilt is not running; nothing to end."),
    }
    if ctx.ui.json {
        ctx.ui.json(&serde_json::json!({"ended": ended}));
    }
    Ok(())
}
