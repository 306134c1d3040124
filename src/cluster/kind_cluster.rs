//! The cluster that kind makes for an instance: made, started, stopped, deleted, and mended when something happened to it
//! in between.
//!
//! What is there is read from docker, by the labels that kind gives its node containers. That a cluster was made to its
//! end is told by its kubeconfig, which is deleted before kind starts, or by a mark in the node, which outlives a deleted
//! cache; what has neither, and does not look whole to its own API server, is deleted and made again.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use super::docker::{Container, Docker, Listed, Status};
use super::{kubeconfig, stale};
use crate::diag::{Error, Result};
use crate::exec::{Captured, Invocation, pause_if_interrupted};
use crate::fsx;

/// kind's label for the cluster of a node container (`clusterLabelKey` of its docker provider).
pub(super) const CLUSTER_LABEL: &str = "io.x-k8s.kind.cluster";

/// kind's label for what a node container is (`nodeRoleLabelKey`).
pub(super) const ROLE_LABEL: &str = "io.x-k8s.kind.role";

pub(super) const CONTROL_PLANE: &str = "control-plane";

/// The container that kind puts before several control planes.
const LOAD_BALANCER: &str = "external-load-balancer";

/// A file in the first control plane that says: kind has made this cluster to its end.
pub(super) const MARK: &str = "/kilter-made";

/// What kubeadm writes early; without it a node was never more than a container.
const ADMIN_CONF: &str = "/etc/kubernetes/admin.conf";

/// How long kind waits for the control plane to be ready before it ends all the same.
pub(super) const KIND_WAITS: &str = "2m";

/// How often the API server is asked whether it is ready: it tells nobody by itself.
const ASK_EVERY: Duration = Duration::from_millis(250);

pub(super) const MAX_KUBECONFIG: u64 = 1024 * 1024;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// kind making a cluster, the download of its node image included.
    pub create: Duration,
    /// The API server of a started cluster until it is ready.
    pub ready: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { create: Duration::from_secs(15 * 60), ready: Duration::from_secs(180) }
    }
}

/// A cluster of kind's: what is needed to work on it, whether it exists or not. Two at a time must not work on one; the
/// caller holds the instance's lock.
#[derive(Debug, Clone)]
pub struct KindCluster {
    /// The pinned kind. [`KindCluster::stop`] and [`KindCluster::destroy`] do without when it is not there.
    pub kind: PathBuf,
    /// The pinned kubectl.
    pub kubectl: PathBuf,
    /// docker.
    pub docker: Docker,
    /// The cluster's name, for example `kilter-shop`.
    pub name: String,
    /// Its settings, the artifact `kind.yaml`.
    pub config: PathBuf,
    /// Where its kubeconfig is written.
    pub kubeconfig: PathBuf,
    /// How long things may take.
    pub limits: Limits,
}

/// What a cluster does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There is none.
    Absent,
    /// Its nodes run; whether its API server answers, it does not say.
    Running,
    /// Its nodes have ended: stopped, or the machine was off.
    Stopped,
    /// Its nodes are paused.
    Paused,
    /// Something happened to it; [`KindCluster::ensure`] mends it.
    Broken(String),
}

/// What [`KindCluster::ensure`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// Made the cluster: it is empty.
    Created,
    /// Started or unpaused nodes.
    Started,
    /// Nothing: it ran.
    Running,
}

/// A cluster whose API server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensured {
    /// What was done for it.
    pub made: Made,
    /// In what it differs from `kind.yaml`, one line each: only `kilter destroy` and `kilter up` change that.
    pub stale: Vec<String>,
    /// The names of its node containers, without a load balancer.
    pub nodes: Vec<String>,
}

/// Whether a cluster was made to its end.
enum Whole {
    Yes,
    No,
}

impl KindCluster {
    /// Returns the name of its context, the only one of its kubeconfig.
    pub fn context(&self) -> String {
        format!("kind-{}", self.name)
    }

    /// Tells what the cluster does, by one call of docker.
    ///
    /// # Errors
    /// When docker fails.
    pub fn state(&self) -> Result<State> {
        Ok(state_of(&self.nodes()?, self.kubeconfig.exists()))
    }

    /// Makes, starts or mends the cluster, and returns when its API server answers and its kubeconfig is right. A cluster
    /// that was not made to its end, or has lost its control plane, is deleted first; `progress` is told.
    ///
    /// # Errors
    /// When docker or kind fails, the node image cannot be had, or the API server does not answer in time. A cluster that
    /// kind failed to make is deleted.
    pub fn ensure(&self, progress: &dyn Fn(&str)) -> Result<Ensured> {
        let nodes = self.nodes()?;
        if nodes.is_empty() {
            if self.kubeconfig.exists() {
                progress(&format!("the cluster `{}` is gone: making it again", self.name));
            }
            return self.create(progress);
        }
        if let Some(why) = beyond_repair(&nodes) {
            return self.create_again(&why, progress);
        }
        let made = self.wake(&nodes, progress)?;
        let containers = self.docker.containers(&names(&nodes))?;
        match self.connect(&nodes, &containers, progress)? {
            Whole::Yes => Ok(self.ensured(made, &nodes, &containers)),
            Whole::No => self.create_again("it was not made to its end", progress),
        }
    }

