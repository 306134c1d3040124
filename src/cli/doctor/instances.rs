//! The checks of what was brought up: the project's Tilt, and instances that nothing but their directory could end.

use std::path::Path;

use crate::cli::context::Context;
use crate::cli::dev::{left, sessions, tilt_of};
use crate::cli::project::Project;
use crate::cluster::probes::finding::Finding;
use crate::cluster::{Instance, Machine};
use crate::diag::Result;
use crate::exec::shell_word;
use crate::tilt::Session;

/// Whether the project's Tilt runs, where one was started and nobody ended it.
pub(super) fn tilt(ctx: &Context, project: &Project) -> Option<Finding> {
    let look = || -> Result<Option<Finding>> {
        let (name, instance) = (&project.name, project.instance.as_ref());
        let instance = Instance::look(&ctx.state_dir()?, name, instance, &project.root, 1)?;
        let session = Session { dir: sessions(ctx)?.join(project.key()), port: instance.tilt_port };
        Ok(match (session.runs()?, session.died()?) {
            (true, _) => Some(Finding::ok("live update", format!("Tilt runs: {}", session.url()))),
            (_, true) => Some(died(&session)),
            _ => None,
        })
    };
    // That the instance is another directory's is said with the ports.
    look().ok().flatten()
}

fn died(session: &Session) -> Finding {
    let words = session.last_words();
    let last = words.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let last = last.map(|line| format!("; its last words: {line}")).unwrap_or_default();
    let fix =
        format!("`kilter up` starts it again. All that it said: `{}`.", shell_word(&session.log().to_string_lossy()));
    Finding::warning("live update", format!("Tilt has ended, though nobody stopped it{last}"), fix)
}

/// Finds what goes on of instances whose directory is gone.
pub(super) fn abandoned(ctx: &Context) -> Vec<Finding> {
    let (Ok(state), Ok(sessions)) = (ctx.state_dir(), sessions(ctx)) else { return Vec::new() };
    // A damaged table is said with the ports.
    let machine = Machine::read(&state).unwrap_or_default();
    let gone = machine.instances.iter().filter(|(_, entry)| !entry.dir.is_dir());
    gone.filter_map(|(key, entry)| of_gone(key, &entry.dir, &sessions.join(key))).collect()
}

fn of_gone(key: &str, dir: &Path, session: &Path) -> Option<Finding> {
    let parts = [tilt_of(session).map(|_| "a Tilt that runs".to_owned()), left(session)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return None;
    }
    let what = format!("`{key}` has left {}: its directory `{}` is gone", parts.join(" and "), dir.display());
    let dir = shell_word(&dir.to_string_lossy());
    // The empty kilter.yaml keeps one of a directory above from being taken for the project's.
    let fix = format!(
        "Make it again and end it from there: `mkdir -p {dir} && touch {dir}/kilter.yaml && kilter -C {dir} destroy`."
    );
    Some(Finding::warning("left over", what, fix))
}
