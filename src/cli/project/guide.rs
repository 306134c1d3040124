//! The guide to the project for coding agents: how it runs, where ports and variables come from, what not to edit. A skill as
//! <https://agentskills.io/specification> describes it, in the place that is no one program's own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::Project;
use crate::cli::context::Context;
use crate::diag::{Error, Result};
use crate::fsx;
use crate::plan::{APP, Plan};

/// Its place in the project.
const GUIDE: &str = ".agents/skills/kilter/SKILL.md";

/// What is said of one that was just written.
const BEGUN: &str = "Wrote .agents/skills/kilter/SKILL.md, a guide for coding agents (`skills: false` ends that).";

/// What tells kilter's own from a guide that somebody wrote. It stays the same from version to version.
const MARK: &str = "Written by kilter, which keeps it current; `skills: false` in kilter.yaml ends that.";

/// Writes the guide where there is none; tells whether it did. Without leave (`skills: false`), and where one is that somebody
/// wrote, nothing is done.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn begin(project: &Project, plan: &Plan) -> Result<bool> {
    let Some(path) = place(project)? else { return Ok(false) };
    if fsx::read(&path, fsx::MAX_FILE)?.is_some() {
        return Ok(false);
    }
    fsx::write(&path, text(plan).as_bytes()).inspect_err(|_| {
        // The directories that were made for it: one that holds anything is not removed.
        let above = path.ancestors().skip(1).take_while(|directory| *directory != project.root);
        above.take_while(|directory| fs::remove_dir(directory).is_ok()).for_each(drop);
    })?;
    Ok(true)
}

/// Tells whether [`begin`] would write one.
pub(crate) fn will_begin(project: &Project) -> bool {
    place(project).is_ok_and(|path| path.is_some_and(|path| path.symlink_metadata().is_err()))
}

/// Warns of a guide that could not be written, which is no reason for a command to fail; returns what there is to say of one
/// that was.
pub(crate) fn tell(ctx: &Context, begun: Result<bool>) -> Option<&'static str> {
    match begun {
        Ok(begun) => begun.then_some(BEGUN),
        Err(error) => {
            error.problems().iter().for_each(|problem| ctx.ui.warn(problem));
            None
        }
    }
}

/// Brings a guide that kilter wrote up to date; one that is not there is not made.
///
/// # Errors
/// When it cannot be written.
pub(super) fn refresh(project: &Project, plan: &Plan) -> Result<()> {
    let Some(path) = place(project)? else { return Ok(()) };
    // What cannot be read is no guide of kilter's.
    let Ok(Some(old)) = fsx::read(&path, fsx::MAX_FILE) else { return Ok(()) };
    let own = String::from_utf8_lossy(&old).contains(MARK);
    let new = text(plan);
    if own && old != new.as_bytes() { fsx::write(&path, new.as_bytes()) } else { Ok(()) }
}

/// Where it is, if kilter may write there: with `skills: false`, and where a link leads out of the project, it may not.
fn place(project: &Project) -> Result<Option<PathBuf>> {
    if project.loaded.config.skills == Some(false) {
        return Ok(None);
    }
    let path = project.root.join(GUIDE);
    let real =
        |path: &Path| path.canonicalize().map_err(|error| Error::io(format!("read `{}`", path.display()), &error));
    let there = path.ancestors().find(|part| part.symlink_metadata().is_ok()).unwrap_or(&project.root);
    // What a link that leads nowhere would become is not known either.
    let inside = there.exists() && real(there)?.starts_with(real(&project.root)?);
    Ok(inside.then_some(path))
}

/// The text. Nothing in it is of this machine: it is committed.
fn text(plan: &Plan) -> String {
    let name = &plan.project;
    let mut text = format!(
        "---\nname: kilter\ndescription: How this project ({name}) runs in development and is deployed. Use it to start the app or a \
         service, to find an address, a port or a variable, and to change what the project needs.\n---\n\n<!-- {MARK} -->\n\n\
         # {name} runs with kilter\n\n`kilter.yaml` names what the project needs. For each service kilter renders a Helm chart, and Tilt \
         applies it to a Kubernetes cluster on this machine.\n\n## Run\n\n\
         - `kilter up --ci` starts everything, or takes up what changed, and ends when all is ready; exit code 1 names what is not.\n\
         - `kilter status`, `kilter logs [SERVICE]`, `kilter exec -- COMMAND` (inside the app), `kilter down`.\n\
         - `kilter COMMAND --help` has examples; `--json` and `--no-input` are there for programs.\n"
    );
    if let Some(app) = &plan.app {
        let dev = app.dev.as_ref().map(|dev| format!(" with `{dev}`")).unwrap_or_default();
        let _ = writeln!(
            text,
            "- The app runs in a container{dev}, not on this machine, and listens on port {}. Edits of its files reach it by themselves.",
            app.port
        );
    }
    text += "\n## Addresses and variables\n\n- `kilter env` prints them, for pods and for this machine; `kilter env --json` for programs. Ports of this machine differ \
             from checkout to checkout: ask, and write none down.\n- The app finds the rest in its environment:\n";
    let mut given = Vec::new();
    for service in &plan.services {
        let variables: Vec<&String> =
            service.provides.keys().filter(|variable| plan.env.contains_key(*variable)).collect();
        if !variables.is_empty() {
            let _ = writeln!(text, "  - {}: {}", service.name, quoted(&variables));
        }
        given.extend(variables);
    }
    let rest: Vec<&String> = plan.env.keys().filter(|variable| !given.contains(variable)).collect();
    if !rest.is_empty() {
        let _ = writeln!(text, "  - {APP}: {}", quoted(&rest));
    }
    text += "\n## Change\n\n\
             - Services: `kilter add NAME`, `kilter remove NAME`; `kilter catalog` lists what there is. Everything else: edit `kilter.yaml` (`kilter schema` \
             describes it), then `kilter up --ci`.\n\
             - Not to edit: `kilter.lock`, this file, and what kilter renders (it is outside the repository). `kilter eject` hands a part of that over, below \
             `kilter/`, where it is edited.\n\
             - Secrets stay out of `kilter.yaml` and of git.\n- `kilter deploy` brings the app into production: only when a person asks for it.\n";
    text
}

fn quoted(names: &[&String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
