//! A storm: parts are killed at random while deploys are accepted. None of these is lost, none is applied twice.

use std::collections::{BTreeMap, HashMap};
use std::process::Child;
use std::time::{SystemTime, UNIX_EPOCH};

use kilter::ids::Digest;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde_json::{Value, json};

use super::{PARTS, Platform, SERVER, agent, image, until};
use crate::support::project::command;
use crate::support::{root, tell, variable};

/// How many deploys the storm has, of how many apps, and one of how many comes with a kill.
const DEPLOYS: usize = 200;
const APPS: usize = 8;
const KILLED: u64 = 10;

/// What is killed stays dead for less than so many deploys.
const DEAD: u64 = 6;

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

/// A deploy that got a 2xx.
struct Accepted {
    app: String,
    deploy: String,
    revision: u64,
}

#[test]
fn slow_a_storm_of_kills_loses_no_accepted_deploy() {
    let Some(mut platform) = Platform::start("a storm of kills") else { return };
    let image = image(&platform);
    let accepted = storm(&mut platform, &image);
    for last in &accepted[DEPLOYS - APPS..] {
        is_what_is_live(&platform, last);
    }
    for one in &accepted {
        let revision = (DEPLOYS / APPS) as u64;
        let wanted = if one.revision == revision { "ready" } else { "superseded" };
        let told = told(&platform, one);
        assert_eq!(told["phase"], wanted, "{told}");
        assert_eq!(told["revision"], one.revision, "{told}");
    }
    assert_eq!(platform.git(&["rev-list", "--merges", "--count", "main"]).trim(), "0");
    assert_eq!(platform.git(&["fsck", "--no-dangling"]).trim(), "");
    each_commit_is_whole(&platform);
    for last in &accepted[DEPLOYS - APPS..] {
        platform.kubectl(&["delete", "kilterapp", &format!("{}-prod", last.app), "--wait=false"]);
    }
    platform.delete("image-prod");
    for last in &accepted[DEPLOYS - APPS..] {
        until("all is gone", || platform.app(&format!("{}-prod", last.app)).is_none().then_some(()));
    }
}

/// Deploys, and kills meanwhile; returns what was accepted, in order.
fn storm(platform: &mut Platform, image: &str) -> Vec<Accepted> {
    let (mut accepted, mut again) = (Vec::new(), 0);
    let (mut kills, mut due) = (BTreeMap::<&str, usize>::new(), None);
    let mut draw = Draw::new();
    for number in 0..DEPLOYS {
        let app = format!("storm-{}", number % APPS);
        // Nobody runs it: this is about what is kept, and the cluster has one node.
        let mut template = json!({"image": image, "port": 3000, "replicas": 0, "public": false, "variables": {"N": number.to_string()}});
        // Some have Jobs, and the last one of each app.
        if draw.below(KILLED) == 0 || number + APPS >= DEPLOYS {
            template["migration"] = json!(["true"]);
        }
        if due.is_some_and(|due| due <= number) {
            revive(platform);
            due = None;
        }
        if draw.below(KILLED) == 0 {
            kill(platform, &mut draw).into_iter().for_each(|name| *kills.entry(name).or_default() += 1);
            due = due.or(Some(number + usize::try_from(draw.below(DEAD)).unwrap()));
        }
        // A client tries again with the same key until it has an answer.
        let key = format!("storm-key-{number}");
        let answer = until("a deploy gets an answer", || match platform.post(&app, &key, &template) {
            Some((status, body)) if (200..300).contains(&status) => Some(body),
            _ => {
                again += 1;
                revive(platform);
                None
            }
        });
        let revision = answer["revision"].as_u64().unwrap();
        assert_eq!(revision, (number / APPS + 1) as u64, "{app}: one deploy is one revision: {answer}");
        accepted.push(Accepted { app, deploy: answer["deploy"].as_str().unwrap().to_owned(), revision });
    }
    revive(platform);
    tell(&format!("{DEPLOYS} deploys, {again} tries again; killed: {kills:?}"));
    accepted
}

/// Looks at the newest deploy of an app: it is what runs, and the commits of the app lead to it.
fn is_what_is_live(platform: &Platform, last: &Accepted) {
    let (name, namespace) = (&last.app, format!("{}-prod", last.app));
    let app = platform.live(&namespace);
    assert_eq!(app["spec"]["deploy"], *last.deploy, "{name}: the newest accepted one is what is there");
    assert_eq!(app["spec"]["revision"], last.revision);
    assert_eq!(app["status"]["revision"], last.revision);
    let labels = "--output=jsonpath={.metadata.labels}";
    let labels = platform.kubectl(&["--namespace", &namespace, "get", "deployment", name, labels]);
    assert!(labels.contains(&format!("\"kilter.netshire.com/revision\":\"{}\"", last.revision)), "{labels}");
    let log = ["log", "--reverse", "--format=%(trailers:key=Kilter-App,valueonly)", &platform.range()];
    let seen = platform.git(&log);
    let of_app = seen.lines().filter(|line| line.starts_with(&format!("acme/{name} ")));
    let revision_of = |line: &str| line.split("revision=").nth(1)?.split(' ').next()?.parse::<u64>().ok();
    let revisions: Vec<u64> = of_app.filter_map(revision_of).collect();
    let grow = revisions.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(grow, "{name}: each revision is committed once, and none after a newer one: {revisions:?}");
    assert_eq!(revisions.last(), Some(&last.revision), "{name}");
    tell(&format!("{name}: {} of {} revisions were committed", revisions.len(), last.revision));
    ran_once(platform, &namespace, &last.deploy);
}

