//! Tools that run a project in containers by a file of their own: DDEV (`.ddev/config.yaml`) and Lando (`.lando.yml`).

use serde_yaml::Value;

use super::{parse, plain};
use crate::catalog::Ecosystem;
use crate::detect::confidence::Scope;
use crate::detect::files::Files;
use crate::detect::rules::Declared;

/// Where DDEV keeps its files; the compose files there are part of what it starts
/// (<https://docs.ddev.com/en/stable/users/extend/custom-compose-files/>).
pub(super) const DDEV: &str = ".ddev";

/// Tells whether a path is DDEV's file.
fn is_ddev(path: &str) -> bool {
    path.strip_suffix(".ddev/config.yaml").is_some_and(|above| above.is_empty() || above.ends_with('/'))
}

fn is_lando(path: &str) -> bool {
    path == ".lando.yml" || path.ends_with("/.lando.yml")
}

/// Tells whether a path is a file that is read here.
pub(super) fn is_one(path: &str) -> bool {
    is_ddev(path) || is_lando(path)
}

/// Returns what the tools start, by the names of the images that they are made of.
pub(super) fn declared(files: &Files<'_>) -> Vec<Declared> {
    let mut out = Vec::new();
    for path in files.all().filter(|path| is_one(path)) {
        let Some((text, value)) = parse(files, path) else { continue };
        let value = plain(&value);
        let said = if is_ddev(path) { ddev(value) } else { lando(value) };
        out.extend(said.into_iter().map(|(key, service)| Declared {
            ecosystem: Ecosystem::Compose,
            line: line(&text, &key, &service),
            name: image(&service),
            extras: Vec::new(),
            scope: Scope::Runtime,
            file: path.to_owned(),
        }));
    }
    out
}

/// Reads `database: {type: mariadb}` (<https://docs.ddev.com/en/stable/users/configuration/config/#database>), unless the
/// database is left out (`omit_containers: [db]`).
fn ddev(value: &Value) -> Vec<(String, String)> {
    let omitted = value.get("omit_containers").and_then(Value::as_sequence);
    if omitted.into_iter().flatten().any(|container| container.as_str() == Some("db")) {
        return Vec::new();
    }
    let kind = value.get("database").and_then(|database| database.get("type")).and_then(Value::as_str);
    kind.map(|kind| ("type".to_owned(), kind.to_owned())).into_iter().collect()
}

/// Reads the type of every service, and the database that a recipe is given (<https://docs.lando.dev/services/lando-3.html>).
fn lando(value: &Value) -> Vec<(String, String)> {
    let services = value.get("services").and_then(Value::as_mapping).into_iter().flat_map(serde_yaml::Mapping::values);
    let types = services.filter_map(|service| plain(service).get("type")?.as_str()).map(|kind| ("type", kind));
    let recipe = value.get("config").and_then(|config| config.get("database")).and_then(Value::as_str);
    types.chain(recipe.map(|kind| ("database", kind))).map(|(key, kind)| (key.to_owned(), kind.to_owned())).collect()
}

/// Returns the image behind a type: `redis` of `redis:7`.
fn image(service: &str) -> String {
    match service.split(':').next().unwrap_or_default() {
        "mailhog" => "mailhog/mailhog".to_owned(),
        name => name.to_owned(),
    }
}

/// Returns the first line on which a key has this value, or 1.
fn line(text: &str, key: &str, value: &str) -> usize {
    let is_it = |line: &str| {
        let said = line.trim().strip_prefix(key).and_then(|rest| rest.trim_start().strip_prefix(':'));
        said.is_some_and(|said| said.trim().trim_matches(['"', '\'']).starts_with(value))
    };
    text.lines().position(is_it).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, selected, tree};

    #[test]
    fn ddev_starts_its_database_and_its_compose_files() {
        let config = "name: shop\ntype: drupal11\ndatabase:\n  type: mysql\n  version: '8.0'\n";
        let cache = (".ddev/docker-compose.redis.yaml", "services:\n  redis: {image: redis}\n");
        let package = ("composer.json", r#"{"require": {"ext-pdo_mysql": "*", "ext-pdo_pgsql": "*"}}"#);
        let detection = tree(&[(".ddev/config.yaml", config), cache, package]).detect();
        assert_eq!(selected(&detection), ["mysql", "redis"], "{detection:?}");
        let mysql = detection.findings.iter().find(|finding| finding.name == "mysql").unwrap();
        let config_says = mysql.evidence.iter().find(|piece| piece.file == ".ddev/config.yaml").unwrap();
        assert_eq!((config_says.line, config_says.note.as_str()), (4, "mysql runs mysql"));
        let omitted = format!("{config}omit_containers: [db]\n");
        assert!(found(&tree(&[(".ddev/config.yaml", &omitted)]).detect()).is_empty());
    }

    #[test]
    fn lando_starts_the_services_of_its_file() {
        let text = "name: shop\nrecipe: lamp\nconfig:\n  database: postgres:16\nservices:\n  cache:\n    type: redis:7\n  node:\n    type: node\n";
        let detection = tree(&[(".lando.yml", text)]).detect();
        assert_eq!(selected(&detection), ["postgres", "redis"]);
        let lines: Vec<usize> = detection.findings.iter().map(|finding| finding.evidence[0].line).collect();
        assert_eq!(lines, [4, 7]);
    }

    #[test]
    fn a_malformed_file_is_a_warning() {
        let detection = tree(&[(".lando.yml", "a: [\n"), (".ddev/config.yaml", "database: x\n")]).detect();
        assert_eq!((detection.warnings.len(), detection.findings.len()), (1, 0));
    }
}
