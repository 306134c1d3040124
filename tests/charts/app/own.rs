//! What one value or another does to an app.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    DEPLOY, IMAGE, MIGRATE, SEED, components, full, jobs, manifest, names, objects_of, pod, run, values, with,
};
use crate::charts::render::{containers, env, find};
use crate::support;

/// The container of a Deployment of an app with other values.
fn container(helm: &Path, change: &Value, name: &str) -> Value {
    containers(find(&objects_of(helm, &with(change)), "Deployment", name))[0].clone()
}

#[test]
fn a_rollout_drops_no_request() {
    let Some(helm) = support::helm() else { return };
    for deployment in objects_of(&helm, &full()).iter().filter(|object| object["kind"] == "Deployment") {
        let spec = &deployment["spec"];
        let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}});
        assert_eq!(spec["strategy"], rolling);
        assert_eq!((&spec["progressDeadlineSeconds"], &spec["revisionHistoryLimit"]), (&json!(300), &json!(3)));
        let container = &containers(deployment)[0];
        if container.get("ports").is_none() {
            assert!(container.get("readinessProbe").is_none() && container.get("lifecycle").is_none());
            continue;
        }
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            assert!(container[probe].is_object(), "{probe}");
        }
        let drain = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
        let grace = pod(deployment)["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(drain >= 5 && grace >= drain + 30, "{drain} of {grace} seconds");
    }
}

#[test]
fn a_process_serves_when_its_path_answers_or_its_port_is_open() {
    let Some(helm) = support::helm() else { return };
    let open = json!({"port": "http"});
    let change = json!({"health": "/up?a=1#b", "components": components()});
    let app = container(&helm, &change, "shop");
    let api = container(&helm, &change, "shop-api");
    for probe in ["startupProbe", "readinessProbe"] {
        assert_eq!(app[probe]["httpGet"], json!({"path": "/up?a=1#b", "port": "http"}));
        assert_eq!(api[probe]["tcpSocket"], open, "the path is the app's alone");
        let plain = container(&helm, &json!({}), "shop");
        assert_eq!((&plain[probe]["tcpSocket"], plain[probe].get("httpGet")), (&open, None));
    }
    let alive = &app["livenessProbe"];
    assert_eq!(
        (&alive["tcpSocket"], alive.get("httpGet")),
        (&open, None),
        "an app whose database is away is not restarted"
    );
}

/// The pod template of the app.
fn template(helm: &Path, values: &Value) -> Value {
    pod(find(&objects_of(helm, values), "Deployment", "shop")).clone()
}

#[test]
fn pods_roll_when_they_must_and_only_then() {
    let Some(helm) = support::helm() else { return };
    let secret =
        |digest: &str| json!({"secrets": [{"name": "keys", "digest": format!("sha256:{}", digest.repeat(32))}]});
    let before = template(&helm, &with(&secret("ab")));
    for change in [
        json!({"revision": 8, "deploy": "dother"}),
        json!({"replicas": 2}),
        json!({"replicas": 0}),
        json!({"hostnames": ["shop.apps.example.com", "www.example.org"]}),
        json!({"public": false, "hostnames": []}),
        json!({"peers": [], "gateway": {"name": "other", "namespace": "gateways", "section": "https"}}),
        json!({"components": components()}),
    ] {
        let mut values = with(&secret("ab"));
        values.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(template(&helm, &values), before, "{change} rolls the pods");
    }
    for change in [
        secret("cd"),
        json!({"variables": {"A": "1"}}),
        json!({"image": IMAGE.replace("4c5e", "4c5f")}),
        json!({"command": ["x"]}),
        json!({"resources": {"limits": {"memory": "1Gi"}}}),
    ] {
        assert_ne!(template(&helm, &with(&change)), before, "{change} rolls nothing");
    }
}

#[test]
fn secrets_are_environment_and_must_be_there() {
    let Some(helm) = support::helm() else { return };
    let from = json!([{"secretRef": {"name": "shop-keys"}}, {"secretRef": {"name": "shared"}}]);
    for values in [full(), jobs(MIGRATE, SEED)] {
        for object in objects_of(&helm, &values).iter().filter(|object| super::runs_pods(object)) {
            for container in super::all_containers(object) {
                assert_eq!(container["envFrom"], from);
            }
            assert_eq!(pod(object)["spec"]["imagePullSecrets"], json!([{"name": "registry"}]));
        }
    }
}

