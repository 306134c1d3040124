//! The mirror and its faults.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use kilter::ids::Digest;
use kilter::toolchain::Source;

use super::{Bench, archive, program, tar_gz};
use crate::support::http::Reply;

#[test]
fn a_release_is_installed_once() {
    let bench = Bench::new();
    bench.serve(&archive(), &[Reply::File]);
    let installed = bench.ensure().unwrap();
    assert_eq!(fs::read(&installed.path).unwrap(), program());
    assert_eq!(fs::metadata(&installed.path).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(installed.digest, Digest::of(&program()));
    assert_eq!(installed.source, Source::Mirror(format!("{}{}", bench.server.url(), bench.release_path())));
    assert_eq!(installed.commit.as_deref(), Some("bec5b06ed841fe5269972d864d5177944fd5970f"));
    assert_eq!(bench.files(), ["helm", "lock", "receipt.json"]);
    assert_eq!(bench.find().unwrap().as_ref(), Some(&installed));
    assert_eq!(bench.ensure().unwrap(), installed);
    assert_eq!(bench.server.requests().len(), 1);
    assert_eq!(bench.server.sent(), archive().len());
}

#[test]
fn wrong_bytes_are_never_kept() {
    let bench = Bench::new();
    let mut bytes = archive();
    bytes[1000] ^= 1;
    bench.serve(&bytes, &[Reply::File]);
    let digests = |text: String| {
        let text = text.replace(Digest::of(&bytes).hex(), "<wrong>");
        text.replace(Digest::of(&archive()).hex(), "<right>")
    };
    insta::assert_snapshot!(digests(bench.failure()), @r"
    `http://mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz` is not the file that kilter expects.
      | expected sha256:<right>
      | got      sha256:<wrong>
      = Nothing of it was kept or run.
      = Check the mirror (`KILTER_MIRROR`) or the proxy that answered; tell kilter's maintainers when the publisher itself sends this file.
    ");
    assert_eq!(bench.files(), ["lock"]);
    assert_eq!(bench.server.requests().len(), 1);
}

#[test]
fn a_page_with_status_200_is_recognised() {
    let bench = Bench::new();
    let page = "<!doctype html><p>Sign in</p>";
    bench.serve(b"", &[Reply::Page(200, page)]);
    let text = bench.failure().replace(Digest::of(page.as_bytes()).hex(), "<page>");
    insta::assert_snapshot!(text.replace(Digest::of(&archive()).hex(), "<right>"), @r"
    `http://mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz` is not the file that kilter expects.
      | expected sha256:<right>
      | got      sha256:<page>
      = Nothing of it was kept or run.
      = It looks like a web page: a proxy or a login page may have answered for the host.
      = Check the mirror (`KILTER_MIRROR`) or the proxy that answered; tell kilter's maintainers when the publisher itself sends this file.
    ");
    assert_eq!(bench.files(), ["lock"]);
}

#[test]
fn a_mirror_without_the_file_is_passed_over() {
    let bench = Bench::new();
    insta::assert_snapshot!(bench.failure(), @r"
    helm 4.3.0 cannot be had.
      | http://mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: the host answers 404 Not Found
      | https://get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: connection refused
      | source build: there is no `go` on PATH
      = Check the network and run the same command again: a download goes on where it stopped.
      = Or set `KILTER_MIRROR` to a URL or directory that is laid out like the release hosts.
      = Or set `KILTER_HELM` to a helm 4.3.0.
      = Or install Go 1.26.0 or newer: kilter then builds helm from source.
    ");
    insta::assert_snapshot!(bench.said(), @r"
    getting helm 4.3.0 from http://mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz
    http://mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: the host answers 404 Not Found
    getting helm 4.3.0 from https://get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz
    https://get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: connection refused
    ");
    assert_eq!(bench.server.requests().len(), 1);
}

#[test]
fn a_mirror_that_is_not_there_is_passed_over() {
    let mut bench = Bench::new();
    bench.settings.mirror = Some("http://127.0.0.1:1".into());
    insta::assert_snapshot!(bench.failure(), @r"
    helm 4.3.0 cannot be had.
      | http://127.0.0.1:1/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: connection refused
      | https://get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: connection refused
      | source build: there is no `go` on PATH
      = Check the network and run the same command again: a download goes on where it stopped.
      = Or set `KILTER_MIRROR` to a URL or directory that is laid out like the release hosts.
      = Or set `KILTER_HELM` to a helm 4.3.0.
      = Or install Go 1.26.0 or newer: kilter then builds helm from source.
    ");
}

#[test]
fn a_host_in_trouble_is_asked_again() {
    let bench = Bench::new();
    bench.serve(&archive(), &[Reply::Page(503, "busy"), Reply::Page(429, "slow down"), Reply::File]);
    bench.ensure().unwrap();
    assert_eq!(bench.server.requests().len(), 3);
    insta::assert_snapshot!(bench.said(), @r"
    getting helm 4.3.0 from http://mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz
    http://mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: the host answers 503 Service Unavailable; trying again
    http://mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: the host answers 429 Too Many Requests; trying again
    ");
}

#[test]
fn a_redirect_is_followed_and_a_loop_is_not() {
    let bench = Bench::new();
    bench.serve(b"", &[Reply::Redirect("/elsewhere")]);
    bench.server.file("/elsewhere", &archive(), &[Reply::File]);
    bench.ensure().unwrap();
    assert_eq!(bench.server.requests().len(), 2);

    let bench = Bench::new();
    bench.serve(b"", &[Reply::Redirect("/round")]);
    bench.server.file("/round", b"", &[Reply::Redirect("/round")]);
    assert!(bench.failure().contains("more than 5 redirects"), "{}", bench.failure());
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let bench = Bench::new();
    bench.serve(&archive(), &[Reply::Cut(100_000), Reply::Cut(50_000), Reply::File]);
    bench.ensure().unwrap();
    let requests = bench.server.requests();
    let ranges: Vec<_> = requests.iter().map(|request| request.range.as_deref()).collect();
    assert_eq!(ranges, [None, Some("bytes=100000-"), Some("bytes=150000-")]);
    let etag = format!("\"{}\"", Digest::of(&archive()).hex());
    assert_eq!(requests[1].if_range, Some(etag));
    assert_eq!(bench.server.sent(), archive().len());
    assert_eq!(bench.files(), ["helm", "lock", "receipt.json"]);
}

#[test]
fn the_next_run_goes_on_where_the_last_one_gave_up() {
    let bench = Bench::new();
    bench.serve(&archive(), &[Reply::Cut(1000)]);
    insta::assert_snapshot!(bench.failure(), @r"
    helm 4.3.0 cannot be had.
      | http://mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: the connection was closed early (attempt 3 of 3)
      | https://get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz: connection refused
      | source build: there is no `go` on PATH
      = Check the network and run the same command again: a download goes on where it stopped.
      = Or set `KILTER_MIRROR` to a URL or directory that is laid out like the release hosts.
      = Or set `KILTER_HELM` to a helm 4.3.0.
      = Or install Go 1.26.0 or newer: kilter then builds helm from source.
    ");
    assert_eq!(bench.files(), ["download.etag", "download.part", "lock"]);
    bench.serve(&archive(), &[Reply::File]);
    bench.ensure().unwrap();
    assert_eq!(bench.server.requests().last().unwrap().range.as_deref(), Some("bytes=3000-"));
    assert_eq!(bench.server.sent(), archive().len());
}

#[test]
fn a_file_that_changed_meanwhile_is_got_anew() {
    let bench = Bench::new();
    bench.serve(&[b"other".as_slice(), &archive()].concat(), &[Reply::Cut(1000)]);
    bench.ensure().unwrap_err();
    bench.serve(&archive(), &[Reply::File]);
    bench.ensure().unwrap();
    assert_eq!(bench.server.sent(), 3000 + archive().len());
}

#[test]
fn a_host_that_ignores_ranges_is_got_anew() {
    let bench = Bench::new();
    bench.serve(&archive(), &[Reply::Cut(1000), Reply::Whole]);
    bench.ensure().unwrap();
    assert_eq!(bench.server.sent(), 1000 + archive().len());
}

#[test]
fn a_download_without_an_etag_starts_again() {
    let bench = Bench::new();
    bench.server.file_without_etag(&bench.release_path(), &archive(), &[Reply::Cut(1000), Reply::File]);
    bench.ensure().unwrap();
    assert_eq!(bench.server.requests()[1].range, None);
}

#[test]
fn a_damaged_part_file_is_not_fatal() {
    let bench = Bench::new();
    bench.serve(&archive(), &[Reply::Cut(1000)]);
    bench.ensure().unwrap_err();
    let mut part = fs::read(bench.slot().join("download.part")).unwrap();
    part[10] ^= 1;
    super::write(&bench.slot().join("download.part"), &part);
    bench.serve(&archive(), &[Reply::File]);
    assert_eq!(fs::read(bench.ensure().unwrap().path).unwrap(), program());
}

#[test]
fn a_complete_part_file_is_not_got_again() {
    let bench = Bench::new();
    fs::create_dir_all(bench.slot()).unwrap();
    super::write(&bench.slot().join("download.part"), &archive());
    bench.ensure().unwrap();
    assert_eq!(bench.server.connections(), 0);
}

#[test]
fn a_file_that_claims_to_be_too_large_is_not_taken() {
    let bench = Bench::new();
    bench.serve(b"", &[Reply::Claims(1 << 40)]);
    insta::assert_snapshot!(bench.failure(), @r"
    `http://mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz` is larger than 1 MiB.
      = Nothing of it was kept or run.
      = Check the mirror (`KILTER_MIRROR`) or the proxy that answered.
    ");
    assert_eq!(bench.files(), ["lock"]);
}

#[test]
fn an_endless_file_is_not_taken() {
    let bench = Bench::new();
    bench.serve(b"", &[Reply::Endless]);
    assert!(bench.failure().contains("is larger than 1 MiB"));
    assert_eq!(bench.files(), ["lock"]);
    assert_eq!(bench.server.requests().len(), 1);
}

#[test]
fn a_slow_file_and_a_silent_host_are_given_up() {
    for reply in [Reply::Slow, Reply::Silent] {
        let mut bench = Bench::new();
        bench.settings.limits.stall = Duration::from_millis(60);
        bench.serve(&archive(), &[reply]);
        let text = bench.failure();
        assert!(text.contains("less than 64 KiB came in 60ms (attempt 3 of 3)"), "{text}");
        assert_eq!(bench.server.requests().len(), 3);
    }
}

#[test]
fn only_the_one_member_is_taken() {
    let platform = kilter::toolchain::Platform::host();
    let evil = tar_gz(&[("../helm", b"evil"), ("../../evil", b"evil"), (&format!("{platform}/helm"), b"good")]);
    let bench = Bench::new().with_release(&evil);
    bench.serve(&evil, &[Reply::File]);
    let installed = bench.ensure().unwrap();
    assert_eq!(fs::read(&installed.path).unwrap(), b"good");
    assert_eq!(bench.files(), ["helm", "lock", "receipt.json"]);
    let beside: Vec<_> = fs::read_dir(bench.slot().parent().unwrap()).unwrap().flatten().collect();
    assert_eq!(beside.len(), 1);
    assert!(!bench.settings.store.join("helm/evil").exists());
}

#[test]
fn an_archive_must_hold_the_member() {
    for members in [vec![("../helm", b"evil".as_slice())], vec![("helm", b"elsewhere")], vec![]] {
        let wrong = tar_gz(&members);
        let bench = Bench::new().with_release(&wrong);
        bench.serve(&wrong, &[Reply::File]);
        let text = bench.failure();
        insta::allow_duplicates! {
            insta::assert_snapshot!(text, @r"
            `http://mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz` holds no file `OS-ARCH/helm`.
              = Check that the `sha256` is that of the publisher's release file.
            ");
        }
        assert!(!bench.slot().join("helm").exists());
    }
}

#[test]
fn what_is_unpacked_is_bounded() {
    let platform = kilter::toolchain::Platform::host();
    let zeros = vec![0; (1 << 20) + 1];
    let bomb = tar_gz(&[(&format!("{platform}/helm"), &zeros)]);
    let bench = Bench::new().with_release(&bomb);
    bench.serve(&bomb, &[Reply::File]);
    insta::assert_snapshot!(bench.failure(), @r"
    the program in `http://mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz` is larger than 1 MiB.
      = Check that the `sha256` is that of the publisher's release file.
    ");

    let padding = vec![0; 3 << 20];
    let bomb = tar_gz(&[("padding", &padding), (&format!("{platform}/helm"), b"late")]);
    let bench = Bench::new().with_release(&bomb);
    bench.serve(&bomb, &[Reply::File]);
    insta::assert_snapshot!(bench.failure(), @r"
    `http://mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz` cannot be unpacked: unexpected EOF during skip.
      = Check that the `sha256` is that of the publisher's release file.
    ");
}

#[test]
fn what_is_no_archive_cannot_be_unpacked() {
    let bench = Bench::new().with_release(b"no archive at all");
    bench.serve(b"no archive at all", &[Reply::File]);
    insta::assert_snapshot!(bench.failure(), @r"
    `http://mirror/get.helm.sh/helm-v4.3.0-OS-ARCH.tar.gz` cannot be unpacked: invalid gzip header.
      = Check that the `sha256` is that of the publisher's release file.
    ");
}
