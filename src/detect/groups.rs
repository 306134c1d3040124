//! Groups that are named after databases, of which whoever installs the app takes one (`bundle config set with mysql`, `mvn -P mariadb`).
//! An app that names its database nowhere else does not run without: what they hold is as sure as an ordinary dependency.

use std::collections::{BTreeMap, BTreeSet};

use super::confidence::{SELECT, Scope};
use super::findings::is_relational;
use super::many::opens_within;
use super::places::split;
use super::rules::{self, Declared, Index, ServiceRules};
use crate::catalog::Ecosystem;

/// How many groups make a choice.
const CHOICE: usize = 2;

/// Makes ordinary packages of those of such groups, where no manifest has a database otherwise. Groups of libraries (extras, features, a
/// Gemfile beside a gemspec) are not meant: whoever installs those takes what they want, and an app often has SQLite by default.
pub(super) fn take_one(declared: &mut [Declared], rules: &[ServiceRules<'_>]) {
    if !declared.iter().any(|one| group(one).is_some()) {
        return;
    }
    let index = Index::new(rules);
    let names_one = |one: &Declared| {
        let found = index.evidence(&Declared { scope: Scope::Runtime, ..one.clone() });
        found.iter().any(|(service, piece)| is_relational(&rules[*service]) && piece.confidence >= SELECT)
    };
    let has_own = |one: &Declared| match one.scope {
        Scope::Runtime | Scope::Production => names_one(one) || opens_within(one),
        // Rails is developed with what it is installed with; tests of the JVM have a database of their own.
        Scope::Dev => one.ecosystem == Ecosystem::Ruby && opens_within(one),
        _ => false,
    };
    if declared.iter().any(has_own) {
        return;
    }
    let gems = declared.iter().filter(|one| one.file.ends_with(".gemspec")).map(|one| split(&one.file).0);
    let gems: BTreeSet<&str> = gems.collect();
    let mut groups = BTreeMap::<String, BTreeSet<String>>::new();
    for (one, group) in declared.iter().filter_map(|one| Some((one, group(one)?))) {
        if names_one(one) && !gems.contains(split(&one.file).0) {
            groups.entry(one.file.clone()).or_default().insert(group.to_owned());
        }
    }
    groups.retain(|_, names| names.len() >= CHOICE);
    let is_taken =
        |one: &Declared| group(one).is_some_and(|name| groups.get(&one.file).is_some_and(|names| names.contains(name)));
    declared.iter_mut().filter(|one| is_taken(one)).for_each(|one| one.scope = Scope::Runtime);
}

/// Returns the group of a package that is named after a relational database.
fn group(one: &Declared) -> Option<&str> {
    let Scope::Extra(name) = &one.scope else { return None };
    let is_named = name.split(['-', '_', '.']).any(rules::is_relational);
    (matches!(one.ecosystem, Ecosystem::Ruby | Ecosystem::Jvm) && is_named).then_some(name)
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{selected, tree};

    const GROUPS: &str = "gem 'rails'\ngroup :mysql, optional: true do\n gem 'mysql2'\nend\ngroup :postgresql, optional: true do\n gem 'pg'\nend\n";

    #[test]
    fn one_of_the_groups_that_are_databases_is_taken() {
        assert_eq!(selected(&tree(&[("Gemfile", GROUPS)]).detect_by_catalog()), ["postgres"]);
        let profile = |id: &str, artifact: &str| {
            format!(
                "<profile><id>{id}</id><dependencies><dependency><groupId>{}</groupId><artifactId>{artifact}</artifactId></dependency></dependencies></profile>",
                if id == "mysql" { "com.mysql" } else { "org.mariadb.jdbc" }
            )
        };
        let profiles = [profile("mysql", "mysql-connector-j"), profile("mariadb", "mariadb-java-client")].concat();
        let selects = |within: &str| {
            let pom = format!("<project><artifactId>a</artifactId>{within}<profiles>{profiles}</profiles></project>");
            selected(&tree(&[("pom.xml", &pom)]).detect_by_catalog()).len()
        };
        let within = |scope: &str| {
            let h2 = "<groupId>com.h2database</groupId><artifactId>h2</artifactId>";
            format!("<dependencies><dependency>{h2}<scope>{scope}</scope></dependency></dependencies>")
        };
        assert_eq!((selects(""), selects(&within("test")), selects(&within("runtime"))), (1, 1, 0));
    }

    #[test]
    fn an_app_with_a_database_or_with_one_group_takes_none() {
        for more in ["gem 'sqlite3'\n", "group :development do\n gem 'sqlite3'\nend\n"] {
            let text = [more, GROUPS].concat();
            assert!(selected(&tree(&[("Gemfile", &text)]).detect_by_catalog()).is_empty(), "{more}");
        }
        let text = ["gem 'mysql2'\n", GROUPS].concat();
        assert_eq!(selected(&tree(&[("Gemfile", &text)]).detect_by_catalog()), ["mysql"]);
        let gem = ("a.gemspec", "Gem::Specification.new do |s|\n s.add_dependency 'activerecord'\nend\n");
        assert!(selected(&tree(&[("Gemfile", GROUPS), gem]).detect_by_catalog()).is_empty());
        let one = "gem 'rails'\ngroup :postgresql, optional: true do\n gem 'pg'\nend\n";
        assert!(selected(&tree(&[("Gemfile", one)]).detect_by_catalog()).is_empty());
        let python =
            "[project]\nname = 'a'\n[project.optional-dependencies]\npostgres = ['psycopg']\nmysql = ['mysqlclient']\n";
        assert!(selected(&tree(&[("pyproject.toml", python)]).detect_by_catalog()).is_empty());
    }
}
