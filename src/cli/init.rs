//! `kilter init`.

use std::collections::BTreeMap;

use serde_json::json;

use super::context::Context;
use super::project::{Project, begin_guide, tell_guide};
use crate::artifacts::unified_diff;
use crate::catalog;
use crate::config::edit::{Edit, add_service};
use crate::config::model::{ServiceEntry, ServiceSpec};
use crate::detect::{Detection, Finding};
use crate::diag::{Error, Result};
use crate::exec::shell_word;

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
    let found = look(ctx, &project)?;
    propose(args, ctx, project, &found, false)
}

/// Looks at the project's manifests, which may be many.
fn look(ctx: &Context, project: &Project) -> Result<Detection> {
    let _work = ctx.ui.work("looking at the project");
    project.detect()
}

/// Shows what was found, and writes what is wanted of it. `before_up`: as the first part of `kilter up`, whose result stands
/// alone on standard output.
fn propose(args: &Args, ctx: &Context, project: Project, found: &Detection, before_up: bool) -> Result<()> {
    for warning in &found.warnings {
        ctx.ui.warn(warning);
    }
    let (news, covered) = news(&project, found);
    if args.dry_run && ctx.ui.json {
        ctx.ui.json(&as_json(&project, found, &covered));
        return Ok(());
    }
    if !ctx.ui.json {
        let shown = shown(ctx, &project, found);
        if before_up {
            ctx.ui.talk(&shown)
        } else {
            ctx.ui.result(&shown)
        }
        covered.values().for_each(|why| ctx.ui.talk(why));
    }
    let picked = pick(args, ctx, &news, before_up)?;
    let text = text(&project, &picked)?;
    let json = as_json(&project, found, &covered);
    let old = project.text.clone().unwrap_or_default();
    // What clashes is said before anything is written.
    let as_proposed = |error: Error| match old == text {
        true => error,
        false => error.help("Nothing was written: a line shown here is one of the proposed kilter.yaml."),
    };
    let project = project.with_text(text.clone()).map_err(as_proposed)?;
    let (plan, ..) = project.plan(ctx).map_err(as_proposed)?;
    let diff = unified_diff("kilter.yaml", old.as_bytes(), text.as_bytes());
    if diff.is_empty() {
        ctx.ui.talk("kilter.yaml has all of that already; nothing to write.");
    } else if args.dry_run {
        ctx.ui.result(&diff);
    } else {
        ctx.ui.talk(&diff);
        if !args.yes && !ctx.global.no_input {
            if !ctx.ui.interactive {
                return Err(nobody_to_ask());
            }
            ctx.ui.confirm("Write kilter.yaml?", "--yes")?;
        }
        let _lock = project.take_lock(ctx)?;
        // Before kilter.yaml: after that is written, nobody asks for the guide again.
        let guide = begin_guide(&project, &plan);
        project.write_config(&text)?;
        let path = project.root.join("kilter.yaml");
        let above = ctx.directory()? != project.root;
        let shown = if above { path.display().to_string() } else { "kilter.yaml".to_owned() };
        let next = if before_up { "" } else { " Next: `kilter render`." };
        if let Some(begun) = tell_guide(ctx, guide) {
            ctx.ui.talk(begun);
        }
        ctx.ui.talk(&format!("Wrote {shown}.{next}"));
    }
    if ctx.ui.json && !before_up {
        ctx.ui.json(&json);
    }
    Ok(())
}

/// Does what `kilter init` does when there is no kilter.yaml yet and the project's manifests name a service.
///
/// # Errors
/// When consent is needed and nobody can be asked.
pub(crate) fn first_run(ctx: &Context, yes: bool) -> Result<()> {
    let project = Project::open(ctx)?;
    if project.text.is_some() {
        return Ok(());
    }
    let found = look(ctx, &project)?;
    if found.findings.iter().all(|finding| !finding.selected) {
        return Ok(());
    }
    let args = Args { dry_run: false, yes: yes || !ctx.ui.interactive && ctx.global.no_input };
    propose(&args, ctx, project, &found, true)
}

fn nobody_to_ask() -> Error {
    Error::usage("`kilter init` asks before it writes, and nobody can be asked here")
        .help("Take what is selected: `kilter init --yes`. Only look: `kilter init --dry-run`.")
}

