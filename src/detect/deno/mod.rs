//! Deno: `deno.json`, `deno.jsonc` and import maps. Packages of npm have npm's own names; those of JSR are written
//! `jsr:@scope/name`, modules of deno.land `deno.land/x/name`.

use serde_json::Value;

use super::app::{Candidate, Ready};
use super::command;
use super::confidence::Scope;
use super::files::Files;
use super::json::{Json, Objects};
use super::jsonc;
use super::model::{Found, Stack};
use super::node;
use super::places::{join, split};
use super::rules::Declared;
use crate::catalog::Ecosystem;

/// The image: there is none that follows the newest Deno 2.
const IMAGE: &str = "denoland/deno:2.6.1";

/// The port of `Deno.serve` (<https://docs.deno.com/api/deno/~/Deno.serve>).
const PORT: u16 = 8000;

/// The port of Vite's dev server (<https://vite.dev/config/server-options>), which Fresh's is.
const VITE_PORT: u16 = 5173;

/// Tasks that start the app in dev, the best first.
const TASKS: [&str; 4] = ["dev", "start:dev", "start", "serve"];

/// One deno.json or import map.
pub(super) struct DenoManifest {
    /// Its directory, empty for the root.
    pub dir: String,
    pub file: String,
    json: Json,
}

/// Tells whether a file is Deno's.
pub(super) fn is_manifest(name: &str) -> bool {
    is_config(name) || is_map(name) || name == "deno.lock"
}

fn is_config(name: &str) -> bool {
    matches!(name, "deno.json" | "deno.jsonc")
}

fn is_map(name: &str) -> bool {
    matches!(name, "import_map.json" | "import-map.json" | "importMap.json" | "importmap.json")
}

/// Reads every manifest of Deno, sorted by path. An import map without Deno's own file may be a page's, but names packages all
/// the same.
pub(super) fn read(files: &Files<'_>) -> Vec<DenoManifest> {
    let paths = files.all().filter(|path| is_config(split(path).1) || is_map(split(path).1));
    paths.filter_map(|path| one(files, path)).collect()
}

fn one(files: &Files<'_>, path: &str) -> Option<DenoManifest> {
    let objects = Objects { names: &["imports", "scopes"], or_empty_list: false };
    let json = Json::object(files, path, jsonc::plain, &objects)?;
    Some(DenoManifest { dir: split(path).0.into(), file: path.into(), json })
}

/// Returns what the manifests import (<https://docs.deno.com/runtime/fundamentals/modules>).
pub(super) fn declared(manifests: &[DenoManifest]) -> Vec<Declared> {
    let mut found = Vec::new();
    for manifest in manifests {
        let scopes = manifest.json.value["scopes"].as_object();
        let scoped = scopes.into_iter().flatten().map(|(name, imports)| (vec!["scopes", name.as_str()], imports));
        let tables = std::iter::once((vec!["imports"], &manifest.json.value["imports"])).chain(scoped);
        for (path, imports) in tables {
            for (key, target) in imports.as_object().into_iter().flatten() {
                let Some(name) = target.as_str().and_then(package) else { continue };
                let line: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
                found.push(Declared {
                    ecosystem: Ecosystem::Node,
                    name,
                    extras: Vec::new(),
                    scope: Scope::Runtime,
                    file: manifest.file.clone(),
                    line: manifest.json.line(&line),
                });
            }
        }
    }
    found
}

/// Returns the package behind `npm:pg@^8`, `jsr:@db/postgres@0.19`, `https://deno.land/x/postgres@v0.19.3/mod.ts`,
/// `https://esm.sh/pg@8`.
fn package(target: &str) -> Option<String> {
    if let Some(rest) = target.strip_prefix("npm:") {
        return bare(rest.trim_start_matches('/'));
    }
    if let Some(rest) = target.strip_prefix("jsr:") {
        return bare(rest.trim_start_matches('/')).map(|name| format!("jsr:{name}"));
    }
    let address = target.strip_prefix("https://")?;
    if let Some(rest) = address.strip_prefix("deno.land/x/") {
        return bare(rest).map(|name| format!("deno.land/x/{name}"));
    }
    ["esm.sh/", "cdn.skypack.dev/", "esm.run/"].iter().find_map(|host| bare(address.strip_prefix(host)?))
}

/// Returns the name before version and path: `@scope/name@1/file`, `name@1/file`.
fn bare(text: &str) -> Option<String> {
    let (scope, rest) = match text.strip_prefix('@') {
        Some(scoped) => {
            let (scope, rest) = scoped.split_once('/')?;
            (format!("@{scope}/"), rest)
        }
        None => (String::new(), text),
    };
    let name = rest.split(['@', '/', '?']).next().unwrap_or_default();
    (!name.is_empty()).then(|| scope + name)
}

