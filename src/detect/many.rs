//! What names many services is made to work with any of them: a collection of connectors, a product that runs on any relational
//! database, one that works with any broker. What of them is started is no option, however much it is.

use std::collections::{BTreeMap, BTreeSet};

use super::confidence::{COLLECTION, MANY, PORTABLE, Scope};
use super::decide::decision;
use super::findings::{Pieces, is_relational, sure};
use super::model::Evidence;
use super::rules::{DATABASE, Declared, ServiceRules, canonical};
use super::undeveloped::EMBEDDED;
use crate::catalog::Ecosystem;

/// Returns the manifests that are collections of connectors.
pub(super) fn collections(evidence: &Pieces) -> Vec<&str> {
    of_many(kinds(evidence.iter()), COLLECTION)
}

/// Returns the manifests of what runs on any of several relational databases, one within the app among them.
pub(super) fn portable<'a>(evidence: &'a Pieces, declared: &'a [Declared], rules: &[ServiceRules<'_>]) -> Vec<&'a str> {
    let servers = evidence.iter().filter(|(service, _)| is_relational(&rules[**service]));
    let mut kinds = kinds(servers);
    for one in declared.iter().filter(|one| one.scope == Scope::Runtime && opens_within(one)) {
        // By no service's place.
        kinds.entry(&one.file).or_default().insert(usize::MAX);
    }
    of_many(kinds, PORTABLE)
}

/// Tells whether a package opens a database within the app.
pub(super) fn opens_within(one: &Declared) -> bool {
    const DRIVERS: [(Ecosystem, &str); 14] = [
        (Ecosystem::Go, "github.com/mattn/go-sqlite3"),
        (Ecosystem::Go, "modernc.org/sqlite"),
        (Ecosystem::Go, "github.com/glebarez/sqlite"),
        (Ecosystem::Go, "gorm.io/driver/sqlite"),
        (Ecosystem::Node, "sqlite3"),
        (Ecosystem::Node, "better-sqlite3"),
        (Ecosystem::Ruby, "sqlite3"),
        (Ecosystem::Php, "ext-pdo_sqlite"),
        (Ecosystem::Dotnet, "microsoft.entityframeworkcore.sqlite"),
        (Ecosystem::Dotnet, "microsoft.data.sqlite"),
        (Ecosystem::Jvm, "org.xerial:sqlite-jdbc"),
        (Ecosystem::Jvm, "com.h2database:h2"),
        (Ecosystem::Jvm, "org.apache.derby:derby"),
        (Ecosystem::Jvm, "org.hsqldb:hsqldb"),
    ];
    let has_feature = |features: &[&str]| one.extras.iter().any(|extra| features.contains(&extra.as_str()));
    match one.ecosystem {
        // https://docs.rs/sqlx, https://docs.rs/diesel, https://docs.rs/sea-orm: which databases a build knows.
        Ecosystem::Rust => one.name == "rusqlite" || has_feature(&["sqlite", "sqlx-sqlite"]),
        ecosystem => {
            let driver = canonical(ecosystem, &one.name);
            DRIVERS.iter().chain(&EMBEDDED).any(|known| *known == (ecosystem, driver.as_str()))
        }
    }
}

/// Returns the categories of which the manifests name so many services that the project takes any of them.
pub(super) fn many_of_a_kind<'a>(evidence: &Pieces, rules: &[ServiceRules<'a>]) -> Vec<&'a str> {
    let mut services = BTreeMap::<&str, usize>::new();
    for (service, pieces) in evidence {
        if sure(pieces).next().is_some() {
            *services.entry(rules[*service].category).or_default() += 1;
        }
    }
    let many = services.into_iter().filter(|(category, count)| *category != DATABASE && *count >= MANY);
    many.map(|(category, _)| category).collect()
}

/// Says why a service is an option that is one of many of its kind.
pub(super) fn one_of_many(pieces: &[Evidence], service: &ServiceRules<'_>, many: &[&str]) -> Option<String> {
    let is_one = many.contains(&service.category) && sure(pieces).all(|piece| decision(piece).is_none());
    is_one.then(|| format!("one of many of its kind ({})", service.category))
}

