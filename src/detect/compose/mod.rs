//! Compose files and devcontainers: which services the project itself starts.
//!
//! The best evidence there is, where the file is how the project is developed; little more than a hint where it is how others
//! run the finished product, where it is a variant, or where a service is in a profile. [`role`] tells which it is.

mod devcontainer;
mod image;
mod role;

use std::collections::{BTreeMap, HashMap};

use serde_yaml::{Mapping, Value};

use super::confidence::Scope;
use super::dockerfile;
use super::files::Files;
use super::places::{join, split};
use super::rules::Declared;
use crate::catalog::Ecosystem;
use role::Role;

/// Tells whether a path is a file that is read here.
pub(super) fn is_manifest(path: &str) -> bool {
    let name = split(path).1;
    devcontainer::is_one(path) || role::words(name).is_some() || name.starts_with("Dockerfile.")
}

/// Tells whether the walk goes into this hidden directory.
pub(super) fn is_entered(directory: &str) -> bool {
    directory == ".devcontainer" || directory == ".docker"
}

/// Returns the images of everything that is started, and where. `own` are the names that the project gives itself.
pub(super) fn declared(files: &Files<'_>, own: &[String]) -> Vec<Declared> {
    let containers = devcontainer::read(files);
    let mut declared: Vec<Declared> = containers.iter().flat_map(|container| container.declared.clone()).collect();
    let started: BTreeMap<String, Scope> =
        containers.into_iter().flat_map(|container| container.compose_files).collect();
    let paths = files.all().filter(|path| role::words(split(path).1).is_some());
    for path in paths {
        let Some(compose) = Compose::read(files, path) else { continue };
        let role = match started.get(path) {
            Some(Scope::Runtime) => Role::Development,
            Some(_) => Role::Aside("in one of several devcontainers".into()),
            None => role::of(files, path),
        };
        declared.extend(compose.declared(files, &role, own));
    }
    declared
}

/// One compose file.
struct Compose<'a> {
    path: &'a str,
    services: Mapping,
    /// Where each service is in the file.
    lines: HashMap<String, usize>,
}

impl<'a> Compose<'a> {
    /// Reads a file; one that is malformed is a warning.
    fn read(files: &Files<'_>, path: &'a str) -> Option<Self> {
        let text = files.read(path)?;
        let parsed = serde_yaml::from_str::<Value>(&text).and_then(|mut value| {
            // `<<: *default`
            value.apply_merge()?;
            Ok(value)
        });
        match parsed {
            Ok(value) => {
                let services = plain(&value).get("services").map(plain).and_then(Value::as_mapping).cloned()?;
                Some(Self { path, services, lines: service_lines(&text) })
            }
            Err(error) => {
                let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
                files.malformed(path, &text, line, column, &error.to_string());
                None
            }
        }
    }

    fn services(&self) -> impl Iterator<Item = (&str, &Mapping)> {
        self.services.iter().filter_map(|(name, service)| Some((name.as_str()?, plain(service).as_mapping()?)))
    }

    fn declared(&self, files: &Files<'_>, role: &Role, own: &[String]) -> Vec<Declared> {
        let packaged = *role == Role::Base && self.is_packaged(own);
        let mut out = Vec::new();
        for (name, service) in self.services() {
            let scope = match (role, aside(service)) {
                (Role::Aside(how), _) => Scope::Aside(how.clone()),
                (_, Some(how)) => Scope::Aside(how),
                _ if packaged => Scope::Aside("beside the packaged product".into()),
                _ => Scope::Runtime,
            };
            for image in self.images(files, service) {
                out.push(Declared {
                    ecosystem: Ecosystem::Compose,
                    line: self.lines.get(name).copied().unwrap_or(1),
                    name: image::canonical(&image),
                    extras: vec![image],
                    scope: scope.clone(),
                    file: self.path.into(),
                });
            }
        }
        out
    }

