//! A tree in memory and a few rules, for the tests of this room.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::model::{Detection, Tree, Unreadable};
use super::rules::ServiceRules;
use crate::catalog::{Ecosystem, Forms, OneOf, Rules};

pub(super) struct MemoryTree {
    files: BTreeMap<String, String>,
    paths: Vec<String>,
}

impl Tree for MemoryTree {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, path: &str) -> Result<String, Unreadable> {
        let text = self.files.get(path).filter(|text| !text.contains('\0'));
        text.cloned().ok_or_else(|| Unreadable::Content("it is no text".into()))
    }
}

impl MemoryTree {
    pub(super) fn detect(&self) -> Detection {
        let (services, provides, forms) = (services(), IndexMap::new(), Forms::default());
        let rules: Vec<_> = services
            .iter()
            .map(|(name, category, detect, one_of)| {
                let one_of = one_of.as_ref();
                ServiceRules {
                    name,
                    category,
                    detect,
                    one_of,
                    provides: &provides,
                    forms: &forms,
                    ports: &[],
                    variants: &[],
                }
            })
            .collect();
        super::detect(self, &rules)
    }

    /// Detects with the rules of the real catalog.
    pub(super) fn detect_by_catalog(&self) -> Detection {
        super::detect(self, &super::catalog_rules())
    }
}

/// A project of these files.
pub(super) fn tree(files: &[(&str, &str)]) -> MemoryTree {
    let files: BTreeMap<String, String> = files.iter().map(|(p, t)| ((*p).into(), (*t).into())).collect();
    MemoryTree { paths: files.keys().cloned().collect(), files }
}

