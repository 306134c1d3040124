//! The settings of an app: the port (`server.port` of Spring Boot, and what Quarkus, Micronaut and Ktor call it), and of the
//! address of its database the scheme alone.

use crate::catalog::Ecosystem;
use crate::detect::confidence::Scope;
use crate::detect::files::Files;
use crate::detect::model::Found;
use crate::detect::places::{join, split};
use crate::detect::rules::Declared;

/// Where the settings of a module are, from its directory.
pub(in crate::detect) const RESOURCES: &str = "src/main/resources";

/// The settings that count whatever the profile.
const NAMES: [&str; 3] = ["application.properties", "application.yml", "application.yaml"];

/// Keys that hold the address of the app's own database, or Quarkus' name for its kind
/// (<https://docs.spring.io/spring-boot/appendix/application-properties/index.html#appendix.application-properties.data>,
/// <https://quarkus.io/guides/datasource>,
/// <https://micronaut-projects.github.io/micronaut-sql/latest/guide/#jdbc>).
const DATABASES: [&str; 7] = [
    "spring.datasource.url",
    "spring.r2dbc.url",
    "quarkus.datasource.db-kind",
    "quarkus.datasource.jdbc.url",
    "quarkus.datasource.reactive.url",
    "datasources.default.url",
    "r2dbc.datasources.default.url",
];

/// Drivers that pass an address on to another one: Testcontainers', R2DBC's pool, loggers.
const WRAPPERS: [&str; 7] = ["jdbc", "r2dbc", "tc", "pool", "proxy", "p6spy", "aws-wrapper"];

/// The end of a key that switches something on and off.
const ENABLED: &str = ".enabled";

/// Returns the databases that the settings of all modules name, as addresses that say no more than the scheme, and what they switch
/// off.
pub(super) fn databases(files: &Files<'_>) -> Vec<Declared> {
    let settings = |path: &&str| NAMES.contains(&split(path).1) && split(path).0.ends_with(RESOURCES);
    let mut found = Vec::new();
    for path in files.all().filter(settings) {
        let Some(text) = files.read(path) else { continue };
        let entries = if path.ends_with(".properties") { properties(&text) } else { yaml(&text) };
        found.extend(entries.iter().filter_map(|(key, value, line)| {
            let name = if DATABASES.contains(&key.as_str()) {
                format!("{}://", database(value)?)
            } else if key.ends_with(ENABLED) && value.trim() == "false" {
                format!("{key}=false")
            } else {
                return None;
            };
            Some(Declared {
                ecosystem: Ecosystem::Env,
                name,
                extras: vec![key.clone()],
                scope: Scope::Runtime,
                file: path.to_owned(),
                line: *line,
            })
        }));
    }
    found
}

/// Reads `jdbc:postgresql://…`, `${DB_URL:jdbc:mysql://…}`, `r2dbc:pool:mariadb://…` and the kinds of Quarkus.
fn database(value: &str) -> Option<&str> {
    let value = value.trim().trim_matches(['"', '\'']);
    // The default of a variable: what is used where nobody sets it.
    let value = match value.strip_prefix("${") {
        Some(inside) => inside.split_once(':')?.1,
        None => value,
    };
    let name = value.split(':').find(|part| !WRAPPERS.contains(part))?.trim_end_matches('}');
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (!name.is_empty() && name.len() <= 30 && name.chars().all(plain)).then_some(name)
}

/// Keys, those of development before the others. Quarkus: <https://quarkus.io/guides/config-reference#profiles>.
const KEYS: [&str; 6] = [
    "%dev.quarkus.http.port",
    "server.port",
    "quarkus.http.port",
    "micronaut.server.port",
    "ktor.deployment.port",
    "vertx.http.port",
];

