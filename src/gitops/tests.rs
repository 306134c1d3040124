use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::*;
use crate::api::{AppId, KilterAppSpec, Platform, SecretRef, Template};
use crate::exec::Invocation;

/// A remote repository and what looks at it.
pub(crate) struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap() };
        bench.git(&["init", "--quiet", "--bare", "--initial-branch=main", &bench.url()]);
        bench
    }

    pub(crate) fn url(&self) -> String {
        self.dir.path().join("fleet.git").to_string_lossy().into_owned()
    }

    pub(crate) fn remote(&self, name: &str) -> Remote {
        Remote {
            url: self.url(),
            branch: "main".into(),
            credentials: Credentials::None,
            signing_key: None,
            git: git(),
            dir: self.dir.path().join(name),
        }
    }

    pub(crate) fn open(&self, name: &str) -> Repository {
        Repository::open(self.remote(name)).unwrap()
    }

    fn git(&self, args: &[&str]) -> String {
        let call =
            Invocation::new(git()).args(args.iter().copied()).env("HOME", "/nowhere").env("PATH", "/usr/bin:/bin");
        let call = ["AUTHOR", "COMMITTER"].iter().fold(call, |call, who| {
            call.env(format!("GIT_{who}_NAME"), "somebody").env(format!("GIT_{who}_EMAIL"), "s@example.com")
        });
        let captured = call.cwd(self.dir.path()).capture().unwrap();
        assert!(captured.ok(), "git {args:?}: {}", captured.stderr);
        captured.text()
    }

    pub(crate) fn look(&self, args: &[&str]) -> String {
        let url = self.url();
        self.git(&[&["--git-dir", url.as_str()], args].concat())
    }

    pub(crate) fn commits(&self) -> usize {
        self.look(&["rev-list", "--count", "main"]).trim().parse().unwrap()
    }

    /// Lets the remote run a shell script before it takes a push.
    pub(crate) fn hook(&self, script: &str) {
        let hook = Path::new(&self.url()).join("hooks/pre-receive");
        crate::fsx::write(&hook, format!("#!/bin/sh\n{script}").as_bytes()).unwrap();
        std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Somebody else's commit: one file set to a text, on top of the branch.
    pub(crate) fn foreign(&self, path: &str, text: &str) {
        let clone = self.dir.path().join("somebody");
        let place = clone.to_string_lossy().into_owned();
        if clone.exists() {
            self.git(&["-C", &place, "pull", "--quiet", "--rebase"]);
        } else {
            self.git(&["clone", "--quiet", &self.url(), &place]);
        }
        crate::fsx::write(&clone.join(path), text.as_bytes()).unwrap();
        self.git(&["-C", &place, "add", "--all"]);
        self.git(&["-C", &place, "commit", "--quiet", "-m", "by hand"]);
        self.git(&["-C", &place, "push", "--quiet"]);
    }
}

fn git() -> PathBuf {
    program("git")
}

fn program(name: &str) -> PathBuf {
    crate::exec::find_program(name, Some(std::ffi::OsStr::new("/usr/bin:/usr/local/bin:/bin"))).unwrap()
}

/// The spec of the first deploy of `acme/shop` in `prod`.
pub(crate) fn spec(template: Template) -> KilterAppSpec {
    KilterAppSpec {
        org: "acme".into(),
        app: "shop".into(),
        env: "prod".into(),
        revision: 1,
        deploy: "d1".into(),
        by: "ci".into(),
        template,
    }
}

