//! How a command that edits kilter.yaml ends: render, write, say what the app gets.

use serde_json::{Map, Value, json};

use super::context::Context;
use super::dev::refuse_lost_volumes;
use super::project::{Outcome, Prepared, Project, begin_guide, tell_guide};
use super::proposal::Proposal;
use crate::artifacts::unified_diff;
use crate::detect::Detection;
use crate::diag::{Error, Result};
use crate::exec::Whole;
use crate::plan::Facts;

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
    /// What is said before the last line.
    pub(super) lesson: Vec<String>,
    /// What was found in the project, where it was looked at already.
    pub(super) found: Option<Detection>,
    /// What the result begins with, for programs.
    pub(super) report: Map<String, Value>,
}

impl Ending {
    /// The report that names the services.
    pub(super) fn names(services: &[String]) -> Map<String, Value> {
        Map::from_iter([("services".to_owned(), json!(services))])
    }

    /// The result for programs: the report, and what became of kilter.yaml.
    fn result(&self, text: &str, rest: Value) -> Value {
        let mut result = self.report.clone();
        result.extend([("kilterYaml".to_owned(), json!(text)), ("dryRun".to_owned(), json!(self.dry_run))]);
        result.extend(rest.as_object().cloned().unwrap_or_default());
        Value::Object(result)
    }
}

/// Renders the project as the new kilter.yaml has it; only when that works is anything written, kilter.yaml first.
pub(super) fn finish(ctx: &Context, project: Project, text: String, ending: &Ending) -> Result<()> {
    let old = ending.old.as_deref().unwrap_or_default();
    let diff = unified_diff("kilter.yaml", old.as_bytes(), text.as_bytes());
    if ending.dry_run {
        return shown(ctx, &project, &text, ending);
    }
    // The lines that are shown may not be in the file: then this says so.
    let project = project.with_text(text.clone()).map_err(|error| as_shown(error, old == text))?;
    let as_it_was = |error: Error| match old == text {
        true => error,
        false => error.help("Nothing was written; kilter.yaml is as it was."),
    };
    let mut prepared = Prepared::new(ctx, project).map_err(as_it_was)?;
    prepared.claim(ctx).map_err(as_it_was)?;
    let rendered = prepared.render(ctx).map_err(as_it_was)?;
    let outcome = Outcome::new(ctx, &prepared, &rendered)?;
    refuse_lost_volumes(ctx, &prepared, &outcome.changes).map_err(as_it_was)?;
    let whole = Whole::begin()?;
    // Before kilter.yaml: after that is written, nobody asks for the guide again.
    let guide = (ending.guide && !diff.is_empty()).then(|| begin_guide(&prepared.project, &prepared.plan));
    if !diff.is_empty() {
        prepared.project.write_config(&text)?;
    }
    outcome.write(&prepared)?;
    whole.and_done();
    let begun = guide.and_then(|guide| tell_guide(ctx, guide));
    if ctx.ui.json {
        let env: Map<String, Value> = prepared.plan.env.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
        ctx.ui.json(&ending.result(&text, json!({"env": env})));
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
    match ending.services.as_slice() {
        [] if diff.is_empty() => {}
        [] => ctx.ui.talk(&format!("Wrote kilter.yaml. {}", ending.advice)),
        services => ctx.ui.talk(format!("{} {}. {}", ending.verb, services.join(", "), ending.advice).trim_end()),
    }
    Ok(())
}

/// Shows everything that would be done. Nothing is written, and no tool is needed.
fn shown(ctx: &Context, project: &Project, text: &str, ending: &Ending) -> Result<()> {
    let old = ending.old.as_deref().unwrap_or_default();
    let facts = facts(ctx, project, ending.found.as_ref())?;
    let proposal = Proposal::new(ctx, project, text.to_owned(), &facts, ending.guide && old != text)
        .map_err(|error| as_shown(error, old == text))?;
    if ctx.ui.json {
        ctx.ui.json(&ending.result(text, proposal.as_json(ctx, &ending.services)?));
        return Ok(());
    }
    ctx.ui.result(&unified_diff("kilter.yaml", old.as_bytes(), text.as_bytes()));
    proposal.consequences(ctx, &ending.services)?.iter().for_each(|line| ctx.ui.talk(line));
    Ok(())
}

/// What is known about the app of a project that can be planned. It is not looked at a second time.
fn facts(ctx: &Context, project: &Project, found: Option<&Detection>) -> Result<Facts> {
    let Some(found) = found else { return Ok(project.plan(ctx)?.1) };
    // With a lock what it holds counts.
    let warnings = found.warnings.iter().filter(|_| project.lock.is_none());
    warnings.for_each(|warning| ctx.ui.warn(warning));
    let facts = project.known_facts(found);
    project.plan_with(ctx, &facts)?;
    Ok(facts)
}

/// Says of a problem whose lines may not be in the file that they are not.
fn as_shown(error: Error, same: bool) -> Error {
    match same {
        true => error,
        false => error.help("kilter.yaml is as it was: these lines would have been written."),
    }
}
