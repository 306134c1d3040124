//! What the tests share.

pub(crate) mod charts;
pub(crate) mod cluster;
pub(crate) mod http;
pub(crate) mod oci;
pub(crate) mod platform;
pub(crate) mod project;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Returns the helm that tests run, named by `KILTER_HELM`. Without it, says that the test is skipped.
pub(crate) fn helm() -> Option<PathBuf> {
    let helm = helm_of_tests();
    if helm.is_none() {
        skip("what needs helm: KILTER_HELM names none; a full scripts/test gets it");
    }
    helm
}

/// Returns the helm that tests run, when there is one.
#[expect(clippy::disallowed_methods, reason = "a test binary is an edge: this is where it reads its environment")]
pub(crate) fn helm_of_tests() -> Option<PathBuf> {
    std::env::var_os("KILTER_HELM").map(PathBuf::from)
}

/// Says once that something is not tested here and why: in the file that `KILTER_TEST_SKIPS` names, which scripts/test repeats
/// in its closing lines, else past cargo.
#[expect(clippy::disallowed_methods, reason = "a test binary is an edge: this is where it reads its environment")]
pub(crate) fn skip(reason: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    println!("skipped: {reason}");
    if !SAID.lock().unwrap().insert(reason.to_owned()) {
        return;
    }
    match std::env::var_os("KILTER_TEST_SKIPS") {
        Some(file) => {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
            writeln!(file, "{reason}").unwrap();
        }
        None => tell(&format!("skipped: {reason}")),
    }
}

/// Prints what a test measured, past cargo, which shows nothing of a test that passes.
pub(crate) fn tell(text: &str) {
    std::io::stderr().write_all(format!("{}\n", text.trim_end()).as_bytes()).unwrap();
}

/// Reads the environment of the tests.
#[expect(clippy::disallowed_methods, reason = "a test binary is an edge: this is where it reads its environment")]
pub(crate) fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

/// Tells whether golden files are written anew in place of being compared (`KILTER_UPDATE_GOLDEN=1`).
#[expect(clippy::disallowed_methods, reason = "a test binary is an edge: this is where it reads its environment")]
pub(crate) fn update_golden() -> bool {
    std::env::var_os("KILTER_UPDATE_GOLDEN").is_some_and(|value| value == "1")
}

/// Returns the root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
