//! `kilter render`.

use std::path::PathBuf;

use serde_json::json;

use super::context::Context;
use super::dev::{refuse_lost_volumes, warn_of_other_volumes};
use super::project::{Outcome, Prepared, Project};
use crate::artifacts::{ChangeKind, unified_diff};
use crate::diag::{Error, Result};
use crate::exec::shell_word;
use crate::fsx;
use crate::helm::{Rendered, Source, ValuesFrom};

/// How every manifest of helm begins.
const HELMS_FIRST_LINE: &[u8] = b"---\n";

/// Largest file that is looked at before it is replaced.
const MAX_MANIFEST: u64 = 64 * 1024 * 1024;

/// Renders the services of the project through helm.
///
/// What is already rendered from the same inputs is left alone, and what is ejected stays the user's. Standard output
/// lists each service and its manifest. A helm that needs more than 60 seconds for a service is stopped;
/// KILTER_HELM_TIMEOUT allows another number of seconds.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter render\n  kilter render postgres --stdout | kubectl apply -f -\n  kilter render --locked            # in CI: fails when kilter.lock is behind"
)]
pub(crate) struct Args {
    /// Render only these services.
    #[arg(value_name = "SERVICE", add = clap_complete::ArgValueCandidates::new(super::candidates::running))]
    services: Vec<String>,
    /// Write nothing; show what would change, and exit 1 when something would.
    #[arg(long)]
    check: bool,
    /// Require that kilter.lock already says what is rendered from.
    #[arg(long)]
    locked: bool,
    /// Write the manifests into this directory, and nothing else.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["check", "stdout"])]
    out: Option<PathBuf>,
    /// Print the manifests, and write nothing.
    #[arg(long, conflicts_with = "check")]
    stdout: bool,
    /// Print one shell command per service that prints its stored manifest.
    #[arg(long, conflicts_with_all = ["check", "out", "stdout"])]
    show_commands: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let only_looks = args.check || args.stdout || args.out.is_some();
    let (project, _lock) = match only_looks {
        true => (Project::open(ctx)?, None),
        false => Project::open_locked(ctx).map(|(project, lock)| (project, Some(lock)))?,
    };
    let mut prepared = Prepared::new(ctx, project)?;
    prepared.only(&args.services)?;
    if !only_looks {
        prepared.claim(ctx)?;
    }
    let rendered = prepared.render(ctx)?;
    let outcome = Outcome::new(ctx, &prepared, &rendered)?;
    if args.locked {
        require_lock(&prepared, &outcome)?;
    }
    if !args.stdout && args.out.is_none() {
        warn_of_other_volumes(ctx, &prepared, &outcome.changes)?;
    }
    if args.check {
        return check(ctx, &prepared, &outcome);
    }
    if args.stdout {
        let text = |manifest: &[u8]| String::from_utf8_lossy(manifest).into_owned();
        match ctx.ui.json {
            true => {
                let rows = wanted(args, &outcome).map(|(s, m)| json!({"name": s, "manifest": text(m)}));
                ctx.ui.json(&json!(rows.collect::<Vec<_>>()));
            }
            false => wanted(args, &outcome).for_each(|(_, manifest)| ctx.ui.result_bytes(manifest)),
        }
        return Ok(());
    }
    if let Some(out) = &args.out {
        return write_out(args, ctx, &outcome, out);
    }
    refuse_lost_volumes(ctx, &prepared, &outcome.changes)?;
    outcome.write(&prepared)?;
    if args.show_commands {
        show_commands(ctx, &prepared, &outcome, &args.services);
        return Ok(());
    }
    report(ctx, &prepared, &rendered, &outcome);
    Ok(())
}

fn wanted<'a>(args: &'a Args, outcome: &'a Outcome) -> impl Iterator<Item = &'a (String, Vec<u8>)> {
    outcome.manifests.iter().filter(|(service, _)| args.services.is_empty() || args.services.contains(service))
}

fn require_lock(prepared: &Prepared, outcome: &Outcome) -> Result<()> {
    if !outcome.lock_changes(prepared) {
        return Ok(());
    }
    let Some(old) = &prepared.project.lock_text else {
        return Err(Error::project("there is no kilter.lock, and `--locked` requires one")
            .help("Run `kilter render` and commit kilter.lock."));
    };
    Err(Error::project("kilter.lock does not say what this project renders from")
        .detail(unified_diff("kilter.lock", old.as_bytes(), outcome.lock_text.as_bytes()))
        .help("Run `kilter render` and commit kilter.lock."))
}

