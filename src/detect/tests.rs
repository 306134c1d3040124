//! What goes for all readers: no text of any manifest makes one fail, nothing but manifests is read, a mapper of objects alone
//! selects no database.

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::prelude::prop;

use super::disk::DiskTree;
use super::model::{Tree, Unreadable};
use super::testing::{found, selected, tree};
use crate::fsx;

/// Pieces that these manifests are made of, so that random texts get past the first check of each reader.
const PIECES: [&str; 63] = [
    "\n<<<<<<< a\n",
    "\n=======\n",
    "\n>>>>>>> b\n",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "'",
    "\"",
    "'''",
    "\"\"\"",
    "`",
    ":",
    ",",
    "=",
    "\n",
    " ",
    "\\",
    "/",
    "//",
    "/*",
    "*/",
    "${",
    "$/",
    "@",
    "é",
    "dependencies",
    "plugins",
    "implementation ",
    "platform",
    "add",
    "libs.a",
    "libs.bundles.b",
    "group",
    "name",
    "'g:a:1'",
    "versionCatalogs",
    "dependencyResolutionManagement",
    "library('a', 'g:a:1')",
    "if (x) ",
    "<project>",
    "</project>",
    "<dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId>",
    "</dependency></dependencies>",
    "<parent><relativePath>",
    "<properties><a>${a}${a}</a></properties>",
    "${a}",
    "<Project Sdk=\"Microsoft.NET.Sdk.Web\">",
    "</Project>",
    "<PackageReference Include=\"Npgsql\" Condition=\"",
    "/>",
    "<!DOCTYPE a [<!ENTITY b \"&b;\">]>",
    "&b;",
    "[package]\nname = \"a\"\n",
    "[dependencies]\n",
    "a = {workspace = true, features = [\"b\"]}\n",
    "[features]\ndefault = [\"a/b\", \"default\"]\n",
    "\"imports\": {\"a\": \"jsr:@",
    "\"tasks\": {\"dev\": \"",
    "server.port=",
    "\"profiles\": {",
];

const NAMES: [&str; 18] = [
    "pom.xml",
    "app/pom.xml",
    "build.gradle",
    "app/build.gradle.kts",
    "settings.gradle",
    "gradle/libs.versions.toml",
    "src/main/resources/application.properties",
    "src/main/resources/application.yml",
    "Shop.csproj",
    "Directory.Build.props",
    "packages.config",
    "paket.references",
    "Properties/launchSettings.json",
    "Cargo.toml",
    "crates/a/Cargo.toml",
    "deno.jsonc",
    "import_map.json",
    "mvnw",
];

/// Asserts that whatever was found can be made an image of.
fn looked_at(files: &[(&str, &str)]) {
    let detection = tree(files).detect_by_catalog();
    for evidence in detection.findings.iter().flat_map(|finding| &finding.evidence) {
        let text = files.iter().find(|(name, _)| *name == evidence.file).unwrap().1;
        assert!((1..=text.lines().count()).contains(&evidence.line), "{evidence:?}");
    }
    for warning in &detection.warnings {
        assert!(warning.place.as_ref().is_some_and(|place| place.line >= 1), "{warning:?}");
    }
    let text = crate::image::dockerfile_dev(
        detection.stack.as_ref(),
        detection.image.as_ref().map_or("debian", |image| image.value.as_str()),
        detection.dev.as_ref().map(|dev| dev.value.as_str()),
        detection.port.map(|port| port.value),
    );
    assert_eq!(text.matches("FROM ").count(), 1, "{text}");
}

/// A project on disk that notes what is read of it.
struct Noting {
    tree: DiskTree,
    read: RefCell<BTreeSet<String>>,
}

impl Tree for Noting {
    fn paths(&self) -> &[String] {
        self.tree.paths()
    }

    fn can_be_named(&self, path: &str) -> bool {
        self.tree.can_be_named(path)
    }

