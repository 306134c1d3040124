//! The text of the production Dockerfile, for projects that have none of their own.
//!
//! The first stage holds the sources without anything that is secret, installed or git's own: what later stages copy from it
//! is clean with every builder, whatever ignore files that one reads. Nothing runs as root in the end.

use super::dockerfile::{CONTEXT_IGNORE, copies_first, copy, json, reference, run, settings, tools};
use crate::catalog::Ecosystem;
use crate::detect::{GO_PROGRAM, Production, Stack, is_plain_command};
use crate::diag::{Error, Result};

/// What a Go program runs on: small, with the certificates of public authorities, and with a shell for commands that need one.
const GO_BASE: &str = "alpine:3.22";

/// User and group of the app: numbers, as a cluster that forbids root has to see that this is not root. 1000 is the user
/// `node` in Node's images (<https://github.com/nodejs/docker-node/blob/main/docs/BestPractices.md#non-root-user>).
const USER: &str = "1000:1000";

/// Names that no production image has, besides the secrets of kilter.yaml: found by name, wherever they are.
const LEFT_OUT: [&str; 10] =
    [".git", "node_modules", ".venv", "venv", "__pycache__", ".next", ".nuxt", ".svelte-kit", ".turbo", ".env"];

/// Writes the production Dockerfile.
///
/// `base` is the image of the app's language; `port` what the app listens on; `secrets` are files below the project's root
/// that no image gets.
///
/// # Errors
/// When nothing says how the app is started.
pub fn dockerfile_production(
    stack: &Stack,
    production: &Production,
    base: &str,
    port: u16,
    secrets: &[String],
) -> Result<String> {
    let Some(start) = &production.start else { return Err(no_start(stack)) };
    let mut lines = vec![
        "# The production image of the app, as kilter makes it. For another, write a Dockerfile of your own."
            .to_owned(),
        format!("FROM {} AS sources", reference(base)),
        "WORKDIR /src".into(),
        copy(&["."], "./", None),
        remove(secrets),
        String::new(),
        format!("FROM {} AS build", reference(base)),
    ];
    lines.extend(settings(Some(stack)));
    if stack.manager == "yarn" {
        lines.push("ENV YARN_ENABLE_GLOBAL_CACHE=false".into());
    }
    lines.extend(tools(Some(stack)).map(|command| format!("RUN {command}")));
    if stack.ecosystem == Ecosystem::Python {
        lines.push("RUN python -m venv /opt/venv".into());
    }
    if stack.ecosystem == Ecosystem::Go {
        lines.push("ENV CGO_ENABLED=0".into());
    }
    lines.push("WORKDIR /app".into());
    if copies_first(stack) {
        for manifest in &stack.manifests {
            lines.push(from_sources(manifest));
        }
        lines.push(run(&production.install));
        lines.push("COPY --from=sources /src ./".into());
    } else {
        lines.push("COPY --from=sources /src ./".into());
        lines.push(run(&production.install));
    }
    lines.extend(production.build.iter().chain(&production.prune).map(|line| run(line)));
    lines.push(String::new());
    lines.extend(last_stage(stack, production, base, port, start));
    Ok(lines.join("\n") + "\n")
}

/// What the build context leaves out of a project with these secret files, in the syntax of .dockerignore: builders that read
/// the file beside the Dockerfile have less to send.
pub fn production_ignore(secrets: &[String]) -> String {
    let mut lines: Vec<String> = CONTEXT_IGNORE.iter().map(|line| (*line).to_owned()).collect();
    lines.extend(secrets.iter().map(|path| path.chars().flat_map(escaped).collect()));
    lines.join("\n") + "\n"
}

/// A character as a pattern of .dockerignore takes it for itself.
fn escaped(c: char) -> Vec<char> {
    if "\\*?[]!#".contains(c) { vec!['\\', c] } else { vec![c] }
}

/// Removes what must not be in the image: by name, and the secret files by their paths.
fn remove(secrets: &[String]) -> String {
    let names: Vec<String> = LEFT_OUT.iter().map(|name| format!("-name {name}")).collect();
    let modes = "-name '.env.*' ! -name .env.example ! -name .env.sample ! -name .env.template";
    let found = format!("find . \\( {} -o {modes} \\) -prune -exec rm -rf {{}} +", names.join(" -o "));
    if secrets.is_empty() {
        return format!("RUN {found}");
    }
    let paths: Vec<String> = secrets.iter().map(|path| crate::exec::shell_word(&format!("./{path}"))).collect();
    let line = format!("{found} && rm -f {}", paths.join(" "));
    format!("RUN {}", json(&["/bin/sh", "-c", &line]))
}

