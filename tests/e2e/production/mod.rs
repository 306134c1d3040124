//! Production on the test bed: `kilter deploy`, kilter-server and kilter-operator with the rights of the chart `kilter-platform`,
//! a git server, Flux, a Gateway, and pods that answer through it. Nothing on the road is faked.
//!
//! Needs `scripts/testbed up --platform` and binaries with the feature `platform`.

mod crashes;
mod crowd;
mod deploys;
mod network;
mod object;
mod pods;
mod repository;
mod secrets;
mod storm;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Bed, REGISTRY, app, until};
use crate::support;
use crate::support::project::{Project, Run, command};

/// The parts of the bed that tests take away.
const PARTS: [&str; 4] = ["kube-apiserver", "git-server", "source-controller", "kustomize-controller"];

/// Where the server of the tests listens, inside the bed's network.
const SERVER: &str = "127.0.0.1:18080";

/// The server, the operator, and what they stand on.
#[derive(Debug)]
struct Platform {
    bed: Bed,
    dir: tempfile::TempDir,
    git_url: String,
    git_login: PathBuf,
    gateway: String,
    suffix: String,
    helm: PathBuf,
    token: String,
    recipient: String,
    /// The head of the repository at the start: what came before is of earlier tests.
    since: Option<String>,
    server: Option<Child>,
    operator: Option<Child>,
}

impl Platform {
    /// Installs the platform's chart and starts both programs with its rights; without the bed's platform, says what is not tested.
    fn start(what: &str) -> Option<Self> {
        let mut platform = Self::install(what)?;
        platform.start_server();
        platform.start_operator(&[]);
        platform.clear();
        // The commits of that are not the test's.
        platform.since = platform.head();
        Some(platform)
    }

    /// Takes away what a test that failed left.
    fn clear(&self) {
        self.kubectl(&["delete", "kilterapps", "--all", "--wait=false"]);
        until("what an earlier test left is gone", || {
            self.kubectl(&["get", "kilterapps", "--output=name"]).is_empty().then_some(())
        });
    }

