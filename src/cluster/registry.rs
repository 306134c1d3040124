//! The one local registry of this machine's kind clusters: Tilt pushes the app's image to 127.0.0.1, nodes pull it from
//! there under the same name, which their containerd is told to ask the registry's container for.
//!
//! The way is kind's own (https://kind.sigs.k8s.io/docs/user/local-registry/). Everything about it is kept by docker: the
//! port is the one that its container publishes.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use super::docker::{Container, Docker, Status, failed};
use super::kind_cluster::CLUSTER_LABEL;
use crate::diag::{Error, Result};
use crate::exec::Invocation;
use crate::fsx;

/// Docker's own registry, `distribution`.
pub const REGISTRY_IMAGE: &str =
    "registry:3.0.0@sha256:6c5666b861f3505b116bb9aa9b25175e71210414bd010d92035ff64018f9457e";

/// The name of its container, which is its host name in docker's networks too.
const NAME: &str = "kilter-registry";

/// Marks what kilter made.
const LABEL: &str = "com.netshire.kilter=registry";

/// The port it listens on in its container.
const INSIDE: u16 = 5000;

/// The ports of this machine that it may have, the first free one first. 5000 is AirPlay's on macOS and every other
/// registry's, 5001 that of kind's own example.
const PORTS: std::ops::RangeInclusive<u16> = 5009..=5029;

/// Where containerd looks for what it is told about registries.
const HOSTS: &str = "/etc/containerd/certs.d";

/// In the machine's state directory.
const LOCK: &str = "registry.lock";

/// The image has about 20 MB.
const PULL_TIMEOUT: Duration = Duration::from_secs(600);

/// The registry, running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// What images are named with, for example `127.0.0.1:5009`.
    pub address: String,
}

impl Registry {
    /// Finds the registry, starts it, or makes it from `image` ([`REGISTRY_IMAGE`]). Its port is the first of 5009 to 5029 that is
    /// free; when something else has taken it since, the registry moves, and is empty then. `state` is the machine's state
    /// directory, whose lock keeps several kilters from making it at once.
    ///
    /// # Errors
    /// When docker fails, the image cannot be pulled, or none of the ports is free.
    pub fn ensure(docker: &Docker, state: &Path, image: &str, progress: &dyn Fn(&str)) -> Result<Self> {
        if let Some(registry) = running(docker.container(NAME)?.as_ref()) {
            return Ok(registry);
        }
        let _lock = fsx::Lock::acquire(&state.join(LOCK), || {
            progress("waiting for another kilter that makes the local registry")
        })?;
        match docker.container(NAME)? {
            Some(container) if wake(docker, &container)? => {}
            Some(_) => {
                progress("the port of the local registry is taken: moving it to another");
                docker.remove(&[NAME], true)?;
                make(docker, image, progress)?;
            }
            None => make(docker, image, progress)?,
        }
        running(docker.container(NAME)?.as_ref()).ok_or_else(|| {
            Error::tool(format!("the local registry, the container `{NAME}`, does not stay up"))
                .help(format!("See why with `docker logs {NAME}`, delete it with `docker rm --force {NAME}`, then run the same command again."))
        })
    }

    /// Has the nodes of a kind cluster pull from it: it joins their network, and their containerd asks it for whatever is
    /// named after its address.
    ///
    /// # Errors
    /// When docker fails.
    pub fn wire(&self, docker: &Docker, nodes: &[&str]) -> Result<()> {
        let registry = docker.container(NAME)?.map(|container| container.networks).unwrap_or_default();
        let nodes = docker.containers(nodes)?;
        let mut networks: Vec<&String> = nodes.iter().flat_map(|node| &node.networks).collect();
        networks.sort();
        networks.dedup();
        for network in networks.into_iter().filter(|network| !registry.contains(*network) && joinable(network)) {
            connect(docker, network)?;
        }
        let hosts = format!("[host.\"http://{NAME}:{INSIDE}\"]\n");
        for node in &nodes {
            let file = format!("{HOSTS}/{}/hosts.toml", self.address);
            let args = ["exec", "--interactive", &node.name, "install", "-D", "-m", "644", "/dev/stdin", &file];
            docker.run(Invocation { stdin: Some(hosts.clone().into_bytes()), ..docker.call(args) })?;
        }
        Ok(())
    }

