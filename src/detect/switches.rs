//! What an example environment switches to something else. A framework names its clients whether the project uses them or
//! not (Laravel's `predis`); where every use of one is set to another driver (`CACHE_STORE=database`, `QUEUE_CONNECTION=sync`),
//! the client is an option.

use std::collections::BTreeSet;

use super::confidence::{SELECT, Scope};
use super::decide::{about, decision, is_within};
use super::model::Evidence;
use super::places::split;
use super::rules::{Declared, ServiceRules};
use crate::catalog::Ecosystem;

/// With one of them alone something else than what it is about may be the use of the client.
const SWITCHES: usize = 2;

/// Says why a service is an option: an example environment, in or above the directory of all that makes it sure, has
/// several of the variables that could choose it, and all of them choose something else.
pub(super) fn switched_off(pieces: &[Evidence], declared: &[Declared], rules: &ServiceRules<'_>) -> Option<String> {
    let switches: Vec<(&str, &str)> =
        rules.detect.get(&Ecosystem::Env)?.strong.iter().filter_map(|rule| rule.split_once('=')).collect();
    let set = || declared.iter().filter_map(|one| set_in_example(one, &switches));
    let sure: Vec<&Evidence> = pieces.iter().filter(|piece| piece.confidence >= SELECT).collect();
    if sure.is_empty() || sure.iter().any(|piece| decision(piece).is_some()) {
        return None;
    }
    let file = set().map(|(file, ..)| file).find(|file| {
        let here: Vec<_> = set().filter(|(other, ..)| other == file).collect();
        let variables: BTreeSet<&str> = here.iter().map(|(_, variable, _)| *variable).collect();
        variables.len() >= SWITCHES
            && here.iter().all(|(_, variable, value)| !switches.contains(&(variable, value)))
            && sure.iter().all(|piece| is_within(&piece.file, split(file).0))
    })?;
    let (_, variable, value) = set().find(|(other, ..)| *other == file)?;
    Some(format!("{file} chooses something else: {variable}={value}"))
}

/// What says that a thing is not used.
const OFF: [&str; 5] = ["0", "disabled", "false", "no", "off"];

/// Says why a service is an option: an example environment or the settings of an app, in or above the directory of all that makes it
/// sure, have it switched off by its name (`REDIS_ENABLED=false`, `USE_REDIS=0`, `management.health.redis.enabled: false`).
pub(super) fn disabled(pieces: &[Evidence], declared: &[Declared], service: &str) -> Option<String> {
    let sure: Vec<&Evidence> = pieces.iter().filter(|piece| piece.confidence >= SELECT).collect();
    if sure.is_empty() || sure.iter().any(|piece| decision(piece).is_some()) {
        return None;
    }
    let counts =
        |one: &&Declared| one.ecosystem == Ecosystem::Env && matches!(one.scope, Scope::Example | Scope::Runtime);
    let off = declared.iter().filter(counts).find(|one| {
        one.name.split_once('=').is_some_and(|(switch, value)| OFF.contains(&value) && switches(switch, service))
            && sure.iter().all(|piece| is_within(&piece.file, about(&one.file)))
    })?;
    Some(format!("{} switches it off: {}", off.file, off.name))
}

/// Tells whether a variable or a key switches a service on and off.
fn switches(switch: &str, service: &str) -> bool {
    let words: Vec<String> = switch.split(['_', '.', '-']).map(str::to_ascii_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [.., name, "enabled" | "enable"] | [.., "enable" | "use" | "with", name] => *name == service,
        _ => false,
    }
}

/// Returns file, variable and value of a line of an example that sets one of the switches.
fn set_in_example<'a>(declared: &'a Declared, switches: &[(&str, &str)]) -> Option<(&'a str, &'a str, &'a str)> {
    if declared.ecosystem != Ecosystem::Env || declared.scope != Scope::Example {
        return None;
    }
    let (variable, value) = declared.name.split_once('=')?;
    switches.iter().any(|(switch, _)| *switch == variable).then_some((&declared.file, variable, value))
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, selected, tree};

    const COMPOSER: (&str, &str) = ("composer.json", r#"{"require": {"ext-redis": "*"}}"#);

    #[test]
    fn a_client_whose_every_use_is_set_to_something_else_is_an_option() {
        let env = "DB_CONNECTION=sqlite\nSESSION_DRIVER=database\nQUEUE_CONNECTION=sync\nCACHE_STORE=database\nREDIS_HOST=127.0.0.1\n";
        let detection = tree(&[COMPOSER, (".env.example", env)]).detect_by_catalog();
        assert!(found(&detection).contains(&"redis"), "{detection:?}");
        assert!(selected(&detection).is_empty(), "{detection:?}");
        let redis = detection.findings.iter().find(|finding| finding.name == "redis").unwrap();
        let note = &redis.evidence[0].note;
        assert!(note.ends_with("; .env.example chooses something else: SESSION_DRIVER=database"), "{note}");
    }

    #[test]
    fn what_is_switched_off_by_its_name_is_an_option() {
        let package = ("package.json", r#"{"dependencies": {"ioredis": "5"}}"#);
        for line in ["REDIS_ENABLED=false", "SHOP_REDIS_ENABLED=False", "USE_REDIS=0", "ENABLE_REDIS='no'"] {
            let detection = tree(&[package, (".env.example", line)]).detect_by_catalog();
            assert!(found(&detection).contains(&"redis") && selected(&detection).is_empty(), "{line}: {detection:?}");
            assert!(
                detection.findings[0].evidence[0].note.contains("; .env.example switches it off: "),
                "{detection:?}"
            );
        }
        for line in ["REDIS_ENABLED=true", "REDIS_TLS=false", "REDIS_DEVSERVICES_ENABLED=false", "# USE_REDIS=0"] {
            assert_eq!(selected(&tree(&[package, (".env.example", line)]).detect_by_catalog()), ["redis"], "{line}");
        }
        let pom = "<project><dependencies><dependency><groupId>redis.clients</groupId><artifactId>jedis</artifactId></dependency></dependencies></project>";
        let settings = "management:\n  health:\n    redis:\n      enabled: false\n";
        let files = [("app/pom.xml", pom), ("app/src/main/resources/application.yml", settings)];
        assert!(selected(&tree(&files).detect_by_catalog()).is_empty());
        assert_eq!(selected(&tree(&files[..1]).detect_by_catalog()), ["redis"]);
    }

    #[test]
    fn one_use_of_it_or_only_one_switch_leaves_it_selected() {
        for env in [
            "SESSION_DRIVER=file\nQUEUE_CONNECTION=redis\nCACHE_STORE=file\n",
            "SESSION_DRIVER=file\n",
            "# SESSION_DRIVER=file\n# CACHE_STORE=file\n",
            "",
        ] {
            let detection = tree(&[COMPOSER, (".env.example", env)]).detect_by_catalog();
            assert!(selected(&detection).contains(&"redis"), "{env}");
        }
        let elsewhere = ("docs/.env.example", "SESSION_DRIVER=file\nCACHE_STORE=file\n");
        assert!(selected(&tree(&[COMPOSER, elsewhere]).detect_by_catalog()).contains(&"redis"));
        let compose = ("compose.yml", "services:\n  cache: {image: redis}\n");
        let env = (".env.example", "SESSION_DRIVER=file\nCACHE_STORE=file\n");
        assert!(selected(&tree(&[COMPOSER, env, compose]).detect_by_catalog()).contains(&"redis"));
    }
}
