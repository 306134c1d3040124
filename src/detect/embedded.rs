//! A database within the app as the project's own choice. SQLite needs no service: where the project says that it opens SQLite (the
//! adapter that database.yml names outside production, the address or the driver of an example environment, the provider of
//! Prisma) or one of the JVM's (the address in the settings of Spring Boot and its like), the clients of other databases are
//! options, unless the project starts or names one of these as well.

use super::confidence::{SELECT, Scope};
use super::decide::{STARTED, about, decision, is_within};
use super::model::Evidence;
use super::places::split;
use super::ruby::ADAPTER;
use super::rules::{Declared, RELATIONAL, ServiceRules};
use crate::catalog::Ecosystem;

/// Variables that hold the address of the app's database.
const ADDRESSES: [&str; 7] = [
    "DATABASE_URL",
    "DATABASE_URI",
    "DATABASE_DSN",
    "DB_URL",
    "DB_DSN",
    "SQLALCHEMY_DATABASE_URI",
    "SQLALCHEMY_DATABASE_URL",
];

/// Where a project says that it opens a database within the app.
pub(super) struct Choice<'a> {
    /// What it opens.
    database: &'static str,
    file: &'a str,
    /// The directory below which that decides; empty for all of the project.
    directory: &'a str,
}

/// Returns where the project says so. `rules` know the variables that choose a driver.
pub(super) fn choices<'a>(declared: &'a [Declared], rules: &[ServiceRules<'_>]) -> Vec<Choice<'a>> {
    let drivers = drivers(rules);
    let choice = |one: &'a Declared| {
        let database = opened(one, &drivers)?;
        let directory = if one.ecosystem == Ecosystem::Prisma { above_schema(&one.file) } else { about(&one.file) };
        Some(Choice { database, file: &one.file, directory })
    };
    declared.iter().filter_map(choice).collect()
}

/// Says why a service is an option: all that makes it sure lies where the project opens a database within the app. What is
/// started or named for anything but production is used beside it.
pub(super) fn opened_instead(
    pieces: &[Evidence],
    declared: &[Declared],
    rules: &ServiceRules<'_>,
    choices: &[Choice<'_>],
) -> Option<String> {
    let sure = || pieces.iter().filter(|piece| piece.confidence >= SELECT);
    let for_production = |piece: &Evidence| {
        let here = |one: &&Declared| one.file == piece.file && one.line == piece.line;
        declared.iter().filter(here).any(|one| one.scope == Scope::Production)
    };
    let used = |piece: &Evidence| {
        piece.ecosystem == Ecosystem::Prisma
            || decision(piece).is_some_and(|own| own.weight == STARTED || !for_production(piece))
    };
    if rules.one_of.is_none_or(|one_of| one_of.kind != RELATIONAL) || sure().next().is_none() || sure().any(used) {
        return None;
    }
    let choice = choices.iter().find(|choice| sure().all(|piece| is_within(&piece.file, choice.directory)))?;
    Some(format!("an alternative to {}, which {} chooses", choice.database, choice.file))
}

/// The variables by which the catalog knows the driver of such a service: `DB_CONNECTION` of `DB_CONNECTION=pgsql`.
fn drivers<'a>(rules: &[ServiceRules<'a>]) -> Vec<&'a str> {
    let kind = rules.iter().filter(|service| service.one_of.is_some_and(|one_of| one_of.kind == RELATIONAL));
    let strong = kind.filter_map(|service| service.detect.get(&Ecosystem::Env)).flat_map(|rules| &rules.strong);
    strong.filter_map(|rule| rule.split_once('=')).map(|(variable, _)| variable).collect()
}

/// Returns the database within the app that a declaration is about, if it is about one that the app opens in development.
fn opened(one: &Declared, drivers: &[&str]) -> Option<&'static str> {
    let variable = one.extras.first().map(String::as_str).unwrap_or_default();
    let said = match (one.ecosystem, &one.scope) {
        (Ecosystem::Prisma, Scope::Runtime) => one.name.as_str(),
        (Ecosystem::Ruby, Scope::Runtime) => one.name.strip_prefix(ADAPTER)?,
        (Ecosystem::Env, Scope::Example) => match one.name.split_once('=') {
            // `django.db.backends.sqlite3`
            Some((variable, value)) if drivers.contains(&variable) => value.rsplit('.').next()?,
            Some(_) => return None,
            None if ADDRESSES.contains(&variable) || drivers.contains(&variable) => one.name.strip_suffix("://")?,
            None => return None,
        },
        // The settings of an app of the JVM.
        (Ecosystem::Env, Scope::Runtime) => one.name.strip_suffix("://")?,
        _ => return None,
    };
    // An address of libSQL or SQLite may be that of a file alone.
    let is_file = said == "file" && one.ecosystem == Ecosystem::Env;
    match said {
        "sqlite" | "sqlite3" | "better-sqlite3" | "jdbcsqlite3" | "pdo_sqlite" => Some("SQLite"),
        "h2" => Some("H2"),
        "hsqldb" => Some("HSQLDB"),
        "derby" => Some("Derby"),
        _ => is_file.then_some("SQLite"),
    }
}

