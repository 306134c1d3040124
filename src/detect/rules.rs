//! Which packages reveal which service, as the catalog says.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::confidence::{STRONG, Scope, TESTS, WEAK, round};
use super::model::Evidence;
use crate::catalog::{self, Ecosystem, Forms, OneOf, PortSpec, Rules};

/// What the catalog says about the detection of one service.
#[derive(Debug, Clone, Copy)]
pub struct ServiceRules<'a> {
    /// Name of the catalog service.
    pub name: &'a str,
    /// Its category in the catalog.
    pub category: &'a str,
    /// The packages that reveal it.
    pub detect: &'a IndexMap<Ecosystem, Rules>,
    /// The kind of which a project uses one, if it is of such a kind.
    pub one_of: Option<&'a OneOf>,
    /// The variables that it gives the app, with their templates.
    pub provides: &'a IndexMap<String, String>,
    /// What it gives in other forms.
    pub forms: &'a Forms,
    /// Its ports; the first is the main one.
    pub ports: &'a [PortSpec],
    /// Images that start like the default one and hold more.
    pub variants: &'a [String],
}

/// Returns the rules of the whole catalog.
pub fn catalog_rules() -> Vec<ServiceRules<'static>> {
    catalog::services()
        .iter()
        .map(|(name, service)| ServiceRules {
            name,
            category: &service.category,
            detect: &service.detect,
            one_of: service.one_of.as_ref(),
            provides: &service.provides,
            forms: &service.forms,
            ports: &service.ports,
            variants: &service.variants,
        })
        .collect()
}

/// The category of the catalog without which hardly any app runs.
pub(super) const DATABASE: &str = "database";

/// The kind of the services that a relational database is, as the catalog writes it.
pub(super) const RELATIONAL: &str = "relational database";

/// Tells whether a word names a relational database: one of the catalog's, or another one or spelling that people use.
pub(super) fn is_relational(word: &str) -> bool {
    const OTHERS: [&str; 8] =
        ["cockroach", "cockroachdb", "oracle", "pg", "pgsql", "postgresql", "sqlite", "sqlserver"];
    let service = catalog::services().get(word);
    OTHERS.contains(&word)
        || service.is_some_and(|service| service.one_of.as_ref().is_some_and(|of| of.kind == RELATIONAL))
}

/// A package that a manifest declares.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Declared {
    pub ecosystem: Ecosystem,
    /// Name as the manifest writes it.
    pub name: String,
    /// `redis` of `celery[redis]`; of an image in a compose file the whole reference; of an address in an example environment the
    /// variable and the scheme; of a provider of Prisma the variables that hold its addresses.
    pub extras: Vec<String>,
    pub scope: Scope,
    pub file: String,
    pub line: usize,
}

impl Declared {
    /// Takes back what the manifest says of the app, where the manifest is one of tests.
    pub(super) fn for_tests(&mut self) {
        match self.scope {
            Scope::Runtime | Scope::Production => self.scope = Scope::Dev,
            Scope::Example => self.scope = Scope::Aside("in an example environment beside the app".into()),
            _ => {}
        }
    }
}

/// How much a package says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    Strong,
    Weak,
    Tests,
}

/// One rule: which service it is about, its rank and the extra it asks for.
struct Rule {
    service: usize,
    rank: Rank,
    extra: Option<String>,
}

/// The rules, ready to be asked for a package.
pub(super) struct Index<'a> {
    services: &'a [ServiceRules<'a>],
    whole: HashMap<(Ecosystem, String), Vec<Rule>>,
    /// Rules that end in `*`, without it.
    prefixes: Vec<(Ecosystem, String, Rule)>,
}

