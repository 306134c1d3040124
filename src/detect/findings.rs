//! From declared packages to findings.

use std::collections::BTreeMap;

use super::brokers::take_back_answered;
use super::compose::PACKAGED;
use super::confidence::{ALTERNATIVE, SELECT, Scope};
use super::covered::take_one;
use super::decide::{Decision, SCHEMA, STARTED, about, decision, is_within};
use super::embedded::{Choice, choices, opened_instead};
use super::many::{collected, collections, many_of_a_kind, one_of_many, portable};
use super::model::{Evidence, Finding};
use super::places::split;
use super::rules::{DATABASE, Declared, Index, RELATIONAL, ServiceRules, canonical};
use super::switches::{disabled, switched_off};
use super::undeveloped::Development;
use super::unnamed::left_unnamed;
use crate::catalog::Ecosystem;

/// Evidence by service, services by their place in the rules.
pub(super) type Pieces = BTreeMap<usize, Vec<Evidence>>;

/// Asks the rules about every declared package; returns the services, the surest first.
pub(super) fn find(declared: &[Declared], rules: &[ServiceRules<'_>]) -> Vec<Finding> {
    let index = Index::new(rules);
    let mut evidence = Pieces::new();
    for package in declared {
        for (service, piece) in index.evidence(package) {
            evidence.entry(service).or_default().push(piece);
        }
    }
    for pieces in evidence.values_mut() {
        tidy(pieces);
    }
    take_back_answered(&mut evidence);
    let evidence = without_answered_questions(&evidence, rules);
    let options = Options {
        declared,
        rules,
        within: choices(declared, rules),
        development: development(declared, &index, rules),
        collections: collections(&evidence),
        portable: portable(&evidence, declared, rules),
        many: many_of_a_kind(&evidence, rules),
        evidence: &evidence,
    };
    let findings: Vec<Finding> = evidence
        .iter()
        .map(|(service, pieces)| {
            let surest = pieces[0].confidence;
            let (confidence, pieces) = match options.why(*service, pieces) {
                Some(why) => (surest.min(ALTERNATIVE), with_note(pieces, &why)),
                None => (surest, pieces.clone()),
            };
            Finding::new(rules[*service].name, confidence, pieces, rules[*service].variants)
        })
        .collect();
    let mut findings = take_one(findings, rules);
    findings.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then_with(|| a.name.cmp(&b.name)));
    findings
}

/// What makes an option of a service that the manifests name.
struct Options<'a> {
    declared: &'a [Declared],
    rules: &'a [ServiceRules<'a>],
    within: Vec<Choice<'a>>,
    development: Development<'a>,
    collections: Vec<&'a str>,
    portable: Vec<&'a str>,
    many: Vec<&'a str>,
    evidence: &'a Pieces,
}

impl Options<'_> {
    /// Says why a service is an option, if it is one.
    fn why(&self, service: usize, pieces: &[Evidence]) -> Option<String> {
        let (evidence, declared, rules) = (self.evidence, self.declared, self.rules);
        let about = &rules[service];
        let decided = decided_instead(service, evidence, rules).map(|other| (other, ", which the project sets up"));
        let chosen = || chosen_instead(service, evidence, rules).map(|other| (other, " in the same manifest"));
        let instead = |(other, why): (&str, &str)| format!("an alternative to {other}{why}");
        decided
            .map(instead)
            .or_else(|| opened_instead(pieces, declared, about, &self.within))
            .or_else(|| chosen().map(instead))
            .or_else(|| left_out(service, evidence, declared, rules))
            .or_else(|| switched_off(pieces, declared, about))
            .or_else(|| disabled(pieces, declared, about.name))
            .or_else(|| self.development.does_without(service, about.category, pieces, declared))
            .or_else(|| left_unnamed(service, about, evidence, declared, rules).filter(|_| !is_relational(about)))
            .or_else(|| collected(pieces, &self.collections))
            .or_else(|| collected(pieces, &self.portable).filter(|_| !is_own_database(pieces, about)))
            .or_else(|| beside_relational(pieces, evidence, about, rules))
            .or_else(|| one_of_many(pieces, about, &self.many))
    }
}

