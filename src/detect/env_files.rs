//! Examples of environment files (`.env.example` and the like): the names of the variables, and of a value nothing but the
//! scheme of an address, or the name of a driver that the catalog knows together with the variable's (`CACHE_STORE=redis`). Real environment files (`.env`, `.env.local`) hold secrets and are never read;
//! a `.env` that a framework has its projects commit is an example.

use super::confidence::Scope;
use super::files::Files;
use super::places::{join, split};
use super::rules::{Declared, is_relational};
use crate::catalog::Ecosystem;

/// Words that say that a file is an example.
const EXAMPLE: [&str; 11] =
    ["example", "examples", "sample", "template", "tmpl", "tpl", "dist", "default", "defaults", "schema", "skeleton"];

/// Words that say that a file is an environment: direnv's, that of Cloudflare's Workers (`.dev.vars`).
const ENVIRONMENT: [&str; 4] = ["env", "envrc", "dotenv", "vars"];

/// Words that may stand beside them: for whom the example is.
const FOR: [&str; 20] = [
    "",
    "database",
    "dev",
    "development",
    "local",
    "docker",
    "compose",
    "devcontainer",
    "web",
    "server",
    "api",
    "app",
    "backend",
    "frontend",
    "worker",
    "db",
    "test",
    "prod",
    "production",
    "staging",
];

/// An environment file that some frameworks have their projects commit.
pub(super) const COMMITTED: &str = ".env";

/// Tells whether a path is an example of an environment file: `.env.example`, `.env.docker.sample`, `env.dist`,
/// `example.env`, `.envrc.example`, `.dev.vars.example`.
pub(super) fn is_manifest(path: &str) -> bool {
    let name = split(path).1;
    // Nearly every file ends here, without a copy of its name.
    if !name.contains("env") && !name.contains("vars") {
        return false;
    }
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split(['.', '-', '_']).collect();
    let known =
        |word: &&str| [&EXAMPLE[..], &ENVIRONMENT, &FOR].iter().any(|list| list.contains(word)) || is_relational(word);
    let is_environment = |word: &&str| ENVIRONMENT.contains(word) && (*word != "vars" || words.contains(&"dev"));
    words.iter().any(is_environment) && words.iter().any(|word| EXAMPLE.contains(word)) && words.iter().all(known)
}

/// Tells whether a path is an example of what development reads.
pub(super) fn is_for_development(path: &str) -> bool {
    is_manifest(path) && scope(path) == Scope::Example
}

/// Returns the variables that the examples name: files that are such by their name, and the `.env` of these directories. A real
/// environment is none of them.
pub(super) fn declared<'a>(files: &Files<'_>, committed: impl Iterator<Item = &'a str>) -> Vec<Declared> {
    let paths = files.all().filter(|path| is_manifest(path));
    let examples = paths.filter_map(|path| files.read(path).map(|text| variables(path, &text)));
    let committed = committed.map(|directory| join(directory, COMMITTED));
    let committed = committed.filter_map(|path| files.read_named(&path).map(|text| variables(&path, &text)));
    examples.chain(committed).flatten().collect()
}

/// What stands in an example counts for development unless its name says another thing.
fn scope(path: &str) -> Scope {
    let name = split(path).1.to_ascii_lowercase();
    let said = |word: &str| name.split(['.', '-', '_']).any(|part| part == word);
    if said("test") {
        Scope::Aside("in an example environment for tests".into())
    } else if said("prod") || said("production") || said("staging") {
        Scope::Aside("in an example environment for production".into())
    } else if let Some(database) = name.split(['.', '-', '_']).find(|word| is_relational(word)) {
        // One of several, of which a person takes one.
        Scope::Aside(format!("in an example environment for {database}"))
    } else {
        Scope::Example
    }
}

fn variables(path: &str, text: &str) -> Vec<Declared> {
    let scope = scope(path);
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let code = line.trim_start_matches('#').trim_start();
        let scope = if code.len() < line.len() {
            Scope::Aside("commented out in an example environment".into())
        } else {
            scope.clone()
        };
        let Some((name, value)) = assigned(code) else { continue };
        let mut push = |said: &str, extras: Vec<String>| {
            found.push(Declared {
                ecosystem: Ecosystem::Env,
                name: said.to_owned(),
                extras,
                scope: scope.clone(),
                file: path.into(),
                line: number + 1,
            });
        };
        let about = [name.to_owned(), shape(value).unwrap_or_default().to_owned()];
        push(name, about.into_iter().chain(parameters(value)).chain(port(value)).collect());
        if let Some((service, scheme)) = scheme(value) {
            let about = [name.to_owned(), scheme].into_iter().chain(database_number(value));
            push(&service, about.chain(parameters(value)).chain(port(value)).collect());
        } else if let Some(driver) = driver(value) {
            push(&format!("{name}={driver}"), vec![name.to_owned()]);
        }
    }
    found
}

/// Returns the name and the value that a line without blanks around it assigns.
pub(super) fn assigned(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.trim_start_matches("export ").split_once('=')?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((name, value))
}