pub(crate) fn change(app: &str, generation: i64, image: &str) -> Change {
    let id = AppId::new("acme", app, "prod").unwrap();
    let template = Template {
        image: image.into(),
        secrets: vec![SecretRef { name: "s".into(), sealed: Some("{}".into()), external: false }],
        ..Template::default()
    };
    let spec = KilterAppSpec { app: app.into(), ..spec(template) };
    let receipt = AppReceipt {
        org: "acme".into(),
        app: app.into(),
        env: "prod".into(),
        uid: format!("uid-{app}"),
        generation,
        revision: 1,
        deploy: "d1".into(),
        image: image.into(),
        rerender: String::new(),
        renders: BTreeMap::new(),
        files: BTreeMap::new(),
    };
    let phases =
        [Phased { phase: Phase::App, values: b"a: 1\n".to_vec(), manifest: format!("---\n# {image}\n").into_bytes() }];
    let written = files(&id, &spec, &Platform::default(), &phases, &Sealed::new(), receipt).unwrap();
    Change {
        namespace: id.namespace(),
        uid: format!("uid-{app}"),
        generation,
        files: Some(written),
        title: format!("{app} prod revision 1"),
        trailers: Change::trailers_of(&spec, generation, "kilter-app", "4.3.0"),
        restores: false,
    }
}

/// The KilterApps that there are, by their uid.
fn living(apps: &[&str]) -> BTreeSet<String> {
    apps.iter().map(|app| format!("uid-{app}")).collect()
}

pub(crate) fn committed(outcomes: &[Outcome]) -> bool {
    outcomes.iter().all(|outcome| matches!(outcome, Outcome::Committed(_)))
}

#[test]
fn an_empty_repository_gets_its_first_commit_and_the_same_again_none() {
    let bench = Bench::new();
    let mut repository = bench.open("a");
    assert_eq!(repository.head().commit, None);
    assert!(committed(&repository.write(&[change("shop", 1, "i@sha256:1")]).unwrap()));
    assert_eq!(bench.look(&["show", "main:apps/shop-prod/app/app.yaml"]), "---\n# i@sha256:1\n");
    assert_eq!(bench.look(&["show", "main:apps/shop-prod/jobs/secret-s.json"]), "{}");
    assert!(bench.look(&["show", "main:apps/kilter.yaml"]).contains("name: kilter-repository"));
    let said = bench.look(&["log", "-1", "--format=%an|%s|%(trailers:key=Kilter-App,valueonly)", "main"]);
    assert!(said.starts_with("kilter-operator|Deploy shop prod revision 1|acme/shop env=prod revision=1 generation=1 deploy=d1 image=sha256:1 by=ci"), "{said}");
    // Same bytes for a newer generation, from this copy and from a fresh one: no commit.
    for (name, generation) in [("a", 1), ("a", 2), ("b", 3)] {
        let mut repository = if name == "a" { bench.open("a") } else { bench.open("b") };
        let outcomes = repository.write(&[change("shop", generation, "i@sha256:1")]).unwrap();
        assert!(matches!(outcomes[..], [Outcome::Unchanged(_)]), "{outcomes:?}");
        assert_eq!(repository.head().entries["shop-prod"].receipt.generation, generation);
    }
    assert_eq!(bench.commits(), 1);
}

#[test]
fn many_apps_go_into_one_commit_and_leave_in_one() {
    let bench = Bench::new();
    let mut repository = bench.open("a");
    let changes: Vec<Change> = ["a", "b", "c"].map(|app| change(app, 1, "i@sha256:1")).into();
    assert!(committed(&repository.write(&changes).unwrap()));
    assert_eq!(bench.commits(), 1);
    let gone = |app: &str| Change { files: None, ..change(app, 2, "") };
    assert!(committed(&repository.write(&[gone("a"), gone("b"), change("c", 2, "i@sha256:2")]).unwrap()));
    assert_eq!(bench.commits(), 2);
    let left = bench.look(&["ls-tree", "-r", "--name-only", "main"]);
    assert!(!left.contains("apps/a-prod") && !left.contains("apps/b-prod") && left.contains("apps/c-prod"), "{left}");
    // Gone already: nothing to write.
    assert!(matches!(repository.write(&[gone("a")]).unwrap()[..], [Outcome::Unchanged(_)]));
    assert_eq!(bench.commits(), 2);
}

