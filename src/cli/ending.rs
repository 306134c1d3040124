//! How a command that edits kilter.yaml ends: render, write, say what the app gets.

use serde_json::{Map, Value, json};

use super::context::Context;
use super::project::{Outcome, Prepared, Project, begin_guide, tell_guide};
use crate::artifacts::unified_diff;
use crate::diag::{Error, Result};

/// How a command that edits kilter.yaml ends.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// The file before.
    pub(super) old: Option<String>,
    /// The services it is about.
    pub(super) services: Vec<String>,
    /// Whether nothing is written.
    pub(super) dry_run: bool,
    /// What is said of them.
    pub(super) verb: &'static str,
    /// Whether the project gets a guide for coding agents, if it has none.
    pub(super) guide: bool,
    /// What there is to know afterwards.
    pub(super) advice: &'static str,
    /// What a wizard says before its last line.
    pub(super) lesson: Vec<String>,
}

/// Renders the project as the new kilter.yaml has it; only when that works is anything written, kilter.yaml first.
pub(super) fn finish(ctx: &Context, project: Project, text: String, ending: &Ending) -> Result<()> {
    let old = ending.old.as_deref().unwrap_or_default();
    let diff = unified_diff("kilter.yaml", old.as_bytes(), text.as_bytes());
    // The lines that are shown may not be in the file: then this says so.
    let project = project.with_text(text.clone()).map_err(|error| match old == text {
        true => error,
        false => error.help("kilter.yaml is as it was: these lines would have been written."),
    })?;
    let as_it_was = |error: Error| match old == text {
        true => error,
        false => error.help("Nothing was written; kilter.yaml is as it was."),
    };
    let mut prepared = Prepared::new(ctx, project).map_err(as_it_was)?;
    if ending.dry_run {
        match ctx.ui.json {
            true => ctx.ui.json(&json!({"services": ending.services, "kilterYaml": text, "dryRun": true})),
            false => ctx.ui.result(&diff),
        }
        return Ok(());
    }
    prepared.claim(ctx).map_err(as_it_was)?;
    let rendered = prepared.render(ctx).map_err(as_it_was)?;
    let outcome = Outcome::new(ctx, &prepared, &rendered)?;
    // Before kilter.yaml: after that is written, nobody asks for the guide again.
    let guide = (ending.guide && !diff.is_empty()).then(|| begin_guide(&prepared.project, &prepared.plan));
    if !diff.is_empty() {
        prepared.project.write_config(&text)?;
    }
    outcome.write(&prepared)?;
    let begun = guide.and_then(|guide| tell_guide(ctx, guide));
    if ctx.ui.json {
        let env: Map<String, Value> = prepared.plan.env.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
        ctx.ui.json(&json!({"services": ending.services, "kilterYaml": text, "dryRun": false, "env": env}));
        return Ok(());
    }
    if !diff.is_empty() {
        ctx.ui.talk(&diff);
    }
    for name in &ending.services {
        let Some(service) = prepared.plan.service(name) else { continue };
        for (variable, value) in service.provided(&service.in_cluster()).map_err(Error::project)? {
            ctx.ui.result(&format!("{variable}={value}"));
        }
    }
    if let Some(begun) = begun {
        ctx.ui.talk(begun);
    }
    ending.lesson.iter().for_each(|line| ctx.ui.talk(line));
    if !ending.services.is_empty() {
        ctx.ui.talk(format!("{} {}. {}", ending.verb, ending.services.join(", "), ending.advice).trim_end());
    }
    Ok(())
}
