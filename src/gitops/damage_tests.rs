//! Copies that a kill or somebody's hand damaged: the remote is what counts, and the next write makes do.

use std::fs;
use std::path::Path;

use super::tests::{Bench, change, committed};

/// Something that happens to a copy.
type Damage = (&'static str, fn(&Path));

/// What a copy may be like when the next call comes.
const DAMAGES: [Damage; 7] = [
    ("the lock of the next commit", |copy| write(&copy.join("refs/kilter/next.lock"), "")),
    ("the lock of the branch", |copy| write(&copy.join("refs/remotes/origin/head.lock"), "")),
    ("a pack that was begun", |copy| write(&copy.join("objects/pack/tmp_pack_abcdef"), "PACK")),
    ("no objects", |copy| {
        fs::remove_dir_all(copy.join("objects")).unwrap();
        fs::create_dir_all(copy.join("objects/pack")).unwrap();
    }),
    ("an empty HEAD", |copy| write(&copy.join("HEAD"), "")),
    ("a reference to nothing", |copy| {
        write(&copy.join("refs/remotes/origin/head"), &format!("{}\n", "1".repeat(40)));
    }),
    ("nothing at all", |copy| fs::remove_dir_all(copy).unwrap()),
];

fn write(path: &Path, text: &str) {
    crate::fsx::write(path, text.as_bytes()).unwrap();
}

#[test]
fn a_damaged_copy_is_mended_by_the_next_write() {
    for (what, damage) in DAMAGES {
        let bench = Bench::new();
        let mut repository = bench.open("a");
        repository.write(&[change("shop", 1, "i@sha256:1")]).unwrap();
        damage(&bench.remote("a").copy());
        let written = repository.write(&[change("shop", 2, "i@sha256:2")]);
        assert!(written.is_ok_and(|outcomes| committed(&outcomes)), "{what}");
        assert_eq!(bench.look(&["show", "main:apps/shop-prod/app/app.yaml"]), "---\n# i@sha256:2\n", "{what}");
        assert_eq!(bench.commits(), 2, "{what}");
        assert_eq!(bench.look(&["fsck", "--no-dangling"]), "", "{what}");
    }
}

#[test]
fn a_damaged_copy_is_mended_by_the_next_start_and_fetch() {
    for (what, damage) in DAMAGES {
        let bench = Bench::new();
        bench.open("a").write(&[change("shop", 1, "i@sha256:1")]).unwrap();
        damage(&bench.remote("a").copy());
        let mut repository = bench.open("a");
        assert!(repository.head().entries.contains_key("shop-prod"), "{what}");
        assert_eq!(leftovers(&bench.remote("a").copy()), Vec::<String>::new(), "{what}");
        damage(&bench.remote("a").copy());
        bench.foreign("README", "hello");
        assert!(repository.refresh().unwrap(), "{what}");
        assert_eq!(repository.head().commit.as_deref(), Some(bench.look(&["rev-parse", "main"]).trim()), "{what}");
        assert!(committed(&repository.write(&[change("shop", 2, "i@sha256:2")]).unwrap()), "{what}");
        assert_eq!(bench.commits(), 3, "{what}");
    }
}

#[test]
fn a_remote_that_is_away_costs_no_copy() {
    let bench = Bench::new();
    let mut repository = bench.open("a");
    repository.write(&[change("shop", 1, "i@sha256:1")]).unwrap();
    let away = bench.remote("a").dir.with_file_name("away.git");
    fs::rename(bench.url(), &away).unwrap();
    let reference = bench.remote("a").copy().join("refs/kilter/last");
    let before = fs::read(&reference).unwrap();
    repository.refresh().unwrap_err();
    repository.write(&[change("shop", 2, "i@sha256:2")]).unwrap_err();
    assert_eq!(fs::read(&reference).unwrap(), before);
    fs::rename(&away, bench.url()).unwrap();
    assert!(committed(&repository.write(&[change("shop", 2, "i@sha256:2")]).unwrap()));
}

/// The files in a copy that calls which were killed leave.
fn leftovers(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(leftovers(&entry.path()));
        } else if name.ends_with(".lock") || name.starts_with("tmp_") {
            found.push(name);
        }
    }
    found
}
