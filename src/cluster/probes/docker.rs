//! Docker: whether it can be used, and what it has.

use std::path::PathBuf;

use serde::Deserialize;

use super::finding::Finding;
use crate::fsx::size;

/// Least memory of the machine docker runs on: a node and a handful of services.
const MIN_MEMORY: u64 = 4 * 1024 * 1024 * 1024;

/// Least free space where docker keeps its images: a node's image and those of a few services, and builds.
pub const MIN_FREE: u64 = 5 * 1024 * 1024 * 1024;

/// What `docker info --format '{{json .}}'` says, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Engine {
    /// Version of the daemon.
    pub server_version: String,
    /// Bytes of memory of the machine it runs on.
    pub mem_total: u64,
    /// Where it keeps its images.
    pub docker_root_dir: String,
    /// Its clock.
    pub system_time: String,
    /// Name of its system, for example `Docker Desktop`.
    pub operating_system: String,
    /// `1` or `2`.
    pub cgroup_version: String,
    /// For example `name=rootless`.
    pub security_options: Option<Vec<String>>,
    /// What the program itself says.
    pub client_info: Client,
    /// Why the daemon did not answer, from a docker 20, which says so here and ends well.
    server_errors: Option<Vec<String>>,
}

/// What the `docker` program says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Client {
    /// The docker context in use.
    pub context: String,
}

impl Engine {
    /// Reads what `docker info` printed. A daemon that does not answer is a refusal, beside which is the docker context in
    /// use, as far as it was said.
    ///
    /// # Errors
    /// When docker cannot be used.
    pub fn parse(stdout: &str, stderr: &str) -> Result<Self, (Refusal, String)> {
        let value: serde_json::Value = serde_json::from_str(stdout.trim()).unwrap_or_default();
        // Podman's own form has these, and nothing of docker's.
        if value["host"].is_object() && value.get("ClientInfo").is_none() {
            return Err((Refusal::Podman, String::new()));
        }
        let engine: Self = serde_json::from_value(value).unwrap_or_default();
        if !engine.server_version.is_empty() {
            return Ok(engine);
        }
        let errors = engine.server_errors.unwrap_or_default().join("\n");
        let said = if errors.is_empty() { stderr } else { &errors };
        Err((Refusal::parse(said), engine.client_info.context))
    }

    /// Tells whether the daemon runs without root.
    pub fn rootless(&self) -> bool {
        self.security_options.iter().flatten().any(|option| option.starts_with("name=rootless"))
    }

    /// Tells whether its files may be on this machine: it is no virtual machine's, as far as it says.
    pub fn is_here(&self) -> bool {
        let other = ["Docker Desktop", "OrbStack", "Rancher Desktop"];
        !other.iter().any(|name| self.operating_system.contains(name))
    }

    /// Says what answers, what it lacks, and whether its memory will do.
    pub fn findings(&self) -> Vec<Finding> {
        let mut words = vec![self.server_version.clone()];
        words.extend((!self.operating_system.is_empty()).then(|| self.operating_system.clone()));
        words.extend(self.rootless().then(|| "rootless".to_owned()));
        let context = &self.client_info.context;
        words.extend((!matches!(context.as_str(), "" | "default")).then(|| format!("context `{context}`")));
        let docker = match self.rootless() && self.cgroup_version == "1" {
            true => Finding::warning(
                "docker",
                "docker runs without root on cgroup v1, which kind cannot use",
                "Boot with cgroup v2 (`systemd.unified_cgroup_hierarchy=1`), or use docker as root.",
            ),
            false => Finding::ok("docker", words.join(", ")),
        };
        let mut found = vec![docker];
        found.extend((self.mem_total > 0).then(|| self.memory()));
        found
    }

