//! What development does without. Where a project installs a client for production alone and has a database for development
//! that it installs otherwise (of a service, or one within the app), it is developed without what that client speaks to. A search
//! engine that production alone has needs no such database: what searches through one has a stand-in for development
//! (<https://docs.wagtail.org/en/stable/topics/search/backends.html>, <https://laravel.com/docs/12.x/scout#collection-engine>).

use std::collections::{BTreeMap, BTreeSet};

use super::confidence::{SELECT, Scope};
use super::decide::{decision, is_within};
use super::model::Evidence;
use super::places::project;
use super::rules::Declared;
use crate::catalog::Ecosystem;

/// Packages that open a database within the app. Rails says in `database.yml` which one it opens, and Python has one of its own.
pub(super) const EMBEDDED: [(Ecosystem, &str); 2] =
    [(Ecosystem::Elixir, "ecto_sqlite3"), (Ecosystem::Elixir, "exqlite")];

/// The category of the catalog whose clients have a stand-in in development.
const SEARCH: &str = "search";

/// What development installs.
pub(super) struct Development<'a> {
    /// The files in which a service is named for it, services by their place in the rules.
    named: BTreeSet<(usize, &'a str)>,
    databases: Vec<Database<'a>>,
    /// The directories of the projects that install something for it, each with a file that says so.
    projects: BTreeMap<&'a str, &'a str>,
}

/// A database that development has.
struct Database<'a> {
    /// What it is, for a person.
    name: &'a str,
    file: &'a str,
    /// The directory of the project that is developed with it.
    directory: &'a str,
}

impl<'a> Development<'a> {
    /// Takes what the manifests declare. `services` says which services a declaration names for sure (by their place in the
    /// rules), wherever it stands, and which of them are databases (by name).
    pub(super) fn new(declared: &'a [Declared], services: impl Fn(&Declared) -> Vec<(usize, Option<&'a str>)>) -> Self {
        let mut development = Self { named: BTreeSet::new(), databases: Vec::new(), projects: BTreeMap::new() };
        if !declared.iter().any(|one| one.scope == Scope::Production) {
            // Hardly any project needs what follows.
            return development;
        }
        let installed = |one: &&Declared| is_of_packages(one.ecosystem) && one.scope != Scope::Production;
        for one in declared.iter().filter(installed) {
            let is_developed_with = matches!(one.scope, Scope::Runtime | Scope::Dev);
            if is_developed_with {
                development.projects.entry(project(&one.file)).or_insert(&one.file);
            }
            let within = EMBEDDED.contains(&(one.ecosystem, one.name.as_str())).then_some(one.name.as_str());
            let mut databases: Vec<&str> = within.into_iter().collect();
            for (service, database) in services(one) {
                development.named.insert((service, &one.file));
                databases.extend(database);
            }
            let database = |name| Database { name, file: &one.file, directory: project(&one.file) };
            development.databases.extend(databases.into_iter().filter(|_| is_developed_with).map(database));
        }
        development
    }

    /// Says why a service of this category is an option: all that names it is for production, and development has a database
    /// without it, or it is a search engine.
    pub(super) fn does_without(
        &self,
        service: usize,
        category: &str,
        pieces: &[Evidence],
        declared: &[Declared],
    ) -> Option<String> {
        if self.projects.is_empty() {
            return None;
        }
        let sure = || pieces.iter().filter(|piece| piece.confidence >= SELECT);
        let here = |piece: &Evidence, one: &Declared| {
            let rest = piece.package.strip_prefix(one.name.as_str());
            (&one.file, one.line, one.ecosystem) == (&piece.file, piece.line, piece.ecosystem)
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
        };
        let for_production =
            |piece: &Evidence| declared.iter().filter(|one| here(piece, one)).all(|one| one.scope == Scope::Production);
        let is_run = |piece: &Evidence| decision(piece).is_some() || piece.ecosystem == Ecosystem::Compose;
        if sure().next().is_none() || !sure().all(for_production) || pieces.iter().any(is_run) {
            return None;
        }
        let is_named =
            |directory: &str| self.named.iter().any(|(other, file)| *other == service && is_within(file, directory));
        let is_all = |directory: &str| sure().all(|piece| is_within(&piece.file, directory)) && !is_named(directory);
        if let Some(one) = self.databases.iter().find(|one| is_all(one.directory)) {
            return Some(format!("development does without it: {} names {} for it", one.file, one.name));
        }
        let (_, file) = self.projects.iter().find(|(directory, _)| category == SEARCH && is_all(directory))?;
        Some(format!(
            "a search engine for production alone has a stand-in in development, and {file} names none for it"
        ))
    }
}