    /// Deletes the registry with what was pushed to it, unless a kind cluster of kilter's is left: so a cluster is made
    /// before the registry is asked for. Returns whether it deleted it.
    ///
    /// # Errors
    /// When docker fails.
    pub fn remove_if_unused(docker: &Docker, state: &Path) -> Result<bool> {
        let _lock = fsx::Lock::acquire(&state.join(LOCK), || {})?;
        let clusters = docker.labelled(CLUSTER_LABEL, CLUSTER_LABEL)?;
        if clusters.iter().any(|node| node.value.starts_with("kilter-")) || docker.container(NAME)?.is_none() {
            return Ok(false);
        }
        docker.remove(&[NAME], true)?;
        Ok(true)
    }
}

/// Returns the registry when its container runs and has a port.
fn running(container: Option<&Container>) -> Option<Registry> {
    let container = container.filter(|container| container.status == Status::Running)?;
    let inside = format!("{INSIDE}/tcp");
    let port = container.published.iter().find(|port| port.container == inside)?;
    Some(Registry { address: format!("127.0.0.1:{}", port.port) })
}

/// Starts the container; false when something else has its port now, or it cannot be started any more.
fn wake(docker: &Docker, container: &Container) -> Result<bool> {
    match container.status {
        Status::Running | Status::Restarting => Ok(true),
        Status::Paused => docker.unpause(&[NAME]).map(|()| true),
        Status::Created | Status::Dead | Status::Removing => Ok(false),
        Status::Exited if !container.wanted.iter().all(|port| is_free(port.port)) => Ok(false),
        Status::Exited => docker.start(&[NAME]).map(|()| true),
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Pulls the image where it is not there, and starts a container of it on the first port that docker can have.
fn make(docker: &Docker, image: &str, progress: &dyn Fn(&str)) -> Result<()> {
    if !docker.call(["image", "inspect", "--format", "{{json .Id}}", image]).capture()?.ok() {
        pull(docker, image, progress)?;
    }
    let mut last = None;
    for port in PORTS.filter(|port| is_free(*port)) {
        let publish = format!("127.0.0.1:{port}:{INSIDE}");
        let call = docker.call(["run", "--detach", "--name", NAME, "--label", LABEL, "--restart", "unless-stopped"]);
        let call = call.args(["--publish", &publish, image]);
        let said = call.capture()?;
        if said.ok() {
            return Ok(());
        }
        docker.remove(&[NAME], true)?;
        let taken = ["already allocated", "address already in use"].iter().any(|words| said.stderr.contains(words));
        last = Some(failed(&call, &said));
        if !taken {
            break;
        }
    }
    Err(last.unwrap_or_else(|| {
        Error::missing(format!("none of the ports {} to {} is free for the local registry", PORTS.start(), PORTS.end()))
            .help("End one of the programs that listen on them; `kilter doctor` names them.")
    }))
}

fn pull(docker: &Docker, image: &str, progress: &dyn Fn(&str)) -> Result<()> {
    progress(&format!("pulling the image of the local registry, {}", image.split('@').next().unwrap_or(image)));
    let call = docker.call(["image", "pull", "--quiet", image]).timeout(PULL_TIMEOUT);
    let said = call.capture()?;
    if said.ok() {
        return Ok(());
    }
    let error = failed(&call, &said);
    if error.kind() == crate::diag::Kind::Missing {
        return Err(error);
    }
    Err(Error::missing(format!("the image `{image}` of the local registry cannot be pulled"))
        .detail(said.stderr.trim())
        .help(format!("Check the network and docker's proxy (`docker info` shows it), and try `docker pull {image}`.")))
}

/// Tells whether a container can be added to a network: `host` and `none` are for those that start in them.
fn joinable(network: &str) -> bool {
    !matches!(network, "host" | "none")
}

fn connect(docker: &Docker, network: &str) -> Result<()> {
    let call = docker.call(["network", "connect", network, NAME]);
    let said = call.capture()?;
    let there = said.stderr.contains("already exists in network"); // another kilter was faster
    if said.ok() || there { Ok(()) } else { Err(failed(&call, &said)) }
}
