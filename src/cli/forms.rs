//! What services give the app: by the catalog, by kilter.yaml, and in the forms in which the project reads it.

use std::collections::{BTreeMap, BTreeSet};

use super::project::Project;
use crate::catalog;
use crate::config::model::{ServiceEntry, ServiceSpec};
use crate::detect::{Detection, Form};

/// The variables that a service gives the app.
pub(super) fn variables(spec: &ServiceSpec) -> impl Iterator<Item = &String> {
    let about = about(spec).and_then(catalog::service);
    let of_catalog = about.into_iter().flat_map(|about| about.provides.keys());
    let of_catalog = of_catalog.filter(|variable| !spec.provides.contains_key(*variable));
    let own = spec.provides.iter().filter(|(_, template)| template.is_some()).map(|(variable, _)| variable);
    of_catalog.chain(own)
}

/// The variables that services of kilter.yaml give the app, each with who gives it.
pub(super) fn given(specs: &[ServiceSpec], project: &Project) -> BTreeMap<String, String> {
    let mut given = BTreeMap::new();
    for spec in specs {
        given.extend(variables(spec).map(|variable| (variable.clone(), spec.name.clone())));
    }
    // What `env` says decides.
    given.retain(|variable, _| !project.loaded.config.env.contains_key(variable));
    given
}

/// Returns the forms of a service that it is to give when these are the services, the ones that are there and `new` ones: those
/// that no other of them gives, or fits as well. A group of variables whose host another one gives is that one's.
pub(super) fn forms_of<'a>(
    service: &str,
    new: &[ServiceSpec],
    project: &Project,
    found: &'a Detection,
) -> Vec<&'a Form> {
    let given = given(&specs(project), project);
    let of_env = &project.loaded.config.env;
    let Some(spec) = new.iter().find(|spec| spec.name == service) else { return Vec::new() };
    let Some(about_it) = about(spec) else { return Vec::new() };
    let claimed = |form: &Form| {
        new.iter().filter(|other| other.name != service).any(|other| {
            let fits = |rival: &Form| rival.variable == form.variable && rival.fit >= form.fit;
            let rivals = about(other).map(|about| found.forms.iter().filter(move |rival| rival.service == about));
            variables(other).any(|given| *given == form.variable) || rivals.into_iter().flatten().any(fits)
        })
    };
    let free = |form: &&Form| {
        let variable = &form.variable;
        !given.contains_key(variable) && !of_env.contains_key(variable) && !claimed(form)
    };
    let of_service = || found.forms.iter().filter(|form| form.service == about_it);
    let torn = |group: usize| of_service().any(|form| form.group == Some(group) && form.leads() && !free(&form));
    let whole =
        |form: &&Form| form.group.is_none_or(|group| !torn(group)) && !spec.provides.contains_key(&form.variable);
    of_service().filter(free).filter(whole).collect()
}

/// Returns the variables that several of new services could give as well as one another, each with these.
pub(super) fn left_open(new: &[ServiceSpec], project: &Project, found: &Detection) -> BTreeMap<String, Vec<String>> {
    let given = given(&specs(project), project);
    let mut claims: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for spec in new {
        let asked = found.forms.iter().filter(|form| Some(form.service.as_str()) == about(spec));
        for form in asked.filter(|form| !given.contains_key(&form.variable)) {
            claims.entry(form.variable.clone()).or_default().push(spec.name.clone());
        }
    }
    let gives = |name: &String, variable: &String| {
        forms_of(name, new, project, found).iter().any(|form| form.variable == *variable)
    };
    let catalog_gives = |variable: &String| new.iter().any(|spec| variables(spec).any(|given| given == variable));
    claims.retain(|variable, names| {
        names.len() > 1 && !names.iter().any(|name| gives(name, variable)) && !catalog_gives(variable)
    });
    claims
}

