//! How the app of a package.json runs in dev.

use super::NodePackage;
use super::frameworks::{FRAMEWORKS, Framework};
use super::scripts::{Manager, Script, dev_script, ends_in_call_of, expanded, names_member};
use crate::catalog::Ecosystem;
use crate::detect::app::Candidate;
use crate::detect::command;
use crate::detect::files::Files;
use crate::detect::model::{Found, Stack};
use crate::detect::places::{join, place};
use crate::detect::versions;

/// Describes the app of one package; `packages` are all of the project.
pub(in crate::detect) fn candidate(files: &Files<'_>, package: &NodePackage, packages: &[NodePackage]) -> Candidate {
    let root = packages.iter().find(|other| other.dir.is_empty());
    let manager = Manager::of(files, package, root);
    let script = dev_script(package);
    let text = script.as_ref().map(|script| expanded(package, script.text)).unwrap_or_default();
    let framework = framework(package, &text);
    let member = (package.dir.is_empty() && framework.is_none() && package.is_workspace_root(files))
        .then(|| started_member(packages, &text))
        .flatten();
    let mut port = script.as_ref().and_then(|script| port(package, script, &text, framework));
    let mut reloads = command::reloads(&text) || framework.is_some_and(|framework| framework.reloads);
    if let Some(member) = member.map(|member| candidate(files, member, packages)) {
        port = port.or(member.port);
        reloads = reloads || member.reloads;
    }
    Candidate {
        dir: package.dir.clone(),
        ecosystem: Ecosystem::Node,
        name: package
            .json
            .text(&["name"])
            .map(|(name, line)| Found::new(name.into(), &package.file, line, "the name in package.json")),
        dev: script.as_ref().map(|script| dev(package, script, &manager, framework)),
        fixed_port: framework.is_some_and(|framework| !framework.reads_port),
        port,
        image: image(files, package, root),
        reloads,
        serves: framework.is_some(),
    }
}

/// Returns the member that the script of a workspace root starts: the one it names, else one that serves; in `apps` first,
/// always one that has a dev script. What the root's own script does not say about the port is in the member's.
fn started_member<'a>(packages: &'a [NodePackage], script: &str) -> Option<&'a NodePackage> {
    let members: Vec<&NodePackage> =
        packages.iter().filter(|member| !member.dir.is_empty() && dev_script(member).is_some()).collect();
    let named: Vec<&NodePackage> = members.iter().copied().filter(|member| names_member(script, member)).collect();
    let serves = |member: &&NodePackage| {
        let text = dev_script(member).map(|script| expanded(member, script.text)).unwrap_or_default();
        command::port(&text).is_some() || framework(member, &text).is_some()
    };
    let first = |among: &[&'a NodePackage]| {
        among.iter().copied().filter(serves).min_by_key(|member| (place(&member.dir, true), &member.dir))
    };
    match named.as_slice() {
        [] => first(&members),
        [one] => Some(one),
        several => first(several),
    }
}

/// Returns the framework that the script starts, else the first one among the dependencies.
fn framework(package: &NodePackage, script: &str) -> Option<&'static Framework> {
    let started = |framework: &&Framework| framework.programs.iter().any(|program| command::runs(script, program));
    let declared = |framework: &&Framework| package.dependency(framework.package).is_some();
    FRAMEWORKS.iter().find(started).or_else(|| FRAMEWORKS.iter().find(declared))
}

fn dev(package: &NodePackage, script: &Script<'_>, manager: &Manager, framework: Option<&Framework>) -> Found<String> {
    let flags = framework
        .and_then(|framework| framework.programs.iter().find_map(|program| opens_by_flag(script.text, program)))
        .map(|flags| (flags, "makes it reachable from outside its container"))
        .or_else(|| {
            hides_variables(package, script.text).then_some((TURBO_LOOSE, "hands the variables of the services on"))
        });
    let mut note = format!("from the script {}", script.name);
    if let Some((flags, why)) = flags {
        note += &format!("; `{flags}` {why}");
    }
    let flags = flags.map(|(flags, _)| flags);
    Found::new(manager.run(script.name, flags), &package.file, script.line, note)
}

/// Returns the flags that make a dev server listen to all addresses, where a script is a call of its program and does not say.
pub(in crate::detect) fn opens_by_flag(text: &str, program: &str) -> Option<&'static str> {
    let says_host = text.split([' ', '=']).any(|word| ["--host", "--hostname", "-H"].contains(&word));
    let framework = FRAMEWORKS.iter().find(|framework| framework.programs.contains(&program))?;
    framework.host.filter(|_| !says_host && ends_in_call_of(text, program))
}

