//! Compose files and devcontainers: which services the project itself starts.
//!
//! The best evidence there is, where the file is how the project is developed; little more than a hint where it is how others
//! run the finished product, where it is a variant, or where a service is in a profile. [`role`] tells which it is.

mod devcontainer;
mod image;
mod local;
mod role;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_yaml::{Mapping, Value};

use super::confidence::Scope;
use super::dockerfile;
use super::files::{Files, key_line};
use super::places::{join, split};
use super::rules::Declared;
use crate::catalog::Ecosystem;
use role::Role;

/// How a service is run that the finished product needs.
pub(super) const PACKAGED: &str = "beside the packaged product";

/// Tells whether a path is a file that is read here.
pub(super) fn is_manifest(path: &str) -> bool {
    let name = split(path).1;
    devcontainer::is_one(path) || local::is_one(path) || is_compose(name) || name.starts_with("Dockerfile.")
}

/// Tells whether a file of this name is a compose file.
pub(super) fn is_compose(name: &str) -> bool {
    role::words(name).is_some()
}

/// Tells whether the walk goes into this hidden directory.
pub(super) fn is_entered(directory: &str) -> bool {
    [".dev", ".devcontainer", ".docker", local::DDEV].contains(&directory)
}

/// Returns the images of everything that is started, and where. `own` are the names that the project gives itself.
pub(super) fn declared(files: &Files<'_>, own: &[String]) -> Vec<Declared> {
    let containers = devcontainer::read(files);
    let mut declared = local::declared(files);
    declared.extend(containers.iter().flat_map(|container| container.declared.clone()));
    let started: BTreeMap<String, Scope> =
        containers.into_iter().flat_map(|container| container.compose_files).collect();
    let paths = files.all().filter(|path| is_compose(split(path).1));
    for path in paths {
        let Some(compose) = Compose::read(files, path) else { continue };
        let role = match started.get(path) {
            Some(Scope::Runtime) => Role::Development,
            Some(_) => Role::Aside("in one of several devcontainers".into()),
            None => role::of(files, path),
        };
        declared.extend(compose.declared(files, &role, own));
        declared.extend(compose.declared_by_included(files, &role, own));
    }
    declared
}

/// One compose file.
struct Compose {
    path: String,
    services: Mapping,
    /// Where each service is in the file.
    lines: HashMap<String, usize>,
    /// Paths of the files that it includes, and where it does.
    includes: (Vec<String>, usize),
}

