//! Keys of search engines, vector stores and what logs people in: in the Secret alone, never given past it, and followed by the pod.

use serde_json::{Value, json};

use super::render::{containers, env, find, objects, run, workload};
use super::{chart, contract};
use crate::support;

/// Charts, the value that holds a credential, another that is taken too, and the variable that the container gets it by.
const KEYS: &[(&str, &str, &str, &str)] = &[
    ("meilisearch", "masterKey", "another-master-key", "MEILI_MASTER_KEY"),
    ("typesense", "apiKey", "another", "TYPESENSE_API_KEY"),
    ("qdrant", "apiKey", "another", "QDRANT__SERVICE__API_KEY"),
    ("weaviate", "apiKey", "another", "AUTHENTICATION_APIKEY_ALLOWED_KEYS"),
    ("keycloak", "user", "another", "KC_BOOTSTRAP_ADMIN_USERNAME"),
    ("keycloak", "password", "another", "KC_BOOTSTRAP_ADMIN_PASSWORD"),
    ("imgproxy", "key", "616e6f74686572", "IMGPROXY_KEY"),
    ("imgproxy", "salt", "616e6f74686572", "IMGPROXY_SALT"),
];

#[test]
fn a_key_is_in_the_secret_alone_and_another_one_rolls_the_pod() {
    let Some(helm) = support::helm() else { return };
    for (name, value, another, variable) in KEYS {
        let chart = chart(name);
        let plain = objects(&helm, &chart, "x", &json!({}));
        let changed = objects(&helm, &chart, "x", &json!({"auth": {*value: another}}));
        let secret = find(&changed, "Secret", "x-auth")["stringData"].as_object().unwrap();
        let (key, _) = secret.iter().find(|(_, text)| *text == another).unwrap_or_else(|| panic!("{name}: {value}"));
        let pod = &workload(&changed, "x")["spec"]["template"];
        let entries = pod["spec"]["containers"][0]["env"].as_array().unwrap();
        let entry = entries.iter().find(|entry| entry["name"] == *variable).unwrap();
        assert_eq!(entry["valueFrom"], json!({"secretKeyRef": {"name": "x-auth", "key": key}}), "{name}");
        assert!(!pod.to_string().contains(another), "{name}: {pod}");
        assert_ne!(pod, &workload(&plain, "x")["spec"]["template"], "{name}: {value} rolls nothing");
    }
}

#[test]
fn a_key_is_refused_in_the_environment() {
    let Some(helm) = support::helm() else { return };
    for (name, value, _, variable) in KEYS {
        let said = run(&helm, &chart(name), "x", &json!({"env": {*variable: "x"}}));
        let instead = format!("left out; set auth.{value} under values");
        assert!(!said.ok() && said.stderr.contains(&instead), "{variable}: {}", said.stderr);
    }
}

#[test]
fn what_a_product_would_not_take_is_refused() {
    let Some(helm) = support::helm() else { return };
    for (name, auth) in [
        ("meilisearch", json!({"masterKey": "fifteen-letters"})),
        ("typesense", json!({"apiKey": ""})),
        ("weaviate", json!({"apiKey": "one,two"})),
        ("keycloak", json!({"user": ""})),
        ("imgproxy", json!({"key": "no hex digits"})),
        ("imgproxy", json!({"key": "abc"})),
        ("imgproxy", json!({"key": ""})),
    ] {
        let said = run(&helm, &chart(name), "x", &json!({"auth": auth}));
        assert!(!said.ok() && said.stderr.contains("auth"), "{name}: {auth}: {}", said.stderr);
    }
    let said = run(&helm, &chart("keycloak"), "x", &json!({"realms": [{"enabled": true}]}));
    assert!(!said.ok() && said.stderr.contains("realm"), "{}", said.stderr);
}

#[test]
fn imgproxy_without_key_and_salt_is_told_of_none() {
    let Some(helm) = support::helm() else { return };
    let without = |env: Value| {
        let objects = objects(&helm, &chart("imgproxy"), "x", &json!({"auth": {"key": "", "salt": ""}, "env": env}));
        containers(workload(&objects, "x"))[0].clone()
    };
    assert!(without(json!({})).get("env").is_none());
    let entries = without(json!({"IMGPROXY_QUALITY": "60"}))["env"].clone();
    assert_eq!(entries, json!([{"name": "IMGPROXY_QUALITY", "value": "60"}]));
}

#[test]
fn keycloak_imports_the_realms_it_is_given_from_a_secret() {
    let Some(helm) = support::helm() else { return };
    let chart = chart("keycloak");
    let plain = objects(&helm, &chart, "x", &json!({}));
    let realms = json!([{"realm": "shop", "enabled": true, "clients": [{"clientId": "it's {{ x }}", "secret": "$hush"}]},
        {"realm": "staff"}]);
    let given = objects(&helm, &chart, "x", &json!({"realms": realms}));
    let files = find(&given, "Secret", "x-realms")["stringData"].as_object().unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["shop-realm.json", "staff-realm.json"]);
    let read = files.values().map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap());
    assert_eq!(read.collect::<Vec<Value>>(), *realms.as_array().unwrap());
    assert_eq!(containers(workload(&plain, "x"))[0]["args"], json!(["start-dev"]));
    let pod = &workload(&given, "x")["spec"]["template"];
    let server = &pod["spec"]["containers"][0];
    assert_eq!(server["args"], json!(["start-dev", "--import-realm"]));
    let mount = json!({"name": "realms", "mountPath": "/opt/keycloak/data/import", "readOnly": true});
    assert!(server["volumeMounts"].as_array().unwrap().contains(&mount));
    assert!(!pod.to_string().contains("hush"), "{pod}");
    assert_ne!(pod, &workload(&plain, "x")["spec"]["template"], "realms are imported at a start");
}