/// A value without blanks, a colon and what follows a word, with a port or alone.
pub(super) const WITH_PORT: &str = "host:port";
pub(super) const ALONE: &str = "host";
/// A switch that is on or off as a digit.
pub(super) const DIGIT: &str = "digit";

/// Returns what a value looks like that could be a host or a switch.
fn shape(value: &str) -> Option<&'static str> {
    let value = unquoted(value);
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    match value.split_once(':') {
        Some((host, port)) => (plain(host) && !port.is_empty() && port.parse::<u16>().is_ok()).then_some(WITH_PORT),
        None if matches!(value, "0" | "1") => Some(DIGIT),
        None => plain(value).then_some(ALONE),
    }
}

/// Returns the number of a database of an address: `/1` of `redis://localhost:6379/1`. The first one, `/0`, is the default.
fn database_number(value: &str) -> Option<String> {
    let (_, path) = unquoted(value).split_once("://")?.1.split_once('/')?;
    let number = path.split(['?', '#']).next().unwrap_or_default().parse::<u8>().ok()?;
    (number > 0).then(|| format!("/{number}"))
}

/// An address whose parameters stand behind the port, each after a `;`.
pub(super) const PARAMETERS: &str = ";";

/// What stands before the host in the form that Go's driver of MySQL reads.
pub(super) const OF_GO: &str = "@tcp(";

/// Tells of an address that its parameters do: `sqlserver://localhost:1433;database=shop`; or that Go's driver reads it.
fn parameters(value: &str) -> Option<String> {
    if value.contains(OF_GO) {
        return Some(OF_GO.to_owned());
    }
    let (_, rest) = unquoted(value).split_once("://")?;
    rest.split(['/', '?', '#', '@']).next().filter(|server| server.contains(';')).map(|_| PARAMETERS.to_owned())
}

/// Returns the port of a value, after a colon: of an address, of a host with one, or the value itself where it is a number.
fn port(value: &str) -> Option<String> {
    let value = unquoted(value);
    let server = match value.split_once("://") {
        Some((_, rest)) => rest.split(['/', '?', '#', ';', ',']).next()?.rsplit('@').next()?,
        None => value,
    };
    let digits = server.rsplit_once(':').map_or(server, |(_, digits)| digits);
    let number = digits.parse::<u16>().ok().filter(|number| *number > 0 && digits.bytes().all(|c| c.is_ascii_digit()));
    number.map(|number| format!(":{number}"))
}

/// Returns a value without what stands around it.
pub(super) fn unquoted(value: &str) -> &str {
    value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\''])
}

/// Returns a value that could name a driver: one short plain word.
fn driver(value: &str) -> Option<String> {
    let value = unquoted(value);
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let is_word = !value.is_empty() && value.len() <= 40 && value.chars().all(plain);
    is_word.then(|| value.to_ascii_lowercase())
}

