//! The checks of a project: its file, what its lock says, its tools and artifacts.

use crate::artifacts::eject as ejected;
use crate::cli::context::Context;
use crate::cli::project::{OLDER, Outcome, Prepared, Project, TAKE_UP, present, wanted};
use crate::cluster::probes::finding::Finding;
use crate::diag::{Error, Result};
use crate::plan::Plan;
use crate::toolchain::Tool;

/// Whether kilter.yaml makes a plan: its services may contradict one another.
pub(super) fn kilter_yaml(project: &Project, plan: Result<&Plan, &Error>) -> Finding {
    match (&project.text, plan) {
        (_, Err(error)) => Finding::error("kilter.yaml", error),
        (Some(_), Ok(_)) => Finding::ok("kilter.yaml", project.root.join("kilter.yaml").to_string_lossy()),
        (None, Ok(_)) => Finding::warning("kilter.yaml", "there is none here", "`kilter init` proposes one."),
    }
}

/// What kilter.lock holds about the app, where the project's manifests say something else by now and kilter.yaml
/// nothing.
pub(super) fn detected(project: &Project) -> Option<Finding> {
    project.lock.as_ref()?;
    let moved = match project.detect() {
        Ok(found) => project.moved(&found),
        Err(error) => return Some(Finding::error("detected", &error)),
    };
    (!moved.is_empty()).then(|| Finding::warning("detected", format!("{OLDER}: {moved}"), TAKE_UP))
}

/// Whether the pinned tools are here.
pub(super) fn tools(ctx: &Context, project: &Project) -> Vec<Finding> {
    let check = |tool: Tool, name: &'static str| -> Result<Finding> {
        Ok(match present(ctx, project, tool)? {
            Some(found) => Finding::ok(name, format!("{} ({})", found.version, found.source)),
            None => Finding::warning(
                name,
                format!("{} is not here yet", wanted(project, tool)?.version),
                format!("It is got when it is needed; to get it now: `kilter tools install {}`.", tool.name()),
            ),
        })
    };
    let all = [Tool::Helm, Tool::Tilt, Tool::Kind, Tool::Kubectl, Tool::Sops];
    all.into_iter().map(|tool| check(tool, tool.name()).unwrap_or_else(|e| Finding::error(tool.name(), &e))).collect()
}

/// Compares what is stored with what would be rendered, and ejected copies with their defaults.
pub(super) fn artifacts(ctx: &Context, project: Project) -> Vec<Finding> {
    let stored = project.artifacts(ctx).is_ok_and(|dir| dir.root.is_dir());
    if !stored {
        return vec![Finding::warning("artifacts", "nothing is rendered yet", "Run `kilter render`.")];
    }
    if matches!(present(ctx, &project, Tool::Helm), Ok(None)) {
        let fix = "Run `kilter tools install helm`, then `kilter doctor` again.";
        return vec![Finding::warning("artifacts", "not compared: helm is not here yet", fix)];
    }
    let check = || -> Result<Vec<Finding>> {
        let prepared = Prepared::new(ctx, project)?;
        let rendered = prepared.render(ctx)?;
        let outcome = Outcome::new(ctx, &prepared, &rendered)?;
        let paths: Vec<&str> = outcome.changes.iter().map(|change| change.path.as_str()).collect();
        let drift = match (paths.len(), outcome.lock_changes(&prepared)) {
            (0, false) => Finding::ok("artifacts", "everything stored is what its inputs give"),
            (0, true) => Finding::warning(
                "artifacts",
                "kilter.lock is out of date",
                "Run `kilter render` and commit kilter.lock.",
            ),
            (_, _) => {
                Finding::warning("artifacts", format!("out of date: {}", paths.join(", ")), "Run `kilter render`.")
            }
        };
        let mut checks = vec![drift];
        checks.extend(ejects(ctx, prepared)?);
        Ok(checks)
    };
    check().unwrap_or_else(|error| vec![Finding::error("artifacts", &error)])
}

/// Finds the user's copies that kilter's default has left behind, and those that nothing uses.
fn ejects(ctx: &Context, prepared: Prepared) -> Result<Vec<Finding>> {
    let rows = crate::cli::eject::states(ctx, prepared)?;
    let of = |state: ejected::State| rows.iter().filter(move |row| row.2 == state);
    let mut checks: Vec<Finding> = of(ejected::State::Behind)
        .map(|(thing, copy, _)| {
            let fix =
                format!("See what is new: `kilter eject --diff {thing}`. Take it: `kilter eject --merge {thing}`.");
            Finding::warning("ejected", format!("kilter's default has moved since `{}` was taken", copy.shown), fix)
        })
        .collect();
    checks.extend(of(ejected::State::Unused).map(|(_, copy, _)| {
        let fix = format!("Delete `{}`, or add the service again.", copy.shown);
        Finding::warning("ejected", format!("nothing uses `{}`", copy.shown), fix)
    }));
    let current = of(ejected::State::Current).count();
    if checks.is_empty() && current > 0 {
        checks.push(Finding::ok("ejected", format!("{current} of the artifacts are yours, none behind its default")));
    }
    Ok(checks)
}
