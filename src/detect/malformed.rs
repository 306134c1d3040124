//! What is wrong with a manifest is told with its place, once for a file, and what can be read counts.

use super::testing::{found, tree};

/// Asserts that this file alone gives one warning, and returns what it says and the line.
fn told(name: &str, text: &str) -> (String, usize) {
    let detection = tree(&[(name, text)]).detect();
    let [warning] = detection.warnings.as_slice() else { panic!("{name}: {:?}\n{text}", detection.warnings) };
    (warning.what.clone(), warning.place.as_ref().map_or(0, |place| place.line))
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
fn a_document_that_is_cut_off_is_wrong_at_its_end() {
    let cut = "<project>\n <dependencies>\n  <dependency>\n   <groupId>org.post";
    assert_eq!(told("pom.xml", cut).1, 4);
    assert_eq!(told("pom.xml", "<project>\n <dependencies>\n </dependencies>\n\n").1, 3);
    assert_eq!(told("A.csproj", "<Project>\n<ItemGroup>\n<PackageReference Include=\"Npg").1, 3);
    assert_eq!(told("pom.xml", "").1, 1);
}
