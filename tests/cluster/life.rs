//! What a cluster goes through when nothing goes wrong, with containers of a real docker.

use std::fs;

use kilter::cluster::{Made, State};

use super::{Bed, KIND, SERVER, docker, kubeconfig, mode};

#[test]
fn made_stopped_started_paused_and_deleted() {
    let Some(docker) = docker("the life of a node container") else { return };
    let bed = Bed::new("life", docker, KIND);
    let state = || bed.cluster.state().unwrap();
    assert_eq!(state(), State::Absent);
    let ensured = bed.ensure().unwrap();
    assert_eq!((ensured.made, ensured.stale, ensured.nodes), (Made::Created, vec![], vec![bed.node("control-plane")]));
    assert_eq!(
        bed.said(),
        [
            "making the cluster `kilter-test-life`: this takes minutes, the first time with the download of its node image"
        ]
    );
    assert_eq!(state(), State::Running);
    let written = fs::read_to_string(&bed.cluster.kubeconfig).unwrap();
    assert_eq!(written, kubeconfig(&bed.cluster.context(), SERVER));
    assert_eq!(mode(&bed.cluster.kubeconfig), 0o600);

    let id = bed.id("control-plane");
    bed.docker(&["exec", &id, "touch", "/var/lib/data"]);
    assert_eq!(bed.ensure().unwrap().made, Made::Running);
    assert!(bed.cluster.stop().unwrap());
    assert_eq!(state(), State::Stopped);
    assert!(!bed.cluster.stop().unwrap(), "there is nothing more to stop");
    assert_eq!(bed.ensure().unwrap().made, Made::Started);
    bed.docker(&["pause", &id]);
    assert_eq!(state(), State::Paused);
    assert_eq!(bed.ensure().unwrap().made, Made::Started);
    assert_eq!(state(), State::Running);
    assert_eq!(bed.said(), ["starting the cluster `kilter-test-life`"; 2]);
    bed.docker(&["pause", &id]);
    assert!(bed.cluster.stop().unwrap(), "a paused one too");
    assert_eq!(state(), State::Stopped);
    assert_eq!(bed.ensure().unwrap().made, Made::Started);
    assert_eq!(bed.id("control-plane"), id, "the same all the time");
    bed.docker(&["exec", &id, "test", "-e", "/var/lib/data"]);

    let volumes = bed.cluster.docker.container(&bed.node("control-plane")).unwrap().unwrap().volumes;
    assert_eq!(volumes.len(), 1);
    assert_eq!(bed.cluster.docker.volumes(&volumes).unwrap(), volumes, "it is there before");
    assert!(bed.cluster.destroy().unwrap());
    assert_eq!(state(), State::Absent);
    assert!(bed.cluster.docker.volumes(&volumes).unwrap().is_empty(), "its data is gone");
    assert!(!bed.cluster.kubeconfig.exists());
    assert!(!bed.cluster.destroy().unwrap(), "there was nothing");
}

#[test]
fn all_nodes_stop_and_start() {
    let Some(docker) = docker("clusters of several nodes") else { return };
    let bed = Bed::new("nodes", docker, KIND);
    bed.ensure().unwrap();
    bed.container(&["run", "--detach"], "worker", &[]);
    bed.container(
        &["run", "--detach"],
        "external-load-balancer",
        &["--label", &format!("desktop.docker.io/ports/6443/tcp={SERVER}")],
    );
    assert!(bed.cluster.stop().unwrap());
    assert_eq!(bed.cluster.state().unwrap(), State::Stopped);
    bed.docker(&["start", &bed.node("worker")]);
    let broken = format!("its node `{}` is stopped", bed.node("control-plane"));
    assert_eq!(bed.cluster.state().unwrap(), State::Broken(broken));
    let ensured = bed.ensure().unwrap();
    assert_eq!((ensured.made, ensured.nodes), (Made::Started, vec![bed.node("control-plane"), bed.node("worker")]));
    assert_eq!(bed.cluster.state().unwrap(), State::Running);
    assert!(bed.cluster.destroy().unwrap());
    assert_eq!(bed.containers(), Vec::<String>::new());
}

#[test]
fn what_docker_has_is_compared_with_kind_yaml() {
    let Some(docker) = docker("ports of a node container against kind.yaml") else { return };
    let bed =
        Bed::new("stale", docker, &KIND.replace("--network none", "--network none --publish 127.0.0.1:20000:30000"));
    let settings = |host: u16| {
        let text = format!(
            "nodes:\n- role: control-plane\n  image: kilter-test/debian:trixie\n  extraPortMappings:\n  \
             - {{containerPort: 30000, hostPort: {host}, listenAddress: 127.0.0.1, protocol: TCP}}\n"
        );
        kilter::fsx::write(&bed.cluster.config, text.as_bytes()).unwrap();
    };
    settings(20000);
    assert_eq!(bed.ensure().unwrap().stale, Vec::<String>::new());
    settings(20048);
    let node = bed.node("control-plane");
    let expected = [
        format!("`{node}` does not publish 127.0.0.1:20048 to 30000/tcp"),
        format!("`{node}` publishes 127.0.0.1:20000 to 30000/tcp, which kind.yaml does not say"),
    ];
    assert_eq!(bed.ensure().unwrap().stale, expected);
    bed.cluster.stop().unwrap();
    assert_eq!(bed.ensure().unwrap().stale, expected, "however often it is started");
}
