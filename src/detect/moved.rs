//! Whether what a stack was made of is still what the project has: a look at a few places, for every render.

use std::fs;
use std::path::Path;

use super::Stack;
use crate::catalog::Ecosystem;

/// Files at the root that say how to install; a new one changes that.
fn at_the_root(ecosystem: Ecosystem) -> &'static [&'static str] {
    match ecosystem {
        Ecosystem::Node => &[
            "package-lock.json",
            "npm-shrinkwrap.json",
            "pnpm-lock.yaml",
            "pnpm-workspace.yaml",
            "yarn.lock",
            "bun.lock",
            "bun.lockb",
        ],
        Ecosystem::Python => &["uv.lock", "poetry.lock", "Pipfile.lock"],
        Ecosystem::Go => &["go.sum", "go.work"],
        Ecosystem::Php => &["composer.lock"],
        Ecosystem::Ruby => &["Gemfile.lock", "gems.locked"],
        Ecosystem::Elixir => &["mix.lock"],
        _ => &[],
    }
}

/// The manifest of one member of a workspace.
fn of_a_member(ecosystem: Ecosystem) -> Option<&'static str> {
    match ecosystem {
        Ecosystem::Node => Some("package.json"),
        Ecosystem::Python => Some("pyproject.toml"),
        Ecosystem::Elixir => Some("mix.exs"),
        _ => None,
    }
}

/// Tells whether the app has to be looked at again: a manifest of its stack is gone, a lockfile is new, or a workspace has
/// a member more, at most two directories down, where workspaces keep them.
pub fn moved(root: &Path, stack: &Stack) -> bool {
    if stack.manifests.is_empty() {
        // Everything is copied before the installation.
        return false;
    }
    let known = |path: &str| stack.manifests.iter().any(|manifest| manifest == path);
    let gone = stack.manifests.iter().any(|manifest| !root.join(manifest).is_file());
    let fresh = |name: &&&str| !known(name) && root.join(name).is_file();
    if gone || at_the_root(stack.ecosystem).iter().find(fresh).is_some() {
        return true;
    }
    let workspace = known("pnpm-workspace.yaml") || stack.manifests.iter().any(|manifest| manifest.contains('/'));
    let Some(manifest) = of_a_member(stack.ecosystem).filter(|_| workspace) else { return false };
    let below = |dir: &str| subdirectories(root, dir).into_iter();
    let members = below("").chain(below("").flat_map(|dir| below(&dir)));
    members.map(|dir| format!("{dir}/{manifest}")).any(|path| !known(&path) && root.join(path).is_file())
}

/// Lists the directories of a directory by their path below the root; hidden and installed ones are left out.
fn subdirectories(root: &Path, dir: &str) -> Vec<String> {
    let entries = fs::read_dir(root.join(dir)).into_iter().flatten().flatten();
    let names = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let names = names.filter(|name| !name.starts_with('.') && name != "node_modules");
    names.map(|name| if dir.is_empty() { name } else { format!("{dir}/{name}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_moves_with_its_manifests_lockfiles_and_members() {
        let project = tempfile::tempdir().unwrap();
        let put = |path: &str| crate::fsx::write(&project.path().join(path), b"").unwrap();
        let stack = |manifests: &[&str]| Stack {
            ecosystem: Ecosystem::Node,
            manager: "npm".into(),
            manifests: manifests.iter().map(|m| (*m).to_owned()).collect(),
            install: "npm install".into(),
            extensions: Vec::new(),
            keeps: Vec::new(),
            reloads: true,
            rebuild_on: Vec::new(),
        };
        for path in
            ["package.json", "apps/web/package.json", "x/node_modules/y/package.json", "src/deep/down/package.json"]
        {
            put(path);
        }
        assert!(!moved(project.path(), &stack(&["package.json", "apps/web/package.json"])));
        assert!(!moved(project.path(), &stack(&["package.json"])), "no workspace");
        assert!(!moved(project.path(), &stack(&[])));
        put("apps/api/package.json");
        assert!(moved(project.path(), &stack(&["package.json", "apps/web/package.json"])), "a member more");
        assert!(moved(project.path(), &stack(&["package.json", "gone.json"])), "a manifest is gone");
        put("package-lock.json");
        assert!(moved(project.path(), &stack(&["package.json"])), "a new lockfile");
    }
}
