//! The text of Dockerfile.dev.
//!
//! It builds with every builder (no `syntax` line, no mounts) on Debian and Alpine images. Names that come from the
//! project's files stand in JSON form or not at all, so that no name can become an instruction.

use super::php;
use crate::catalog::Ecosystem;
use crate::detect::{Stack, is_plain_command};
use crate::plan::{LINES, SUPERVISOR, restarts};

/// What the build context leaves out, in the syntax of .dockerignore, where the last pattern that fits decides: secrets,
/// but neither the files that show how they look nor those that projects commit for dev (Vite's and Next's modes); what is installed or built again in the container; git's own files.
pub const CONTEXT_IGNORE: [&str; 20] = [
    "**/.env",
    "**/.env.*",
    "!**/.env.example",
    "!**/.env.sample",
    "!**/.env.template",
    "!**/.env.development",
    "!**/.env.test",
    ".git",
    "**/node_modules",
    "**/.venv",
    "**/venv",
    "**/__pycache__",
    "**/.next",
    "**/.nuxt",
    "**/.svelte-kit",
    "**/.turbo",
    "**/.pytest_cache",
    "**/.mypy_cache",
    "**/.ruff_cache",
    "**/.DS_Store",
];

/// What the build context leaves out beside [`CONTEXT_IGNORE`] for a language that builds into the project: what was built
/// here names paths and programs of this machine.
pub fn built_here(stack: Option<&Stack>) -> &'static [&'static str] {
    match stack.map(|stack| stack.ecosystem) {
        Some(Ecosystem::Jvm) => &[
            "**/.gradle",
            "**/build/classes",
            "**/build/generated",
            "**/build/kotlin",
            "**/build/libs",
            "**/build/resources",
            "**/build/tmp",
            "**/target/classes",
            "**/target/generated-sources",
            "**/target/maven-status",
            "**/target/test-classes",
            "**/target/*.jar",
        ],
        Some(Ecosystem::Dotnet) => &[
            "**/bin/Debug",
            "**/bin/Release",
            "**/obj/Debug",
            "**/obj/Release",
            "**/obj/project.assets.json",
            "**/obj/project.nuget.cache",
            "**/obj/*.nuget.*",
        ],
        // Laravel's cache of its settings among it, which no variable gets past.
        Some(Ecosystem::Php) => &["vendor", "**/bootstrap/cache/*.php", "**/var/cache"],
        Some(Ecosystem::Rust) => &["target", "**/target/debug", "**/target/release"],
        _ => &[],
    }
}

/// Writes Dockerfile.dev: the dependencies in layers of their own, then the sources, then the dev command.
///
/// `stack` says how to install, nothing when the project is of no known kind; `base` is the base image; `dev` a line for
/// `/bin/sh`, without which the image's own command runs; `port` what the app gets as `PORT`. The app runs as a user who
/// may write `/app`, so that live update can; that is not root on the images of Node, Python, Go and PHP.
pub fn dockerfile_dev(stack: Option<&Stack>, base: &str, dev: Option<&str>, port: Option<u16>) -> String {
    let (user, official) = (user(base), repository(base) == "php");
    let mut lines = vec![
        "# The development image of the app, as kilter makes it. A copy at kilter/Dockerfile.dev (`kilter eject dockerfile`) is yours and".to_owned(),
        "# is used in its place. For another base image or command, set `image:` or `dev:` in kilter.yaml."
            .to_owned(),
        format!("FROM {}", reference(base)),
    ];
    lines.extend(settings(stack));
    lines.extend(tools(stack).map(|command| format!("RUN {command}")));
    lines.extend(stack.filter(|stack| stack.ecosystem == Ecosystem::Php && official).into_iter().flat_map(php::lines));
    lines.extend(directories(stack, user.as_ref()));
    lines.push("WORKDIR /app".into());
    lines.extend(user.as_ref().map(|user| format!("USER {}", user.name)));
    if let Some(stack) = stack {
        lines.extend(dependencies(stack, user.as_ref()));
    }
    lines.push(copy(&["."], "./", user.as_ref()));
    if let Some(stack) = stack.filter(|stack| !copies_first(stack)) {
        lines.push(run(&stack.install));
    }
    lines.extend(port.map(|port| format!("ENV PORT={port}\nEXPOSE {port}")));
    lines.extend(dev.map(|dev| command(dev, restarts(stack, dev))));
    lines.join("\n") + "\n"
}

