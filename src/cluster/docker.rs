//! docker, as far as clusters need it: containers by name and by label. Everything is read as docker's own JSON
//! (`--format '{{json .}}'`), whose fields are those of its Engine API.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::diag::{Error, Result};
use crate::exec::{Captured, Invocation, find_program, redact};

/// A docker command that answers from its daemon in less than a second may take this long on a machine under load.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What `docker stop` waits for a container to end by itself: a kind node ends its pods first.
const STOP_GRACE: u64 = 30;

/// The docker command and the variables it needs beside kilter's own environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docker {
    /// The program.
    pub program: PathBuf,
    /// Variables that are set for it, for example `DOCKER_HOST`; kind gets them as well.
    pub env: BTreeMap<String, String>,
}

/// What a container does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Made, never started.
    Created,
    /// Runs.
    Running,
    /// Runs, and its processes are held.
    Paused,
    /// Ended, and about to be started again by docker.
    Restarting,
    /// Is being deleted.
    Removing,
    /// Ended.
    Exited,
    /// Ended, and docker could not clean up after it.
    Dead,
}

/// One line of the list of containers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it does.
    pub status: Status,
    /// The value of the second label that was asked for; empty without it.
    pub value: String,
}

/// A port of this machine that leads into a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Published {
    /// Port and protocol in the container, for example `30000/tcp`.
    pub container: String,
    /// Address on this machine, for example `127.0.0.1`.
    pub address: String,
    /// Port on this machine; 0 when docker chooses it anew at every start.
    pub port: u16,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What it does.
    pub status: Status,
    /// `starting`, `healthy` or `unhealthy`; `None` without a health check.
    pub health: Option<String>,
    /// The image as it was asked for.
    pub image: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The ports it was made with, sorted.
    pub wanted: Vec<Published>,
    /// The ports it has now; none while it does not run.
    pub published: Vec<Published>,
    /// Names of the networks it is in.
    pub networks: BTreeSet<String>,
    /// Names of its volumes.
    pub volumes: BTreeSet<String>,
}

impl Docker {
    /// Finds docker on a search path (the value of `PATH`) and asks its daemon for a sign of life.
    ///
    /// # Errors
    /// When there is no docker, its daemon does not run, or may not be used by this user.
    pub fn find(search_path: Option<&OsStr>, env: BTreeMap<String, String>) -> Result<Self> {
        let Some(program) = find_program("docker", search_path) else {
            return Err(Error::missing("docker is not installed: there is no `docker` on PATH")
                .help("Install Docker Engine or Docker Desktop (https://docs.docker.com/get-docker/), then run the same command again."));
        };
        let docker = Self { program, env };
        docker.run(docker.call(["version", "--format", "{{json .Server}}"]))?;
        Ok(docker)
    }

    /// Returns the call of docker with these arguments.
    pub fn call<S: Into<String>>(&self, args: impl IntoIterator<Item = S>) -> Invocation {
        let call = Invocation::new(&self.program).inherit_env().timeout(TIMEOUT).args(args);
        self.env.iter().fold(call, |call, (name, value)| call.env(name, value))
    }

    /// Runs a call to its end.
    ///
    /// # Errors
    /// When it cannot be run, fails, or docker does not answer.
    pub fn run(&self, call: Invocation) -> Result<Captured> {
        let said = call.capture()?;
        if said.ok() { Ok(said) } else { Err(failed(&call, &said)) }
    }

    /// Returns a container; `None` when there is none of this name.
    ///
    /// # Errors
    /// When docker fails.
    pub fn container(&self, name: &str) -> Result<Option<Container>> {
        Ok(self.containers(&[name])?.pop())
    }

