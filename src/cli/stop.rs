//! `kilter stop`.

use serde_json::Value;

use super::context::Context;
use super::dev::Dev;
use super::project::Project;
use crate::cluster::{Kubectl, Target};
use crate::diag::{Error, Result};

/// What runs pods and can be told to run none.
const SCALED: &str = "deployments,statefulsets";

/// Ends Tilt and stops the cluster; its data is kept, and `kilter up` resumes it.
///
/// A cluster that kilter did not make goes on; what runs of the project in it is scaled to nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kilter stop    # `kilter up` resumes it")]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, ctx: &Context) -> Result<()> {
    let project = Project::open(ctx)?;
    let _lock = project.take_lock(ctx)?;
    let dev = Dev::look(ctx, &project)?;
    let work = ctx.ui.work("ending Tilt");
    dev.session.stop()?;
    drop(work);
    match &dev.target {
        Target::Kind { .. } => dev.stop_kind(ctx)?,
        Target::Context { .. } => {
            let kubectl = dev.kubectl_there(ctx, &project)?;
            let _work = ctx.ui.work("ending the pods");
            scale_down(&kubectl)?;
        }
    }
    ctx.ui.talk(&format!("Stopped in {}; the data is kept. `kilter up` resumes it.", dev.target.shown()));
    Ok(())
}

/// Scales everything of the namespace to no pods, and waits until these are gone.
fn scale_down(kubectl: &Kubectl) -> Result<()> {
    let found = kubectl.list(SCALED, &[])?;
    let names: Vec<String> = found.iter().filter_map(reference).collect();
    if names.is_empty() {
        return Ok(());
    }
    let captured = kubectl.call(["scale", "--replicas=0"]).args(names).capture()?;
    if !captured.ok() {
        return Err(Error::tool("the pods cannot be ended").detail(captured.stderr.trim()));
    }
    let call = kubectl.call(["wait", "--for=delete", "pods", "--all", "--timeout=120s"]);
    let captured = call.timeout(std::time::Duration::from_secs(130)).capture()?;
    match captured.ok() || captured.stderr.contains("no matching resources found") {
        true => Ok(()),
        false => Err(Error::tool("some pods do not end")
            .detail(captured.stderr.trim())
            .help("Look at them: `kilter status`.")),
    }
}

fn reference(object: &Value) -> Option<String> {
    let (kind, name) = (object["kind"].as_str()?, object["metadata"]["name"].as_str()?);
    Some(format!("{}/{name}", kind.to_lowercase()))
}