/// Which findings kilter.yaml lacks, and why others are left out: what is written there beats what is found.
fn news<'a>(project: &Project, found: &'a Detection) -> (Vec<&'a Finding>, BTreeMap<&'a str, String>) {
    let specs: Vec<ServiceSpec> = project.loaded.config.services.iter().flatten().map(ServiceEntry::spec).collect();
    let is = |spec: &ServiceSpec, name: &str| spec.name == name || spec.from.as_deref() == Some(name);
    let mut news = Vec::new();
    let mut covered = BTreeMap::new();
    for finding in &found.findings {
        if specs.iter().any(|spec| is(spec, &finding.name)) {
            continue;
        }
        let variables = catalog::service(&finding.name).into_iter().flat_map(|about| about.provides.keys());
        let giver = variables.into_iter().find_map(|variable| {
            let by = specs.iter().find(|spec| matches!(spec.provides.get(variable), Some(Some(_))));
            let by = by.map(|spec| format!("`{}`", spec.name));
            Some((
                variable,
                by.or_else(|| project.loaded.config.env.contains_key(variable).then(|| "`env`".to_owned()))?,
            ))
        });
        match giver {
            Some((variable, by)) => {
                let name = finding.name.as_str();
                covered.insert(name, format!("`{name}` is left out: {by} of kilter.yaml gives `{variable}` already."));
            }
            None => news.push(finding),
        }
    }
    (news, covered)
}

/// The proposal; the fields are an interface for scripts.
fn as_json(project: &Project, found: &Detection, covered: &BTreeMap<&str, String>) -> serde_json::Value {
    let selected = |f: &Finding| f.selected && !covered.contains_key(f.name.as_str());
    let config = &project.loaded.config;
    let services: Vec<_> = found
        .findings
        .iter()
        .map(|f| json!({"name": f.name, "selected": selected(f), "confidence": f.confidence, "evidence": f.evidence}))
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

/// Says what was found: the app, then the services with their evidence.
fn shown(ctx: &Context, project: &Project, found: &Detection) -> String {
    let ui = &ctx.ui;
    let mut lines = Vec::new();
    lines.push(format!("{}  {}", ui.strong("name  "), project.name));
    let config = &project.loaded.config;
    let facts = [
        ("dev   ", config.dev.clone(), found.dev.as_ref().map(|f| (f.value.clone(), &f.file, f.line, &f.note))),
        (
            "port  ",
            config.port.map(|p| p.to_string()),
            found.port.as_ref().map(|f| (f.value.to_string(), &f.file, f.line, &f.note)),
        ),
        ("image ", config.image.clone(), found.image.as_ref().map(|f| (f.value.clone(), &f.file, f.line, &f.note))),
        ("health", config.health.clone(), found.health.as_ref().map(|f| (f.value.clone(), &f.file, f.line, &f.note))),
    ];
    let app = config.dev.is_some() || config.image.is_some() || found.dev.is_some();
    for (what, said, fact) in facts.into_iter().filter(|_| app) {
        match (said, fact) {
            (Some(value), _) => lines.push(format!("{}  {value}  {}", ui.strong(what), ui.faint("kilter.yaml"))),
            (None, Some((value, file, line, note))) => {
                lines.push(format!("{}  {value}  {}", ui.strong(what), ui.faint(&format!("{file}:{line}, {note}"))));
            }
            (None, None) => {}
        }
    }
    if !app {
        lines.push(format!("{}  none found; with `dev:` in kilter.yaml the app runs, too", ui.strong("dev   ")));
    }
    for finding in &found.findings {
        let sure = format!("{:.0} %", finding.confidence * 100.0);
        let mark = if finding.selected { "selected" } else { "perhaps " };
        lines.push(format!("\n{}  {mark}  {sure}", ui.strong(&finding.name)));
        for evidence in finding.evidence.iter().take(3) {
            lines.push(format!(
                "  {}:{}  {}  {}",
                evidence.file,
                evidence.line,
                evidence.package,
                ui.faint(&evidence.note)
            ));
        }
        if finding.evidence.len() > 3 {
            lines.push(format!("  and {} more: `kilter why {}`", finding.evidence.len() - 3, finding.name));
        }
    }
    if found.findings.is_empty() {
        lines.push("\nNothing in the project's manifests names a backing service.".to_owned());
    }
    lines.join("\n") + "\n\n"
}

/// Which of the findings to write: asked on a terminal, else those that are selected.
fn pick<'a>(args: &Args, ctx: &Context, news: &[&'a Finding], before_up: bool) -> Result<Vec<&'a Finding>> {
    if args.yes || args.dry_run || ctx.global.no_input || news.is_empty() {
        return Ok(selected(news, |left_out| ctx.ui.talk(left_out)));
    }
    if !ctx.ui.interactive {
        return Err(nobody_to_ask());
    }
    let mut items: Vec<(String, bool)> = news.iter().map(|f| (f.name.clone(), f.selected)).collect();
    loop {
        let indices = ctx.ui.pick("Which services? Space marks, Enter takes, Esc leaves.", &items)?;
        let picked: Vec<&Finding> = indices.iter().map(|index| news[*index]).collect();
        let Some((variable, first, second)) = clash(&picked, provides) else {
            if let Some(command) = without_questions(news, &picked, before_up) {
                ctx.ui.talk(&format!("The same without questions: `{command}`"));
            }
            return Ok(picked);
        };
        ctx.ui.talk(&format!("`{first}` and `{second}` both give the app `{variable}`: take one of them."));
        items.iter_mut().enumerate().for_each(|(index, item)| item.1 = indices.contains(&index));
    }
}

