//! `kilter restart`.

mod roll;

use std::collections::BTreeMap;

use super::context::Context;
use super::dev::{Dev, Workload, workloads};
use super::project::{Outcome, Prepared, Project};
use crate::artifacts::Change;
use crate::cluster::{Kubectl, config_maps, differ_beyond_config, holders};
use crate::diag::{Error, Kind, Problem, Result};
use crate::fsx;
use crate::plan::APP;
use crate::tilt::{TILTFILE, Tilt};

/// Restarts pods, so that they read their environment again; the images stay the same.
///
/// Renders first, so what `env` of kilter.yaml says by now reaches them. Without a name, the app and all services restart.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kilter restart app\n  kilter restart")]
pub(crate) struct Args {
    /// Restart only these.
    #[arg(value_name = "SERVICE", add = clap_complete::ArgValueCandidates::new(super::candidates::running))]
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
    take_up(ctx, &dev, &kubectl, &outcome, &prepared)?;
    let found = workloads(&dev, &args.services)?;
    apply_environment(&dev, &kubectl, &found)?;
    if found.iter().any(|workload| workload.manifest == APP) {
        dev.take_env_file(ctx, &prepared.project.root, &kubectl)?;
    }
    drop(lock);
    let listened = if dev.session.runs()? { holders(&dev.forwards_of(|_| true)) } else { BTreeMap::new() };
    let (services, problems) = roll::roll(ctx, &kubectl, &found)?;
    match ctx.ui.json {
        true => ctx.ui.json(&serde_json::json!({"restarted": services})),
        false => services.iter().for_each(|service| ctx.ui.result(&format!("{service} restarted"))),
    }
    // Their ports lead to the pods that are gone until Tilt sees the new ones.
    let mut ports = dev.forwards_of(|service| services.contains(&service));
    ports.retain(|port| listened.contains_key(port));
    dev.await_forwards(ctx, &ports)?;
    failed(problems)
}

/// Restarts the app, so that it reads its environment again.
///
/// # Errors
/// When it cannot be restarted or does not get ready again.
pub(super) fn have_read_anew(ctx: &Context, dev: &Dev, kubectl: &Kubectl) -> Result<()> {
    let mut found = workloads(dev, &[])?;
    found.retain(|workload| workload.manifest == APP);
    let (services, problems) = roll::roll(ctx, kubectl, &found)?;
    services.iter().for_each(|service| ctx.ui.talk(&format!("{service} restarted: its environment is another one")));
    failed(problems)
}

fn failed(problems: Vec<Problem>) -> Result<()> {
    if problems.is_empty() { Ok(()) } else { Err(Error::from_problems(Kind::Tool, problems)) }
}

/// Writes what changed. A Tilt that runs applies it, and is waited for.
fn take_up(ctx: &Context, dev: &Dev, kubectl: &Kubectl, outcome: &Outcome, prepared: &Prepared) -> Result<()> {
    let manifests = |change: &&Change| change.path.starts_with("manifests/");
    let changed: Vec<&Change> = outcome.changes.iter().filter(manifests).collect();
    if !dev.session.runs()? {
        outcome.write(prepared)?;
        if changed.iter().any(|change| differ_beyond_config(&change.old, &change.new)) {
            ctx.ui.talk("Tilt does not run: what changed besides the environment is applied by `kilter up`.");
        }
        return Ok(());
    }
    if changed.is_empty() {
        return Ok(());
    }
    let only = dev.session.only()?;
    let is_applied = |service: &String| only.is_empty() || only.contains(service);
    let manifests = outcome.manifests.iter().filter(|(service, _)| is_applied(service));
    dev.require_kept_volumes(ctx, &prepared.project, kubectl, manifests)?;
    let tilt: Tilt = dev.tilt(ctx, &prepared.project)?;
    let before = tilt.resources()?.unwrap_or_default();
    outcome.write(prepared)?;
    tilt.trigger(TILTFILE)?;
    let waiting = super::dev::Waiting { ctx, tilt: &tilt, kubectl };
    waiting.applied(super::up::taken_up(outcome, &before))
}

/// Sees to it that the cluster has the environment that the pods are to read: where nothing applied it since it was
/// rendered, kubectl does.
fn apply_environment(dev: &Dev, kubectl: &Kubectl, workloads: &[Workload]) -> Result<()> {
    let mut manifests: Vec<&str> = workloads.iter().map(|workload| workload.manifest.as_str()).collect();
    manifests.dedup();
    for service in manifests {
        let manifest = fsx::read(&dev.directory.path(&format!("manifests/{service}.yaml")), fsx::MAX_FILE)?;
        for map in config_maps(&manifest.unwrap_or_default()) {
            let namespace = map["metadata"]["namespace"].as_str().unwrap_or(&kubectl.namespace).to_owned();
            let kubectl = Kubectl { namespace, ..kubectl.clone() };
            let name = map["metadata"]["name"].as_str().unwrap_or_default();
            let there = kubectl.get("configmap", name)?.unwrap_or_default();
            if ["data", "binaryData"].iter().any(|key| there[*key] != map[*key]) {
                kubectl.apply(&map)?;
            }
        }
    }
    Ok(())
}
