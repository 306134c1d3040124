//! What a shell offers for the words of a command line.

use std::path::Path;

use clap_complete::CompletionCandidate;

use super::project::{find_root, load, read_config};
use crate::artifacts::Thing;
use crate::catalog;
use crate::config::model::{Config, ServiceEntry};
use crate::plan::APP;

/// The environment that is meant when none is named.
const PROD: &str = "prod";

/// The services of the catalog, with what they are.
pub(super) fn catalog() -> Vec<CompletionCandidate> {
    let candidate = |(name, about): (&&str, &catalog::CatalogService)| {
        CompletionCandidate::new(*name).help(Some(about.description.clone().into()))
    };
    catalog::services().iter().map(candidate).collect()
}

/// The services of the project.
pub(super) fn services() -> Vec<CompletionCandidate> {
    names().into_iter().map(CompletionCandidate::new).collect()
}

/// The services of the project and its app.
pub(super) fn running() -> Vec<CompletionCandidate> {
    std::iter::once(APP.to_owned()).chain(names()).map(CompletionCandidate::new).collect()
}

/// What can be ejected.
pub(super) fn things() -> Vec<CompletionCandidate> {
    let names: Vec<String> = std::iter::once(APP.to_owned()).chain(names()).collect();
    Thing::all(names.iter().map(String::as_str))
        .iter()
        .map(|thing| CompletionCandidate::new(thing.to_string()))
        .collect()
}

/// The environments of the project.
pub(super) fn environments() -> Vec<CompletionCandidate> {
    let mut names = vec![PROD.to_owned()];
    names.extend(config().environments.into_keys().filter(|name| name != PROD));
    names.into_iter().map(CompletionCandidate::new).collect()
}

fn names() -> Vec<String> {
    config().services.iter().flatten().map(ServiceEntry::name).map(str::to_owned).collect()
}

/// The kilter.yaml of where the shell is; one that cannot be read offers nothing.
#[expect(clippy::disallowed_methods, reason = "a shell asks before a command line is there: this is an edge, too")]
fn config() -> Config {
    let home = std::env::var_os("HOME");
    let read = || {
        let root = find_root(&std::env::current_dir().ok()?, home.as_deref().map(Path::new));
        Some(load(&read_config(&root).ok()??, None).ok()?.config)
    };
    read().unwrap_or_default()
}
