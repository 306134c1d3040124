//! What detection reads and what it hands on.

use std::collections::BTreeSet;

use super::confidence::SELECT;
use super::forms::Form;
use crate::catalog::Ecosystem;
use crate::diag::Problem;

/// The files of a project, as detection sees them.
pub trait Tree {
    /// Paths of all files that could be manifests, relative to the root, with `/`, sorted.
    fn paths(&self) -> &[String];
    /// Tells whether a file is there that is read where a manifest names it: every manifest, and whatever a compose file can
    /// include or build from.
    fn can_be_named(&self, path: &str) -> bool {
        self.paths().binary_search_by(|known| known.as_str().cmp(path)).is_ok()
    }
    /// Reads one of them.
    ///
    /// # Errors
    /// When it cannot be read, or is no text of at most 1 MiB.
    fn read(&self, path: &str) -> Result<String, Unreadable>;

    /// Returns what the search for the files met that belongs to none of them.
    fn problems(&self) -> &[Problem] {
        &[]
    }
}

/// Why a file is not read, in a few words that go on where "cannot read `x`: " ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It cannot be opened, or is nothing that has a content.
    Access(String),
    /// What stands in it is no manifest, whichever it is.
    Content(String),
}

/// Why kilter believes something: one line of one file.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Evidence {
    /// File, relative to the project's root.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// The package (or the key) that says so.
    pub package: String,
    /// How sure this piece alone makes it, 0 to 1.
    pub confidence: f64,
    /// A few words for a person, for example `ioredis is a client of redis`.
    pub note: String,
    /// Which kind of manifest it stands in.
    #[serde(skip)]
    pub ecosystem: Ecosystem,
    /// The image that a compose file starts, whole.
    #[serde(skip)]
    pub image: Option<String>,
}

/// A service the project seems to need.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Finding {
    /// Name of the catalog service.
    pub name: String,
    /// Whether it is pre-selected: true from [`SELECT`] on.
    pub selected: bool,
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// The image that the project itself runs, where it holds more than the catalog's and starts like it: kilter.yaml keeps it.
    pub image: Option<Found<String>>,
    /// All evidence, the strongest first; never empty.
    pub evidence: Vec<Evidence>,
}

impl Finding {
    /// Makes a finding; its confidence decides whether it is selected. `evidence` is not empty, `variants` are as the catalog's.
    pub(super) fn new(name: &str, confidence: f64, evidence: Vec<Evidence>, variants: &[String]) -> Self {
        let image = evidence.iter().find_map(|piece| {
            let image = piece.image.as_ref().filter(|image| is_one_of(image, variants))?;
            Some(Found::new(image.clone(), &piece.file, piece.line, format!("which holds more than {name} alone")))
        });
        Self { name: name.into(), selected: confidence >= SELECT, confidence, image, evidence }
    }
}

/// Tells whether an image is of one of these repositories and has a tag of its own; one with a variable has none.
fn is_one_of(image: &str, repositories: &[String]) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let image = image.trim_start_matches("docker.io/");
    image.split_once(':').is_some_and(|(repository, tag)| {
        repositories.iter().any(|one| one == repository) && !tag.is_empty() && tag != "latest" && tag.chars().all(plain)
    })
}

/// A fact about the app and where it was read.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Found<T> {
    /// The fact.
    pub value: T,
    /// File it was read from, relative to the project's root.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// A few words for a person, for example `from the script dev`.
    pub note: String,
}

impl<T> Found<T> {
    /// Makes a fact.
    pub(super) fn new(value: T, file: impl Into<String>, line: usize, note: impl Into<String>) -> Self {
        Self { value, file: file.into(), line, note: note.into() }
    }
}

/// Everything detection has to say about a project.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detection {
    /// Name the project gives itself, as it is written there; see [`crate::ids::Name::from_text`].
    pub name: Option<Found<String>>,
    /// Port its app listens on in dev.
    pub port: Option<Found<u16>>,
    /// Command that starts the app in dev, from the project's root; a line for `/bin/sh`.
    pub dev: Option<Found<String>>,
    /// Base image of the dev container.
    pub image: Option<Found<String>>,
    /// Path for readiness probes.
    pub health: Option<Found<String>>,
    /// The app's own language and package manager, for Dockerfile.dev.
    pub stack: Option<Stack>,
    /// How the app is built and started in production.
    pub production: Option<Production>,
    /// Services, the surest first.
    pub findings: Vec<Finding>,
    /// The variables in which the project reads what services provide, of every service that could give them.
    pub forms: Vec<Form>,
    /// The variables that the project's examples and schemas name.
    pub named: BTreeSet<String>,
    /// Manifests that could not be read, and the like: never a failure.
    pub warnings: Vec<Problem>,
}

/// What Dockerfile.dev has to know about the app.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Stack {
    /// Language.
    pub ecosystem: Ecosystem,
    /// Package manager: `npm`, `pnpm`, `yarn`, `bun`, `pip`, `uv`, `poetry`, `pipenv`, `go`, `bundler`, `mix`, `maven`,
    /// `gradle`, `dotnet`, `cargo`, `deno`, `composer`.
    pub manager: String,
    /// Files that name the dependencies, relative to the root, copied before everything else, so that a source edit does
    /// not install again. Empty: the installation needs the sources, so everything is copied first.
    pub manifests: Vec<String>,
    /// Where `manifests` is empty: the files known to name the dependencies, an edit of which needs the installation again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rebuild_on: Vec<String>,
    /// Command that installs the dependencies, from the project's root; a line for `/bin/sh`.
    pub install: String,
    /// Of PHP: the extensions that the image has to have, by their names without `ext-`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
    /// Files that the project commits and the image has to have, though files of their name hold secrets elsewhere; relative to the
    /// root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keeps: Vec<String>,
    /// Whether the dev command reloads by itself when a file changes (vite, next dev, nodemon, uvicorn --reload, air …).
    pub reloads: bool,
}

/// How the app is built and started in production. Commands are lines for `/bin/sh`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Production {
    /// The app's directory; empty for the root.
    pub dir: String,
    /// Installs what the build needs, from the project's root.
    pub install: String,
    /// Builds it, from the project's root.
    pub build: Option<String>,
    /// Takes away what only the build needed, from the project's root.
    pub prune: Option<String>,
    /// Starts it, from `dir`; `None` when nothing says how.
    pub start: Option<String>,
}