    /// Returns the containers of these names that there are.
    ///
    /// # Errors
    /// When docker fails.
    pub fn containers(&self, names: &[&str]) -> Result<Vec<Container>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let call = self.call(["container", "inspect", "--format", "{{json .}}"]).args(names.iter().copied());
        let said = call.capture()?;
        // The daemon's words for a 404; those that are there are printed all the same.
        if !said.ok() && !said.stderr.to_lowercase().contains("no such container") {
            return Err(failed(&call, &said));
        }
        said.text().lines().filter(|line| !line.is_empty()).map(|line| inspected(&call, line)).collect()
    }

    /// Lists the containers, running or not, that carry a label (`name` or `name=value`), with the value of another
    /// label of each, sorted by name.
    ///
    /// # Errors
    /// When docker fails.
    pub fn labelled(&self, label: &str, other: &str) -> Result<Vec<Listed>> {
        let format = format!(
            "{{\"name\":{{{{json .Names}}}},\"status\":{{{{json .State}}}},\"value\":{{{{json (.Label \"{other}\")}}}}}}"
        );
        let filter = format!("label={label}");
        let call = self.call(["container", "ls", "--all", "--no-trunc", "--filter", &filter, "--format", &format]);
        let said = self.run(call.clone())?;
        let mut listed: Vec<Listed> = lines(&call, &said)?;
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// Starts containers that were made or have ended.
    ///
    /// # Errors
    /// When docker fails, for example because a port of theirs is taken.
    pub fn start(&self, names: &[&str]) -> Result<()> {
        self.each("start", names)
    }

    /// Lets paused containers go on.
    ///
    /// # Errors
    /// When docker fails.
    pub fn unpause(&self, names: &[&str]) -> Result<()> {
        self.each("unpause", names)
    }

    /// Stops containers, giving each half a minute to end by itself. One that has ended is left as it is.
    ///
    /// # Errors
    /// When docker fails.
    pub fn stop(&self, names: &[&str]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let call = self.call(["container", "stop", "-t", &STOP_GRACE.to_string()]).args(names.iter().copied());
        self.run(call.timeout(TIMEOUT + Duration::from_secs(STOP_GRACE))).map(drop)
    }

    /// Deletes containers, running or not; with `volumes`, their anonymous volumes too. That one is not there is fine.
    ///
    /// # Errors
    /// When docker fails.
    pub fn remove(&self, names: &[&str], volumes: bool) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let mut call = self.call(["container", "rm", "--force"]);
        if volumes {
            call = call.arg("--volumes");
        }
        let call = call.args(names.iter().copied());
        let said = call.capture()?;
        if said.ok() || said.stderr.to_lowercase().contains("no such container") {
            Ok(())
        } else {
            Err(failed(&call, &said))
        }
    }

    /// Returns those of these volumes that there are.
    ///
    /// # Errors
    /// When docker fails.
    pub fn volumes(&self, names: &BTreeSet<String>) -> Result<BTreeSet<String>> {
        #[derive(Deserialize)]
        struct Volume {
            #[serde(rename = "Name")]
            name: String,
        }
        if names.is_empty() {
            return Ok(BTreeSet::new());
        }
        let call = self.call(["volume", "ls", "--format", "{{json .}}"]);
        let said = self.run(call.clone())?;
        let there: Vec<Volume> = lines(&call, &said)?;
        Ok(there.into_iter().map(|volume| volume.name).filter(|name| names.contains(name)).collect())
    }

    /// Deletes volumes.
    ///
    /// # Errors
    /// When docker fails.
    pub fn remove_volumes(&self, names: &BTreeSet<String>) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        self.run(self.call(["volume", "rm"]).args(names.iter().cloned())).map(drop)
    }

    fn each(&self, what: &str, names: &[&str]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        self.run(self.call(["container", what]).args(names.iter().copied())).map(drop)
    }
}

/// Says why docker failed, without the logins of proxies and registries.
pub(super) fn failed(call: &Invocation, said: &Captured) -> Error {
    why_failed(call, said).reworded(redact)
}

/// The exit code of docker is 1 for every reason, so that the words of its daemon have to tell them apart.
fn why_failed(call: &Invocation, said: &Captured) -> Error {
    let words = said.stderr.to_lowercase();
    let detail = said.stderr.trim();
    if words.contains("permission denied") && words.contains("docker") && words.contains("connect") {
        return Error::missing("this user may not use docker").detail(detail).help(
            "Add yourself to docker's group with `sudo usermod -aG docker $USER`, log in again, then run the same command.",
        );
    }
    if words.contains("daemon running?")
        || words.contains("error during connect")
        || words.contains("failed to connect to the docker api")
    {
        return Error::missing("docker is not running").detail(detail).help(
            "Start it: `sudo systemctl start docker` on Linux, the Docker Desktop app otherwise; then run the same command again.",
        );
    }
    let what = format!("docker failed: {}", said.ending);
    let mut error = Error::tool(what).detail(format!("{}\n{detail}", call.shell_line()).trim_end());
    if words.contains("already allocated") || words.contains("address already in use") {
        error = error.help("Another program listens on a port of this project; `kilter doctor` names it. End it, then run the same command again.");
    } else if words.contains("no space left") {
        error = error.help("Free some disk space; `docker system df` shows what docker takes.");
    } else {
        error = error.help("Check docker with `kilter doctor`.");
    }
    error
}

fn lines<T: for<'a> Deserialize<'a>>(call: &Invocation, said: &Captured) -> Result<Vec<T>> {
    let text = said.text();
    text.lines().filter(|line| !line.is_empty()).map(|line| json(call, line)).collect()
}

fn json<T: for<'a> Deserialize<'a>>(call: &Invocation, line: &str) -> Result<T> {
    serde_json::from_str(line).map_err(|error| {
        Error::tool(format!("docker answered what kilter does not understand: {error}"))
            .detail(call.shell_line())
            .reworded(redact)
            .help("kilter works with docker 20.10 and newer; check yours with `docker version`.")
    })
}

