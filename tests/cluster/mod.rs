//! Kind clusters: with scripts in place of docker and kind for what goes wrong, and with a real docker, whose containers
//! carry kind's labels, for what they go through.

mod faults;
mod life;
mod mend;
mod real_kind;
mod registry;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kilter::cluster::{Docker, Ensured, KindCluster, Limits};
use kilter::diag::Result;

use crate::support::{self, project, variable};

/// Small, without a network, and there: scripts/base-images makes it.
const IMAGE: &str = "kilter-test/debian:trixie";

/// Where the API server of these clusters would be: nobody asks there.
const SERVER: &str = "127.0.0.1:41234";

/// kind as far as it goes: a container that sleeps, with kind's labels, and a kubeconfig.
const KIND: &str = r#"
name=$4
label() { echo --label io.x-k8s.kind.cluster=$name --label io.x-k8s.kind.role=$1; }
case "$1 $2" in
"create cluster")
  docker run --detach --stop-signal KILL --network none --volume /var/lib --name $name-control-plane \
    $(label control-plane) --label desktop.docker.io/ports/6443/tcp=127.0.0.1:41234 kilter-test/debian:trixie sleep infinity || exit 1
  sed "s/NAME/$name/g" kubeconfig >"$8"
  ;;
"get kubeconfig") sed "s/NAME/$name/g" kubeconfig ;;
"delete cluster") docker rm -f -v $name-control-plane ;;
esac"#;

/// Returns the docker of the tests; without one, says what is not tested.
fn docker(what: &str) -> Option<Docker> {
    let Some(host) = variable("KILTER_TEST_DOCKER_HOST") else {
        support::skip(&format!("{what}: KILTER_TEST_DOCKER_HOST is not set"));
        return None;
    };
    let env = BTreeMap::from([("DOCKER_HOST".to_owned(), host.into_string().unwrap())]);
    Some(Docker::find(variable("PATH").as_deref(), env).unwrap())
}

/// A cluster in a directory of its own, with scripts for tools; what docker has of it goes when it is dropped.
struct Bed {
    dir: tempfile::TempDir,
    cluster: KindCluster,
    said: RefCell<Vec<String>>,
}

impl Bed {
    /// Prepares a cluster of this name with a kind that runs these shell lines, in the bed's directory, and a kubectl
    /// whose every question is answered with yes.
    fn new(name: &str, docker: Docker, kind: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        project::write_script(&path("kind"), &format!("cd '{}'\n{kind}", dir.path().display()));
        project::write_script(&path("kubectl"), "echo ok");
        let name = format!("kilter-test-{name}-{}", std::process::id());
        kilter::fsx::write(&path("kind.yaml"), b"nodes:\n- role: control-plane\n").unwrap();
        kilter::fsx::write(&path("kubeconfig"), kubeconfig("kind-NAME", SERVER).as_bytes()).unwrap();
        let cluster = KindCluster {
            kind: path("kind"),
            kubectl: path("kubectl"),
            docker,
            name,
            config: path("kind.yaml"),
            kubeconfig: path("artifacts/kubeconfig"),
            limits: Limits { ready: Duration::from_millis(1500), ..Limits::default() },
        };
        Self { dir, cluster, said: RefCell::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn node(&self, role: &str) -> String {
        format!("{}-{role}", self.cluster.name)
    }

    /// Ensures the cluster and keeps what it says meanwhile.
    fn ensure(&self) -> Result<Ensured> {
        self.cluster.ensure(&|text| self.said.borrow_mut().push(text.to_owned()))
    }

    /// Takes what was said since the last time, without the number in the name.
    fn said(&self) -> Vec<String> {
        let short = self.cluster.name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
        self.said.take().into_iter().map(|text| text.replace(&self.cluster.name, short)).collect()
    }

    /// Runs docker and returns what it prints.
    fn docker(&self, args: &[&str]) -> String {
        self.cluster.docker.run(self.cluster.docker.call(args.iter().copied())).unwrap().text().trim().to_owned()
    }

    /// Makes a container as kind would: with its labels and an anonymous volume, without running it (`create`) or
    /// running (`run`).
    fn container(&self, how: &[&str], role: &str, more: &[&str]) {
        let (cluster, role_label) =
            (format!("io.x-k8s.kind.cluster={}", self.cluster.name), format!("io.x-k8s.kind.role={role}"));
        let name = self.node(role);
        let mut args = how.to_vec();
        // The first process of a container does not end by TERM unless it asks for it.
        args.extend(["--stop-signal", "KILL", "--network", "none", "--volume", "/var/lib", "--name", &name]);
        args.extend(["--label", &cluster, "--label", &role_label]);
        args.extend(more);
        args.extend([IMAGE, "sleep", "infinity"]);
        self.docker(&args);
    }

    fn id(&self, role: &str) -> String {
        self.docker(&["container", "inspect", "--format", "{{.Id}}", &self.node(role)])
    }

    /// Returns the names of the containers with the cluster's label.
    fn containers(&self) -> Vec<String> {
        let filter = format!("label=io.x-k8s.kind.cluster={}", self.cluster.name);
        let listed = self.docker(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]);
        listed.lines().map(str::to_owned).collect()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        // Whatever a failed test left; a docker of the test's own may have nothing to delete.
        if let Ok(nodes) =
            self.cluster.docker.labelled(&format!("io.x-k8s.kind.cluster={}", self.cluster.name), "io.x-k8s.kind.role")
        {
            let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
            let _ = self.cluster.docker.remove(&names, true); // the test's own failure counts
        }
    }
}

fn kubeconfig(context: &str, server: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {context}\n\
         clusters:\n- name: {context}\n  cluster:\n    server: https://{server}\n\
         users:\n- name: {context}\n  user: {{}}\n\
         contexts:\n- name: {context}\n  context: {{cluster: {context}, user: {context}}}\n"
    )
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
