//! `kilter up`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::context::Context;
use super::dev::{Budgets, Dev, Expected, ServiceOutcome, Verdict, Waiting, launcher};
use super::project::{Outcome, Prepared, Project};
use super::{env, init};
use crate::artifacts::{Change, ChangeKind};
use crate::diag::{Error, Kind, Result};
use crate::plan::APP;
use crate::tilt::{Resource, Start, TILTFILE, Tilt};

/// Brings the project up: cluster, services, app, live update.
///
/// Makes or resumes the cluster, renders, lets Tilt apply it in the background and waits until everything is ready or has
/// failed. Run it again after any change; what has not changed is left alone. Standard output lists the addresses.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter up\n  kilter up --only postgres\n  kilter up --ci --timeout 120    # in CI: exit code 1 and a reason per service that is not ready"
)]
pub(crate) struct Args {
    /// Bring up and wait for only this service (repeatable); `app` is the app.
    #[arg(long, value_name = "SERVICE")]
    only: Vec<String>,
    /// Stay, and show what everything says; Ctrl-C leaves it all running.
    #[arg(long, conflicts_with_all = ["ci", "json"])]
    attach: bool,
    /// For CI: no prompt, no spinner; fail as soon as nothing more can get ready.
    #[arg(long)]
    ci: bool,
    /// Build the app's image again, even when nothing says that it changed.
    #[arg(long)]
    rebuild: bool,
    /// How many seconds a service may take to get ready once it is applied.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    timeout: u32,
    /// How many seconds building and applying a service may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    build_timeout: u32,
    /// Without a kilter.yaml: write what is detected without asking.
    #[arg(short, long)]
    yes: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    init::first_run(ctx, args.yes || args.ci)?;
    let (project, lock) = Project::open_locked(ctx)?;
    let mut prepared = Prepared::new(ctx, project)?;
    prepared.require_work()?;
    prepared.require(&args.only)?;
    prepared.claim(ctx)?;
    let rendered = prepared.render(ctx)?;
    let outcome = Outcome::new(ctx, &prepared, &rendered)?;
    let dev = Dev::of(ctx, &prepared)?;
    let kubectl = dev.kubectl(ctx, &prepared.project)?;
    let tilt = dev.tilt(ctx, &prepared.project)?;
    let before = before(ctx, &tilt)?;
    outcome.write(&prepared)?;
    let made = dev.ensure_cluster(ctx, &prepared.project, &kubectl)?;
    dev.sweep(ctx, &kubectl, &outcome.manifests)?;
    let tools = [tilt.program.clone(), kubectl.program.clone(), prepared.helm.path.clone()];
    let start = Start {
        tiltfile: &dev.directory.path("Tiltfile"),
        dir: &dev.root,
        env: dev.tilt_env(ctx, &tools, made.registry.as_deref()),
        only: &args.only,
    };
    let expected = match before.filter(|_| !made.anew) {
        Some(before) if !tilt.is_other(&start)? => go_on(args, &tilt, &before, &outcome)?,
        _ => {
            tilt.session.stop()?;
            dev.require_ports(ctx)?;
            tilt.start(&start, &launcher()?)?;
            Expected { only: args.only.clone(), ..Expected::default() }
        }
    };
    drop(lock);
    let waiting = Waiting { ctx, tilt: &tilt, kubectl: &kubectl };
    let budgets = Budgets {
        build: Duration::from_secs(args.build_timeout.into()),
        ready: Duration::from_secs(args.timeout.into()),
    };
    let outcomes = waiting.wait(expected, budgets).inspect_err(|error| {
        if error.kind() == Kind::Interrupted {
            ctx.ui.talk("Everything goes on in the background: `kilter status` shows it, `kilter down` ends Tilt.");
        }
    })?;
    report(ctx, &dev, &tilt, &outcomes)?;
    failures(&waiting, &outcomes)?;
    if args.attach {
        ctx.ui.talk("Ctrl-C leaves everything running.");
        return Err(tilt.follow_logs().become_it());
    }
    Ok(())
}