/// The names of the selected services, sorted.
pub(super) fn selected(detection: &Detection) -> Vec<&str> {
    let mut names: Vec<_> = detection.findings.iter().filter(|f| f.selected).map(|f| f.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// The names of all proposed services, sorted.
pub(super) fn found(detection: &Detection) -> Vec<&str> {
    let mut names: Vec<_> = detection.findings.iter().map(|f| f.name.as_str()).collect();
    names.sort_unstable();
    names
}

type Service = (&'static str, String, IndexMap<Ecosystem, Rules>, Option<OneOf>);

fn services() -> Vec<Service> {
    let text = "
postgres:
  category: database
  oneOf: {kind: relational database, rank: 1}
  detect:
    node: {strong: [pg, '@prisma/adapter-pg'], weak: ['@neondatabase/serverless'], tests: ['@testcontainers/postgresql']}
    python: {strong: [psycopg, psycopg2-binary, asyncpg, 'sqlalchemy[postgresql]'], tests: [pytest-postgresql]}
    go: {strong: [github.com/jackc/pgx, github.com/lib/pq]}
    prisma: {strong: [postgresql, postgres]}
    ruby: {strong: [pg, 'adapter: postgresql', 'adapter: postgis']}
    php: {strong: [ext-pdo_pgsql], weak: [laravel/framework]}
    elixir: {strong: [postgrex]}
    compose: {strong: [postgres, pgvector/pgvector]}
    env: {strong: ['postgres://', 'postgresql://']}
mysql:
  category: database
  oneOf: {kind: relational database, rank: 2}
  detect:
    node: {strong: [mysql2]}
    python: {strong: [mysqlclient]}
    go: {strong: [github.com/go-sql-driver/mysql]}
    prisma: {strong: [mysql]}
    ruby: {strong: [mysql2, 'adapter: mysql2']}
    php: {strong: [ext-pdo_mysql], weak: [laravel/framework]}
    elixir: {strong: [myxql]}
    compose: {strong: [mysql]}
    env: {strong: ['mysql://', 'mysql2://']}
mongodb:
  category: database
  detect:
    ruby: {strong: [mongoid]}
    elixir: {strong: [mongodb_driver]}
    env: {weak: [MONGO_URL]}
nats:
  detect:
    ruby: {strong: [nats-pure]}
    elixir: {strong: [gnat]}
    compose: {strong: [nats]}
redis:
  detect:
    node: {strong: [redis, ioredis, bullmq], weak: ['@upstash/redis']}
    python: {strong: [redis, 'celery[redis]'], weak: [celery]}
    go: {strong: [github.com/redis/go-redis]}
    ruby: {strong: [redis, sidekiq, 'adapter: redis']}
    php: {strong: [predis/predis, ext-redis]}
    elixir: {strong: [redix]}
    compose: {strong: [redis, ghcr.io/itsmechlark/features/redis-server]}
    env: {strong: ['redis://'], weak: [REDIS_URL]}
rabbitmq:
  detect:
    ruby: {strong: [bunny]}
    php: {strong: [ext-amqp]}
    elixir: {strong: [amqp]}
    compose: {strong: [rabbitmq]}
    env: {strong: ['amqp://']}
    python: {weak: [celery, amqp]}
chroma:
  detect:
    node: {strong: [chromadb]}
mailpit:
  detect:
    node: {weak: [nodemailer]}
    ruby: {weak: [mailcatcher]}
    compose: {strong: [axllent/mailpit]}
otel:
  detect:
    node: {weak: ['@opentelemetry/exporter-*']}
    go: {weak: ['go.opentelemetry.io/otel/exporters/*']}
";
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        #[serde(default)]
        category: String,
        detect: IndexMap<Ecosystem, Rules>,
        one_of: Option<OneOf>,
    }
    let entries: IndexMap<String, Entry> = serde_yaml::from_str(text).unwrap();
    entries.into_iter().map(|(name, entry)| (&*name.leak(), entry.category, entry.detect, entry.one_of)).collect()
}

/// Pieces that manifests are made of, so that random texts get past the first check of each reader.
const PIECES: [&str; 66] = [
    "\n<<<<<<< a\n",
    "\n>>>>>>> b\n",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    ":",
    ",",
    "=",
    "\n",
    " ",
    "\\",
    "#",
    "//",
    "(",
    ")",
    "@",
    "npm:",
    "${",
    "}",
    "é",
    "\"dependencies\": {",
    "\"scripts\": {",
    "\"dev\": \"",
    "pg",
    "redis[",
    "\"name\": ",
    "datasource db {",
    "provider =",
    "require (",
    "module",
    "go 1.",
    "[project]\n",
    "dependencies = [",
    "-r ",
    "PORT=",
    "EXPOSE ",
    "HEALTHCHECK CMD http://localhost:",
    "web: ",
    "\"workspaces\": [\"!",
    "gem 'pg'",
    "gem \"",
    "group :test do\n",
    "\nend\n",
    "if ENV[",
    "%w[",
    "<<~TEXT\n",
    "\nTEXT\n",
    "=begin\n",
    "{:postgrex, \"",
    ", only: [:dev",
    "~w(",
    "\"\"\"",
    "services:\n  db:\n    image: ",
    "\n    build: {dockerfile_inline: 'FROM ",
    "&a [*a, *a]",
    "<<: *a\n",
    "!reset ",
    "/* ",
    "adapter: <%= ENV['",
    "REDIS_URL=redis://",
    "\"require\": {",
    "FROM postgres AS ",
    "- ",
];

proptest::proptest! {
    #[test]
    fn no_text_makes_detection_fail(pieces in proptest::collection::vec(0..PIECES.len(), 0..40), any in ".{0,40}") {
        let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect::<String>() + &any;
        let object = format!("{{\"scripts\": {{\"dev\": {}}}, \"engines\": {{\"node\": {0}}}}}", serde_json::Value::from(text.as_str()));
        let names = [
            "package.json", "pnpm-workspace.yaml", "pyproject.toml", "Pipfile", "setup.cfg", "setup.py", "environment.yml", "requirements.txt", "go.mod", "a.prisma",
            "Dockerfile", "Procfile", "Procfile.dev", ".env.example", ".nvmrc", ".python-version", "Gemfile", "a.gemspec", "composer.json",
            "mix.exs", "compose.yml", ".devcontainer/devcontainer.json", "config/database.yml", ".ruby-version", ".tool-versions",
            "artisan", "bin/rails",
            ".lando.yml", ".ddev/config.yaml",
        ];
        let mut files: Vec<(&str, &str)> = names.iter().map(|name| (*name, text.as_str())).collect();
        files.push(("apps/a/package.json", &object));
        let rails = format!("gem 'rails'\n{text}");
        files.push(("apps/b/Gemfile", &rails));
        let detection = tree(&files).detect();
        let text = crate::image::dockerfile_dev(
            detection.stack.as_ref(),
            detection.image.as_ref().map_or("debian", |image| image.value.as_str()),
            detection.dev.as_ref().map(|dev| dev.value.as_str()),
            detection.port.map(|port| port.value),
        );
        let known = ["#", "FROM ", "ENV ", "RUN ", "WORKDIR ", "USER ", "COPY ", "EXPOSE ", "CMD ["];
        // The lines that start a command again are continued.
        for line in text.replace(" \\\n    ", " ").lines() {
            proptest::prop_assert!(known.iter().any(|word| line.starts_with(word)), "{line}");
        }
    }
}
