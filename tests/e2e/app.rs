//! A project on the bed, and what can be asked of what runs of it.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{Bed, CONTEXT, REGISTRY, until};
use crate::support::project::{Project, Run, command};

/// A project whose cluster is the bed. Dropped, it takes with it what runs of it.
#[derive(Debug)]
pub(super) struct App {
    pub(super) project: Project,
    pub(super) bed: Bed,
    name: String,
    /// What kilter keeps of this machine.
    state: PathBuf,
}

impl App {
    /// Makes a project from a fixture; `services` and what follows are lines of its kilter.yaml.
    pub(super) fn new(bed: &Bed, name: &str, fixture: &str, yaml: &str) -> Self {
        let app = Self::bare(bed, name, fixture);
        app.project.write("kilter.yaml", format!("{}{yaml}", cluster("")));
        app
    }

    /// Makes a project of services alone.
    pub(super) fn without_app(bed: &Bed, name: &str, services: &[&str]) -> Self {
        let yaml = format!("{}services: [{}]\n", cluster(""), services.join(", "));
        Self::of(bed, name, Project::new(name).file("kilter.yaml", yaml))
    }

    /// Makes a project from a fixture without a kilter.yaml of its own.
    pub(super) fn bare(bed: &Bed, name: &str, fixture: &str) -> Self {
        Self::of(bed, name, Project::new(name).fixture(fixture))
    }

    fn of(bed: &Bed, name: &str, project: Project) -> Self {
        let state = project.state();
        Self { project, bed: bed.clone(), name: name.to_owned(), state }
    }

    /// Lives on the same machine as another project: the two know of each other's ports.
    pub(super) fn sharing(mut self, other: &Self) -> Self {
        self.state.clone_from(&other.state);
        self
    }