/// Tells what development has, by the rules.
fn development<'a>(declared: &'a [Declared], index: &Index<'_>, rules: &[ServiceRules<'a>]) -> Development<'a> {
    Development::new(declared, |one| {
        let ordinary = Declared { scope: Scope::Runtime, ..one.clone() };
        let pieces = index.evidence(&ordinary).into_iter().filter(|(_, piece)| piece.confidence >= SELECT);
        let database = |service: usize| (rules[service].category == DATABASE).then_some(rules[service].name);
        pieces.map(|(service, _)| (service, database(service))).collect()
    })
}

/// Sorts evidence, the strongest first, and keeps one piece per package and file.
fn tidy(pieces: &mut Vec<Evidence>) {
    pieces.sort_by(|a, b| {
        let key = |e: &Evidence| (e.file.matches('/').count(), e.file.clone(), e.line, e.package.clone());
        b.confidence.total_cmp(&a.confidence).then_with(|| key(a).cmp(&key(b)))
    });
    let mut seen = std::collections::HashSet::new();
    pieces.retain(|piece| seen.insert((piece.file.clone(), piece.package.clone())));
}

/// Tells whether a service is a relational database.
pub(super) fn is_relational(service: &ServiceRules<'_>) -> bool {
    service.one_of.is_some_and(|one_of| one_of.kind == RELATIONAL)
}

/// Tells whether a piece of evidence is a driver as such, without a mapper of objects.
fn is_bare(piece: &Evidence, service: &ServiceRules<'_>) -> bool {
    let name = canonical(piece.ecosystem, &piece.package);
    service.detect.get(&piece.ecosystem).is_some_and(|rules| rules.bare.contains(&name))
}

/// Tells whether a service can be the database of a product that runs on several: a relational one, or one into which its objects
/// are mapped.
fn is_own_database(pieces: &[Evidence], service: &ServiceRules<'_>) -> bool {
    let has_bare = |piece: &Evidence| service.detect.get(&piece.ecosystem).is_some_and(|rules| !rules.bare.is_empty());
    is_relational(service) || sure(pieces).any(|piece| has_bare(piece) && !is_bare(piece, service))
}

/// Returns the pieces that make a service sure.
pub(super) fn sure(pieces: &[Evidence]) -> impl Iterator<Item = &Evidence> {
    pieces.iter().filter(|piece| piece.confidence >= SELECT)
}

/// Tells whether two services are of one kind, of which a project uses one.
fn same_kind(rules: &[ServiceRules<'_>], one: usize, other: usize) -> bool {
    one != other && rules[one].one_of.is_some_and(|a| rules[other].one_of.is_some_and(|b| a.kind == b.kind))
}

/// Leaves out the questions that have an answer. A package that hints at several services of one kind (Laravel works with
/// MySQL and with PostgreSQL) asks which it is; whatever makes one of them sure answers.
fn without_answered_questions(evidence: &Pieces, rules: &[ServiceRules<'_>]) -> Pieces {
    let others = |service: usize| evidence.iter().filter(move |(other, _)| same_kind(rules, service, **other));
    let answered = |service: usize| {
        others(service).map(|(_, pieces)| pieces).chain(evidence.get(&service)).any(|p| sure(p).next().is_some())
    };
    let asks = |service: usize, piece: &Evidence| {
        let same = |other: &Evidence| {
            other.confidence < SELECT && (&other.file, &other.package) == (&piece.file, &piece.package)
        };
        piece.confidence < SELECT && others(service).any(|(_, pieces)| pieces.iter().any(same))
    };
    let kept = evidence.iter().map(|(service, pieces)| {
        let kept = pieces.iter().filter(|piece| !(asks(*service, piece) && answered(*service)));
        (*service, kept.cloned().collect::<Vec<_>>())
    });
    kept.filter(|(_, pieces)| !pieces.is_empty()).collect()
}

/// Returns the service of the same kind that the project itself decided for, where all that makes this one sure lies.
fn decided_instead<'a>(service: usize, evidence: &Pieces, rules: &[ServiceRules<'a>]) -> Option<&'a str> {
    let mine: Vec<&Evidence> = sure(evidence.get(&service)?).collect();
    let weight = mine.iter().filter_map(|piece| decision(piece)).map(|own| own.weight).max().unwrap_or(0);
    if mine.is_empty() {
        return None;
    }
    let mut others = evidence.iter().filter(|(other, _)| same_kind(rules, service, **other));
    others
        .find(|(_, pieces)| {
            let heavier: Vec<_> = pieces.iter().filter_map(decision).filter(|their| their.weight > weight).collect();
            // What is only named chooses between the options of one manifest; what is started needs no such manifest.
            let option = |file: &str| pieces.iter().any(|piece| piece.file == file);
            mine.iter().all(|piece| {
                let by_schema = |their: &Decision<'_>| {
                    their.weight == SCHEMA
                        && (piece.ecosystem == Ecosystem::Env || split(&piece.file).0 == their.directory)
                };
                let decides = |their: &Decision<'_>| their.weight == STARTED || by_schema(their) || option(&piece.file);
                heavier.iter().any(|their| decides(their) && is_within(&piece.file, their.directory))
            })
        })
        .map(|(other, _)| rules[*other].name)
}

