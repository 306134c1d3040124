//! What is in the store, who may rely on it, and what happens when many want it at once.

use std::borrow::Cow;
use std::fs::{self, File};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime};

use kilter::exec::{Ending, Invocation};
use kilter::fsx;
use kilter::ids::Digest;
use kilter::toolchain::{self, Pins, Settings, Source, Tool, Want};

use super::{Bench, Lines, archive, program, write};
use crate::support::http::Reply;

#[test]
fn sixteen_at_once_download_once() {
    let bench = Bench::new();
    bench.serve(&archive(), &[Reply::File]);
    let all: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| bench.ensure().unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(all.iter().all(|installed| *installed == all[0]));
    assert_eq!(fs::read(&all[0].path).unwrap(), program());
    assert_eq!(bench.server.requests().len(), 1);
    assert_eq!(bench.files(), ["helm", "lock", "receipt.json"]);
}

/// One kilter of many: gets helm with the settings of the bench that started this process.
#[test]
#[ignore = "started by other tests, as a process of its own"]
#[expect(clippy::disallowed_methods, reason = "the process that starts this one passes a directory by its environment")]
fn one_installer() {
    let dir = PathBuf::from(std::env::var("BENCH_DIR").unwrap());
    let mut settings = Settings::new(dir.join("tools"));
    settings.mirror = Some(std::env::var("BENCH_MIRROR").unwrap());
    settings.pins = Cow::Owned(Pins::parse(&fs::read_to_string(dir.join("pins.json")).unwrap()).unwrap());
    let want = Want::pinned(&settings.pins, Tool::Helm);
    let installed = toolchain::ensure(&settings, &want, &Lines::default()).unwrap();
    assert_eq!(fs::read(installed.path).unwrap(), program());
}

fn installer(bench: &Bench) -> Invocation {
    Invocation::new(std::env::current_exe().unwrap())
        .args(["--exact", "toolchain::store::one_installer", "--ignored"])
        .env("BENCH_DIR", bench.dir.path().display().to_string())
        .env("BENCH_MIRROR", bench.server.url())
}

#[test]
fn sixteen_processes_at_once_download_once() {
    let bench = Bench::new();
    bench.serve(&archive(), &[Reply::File]);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let told = installer(&bench).capture().unwrap();
                assert!(told.ok(), "{}{}", told.text(), told.stderr);
                assert!(told.text().contains("1 passed"), "{}", told.text());
            });
        }
    });
    assert_eq!(bench.server.requests().len(), 1);
    assert_eq!(bench.files(), ["helm", "lock", "receipt.json"]);
}

#[test]
fn a_kilter_that_is_killed_leaves_nothing_half_done() {
    let bench = Bench::new();
    let mut killed = 0;
    for step in 0..20 {
        fsx::remove(&bench.slot()).unwrap();
        let reply = if step % 2 == 0 { Reply::File } else { Reply::Cut(50_000) };
        bench.serve(&archive(), &[reply]);
        let told = installer(&bench).timeout(Duration::from_millis(5 * step)).capture().unwrap();
        killed += usize::from(told.ending == Ending::TimedOut);
        // What is found after a kill is right, and what is missing can be got.
        if let Some(installed) = bench.find().unwrap() {
            assert_eq!(Digest::of(&fs::read(installed.path).unwrap()), installed.digest);
        }
        bench.serve(&archive(), &[Reply::File]);
        assert_eq!(fs::read(bench.ensure().unwrap().path).unwrap(), program());
        assert_eq!(bench.files(), ["helm", "lock", "receipt.json"]);
    }
    assert!(killed > 0, "the first one has no time at all");
}

#[test]
fn changed_bytes_do_not_count() {
    let bench = Bench::new();
    bench.serve(&archive(), &[Reply::File]);
    let installed = bench.ensure().unwrap();
    let mut bytes = program();
    *bytes.last_mut().unwrap() ^= 1;
    write(&installed.path, &bytes);
    assert_eq!(bench.find().unwrap(), None);
    assert!(toolchain::list(&bench.settings).is_empty());
    assert_eq!(bench.ensure().unwrap(), installed);
    assert_eq!(fs::read(&installed.path).unwrap(), program());
    assert_eq!(bench.server.requests().len(), 2);
}

