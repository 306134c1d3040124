//! Every rendered object is complete: kind, names, labels, selectors, probes, resources, security.

use std::path::Path;

use serde_json::{Value, json};

use super::render::{NAMESPACE, containers, find, is_workload, objects, workload};
use super::{Chart, all, contract, services};
use crate::support;

/// What each kind must have, as pointers.
const REQUIRED: &[(&str, &str, &[&str])] = &[
    ("v1", "ConfigMap", &[]),
    ("v1", "Secret", &["/type", "/stringData"]),
    ("v1", "Service", &["/spec/type", "/spec/selector", "/spec/ports/0/name", "/spec/ports/0/targetPort"]),
    ("apps/v1", "Deployment", &["/spec/replicas", "/spec/selector/matchLabels", "/spec/template/spec/containers/0"]),
    (
        "apps/v1",
        "StatefulSet",
        &[
            "/spec/serviceName",
            "/spec/selector/matchLabels",
            "/spec/template/spec/containers/0",
            "/spec/volumeClaimTemplates/0",
        ],
    ),
];

/// Fields that a container, a pod and an object of each kind may have here. The API server drops or refuses others.
const CONTAINER: &[&str] = &[
    "name",
    "image",
    "imagePullPolicy",
    "command",
    "args",
    "ports",
    "env",
    "envFrom",
    "lifecycle",
    "startupProbe",
    "readinessProbe",
    "securityContext",
    "resources",
    "volumeMounts",
];
const POD: &[&str] = &[
    "automountServiceAccountToken",
    "enableServiceLinks",
    "terminationGracePeriodSeconds",
    "securityContext",
    "containers",
    "initContainers",
    "volumes",
];
const WORKLOAD: &[&str] =
    &["serviceName", "replicas", "podManagementPolicy", "strategy", "selector", "template", "volumeClaimTemplates"];

/// Values that bring out everything a chart can render.
pub(crate) fn rich(chart: &Chart) -> Value {
    let names = chart.values.get("ports").and_then(Value::as_object);
    let mut ports: Vec<_> = names.map_or_else(|| vec!["http".to_owned()], |ports| ports.keys().cloned().collect());
    ports.sort();
    let slots: serde_json::Map<_, _> =
        ports.into_iter().zip(30_000..).map(|(name, port)| (name, json!(port))).collect();
    let mut values = json!({"partOf": "shop", "nodePorts": slots, "env": {"GREETING": "it's $5, \"quoted\""}});
    let more = match chart.name.as_str() {
        "postgres" => json!({"config": {"max_connections": 50}, "auth": {"databases": ["reports", "o'brien"]}}),
        "redis" | "valkey" => json!({"config": {"maxmemory": "100mb"}}),
        "nats" => json!({"config": {"max_payload": 8_388_608, "jetstream": {"max_file_store": 1_073_741_824}}}),
        "rabbitmq" => json!({"config": {"heartbeat": 30}}),
        "mysql" | "mariadb" => json!({"config": {"max-connections": 50}}),
        "memcached" => json!({"config": {"max-item-size": "2m"}}),
        "kafka" => json!({"config": {"num.partitions": 3, "log.retention.bytes": 1_073_741_824}}),
        "clickhouse" => {
            json!({"config": {"max_connections": 100, "query_log": {"ttl": "event_date + INTERVAL 1 DAY"}}})
        }
        "elasticsearch" | "opensearch" => json!({"config": {"action.destructive_requires_name": false}}),
        "temporal" => json!({"namespaces": ["reports"]}),
        "ory" => json!({"appUrl": "https://shop.example.com/",
            "kratos": {"url": "https://auth.example.com/", "schemas": {"customer": {"type": "object"}}, "dsn": "postgres://shop@db/kratos"},
            "hydra": {"url": "https://oauth.example.com/", "config": {"ttl": {"access_token": "1h"}}}, "oathkeeper": {"rules": [{"id": "all"}]}}),
        "signoz" => json!({"collector": {"config": {"processors": {"batch": {"timeout": "2s"}}}}}),
        "floci" => json!({"scripts": {"queues.sh": "aws sqs create-queue --queue-name mail\n"}}),
        "inline-service" => json!({"storage": {"path": "/data"}, "command": ["/whoami"], "args": ["--verbose"]}),
        "dev-app" => json!({"health": "/healthz", "command": ["sh", "-c", "npm run dev"], "secrets": ["shop-keys"],
            "waitFor": ["postgres:5432", "redis:6379"], "components": [{"name": "worker", "command": ["node", "worker.js"], "env": {"QUEUE": "mail"}},
                {"name": "admin", "image": "admin:dev", "port": 4000}]}),
        _ => json!({}),
    };
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    values
}

