//! What did not change costs nothing: no helm process, no file touched. What did costs one process each.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::projects::{assert_same, portable, project};
use crate::support;
use crate::support::project::{Project, command};

/// A project whose helm is the real one behind a script that writes down each call.
struct Counted {
    project: Project,
    calls: PathBuf,
}

impl Counted {
    fn new(name: &str) -> Option<Self> {
        let helm = support::helm()?;
        let project = project(name);
        let calls = project.outside("calls");
        let script = format!("echo \"$1 $2\" >>'{}'\nexec '{}' \"$@\"", calls.display(), helm.display());
        Some(Self { project: project.helm_script(&script), calls })
    }

    /// Runs kilter; returns helm's calls, sorted, `template redis` and the like.
    fn calls_of(&self, args: &[&str]) -> Vec<String> {
        kilter::fsx::write(&self.calls, b"").unwrap();
        self.project.kilter(args).succeeds();
        let mut calls: Vec<String> = fs::read_to_string(&self.calls).unwrap().lines().map(str::to_owned).collect();
        calls.sort();
        calls
    }

    /// Replaces a part of kilter.yaml that is there once.
    fn edit(&self, from: &str, to: &str) {
        let text = self.project.read("kilter.yaml");
        assert_eq!(text.matches(from).count(), 1, "{from}");
        self.project.write("kilter.yaml", text.replace(from, to));
    }

    /// Everything that kilter could touch: the project, the cache, the state, the home.
    fn state(&self) -> BTreeMap<PathBuf, Touched> {
        let mut found = BTreeMap::new();
        let project = &self.project;
        for dir in [project.root(), project.cache(), project.state(), project.home()] {
            look(&dir, &mut found);
        }
        found
    }

    /// What of it is another file now, or has been written to, new and gone files among them; directories left out.
    fn touched_since(&self, before: &BTreeMap<PathBuf, Touched>) -> Vec<String> {
        let after = self.state();
        let paths = before.keys().chain(after.keys().filter(|path| !before.contains_key(*path)));
        let changed = paths.filter(|path| before.get(*path) != after.get(*path));
        let shown = changed.filter(|path| !path.is_dir()).map(|path| self.project.shown(&path.to_string_lossy()));
        let mut shown: Vec<String> = shown.collect();
        shown.sort();
        shown
    }
}

/// Inode, size and time of the last change, of the contents and of the file itself.
type Touched = (u64, u64, i64, i64, i64, i64);

fn look(path: &Path, found: &mut BTreeMap<PathBuf, Touched>) {
    let about = fs::symlink_metadata(path).unwrap();
    let size = if about.is_dir() { 0 } else { about.len() };
    found.insert(
        path.to_owned(),
        (about.ino(), size, about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()),
    );
    if about.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            look(&entry.unwrap().path(), found);
        }
    }
}

#[test]
fn nothing_changed_starts_no_process_and_touches_no_file() {
    let Some(counted) = Counted::new("pipeline") else { return };
    let first = counted.calls_of(&["render"]);
    let templates = first.iter().filter(|call| call.starts_with("template ")).count();
    assert_eq!(templates, 7, "{first:?}");
    let before = counted.state();
    for args in [&["render"][..], &["render", "--locked"], &["render", "--check"], &["render", "redis"], &["env"]] {
        assert_eq!(counted.calls_of(args), Vec::<String>::new(), "{args:?}");
        // Directories too: not even a temporary file came and went.
        assert_eq!(counted.state(), before, "{args:?}: {:?}", counted.touched_since(&before));
    }
    for args in [&["render", "--stdout"][..], &["render", "--show-commands"]] {
        assert_eq!(counted.calls_of(args), Vec::<String>::new(), "{args:?}");
        assert_eq!(counted.state(), before, "{args:?}: {:?}", counted.touched_since(&before));
    }
}

#[test]
fn one_value_changed_is_one_process_and_one_manifest() {
    let Some(counted) = Counted::new("pipeline") else { return };
    counted.calls_of(&["render"]);
    counted.edit("size: 4Gi", "size: 5Gi");
    let before = counted.state();
    assert_eq!(counted.calls_of(&["render"]), ["template postgres"]);
    let touched = counted.touched_since(&before);
    let (fresh, touched): (Vec<_>, Vec<_>) = touched.into_iter().partition(|path| path.contains("/.store/renders/"));
    assert_eq!(
        touched,
        [
            "[CACHE]/pipeline/manifests/postgres.yaml",
            "[CACHE]/pipeline/receipts/postgres.json",
            "[CACHE]/pipeline/values/postgres.yaml",
            "[PROJECT]/kilter.lock",
        ]
    );
    assert_eq!(fresh.len(), 1, "{fresh:?}");
    // Back again: those bytes are known.
    counted.edit("size: 5Gi", "size: 4Gi");
    assert_eq!(counted.calls_of(&["render"]), Vec::<String>::new());
}