    fn read(&self, path: &str) -> Result<String, Unreadable> {
        self.read.borrow_mut().insert(path.to_owned());
        self.tree.read(path)
    }
}

type Pairs = [(&'static str, &'static str)];

/// Apps, each with its manifests and with files whose presence alone says something.
const APPS: [(&Pairs, &[&str]); 10] = [
    (
        &[
            ("package.json", r#"{"scripts": {"dev": "node server.js"}, "dependencies": {"pg": "8"}}"#),
            ("pnpm-workspace.yaml", "packages: [a]\n"),
            (".nvmrc", "24\n"),
        ],
        &[
            ".npmrc",
            ".pnpmfile.cjs",
            ".yarnrc",
            ".yarnrc.yml",
            "bun.lock",
            "bun.lockb",
            "bunfig.toml",
            "npm-shrinkwrap.json",
            "package-lock.json",
            "pnpm-lock.yaml",
            "yarn.lock",
        ],
    ),
    (
        &[
            ("pyproject.toml", "[project]\nname = \"a\"\ndependencies = [\"fastapi\", \"psycopg\"]\n"),
            ("requirements.txt", "redis\n"),
        ],
        &["Pipfile.lock", "app/__init__.py", "app/main.py", "poetry.lock", "server.py", "uv.lock"],
    ),
    (&[("requirements.txt", "django\nflask\n")], &["app.py", "main.py", "manage.py", "wsgi.py"]),
    (
        &[("go.mod", "module a\n\ngo 1.25\n\nrequire github.com/lib/pq v1.0.0\n")],
        &["cmd/a/main.go", "go.sum", "go.work", "go.work.sum", "main.go"],
    ),
    (&[("Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\naxum = \"1\"\n")], &["src/bin/a.rs", "src/main.rs"]),
    (
        &[("Gemfile", "source 'x'\ngem 'rails'\ngem 'pg'\n"), ("config/database.yml", "development:\n  adapter: x\n")],
        &["Gemfile.lock", "bin/rails", "config.ru", "gems.locked"],
    ),
    // The lock says which extensions the image needs.
    (
        &[
            ("composer.json", r#"{"require": {"laravel/framework": "12", "symfony/framework-bundle": "7"}}"#),
            ("composer.lock", "{}"),
        ],
        &["artisan", "bin/console", "public/index.php"],
    ),
    (
        &[(
            "mix.exs",
            "defmodule A do\n  defp deps do\n    [{:postgrex, \"~> 1\"}, {:phoenix, \"~> 1\"}]\n  end\nend\n",
        )],
        &["mix.lock"],
    ),
    (
        &[("build.gradle", "plugins { id 'org.springframework.boot' }\n"), ("pom.xml", "<project/>")],
        &["gradlew", "mvnw"],
    ),
    (&[("deno.json", r#"{"imports": {"pg": "npm:pg@8"}, "tasks": {"dev": "deno run main.ts"}}"#)], &["deno.lock"]),
];

#[test]
fn the_entry_of_a_program_a_lockfile_and_a_wrapper_are_seen_and_not_read() {
    for (manifests, seen) in APPS {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in manifests {
            fsx::write(&dir.path().join(path), text.as_bytes()).unwrap();
        }
        for path in seen {
            fsx::write(&dir.path().join(path), b"").unwrap();
        }
        let tree = Noting { tree: DiskTree::open(dir.path()).unwrap(), read: RefCell::default() };
        let names: BTreeSet<&str> = manifests.iter().map(|(path, _)| *path).chain(seen.iter().copied()).collect();
        assert_eq!(tree.paths().iter().map(String::as_str).collect::<BTreeSet<_>>(), names);
        crate::detect::detect(&tree, &crate::detect::catalog_rules());
        let expected: BTreeSet<String> = manifests.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(tree.read.into_inner(), expected);
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_reader_fail(pieces in proptest::collection::vec(0..PIECES.len(), 0..60), any in "\\PC{0,30}") {
        let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect::<String>() + &any;
        let files: Vec<(&str, &str)> = NAMES.iter().map(|name| (*name, text.as_str())).collect();
        looked_at(&files);
    }

    #[test]
    fn a_manifest_that_is_cut_off_or_changed_is_no_failure(at: prop::sample::Index, which in 0..WHOLE.len(), piece in 0..PIECES.len()) {
        let (name, text) = WHOLE[which];
        let mut at = at.index(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        looked_at(&[(name, &text[..at])]);
        let changed = format!("{}{}{}", &text[..at], PIECES[piece], &text[at..]);
        looked_at(&[(name, &changed)]);
    }
}

const WHOLE: [(&str, &str); 19] = [
    ("package.json", "{\"name\": \"a\",\n\"scripts\": {\"dev\": \"vite\"},\n\"dependencies\": {\"pg\": \"8\"}}\n"),
    ("composer.json", "{\n\"require\": {\n\"ext-redis\": \"*\"}}\n"),
    ("requirements.txt", "# é\ndjango[x]==5 ; python_version > '3'\npsycopg\n-e git+https://a/b#egg=redis\n"),
    ("setup.py", "from a import b\nsetup(\n  install_requires=['redis', \"\"\"psycopg\"\"\"], # x\n)\n"),
    ("setup.cfg", "[metadata]\nname: a\n[options]\ninstall_requires =\n  redis\n"),
    ("pyproject.toml", "[project]\nname = 'a'\ndependencies = ['psycopg']\n[dependency-groups]\ndev = ['redis']\n"),
    ("environment.yml", "name: a\ndependencies:\n  - redis-py\n  - pip:\n    - psycopg\n"),
    ("go.mod", "module a\n\nrequire (\n\tgithub.com/lib/pq v1.0.0 // x\n)\n"),
    ("a.prisma", "datasource db {\n  provider = \"postgresql\"\n}\nmodel A {\n  id Json @default(\"{}\")\n}\n"),
    ("Gemfile", "source 'x'\ngroup :a, :b do\n  gem \"pg\", %w[é]\nend\n"),
    ("config/database.yml", "a: &a\n  adapter: <%= ENV.fetch('A') { 'postgresql' } %>\nb:\n  <<: *a\n"),
    ("mix.exs", "defmodule A do\n  defp deps do\n    [{:postgrex, \"~> 1\"}]\n  end\nend\n"),
    ("compose.yml", "services:\n  db: &a\n    image: \"postgres:17\"\n  b:\n    <<: *a\n"),
    (
        "pom.xml",
        "<project><artifactId>a</artifactId><dependencies><dependency><groupId>org.postgresql</groupId>\n<artifactId>postgresql</artifactId></dependency></dependencies></project>",
    ),
    (
        "build.gradle.kts",
        "plugins { id(\"org.springframework.boot\") }\ndependencies {\n  implementation(platform(\"a:b:1\"))\n  runtimeOnly(\"org.postgresql:postgresql\") { exclude(\"x\") }\n}\n",
    ),
    (
        "gradle/libs.versions.toml",
        "[libraries]\npg = { module = \"org.postgresql:postgresql\", version = \"1\" }\n[bundles]\ndb = [\"pg\"]\n",
    ),
    (
        "A.csproj",
        "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><PropertyGroup><TargetFramework>net8.0</TargetFramework></PropertyGroup>\n<ItemGroup><PackageReference Include=\"Npgsql\" /></ItemGroup></Project>",
    ),
    (
        "Cargo.toml",
        "[package]\nname = \"a\"\n[dependencies]\nsqlx = { version = \"0.8\", features = [\"postgres\"] }\n[features]\ndefault = [\"sqlx/mysql\"]\n",
    ),
    (
        "deno.jsonc",
        "{\n  // a\n  \"imports\": {\"pg\": \"npm:pg@8\"},\n  \"tasks\": {\"dev\": \"deno run --watch main.ts\"},\n}\n",
    ),
];

#[test]
fn a_collection_of_connectors_is_no_list_of_needs() {
    let packages =
        ["pg", "mongodb", "ioredis", "kafkajs", "amqplib", "@clickhouse/client", "meilisearch", "weaviate-client"];
    let manifest = |packages: &[&str]| {
        let dependencies: Vec<String> = packages.iter().map(|name| format!("\"{name}\": \"1\"")).collect();
        format!("{{\"dependencies\": {{{}}}}}", dependencies.join(", "))
    };
    let (all, some, app) = (manifest(&packages), manifest(&packages[1..]), manifest(&["ioredis"]));
    let detection =
        tree(&[("packages/nodes/package.json", &all), ("packages/app/package.json", &app)]).detect_by_catalog();
    assert_eq!((found(&detection).len(), selected(&detection)), (8, vec!["redis"]));
    let mongodb = detection.findings.iter().find(|finding| finding.name == "mongodb").unwrap();
    assert!(mongodb.evidence[0].note.ends_with("; one of the many connectors in packages/nodes/package.json"));
    assert_eq!(selected(&tree(&[("package.json", &some)]).detect_by_catalog()).len(), 7);
}

/// Returns a manifest with these packages; the name says of which language. Those of Rust are whole lines.
fn manifest(name: &'static str, packages: &[&str]) -> (&'static str, String) {
    let each = |line: fn(&str) -> String| packages.iter().map(|package| line(package)).collect::<String>();
    let text = match name {
        "package.json" => {
            format!("{{\"dependencies\": {{{}\"x\": \"1\"}}}}", each(|package| format!("\"{package}\": \"1\",\n")))
        }
        "composer.json" => {
            format!("{{\"require\": {{{}\"php\": \"8\"}}}}", each(|package| format!("\"{package}\": \"*\",\n")))
        }
        "go.mod" => format!("module a\n\ngo 1.25\n\nrequire (\n{})\n", each(|package| format!("\t{package} v1.0.0\n"))),
        "Cargo.toml" => format!("[package]\nname = \"a\"\n[dependencies]\n{}", each(|package| format!("{package}\n"))),
        "Gemfile" => format!("source 'x'\n{}", each(|package| format!("gem '{package}'\n"))),
        "mix.exs" => format!(
            "defmodule A do\n  use Mix.Project\n  defp deps do\n    [{}{{:x, \"~> 1\"}}]\n  end\nend\n",
            each(|package| format!("{{:{package}, \"~> 1\"}}, "))
        ),
        "pom.xml" => format!(
            "<project><artifactId>a</artifactId><dependencies>{}</dependencies></project>",
            each(|package| {
                let (group, artifact) = package.split_once(':').unwrap();
                format!("<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId></dependency>\n")
            })
        ),
        "Shop.csproj" => format!(
            "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><ItemGroup>{}</ItemGroup></Project>",
            each(|package| format!("<PackageReference Include=\"{package}\" Version=\"1\" />\n"))
        ),
        _ => each(|package| format!("{package}\n")),
    };
    (name, text)
}

/// Mappers of objects and builders of queries, which run on several databases, each with drivers and the service that is theirs.
const MAPPERS: [(&str, &str, &Pairs); 46] = [
    ("package.json", "typeorm", &[("pg", "postgres"), ("mysql2", "mysql"), ("mssql", "mssql")]),
    ("package.json", "@nestjs/typeorm", &[("pg", "postgres")]),
    (
        "package.json",
        "sequelize",
        &[("pg", "postgres"), ("mysql2", "mysql"), ("tedious", "mssql"), ("mariadb", "mariadb")],
    ),
    ("package.json", "drizzle-orm", &[("postgres", "postgres"), ("mysql2", "mysql")]),
    ("package.json", "kysely", &[("pg", "postgres"), ("mysql2", "mysql")]),
    ("package.json", "knex", &[("pg", "postgres"), ("mysql", "mysql")]),
    ("package.json", "objection", &[("pg", "postgres")]),
    ("package.json", "@mikro-orm/core", &[("@mikro-orm/postgresql", "postgres"), ("@mikro-orm/mongodb", "mongodb")]),
    ("package.json", "@prisma/client", &[("@prisma/adapter-pg", "postgres")]),
    ("requirements.txt", "sqlalchemy", &[("psycopg2-binary", "postgres"), ("pymysql", "mysql"), ("pymssql", "mssql")]),
    ("requirements.txt", "SQLAlchemy==2.0.44", &[("asyncpg==0.30.0", "postgres")]),
    ("requirements.txt", "sqlmodel", &[("asyncpg", "postgres")]),
    ("requirements.txt", "flask-sqlalchemy", &[("mysqlclient", "mysql")]),
    ("requirements.txt", "alembic", &[("psycopg", "postgres")]),
    ("requirements.txt", "tortoise-orm", &[("asyncpg", "postgres")]),
    ("requirements.txt", "peewee", &[("psycopg2", "postgres")]),
    ("requirements.txt", "django", &[("psycopg[binary]", "postgres"), ("mysqlclient", "mysql")]),
    (
        "go.mod",
        "gorm.io/gorm",
        &[
            ("gorm.io/driver/postgres", "postgres"),
            ("gorm.io/driver/mysql", "mysql"),
            ("gorm.io/driver/sqlserver", "mssql"),
            ("gorm.io/driver/clickhouse", "clickhouse"),
        ],
    ),
    ("go.mod", "entgo.io/ent", &[("github.com/lib/pq", "postgres")]),
    ("go.mod", "github.com/jmoiron/sqlx", &[("github.com/go-sql-driver/mysql", "mysql")]),
    ("go.mod", "github.com/uptrace/bun", &[("github.com/uptrace/bun/driver/pgdriver", "postgres")]),
    ("go.mod", "xorm.io/xorm", &[("github.com/lib/pq", "postgres")]),
    (
        "Cargo.toml",
        "diesel = \"2\"",
        &[
            ("diesel-async = { version = \"0.6\", features = [\"postgres\"] }", "postgres"),
            ("diesel_migrations = { version = \"2\", features = [\"mysql\"] }", "mysql"),
        ],
    ),
    ("Cargo.toml", "sqlx = \"0.8\"", &[("tokio-postgres = \"0.7\"", "postgres")]),
    ("Cargo.toml", "sea-orm = \"1\"", &[("sqlx = { version = \"0.8\", features = [\"mysql\"] }", "mysql")]),
    ("Gemfile", "activerecord", &[("pg", "postgres"), ("mysql2", "mysql")]),
    ("Gemfile", "rails", &[("pg", "postgres"), ("trilogy", "mysql")]),
    ("Gemfile", "sequel", &[("pg", "postgres"), ("mysql2", "mysql")]),
    ("Gemfile", "rom-sql", &[("pg", "postgres")]),
    ("composer.json", "doctrine/orm", &[("ext-pdo_pgsql", "postgres"), ("ext-pdo_mysql", "mysql")]),
    ("composer.json", "doctrine/dbal", &[("ext-pgsql", "postgres"), ("ext-pdo_mysql", "mysql")]),
    ("composer.json", "doctrine/doctrine-bundle", &[("ext-pdo_pgsql", "postgres")]),
    ("composer.json", "illuminate/database", &[("ext-pdo_mysql", "mysql")]),
    ("composer.json", "laravel/framework", &[("ext-pdo_pgsql", "postgres")]),
    ("composer.json", "cycle/orm", &[("ext-pdo_mysql", "mysql")]),
    ("mix.exs", "ecto_sql", &[("postgrex", "postgres"), ("myxql", "mysql"), ("tds", "mssql")]),
    ("mix.exs", "ecto", &[("postgrex", "postgres")]),
    ("mix.exs", "ash", &[("ash_postgres", "postgres")]),
    (
        "pom.xml",
        "org.springframework.boot:spring-boot-starter-data-jpa",
        &[
            ("org.postgresql:postgresql", "postgres"),
            ("com.mysql:mysql-connector-j", "mysql"),
            ("org.mariadb.jdbc:mariadb-java-client", "mariadb"),
            ("com.microsoft.sqlserver:mssql-jdbc", "mssql"),
        ],
    ),
    ("pom.xml", "org.hibernate.orm:hibernate-core", &[("org.postgresql:postgresql", "postgres")]),
    ("pom.xml", "org.jooq:jooq", &[("org.postgresql:postgresql", "postgres")]),
    ("pom.xml", "org.mybatis.spring.boot:mybatis-spring-boot-starter", &[("com.mysql:mysql-connector-j", "mysql")]),
    ("pom.xml", "io.quarkus:quarkus-hibernate-orm-panache", &[("io.quarkus:quarkus-jdbc-postgresql", "postgres")]),
    (
        "Shop.csproj",
        "Microsoft.EntityFrameworkCore",
        &[("Npgsql.EntityFrameworkCore.PostgreSQL", "postgres"), ("Microsoft.EntityFrameworkCore.SqlServer", "mssql")],
    ),
    ("Shop.csproj", "Dapper", &[("Npgsql", "postgres"), ("MySqlConnector", "mysql")]),
    ("Shop.csproj", "NHibernate", &[("Npgsql", "postgres")]),
];

#[test]
fn a_mapper_of_objects_selects_nothing_and_its_driver_its_database() {
    let detect = |file: &'static str, packages: &[&str]| {
        let (name, text) = manifest(file, packages);
        tree(&[(name, text.as_str())]).detect_by_catalog()
    };
    for (file, mapper, drivers) in MAPPERS {
        let alone = detect(file, &[mapper]);
        // Most apps with one of PHP's run on one of these two, by an extension that the image has and no manifest names.
        let hinted: &[&str] = if file == "composer.json" { &["mysql", "postgres"] } else { &[] };
        assert_eq!((selected(&alone), found(&alone).as_slice()), (Vec::new(), hinted), "{mapper}");
        for (driver, service) in drivers {
            let both = detect(file, &[mapper, driver]);
            assert_eq!((selected(&both), found(&both)), (vec![*service], vec![*service]), "{mapper} and {driver}");
        }
    }
}

#[test]
fn a_feature_of_a_mapper_of_objects_is_its_driver() {
    for (feature, service) in [
        ("diesel = { version = \"2\", features = [\"postgres\"] }", "postgres"),
        ("diesel = { version = \"2\", features = [\"mysql\"] }", "mysql"),
        ("sqlx = { version = \"0.8\", features = [\"postgres\"] }", "postgres"),
        ("sea-orm = { version = \"1\", features = [\"sqlx-mysql\"] }", "mysql"),
    ] {
        let (name, text) = manifest("Cargo.toml", &[feature]);
        assert_eq!(selected(&tree(&[(name, text.as_str())]).detect_by_catalog()), [service], "{feature}");
    }
    let (name, sqlite) = manifest("Cargo.toml", &["diesel = { version = \"2\", features = [\"sqlite\"] }"]);
    assert!(found(&tree(&[(name, sqlite.as_str())]).detect_by_catalog()).is_empty());
}

#[test]
fn a_starter_of_spring_names_what_it_is_for() {
    for (starter, service) in [
        ("spring-boot-starter-data-redis", "redis"),
        ("spring-boot-starter-data-mongodb", "mongodb"),
        ("spring-boot-starter-amqp", "rabbitmq"),
        ("spring-boot-starter-data-elasticsearch", "elasticsearch"),
    ] {
        let package = format!("org.springframework.boot:{starter}");
        let (name, text) = manifest("pom.xml", &["org.springframework.boot:spring-boot-starter-web", &package]);
        assert_eq!(selected(&tree(&[(name, text.as_str())]).detect_by_catalog()), [service], "{starter}");
    }
}
