//! How sure a piece of evidence makes kilter, in constants.
//!
//! One piece: what the package is ([`STRONG`], [`WEAK`], [`TESTS`]) times where it stands ([`Scope::factor`]).
//! Several pieces: the surest counts and the others do not add to it, because two clients of one protocol come from one
//! decision (an S3 SDK and its presigner are not twice the evidence); so hints never add up to a selection.
//! What a project's own compose file starts by default counts like a client in an ordinary place, as it is no guess at all;
//! it also decides between several services of one kind, and makes an option of what is not started beside the database
//! ([`super::decide`]).
//! Of several services of one kind in one manifest (`pg` beside `mysql2`) one is the project's and the others are options:
//! those get at most [`ALTERNATIVE`].
//!
//! What was counted in thirty applications whose compose files say what they start: clients of databases, queues and search
//! engines in an ordinary place were right about nine times in ten, hints (S3 SDK, SMTP client, OIDC client) less than
//! half the time, optional extras and dev groups in between.

/// From this confidence on a finding is pre-selected; below, it is proposed only.
pub const SELECT: f64 = 0.7;

/// The package speaks to one kind of service only.
pub(super) const STRONG: f64 = 0.95;

/// The package is a client that hosted products and other services speak too.
pub(super) const WEAK: f64 = 0.4;

/// The project's tests start the real service with this package; that it is a dev dependency does not matter, it always is.
pub(super) const TESTS: f64 = 0.8;

/// The most that an alternative to a selected service gets: proposed, not selected.
pub(super) const ALTERNATIVE: f64 = 0.6;

/// A manifest that makes this many services sure is a collection of connectors, of which an app takes some.
pub(super) const COLLECTION: usize = 8;

/// A manifest with drivers of this many relational databases is that of a product which runs on any of them, and so with few
/// other services: it names the clients of those that somebody may add.
pub(super) const PORTABLE: usize = 3;

/// Manifests with clients of this many services that do the same (brokers, search engines) are those of a product which works with
/// any of them.
pub(super) const MANY: usize = 3;

/// Where a manifest declares a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// Installed wherever the app runs.
    Runtime,
    /// Installed in production: `requirements/production.txt`, the extra `prod`.
    Production,
    /// Installed for development or tests only.
    Dev,
    /// The app runs without it.
    Optional,
    /// An extra or group of this name, which a user chooses.
    Extra(String),
    /// In an example of an environment file, as a value that is meant to be taken over.
    Example,
    /// Beside the way the project is usually run; the words say in which way, for example `in the profile tools`.
    Aside(String),
}

impl Scope {
    /// Returns the share of a package's confidence that is left in this place.
    pub(super) fn factor(&self) -> f64 {
        match self {
            Self::Runtime => 1.0,
            Self::Production => 0.9,
            Self::Example => 0.8,
            Self::Dev | Self::Optional | Self::Aside(_) => 0.65,
            Self::Extra(_) => 0.6,
        }
    }

    /// Tells the scope of a group, an extra or a requirements file by its name.
    pub(super) fn of_group(name: &str) -> Self {
        const DEV: [&str; 29] = [
            "dev",
            "devel",
            "develop",
            "development",
            "local",
            "test",
            "tests",
            "testing",
            "lint",
            "linting",
            "linter",
            "typing",
            "types",
            "mypy",
            "ci",
            "doc",
            "docs",
            "documentation",
            "bench",
            "benchmark",
            "benchmarks",
            "debug",
            "e2e",
            "example",
            "examples",
            "integration",
            "notebook",
            "notebooks",
            "tools",
        ];
        const PRODUCTION: [&str; 4] = ["prod", "production", "deploy", "deployment"];
        // Names of the app itself or of a part of it. Not `all` and `full`: they collect every option there is.
        const APP: [&str; 8] = ["server", "main", "backend", "api", "app", "web", "worker", "runtime"];
        let name = name.to_ascii_lowercase();
        let word = |list: &[&str]| name.split(['-', '_', '.', ' ']).any(|word| list.contains(&word));
        if word(&DEV) {
            Self::Dev
        } else if word(&PRODUCTION) {
            Self::Production
        } else if word(&APP) {
            Self::Runtime
        } else {
            Self::Extra(name)
        }
    }
}

/// Rounds to two decimals, so that what people and scripts see has no tail.
pub(super) fn round(confidence: f64) -> f64 {
    (confidence * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ordinary_and_production_places_select_a_client() {
        assert!(STRONG * Scope::Runtime.factor() >= SELECT);
        assert!(STRONG * Scope::Production.factor() >= SELECT);
        assert!(STRONG * Scope::Example.factor() >= SELECT);
        for scope in [Scope::Dev, Scope::Optional, Scope::Extra("postgres".into()), Scope::Aside("x".into())] {
            assert!(STRONG * scope.factor() < SELECT, "{scope:?}");
        }
        const { assert!(WEAK < SELECT && ALTERNATIVE < SELECT && TESTS >= SELECT) }
    }

    /// What people read of it has these numbers, too.
    #[test]
    fn the_help_and_the_readme_say_the_same_numbers() {
        let (help, readme) = (include_str!("../cli/help/services.txt"), include_str!("../../README.md"));
        let percent = |share: f64| format!("{:.0}", share * 100.0);
        let said = |text: &str, words: String| assert!(text.contains(&words), "`{words}`");
        for share in [STRONG, TESTS, WEAK] {
            said(help, format!("\n  {} %    ", percent(share)));
            said(readme, format!(" {} % when ", percent(share)));
        }
        for text in [help, readme] {
            said(text, format!("at most {} %", percent(ALTERNATIVE)));
            said(text, format!("From {} % on", percent(SELECT)));
        }
        let [production, example, dev, extra] =
            [Scope::Production, Scope::Example, Scope::Dev, Scope::Extra(String::new())].map(|scope| scope.factor());
        said(help, format!("production alone keeps {} % of that", percent(production)));
        said(help, format!("example environment {},", percent(example)));
        said(help, format!("for development or optional {}, an extra {}.", percent(dev), percent(extra)));
        said(readme, format!("× {production} for production alone, {example} in an\nexample environment, {dev} for"));
        said(readme, format!(", {extra} in an extra."));
    }

    #[test]
    fn groups_are_told_by_the_words_of_their_name() {
        assert_eq!(Scope::of_group("docs-dev"), Scope::Dev);
        assert_eq!(Scope::of_group("Production"), Scope::Production);
        assert_eq!(Scope::of_group("backend"), Scope::Runtime);
        assert_eq!(Scope::of_group("backend-prod"), Scope::Production);
        assert_eq!(Scope::of_group("backend-dev"), Scope::Dev);
        assert_eq!(Scope::of_group("postgres"), Scope::Extra("postgres".into()));
        assert_eq!(Scope::of_group("e2e-api"), Scope::Dev);
        assert_eq!(Scope::of_group("latest"), Scope::Extra("latest".into()));
        assert_eq!(Scope::of_group("all"), Scope::Extra("all".into()));
    }
}
