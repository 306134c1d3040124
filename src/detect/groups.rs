//! Groups that are named after databases, of which whoever installs the app takes one (`bundle config set with mysql`, `mvn -P mariadb`).
//! An app that names its database nowhere else does not run without: what they hold is as sure as an ordinary dependency.

use std::collections::{BTreeMap, BTreeSet};

use super::confidence::{SELECT, Scope};
use super::findings::is_relational;
use super::many::opens_within;
use super::rules::{self, Declared, Index, ServiceRules};
use crate::catalog::Ecosystem;

/// How many groups make a choice.
const CHOICE: usize = 2;

/// Returns the packages, those of such groups as ordinary ones where no manifest has a database otherwise. Groups of libraries (extras,
/// features) are not meant: an app of those ecosystems mostly has SQLite by default.
pub(super) fn with_one_taken(declared: &[Declared], index: &Index<'_>, rules: &[ServiceRules<'_>]) -> Vec<Declared> {
    let names_one = |one: &Declared| {
        let found = index.evidence(&ordinary(one));
        found.iter().any(|(service, piece)| is_relational(&rules[*service]) && piece.confidence >= SELECT)
    };
    let has_own = |one: &Declared| matches!(one.scope, Scope::Runtime | Scope::Production) && names_one(one);
    let mut groups = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (one, group) in declared.iter().filter_map(|one| Some((one, group(one)?))) {
        if names_one(one) {
            groups.entry(&one.file).or_default().insert(group);
        }
    }
    groups.retain(|_, names| names.len() >= CHOICE);
    if groups.is_empty() || declared.iter().any(|one| has_own(one) || opens_within(one)) {
        return declared.to_vec();
    }
    let is_taken = |one: &Declared| {
        group(one).is_some_and(|name| groups.get(one.file.as_str()).is_some_and(|names| names.contains(name)))
    };
    declared.iter().map(|one| if is_taken(one) { ordinary(one) } else { one.clone() }).collect()
}

/// Returns the group of a package that is named after a relational database.
fn group(one: &Declared) -> Option<&str> {
    let Scope::Extra(name) = &one.scope else { return None };
    let is_named = name.split(['-', '_', '.']).any(rules::is_relational);
    (matches!(one.ecosystem, Ecosystem::Ruby | Ecosystem::Jvm) && is_named).then_some(name)
}

fn ordinary(one: &Declared) -> Declared {
    Declared { scope: Scope::Runtime, ..one.clone() }
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
        let pom = format!("<project><artifactId>a</artifactId><profiles>{profiles}</profiles></project>");
        assert_eq!(selected(&tree(&[("pom.xml", &pom)]).detect_by_catalog()).len(), 1);
    }

    #[test]
    fn an_app_with_a_database_or_with_one_group_takes_none() {
        for more in ["gem 'sqlite3'\n", "group :development do\n gem 'sqlite3'\nend\n"] {
            let text = [more, GROUPS].concat();
            assert!(selected(&tree(&[("Gemfile", &text)]).detect_by_catalog()).is_empty(), "{more}");
        }
        let text = ["gem 'mysql2'\n", GROUPS].concat();
        assert_eq!(selected(&tree(&[("Gemfile", &text)]).detect_by_catalog()), ["mysql"]);
        let one = "gem 'rails'\ngroup :postgresql, optional: true do\n gem 'pg'\nend\n";
        assert!(selected(&tree(&[("Gemfile", one)]).detect_by_catalog()).is_empty());
        let python =
            "[project]\nname = 'a'\n[project.optional-dependencies]\npostgres = ['psycopg']\nmysql = ['mysqlclient']\n";
        assert!(selected(&tree(&[("pyproject.toml", python)]).detect_by_catalog()).is_empty());
    }
}
