//! `kilter upgrade`.

use std::collections::BTreeMap;

use serde_json::json;

use super::context::Context;
use super::dev::refuse_lost_volumes;
use super::project::{Outcome, Prepared, Project, lock_facts, unknown_service};
use crate::artifacts::unified_diff;
use crate::catalog;
use crate::config::lock::{Lock, Origin};
use crate::diag::Result;
use crate::exec::Whole;
use crate::ids::Name;
use crate::plan::APP;
use crate::toolchain::{Pins, Tool};

/// Moves what kilter.lock holds to the defaults of this kilter, after showing what changes in the rendered objects.
///
/// A newer kilter renders the same bytes as the one that wrote the lock, until this command moves it: charts and default
/// images of the services, what was detected about the app and, with `--tools`, helm.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter upgrade --dry-run\n  kilter upgrade postgres --yes\n  kilter upgrade --tools"
)]
pub(crate) struct Args {
    /// Move only these services.
    #[arg(value_name = "SERVICE", add = clap_complete::ArgValueCandidates::new(super::candidates::running))]
    services: Vec<String>,
    /// Move helm as well.
    #[arg(long)]
    tools: bool,
    /// Show the difference, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let (mut project, _guard) = Project::open_locked(ctx)?;
    let before = before(ctx, Project::open(ctx)?)?;
    if let Some(lock) = project.lock.take() {
        project.lock = Some(moved(args, &project, lock)?);
    }
    let mut prepared = Prepared::new(ctx, project)?;
    if !args.dry_run {
        prepared.claim(ctx)?;
    }
    let rendered = prepared.render(ctx)?;
    let outcome = Outcome::new(ctx, &prepared, &rendered)?;
    let (changed, mut diff) = compare(&before, &outcome);
    let lock_changes = outcome.lock_changes(&prepared);
    if lock_changes {
        let old = prepared.project.lock_text.as_deref().unwrap_or_default();
        diff.push_str(&unified_diff("kilter.lock", old.as_bytes(), outcome.lock_text.as_bytes()));
    }
    match ctx.ui.json {
        true => ctx.ui.json(&json!({"changed": changed, "lock": lock_changes, "diff": diff, "dryRun": args.dry_run})),
        false => ctx.ui.result_bytes(diff.as_bytes()),
    }
    if !lock_changes && changed.is_empty() {
        ctx.ui.talk("kilter.lock holds the defaults of this kilter already.");
    }
    if args.dry_run || (!lock_changes && changed.is_empty()) {
        return Ok(());
    }
    refuse_lost_volumes(ctx, &prepared, &outcome.changes)?;
    if !args.yes {
        ctx.ui.confirm("Move kilter.lock and the artifacts?", "--yes")?;
    }
    let whole = Whole::begin()?;
    outcome.write(&prepared)?;
    whole.and_done();
    ctx.ui.talk(&format!(
        "Moved. {} of {} manifests changed; commit kilter.lock.",
        changed.len(),
        outcome.manifests.len()
    ));
    Ok(())
}

/// What the lock gives now, by service. When that cannot be rendered, because it holds a chart that is nowhere to be had
/// or one that was changed behind its version, what is stored counts.
fn before(ctx: &Context, mut project: Project) -> Result<BTreeMap<String, Vec<u8>>> {
    let stored = project.artifacts(ctx)?;
    project.warnings.clear(); // they are said once
    let services: Vec<String> = project.lock.iter().flat_map(|l| l.services.keys().map(ToString::to_string)).collect();
    let rendered = Prepared::new(ctx, project).and_then(|prepared| {
        let rendered = prepared.render(ctx)?;
        Outcome::new(ctx, &prepared, &rendered)
    });
    match rendered {
        Ok(outcome) => Ok(outcome.manifests.into_iter().collect()),
        Err(_) => {
            Ok(services.into_iter().filter_map(|s| stored.stored(&s).map(|(_, manifest)| (s, manifest))).collect())
        }
    }
}

/// Returns the services whose manifests differ, and the differences.
fn compare(before: &BTreeMap<String, Vec<u8>>, outcome: &Outcome) -> (Vec<String>, String) {
    let mut changed = Vec::new();
    let mut diff = String::new();
    for (service, new) in &outcome.manifests {
        let old = before.get(service).map(Vec::as_slice).unwrap_or_default();
        let part = unified_diff(&format!("manifests/{service}.yaml"), old, new);
        if !part.is_empty() {
            changed.push(service.clone());
            diff.push_str(&part);
        }
    }
    for change in outcome.changes.iter().filter(|change| change.path == "Dockerfile.dev") {
        diff.push_str(&unified_diff(&change.path, &change.old, &change.new));
    }
    (changed, diff)
}

/// Takes out of the lock what is to move; what is gone from it is decided anew.
fn moved(args: &Args, project: &Project, mut lock: Lock) -> Result<Lock> {
    let entries = project.loaded.config.services.iter().flatten().map(|entry| entry.name().to_owned());
    let known: Vec<String> = std::iter::once(APP.to_owned()).chain(entries).collect();
    if let Some(unknown) = args.services.iter().find(|service| !known.contains(service)) {
        return Err(unknown_service(unknown, &known));
    }
    let all = args.services.is_empty();
    let moves = |name: &Name| all || args.services.iter().any(|service| service == name.as_str());
    for (name, locked) in &mut lock.services {
        // The mark of an inline service stays, so that the catalog does not capture its name.
        if locked.origin == Origin::Inline
            && moves(name)
            && let Some(chart) = catalog::chart(&locked.chart)
        {
            locked.chart_digest = chart.digest();
        }
    }
    // A chart of the user's is at the version that kilter.yaml says; only who names it wants it pulled again.
    let named = |name: &Name| args.services.iter().any(|service| service == name.as_str());
    lock.services.retain(|name, locked| match locked.origin {
        Origin::Inline => true,
        Origin::Chart => !named(name),
        Origin::Catalog => !moves(name),
    });
    if all || args.services.iter().any(|service| service == APP) {
        lock_facts(&mut lock.project, project.detect()?);
    }
    if all {
        Pins::builtin().kubernetes().clone_into(&mut lock.kubernetes);
    }
    if args.tools {
        lock.helm.version = Pins::builtin().default_version(Tool::Helm).to_string();
    }
    Ok(lock)
}
