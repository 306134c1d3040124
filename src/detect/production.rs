//! How an app is built and started in production, as its own manifests say it.

use super::app::Candidate;
use super::command::{self, in_dir, runs, words};
use super::files::Files;
use super::model::{Production, Stack};
use super::node::{self, NodePackage};
use super::places::join;
use crate::catalog::Ecosystem;

/// Programs that serve while somebody develops, and say themselves that they are for nothing else.
const DEV_SERVERS: [&str; 8] =
    ["vite", "ng", "react-scripts", "parcel", "vue-cli-service", "eleventy", "webpack-dev-server", "runserver"];

/// Describes the production of the app; `None` when its language is not one that kilter builds.
pub(super) fn of(files: &Files<'_>, node: &[NodePackage], app: &Candidate, stack: &Stack) -> Option<Production> {
    let web = procfile(files, &app.dir);
    let dev = app.dev.as_ref().map(|dev| dev.value.as_str());
    let dir = app.dir.clone();
    Some(match app.ecosystem {
        Ecosystem::Node => Production { start: web, ..node::production(files, node, &app.dir)? }.or_start(|| {
            let package = node.iter().find(|package| package.dir == app.dir)?;
            node::start(files, package, node)
        }),
        Ecosystem::Python => Production {
            dir,
            install: python_install(stack),
            build: None,
            prune: None,
            start: web.or_else(|| python_start(dev?)),
        },
        Ecosystem::Go => Production {
            install: stack.install.clone(),
            build: Some(in_dir(&app.dir, &format!("go build -trimpath -ldflags=-s -o {GO_PROGRAM} {}", package(dev?)))),
            prune: None,
            start: Some(GO_PROGRAM.into()),
            dir,
        },
        _ => return None,
    })
}

impl Production {
    fn or_start(self, other: impl FnOnce() -> Option<String>) -> Self {
        Self { start: self.start.or_else(other), ..self }
    }
}

/// Where the program of a Go module is put.
pub const GO_PROGRAM: &str = "/usr/local/bin/app";

/// Returns the package of `go run PACKAGE`.
fn package(dev: &str) -> String {
    let name = dev.strip_prefix("go run ").filter(|name| !name.is_empty()).unwrap_or(".");
    name.to_owned()
}

/// Returns the `web` process of the Procfile.
fn procfile(files: &Files<'_>, dir: &str) -> Option<String> {
    let text = files.read_if_there(&join(dir, "Procfile"))?;
    let web = text.lines().find_map(|line| line.strip_prefix("web:"))?.trim();
    (!web.is_empty()).then(|| web.to_owned())
}

/// Tells whether a command is one of development: it watches files, or its server is not meant for more.
pub(super) fn is_for_development(command: &str) -> bool {
    command::reloads(command) || DEV_SERVERS.iter().any(|server| runs(command, server))
}

/// Takes the words out of a command that make it watch files.
pub(super) fn without_watching(command: &str) -> String {
    const FLAGS: [&str; 5] = ["--watch", "--reload", "--auto-reload", "--debug", "--hot"];
    let kept = command.split_whitespace().filter(|word| !FLAGS.contains(word) && !word.starts_with("--watch-path="));
    kept.collect::<Vec<_>>().join(" ")
}

/// The development command without what watches files; `None` when its server is for development only.
fn python_start(dev: &str) -> Option<String> {
    let mut start = without_watching(dev);
    if runs(&start, "fastapi") {
        start = start.replacen("fastapi dev", "fastapi run", 1);
    }
    if words(&start).any(|word| word == "streamlit") {
        return Some(start); // it watches files, but has no other server
    }
    (!is_for_development(&start)).then_some(start)
}