/// The same as far as what runs can take it over. A volume for an inline service makes it a StatefulSet, a new object.
pub(crate) fn rich_in_place(chart: &Chart) -> Value {
    let mut values = rich(chart);
    values.as_object_mut().unwrap().remove("storage");
    values
}

fn fields(value: &Value) -> impl Iterator<Item = &str> {
    value.as_object().unwrap().keys().map(String::as_str)
}

fn check_object(chart: &str, object: &Value) {
    let kind = object["kind"].as_str().unwrap();
    let known = REQUIRED.iter().find(|(version, name, _)| object["apiVersion"] == *version && kind == *name);
    let (_, _, required) = known.unwrap_or_else(|| panic!("{chart}: {kind} of {}", object["apiVersion"]));
    for pointer in *required {
        assert!(object.pointer(pointer).is_some_and(|value| !value.is_null()), "{chart}: {kind} without {pointer}");
    }
    assert_eq!(object["metadata"]["namespace"], NAMESPACE, "{chart}: {kind}");
    let labels = &object["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/name"], chart, "{kind}");
    assert_eq!(labels["app.kubernetes.io/managed-by"], "kilter", "{chart}: {kind}");
    assert_eq!(labels["app.kubernetes.io/part-of"], "shop", "{chart}: {kind}");
    assert!(labels["app.kubernetes.io/instance"].is_string(), "{chart}: {kind}");
}

fn check_workload(chart: &str, workload: &Value) {
    assert!(fields(&workload["spec"]).all(|field| WORKLOAD.contains(&field)), "{chart}");
    let (selector, template) = (&workload["spec"]["selector"]["matchLabels"], &workload["spec"]["template"]);
    let name_and_instance =
        json!({"app.kubernetes.io/name": chart, "app.kubernetes.io/instance": workload["metadata"]["name"]});
    assert_eq!(selector, &name_and_instance, "{chart}");
    assert_eq!(&template["metadata"]["labels"], selector, "{chart}: pods have the stable labels alone");
    let pod = &template["spec"];
    assert!(fields(pod).all(|field| POD.contains(&field)), "{chart}");
    assert_eq!(pod["automountServiceAccountToken"], false, "{chart}");
    assert_eq!(pod["enableServiceLinks"], false, "{chart}");
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{chart}");
    for container in containers(workload) {
        check_container(chart, container);
    }
    for container in pod["initContainers"].as_array().into_iter().flatten() {
        check_init_container(chart, container);
    }
    for claim in workload["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
        assert_eq!(claim["metadata"]["name"], "data", "{chart}");
        assert_eq!(&claim["metadata"]["labels"], selector, "{chart}: a claim can't change, so its labels must not");
        assert_eq!(claim["spec"]["accessModes"], json!(["ReadWriteOnce"]), "{chart}");
        assert!(claim["spec"]["resources"]["requests"]["storage"].is_string(), "{chart}");
    }
}

/// One that ends before the others start, or a sidecar (`restartPolicy: Always`): the next one starts once it serves.
fn check_init_container(chart: &str, container: &Value) {
    let name = container["name"].as_str().unwrap();
    let sidecar = container["restartPolicy"] == "Always";
    assert!(
        fields(container).all(|field| CONTAINER.contains(&field) || sidecar && field == "restartPolicy"),
        "{chart}/{name}"
    );
    for probe in ["startupProbe", "readinessProbe"] {
        assert_eq!(container.get(probe).is_some(), sidecar, "{chart}/{name}: {probe}");
    }
    check_frame(chart, container);
}

fn check_container(chart: &str, container: &Value) {
    let name = container["name"].as_str().unwrap();
    assert!(fields(container).all(|field| CONTAINER.contains(&field)), "{chart}/{name}");
    check_frame(chart, container);
    let listens = container["ports"].as_array().is_some_and(|ports| !ports.is_empty());
    assert!(listens || chart == "dev-app", "{chart}/{name} listens nowhere");
    if listens {
        let probe = container["readinessProbe"].as_object().unwrap_or_else(|| panic!("{chart}/{name} without a probe"));
        assert!(["exec", "httpGet", "tcpSocket", "grpc"].iter().any(|how| probe.contains_key(*how)), "{chart}/{name}");
    }
}

/// What every container has: a pull policy, no way to more rights, what it takes.
fn check_frame(chart: &str, container: &Value) {
    let name = container["name"].as_str().unwrap();
    assert_eq!(container["imagePullPolicy"], "IfNotPresent", "{chart}/{name}");
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false, "{chart}/{name}");
    for pointer in ["/resources/requests/cpu", "/resources/requests/memory", "/resources/limits/memory"] {
        assert!(container.pointer(pointer).is_some(), "{chart}/{name} without {pointer}");
    }
    assert!(container["resources"]["limits"].get("cpu").is_none(), "{chart}/{name}: a limit on CPU only slows it down");
}

