//! `kilter up`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize as _;
use serde_json::json;
use serde_yaml::Value;

use super::context::Context;
use super::dev::{Budgets, Dev, Expected, ServiceOutcome, Verdict, Waiting, launcher};
use super::project::{Outcome, Prepared, Project};
use super::{env, init, restart};
use crate::artifacts::{Change, ChangeKind};
use crate::diag::{Error, Kind, Problem, Result};
use crate::exec::interrupted;
use crate::plan::APP;
use crate::tilt::{Phase, Resource, Start, TILTFILE, Tilt, is_workload};

/// How long a Tilt that was just started may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// How long to wait before it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

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
    #[arg(long, value_name = "SERVICE", add = clap_complete::ArgValueCandidates::new(super::candidates::running))]
    only: Vec<String>,
    /// Stay, and show what everything says; Ctrl-C leaves it all running.
    #[arg(long, conflicts_with_all = ["ci", "json"])]
    attach: bool,
    /// For CI: no prompt, no spinner; fail as soon as nothing more can get ready.
    #[arg(long)]
    pub(super) ci: bool,
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
    let looking = ctx.ui.work("looking at the project and what runs of it");
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
    drop(looking);
    let made = dev.ensure_cluster(ctx, &prepared.project, &kubectl)?;
    let told = before.as_ref().map(|_| tilt.session.only()).transpose()?;
    let manifests = outcome.manifests.iter().filter(|(service, _)| is_applied(service, &args.only, told.as_deref()));
    dev.require_kept_volumes(ctx, &prepared.project, &kubectl, manifests)?;
    // Before what is new is applied: it may take up the ports of what goes.
    dev.sweep(ctx, &kubectl, &outcome.manifests)?;
    outcome.write(&prepared)?;
    let is_unnamed = dev.plan.env_file.is_none() && dev.plan.app.is_some();
    if made.anew && is_unnamed && init::has_env_file(&prepared.project, prepared.stack.as_ref()) {
        ctx.ui.talk("The app has nothing of .env: `envFile: .env` in kilter.yaml brings it there.");
    }
    let other_environment = dev.take_env_file(ctx, &prepared.project.root, &kubectl)?;
    let tools = [tilt.program.clone(), kubectl.program.clone(), prepared.helm.path.clone()];
    let start = Start {
        tiltfile: &prepared.ejected.tiltfile(&dev.directory),
        dir: &dev.root,
        namespace: &dev.plan.namespace,
        env: dev.tilt_env(ctx, &tools, made.registry.as_deref()),
        tools: &tools,
        only: &args.only,
    };
    let waiting = Waiting { ctx, tilt: &tilt, kubectl: &kubectl };
    let before = match before.filter(|_| !made.anew) {
        Some(before) if is_whole(ctx, args, &waiting, &before, &outcome)? => Some(before),
        _ => None,
    };
    let expected = match before {
        Some(before) if !tilt.is_other(&start)? => go_on(args, &waiting, &before, &outcome)?,
        _ => {
            tilt.session.stop()?;
            dev.require_ports(ctx)?;
            tilt.start(&start, &launcher()?)?;
            waiting.listening()?;
            Expected { only: args.only.clone(), ..Expected::default() }
        }
    };
    drop(lock);
    let budgets = Budgets {
        build: Duration::from_secs(args.build_timeout.into()),
        ready: Duration::from_secs(args.timeout.into()),
    };
    let outcomes = waiting.wait(expected, budgets).inspect_err(|error| {
        if error.kind() == Kind::Interrupted {
            ctx.ui.talk("Everything goes on in the background: `kilter status` shows it, `kilter down` ends Tilt.");
        }
    })?;
    if other_environment && outcomes.iter().any(|one| one.service == APP && matches!(one.verdict, Verdict::Ready)) {
        restart::have_read_anew(ctx, &dev, &kubectl)?;
    }
    let is_ready = |service: &str| outcomes.iter().any(|o| o.service == service && o.verdict == Verdict::Ready);
    dev.await_forwards(ctx, &dev.forwards_of(is_ready))?;
    report(ctx, &dev, &tilt, &outcomes)?;
    let failures = failures(&waiting, &outcomes);
    if args.attach {
        // What they say is what is wanted now.
        failures.iter().flat_map(Error::problems).for_each(|problem| ctx.ui.warn(problem));
        ctx.ui.talk("Ctrl-C leaves everything running.");
        return Err(tilt.follow_logs().become_it());
    }
    failures.map_or(Ok(()), Err)
}

