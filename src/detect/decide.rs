//! What decides between several services of one kind: packages say which a project can use, but what its compose file
//! starts, its database.yml or the settings of its app name or its example environment points to is the one it does use. .NET's Aspire is such a file in
//! code: its host has a package for each service that it starts (<https://aspire.dev/integrations/overview/>).

use super::confidence::SELECT;
use super::embedded::above_schema;
use super::jvm::RESOURCES;
use super::model::Evidence;
use super::places::split;
use super::ruby::ADAPTER;
use crate::catalog::Ecosystem;

/// Directories that hold how a project is run; what stands in them is about the directory above.
const ABOUT_THE_PROJECT: [&str; 14] = [
    ".ddev",
    ".dev",
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

/// The weight of what is only named.
const NAMED: u8 = 1;

/// The weight of the schema with which the app's client is made.
pub(super) const SCHEMA: u8 = 2;

/// The weight of what is started.
pub(super) const STARTED: u8 = 3;

/// Tells whether a package of .NET is one with which Aspire starts a service.
fn is_hosting(package: &str) -> bool {
    package.to_ascii_lowercase().split_once("aspire.hosting.").is_some_and(|(_, service)| !service.is_empty())
}

/// Returns what a piece of evidence decides, if it does.
pub(super) fn decision(piece: &Evidence) -> Option<Decision<'_>> {
    let weight = match piece.ecosystem {
        Ecosystem::Compose => STARTED,
        Ecosystem::Dotnet if is_hosting(&piece.package) => STARTED,
        Ecosystem::Prisma => SCHEMA,
        Ecosystem::Env => NAMED,
        Ecosystem::Ruby if piece.package.starts_with(ADAPTER) => NAMED,
        _ => return None,
    };
    if piece.confidence < SELECT {
        return None;
    }
    // The host of Aspire stands beside the projects that it starts.
    let directory = match piece.ecosystem {
        Ecosystem::Dotnet => "",
        Ecosystem::Prisma => above_schema(&piece.file),
        _ => about(&piece.file),
    };
    Some(Decision { directory, weight })
}

/// Returns the directory that a file is about which says how a project is run: `a` for `a/config/database.yml`.
pub(super) fn about(file: &str) -> &str {
    let mut directory = split(file).0;
    if let Some(module) = directory.strip_suffix(RESOURCES) {
        return module.trim_end_matches('/');
    }
    while ABOUT_THE_PROJECT.contains(&split(directory).1) {
        directory = split(directory).0;
    }
    directory
}

/// Tells whether a file lies in a directory (empty for all) or below it.
pub(super) fn is_within(file: &str, directory: &str) -> bool {
    directory.is_empty() || file.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, selected, tree};

    const APP: &str = r#"{"dependencies": {"pg": "8", "ioredis": "5"}}"#;
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
    fn the_schema_of_the_client_decides_beside_it() {
        let schema = ("db/prisma/schema.prisma", "datasource db { provider = \"mysql\" }");
        let pg = r#"{"dependencies": {"pg": "8"}}"#;
        let env = "DATABASE_URL=postgres://localhost/a\n";
        for files in [[schema, ("db/package.json", pg)], [schema, ("db/.env.example", env)]] {
            let detection = tree(&files).detect();
            assert_eq!(
                (found(&detection), selected(&detection)),
                (vec!["mysql", "postgres"], vec!["mysql"]),
                "{files:?}"
            );
        }
        // Another package has a database of its own.
        assert_eq!(selected(&tree(&[schema, ("api/package.json", pg)]).detect()), ["mysql", "postgres"]);
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
    fn what_is_not_started_beside_the_database_is_an_option() {
        let database = ("compose.yml", "services:\n  db: {image: postgres}\n");
        let detection = tree(&[("package.json", APP), database]).detect();
        assert_eq!((found(&detection), selected(&detection)), (vec!["postgres", "redis"], vec!["postgres"]));
        let note = &detection.findings[1].evidence[0].note;
        assert!(note.ends_with("; compose.yml starts postgres, but not this"), "{note}");
        // An address to take over says that it is used, and so does what runs the product; a file without a database is not
        // all there is; another directory is another app; and a profile starts nothing.
        let env = (".env.example", "REDIS_URL=redis://localhost\n");
        let mail = ("compose.yml", "services:\n  mail: {image: axllent/mailpit}\n");
        let other = ("b/compose.yml", "services:\n  db: {image: postgres}\n");
        let other_app = ("b/package.json", "{}");
        let product = ("compose.prod.yml", "services:\n  cache: {image: redis}\n");
        let profile = ("compose.yml", "services:\n  db: {image: postgres, profiles: [x]}\n");
        for files in [&[database, env][..], &[database, product], &[mail], &[other, other_app], &[profile]] {
            let files = [&[("package.json", APP)], files].concat();
            assert!(selected(&tree(&files).detect()).contains(&"redis"), "{files:?}");
        }
    }

    #[test]
    fn the_host_of_aspire_says_what_is_started() {
        let project = |packages: &[&str]| {
            let references = packages.iter().map(|name| format!("<PackageReference Include=\"{name}\" />"));
            format!("<Project><ItemGroup>{}</ItemGroup></Project>", references.collect::<String>())
        };
        let data = project(&["Npgsql.EntityFrameworkCore.PostgreSQL", "Microsoft.EntityFrameworkCore.SqlServer"]);
        let bus = project(&["RabbitMQ.Client"]);
        let host = project(&["Aspire.Hosting.AppHost", "Aspire.Hosting.SqlServer"]);
        let files =
            [("src/Data/Data.csproj", data.as_str()), ("src/Bus/Bus.csproj", &bus), ("AppHost/AppHost.csproj", &host)];
        let detection = tree(&files).detect_by_catalog();
        assert_eq!(
            (found(&detection), selected(&detection)),
            (vec!["mssql", "postgres", "rabbitmq"], vec!["mssql"]),
            "{detection:?}"
        );
        // A project of tests hosts nothing for the app.
        let tests = project(&["Aspire.Hosting.SqlServer", "xunit"]);
        let files = [files[0], files[1], ("AppHost/AppHost.csproj", &tests)];
        assert_eq!(selected(&tree(&files).detect_by_catalog()), ["postgres", "rabbitmq"]);
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
