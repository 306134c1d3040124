//! What is wrong with a manifest is told with its place, once for a file, and what can be read counts.

use super::testing::{found, tree};

/// Asserts that this file alone gives one warning, and returns what it says and the line.
fn told(name: &str, text: &str) -> (String, usize) {
    let detection = tree(&[(name, text)]).detect();
    let [warning] = detection.warnings.as_slice() else { panic!("{name}: {:?}\n{text}", detection.warnings) };
    (warning.what.clone(), warning.place.as_ref().map_or(0, |place| place.line))
}

/// Asserts that nothing is said of this file.
fn fine(name: &str, text: &str) {
    let detection = tree(&[(name, text)]).detect();
    assert!(detection.warnings.is_empty(), "{name}: {:?}\n{text}", detection.warnings);
}

#[test]
fn of_a_conflict_both_sides_count_and_one_warning_says_so() {
    let conflict = |before: &str, ours: &str, theirs: &str, after: &str| {
        format!("{before}<<<<<<< HEAD\n{ours}\n||||||| a1\n=======\n{theirs}\n>>>>>>> main\n{after}")
    };
    for (name, text, line) in [
        ("requirements.txt", conflict("django\n", "psycopg", "redis", ""), 2),
        ("Gemfile", conflict("source 'x'\n", "gem 'pg'", "gem 'redis'", ""), 2),
        (
            "package.json",
            conflict("{\"dependencies\": {\n", "\"pg\": \"8\",", "\"pg\": \"9\",", "\"redis\": \"1\"}}"),
            2,
        ),
        ("schema.prisma", conflict("datasource a {\n", "provider = \"mysql\"", "provider = \"postgres\"", "}\n"), 2),
        (".env.example", conflict("", "A=postgres://a", "B=redis://b", ""), 1),
        ("mix.exs", conflict("[\n", "{:postgrex, \"1\"},", "{:redix, \"1\"}", "]\n"), 2),
        (
            "go.mod",
            conflict("module a\n", "require github.com/lib/pq v1", "require github.com/redis/go-redis v1", ""),
            2,
        ),
        ("setup.py", conflict("setup(install_requires=[\n", "'psycopg',", "'redis',", "])\n"), 2),
        ("compose.yml", conflict("services:\n", "  db: {image: postgres}", "  a: {image: redis}", ""), 2),
    ] {
        let detection = tree(&[(name, &text)]).detect();
        assert!(found(&detection).contains(&"postgres"), "{name}: {detection:?}");
        let [warning] = detection.warnings.as_slice() else { panic!("{name}: {:?}", detection.warnings) };
        assert_eq!(warning.what, format!("`{name}` has the conflict markers of a merge"));
        assert_eq!(warning.place.as_ref().unwrap().line, line, "{name}");
    }
    let title = "# A\n=======\n# <<<<<<< b\nA=postgres://a\n";
    assert!(tree(&[(".env.example", title)]).detect().warnings.is_empty());
}

#[test]
fn a_value_of_another_type_is_told_by_its_key() {
    for (name, text, message, line) in [
        ("package.json", "{\n\"dependencies\": \"pg\"}", "`dependencies` is not an object", 2),
        ("package.json", "{\n\n\"devDependencies\": [\"pg\"]}", "`devDependencies` is not an object", 3),
        ("composer.json", "{\n\"require\": []}", "`require` is not an object", 2),
        ("deno.json", "{\n\"imports\": []}", "`imports` is not an object", 2),
        (".devcontainer/devcontainer.json", "[]", "it is not a JSON object", 1),
        (
            "Cargo.toml",
            "[package]\nname = 'a'\n[workspace]\ndependencies = []",
            "`workspace.dependencies` is not a table",
            4,
        ),
        ("Cargo.toml", "dependencies = 'a'\n", "`dependencies` is not a table", 1),
        ("pyproject.toml", "project = 'a'\n", "`project` is not a table", 1),
        ("pyproject.toml", "[project]\ndependencies = {}\n", "`project.dependencies` is not a list", 2),
        ("pyproject.toml", "[project]\ndependencies = 'redis'\n", "`project.dependencies` is not a list", 2),
        ("pyproject.toml", "[dependency-groups]\na = []\nb = 'c'\n", "`dependency-groups.b` is not a list", 3),
        ("pyproject.toml", "[tool.poetry]\ndependencies = []\n", "`tool.poetry.dependencies` is not a table", 2),
        ("Pipfile", "packages = ['redis']\n", "`packages` is not a table", 1),
        ("gradle/libs.versions.toml", "libraries = []\n", "`libraries` is not a table", 1),
        ("compose.yml", "name: a\nservices: [a]\n", "`services` is not a mapping", 2),
        ("compose.yml", "services: a\n", "`services` is not a mapping", 1),
        ("compose.yml", "services:\n  a: {image: b}\n  c: postgres\n", "the service `c` is not a mapping", 3),
        ("compose.yml", "- services\n", "it is not a mapping", 1),
        ("compose.yml", "services\n", "it is not a mapping", 1),
        (".lando.yml", "- a\n", "it is not a mapping", 1),
    ] {
        assert_eq!(told(name, text), (format!("`{name}` is malformed: {message}"), line), "{text}");
    }
    let files = [("package.json", "{}"), ("pnpm-workspace.yaml", "a: 1\npackages: b\n")];
    let warnings = tree(&files).detect().warnings;
    assert_eq!(warnings[0].what, "`pnpm-workspace.yaml` is malformed: `packages` is not a list");
    assert_eq!(warnings[0].place.as_ref().unwrap().line, 2);
}

