//! Whatever dies, at whatever moment: nothing that was accepted is lost, nothing is applied twice.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{PARTS, Platform, image, until};
use crate::support::project::command;
use crate::support::{root, tell, variable};

/// Every effect of the operator, in the order of a life: the last two are of a deletion.
const EFFECTS: [&str; 9] =
    ["AddFinalizer", "CreateNamespace", "Render", "Record", "Commit", "Tell", "Nudge", "Remove", "DropFinalizer"];

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

/// How many deploys the storm has, of how many apps, and one of how many comes with a kill.
const DEPLOYS: usize = 200;
const APPS: usize = 8;
const KILLED: u64 = 10;

/// Draws the same numbers for the same seed (SplitMix64, <https://prng.di.unimi.it/splitmix64.c>).
struct Draw(u64);

impl Draw {
    /// With the seed in `KILTER_STORM_SEED`, or another one each time; says which.
    fn new() -> Self {
        let given = variable("KILTER_STORM_SEED").map(|seed| seed.to_str().unwrap().parse().unwrap());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        let seed = given.unwrap_or(now);
        tell(&format!("the storm again: KILTER_STORM_SEED={seed}"));
        Self(seed)
    }

    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

#[test]
fn slow_a_storm_of_kills_loses_no_accepted_deploy() {
    let Some(mut platform) = Platform::start("a storm of kills") else { return };
    let image = image(&platform);
    // app → revision of the newest deploy that got a 2xx.
    let mut accepted: BTreeMap<String, u64> = BTreeMap::new();
    let (mut again, mut kills) = (0, Vec::new());
    let mut draw = Draw::new();
    for number in 0..DEPLOYS {
        let name = format!("storm-{}", number % APPS);
        // Nobody runs it: this is about what is kept, and the cluster has one node.
        let mut template = json!({"image": image, "port": 3000, "replicas": 0, "public": false, "variables": {"N": number.to_string()}});
        // Some have Jobs, and the last one of each app.
        if draw.below(KILLED) == 0 || number + APPS >= DEPLOYS {
            template["migration"] = json!(["true"]);
        }
        let key = format!("storm-key-{number}");
        if draw.below(KILLED) == 0 {
            kills.push(kill(&mut platform, &mut draw));
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
        let log = ["log", "--reverse", "--format=%(trailers:key=Kilter-App,valueonly)", &platform.range()];
        let seen = platform.git(&log);
        let of_app = seen.lines().filter(|line| line.starts_with(&format!("acme/{name} ")));
        let revision_of = |line: &str| line.split("revision=").nth(1)?.split(' ').next()?.parse::<u64>().ok();
        let revisions: Vec<u64> = of_app.filter_map(revision_of).collect();
        let grow = revisions.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(grow, "{name}: each revision is committed once, and none after a newer one: {revisions:?}");
        assert_eq!(revisions.last(), Some(revision), "{name}");
        ran_once(&platform, &namespace, app["spec"]["deploy"].as_str().unwrap());
    }
    assert_eq!(platform.git(&["rev-list", "--merges", "--count", "main"]).trim(), "0");
    assert_eq!(platform.git(&["fsck", "--no-dangling"]).trim(), "");
    tell(&format!("{DEPLOYS} deploys, {} kills, {again} tries again; revisions {accepted:?}", kills.len()));
    tell(&format!("killed: {}", kills.join(", ")));
    for name in accepted.keys() {
        platform.kubectl(&["delete", "kilterapp", &format!("{name}-prod"), "--wait=false"]);
    }
    platform.delete("image-prod");
    for name in accepted.keys() {
        until("all is gone", || platform.app(&format!("{name}-prod")).is_none().then_some(()));
    }
}

/// Tells whether the Job of an app's last deploy ran once, and no other more than once. Of others some may be left: those that a
/// Flux applied which died before it noted them.
fn ran_once(platform: &Platform, namespace: &str, deploy: &str) {
    let jobs = platform.kubectl(&["--namespace", namespace, "get", "jobs", "--output=json"]);
    let jobs: Value = serde_json::from_str(&jobs).unwrap();
    let mut of_deploy = 0;
    for job in jobs["items"].as_array().unwrap() {
        let (name, status) = (job["metadata"]["name"].as_str().unwrap(), &job["status"]);
        let runs = |what: &str| status[what].as_u64().unwrap_or(0);
        assert!(runs("failed") == 0 && runs("succeeded") <= 1, "{namespace}: {job}");
        if name.ends_with(deploy) {
            assert_eq!(runs("succeeded"), 1, "{namespace}: {job}");
            of_deploy += 1;
        }
    }
    assert_eq!(of_deploy, 1, "{namespace}: {jobs}");
}

/// Kills a part that is drawn; returns its name.
fn kill(platform: &mut Platform, draw: &mut Draw) -> &'static str {
    let shot = |child: &std::process::Child| {
        let _ = kill_process(Pid::from_child(child), Signal::KILL);
    };
    let drawn = usize::try_from(draw.below(PARTS.len() as u64 + 2)).unwrap();
    match PARTS.get(drawn) {
        Some(name) => {
            part(name);
            name
        }
        None if drawn == PARTS.len() => {
            platform.operator.iter().for_each(shot);
            "operator"
        }
        None => {
            platform.server.iter().for_each(shot);
            "server"
        }
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
