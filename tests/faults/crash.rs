//! kilter killed at any moment: every file is whole, and the next run ends where an undisturbed one does.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use kilter::ids::Digest;
use rustix::process::Signal;

use super::{quick_helm, same, tree};
use crate::support::http::{Reply, Server};
use crate::support::project::{Project, Run, copy_tree};

/// What a killed kilter may leave behind until the next run.
const TEMP: &str = kilter::fsx::TEMP_SUFFIX;

type Files = BTreeMap<String, Vec<u8>>;

/// Numbers that are the same in every run (Marsaglia's xorshift).
pub(super) struct Random(pub(super) u64);

impl Random {
    /// A number from 0 to 1.
    pub(super) fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

/// A run of kilter: its arguments, and variables beside those of every run.
struct Command<'a> {
    args: &'a [&'a str],
    env: &'a [(&'a str, &'a str)],
}

impl Command<'_> {
    fn on<'a>(&self, project: &'a Project) -> Run<'a> {
        self.env.iter().fold(project.kilter(self.args), |run, (name, value)| run.env(name, value))
    }
}

/// A project that is set up once and put back before each kill.
struct Bench {
    project: Project,
    random: Random,
    /// What ends it.
    signal: Signal,
    /// How long the command takes on this machine now.
    span: Duration,
}

impl Bench {
    fn new(project: Project, seed: u64) -> Self {
        let bench = Self { project, random: Random(seed), signal: Signal::KILL, span: Duration::ZERO };
        for place in ["work", "cache", "state"] {
            copy_tree(&bench.project.outside(place), &bench.project.outside("saved").join(place));
        }
        bench
    }

    fn put_back(&self) {
        for place in ["work", "cache", "state"] {
            kilter::fsx::remove(&self.project.outside(place)).unwrap();
            copy_tree(&self.project.outside("saved").join(place), &self.project.outside(place));
        }
    }

    /// Kills the command `kills` times, each time in another state of its work, and calls `check` after each.
    fn kill(&mut self, kills: usize, command: &Command<'_>, check: &dyn Fn(&Project)) {
        self.span = {
            let began = Instant::now();
            command.on(&self.project).succeeds();
            began.elapsed()
        };
        let mut done = 0;
        for attempt in 0.. {
            assert!(attempt < 10 * kills, "the command ends before it can be killed");
            self.put_back();
            let delay = self.span.mul_f64(self.random.next());
            let began = Instant::now();
            let running = command.on(&self.project).start();
            // The one wait for nothing but time: the moment of the kill is what is tried.
            std::thread::sleep(delay);
            running.signal(self.signal);
            let output = running.end();
            if output.code != 128 + self.signal.as_raw() {
                assert_eq!(output.code, 0, "{}", output.stderr);
                self.span = began.elapsed();
                continue;
            }
            self.span = self.span.mul_f64(1.02);
            age(&self.project);
            check(&self.project);
            done += 1;
            if done == kills {
                return;
            }
        }
    }
}

/// The files of a project, its cache and its state that have to be the same wherever it lies.
fn files(project: &Project) -> Files {
    let mut files = Files::new();
    for (name, dir) in [("project", project.root()), ("cache", project.cache())] {
        files.extend(tree(&dir).into_iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
    }
    // What is known about helm depends on where it lies.
    files.retain(|path, _| !path.starts_with("cache/tools/explicit/"));
    files
}

/// Directories and files that are not finished.
fn unfinished(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(TEMP) {
            found.push(path.display().to_string());
        } else if path.is_dir() && !path.is_symlink() {
            found.extend(unfinished(&path));
        }
    }
    found
}

/// Makes what was left look as old as what is swept away.
fn age(project: &Project) {
    let old = SystemTime::now() - Duration::from_secs(2 * 3600);
    for left in unfinished(&project.outside("")) {
        fs::File::open(left).unwrap().set_modified(old).unwrap();
    }
}

/// Checks that every file is as it was before the command or as it is after it.
fn whole(project: &Project, before: &Files, after: &Files) {
    for (path, bytes) in files(project) {
        if path.contains(TEMP) {
            continue;
        }
        let known = [before, after].iter().any(|files| files.get(&path) == Some(&bytes));
        assert!(known, "`{path}` is half-written: {:?}", String::from_utf8_lossy(&bytes));
    }
    for (path, bytes) in tree(&project.state()).iter().filter(|(path, _)| path.ends_with(".json")) {
        assert!(serde_json::from_slice::<serde_json::Value>(bytes).is_ok(), "`{path}` is half-written");
    }
}

/// A command and what makes up for it when it was killed.
struct Case {
    seed: u64,
    kills: usize,
    setup: &'static [&'static [&'static str]],
    command: &'static [&'static str],
    /// The command that goes on from where a kill left the project.
    next: fn(&Project) -> &'static [&'static str],
}

