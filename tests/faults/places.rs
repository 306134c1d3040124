//! Directories that may not be written, files that others have changed, many kilters at once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::thread;

use super::{is_root, names, quick, quick_helm, same, tree, write_bytes};
use crate::support::project::{Output, Project, code, command};

/// A user that owns nothing here: root may write everywhere, so kilter is run as this one.
const NOBODY: u32 = 65534;

/// A copy of a project that somebody without privileges works on, and the kilter to run.
struct Unprivileged {
    project: Project,
    kilter: PathBuf,
}

impl Unprivileged {
    fn new(project: Project) -> Self {
        let kilter = project.outside("bin/kilter");
        // Not copied by this process: see `write_script`.
        let mut copy = command(Path::new("/bin/cp"));
        assert!(copy.arg(env!("CARGO_BIN_EXE_kilter")).arg(&kilter).status().unwrap().success());
        fs::set_permissions(project.outside(""), fs::Permissions::from_mode(0o755)).unwrap();
        let own = Self { project, kilter };
        for place in ["work", "cache", "state", "home"] {
            own.each(&own.project.outside(place), &|path| {
                if is_root() {
                    std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
                }
            });
        }
        own
    }

    fn each(&self, path: &Path, act: &dyn Fn(&Path)) {
        if path.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| self.each(&entry.unwrap().path(), act));
        }
        act(path);
    }

    /// Takes the right to write a directory and everything in it.
    fn lock(&self, dir: &Path) {
        self.each(dir, &|path| {
            let mode = if path.is_dir() { 0o555 } else { 0o444 };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        });
    }

    /// Gives it back, so that the directory can be removed.
    fn unlock(&self, dir: &Path) {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.unlock(&path);
            }
        }
    }

    fn run(&self, args: &[&str]) -> Output {
        self.run_without(args, &[])
    }

    fn run_without(&self, args: &[&str], variables: &[&str]) -> Output {
        let project = &self.project;
        let mut run = command(&self.kilter);
        run.args(args).current_dir(project.root()).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", project.home());
        run.env("KILTER_CACHE_DIR", project.cache()).env("XDG_STATE_HOME", project.state());
        run.env("KILTER_HELM", project.helm());
        for name in variables {
            run.env_remove(name);
        }
        if is_root() {
            run.uid(NOBODY).gid(NOBODY);
        }
        let output = run.output().unwrap();
        Output {
            code: code(output.status),
            stdout: project.shown(&String::from_utf8_lossy(&output.stdout)),
            stderr: project.shown(&String::from_utf8_lossy(&output.stderr)),
            stdout_bytes: output.stdout,
        }
    }

    fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!((output.code, output.stdout.as_str()), (3, ""), "{}", output.stderr);
        output.stderr
    }
}