#[test]
fn a_file_that_is_no_longer_made_goes() {
    let bench = Bench::new();
    let mut repository = bench.open("a");
    repository.write(&[change("shop", 1, "i@sha256:1")]).unwrap();
    let mut without = change("shop", 2, "i@sha256:2");
    let (files, receipt) = without.files.as_mut().unwrap();
    files.remove("apps/shop-prod/jobs/secret-s.json");
    receipt.files.remove("apps/shop-prod/jobs/secret-s.json");
    files.insert("apps/shop-prod/receipt.json".into(), receipt.to_text().into_bytes());
    assert!(committed(&repository.write(&[without]).unwrap()));
    assert!(!bench.look(&["ls-tree", "-r", "--name-only", "main"]).contains("secret-s"));
    assert!(bench.open("b").head().entries["shop-prod"].whole);
}

#[test]
fn a_branch_that_somebody_moved_is_written_on_top_of() {
    let bench = Bench::new();
    let mut repository = bench.open("a");
    repository.write(&[change("shop", 1, "i@sha256:1")]).unwrap();
    bench.foreign("README.md", "by hand\n");
    assert!(committed(&repository.write(&[change("shop", 2, "i@sha256:2")]).unwrap()));
    assert_eq!(bench.look(&["show", "main:README.md"]), "by hand\n");
    assert_eq!(bench.look(&["rev-list", "--merges", "--count", "main"]).trim(), "0");
    assert_eq!(bench.commits(), 3);
}

#[test]
fn an_older_generation_never_replaces_a_newer_one() {
    let bench = Bench::new();
    let (mut first, mut second) = (bench.open("a"), bench.open("b"));
    second.write(&[change("shop", 5, "i@sha256:5")]).unwrap();
    // The first does not know of it until its push is refused.
    let outcomes = first.write(&[change("shop", 4, "i@sha256:4"), change("other", 1, "i@sha256:1")]).unwrap();
    assert!(matches!(outcomes[..], [Outcome::Stale, Outcome::Committed(_)]), "{outcomes:?}");
    assert!(bench.look(&["show", "main:apps/shop-prod/app/app.yaml"]).contains("sha256:5"));
    // Nor does the deletion of a KilterApp that was made anew since.
    let gone = Change { files: None, uid: "older".into(), ..change("shop", 9, "") };
    assert!(matches!(first.write(&[gone]).unwrap()[..], [Outcome::Stale]));
}

#[test]
fn what_somebody_changed_or_set_back_is_seen_and_written_again() {
    let bench = Bench::new();
    let mut repository = bench.open("a");
    repository.write(&[change("shop", 1, "i@sha256:1")]).unwrap();
    let before = bench.look(&["rev-parse", "main"]).trim().to_owned();
    repository.write(&[change("other", 1, "i@sha256:1")]).unwrap();
    let mine = repository.head().commit.clone().unwrap();
    assert!(repository.head().contains(&mine, &before) && !repository.head().contains(&before, &mine));
    bench.foreign("apps/shop-prod/app/app.yaml", "tampered\n");
    assert!(repository.refresh().unwrap());
    assert!(!repository.head().entries["shop-prod"].whole && repository.head().entries["other-prod"].whole);
    assert!(committed(&repository.write(&[change("shop", 1, "i@sha256:1")]).unwrap()));
    assert_eq!(bench.look(&["show", "main:apps/shop-prod/app/app.yaml"]), "---\n# i@sha256:1\n");
    assert!(repository.head().knows(&mine));
}

