//! The pinned kind itself (`KILTER_KIND`), with a real docker.
//!
//! No registry of images can be reached from the tests' docker, so kind always ends where it pulls the node image: after
//! it has accepted its settings.

use std::path::PathBuf;

use kilter::cluster::{Instance, Made, State, kind_settings, kind_yaml};
use kilter::diag::Kind;
use kilter::fsx;
use kilter::ids::Name;
use kilter::toolchain::Pins;

use super::{Bed, KIND, SERVER, docker};
use crate::support::{self, project, variable};

fn bed(name: &str, what: &str) -> Option<Bed> {
    let docker = docker(what)?;
    let Some(kind) = variable("KILTER_KIND").map(PathBuf::from) else {
        support::skip(&format!("{what}: KILTER_KIND is not set"));
        return None;
    };
    let mut bed = Bed::new(name, docker, "");
    bed.cluster.kind = kind;
    Some(bed)
}

fn settings(own: Option<&str>) -> String {
    let instance = Instance { project: Name::new("shop").unwrap(), name: None, blocks: vec![20000], tilt_port: 11000 };
    kind_yaml(&instance, &Pins::builtin().kind_node, own.map(str::as_bytes)).unwrap()
}

#[test]
fn slow_the_settings_are_accepted_and_a_node_image_out_of_reach_is_named() {
    let Some(bed) = bed("pull", "kind's own judgement of kind.yaml") else { return };
    let image = Pins::builtin().kind_node.clone();
    let (name, digest) = image.split_once('@').unwrap();
    let ejected = kind_settings(&image).unwrap();
    let workers = format!("{ejected}- role: worker\n  image: {image}\n");
    for settings in [settings(None), settings(Some(&workers))] {
        fsx::write(&bed.cluster.config, settings.as_bytes()).unwrap();
        let error = bed.ensure().unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("the node image `{name}` ({digest}) cannot be pulled.\n")), "{text}");
        assert!(text.contains(&format!("`docker pull {image}`")) && text.contains("`kilter eject kind`"), "{text}");
        assert_eq!(error.kind(), Kind::Missing);
        assert!(
            error.problems()[0].detail.as_ref().is_some_and(|words| !words.contains("docker pull")),
            "docker's own words: {text}"
        );
        assert_eq!((bed.containers().len(), bed.cluster.kubeconfig.exists()), (0, false), "nothing is left");
    }
}

#[test]
fn settings_that_kind_refuses_are_shown_in_its_words() {
    let Some(bed) = bed("refused", "kind's refusal of kind.yaml") else { return };
    fsx::write(
        &bed.cluster.config,
        settings(Some("kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnods: []\n")).as_bytes(),
    )
    .unwrap();
    let error = bed.ensure().unwrap_err();
    assert_eq!(error.kind(), Kind::Tool);
    assert!(error.to_string().contains("nods"), "{error}");
    assert_eq!(bed.containers(), Vec::<String>::new());
}

#[test]
fn it_reads_the_kubeconfig_of_a_node_and_deletes_it() {
    let Some(mut bed) = bed("reads", "kind's reading of a kubeconfig, and deletion") else { return };
    let real = bed.cluster.kind.clone();
    // A node as kind leaves it: kubeadm's kubeconfig, with the address inside docker's network, is in it.
    let made = Bed::new("reads", bed.cluster.docker.clone(), KIND);
    bed.cluster.kind = made.cluster.kind.clone();
    bed.ensure().unwrap();
    let node = bed.node("control-plane");
    let inside = super::kubeconfig("kubernetes-admin", "kilter-test-control-plane:6443");
    let put = bed.cluster.docker.call([
        "exec",
        "--interactive",
        &node,
        "install",
        "-D",
        "/dev/stdin",
        "/etc/kubernetes/admin.conf",
    ]);
    let put = kilter::exec::Invocation { stdin: Some(inside.into_bytes()), ..put };
    bed.cluster.docker.run(put).unwrap();

    // kind runs its commands in a node with all privileges, which a test machine may not have to give.
    let docker = bed.cluster.docker.program.display();
    let plain = format!(
        "for word; do shift; [ \"$word\" = --privileged ] || set -- \"$@\" \"$word\"; done; exec '{docker}' \"$@\""
    );
    project::write_script(&bed.path("bin/docker"), &plain);
    let path = format!("{}:{}", bed.path("bin").display(), variable("PATH").unwrap().display());
    bed.cluster.docker.env.insert("PATH".to_owned(), path);
    bed.cluster.kind = real;
    fsx::remove(&bed.cluster.kubeconfig).unwrap();
    assert_eq!(bed.ensure().unwrap().made, Made::Running);
    let written = std::fs::read_to_string(&bed.cluster.kubeconfig).unwrap();
    assert!(written.contains(&format!("server: https://{SERVER}\n")), "{written}");
    assert!(written.contains(&format!("current-context: {}\n", bed.cluster.context())), "{written}");
    assert_eq!(bed.cluster.state().unwrap(), State::Running);
    assert!(bed.cluster.destroy().unwrap());
    assert_eq!(bed.containers(), Vec::<String>::new());
}