#[test]
fn a_cache_that_may_not_be_written() {
    let own = Unprivileged::new(quick("shop"));
    own.lock(&own.project.cache());
    insta::assert_snapshot!(own.fails(&["render"]), @r"
    error: cannot make the directory `[CACHE]/.store/locks`: permission denied.
      = Check who owns the file or directory and its permissions.
    ");
    assert_eq!(names(&own.project.root()), ["kilter.yaml"]);
    own.unlock(&own.project.cache());
}

#[test]
fn a_finished_cache_may_be_read_only() {
    let own = Unprivileged::new(quick("shop"));
    assert_eq!(own.run(&["render"]).code, 0);
    own.lock(&own.project.cache());
    let before = tree(&own.project.outside(""));
    for args in [&["render", "--check"][..], &["render", "--stdout"], &["env"], &["verify"], &["render"]] {
        let output = own.run(args);
        assert_eq!(output.code, 0, "{args:?}: {}", output.stderr);
    }
    same(&tree(&own.project.outside("")), &before, "written");
    own.project.write("kilter.yaml", "services: [postgres, redis]\n");
    let words = own.fails(&["render"]);
    insta::assert_snapshot!(words, @r"
    error: cannot write into `[CACHE]/.store/charts`: permission denied.
      = Check who owns the file or directory and its permissions.
    ");
    same(&tree(&own.project.cache()), &tree(&own.project.cache()), "written");
    own.unlock(&own.project.cache());
}

#[test]
fn a_project_that_may_not_be_written() {
    let own = Unprivileged::new(quick("shop"));
    own.lock(&own.project.root());
    insta::assert_snapshot!(own.fails(&["add", "redis"]), @r"
    rendering postgres
    rendering redis
    error: cannot write `[PROJECT]/kilter.yaml`: permission denied.
      = Check who owns the file or directory and its permissions.
    ");
    let output = own.run(&["render"]);
    assert_eq!(output.code, 3);
    insta::assert_snapshot!(output.stderr, @r"
    error: cannot write `[PROJECT]/kilter.lock`: permission denied.
      = Check who owns the file or directory and its permissions.
    ");
    assert_eq!(own.run(&["render", "--stdout"]).code, 0);
    assert_eq!(names(&own.project.root()), ["kilter.yaml"]);
    own.unlock(&own.project.root());
}

#[test]
fn a_state_directory_that_may_not_be_written() {
    let own = Unprivileged::new(quick("shop"));
    own.lock(&own.project.state());
    insta::assert_snapshot!(own.fails(&["render"]), @r"
    error: cannot make the directory `[STATE]/kilter`: permission denied.
      = Check who owns the file or directory and its permissions.
    ");
    assert_eq!(names(&own.project.root()), ["kilter.yaml"]);
    own.unlock(&own.project.state());
}

#[test]
fn no_home() {
    let project = quick("shop");
    let bare = || project.kilter(&["render"]).without("HOME");
    insta::assert_snapshot!(bare().without("KILTER_CACHE_DIR").fails(3), @r"
    error: neither `XDG_CACHE_HOME` nor `HOME` is set, so kilter has no place for its files.
      = Set `HOME`, or `XDG_CACHE_HOME` to a directory that kilter may write.
    ");
    insta::assert_snapshot!(bare().without("XDG_STATE_HOME").fails(3), @r"
    error: neither `XDG_STATE_HOME` nor `HOME` is set, so kilter has no place for its files.
      = Set `HOME`, or `XDG_STATE_HOME` to a directory that kilter may write.
    ");
    assert_eq!(names(&project.root()), ["kilter.yaml"]);
    assert!(!project.cache().join("shop").exists());
    bare().succeeds();
    project.kilter(&["--help"]).without("HOME").without("KILTER_CACHE_DIR").without("XDG_STATE_HOME").succeeds();
}

#[test]
fn a_home_that_may_not_be_written() {
    let own = Unprivileged::new(quick("shop"));
    own.lock(&own.project.home());
    // Nothing is below it: the cache and the state directory are elsewhere.
    assert_eq!(own.run(&["render"]).code, 0);
    let everything_at_home = ["KILTER_CACHE_DIR", "XDG_STATE_HOME"];
    let output = own.run_without(&["render"], &everything_at_home);
    assert_eq!(output.code, 3);
    insta::assert_snapshot!(output.stderr, @r"
    error: cannot make the directory `[HOME]/.cache/kilter/.store/locks`: permission denied.
      = Check who owns the file or directory and its permissions.
    ");
    own.unlock(&own.project.home());
    assert_eq!(own.run_without(&["render"], &everything_at_home).code, 0);
    assert!(own.project.home().join(".cache/kilter/shop/manifests/postgres.yaml").is_file());
}

#[test]
fn a_cache_directory_by_its_relative_path() {
    let project = quick("shop");
    project.kilter(&["render"]).env("KILTER_CACHE_DIR", "../../cache").succeeds();
    project.write("deep/er/x", "");
    let absolute = project.kilter(&["render"]).succeeds();
    assert!(absolute.stdout.contains("unchanged"), "{}", absolute.stdout);
    let below =
        project.kilter(&["render"]).cwd(&project.root().join("deep/er")).env("KILTER_CACHE_DIR", "../../../../cache");
    assert!(below.succeeds().stdout.contains("unchanged"));
    assert_eq!(names(&project.root()), ["deep/er/x", "kilter.lock", "kilter.yaml"]);
}

#[test]
fn two_projects_of_one_name() {
    let project = quick("shop");
    project.kilter(&["render"]).succeeds();
    let second = project.outside("elsewhere/shop");
    kilter::fsx::write(&second.join("kilter.yaml"), b"services: [redis]\n").unwrap();
    let cache = tree(&project.cache());
    insta::assert_snapshot!(project.kilter(&["render"]).cwd(&second).fails(1), @r"
    error: `[PROJECT]` already is the project `shop` on this machine.
      = Work on a second copy of `shop` beside it: add `--instance NAME` or set `KILTER_INSTANCE`.
      = If it is another project, give it another `name:` in kilter.yaml.
    ");
    insta::assert_snapshot!(project.kilter(&["add", "mailpit"]).cwd(&second).fails(1), @r"
    error: `[PROJECT]` already is the project `shop` on this machine.
      = Work on a second copy of `shop` beside it: add `--instance NAME` or set `KILTER_INSTANCE`.
      = If it is another project, give it another `name:` in kilter.yaml.
      = Nothing was written; kilter.yaml is as it was.
    ");
    assert_eq!(names(&second), ["kilter.yaml"]);
    // The lock of a project's artifacts is a file of its name.
    same(&tree(&project.cache()), &cache, "written");

    project.kilter(&["render", "--instance", "review"]).cwd(&second).succeeds();
    assert!(project.cache().join("shop@review/manifests/redis.yaml").is_file());
    project.kilter(&["render"]).cwd(&second).env("KILTER_INSTANCE", "review").succeeds();
    insta::assert_snapshot!(project.kilter(&["render", "--instance", "../x"]).cwd(&second).fails(2), @r"
      error: `../x` is not a name: use lower-case letters, digits and `-`, with a letter or digit at both ends.
        = Name the instance with `--instance` or `KILTER_INSTANCE`, for example `review`.
      ");
    let first: Vec<String> = project.kilter(&["env"]).succeeds().stdout.lines().map(str::to_owned).collect();
    assert!(first.iter().any(|line| line.contains("DATABASE_URL")), "{first:?}");
}

#[test]
fn eight_renders_of_one_project() {
    let serial = Project::new("shop").fixture("shop").helm_script(&quick_helm());
    serial.kilter(&["init", "--yes"]).succeeds();
    serial.kilter(&["render"]).succeeds();
    let shared = Project::new("shop").fixture("shop").helm_script(&quick_helm());
    shared.kilter(&["init", "--yes"]).succeeds();
    let running: Vec<_> = (0..8).map(|_| shared.kilter(&["render"]).start()).collect();
    for run in running {
        let output = run.end();
        assert_eq!(output.code, 0, "{}", output.stderr);
    }
    same_artifacts(&serial, &shared, "shop");
}

#[test]
fn eight_projects_with_one_cache() {
    let host = Project::new("p0").helm_script(&quick_helm());
    let text = |n: usize| format!("name: p{n}\nservices: [postgres, redis, mailpit]\n");
    for n in 0..8 {
        kilter::fsx::write(&host.outside("work").join(format!("p{n}/kilter.yaml")), text(n).as_bytes()).unwrap();
    }
    thread::scope(|scope| {
        for n in 0..8 {
            let host = &host;
            scope.spawn(move || {
                host.kilter(&["render"]).cwd(&host.outside("work").join(format!("p{n}"))).succeeds();
            });
        }
    });
    for n in [0, 7] {
        let name = format!("p{n}");
        let alone = Project::new(&name).helm_script(&quick_helm()).file("kilter.yaml", text(n));
        alone.kilter(&["render"]).succeeds();
        same(&tree(&alone.root()), &tree(&host.outside("work").join(&name)), "written");
        for place in ["manifests", "values"] {
            let place = format!("{name}/{place}");
            same(&tree(&alone.cache().join(&place)), &tree(&host.cache().join(&place)), "written");
        }
    }
    let table: serde_json::Value =
        serde_json::from_slice(&fs::read(host.state().join("kilter/machine.json")).unwrap()).unwrap();
    let entries = table["instances"].as_object().unwrap();
    let blocks: std::collections::BTreeSet<_> = entries.values().map(|entry| entry["blocks"].to_string()).collect();
    assert_eq!((entries.len(), blocks.len()), (8, 8));
}

/// Checks that two projects have the same files, and the same artifacts as far as no helm's path decides them.
fn same_artifacts(one: &Project, other: &Project, key: &str) {
    same(&tree(&one.root()), &tree(&other.root()), "project");
    let files = |project: &Project| tree(&project.cache().join(key));
    same(&files(one), &files(other), "artifacts");
}

#[test]
fn what_was_damaged_is_made_again() {
    let project = quick("shop");
    project.kilter(&["render"]).succeeds();
    let (right, cache) = (tree(&project.cache()), project.cache());
    let damages: [(&str, &[u8]); 9] = [
        ("shop/manifests/postgres.yaml", b"edited: by hand\n"),
        ("shop/manifests/postgres.yaml", b""),
        ("shop/values/postgres.yaml", b"edited: by hand\n"),
        ("shop/receipts/postgres.json", b"{}"),
        ("shop/receipts/postgres.json", b"{\"protocol\": 1"),
        ("shop/receipts/postgres.json", &[0xff, 0]),
        ("shop/Tiltfile", b""),
        ("shop/kind.yaml", b"x"),
        ("shop/manifests/left-over.yaml", b"from a service that is gone\n"),
    ];
    for (path, bytes) in damages {
        write_bytes(&cache.join(path), bytes);
        assert_eq!(project.kilter(&["render", "--check"]).run().code, 1, "{path}");
        project.kilter(&["render"]).succeeds();
        same(&tree(&cache), &right, format_args!("{path}"));
    }
    for path in ["shop/manifests/postgres.yaml", "shop/receipts/postgres.json", "shop/values/postgres.yaml"] {
        fs::remove_file(cache.join(path)).unwrap();
        project.kilter(&["render"]).succeeds();
        same(&tree(&cache), &right, format_args!("{path}"));
    }
}

#[test]
fn a_damaged_entry_of_the_cache_is_not_taken() {
    let project = quick("shop");
    project.kilter(&["render"]).succeeds();
    let right = tree(&project.cache());
    let entry = right.keys().find(|name| name.starts_with(".store/renders/")).unwrap();
    let whole = &right[entry];
    for place in [0, 63, 64, 65, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        write_bytes(&project.cache().join(entry), &damaged);
        fs::remove_dir_all(project.cache().join("shop")).unwrap();
        let output = project.kilter(&["render"]).succeeds();
        assert!(output.stdout.contains("rendered"), "byte {place}: {}", output.stdout);
        same(&tree(&project.cache()), &right, format_args!("byte {place}"));
    }
    write_bytes(&project.cache().join(entry), b"");
    fs::remove_dir_all(project.cache().join("shop")).unwrap();
    project.kilter(&["render"]).succeeds();
    same(&tree(&project.cache()), &right, "written");
}

#[test]
fn a_damaged_table_of_ports_is_said() {
    let project = quick("shop");
    project.kilter(&["render"]).succeeds();
    write_bytes(&project.state().join("kilter/machine.json"), b"{");
    insta::assert_snapshot!(project.kilter(&["render"]).fails(3), @r"
    error: `[STATE]/kilter/machine.json` is damaged: EOF while parsing an object at line 1 column 1.
      = Remove the file: kilter allocates ports anew, and they may move.
    ");
}

#[test]
fn a_stored_chart_that_was_changed_is_not_rendered() {
    let project = quick("shop");
    project.kilter(&["render"]).succeeds();
    let right = tree(&project.cache());
    let chart = right.keys().find(|name| name.starts_with(".store/charts/") && name.ends_with("Chart.yaml")).unwrap();
    let template =
        right.keys().find(|name| name.starts_with(".store/charts/") && name.contains("/templates/")).unwrap();
    write_bytes(&project.cache().join(template), b"edited: by hand\n");
    fs::remove_dir_all(project.cache().join("shop")).unwrap();
    fs::remove_dir_all(project.cache().join(".store/renders")).unwrap();
    insta::assert_snapshot!(project.kilter(&["render"]).fails(3), @r"
    rendering postgres
    error: kilter's stored copy of chart `postgres` was changed or damaged.
      = It was removed: run the same command again, and the chart is stored anew.
      = To change a chart, make it yours: `kilter eject chart/SERVICE`.
    ");
    project.kilter(&["render"]).succeeds();
    same(&tree(&project.cache()), &right, "rendered again");
    fs::remove_file(project.cache().join(chart)).unwrap();
    fs::remove_dir_all(project.cache().join("shop")).unwrap();
    fs::remove_dir_all(project.cache().join(".store/renders")).unwrap();
    assert_eq!(project.kilter(&["render"]).run().code, 3);
    project.kilter(&["render"]).succeeds();
    same(&tree(&project.cache()), &right, "rendered again");
}
