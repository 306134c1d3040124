//! What the tests share.

pub(crate) mod http;

use std::path::{Path, PathBuf};

/// Returns the helm that tests run, named by `KILTER_HELM`. Without it, says that the test is skipped.
#[expect(clippy::disallowed_methods, reason = "a test binary is an edge: this is where it reads its environment")]
pub(crate) fn helm() -> Option<PathBuf> {
    let helm = std::env::var_os("KILTER_HELM").map(PathBuf::from);
    if helm.is_none() {
        println!("skipped: KILTER_HELM is not set");
    }
    helm
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