/// The user the app runs as.
pub(super) struct User {
    name: &'static str,
    /// Whether the base image has it.
    exists: bool,
}

/// Returns the last part of an image's name, without registry, tag and digest.
fn repository(base: &str) -> &str {
    let repository = base.split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    repository.split(':').next().unwrap_or_default()
}

/// Returns the user for a base image: the images of Node bring `node` (<https://github.com/nodejs/docker-node>); those of
/// Python, Go and PHP let one be added; any other image keeps its own.
fn user(base: &str) -> Option<User> {
    match repository(base) {
        "node" => Some(User { name: "node", exists: true }),
        "python" | "golang" | "php" => Some(User { name: "app", exists: false }),
        _ => None,
    }
}

/// Keeps of an image reference what one can hold, so that it stays on its line and expands nothing.
pub(super) fn reference(base: &str) -> String {
    base.chars().filter(|c| c.is_ascii_alphanumeric() || "._-/:@+".contains(*c)).collect()
}

/// Settings of the package managers and builds. Python packages go to a virtual environment beside `/app`, where live update of the
/// sources cannot touch them; uv, Poetry and Pipenv all install into the active one. What Mix compiles goes beside `/app`, too: a
/// `_build` of the developer's machine among the sources is for another one (<https://hexdocs.pm/mix/Mix.html#module-environment-variables>).
pub(super) fn settings(stack: Option<&Stack>) -> Vec<String> {
    let lines: &[&str] = match stack.map(|stack| (stack.ecosystem, stack.manager.as_str())) {
        Some((Ecosystem::Node, "pnpm" | "yarn")) => &["ENV COREPACK_ENABLE_DOWNLOAD_PROMPT=0"],
        Some((Ecosystem::Python, _)) => &[
            "ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1",
            "ENV VIRTUAL_ENV=/opt/venv UV_PROJECT_ENVIRONMENT=/opt/venv PATH=/opt/venv/bin:$PATH",
        ],
        Some((Ecosystem::Elixir, _)) => &["ENV MIX_BUILD_ROOT=/opt/_build"],
        // Without a launch profile the environment would be production's; files that are synced send no events to watchers.
        Some((Ecosystem::Dotnet, _)) => &[
            "ENV ASPNETCORE_ENVIRONMENT=Development DOTNET_ENVIRONMENT=Development DOTNET_USE_POLLING_FILE_WATCHER=1",
            "ENV DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1",
        ],
        Some((Ecosystem::Php, _)) => &["ENV COMPOSER_NO_INTERACTION=1 COMPOSER_ALLOW_SUPERUSER=1"],
        // Beside `/app`, where live update of the sources cannot touch it.
        Some((Ecosystem::Rust, _)) => &["ENV CARGO_TARGET_DIR=/opt/target"],
        _ => &[],
    };
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// Returns the command that brings the package manager, where the base image lacks it. Node 25 and later come without
/// corepack (<https://nodejs.org/api/corepack.html>).
pub(super) fn tools(stack: Option<&Stack>) -> Option<&'static str> {
    let stack = stack?;
    match (stack.ecosystem, stack.manager.as_str()) {
        (Ecosystem::Node, "pnpm" | "yarn") => {
            Some("command -v corepack >/dev/null || npm install --global --force corepack; corepack enable")
        }
        (Ecosystem::Node, "bun") => Some("command -v bun >/dev/null || npm install --global bun"),
        (Ecosystem::Python, "uv") => Some("pip install --no-cache-dir uv"),
        (Ecosystem::Python, "poetry") => Some("pip install --no-cache-dir poetry"),
        (Ecosystem::Python, "pipenv") => Some("pip install --no-cache-dir pipenv"),
        _ => None,
    }
}