/// Checks that every `command`, `args`, label, annotation and value of a map of text is text: the API server refuses the rest.
pub(super) fn check_text(chart: &str, key: &str, value: &Value) {
    match (key, value) {
        ("command" | "args", Value::Array(words)) => {
            assert!(words.iter().all(Value::is_string), "{chart}: {key} {value}");
        }
        (
            "labels" | "matchLabels" | "annotations" | "data" | "stringData" | "requests" | "limits",
            Value::Object(map),
        ) => {
            assert!(map.values().all(Value::is_string), "{chart}: {key} {value}");
        }
        (_, Value::Object(map)) => map.iter().for_each(|(key, value)| check_text(chart, key, value)),
        (_, Value::Array(items)) => items.iter().for_each(|item| check_text(chart, key, item)),
        ("value", value) => assert!(value.is_string(), "{chart}: {key} {value}"),
        _ => {}
    }
}

fn check_service(chart: &str, service: &Value, objects: &[Value]) {
    let name = service["metadata"]["name"].as_str().unwrap();
    let workload = workload(objects, name);
    assert_eq!(service["spec"]["selector"], workload["spec"]["selector"]["matchLabels"], "{chart}: {name}");
    let open = containers(workload).iter().flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let open: Vec<_> = open.map(|port| &port["name"]).collect();
    for port in service["spec"]["ports"].as_array().unwrap() {
        assert!(open.contains(&&port["targetPort"]), "{chart}: port {} leads nowhere", port["name"]);
        assert!(port["name"].as_str().unwrap().len() <= 15, "{chart}: {}", port["name"]);
    }
}

#[test]
fn objects_are_complete() {
    let Some(helm) = support::helm() else { return };
    for chart in all() {
        let release = format!("my-{}", chart.name);
        let objects = objects(&helm, &chart, &release, &rich(&chart));
        for object in &objects {
            check_object(&chart.name, object);
            check_text(&chart.name, "", object);
            let name = object["metadata"]["name"].as_str().unwrap();
            assert!(name == release || name.starts_with(&format!("{release}-")), "{}: {name}", chart.name);
            match object["kind"].as_str().unwrap() {
                "Service" => check_service(&chart.name, object, &objects),
                _ if is_workload(object) => check_workload(&chart.name, object),
                _ => {}
            }
        }
        find(&objects, "Service", &release);
        workload(&objects, &release);
    }
}

#[test]
fn services_of_the_catalog_have_the_ports_it_says_and_exact_images() {
    let Some(helm) = support::helm() else { return };
    for (chart, catalog) in services() {
        let objects = objects(&helm, &chart, "x", &json!({}));
        let service = find(&objects, "Service", "x");
        assert_eq!(service["spec"]["type"], "ClusterIP", "{}", chart.name);
        let said = catalog.ports.iter().map(|port| (port.name.clone(), u64::from(port.port)));
        let ports = service["spec"]["ports"].as_array().unwrap().iter();
        let ports = ports.map(|port| (port["name"].as_str().unwrap().to_owned(), port["port"].as_u64().unwrap()));
        assert_eq!(ports.collect::<Vec<_>>(), said.collect::<Vec<_>>(), "{}: in the catalog's order", chart.name);
        let workload = workload(&objects, "x");
        assert_eq!(containers(workload)[0]["image"], catalog.image.as_str(), "the first container is the main one");
        let init = workload["spec"]["template"]["spec"]["initContainers"].as_array();
        for container in containers(workload).iter().chain(init.into_iter().flatten()) {
            let image = container["image"].as_str().unwrap();
            assert!(contract::exact(image), "{}: {image}", chart.name);
            assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]), "{}", chart.name);
        }
        let user = &workload["spec"]["template"]["spec"]["securityContext"];
        assert_eq!(user["runAsNonRoot"], true, "{}", chart.name);
        assert!(user["runAsUser"].as_u64().unwrap() > 0, "{}", chart.name);
    }
}

#[test]
fn charts_are_lint_clean() {
    let Some(helm) = support::helm() else { return };
    for chart in all() {
        let home = tempfile::tempdir().unwrap();
        let said = lint(&helm, home.path(), &chart);
        assert!(said.ok(), "{}: {}{}", chart.name, said.text(), said.stderr);
    }
}

pub(super) fn lint(helm: &Path, home: &Path, chart: &Chart) -> kilter::exec::Captured {
    let call = super::render::call(helm, home).args(["lint", "--strict", chart.dir.to_str().unwrap()]);
    call.capture().unwrap()
}
