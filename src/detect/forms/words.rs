//! The project's own words before the name of a variable.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::detect::rules::{ServiceRules, is_relational};

/// Returns the words of the project before a variable in another's name: `SHOP` of `SHOP_DB_HOST` and, nested as many libraries of
/// settings read it, of `SHOP__DB__HOST`.
fn prefix<'a>(name: &'a str, variable: &str) -> Option<&'a str> {
    let mut rest = name;
    for word in variable.rsplit('_') {
        let before = rest.strip_suffix(word)?;
        rest = before.strip_suffix("__").or_else(|| before.strip_suffix('_'))?;
    }
    (!rest.is_empty()).then_some(rest)
}

/// Words before a variable by which it is for a page, which a browser reads.
const PAGES: [&str; 9] = ["expo", "gatsby", "ng", "public", "react", "sanity", "storybook", "vite", "vue"];

/// Words before a variable by which it is about something that is none of the catalog's.
const FOREIGN: [&str; 20] = [
    "azure",
    "bigquery",
    "cassandra",
    "dynamo",
    "firebase",
    "gcs",
    "google",
    "graph",
    "imap",
    "inbound",
    "incoming",
    "influx",
    "metabase",
    "neo4j",
    "pop3",
    "snowflake",
    "ssh",
    "supabase",
    "timescale",
    "vector",
];

/// Returns the words of the project before a variable of a service in another's name; nothing where they say that it is not the
/// app's own: that it is of another server, or for a page.
pub(in crate::detect) fn own_words<'a>(name: &'a str, variable: &str, about: &ServiceRules<'_>) -> Option<&'a str> {
    let words = prefix(name, variable)?;
    let own = |word: &str| {
        word == about.name || about.forms.groups.iter().flatten().any(|(known, _)| first_word(known) == word)
    };
    let of_others = |word: &str| PAGES.contains(&word) || FOREIGN.contains(&word) || (is_known(word) && !own(word));
    (!words.to_ascii_lowercase().split('_').any(of_others)).then_some(words)
}

/// The variables of all groups of the catalog.
pub(super) static VARIABLES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let groups = crate::catalog::services().values().flat_map(|service| &service.forms.groups);
    groups.flat_map(|group| group.keys().map(String::as_str)).collect()
});

/// The words with which they begin (`mongo`).
static FIRST_WORDS: LazyLock<HashSet<String>> =
    LazyLock::new(|| VARIABLES.iter().map(|variable| first_word(variable)).collect());

/// Tells whether a word is a service's, or the one with which a service's variables begin.
fn is_known(word: &str) -> bool {
    crate::catalog::services().contains_key(word) || is_relational(word) || FIRST_WORDS.contains(word)
}

fn first_word(variable: &str) -> String {
    variable.split('_').next().unwrap_or_default().to_ascii_lowercase()
}
