//! kilter.yaml: what it says, and what is wrong with it in the exact words.

mod bounds;
mod edit;
mod garbage;
mod rules;
mod shape;
mod text;

use kilter::config::model::{Config, EnvValue, Hooks, Provider, ServiceEntry, ToolPin};
use kilter::config::{self, Loaded, PathItem};
use kilter::diag::Kind;

const CATALOG: [&str; 4] = ["mailpit", "postgres", "redis", "temporal"];

fn load(text: &str) -> Loaded {
    config::load("kilter.yaml", text, &CATALOG).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The message about a file that is wrong.
fn wrong(text: &str) -> String {
    let error = config::load("kilter.yaml", text, &CATALOG).expect_err(text);
    assert_eq!(error.kind(), Kind::Project);
    error.to_string()
}

fn env(text: &str) -> EnvValue {
    EnvValue(text.into())
}

#[test]
fn an_empty_file_is_a_project() {
    for text in ["", "\n", "# nothing yet\n", "---\n", "{}", "\u{feff}", "services:\nenv:\n", "name: null\n"] {
        assert_eq!(load(text).config.services, None);
        assert_eq!(Config { services: None, ..load(text).config }, Config::default(), "{text}");
    }
}

#[test]
fn every_field_is_read() {
    let loaded = load(include_str!("../fixtures/config/full.yaml"));
    let config = &loaded.config;
    assert_eq!(config.port, Some(3000));
    assert_eq!(config.public, Some(false));
    let services = config.services.as_deref().unwrap();
    let names: Vec<&str> = services.iter().map(ServiceEntry::name).collect();
    assert_eq!(names, ["postgres", "redis", "reports-db", "imgproxy", "search", "queue"]);
    let spec = |index: usize| services[index].spec();
    assert_eq!(spec(1).image.as_deref(), Some("redis:8.2"));
    assert_eq!(spec(2).from.as_deref(), Some("postgres"));
    assert_eq!(spec(3).provides["NOTHING"], None);
    assert_eq!(spec(4).hooks, Some(Hooks::Drop));
    assert_eq!(spec(5).version.as_deref(), Some("1.10.0"));
    assert_eq!(spec(1).values, serde_json::json!({"enabled": true, "size": 1.5, "no": "on"}).as_object().cloned());
    let prod = &config.environments["prod"];
    assert_eq!(prod.env["DEBUG"], None);
    assert_eq!(prod.secrets["shop-secrets"], ".env.prod");
    assert_eq!(config.cluster.as_ref().unwrap().provider, Provider::Context);
    assert_eq!(config.tools["helm"], ToolPin::Version("4.3.0".into()));
    assert!(matches!(&config.tools["kind"], ToolPin::Checked(pin) if pin.version == "0.99.0"));
    assert_eq!(config.deploy.as_ref().unwrap().resources.as_ref().unwrap().limits["cpu"], env("2"));
}

#[test]
fn an_environment_variable_is_taken_as_it_is_written() {
    let config =
        load("env: {A: 1.10, B: on, C: 0x10, D: true, E: \"\", F: 007, G: .5, H: ~x, I: 1_0, J: 'a\n  b'}").config;
    let values: Vec<&str> = config.env.values().map(|value| value.0.as_str()).collect();
    assert_eq!(values, ["1.10", "on", "0x10", "true", "", "007", ".5", "~x", "1_0", "a b"]);
}

#[test]
fn anchors_and_merge_keys_work() {
    let text = "\
env: &env {A: a, B: b}
environments:
  prod: {env: {<<: *env, B: c}}
  test: {env: *env}
  both: {env: {<<: [{A: x}, *env]}}
";
    let config = load(text).config;
    let env_of = |name: &str| -> Vec<(&str, &str)> {
        let env = &config.environments[name].env;
        env.iter().map(|(key, value)| (key.as_str(), value.as_ref().unwrap().0.as_str())).collect()
    };
    assert_eq!(env_of("prod"), [("B", "c"), ("A", "a")]);
    assert_eq!(env_of("test"), [("A", "a"), ("B", "b")]);
    assert_eq!(env_of("both"), [("A", "x"), ("B", "b")]);
}

#[test]
fn later_stages_can_point_at_a_value() {
    let loaded = load("name: shop\nservices:\n  - postgres\n  - {name: redis, env: {A: \"ü:1\"}} # x\nenv:\n");
    let place = |path: &[PathItem]| loaded.place_of(path).map(|place| (place.line, place.column, place.width));
    assert_eq!(place(&["services".into(), 1.into(), "env".into(), "A".into()]), Some((4, 28, 5)));
    assert_eq!(place(&["services".into(), 0.into()]), Some((3, 5, 8)));
    assert_eq!(place(&["env".into()]), Some((5, 1, 3)));
    assert_eq!(place(&["services".into(), 2.into()]), None);
    assert_eq!(place(&["port".into()]), None);
    assert_eq!(loaded.place_of_key(&["name".into()]).map(|place| place.width), Some(4));
}

fn schema() -> serde_json::Value {
    serde_json::from_str(&config::schema_json()).expect("JSON")
}

/// What an editor's YAML reader hands to a schema.
fn json(text: &str) -> serde_json::Value {
    serde_yaml::from_str(text).expect("YAML")
}

#[test]
fn the_schema_is_sound_and_takes_good_files_alone() {
    assert!(jsonschema::draft202012::meta::is_valid(&schema()));
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    assert!(validator.is_valid(&json(include_str!("../fixtures/config/full.yaml"))));
    for good in ["{}", "services: null", "env: {A: 1, B: true, C: x}", "cluster: {provider: null}"] {
        assert!(validator.is_valid(&json(good)), "{good}");
    }
    for bad in [
        "nam: x",
        "port: 0",
        "port: '1'",
        "name: My_App",
        "services: postgres",
        "services: [{image: x}]",
        "services: [{name: x, hooks: keep}]",
        "env: {A: null}",
        "environments: {prod: {envs: {}}}",
        "tools: {helm: 4}",
        "[]",
    ] {
        assert!(!validator.is_valid(&json(bad)), "{bad}");
    }
}

#[test]
fn the_schema_is_the_same_each_time_and_describes_every_key() {
    assert_eq!(config::schema_json(), config::schema_json());
    let schema = schema();
    let objects = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for (key, property) in objects.filter_map(|object| object["properties"].as_object()).flatten() {
        assert!(property["description"].is_string(), "{key} has no description");
    }
}
