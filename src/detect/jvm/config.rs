//! The port in the settings of an app: `server.port` of Spring Boot, and what Quarkus, Micronaut and Ktor call it.

use crate::detect::files::Files;
use crate::detect::model::Found;
use crate::detect::places::join;

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
    ["application.properties", "application.yml", "application.yaml"].iter().find_map(|name| {
        let path = join(dir, &format!("src/main/resources/{name}"));
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

fn properties(text: &str) -> Entries {
    let entry = |(number, line): (usize, &str)| {
        let line = line.trim();
        let (key, value) = line.split_once(['=', ':']).filter(|_| !line.starts_with(['#', '!']))?;
        Some((key.trim().to_owned(), value.trim().to_owned(), number + 1))
    };
    text.lines().enumerate().filter_map(entry).collect()
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