    fn install(what: &str) -> Option<Self> {
        let bed = Bed::find(what)?;
        let helm = support::helm()?;
        let addresses = fs::read_to_string(bed.kubeconfig.with_file_name("platform.env")).unwrap_or_default();
        let address =
            |name: &str| addresses.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).map(str::to_owned);
        let (Some(git_url), Some(git_login), Some(gateway), Some(suffix), Some(_)) = (
            address("GIT_URL"),
            address("GIT_LOGIN"),
            address("GATEWAY_ADDR"),
            address("HOST_SUFFIX"),
            Some(binary("kilter-server")).filter(|path| path.is_file()),
        ) else {
            support::skip(&format!("{what}: needs `scripts/testbed up --platform` and `--features platform`"));
            return None;
        };
        let mut platform = Self {
            bed,
            dir: tempfile::tempdir().unwrap(),
            git_url,
            git_login: git_login.into(),
            gateway,
            suffix,
            helm,
            token: String::new(),
            recipient: String::new(),
            since: None,
            server: None,
            operator: None,
        };
        platform.since = platform.head();
        platform.apply(&json!({"workloads": false}));
        platform.token = platform.server_command(&["token", "create", "--name", "ci", "--org", "acme"]);
        Some(platform)
    }

    /// What the chart kilter-platform makes with these values and what the bed asks for.
    fn apply(&mut self, values: &Value) {
        let _ = self.try_kubectl(&["create", "namespace", "kilter-system"]);
        let login = |name: &str| fs::read_to_string(self.git_login.join(name)).unwrap();
        let (username, password) = (login("username"), login("password"));
        let secret = |name: &str, data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "kilter-system"}, "stringData": data});
        let key = self.age_key();
        let objects = [
            secret("kilter-repository", json!({"username": username, "password": password})),
            secret("kilter-age", json!({"age.agekey": key})),
        ];
        for object in objects {
            self.apply_text(&object.to_string());
        }
        let (host, port) = self.gateway.split_once(':').unwrap();
        let settings = json!({
            "domain": self.suffix, "scheme": "http", "port": port.parse::<u16>().unwrap(),
            "gateway": {"name": "public", "namespace": "gateway-system"},
            "peers": [{"ipBlock": {"cidr": format!("{host}/32")}}],
            "sopsRecipient": self.recipient,
            "flux": {"sopsSecret": "kilter-age", "retryInterval": "5s"},
        });
        write(&self.dir.path().join("platform.yaml"), &settings.to_string());
        let mut values = values.clone();
        values["platform"] = settings;
        values["repository"] = json!({"url": self.git_url, "secretName": "kilter-repository"});
        write(&self.dir.path().join("values.json"), &values.to_string());
        let chart = support::root().join("vendor-charts/kilter-platform");
        let mut helm = command(&self.helm);
        helm.args(["template", "kilter-platform"]).arg(chart).args(["--namespace", "kilter-system", "-f"]);
        let rendered = helm.arg(self.dir.path().join("values.json")).output().unwrap();
        assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
        self.apply_text(&String::from_utf8(rendered.stdout).unwrap());
    }

    /// Makes the key that secrets are encrypted for.
    fn age_key(&mut self) -> String {
        let made = command(Path::new("/usr/bin/age-keygen")).output().expect("scripts/setup installs age");
        let key = String::from_utf8(made.stdout).unwrap();
        let recipient = key.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
        self.recipient = recipient.to_owned();
        key
    }

    fn apply_text(&self, text: &str) {
        let path = self.dir.path().join("object");
        write(&path, text);
        let path = path.to_string_lossy().into_owned();
        self.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &path]);
    }

    fn kubectl(&self, args: &[&str]) -> String {
        self.try_kubectl(args).unwrap_or_else(|| panic!("kubectl {args:?} failed"))
    }

    fn try_kubectl(&self, args: &[&str]) -> Option<String> {
        app::kubectl(&self.bed, "kilter-system", args)
    }

    /// A kubeconfig of a ServiceAccount: the programs have the rights of the chart and no others.
    fn kubeconfig(&self, account: &str) -> PathBuf {
        let token = self.kubectl(&["create", "token", account, "--duration=10h"]);
        let mut config: Value =
            serde_json::from_str(&self.kubectl(&["config", "view", "--raw", "--output=json"])).unwrap();
        for user in config["users"].as_array_mut().unwrap() {
            user["user"] = json!({"token": token.trim()});
        }
        let path = self.dir.path().join(account);
        write(&path, &config.to_string());
        path
    }

    fn start_server(&mut self) {
        let kubeconfig = self.kubeconfig("kilter-server");
        let mut server = command(&binary("kilter-server"));
        server
            .args(["run", "--listen", SERVER, "--per-second", "1000", "--config"])
            .arg(self.dir.path().join("platform.yaml"));
        server.env("KUBECONFIG", kubeconfig).stdin(Stdio::null()).stdout(self.log("audit")).stderr(self.log("server"));
        self.server = Some(server.spawn().unwrap());
        until("the server is ready", || app::get(SERVER, "/readyz").filter(|answer| answer.contains("ok")));
    }

    /// Starts an operator; it works as soon as it has the lease.
    fn start_operator(&mut self, args: &[&str]) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let identity = format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let kubeconfig = self.kubeconfig("kilter-operator");
        let mut operator = command(&binary("kilter-operator"));
        operator.args(["run", "--git-url", &self.git_url, "--probes", "127.0.0.1:0", "--identity", &identity]);
        operator
            .arg("--config")
            .arg(self.dir.path().join("platform.yaml"))
            .arg("--git-credentials")
            .arg(&self.git_login);
        operator.arg("--helm").arg(&self.helm).arg("--dir").arg(self.dir.path().join("operator")).args(args);
        operator.env("KUBECONFIG", kubeconfig).stdin(Stdio::null()).stdout(Stdio::null()).stderr(self.log("operator"));
        self.operator = Some(operator.spawn().unwrap());
    }

    /// A log that several processes append to.
    fn log(&self, name: &str) -> Stdio {
        let path = self.dir.path().join(format!("{name}.log"));
        Stdio::from(fs::OpenOptions::new().create(true).append(true).open(path).unwrap())
    }

    /// Everything that the programs said.
    fn said(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.dir.path().join(format!("{name}.log"))).unwrap_or_default();
        ["audit", "server", "operator"].map(read).concat()
    }

    /// The metrics of the operator that was started last.
    fn operator_metrics(&self) -> String {
        let log = fs::read_to_string(self.dir.path().join("operator.log")).unwrap();
        let mut newest = log.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let begun = newest.find(|line| line["fields"]["message"] == "answers probes").unwrap();
        app::get(begun["fields"]["address"].as_str().unwrap(), "/metrics").unwrap()
    }

    /// Runs kilter-server as the administrator; returns what it prints.
    fn server_command(&self, args: &[&str]) -> String {
        let mut server = command(&binary("kilter-server"));
        let output = server.args(args).env("KUBECONFIG", &self.bed.kubeconfig).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Sends a deploy as a client would; returns status and body.
    fn post(&self, app: &str, key: &str, template: &Value) -> Option<(u16, Value)> {
        let url = format!("http://{SERVER}/v1/apps/acme/{app}/envs/prod/deploys");
        let request = agent(20, false)
            .post(&url)
            .header("Authorization", format!("Bearer {}", self.token))
            .header("Idempotency-Key", key);
        let mut response = request.send(json!({"template": template}).to_string()).ok()?;
        let body = response.body_mut().read_to_string().ok()?;
        Some((response.status().as_u16(), serde_json::from_str(&body).ok()?))
    }

    /// A KilterApp, when it is there.
    fn app(&self, name: &str) -> Option<Value> {
        self.try_kubectl(&["get", "kilterapp", name, "--output=json"]).and_then(|text| serde_json::from_str(&text).ok())
    }

    /// Waits until the newest spec of an app is live; returns the KilterApp.
    fn live(&self, name: &str) -> Value {
        until(&format!("{name} is live"), || {
            self.app(name).filter(|app| {
                let ready = |condition: &Value| {
                    condition["type"] == "Ready"
                        && condition["status"] == "True"
                        && condition["observedGeneration"] == app["metadata"]["generation"]
                };
                app["status"]["conditions"].as_array().is_some_and(|all| all.iter().any(ready))
            })
        })
    }

    /// What an app answers at its host name on the Gateway.
    fn answer(&self, host: &str) -> Option<String> {
        self.answer_at(host, "/")
    }

    /// What an app answers at a path.
    fn answer_at(&self, host: &str, path: &str) -> Option<String> {
        let url = format!("http://{}{path}", self.gateway);
        let request = agent(5, true).get(url).header("Host", format!("{host}.{}", self.suffix));
        request.call().ok()?.body_mut().read_to_string().ok()
    }

    /// Runs git on the repository that the operator writes.
    fn git(&self, args: &[&str]) -> String {
        let repository = self.bed.kubeconfig.with_file_name("git").join("fleet.git");
        let mut git = command(Path::new("git"));
        let output =
            git.arg("-c").arg("safe.directory=*").arg("--git-dir").arg(repository).args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The head of the branch, when it has one.
    fn head(&self) -> Option<String> {
        let head = self.git(&["for-each-ref", "--format=%(objectname)", "refs/heads/main"]);
        Some(head.trim().to_owned()).filter(|head| !head.is_empty())
    }

    /// The commits since the test began, for git.
    fn range(&self) -> String {
        self.since.as_ref().map_or_else(|| "main".to_owned(), |since| format!("{since}..main"))
    }

    /// How many commits since the test began speak of an app.
    fn commits_of(&self, app: &str) -> usize {
        if self.head().is_none() {
            return 0;
        }
        self.git(&["log", "--format=%H", &format!("--grep=Kilter-App: acme/{app} "), &self.range()]).lines().count()
    }

    /// Deletes an app and waits until nothing of it is left.
    fn delete(&self, name: &str) {
        self.kubectl(&["delete", "kilterapp", name, "--wait=false"]);
        until(&format!("{name} is gone"), || (self.app(name).is_none() && !self.has_namespace(name)).then_some(()));
    }

    fn has_namespace(&self, name: &str) -> bool {
        self.try_kubectl(&["get", "namespace", name]).is_some()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if std::thread::panicking() {
            support::tell(&format!(
                "what the programs said:\n{}",
                self.said().lines().rev().take(30).collect::<Vec<_>>().join("\n")
            ));
        }
        for child in [self.server.take(), self.operator.take()].into_iter().flatten() {
            end(child);
        }
        if std::thread::panicking() {
            // The tests after this one need what this one took away.
            let bed = support::root().join("scripts/testbed");
            for part in PARTS {
                let _ = command(&bed).args(["start", part]).output();
            }
        }
    }
}

/// Waits until an app answers this: right after a rollout a pod that is ending may answer once more.
fn answers(platform: &Platform, host: &str, text: &str) {
    answers_at(platform, host, "/", text);
}

/// The same at a path.
fn answers_at(platform: &Platform, host: &str, path: &str, text: &str) {
    until(&format!("{host}{path} answers {text:?}"), || platform.answer_at(host, path).filter(|answer| answer == text));
}

/// Ends a program in order, so that its lease is free at once.
fn end(mut child: Child) {
    let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM);
    let _ = child.wait();
}

