//! Disks that are full.

use std::fs;
use std::path::{Path, PathBuf};

use super::{is_root, quick, same, tree, write_bytes};
use crate::support::project::command;
use crate::support::skip;

/// A small file system of its own; unmounted when dropped.
pub(super) struct Disk(PathBuf);

impl Disk {
    pub(super) fn mount(at: PathBuf, size: &str) -> Option<Self> {
        if !is_root() {
            skip("a full disk: mounting one needs root");
            return None;
        }
        fs::create_dir_all(&at).unwrap();
        let mut mount = command(Path::new("/bin/mount"));
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&at);
        if !mount.status().is_ok_and(|status| status.success()) {
            skip("a full disk: this machine does not let one be mounted");
            return None;
        }
        Some(Self(at))
    }

    /// Leaves so many bytes free, give or take a page.
    pub(super) fn fill(&self, leave: u64) {
        let _ = fs::remove_file(self.0.join("ballast"));
        let free = rustix::fs::statvfs(&self.0).map(|stat| stat.f_bavail * stat.f_frsize).unwrap();
        write_bytes(&self.0.join("ballast"), &vec![0; usize::try_from(free.saturating_sub(leave)).unwrap()]);
    }

    pub(super) fn free(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let mut umount = command(Path::new("/bin/umount"));
        let _ = umount.arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_cache_on_a_full_disk() {
    let project = quick("shop");
    let Some(disk) = Disk::mount(project.cache(), "2m") else { return };
    let clean = quick("shop");
    clean.kilter(&["render"]).succeeds();
    let right = tree(&clean.cache().join("shop"));
    let mut failed = 0;
    for leave in (0..=40).map(|pages| pages * 4096) {
        disk.fill(leave);
        let output = project.kilter(&["render"]).run();
        match output.code {
            0 => {}
            3 => failed += 1,
            code => panic!("{leave} bytes free: exit {code}: {}", output.stderr),
        }
        if output.code == 3 {
            assert!(output.stderr.contains("no space left on device"), "{leave} bytes free: {}", output.stderr);
            assert!(!project.root().join("kilter.lock").exists(), "{leave} bytes free");
        }
        for (path, bytes) in tree(&project.cache().join("shop")) {
            assert!(right.get(&path).is_some_and(|whole| *whole == bytes), "{leave} bytes free: `{path}` is not whole");
        }
        disk.free();
        let left: Vec<_> = tree(&project.cache()).into_keys().filter(|name| name.ends_with(".kilter-tmp")).collect();
        assert_eq!(left, Vec::<String>::new(), "{leave} bytes free");
        project.kilter(&["render"]).succeeds();
        same(&tree(&project.cache().join("shop")), &right, format_args!("{leave} bytes free"));
        for place in fs::read_dir(project.cache()).unwrap() {
            kilter::fsx::remove(&place.unwrap().path()).unwrap();
        }
        kilter::fsx::remove(&project.root().join("kilter.lock")).unwrap();
    }
    assert!(failed > 5, "the disk was hardly ever full");
    disk.fill(0);
    let words = project.kilter(&["render"]).fails(3);
    let digest = words.split_once(".store/charts/").and_then(|(_, rest)| rest.split('/').next()).unwrap();
    insta::assert_snapshot!(words.replace(digest, "DIGEST"), @r"
    error: cannot write `[CACHE]/.store/charts/DIGEST/postgres/Chart.yaml`: no space left on device.
      = Free some disk space, then run the same command again.
    ");
}

#[test]
fn a_project_on_a_full_disk() {
    let project = quick("shop");
    let Some(disk) = Disk::mount(project.root(), "1m") else { return };
    let text = "# mine\nservices: [postgres]\n";
    project.write("kilter.yaml", text);
    project.kilter(&["render"]).succeeds();
    let before = tree(&project.root());
    disk.fill(0);
    let words = project.kilter(&["add", "redis"]).run();
    assert_eq!(words.code, 3);
    insta::assert_snapshot!(project.shown(&words.stderr), @r"
    rendering redis
    error: cannot write `[PROJECT]/kilter.yaml`: no space left on device.
      = Free some disk space, then run the same command again.
    ");
    disk.free();
    same(&tree(&project.root()), &before, "written");
    assert!(!project.root().join(".agents").exists(), "nothing is left of the guide");
    project.kilter(&["add", "redis"]).succeeds();
    assert_eq!(project.read("kilter.yaml"), "# mine\nservices: [postgres, redis]\n");
}
