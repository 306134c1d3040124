//! Two directories of one project on one machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::helm;
use crate::support::project::{Project, command, copy_tree};

/// A project, and a second directory with a copy of it.
fn twice(yaml: &str) -> (Project, PathBuf) {
    let project = Project::new("shop").file("kilter.yaml", format!("name: shop\n{yaml}"));
    let second = project.outside("work/shop-2");
    copy_tree(&project.root(), &second);
    (project, second)
}

/// Claims the ports of a project, as a render does.
fn claim(project: &Project, dir: &Path, instance: Option<&str>) {
    let name = |text: &str| kilter::ids::Name::new(text).unwrap();
    let shop = env(project, dir, &instance.map_or_else(Vec::new, |name| vec!["--instance", name]));
    let project_name = name(shop["project"].as_str().unwrap());
    let state = project.state().join("kilter");
    let instance = instance.map(name);
    kilter::cluster::Instance::claim(&state, &project_name, instance.as_ref(), dir, 4).unwrap();
}

fn env(project: &Project, dir: &Path, args: &[&str]) -> Value {
    let args: Vec<&str> = ["env", "--json"].iter().chain(args).copied().collect();
    serde_json::from_str(&project.kilter(&args).cwd(dir).succeeds().stdout).unwrap()
}

fn ports(env: &Value) -> BTreeSet<String> {
    let services = env["services"].as_array().unwrap().iter();
    services.flat_map(|s| s["ports"].as_array().unwrap()).map(|p| p["localhost"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_second_directory_of_one_name_is_refused() {
    let (project, second) = twice("services: [postgres, redis]\n");
    claim(&project, &project.root(), None);
    insta::assert_snapshot!(project.kilter(&["env"]).cwd(&second).fails(1), @r"
    error: `[PROJECT]` already is the project `shop` on this machine.
      = Work on a second copy of `shop` beside it: add `--instance NAME` or set `KILTER_INSTANCE`.
      = If it is another project, give it another `name:` in kilter.yaml.
    ");
    project.kilter(&["env"]).succeeds();
}

#[test]
fn an_instance_has_ports_of_its_own_by_flag_or_variable() {
    let (project, second) = twice("services: [postgres, redis]\n");
    claim(&project, &project.root(), None);
    let first = ports(&env(&project, &project.root(), &[]));
    let flagged = ports(&env(&project, &second, &["--instance", "review"]));
    assert_eq!((first.len(), flagged.len()), (3, 3));
    assert!(first.is_disjoint(&flagged), "{first:?} {flagged:?}");
    let by_variable = project.kilter(&["env", "--json"]).cwd(&second).env("KILTER_INSTANCE", "review").succeeds();
    assert_eq!(ports(&serde_json::from_str(&by_variable.stdout).unwrap()), flagged);
    assert_eq!(ports(&env(&project, &project.root(), &[])), first);
    // An empty variable says nothing.
    project.kilter(&["env"]).env("KILTER_INSTANCE", "").succeeds();
    insta::assert_snapshot!(project.kilter(&["env", "--instance", "No Good"]).fails(2), @r"
    error: `No Good` is not a name: use lower-case letters, digits and `-`, with a letter or digit at both ends.
      = Name the instance with `--instance` or `KILTER_INSTANCE`, for example `review`.
    ");
}

#[test]
fn with_kind_the_manifests_are_the_same_bytes_and_the_cluster_is_another() {
    let Some(_) = helm() else { return };
    let (project, second) = twice("services: [postgres, redis]\n");
    project.kilter(&["render"]).succeeds();
    project.kilter(&["render", "--instance", "review"]).cwd(&second).succeeds();
    let read = |instance: &str, file: &str| fs::read_to_string(project.cache().join(instance).join(file)).unwrap();
    for file in
        ["manifests/postgres.yaml", "manifests/redis.yaml", "values/redis.yaml", "Tiltfile", "receipts/redis.json"]
    {
        assert_eq!(read("shop", file), read("shop@review", file), "{file}");
    }
    let kind = |instance: &str| serde_yaml::from_str::<Value>(&read(instance, "kind.yaml")).unwrap();
    assert_eq!(
        (&kind("shop")["name"], &kind("shop@review")["name"]),
        (&"kilter-shop".into(), &"kilter-shop-review".into())
    );
    assert_eq!(fs::read(project.root().join("kilter.lock")).unwrap(), fs::read(second.join("kilter.lock")).unwrap());
}

#[test]
fn with_a_context_an_instance_has_a_namespace_of_its_own() {
    let Some(_) = helm() else { return };
    let (project, second) =
        twice("cluster: {provider: context, context: dev, registry: registry.example.com}\nservices: [redis]\n");
    project.kilter(&["render"]).succeeds();
    let stdout = project.kilter(&["render", "--instance", "review", "--stdout"]).cwd(&second).succeeds().stdout;
    assert!(
        stdout.contains("namespace: \"shop-review-dev\"") || stdout.contains("namespace: shop-review-dev"),
        "{stdout}"
    );
    assert_eq!(env(&project, &second, &["--instance", "review"])["namespace"], "shop-review-dev");
    assert_eq!(env(&project, &project.root(), &[])["namespace"], "shop-dev");
    let long = "a-very-long-name-of-an-instance-40-chars";
    project
        .write("kilter.yaml", project.read("kilter.yaml").replace("name: shop", "name: a-very-long-name-of-a-project"));
    insta::assert_snapshot!(project.kilter(&["env", "--instance", long]).fails(1), @r"
    error: the namespace `a-very-long-name-of-a-project-a-very-long-name-of-an-instance-40-chars-dev` has 74 characters; Kubernetes takes 63.
      = Take a shorter `--instance NAME`, or a shorter `name:` in kilter.yaml.
    ");
}

#[test]
fn when_the_first_directory_is_gone_the_second_takes_over_its_ports() {
    let (project, second) = twice("services: [postgres, redis]\n");
    claim(&project, &project.root(), None);
    let first = ports(&env(&project, &project.root(), &[]));
    fs::remove_dir_all(project.root()).unwrap();
    assert_eq!(ports(&env(&project, &second, &[])), first);
    claim(&project, &second, None);
    fs::create_dir_all(project.root()).unwrap();
    project.write("kilter.yaml", "name: shop\nservices: [redis]\n");
    let message = project.kilter(&["env"]).fails(1);
    assert!(message.contains("`[PROJECT]-2` already is the project `shop`"), "{message}");
}

#[test]
fn a_linked_worktree_is_an_instance_by_itself() {
    let (project, _) = twice("services: [redis]\n");
    let git = |args: &[&str]| {
        let mut git = command(Path::new("/usr/bin/git"));
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(args).current_dir(project.root());
        git.env("HOME", project.home()).env("GIT_CONFIG_NOSYSTEM", "1");
        let done = git.output().unwrap();
        assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "First"]);
    let worktree = project.outside("work/Fix Login");
    git(&["worktree", "add", "-q", "-b", "fix", &worktree.to_string_lossy()]);
    claim(&project, &project.root(), None);
    let first = ports(&env(&project, &project.root(), &[]));
    let linked = ports(&env(&project, &worktree, &[]));
    assert!(first.is_disjoint(&linked));
    assert_eq!(
        ports(&env(&project, &worktree, &["--instance", "fix-login"])),
        linked,
        "its folder's name, made a name"
    );
    fs::create_dir_all(worktree.join("sub")).unwrap();
    assert_eq!(ports(&env(&project, &worktree.join("sub"), &[])), linked);
}

#[test]
fn no_two_projects_share_a_port() {
    let all = Project::new("all");
    let mut seen = BTreeSet::new();
    for n in 0..12 {
        let dir = all.outside(&format!("work/p{n}"));
        kilter::fsx::write(&dir.join("kilter.yaml"), b"services: [postgres, mailpit]\n").unwrap();
        claim(&all, &dir, None);
        for port in ports(&env(&all, &dir, &[])) {
            assert!(seen.insert(port.clone()), "{port} is used twice");
        }
    }
    assert_eq!(seen.len(), 48);
}

#[test]
fn with_a_context_an_instance_leaves_the_locked_digests_alone() {
    let Some(_) = crate::support::helm() else { return };
    let yaml = "cluster: {provider: context, context: dev, registry: localhost:5000}\nservices: [redis]\n";
    let project = Project::new("shop").file("kilter.yaml", yaml);
    project.kilter(&["render"]).succeeds();
    let lock = project.read("kilter.lock");
    let other = project.outside("other");
    crate::support::project::copy_tree(&project.root(), &other);
    let there = |args: &[&str]| project.kilter(args).cwd(&other).env("KILTER_INSTANCE", "review").succeeds();
    there(&["render", "--locked"]);
    assert_eq!(std::fs::read_to_string(other.join("kilter.lock")).unwrap(), lock);
    there(&["verify"]);
}

#[test]
fn what_only_looks_claims_nothing() {
    let Some(_) = helm() else { return };
    let (project, second) = twice("services: [redis]\n");
    let table = project.state().join("kilter/machine.json");
    let out = project.outside("out").to_string_lossy().into_owned();
    let looks = [
        &["env"][..],
        &["render", "--stdout"],
        &["render", "--out", &out],
        &["add", "mailpit", "--dry-run"],
        &["remove", "redis", "--dry-run"],
        &["upgrade", "--dry-run"],
        &["eject", "--list"],
        &["doctor"],
    ];
    for args in looks {
        project.kilter(args).succeeds();
        assert!(!table.exists(), "{args:?}");
    }
    assert_eq!(project.kilter(&["render", "--check"]).run().code, 1);
    assert!(!table.exists());
    let seen = env(&project, &project.root(), &[]);
    project.kilter(&["render"]).succeeds();
    assert_eq!(env(&project, &project.root(), &[]), seen, "what was looked at is what it got");
    let before = fs::read(&table).unwrap();
    project.kilter(&["verify"]).succeeds();
    for args in looks {
        let words = project.kilter(args).cwd(&second).run().stderr;
        assert!(args == ["doctor"] || project.shown(&words).contains("`[PROJECT]` already is"), "{args:?}: {words}");
    }
    assert_eq!(fs::read(&table).unwrap(), before);
}
