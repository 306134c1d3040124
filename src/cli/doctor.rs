//! `kilter doctor`.

use serde_json::json;

use super::context::Context;
use super::project::{Outcome, Prepared, Project, wanted};
use crate::artifacts::eject as ejected;
use crate::diag::{Error, Kind, Result};
use crate::exec::{self, Invocation};
use crate::fsx;
use crate::toolchain::{self, Tool};

/// Least free space that a render, an image and a cluster can be expected to need.
const MIN_FREE: u64 = 2 * 1024 * 1024 * 1024;

/// Checks what kilter needs: kilter.yaml, tools, docker, disk, drift, ejected copies. Each finding comes with its fix.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// One thing that was checked.
struct Check {
    name: &'static str,
    state: State,
    what: String,
    fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warning,
    Failed,
}

impl Check {
    fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, state: State::Ok, what: what.into(), fix: None }
    }

    fn warning(name: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, state: State::Warning, what: what.into(), fix: Some(fix.into()) }
    }

    fn failed(name: &'static str, error: &Error) -> Self {
        let first = &error.problems()[0];
        let place = first.place.as_ref().map(|p| format!(" ({}:{}:{})", p.file, p.line, p.column)).unwrap_or_default();
        Self {
            name,
            state: State::Failed,
            what: format!("{}{place}", first.what),
            fix: Some(first.help.join(" ")).filter(|fix| !fix.is_empty()),
        }
    }
}

pub(crate) fn run(_args: &Args, ctx: &Context) -> Result<()> {
    let mut checks = vec![disk(ctx)];
    match Project::open(ctx) {
        Ok(project) => {
            checks.push(kilter_yaml(ctx, &project));
            checks.extend(detected(&project));
            checks.extend(tools(ctx, &project));
            checks.extend(artifacts(ctx, project));
        }
        Err(error) => checks.push(Check::failed("kilter.yaml", &error)),
    }
    checks.push(docker(ctx));
    print(ctx, &checks);
    let failed = checks.iter().filter(|check| check.state == State::Failed).count();
    match failed {
        0 => Ok(()),
        1 => Err(Error::new(Kind::Project, "1 check failed")),
        n => Err(Error::new(Kind::Project, format!("{n} checks failed"))),
    }
}

/// Whether kilter.yaml makes a plan: its services may contradict one another.
fn kilter_yaml(ctx: &Context, project: &Project) -> Check {
    match (&project.text, project.plan(ctx)) {
        (_, Err(error)) => Check::failed("kilter.yaml", &error),
        (Some(_), Ok(_)) => Check::ok("kilter.yaml", project.root.join("kilter.yaml").to_string_lossy()),
        (None, Ok(_)) => Check::warning("kilter.yaml", "there is none here", "`kilter init` proposes one."),
    }
}

/// What kilter.lock holds about the app, where the project's manifests say something else by now and kilter.yaml
/// nothing.
fn detected(project: &Project) -> Option<Check> {
    let locked = &project.lock.as_ref()?.project;
    let found = match project.detect() {
        Ok(found) => found,
        Err(error) => return Some(Check::failed("detected", &error)),
    };
    let config = &project.loaded.config;
    let text = |port: u16| port.to_string();
    let facts = [
        ("dev", config.dev.is_some(), locked.dev.clone(), found.dev.map(|f| f.value)),
        ("port", config.port.is_some(), locked.port.map(text), found.port.map(|f| text(f.value))),
        ("image", config.image.is_some(), locked.image.clone(), found.image.map(|f| f.value)),
        ("health", config.health.is_some(), locked.health.clone(), found.health.map(|f| f.value)),
    ];
    let moved = facts.into_iter().filter(|(_, said, locked, found)| !said && locked != found);
    let words = |value: Option<String>| value.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"));
    let moved: Vec<String> =
        moved.map(|(name, _, locked, found)| format!("{name} was {}, is {}", words(locked), words(found))).collect();
    let fix = "Take it up: `kilter upgrade app`. Or decide it in kilter.yaml.";
    (!moved.is_empty())
        .then(|| Check::warning("detected", format!("kilter.lock is older than the app: {}", moved.join("; ")), fix))
}

fn print(ctx: &Context, checks: &[Check]) {
    if ctx.ui.json {
        let rows = checks.iter().map(|c| json!({"check": c.name, "state": c.state, "what": c.what, "fix": c.fix}));
        ctx.ui.json(&json!(rows.collect::<Vec<_>>()));
        return;
    }
    for check in checks {
        let word = match check.state {
            State::Ok => "ok     ",
            State::Warning => "warning",
            State::Failed => "FAILED ",
        };
        ctx.ui.result(&format!("{word}  {}  {}", ctx.ui.strong(&format!("{:12}", check.name)), check.what));
        if let Some(fix) = &check.fix {
            ctx.ui.result(&format!("{:23}{fix}", ""));
        }
    }
}