/// Returns the service that is selected in place of this one: of the same kind, of a lower rank, in every manifest that
/// makes this one sure. A service that some manifest names alone has a use of its own.
fn chosen_instead<'a>(service: usize, evidence: &Pieces, rules: &[ServiceRules<'a>]) -> Option<&'a str> {
    let one_of = rules[service].one_of?;
    let manifests = |service: usize, pieces: &[Evidence]| -> Vec<String> {
        sure(pieces).map(|piece| manifest(piece, rules[service].name)).collect()
    };
    let mine = manifests(service, evidence.get(&service)?);
    if mine.is_empty() {
        return None;
    }
    let mut better: Vec<_> = evidence
        .iter()
        .filter_map(|(other, pieces)| rules[*other].one_of.map(|their| (their, *other, manifests(*other, pieces))))
        .filter(|(their, _, _)| their.kind == one_of.kind && their.rank < one_of.rank)
        .collect();
    better.sort_by_key(|(their, _, _)| their.rank);
    // In a compose file every service is started: none of them is an option.
    let is_started =
        |file: &String| evidence[&service].iter().any(|piece| piece.file == *file && decision(piece).is_some());
    mine.iter()
        .all(|file| !is_started(file) && better.iter().any(|(_, _, files)| files.contains(file)))
        .then_some(())?;
    better
        .iter()
        .find(|(_, _, files)| mine.iter().any(|file| files.contains(file)))
        .map(|(_, other, _)| rules[*other].name)
}

/// Says why this service is an option: wherever it is named the project starts a database for itself or for its finished
/// product, and so all that it needs, but no compose file of it runs this. What starts no database may be a part of what is
/// needed and says nothing.
fn left_out(service: usize, evidence: &Pieces, declared: &[Declared], rules: &[ServiceRules<'_>]) -> Option<String> {
    let mine = || sure(&evidence[&service]);
    let run = |piece: &Evidence| piece.ecosystem == Ecosystem::Compose;
    if mine().next().is_none() || mine().any(|piece| decision(piece).is_some()) || evidence[&service].iter().any(run) {
        return None;
    }
    let packaged = |piece: &Evidence| {
        let here = |one: &&Declared| one.file == piece.file && one.line == piece.line;
        run(piece) && declared.iter().filter(here).any(|one| one.scope == Scope::Aside(PACKAGED.into()))
    };
    let directory = |piece: &'_ Evidence| {
        let starts = decision(piece).filter(|their| their.weight == STARTED).map(|their| their.directory.to_owned());
        starts.or_else(|| packaged(piece).then(|| about(&piece.file).to_owned()))
    };
    let started: Vec<_> = evidence
        .iter()
        .filter(|(other, _)| rules[**other].category == DATABASE)
        .flat_map(|(other, pieces)| pieces.iter().map(|piece| (rules[*other].name, piece)))
        .filter_map(|(other, piece)| Some((other, piece, directory(piece)?)))
        .collect();
    let (other, piece, _) = started.first()?;
    mine()
        .all(|own| started.iter().any(|(_, _, directory)| is_within(&own.file, directory)))
        .then(|| format!("{} starts {other}, but not this", piece.file))
}

