//! What decides between several services of one kind: packages say which a project can use, but what its compose file
//! starts, its database.yml names or its example environment points to is the one it does use.

use super::confidence::SELECT;
use super::model::Evidence;
use super::places::split;
use super::ruby::ADAPTER;
use crate::catalog::Ecosystem;

/// Directories that hold how a project is run; what stands in them is about the directory above.
const ABOUT_THE_PROJECT: [&str; 12] = [
    ".devcontainer",
    ".docker",
    "compose",
    "config",
    "dev",
    "development",
    "docker",
    "docker-compose",
    "infra",
    "infrastructure",
    "local",
    "services",
];

/// How far and how much a piece of evidence decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision<'a> {
    /// The directory below which it decides; empty for all of the project.
    pub directory: &'a str,
    /// What is started beats what is only named: Valkey is also reached at `redis://`.
    pub weight: u8,
}

/// Returns what a piece of evidence decides, if it does.
pub(super) fn decision(piece: &Evidence) -> Option<Decision<'_>> {
    let weight = match piece.ecosystem {
        Ecosystem::Compose => 2,
        Ecosystem::Env => 1,
        Ecosystem::Ruby if piece.package.starts_with(ADAPTER) => 1,
        _ => return None,
    };
    if piece.confidence < SELECT {
        return None;
    }
    let mut directory = split(&piece.file).0;
    while ABOUT_THE_PROJECT.contains(&split(directory).1) {
        directory = split(directory).0;
    }
    Some(Decision { directory, weight })
}

/// Tells whether a file lies in a directory (empty for all) or below it.
pub(super) fn is_within(file: &str, directory: &str) -> bool {
    directory.is_empty() || file.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, selected, tree};

    const BOTH: &str = r#"{"dependencies": {"mysql2": "3", "pg": "8"}}"#;
    const COMPOSE: &str = "services:\n  db:\n    image: mysql:8\n";

    #[test]
    fn the_one_that_is_started_is_the_one_that_is_used() {
        let detection = tree(&[("package.json", BOTH), ("docker/dev/compose.yml", COMPOSE)]).detect();
        assert_eq!((found(&detection), selected(&detection)), (vec!["mysql", "postgres"], vec!["mysql"]));
        assert!(detection.findings[1].evidence[0].note.contains("an alternative to mysql"), "{detection:?}");
        let env = tree(&[("package.json", BOTH), (".env.example", "DATABASE_URL=mysql://root@localhost/a\n")]).detect();
        assert_eq!(selected(&env), ["mysql"]);
    }

    #[test]
    fn an_address_of_another_database_takes_nothing_away() {
        let pg = ("package.json", r#"{"dependencies": {"pg": "8"}}"#);
        let env = (".env.example", "LEGACY=mysql://localhost/a\n");
        assert_eq!(selected(&tree(&[pg, env]).detect()), ["mysql", "postgres"]);
        assert_eq!(selected(&tree(&[pg, ("compose.yml", COMPOSE)]).detect()), ["mysql"]);
    }

    #[test]
    fn what_is_started_beats_what_is_named() {
        let env = (".env.example", "DATABASE_URL=postgres://localhost/a\n");
        let detection = tree(&[env, ("compose.yml", COMPOSE)]).detect();
        assert_eq!((found(&detection), selected(&detection)), (vec!["mysql", "postgres"], vec!["mysql"]));
    }

    #[test]
    fn a_compose_file_decides_for_its_own_directory_only() {
        let pg = r#"{"dependencies": {"pg": "8"}}"#;
        let files = [("a/package.json", pg), ("b/package.json", BOTH), ("b/compose.yml", COMPOSE)];
        assert_eq!(selected(&tree(&files).detect()), ["mysql", "postgres"]);
        let started = "services:\n  a: {image: mysql}\n  b: {image: postgres}\n";
        assert_eq!(
            selected(&tree(&[("package.json", BOTH), ("compose.yml", started)]).detect()),
            ["mysql", "postgres"]
        );
    }
}
