//! Which of the project's apps is the one kilter runs, and what is known about it.

use super::command;
use super::dockerfile;
use super::elixir::{self, MixProject};
use super::files::Files;
use super::go::GoModule;
use super::model::{Detection, Found, Stack};
use super::node::{self, NodePackage};
use super::php::{self, PhpPackage};
use super::places::{is_called_a_tool, join, place};
use super::python::{self, PythonManifest};
use super::ruby::{self, RubyManifest};
use crate::catalog::Ecosystem;

/// An app of one directory, as one ecosystem sees it.
pub(super) struct Candidate {
    /// Its directory, empty for the root.
    pub dir: String,
    pub ecosystem: Ecosystem,
    pub name: Option<Found<String>>,
    /// Its dev command, run in `dir`.
    pub dev: Option<Found<String>>,
    pub port: Option<Found<u16>>,
    /// Whether the app listens on `port` whatever `PORT` says.
    pub fixed_port: bool,
    pub image: Option<Found<String>>,
    /// Whether its dev command loads changed files by itself.
    pub reloads: bool,
    /// Whether a web framework is among its packages.
    pub serves: bool,
}

/// The manifests of the languages in which the server is usually the whole app.
pub(super) struct Other {
    pub ruby: Vec<RubyManifest>,
    pub php: Vec<PhpPackage>,
    pub elixir: Vec<MixProject>,
}

impl Other {
    fn candidates(&self, files: &Files<'_>) -> Vec<Candidate> {
        let mut candidates = ruby::candidates(files, &self.ruby);
        candidates.extend(php::candidates(files, &self.php));
        candidates.extend(elixir::candidates(files, &self.elixir));
        candidates
    }
}

/// A candidate with what Dockerfile.dev has to know about it.
pub(super) struct Ready {
    pub candidate: Candidate,
    pub stack: Stack,
}

/// Describes the app of a project; everything but findings and warnings. `ready` are the apps of the languages whose readers
/// know all of that by themselves.
pub(super) fn describe(
    files: &Files<'_>,
    node: &[NodePackage],
    python: &[PythonManifest],
    go: &[GoModule],
    other: &Other,
    ready: Vec<Ready>,
) -> Detection {
    let mut candidates: Vec<Candidate> = node.iter().map(|package| node::candidate(files, package, node)).collect();
    candidates.extend(python::candidates(files, python));
    candidates.extend(super::go::candidates(files, go));
    candidates.extend(other.candidates(files));
    let mut candidates: Vec<(Candidate, Option<Stack>)> = candidates.into_iter().map(|app| (app, None)).collect();
    candidates.extend(ready.into_iter().map(|ready| (ready.candidate, Some(ready.stack))));
    let root_name = candidates.iter().filter(|(c, _)| c.dir.is_empty()).find_map(|(c, _)| c.name.clone());
    let alone = candidates.len() == 1;
    candidates.sort_by_cached_key(|(candidate, _)| rank(candidate));
    let Some((app, own)) = candidates.into_iter().next() else { return unknown(files) };
    let stack = own.or_else(|| match app.ecosystem {
        Ecosystem::Node => node::stack(files, node, &app.dir),
        Ecosystem::Python => python::stack(files, python, &app.dir),
        Ecosystem::Go => super::go::stack(files, &app.dir),
        Ecosystem::Ruby => ruby::stack(files, &other.ruby, &app.dir),
        Ecosystem::Php => php::stack(files, &other.php, &app.dir),
        Ecosystem::Elixir => elixir::stack(files, &other.elixir, &app.dir),
        _ => None,
    });
    // What kilter knows of Node's production is not Deno's.
    let built = stack.as_ref().filter(|stack| stack.manager != "deno");
    let production = built.and_then(|stack| super::production::of(files, node, &app, stack));
    let procfile = procfile(files, &app.dir, app.dev.is_some()).map(|web| match app.ecosystem {
        Ecosystem::Ruby => Found { value: ruby::reachable(&web.value), ..web },
        _ => web,
    });
    let from_procfile = procfile.is_some();
    let dev = procfile.or(app.dev).map(|dev| located(dev, &app.dir, alone));
    let port = port(files, &app.dir, dev.as_ref().filter(|_| from_procfile), app.port, app.fixed_port);
    let health = dockerfile::of_app(files, &app.dir).find_map(|(path, text)| dockerfile::health(&path, &text));
    let reloads = match &dev {
        Some(dev) if from_procfile => command::reloads_as(&dev.value, app.reloads),
        Some(_) => app.reloads,
        None => false,
    };
    let stack = stack.map(|stack| Stack { reloads, ..stack });
    Detection {
        name: root_name.or(app.name.filter(|_| alone)),
        port,
        dev,
        image: app.image,
        health,
        stack,
        production,
        ..Detection::default()
    }
}