/// A program of the platform, beside kilter: there when the feature `platform` is on.
fn binary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_kilter")).with_file_name(name)
}

/// An HTTP client that gives up after some seconds; `strict` takes an answer that is not 2xx for none.
fn agent(seconds: u64, strict: bool) -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(strict);
    config.timeout_global(Some(Duration::from_secs(seconds))).build().into()
}

fn write(path: &Path, text: &str) {
    kilter::fsx::write(path, text.as_bytes()).unwrap();
}

/// A small app in a project of its own; its answer names its version.
struct Source {
    project: Project,
}

impl Source {
    fn new(name: &str) -> Self {
        let source = Self { project: Project::new(name) };
        source.project.write("package.json", json!({"name": name, "scripts": {"start": "node server.js"}}).to_string());
        source.version("1");
        source
    }

    /// Changes what the app answers: the image becomes another one.
    fn version(&self, version: &str) {
        let text = "const version = 'VERSION'\nconst answer = (q, r) => r.end(`version ${version} ${process.env.GREETING || ''}\\n`)\n\
            const server = require('http').createServer(answer).listen(process.env.PORT || 3000)\n\
            process.on('SIGTERM', () => server.close(() => process.exit(0)))\n";
        self.project.write("server.js", text.replace("VERSION", version));
    }