/// Tells whether manifests of this kind name packages, and not how the project is run.
fn is_of_packages(ecosystem: Ecosystem) -> bool {
    !matches!(ecosystem, Ecosystem::Compose | Ecosystem::Env | Ecosystem::Hosting)
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, selected, tree};

    #[test]
    fn what_only_production_installs_is_an_option_where_development_has_a_database() {
        let extras = "[project.optional-dependencies]\ndev = ['psycopg']\nprod = ['psycopg', 'redis']\n";
        let detection = tree(&[("pyproject.toml", extras)]).detect();
        assert_eq!((found(&detection), selected(&detection)), (vec!["postgres", "redis"], vec!["postgres"]));
        let note = &detection.findings[1].evidence[0].note;
        assert!(note.ends_with("; development does without it: pyproject.toml names postgres for it"), "{note}");
        let files = [("requirements/base.txt", "psycopg\n"), ("requirements/production.txt", "redis\n")];
        assert_eq!(selected(&tree(&files).detect()), ["postgres"]);
    }

    #[test]
    fn a_database_within_the_app_is_one_for_development() {
        let mix = "defmodule A.MixProject do\n  defp deps do\n    [{:ecto_sqlite3, \"~> 0.1\", only: [:dev, :test]}, {:postgrex, \"~> 0.1\", only: :prod}]\n  end\nend\n";
        let detection = tree(&[("mix.exs", mix)]).detect();
        assert_eq!((found(&detection), selected(&detection).len()), (vec!["postgres"], 0));
    }

    #[test]
    fn a_search_engine_that_only_production_installs_is_an_option() {
        let base = ("requirements/base.txt", "django\n");
        let production = ("requirements/production.txt", "-r base.txt\nelasticsearch==8\npsycopg\nredis\n");
        let detection = tree(&[base, production]).detect_by_catalog();
        assert_eq!(selected(&detection), ["postgres", "redis"]);
        assert_eq!(found(&detection), ["elasticsearch", "postgres", "redis"]);
        let search = detection.findings.iter().find(|finding| finding.name == "elasticsearch").unwrap();
        let why = "elasticsearch works with elasticsearch, for production; a search engine for production alone has a stand-in in development, and requirements/base.txt names none for it";
        assert_eq!(search.evidence[0].note, why);
        let gems = |group: &str| format!("gem 'rails'\ngem 'pg'\ngroup {group} do\n  gem 'meilisearch-rails'\nend\n");
        assert_eq!(selected(&tree(&[("Gemfile", &gems(":production"))]).detect_by_catalog()), ["postgres"]);
        // Development has it, too, starts it, has its address or installs nothing else.
        let both = gems(":production, :development");
        assert_eq!(selected(&tree(&[("Gemfile", &both)]).detect_by_catalog()), ["meilisearch", "postgres"]);
        for other in [
            ("requirements/dev.txt", "elasticsearch\n"),
            ("compose.yml", "services:\n  search: {image: elasticsearch:8}\n"),
        ] {
            let detection = tree(&[base, production, other]).detect_by_catalog();
            assert!(selected(&detection).contains(&"elasticsearch"), "{other:?}");
        }
        assert_eq!(selected(&tree(&[production]).detect_by_catalog()).len(), 3);
    }

    #[test]
    fn without_one_or_where_something_else_names_it_it_stays() {
        let production = ("requirements/production.txt", "psycopg\nredis\n");
        assert_eq!(selected(&tree(&[production, ("requirements/base.txt", "django\n")]).detect()).len(), 2);
        let base = ("requirements/base.txt", "psycopg\n");
        for other in [
            ("requirements/dev.txt", "redis\n"),
            (".env.example", "CACHE=redis://localhost\n"),
            ("compose.yml", "services:\n  db: {image: postgres}\n  cache: {image: redis}\n"),
        ] {
            assert_eq!(selected(&tree(&[production, base, other]).detect()), ["postgres", "redis"], "{other:?}");
        }
        // The main group is the app itself, and another project has its own.
        assert_eq!(selected(&tree(&[("requirements/main.in", "redis\n"), base]).detect()).len(), 2);
        let other = [("a/requirements.txt", "psycopg\n"), ("b/requirements/production.txt", "redis\n")];
        assert_eq!(selected(&tree(&other).detect()).len(), 2);
    }
}