/// Returns which of these services each manifest makes sure.
fn kinds<'a>(evidence: impl Iterator<Item = (&'a usize, &'a Vec<Evidence>)>) -> BTreeMap<&'a str, BTreeSet<usize>> {
    let mut services = BTreeMap::<&str, BTreeSet<usize>>::new();
    for (service, pieces) in evidence {
        for piece in sure(pieces).filter(|piece| decision(piece).is_none()) {
            services.entry(&piece.file).or_default().insert(*service);
        }
    }
    services
}

/// Returns the manifests that name at least so many.
fn of_many(kinds: BTreeMap<&str, BTreeSet<usize>>, least: usize) -> Vec<&str> {
    kinds.into_iter().filter(|(_, services)| services.len() >= least).map(|(file, _)| file).collect()
}

/// How many packages of one service are more than a connector needs: they are of a queue, of sessions, of a cache of the app's own.
const OWN: usize = 3;

/// Says why a service is an option that only collections of connectors name, each with what a connector needs.
pub(super) fn collected(pieces: &[Evidence], collections: &[&str]) -> Option<String> {
    let first = sure(pieces).next()?;
    let is_own = |file: &str| sure(pieces).filter(|piece| piece.file == file).count() >= OWN;
    sure(pieces)
        .all(|piece| decision(piece).is_none() && collections.contains(&piece.file.as_str()) && !is_own(&piece.file))
        .then(|| format!("one of the many connectors in {}", first.file))
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, selected, tree};

    #[test]
    fn a_database_within_the_app_is_one_of_those_it_runs_on() {
        let module = |more: &str| {
            let lines = "require (\n\tgithub.com/lib/pq v1.0.0\n\tgithub.com/go-sql-driver/mysql v1.0.0\n\tgithub.com/redis/go-redis/v9 v9.0.0\n";
            format!("module a\ngo 1.25\n{lines}{more})\n")
        };
        let of = |more: &str| tree(&[("go.mod", &module(more))]).detect_by_catalog();
        assert_eq!(selected(&of("")), ["postgres", "redis"]);
        let detection = of("\tgithub.com/mattn/go-sqlite3 v1.0.0\n");
        assert!(found(&detection).contains(&"redis") && !selected(&detection).contains(&"redis"), "{detection:?}");
        assert_eq!(selected(&of("\tgithub.com/mattn/go-sqlite3 v1.0.0 // indirect\n")), ["postgres", "redis"]);
        let features = |names: &str| {
            let text = format!(
                "[package]\nname = 'a'\n[dependencies]\nasync-nats = '1'\nsqlx = {{ version = '1', features = [{names}] }}\n"
            );
            let detection = tree(&[("Cargo.toml", &text)]).detect_by_catalog();
            selected(&detection).iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(features("'postgres', 'mysql'"), ["nats", "postgres"]);
        assert_eq!(features("'postgres', 'mysql', 'sqlite'"), ["postgres"]);
    }

    #[test]
    fn three_brokers_in_as_many_modules_are_one_by_choice() {
        let package = |client: &str| format!(r#"{{"dependencies": {{"{client}": "1"}}}}"#);
        let (kafka, amqp, nats) = (package("kafkajs"), package("amqplib"), package("nats"));
        let files = [("a/package.json", &*kafka), ("b/package.json", &*amqp), ("c/package.json", &*nats)];
        assert_eq!(selected(&tree(&files[..2]).detect_by_catalog()), ["kafka", "rabbitmq"]);
        let detection = tree(&files).detect_by_catalog();
        assert_eq!((found(&detection).len(), selected(&detection).len()), (3, 0), "{detection:?}");
        let note = &detection.findings[0].evidence[0].note;
        assert!(note.ends_with("; one of many of its kind (messaging)"), "{note}");
        // What is started is used.
        let started = [&files[..], &[("compose.yml", "services:\n  b: {image: rabbitmq}\n")]].concat();
        assert_eq!(selected(&tree(&started).detect_by_catalog()), ["rabbitmq"]);
    }
}
