//! What kind itself is called for: making a cluster, its kubeconfig, deleting it.

use std::collections::BTreeMap;

use super::kind_cluster::{CLUSTER_LABEL, CONTROL_PLANE, Ensured, KIND_WAITS, KindCluster, MARK, MAX_KUBECONFIG, Made};
use super::kubeconfig;
use crate::diag::{Error, Kind, Result};
use crate::exec::{Captured, Ending, Environment, Invocation, redact};
use crate::fsx;

/// How many of kind's last lines are shown.
const LINES: usize = 20;

impl KindCluster {
    /// Returns a call of kind with kilter's own environment, except for what would make it work on something else.
    pub(super) fn kind_call(&self, args: &[&str]) -> Invocation {
        let unset =
            ["KIND_CLUSTER_NAME", "KIND_EXPERIMENTAL_PROVIDER", "KUBECONFIG"].map(|name| (name.to_owned(), None));
        let set = self.docker.env.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
        let env: BTreeMap<String, Option<String>> = unset.into_iter().chain(set).collect();
        Invocation { env: Environment::Inherit(env), ..Invocation::new(&self.kind).args(args.iter().copied()) }
    }

    pub(super) fn create_again(&self, why: &str, progress: &dyn Fn(&str)) -> Result<Ensured> {
        progress(&format!("the cluster `{}` cannot be used, {why}: deleting it and making it again", self.name));
        self.delete_nodes()?;
        self.create(progress)
    }

    /// Makes the cluster. Its kubeconfig goes first, and comes back when everything is there.
    pub(super) fn create(&self, progress: &dyn Fn(&str)) -> Result<Ensured> {
        fsx::remove(&self.kubeconfig)?;
        progress(&format!(
            "making the cluster `{}`: this takes minutes, the first time with the download of its node image",
            self.name
        ));
        let dir = temporary()?;
        // Not the kubeconfig itself: kind locks it with a file that it leaves behind when it is killed.
        let written = dir.path().join("kubeconfig");
        let (config, kubeconfig) = (self.config.to_string_lossy(), written.to_string_lossy());
        let call = self.kind_call(&["create", "cluster", "--name", &self.name, "--config", &config]);
        let call = call.args(["--kubeconfig", &kubeconfig, "--wait", KIND_WAITS]).timeout(self.limits.create);
        let said = call.capture().inspect_err(|error| {
            if error.kind() == Kind::Interrupted {
                progress(&format!("deleting what there is of the cluster `{}`", self.name));
                self.put_away();
            }
        })?;
        if !said.ok() {
            return Err(self.not_made(&call, &said));
        }
        let text = fsx::read_text(&written, MAX_KUBECONFIG)?.unwrap_or_default();
        self.keep_kubeconfig(&text)?;
        let nodes = self.nodes()?;
        let containers = self.docker.containers(&super::kind_cluster::names(&nodes))?;
        self.mark(super::kind_cluster::first_control_plane(&nodes))?;
        self.wait_until_ready(progress)?;
        Ok(self.ensured(Made::Created, &nodes, &containers))
    }

    /// Deletes the containers of a cluster whose making was interrupted: they would run on, with nothing to end them but the
    /// next `kilter up`. Without a guarantee: docker may be what is interrupted.
    fn put_away(&self) {
        let label = format!("label={CLUSTER_LABEL}={}", self.name);
        let list = self.docker.call(["container", "ls", "--all", "--quiet", "--filter", &label]);
        let Ok(listed) = list.capture_regardless() else { return };
        let text = listed.text();
        let nodes: Vec<&str> = text.split_whitespace().collect();
        if !nodes.is_empty() {
            let _ = self.docker.call(["container", "rm", "--force", "--volumes"]).args(nodes).capture_regardless();
        }
    }

    /// Deletes what kind left of a cluster that it could not make, and says why it could not.
    fn not_made(&self, call: &Invocation, said: &Captured) -> Error {
        let error = self.why_not_made(call, said).reworded(redact);
        match self.delete_nodes() {
            Ok(()) => error,
            Err(docker) if docker.kind() == Kind::Missing => docker, // it went away under kind
            Err(_) => error.help(format!(
                "Something of it is left: `docker rm --force --volumes {}-{CONTROL_PLANE}` deletes it.",
                self.name
            )),
        }
    }