/// What a Tilt that runs already has: `None` when none runs, or none that answers.
fn before(ctx: &Context, tilt: &Tilt) -> Result<Option<Vec<Resource>>> {
    if tilt.session.died()? {
        let problem = Problem::new("Tilt no longer runs, though nobody stopped it: starting it again");
        let words = tilt.session.last_words();
        ctx.ui.warn(&if words.is_empty() { problem } else { problem.detail(words) });
    }
    let began = Instant::now();
    while tilt.session.runs()? {
        if let Some(resources) = tilt.resources()? {
            return Ok(Some(resources));
        }
        if interrupted() {
            return Err(Error::interrupted());
        }
        if began.elapsed() > ANSWERS_WITHIN {
            ctx.ui.talk("Tilt runs and does not answer: starting it again.");
            return Ok(None);
        }
        std::thread::sleep(ASK_AGAIN);
    }
    Ok(None)
}

/// Has the running Tilt take up what changed; returns what tells that it has.
fn go_on(args: &Args, waiting: &Waiting<'_>, before: &[Resource], outcome: &Outcome) -> Result<Expected> {
    let tilt = waiting.tilt;
    let find = |name: &str| before.iter().find(|resource| resource.name == name);
    let mut expected = Expected { known: before.to_vec(), only: args.only.clone(), ..Expected::default() };
    let concerns = |change: &&Change| change.path.starts_with("manifests/") || !change.path.contains('/');
    let scope = scope(&tilt.session.only()?, &args.only);
    let mut anew = outcome.changes.iter().any(|change| concerns(&change));
    if anew {
        expected = Expected { only: args.only.clone(), ..taken_up(outcome, before) };
    }
    if let Some(scope) = scope {
        tilt.bring_up(&scope)?;
        anew = true;
    } else if anew {
        tilt.trigger(TILTFILE)?;
    }
    if anew {
        expected.tiltfile = find(TILTFILE).map(|tiltfile| tiltfile.built.clone()).unwrap_or_default();
        expected.known = Vec::new();
    }
    again(args, tilt, before, &mut expected)?;
    Ok(expected)
}

/// Has Tilt take up what somebody disabled, and build what `--rebuild` names.
fn again(args: &Args, tilt: &Tilt, before: &[Resource], expected: &mut Expected) -> Result<()> {
    let wanted = |resource: &&Resource| args.only.is_empty() || args.only.contains(&resource.name);
    let disabled = before.iter().filter(wanted).filter(|resource| resource.disabled && expected.tiltfile.is_empty());
    expected.enabled = disabled.map(|resource| resource.name.clone()).collect();
    if !expected.enabled.is_empty() {
        tilt.enable(&expected.enabled)?;
    }
    let app = before.iter().filter(wanted).find(|resource| resource.name == APP && !resource.disabled);
    if let Some(app) = app.filter(|_| args.rebuild) {
        expected.deployed.insert(APP.to_owned(), app.deployed.clone());
        tilt.trigger(APP)?;
    }
    Ok(())
}

/// Tells whether a running Tilt has everything up that it was told to. If not, another one is started: that applies all and
/// touches nothing that is as it should be, while a trigger deletes the objects of a resource before it applies them, which is
/// too much for a database.
fn is_whole(ctx: &Context, args: &Args, waiting: &Waiting<'_>, before: &[Resource], outcome: &Outcome) -> Result<bool> {
    let only = &args.only;
    let wanted = |r: &&Resource| r.name == TILTFILE || only.is_empty() || only.contains(&r.name);
    let services = before.iter().filter(wanted).filter(|resource| !resource.disabled);
    let missing = waiting.missing(&outcome.manifests)?;
    for resource in services {
        let what = match resource.update {
            Phase::Error => "failed the last time",
            _ if !resource.deployed.is_empty() && missing.contains(&resource.name) => "is no longer in the cluster",
            _ => continue,
        };
        ctx.ui.talk(&format!("`{}` {what}: Tilt starts again and applies it.", resource.name));
        return Ok(false);
    }
    Ok(true)
}

/// Says which resources Tilt has to be told to bring up, if others than it was told: what it has up stays up. An empty list is
/// all of them.
fn scope(told: &[String], only: &[String]) -> Option<Vec<String>> {
    if told.is_empty() || (!only.is_empty() && only.iter().all(|name| told.contains(name))) {
        return None;
    }
    if only.is_empty() {
        return Some(Vec::new());
    }
    let new = only.iter().filter(|name| !told.contains(name));
    Some(told.iter().chain(new).cloned().collect())
}

/// Tells whether Tilt is about to have a service: one that it is told to bring up now, or that the one that runs was told to.
fn is_applied(service: &str, only: &[String], told: Option<&[String]>) -> bool {
    let has = |names: &[String]| names.is_empty() || names.iter().any(|name| name == service);
    has(only) || told.is_some_and(has)
}