    fn memory(&self) -> Finding {
        let what = format!("docker has {} of memory", size(self.mem_total));
        if self.mem_total >= MIN_MEMORY {
            return Finding::ok("docker memory", what);
        }
        let fix = match (self.is_here(), self.client_info.context.as_str()) {
            (_, "colima") => "Give it more: `colima stop`, then `colima start --memory 6`.".to_owned(),
            (false, _) => "Give it 4 GiB or more: Settings, Resources, Memory.".to_owned(),
            (true, _) => {
                "A cluster with a handful of services takes 4 GiB: take fewer services, or a larger machine.".to_owned()
            }
        };
        Finding::warning("docker memory", what, fix)
    }
}

/// Says whether there is room where docker keeps its images, when that is a directory of this machine.
pub fn disk(dir: &str, free: u64) -> Finding {
    let what = format!("{} free for docker in `{dir}`", size(free));
    match free < MIN_FREE {
        true => Finding::warning(
            "docker disk",
            what,
            "Images no longer fit, and pods are evicted: `docker system df` shows what takes the room, `docker system \
             prune` deletes what nothing uses.",
        ),
        false => Finding::ok("docker disk", what),
    }
}

/// Why docker cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no `docker` on PATH.
    NotInstalled,
    /// `docker` is Podman under that name.
    Podman,
    /// Its socket is there and not for this user.
    NoPermission(String),
    /// Nobody answers there.
    NoAnswer(String),
    /// The docker context in use does not exist.
    NoContext(String),
    /// It did not answer in time.
    Hangs,
    /// Something else, in docker's own words.
    Other(String),
}

impl Refusal {
    /// Understands what `docker` said on standard error before it failed.
    pub fn parse(said: &str) -> Self {
        let lower = said.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let address = || {
            let words = said.split_whitespace().map(|word| word.trim_matches(|c: char| "\"'`.,;:()".contains(c)));
            let mut addresses = words.filter(|word| word.contains("://") && !word.starts_with("http"));
            addresses.next().unwrap_or_default().to_owned()
        };
        if has(&["context not found"]) {
            return Self::NoContext(said.split('"').nth(1).unwrap_or_default().to_owned());
        }
        // What docker 20 to 29 say.
        if has(&["permission denied while trying to connect"]) || has(&["dial unix"]) && has(&["permission denied"]) {
            return Self::NoPermission(address());
        }
        let silent =
            ["cannot connect to the docker daemon", "failed to connect to the docker api", "error during connect"];
        if has(&silent) || has(&["connection refused"]) {
            return Self::NoAnswer(address());
        }
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        Self::Other(last.map_or_else(|| "it said nothing".to_owned(), |line| line.trim().to_owned()))
    }
}

/// What about this machine decides what is to be done about a docker that cannot be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// `DOCKER_HOST`.
    pub host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub context_variable: Option<String>,
    /// The context that docker says it uses.
    pub context: String,
    /// Whether this is macOS.
    pub macos: bool,
    /// Other sockets of docker that are there, and that this user may use.
    pub sockets: Vec<PathBuf>,
    /// Group of the socket that docker is reached by.
    pub group: Option<Group>,
    /// Name of the user.
    pub user: Option<String>,
}

/// The group of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Whether the user is in it, though this process is not.
    pub listed: bool,
}