    /// Stops its nodes; what is in them stays. Returns whether there was anything to stop.
    ///
    /// # Errors
    /// When docker fails.
    pub fn stop(&self) -> Result<bool> {
        let nodes = self.nodes()?;
        let paused = with(&nodes, &[Status::Paused]);
        self.docker.unpause(&paused)?; // held processes cannot end by themselves
        let running = with(&nodes, &[Status::Running, Status::Restarting, Status::Paused]);
        self.docker.stop(&running)?;
        Ok(!running.is_empty())
    }

    /// Deletes the cluster with its data and its kubeconfig, and proves that its containers and their volumes are gone.
    /// Returns whether there was one. Works without kind too.
    ///
    /// # Errors
    /// When docker fails or something is left.
    pub fn destroy(&self) -> Result<bool> {
        let nodes = self.nodes()?;
        let containers = self.docker.containers(&names(&nodes))?;
        let volumes = containers.into_iter().flat_map(|container| container.volumes).collect();
        if !nodes.is_empty() {
            self.kind_delete()?;
        }
        self.delete_nodes()?;
        let left = self.docker.volumes(&volumes)?;
        self.docker.remove_volumes(&left)?;
        fsx::remove(&self.kubeconfig)?;
        let left = self.nodes()?;
        if let Some(node) = left.first() {
            return Err(Error::tool(format!("docker says it deleted `{}`, but it is still there", node.name))
                .help(format!("Delete it by hand: `docker rm --force --volumes {}`.", names(&left).join(" "))));
        }
        Ok(!nodes.is_empty())
    }

    pub(super) fn nodes(&self) -> Result<Vec<Listed>> {
        self.docker.labelled(&format!("{CLUSTER_LABEL}={}", self.name), ROLE_LABEL)
    }

    pub(super) fn ensured(&self, made: Made, nodes: &[Listed], containers: &[Container]) -> Ensured {
        let settings = fsx::read_text(&self.config, fsx::MAX_FILE).ok().flatten().unwrap_or_default();
        let nodes = nodes.iter().filter(|node| node.value != LOAD_BALANCER).map(|node| node.name.clone());
        Ensured { made, stale: stale::differences(&settings, &self.name, containers), nodes: nodes.collect() }
    }

    /// Starts what has ended and lets go on what is paused: a load balancer first, then control planes, then workers.
    fn wake(&self, nodes: &[Listed], progress: &dyn Fn(&str)) -> Result<Made> {
        let mut ordered = nodes.to_vec();
        ordered.sort_by_key(|node| match node.value.as_str() {
            LOAD_BALANCER => 0,
            CONTROL_PLANE => 1,
            _ => 2,
        });
        let (ended, paused) = (with(&ordered, &[Status::Exited]), with(&ordered, &[Status::Paused]));
        if ended.is_empty() && paused.is_empty() {
            return Ok(Made::Running);
        }
        progress(&format!("starting the cluster `{}`", self.name));
        self.docker.unpause(&paused)?;
        self.docker.start(&ended)?;
        Ok(Made::Started)
    }

    /// Sees to it that the kubeconfig leads to the API server and that it answers.
    fn connect(&self, nodes: &[Listed], containers: &[Container], progress: &dyn Fn(&str)) -> Result<Whole> {
        let context = self.context();
        let kept = fsx::read_text(&self.kubeconfig, MAX_KUBECONFIG)?;
        let server = kept.as_deref().and_then(|text| kubeconfig::server(text, &context));
        if server.is_some() && server == endpoint(nodes, containers) {
            return self.wait_until_ready(progress).map(|()| Whole::Yes);
        }
        let first = first_control_plane(nodes);
        if server.is_some() || self.has(first, MARK)? {
            self.write_kubeconfig()?;
            return self.wait_until_ready(progress).map(|()| Whole::Yes);
        }
        if !self.has(first, ADMIN_CONF)? || !self.looks_whole(nodes, progress)? {
            return Ok(Whole::No);
        }
        self.write_kubeconfig()?;
        self.mark(first)?;
        Ok(Whole::Yes)
    }

