//! What a compose file is for, told by its name and its place.

use super::local::DDEV;
use crate::detect::files::Files;
use crate::detect::places::{MANIFESTS, join, split};

/// What a compose file is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// Says itself that it is for development.
    Development,
    /// The plain file of a place where an app is.
    Base,
    /// Something else; the words say what.
    Aside(String),
}

/// Words for what the project needs to be developed.
const DEVELOPMENT: [&str; 20] = [
    "dev",
    "devel",
    "develop",
    "development",
    "devcontainer",
    "local",
    "localdev",
    "workspace",
    "services",
    "service",
    "deps",
    "dependencies",
    "infra",
    "infrastructure",
    "backing",
    "base",
    "common",
    "core",
    "db",
    "database",
];
const TESTS: [&str; 9] = ["test", "tests", "testing", "ci", "e2e", "integration", "spec", "cypress", "playwright"];
const PRODUCTION: [&str; 16] = [
    "prod",
    "production",
    "staging",
    "deploy",
    "deployment",
    "deployments",
    "release",
    "selfhost",
    "selfhosted",
    "hosting",
    "hosted",
    "quickstart",
    "onprem",
    "swarm",
    "stack",
    "caprover",
];
/// Directories that hold how a project is run, wherever it is kept.
const RUNS: [&str; 8] = ["docker", ".docker", "compose", "docker-compose", ".devcontainer", "containers", "ops", "etc"];

/// Returns the words between `compose` and the ending of a compose file's name
/// (<https://docs.docker.com/compose/intro/compose-application-model/#the-compose-file>); `None` for another file.
pub(super) fn words(name: &str) -> Option<Vec<String>> {
    if !name.ends_with(".yaml") && !name.ends_with(".yml") {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"))?;
    let starts = ["docker-compose", "docker_compose", "compose"];
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(['.', '-', '_']);
    let rest = match starts.iter().find_map(|start| stem.strip_prefix(start).filter(|rest| ends(rest))) {
        Some(rest) => rest,
        // `dev.compose.yml`, `dev-docker-compose.yml`
        None => ["docker-compose", "compose"]
            .iter()
            .find_map(|end| stem.strip_suffix(end).filter(|rest| rest.ends_with(['.', '-', '_'])))?,
    };
    let words = rest.split(['.', '-', '_']).filter(|word| !word.is_empty());
    Some(words.map(str::to_owned).collect())
}

/// Tells what a file is for.
pub(super) fn of(files: &Files<'_>, path: &str) -> Role {
    let (directory, name) = split(path);
    if split(directory).1 == DDEV {
        return Role::Development;
    }
    let words = words(name).unwrap_or_default();
    let all = |list: &[&str]| !words.is_empty() && words.iter().all(|word| list.contains(&word.as_str()));
    let any = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if any(&TESTS) {
        return Role::Aside("for tests only".into());
    }
    if any(&PRODUCTION) {
        return Role::Aside("for production".into());
    }
    if all(&DEVELOPMENT) {
        return Role::Development;
    }
    // Compose itself loads the override beside the base file (<https://docs.docker.com/compose/how-tos/multiple-compose-files/merge/>).
    let is_override = words == ["override"] && plain_file(files, directory);
    if !words.is_empty() && !is_override {
        return Role::Aside(format!("in the variant {}", words.join("-")));
    }
    of_directory(files, directory)
}

/// Tells whether a plain compose file is in a directory.
fn plain_file(files: &Files<'_>, directory: &str) -> bool {
    ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"]
        .iter()
        .any(|name| files.has(&join(directory, name)))
}

/// Tells what the plain file of a directory is for.
fn of_directory(files: &Files<'_>, directory: &str) -> Role {
    let parts: Vec<String> =
        directory.split('/').filter(|part| !part.is_empty()).map(str::to_ascii_lowercase).collect();
    let words = || parts.iter().flat_map(|part| part.split(['-', '_', '.']));
    let named = |list: &[&str]| words().any(|word| list.contains(&word));
    let has_manifest = MANIFESTS.iter().any(|name| files.has(&join(directory, name)));
    if named(&TESTS) {
        Role::Aside("for tests only".into())
    } else if parts.is_empty() {
        Role::Base
    } else if named(&PRODUCTION) {
        Role::Aside("for production".into())
    } else if parts.last().is_some_and(|last| DEVELOPMENT.contains(&last.trim_start_matches('.')))
        || parts[0] == ".devcontainer"
    {
        Role::Development
    } else if has_manifest || (parts.iter().all(|part| RUNS.contains(&part.as_str())) && !plain_file(files, "")) {
        Role::Base
    } else {
        Role::Aside(format!("in the folder {directory}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::tree;

    #[test]
    fn names_of_compose_files() {
        for (name, expected) in [
            ("compose.yaml", Some("")),
            ("docker-compose.yml", Some("")),
            ("docker-compose-dev.yaml", Some("dev")),
            ("compose.override.yml", Some("override")),
            ("docker-compose.dev-azure.yml", Some("dev azure")),
            ("dev.compose.yml", Some("dev")),
            ("composer.yml", None),
            ("decompose.yml", None),
            ("compose.rb", None),
        ] {
            assert_eq!(words(name).map(|words| words.join(" ")).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn what_a_file_is_for_is_told_by_its_name_and_place() {
        let project = tree(&[("docker-compose.yml", ""), ("apps/web/package.json", ""), ("dev/compose.yml", "")]);
        let files = Files::new(&project);
        let role = |path: &str| of(&files, path);
        for path in ["docker-compose.yml", "docker-compose.override.yml", "apps/web/docker-compose.yml"] {
            assert_eq!(role(path), Role::Base, "{path}");
        }
        for path in [
            "docker-compose.dev.yml",
            "deployment/docker-compose-dev.yaml",
            "docker/local/docker-compose.yml",
            "docker/development/compose.yml",
            ".devcontainer/docker-compose.yml",
            ".dev/docker-compose.yaml",
            "compose.services.yml",
        ] {
            assert_eq!(role(path), Role::Development, "{path}");
        }
        for path in [
            "docker-compose.prod.yml",
            "deploy/docker-compose.yml",
            "self-hosted/hosting/compose.yml",
            "docker-compose.test.yml",
            "docker-compose.dev-azure.yml",
            "docker/single-process/docker-compose.yml",
            "docker/docker-compose.yml",
            "grafana/docker-compose.yml",
            "dev/compose.ci.yml",
            "apps/web/compose.override.yml",
        ] {
            assert!(matches!(role(path), Role::Aside(_)), "{path}");
        }
        let alone = tree(&[("docker/docker-compose.yml", "")]);
        assert_eq!(of(&Files::new(&alone), "docker/docker-compose.yml"), Role::Base);
    }
}