#[test]
fn health_is_asked_on_ports_that_the_service_does_not_have() {
    let Some(helm) = support::helm() else { return };
    for (name, port) in [("keycloak", "management"), ("jaeger", "health")] {
        let objects = objects(&helm, &chart(name), "x", &json!({}));
        let container = &containers(workload(&objects, "x"))[0];
        assert_eq!(container["readinessProbe"]["httpGet"]["port"], port, "{name}");
        let open = container["ports"].as_array().unwrap();
        assert!(open.iter().any(|open| open["name"] == port), "{name}");
        let service = find(&objects, "Service", "x")["spec"]["ports"].as_array().unwrap();
        assert!(service.iter().all(|open| open["name"] != port), "{name}");
    }
}

#[test]
fn jaeger_keeps_as_many_traces_as_it_is_told() {
    let Some(helm) = support::helm() else { return };
    let objects = objects(&helm, &chart("jaeger"), "x", &json!({"maxTraces": 1_000_000}));
    let args = containers(workload(&objects, "x"))[0]["args"][0].as_str().unwrap().to_owned();
    assert!(args.ends_with(".memory.max_traces=1000000"), "{args}");
}

#[test]
fn the_settings_of_chroma_reach_its_file_over_its_own() {
    let Some(helm) = support::helm() else { return };
    let chart = chart("chroma");
    let file = |values: &Value| {
        let objects = objects(&helm, &chart, "x", values);
        serde_json::from_str::<Value>(find(&objects, "ConfigMap", "x-config")["data"]["config.yaml"].as_str().unwrap())
            .unwrap()
    };
    assert_eq!(file(&json!({})), json!({"persist_path": "/data"}));
    let said = json!({"config": {"allow_reset": true, "cors_allow_origins": ["{{ x }}"]}});
    assert_eq!(file(&said), json!({"persist_path": "/data", "allow_reset": true, "cors_allow_origins": ["{{ x }}"]}));
    let pods = |values: &Value| workload(&objects(&helm, &chart, "x", values), "x")["spec"]["template"].clone();
    assert_ne!(pods(&said), pods(&json!({})));
}

/// Containers and the variable that says where they keep their data.
const SAID: &[(&str, &str, &str)] = &[
    ("typesense", "typesense", "TYPESENSE_DATA_DIR"),
    ("qdrant", "qdrant", "QDRANT__STORAGE__STORAGE_PATH"),
    ("qdrant", "qdrant", "QDRANT__STORAGE__SNAPSHOTS_PATH"),
    ("weaviate", "weaviate", "PERSISTENCE_DATA_PATH"),
    ("floci", "floci", "FLOCI_STORAGE_PERSISTENT_PATH"),
    ("signoz", "signoz", "SIGNOZ_SQLSTORE_SQLITE_PATH"),
];

/// Containers that keep their data where their image does, the folder, and a word with which one would say another.
const OF_THE_IMAGE: &[(&str, &str, &str, &str)] = &[
    ("mongodb", "mongodb", "/data/db", "--dbpath"),
    ("mssql", "mssql", "/var/opt/mssql", "MSSQL_DATA_DIR"),
    // The image's working directory; `./data.ms` and `./dumps` are in it.
    ("meilisearch", "meilisearch", "/meili_data", "MEILI_DB_PATH"),
    ("signoz", "store", "/var/lib/clickhouse", "\\n  <path>"),
];

#[test]
fn what_keeps_data_writes_where_its_volume_is() {
    let Some(helm) = support::helm() else { return };
    let rendered = |name: &str| objects(&helm, &chart(name), "x", &json!({}));
    // The container, and the folders in which the volume is.
    let mounted = |objects: &[Value], container: &str| {
        let pod = &workload(objects, "x")["spec"]["template"]["spec"];
        let all =
            ["containers", "initContainers"].into_iter().flat_map(|key| pod[key].as_array().into_iter().flatten());
        let found = all.into_iter().find(|one| one["name"] == container).unwrap().clone();
        let data = found["volumeMounts"].as_array().unwrap().iter().filter(|mount| mount["name"] == "data");
        let folders: Vec<String> = data.map(|mount| mount["mountPath"].as_str().unwrap().to_owned()).collect();
        (found, folders)
    };
    for (name, container, variable) in SAID {
        let (container, folders) = mounted(&rendered(name), container);
        let said = env(&container, variable).unwrap();
        assert!(
            folders.iter().any(|folder| std::path::Path::new(&said).starts_with(folder)),
            "{name}: {variable} is {said}"
        );
    }
    for (name, container, folder, elsewhere) in OF_THE_IMAGE {
        let objects = rendered(name);
        assert_eq!(mounted(&objects, container).1, [*folder], "{name}");
        assert!(!objects.iter().any(|object| object.to_string().contains(elsewhere)), "{name}: {elsewhere}");
    }
    assert!(contract::exact("qdrant/qdrant:v1.20.0-unprivileged"));
}

#[test]
fn no_two_vector_stores_and_no_two_search_engines_want_the_same_place() {
    for (kind, names) in
        [("vector store", &["qdrant", "weaviate", "chroma"][..]), ("search engine", &["meilisearch", "typesense"])]
    {
        let places = names.iter().map(|name| kilter::catalog::service(name).unwrap().one_of.clone().unwrap());
        let places: Vec<_> = places.collect();
        assert!(places.iter().all(|place| place.kind == kind), "{places:?}");
        assert!(places.windows(2).all(|two| two[0].rank < two[1].rank), "{places:?}");
    }
}