fn base() -> Project {
    let text = "# What the shop needs.\nservices:\n  - postgres # the orders\n  - redis\n";
    Project::new("shop").fixture("shop").file("kilter.yaml", text).helm_script(&quick_helm())
}

fn set_up(case: &Case) -> Project {
    let project = base();
    for args in case.setup {
        project.kilter(args).succeeds();
    }
    project
}

fn survives(case: &Case) {
    let clean = set_up(case);
    let before = files(&clean);
    clean.kilter(case.command).succeeds();
    let after = files(&clean);
    assert_ne!(before, after);
    let mut bench = Bench::new(set_up(case), case.seed);
    bench.kill(case.kills, &Command { args: case.command, env: &[] }, &|project| {
        whole(project, &before, &after);
        project.kilter((case.next)(project)).succeeds();
        assert_eq!(unfinished(&project.outside("")), Vec::<String>::new(), "the next run sweeps");
        let mut now = files(project);
        // The next command may look at the user's copy of a chart, which the store then has too.
        now.retain(|path, _| !path.starts_with("cache/.store/charts/") || after.contains_key(path));
        same(&now, &after, "the next run");
    });
}

/// The same with the helm that people run.
#[test]
fn slow_render_by_helm() {
    if crate::support::helm().is_none() {
        return;
    }
    let project = || Project::new("shop").file("kilter.yaml", "services: [postgres, redis]\n");
    let clean = project();
    let before = files(&clean);
    clean.kilter(&["render"]).succeeds();
    let after = files(&clean);
    let mut bench = Bench::new(project(), 10);
    bench.kill(12, &Command { args: &["render"], env: &[] }, &|project| {
        whole(project, &before, &after);
        project.kilter(&["render"]).succeeds();
        same(&files(project), &after, "the next run");
        assert_eq!(unfinished(&project.outside("")), Vec::<String>::new(), "the next run sweeps");
    });
}

#[test]
fn slow_render() {
    survives(&Case { seed: 1, kills: 60, setup: &[], command: &["render"], next: |_| &["render"] });
}

#[test]
fn slow_add_with_ejected_values() {
    survives(&Case {
        seed: 2,
        kills: 30,
        setup: &[&["render"], &["eject", "values/redis"], &["remove", "redis"]],
        command: &["add", "redis", "mailpit"],
        next: |project| {
            if project.read("kilter.yaml").contains("mailpit") { &["render"] } else { &["add", "redis", "mailpit"] }
        },
    });
}

#[test]
fn slow_add() {
    survives(&Case {
        seed: 3,
        kills: 40,
        setup: &[&["render"]],
        command: &["add", "mailpit"],
        next: |_| &["add", "mailpit"],
    });
}

#[test]
fn slow_remove() {
    survives(&Case {
        seed: 4,
        kills: 40,
        setup: &[&["render"]],
        command: &["remove", "redis"],
        next: |project| if project.read("kilter.yaml").contains("redis") { &["remove", "redis"] } else { &["render"] },
    });
}

#[test]
fn slow_eject_of_a_chart() {
    survives(&Case {
        seed: 5,
        kills: 40,
        setup: &[&["render"]],
        command: &["eject", "chart/postgres"],
        next: |project| {
            if project.root().join("kilter/charts/postgres").exists() {
                &["eject", "--list"]
            } else {
                &["eject", "chart/postgres"]
            }
        },
    });
}

#[test]
fn slow_eject_of_a_file() {
    survives(&Case {
        seed: 6,
        kills: 20,
        setup: &[&["render"]],
        command: &["eject", "tiltfile"],
        next: |project| {
            if project.root().join("kilter/Tiltfile").exists() { &["eject", "--list"] } else { &["eject", "tiltfile"] }
        },
    });
}

/// Ctrl-C at any moment, not only while helm works.
#[test]
fn slow_interrupt() {
    let clean = base();
    let before = files(&clean);
    clean.kilter(&["render"]).succeeds();
    let after = files(&clean);
    let mut bench = Bench::new(base(), 12);
    bench.signal = Signal::INT;
    bench.kill(40, &Command { args: &["render"], env: &[] }, &|project| {
        whole(project, &before, &after);
        project.kilter(&["render"]).succeeds();
        same(&files(project), &after, "the next run");
        assert_eq!(unfinished(&project.outside("")), Vec::<String>::new(), "the next run sweeps");
    });
}

/// Ctrl-C while the project itself is changed: what has the exit code of an interrupt changed nothing of it.
#[test]
fn slow_interrupted_edits() {
    for (seed, command) in
        [(14, &["eject", "tiltfile"][..]), (15, &["eject", "chart/redis"]), (16, &["add", "mailpit"])]
    {
        let project = base();
        project.kilter(&["render"]).succeeds();
        let before = tree(&project.root());
        let mut bench = Bench::new(project, seed);
        bench.signal = Signal::INT;
        bench.kill(20, &Command { args: command, env: &[] }, &|project| {
            same(&tree(&project.root()), &before, format!("an interrupted {command:?}"));
        });
    }
}