/// Returns the scheme of an address with its `://`: of `postgresql+asyncpg://…` and `jdbc:postgresql://…` the part that names
/// the service; and behind it the scheme as it stands there.
fn scheme(value: &str) -> Option<(String, String)> {
    let value = value.trim().trim_start_matches(['"', '\'']);
    let (jdbc, value) = value.strip_prefix("jdbc:").map_or(("", value), |value| ("jdbc:", value));
    // A file needs no host: `sqlite:./app.db`, `file:./app.db`.
    let scheme = match value.split_once(':') {
        Some((scheme @ ("sqlite" | "file"), _)) => scheme,
        _ => value.split_once("://")?.0,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
    if scheme.is_empty() || scheme.len() > 30 || !scheme.chars().all(plain) {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    // `mongodb+srv` is found in the DNS, which a service on the developer's machine is not.
    let service = if scheme.ends_with("+srv") { &scheme } else { scheme.split('+').next().unwrap_or_default() };
    Some((format!("{service}://"), format!("{jdbc}{scheme}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{found, selected, tree};

    #[test]
    fn only_examples_are_read() {
        for path in [
            ".env.example",
            "a/.env.sample",
            ".env.template",
            ".env.dist",
            ".env.local.example",
            ".env.example.docker",
            "env.example",
            "example.env",
            ".env-example",
            "docker/sample.env",
            ".env.default",
            ".envrc.example",
            ".dev.vars.example",
            "database.env.example",
            "dotenv.example",
            ".env.mysql.example",
        ] {
            assert!(is_manifest(path), "{path}");
        }
        for path in [
            ".env",
            ".env.local",
            ".env.production",
            ".env.test",
            "prod.env",
            "env.example.ts",
            "environment.example",
            "env.js",
            ".env.bak",
            ".dev.vars",
            ".envrc",
            "vars.example",
            "mysql.env",
        ] {
            assert!(!is_manifest(path), "{path}");
        }
    }

    #[test]
    fn names_are_proposed_and_addresses_selected() {
        let text = "# the shop\nexport REDIS_URL=\nDATABASE_URL=\"postgresql+asyncpg://app:secret@localhost/app\"\n# AMQP=amqp://localhost\n#MONGO_URL=x\nX Y=redis://a\nA='https://x'\n";
        let detection = tree(&[(".env.example", text)]).detect();
        assert_eq!(found(&detection), ["mongodb", "postgres", "rabbitmq", "redis"]);
        assert_eq!(selected(&detection), ["postgres"]);
        let evidence = &detection.findings[0].evidence[0];
        assert_eq!((evidence.package.as_str(), evidence.line, evidence.confidence), ("DATABASE_URL", 3, 0.76));
        assert_eq!(evidence.note, "DATABASE_URL holds an address of postgres, in an example environment");
        assert!(!format!("{detection:?}").contains("secret"));
    }

    #[test]
    fn real_environments_and_those_for_tests_or_production_select_nothing() {
        let url = "REDIS_URL=redis://localhost:6379\n";
        assert!(found(&tree(&[(".env", url), (".env.local", url)]).detect()).is_empty());
        for path in [".env.test.example", ".env.production.example", ".env.mysql.example"] {
            let detection = tree(&[(path, url)]).detect();
            assert_eq!((found(&detection), selected(&detection).len()), (vec!["redis"], 0), "{path}");
        }
    }

    #[test]
    fn the_environment_that_symfony_commits_is_an_example() {
        let env = "APP_SECRET=hush\nDATABASE_URL=\"postgresql://app:!ChangeMe!@127.0.0.1:5432/app?serverVersion=16\"\n# MESSENGER_TRANSPORT_DSN=redis://localhost\nMESSENGER_TRANSPORT_DSN=amqp://guest:guest@localhost:5672/%2f/messages\nMAILER_DSN=smtp://localhost\n";
        let symfony = r#"{"require": {"symfony/framework-bundle": "7.*", "doctrine/orm": "^3"}}"#;
        let detection = tree(&[("api/composer.json", symfony), ("api/.env", env)]).detect_by_catalog();
        assert_eq!(selected(&detection), ["postgres", "rabbitmq"]);
        assert_eq!(found(&detection), ["mailpit", "postgres", "rabbitmq", "redis"]);
        let postgres = detection.findings.iter().find(|finding| finding.name == "postgres").unwrap();
        assert_eq!((postgres.evidence[0].file.as_str(), postgres.evidence[0].line), ("api/.env", 2));
        assert!(!format!("{detection:?}").contains("hush"));
        let laravel = r#"{"require": {"laravel/framework": "12", "symfony/dotenv": "7.*"}}"#;
        for files in [
            &[("composer.json", laravel), (".env", env)][..],
            &[("composer.json", r#"{"require": {"symfony/console": "7.*"}}"#), (".env", env)],
            &[("composer.json", symfony), (".env.local", env), ("docker/.env", env)],
            &[("package.json", "{}"), (".env", env)],
        ] {
            assert!(selected(&tree(files).detect_by_catalog()).is_empty(), "{files:?}");
        }
    }

    #[test]
    fn schemes_of_addresses() {
        for (value, expected) in [
            ("postgres://a", Some("postgres://")),
            (" 'jdbc:mysql://a'", Some("mysql://")),
            ("mongodb+srv://a", Some("mongodb+srv://")),
            ("REDISS://a", Some("rediss://")),
            ("jdbc:sqlite:a.db", Some("sqlite://")),
            ("file:./a.db?x=http://y", Some("file://")),
            ("sqlite", None),
            ("files:a", None),
            ("${X}://a", None),
            ("password", None),
            ("://", None),
        ] {
            assert_eq!(scheme(value).map(|(service, _)| service).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn drivers_are_chosen_by_the_value_of_their_variable() {
        let laravel = ("composer.json", r#"{"require": {"laravel/framework": "12"}}"#);
        let env = |text: &str| tree(&[laravel, (".env.example", text)]).detect_by_catalog();
        let detection = env("DB_CONNECTION=pgsql # or mysql\nCACHE_STORE=\"redis\"\nMAIL_HOST=mailpit\n");
        assert_eq!(selected(&detection), ["mailpit", "postgres", "redis"]);
        assert_eq!(selected(&env("SMTP_PORT=1025\n")), ["mailpit"]);
        assert!(selected(&env("SMTP_PORT=587\n# MAIL_PORT=1025\n")).is_empty());
        assert_eq!(found(&detection), ["mailpit", "postgres", "redis"], "the framework asks nothing any more");
        let redis = detection.findings.iter().find(|finding| finding.name == "redis").unwrap();
        assert_eq!(redis.evidence[0].note, "CACHE_STORE chooses redis, in an example environment");
        let detection = env(
            "DB_CONNECTION=sqlite\nCACHE_STORE=database\nSESSION_DRIVER=redis.example.com\n# QUEUE_CONNECTION=redis\n",
        );
        assert!(selected(&detection).is_empty(), "{detection:?}");
    }
}
