//! `kilter stop`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::context::Context;
use super::dev::{Place, Workload, kubectl_program, stored};
use crate::cluster::{Kubectl, Target, pods};
use crate::diag::{Error, Result};

/// What runs pods and can be told to run none.
const SCALED: &str = "deployments,replicasets,replicationcontrollers,statefulsets";

/// Ends Tilt and stops the cluster; its data is kept, and `kilter up` resumes it.
///
/// A cluster that kilter did not make goes on; what runs of the project in it is scaled to nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kilter stop    # `kilter up` resumes it")]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, ctx: &Context) -> Result<()> {
    let (place, project) = Place::find(ctx)?;
    let _lock = place.take_lock(ctx)?;
    // First whether docker or the cluster answers: who cannot stop all of it stops nothing.
    match &place.target {
        Target::Kind { .. } => {
            let kind = place.kind_without_tools(ctx)?;
            end_tilt(ctx, &place)?;
            let _work = ctx.ui.work("stopping the cluster");
            kind.stop()?;
        }
        Target::Context { .. } => {
            let workloads = stored(&place.directory)?;
            if workloads.is_empty() {
                end_tilt(ctx, &place)?;
                ctx.ui.talk("Nothing of this project is rendered here, so nothing in the cluster was scaled.");
                say_stopped(ctx, &place);
                return Ok(());
            }
            let kubectl = place.there(ctx, kubectl_program(ctx, project.as_ref())?)?;
            end_tilt(ctx, &place)?;
            let _work = ctx.ui.work("ending the pods");
            scale_down(ctx, &kubectl, &workloads)?;
        }
    }
    ctx.ui.talk(&format!("Stopped in {}; the data is kept. `kilter up` resumes it.", place.target.shown()));
    say_stopped(ctx, &place);
    Ok(())
}

fn say_stopped(ctx: &Context, place: &Place) {
    if ctx.ui.json {
        ctx.ui.json(&serde_json::json!({"stopped": place.key, "context": place.target.context()}));
    }
}

fn end_tilt(ctx: &Context, place: &Place) -> Result<()> {
    let _work = ctx.ui.work("ending Tilt");
    place.session.stop().map(drop)
}

/// Scales the project's own workloads to no pods, and waits until theirs are gone. What else is in the namespace is
/// somebody else's.
fn scale_down(ctx: &Context, kubectl: &Kubectl, workloads: &[Workload]) -> Result<()> {
    let mut scaled: BTreeMap<String, Vec<&Workload>> = BTreeMap::new();
    for workload in workloads.iter().filter(|workload| !workload.job) {
        match SCALED.split(',').any(|kinds| kinds.strip_suffix('s') == Some(workload.kind())) {
            true => scaled.entry(workload.kubectl(kubectl).namespace).or_default().push(workload),
            false => ctx.ui.talk(&format!("`{}` goes on: it cannot be scaled.", workload.reference)),
        }
    }
    for (namespace, mine) in &mut scaled {
        scale(&Kubectl { namespace: namespace.clone(), ..kubectl.clone() }, mine)?;
    }
    for (namespace, mine) in &scaled {
        wait(&Kubectl { namespace: namespace.clone(), ..kubectl.clone() }, mine)?;
    }
    Ok(())
}

/// Scales workloads of one namespace to nothing; those that are not there are left out.
fn scale(kubectl: &Kubectl, workloads: &mut Vec<&Workload>) -> Result<()> {
    let there = kubectl.list(SCALED, &[])?;
    workloads.retain(|workload| there.iter().any(|object| workload.is(object)));
    if workloads.is_empty() {
        return Ok(());
    }
    let names = workloads.iter().map(|workload| workload.reference.as_str());
    let captured = kubectl.call(["scale", "--replicas=0"]).args(names).capture()?;
    match captured.ok() {
        true => Ok(()),
        false => Err(Error::tool("the pods cannot be ended").detail(captured.stderr.trim())),
    }
}

/// Waits until the pods of these workloads are gone.
fn wait(kubectl: &Kubectl, workloads: &[&Workload]) -> Result<()> {
    let pods = kubectl.list("pods", &[])?;
    let mine = pods.iter().filter(|pod| workloads.iter().any(|workload| workload.owns(pod)));
    let names: Vec<String> = mine.map(|pod| format!("pod/{}", pods::name(pod))).collect();
    if names.is_empty() {
        return Ok(());
    }
    let call = kubectl.call(["wait", "--for=delete", "--timeout=120s"]).args(names);
    let captured = call.timeout(Duration::from_secs(130)).capture()?;
    // A pod that is gone by then is what is waited for.
    let gone = ["no matching resources found", "(NotFound)"].iter().any(|words| captured.stderr.contains(words));
    match captured.ok() || gone && !captured.stderr.contains("timed out") {
        true => Ok(()),
        false => Err(Error::tool("some pods do not end")
            .detail(captured.stderr.trim())
            .help("Look at them: `kilter status`.")),
    }
}
