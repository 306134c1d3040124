use crate::detect::testing::{found, selected, tree};

fn package(json: &str) -> crate::detect::Detection {
    tree(&[("package.json", json)]).detect()
}

#[test]
fn a_plain_dependency_is_selected_with_its_line() {
    let detection = package("{\n  \"dependencies\": {\n    \"express\": \"5\",\n    \"ioredis\": \"^5\"\n  }\n}\n");
    assert_eq!(selected(&detection), ["redis"]);
    let evidence = &detection.findings[0].evidence[0];
    assert_eq!((evidence.file.as_str(), evidence.line, evidence.package.as_str()), ("package.json", 4, "ioredis"));
    assert_eq!(evidence.note, "ioredis works with redis");
    assert_eq!(detection.findings[0].confidence, 0.95);
}

#[test]
fn whole_names_only() {
    let names = r#"{"dependencies": {"chroma-js": "1", "@types/pg": "8", "pg-hstore": "2", "@opentelemetry/instrumentation-ioredis": "1", "redis-parser": "1"}}"#;
    assert!(found(&package(names)).is_empty());
    assert_eq!(found(&package(r#"{"dependencies": {"chromadb": "1"}}"#)), ["chroma"]);
    assert_eq!(found(&package(r#"{"dependencies": {"@opentelemetry/exporter-trace-otlp-http": "1"}}"#)), ["otel"]);
}

#[test]
fn hosted_products_and_hints_are_proposed_only_however_many() {
    let text = r#"{"dependencies": {"@upstash/redis": "1", "nodemailer": "6", "@neondatabase/serverless": "1", "@opentelemetry/exporter-a": "1", "@opentelemetry/exporter-b": "1", "@opentelemetry/exporter-c": "1"}}"#;
    let detection = package(text);
    assert_eq!(found(&detection), ["mailpit", "otel", "postgres", "redis"]);
    assert!(selected(&detection).is_empty());
    assert_eq!(detection.findings[1].evidence.len(), 3);
}

#[test]
fn dev_and_optional_dependencies_are_proposed_and_peers_are_not() {
    for (section, expected) in [("devDependencies", 0.62), ("optionalDependencies", 0.62)] {
        let detection = package(&format!(r#"{{"{section}": {{"pg": "8"}}}}"#));
        assert_eq!(detection.findings[0].confidence, expected, "{section}");
        assert!(!detection.findings[0].selected);
    }
    assert!(
        found(&package(r#"{"peerDependencies": {"pg": "8"}, "peerDependenciesMeta": {"pg": {"optional": true}}}"#))
            .is_empty()
    );
    let both = r#"{"dependencies": {"pg": "8"}, "optionalDependencies": {"pg": "8"}}"#;
    assert!(selected(&package(both)).is_empty(), "npm takes the optional entry");
}

#[test]
fn a_container_of_the_tests_is_selected_from_dev_dependencies() {
    let detection = package(r#"{"devDependencies": {"@testcontainers/postgresql": "10"}}"#);
    assert_eq!(selected(&detection), ["postgres"]);
    assert_eq!(detection.findings[0].evidence[0].note, "the tests start postgres with @testcontainers/postgresql");
}

#[test]
fn two_databases_in_one_manifest_are_alternatives() {
    let detection = package(r#"{"dependencies": {"mysql2": "3", "pg": "8"}}"#);
    assert_eq!(found(&detection), ["mysql", "postgres"]);
    assert_eq!(selected(&detection), ["postgres"]);
    assert_eq!(detection.findings[1].confidence, 0.6);
}

#[test]
fn every_member_counts_but_examples_do_not() {
    let pg = r#"{"dependencies": {"pg": "8"}}"#;
    let redis = r#"{"dependencies": {"redis": "5"}}"#;
    let detection = tree(&[
        ("package.json", r#"{"workspaces": ["packages/*", "!packages/old/**"]}"#),
        ("packages/db/package.json", pg),
        ("packages/old/x/package.json", redis),
        ("examples/shop/package.json", redis),
        ("packages/cli/e2e/fixtures/a/package.json", redis),
        ("apps/web-e2e/package.json", redis),
    ])
    .detect();
    assert_eq!(found(&detection), ["postgres"]);
}

#[test]
fn pnpm_workspaces_exclude_and_catalogs_keep_the_name_in_place() {
    let workspace = "packages:\n  - 'apps/**'\n  - '!apps/legacy/**'\ncatalog:\n  ioredis: ^5\n";
    let detection = tree(&[
        ("pnpm-workspace.yaml", workspace),
        ("package.json", "{}"),
        ("apps/web/package.json", r#"{"dependencies": {"ioredis": "catalog:"}}"#),
        ("apps/legacy/package.json", r#"{"dependencies": {"pg": "catalog:"}}"#),
    ])
    .detect();
    assert_eq!(found(&detection), ["redis"]);
}

#[test]
fn own_packages_and_aliases_are_seen_through() {
    let detection = tree(&[
        ("package.json", r#"{"dependencies": {"redis": "workspace:*", "pg": "*", "cache": "npm:ioredis@5", "mysql2": "npm:nothing@1", "bullmq": "npm:^5.0.0"}}"#),
        ("packages/pg/package.json", r#"{"name": "pg"}"#),
    ])
    .detect();
    let packages: Vec<_> = detection.findings[0].evidence.iter().map(|e| e.package.as_str()).collect();
    assert_eq!(found(&detection), ["redis"]);
    assert_eq!(packages, ["bullmq", "ioredis"]);
}

#[test]
fn malformed_manifests_are_warnings_and_the_rest_counts() {
    let detection = tree(&[
        ("package.json", "{\n  \"dependencies\": {\n    \"pg\": ,\n  }\n}"),
        ("a/package.json", r#"{"dependencies": {"redis": "5"}, "scripts": "x", "devDependencies": []}"#),
        ("b/package.json", "[]"),
        ("c/package.json", "\0"),
        ("d/package.json", "\u{feff}{\"dependencies\": {\"pg\": 8}}"),
        ("pnpm-workspace.yaml", "packages: [\n"),
    ])
    .detect();
    assert_eq!(selected(&detection), ["postgres", "redis"]);
    let what: Vec<_> = detection.warnings.iter().map(|w| w.what.as_str()).collect();
    assert_eq!(what[0], "`b/package.json` is malformed: it is not a JSON object");
    assert_eq!(what[1], "cannot read `c/package.json`: it is no text");
    assert_eq!(what[2], "`package.json` is malformed: expected value");
    assert!(what[3].starts_with("`pnpm-workspace.yaml` is malformed"), "{what:?}");
    let place = detection.warnings[2].place.as_ref().unwrap();
    assert_eq!((place.line, place.column, place.text.as_str()), (3, 11, "    \"pg\": ,"));
}
