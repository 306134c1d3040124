//! All services of the catalog in one project, beside an app: none has a name, a port or a login of another.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::projects::{files, whole_catalog};
use crate::charts::render::{objects, parse};
use crate::charts::services;
use crate::support;
use crate::support::project::Project;

/// NodePorts that the cluster has on this machine.
const NODE_PORTS: std::ops::Range<u64> = 30_000..30_048;

/// Keys of Secrets that hold nothing secret: the service, the key, and what it is.
const NO_SECRETS: &[(&str, &str, &str)] = &[
    ("keycloak", "user", "a user's name"),
    ("ory", "hydra-dsn", "a database on the pod's loopback, which asks for no password"),
    ("ory", "kratos-dsn", "a database on the pod's loopback, which asks for no password"),
    ("ory", "keto-dsn", "a database on the pod's loopback, which asks for no password"),
    ("rabbitmq", "user", "a user's name"),
    ("rustfs", "access-key", "a user's name"),
];

/// Renders the project and returns the objects of each manifest, by the name of its service.
fn rendered(name: &str) -> (Project, BTreeMap<String, Vec<Value>>) {
    let project = whole_catalog(name);
    let yaml = project.read("kilter.yaml");
    project.write("kilter.yaml", format!("dev: node server.js\nport: 3000\n{yaml}"));
    project.kilter(&["render"]).succeeds();
    let manifests = files(&project.cache().join(name).join("manifests")).into_iter().map(|(path, text)| {
        let service = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (service, parse(&String::from_utf8(text).unwrap()))
    });
    let manifests: BTreeMap<_, _> = manifests.collect();
    assert_eq!(manifests.len(), services().len() + 1);
    (project, manifests)
}

#[test]
fn no_two_services_have_an_object_of_one_name() {
    let Some(_) = support::helm() else { return };
    let (_, manifests) = rendered("shop");
    let mut seen = BTreeMap::new();
    for (service, object) in manifests.iter().flat_map(|(service, all)| all.iter().map(move |object| (service, object)))
    {
        let meta = &object["metadata"];
        let id = json!([object["apiVersion"], object["kind"], meta["namespace"], meta["name"]]).to_string();
        if let Some(other) = seen.insert(id.clone(), service) {
            panic!("{id} is of {other} and of {service}");
        }
    }
}

#[test]
fn each_port_has_a_slot_of_its_own_and_is_served_or_forwarded() {
    let Some(_) = support::helm() else { return };
    let (project, manifests) = rendered("shop");
    let lock: Value = serde_yaml::from_str(&project.read("kilter.lock")).unwrap();
    let slots: BTreeMap<String, u64> = serde_json::from_value(lock["slots"].clone()).unwrap();
    let of_catalog = services().into_iter().flat_map(|(chart, catalog)| {
        catalog.ports.into_iter().map(move |port| format!("{}/{}", chart.name, port.name))
    });
    let expected: BTreeSet<String> = of_catalog.chain(["app/http".to_owned()]).collect();
    assert_eq!(slots.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(slots.values().copied().collect::<BTreeSet<_>>(), (0..slots.len() as u64).collect(), "one port a slot");
    let tiltfile = std::fs::read_to_string(project.cache().join("shop/Tiltfile")).unwrap();
    let mut served = 0;
    for (key, slot) in &slots {
        let (service, name) = key.split_once('/').unwrap();
        let objects = manifests[service].iter().filter(|object| object["kind"] == "Service");
        let ports = objects.flat_map(|object| object["spec"]["ports"].as_array().unwrap());
        let ports: Vec<_> = ports.filter(|port| port["name"] == name).collect();
        assert_eq!(ports.len(), 1, "{key}");
        let node_port = Some(NODE_PORTS.start + slot).filter(|port| NODE_PORTS.contains(port));
        assert_eq!(ports[0].get("nodePort").and_then(Value::as_u64), node_port, "{key}");
        served += usize::from(node_port.is_some());
        // Tilt forwards it: at any rate, or where the cluster's NodePorts do not reach this machine.
        let calls: Vec<_> = tiltfile.lines().filter_map(|line| line.split_once(&format!("forward({slot}, "))).collect();
        let [(before, _)] = calls[..] else { panic!("{key}: slot {slot} is forwarded {} times", calls.len()) };
        // The app's objects have the project's name.
        let workload = if service == "app" { "shop" } else { service };
        assert!(before.starts_with(&format!("k8s_resource(\"{workload}\"")), "{key}: {before}");
        assert_eq!(before.contains("unless_node_port("), node_port.is_some(), "{key}: {before}");
    }
    assert_eq!(served, 48.min(slots.len()));
    assert!(served < slots.len(), "the catalog has more ports than a cluster has slots: some are forwarded");
}

/// The values of all Secrets, by service and key.
fn secrets(manifests: &BTreeMap<String, Vec<Value>>) -> BTreeMap<(String, String), String> {
    let of = |(service, objects): (&String, &Vec<Value>)| {
        let data =
            objects.iter().filter(|object| object["kind"] == "Secret").map(|object| object["stringData"].clone());
        let data = data.flat_map(|data| data.as_object().unwrap().clone());
        let service = service.clone();
        data.map(move |(key, value)| ((service.clone(), key), value.as_str().unwrap().to_owned())).collect::<Vec<_>>()
    };
    manifests.iter().flat_map(of).collect()
}

/// Tells whether this key of this service is to be known to nobody else.
fn secret((service, key): &(String, String)) -> bool {
    !NO_SECRETS.iter().any(|(named, known, _)| named == service && known == key)
}

#[test]
fn no_login_is_a_charts_default_and_no_two_projects_have_one() {
    let Some(helm) = support::helm() else { return };
    let (one, other) = (secrets(&rendered("shop").1), secrets(&rendered("store").1));
    let defaults = services().into_iter().map(|(chart, _)| {
        let objects = objects(&helm, &chart, &chart.name, &json!({}));
        (chart.name, objects)
    });
    let defaults = secrets(&defaults.collect());
    assert!(one.len() > 20 && one.keys().eq(other.keys()) && one.keys().eq(defaults.keys()), "{:?}", one.keys());
    for (id, value) in &one {
        assert_eq!(*value == defaults[id], !secret(id), "{id:?} is the default of values.yaml");
        assert_eq!(*value == other[id], !secret(id), "{id:?} is the same in another project");
    }
    // Nor has one service the login of another.
    let mut seen = BTreeMap::new();
    for (id, value) in one.iter().filter(|(id, _)| secret(id)) {
        if let Some(before) = seen.insert(value, id) {
            assert_eq!(before.0, id.0, "{before:?} and {id:?} are the same");
        }
    }
}