#[test]
fn what_the_tools_take_is_no_wrong_type() {
    for (name, text) in [
        ("package.json", r#"{"dependencies": [], "devDependencies": null}"#),
        ("composer.json", r#"{"require": null}"#),
        ("pyproject.toml", "[dependency-groups]\na = [{include-group = 'b'}]\nb = []\n"),
        ("Cargo.toml", "[target.'cfg(unix)'.dependencies]\na = '1'\n"),
        ("compose.yml", "# nothing yet\n"),
        ("compose.yml", "services:\n"),
        ("compose.yml", "services:\n  a:\n  b: !reset null\n"),
        ("compose.yml", "include: [a.yml]\n"),
    ] {
        fine(name, text);
    }
}

#[test]
fn a_document_that_is_cut_off_is_wrong_at_its_end() {
    let cut = "<project>\n <dependencies>\n  <dependency>\n   <groupId>org.post";
    assert_eq!(told("pom.xml", cut).1, 4);
    assert_eq!(told("pom.xml", "<project>\n <dependencies>\n </dependencies>\n\n").1, 3);
    assert_eq!(told("A.csproj", "<Project>\n<ItemGroup>\n<PackageReference Include=\"Npg").1, 3);
    assert_eq!(told("pom.xml", "").1, 1);
}

#[test]
fn what_cannot_be_read_as_its_format_is_told_and_lines_of_it_count() {
    let before = "a line stands before the first section";
    let neither = "a line is neither a section nor a key with its value";
    for (text, message, line) in [
        ("# a\ninstall_requires =\n  redis\n", before, 2),
        ("[options]\ninstall_requires\n  redis\n", neither, 2),
        ("[metadata]\nname = a\n[options\ninstall_requires =\n  redis\n", neither, 3),
        ("[options]\n= redis\n", neither, 2),
    ] {
        assert_eq!(told("setup.cfg", text), (format!("`setup.cfg` is malformed: {message}"), line), "{text}");
    }
    let conda = "name: a\ndependencies:\n  - redis-py\n - psycopg2: [\n";
    assert_eq!(told("environment.yml", conda).1, 4);
    let (what, line) = told("environment.yml", "name: a\ndependencies: redis\n");
    assert_eq!((what.as_str(), line), ("`environment.yml` is malformed: `dependencies` is not a list", 2));
    let rails = "a: &a\n  adapter: postgresql\n  pool: <%= ENV.fetch('X') { 5 } %>\n bad: [\nb:\n  <<: *a\n";
    assert_eq!(told("config/database.yml", rails).1, 4);
    assert_eq!(found(&tree(&[("config/database.yml", rails)]).detect()), ["postgres"]);
    assert_eq!(told("config/database.yml", "development\n").1, 1);
}

#[test]
fn what_their_own_tools_take_is_no_fault_of_a_format() {
    let cfg = "# a\n[metadata]\nname: a\n\n[options]\ninstall_requires =\n    redis\n\n# c\n    psycopg\n[tool:pytest] ; x\naddopts = -v\n";
    fine("setup.cfg", cfg);
    assert_eq!(found(&tree(&[("setup.cfg", cfg)]).detect()), ["postgres", "redis"]);
    fine("environment.yml", "a: 1\n---\nb: [\n");
    fine("environment.yml", "name: {{ a }}\ndependencies:\n{% if x %}\n - a\n{% endif %}\n");
    fine("environment.yml", "dependencies:\n  - python=3.12\n  - pip:\n    - redis\n");
    let default = "a: &a\n  adapter: <%= ENV['A'] || 'pg' %>\n  url: \"<%= x %>?pool=<%= y %>\"\n\n<%# note %>\nb:\n  <<: *a\n  <%= more %>\n";
    for text in [
        default,
        "<% if x %>\n a: [\n<% end %>\nb: 1\n",
        "a: <%=\n  x\n%>\n",
        "a:\n  adapter: x\n  adapter: y\n",
        "<%= x %>: 1\n<%= x %>: 2\n",
        "a: &a\nb:\n  <<: *a\n",
        "a: 1\n---\nb: 2\n",
        "# nothing\n",
    ] {
        fine("config/database.yml", text);
    }
    fine("config/database.yml.example", "a: @HERE@\n b\n");
}

#[test]
fn what_is_never_closed_is_told_where_it_begins() {
    let bracket = "a bracket has no partner";
    for (name, text, message, line) in [
        ("go.mod", "module a\n\nrequire (\n\tgithub.com/lib/pq v1.0.0\n", "the block that begins here has no `)`", 3),
        (
            "a.prisma",
            "datasource db {\n  provider = \"postgresql\"\n\nmodel A {\n  id Int\n}\n",
            "the block that begins here has no `}`",
            1,
        ),
        (
            "a.prisma",
            "datasource db { provider = \"postgresql\" }\nmodel A {\n  id Json @default(\"}\") // }\n",
            "the block that begins here has no `}`",
            2,
        ),
        ("setup.py", "import x\nsetup(\n  install_requires=['psycopg'],\n", bracket, 2),
        ("setup.py", "setup(\n  install_requires=['psycopg',\n)\n", bracket, 2),
        ("setup.py", "setup(\n  name='a,\n  install_requires=['psycopg'])\n", "a string has no end", 2),
        ("build.gradle", "dependencies {\n  implementation('org.postgresql:postgresql:1'\n}\n", bracket, 2),
        (
            "build.gradle.kts",
            "dependencies {\n  api(\"org.postgresql:postgresql:1\")\n}\nval a = listOf(\n",
            bracket,
            4,
        ),
        ("Gemfile", "source 'x'\ngem('pg'\ngem 'a'\n", bracket, 2),
        (
            "mix.exs",
            "defmodule A do\n  defp deps do\n    [{:postgrex, \"~> 1\"}]\n  end\n",
            "the block that begins here has no `end`",
            1,
        ),
        ("mix.exs", "defmodule A do\n  [{:postgrex, \"~> 1\"}]\nend\nend\n", "an `end` too many", 4),
    ] {
        assert_eq!(told(name, text), (format!("`{name}` is malformed: {message}"), line), "{text}");
        assert_eq!(found(&tree(&[(name, text)]).detect_by_catalog()), ["postgres"], "{text}");
    }
}

#[test]
fn a_block_that_is_never_closed_takes_no_provider_of_the_next() {
    let schema = "datasource db {\n  url = \"x\"\n\ngenerator client {\n  provider = \"postgresql\"\n}\n";
    assert!(found(&tree(&[("a.prisma", schema)]).detect()).is_empty());
}

/// Manifests that are whole, and where in them something begins that only their end closes.
const WHOLE: [(&str, &str, &str); 10] = [
    ("package.json", "{", "{\"name\": \"a\", \"dependencies\": {\"pg\": \"8\"}}"),
    ("deno.json", "{", "{ // x\n\"imports\": {\"pg\": \"npm:pg@8\",}, /* y */\n}"),
    ("go.mod", "require (", "module a\nrequire (\n\tgithub.com/lib/pq v1.0.0\n)"),
    ("a.prisma", "db {", "datasource db {\n  provider = \"postgresql\"\n  url = \"postgres://a\"\n}"),
    ("setup.py", "setup(", "import a\nsetup(\n  b=\"\"\"c\"\"\",\n  install_requires=[ # x\n    'psycopg', ],\n)"),
    ("build.gradle", "dependencies {", "a\ndependencies {\n  api('org.postgresql:postgresql:1') { x }\n}"),
    ("Gemfile", "group :b do", "source 'a'\ngroup :b do\n  gem 'pg', group: %w[x]\nend"),
    ("mix.exs", "A do", "defmodule A do\n  defp deps do\n    [{:postgrex, \"~> 1\"}]\n  end\nend"),
    (
        "pom.xml",
        "<project>",
        "<project><dependencies>\n<dependency><groupId>org.postgresql</groupId><artifactId>postgresql</artifactId></dependency></dependencies></project>",
    ),
    ("A.csproj", "<Project", "<Project>\n<ItemGroup><PackageReference Include=\"Npgsql\" /></ItemGroup></Project>"),
];

#[test]
fn wherever_a_manifest_is_cut_off_one_warning_says_so() {
    for (name, begins, text) in WHOLE {
        let whole = tree(&[(name, text)]).detect_by_catalog();
        assert_eq!((found(&whole), whole.warnings.len()), (vec!["postgres"], 0), "{name}");
        let start = text.find(begins).unwrap() + begins.len();
        for (at, _) in text.char_indices().filter(|(at, _)| *at >= start) {
            assert!(told(name, &text[..at]).1 >= 1, "{name}: {}", &text[..at]);
        }
    }
}