impl<'a> Index<'a> {
    pub(super) fn new(services: &'a [ServiceRules<'a>]) -> Self {
        let mut index = Self { services, whole: HashMap::new(), prefixes: Vec::new() };
        for (service, about) in services.iter().enumerate() {
            for (ecosystem, rules) in about.detect {
                let ranked = [(&rules.strong, Rank::Strong), (&rules.weak, Rank::Weak), (&rules.tests, Rank::Tests)];
                for (names, rank) in ranked {
                    names.iter().for_each(|name| index.add(*ecosystem, name, service, rank));
                }
            }
        }
        index
    }

    fn add(&mut self, ecosystem: Ecosystem, text: &str, service: usize, rank: Rank) {
        let (name, extra) = match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
            Some((name, extra)) => (name, Some(canonical(Ecosystem::Python, extra))),
            None => (text, None),
        };
        let rule = Rule { service, rank, extra };
        match name.strip_suffix('*') {
            Some(prefix) if ecosystem == Ecosystem::Dotnet => {
                self.prefixes.push((ecosystem, prefix.to_ascii_lowercase(), rule));
            }
            Some(prefix) => self.prefixes.push((ecosystem, prefix.into(), rule)),
            None => self.whole.entry((ecosystem, canonical(ecosystem, name))).or_default().push(rule),
        }
    }

    /// Returns the rules about a whole name. An image that is not known by its full name is known by the end of it: it is a
    /// copy on another registry (`registry.example.com/hub/library/postgres`) or a build of the same product.
    fn whole(&self, ecosystem: Ecosystem, name: &str) -> Option<&Vec<Rule>> {
        let ends = name.match_indices('/').filter(|_| ecosystem == Ecosystem::Compose).map(|(at, _)| &name[at + 1..]);
        std::iter::once(name).chain(ends).find_map(|name| self.whole.get(&(ecosystem, name.to_owned())))
    }

    /// Returns what one declared package is evidence of: services by their place in the rules.
    pub(super) fn evidence(&self, declared: &Declared) -> Vec<(usize, Evidence)> {
        let name = canonical(declared.ecosystem, &declared.name);
        let prefixed = self
            .prefixes
            .iter()
            .filter(|(ecosystem, prefix, _)| *ecosystem == declared.ecosystem && name.starts_with(prefix.as_str()))
            .map(|(_, _, rule)| rule);
        let whole = self.whole(declared.ecosystem, &name);
        let extras: Vec<String> = declared.extras.iter().map(|extra| canonical(Ecosystem::Python, extra)).collect();
        let asked = |rule: &&Rule| rule.extra.as_ref().is_none_or(|extra| extras.contains(extra));
        whole
            .into_iter()
            .flatten()
            .chain(prefixed)
            .filter(asked)
            .map(|rule| (rule.service, evidence(declared, rule, self.services[rule.service].name)))
            .collect()
    }
}

fn evidence(declared: &Declared, rule: &Rule, service: &str) -> Evidence {
    let package = match &rule.extra {
        // The rule is about the scheme; what a person looks for is the variable that holds it.
        None if declared.ecosystem == Ecosystem::Env => declared.extras.first().unwrap_or(&declared.name).clone(),
        Some(extra) => format!("{}[{extra}]", declared.name),
        None => declared.name.clone(),
    };
    let (confidence, what) = match rule.rank {
        _ if declared.ecosystem == Ecosystem::Prisma => {
            (STRONG * declared.scope.factor(), format!("the datasource's provider is {service}"))
        }
        Rank::Strong if matches!(declared.ecosystem, Ecosystem::Compose | Ecosystem::Hosting) => {
            (STRONG * declared.scope.factor(), format!("{package} runs {service}"))
        }
        Rank::Strong if declared.ecosystem == Ecosystem::Env && declared.name.contains('=') => {
            (STRONG * declared.scope.factor(), format!("{package} chooses {service}"))
        }
        Rank::Strong if declared.ecosystem == Ecosystem::Env => {
            // Quarkus has a setting for the kind of its database, without an address.
            let says = if package.ends_with("db-kind") { "names" } else { "holds an address of" };
            (STRONG * declared.scope.factor(), format!("{package} {says} {service}"))
        }
        Rank::Strong => (STRONG * declared.scope.factor(), format!("{package} works with {service}")),
        Rank::Weak => (WEAK * declared.scope.factor(), format!("{package} hints at {service}")),
        Rank::Tests => {
            // Beside the app it is not the app's tests that do.
            let share = if matches!(declared.scope, Scope::Aside(_)) { declared.scope.factor() } else { 1.0 };
            (TESTS * share, format!("the tests start {service} with {package}"))
        }
    };
    let place = match &declared.scope {
        Scope::Aside(how) => format!(", {how}"),
        _ if rule.rank == Rank::Tests => String::new(),
        Scope::Runtime => String::new(),
        Scope::Production => ", for production".into(),
        Scope::Dev => ", for development only".into(),
        Scope::Extra(name) => format!(", in the optional group {name}"),
        Scope::Example => ", in an example environment".into(),
        Scope::Optional => ", optional".into(),
    };
    Evidence {
        file: declared.file.clone(),
        line: declared.line,
        package,
        confidence: round(confidence),
        note: what + &place,
        ecosystem: declared.ecosystem,
        image: declared.extras.first().filter(|_| declared.ecosystem == Ecosystem::Compose).cloned(),
    }
}