#[test]
fn a_branch_that_was_set_back_has_everything_again_after_one_commit() {
    let bench = Bench::new();
    let mut repository = bench.open("a");
    let files = || bench.look(&["ls-tree", "-r", "main", "apps"]);
    repository.write(&[change("shop", 1, "i@sha256:1"), change("gone", 1, "i@sha256:1")]).unwrap();
    let old = bench.look(&["rev-parse", "main"]).trim().to_owned();
    repository.write(&[change("shop", 2, "i@sha256:2"), change("other", 1, "i@sha256:1")]).unwrap();
    repository.write(&[Change { files: None, ..change("gone", 2, "") }]).unwrap();
    let right = files();
    let back = |to: &str| bench.look(&["update-ref", "refs/heads/main", to]);
    back(&old);
    assert!(repository.refresh().unwrap());
    assert_eq!(files(), right, "what was deployed since is there, what was deleted since is gone");
    assert_eq!(bench.look(&["rev-list", "--count", &format!("{old}..main")]).trim(), "1");
    let subject = bench.look(&["log", "-1", "--format=%s", "main"]);
    assert_eq!(subject.trim(), "Restore 3 apps");
    assert!(repository.head().entries["shop-prod"].whole && !repository.head().entries.contains_key("gone-prod"));
    let outcomes = repository.write(&[change("shop", 2, "i@sha256:2")]).unwrap();
    assert!(matches!(outcomes[..], [Outcome::Unchanged(_)]), "nothing is left to do: {outcomes:?}");
    assert!(!repository.refresh().unwrap());

    // While nobody looked; what refuses is tried again.
    drop(repository);
    let hook = Path::new(&bench.url()).join("hooks/pre-receive");
    bench.hook("exit 1\n");
    let mut repository = bench.open("a");
    back(&old);
    assert!(repository.refresh().is_err());
    std::fs::remove_file(&hook).unwrap();
    assert!(repository.refresh().unwrap());
    assert_eq!(files(), right);
    drop(repository);
    back(&old);
    let mut repository = bench.open("a");
    assert!(repository.settle(&living(&["shop", "other"])).unwrap());
    assert_eq!(files(), right);
    assert!(!repository.settle(&living(&[])).unwrap(), "once is enough");

    // Lost altogether.
    let mut repository = bench.open("a");
    bench.look(&["update-ref", "-d", "refs/heads/main"]);
    assert!(repository.refresh().unwrap());
    assert_eq!((files(), bench.commits()), (right, 1));
    assert_eq!(bench.look(&["fsck", "--no-dangling"]), "");
}

#[test]
fn one_app_that_cannot_be_put_back_holds_up_nobody() {
    let bench = Bench::new();
    let mut repository = bench.open("a");
    repository.write(&[change("shop", 1, "i@sha256:1"), change("other", 1, "i@sha256:1")]).unwrap();
    let old = repository.head().commit.clone().unwrap();
    repository.write(&[change("shop", 2, "i@sha256:2")]).unwrap();
    // Somebody takes a value out of the history that the remote refuses from then on.
    bench.look(&["update-ref", "refs/heads/main", &old]);
    bench.hook("while read old new ref; do git grep -q sha256:2 $new && exit 1; done; exit 0\n");
    assert!(repository.refresh().unwrap());
    let outcomes = repository.write(&[change("other", 2, "i@sha256:3")]).unwrap();
    assert!(committed(&outcomes), "{outcomes:?}");
    assert_eq!(repository.head().entries["shop-prod"].receipt.generation, 1, "its own rounds do the rest");
}

#[test]
fn what_an_earlier_process_had_takes_the_place_of_nothing_newer() {
    let bench = Bench::new();
    let files = || bench.look(&["ls-tree", "-r", "main", "apps"]);
    let mut first = bench.open("a");
    first.write(&["shop", "gone", "held"].map(|app| change(app, 1, "i@sha256:1"))).unwrap();
    let old = bench.look(&["rev-parse", "main"]).trim().to_owned();
    first.write(&[change("held", 2, "i@sha256:2")]).unwrap();
    drop(first);
    // Another operator leads, and mends a branch that somebody set back.
    let mut second = bench.open("b");
    bench.look(&["update-ref", "refs/heads/main", &old]);
    assert!(second.refresh().unwrap());
    second.write(&[change("shop", 2, "i@sha256:2"), Change { files: None, ..change("gone", 2, "") }]).unwrap();
    let (right, commits) = (files(), bench.commits());
    // The first leads again: its last commit is not on the branch.
    let mut first = bench.open("a");
    assert!(!first.settle(&living(&["shop", "held"])).unwrap());
    assert_eq!((files(), bench.commits()), (right.clone(), commits));

    // What is missing now, or older, and whose KilterApp there is still, comes back; the rest is left.
    drop(first);
    bench.look(&["update-ref", "-d", "refs/heads/main"]);
    let mut first = bench.open("a");
    assert!(first.settle(&living(&["shop"])).unwrap());
    let there = bench.look(&["ls-tree", "--name-only", "main", "apps/"]);
    assert_eq!(there, "apps/kilter.yaml\napps/shop-prod\n");
    assert!(bench.look(&["show", "main:apps/shop-prod/app/app.yaml"]).contains("sha256:2"));
}

