//! `kilter init`.

use serde_json::json;

use super::context::Context;
use super::project::{Project, load};
use crate::artifacts::unified_diff;
use crate::config::edit::{Edit, add_service};
use crate::config::model::ServiceEntry;
use crate::detect::{Detection, Finding};
use crate::diag::{Error, Result};

/// First lines of a new kilter.yaml.
const HEADER: &str = "\
# What this project needs to run. Everything is optional; `kilter schema` describes every field.
";

/// Looks at the project, proposes a kilter.yaml with the evidence, and writes it after consent.
///
/// Services that the project's manifests name for sure are selected; mere hints are shown and left out. An existing
/// kilter.yaml is kept; what it lacks is added to it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter init\n  kilter init --yes               # take what is selected\n  kilter init --dry-run --json    # for a script"
)]
pub(crate) struct Args {
    /// Show what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask; take what is selected.
    #[arg(short, long)]
    yes: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let project = Project::open(ctx)?;
    let found = project.detect()?;
    for warning in &found.warnings {
        ctx.ui.warn(warning);
    }
    let there: Vec<&str> = project.config.services.iter().flatten().map(ServiceEntry::name).collect();
    let news: Vec<&Finding> = found.findings.iter().filter(|f| !there.contains(&f.name.as_str())).collect();
    if args.dry_run && ctx.ui.json {
        ctx.ui.json(&as_json(&project, &found));
        return Ok(());
    }
    if !ctx.ui.json {
        show(ctx, &project, &found);
    }
    let picked = pick(args, ctx, &news)?;
    let text = text(&project, &picked)?;
    load(&text)?;
    let old = project.text.clone().unwrap_or_default();
    let diff = unified_diff("kilter.yaml", old.as_bytes(), text.as_bytes());
    if diff.is_empty() {
        ctx.ui.talk("kilter.yaml has all of that already; nothing to write.");
    } else if args.dry_run {
        ctx.ui.result(&diff);
    } else {
        ctx.ui.talk(&diff);
        if !args.yes && !ctx.global.no_input {
            ctx.ui.confirm("Write kilter.yaml?", "--yes")?;
        }
        project.write_config(&text)?;
        ctx.ui.talk("Wrote kilter.yaml. Next: `kilter render`.");
    }
    if ctx.ui.json {
        ctx.ui.json(&as_json(&project, &found));
    }
    Ok(())
}

/// The proposal; the fields are an interface for scripts.
fn as_json(project: &Project, found: &Detection) -> serde_json::Value {
    let config = &project.config;
    let services: Vec<_> = found
        .findings
        .iter()
        .map(|f| json!({"name": f.name, "selected": f.selected, "confidence": f.confidence, "evidence": f.evidence}))
        .collect();
    json!({
        "name": project.name,
        "port": config.port.or(found.port.as_ref().map(|f| f.value)),
        "dev": config.dev.as_ref().or(found.dev.as_ref().map(|f| &f.value)),
        "image": config.image.as_ref().or(found.image.as_ref().map(|f| &f.value)),
        "health": config.health.as_ref().or(found.health.as_ref().map(|f| &f.value)),
        "services": services,
    })
}

/// Shows what was found: the app, then the services with their evidence.
fn show(ctx: &Context, project: &Project, found: &Detection) {
    let ui = &ctx.ui;
    ui.result(&format!("{}  {}", ui.strong("name  "), project.name));
    let facts = [
        ("dev   ", found.dev.as_ref().map(|f| (f.value.clone(), &f.file, f.line, &f.note))),
        ("port  ", found.port.as_ref().map(|f| (f.value.to_string(), &f.file, f.line, &f.note))),
        ("image ", found.image.as_ref().map(|f| (f.value.clone(), &f.file, f.line, &f.note))),
        ("health", found.health.as_ref().map(|f| (f.value.clone(), &f.file, f.line, &f.note))),
    ];
    for (what, fact) in facts {
        if let Some((value, file, line, note)) = fact {
            ui.result(&format!("{}  {value}  {}", ui.strong(what), ui.faint(&format!("{file}:{line}, {note}"))));
        }
    }
    for finding in &found.findings {
        let sure = format!("{:.0} %", finding.confidence * 100.0);
        let mark = if finding.selected { "selected" } else { "perhaps " };
        ui.result(&format!("\n{}  {mark}  {sure}", ui.strong(&finding.name)));
        for evidence in finding.evidence.iter().take(3) {
            ui.result(&format!(
                "  {}:{}  {}  {}",
                evidence.file,
                evidence.line,
                evidence.package,
                ui.faint(&evidence.note)
            ));
        }
        if finding.evidence.len() > 3 {
            ui.result(&format!("  and {} more: `kilter why {}`", finding.evidence.len() - 3, finding.name));
        }
    }
    if found.findings.is_empty() {
        ui.result("\nNothing in the project's manifests names a backing service.");
    }
    ui.result("");
}

/// Which of the findings to write: asked on a terminal, else those that are selected.
fn pick<'a>(args: &Args, ctx: &Context, news: &[&'a Finding]) -> Result<Vec<&'a Finding>> {
    if args.yes || args.dry_run || ctx.global.no_input || news.is_empty() {
        return Ok(news.iter().copied().filter(|f| f.selected).collect());
    }
    if !ctx.ui.interactive {
        return Err(Error::usage("`kilter init` asks before it writes, and nobody can be asked here")
            .help("Take what is selected: `kilter init --yes`. Only look: `kilter init --dry-run`."));
    }
    let items: Vec<(String, bool)> = news.iter().map(|f| (f.name.clone(), f.selected)).collect();
    let picked = ctx.ui.pick("Which services? Space marks, Enter takes, Esc leaves.", &items)?;
    Ok(picked.into_iter().map(|index| news[index]).collect())
}

/// The new text of kilter.yaml.
fn text(project: &Project, picked: &[&Finding]) -> Result<String> {
    let mut text = match &project.text {
        Some(text) => text.clone(),
        None if picked.is_empty() => format!("{HEADER}services: []\n"),
        None => HEADER.to_owned(),
    };
    for finding in picked {
        if let Edit::Changed(new) = add_service(Some(&text), &ServiceEntry::Name(finding.name.clone()))? {
            text = new;
        }
    }
    Ok(text)
}