/// Has new services give the app what the project reads, too. What is in kilter.yaml already stays as it is.
pub(super) fn with_forms(entries: Vec<ServiceEntry>, project: &Project, found: &Detection) -> Vec<ServiceEntry> {
    let there = specs(project);
    let specs: Vec<ServiceSpec> = entries.iter().map(ServiceEntry::spec).collect();
    let is_new = |spec: &ServiceSpec| there.iter().all(|known| known.name != spec.name);
    let new: Vec<ServiceSpec> = specs.iter().filter(|spec| is_new(spec)).cloned().collect();
    let whole = entries.into_iter().zip(specs).map(|(entry, mut spec)| {
        let forms = if is_new(&spec) { forms_of(&spec.name, &new, project, found) } else { Vec::new() };
        if forms.is_empty() {
            return entry;
        }
        let open = open(&spec, &forms, &found.named).cloned();
        let told = |template: &str| (open.is_none() || !is_secret(template)).then(|| template.to_owned());
        let own = about(&spec).and_then(catalog::service).into_iter().flat_map(|about| &about.provides);
        let empty = own.filter(|(_, template)| template.starts_with("{{") && told(template).is_none());
        spec.provides.extend(empty.map(|(variable, _)| (variable.clone(), None)));
        let forms = forms.into_iter().filter(|form| told(&form.template).is_some());
        spec.provides.extend(forms.map(|form| (form.variable.clone(), Some(form.template.clone()))));
        if let Some(open) = open {
            spec.values.get_or_insert_default().extend(open);
        }
        ServiceEntry::Detailed(Box::new(spec))
    });
    whole.collect()
}

/// Tells whether what a template gives is a password, or has one in it.
fn is_secret(template: &str) -> bool {
    template.contains(".Password") || template.contains(".auth.")
}

/// Returns the values with which a service asks for no password, where the project reads where it is and never a password, or its
/// client were misled by one.
fn open(
    spec: &ServiceSpec,
    forms: &[&Form],
    named: &BTreeSet<String>,
) -> Option<&'static serde_json::Map<String, serde_json::Value>> {
    let about = catalog::service(about(spec)?)?;
    let is_misled = forms.iter().any(|form| about.forms.open_beside.contains(&form.variable));
    let is_login = |variable: &str, template: &str| is_secret(template) || variable.contains("USER");
    // A whole address has no login where there is none.
    let is_key = |template: &str| template.starts_with("{{") && is_secret(template);
    let given = about.provides.iter().any(|(variable, template)| is_key(template) && named.contains(variable));
    let is_told = (given || forms.iter().any(|form| is_login(&form.variable, &form.template))) && !is_misled;
    let is_named = forms.iter().any(|form| form.group.is_some() && form.leads());
    let is_free = spec.values.as_ref().is_none_or(|values| !values.contains_key("auth"));
    about.forms.open.as_object().filter(|_| is_named && !is_told && is_free)
}

/// Those of new services of the catalog that give the project nothing that it names or reads by itself: its code has to read what
/// they give.
pub(super) fn unread<'a>(
    names: impl Iterator<Item = &'a str>,
    project: &Project,
    found: &Detection,
) -> impl Iterator<Item = &'a str> {
    let names: Vec<&str> = names.collect();
    let new = plain(names.iter().copied());
    let is_named = |name: &str| {
        let provides = catalog::service(name).into_iter().flat_map(|about| about.provides.keys());
        provides.into_iter().any(|variable| found.named.contains(variable))
    };
    names.into_iter().filter(move |name| !is_named(name) && forms_of(name, &new, project, found).is_empty())
}

/// Services of the catalog without details.
pub(super) fn plain<'a>(names: impl Iterator<Item = &'a str>) -> Vec<ServiceSpec> {
    names.map(|name| ServiceSpec { name: name.into(), ..ServiceSpec::default() }).collect()
}

/// The services of kilter.yaml.
pub(super) fn specs(project: &Project) -> Vec<ServiceSpec> {
    project.loaded.config.services.iter().flatten().map(ServiceEntry::spec).collect()
}

/// The service of the catalog that an entry is of.
fn about(spec: &ServiceSpec) -> Option<&str> {
    let service = spec.from.as_deref().unwrap_or(&spec.name);
    (spec.chart.is_none() && catalog::service(service).is_some()).then_some(service)
}