/// Writes a package name the way rules are compared: whole names, spelled the one way the ecosystem calls equal.
pub(super) fn canonical(ecosystem: Ecosystem, name: &str) -> String {
    match ecosystem {
        // PEP 503: case and runs of `-`, `_` and `.` do not matter.
        Ecosystem::Python => {
            let lower = name.to_ascii_lowercase();
            lower.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
        }
        Ecosystem::Go => go_module(name),
        // https://getcomposer.org/doc/04-schema.md#name
        Ecosystem::Php => name.to_ascii_lowercase(),
        // https://www.scala-sbt.org/1.x/docs/Cross-Build.html: `mongo-scala-driver_2.13` is `%% "mongo-scala-driver"`.
        Ecosystem::Jvm => match name.rsplit_once('_') {
            Some((library, "2.11" | "2.12" | "2.13" | "3")) => library.into(),
            _ => name.into(),
        },
        // https://learn.microsoft.com/en-us/nuget/reference/nuspec#id
        Ecosystem::Dotnet => name.to_ascii_lowercase(),
        _ => name.into(),
    }
}

/// Returns a Go module without its major version (<https://go.dev/ref/mod#major-version-suffixes>); one of gopkg.in by the
/// repository that it stands for (<https://labix.org/gopkg.in>).
fn go_module(name: &str) -> String {
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    match name.strip_prefix("gopkg.in/") {
        Some(rest) => {
            let package =
                rest.rsplit_once(".v").filter(|(_, version)| is_number(version)).map_or(rest, |(name, _)| name);
            if package.contains('/') {
                format!("github.com/{package}")
            } else {
                format!("github.com/go-{package}/{package}")
            }
        }
        None => match name.rsplit_once("/v") {
            Some((module, version)) if is_number(version) => module.into(),
            _ => name.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_whole_in_the_spelling_of_their_ecosystem() {
        assert_eq!(canonical(Ecosystem::Python, "Psycopg2_Binary"), "psycopg2-binary");
        assert_eq!(canonical(Ecosystem::Python, "pyramid.mailer"), "pyramid-mailer");
        assert_eq!(canonical(Ecosystem::Go, "github.com/jackc/pgx/v5"), "github.com/jackc/pgx");
        assert_eq!(canonical(Ecosystem::Go, "github.com/acme/vault"), "github.com/acme/vault");
        assert_eq!(canonical(Ecosystem::Go, "gopkg.in/olivere/elastic.v6"), "github.com/olivere/elastic");
        assert_eq!(
            canonical(Ecosystem::Go, "gopkg.in/redis.v5"),
            canonical(Ecosystem::Go, "github.com/go-redis/redis/v5")
        );
        assert_eq!(canonical(Ecosystem::Node, "@acme/PG"), "@acme/PG");
    }

    #[test]
    fn relational_databases_are_known_by_the_catalog() {
        assert!(catalog_rules().iter().filter(|rules| is_relational(rules.name)).count() >= 4);
        assert!(is_relational("postgresql") && !is_relational("api"));
    }

    #[test]
    fn no_package_of_the_catalog_is_sure_of_two_services_or_ranked_twice() {
        let mut sure: HashMap<(Ecosystem, String), &str> = HashMap::new();
        for service in catalog_rules() {
            for (ecosystem, rules) in service.detect {
                for name in rules.strong.iter().chain(&rules.tests) {
                    let other = sure.insert((*ecosystem, canonical(*ecosystem, name)), service.name);
                    assert_eq!(other, None, "{ecosystem:?} {name}: {}", service.name);
                    assert!(!rules.weak.contains(name), "{ecosystem:?} {name}");
                }
            }
        }
    }
}
