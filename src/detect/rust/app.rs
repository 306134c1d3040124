//! How a Rust app runs in dev.

use super::Crate;
use crate::catalog::Ecosystem;
use crate::detect::app::{Candidate, Ready};
use crate::detect::command;
use crate::detect::files::Files;
use crate::detect::model::{Found, Stack};
use crate::detect::places::{join, split};
use crate::detect::toml::Toml;

/// The newest image of Rust 1: the one with the C libraries that crates link.
const IMAGE: &str = "rust:1";

/// A web framework.
struct Framework {
    package: &'static str,
    port: u16,
    /// What stands before `cargo run`, and what behind it, so that the server is reached from outside its container.
    before: &'static str,
    behind: &'static str,
}

const fn library(package: &'static str, port: u16) -> Framework {
    Framework { package, port, before: "", behind: "" }
}

/// Frameworks, those that stand on others first. Ports and settings: rocket.rs/guide/master/configuration,
/// loco.rs/docs/the-app/your-project; the others have their port in source code, and these are the ports of their examples.
const FRAMEWORKS: [Framework; 9] = [
    Framework { package: "loco-rs", port: 5150, before: "", behind: "start --binding 0.0.0.0" },
    Framework { package: "rocket", port: 8000, before: "ROCKET_ADDRESS=0.0.0.0 ", behind: "" },
    library("actix-web", 8080),
    library("axum", 3000),
    library("poem", 3000),
    library("salvo", 5800),
    library("warp", 3030),
    library("tide", 8080),
    library("ntex", 8080),
];

/// Crates that say that the app is started by a tool of their own, or has a window.
const OTHERWISE: [&str; 6] = ["tauri", "leptos", "dioxus", "yew", "bevy", "shuttle-runtime"];

/// Describes the app of every crate that has a program.
pub(in crate::detect) fn candidates(files: &Files<'_>, crates: &[Crate]) -> Vec<Ready> {
    crates.iter().filter(|one| one.toml.get(&["package"]).is_some()).map(|one| ready(files, one)).collect()
}

fn ready(files: &Files<'_>, one: &Crate) -> Ready {
    let declared = |name: &str| one.packages.iter().find(|package| package.name == name);
    let framework = FRAMEWORKS.iter().find_map(|known| Some((known, declared(known.package)?)));
    let otherwise = OTHERWISE.iter().any(|name| declared(name).is_some());
    let program = program(files, one).filter(|_| !otherwise);
    let dev = program.map(|(program, file, line)| {
        let flag = program.map(|name| format!(" --bin {}", command::quote(&name))).unwrap_or_default();
        let (before, behind) = framework.as_ref().map_or(("", ""), |(known, _)| (known.before, known.behind));
        let arguments = if behind.is_empty() { String::new() } else { format!(" -- {behind}") };
        Found::new(format!("{before}cargo run{flag}{arguments}"), file, line, "the program of Cargo.toml")
    });
    let port = framework.as_ref().filter(|_| dev.is_some()).map(|(known, package)| {
        Found::new(known.port, &package.file, package.line, format!("usual with {}", known.package))
    });
    let fixed_port = framework.as_ref().is_some_and(|(known, _)| !known.before.is_empty() || !known.behind.is_empty());
    let name = one.toml.get(&["package", "name"]);
    let candidate = Candidate {
        dir: one.dir.clone(),
        ecosystem: Ecosystem::Rust,
        name: name
            .and_then(|name| Some(Found::new(name.text()?.to_owned(), &one.file, name.line, "the name in Cargo.toml"))),
        image: dev.as_ref().map(|_| Found::new(IMAGE.to_owned(), &one.file, 1, "kilter's default for Rust")),
        dev,
        port,
        fixed_port,
        reloads: false,
        serves: framework.is_some(),
    };
    Ready { candidate, stack: stack(files, one) }
}

/// Returns the program to run with its file and line; no name where `cargo run` needs none
/// (<https://doc.rust-lang.org/cargo/reference/cargo-targets.html#binaries>).
fn program(files: &Files<'_>, one: &Crate) -> Option<(Option<String>, String, usize)> {
    if let Some(default) = one.toml.get(&["package", "default-run"]) {
        return Some((None, one.file.clone(), default.line));
    }
    let own = one.toml.get(&["package", "name"]).and_then(Toml::text).unwrap_or_default();
    let mut programs: Vec<(String, String, usize)> = Vec::new();
    for table in one.toml.get(&["bin"]).map(Toml::list).unwrap_or_default() {
        if let Some(name) = table.get(&["name"]).and_then(Toml::text) {
            programs.push((name.to_owned(), one.file.clone(), table.line));
        }
    }
    let main = join(&one.dir, "src/main.rs");
    if files.has(&main) && !programs.iter().any(|(name, _, _)| name == own) {
        let taken = one.toml.get(&["bin"]).map(Toml::list).unwrap_or_default().iter();
        let mut taken = taken.filter_map(|table| table.get(&["path"])?.text());
        if !taken.any(|path| path == "src/main.rs") {
            programs.push((own.to_owned(), main, 1));
        }
    }
    let folder = join(&one.dir, "src/bin/");
    let others = files.all().filter_map(|path| Some((path, path.strip_prefix(folder.as_str())?.strip_suffix(".rs")?)));
    for (path, name) in others.filter(|(_, name)| !name.contains('/')) {
        if !programs.iter().any(|(known, _, _)| known == name) {
            programs.push((name.to_owned(), path.to_owned(), 1));
        }
    }
    let names = [own, "server", "api", "web", "app"];
    let chosen = names.iter().find_map(|name| programs.iter().position(|(known, _, _)| known == name));
    let alone = programs.len() == 1;
    let (name, file, line) = programs.into_iter().nth(chosen.unwrap_or(0))?;
    Some(((!alone).then_some(name), file, line))
}

/// Tells how the crate is installed: everything is copied first, as a build reads sources, and built once, so that a start
/// builds only what changed.
fn stack(files: &Files<'_>, one: &Crate) -> Stack {
    let rebuild_on = files.all().filter(|path| split(path).1 == "Cargo.toml").map(str::to_owned).collect();
    Stack {
        ecosystem: Ecosystem::Rust,
        manager: "cargo".into(),
        manifests: Vec::new(),
        rebuild_on,
        install: command::in_dir(&one.dir, "cargo build"),
        extensions: Vec::new(),
        keeps: Vec::new(),
        reloads: false,
    }
}
