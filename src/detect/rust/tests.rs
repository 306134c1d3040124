use crate::detect::Detection;
use crate::detect::testing::{found, selected, tree};

fn one(text: &str) -> Detection {
    tree(&[("Cargo.toml", &format!("[package]\nname = \"shop\"\n{text}"))]).detect_by_catalog()
}

#[test]
fn features_decide_where_a_crate_speaks_to_several() {
    for (line, expected) in [
        ("sqlx = { version = \"0.8\", features = [\"postgres\", \"runtime-tokio\"] }", vec!["postgres"]),
        ("sqlx = \"0.8\"", vec![]),
        ("sqlx = { version = \"0.8\", features = [\"sqlite\"] }", vec![]),
        ("diesel = { version = \"2\", features = [\"mysql\"] }", vec!["mysql"]),
        ("sea-orm = { version = \"1\", features = [\"sqlx-postgres\"] }", vec!["postgres"]),
        ("actix-session = { version = \"0.10\", features = [\"redis-session\"] }", vec!["redis"]),
        ("deadpool-postgres = \"0.14\"", vec!["postgres"]),
        ("db = { package = \"tokio-postgres\", version = \"0.7\" }", vec!["postgres"]),
        ("lapin = \"2\"", vec!["rabbitmq"]),
        ("tokio-postgres = { path = \"../postgres\" }", vec![]),
        ("rusqlite = \"0.31\"", vec![]),
        ("redis-protocol = \"5\"", vec![]),
    ] {
        let detection = one(&format!("[dependencies]\n{line}\n"));
        assert_eq!((found(&detection), selected(&detection)), (expected.clone(), expected), "{line}");
    }
    let evidence = one("[dependencies]\nserde = \"1\"\nsqlx = {version = \"0.8\", features = [\"postgres\"]}\n")
        .findings[0]
        .evidence[0]
        .clone();
    assert_eq!((evidence.package.as_str(), evidence.line), ("sqlx[postgres]", 5));
}

#[test]
fn where_a_dependency_stands_counts() {
    for (text, confidence) in [
        ("[dependencies]\nredis = \"1\"\n", 0.95),
        ("[target.'cfg(unix)'.dependencies]\nredis = \"1\"\n", 0.95),
        ("[dependencies.redis]\nversion = \"1\"\n", 0.95),
        ("[dev-dependencies]\nredis = \"1\"\n", 0.62),
        ("[build-dependencies]\nredis = \"1\"\n", 0.62),
        ("[dependencies]\nredis = {version = \"1\", optional = true}\n", 0.62),
        (
            "[dependencies]\nredis = {version = \"1\", optional = true}\n[features]\ndefault = [\"cache\"]\ncache = [\"dep:redis\"]\n",
            0.95,
        ),
        ("[dependencies]\nredis = {version = \"1\", optional = true}\n[features]\ndefault = [\"redis\"]\n", 0.95),
        ("[dependencies]\nredis = {version = \"1\", optional = true}\n[features]\ndefault = [\"redis?/tls\"]\n", 0.62),
        ("[dependencies]\nredis = {version = \"1\", optional = true}\n[features]\ndefault = [\"redis/tls\"]\n", 0.95),
    ] {
        let detection = one(text);
        assert_eq!(detection.findings[0].confidence, confidence, "{text}");
        assert_eq!(detection.findings.len(), 1);
    }
}

#[test]
fn features_of_the_project_switch_on_those_of_its_dependencies() {
    let text = "[dependencies]\nsqlx = \"0.8\"\n[features]\ndefault = [\"db\"]\ndb = [\"sqlx/postgres\"]\nother = [\"sqlx?/mysql\"]\n";
    let detection = one(text);
    assert_eq!((selected(&detection), found(&detection)), (vec!["postgres"], vec!["mysql", "postgres"]));
    let mysql = detection.findings.iter().find(|finding| finding.name == "mysql").unwrap();
    assert_eq!((mysql.confidence, mysql.evidence[0].line), (0.57, 8));
    assert_eq!(mysql.evidence[0].note, "sqlx[mysql] works with mysql, in the optional group other");
    let circle = "[dependencies]\nredis = {version = \"1\", optional = true}\n[features]\ndefault = [\"a\"]\na = [\"b\"]\nb = [\"a\"]\n";
    assert!(selected(&one(circle)).is_empty());
}

