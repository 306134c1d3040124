//! Whatever dies, at whatever moment: nothing that was accepted is lost, nothing is applied twice.

use std::collections::BTreeMap;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{PARTS, Platform, image, until};
use crate::support::project::command;
use crate::support::{root, tell};

/// Every effect of the operator, in the order of a life: the last two are of a deletion.
const EFFECTS: [&str; 9] =
    ["AddFinalizer", "CreateNamespace", "Render", "Commit", "Record", "Tell", "Nudge", "Remove", "DropFinalizer"];

#[test]
fn slow_an_operator_that_dies_after_any_effect_leaves_what_the_next_one_finishes() {
    let Some(mut platform) = Platform::start("crashes of the operator") else { return };
    let image = image(&platform);
    super::end(platform.operator.take().unwrap());
    for effect in EFFECTS {
        let name = format!("dies-{}", effect.to_lowercase());
        let namespace = format!("{name}-prod");
        let deleting = ["Remove", "DropFinalizer"].contains(&effect);
        let template = json!({"image": image, "port": 3000});
        if deleting {
            platform.start_operator(&[]);
            platform.post(&name, "crash-0001", &template).unwrap();
            platform.live(&namespace);
            super::end(platform.operator.take().unwrap());
        }
        platform.start_operator(&["--die-after", effect]);
        if deleting {
            platform.kubectl(&["delete", "kilterapp", &namespace, "--wait=false"]);
        } else {
            let (status, _) = platform.post(&name, "crash-0001", &template).unwrap();
            assert_eq!(status, 202);
        }
        let died = dies(&mut platform);
        assert!(!died.success(), "{effect}: {died}");
        // The next one need not wait for the lease of the dead.
        platform.kubectl(&["delete", "lease", "kilter-operator", "--ignore-not-found"]);
        platform.start_operator(&[]);
        if !deleting {
            platform.live(&namespace);
            assert_eq!(platform.commits_of(&name), 1, "{effect}");
            platform.kubectl(&["delete", "kilterapp", &namespace, "--wait=false"]);
        }
        until(&format!("{effect}: {namespace} is gone"), || {
            (platform.app(&namespace).is_none() && !platform.has_namespace(&namespace)).then_some(())
        });
        assert_eq!(platform.commits_of(&name), 2, "{effect}: one for the deploy, one for the deletion");
        super::end(platform.operator.take().unwrap());
    }
    platform.start_operator(&[]);
    platform.delete("image-prod");
}

/// Waits until the operator is dead.
fn dies(platform: &mut Platform) -> ExitStatus {
    let mut child = platform.operator.take().unwrap();
    until("the operator dies where it was told to", || child.try_wait().unwrap())
}

/// How many deploys the storm has, of how many apps.
const DEPLOYS: usize = 200;
const APPS: usize = 8;

#[test]
fn slow_a_storm_of_kills_loses_no_accepted_deploy() {
    let Some(mut platform) = Platform::start("a storm of kills") else { return };
    let image = image(&platform);
    // app → revision of the newest deploy that got a 2xx.
    let mut accepted: BTreeMap<String, u64> = BTreeMap::new();
    let (mut again, mut kills) = (0, 0);
    for number in 0..DEPLOYS {
        let name = format!("storm-{}", number % APPS);
        // Nobody runs it: this is about what is kept, and the cluster has one node.
        let template = json!({"image": image, "port": 3000, "replicas": 0, "public": false, "variables": {"N": number.to_string()}});
        let key = format!("storm-key-{number}");
        if number % 10 == 5 {
            kill(&mut platform, kills);
            kills += 1;
        }
        // A client tries again with the same key until it has an answer.
        let answer = until("a deploy gets an answer", || match platform.post(&name, &key, &template) {
            Some((status, body)) if (200..300).contains(&status) => Some(body),
            _ => {
                again += 1;
                revive(&mut platform);
                None
            }
        });
        accepted.insert(name, answer["revision"].as_u64().unwrap());
    }
    revive(&mut platform);
    for (name, revision) in &accepted {
        let namespace = format!("{name}-prod");
        let app = platform.live(&namespace);
        assert_eq!(app["spec"]["revision"], *revision, "{name}: the newest accepted one is what is there");
        assert_eq!(app["status"]["revision"], *revision);
        let labels = platform.kubectl(&[
            "--namespace",
            &namespace,
            "get",
            "deployment",
            name,
            "--output=jsonpath={.metadata.labels}",
        ]);
        assert!(labels.contains(&format!("\"kilter.netshire.com/revision\":\"{revision}\"")), "{labels}");
        let seen = platform.git(&["log", "--format=%(trailers:key=Kilter-App,valueonly)", &platform.range()]);
        let of_app: Vec<&str> = seen.lines().filter(|line| line.starts_with(&format!("acme/{name} "))).collect();
        let mut revisions: Vec<&str> =
            of_app.iter().filter_map(|line| line.split("revision=").nth(1)?.split(' ').next()).collect();
        let count = revisions.len();
        revisions.dedup();
        assert_eq!(revisions.len(), count, "{name}: no revision is committed twice");
    }
    assert_eq!(platform.git(&["rev-list", "--merges", "--count", "main"]).trim(), "0");
    assert_eq!(platform.git(&["fsck", "--no-dangling"]).trim(), "");
    tell(&format!("{DEPLOYS} deploys, {kills} kills, {again} tries again; revisions {accepted:?}"));
    for name in accepted.keys() {
        platform.kubectl(&["delete", "kilterapp", &format!("{name}-prod"), "--wait=false"]);
    }
    platform.delete("image-prod");
    for name in accepted.keys() {
        until("all is gone", || platform.app(&format!("{name}-prod")).is_none().then_some(()));
    }
}

/// Kills one of the parts, in turn.
fn kill(platform: &mut Platform, turn: usize) {
    let shot = |child: &std::process::Child| {
        let _ = kill_process(Pid::from_child(child), Signal::KILL);
    };
    match turn % 6 {
        0 | 3 => platform.operator.iter().for_each(shot),
        1 => platform.server.iter().for_each(shot),
        2 => part("git-server"),
        4 => part("kube-apiserver"),
        _ => part("source-controller"),
    }
}

/// Kills a part of the bed by its pid.
fn part(name: &str) {
    let pid = std::fs::read_to_string(format!("/run/kilter-bed/{name}.pid")).unwrap();
    let pid = pid.split(' ').next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw).unwrap();
    let _ = kill_process(pid, Signal::KILL);
}

/// Starts again what is dead, as Kubernetes and the bed would.
fn revive(platform: &mut Platform) {
    for name in PARTS {
        let started = command(&root().join("scripts/testbed")).args(["start", name]).output().unwrap();
        assert!(started.status.success(), "{name}: {}", String::from_utf8_lossy(&started.stderr));
    }
    if platform.server.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some()) {
        platform.start_server();
    }
    if platform.operator.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some()) {
        platform.start_operator(&[]);
    }
}