#[test]
fn a_component_has_the_environment_of_the_app_and_its_own_port() {
    let Some(helm) = support::helm() else { return };
    let components = json!([{"name": "worker", "command": [], "variables": {}},
        {"name": "api", "command": [], "variables": {"A": "own", "B": ""}, "port": 4000},
        {"name": "mail", "command": [], "variables": {"PORT": "5000"}, "port": 4001}]);
    let change = json!({"variables": {"A": "1", "B": "2"}, "components": components});
    let of = |name: &str| {
        let container = container(&helm, &change, name);
        ["A", "B", "PORT"].map(|variable| env(&container, variable))
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(of("shop"), [text("1"), text("2"), text("3000")]);
    assert_eq!(of("shop-worker"), [text("1"), text("2"), None]);
    assert_eq!(of("shop-api"), [text("own"), text(""), text("4000")]);
    assert_eq!(of("shop-mail"), [text("1"), text("2"), text("5000")]);
    let said = container(&helm, &json!({"variables": {"PORT": ""}}), "shop");
    assert_eq!(env(&said, "PORT"), text(""), "what is said counts, also when it is empty");
}

#[test]
fn resources_are_what_is_said_and_never_a_limit_below_its_request() {
    let Some(helm) = support::helm() else { return };
    for (said, expected) in [
        (json!({}), json!({"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}})),
        (json!({"requests": {"memory": "1Gi"}}), json!({"requests": {"cpu": "100m", "memory": "1Gi"}})),
        (json!({"limits": {"memory": "64Mi", "cpu": "50m"}}), json!({"limits": {"memory": "64Mi", "cpu": "50m"}})),
        (
            json!({"requests": {"cpu": "1e3", "ephemeral-storage": "1Gi"}}),
            json!({"requests": {"cpu": "1e3", "ephemeral-storage": "1Gi", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}),
        ),
    ] {
        let values = with(&json!({"resources": said, "components": components()}));
        for deployment in objects_of(&helm, &values).iter().filter(|object| object["kind"] == "Deployment") {
            assert_eq!(containers(deployment)[0]["resources"], expected, "{said}");
        }
        let mut job = jobs(MIGRATE, &[]);
        job["resources"] = said;
        assert_eq!(containers(&objects_of(&helm, &job)[0])[0]["resources"], expected);
    }
}

/// Who may reach the pods of a process: the `from` of each rule, and the port of the rule.
fn admitted(objects: &[Value], name: &str) -> Vec<(Value, Option<Value>)> {
    let policy = &find(objects, "NetworkPolicy", name)["spec"];
    assert_eq!(policy["policyTypes"], json!(["Ingress"]));
    let rules = policy["ingress"].as_array().unwrap().iter();
    rules.map(|rule| (rule["from"].clone(), rule.get("ports").map(|ports| ports[0]["port"].clone()))).collect()
}

#[test]
fn other_namespaces_reach_only_what_has_a_route() {
    let Some(helm) = support::helm() else { return };
    let own = (json!([{"podSelector": {}}]), None);
    let values = with(&json!({"components": components()}));
    let objects = objects_of(&helm, &values);
    let peers = (values["peers"].clone(), Some(json!("http")));
    for name in ["shop", "shop-api", "shop-admin"] {
        assert_eq!(admitted(&objects, name), [own.clone(), peers.clone()], "{name}");
    }
    for name in ["shop-cache", "shop-worker"] {
        assert_eq!(admitted(&objects, name), std::slice::from_ref(&own), "{name}");
    }
    for change in [json!({"public": false, "hostnames": []}), json!({"peers": []})] {
        let objects = objects_of(&helm, &with(&change));
        assert_eq!(admitted(&objects, "shop"), std::slice::from_ref(&own), "{change}: an empty `from` would admit all");
    }
    let mut internal = values;
    internal["public"] = json!(false);
    let objects = objects_of(&helm, &internal);
    for name in ["shop", "shop-api", "shop-admin", "shop-cache", "shop-worker"] {
        assert_eq!(admitted(&objects, name), std::slice::from_ref(&own), "{name}");
    }
    assert!(!names(&objects).iter().any(|name| name.starts_with("HTTPRoute")));
}

#[test]
fn routes_lead_to_the_app_and_to_components_that_ask_for_one() {
    let Some(helm) = support::helm() else { return };
    let objects = objects_of(&helm, &full());
    let routes: Vec<_> = names(&objects).into_iter().filter(|name| name.starts_with("HTTPRoute")).collect();
    assert_eq!(routes, ["HTTPRoute shop", "HTTPRoute shop-admin"]);
    let gateway = json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public", "namespace": "gateways",
        "sectionName": "https"}]);
    let rule = |path: &str, name: &str, port: u16| {
        json!({"matches": [{"path": {"type": "PathPrefix", "value": path}}],
        "backendRefs": [{"name": name, "port": port}]})
    };
    let app = &find(&objects, "HTTPRoute", "shop")["spec"];
    assert_eq!(app["parentRefs"], gateway);
    assert_eq!(app["hostnames"], full()["hostnames"]);
    assert_eq!(app["rules"], json!([rule("/api", "shop-api", 4000), rule("/", "shop", 3000)]));
    let admin = &find(&objects, "HTTPRoute", "shop-admin")["spec"];
    assert_eq!((&admin["parentRefs"], &admin["hostnames"]), (&gateway, &json!(["admin.shop.apps.example.com"])));
    assert_eq!(admin["rules"], json!([rule("/", "shop-admin", 4001)]));
    let plain = objects_of(&helm, &values());
    assert!(find(&plain, "HTTPRoute", "shop")["spec"]["parentRefs"][0].get("sectionName").is_none());
    let nameless = objects_of(&helm, &with(&json!({"hostnames": []})));
    assert!(!manifest(&helm, &with(&json!({"hostnames": []}))).contains("HTTPRoute"), "{:?}", names(&nameless));
}

#[test]
fn several_pods_are_spread_and_one_of_them_may_be_moved() {
    let Some(helm) = support::helm() else { return };
    let objects = objects_of(&helm, &full());
    let budgets: Vec<_> = objects.iter().filter(|object| object["kind"] == "PodDisruptionBudget").collect();
    assert_eq!(budgets.len(), 1, "a budget for one pod would keep its node from being emptied");
    assert_eq!(budgets[0]["metadata"]["name"], "shop");
    assert_eq!(budgets[0]["spec"]["maxUnavailable"], 1);
    assert!(!names(&objects_of(&helm, &values())).iter().any(|name| name.contains("Budget")));
    let deployment = find(&objects, "Deployment", "shop");
    assert_eq!(deployment["spec"]["replicas"], 2);
    let spread = &pod(deployment)["spec"]["topologySpreadConstraints"][0];
    assert_eq!(spread["whenUnsatisfiable"], "ScheduleAnyway", "a cluster of one node runs it too");
    assert_eq!(spread["labelSelector"], deployment["spec"]["selector"]);
}

#[test]
fn a_job_runs_once_its_steps_one_after_another() {
    let Some(helm) = support::helm() else { return };
    let steps = |kind: &str, job: &Value| -> Vec<(String, Value)> {
        let containers = pod(job)["spec"][kind].as_array().cloned().unwrap_or_default();
        containers.iter().map(|c| (c["name"].as_str().unwrap().to_owned(), c["command"].clone())).collect()
    };
    let (migration, seed) = (("migration".to_owned(), json!(MIGRATE)), ("seed".to_owned(), json!(SEED)));
    for (values, first, last) in [
        (jobs(MIGRATE, &[]), vec![], migration.clone()),
        (jobs(&[], SEED), vec![], seed.clone()),
        (jobs(MIGRATE, SEED), vec![migration], seed),
    ] {
        let job = &objects_of(&helm, &values)[0];
        assert_eq!((steps("initContainers", job), steps("containers", job)), (first, vec![last]));
        let spec = &job["spec"];
        assert_eq!((&spec["backoffLimit"], &spec["activeDeadlineSeconds"]), (&json!(0), &json!(900)));
        assert!(spec.get("ttlSecondsAfterFinished").is_none(), "Flux would run it again");
        assert_eq!(pod(job)["spec"]["restartPolicy"], "Never");
        let app = objects_of(&helm, &full());
        let app = &containers(find(&app, "Deployment", "shop"))[0];
        for container in super::all_containers(job) {
            for field in ["image", "imagePullPolicy", "env", "envFrom", "securityContext", "resources", "volumeMounts"]
            {
                assert_eq!(container[field], app[field], "{field}");
            }
            assert!(container.get("ports").is_none() && container.get("readinessProbe").is_none());
        }
    }
    assert_eq!(objects_of(&helm, &jobs(MIGRATE, &[]))[0]["metadata"]["name"], format!("migration-{DEPLOY}"));
}

#[test]
fn jobs_without_a_command_are_refused() {
    let Some(helm) = support::helm() else { return };
    let said = run(&helm, &jobs(&[], &[]));
    assert!(!said.ok() && said.stderr.contains("migration") && said.stderr.contains("seed"), "{}", said.stderr);
}

#[test]
fn a_large_revision_keeps_its_digits() {
    let Some(helm) = support::helm() else { return };
    let objects = objects_of(&helm, &with(&json!({"revision": 123_456_789})));
    assert_eq!(objects[0]["metadata"]["labels"]["kilter.netshire.com/revision"], "123456789");
}
