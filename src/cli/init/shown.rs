//! What was found, for people and for scripts.

use std::collections::BTreeMap;

use serde_json::json;

use super::is_of;
use crate::catalog;
use crate::cli::context::Context;
use crate::cli::forms::{forms_of, left_open, plain, specs};
use crate::cli::project::Project;
use crate::cli::wizard::Drafted;
use crate::detect::{Detection, Evidence, Finding, Form};

/// The proposal; the fields are an interface for scripts. What kilter.yaml has is selected, and what is written without a question.
pub(super) fn as_json(project: &Project, found: &Detection, covered: &BTreeMap<&str, String>) -> serde_json::Value {
    let specs: Vec<_> = specs(project);
    let is_there = |name: &str| specs.iter().any(|spec| is_of(spec, name));
    let selected = |f: &Finding| is_there(&f.name) || (f.selected && !covered.contains_key(f.name.as_str()));
    let config = &project.loaded.config;
    let new = plain(found.findings.iter().filter(|f| selected(f) && !is_there(&f.name)).map(|f| f.name.as_str()));
    let services: Vec<_> = found
        .findings
        .iter()
        .map(|f| {
            let image = f.image.as_ref().map(|image| &image.value);
            let forms = forms_of(&f.name, &new, project, found).into_iter();
            let provides: serde_json::Map<_, _> =
                forms.map(|form| (form.variable.clone(), form.template.clone().into())).collect();
            json!({
                "name": f.name,
                "selected": selected(f),
                "confidence": f.confidence,
                "image": image,
                "provides": provides,
                "evidence": f.evidence,
            })
        })
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

/// Says that the project runs another version of a service than the catalog has, and how to have that one.
fn other_version(finding: &Finding) -> Option<String> {
    let about = catalog::service(&finding.name).filter(|_| finding.selected && finding.image.is_none())?;
    let (name, ours) = about.image.split_once(':')?;
    let major =
        |tag: &str| tag.trim_start_matches('v').split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok();
    let runs = |evidence: &&Evidence| evidence.package == name;
    finding.evidence.iter().filter(runs).find_map(|evidence| {
        let image = evidence.image.as_deref()?.split('@').next()?;
        let theirs = major(image.rsplit('/').next()?.split_once(':')?.1)?;
        let add = format!("kilter add {} --image {image}", finding.name);
        (Some(theirs) != major(ours))
            .then(|| format!("{}:{}  {image}  kilter's is {ours}; for this one: `{add}`", evidence.file, evidence.line))
    })
}

/// What is said where there is no command.
const WITHOUT_DEV: &str = "none found; with `dev:` in kilter.yaml the app runs, too";

/// How many variables a line names.
const MOST: usize = 8;

/// Says which variables the service gives because the project reads them: those of a file in one line.
fn also_given(forms: &[&Form]) -> Vec<String> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for form in forms {
        let variable = form.variable.as_str();
        match lines.iter_mut().find(|(place, _)| place.split(':').next() == Some(form.file.as_str())) {
            Some((_, variables)) => variables.push(variable),
            None => lines.push((format!("{}:{}", form.file, form.line), vec![variable])),
        }
    }
    let line = |(place, variables): (String, Vec<&str>)| {
        let more = variables.len().saturating_sub(MOST);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let first: Vec<&str> = variables.into_iter().take(MOST).collect();
        format!("  {place}  {}{more}  given to the app, too", first.join(", "))
    };
    lines.into_iter().map(line).collect()
}

/// Says what was found: the app, then the services with their evidence. `news` are the services that kilter.yaml lacks, `drafted` what
/// options say; without a name of the project where a person is asked for it next.
pub(super) fn shown(
    ctx: &Context,
    project: &Project,
    found: &Detection,
    news: &[&Finding],
    drafted: &Drafted,
    renames: bool,
) -> String {
    let ui = &ctx.ui;
    let name = (!renames).then(|| format!("{}  {}", ui.strong("name  "), project.name));
    let mut lines: Vec<String> = name.into_iter().chain(app(ctx, project, found, drafted)).collect();
    let new = plain(news.iter().filter(|f| f.selected).map(|f| f.name.as_str()));
    for finding in &found.findings {
        lines.extend(service(ctx, finding));
        lines.extend(other_version(finding).map(|said| format!("  {said}")));
        lines.extend(also_given(&forms_of(&finding.name, &new, project, found)));
        if finding.evidence.len() > 3 {
            lines.push(format!("  and {} more: `kilter why {}`", finding.evidence.len() - 3, finding.name));
        }
    }
    for (variable, services) in left_open(&new, project, found) {
        lines.push(format!("\n{variable}  left to you: {} could give it", services.join(" and ")));
    }
    if found.findings.is_empty() {
        lines.push("\nNothing in the project's manifests names a backing service.".to_owned());
    }
    lines.join("\n") + "\n\n"
}

/// A service and the first of its evidence.
fn service(ctx: &Context, finding: &Finding) -> Vec<String> {
    let sure = format!("{:.0} %", finding.confidence * 100.0);
    let mark = if finding.selected { "selected" } else { "perhaps " };
    let mut lines = vec![format!("\n{}  {mark}  {sure}", ctx.ui.strong(&finding.name))];
    if let Some(image) = &finding.image {
        lines.push(format!("  {}:{}  {}, {}", image.file, image.line, image.value, image.note));
    }
    for evidence in finding.evidence.iter().take(3) {
        lines.push(format!("  {}:{}  {}  {}", evidence.file, evidence.line, evidence.package, evidence.note));
    }
    lines
}

/// How the app runs.
fn app(ctx: &Context, project: &Project, found: &Detection, drafted: &Drafted) -> Vec<String> {
    let ui = &ctx.ui;
    let mut lines = Vec::new();
    let config = &project.loaded.config;
    let said = |by_file: &Option<String>, by_option: &Option<String>, option: &'static str| {
        let by_option = || by_option.clone().map(|value| (value, option));
        by_file.clone().map(|value| (value, "kilter.yaml")).or_else(by_option)
    };
    let facts = [
        (
            "dev   ",
            said(&config.dev, &drafted.dev, "`--dev`"),
            found.dev.as_ref().map(|f| (f.value.clone(), &f.file, f.line, &f.note)),
        ),
        (
            "port  ",
            said(&config.port.map(|p| p.to_string()), &drafted.port, "`--port`"),
            found.port.as_ref().map(|f| (f.value.to_string(), &f.file, f.line, &f.note)),
        ),
        (
            "image ",
            said(&config.image, &drafted.image, "`--image`"),
            found.image.as_ref().map(|f| (f.value.clone(), &f.file, f.line, &f.note)),
        ),
        (
            "health",
            said(&config.health, &None, ""),
            found.health.as_ref().map(|f| (f.value.clone(), &f.file, f.line, &f.note)),
        ),
    ];
    for (what, said, fact) in facts {
        match (said, fact) {
            (Some((value, by)), _) => lines.push(format!("{}  {value}  {by}", ui.strong(what))),
            (None, Some((value, file, line, note))) => {
                lines.push(format!("{}  {value}  {file}:{line}, {note}", ui.strong(what)));
            }
            // An image alone is run, too.
            (None, None) if what.starts_with("dev") && config.image.is_none() && drafted.image.is_none() => {
                lines.push(format!("{}  {}", ui.strong(what), WITHOUT_DEV));
            }
            (None, None) => {}
        }
    }
    lines
}