    /// Tells whether the file runs the finished product: a service has an image of the project's own name, and none is built
    /// from the project or has its sources mounted.
    fn is_packaged(&self, own: &[String]) -> bool {
        let text =
            |service: &Mapping, key: &str| service.get(key).map(plain).and_then(Value::as_str).map(str::to_owned);
        let product = |service: &Mapping| {
            text(service, "image").is_some_and(|image| image::is_of(&image::canonical(&image::expanded(&image)), own))
        };
        let developed = |service: &Mapping| service.get("build").is_some() || mounts_sources(service);
        self.services().any(|(_, service)| product(service)) && !self.services().any(|(_, service)| developed(service))
    }

    /// Returns the images of a service as they are written: its own, and what the Dockerfile it is built from starts with.
    fn images(&self, files: &Files<'_>, service: &Mapping) -> Vec<String> {
        let mut images: Vec<String> = Vec::new();
        images.extend(service.get("image").map(plain).and_then(Value::as_str).map(image::expanded));
        let Some(build) = service.get("build").map(plain) else { return images };
        let text = |key: &str| build.get(key).map(plain).and_then(Value::as_str);
        if let Some(dockerfile) = text("dockerfile_inline") {
            images.extend(dockerfile::base(dockerfile));
            return images;
        }
        let context = build.as_str().or_else(|| text("context")).unwrap_or(".");
        let file = image::expanded(text("dockerfile").unwrap_or("Dockerfile"));
        let directory = split(self.path).0;
        let file = place(directory, &image::expanded(context)).and_then(|context| place(&context, &file));
        images.extend(file.and_then(|file| files.read_if_there(&file)).and_then(|text| dockerfile::base(&text)));
        images
    }
}

/// Notes for every service the line on which it names its image, or else the one on which it begins.
fn service_lines(text: &str) -> HashMap<String, usize> {
    let mut lines = HashMap::new();
    // The keys around a line, from the outermost, with their indentation.
    let mut around: Vec<(usize, &str)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.trim_start();
        let Some((key, _)) = code.split_once(':').filter(|_| !code.starts_with(['#', '-'])) else { continue };
        let (indent, key) = (line.len() - code.len(), key.trim().trim_matches(['"', '\'']));
        while around.last().is_some_and(|(outer, _)| *outer >= indent) {
            around.pop();
        }
        match around.as_slice() {
            [.., (_, "services")] => {
                lines.entry(key.to_owned()).or_insert(number + 1);
            }
            [.., (_, "services"), (_, service)] if key == "image" => {
                lines.insert((*service).to_owned(), number + 1);
            }
            _ => {}
        }
        around.push((indent, key));
    }
    lines
}

/// A value without its tag (`!reset`, `!override`).
fn plain(value: &Value) -> &Value {
    match value {
        Value::Tagged(tagged) => plain(&tagged.value),
        value => value,
    }
}

/// Returns why a service is not started by default, if it is not.
fn aside(service: &Mapping) -> Option<String> {
    const DEFAULT: [&str; 9] =
        ["default", "dev", "develop", "development", "local", "deps", "dependencies", "services", "infra"];
    let zero = |value: Option<&Value>| value.map(plain).and_then(Value::as_u64) == Some(0);
    if zero(service.get("scale")) || zero(service.get("deploy").map(plain).and_then(|deploy| deploy.get("replicas"))) {
        return Some("with no replicas".into());
    }
    let profiles = service.get("profiles").map(plain).and_then(Value::as_sequence)?;
    let profiles: Vec<&str> = profiles.iter().filter_map(Value::as_str).collect();
    let started = profiles.is_empty() || profiles.iter().any(|profile| DEFAULT.contains(profile));
    (!started).then(|| format!("in the profile {}", profiles.join(", ")))
}

/// Tells whether the project's own directory is mounted into a service: `.:/app`.
fn mounts_sources(service: &Mapping) -> bool {
    let volumes = service.get("volumes").map(plain).and_then(Value::as_sequence);
    volumes.into_iter().flatten().map(plain).any(|volume| {
        let source = volume.as_str().and_then(|text| text.split(':').next());
        let source = source.or_else(|| volume.get("source").and_then(Value::as_str)).unwrap_or_default();
        matches!(source.trim_end_matches('/'), "." | ".." | "../..")
    })
}

/// Joins a directory and a relative path with `.` and `..`; `None` when it leaves the project or is an address.
fn place(directory: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains("://") || path.contains('$') {
        return None;
    }
    let joined = join(directory, path);
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests;