#[test]
fn members_inherit_from_their_workspace_and_features_add_up() {
    let root = "[workspace]\nmembers = [\"crates/*\"]\n[workspace.dependencies]\nsqlx = {version = \"0.8\", features = [\"postgres\"]}\nredis = \"1\"\ndiesel = \"2\"\nown = {path = \"x\"}\n";
    let with = |member: &str| {
        let member = format!("[package]\nname = \"api\"\n[dependencies]\n{member}\n");
        tree(&[("Cargo.toml", root), ("crates/api/Cargo.toml", &member)]).detect_by_catalog()
    };
    assert!(found(&with("serde = \"1\"")).is_empty(), "what a workspace offers is not declared yet");
    let detection = with("sqlx = { workspace = true }");
    assert_eq!(selected(&detection), ["postgres"]);
    assert_eq!(detection.findings[0].evidence[0].file, "crates/api/Cargo.toml");
    assert_eq!(selected(&with("diesel = {workspace = true, features = [\"mysql\"]}")), ["mysql"]);
    assert_eq!(selected(&with("redis.workspace = true")), ["redis"]);
    assert!(found(&with("own.workspace = true\nmissing.workspace = true")).is_empty());
}

#[test]
fn containers_of_tests_and_several_databases() {
    let tests =
        "[dev-dependencies]\ntestcontainers-modules = {version = \"0.11\", features = [\"postgres\", \"redis\"]}\n";
    assert_eq!(selected(&one(tests)), ["postgres", "redis"]);
    let any = "[dependencies]\nsqlx = {version = \"0.8\", features = [\"any\", \"mysql\", \"postgres\", \"sqlite\"]}\n";
    let detection = one(any);
    assert_eq!((selected(&detection), found(&detection)), (vec!["postgres"], vec!["mysql", "postgres"]));
}

#[test]
fn a_malformed_manifest_is_a_warning_with_its_place() {
    let detection = tree(&[("Cargo.toml", "[package]\nname = \n")]).detect();
    let place = detection.warnings[0].place.as_ref().unwrap();
    assert_eq!((place.file.as_str(), place.line), ("Cargo.toml", 2));
}

fn dev(files: &[(&str, &str)]) -> (Option<String>, Option<u16>) {
    let detection = tree(files).detect();
    (detection.dev.map(|dev| dev.value), detection.port.map(|port| port.value))
}

#[test]
fn apps() {
    let main = ("src/main.rs", "");
    let with = |rest: &str| format!("[package]\nname = \"shop\"\n{rest}");
    let axum = with("[dependencies]\naxum = \"0.8\"\n");
    assert_eq!(dev(&[("Cargo.toml", &axum), main]), (Some("cargo run".into()), Some(3000)));
    assert_eq!(dev(&[("Cargo.toml", &axum), main, (".env.example", "PORT=4000\n")]).1, Some(4000));
    assert_eq!(
        dev(&[("Cargo.toml", &axum), main, ("src/bin/migrate.rs", "")]).0.as_deref(),
        Some("cargo run --bin shop")
    );
    let default =
        with("default-run = \"api\"\n[[bin]]\nname = \"api\"\npath = \"src/main.rs\"\n[[bin]]\nname = \"worker\"\n");
    assert_eq!(dev(&[("Cargo.toml", &default), main]).0.as_deref(), Some("cargo run"));
    let several = with("[[bin]]\nname = \"worker\"\n[[bin]]\nname = \"server\"\n");
    assert_eq!(dev(&[("Cargo.toml", &several)]).0.as_deref(), Some("cargo run --bin server"));
    let rocket = with("[dependencies]\nrocket = \"0.5\"\n");
    assert_eq!(dev(&[("Cargo.toml", &rocket), main]), (Some("ROCKET_ADDRESS=0.0.0.0 cargo run".into()), Some(8000)));
    assert_eq!(dev(&[("Cargo.toml", &axum)]).0, None, "a library");
    let tauri = with("[dependencies]\ntauri = \"2\"\n");
    assert_eq!(dev(&[("Cargo.toml", &tauri), main]).0, None, "a window");
    let detection = tree(&[("Cargo.toml", &axum), main]).detect();
    assert_eq!(detection.image.unwrap().value, "rust:1");
    assert_eq!(detection.stack.unwrap().install, "cargo build");
}

#[test]
fn what_is_for_windows_alone_is_none_of_the_apps() {
    let cargo = |target: &str| format!("[package]\nname = \"x\"\n[target.{target}.dependencies]\nlapin = \"2\"\n");
    for windows in ["'cfg(windows)'", "'cfg(target_os = \"windows\")'", "x86_64-pc-windows-msvc"] {
        assert!(found(&tree(&[("Cargo.toml", &cargo(windows))]).detect_by_catalog()).is_empty(), "{windows}");
    }
    for other in ["'cfg(unix)'", "'cfg(not(windows))'", "'cfg(any(windows, unix))'", "x86_64-unknown-linux-gnu"] {
        assert_eq!(found(&tree(&[("Cargo.toml", &cargo(other))]).detect_by_catalog()), ["rabbitmq"], "{other}");
    }
}
