//! PHP: composer.json (<https://getcomposer.org/doc/04-schema.md>).

mod app;

use std::collections::HashSet;

use super::confidence::Scope;
use super::files::Files;
use super::json::{Json, Objects};
use super::places::split;
use super::rules::{Declared, canonical};
use crate::catalog::Ecosystem;

pub(super) use app::{candidates, stack};

/// Where composer.json names packages; extensions of PHP (`ext-redis`) are among them. What is suggested the app runs without.
const SECTIONS: [(&str, Scope); 3] =
    [("require", Scope::Runtime), ("require-dev", Scope::Dev), ("suggest", Scope::Optional)];

/// What a framework has beside a client of its own or in place of one, for those who switch it on
/// (<https://laravel.com/docs/redis#predis>); its example environment says whether the project does.
const SWITCHED_ON: [(&str, &str); 1] = [("laravel/framework", "predis/predis")];

/// One composer.json.
pub(super) struct PhpPackage {
    /// Its directory, empty for the root.
    pub dir: String,
    pub file: String,
    pub json: Json,
}

/// Tells whether a path is a manifest of PHP, or says something by being there.
pub(super) fn is_manifest(path: &str) -> bool {
    let (directory, name) = split(path);
    matches!(name, "composer.json" | "composer.lock" | "artisan" | "index.php")
        || (name == "console" && split(directory).1 == "bin")
}

/// Reads every composer.json, sorted by path. Below `vendor-bin` are the tools of development
/// (<https://github.com/bamarni/composer-bin-plugin>).
pub(super) fn read(files: &Files<'_>) -> Vec<PhpPackage> {
    let of_tools = |path: &&str| split(path).0.split('/').any(|directory| directory == "vendor-bin");
    files.named("composer.json").filter(|path| !of_tools(path)).filter_map(|path| one(files, path)).collect()
}

fn one(files: &Files<'_>, path: &str) -> Option<PhpPackage> {
    let objects = Objects { names: &SECTIONS.map(|(section, _)| section), or_empty_list: false };
    let json = Json::object(files, path, str::to_owned, &objects)?;
    Some(PhpPackage { dir: split(path).0.into(), file: path.into(), json })
}

/// Returns what the packages name, without one another.
pub(super) fn declared(packages: &[PhpPackage]) -> Vec<Declared> {
    let name = |package: &PhpPackage| package.json.value["name"].as_str().map(|name| canonical(Ecosystem::Php, name));
    let own: HashSet<String> = packages.iter().filter_map(name).collect();
    let mut declared = Vec::new();
    for package in packages {
        for (section, scope) in &SECTIONS {
            let Some(entries) = package.json.value[*section].as_object() else { continue };
            let is_switched_on = |name: &str| {
                let name = canonical(Ecosystem::Php, name);
                SWITCHED_ON.iter().any(|(framework, client)| *client == name && entries.contains_key(*framework))
            };
            for key in entries.keys().filter(|key| !own.contains(&canonical(Ecosystem::Php, key))) {
                declared.push(Declared {
                    ecosystem: Ecosystem::Php,
                    name: key.clone(),
                    extras: Vec::new(),
                    scope: if is_switched_on(key) { Scope::Optional } else { scope.clone() },
                    file: package.file.clone(),
                    line: package.json.line(&[section, key]),
                });
            }
        }
    }
    declared
}

/// Returns the directories of the projects that commit `.env` as the template of their environment, with what is no secret, as
/// Symfony does (<https://symfony.com/doc/current/configuration.html#configuring-environment-variables-in-env-files>). Laravel has
/// parts of Symfony, and secrets in `.env`.
pub(super) fn with_committed_env(packages: &[PhpPackage]) -> impl Iterator<Item = &str> {
    const LOADS: [&str; 4] = ["symfony/dotenv", "symfony/flex", "symfony/framework-bundle", "symfony/symfony"];
    let requires = |package: &PhpPackage, name: &str| package.json.value["require"].get(name).is_some();
    let commits = move |package: &&PhpPackage| {
        LOADS.iter().any(|name| requires(package, name)) && !requires(package, "laravel/framework")
    };
    packages.iter().filter(commits).map(|package| package.dir.as_str())
}

#[cfg(test)]
mod tests {
    use crate::detect::Detection;
    use crate::detect::testing::{found, selected, tree};

    fn package(json: &str) -> Detection {
        tree(&[("composer.json", json)]).detect()
    }