/// Says why a service is an option: bare drivers alone name it, each in a manifest that names a
/// relational database, which is then the app's. An example environment that names it says otherwise.
fn beside_relational(
    pieces: &[Evidence],
    evidence: &Pieces,
    service: &ServiceRules<'_>,
    rules: &[ServiceRules<'_>],
) -> Option<String> {
    let relational = |file: &str| {
        let names = |(_, pieces): &(&usize, &Vec<Evidence>)| sure(pieces).any(|piece| piece.file == file);
        evidence
            .iter()
            .filter(|(service, _)| is_relational(&rules[**service]))
            .find(names)
            .map(|(other, _)| rules[*other].name)
    };
    let first = sure(pieces).next()?;
    if pieces.iter().any(|piece| piece.ecosystem == Ecosystem::Env) {
        return None;
    }
    let is_second = |piece: &Evidence| is_bare(piece, service) && relational(&piece.file).is_some();
    if !sure(pieces).all(is_second) {
        return None;
    }
    Some(format!("a second database beside {} in the same manifest", relational(&first.file)?))
}

/// Names the manifest that a piece of evidence stands in. Modules that are named after the service they speak to
/// (`Shop.Migrations.Postgres` beside `Shop.Migrations.MySql`) are the providers of one app, which takes one of them: they
/// are like one manifest.
fn manifest(piece: &Evidence, service: &str) -> String {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "");
    let module = plain(&piece.file.rsplit('/').take(2).collect::<Vec<_>>().join("/"));
    let last = plain(piece.package.rsplit(['.', ':', '/']).next().unwrap_or_default());
    let is_named = module.contains(service) || (last.len() >= 5 && module.contains(&last));
    if is_named { "the providers".to_owned() } else { piece.file.clone() }
}

