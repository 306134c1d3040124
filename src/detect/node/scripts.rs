//! The scripts of package.json and who runs them.

use super::NodePackage;
use crate::detect::command;
use crate::detect::files::Files;
use crate::detect::places::join;

/// Scripts that start the app in dev, the best first.
const DEV_SCRIPTS: [&str; 5] = ["dev", "start:dev", "develop", "start", "serve"];

/// One script.
pub(super) struct Script<'a> {
    pub name: &'static str,
    pub text: &'a str,
    pub line: usize,
}

/// Returns the script that starts the app in dev.
pub(super) fn dev_script(package: &NodePackage) -> Option<Script<'_>> {
    DEV_SCRIPTS.iter().find_map(|name| {
        let (text, line) = package.json.text(&["scripts", name])?;
        (!text.trim().is_empty()).then_some(Script { name, text, line })
    })
}

/// Returns a script together with the scripts of the same package that it runs, so that what it finally does can be read.
pub(super) fn expanded(package: &NodePackage, text: &str) -> String {
    let mut out = text.to_owned();
    let mut current = text;
    // Deep enough for what people write, and an end for scripts that run one another.
    for _ in 0..3 {
        let Some(next) = called(package, current) else { break };
        out.push('\n');
        out.push_str(next);
        current = next;
    }
    out
}

/// Returns the text of the first other script that this one runs.
fn called<'a>(package: &'a NodePackage, text: &str) -> Option<&'a str> {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || "\"';&|".contains(c)).filter(|w| !w.is_empty()).collect();
    words.windows(3).chain(words.windows(2)).find_map(|window| {
        let name = match window {
            ["npm" | "pnpm" | "yarn" | "bun", "run", name]
            | ["pnpm" | "yarn" | "run-s" | "run-p", name]
            | ["npm", name @ "start"] => name,
            _ => return None,
        };
        let (called, _) = package.json.text(&["scripts", name])?;
        (called != text).then_some(called)
    })
}

/// Tells whether a script names a member of the workspace as the one to start: `pnpm --filter web dev`,
/// `npm run dev -w apps/web`, `yarn workspace web dev`, `turbo run dev --filter=web...`.
pub(super) fn names_member(text: &str, member: &NodePackage) -> bool {
    const FLAGS: [&str; 9] = ["--filter", "-F", "--workspace", "-w", "workspace", "-C", "--dir", "--prefix", "--cwd"];
    let words: Vec<&str> = command::words(text).collect();
    let following = words.windows(2).filter_map(|pair| FLAGS.contains(&pair[0]).then_some(pair[1]));
    let attached = words.iter().filter_map(|word| {
        let (flag, value) = word.split_once('=')?;
        FLAGS.contains(&flag).then_some(value)
    });
    let name = member.json.text(&["name"]).map_or("", |(name, _)| name);
    // pnpm takes a name without its scope, too (<https://pnpm.io/filtering>).
    let bare = name.rsplit('/').next().unwrap_or_default();
    following.chain(attached).any(|said| {
        let said = said.trim_matches(['{', '}', '.', '^']).trim_matches('/');
        !said.is_empty() && [name, bare, &member.dir].contains(&said)
    })
}

/// A package manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manager {
    pub name: &'static str,
    /// The lockfile that belongs to it, if it is there.
    pub lockfile: Option<String>,
    /// Yarn 2 or later.
    pub berry: bool,
}

const LOCKFILES: [(&str, &str); 6] = [
    ("pnpm-lock.yaml", "pnpm"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
    ("yarn.lock", "yarn"),
    ("package-lock.json", "npm"),
    ("npm-shrinkwrap.json", "npm"),
];

impl Manager {
    /// Tells who installs a package: the `packageManager` field (<https://nodejs.org/api/packages.html#packagemanager>), a
    /// lockfile, `engines`; looked for in the package, then at the root of the project. npm when nothing says otherwise.
    pub(super) fn of(files: &Files<'_>, package: &NodePackage, root: Option<&NodePackage>) -> Self {
        let places: Vec<&NodePackage> = std::iter::once(package).chain(root).collect();
        let declared = places.iter().find_map(|place| declared(place));
        let locked = places.iter().find_map(|place| {
            LOCKFILES.iter().map(|(file, name)| (join(&place.dir, file), *name)).find(|(file, _)| files.has(file))
        });
        let dirs = || places.iter().map(|place| place.dir.as_str()).chain([""]);
        let name = declared
            .map(|(name, _)| name)
            .or(locked.as_ref().map(|(_, name)| *name))
            .or(files.has("pnpm-workspace.yaml").then_some("pnpm"))
            .or_else(|| places.iter().find_map(|place| engine(place)))
            .unwrap_or("npm");
        let new_yarn = declared.is_some_and(|(_, version)| !version.is_empty() && !version.starts_with("1."));
        let berry = name == "yarn" && (new_yarn || dirs().any(|dir| files.has(&join(dir, ".yarnrc.yml"))));
        Self { name, lockfile: locked.filter(|(_, owner)| *owner == name).map(|(file, _)| file), berry }
    }

    /// Returns the command that runs a script; `flags` go to the script.
    pub(super) fn run(&self, script: &str, flags: Option<&str>) -> String {
        let run = match (self.name, script) {
            ("npm", "start") => "npm start".to_owned(),
            ("npm" | "bun", _) => format!("{} run {script}", self.name),
            (name, _) => format!("{name} {script}"),
        };
        match flags {
            // npm keeps flags for itself unless `--` stands before them; the others hand them on.
            Some(flags) if self.name == "npm" => format!("{run} -- {flags}"),
            Some(flags) => format!("{run} {flags}"),
            None => run,
        }
    }

    /// Returns the command that installs the dependencies, exactly the locked ones when there is a lockfile.
    pub(super) fn install(&self) -> &'static str {
        match (self.name, self.lockfile.is_some()) {
            ("pnpm", true) => "pnpm install --frozen-lockfile",
            ("yarn", true) if self.berry => "yarn install --immutable",
            ("yarn", true) => "yarn install --frozen-lockfile",
            ("bun", true) => "bun install --frozen-lockfile",
            ("npm", true) => "npm ci",
            ("pnpm", false) => "pnpm install",
            ("yarn", false) => "yarn install",
            ("bun", false) => "bun install",
            (_, _) => "npm install",
        }
    }
}

fn known(name: &str) -> Option<&'static str> {
    ["npm", "pnpm", "yarn", "bun"].into_iter().find(|known| *known == name)
}

/// Reads `packageManager: "pnpm@9.1.0"` or `devEngines.packageManager`.
fn declared(package: &NodePackage) -> Option<(&'static str, &str)> {
    if let Some((text, _)) = package.json.text(&["packageManager"]) {
        let (name, version) = text.split_once('@').unwrap_or((text, ""));
        return known(name).map(|name| (name, version));
    }
    let (name, _) = package.json.text(&["devEngines", "packageManager", "name"])?;
    known(name).map(|name| (name, ""))
}

fn engine(package: &NodePackage) -> Option<&'static str> {
    ["pnpm", "yarn", "bun"].into_iter().find(|name| package.json.value["engines"].get(*name).is_some())
}

/// Tells whether a script is one call of this program and nothing else, so that flags at its end reach the program.
pub(super) fn ends_in_call_of(text: &str, program: &str) -> bool {
    let mut words =
        text.split_whitespace().skip_while(|word| word.contains('=') || *word == "cross-env" || *word == "npx");
    words.next() == Some(program) && !text.contains(['&', '|', ';', '#', '\n']) && !command::runs(text, "build")
}