impl Compose {
    /// Reads a file; one that is malformed is a warning.
    fn read(files: &Files<'_>, path: &str) -> Option<Self> {
        let (text, value) = parse(files, path)?;
        let lines = service_lines(&text);
        let said = plain(&value).get("services").map(plain);
        if let Some((line, message)) = said.and_then(|said| fault(&text, said, &lines)) {
            files.malformed(path, &text, line, 1, &message);
        }
        let services = said.and_then(Value::as_mapping).cloned();
        let paths = included(path, plain(&value).get("include"));
        let line = key_line(&text, "include");
        if services.is_none() && paths.is_empty() {
            return None;
        }
        let services = services.unwrap_or_default();
        Some(Self { path: path.into(), services, lines, includes: (paths, line) })
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
                _ if packaged => Scope::Aside(PACKAGED.into()),
                _ => Scope::Runtime,
            };
            for image in self.images(files, service) {
                out.push(Declared {
                    ecosystem: Ecosystem::Compose,
                    line: self.lines.get(name).copied().unwrap_or(1),
                    name: image::canonical(&image),
                    extras: vec![image],
                    scope: scope.clone(),
                    file: self.path.clone(),
                });
            }
        }
        out
    }

    /// Returns what the files declare that this one includes, and those that they include in turn
    /// (<https://docs.docker.com/reference/compose-file/include/>). All of it is said to stand where this file includes it, as it
    /// is this file that decides.
    fn declared_by_included(&self, files: &Files<'_>, role: &Role, own: &[String]) -> Vec<Declared> {
        let mut known: BTreeSet<String> = BTreeSet::from([self.path.clone()]);
        let mut open = self.includes.0.clone();
        let mut out = Vec::new();
        while let Some(path) = open.pop() {
            let Some(compose) =
                Some(path).filter(|path| known.insert(path.clone())).and_then(|path| Self::read(files, &path))
            else {
                continue;
            };
            let declared = compose.declared(files, role, own).into_iter();
            out.extend(declared.map(|one| Declared { file: self.path.clone(), line: self.includes.1, ..one }));
            open.extend(compose.includes.0);
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

    /// Returns the images of a service as they are written: its own, else that of the service in another file which it extends,
    /// and what the Dockerfile it is built from starts with.
    fn images(&self, files: &Files<'_>, service: &Mapping) -> Vec<String> {
        let mut images: Vec<String> = Vec::new();
        images.extend(service.get("image").map(plain).and_then(Value::as_str).map(image::expanded));
        if let Some(build) = service.get("build").map(plain) {
            images.extend(self.built_from(files, build));
        }
        if images.is_empty() { self.extended(files, service, MAX_DEPTH) } else { images }
    }

    /// Returns the images of the service in another file that a service extends
    /// (<https://docs.docker.com/reference/compose-file/services/#extends>), through at most `depth` files.
    fn extended(&self, files: &Files<'_>, service: &Mapping, depth: usize) -> Vec<String> {
        let extends = service.get("extends").map(plain);
        let text = |key: &str| extends.and_then(|extends| extends.get(key)).map(plain).and_then(Value::as_str);
        let other = || {
            let file = place(split(&self.path).0, &image::expanded(text("file")?))?;
            let compose = Self::read(files, &file)?;
            let service = compose.services.get(text("service")?).map(plain)?.as_mapping()?.clone();
            Some((compose, service))
        };
        let Some((compose, service)) = (depth > 0).then(other).flatten() else { return Vec::new() };
        if service.get("extends").is_some() && service.get("image").is_none() && service.get("build").is_none() {
            return compose.extended(files, &service, depth - 1);
        }
        compose.images(files, &service)
    }

    /// Returns the image that a build starts with.
    fn built_from(&self, files: &Files<'_>, build: &Value) -> Option<String> {
        let text = |key: &str| build.get(key).map(plain).and_then(Value::as_str);
        let (target, args) = (text("target").map(image::expanded), args(build.get("args").map(plain)));
        let base = |dockerfile: &str| dockerfile::base(dockerfile, target.as_deref(), &args);
        if let Some(dockerfile) = text("dockerfile_inline") {
            return base(dockerfile);
        }
        let context = build.as_str().or_else(|| text("context")).unwrap_or(".");
        let file = image::expanded(text("dockerfile").unwrap_or("Dockerfile"));
        let directory = split(&self.path).0;
        let file = place(directory, &image::expanded(context)).and_then(|context| place(&context, &file));
        file.and_then(|file| files.read_named(&file)).and_then(|text| base(&text))
    }
}

/// How many files a service is looked for in that extends another one; a cycle ends there.
const MAX_DEPTH: usize = 8;

/// Returns the paths of `include`, written as `- a.yml`, `- path: a.yml` or `- path: [a.yml, b.yml]`, from the project's root.
fn included(path: &str, include: Option<&Value>) -> Vec<String> {
    let texts = |value: &Value| -> Vec<String> {
        match plain(value) {
            Value::String(text) => vec![text.clone()],
            Value::Sequence(values) => values.iter().filter_map(|v| plain(v).as_str()).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    };
    let entries = include.map(plain).and_then(Value::as_sequence).into_iter().flatten();
    let paths = entries.flat_map(|entry| plain(entry).get("path").map_or_else(|| texts(entry), texts));
    paths.filter_map(|text| place(split(path).0, &image::expanded(&text))).collect()
}

/// Reads the arguments of a build: a mapping, or a list of `NAME=value`.
fn args(value: Option<&Value>) -> dockerfile::Args {
    let text = |value: &Value| value.as_str().map(image::expanded);
    match value {
        Some(Value::Mapping(map)) => {
            map.iter().filter_map(|(name, value)| Some((name.as_str()?.to_owned(), text(plain(value))?))).collect()
        }
        Some(Value::Sequence(list)) => {
            let pairs = list.iter().filter_map(Value::as_str).filter_map(|entry| entry.split_once('='));
            pairs.map(|(name, value)| (name.to_owned(), image::expanded(value))).collect()
        }
        _ => Vec::new(),
    }
}

/// Reads a file as YAML; one that is malformed is a warning.
fn parse(files: &Files<'_>, path: &str) -> Option<(String, Value)> {
    let text = files.read_named(path)?;
    let value = files.yaml(path, &text)?;
    Some((text, value))
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

/// Returns line and message where the services, or one of them, are no mapping. One of which nothing is said yet is none to warn of.
fn fault(text: &str, services: &Value, lines: &HashMap<String, usize>) -> Option<(usize, String)> {
    let is_one = |value: &Value| value.is_mapping() || value.is_null();
    if !is_one(services) {
        return Some((key_line(text, "services"), "`services` is not a mapping".into()));
    }
    let mut all = services.as_mapping().into_iter().flatten();
    let name = all.find_map(|(name, service)| name.as_str().filter(|_| !is_one(plain(service))))?;
    Some((lines.get(name).copied().unwrap_or(1), format!("the service `{name}` is not a mapping")))
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
