//! The same bytes everywhere, and pods that roll when they must and only then.

use std::path::Path;

use serde_json::{Value, json};

use super::objects::{rich, rich_in_place};
use super::render::{call, manifest, objects, template, workload};
use super::{Chart, all, chart};
use crate::support;

#[test]
fn a_chart_renders_the_same_in_another_zone_home_locale_and_folder() {
    let Some(helm) = support::helm() else { return };
    for chart in all() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let one = template(call(&helm, here.path()), &chart, "x");
        let other = template(call(&helm, there.path()), &chart, "x").cwd("/");
        let other = other.env("TZ", "Asia/Kolkata").env("LC_ALL", "tr_TR.UTF-8").env("USER", "somebody");
        let (one, other) = (one.capture().unwrap(), other.capture().unwrap());
        assert!(one.ok() && !one.stdout.is_empty(), "{}: {}", chart.name, one.stderr);
        assert_eq!(one.text(), other.text(), "{}", chart.name);
    }
}

fn pods(helm: &Path, chart: &Chart, values: &Value) -> Value {
    workload(&objects(helm, chart, "x", values), "x")["spec"]["template"].clone()
}

#[test]
fn labels_and_the_outside_of_a_service_do_not_roll_its_pods() {
    let Some(helm) = support::helm() else { return };
    for chart in all() {
        let outside = json!({"partOf": "shop", "nodePorts": rich(&chart)["nodePorts"]});
        let plain = pods(&helm, &chart, &json!({}));
        assert_eq!(pods(&helm, &chart, &outside), plain, "{}", chart.name);
        let (version, pod) = (&super::yaml(&chart.dir.join("Chart.yaml"))["version"], plain.to_string());
        assert!(!pod.contains(&format!("-{}\"", version.as_str().unwrap())), "{}: {pod}", chart.name);
    }
}

#[test]
fn a_change_of_its_configuration_rolls_a_service() {
    let Some(helm) = support::helm() else { return };
    let changes = [
        ("postgres", json!({"auth": {"password": "another"}})),
        ("postgres", json!({"auth": {"databases": ["another"]}})),
        ("redis", json!({"auth": {"password": "another"}})),
        ("redis", json!({"config": {"maxmemory": "1mb"}})),
        ("valkey", json!({"config": {"maxmemory": "1mb"}})),
        ("nats", json!({"config": {"max_payload": 1_048_576}})),
        ("rabbitmq", json!({"config": {"heartbeat": 30}})),
        ("garage", json!({"region": "eu"})),
        ("memcached", json!({"config": {"memory-limit": 32}})),
        ("mariadb", json!({"auth": {"password": "another"}})),
        ("kafka", json!({"config": {"num.partitions": 3}})),
        ("kafka", json!({"ports": {"kafka": 19_092}})),
        ("mssql", json!({"auth": {"database": "another"}})),
        ("clickhouse", json!({"config": {"max_connections": 100}})),
        ("elasticsearch", json!({"auth": {"password": "another"}})),
        ("opensearch", json!({"config": {"action.destructive_requires_name": false}})),
        ("rustfs", json!({"auth": {"secretKey": "another-one"}})),
        ("ory", json!({"auth": {"secret": "another-secret-of-16"}})),
        ("ory", json!({"keto": {"dsn": "postgres://elsewhere/keto"}})),
        ("ory", json!({"oathkeeper": {"rules": [{"id": "all"}]}})),
        ("ory", json!({"kratos": {"schemas": {"default": {"type": "object"}}}})),
        ("signoz", json!({"auth": {"password": "Another-1-password"}})),
        ("signoz", json!({"collector": {"config": {"processors": {"batch": {"timeout": "2s"}}}}})),
        ("azurite", json!({"auth": {"key": "YW5vdGhlcg=="}})),
        ("floci", json!({"scripts": {"a.sh": "true"}})),
    ];
    for (name, change) in changes {
        let chart = chart(name);
        assert_ne!(pods(&helm, &chart, &change), pods(&helm, &chart, &json!({})), "{name}: {change}");
    }
}

#[test]
fn the_environment_of_the_app_rolls_nothing() {
    let Some(helm) = support::helm() else { return };
    let chart = chart("dev-app");
    let (one, other) = (json!({"env": {"A": "1"}}), json!({"env": {"A": "2", "B": "3"}}));
    assert_eq!(pods(&helm, &chart, &one), pods(&helm, &chart, &other));
    assert_ne!(manifest(&helm, &chart, "x", &one), manifest(&helm, &chart, "x", &other));
}

#[test]
fn what_cannot_change_in_place_does_not() {
    let Some(helm) = support::helm() else { return };
    for chart in all() {
        let plain = objects(&helm, &chart, "x", &json!({}));
        let changed = objects(&helm, &chart, "x", &rich_in_place(&chart));
        for field in ["selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"] {
            assert_eq!(workload(&changed, "x")["spec"][field], workload(&plain, "x")["spec"][field], "{}", chart.name);
        }
    }
}