/// Returns the port that the settings of the module in `dir` say, if they say it plainly.
pub(super) fn port(files: &Files<'_>, dir: &str) -> Option<Found<u16>> {
    NAMES.iter().find_map(|name| {
        let path = join(dir, &format!("{RESOURCES}/{name}"));
        let text = files.read_if_there(&path)?;
        let entries = if name.ends_with(".properties") { properties(&text) } else { yaml(&text) };
        KEYS.iter().find_map(|key| {
            let (_, value, line) = entries.iter().find(|(known, _, _)| known == key)?;
            Some(Found::new(plain(value)?, path.as_str(), *line, format!("{key} of {name}")))
        })
    })
}

/// Reads `8081` and `${PORT:8081}`.
fn plain(value: &str) -> Option<u16> {
    let value = value.trim().trim_matches(['"', '\'']);
    let value = match value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        Some(inside) => inside.rsplit_once(':')?.1,
        None => value,
    };
    value.trim().parse().ok().filter(|port| *port > 0)
}

/// Keys with their values and lines.
type Entries = Vec<(String, String, usize)>;

/// Reads the first document: what follows `#---` is for a profile
/// (<https://docs.spring.io/spring-boot/reference/features/external-config.html#features.external-config.files.multi-document>).
fn properties(text: &str) -> Entries {
    let entry = |(number, line): (usize, &str)| {
        let line = line.trim();
        let (key, value) = line.split_once(['=', ':']).filter(|_| !line.starts_with(['#', '!']))?;
        Some((key.trim().to_owned(), value.trim().to_owned(), number + 1))
    };
    let first = text.lines().enumerate().take_while(|(_, line)| !matches!(line.trim_end(), "#---" | "!---"));
    first.filter_map(entry).collect()
}

/// Reads the first document by its indentation: build tools put `@version@` and the like into such files, which no reader of
/// YAML takes.
fn yaml(text: &str) -> Entries {
    let mut entries = Vec::new();
    let mut above: Vec<(usize, String)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split(" #").next().unwrap_or_default();
        let key_at = code.len() - code.trim_start().len();
        let code = code.trim();
        if code == "---" && !entries.is_empty() {
            break;
        }
        let Some((key, value)) = code.split_once(':').filter(|_| !code.starts_with(['#', '-'])) else { continue };
        while above.last().is_some_and(|(indent, _)| *indent >= key_at) {
            above.pop();
        }
        let key = key.trim_matches(['"', '\'']);
        let path = above.iter().map(|(_, key)| key.as_str()).chain([key]).collect::<Vec<_>>().join(".");
        above.push((key_at, key.to_owned()));
        entries.push((path, value.trim().to_owned(), number + 1));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_only_the_scheme_is_read() {
        for (value, expected) in [
            ("jdbc:postgresql://localhost:5432/shop", Some("postgresql")),
            ("${DB_URL:jdbc:mysql://u:secret@localhost/shop}", Some("mysql")),
            ("r2dbc:pool:mariadb://localhost/a", Some("mariadb")),
            ("jdbc:tc:postgresql:16:///a", Some("postgresql")),
            ("'jdbc:h2:mem:a'", Some("h2")),
            ("${KIND:mssql}", Some("mssql")),
            ("postgresql", Some("postgresql")),
            ("${DB_URL}", None),
            ("jdbc:@a@", None),
            ("", None),
        ] {
            assert_eq!(database(value), expected, "{value}");
        }
    }

    #[test]
    fn both_kinds_of_settings_are_read_by_their_lines() {
        let properties = properties("# server.port=1\nserver.port = 8081\nspring.x: y\n");
        assert_eq!(properties[0], ("server.port".into(), "8081".into(), 2));
        let text = "spring:\n  application: {name: '@name@'}\n  a: @version@\nserver:\n  # port: 1\n  servlet:\n    path: /\n  port: ${PORT:8082} # here\n---\nserver:\n  port: 9\n";
        let found = yaml(text);
        let port = found.iter().find(|(key, _, _)| key == "server.port").unwrap();
        assert_eq!((plain(&port.1), port.2), (Some(8082), 8));
        assert_eq!(found.iter().filter(|(key, _, _)| key == "server.port").count(), 1);
        assert_eq!([plain("${X}"), plain("0"), plain("'80'"), plain("${server.x}")], [None, None, Some(80), None]);
    }
}