    /// Prepares a run of kilter with the tools of the tests, the bed and its docker in reach.
    pub(super) fn kilter<S: AsRef<OsStr>>(&self, args: &[S]) -> Run<'_> {
        let run = self.project.kilter(args).env("KILTER_TILT", &self.bed.tilt).env("KILTER_KUBECTL", &self.bed.kubectl);
        run.env("KUBECONFIG", &self.bed.kubeconfig)
            .env("DOCKER_HOST", &self.bed.docker)
            .patience(Duration::from_secs(300))
    }

    /// Brings it up as CI does and expects success; returns the JSON of it.
    pub(super) fn up(&self) -> Value {
        let output = self.kilter(&["up", "--ci", "--json"]).succeeds();
        serde_json::from_str(&output.stdout).unwrap()
    }

    /// The namespace.
    pub(super) fn namespace(&self) -> String {
        format!("{}-dev", self.name)
    }

    /// Runs kubectl in the namespace and returns what it prints, or `None` when it fails.
    pub(super) fn kubectl(&self, args: &[&str]) -> Option<String> {
        kubectl(&self.bed, &self.namespace(), args)
    }

    /// The pods of the namespace that are not about to go: name, UID, restarts.
    pub(super) fn pods(&self) -> Vec<(String, String, u64)> {
        let list: Value = serde_json::from_str(&self.kubectl(&["get", "pods", "--output", "json"]).unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let pods =
            list["items"].as_array().unwrap().iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        let pods = pods.map(|pod| {
            let restarts = pod["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap_or_default();
            (text(&pod["metadata"]["name"]), text(&pod["metadata"]["uid"]), restarts)
        });
        let mut pods: Vec<_> = pods.collect();
        pods.sort();
        pods
    }

    /// The UID of the one pod whose name begins like this.
    pub(super) fn pod_uid(&self, prefix: &str) -> String {
        let pods = self.pods();
        let mut found = pods.iter().filter(|(name, ..)| name.starts_with(prefix));
        let uid = found.next().unwrap_or_else(|| panic!("no pod of {prefix}: {pods:?}")).1.clone();
        assert!(found.next().is_none(), "{pods:?}");
        uid
    }

    /// What `kilter env --json` says.
    pub(super) fn env(&self) -> Value {
        serde_json::from_str(&self.kilter(&["env", "--json"]).succeeds().stdout).unwrap()
    }

    /// What `kilter status --json` says.
    pub(super) fn status(&self) -> Value {
        serde_json::from_str(&self.kilter(&["status", "--json"]).succeeds().stdout).unwrap()
    }

    /// The app's address on this machine, without `http://`.
    pub(super) fn address(&self) -> String {
        let env = self.env();
        let url = env["app"]["localhost"].as_str().unwrap();
        url.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned()
    }

    /// Waits until the app answers with a text that contains this.
    pub(super) fn answers(&self, path: &str, with: &str) -> String {
        let address = self.address();
        until(&format!("{path} of {} with {with:?}", self.name), || {
            get(&address, path).filter(|text| text.contains(with))
        })
    }

    /// The contents of every file that kilter keeps outside of the project.
    pub(super) fn kept(&self) -> Vec<String> {
        let files = walk(&self.project.outside("")).into_iter().filter(|path| !path.starts_with(self.project.root()));
        files.filter_map(|path| Some(String::from_utf8_lossy(&std::fs::read(path).ok()?).into_owned())).collect()
    }

    /// Runs docker and returns what it prints.
    pub(super) fn docker(&self, args: &[&str]) -> String {
        let output = command(Path::new("docker")).env("DOCKER_HOST", &self.bed.docker).args(args).output().unwrap();
        assert!(output.status.success(), "docker: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The process of Tilt, as its record says.
    pub(super) fn tilt_pid(&self) -> Option<u32> {
        let mut records = walk(&self.state).into_iter().filter(|path| path.ends_with("tilt.json"));
        let record: Value = serde_json::from_str(&std::fs::read_to_string(records.next()?).ok()?).ok()?;
        record["process"]["pid"].as_u64().or_else(|| record["pid"].as_u64()).and_then(|pid| pid.try_into().ok())
    }

    /// The processes of this machine that have the project's directories in their arguments or environment.
    pub(super) fn processes(&self) -> Vec<String> {
        let place = self.project.outside("");
        let place = place.to_string_lossy();
        let entries = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let read = |path: &Path, file: &str| std::fs::read(path.join(file)).unwrap_or_default();
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', " ");
        let ours = entries.filter(|path| {
            [read(path, "cmdline"), read(path, "environ")].iter().any(|bytes| shown(bytes).contains(&*place))
        });
        ours.map(|path| shown(&read(&path, "cmdline"))).filter(|line| !line.is_empty()).collect()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.state.join("kilter");
            for path in walk(&log).into_iter().filter(|path| path.ends_with("tilt.log")) {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                println!("--- {}\n{text}", path.display());
            }
            println!("{}", self.kubectl(&["get", "all,events", "--output", "wide"]).unwrap_or_default());
        }
        let _ = self.kilter(&["down"]).run(); // what the test found wrong counts
        let _ = kubectl(&self.bed, "default", &["delete", "namespace", &self.namespace(), "--wait=false"]);
    }
}

/// The lines of kilter.yaml that name the bed; `more` stands within the braces.
pub(super) fn cluster(more: &str) -> String {
    format!("cluster: {{provider: context, context: {CONTEXT}, registry: \"{REGISTRY}\"{more}}}\n")
}

/// Runs the bed's kubectl; `None` when it fails.
pub(super) fn kubectl(bed: &Bed, namespace: &str, args: &[&str]) -> Option<String> {
    let output = kubectl_call(bed, namespace).args(args).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// The call of the bed's kubectl for a namespace.
pub(super) fn kubectl_call(bed: &Bed, namespace: &str) -> Command {
    let mut call = command(&bed.kubectl);
    call.args(["--kubeconfig", &*bed.kubeconfig.to_string_lossy(), "--namespace", namespace]);
    call
}

/// Asks a server for a path; `None` when it does not answer, or not with 200.
pub(super) fn get(address: &str, path: &str) -> Option<String> {
    let address: SocketAddr = address.parse().unwrap();
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.lines().next()?.contains(" 200 ").then(|| body.to_owned())
}

/// Tells whether a process runs: one that has ended, and of which nobody has heard yet, does not.
pub(super) fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

/// Every file below a directory.
pub(super) fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.flat_map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { vec![entry.path()] }).collect()
}
