//! What an example environment leaves out. One that says where one of the app's services is is written for whoever begins with the
//! project; a client of something of which it says nothing (of a search engine that a setting chooses, of a cache) is an option. Not
//! so a relational database: its address often stands in the settings alone.

use std::collections::{BTreeMap, BTreeSet};

use super::confidence::{SELECT, Scope};
use super::decide::{about, decision, is_within};
use super::forms::{HOST, own_words};
use super::model::Evidence;
use super::rules::{DATABASE, Declared, ServiceRules};
use crate::catalog::Ecosystem;

/// How many other services have to be named for a client of a database to be an option: what holds the app's data often stands in
/// the settings alone.
const OTHERS_OF_A_DATABASE: usize = 2;

/// Words by which an example may mean a service of a category, whichever it is.
const MEANT: [(&str, &[&str]); 5] = [
    ("storage", &["aws", "bucket", "s3", "storage"]),
    ("search", &["search"]),
    ("messaging", &["broker", "mq", "queue"]),
    // Libraries of queues among them: what they queue in is a cache, and what they read is named after them.
    (
        "cache",
        &["arq", "broker", "bull", "bullmq", "celery", "dramatiq", "huey", "queue", "resque", "rq", "saq", "sidekiq"],
    ),
    ("vector store", &["vector"]),
];

/// Says why a service is an option: an example environment, about the directory of all that makes it sure, names other services
/// that are sure, and this one in no word. `evidence` has all services by their place in the rules.
pub(super) fn left_unnamed(
    service: usize,
    about_it: &ServiceRules<'_>,
    evidence: &BTreeMap<usize, Vec<Evidence>>,
    declared: &[Declared],
    rules: &[ServiceRules<'_>],
) -> Option<String> {
    let pieces = evidence.get(&service)?;
    let sure: Vec<&Evidence> = pieces.iter().filter(|piece| piece.confidence >= SELECT).collect();
    if sure.is_empty() || pieces.iter().any(|piece| piece.ecosystem == Ecosystem::Env || decision(piece).is_some()) {
        return None;
    }
    let (name, least) = (about_it.name, if about_it.category == DATABASE { OTHERS_OF_A_DATABASE } else { 1 });
    let examples: BTreeSet<&str> = declared.iter().filter(|one| is_example(one)).map(|one| one.file.as_str()).collect();
    let means = MEANT.iter().filter(|(category, _)| *category == about_it.category).flat_map(|(_, words)| *words);
    let names = |file: &str| {
        let says = |one: &Declared| {
            let said = one.name.to_ascii_lowercase();
            said.contains(name) || means.clone().any(|word| said.split(['_', '=', '.']).any(|part| part == *word))
        };
        declared.iter().any(|one| one.file == file && says(one))
    };
    let others = |file: &str| {
        let is_named = |(other, pieces): &(&usize, &Vec<Evidence>)| {
            pieces.iter().any(|piece| piece.confidence >= SELECT)
                && (pieces.iter().any(|piece| piece.ecosystem == Ecosystem::Env && piece.file == file)
                    || declared.iter().any(|one| one.file == file && is_example(one) && leads_to(one, &rules[**other])))
        };
        evidence.iter().filter(|(other, _)| **other != service).filter(is_named).count()
    };
    let file = examples.into_iter().find(|file| {
        sure.iter().all(|piece| is_within(&piece.file, about(file))) && others(file) >= least && !names(file)
    })?;
    Some(format!("{file} says where other services are, and nothing of this one"))
}

/// Tells whether a variable is one that leads to the host of a service, with words of the project before it (`SHOP_DB_HOST`).
fn leads_to(one: &Declared, about: &ServiceRules<'_>) -> bool {
    let leads = about.forms.groups.iter().flatten().filter(|(_, template)| template.contains(HOST));
    leads
        .map(|(variable, _)| variable)
        .any(|variable| one.name == *variable || own_words(&one.name, variable, about).is_some())
}

fn is_example(one: &Declared) -> bool {
    one.ecosystem == Ecosystem::Env && one.scope == Scope::Example
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, selected, tree};

    const APP: (&str, &str) =
        ("server/package.json", r#"{"dependencies": {"pg": "8", "ioredis": "5", "typesense": "2"}}"#);

    #[test]
    fn a_client_that_the_example_says_nothing_of_is_an_option() {
        let env = "DATABASE_URL=postgresql://localhost/a\nREDIS_URL=redis://localhost\nMODE=x\n";
        let detection = tree(&[APP, (".env.example", env)]).detect_by_catalog();
        assert!(found(&detection).contains(&"typesense"), "{detection:?}");
        assert_eq!(selected(&detection), ["postgres", "redis"]);
        let typesense = detection.findings.iter().find(|finding| finding.name == "typesense").unwrap();
        let note = &typesense.evidence[0].note;
        assert!(note.ends_with("; .env.example says where other services are, and nothing of this one"), "{note}");
    }

    #[test]
    fn one_that_it_names_in_any_way_or_that_is_elsewhere_stays_selected() {
        let all = ["postgres", "redis", "typesense"];
        let both = "DATABASE_URL=postgresql://localhost/a\nREDIS_URL=redis://localhost\n";
        let with = |line: &str| format!("{both}{line}\n");
        for (file, text) in [
            (".env.example", with("TYPESENSE_URL=")),
            (".env.example", with("SEARCH_DRIVER=typesense")),
            (".env.example", with("# USE_TYPESENSE=1")),
            (".env.example", "MODE=x\n".into()),
            ("page/.env.example", both.into()),
        ] {
            let detection = tree(&[APP, (file, &text)]).detect_by_catalog();
            let mut names = selected(&detection);
            names.sort_unstable();
            assert_eq!(names, all, "{file}: {text}");
        }
        let queue = ("package.json", r#"{"dependencies": {"pg": "8", "bullmq": "5"}}"#);
        let env = (".env.example", "DATABASE_URL=postgresql://localhost/a\nBULL_CONCURRENCY=4\n");
        assert_eq!(selected(&tree(&[queue, env]).detect_by_catalog()), ["postgres", "redis"]);
        // A database may stand in the settings alone, and one of documents beside one service.
        let three = ("package.json", r#"{"dependencies": {"pg": "8", "ioredis": "5", "amqplib": "0.10"}}"#);
        let env = (".env.example", "REDIS_URL=redis://localhost\nAMQP_URL=amqp://localhost\n");
        assert!(selected(&tree(&[three, env]).detect_by_catalog()).contains(&"postgres"));
        let documents = ("package.json", r#"{"dependencies": {"mongoose": "8", "ioredis": "5", "typesense": "2"}}"#);
        let env = (".env.example", "REDIS_URL=redis://localhost\n");
        assert_eq!(selected(&tree(&[documents, env]).detect_by_catalog()), ["mongodb", "redis"]);
    }
}