#[test]
fn a_chart_of_the_project_that_changed_is_rendered_again_and_nothing_else() {
    let Some(counted) = Counted::new("museum") else { return };
    counted.calls_of(&["render"]);
    counted.project.write("charts/legacy/templates/NOTES.txt", "Hello.\n");
    assert_eq!(counted.calls_of(&["render"]), ["template archive", "template legacy"]);
}

#[test]
fn what_changed_is_rendered_once_each() {
    let Some(counted) = Counted::new("pipeline") else { return };
    counted.calls_of(&["render"]);
    counted.edit("size: 4Gi", "size: 5Gi");
    counted.edit("IMGPROXY_TTL: 3600", "IMGPROXY_TTL: 60");
    counted.edit("replicas: 2", "replicas: 3");
    assert_eq!(counted.calls_of(&["render"]), ["template gateway", "template imgproxy", "template postgres"]);
}

#[test]
fn a_variable_of_the_app_changes_the_app_alone() {
    let Some(counted) = Counted::new("bookstore") else { return };
    counted.calls_of(&["render"]);
    counted.edit("LOG_LEVEL: debug", "LOG_LEVEL: trace");
    assert_eq!(counted.calls_of(&["render"]), ["template bookstore"]);
}

#[test]
fn a_service_more_moves_no_other() {
    let Some(counted) = Counted::new("backing") else { return };
    counted.edit("  - postgres\n", "");
    counted.calls_of(&["render"]);
    counted.edit("services:\n", "services:\n  - postgres\n");
    assert_eq!(counted.calls_of(&["render"]), ["template postgres"]);
}

#[test]
fn a_second_instance_runs_no_helm() {
    let Some(counted) = Counted::new("tickets") else { return };
    counted.calls_of(&["render"]);
    let first = portable(&counted.project, "tickets");
    assert_eq!(counted.calls_of(&["render", "--instance", "review"]), Vec::<String>::new());
    assert_same("review", &first, &portable(&counted.project, "tickets@review"));
    // A context is shared, so an instance has a namespace there.
    counted.project.write(
        "kilter.yaml",
        "services: [redis]\ncluster: {provider: context, context: team, registry: registry.team.internal}\n",
    );
    let args = ["render", "--instance", "review", "--stdout"];
    let manifest = counted.project.kilter(&args).succeeds().stdout;
    assert!(manifest.contains("namespace: \"tickets-review-dev\"") && !manifest.contains("nodePort"), "{manifest}");
}

#[test]
fn a_damaged_manifest_comes_back_without_helm() {
    let Some(counted) = Counted::new("tickets") else { return };
    counted.calls_of(&["render"]);
    let expected = portable(&counted.project, "tickets");
    let manifest = counted.project.cache().join("tickets/manifests/redis.yaml");
    kilter::fsx::write(&manifest, b"kind: Nonsense\n").unwrap();
    assert_eq!(counted.calls_of(&["render"]), Vec::<String>::new());
    assert_same("restored", &expected, &portable(&counted.project, "tickets"));
}

#[test]
fn one_core_and_many_give_the_same_bytes() {
    let Some(_) = support::helm() else { return };
    let Some(taskset) = kilter::exec::find_program("taskset", Some("/usr/bin:/bin".as_ref())) else {
        support::skip("a render on one core: there is no taskset");
        return;
    };
    let (serial, parallel) = (project("backing"), project("backing"));
    let mut one = command(&taskset);
    one.args(["-c", "0", env!("CARGO_BIN_EXE_kilter"), "render"]).current_dir(serial.root()).env_clear();
    one.env("HOME", serial.home()).env("KILTER_HELM", serial.helm());
    one.env("KILTER_CACHE_DIR", serial.cache()).env("XDG_STATE_HOME", serial.state());
    let said = one.output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    parallel.kilter(&["render"]).succeeds();
    assert_same("one core", &portable(&parallel, "backing"), &portable(&serial, "backing"));
}

#[test]
fn a_member_more_of_a_workspace_is_in_the_image_and_costs_no_helm() {
    let Some(counted) = Counted::new("bookstore") else { return };
    counted.calls_of(&["render"]);
    counted.project.write("packages/mail/package.json", r#"{"name": "@bookstore/mail", "private": true}"#);
    let before = counted.state();
    assert_eq!(counted.calls_of(&["render"]), Vec::<String>::new());
    let expected = ["[CACHE]/bookstore/Dockerfile.dev", "[CACHE]/bookstore/Tiltfile", "[PROJECT]/kilter.lock"];
    assert_eq!(counted.touched_since(&before), expected);
    let dockerfile = fs::read_to_string(counted.project.cache().join("bookstore/Dockerfile.dev")).unwrap();
    assert!(dockerfile.contains("packages/mail/package.json"), "{dockerfile}");
}