/// What tells that Tilt has taken up the changes of a render: the Tiltfile is loaded anew, and so are the services
/// applied whose workload is another than before.
pub(crate) fn taken_up(outcome: &Outcome, before: &[Resource]) -> Expected {
    let tiltfile = before.iter().find(|resource| resource.name == TILTFILE);
    let tiltfile = tiltfile.map(|tiltfile| tiltfile.built.clone()).unwrap_or_default();
    let app = outcome.changes.iter().any(builds_app);
    Expected { tiltfile, app, deployed: applied_anew(outcome, before), ..Expected::default() }
}

/// Tells whether a change means that the app is built and applied anew. What only moves the text of a manifest does not.
fn builds_app(change: &Change) -> bool {
    change.kind == ChangeKind::Changed
        && match change.path.strip_prefix("manifests/") {
            Some(manifest) => {
                manifest.strip_suffix(".yaml") == Some(APP) && documents(&change.old) != documents(&change.new)
            }
            None => change.path == "Dockerfile.dev",
        }
}

/// The services whose own resource is applied anew for sure, with when it was applied last: their first workload is another
/// than before. What else changes of a service, Tilt may have under other names.
fn applied_anew(outcome: &Outcome, before: &[Resource]) -> BTreeMap<String, String> {
    let changed = outcome.changes.iter().filter(|change| change.kind == ChangeKind::Changed);
    let changed = changed.filter_map(|change| {
        let service = change.path.strip_prefix("manifests/")?.strip_suffix(".yaml")?;
        let resource = before.iter().find(|resource| resource.name == service && !resource.disabled)?;
        (workload(&change.old) != workload(&change.new)).then(|| (service.to_owned(), resource.deployed.clone()))
    });
    changed.collect()
}

/// Reads the first workload of a manifest.
fn workload(manifest: &[u8]) -> Option<Value> {
    documents(manifest).into_iter().find(|document| document["kind"].as_str().is_some_and(is_workload))
}

fn documents(manifest: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(manifest);
    let read = serde_yaml::Deserializer::from_str(&text).filter_map(|document| Value::deserialize(document).ok());
    read.filter(|document| !document.is_null()).collect()
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

fn failures(waiting: &Waiting<'_>, outcomes: &[ServiceOutcome]) -> Option<Error> {
    let problems = outcomes.iter().filter_map(|outcome| match &outcome.verdict {
        Verdict::Failed(failure) => Some(waiting.problem(&outcome.service, failure)),
        _ => None,
    });
    let problems: Vec<_> = problems.collect();
    (!problems.is_empty()).then(|| Error::from_problems(Kind::Project, problems))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_up_stays_up() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(scope(&[], &names(&["redis"])), None, "all are up");
        assert_eq!(scope(&names(&["redis"]), &names(&["redis"])), None);
        assert_eq!(scope(&names(&["redis"]), &names(&["app"])), Some(names(&["redis", "app"])));
        assert_eq!(scope(&names(&["redis"]), &[]), Some(Vec::new()));
        let (redis, app) = (names(&["redis"]), names(&["app"]));
        assert!(is_applied("redis", &[], None) && is_applied("redis", &redis, None), "Tilt is started for it");
        assert!(is_applied("redis", &app, Some(&redis)) && is_applied("redis", &app, Some(&[])), "it is up");
        assert!(!is_applied("redis", &app, None) && !is_applied("redis", &app, Some(&app)));
    }

    #[test]
    fn another_dockerfile_or_object_of_the_app_builds_it() {
        let change = |path: &str, new: &str| {
            let (old, new) = (b"kind: ConfigMap\n".to_vec(), new.as_bytes().to_vec());
            builds_app(&Change { path: path.into(), kind: ChangeKind::Changed, old, new })
        };
        assert!(change("Dockerfile.dev", "FROM x\n") && change("manifests/app.yaml", "kind: Secret\n"));
        assert!(!change("manifests/app.yaml", "---\n# Source\nkind: ConfigMap\n"));
        assert!(!change("manifests/redis.yaml", "kind: Secret\n") && !change("Tiltfile", "x"));
    }

    #[test]
    fn only_another_workload_is_applied_for_sure() {
        let of = |text: &str| workload(text.as_bytes());
        let manifest = "# one\nkind: Service\nmetadata: {name: a}\n---\nkind: StatefulSet\nmetadata: {name: a}\n";
        assert_eq!(of(manifest), of(&manifest.replace("# one", "# two").replace("Service", "ConfigMap")));
        assert_ne!(of(manifest), of(&manifest.replace("StatefulSet", "Deployment")));
    }
}