/// What a Tilt that runs already has: `None` when none runs.
fn before(ctx: &Context, tilt: &Tilt) -> Result<Option<Vec<Resource>>> {
    if tilt.session.runs()? {
        return tilt.resources();
    }
    if tilt.session.died()? {
        ctx.ui.talk("Tilt no longer runs, though nobody stopped it: starting it again.");
    }
    Ok(None)
}

/// Has the running Tilt take up what changed; returns what tells that it has.
fn go_on(args: &Args, tilt: &Tilt, before: &[Resource], outcome: &Outcome) -> Result<Expected> {
    let mut expected = Expected::default();
    if before.iter().any(|resource| resource.disabled) {
        tilt.enable(&args.only)?;
    }
    let concerns = |change: &&Change| change.path.starts_with("manifests/") || !change.path.contains('/');
    if outcome.changes.iter().any(|change| concerns(&change)) {
        expected = taken_up(outcome, before);
        tilt.trigger(TILTFILE)?;
    }
    let app = before.iter().find(|resource| resource.name == APP);
    if let Some(app) = app.filter(|_| args.rebuild) {
        expected.deployed.insert(APP.to_owned(), app.deployed.clone());
        tilt.trigger(APP)?;
    }
    Ok(Expected { only: args.only.clone(), ..expected })
}

/// What tells that Tilt has taken up the changes of a render: the Tiltfile is loaded anew, and so are the services
/// applied whose objects are others than before.
pub(crate) fn taken_up(outcome: &Outcome, before: &[Resource]) -> Expected {
    let tiltfile = before.iter().find(|resource| resource.name == TILTFILE);
    let tiltfile = tiltfile.map(|tiltfile| tiltfile.built.clone()).unwrap_or_default();
    Expected { tiltfile, deployed: applied_anew(outcome, before), only: Vec::new() }
}

/// The services whose objects are others than before, with when they were applied last.
fn applied_anew(outcome: &Outcome, before: &[Resource]) -> BTreeMap<String, String> {
    let changed = outcome.changes.iter().filter(|change| change.kind == ChangeKind::Changed);
    let changed = changed.filter_map(|change| {
        let service = change.path.strip_prefix("manifests/")?.strip_suffix(".yaml")?;
        let resource = before.iter().find(|resource| resource.name == service && !resource.disabled)?;
        (documents(&change.old) != documents(&change.new)).then(|| (service.to_owned(), resource.deployed.clone()))
    });
    changed.collect()
}

/// Reads the objects of a manifest: comments are none of them.
fn documents(manifest: &[u8]) -> Vec<serde_yaml::Value> {
    let text = String::from_utf8_lossy(manifest);
    let documents = serde_yaml::Deserializer::from_str(&text);
    let read = documents.filter_map(|document| serde::Deserialize::deserialize(document).ok());
    read.filter(|document: &serde_yaml::Value| !document.is_null()).collect()
}

fn report(ctx: &Context, dev: &Dev, tilt: &Tilt, outcomes: &[ServiceOutcome]) -> Result<()> {
    if ctx.ui.json {
        let services = outcomes.iter().map(|outcome| {
            let (state, reason) = match &outcome.verdict {
                Verdict::Ready => ("ready", None),
                Verdict::Waiting(what) => ("waiting", Some(what)),
                Verdict::Failed(failure) => ("failed", Some(&failure.reason)),
            };
            json!({"name": outcome.service, "state": state, "reason": reason})
        });
        let services: Vec<_> = services.collect();
        ctx.ui.json(
            &json!({"services": services, "env": env::as_json(&dev.plan, &dev.instance)?, "tilt": tilt.session.url()}),
        );
        return Ok(());
    }
    env::show(ctx, &dev.plan, &dev.instance)?;
    ctx.ui.talk(&format!("Tilt's page, with logs and builds: {}", tilt.session.url()));
    Ok(())
}

fn failures(waiting: &Waiting<'_>, outcomes: &[ServiceOutcome]) -> Result<()> {
    let problems = outcomes.iter().filter_map(|outcome| match &outcome.verdict {
        Verdict::Failed(failure) => Some(waiting.problem(&outcome.service, failure)),
        _ => None,
    });
    let problems: Vec<_> = problems.collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::from_problems(Kind::Project, problems)) }
}