/// `ContainerInspectResponse` of the Engine API, as far as it is used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspect {
    name: String,
    state: State,
    config: Config,
    host_config: HostConfig,
    network_settings: NetworkSettings,
    #[serde(default)]
    mounts: Vec<Mount>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: Status,
    health: Option<Health>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    status: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    image: String,
    labels: Option<BTreeMap<String, String>>,
}

type Bindings = BTreeMap<String, Option<Vec<Binding>>>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    port_bindings: Option<Bindings>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    ports: Option<Bindings>,
    networks: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Binding {
    host_ip: String,
    host_port: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mount {
    r#type: String,
    #[serde(default)]
    name: String,
}

fn inspected(call: &Invocation, line: &str) -> Result<Container> {
    let inspect: Inspect = json(call, line)?;
    let volumes = inspect.mounts.into_iter().filter(|mount| mount.r#type == "volume").map(|mount| mount.name);
    Ok(Container {
        name: inspect.name.trim_start_matches('/').to_owned(),
        status: inspect.state.status,
        health: inspect.state.health.map(|health| health.status).filter(|status| status != "none"),
        image: inspect.config.image,
        labels: inspect.config.labels.unwrap_or_default(),
        wanted: bindings(inspect.host_config.port_bindings),
        published: bindings(inspect.network_settings.ports),
        networks: inspect.network_settings.networks.unwrap_or_default().into_keys().collect(),
        volumes: volumes.collect(),
    })
}

fn bindings(bindings: Option<Bindings>) -> Vec<Published> {
    let of = |(container, on): (String, Option<Vec<Binding>>)| {
        on.unwrap_or_default().into_iter().map(move |on| Published {
            container: container.clone(),
            address: on.host_ip,
            port: on.host_port.parse().unwrap_or_default(),
        })
    };
    let mut published: Vec<Published> = bindings.unwrap_or_default().into_iter().flat_map(of).collect();
    published.sort();
    published
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stderr: &str) -> Error {
        let captured =
            Captured { ending: crate::exec::Ending::Exited(1), stdout: Vec::new(), stderr: stderr.to_owned() };
        failed(&Invocation::new("/usr/bin/docker").arg("ps"), &captured)
    }

    #[test]
    fn a_container_is_read_from_dockers_json() {
        let line = r#"{"Name":"/a","State":{"Status":"exited","Health":{"Status":"healthy"}},"Config":{"Image":"x:1","Labels":{"k":"v"}},
            "HostConfig":{"PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"5009"},{"HostIp":"","HostPort":""}],"81/tcp":null}},
            "NetworkSettings":{"Ports":{},"Networks":{"kind":{}}},
            "Mounts":[{"Type":"bind","Source":"/x"},{"Type":"volume","Name":"abc"}]}"#;
        let container = inspected(&Invocation::new("/docker"), line).unwrap();
        let port = |address: &str, port| Published { container: "80/tcp".into(), address: address.into(), port };
        assert_eq!(container.name, "a");
        assert_eq!((container.status, container.health.as_deref()), (Status::Exited, Some("healthy")));
        assert_eq!(container.wanted, [port("", 0), port("127.0.0.1", 5009)]);
        assert_eq!((container.published.len(), container.volumes.len()), (0, 1));
        assert!(container.networks.contains("kind"), "{container:?}");
        let error = inspected(&Invocation::new("/docker"), "{}").unwrap_err();
        assert_eq!(error.kind(), crate::diag::Kind::Tool);
    }

    #[test]
    fn no_login_is_shown() {
        let call = Invocation::new("/usr/bin/docker")
            .inherit_env()
            .env("HTTPS_PROXY", "http://me:canary@proxy:3128")
            .env("DOCKER_HOST", "tcp://me:canary@host:2375")
            .args(["pull", "https://me:canary@registry/x"]);
        let captured = Captured {
            ending: crate::exec::Ending::Exited(1),
            stdout: Vec::new(),
            stderr: "proxyconnect tcp: http://me:canary@proxy:3128 refused".into(),
        };
        for error in [failed(&call, &captured), inspected(&call, "{}").unwrap_err()] {
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("https://…@registry/x") && !shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn each_reason_has_its_own_way_out() {
        let down =
            said("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?");
        assert!(down.to_string().starts_with("docker is not running."), "{down}");
        let denied = said(
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: dial unix /var/run/docker.sock: connect: permission denied",
        );
        assert!(denied.problems()[0].help[0].contains("usermod -aG docker"), "{denied}");
        let taken = said(
            "Error response from daemon: driver failed programming external connectivity: Bind for 127.0.0.1:20000 failed: port is already allocated",
        );
        assert_eq!(
            (taken.kind(), taken.problems()[0].help[0].contains("`kilter doctor`")),
            (crate::diag::Kind::Tool, true)
        );
        let denied_inside = said("Error response from daemon: OCI runtime: permission denied");
        assert_eq!(denied_inside.kind(), crate::diag::Kind::Tool, "not the right to use docker");
    }
}