    #[test]
    fn packages_and_extensions_with_their_scope_and_line() {
        let detection = package(
            "{\n \"require\": {\n  \"php\": \"^8.3\",\n  \"ext-pdo_pgsql\": \"*\",\n  \"Predis/Predis\": \"^2\"\n },\n \"require-dev\": {\"ext-amqp\": \"*\"}\n}",
        );
        assert_eq!(selected(&detection), ["postgres", "redis"]);
        assert_eq!(found(&detection), ["postgres", "rabbitmq", "redis"]);
        let evidence = &detection.findings[0].evidence[0];
        assert_eq!((evidence.line, evidence.package.as_str(), evidence.confidence), (4, "ext-pdo_pgsql", 0.95));
        assert_eq!(detection.findings[2].evidence[0].note, "ext-amqp works with rabbitmq, for development only");
    }

    #[test]
    fn what_is_suggested_is_optional_and_what_is_replaced_is_nothing() {
        let detection = package(
            r#"{"suggest": {"ext-redis": "for the cache"}, "replace": {"ext-amqp": "*"}, "conflict": {"ext-pdo_mysql": "*"}}"#,
        );
        assert_eq!((found(&detection), selected(&detection).len()), (vec!["redis"], 0));
    }

    #[test]
    fn a_framework_without_a_driver_is_a_question() {
        let laravel = package(r#"{"require": {"laravel/framework": "^12"}}"#);
        assert_eq!((found(&laravel), selected(&laravel).len()), (vec!["mysql", "postgres"], 0));
        let answered = package(r#"{"require": {"laravel/framework": "^12", "ext-pdo_mysql": "*"}}"#);
        assert_eq!((found(&answered), selected(&answered)), (vec!["mysql"], vec!["mysql"]));
        assert_eq!(answered.findings[0].evidence.len(), 1);
        let compose = ("compose.yml", "services:\n  db:\n    image: postgres:17\n");
        let started = tree(&[("composer.json", r#"{"require": {"laravel/framework": "^12"}}"#), compose]).detect();
        assert_eq!((found(&started), selected(&started)), (vec!["postgres"], vec!["postgres"]));
        let perhaps = package(r#"{"require": {"laravel/framework": "^12"}, "suggest": {"ext-pdo_mysql": "*"}}"#);
        assert_eq!(found(&perhaps), ["mysql", "postgres"], "a suggestion is no answer");
    }

    #[test]
    fn tools_and_own_packages_do_not_count() {
        let redis = r#"{"require": {"predis/predis": "*"}}"#;
        let files = [
            ("composer.json", r#"{"name": "Predis/predis"}"#),
            ("packages/a/composer.json", redis),
            ("vendor-bin/b/composer.json", r#"{"require": {"ext-redis": "*"}}"#),
        ];
        assert!(found(&tree(&files).detect()).is_empty());
    }

    #[test]
    fn malformed_manifests_are_warnings_and_the_rest_counts() {
        let files = [
            ("composer.json", "{\n  \"require\": {\n    \"ext-redis\": ,\n"),
            ("a/composer.json", r#"{"require": ["ext-redis"], "require-dev": {"ext-redis": 1}}"#),
            ("b/composer.json", "[]"),
        ];
        let detection = tree(&files).detect();
        assert_eq!(found(&detection), ["redis"]);
        let what: Vec<_> = detection.warnings.iter().map(|warning| warning.what.as_str()).collect();
        assert_eq!(
            what,
            [
                "`a/composer.json` is malformed: `require` is not an object",
                "`b/composer.json` is malformed: it is not a JSON object",
                "`composer.json` is malformed: expected value"
            ]
        );
        assert_eq!(detection.warnings[2].place.as_ref().unwrap().line, 3);
    }

    #[test]
    fn a_client_that_laravel_switches_on_is_an_option_until_something_says_so() {
        let laravel = |client: &str| format!("{{\"require\": {{\"laravel/framework\": \"12\", \"{client}\": \"3\"}}}}");
        let (predis, horizon) = (laravel("predis/predis"), laravel("laravel/horizon"));
        let selects = |files: &[(&str, &str)]| {
            let detection = tree(files).detect_by_catalog();
            assert!(found(&detection).contains(&"redis"), "{files:?}");
            selected(&detection).contains(&"redis")
        };
        assert!(!selects(&[("composer.json", &predis)]));
        assert!(selects(&[("composer.json", &predis), (".env.example", "QUEUE_CONNECTION=redis\n")]));
        assert!(selects(&[("composer.json", &horizon)]));
        assert!(selects(&[("composer.json", r#"{"require": {"predis/predis": "3"}}"#)]));
    }
}
