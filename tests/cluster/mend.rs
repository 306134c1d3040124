//! What happened to a cluster behind kilter's back, and what becomes of it, with containers of a real docker.

use std::fs;

use kilter::cluster::{Made, State};
use kilter::fsx;

use super::{Bed, KIND, SERVER, docker, kubeconfig, mode};
use crate::support::project;

const AGAIN: &str =
    "making the cluster `kilter-test-NAME`: this takes minutes, the first time with the download of its node image";

fn again(name: &str, why: &str) -> [String; 2] {
    [
        format!("the cluster `kilter-test-{name}` cannot be used, {why}: deleting it and making it again"),
        AGAIN.replace("NAME", name),
    ]
}

#[test]
fn a_deleted_node_is_said_and_made_again() {
    let Some(docker) = docker("a node container that was deleted") else { return };
    let bed = Bed::new("gone", docker, KIND);
    bed.ensure().unwrap();
    bed.docker(&["rm", "-f", "-v", &bed.node("control-plane")]);
    bed.said();
    assert_eq!(bed.cluster.state().unwrap(), State::Absent);
    assert_eq!(bed.ensure().unwrap().made, Made::Created);
    let said = ["the cluster `kilter-test-gone` is gone: making it again".to_owned(), AGAIN.replace("NAME", "gone")];
    assert_eq!(bed.said(), said);

    bed.container(&["run", "--detach"], "worker", &[]);
    bed.docker(&["rm", "-f", "-v", &bed.node("control-plane")]);
    assert_eq!(bed.cluster.state().unwrap(), State::Broken("its control plane was deleted".into()));
    assert_eq!(bed.ensure().unwrap().made, Made::Created);
    assert_eq!(bed.said(), again("gone", "its control plane was deleted"));
    assert_eq!(bed.containers(), [bed.node("control-plane")], "the worker went with it");
}

#[test]
fn what_was_not_made_to_its_end_is_made_again() {
    let Some(docker) = docker("a cluster that was not made to its end") else { return };
    let bed = Bed::new("half", docker, KIND);
    bed.container(&["run", "--detach"], "control-plane", &[]);
    let first = bed.id("control-plane");
    assert_eq!(bed.cluster.state().unwrap(), State::Broken("its kubeconfig is missing".into()));
    assert_eq!(bed.ensure().unwrap().made, Made::Created, "kubeadm never ran in it");
    assert_ne!(bed.id("control-plane"), first);
    assert_eq!(bed.said(), again("half", "it was not made to its end"));

    bed.cluster.destroy().unwrap();
    bed.container(&["create"], "control-plane", &[]);
    let why = format!("its node `{}` was never started", bed.node("control-plane"));
    assert_eq!(bed.cluster.state().unwrap(), State::Broken(why));
    assert_eq!(bed.ensure().unwrap().made, Made::Created);
    assert_eq!(bed.said(), again("half", "its node `kilter-test-half-control-plane` was never started"));
}

#[test]
fn a_cluster_of_unknown_origin_is_asked() {
    let Some(docker) = docker("a cluster of unknown origin") else { return };
    let bed = Bed::new("asked", docker, KIND);
    let unknown = || {
        bed.cluster.destroy().unwrap();
        bed.container(&["run", "--detach"], "control-plane", &[]);
        bed.docker(&["exec", &bed.node("control-plane"), "install", "-D", "/dev/null", "/etc/kubernetes/admin.conf"]);
        bed.id("control-plane")
    };
    let looking = "looking whether the cluster `kilter-test-asked` was made to its end".to_owned();
    let mut made_again = vec![looking.clone()];
    made_again.extend(again("asked", "it was not made to its end"));

    let id = unknown();
    project::write_script(&bed.path("kubectl"), "echo node/one; echo storageclass.storage.k8s.io/standard");
    assert_eq!(bed.ensure().unwrap().made, Made::Running, "it has all that kind makes");
    assert_eq!((bed.id("control-plane"), bed.said()), (id.clone(), vec![looking]));
    fsx::remove(&bed.cluster.kubeconfig).unwrap();
    assert_eq!(bed.ensure().unwrap().made, Made::Running);
    assert_eq!((bed.id("control-plane"), bed.said()), (id, vec![]), "it is not asked twice");

    let id = unknown();
    project::write_script(&bed.path("kubectl"), "echo node/one");
    assert_eq!(bed.ensure().unwrap().made, Made::Created, "the storage class is what kind makes last");
    assert_ne!(bed.id("control-plane"), id);
    assert_eq!(bed.said(), made_again);

    let id = unknown();
    project::write_script(&bed.path("kubectl"), "test -e \"${0%/*}/artifacts/kubeconfig\"");
    assert_eq!(bed.ensure().unwrap().made, Made::Created, "its API server never answers, that of the new one does");
    assert_ne!(bed.id("control-plane"), id);
    assert_eq!(bed.said(), made_again);
}

#[test]
fn a_lost_kubeconfig_costs_no_data() {
    let Some(docker) = docker("a cluster whose kubeconfig is lost or wrong") else { return };
    let bed = Bed::new("lost", docker, KIND);
    bed.ensure().unwrap();
    let id = bed.id("control-plane");
    let right = kubeconfig(&bed.cluster.context(), SERVER);
    fs::remove_dir_all(bed.path("artifacts")).unwrap();
    assert_eq!(bed.cluster.state().unwrap(), State::Broken("its kubeconfig is missing".into()));
    assert_eq!(bed.ensure().unwrap().made, Made::Running);
    assert_eq!(fs::read_to_string(&bed.cluster.kubeconfig).unwrap(), right);

    for wrong in [kubeconfig(&bed.cluster.context(), "127.0.0.1:1"), "cut o".to_owned()] {
        fsx::write(&bed.cluster.kubeconfig, wrong.as_bytes()).unwrap();
        bed.cluster.stop().unwrap();
        assert_eq!(bed.ensure().unwrap().made, Made::Started);
        assert_eq!(fs::read_to_string(&bed.cluster.kubeconfig).unwrap(), right);
        assert_eq!(mode(&bed.cluster.kubeconfig), 0o600);
    }
    assert_eq!(bed.id("control-plane"), id, "nothing was made again");
}

#[test]
fn a_kind_that_fails_halfway_leaves_nothing() {
    let Some(docker) = docker("a kind that fails halfway") else { return };
    let bed = Bed::new("fails", docker, &format!("{KIND}\n[ $1 = create ] && echo 'kubeadm died' >&2 && exit 1"));
    let error = bed.ensure().unwrap_err().to_string();
    assert!(error.contains("| kubeadm died") && error.contains("create cluster --name kilter-test-fails"), "{error}");
    assert_eq!(bed.containers(), Vec::<String>::new());
    assert!(!bed.cluster.kubeconfig.exists());
}

#[test]
fn a_cluster_is_deleted_without_kind() {
    let Some(docker) = docker("deleting a cluster without kind") else { return };
    let mut bed = Bed::new("nokind", docker, KIND);
    bed.ensure().unwrap();
    bed.cluster.kind = bed.path("not-there");
    assert!(bed.cluster.stop().unwrap());
    let volumes = bed.cluster.docker.container(&bed.node("control-plane")).unwrap().unwrap().volumes;
    assert!(bed.cluster.destroy().unwrap());
    assert_eq!((bed.containers().len(), bed.cluster.docker.volumes(&volumes).unwrap().len()), (0, 0));
}
