use crate::detect::testing::{found, selected, tree};

const STACK: &str = "\
x-default: &default
  restart: always
services:
  # db: old
  app:
    depends_on:
      mail:
        condition: service_started
    build: .
  db:
    <<: *default
    image: ${PG:-docker.io/pgvector/pgvector:pg17}
  cache:
    image: redis:8
    profiles: [tools]
  queue:
    image: rabbitmq:4-management
    scale: 0
  mail:
    image: axllent/mailpit
    profiles: [dev]
  ports: !reset
    image: nats
";

#[test]
fn an_image_that_holds_more_and_starts_the_same_is_kept() {
    let image = |image: &str| {
        let compose = format!("services:\n  db:\n    image: {image}\n");
        let detection = tree(&[("package.json", r#"{"dependencies": {"pg": "8"}}"#), ("compose.yml", &compose)])
            .detect_by_catalog();
        let found = detection.findings.into_iter().find(|finding| finding.name == "postgres").unwrap();
        assert!(found.selected, "{image}");
        found.image.map(|image| (image.value, image.line))
    };
    assert_eq!(image("pgvector/pgvector:pg16"), Some(("pgvector/pgvector:pg16".into(), 3)));
    assert_eq!(image("docker.io/postgis/postgis:17-3.5"), Some(("docker.io/postgis/postgis:17-3.5".into(), 3)));
    for other in [
        "postgres:16",
        "pgvector/pgvector",
        "postgis/postgis:latest",
        "bitnami/postgresql:17",
        "pgvector/pgvector:${V}",
    ] {
        assert_eq!(image(other), None, "{other}");
    }
}

#[test]
fn what_is_started_by_default_is_selected_and_the_rest_proposed() {
    let detection = tree(&[("compose.yaml", STACK)]).detect();
    assert_eq!(found(&detection), ["mailpit", "nats", "postgres", "rabbitmq", "redis"]);
    assert_eq!(selected(&detection), ["mailpit", "nats", "postgres"]);
    let of = |name: &str| detection.findings.iter().find(|finding| finding.name == name).unwrap().evidence[0].clone();
    assert_eq!((of("postgres").line, of("postgres").package.as_str()), (12, "pgvector/pgvector"));
    assert_eq!(of("postgres").note, "pgvector/pgvector runs postgres");
    assert_eq!(of("mailpit").line, 20, "not where another service depends on it");
    assert_eq!(of("redis").note, "redis runs redis, in the profile tools");
    assert_eq!((of("rabbitmq").note.as_str(), of("rabbitmq").line), ("rabbitmq runs rabbitmq, with no replicas", 17));
}

#[test]
fn variants_are_proposed_and_the_override_counts_as_docker_loads_it() {
    let redis = "services:\n  cache:\n    image: redis\n";
    for path in ["docker-compose.prod.yml", "docker-compose.test.yml", "docker-compose.arm.yml", "compose.override.yml"]
    {
        let detection = tree(&[(path, redis)]).detect();
        assert_eq!((found(&detection), selected(&detection).len()), (vec!["redis"], 0), "{path}");
    }
    let with_base = tree(&[("compose.yml", "services: {}\n"), ("compose.override.yml", redis)]).detect();
    assert_eq!(selected(&with_base), ["redis"]);
    assert!(found(&tree(&[("examples/a/compose.yml", redis)]).detect()).is_empty());
}

#[test]
fn a_file_that_runs_the_finished_product_is_a_hint() {
    let product = "services:\n  app:\n    image: ghcr.io/acme/shop:latest\n  db:\n    image: postgres\n";
    let package = ("package.json", r#"{"name": "@acme/shop"}"#);
    let packaged = tree(&[package, ("docker-compose.yml", product)]).detect();
    assert_eq!((found(&packaged), selected(&packaged).len()), (vec!["postgres"], 0));
    assert_eq!(packaged.findings[0].evidence[0].note, "postgres runs postgres, beside the packaged product");
    let built = product.replace("ghcr.io/acme/shop:latest", "acme/shop\n    build: .");
    assert_eq!(selected(&tree(&[package, ("docker-compose.yml", &built)]).detect()), ["postgres"]);
    let mounted = product.replace("latest", "latest\n    volumes: ['.:/app']");
    assert_eq!(selected(&tree(&[package, ("docker-compose.yml", &mounted)]).detect()), ["postgres"]);
    assert_eq!(selected(&tree(&[package, ("docker-compose.dev.yml", product)]).detect()), ["postgres"]);
}

#[test]
fn a_service_that_is_built_is_what_its_dockerfile_begins_with() {
    let compose = "services:\n  db:\n    build:\n      context: ./db\n      dockerfile: Dockerfile.pg\n  cache:\n    build: {dockerfile_inline: 'FROM redis:8'}\n  app:\n    build: .\n";
    let files = [
        ("docker/compose.yml", compose),
        ("docker/db/Dockerfile.pg", "FROM postgres:17\nRUN x\n"),
        ("docker/Dockerfile", "FROM node:22\n"),
    ];
    let detection = tree(&files).detect();
    assert_eq!(selected(&detection), ["postgres", "redis"]);
    assert_eq!(detection.findings[0].evidence[0].line, 2);
}

#[test]
fn devcontainers_start_compose_files_and_features() {
    let devcontainer = "{\n  // what it starts\n  \"dockerComposeFile\": [\"../docker-compose.yml\", \"docker-compose.sqlite.yml\"],\n  \"features\": {\n    \"ghcr.io/itsmechlark/features/redis-server:1\": {},\n  }\n}\n";
    let variant = "services:\n  db:\n    image: postgres\n";
    let files =
        [(".devcontainer/devcontainer.json", devcontainer), (".devcontainer/docker-compose.sqlite.yml", variant)];
    let detection = tree(&files).detect();
    assert_eq!(selected(&detection), ["postgres", "redis"]);
    assert_eq!(detection.findings[1].evidence[0].line, 5);
    // Of several devcontainers a person chooses one.
    let one = r#"{"dockerComposeFile": "compose.yml"}"#;
    let files = [
        (".devcontainer/a/devcontainer.json", one),
        (".devcontainer/a/compose.yml", variant),
        (".devcontainer/b/devcontainer.json", one),
        (".devcontainer/b/compose.yml", "services:\n  db:\n    image: mysql\n"),
    ];
    let detection = tree(&files).detect();
    assert_eq!((found(&detection), selected(&detection).len()), (vec!["mysql", "postgres"], 0));
}

#[test]
fn malformed_files_are_warnings_with_a_line_and_the_rest_counts() {
    let files = [
        ("compose.yml", "services:\n  db:\n    image: [postgres\n"),
        (
            "a/docker-compose.dev.yml",
            "services:\n  db: 3\n  cache:\n    image: 7\n    build: [x]\n  redis:\n    image: redis\n",
        ),
        ("b/docker-compose.dev.yml", "- a\n"),
        (".devcontainer/devcontainer.json", "{\n  \"features\": x,\n}"),
    ];
    let detection = tree(&files).detect();
    assert_eq!(selected(&detection), ["redis"]);
    let places: Vec<_> =
        detection.warnings.iter().map(|w| w.place.as_ref().map(|at| (at.file.as_str(), at.line)).unwrap()).collect();
    assert_eq!(places.len(), 4, "{:?}", detection.warnings);
    assert_eq!(places[0], (".devcontainer/devcontainer.json", 2));
    assert_eq!(places[1..3], [("a/docker-compose.dev.yml", 2), ("b/docker-compose.dev.yml", 1)]);
    assert_eq!(places[3].0, "compose.yml");
}

#[test]
fn a_build_of_somebody_else_is_known_by_the_name_of_the_product() {
    let text = "services:\n  index: {image: chainguard/opensearch}\n  cache: {image: cgr.example.com/acme/valkey:9}\n";
    let detection = tree(&[("compose.yml", text)]).detect_by_catalog();
    assert_eq!(selected(&detection), ["opensearch", "valkey"]);
    // A word that a project may call anything by.
    let own =
        "services:\n  garage: {image: acme/garage}\n  flows: {image: 'registry.example.com/parking/temporal:1'}\n";
    assert!(selected(&tree(&[("compose.yml", own)]).detect_by_catalog()).is_empty());
}

#[test]
fn copies_on_other_registries_are_known_by_the_end_of_their_names() {
    for (image, expected) in [
        ("registry.example.com/hub/library/postgres:17", vec!["postgres"]),
        ("${REGISTRY}/redis:8", vec!["redis"]),
        ("acme/postgres", vec!["postgres"]),
        ("registry.example.com/axllent/mailpit", vec!["mailpit"]),
        ("acme/postgres/backup", vec![]),
        ("acme/my-redis", vec![]),
    ] {
        let compose = format!("services:\n  a: {{image: '{image}'}}\n");
        assert_eq!(selected(&tree(&[("compose.yml", &compose)]).detect()), expected, "{image}");
    }
}

#[test]
fn included_files_are_the_includers() {
    let main =
        "name: shop\ninclude:\n  - infra/db.yml\n  - path: [docker/cache/compose.yml, gone.yml, ../../out.yml]\n";
    let db = "include: [../compose.yml, more.yaml]\nservices:\n  db: {image: mysql}\n";
    let cache = "services:\n  cache: {image: redis}\n  queue: {image: rabbitmq, profiles: [x]}\n";
    let files = [
        ("compose.yml", main),
        ("infra/db.yml", db),
        ("infra/more.yaml", "services:\n  bus: {build: {dockerfile_inline: FROM nats}}\n"),
        ("docker/cache/compose.yml", cache),
        ("package.json", r#"{"dependencies": {"pg": "8", "mysql2": "3"}}"#),
    ];
    let detection = tree(&files).detect();
    assert_eq!(selected(&detection), ["mysql", "nats", "redis"], "{detection:?}");
    assert_eq!(found(&detection), ["mysql", "nats", "postgres", "rabbitmq", "redis"]);
    let mysql = detection.findings.iter().find(|finding| finding.name == "mysql").unwrap();
    assert_eq!((mysql.evidence[0].file.as_str(), mysql.evidence[0].line), ("compose.yml", 2));
    let test = tree(&[("compose.test.yml", main), files[1]]).detect();
    assert!(selected(&test).is_empty(), "{test:?}");
}

#[test]
fn a_service_of_another_file_is_extended() {
    let main = "services:\n  db:\n    extends: {file: common/a.yml, service: base}\n  loop:\n    extends: {file: b.yml, service: x}\n";
    let files = [
        ("compose.yml", main),
        ("common/a.yml", "services:\n  base:\n    extends: {file: ../b.yml, service: db}\n  other: {image: redis}\n"),
        ("b.yml", "services:\n  db: {build: ./db}\n  x: {extends: {file: b.yml, service: x}}\n"),
        ("db/Dockerfile", "ARG IMAGE=postgres\nFROM ${IMAGE}\n"),
    ];
    let detection = tree(&files).detect();
    assert_eq!((found(&detection), detection.findings[0].evidence[0].line), (vec!["postgres"], 2), "{detection:?}");
}

#[test]
fn builds_are_followed_to_their_image() {
    for (build, file) in [
        ("{context: docker, dockerfile: db.Dockerfile}", "docker/db.Dockerfile"),
        ("{context: ., dockerfile: a/db.dockerfile, args: {IMAGE: postgres}}", "a/db.dockerfile"),
        ("{context: ., target: db, args: [IMAGE=postgres]}", "Dockerfile"),
    ] {
        let compose = format!("services:\n  db:\n    build: {build}\n");
        let text = "ARG IMAGE=postgres\nFROM ${IMAGE} AS db\nFROM db AS last\n";
        assert_eq!(selected(&tree(&[("compose.yml", &compose), (file, text)]).detect()), ["postgres"], "{build}");
    }
}