fn with_note(pieces: &[Evidence], why: &str) -> Vec<Evidence> {
    let note = |piece: &Evidence| format!("{}; {why}", piece.note);
    pieces.iter().map(|piece| Evidence { note: note(piece), ..piece.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, selected, tree};

    fn package(dependencies: &[&str]) -> String {
        let entries: Vec<String> = dependencies.iter().map(|name| format!("\"{name}\": \"1\"")).collect();
        format!("{{\"name\": \"shop\", \"dependencies\": {{{}}}}}", entries.join(", "))
    }

    #[test]
    fn a_bare_driver_of_documents_is_an_option_beside_a_relational_database() {
        let (both, mapped) = (package(&["pg", "mongodb"]), package(&["pg", "mongodb", "mongoose"]));
        let detection = tree(&[("package.json", &both)]).detect_by_catalog();
        assert_eq!((found(&detection), selected(&detection)), (vec!["mongodb", "postgres"], vec!["postgres"]));
        let note = &detection.findings[1].evidence[0].note;
        assert!(note.ends_with("; a second database beside postgres in the same manifest"), "{note}");
        assert_eq!(selected(&tree(&[("package.json", &mapped)]).detect_by_catalog()).len(), 2);
        let (pg, mongodb) = (package(&["pg"]), package(&["mongodb"]));
        let apart = [("a/package.json", pg.as_str()), ("b/package.json", &mongodb)];
        assert_eq!(selected(&tree(&apart).detect_by_catalog()).len(), 2);
        assert_eq!(selected(&tree(&apart[1..]).detect_by_catalog()), ["mongodb"]);
        let env = (".env.example", "EVENTS=mongodb://localhost\n");
        assert_eq!(selected(&tree(&[("package.json", &both), env]).detect_by_catalog()).len(), 2);
    }

    #[test]
    fn a_driver_of_events_is_an_option_beside_a_relational_database_unless_an_example_names_it() {
        let app = package(&["pg", "@clickhouse/client"]);
        assert_eq!(selected(&tree(&[("package.json", &app)]).detect_by_catalog()), ["postgres"]);
        let env = (".env.example", "DATABASE_URL=postgres://localhost\nCLICKHOUSE_URL=http://localhost:8123\n");
        assert_eq!(selected(&tree(&[("package.json", &app), env]).detect_by_catalog()), ["clickhouse", "postgres"]);
        // One module holds all of a project in Go.
        let module = |more: &str| {
            let lines = "\tgithub.com/lib/pq v1.0.0\n\tgithub.com/ClickHouse/clickhouse-go/v2 v2.0.0\n";
            format!("module a\ngo 1.25\nrequire (\n{lines}{more})\n")
        };
        let of = |more: &str| tree(&[("go.mod", &module(more))]).detect_by_catalog();
        assert_eq!(selected(&of("")), ["clickhouse", "postgres"]);
        let portable = "\tgithub.com/go-sql-driver/mysql v1.0.0\n\tgithub.com/mattn/go-sqlite3 v1.0.0\n";
        assert_eq!(selected(&of(portable)), ["postgres"]);
    }

    #[test]
    fn what_runs_on_any_relational_database_needs_no_other_client() {
        let product = package(&["pg", "mysql2", "mssql", "ioredis"]);
        let detection = tree(&[("package.json", &product)]).detect_by_catalog();
        assert_eq!((found(&detection).len(), selected(&detection)), (4, vec!["postgres"]));
        let two = package(&["pg", "mysql2", "ioredis"]);
        assert_eq!(selected(&tree(&[("package.json", &two)]).detect_by_catalog()), ["postgres", "redis"]);
        let mapped = package(&["pg", "mysql2", "mssql", "mongodb", "mongoose", "ioredis"]);
        assert_eq!(selected(&tree(&[("package.json", &mapped)]).detect_by_catalog()), ["mongodb", "postgres"]);
        let queues = package(&["pg", "mysql2", "mssql", "ioredis", "bullmq", "connect-redis"]);
        assert_eq!(selected(&tree(&[("package.json", &queues)]).detect_by_catalog()), ["postgres", "redis"]);
        let worker = package(&["bullmq"]);
        let files = [("package.json", product.as_str()), ("worker/package.json", &worker)];
        assert_eq!(selected(&tree(&files).detect_by_catalog()), ["postgres", "redis"]);
    }

    #[test]
    fn what_a_user_adds_is_an_option() {
        let (app, search) = (package(&["pg"]), package(&["@elastic/elasticsearch"]));
        let files = [("plugins/search/package.json", search.as_str()), ("package.json", &app)];
        let detection = tree(&files).detect_by_catalog();
        assert_eq!((found(&detection), selected(&detection)), (vec!["elasticsearch", "postgres"], vec!["postgres"]));
        assert_eq!(selected(&tree(&files[..1]).detect_by_catalog()), ["elasticsearch"]);
        // So is what its tests start.
        let tests = r#"{"devDependencies": {"@testcontainers/elasticsearch": "1"}}"#;
        let files = [("acme-plugins/search/package.json", tests), ("package.json", &app)];
        assert_eq!(selected(&tree(&files).detect_by_catalog()), ["postgres"]);
    }

    #[test]
    fn what_the_finished_product_runs_without_is_an_option() {
        let app = package(&["pg", "kafkajs"]);
        let compose = "services:\n  shop: {image: ghcr.io/acme/shop}\n  db: {image: postgres}\n";
        let detection = tree(&[("package.json", &app), ("compose.yml", compose)]).detect_by_catalog();
        assert_eq!((found(&detection), selected(&detection)), (vec!["kafka", "postgres"], vec!["postgres"]));
        let note = &detection.findings[1].evidence[0].note;
        assert!(note.ends_with("; compose.yml starts postgres, but not this"), "{note}");
        let alone = "services:\n  shop: {image: ghcr.io/acme/shop}\n";
        assert_eq!(selected(&tree(&[("package.json", &app), ("compose.yml", alone)]).detect_by_catalog()).len(), 2);
    }

    #[test]
    fn what_only_several_instances_need_is_a_hint() {
        let app = package(&["pg", "@socket.io/redis-adapter"]);
        let detection = tree(&[("package.json", &app)]).detect_by_catalog();
        assert_eq!((found(&detection), selected(&detection)), (vec!["postgres", "redis"], vec!["postgres"]));
    }
}