fn from_sources(manifest: &str) -> String {
    let words = format!("/src/{manifest}");
    let to = format!("./{manifest}");
    match manifest.contains(' ') {
        true => format!("COPY --from=sources {}", json(&[&words, &to])),
        false => format!("COPY --from=sources {words} {to}"),
    }
}

fn last_stage(stack: &Stack, production: &Production, base: &str, port: u16, start: &str) -> Vec<String> {
    let bare = reference(base);
    let mut lines = Vec::new();
    match stack.ecosystem {
        Ecosystem::Go => {
            lines.push(format!("FROM {GO_BASE}"));
            lines.push(format!("COPY --from=build {GO_PROGRAM} {GO_PROGRAM}"));
            lines.push("WORKDIR /app".into());
        }
        Ecosystem::Python => {
            lines.push(format!("FROM {bare}"));
            lines.extend(settings(Some(stack)));
            lines.push("COPY --from=build /opt/venv /opt/venv".into());
            lines.push(format!("COPY --from=build --chown={USER} /app /app"));
            lines.push(format!("WORKDIR {}", place(&production.dir)));
        }
        _ => {
            lines.push(format!("FROM {bare}"));
            lines.push("ENV NODE_ENV=production".into());
            lines.push(format!("ENV PATH={}:$PATH", programs(&production.dir)));
            lines.extend(settings(Some(stack)));
            lines.push(format!("COPY --from=build --chown={USER} /app /app"));
            lines.push(format!("WORKDIR {}", place(&production.dir)));
            lines.extend(manager_at_run_time(stack, start));
        }
    }
    lines.push(format!("ENV HOME=/tmp PORT={port}"));
    lines.push(format!("EXPOSE {port}"));
    lines.push(format!("USER {USER}"));
    lines.push(format!("CMD {}", command(start)));
    lines
}

/// A start that goes through a package manager needs it in the image: there is no network then, and no right to install.
fn manager_at_run_time(stack: &Stack, start: &str) -> Vec<String> {
    let by_manager = start.split_whitespace().next() == Some(stack.manager.as_str());
    let Some(install) = tools(Some(stack)).filter(|_| by_manager) else { return Vec::new() };
    vec!["ENV COREPACK_HOME=/opt/corepack".into(), format!("RUN {install}; {} --version", stack.manager)]
}

fn place(dir: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/@+".contains(c);
    if dir.is_empty() {
        return "/app".into();
    }
    // WORKDIR takes the rest of its line; `$` and a backslash alone mean something in it.
    let line = dir.chars().filter(|c| !c.is_control());
    let kept: String = line.flat_map(|c| if plain(c) || c == ' ' { vec![c] } else { vec!['\\', c] }).collect();
    format!("/app/{kept}")
}

/// Where the programs of the packages are, the app's own first.
fn programs(dir: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/@+".contains(c);
    match dir.is_empty() || !dir.chars().all(plain) {
        true => "/app/node_modules/.bin".into(),
        false => format!("/app/{dir}/node_modules/.bin:/app/node_modules/.bin"),
    }
}

/// Writes the start as a list of words: one program with its arguments gets signals itself; a line that needs a shell is
/// handed over by it where it is one command.
fn command(line: &str) -> String {
    if is_plain_command(line) {
        return json(&line.split_whitespace().collect::<Vec<_>>());
    }
    let one = !line.contains(['&', '|', ';', '\n', '(', '`']) && !starts_with_assignment(line);
    let line = if one && !line.starts_with("exec ") { format!("exec {line}") } else { line.to_owned() };
    json(&["/bin/sh", "-c", &line])
}

fn starts_with_assignment(line: &str) -> bool {
    line.split_whitespace().next().is_none_or(|word| word.contains('=') || word == "cd")
}

fn no_start(stack: &Stack) -> Error {
    let error = Error::project("nothing says how the app is started in production");
    match stack.ecosystem {
        Ecosystem::Node => error
            .help("Write a script `start` into package.json: a server that is meant for production, not one for development.")
            .help("Or a line `web: COMMAND` into a Procfile, or a Dockerfile of your own."),
        _ => error
            .help("Write a line into a file `Procfile`, for example `web: gunicorn shop.wsgi --bind 0.0.0.0:$PORT`; the servers of frameworks are for development only.")
            .help("Or write a Dockerfile of your own."),
    }
}

#[cfg(test)]
mod tests;