/// Returns the directory that a schema of Prisma is about: `packages/db` for `packages/db/prisma/schema/base.prisma`.
pub(super) fn above_schema(file: &str) -> &str {
    let directory = split(file).0;
    let at = directory.match_indices("prisma").map(|(at, _)| at).find(|at| {
        let (before, after) = (&directory[..*at], &directory[at + "prisma".len()..]);
        (before.is_empty() || before.ends_with('/')) && (after.is_empty() || after.starts_with('/'))
    });
    at.map_or(directory, |at| directory[..at].trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{found, selected, tree};

    const GEMFILE: (&str, &str) = ("Gemfile", "gem 'rails'\ngem 'sqlite3'\ngem 'pg', group: :production\n");
    const PACKAGE: (&str, &str) = ("package.json", r#"{"dependencies": {"pg": "8", "ioredis": "5"}}"#);
    const SQLITE: &str = "datasource db {\n  provider = \"sqlite\"\n}\n";

    #[test]
    fn the_adapter_of_development_decides() {
        let yml = "default: &default\n  adapter: sqlite3\nproduction:\n  adapter: postgresql\n";
        let detection = tree(&[GEMFILE, ("config/database.yml", yml)]).detect();
        assert_eq!((found(&detection), selected(&detection).len()), (vec!["postgres"], 0));
        let note = &detection.findings[0].evidence[0].note;
        assert!(note.ends_with("; an alternative to SQLite, which config/database.yml chooses"), "{note}");
        let beside = "development:\n  primary:\n    adapter: postgresql\n  cache:\n    adapter: sqlite3\n";
        for yml in [beside, "development:\n  adapter: postgresql\ntest:\n  adapter: sqlite3\n"] {
            assert_eq!(selected(&tree(&[GEMFILE, ("config/database.yml", yml)]).detect()), ["postgres"], "{yml}");
        }
    }

    #[test]
    fn an_address_or_a_driver_of_an_example_environment_decides() {
        for line in [
            "DATABASE_URL=sqlite:///db.sqlite3",
            "DATABASE_URL='sqlite:./a.db'",
            "DATABASE_URL=file:./dev.db",
            "DATABASE_URL=sqlite+aiosqlite:///a",
            "DB_CONNECTION=sqlite",
            "DB_ENGINE=django.db.backends.sqlite3",
        ] {
            let detection = tree(&[PACKAGE, (".env.example", line)]).detect_by_catalog();
            assert_eq!(selected(&detection), ["redis"], "{line}");
            assert!(found(&detection).contains(&"postgres"), "{line}");
        }
        for text in [
            "# DATABASE_URL=sqlite:///db",
            "AVATARS=file:./avatars",
            "SEARCH_INDEX=sqlite",
            "DATABASE_URL=sqlite:a\nOTHER_URL=postgres://localhost/a\nREDIS_URL=",
        ] {
            let detection = tree(&[PACKAGE, (".env.example", text)]).detect_by_catalog();
            assert_eq!(selected(&detection), ["postgres", "redis"], "{text}");
        }
        let tests = tree(&[PACKAGE, (".env.test.example", "DATABASE_URL=sqlite:a\n")]).detect();
        assert_eq!(selected(&tests), ["postgres", "redis"]);
    }

    #[test]
    fn the_provider_of_prisma_decides_where_it_is() {
        let schema = ("prisma/schema/base.prisma", SQLITE);
        assert_eq!(selected(&tree(&[PACKAGE, schema]).detect()), ["redis"]);
        let elsewhere = ("packages/cache/prisma/schema.prisma", SQLITE);
        assert_eq!(selected(&tree(&[PACKAGE, elsewhere]).detect()), ["postgres", "redis"]);
        let second = ("prisma/main.prisma", "datasource db {\n  provider = \"postgresql\"\n}\n");
        assert_eq!(selected(&tree(&[PACKAGE, schema, second]).detect()), ["postgres", "redis"]);
    }

    #[test]
    fn what_is_started_is_used() {
        let compose = ("compose.yml", "services:\n  db: {image: postgres}\n");
        let detection = tree(&[PACKAGE, ("prisma/schema.prisma", SQLITE), compose]).detect();
        assert!(selected(&detection).contains(&"postgres"), "{detection:?}");
    }

    #[test]
    fn a_schema_is_about_the_directory_above() {
        for (file, expected) in [
            ("prisma/schema.prisma", ""),
            ("packages/db/prisma/schema/base.prisma", "packages/db"),
            ("packages/prisma-client/schema.prisma", "packages/prisma-client"),
            ("schema.prisma", ""),
        ] {
            assert_eq!(above_schema(file), expected, "{file}");
        }
    }
}
