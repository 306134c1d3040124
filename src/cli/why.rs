//! `kilter why`.

use serde_json::json;

use super::context::Context;
use super::project::{Project, unknown_catalog_service};
use crate::catalog;
use crate::config::PathItem;
use crate::config::model::ServiceEntry;
use crate::detect::{Finding, Form};
use crate::diag::Result;

/// Says why a service is in the project, or why kilter would propose it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kilter why redis")]
pub(crate) struct Args {
    /// Which service.
    #[arg(value_name = "SERVICE", add = clap_complete::ArgValueCandidates::new(super::candidates::catalog))]
    service: String,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let project = Project::open(ctx)?;
    let name = &args.service;
    let asked = asked(&project, name)?;
    // An entry with `from` is there for what is found of that service.
    let entry = project.loaded.config.services.iter().flatten().map(ServiceEntry::spec).find(|spec| spec.name == *name);
    let kind = entry.and_then(|spec| spec.from).unwrap_or_else(|| name.clone());
    let detection = project.detect()?;
    let found = detection.findings.iter().find(|finding| finding.name == kind);
    let reads: Vec<&Form> = detection.forms.iter().filter(|form| form.service == kind).collect();
    if asked.is_none() && found.is_none() && catalog::service(name).is_none() {
        return Err(unknown_catalog_service(name));
    }
    if ctx.ui.json {
        ctx.ui.json(&json!({
            "name": name,
            "line": asked.as_ref().map(|(line, _)| line),
            "selected": found.as_ref().is_some_and(|f| f.selected),
            "confidence": found.as_ref().map(|f| f.confidence),
            "evidence": found.as_ref().map(|f| &f.evidence).unwrap_or(&Vec::new()),
            "reads": reads.iter().map(|form| json!({"file": form.file, "line": form.line, "variable": form.variable})).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    match &asked {
        Some((line, text)) => ctx.ui.result(&format!("{name} is in kilter.yaml:{line}: {}", text.trim())),
        None => ctx.ui.result(&format!("{name} is not in kilter.yaml.")),
    }
    match found {
        Some(found) => evidence(ctx, found),
        None => ctx.ui.result("Nothing in the project's manifests points to it."),
    }
    if !reads.is_empty() {
        ctx.ui.result("The project reads, of what it can give:");
        reads.iter().for_each(|form| ctx.ui.result(&format!("  {}:{}  {}", form.file, form.line, form.variable)));
    }
    Ok(())
}

/// The line of kilter.yaml that asks for a service, and its text.
fn asked(project: &Project, name: &str) -> Result<Option<(usize, String)>> {
    let Some(text) = &project.text else { return Ok(None) };
    let loaded = super::project::load(text, project.lock.as_ref())?;
    let entries = loaded.config.services.iter().flatten();
    let Some(index) = entries.into_iter().position(|entry| entry.name() == name) else { return Ok(None) };
    let place = loaded.place_of(&[PathItem::from("services"), PathItem::from(index)]);
    Ok(place.map(|place| (place.line, place.text)))
}

/// Prints the evidence of a finding, one line each.
pub(super) fn evidence(ctx: &Context, found: &Finding) {
    for evidence in &found.evidence {
        let place = format!("{}:{}", evidence.file, evidence.line);
        let sure = format!("{:.0} %", evidence.confidence * 100.0);
        ctx.ui.result(&format!("  {place}  {}  {} ({sure})", evidence.package, evidence.note));
    }
    let verdict = if found.selected { "selected" } else { "proposed, not selected" };
    ctx.ui.result(&format!("  together {:.0} %: {verdict}", found.confidence * 100.0));
}
