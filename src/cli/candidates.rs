//! What a shell offers for the words of a command line.

use clap_complete::CompletionCandidate;

use crate::catalog;

/// The services of the catalog, with what they are.
pub(super) fn catalog() -> Vec<CompletionCandidate> {
    let candidate = |(name, about): (&&str, &catalog::CatalogService)| {
        CompletionCandidate::new(*name).help(Some(about.description.clone().into()))
    };
    catalog::services().iter().map(candidate).collect()
}