fn disk(ctx: &Context) -> Check {
    let free = ctx.cache_dir().and_then(|dir| free_space(&dir).map(|free| (dir, free)));
    match free {
        Ok((dir, free)) if free < MIN_FREE => Check::warning(
            "disk",
            format!("{} free for `{}`", fsx::size(free), dir.display()),
            "Free some space, or point `KILTER_CACHE_DIR` at a larger disk.",
        ),
        Ok((dir, free)) => Check::ok("disk", format!("{} free for `{}`", fsx::size(free), dir.display())),
        Err(error) => Check::failed("disk", &error),
    }
}

/// Bytes that may be written below a directory, which need not be there yet.
fn free_space(dir: &std::path::Path) -> Result<u64> {
    let there = dir.ancestors().find(|dir| dir.is_dir()).unwrap_or(std::path::Path::new("/"));
    let stat = rustix::fs::statvfs(there)
        .map_err(|error| Error::io(format!("look at the disk of `{}`", there.display()), &error.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn tools(ctx: &Context, project: &Project) -> Vec<Check> {
    let check = |tool: Tool, name: &'static str| -> Result<Check> {
        let want = wanted(project, tool)?;
        Ok(match toolchain::find(&ctx.tool_settings()?, &want)? {
            Some(found) => Check::ok(name, format!("{} ({})", found.version, found.source)),
            None => Check::warning(
                name,
                format!("{} is not here yet", want.version),
                format!("It is got when it is needed; to get it now: `kilter tools install {}`.", tool.name()),
            ),
        })
    };
    let all = [Tool::Helm, Tool::Tilt, Tool::Kind, Tool::Kubectl, Tool::Sops];
    all.into_iter().map(|tool| check(tool, tool.name()).unwrap_or_else(|e| Check::failed(tool.name(), &e))).collect()
}

/// Compares what is stored with what would be rendered, and ejected copies with their defaults.
fn artifacts(ctx: &Context, project: Project) -> Vec<Check> {
    let stored = project.artifacts(ctx).is_ok_and(|dir| dir.root.is_dir());
    if !stored {
        return vec![Check::warning("artifacts", "nothing is rendered yet", "Run `kilter render`.")];
    }
    let helm = || toolchain::find(&ctx.tool_settings()?, &wanted(&project, Tool::Helm)?);
    if matches!(helm(), Ok(None)) {
        let fix = "Run `kilter tools install helm`, then `kilter doctor` again.";
        return vec![Check::warning("artifacts", "not compared: helm is not here yet", fix)];
    }
    let check = || -> Result<Vec<Check>> {
        let prepared = Prepared::new(ctx, project)?;
        let rendered = prepared.render(ctx)?;
        let outcome = Outcome::new(ctx, &prepared, &rendered)?;
        let paths: Vec<&str> = outcome.changes.iter().map(|change| change.path.as_str()).collect();
        let drift = match (paths.len(), outcome.lock_changes(&prepared)) {
            (0, false) => Check::ok("artifacts", "everything stored is what its inputs give"),
            (0, true) => {
                Check::warning("artifacts", "kilter.lock is out of date", "Run `kilter render` and commit kilter.lock.")
            }
            (_, _) => Check::warning("artifacts", format!("out of date: {}", paths.join(", ")), "Run `kilter render`."),
        };
        let mut checks = vec![drift];
        checks.extend(ejects(ctx, prepared)?);
        Ok(checks)
    };
    check().unwrap_or_else(|error| vec![Check::failed("artifacts", &error)])
}

/// Finds the user's copies that kilter's default has left behind, and those that nothing uses.
fn ejects(ctx: &Context, prepared: Prepared) -> Result<Vec<Check>> {
    let rows = super::eject::states(ctx, prepared)?;
    let of = |state: ejected::State| rows.iter().filter(move |row| row.2 == state);
    let mut checks: Vec<Check> = of(ejected::State::Behind)
        .map(|(thing, copy, _)| {
            let fix =
                format!("See what is new: `kilter eject --diff {thing}`. Take it: `kilter eject --merge {thing}`.");
            Check::warning("ejected", format!("kilter's default has moved since `{}` was taken", copy.shown), fix)
        })
        .collect();
    checks.extend(of(ejected::State::Unused).map(|(_, copy, _)| {
        let fix = format!("Delete `{}`, or add the service again.", copy.shown);
        Check::warning("ejected", format!("nothing uses `{}`", copy.shown), fix)
    }));
    let current = of(ejected::State::Current).count();
    if checks.is_empty() && current > 0 {
        checks.push(Check::ok("ejected", format!("{current} of the artifacts are yours, none behind its default")));
    }
    Ok(checks)
}

fn docker(ctx: &Context) -> Check {
    let fix = "Install docker and start it; `kilter render` works without.";
    let Some(path) = exec::find_program("docker", ctx.var("PATH").map(std::ffi::OsStr::new)) else {
        return Check::warning("docker", "there is no `docker` on PATH", fix);
    };
    let call = Invocation::new(path).inherit_env().args(["version", "--format", "{{.Server.Version}}"]);
    match call.timeout(std::time::Duration::from_secs(10)).capture() {
        Ok(captured) if captured.ok() => Check::ok("docker", captured.text().trim()),
        Ok(captured) => Check::warning("docker", captured.stderr.lines().last().unwrap_or("it does not answer"), fix),
        Err(error) => Check::failed("docker", &error),
    }
}
