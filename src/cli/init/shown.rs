//! What was found, for people and for scripts.

use std::collections::BTreeMap;

use serde_json::json;

use super::is_of;
use crate::catalog;
use crate::cli::context::Context;
use crate::cli::project::Project;
use crate::config::model::ServiceEntry;
use crate::detect::{Detection, Evidence, Finding};

/// The proposal; the fields are an interface for scripts. What kilter.yaml has is selected, and what is written without a question.
pub(super) fn as_json(project: &Project, found: &Detection, covered: &BTreeMap<&str, String>) -> serde_json::Value {
    let specs: Vec<_> = project.loaded.config.services.iter().flatten().map(ServiceEntry::spec).collect();
    let is_there = |name: &str| specs.iter().any(|spec| is_of(spec, name));
    let selected = |f: &Finding| is_there(&f.name) || (f.selected && !covered.contains_key(f.name.as_str()));
    let config = &project.loaded.config;
    let services: Vec<_> = found
        .findings
        .iter()
        .map(|f| {
            let image = f.image.as_ref().map(|image| &image.value);
            json!({"name": f.name, "selected": selected(f), "confidence": f.confidence, "image": image, "evidence": f.evidence})
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

/// Says why there is no command, and what helps.
fn without_dev(found: &Detection) -> String {
    match &found.dev_without_image {
        Some(usual) => format!(
            "none: kilter knows no image for `{}`; with `dev:` and `image:` in kilter.yaml the app runs, too",
            usual.value
        ),
        None => "none found; with `dev:` in kilter.yaml the app runs, too".into(),
    }
}

/// Says what was found: the app, then the services with their evidence. `renames`: whether a person is asked for the name next,
/// so that it is not known yet.
pub(super) fn shown(ctx: &Context, project: &Project, found: &Detection, renames: bool) -> String {
    let ui = &ctx.ui;
    let mut lines = Vec::new();
    if !renames {
        lines.push(format!("{}  {}", ui.strong("name  "), project.name));
    }
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
    for (what, said, fact) in facts {
        match (said, fact) {
            (Some(value), _) => lines.push(format!("{}  {value}  kilter.yaml", ui.strong(what))),
            (None, Some((value, file, line, note))) => {
                lines.push(format!("{}  {value}  {file}:{line}, {note}", ui.strong(what)));
            }
            // An image alone is run, too.
            (None, None) if what.starts_with("dev") && config.image.is_none() => {
                lines.push(format!("{}  {}", ui.strong(what), without_dev(found)));
            }
            (None, None) => {}
        }
    }
    for finding in &found.findings {
        let sure = format!("{:.0} %", finding.confidence * 100.0);
        let mark = if finding.selected { "selected" } else { "perhaps " };
        lines.push(format!("\n{}  {mark}  {sure}", ui.strong(&finding.name)));
        if let Some(image) = &finding.image {
            lines.push(format!("  {}:{}  {}, {}", image.file, image.line, image.value, image.note));
        }
        for evidence in finding.evidence.iter().take(3) {
            lines.push(format!("  {}:{}  {}  {}", evidence.file, evidence.line, evidence.package, evidence.note));
        }
        lines.extend(other_version(finding).map(|said| format!("  {said}")));
        if finding.evidence.len() > 3 {
            lines.push(format!("  and {} more: `kilter why {}`", finding.evidence.len() - 3, finding.name));
        }
    }
    if found.findings.is_empty() {
        lines.push("\nNothing in the project's manifests names a backing service.".to_owned());
    }
    lines.join("\n") + "\n\n"
}
