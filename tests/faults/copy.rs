//! The operator's copy of the flux repository on a disk that is full.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kilter::api::{AppId, KilterAppSpec, Platform, Template};
use kilter::gitops::{AppReceipt, Change, Credentials, Outcome, Phase, Phased, Remote, Repository, Sealed, files};

use super::disk::Disk;
use super::tree;
use crate::support::{self, project::command};

/// A change of one app, whose manifest is of some size and is not the one of another revision.
fn change(revision: u64) -> Change {
    let id = AppId::new("acme", "shop", "prod").unwrap();
    let image = format!("registry.example/shop@sha256:{revision:064}");
    let template = Template { image: image.clone(), ..Template::default() };
    let spec = KilterAppSpec {
        org: "acme".into(),
        app: "shop".into(),
        env: "prod".into(),
        revision,
        deploy: format!("d{revision}"),
        by: "ci".into(),
        template,
    };
    let generation = i64::try_from(revision).unwrap();
    let receipt = AppReceipt {
        org: "acme".into(),
        app: "shop".into(),
        env: "prod".into(),
        uid: "uid-shop".into(),
        generation,
        revision,
        deploy: spec.deploy.clone(),
        image,
        rerender: String::new(),
        renders: BTreeMap::new(),
        files: BTreeMap::new(),
    };
    // What cannot be compressed much takes room.
    let text: Vec<String> = (0..400)
        .map(|line| kilter::ids::Digest::of(format!("{revision} {line}").as_bytes()).hex().to_owned())
        .collect();
    let manifest = format!("---\n# {}\n", text.join("\n# ")).into_bytes();
    let phases = [Phased { phase: Phase::App, values: b"a: 1\n".to_vec(), manifest }];
    Change {
        namespace: id.namespace(),
        uid: "uid-shop".into(),
        generation,
        files: Some(files(&id, &spec, &Platform::default(), &phases, &Sealed::new(), receipt).unwrap()),
        title: format!("shop prod revision {revision}"),
        trailers: Vec::new(),
        restores: false,
    }
}

fn git(dir: &Path, args: &[&str]) -> String {
    let output = command(Path::new("git")).arg("--git-dir").arg(dir).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_repository_whose_copy_has_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(dir.path().join("operator"), "8m") else { return };
    let fleet = dir.path().join("fleet.git");
    git(&fleet, &["init", "--quiet", "--bare", "--initial-branch=main"]);
    let url = fleet.to_string_lossy().into_owned();
    let program = kilter::exec::find_program("git", support::variable("PATH").as_deref()).unwrap();
    let at = dir.path().join("operator");
    let remote =
        Remote { url, branch: "main".into(), credentials: Credentials::None, signing_key: None, git: program, dir: at };
    let mut repository = Repository::open(remote.clone()).unwrap();
    let (mut failed, mut words) = (0, String::new());
    for (revision, leave) in (1..).zip((0..=48).map(|pages| pages * 4096)) {
        disk.fill(leave);
        // Every other time by an operator that has just started.
        let opened =
            if revision % 2 == 0 { Repository::open(remote.clone()).map(|new| repository = new) } else { Ok(()) };
        let written = opened.and_then(|()| repository.write(&[change(revision)]));
        if let Err(error) = &written {
            failed += 1;
            words = error.to_string();
            let said = format!("{:?}", error.problems());
            let full = ["no space left on device", "out of diskspace"];
            assert!(full.iter().any(|words| said.to_lowercase().contains(words)), "{leave} bytes free: {said}");
            assert!(said.contains("room") || said.contains("Free some disk space"), "{leave} bytes free: {said}");
        }
        assert_eq!(git(&fleet, &["fsck", "--no-dangling"]), "", "{leave} bytes free");
        disk.free();
        let again = repository.write(&[change(revision)]).unwrap();
        assert!(matches!(again[..], [Outcome::Committed(_) | Outcome::Unchanged(_)]), "{leave} bytes free: {again:?}");
        assert_eq!(
            git(&fleet, &["rev-list", "--count", "main"]),
            revision.to_string(),
            "{leave} bytes free: one commit each"
        );
        let receipt: AppReceipt =
            serde_json::from_str(&git(&fleet, &["show", "main:apps/shop-prod/receipt.json"])).unwrap();
        assert_eq!(receipt.revision, revision);
    }
    assert!(failed > 5, "the disk was hardly ever full; the last words: {words}");
    let left: Vec<String> = tree(&fs::canonicalize(&remote.dir).unwrap())
        .into_keys()
        .filter(|name| name.ends_with(".lock") || name.contains("fast_import_crash") || name.contains("/tmp_"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "nothing of the failed calls is left");
}