/// Makes the user, `/app` and the virtual environment. Debian has `useradd`, Alpine `adduser`.
fn directories(stack: Option<&Stack>, user: Option<&User>) -> Vec<String> {
    let python = stack.is_some_and(|stack| stack.ecosystem == Ecosystem::Python);
    let mut steps = Vec::new();
    if let Some(User { name, exists: false }) = user {
        steps.push(format!("(useradd --create-home {name} 2>/dev/null || adduser -D {name})"));
    }
    steps.push("mkdir -p /app".into());
    if python {
        steps.push("python -m venv /opt/venv".into());
    }
    if let Some(User { name, .. }) = user {
        steps.push(format!("chown -R {name}:{name} /app{}", if python { " /opt/venv" } else { "" }));
    }
    if user.is_none() && !python { Vec::new() } else { vec![format!("RUN {}", steps.join(" && "))] }
}

/// Copies the manifests and installs from them.
fn dependencies(stack: &Stack, user: Option<&User>) -> Vec<String> {
    if !copies_first(stack) {
        return Vec::new();
    }
    let mut by_directory: Vec<(&str, Vec<&str>)> = Vec::new();
    for manifest in &stack.manifests {
        let directory = manifest.rsplit_once('/').map_or("", |(directory, _)| directory);
        match by_directory.iter_mut().find(|(known, _)| *known == directory) {
            Some((_, files)) => files.push(manifest),
            None => by_directory.push((directory, vec![manifest])),
        }
    }
    let target = |directory: &str| if directory.is_empty() { "./".to_owned() } else { format!("{directory}/") };
    let mut lines: Vec<String> =
        by_directory.iter().map(|(directory, files)| copy(files, &target(directory), user)).collect();
    lines.push(run(&stack.install));
    lines
}

/// Tells whether the manifests can be copied before the sources: there are some, and no name among them means something to
/// `COPY` (`$`, a pattern, a quote). Otherwise the sources come first.
pub(super) fn copies_first(stack: &Stack) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/@+ ".contains(c);
    !stack.manifests.is_empty() && stack.manifests.iter().all(|path| path.chars().all(plain) && !path.starts_with('-'))
}

pub(super) fn copy(from: &[&str], to: &str, user: Option<&User>) -> String {
    let owner = user.map(|user| format!("--chown={0}:{0} ", user.name)).unwrap_or_default();
    let words: Vec<&str> = from.iter().copied().chain([to]).collect();
    if words.iter().any(|word| word.contains(' ')) {
        return format!("COPY {owner}{}", json(&words));
    }
    format!("COPY {owner}{}", words.join(" "))
}

/// Runs a line for `/bin/sh` while building.
pub(super) fn run(line: &str) -> String {
    let readable = |c: char| c.is_ascii_alphanumeric() || " -_./:@=+,&'".contains(c);
    if line.chars().all(readable) { format!("RUN {line}") } else { format!("RUN {}", json(&["/bin/sh", "-c", line])) }
}

/// Writes the dev command: as a list of words where it is one program with its arguments, so that signals reach it; through
/// a shell where it needs one; with the lines that start it again on HUP where it does not load changed files by itself.
fn command(line: &str, restarts: bool) -> String {
    let words: Vec<&str> =
        if is_plain_command(line) { line.split_whitespace().collect() } else { vec!["/bin/sh", "-c", line] };
    if !restarts {
        return format!("CMD {}", json(&words));
    }
    let why = "# The command loads no changed files by itself: HUP to these lines starts it again, which the Tiltfile sends after each sync.";
    format!("{why}\nCMD {}", json_lines(&words))
}

/// Writes [`crate::plan::supervised`] as JSON over several lines: a backslash at the end of a line continues it.
fn json_lines(command: &[&str]) -> String {
    let quoted = LINES.map(|line| serde_json::Value::from(line).to_string());
    let lines: Vec<&str> = quoted.iter().map(|line| &line[1..line.len() - 1]).collect();
    let words: Vec<&str> = [SUPERVISOR].into_iter().chain(command.iter().copied()).collect();
    format!("[\"/bin/sh\", \"-c\", \"{}\", \\\n    {}", lines.join(" \\\n    "), &json(&words)[1..])
}

/// Writes a list of words as JSON, which Docker reads as it is: nothing in it is expanded, and no line ends in it.
pub(super) fn json(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| serde_json::Value::from(*word).to_string()).collect();
    format!("[{}]", words.join(", "))
}

#[cfg(test)]
mod tests;