/// Which of the findings are taken when nobody is asked; told of each that is left out as another gives the same variable.
fn selected<'a>(news: &[&'a Finding], left_out: impl Fn(&str)) -> Vec<&'a Finding> {
    let mut picked: Vec<&Finding> = news.iter().copied().filter(|f| f.selected).collect();
    while let Some((variable, first, second)) = clash(&picked, provides) {
        left_out(&format!("`{second}` is left out: `{first}` gives `{variable}` already."));
        picked.retain(|finding| finding.name != second);
    }
    picked
}

/// The command that writes what was picked; `None` when nothing was, which no command writes.
fn without_questions(news: &[&Finding], picked: &[&Finding], before_up: bool) -> Option<String> {
    if selected(news, |_| {}) == picked {
        return Some(if before_up { "kilter up --yes" } else { "kilter init --yes" }.to_owned());
    }
    let words: Vec<String> = picked.iter().map(|finding| shell_word(&finding.name)).collect();
    let then = if before_up { " && kilter up" } else { "" };
    (!words.is_empty()).then(|| format!("kilter add {}{then}", words.join(" ")))
}

/// The variables that a service of the catalog gives.
fn provides(service: &str) -> Vec<&'static str> {
    catalog::service(service).map(|about| about.provides.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// Returns a variable that two of the findings give, and which.
fn clash<'a>(picked: &[&Finding], provides: impl Fn(&str) -> Vec<&'a str>) -> Option<(String, String, String)> {
    let mut givers: BTreeMap<&str, &str> = BTreeMap::new();
    for finding in picked {
        for variable in provides(&finding.name) {
            if let Some(first) = givers.insert(variable, &finding.name) {
                return Some((variable.to_owned(), first.to_owned(), finding.name.clone()));
            }
        }
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_services_that_give_one_variable_clash() {
        let finding =
            |name: &str| Finding { name: name.to_owned(), selected: true, confidence: 1.0, evidence: Vec::new() };
        let (redis, valkey, postgres) = (finding("redis"), finding("valkey"), finding("postgres"));
        let provides = |name: &str| if name == "postgres" { vec!["DATABASE_URL"] } else { vec!["REDIS_URL"] };
        assert_eq!(clash(&[&redis, &postgres], provides), None);
        let expected = Some(("REDIS_URL".into(), "redis".into(), "valkey".into()));
        assert_eq!(clash(&[&redis, &postgres, &valkey], provides), expected);
    }

    #[test]
    fn what_was_picked_can_be_written_by_a_command() {
        let finding = |name: &str, selected| Finding { name: name.into(), selected, confidence: 1.0, evidence: vec![] };
        let (redis, valkey, postgres) = (finding("redis", true), finding("valkey", true), finding("postgres", false));
        let command = |picked: &[&Finding], up| without_questions(&[&redis, &valkey, &postgres], picked, up);
        assert_eq!(command(&[&redis], false).as_deref(), Some("kilter init --yes"));
        assert_eq!(command(&[&redis], true).as_deref(), Some("kilter up --yes"));
        assert_eq!(command(&[&valkey, &postgres], false).as_deref(), Some("kilter add valkey postgres"));
        assert_eq!(command(&[&postgres], true).as_deref(), Some("kilter add postgres && kilter up"));
        assert_eq!(command(&[], false), None);
    }
}