#[test]
fn a_touched_file_with_the_right_bytes_still_counts() {
    let bench = Bench::new();
    bench.serve(&archive(), &[Reply::File]);
    let installed = bench.ensure().unwrap();
    let before = fs::read(bench.slot().join("receipt.json")).unwrap();
    let file = File::options().append(true).open(&installed.path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    assert_eq!(bench.find().unwrap(), Some(installed));
    // The receipt is renewed: the next run need not hash.
    assert_ne!(fs::read(bench.slot().join("receipt.json")).unwrap(), before);
    let renewed = fs::metadata(bench.slot().join("receipt.json")).unwrap().modified().unwrap();
    bench.find().unwrap().unwrap();
    assert_eq!(fs::metadata(bench.slot().join("receipt.json")).unwrap().modified().unwrap(), renewed);
}

#[test]
fn an_untouched_file_is_not_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    bench.serve(&archive(), &[Reply::File]);
    let installed = bench.ensure().unwrap();
    // With the receipt's digest falsified only hashing could tell: it does not happen.
    let receipt = bench.slot().join("receipt.json");
    let text = fs::read_to_string(&receipt).unwrap();
    write(&receipt, text.replace(installed.digest.hex(), Digest::of(b"").hex()).as_bytes());
    assert_eq!(bench.find().unwrap().unwrap().digest, Digest::of(b""));
    // A change of permissions is a change, though: then it is read and does not fit.
    fs::set_permissions(&installed.path, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(bench.find().unwrap(), None);
}

#[test]
fn a_damaged_receipt_is_no_receipt() {
    let bench = Bench::new();
    bench.serve(&archive(), &[Reply::File]);
    bench.ensure().unwrap();
    for damage in ["", "{", "null", "{\"tool\":\"helm\"}"] {
        write(&bench.slot().join("receipt.json"), damage.as_bytes());
        assert_eq!(bench.find().unwrap(), None, "{damage}");
    }
    bench.ensure().unwrap();
}

#[test]
fn what_killed_kilters_left_is_swept() {
    let bench = Bench::new();
    bench.serve(&archive(), &[Reply::File]);
    write(&bench.slot().join(".helm.abc.kilter-tmp"), b"half");
    write(&bench.slot().join("build-abc/go.mod"), b"half");
    bench.ensure().unwrap();
    assert_eq!(bench.files(), ["helm", "lock", "receipt.json"]);
}

#[test]
fn a_checksum_of_the_project_decides() {
    let bench = Bench::new();
    bench.serve(&archive(), &[Reply::File]);
    bench.ensure().unwrap();
    let platform = bench.settings.platform.to_string();
    let other = "0".repeat(64);
    let want = Want::parse(Tool::Helm, "v4.3.0", [(platform.as_str(), other.as_str())]).unwrap();
    assert_eq!(toolchain::find(&bench.settings, &want).unwrap(), None);
    let error = toolchain::ensure(&bench.settings, &want, &bench.lines).unwrap_err();
    assert!(error.to_string().contains(&format!("expected sha256:{other}")), "{error}");

    let digest = Digest::of(&archive());
    let want = Want::parse(Tool::Helm, "4.1.9", [(platform.as_str(), digest.hex())]).unwrap();
    let path = bench.release_path().replace("4.3.0", "4.1.9");
    bench.server.file(&path, &archive(), &[Reply::File]);
    let installed = toolchain::ensure(&bench.settings, &want, &bench.lines).unwrap();
    assert_eq!(installed.version.to_string(), "4.1.9");
    assert_eq!(toolchain::find(&bench.settings, &want).unwrap(), Some(installed));
}

#[test]
fn a_version_is_exact() {
    let error = Want::parse(Tool::Tilt, "0.37", []).unwrap_err();
    insta::assert_snapshot!(error, @r"
    `0.37` is not an exact version of tilt.
      = Write all three numbers, for example `tilt: 1.2.3`.
    ");
    let error = Want::parse(Tool::Tilt, "0.37.7", [("linux-amd64", "abc")]).unwrap_err();
    insta::assert_snapshot!(error, @r"
    the `sha256` of tilt 0.37.7 for linux-amd64 is not a SHA-256.
      = Copy the 64 lower-case hex digits of the publisher's checksum file.
    ");
    assert!(Want::parse(Tool::Tilt, "../0.37.7", []).is_err());
}

#[test]
fn the_store_is_listed() {
    let bench = Bench::new();
    assert!(toolchain::list(&bench.settings).is_empty());
    bench.serve(&archive(), &[Reply::File]);
    let installed = bench.ensure().unwrap();
    write(&bench.settings.store.join("helm/not-a-version/x"), b"");
    assert_eq!(toolchain::list(&bench.settings), [installed]);
}

#[test]
fn a_directory_is_a_mirror() {
    let mut bench = Bench::new();
    let file = bench.path("mirror").join(bench.release_path().trim_start_matches('/'));
    bench.settings.mirror = Some(bench.path("mirror").display().to_string());
    bench.settings.offline = true;
    insta::assert_snapshot!(bench.failure(), @r"
    helm 4.3.0 is not installed, and `--offline` forbids to get it.
      | /dir/mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: no such file or directory
      = Run `kilter tools install` once without `--offline`.
      = Or set `KILTER_MIRROR` to a directory that is laid out like the release hosts.
      = Or set `KILTER_HELM` to a helm 4.3.0.
    ");

    write(&file, b"wrong");
    let text = bench.failure().replace(Digest::of(&archive()).hex(), "<right>");
    insta::assert_snapshot!(text.replace(Digest::of(b"wrong").hex(), "<wrong>"), @r"
    `/dir/mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz` is not the file that kilter expects.
      | expected sha256:<right>
      | got      sha256:<wrong>
      = Nothing of it was kept or run.
      = Check the mirror (`KILTER_MIRROR`) or the proxy that answered; tell kilter's maintainers when the publisher itself sends this file.
    ");
    assert_eq!(bench.files(), ["lock"]);

    write(&file, &vec![b'x'; (1 << 20) + 1]);
    assert!(bench.failure().contains("is larger than 1 MiB"));

    write(&file, &archive());
    let installed = bench.ensure().unwrap();
    assert_eq!(installed.source, Source::Mirror(file.display().to_string()));
    assert_eq!(fs::read(&installed.path).unwrap(), program());
}

#[test]
fn offline_opens_no_connection() {
    let mut bench = Bench::new();
    bench.serve(&archive(), &[Reply::File]);
    bench.settings.offline = true;
    insta::assert_snapshot!(bench.failure(), @r"
    helm 4.3.0 is not installed, and `--offline` forbids to get it.
      = Run `kilter tools install` once without `--offline`.
      = Or set `KILTER_MIRROR` to a directory that is laid out like the release hosts.
      = Or set `KILTER_HELM` to a helm 4.3.0.
    ");
    assert_eq!(bench.server.connections(), 0);
    bench.settings.offline = false;
    bench.ensure().unwrap();
    bench.settings.offline = true;
    bench.ensure().unwrap();
    assert_eq!(bench.server.connections(), 1);
}

#[test]
fn a_store_that_cannot_be_written_says_so() {
    let mut bench = Bench::new();
    bench.serve(&archive(), &[Reply::File]);
    write(&bench.path("file"), b"");
    bench.settings.store = bench.path("file/tools");
    insta::assert_snapshot!(bench.failure(), @r"
    cannot make the directory `/dir/file/tools/helm/4.3.0/OS-ARCH`: not a directory.
      = Check the path, then run the same command again.
    ");
}