fn check(ctx: &Context, prepared: &Prepared, outcome: &Outcome) -> Result<()> {
    let lock_changes = outcome.lock_changes(prepared);
    if ctx.ui.json {
        let changes = outcome.changes.iter().map(|c| json!({"path": c.path, "change": c.kind}));
        ctx.ui.json(&json!({"changes": changes.collect::<Vec<_>>(), "lock": lock_changes}));
    } else {
        for change in &outcome.changes {
            ctx.ui.result(&unified_diff(&change.path, &change.old, &change.new));
        }
        if lock_changes {
            let old = prepared.project.lock_text.as_deref().unwrap_or_default();
            ctx.ui.result(&unified_diff("kilter.lock", old.as_bytes(), outcome.lock_text.as_bytes()));
        }
    }
    match outcome.changes.len() + usize::from(lock_changes) {
        0 => Ok(()),
        1 => Err(stale("1 file is")),
        n => Err(stale(&format!("{n} files are"))),
    }
}

fn stale(what: &str) -> Error {
    Error::project(format!("{what} not what `kilter render` would write")).help("Run `kilter render`.")
}

fn write_out(args: &Args, ctx: &Context, outcome: &Outcome, out: &std::path::Path) -> Result<()> {
    // As it is written, but for the dots of `./out`.
    let out: PathBuf = ctx.directory()?.join(out).components().collect();
    let mut written = Vec::new();
    for (service, manifest) in wanted(args, outcome) {
        let path = out.join(format!("{service}.yaml"));
        let there = fsx::read(&path, MAX_MANIFEST)?;
        if there.is_some_and(|bytes| !bytes.starts_with(HELMS_FIRST_LINE)) {
            return Err(Error::refused(format!("`{}` is there already and was not rendered by helm", path.display()))
                .help("Name another directory, or move that file away."));
        }
        fsx::write_if_changed(&path, manifest)?;
        match ctx.ui.json {
            true => written.push(json!({"name": service, "path": path})),
            false => ctx.ui.result(&path.to_string_lossy()),
        }
    }
    if ctx.ui.json {
        ctx.ui.json(&json!(written));
    }
    Ok(())
}

fn show_commands(ctx: &Context, prepared: &Prepared, outcome: &Outcome, asked: &[String]) {
    let mut commands = Vec::new();
    for (service, _) in &outcome.manifests {
        let release = prepared.releases.iter().find(|release| release.service == *service);
        let line = match release {
            Some(release) => {
                let values = outcome.directory.path(&format!("values/{service}.yaml"));
                prepared.helm.template(release, ValuesFrom::File(&values)).shell_line()
            }
            None if prepared.own_manifests.contains_key(service) && (asked.is_empty() || asked.contains(service)) => {
                let own = prepared.project.root.join(format!("kilter/manifests/{service}.yaml"));
                format!("cat {}", shell_word(&own.to_string_lossy()))
            }
            None => continue, // not among the services that were asked for
        };
        match ctx.ui.json {
            true => commands.push(json!({"name": service, "command": line})),
            false => ctx.ui.result(&line),
        }
    }
    if ctx.ui.json {
        ctx.ui.json(&json!(commands));
    }
}

fn report(ctx: &Context, prepared: &Prepared, rendered: &[Rendered], outcome: &Outcome) {
    let source = |service: &str| {
        prepared.releases.iter().zip(rendered).find(|(r, _)| r.service == *service).map(|(_, rendered)| rendered.source)
    };
    let manifest = |service: &str| outcome.directory.path(&format!("manifests/{service}.yaml"));
    if ctx.ui.json {
        let services = outcome.manifests.iter().map(|(service, bytes)| {
            let digest = crate::ids::Digest::of(bytes);
            json!({"name": service, "source": source(service), "manifest": manifest(service), "digest": digest})
        });
        let changes = outcome.changes.iter().map(|c| json!({"path": c.path, "change": c.kind}));
        ctx.ui.json(&json!({
            "project": prepared.project.name,
            "artifacts": outcome.directory.root,
            "services": services.collect::<Vec<_>>(),
            "changes": changes.collect::<Vec<_>>(),
        }));
        return;
    }
    let width = outcome.manifests.iter().map(|(service, _)| service.len()).max().unwrap_or_default();
    let mut counts = [0; 3];
    for (service, _) in &outcome.manifests {
        let path = format!("manifests/{service}.yaml");
        let changed = outcome.changes.iter().any(|c| c.path == path && c.kind != ChangeKind::Removed);
        let (count, word) = match source(service) {
            Some(Source::Helm) => (0, "rendered "),
            Some(Source::Cache) => (1, "cached   "),
            Some(Source::Unchanged) => (1, if changed { "restored " } else { "unchanged" }),
            None if prepared.own_manifests.contains_key(service) => (2, "yours    "),
            None => continue,
        };
        counts[count] += 1;
        let path = manifest(service);
        ctx.ui.result(&format!("{}  {word}  {}", ctx.ui.strong(&format!("{service:width$}")), path.display()));
    }
    if outcome.manifests.is_empty() {
        ctx.ui.talk("This project has nothing to render yet: `kilter add SERVICE` adds a service.");
        return;
    }
    ctx.ui.talk(&format!("{} rendered by helm {}, {} reused.", counts[0], prepared.helm.version, counts[1]));
}
