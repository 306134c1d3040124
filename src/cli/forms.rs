//! What services give the app: by the catalog, by kilter.yaml, and in the forms in which the project reads it.

use std::collections::BTreeMap;

use super::project::Project;
use crate::catalog;
use crate::config::model::{ServiceEntry, ServiceSpec};
use crate::detect::{Detection, Form};

/// The variables that a service gives the app.
pub(super) fn variables(spec: &ServiceSpec) -> impl Iterator<Item = &String> {
    let about = catalog::service(spec.from.as_deref().unwrap_or(&spec.name)).filter(|_| spec.chart.is_none());
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
/// that no other of them gives, or could give as well.
pub(super) fn forms_of<'a>(
    service: &str,
    new: &[ServiceSpec],
    project: &Project,
    found: &'a Detection,
) -> Vec<&'a Form> {
    let there = specs(project);
    let given = given(&there, project);
    let of_env = &project.loaded.config.env;
    let others = || new.iter().filter(|spec| spec.name != service);
    let gives = |spec: &ServiceSpec, variable: &String| {
        variables(spec).any(|given| given == variable)
            || about(spec)
                .is_some_and(|about| found.forms.iter().any(|form| form.service == about && form.variable == *variable))
    };
    let spec = new.iter().find(|spec| spec.name == service);
    let Some(about) = spec.and_then(about) else { return Vec::new() };
    let of_service = found.forms.iter().filter(|form| form.service == about);
    let free = |form: &&Form| {
        let variable = &form.variable;
        !given.contains_key(variable)
            && !of_env.contains_key(variable)
            && !others().any(|other| gives(other, variable))
            && spec.is_some_and(|spec| !spec.provides.contains_key(variable))
    };
    of_service.filter(free).collect()
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
        let forms = forms.into_iter().map(|form| (form.variable.clone(), Some(form.template.clone())));
        spec.provides.extend(forms);
        ServiceEntry::Detailed(Box::new(spec))
    });
    whole.collect()
}

/// Those of new services of the catalog that give the project nothing in a form of its own: its code has to read what they give.
pub(super) fn unread<'a>(
    names: impl Iterator<Item = &'a str>,
    project: &Project,
    found: &Detection,
) -> impl Iterator<Item = &'a str> {
    let names: Vec<&str> = names.collect();
    let new = plain(names.iter().copied());
    names.into_iter().filter(move |name| forms_of(name, &new, project, found).is_empty())
}

/// Services of the catalog without details.
pub(super) fn plain<'a>(names: impl Iterator<Item = &'a str>) -> Vec<ServiceSpec> {
    names.map(|name| ServiceSpec { name: name.into(), ..ServiceSpec::default() }).collect()
}

/// The services of kilter.yaml.
fn specs(project: &Project) -> Vec<ServiceSpec> {
    project.loaded.config.services.iter().flatten().map(ServiceEntry::spec).collect()
}

/// The service of the catalog that an entry is of.
fn about(spec: &ServiceSpec) -> Option<&str> {
    let service = spec.from.as_deref().unwrap_or(&spec.name);
    (spec.chart.is_none() && catalog::service(service).is_some()).then_some(service)
}