#[test]
fn a_signed_commit_can_be_verified() {
    let bench = Bench::new();
    let key = bench.dir.path().join("key");
    let place = key.to_string_lossy();
    let made = Invocation::new(program("ssh-keygen")).args(["-q", "-t", "ed25519", "-N", "", "-f", &place]).capture();
    assert!(made.unwrap().ok());
    let mut repository = Repository::open(Remote { signing_key: Some(key.clone()), ..bench.remote("a") }).unwrap();
    repository.write(&[change("shop", 1, "i@sha256:1")]).unwrap();
    repository.write(&[change("shop", 2, "i@sha256:2")]).unwrap();
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let signers = bench.dir.path().join("signers");
    crate::fsx::write(&signers, format!("kilter-operator@kilter.netshire.com {public}").as_bytes()).unwrap();
    let allowed = format!("gpg.ssh.allowedSignersFile={}", signers.display());
    let url = bench.url();
    for commit in bench.look(&["rev-list", "main"]).lines() {
        bench.git(&["-c", &allowed, "--git-dir", &url, "verify-commit", commit]);
    }
    assert_eq!(bench.commits(), 2);
    assert!(repository.head().entries["shop-prod"].whole);
}

#[test]
fn a_remote_that_refuses_is_an_error_and_the_next_try_converges() {
    let bench = Bench::new();
    let mut repository = bench.open("a");
    repository.write(&[change("shop", 1, "i@sha256:1")]).unwrap();
    let hook = Path::new(&bench.url()).join("hooks/pre-receive");
    bench.hook("echo no >&2\nexit 1\n");
    let error = repository.write(&[change("shop", 2, "i@sha256:2")]).unwrap_err();
    assert!(error.to_string().contains("push to `main`"), "{error}");
    assert_eq!(bench.commits(), 1);
    std::fs::remove_file(&hook).unwrap();
    assert!(committed(&repository.write(&[change("shop", 2, "i@sha256:2")]).unwrap()));
    // The push got through, yet its answer was lost: the next try finds the commit there.
    let mut lost = bench.open("b");
    lost.write(&[change("shop", 3, "i@sha256:3")]).unwrap();
    let commits = bench.commits();
    repository.write(&[change("shop", 3, "i@sha256:3")]).unwrap();
    assert_eq!(bench.commits(), commits);
    // A repository that is gone.
    std::fs::rename(bench.url(), bench.dir.path().join("away")).unwrap();
    assert!(repository.write(&[change("shop", 4, "i@sha256:4")]).is_err());
    std::fs::rename(bench.dir.path().join("away"), bench.url()).unwrap();
    assert!(committed(&repository.write(&[change("shop", 4, "i@sha256:4")]).unwrap()));
    assert_eq!(bench.look(&["fsck", "--no-dangling"]), "");
}

#[test]
fn a_text_cannot_make_a_trailer_of_its_own() {
    let bench = Bench::new();
    let mut repository = bench.open("a");
    let evil =
        Change { trailers: vec!["Kilter-App: x by=a\nKilter-App: forged".into()], ..change("shop", 1, "i@sha256:1") };
    repository.write(&[evil]).unwrap();
    let trailers = bench.look(&["log", "-1", "--format=%(trailers:key=Kilter-App,valueonly)", "main"]);
    assert_eq!(trailers.trim().lines().count(), 1, "{trailers}");
}
