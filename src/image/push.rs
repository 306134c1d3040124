//! Building an image with docker, and pushing it.

use std::path::PathBuf;
use std::time::Duration;

use crate::cluster::Docker;
use crate::diag::{Error, Kind, Result};
use crate::exec::Captured;
use crate::fsx;
use crate::ids::Digest;

/// How long a build may take; what it waits for most is the network.
const BUILD: Duration = Duration::from_secs(2 * 3600);
/// How long a push may take.
const PUSH: Duration = Duration::from_secs(3600);

/// One image to build.
#[derive(Debug, Clone)]
pub struct Job {
    /// The directory that is built.
    pub context: PathBuf,
    /// The Dockerfile; it may lie outside the context.
    pub dockerfile: PathBuf,
    /// The platform, for example `linux/amd64`; that of the daemon when left out.
    pub platform: Option<String>,
    /// Labels of the image.
    pub labels: Vec<(String, String)>,
    /// A file that docker writes the image's id into.
    pub id_file: PathBuf,
}

/// A built image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Its id, `sha256:…`; not the digest that a registry knows it by.
    pub id: Digest,
}

/// Builds an image.
///
/// # Errors
/// When docker cannot be run or the build fails.
pub fn build(docker: &Docker, job: &Job) -> Result<Built> {
    let path = |path: &PathBuf| path.to_string_lossy().into_owned();
    let mut call = docker.call(["build", "--file"]).arg(path(&job.dockerfile)).arg("--iidfile").arg(path(&job.id_file));
    if let Some(platform) = &job.platform {
        call = call.args(["--platform", platform]);
    }
    for (name, value) in &job.labels {
        call = call.arg("--label").arg(format!("{name}={value}"));
    }
    let call = call.arg(path(&job.context)).timeout(BUILD);
    let said = call.capture()?;
    if !said.ok() {
        return Err(refused(docker, call, &said, "the image cannot be built")
            .help("Correct what the last lines name; the build ran on the project as it is now."));
    }
    let text = fsx::read_text(&job.id_file, 4096)?.unwrap_or_default();
    let id = Digest::parse(text.trim()).ok_or_else(|| {
        Error::tool("docker built the image, but did not say which").help("Run the same command again.")
    })?;
    Ok(Built { id })
}

/// Gives the image a name and pushes it; returns the digest that its registry knows it by.
///
/// # Errors
/// When docker cannot be run, or the registry does not take it.
pub fn push(docker: &Docker, image: &Built, repository: &str, tag: &str) -> Result<Digest> {
    let name = format!("{repository}:{tag}");
    docker.run(docker.call(["image", "tag", image.id.as_str(), &name]))?;
    let call = docker.call(["image", "push", &name]).timeout(PUSH);
    let said = call.capture()?;
    if !said.ok() {
        let host = repository.split('/').next().unwrap_or_default();
        return Err(refused(docker, call, &said, &format!("`{name}` cannot be pushed"))
            .help(format!("Log in to the registry, when it wants that: `docker login {host}`."))
            .help("Check that `--registry HOST/SCOPE` names a place that you may push to."));
    }
    match digest_said(&said.text()) {
        Some(digest) => Ok(digest),
        None => digest_known(docker, &name, repository),
    }
}

/// The last line of a push: `TAG: digest: sha256:… size: N`.
fn digest_said(text: &str) -> Option<Digest> {
    text.lines().rev().find_map(|line| {
        let rest = line.split_once("digest: ")?.1;
        Digest::parse(rest.split_whitespace().next()?)
    })
}

fn digest_known(docker: &Docker, name: &str, repository: &str) -> Result<Digest> {
    let said = docker.run(docker.call(["image", "inspect", "--format", "{{json .RepoDigests}}", name]))?;
    let known: Vec<String> = serde_json::from_slice(&said.stdout).unwrap_or_default();
    known.iter().find_map(|one| Digest::parse(one.strip_prefix(repository)?.strip_prefix('@')?)).ok_or_else(|| {
        Error::tool(format!("docker pushed `{name}`, but did not say its digest"))
            .help("Deploy it with `--image REPOSITORY@sha256:…`, as the registry shows it.")
    })
}

/// A docker that is not there is another failure than a build that fails.
fn refused(docker: &Docker, call: crate::exec::Invocation, said: &Captured, what: &str) -> Error {
    if let Err(error) = docker.run(docker.call(["version", "--format", "{{json .Server}}"]))
        && error.kind() != Kind::Tool
    {
        return error;
    }
    let out = String::from_utf8_lossy(&said.stdout).into_owned();
    let lines: Vec<&str> = out.lines().chain(said.stderr.lines()).collect();
    let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
    Error::tool(format!("{what}: {}", said.ending)).detail(format!("{}\n{last}", call.shell_line()))
}

/// How much of what docker said is shown.
const LAST_LINES: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_in_the_last_line_of_a_push() {
        let hex = "4c5ee1e2".repeat(8);
        let text = format!("The push refers to repository [r/a]\nabc: Pushed\nv1: digest: sha256:{hex} size: 12\n");
        assert_eq!(digest_said(&text).unwrap().hex(), hex);
        assert_eq!(digest_said("abc: Pushed\n"), None);
    }
}
