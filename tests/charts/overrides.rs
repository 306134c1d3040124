//! What the user says reaches the manifest, whatever characters it has; what the chart does not know is refused.

use serde_json::{Map, Value, json};

use super::render::{containers, env, expanded, find, objects, run, workload};
use super::{Chart, all, chart, services};
use crate::support;

/// Text that YAML, Go templates, JSON or the kubelet could take for something else.
pub(super) const HOSTILE: &[&str] = &[
    "",
    " leading and trailing ",
    "two\nlines\n",
    "\n\n- not: a list\n  \ttab",
    "it's \"quoted\" `here`",
    "{{ .Values.auth.password }} {{ fail \"no\" }}",
    "$HOME $$ $(HOME) $$(HOME) 5$",
    "C:\\new\\table\\x41\\u0041",
    "yes",
    "on",
    "1_000",
    "null",
    "~",
    "0x1F",
    "1e3",
    "0777",
    "2026-01-01",
    "!!str x",
    "&anchor *alias",
    "# no comment",
    "key: value",
    "%percent @at",
    "---\nkind: Pod",
    "<script>&amp;</script>",
    "ünïcödé 日本語 🐘 \u{a0}\u{2028}\u{7f}\u{1}",
];

pub(super) fn hostile_env() -> Value {
    HOSTILE
        .iter()
        .enumerate()
        .map(|(i, text)| (format!("TEXT_{i}"), json!(text)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn hostile_text_in_the_environment_of_a_service_survives() {
    let Some(helm) = support::helm() else { return };
    for chart in all().iter().filter(|chart| chart.name != "dev-app") {
        let objects = objects(&helm, chart, "x", &json!({"env": hostile_env()}));
        let main = &containers(workload(&objects, "x"))[0];
        for (i, text) in HOSTILE.iter().enumerate() {
            assert_eq!(env(main, &format!("TEXT_{i}")).as_deref(), Some(*text), "{}", chart.name);
        }
    }
}

#[test]
fn hostile_text_in_the_app_survives() {
    let Some(helm) = support::helm() else { return };
    let worker = json!({"name": "worker", "env": {"TEXT_1": "own"}, "command": HOSTILE});
    let values = json!({"env": hostile_env(), "command": HOSTILE, "components": [worker]});
    let objects = objects(&helm, &chart("dev-app"), "shop", &values);
    for (i, text) in HOSTILE.iter().enumerate() {
        let (key, worker) = (format!("TEXT_{i}"), if i == 1 { "own" } else { text });
        assert_eq!(find(&objects, "ConfigMap", "shop-env")["data"][&key], *text);
        assert_eq!(find(&objects, "ConfigMap", "shop-worker-env")["data"][&key], worker);
    }
    for name in ["shop", "shop-worker"] {
        assert_eq!(literal(&containers(workload(&objects, name))[0]["command"]), HOSTILE, "{name}");
    }
}

pub(super) fn literal(words: &Value) -> Vec<String> {
    words.as_array().unwrap().iter().map(|word| expanded(word.as_str().unwrap())).collect()
}

#[test]
fn hostile_text_in_commands_and_credentials_survives() {
    let Some(helm) = support::helm() else { return };
    let inline = objects(&helm, &chart("inline-service"), "x", &json!({"command": HOSTILE, "args": HOSTILE}));
    let main = &containers(workload(&inline, "x"))[0];
    assert_eq!((literal(&main["command"]), literal(&main["args"])), (literal(&json_words()), literal(&json_words())));
    for password in HOSTILE.iter().filter(|text| !text.is_empty()) {
        for name in ["postgres", "redis", "mysql", "mariadb", "rabbitmq", "clickhouse"] {
            let objects = objects(&helm, &chart(name), "x", &json!({"auth": {"password": password}}));
            assert_eq!(find(&objects, "Secret", "x-auth")["stringData"]["password"], *password, "{name}");
        }
    }
}

/// The hostile words the way a manifest that takes them literally has them.
fn json_words() -> Value {
    HOSTILE.iter().map(|text| text.replace('$', "$$")).collect::<Vec<_>>().into()
}

/// Values that set everything kilter itself may set, and what people override most.
fn said(chart: &Chart) -> Value {
    let names = || chart.values["ports"].as_object().unwrap().keys().cloned();
    let ports: Map<_, _> = names().zip((4242..).map(Value::from)).collect();
    let node_ports: Map<_, _> = names().zip((30_007..).map(Value::from)).collect();
    let mut values = json!({"image": "registry.example:5000/team/image:1.2.3", "env": {"EXTRA": "1"},
        "ports": ports, "nodePorts": node_ports,
        "resources": {"requests": {"cpu": "11m", "memory": "22Mi"}, "limits": {"memory": "333Mi"}}});
    if chart.values.get("storage").is_some() {
        values["storage"] = json!({"size": "7Gi", "className": "fast", "path": "/data"});
        if chart.values["storage"].get("path").is_none() {
            values["storage"].as_object_mut().unwrap().remove("path");
        }
    }
    values
}

#[test]
fn overrides_reach_the_manifest() {
    let Some(helm) = support::helm() else { return };
    for chart in services().into_iter().map(|(chart, _)| chart).chain([chart("inline-service")]) {
        let values = said(&chart);
        let objects = objects(&helm, &chart, "x", &values);
        let (service, workload) = (find(&objects, "Service", "x"), workload(&objects, "x"));
        assert_eq!(service["spec"]["type"], "NodePort", "{}", chart.name);
        let ports = service["spec"]["ports"].as_array().unwrap();
        assert_eq!(ports.len(), values["ports"].as_object().unwrap().len(), "{}", chart.name);
        for port in ports {
            let name = port["name"].as_str().unwrap();
            let said = (&values["ports"][name], &values["nodePorts"][name]);
            assert_eq!((&port["port"], &port["nodePort"]), said, "{}: {name}", chart.name);
        }
        let container = &containers(workload)[0];
        assert_eq!(container["image"], values["image"], "{}", chart.name);
        assert_eq!(container["resources"], values["resources"], "{}", chart.name);
        assert_eq!(env(container, "EXTRA").as_deref(), Some("1"), "{}", chart.name);
        if values.get("storage").is_some() {
            let claim = &workload["spec"]["volumeClaimTemplates"][0]["spec"];
            assert_eq!(claim["resources"]["requests"]["storage"], "7Gi", "{}", chart.name);
            assert_eq!(claim["storageClassName"], "fast", "{}", chart.name);
        }
    }
}

#[test]
fn the_environment_a_person_gives_goes_over_the_charts_own() {
    let Some(helm) = support::helm() else { return };
    for (name, variable) in [
        ("postgres", "PGDATA"),
        ("mailpit", "MP_DATABASE"),
        ("rabbitmq", "ERL_MAX_PORTS"),
        ("kafka", "KAFKA_HEAP_OPTS"),
        ("opensearch", "OPENSEARCH_JAVA_OPTS"),
    ] {
        for said in ["/elsewhere", ""] {
            let objects = objects(&helm, &chart(name), "x", &json!({"env": {variable: said}}));
            assert_eq!(env(&containers(workload(&objects, "x"))[0], variable).as_deref(), Some(said), "{name}");
        }
    }
}

#[test]
fn what_auth_decides_is_refused_in_the_environment() {
    let Some(helm) = support::helm() else { return };
    for (name, variable, instead) in [
        ("postgres", "POSTGRES_PASSWORD", "set auth.password under values"),
        ("postgres", "POSTGRES_USER", "the user is postgres"),
        ("postgres", "POSTGRES_DB", "set auth.database under values"),
        ("mysql", "MYSQL_ROOT_PASSWORD", "set auth.password under values"),
        ("mysql", "MYSQL_DATABASE", "set auth.database under values"),
        ("mariadb", "MARIADB_ROOT_PASSWORD", "set auth.password under values"),
        ("mariadb", "MYSQL_ROOT_PASSWORD", "set auth.password under values"),
        ("mariadb", "MARIADB_DATABASE", "set auth.database under values"),
        ("mssql", "MSSQL_SA_PASSWORD", "set auth.password under values"),
        ("mssql", "SA_PASSWORD", "set auth.password under values"),
        ("mssql", "MSSQL_DB", "set auth.database under values"),
        ("mssql", "MSSQL_TCP_PORT", "set ports.mssql under values"),
        ("clickhouse", "CLICKHOUSE_USER", "the user is default"),
        ("clickhouse", "CLICKHOUSE_PASSWORD", "set auth.password under values"),
        ("clickhouse", "CLICKHOUSE_DB", "set auth.database under values"),
        ("elasticsearch", "ELASTIC_PASSWORD", "set auth.password under values"),
        ("kafka", "KILTER_HOST_PORT", "kilter gives it"),
        ("mongodb", "MONGO_INITDB_ROOT_PASSWORD", "set auth.password under values"),
        ("mongodb", "MONGO_INITDB_ROOT_USERNAME", "the user is root"),
        ("mongodb", "KILTER_KEYFILE", "it is made from auth.password"),
        ("rabbitmq", "RABBITMQ_DEFAULT_USER", "set auth.user under values"),
        ("rabbitmq", "RABBITMQ_DEFAULT_PASS", "set auth.password under values"),
        ("redis", "REDISCLI_AUTH", "set auth.password under values"),
        ("valkey", "VALKEYCLI_AUTH", "set auth.password under values"),
        ("valkey", "REDISCLI_AUTH", "set auth.password under values"),
        ("garage", "GARAGE_RPC_SECRET", "it is made from auth.secretKey"),
        ("garage", "GARAGE_DEFAULT_ACCESS_KEY", "set auth.accessKey under values"),
        ("garage", "GARAGE_DEFAULT_SECRET_KEY", "set auth.secretKey under values"),
        ("garage", "GARAGE_DEFAULT_BUCKET", "set auth.bucket under values"),
        ("rustfs", "RUSTFS_ACCESS_KEY", "set auth.accessKey under values"),
        ("rustfs", "RUSTFS_SECRET_KEY", "set auth.secretKey under values"),
        ("rustfs", "RUSTFS_REGION", "set region under values"),
        ("rustfs", "RUSTFS_ADDRESS", "set ports.s3 under values"),
        ("rustfs", "RUSTFS_VOLUMES", "set storage under values"),
        ("rustfs", "KILTER_BUCKET", "set auth.bucket under values"),
        ("ory", "DSN", "set kratos.dsn under values"),
        ("ory", "SECRETS_COOKIE", "it is made from auth.secret"),
        ("ory", "SECRETS_CIPHER", "it is made from auth.secret"),
        ("signoz", "SIGNOZ_USER_ROOT_EMAIL", "set auth.email under values"),
        ("signoz", "SIGNOZ_USER_ROOT_PASSWORD", "set auth.password under values"),
        ("signoz", "SIGNOZ_TOKENIZER_JWT_SECRET", "set auth.secret under values"),
        ("azurite", "AZURITE_ACCOUNTS", "set auth.account and auth.key under values"),
        ("floci", "FLOCI_DEFAULT_REGION", "set region under values"),
        ("floci", "FLOCI_PORT", "set ports.aws under values"),
        ("fake-gcs-server", "KILTER_BUCKET", "set bucket under values"),
    ] {
        let refusal = format!("left out; {instead}");
        for value in ["x", "", &refusal] {
            let said = run(&helm, &chart(name), "x", &json!({"env": {variable: value}}));
            assert!(!said.ok() && said.stderr.contains(&format!("/env/{variable}")), "{variable}: {}", said.stderr);
            assert!(value == refusal || said.stderr.contains(&refusal), "{variable}: {}", said.stderr);
        }
    }
}

#[test]
fn resources_of_every_name_that_kubernetes_has_are_taken() {
    let limits = json!({"cpu": 2, "memory": "1Gi", "ephemeral-storage": "2Gi", "hugepages-2Mi": "4Mi",
        "nvidia.com/gpu": 1, "gpu.intel.com/i915_monitoring": "1"});
    for chart in all() {
        let mut values = chart.values.clone();
        values["resources"]["limits"] = limits.clone();
        let schema = jsonschema::validator_for(&chart.schema).unwrap();
        assert!(schema.is_valid(&values), "{}", chart.name);
        for name in ["hugepages-", "hugepages-big", "/gpu", "nvidia.com/", "Nvidia.com/gpu", "a/b/c"] {
            let mut values = values.clone();
            values["resources"]["limits"][name] = json!("1");
            assert!(!schema.is_valid(&values), "{}: {name}", chart.name);
        }
    }
}

#[test]
fn values_that_a_chart_does_not_know_are_refused_by_name() {
    let Some(helm) = support::helm() else { return };
    for chart in all() {
        for (values, key) in [
            (json!({"nonsense": 1}), "nonsense"),
            (json!({"env": {"A": 1}}), "env"),
            (json!({"nodePorts": {"NO": 1}}), "NO"),
            (json!({"resources": {"limits": {"memroy": "1Gi"}}}), "memroy"),
            (json!({"resources": {"requests": {"gpu": 1}}}), "gpu"),
        ] {
            let said = run(&helm, &chart, "x", &values);
            assert!(!said.ok() && said.stderr.contains(key), "{}: {values}: {}", chart.name, said.stderr);
        }
    }
}