/// Says why docker cannot be used, and what to do. A docker that is not there or off is a warning: kilter renders
/// without. One that refuses is wrong.
pub fn unusable(refusal: &Refusal, around: &Around) -> Finding {
    let reached = match (&around.host, around.context.as_str()) {
        (Some(_), _) => " (`DOCKER_HOST`)".to_owned(),
        (None, "" | "default") => String::new(),
        (None, context) => format!(" (docker's context `{context}`)"),
    };
    let at = |address: &str| match (address, &around.host) {
        ("", Some(host)) => format!(" at `{host}`"),
        ("", None) => String::new(),
        (address, _) => format!(" at `{}`", address.trim_start_matches("unix://")),
    };
    match refusal {
        Refusal::NotInstalled => Finding::warning(
            "docker",
            "there is no `docker` on PATH",
            format!("{} `kilter render` works without.", install(around.macos)),
        ),
        Refusal::Podman => Finding::warning(
            "docker",
            "`docker` is Podman here, which kilter does not drive",
            format!("{} Put it before Podman's on PATH. `kilter render` works without.", install(around.macos)),
        ),
        Refusal::NoPermission(address) => Finding::failed(
            "docker",
            format!("no permission to use docker's socket{}{}{reached}", at(address), of_group(around)),
            permission(around) + &elsewhere(around),
        ),
        Refusal::NoAnswer(address) => Finding::warning(
            "docker",
            format!("docker is installed, and nobody answers{}{reached}", at(address)),
            start(around) + &elsewhere(around),
        ),
        Refusal::NoContext(name) => Finding::failed(
            "docker",
            format!("docker's context `{name}` does not exist"),
            match around.context_variable.as_deref() == Some(name) {
                true => "`DOCKER_CONTEXT` names it: `unset DOCKER_CONTEXT`, or name one of `docker context ls`.",
                false => "Take another: `docker context ls`, then `docker context use NAME`.",
            },
        ),
        Refusal::Hangs => Finding::failed(
            "docker",
            format!("docker does not answer in time{}{reached}", at("")),
            format!(
                "It may be starting, or stuck: try `docker info`. If that hangs too, restart it. {}",
                start(around)
            ),
        ),
        Refusal::Other(words) => Finding::failed(
            "docker",
            format!("docker does not work: {words}"),
            "See what `docker info` says, and put that right first.",
        ),
    }
}

fn install(macos: bool) -> String {
    match macos {
        true => "Install one: Docker Desktop, OrbStack or Colima (`brew install colima docker`), and start it.".into(),
        false => "Install Docker Engine (`https://docs.docker.com/engine/install/`) and start it.".into(),
    }
}

fn of_group(around: &Around) -> String {
    around.group.as_ref().map(|group| format!(", of group `{}`", group.name)).unwrap_or_default()
}

fn permission(around: &Around) -> String {
    let user = around.user.as_deref().unwrap_or("$USER");
    match &around.group {
        Some(Group { name, listed: true }) => format!(
            "You are in the group `{name}`, and this session does not know yet: log out and in again, or run `newgrp {name}`."
        ),
        Some(Group { name, listed: false }) if name == "root" || name == "wheel" => format!(
            "Only root may use it. Make a group for it: `sudo groupadd -f docker`, `sudo usermod -aG docker {user}`, restart \
             docker, then log out and in again."
        ),
        Some(Group { name, listed: false }) => {
            format!(
                "Join its group: `sudo usermod -aG {name} {user}`, then log out and in again, or run `newgrp {name}`."
            )
        }
        None if around.macos => "Start Docker Desktop, OrbStack or Colima as the user that you are.".into(),
        None => format!("Join docker's group: `sudo usermod -aG docker {user}`, then log out and in again."),
    }
}

/// Says how the docker that is meant is started.
fn start(around: &Around) -> String {
    if around.host.is_some() {
        return "Start docker there, or go back to this machine's: `unset DOCKER_HOST`.".into();
    }
    match (around.context.as_str(), around.macos) {
        ("colima", _) => "Start it: `colima start`.".into(),
        ("orbstack", _) => "Start it: `orb start`.".into(),
        ("rancher-desktop", _) => "Start Rancher Desktop.".into(),
        ("rootless", _) => "Start it: `systemctl --user start docker`.".into(),
        ("desktop-linux", true) => "Start it: `open -a Docker`.".into(),
        ("desktop-linux", false) => "Start it: `systemctl --user start docker-desktop`.".into(),
        ("" | "default", true) => "Start Docker Desktop (`open -a Docker`), OrbStack or Colima (`colima start`).".into(),
        ("" | "default", false) => {
            "Start it: `sudo systemctl start docker`, or `sudo service docker start`; with `sudo systemctl enable docker` \
             it starts by itself from then on."
                .into()
        }
        (context, _) => format!("Start what the context `{context}` leads to, or take another: `docker context ls`."),
    }
}

/// Points to another docker that is there.
fn elsewhere(around: &Around) -> String {
    match around.sockets.first() {
        Some(socket) => {
            format!(" There is another docker here: `export DOCKER_HOST=unix://{}` uses it.", socket.display())
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