/// Describes the app of every deno.json with a task that starts one.
pub(super) fn candidates(files: &Files<'_>, manifests: &[DenoManifest]) -> Vec<Ready> {
    manifests.iter().filter(|manifest| is_config(split(&manifest.file).1)).map(|one| ready(files, one)).collect()
}

fn ready(files: &Files<'_>, manifest: &DenoManifest) -> Ready {
    let task = TASKS.iter().find_map(|name| task(manifest, name));
    let text = task.as_ref().map(|(_, text, _)| expanded(manifest, text)).unwrap_or_default();
    let vite = command::runs(&text, "vite");
    let dev = task.as_ref().map(|(name, text, line)| {
        let run = format!("deno task {name}");
        match node::opens_by_flag(text, "vite") {
            Some(flags) => {
                let note = format!("from the task {name}; `{flags}` makes it reachable from outside its container");
                Found::new(format!("{run} {flags}"), &manifest.file, *line, note)
            }
            None => Found::new(run, &manifest.file, *line, format!("from the task {name}")),
        }
    });
    let serves = ["fresh", "vite", "serve"].iter().any(|program| command::runs(&text, program))
        || imports_any(manifest, &["jsr:@fresh/core", "deno.land/x/fresh", "jsr:@oak/oak", "jsr:@hono/hono", "hono"]);
    let port = task.as_ref().map(|(name, _, line)| match command::port(&text) {
        Some(port) => Found::new(port, &manifest.file, *line, format!("from the task {name}")),
        None if vite => Found::new(VITE_PORT, &manifest.file, *line, "the default of vite"),
        None => Found::new(PORT, &manifest.file, *line, "the default of Deno"),
    });
    let name = manifest.json.text(&["name"]);
    let candidate = Candidate {
        dir: manifest.dir.clone(),
        ecosystem: Ecosystem::Node,
        name: name.map(|(name, line)| Found::new(name.into(), &manifest.file, line, "the name in deno.json")),
        image: dev.as_ref().map(|_| Found::new(IMAGE.to_owned(), &manifest.file, 1, "kilter's default for Deno")),
        dev,
        port,
        fixed_port: true,
        reloads: command::reloads(&text),
        serves,
    };
    Ready { candidate, stack: stack(files, manifest) }
}

fn imports_any(manifest: &DenoManifest, names: &[&str]) -> bool {
    let imports = manifest.json.value["imports"].as_object();
    imports
        .into_iter()
        .flatten()
        .filter_map(|(_, target)| package(target.as_str()?))
        .any(|n| names.contains(&n.as_str()))
}

/// Returns a task with its line: a text, or the `command` of an object (<https://docs.deno.com/runtime/reference/cli/task>).
fn task<'a>(manifest: &'a DenoManifest, name: &'a str) -> Option<(&'a str, &'a str, usize)> {
    let value = manifest.json.value["tasks"].get(name)?;
    let text = value.as_str().or_else(|| value.get("command").and_then(Value::as_str))?;
    (!text.trim().is_empty()).then(|| (name, text, manifest.json.line(&["tasks", name])))
}

/// Returns a task together with the one that it runs.
fn expanded(manifest: &DenoManifest, text: &str) -> String {
    let words: Vec<&str> = command::words(text).collect();
    let called = words.windows(3).find_map(|words| match words {
        ["deno", "task", name] => task(manifest, name),
        _ => None,
    });
    called.map_or_else(|| text.to_owned(), |(_, called, _)| format!("{text}\n{called}"))
}

/// Tells how the app is installed: everything is copied first, as members of a workspace and import maps may be anywhere.
fn stack(files: &Files<'_>, manifest: &DenoManifest) -> Stack {
    let named = |path: &&str| is_manifest(split(path).1) || split(path).1 == "package.json";
    let frozen = files.has(&join(&manifest.dir, "deno.lock"));
    let install = if frozen { "deno install --frozen" } else { "deno install" };
    Stack {
        ecosystem: Ecosystem::Node,
        manager: "deno".into(),
        manifests: Vec::new(),
        rebuild_on: files.all().filter(named).map(str::to_owned).collect(),
        install: command::in_dir(&manifest.dir, install),
        extensions: Vec::new(),
        keeps: Vec::new(),
        reloads: false,
    }
}

#[cfg(test)]
mod tests;