/// A merge of two directories: the user's copy is there at any moment, old or new.
#[test]
fn slow_eject_merge() {
    let project = || {
        let project = base();
        project.kilter(&["render"]).succeeds();
        project.kilter(&["eject", "chart/postgres"]).succeeds();
        // The copy was taken when kilter's chart had no such file, and the user has added one.
        kilter::fsx::remove(&project.root().join("kilter/charts/postgres/values.schema.json")).unwrap();
        kilter::fsx::remove(&project.root().join("kilter/.base/charts/postgres/values.schema.json")).unwrap();
        project.write("kilter/charts/postgres/templates/mine.yaml", "# mine\n");
        project
    };
    let merge = Command { args: &["eject", "--merge", "chart/postgres"], env: &[] };
    let clean = project();
    let before = files(&clean);
    merge.on(&clean).succeeds();
    let (after, merged) = (files(&clean), tree(&clean.root()));
    assert!(merged.contains_key("kilter/charts/postgres/values.schema.json"));
    let copy = |files: &Files| -> Files {
        files
            .iter()
            .filter(|(path, _)| path.starts_with("project/kilter/charts/"))
            .map(|(p, b)| (p.clone(), b.clone()))
            .collect()
    };
    let mut bench = Bench::new(project(), 11);
    bench.kill(20, &merge, &|project| {
        whole(project, &before, &after);
        let mut now = copy(&files(project));
        now.retain(|path, _| !path.contains(TEMP));
        assert!([copy(&before), copy(&after)].contains(&now), "the copy is neither old nor new");
        merge.on(project).succeeds();
        same(&tree(&project.root()), &merged, "the next run");
        assert_eq!(unfinished(&project.outside("")), Vec::<String>::new(), "the next run sweeps");
    });
}

/// A release archive of a helm, and a project that pins it.
pub(super) fn pinned() -> (Vec<u8>, Vec<u8>, Project) {
    let platform = kilter::toolchain::Platform::host();
    let mut program = b"#!/bin/sh\necho v4.1.9\nexit 0\n".to_vec();
    let mut random = Random(7);
    program.extend((0..1_000_000).map(|_| (random.next() * 255.0) as u8));
    let archive = crate::toolchain::tar_gz(&[(&format!("{platform}/helm"), &program)]);
    let text =
        format!("tools:\n  helm:\n    version: 4.1.9\n    sha256: {{{platform}: {}}}\n", Digest::of(&archive).hex());
    (archive, program, Project::new("shop").file("kilter.yaml", text))
}

/// Where a mirror has the release file of that helm.
pub(super) fn release_path() -> String {
    format!("get.helm.sh/helm-v4.1.9-{}.tar.gz", kilter::toolchain::Platform::host())
}

fn install_survives(seed: u64, mirror: &dyn Fn(&Project, &[u8]) -> String) {
    let (archive, program, project) = pinned();
    let mirror = mirror(&project, &archive);
    // No helm of the tests' own, and no way to a release host.
    let env = [("KILTER_MIRROR", &*mirror), ("KILTER_HELM", ""), ("HTTPS_PROXY", "http://127.0.0.1:1")];
    let install = Command { args: &["tools", "install", "helm"], env: &env };
    let slot = format!("tools/helm/4.1.9/{}", kilter::toolchain::Platform::host());
    let mut bench = Bench::new(project, seed);
    bench.kill(40, &install, &|project| {
        let slot = project.cache().join(&slot);
        if let Ok(bytes) = fs::read(slot.join("helm")) {
            assert!(bytes == program, "the program is half-written");
        }
        if let Ok(bytes) = fs::read(slot.join("receipt.json")) {
            assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok(), "the receipt is half-written");
        }
        install.on(project).succeeds();
        assert!(fs::read(slot.join("helm")).unwrap() == program);
        let left: Vec<String> = tree(&slot).into_keys().collect();
        assert_eq!(left, ["helm", "lock", "receipt.json"]);
    });
}

#[test]
fn slow_install_from_a_directory() {
    install_survives(8, &|project, archive| {
        let mirror = project.outside("mirror");
        kilter::fsx::write(&mirror.join(release_path()), archive).unwrap();
        mirror.display().to_string()
    });
}

#[test]
fn slow_install_from_a_server() {
    install_survives(9, &|_, archive| {
        let server = Server::start();
        server.file(&format!("/{}", release_path()), archive, &[Reply::File]);
        server.url().to_owned()
    });
}