    fn why_not_made(&self, call: &Invocation, said: &Captured) -> Error {
        if let Some(image) = unpulled(&said.stderr) {
            let (name, digest) = image.split_once('@').unwrap_or((image, "no digest"));
            return Error::missing(format!("the node image `{name}` ({digest}) cannot be pulled"))
                .detail(last_lines(said.stderr.split("Command Output:").last().unwrap_or_default()))
                .help(format!("Check the network and docker's proxy (`docker info` shows it), and try `docker pull {image}`."))
                .help("Where only a mirror can be reached: `kilter eject kind`, and name the mirror's image in kilter/kind.yaml.");
        }
        let what = format!("kind could not make the cluster `{}`: {}", self.name, said.ending);
        let error = Error::tool(what).detail(format!("$ {}\n{}", call.shell_line(), last_lines(&said.stderr)));
        if said.ending == Ending::TimedOut {
            let minutes = self.limits.create.as_secs().div_ceil(60);
            return error
                .help(format!("It had {minutes} min: `docker pull` of its node image beforehand makes it shorter."));
        }
        if said.stderr.contains("already allocated") || said.stderr.contains("address already in use") {
            return error.help("Another program listens on a port of this project: `kilter doctor` names it.");
        }
        error.help(
            "Mend what kind says, then run the same command again; `kilter doctor` checks docker, memory and disk.",
        )
    }

    /// Writes the kubeconfig anew, as kind reads it from the control plane.
    pub(super) fn write_kubeconfig(&self) -> Result<()> {
        self.keep_kubeconfig(&self.kubeconfig_of_kind()?)
    }

    /// Asks kind for the kubeconfig, with the port of this machine that leads to the API server now.
    pub(super) fn kubeconfig_of_kind(&self) -> Result<String> {
        let call = self.kind_call(&["get", "kubeconfig", "--name", &self.name]);
        let said = call.capture()?;
        if said.ok() {
            return Ok(said.text());
        }
        Err(Error::tool(format!("kind cannot read the kubeconfig of the cluster `{}`: {}", self.name, said.ending))
            .detail(format!("$ {}\n{}", call.shell_line(), last_lines(&said.stderr)))
            .reworded(redact)
            .help("Start it anew: `kilter stop`, then `kilter up`."))
    }

    fn keep_kubeconfig(&self, text: &str) -> Result<()> {
        if kubeconfig::server(text, &self.context()).is_none() {
            return Err(Error::tool(format!("kind wrote no kubeconfig with the one context `{}`", self.context()))
                .help("Check that kind is the one that kilter pins: `kilter tools list`."));
        }
        fsx::write_private(&self.kubeconfig, text.as_bytes())
    }

    pub(super) fn mark(&self, node: &str) -> Result<()> {
        self.docker.run(self.docker.call(["exec", node, "touch", MARK])).map(drop)
    }

    /// Tells whether a file is in a node that runs.
    pub(super) fn has(&self, node: &str, file: &str) -> Result<bool> {
        let call = self.docker.call(["exec", node, "test", "-e", file]);
        let said = call.capture()?;
        // `test` says no with code 1 and no word; docker's own failures have words.
        if said.ending == Ending::Exited(1) && said.stderr.trim().is_empty() {
            return Ok(false);
        }
        if said.ok() { Ok(true) } else { Err(super::docker::failed(&call, &said)) }
    }

    /// Has kind delete the cluster. That it cannot is no error: docker is asked to, after it.
    pub(super) fn kind_delete(&self) -> Result<()> {
        let dir = temporary()?;
        let kubeconfig = dir.path().join("kubeconfig");
        let call =
            self.kind_call(&["delete", "cluster", "--name", &self.name, "--kubeconfig", &kubeconfig.to_string_lossy()]);
        match call.capture() {
            Err(error) if error.kind() == Kind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// Deletes every container with the cluster's label, and their volumes.
    pub(super) fn delete_nodes(&self) -> Result<()> {
        self.docker.remove(&super::kind_cluster::names(&self.nodes()?), true)
    }
}

/// Returns the image that kind could not pull: `failed to pull image "NAME"` (kind 0.33, docker provider).
fn unpulled(stderr: &str) -> Option<&str> {
    let (_, rest) = stderr.split_once("failed to pull image \"")?;
    rest.split_once('"').map(|(image, _)| image)
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

pub(super) fn temporary() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|error| Error::io("make a temporary directory", &error))
}