/// Leaves out what is for development: <https://docs.astral.sh/uv/reference/cli/#uv-sync>,
/// <https://python-poetry.org/docs/cli/#install>, <https://pipenv.pypa.io/en/latest/cli.html>.
fn python_install(stack: &Stack) -> String {
    match stack.manager.as_str() {
        "uv" => format!("{} --no-dev", stack.install),
        "poetry" => format!("{} --only main", stack.install),
        "pipenv" => stack.install.replacen("pipenv install --dev", "pipenv install", 1),
        _ => stack.install.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::detect::model::Production;
    use crate::detect::testing::tree;

    fn production(files: &[(&str, &str)]) -> Production {
        tree(files).detect().production.unwrap()
    }

    #[test]
    fn node_starts_by_its_script_or_its_watched_command_or_main() {
        let start = |json: &str| production(&[("package.json", json), ("package-lock.json", "{}")]).start;
        let says = |script: &str| start(&format!(r#"{{"scripts": {{"start": "{script}"}}}}"#));
        assert_eq!(says("next start -p 3000").as_deref(), Some("next start -p 3000"));
        assert_eq!(says("npm run serve").as_deref(), Some("npm start"));
        assert_eq!(says("vite"), None);
        assert_eq!(says("react-scripts start"), None);
        let hooked = r#"{"scripts": {"prestart": "node migrate.js", "start": "node server.js"}}"#;
        assert_eq!(start(hooked).as_deref(), Some("npm start"));
        assert_eq!(start(r#"{"scripts": {"dev": "node --watch server.js"}}"#).as_deref(), Some("node server.js"));
        assert_eq!(start(r#"{"main": "lib/x.js", "scripts": {"dev": "nodemon"}}"#).as_deref(), Some("node lib/x.js"));
        assert_eq!(start(r#"{"scripts": {"dev": "vite"}}"#), None);
    }

    #[test]
    fn node_builds_and_keeps_no_development_packages() {
        let json = r#"{"scripts": {"build": "tsc", "start": "node dist"}}"#;
        let of = |lock: &str| production(&[("package.json", json), (lock, "")]);
        let npm = of("package-lock.json");
        assert_eq!((npm.install.as_str(), npm.build.as_deref()), ("npm ci", Some("npm run build")));
        assert_eq!(npm.prune.as_deref(), Some("npm prune --omit=dev"));
        assert_eq!(of("pnpm-lock.yaml").prune.as_deref(), Some("pnpm prune --prod"));
        assert!(of("yarn.lock").prune.unwrap().contains("--production"));
    }

    #[test]
    fn a_workspace_is_built_from_its_root() {
        let found = production(&[
            ("package.json", r#"{"workspaces": ["apps/*"], "scripts": {"build": "turbo build"}}"#),
            ("package-lock.json", "{}"),
            (
                "apps/web/package.json",
                r#"{"name": "web", "scripts": {"dev": "next dev", "start": "next start"}, "dependencies": {"next": "1"}}"#,
            ),
        ]);
        assert_eq!(found.dir, "apps/web");
        assert_eq!(found.build.as_deref(), Some("npm run build"));
        assert_eq!(found.start.as_deref(), Some("next start"));
    }

    #[test]
    fn python_starts_without_reloading_and_never_with_djangos_own_server() {
        let fastapi = production(&[("requirements.txt", "fastapi\nuvicorn\n"), ("main.py", "")]);
        let start = fastapi.start.unwrap();
        assert!(!start.contains("reload") && start.contains("main:app"), "{start}");
        assert_eq!(production(&[("requirements.txt", "django\n"), ("manage.py", "")]).start, None);
        let procfile = production(&[
            ("requirements.txt", "django\n"),
            ("manage.py", ""),
            ("Procfile", "web: gunicorn shop.wsgi --bind 0.0.0.0:$PORT\nworker: x\n"),
        ]);
        assert_eq!(procfile.start.as_deref(), Some("gunicorn shop.wsgi --bind 0.0.0.0:$PORT"));
        let uv = production(&[
            ("pyproject.toml", "[project]\nname='x'\ndependencies=['fastapi']\n"),
            ("uv.lock", ""),
            ("main.py", ""),
        ]);
        assert_eq!(uv.install, "uv sync --frozen --no-install-workspace --no-dev");
    }

    #[test]
    fn go_is_one_program() {
        let found = production(&[("go.mod", "module x\n\ngo 1.26\n"), ("cmd/links/main.go", "")]);
        assert_eq!(found.build.as_deref(), Some("go build -trimpath -ldflags=-s -o /usr/local/bin/app ./cmd/links"));
    }
}
