//! The local registry's container, with a real docker: its life, and how the nodes of a cluster are told of it.

use std::cell::RefCell;
use std::net::TcpListener;

use kilter::cluster::{Docker, Registry};

use super::{Bed, IMAGE, KIND, docker};

const NAME: &str = "kilter-registry";

/// What this test makes in docker, deleted when dropped.
struct Things<'a> {
    docker: &'a Docker,
    image: String,
    networks: [String; 2],
}

impl Things<'_> {
    fn run(&self, args: &[&str]) -> String {
        self.docker.run(self.docker.call(args.iter().copied())).unwrap().text().trim().to_owned()
    }
}

impl Drop for Things<'_> {
    fn drop(&mut self) {
        let _ = self.docker.remove(&[NAME, &self.networks[0], &self.networks[1]], true); // what is not there is fine
        let _ = self.docker.call(["image", "rm", "--force", &self.image]).capture();
        for network in &self.networks {
            let _ = self.docker.call(["network", "rm", network]).capture();
        }
    }
}

#[test]
fn it_is_made_found_started_moved_wired_and_deleted() {
    let Some(docker) = docker("the local registry's container") else { return };
    let pid = std::process::id();
    let network = |n: u8| format!("kilter-test-{pid}-{n}");
    let things =
        Things { docker: &docker, image: format!("kilter-test/registry:{pid}"), networks: [network(1), network(2)] };
    assert!(docker.container(NAME).unwrap().is_none(), "one is there already; the test would delete it");
    let sleeper = things.run(&["create", "--network", "none", IMAGE, "true"]);
    // Ends when it is told to.
    let command = "CMD [\"sh\", \"-c\", \"trap exit TERM; sleep infinity & wait\"]";
    things.run(&["commit", "--change", command, &sleeper, &things.image]);
    things.run(&["rm", &sleeper]);
    let state = tempfile::tempdir().unwrap();
    let said = RefCell::new(Vec::new());
    let ensure = || {
        Registry::ensure(&docker, state.path(), &things.image, &|text| said.borrow_mut().push(text.to_owned())).unwrap()
    };
    let id = || things.run(&["container", "inspect", "--format", "{{.Id}}", NAME]);

    let made = ensure();
    let port: u16 = made.address.strip_prefix("127.0.0.1:").unwrap().parse().unwrap();
    assert!((5009..=5029).contains(&port), "{port}");
    let first = id();
    assert_eq!((ensure(), id()), (made.clone(), first.clone()), "it is found");
    docker.stop(&[NAME]).unwrap();
    assert_eq!((ensure(), id()), (made.clone(), first.clone()), "it is started, with the port it had");
    docker.stop(&[NAME]).unwrap();
    let other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let moved = ensure();
    assert_ne!((moved.address.as_str(), id()), (made.address.as_str(), first), "something else has its port");
    assert_eq!(said.take(), ["the port of the local registry is taken: moving it to another"]);
    drop(other);

    // A cluster of kilter's keeps it.
    let bed = Bed::new("registry", docker.clone(), KIND);
    bed.ensure().unwrap();
    assert!(!Registry::remove_if_unused(&docker, state.path()).unwrap());
    bed.cluster.destroy().unwrap();
    let others = docker.labelled("io.x-k8s.kind.cluster", "io.x-k8s.kind.cluster").unwrap();
    if others.is_empty() {
        assert!(Registry::remove_if_unused(&docker, state.path()).unwrap());
        assert!(!Registry::remove_if_unused(&docker, state.path()).unwrap(), "there is none");
    } else {
        docker.remove(&[NAME], true).unwrap(); // another test's cluster keeps it
    }
    wire(&things);
}

/// Wires a registry of one network to nodes of another.
fn wire(things: &Things<'_>) {
    let octet = std::process::id() % 250;
    for (network, third) in things.networks.iter().zip(18..) {
        // Of the range for benchmarks (RFC 2544), which no machine has routes to; nothing leaves it.
        things.run(&["network", "create", "--internal", "--subnet", &format!("198.{third}.{octet}.0/28"), network]);
    }
    let [at, node] = &things.networks;
    things.run(&[
        "run",
        "--detach",
        "--network",
        at,
        "--publish",
        "127.0.0.1:5009:5000",
        "--name",
        NAME,
        &things.image,
    ]);
    things.run(&["run", "--detach", "--network", node, "--name", node, &things.image]);
    let registry = Registry { address: "127.0.0.1:5009".to_owned() };
    for _ in ["anew", "again"] {
        registry.wire(things.docker, &[node]).unwrap();
        assert!(things.docker.container(NAME).unwrap().unwrap().networks.contains(node), "the node can reach it");
        let told = things.run(&["exec", node, "cat", "/etc/containerd/certs.d/127.0.0.1:5009/hosts.toml"]);
        assert_eq!(told, "[host.\"http://kilter-registry:5000\"]");
    }
}
