//! No text of any manifest makes a reader fail.

use std::cell::RefCell;

use proptest::prelude::prop;

use super::model::{Tree, Unreadable};
use super::testing::{found, selected, tree};

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

/// A tree that notes what is read of it.
struct Noting {
    paths: Vec<String>,
    read: RefCell<Vec<String>>,
}

impl Tree for Noting {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, path: &str) -> Result<String, Unreadable> {
        self.read.borrow_mut().push(path.to_owned());
        Ok(String::new())
    }
}

#[test]
fn the_entry_of_a_program_and_a_wrapper_are_seen_and_not_read() {
    let names = ["Cargo.toml", "deno.lock", "gradlew", "mvnw", "pom.xml", "src/bin/a.rs", "src/main.rs"];
    let tree = Noting { paths: names.iter().map(|name| (*name).to_owned()).collect(), read: RefCell::default() };
    crate::detect::detect(&tree, &[]);
    let mut read = tree.read.into_inner();
    read.retain(|path| names.contains(&path.as_str()));
    assert_eq!(read, ["pom.xml", "Cargo.toml"]);
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