/// Returns the names that a project gives itself: the parts of `@acme/shop`, without those that every project has.
pub(super) fn own_names(detection: &Detection) -> Vec<String> {
    const USUAL: [&str; 16] = [
        "api",
        "app",
        "application",
        "backend",
        "client",
        "frontend",
        "main",
        "monorepo",
        "platform",
        "project",
        "root",
        "server",
        "site",
        "web",
        "website",
        "workspace",
    ];
    let name = detection.name.as_ref().map(|name| name.value.to_ascii_lowercase()).unwrap_or_default();
    let parts = name.split(['@', '/']).filter(|part| part.len() > 2 && !USUAL.contains(part));
    parts.map(str::to_owned).collect()
}

/// A project without a known manifest: what its Procfile and Dockerfile say.
fn unknown(files: &Files<'_>) -> Detection {
    let dev = procfile(files, "", false);
    let port = port(files, "", dev.as_ref(), None, false);
    let health = dockerfile::of_app(files, "").find_map(|(path, text)| dockerfile::health(&path, &text));
    Detection { dev, port, health, ..Detection::default() }
}

/// Orders candidates, the app first: one that can be started; at the root; in `apps`; in a directory with a name that
/// apps have, for one that serves also below it; one that serves; the shallowest; by name. At the root a package.json with a
/// dev script but no web framework often builds the assets of a server in another language, which then comes first; beside Rails, Laravel, Symfony and Phoenix
/// even one with a web framework does, as that is what their own generators write. So does a server in a language that has no use
/// for a package.json of its own: where both serve, the one of Node is its page.
fn rank(candidate: &Candidate) -> impl Ord + use<> {
    let language = match candidate.ecosystem {
        Ecosystem::Ruby | Ecosystem::Php | Ecosystem::Elixir if !candidate.dir.is_empty() => 3,
        Ecosystem::Node => 1,
        Ecosystem::Python => 2,
        Ecosystem::Go => 3,
        _ => 0,
    };
    let depth = candidate.dir.matches('/').count();
    (
        candidate.dev.is_none(),
        is_called_a_tool(&candidate.dir),
        place(&candidate.dir, candidate.serves),
        !candidate.serves,
        depth,
        language,
        candidate.dir.clone(),
    )
}

/// Makes a command run in the app's directory, and says which app it is when there are several.
fn located(dev: Found<String>, dir: &str, alone: bool) -> Found<String> {
    let note = if alone || dir.is_empty() { dev.note } else { format!("{}; the app in {dir}", dev.note) };
    Found { value: command::in_dir(dir, &dev.value), note, ..dev }
}

/// Returns the `web` process of Procfile.dev; that of Procfile, which is for production, when nothing else is known.
fn procfile(files: &Files<'_>, dir: &str, otherwise_known: bool) -> Option<Found<String>> {
    let names = if otherwise_known { &["Procfile.dev"][..] } else { &["Procfile.dev", "Procfile"] };
    names.iter().find_map(|name| {
        let path = join(dir, name);
        let text = files.read_if_there(&path)?;
        text.lines().enumerate().find_map(|(number, line)| {
            let command = line.strip_prefix("web:")?.trim();
            let note = format!("the process web of {name}");
            (!command.is_empty()).then(|| Found::new(command.to_owned(), path.as_str(), number + 1, note))
        })
    })
}

/// Chooses the port: what the dev command says; a framework that listens where it wants; `PORT` of `.env.example`; EXPOSE of a
/// Dockerfile; the framework's default.
fn port(
    files: &Files<'_>,
    dir: &str,
    procfile: Option<&Found<String>>,
    known: Option<Found<u16>>,
    fixed: bool,
) -> Option<Found<u16>> {
    let said =
        procfile.and_then(|dev| command::port(&dev.value).map(|port| Found::new(port, &dev.file, dev.line, &dev.note)));
    let by_command = known.clone().filter(|port| fixed || port.note.starts_with("from "));
    said.or(by_command)
        .or_else(|| env_example(files, dir))
        .or_else(|| dockerfile::of_app(files, dir).find_map(|(path, text)| dockerfile::port(&path, &text)))
        .or(known)
}

fn env_example(files: &Files<'_>, dir: &str) -> Option<Found<u16>> {
    let names = [".env.example", ".env.sample", ".env.template"];
    let paths = [dir, ""].into_iter().flat_map(|dir| names.map(|name| join(dir, name)));
    paths.into_iter().find_map(|path| {
        let text = files.read_if_there(&path)?;
        text.lines().enumerate().find_map(|(number, line)| {
            let value = line.trim().trim_start_matches("export ").strip_prefix("PORT=")?;
            let value = value.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
            let port = value.parse().ok().filter(|port| *port > 0)?;
            Some(Found::new(port, path.as_str(), number + 1, "PORT of the example environment"))
        })
    })
}

#[cfg(test)]
mod tests;