/// Has turbo hand all variables on, not those alone that turbo.json names
/// (<https://turborepo.com/docs/crafting-your-repository/using-environment-variables#environment-modes>).
const TURBO_LOOSE: &str = "--env-mode=loose";

/// Tells whether a script is a call of turbo that a flag at its end makes hand the variables on: turbo 1 does by itself.
fn hides_variables(package: &NodePackage, text: &str) -> bool {
    let version = ["devDependencies", "dependencies"].iter().find_map(|table| package.json.text(&[table, "turbo"]));
    let major = version.map_or("", |(range, _)| range.trim_start_matches(['^', '~', '=', 'v'])).split('.').next();
    let hands_on = matches!(major, Some("0" | "1")) || text.contains("--env-mode");
    !hands_on && ends_in_call_of(text, "turbo") && !text.contains(" -- ")
}

fn port(package: &NodePackage, script: &Script<'_>, text: &str, framework: Option<&Framework>) -> Option<Found<u16>> {
    if let Some(port) = command::port(text) {
        return Some(Found::new(port, &package.file, script.line, format!("from the script {}", script.name)));
    }
    let framework = framework?;
    let line = package.dependency(framework.package).unwrap_or(script.line);
    Some(Found::new(framework.port, &package.file, line, format!("the default of {}", framework.package)))
}

/// Returns the base image: the newest long-term release that the project allows, `node:22-alpine` when it says nothing.
fn image(files: &Files<'_>, package: &NodePackage, root: Option<&NodePackage>) -> Option<Found<String>> {
    let image = |major: u32| format!("node:{major}-alpine");
    let places: Vec<&NodePackage> =
        std::iter::once(package).chain(root.filter(|root| root.dir != package.dir)).collect();
    for place in &places {
        for name in [".nvmrc", ".node-version"] {
            let file = join(&place.dir, name);
            let Some(text) = files.read_if_there(&file) else { continue };
            if let Some(major) = versions::nvm_major(&text) {
                return Some(Found::new(image(major), file, 1, format!("the version in {name}")));
            }
        }
        if let Some((range, line)) = place.json.text(&["engines", "node"])
            && let Some(major) = versions::node_major(range)
        {
            return Some(Found::new(image(major), &place.file, line, "fits engines.node"));
        }
    }
    Some(Found::new(image(versions::NODE), &package.file, 1, "kilter's default for Node"))
}

/// Returns how the app in `dir` is installed; whether it reloads is for the caller to fill in.
pub(in crate::detect) fn stack(files: &Files<'_>, packages: &[NodePackage], dir: &str) -> Option<Stack> {
    let package = packages.iter().find(|package| package.dir == dir)?;
    let manager = Manager::of(files, package, packages.iter().find(|other| other.dir.is_empty()));
    let root = packages.iter().find(|other| other.dir.is_empty() && other.is_workspace_root(files));
    // In a workspace everything is installed from the root.
    let base = root.unwrap_or(package);
    let members: Vec<&NodePackage> = if root.is_some() { packages.iter().collect() } else { vec![package] };
    let mut manifests: Vec<String> = Vec::new();
    let settings = ["pnpm-workspace.yaml", ".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", "bunfig.toml"]
        .map(|name| join(&base.dir, name));
    manifests.extend(members.iter().map(|member| member.file.clone()));
    manifests.extend(settings.into_iter().filter(|file| files.has(file)));
    manifests.extend(manager.lockfile.clone());
    manifests.sort();
    // Scripts that run while installing may read any source file; that of `@prisma/client` reads the schema.
    let prisma = files.all().any(|path| path.ends_with(".prisma"));
    let needs_sources = members.iter().any(|member| {
        ["preinstall", "install", "postinstall", "prepare"]
            .iter()
            .any(|name| member.json.text(&["scripts", name]).is_some())
            || member.dependency("patch-package").is_some()
            || (member.dependency("@prisma/client").is_some() && prisma)
            || member.json.value["pnpm"].get("patchedDependencies").is_some()
    });
    let mut rebuild_on = Vec::new();
    if needs_sources {
        rebuild_on.append(&mut manifests);
        rebuild_on.extend(files.all().filter(|path| path.ends_with(".prisma")).map(str::to_owned));
    }
    Some(Stack {
        ecosystem: Ecosystem::Node,
        manager: manager.name.into(),
        manifests,
        rebuild_on,
        install: command::in_dir(&base.dir, manager.install()),
        extensions: Vec::new(),
        keeps: Vec::new(),
        reloads: false,
    })
}
