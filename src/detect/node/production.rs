//! How an app of Node is built and started in production.

use super::NodePackage;
use super::scripts::{Manager, dev_script};
use crate::detect::command::{self, in_dir, runs, words};
use crate::detect::files::Files;
use crate::detect::model::Production;
use crate::detect::production::{is_for_development, without_watching};

/// Describes everything but the start.
pub(in crate::detect) fn production(files: &Files<'_>, packages: &[NodePackage], dir: &str) -> Option<Production> {
    let package = packages.iter().find(|package| package.dir == dir)?;
    let root = packages.iter().find(|other| other.dir.is_empty() && other.is_workspace_root(files));
    let manager = Manager::of(files, package, packages.iter().find(|other| other.dir.is_empty()));
    let base = root.unwrap_or(package);
    // In a workspace the root's script builds what the app is made of, too.
    let builds = |package: &&NodePackage| script(package, "build").is_some();
    let built = [root, Some(package)].into_iter().flatten().find(builds);
    Some(Production {
        dir: dir.to_owned(),
        install: in_dir(&base.dir, manager.install()),
        build: built.map(|package| in_dir(&package.dir, &manager.run("build", None))),
        prune: Some(in_dir(&base.dir, prune(&manager, root.is_some()))),
        start: None,
    })
}

/// Takes the packages of development away again: <https://docs.npmjs.com/cli/v11/commands/npm-prune>,
/// <https://pnpm.io/cli/prune> (which knows no workspaces), <https://classic.yarnpkg.com/lang/en/docs/cli/install>,
/// <https://yarnpkg.com/cli/workspaces/focus>, <https://bun.com/docs/pm/cli/install>.
fn prune(manager: &Manager, workspace: bool) -> &'static str {
    match (manager.name, manager.berry, workspace) {
        ("pnpm", _, false) => "pnpm prune --prod",
        ("pnpm", _, true) => "CI=true pnpm install --prod --frozen-lockfile --prefer-offline",
        ("yarn", true, _) => "yarn workspaces focus --all --production",
        ("yarn", false, _) => "yarn install --production --ignore-scripts --prefer-offline",
        ("bun", ..) => "rm -rf node_modules && bun install --production",
        _ => "npm prune --omit=dev",
    }
}

/// Returns what starts the package: its script `start`; what `dev` runs, without watching; its `main`.
pub(in crate::detect) fn start(files: &Files<'_>, package: &NodePackage, packages: &[NodePackage]) -> Option<String> {
    if let Some(text) = script(package, "start") {
        let manager = Manager::of(files, package, packages.iter().find(|other| other.dir.is_empty()));
        let hooked = ["prestart", "poststart"].iter().any(|hook| script(package, hook).is_some());
        // The program itself gets signals; a package manager between would have to hand them on.
        let calls = ["npm", "pnpm", "yarn", "bun", "npx", "run-s", "run-p"].iter().any(|program| runs(text, program));
        return match () {
            () if is_for_development(text) => None,
            () if hooked || calls => Some(manager.run("start", None)),
            () => Some(text.trim().to_owned()),
        };
    }
    let plain = dev_script(package)
        .map(|script| without_watching(script.text))
        .filter(|text| words(text).next() == Some("node") && command::is_plain(text) && !is_for_development(text));
    plain.or_else(|| package.json.text(&["main"]).map(|(main, _)| format!("node {}", command::quote(main))))
}

fn script<'a>(package: &'a NodePackage, name: &str) -> Option<&'a str> {
    package.json.text(&["scripts", name]).map(|(text, _)| text).filter(|text| !text.trim().is_empty())
}
