//! What happens when something goes wrong: bad input, bad tools, a full disk, a killed kilter.

#[cfg(all(feature = "platform", target_os = "linux"))]
mod cage;
mod charts;
#[cfg(feature = "platform")]
mod copy;
mod crash;
mod disk;
mod helm;
mod input;
mod manners;
mod places;
mod stop;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::project::{Project, fake_helm};

/// A helm that takes no time: it prints the values it is given in a ConfigMap of the release's name.
fn quick_helm() -> String {
    fake_helm(
        r#"printf -- '---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\ndata:\n  values: |\n' "$2"; sed 's/^/    /'"#,
    )
}

/// A project with one service and the quick helm.
fn quick(name: &str) -> Project {
    Project::new(name).helm_script(&quick_helm()).file("kilter.yaml", "services: [postgres]\n")
}

/// Every file below a directory with its bytes; a link counts as the path it holds.
fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut left = vec![dir.to_path_buf()];
    while let Some(next) = left.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let bytes = match meta.file_type() {
                kind if kind.is_dir() => {
                    left.push(path);
                    continue;
                }
                kind if kind.is_symlink() => fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
                _ => fs::read(&path).unwrap(),
            };
            files.insert(path.strip_prefix(dir).unwrap().to_string_lossy().into_owned(), bytes);
        }
    }
    files
}

/// Checks that two trees hold the same files; says which do not.
#[track_caller]
fn same(now: &BTreeMap<String, Vec<u8>>, wanted: &BTreeMap<String, Vec<u8>>, when: impl std::fmt::Display) {
    let names: std::collections::BTreeSet<&String> = now.keys().chain(wanted.keys()).collect();
    let other: Vec<&String> = names.into_iter().filter(|name| now.get(*name) != wanted.get(*name)).collect();
    assert!(other.is_empty(), "{when}: not as it should be: {other:?}");
}

/// The names of the files below a directory, without those of the store of charts.
fn names(dir: &Path) -> Vec<String> {
    tree(dir).into_keys().filter(|name| !name.starts_with(".store/charts/")).collect()
}

/// Runs a command that must fail with this code and write no file at all; returns its words.
fn refused(project: &Project, args: &[&str], code: i32) -> String {
    let before = tree(&project.outside(""));
    let words = project.kilter(args).fails(code);
    same(&tree(&project.outside("")), &before, "something was written");
    words
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Overwrites a file as something else than kilter would.
fn write_bytes(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}