    /// Asks a cluster of unknown origin whether it has all its nodes and the storage class that kind makes last.
    fn looks_whole(&self, nodes: &[Listed], progress: &dyn Fn(&str)) -> Result<bool> {
        let dir = super::kind_create::temporary()?;
        let kubeconfig = dir.path().join("kubeconfig");
        fsx::write_private(&kubeconfig, self.kubeconfig_of_kind()?.as_bytes())?;
        let asked = Self { kubeconfig, ..self.clone() };
        progress(&format!("looking whether the cluster `{}` was made to its end", self.name));
        if asked.ask_until(Instant::now() + self.limits.ready / 3)?.is_err() {
            return Ok(false);
        }
        let said = asked.kubectl(&["get", "nodes,storageclasses", "--output", "name"]).capture()?;
        let text = said.text();
        let (joined, storage): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("node/"));
        let wanted = nodes.iter().filter(|node| node.value != LOAD_BALANCER).count();
        Ok(said.ok() && joined.len() >= wanted && !storage.is_empty())
    }

    pub(super) fn wait_until_ready(&self, progress: &dyn Fn(&str)) -> Result<()> {
        if self.ask()?.ok() {
            return Ok(());
        }
        progress(&format!("waiting for the API server of `{}`", self.name));
        // It may be the right port of another cluster: one that was made under the same name by hand.
        let now = self.kind_call(&["get", "kubeconfig", "--name", &self.name]).capture()?;
        if now.ok() && kubeconfig::server(&now.text(), &self.context()).is_some() {
            fsx::write_private(&self.kubeconfig, &now.stdout)?;
        }
        let last = match self.ask_until(Instant::now() + self.limits.ready)? {
            Ok(()) => return Ok(()),
            Err(last) => last,
        };
        let seconds = self.limits.ready.as_secs();
        Err(Error::tool(format!("the API server of the cluster `{}` does not answer after {seconds} s", self.name))
            .detail(last.stderr.trim())
            .help("Start it anew: `kilter stop`, then `kilter up`.")
            .help(format!("Its node's own words: `docker logs {}-{CONTROL_PLANE}`.", self.name))
            .help("When nothing helps, `kilter destroy` deletes it with its data, and `kilter up` makes a new one."))
    }

    /// Asks until the API server is ready or the time is over; then returns what the last try said.
    fn ask_until(&self, deadline: Instant) -> Result<Result<(), Captured>> {
        loop {
            let said = self.ask()?;
            if said.ok() {
                return Ok(Ok(()));
            }
            if Instant::now() >= deadline {
                return Ok(Err(said));
            }
            thread::sleep(ASK_EVERY);
            pause_if_interrupted()?;
        }
    }

    fn ask(&self) -> Result<Captured> {
        self.kubectl(&["get", "--raw", "/readyz"]).capture()
    }

    fn kubectl(&self, args: &[&str]) -> Invocation {
        let call = Invocation::new(&self.kubectl).inherit_env().timeout(Duration::from_secs(20));
        let kubeconfig = self.kubeconfig.to_string_lossy();
        call.args(["--kubeconfig", &*kubeconfig, "--context", &self.context(), "--request-timeout", "10s"])
            .args(args.iter().copied())
    }
}

pub(super) fn names(nodes: &[Listed]) -> Vec<&str> {
    nodes.iter().map(|node| node.name.as_str()).collect()
}

fn with<'a>(nodes: &'a [Listed], statuses: &[Status]) -> Vec<&'a str> {
    nodes.iter().filter(|node| statuses.contains(&node.status)).map(|node| node.name.as_str()).collect()
}

/// Returns the first control plane, which [`beyond_repair`] has seen.
pub(super) fn first_control_plane(nodes: &[Listed]) -> &str {
    nodes.iter().find(|node| node.value == CONTROL_PLANE).map_or("", |node| &node.name)
}

/// Says why a cluster cannot be started any more.
fn beyond_repair(nodes: &[Listed]) -> Option<String> {
    if !nodes.iter().any(|node| node.value == CONTROL_PLANE) {
        return Some("its control plane was deleted".to_owned());
    }
    nodes.iter().find_map(|node| match node.status {
        Status::Created => Some(format!("its node `{}` was never started", node.name)),
        Status::Dead | Status::Removing => Some(format!("its node `{}` is half deleted", node.name)),
        Status::Running | Status::Paused | Status::Restarting | Status::Exited => None,
    })
}

fn state_of(nodes: &[Listed], has_kubeconfig: bool) -> State {
    if nodes.is_empty() {
        return State::Absent;
    }
    if let Some(why) = beyond_repair(nodes) {
        return State::Broken(why);
    }
    let ended = with(nodes, &[Status::Exited]);
    match ended.first() {
        Some(_) if ended.len() == nodes.len() => State::Stopped,
        Some(node) => State::Broken(format!("its node `{node}` is stopped")),
        None if nodes.iter().any(|node| node.status == Status::Paused) => State::Paused,
        None if !has_kubeconfig => State::Broken("its kubeconfig is missing".to_owned()),
        None => State::Running,
    }
}

/// Returns the address of the API server as kind finds it: where the load balancer's, else the first control plane's
/// port of this machine leads, or where Docker Desktop says.
fn endpoint(nodes: &[Listed], containers: &[Container]) -> Option<String> {
    let before = nodes.iter().find(|node| node.value == LOAD_BALANCER).map(|node| node.name.as_str());
    let name = before.unwrap_or_else(|| first_control_plane(nodes));
    let container = containers.iter().find(|container| container.name == name)?;
    if let Some(address) = container.labels.get(&format!("desktop.docker.io/ports/{}", stale::API)) {
        return Some(format!("https://{address}"));
    }
    let port = container.published.iter().find(|port| port.container == stale::API)?;
    let address = if port.address.contains(':') { format!("[{}]", port.address) } else { port.address.clone() };
    Some(format!("https://{address}:{}", port.port))
}
