//! What runs of a service: the workloads of its manifest, under the name that a person uses.

use std::ffi::OsStr;
use std::fs;

use serde_json::Value;

use super::Dev;
use crate::artifacts::Directory;
use crate::cli::project::unknown_service;
use crate::cluster::Kubectl;
use crate::diag::{Error, Result};
use crate::fsx;
use crate::plan::APP;
use crate::tilt::{Object, objects};
use crate::values;

/// A workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workload {
    /// The service, `app`, or the component.
    pub(crate) service: String,
    /// kubectl's name of it: `statefulset/postgres`.
    pub(crate) reference: String,
    /// Its namespace, when it is not the project's.
    pub(crate) namespace: Option<String>,
    /// The service whose manifest it is in: a component is in the app's.
    pub(crate) manifest: String,
    /// Whether its pods come to an end.
    pub(crate) job: bool,
}

impl Workload {
    fn new(service: String, manifest: &str, object: &Object) -> Self {
        Self {
            service,
            reference: format!("{}/{}", object.kind.to_lowercase(), object.name),
            namespace: object.namespace.clone(),
            manifest: manifest.to_owned(),
            job: object.is_job(),
        }
    }

    /// Returns its kind, in lower case.
    pub(crate) fn kind(&self) -> &str {
        self.reference.split_once('/').map_or("", |(kind, _)| kind)
    }

    /// Tells whether an object of the cluster is this workload.
    pub(crate) fn is(&self, object: &Value) -> bool {
        let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        self.reference.split_once('/') == Some((kind.as_str(), name))
    }

    /// Returns kubectl for the namespace of the workload.
    pub(crate) fn kubectl(&self, kubectl: &Kubectl) -> Kubectl {
        let namespace = self.namespace.clone().unwrap_or_else(|| kubectl.namespace.clone());
        Kubectl { namespace, ..kubectl.clone() }
    }

    /// Tells whether a pod is one of the workload's, by the names that its owners have: a Deployment owns its pods
    /// through a ReplicaSet that has its name and a hash.
    pub(crate) fn owns(&self, pod: &Value) -> bool {
        let (kind, name) = self.reference.split_once('/').unwrap_or_default();
        let owner = &pod["metadata"]["ownerReferences"][0];
        let of = owner["name"].as_str().unwrap_or_default();
        match (kind, owner["kind"].as_str()) {
            ("deployment", Some("ReplicaSet")) => of.rsplit_once('-').is_some_and(|(deployment, _)| deployment == name),
            ("pod", None) => pod["metadata"]["name"] == name,
            (kind, Some(owner)) => owner.to_lowercase() == kind && of == name,
            _ => false,
        }
    }
}

/// Returns the workloads of the services named, of all without a name, as they are stored.
///
/// # Errors
/// When the project has no such service, or nothing is rendered yet.
pub(crate) fn workloads(dev: &Dev, services: &[String]) -> Result<Vec<Workload>> {
    found(dev, services, &|object| !object.is_job())
}

/// Returns the same, and Jobs: they have something to say.
///
/// # Errors
/// As [`workloads`].
pub(crate) fn speakers(dev: &Dev, services: &[String]) -> Result<Vec<Workload>> {
    found(dev, services, &|object| !object.is_job() || object.kind == "Job")
}

fn found(dev: &Dev, services: &[String], wanted: &dyn Fn(&Object) -> bool) -> Result<Vec<Workload>> {
    let mut found = Vec::new();
    let mut known = Vec::new();
    for draft in values::drafts(&dev.plan) {
        known.push(draft.service.to_owned());
        let manifest = fsx::read(&dev.directory.path(&format!("manifests/{}.yaml", draft.service)), fsx::MAX_FILE)?;
        let Some(manifest) = manifest else { continue };
        for object in objects(&manifest).iter().filter(|object| object.is_workload() && wanted(object)) {
            let service = name(dev, draft.service, object);
            if !known.contains(&service) {
                known.push(service.clone());
            }
            found.push(Workload::new(service, draft.service, object));
        }
    }
    if let Some(unknown) = services.iter().find(|service| !known.contains(service)) {
        return Err(unknown_service(unknown, &known));
    }
    found.retain(|workload| services.is_empty() || services.contains(&workload.service));
    if found.is_empty() {
        let what = if services.is_empty() { "this project".to_owned() } else { format!("`{}`", services.join("`, `")) };
        return Err(Error::missing(format!("{what} runs nothing yet")).help("Start it: `kilter up`."));
    }
    Ok(found)
}

/// Returns every workload of the manifests that are stored, whatever kilter.yaml says by now, each under the name of its
/// manifest.
///
/// # Errors
/// When a manifest cannot be read.
pub(crate) fn stored(directory: &Directory) -> Result<Vec<Workload>> {
    let dir = directory.path("manifests");
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(format!("read `{}`", dir.display()), &error)),
    };
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        // What begins with a point is a manifest that is being written.
        let Some(service) = path.file_stem().and_then(OsStr::to_str).filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let all = objects(&fsx::read(&path, fsx::MAX_FILE)?.unwrap_or_default());
        let workloads = all.iter().filter(|object| object.is_workload());
        found.extend(workloads.map(|object| Workload::new(service.to_owned(), service, object)));
    }
    Ok(found)
}

/// The app's components have names of their own in kilter.yaml; further workloads of a service go by the service's.
fn name(dev: &Dev, service: &str, object: &Object) -> String {
    let component = object.name.strip_prefix(&format!("{}-", dev.plan.project)).filter(|_| service == APP);
    component.unwrap_or(service).to_owned()
}