/// What kilter-server says of a deploy.
fn told(platform: &Platform, one: &Accepted) -> Value {
    let url = format!("http://{SERVER}/v1/apps/acme/{}/envs/prod/deploys/{}", one.app, one.deploy);
    let request = agent(20, true).get(&url).header("Authorization", format!("Bearer {}", platform.token));
    serde_json::from_str(&request.call().unwrap().body_mut().read_to_string().unwrap()).unwrap()
}

/// Looks at every commit since the test began: the files of each app are those that its receipt is about.
fn each_commit_is_whole(platform: &Platform) {
    let mut digests: HashMap<String, Value> = HashMap::new();
    let mut looked_at = 0;
    for commit in platform.git(&["rev-list", &platform.range()]).lines() {
        let mut apps: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for line in platform.git(&["ls-tree", "-r", commit, "apps/"]).lines() {
            let (about, path) = line.split_once('\t').unwrap();
            let (Some(object), Some((app, _))) =
                (about.split(' ').nth(2), path.trim_start_matches("apps/").split_once('/'))
            else {
                continue;
            };
            apps.entry(app.to_owned()).or_default().insert(path.to_owned(), object.to_owned());
        }
        for (app, mut files) in apps {
            let object = files.remove(&format!("apps/{app}/receipt.json")).unwrap();
            let receipt: Value = serde_json::from_str(&platform.git(&["cat-file", "blob", &object])).unwrap();
            let digest = |object: &String| {
                let known = digests.entry(object.clone());
                let digest = || json!(Digest::of(platform.git(&["cat-file", "blob", object]).as_bytes()));
                known.or_insert_with(digest).clone()
            };
            let found: BTreeMap<String, Value> = files.keys().cloned().zip(files.values().map(digest)).collect();
            assert_eq!(receipt["files"], json!(found), "{commit}: {app}");
            looked_at += 1;
        }
    }
    tell(&format!("{looked_at} times an app was looked at in a commit: always whole"));
    assert!(looked_at > 0);
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

/// Kills a part that is drawn; returns its name, or nothing when it was dead.
fn kill(platform: &mut Platform, draw: &mut Draw) -> Option<&'static str> {
    let drawn = usize::try_from(draw.below(PARTS.len() as u64 + 2)).unwrap();
    let (name, child) = match PARTS.get(drawn) {
        Some(name) => return part(name).then_some(name),
        None if drawn == PARTS.len() => ("operator", platform.operator.as_mut()?),
        None => ("server", platform.server.as_mut()?),
    };
    (child.try_wait().unwrap().is_none() && shot(Pid::from_child(child))).then_some(name)
}

/// Kills a part of the bed by its pid; tells whether it was there.
fn part(name: &str) -> bool {
    let pid = std::fs::read_to_string(format!("/run/kilter-bed/{name}.pid")).unwrap();
    shot(pid.split(' ').next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw).unwrap())
}

/// Kills a process and waits for its end: one that is still dying is not started again. Tells whether it was there.
fn shot(pid: Pid) -> bool {
    // What is opened before the kill is about this process, whoever gets its number later.
    let Ok(end) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
    let killed = kill_process(pid, Signal::KILL).is_ok();
    let limit = Timespec { tv_sec: 60, tv_nsec: 0 };
    assert_eq!(poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&limit)), Ok(1), "{pid:?} does not end");
    killed
}

/// Starts again what is dead, as Kubernetes and the bed would.
fn revive(platform: &mut Platform) {
    for name in PARTS {
        let started = command(&root().join("scripts/testbed")).args(["start", name]).output().unwrap();
        assert!(started.status.success(), "{name}: {}", String::from_utf8_lossy(&started.stderr));
    }
    let is_dead = |child: Option<&mut Child>| child.is_none_or(|child| child.try_wait().unwrap().is_some());
    if is_dead(platform.server.as_mut()) {
        platform.start_server();
    }
    if is_dead(platform.operator.as_mut()) {
        // The next one need not wait for the lease of the dead: there is less of a storm then.
        platform.try_kubectl(&["delete", "lease", "kilter-operator", "--ignore-not-found"]);
        platform.start_operator(&[]);
    }
}