    fn yaml(&self, text: &str) {
        self.project.write("kilter.yaml", format!("port: 3000\nhealth: /\n{text}"));
    }

    /// Prepares a run of kilter as on a developer's machine: no kubeconfig, no helm, no git of the platform.
    fn kilter(&self, platform: &Platform, args: &[&str]) -> Run<'_> {
        let run = self
            .project
            .kilter(args)
            .env("KILTER_SERVER", format!("http://{SERVER}"))
            .env("KILTER_TOKEN", &platform.token);
        let run = run.env("KUBECONFIG", "/nonexistent").env("DOCKER_HOST", &platform.bed.docker).without("KILTER_HELM");
        match support::variable("KILTER_SOPS") {
            Some(sops) => run.env("KILTER_SOPS", sops),
            None => run,
        }
        .patience(Duration::from_secs(300))
    }

    /// Deploys and waits until it is live; returns the address.
    fn deploy(&self, platform: &Platform, app: &str, args: &[&str]) -> String {
        let project = format!("acme/{app}");
        let registry = format!("{REGISTRY}/acme");
        let all = [&["deploy", "--wait", "--project", &project, "--registry", &registry], args].concat();
        self.kilter(platform, &all).succeeds().stdout
    }
}

/// Builds and pushes an image once; returns it by digest.
fn image(platform: &Platform) -> String {
    let source = Source::new("image");
    source.yaml("");
    let plan = source.deploy(platform, "image", &[]);
    assert!(plan.starts_with("http://image."), "{plan}");
    let app = platform.live("image-prod");
    app["spec"]["template"]["image"].as_str().unwrap().to_owned()
}
