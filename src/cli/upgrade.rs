//! `kilter upgrade`.

use serde_json::json;

use super::context::Context;
use super::project::{Outcome, Prepared, Project, unknown_service};
use crate::artifacts::unified_diff;
use crate::catalog;
use crate::config::lock::{Lock, Origin};
use crate::diag::Result;
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
    #[arg(value_name = "SERVICE")]
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
    let mut project = Project::open(ctx)?;
    let _guard = super::render::lock(ctx, &project)?;
    let old = project.artifacts(ctx)?;
    if let Some(lock) = project.lock.take() {
        project.lock = Some(moved(args, &project, lock)?);
    }
    let prepared = Prepared::new(ctx, project)?;
    let rendered = prepared.render(ctx)?;
    let outcome = Outcome::new(ctx, &prepared, &rendered)?;
    let mut changed = Vec::new();
    for (service, new) in &outcome.manifests {
        let before = old.stored(service).map(|(_, manifest)| manifest).unwrap_or_default();
        let diff = unified_diff(&format!("manifests/{service}.yaml"), &before, new);
        if !diff.is_empty() {
            changed.push(service.clone());
            if !ctx.ui.json {
                ctx.ui.result(&diff);
            }
        }
    }
    let lock_changes = outcome.lock_changes(&prepared);
    if ctx.ui.json {
        ctx.ui.json(&json!({"changed": changed, "lock": lock_changes, "dryRun": args.dry_run}));
    }
    if !lock_changes && changed.is_empty() {
        ctx.ui.talk("kilter.lock holds the defaults of this kilter already.");
    }
    if args.dry_run || (!lock_changes && changed.is_empty()) {
        return Ok(());
    }
    if !args.yes {
        ctx.ui.confirm("Move kilter.lock and the artifacts?", "--yes")?;
    }
    outcome.write(&prepared)?;
    ctx.ui.talk(&format!(
        "Moved. {} of {} manifests changed; commit kilter.lock.",
        changed.len(),
        outcome.manifests.len()
    ));
    Ok(())
}

/// Takes out of the lock what is to move; what is gone from it is decided anew.
fn moved(args: &Args, project: &Project, mut lock: Lock) -> Result<Lock> {
    let known: Vec<String> = lock.services.keys().map(ToString::to_string).collect();
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
    lock.services.retain(|name, locked| locked.origin == Origin::Inline || !moves(name));
    if all || args.services.iter().any(|service| service == APP) {
        let found = project.detect()?;
        lock.project.port = found.port.map(|f| f.value);
        lock.project.dev = found.dev.map(|f| f.value);
        lock.project.image = found.image.map(|f| f.value);
        lock.project.health = found.health.map(|f| f.value);
        lock.project.stack = found.stack.as_ref().and_then(|stack| serde_json::to_value(stack).ok());
    }
    if all {
        Pins::builtin().kubernetes().clone_into(&mut lock.kubernetes);
    }
    if args.tools {
        lock.helm.version = Pins::builtin().default_version(Tool::Helm).to_string();
    }
    Ok(lock)
}
