//! The entries of `services:` and the app beside them, from kilter.yaml to the manifests and `kilter env`.

use std::fs;

use serde_json::Value;

use crate::support::charts::{small, write};
use crate::support::helm;
use crate::support::project::Project;

/// A project with this kilter.yaml, rendered.
fn rendered(yaml: &str) -> Project {
    let project = Project::new("shop").file("kilter.yaml", yaml);
    project.kilter(&["render"]).succeeds();
    project
}

fn artifact(project: &Project, path: &str) -> String {
    fs::read_to_string(project.cache().join("shop").join(path)).unwrap()
}

/// The objects of a manifest.
fn objects(project: &Project, service: &str) -> Vec<Value> {
    let text = artifact(project, &format!("manifests/{service}.yaml"));
    let documents = serde_yaml::Deserializer::from_str(&text);
    documents
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .filter(|v: &Value| !v.is_null())
        .collect()
}

fn object(project: &Project, service: &str, kind: &str) -> Value {
    objects(project, service).into_iter().find(|object| object["kind"] == kind).unwrap()
}

fn values(project: &Project, service: &str) -> Value {
    serde_yaml::from_str(&artifact(project, &format!("values/{service}.yaml"))).unwrap()
}

fn env(project: &Project) -> Value {
    serde_json::from_str(&project.kilter(&["env", "--json"]).succeeds().stdout).unwrap()
}

#[test]
fn all_four_shapes_of_an_entry_render() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file(
        "kilter.yaml",
        "services:\n  - redis\n  - {name: db, from: postgres, image: 'postgres:16'}\n  - {name: resizer, image: 'darthsim/imgproxy:v3.30', port: 8080}\n  - {name: x, chart: ./charts/x, values: {greeting: hi}}\n",
    );
    write(&project.root().join("charts/x"), &small("x", "0.1.0"));
    project.kilter(&["render"]).succeeds();
    assert_eq!(
        object(&project, "db", "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["image"],
        "postgres:16"
    );
    let resizer = object(&project, "resizer", "Deployment");
    assert_eq!(resizer["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"], 8080);
    let map = object(&project, "x", "ConfigMap");
    assert_eq!((&map["data"]["greeting"], &map["metadata"]["namespace"]), (&"hi".into(), &"shop-dev".into()));
    let origins: Vec<String> = project
        .read("kilter.lock")
        .lines()
        .filter_map(|line| Some(line.split_once("\"origin\": \"")?.1.split('"').next()?.to_owned()))
        .collect();
    assert_eq!(origins, ["catalog", "catalog", "inline", "chart"]);
}

#[test]
fn a_variable_that_two_services_give_is_settled_in_either_of_two_ways() {
    let Some(_) = helm() else { return };
    let project =
        Project::new("shop").file("kilter.yaml", "services:\n  - postgres\n  - {name: reports-db, from: postgres}\n");
    insta::assert_snapshot!(project.kilter(&["render"]).fails(1), @r"
    error: `DATABASE_URL` is provided by both `postgres` and `reports-db`.
      --> kilter.yaml:3:5
       |
    3  |   - {name: reports-db, from: postgres}
       |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = Take it away from one: `- {name: reports-db, from: postgres, provides: {DATABASE_URL: null}}` under `services:`.
      = Or decide it yourself: `env: {DATABASE_URL: …}` in kilter.yaml.
    ");
    assert!(!project.root().join("kilter.lock").exists());

    project.write("kilter.yaml", "services:\n  - postgres\n  - {name: reports-db, from: postgres, provides: {DATABASE_URL: null, REPORTS_URL: 'postgresql://postgres:{{ .Password }}@{{ .Host }}:{{ .Port.postgres }}/{{ .Database }}'}}\n");
    project.kilter(&["render"]).succeeds();
    let one = env(&project);
    assert!(one["inCluster"]["DATABASE_URL"].as_str().unwrap().contains("@postgres.shop-dev.svc:5432/"), "{one}");
    assert!(one["inCluster"]["REPORTS_URL"].as_str().unwrap().contains("@reports-db.shop-dev.svc:5432/"), "{one}");
    assert_ne!(one["services"][0]["credentials"]["password"], one["services"][1]["credentials"]["password"]);

    project.write("kilter.yaml", "env: {DATABASE_URL: 'postgresql://elsewhere/x'}\nservices:\n  - postgres\n  - {name: reports-db, from: postgres}\n");
    project.kilter(&["render"]).succeeds();
    let two = env(&project);
    assert_eq!(two["inCluster"]["DATABASE_URL"], "postgresql://elsewhere/x");
    assert_eq!(two["localhost"]["DATABASE_URL"], "postgresql://elsewhere/x");
}

#[test]
fn what_is_taken_away_is_gone() {
    let Some(_) = helm() else { return };
    let project = rendered("services:\n  - {name: redis, provides: {REDIS_URL: null}}\n");
    assert_eq!(env(&project)["inCluster"], serde_json::json!({}));
}

#[test]
fn values_are_merged_deeply_and_null_takes_a_default_away() {
    let Some(_) = helm() else { return };
    let project = rendered(
        "services:\n  - name: redis\n    values:\n      storage: {size: 3Gi}\n      resources: {limits: {memory: null}, requests: {cpu: 70m}}\n",
    );
    let written = values(&project, "redis");
    assert_eq!(written["storage"], serde_json::json!({"size": "3Gi"}));
    assert!(written["auth"]["password"].is_string(), "kilter's own values stay: {written}");
    let set = object(&project, "redis", "StatefulSet");
    let resources = &set["spec"]["template"]["spec"]["containers"][0]["resources"];
    assert_eq!(resources["requests"]["cpu"], "70m");
    assert!(resources["limits"].get("memory").is_none(), "{resources}");
    assert!(resources["requests"]["memory"].is_string(), "the chart's own default stays: {resources}");
    assert_eq!(set["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"], "3Gi");
}

#[test]
fn a_value_that_the_chart_does_not_know_is_refused_where_it_stands() {
    let Some(_) = helm() else { return };
    let project =
        Project::new("shop").file("kilter.yaml", "services:\n  - {name: redis, values: {storrage: {size: 3Gi}}}\n");
    insta::assert_snapshot!(project.kilter(&["render", "-q"]).fails(1), @r"
    error: helm refuses the values of `redis`: `storrage`: the chart has no such value.
      --> kilter.yaml:2:38
       |
    2  |   - {name: redis, values: {storrage: {size: 3Gi}}}
       |                                      ^^^^^^^^^^^
      = Did you mean `storage`?
      = The schema is that of chart `redis`: `values.schema.json`.
    ");
    project.write("kilter.yaml", "services:\n  - {name: redis, values: {resources: {limits: {memroy: 1Gi}}}}\n");
    insta::assert_snapshot!(project.kilter(&["render", "-q"]).fails(1), @r"
    error: helm refuses the values of `redis`: `resources.limits.memroy`: the chart has no such value.
      --> kilter.yaml:2:57
       |
    2  |   - {name: redis, values: {resources: {limits: {memroy: 1Gi}}}}
       |                                                         ^^^
      = Did you mean `memory`?
      = The schema is that of chart `redis`: `values.schema.json`.
    ");
}

#[test]
fn what_the_app_is_told_follows_the_values_and_nothing_goes_past_them() {
    let Some(_) = helm() else { return };
    let project = rendered(
        "services:\n  - {name: rabbitmq, values: {auth: {user: shop, password: p}}}\n  \
         - {name: garage, values: {region: eu, auth: {bucket: pictures}}}\n",
    );
    let env = env(&project)["inCluster"].clone();
    assert!(env["AMQP_URL"].as_str().unwrap().starts_with("amqp://shop:p@"), "{env}");
    assert_eq!((&env["AWS_REGION"], &env["AWS_S3_BUCKET"]), (&"eu".into(), &"pictures".into()));
    project.write("kilter.yaml", "services:\n  - {name: postgres, env: {POSTGRES_PASSWORD: secret}}\n");
    insta::assert_snapshot!(project.kilter(&["render", "-q"]).fails(1), @r"
    error: helm refuses the values of `postgres`: `env.POSTGRES_PASSWORD`: value must be 'left out; set auth.password under values'.
      --> kilter.yaml:2:47
       |
    2  |   - {name: postgres, env: {POSTGRES_PASSWORD: secret}}
       |                                               ^^^^^^
      = The schema is that of chart `postgres`: `values.schema.json`.
    ");
}

#[test]
fn the_environment_of_a_service_reaches_its_container_as_written() {
    let Some(_) = helm() else { return };
    let project = rendered("services:\n  - {name: redis, env: {A: text, B: 010, C: 1.50, D: yes, E: true, F: 1e3}}\n");
    let set = object(&project, "redis", "StatefulSet");
    let env = set["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap().clone();
    let of = |name: &str| env.iter().find(|v| v["name"] == name).unwrap()["value"].clone();
    let all: Vec<Value> = ["A", "B", "C", "D", "E", "F"].into_iter().map(of).collect();
    assert_eq!(all, ["text", "010", "1.50", "yes", "true", "1e3"]);
}

#[test]
fn another_port_moves_service_and_urls() {
    let Some(_) = helm() else { return };
    let project = rendered("services:\n  - {name: postgres, port: 6543}\n");
    let service = object(&project, "postgres", "Service");
    assert_eq!(
        (&service["spec"]["ports"][0]["port"], &service["spec"]["ports"][1]["port"]),
        (&6543.into(), &8081.into())
    );
    let env = env(&project);
    assert!(env["inCluster"]["DATABASE_URL"].as_str().unwrap().contains("@postgres.shop-dev.svc:6543/shop"), "{env}");
    let local = env["services"][0]["ports"][0]["localhost"].as_str().unwrap();
    assert!(env["localhost"]["DATABASE_URL"].as_str().unwrap().contains(&format!("@{local}/shop")), "{env}");
}

#[test]
fn a_server_that_tells_its_clients_where_to_go_on_is_told_the_host_port() {
    let Some(_) = helm() else { return };
    let project = rendered("services: [redis, {name: events, from: kafka}]\n");
    let env = env(&project);
    let ports = env["services"][1]["ports"].as_array().unwrap();
    assert_eq!((&ports[0]["name"], &ports[1]["name"]), (&"kafka".into(), &"host".into()));
    assert_eq!(ports[0]["localhost"], ports[1]["localhost"], "one stands for both on this machine");
    assert_eq!(env["inCluster"]["KAFKA_BROKERS"], "events.shop-dev.svc:9092");
    assert_eq!(env["localhost"]["KAFKA_BROKERS"], ports[1]["localhost"]);
    let service = object(&project, "events", "Service");
    let slot = service["spec"]["ports"][1]["nodePort"].as_u64().unwrap() - 30_000;
    let tiltfile = artifact(&project, "Tiltfile");
    let told = format!(
        "'metadata': {{'name': \"events-host-ports\", 'namespace': \"shop-dev\"}}, 'data': {{\"host\": str(host_port({slot}))}}"
    );
    assert!(tiltfile.contains(&told), "{tiltfile}");
    assert!(tiltfile.contains("\"events-host-ports:configmap\"]"), "{tiltfile}");
    assert!(!tiltfile.contains("redis-host-ports"), "{tiltfile}");
    assert!(!artifact(&project, "manifests/events.yaml").contains(ports[1]["localhost"].as_str().unwrap()));
}

#[test]
fn an_inline_service_gives_the_app_what_its_templates_say() {
    let Some(_) = helm() else { return };
    let project = rendered(
        "services:\n  - name: resizer\n    image: darthsim/imgproxy:v3.30\n    port: 8080\n    env: {IMGPROXY_BIND: ':8080'}\n    provides:\n      IMGPROXY_URL: http://resizer.{{ .Namespace }}.svc:8080\n      IMGPROXY_HOST: '{{ .Name }}:{{ .Port.main }}'\n",
    );
    let env = env(&project);
    let local = env["services"][0]["ports"][0]["localhost"].as_str().unwrap();
    assert_eq!(env["inCluster"]["IMGPROXY_URL"], "http://resizer.shop-dev.svc:8080");
    assert_eq!(env["localhost"]["IMGPROXY_URL"], format!("http://{local}"));
    assert_eq!(env["inCluster"]["IMGPROXY_HOST"], "resizer:8080");
}

#[test]
fn a_wrong_placeholder_is_shown_where_it_is() {
    let project = Project::new("shop");
    let message = |provides: &str| {
        project.write(
            "kilter.yaml",
            format!("services:\n  - name: x\n    image: acme/x:1\n    port: 80\n    provides:\n      {provides}\n"),
        );
        project.kilter(&["env"]).fails(1)
    };
    insta::assert_snapshot!(message("A: 'http://{{ .Hots }}'"), @r"
    error: `A`: the placeholder `{{ .Hots }}` is unknown.
      --> kilter.yaml:6:10
       |
    6  |       A: 'http://{{ .Hots }}'
       |          ^^^^^^^^^^^^^^^^^^^^
      = Did you mean `{{ .Host }}`?
    ");
    insta::assert_snapshot!(message("A: '{{ .Secrets.token }}'"), @r"
    error: `A`: the placeholder `{{ .Secrets.token }}` is unknown.
      --> kilter.yaml:6:10
       |
    6  |       A: '{{ .Secrets.token }}'
       |          ^^^^^^^^^^^^^^^^^^^^^^
      = Known are .Name, .Namespace, .Host, .Project, .Password, .Database, .Port.NAME, .Values.PATH.
    ");
    insta::assert_snapshot!(message("A: 'http://{{ .Host'"), @r"
    error: `A` has `{{` without `}}`.
      --> kilter.yaml:6:10
       |
    6  |       A: 'http://{{ .Host'
       |          ^^^^^^^^^^^^^^^^^
      = Close the placeholder, for example `{{ .Host }}`.
    ");
    insta::assert_snapshot!(message("A: '{{ .Port.web }}'"), @r"
    error: `A` of `x`: `{{ .Port.web }}`: it has no port `web`, but `main`.
      --> kilter.yaml:6:7
       |
    6  |       A: '{{ .Port.web }}'
       |       ^^^^^^^^^^^^^^^^^^^^
      = Correct `provides` of `x` in kilter.yaml.
    ");
}

const NODE: &str = "{\"name\": \"shop\", \"scripts\": {\"dev\": \"node server.js\"}}\n";

#[test]
fn the_app_has_its_environment_secrets_and_components() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("package.json", NODE).file(
        "kilter.yaml",
        "port: 4000\nhealth: /healthz\nenv: {LOG: debug, RATE: 1.50}\nappSecrets: [stripe]\nservices: [redis]\nenvironments:\n  prod:\n    env: {LOG: info, RATE: null}\n    secrets: {stripe: .env.prod}\ncomponents:\n  - {name: worker, command: node worker.js, env: {LOG: trace}}\n  - {name: admin, image: 'acme/admin:1', port: 9000}\n",
    );
    project.kilter(&["render"]).succeeds();
    let all = objects(&project, "app");
    let text = artifact(&project, "manifests/app.yaml");
    let map = all.iter().find(|o| o["kind"] == "ConfigMap").unwrap();
    assert_eq!(
        (&map["data"]["LOG"], &map["data"]["RATE"], &map["data"]["PORT"]),
        (&"debug".into(), &"1.50".into(), &"4000".into())
    );
    assert!(map["data"]["REDIS_URL"].as_str().unwrap().starts_with("redis://default:"), "{map}");
    let deployments: Vec<&Value> = all.iter().filter(|o| o["kind"] == "Deployment").collect();
    let names: Vec<&str> = deployments.iter().map(|d| d["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["shop", "shop-worker", "shop-admin"]);
    let container = |index: usize| &deployments[index]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container(0)["readinessProbe"]["httpGet"]["path"], "/healthz");
    let secrets: Vec<&Value> =
        container(0)["envFrom"].as_array().unwrap().iter().filter(|from| from.get("secretRef").is_some()).collect();
    assert_eq!(secrets, [&serde_json::json!({"secretRef": {"name": "stripe", "optional": true}})]);
    assert_eq!(container(1)["image"], container(0)["image"]);
    // It loads no changed files by itself, so it runs under the lines that start it again.
    let command: Vec<&str> = container(1)["command"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    assert_eq!(command[3..], ["kilter-run", "/bin/sh", "-c", "node worker.js"]);
    let worker = all.iter().find(|o| o["metadata"]["name"] == "shop-worker-env").unwrap();
    assert_eq!((&worker["data"]["LOG"], &worker["data"]["REDIS_URL"]), (&"trace".into(), &map["data"]["REDIS_URL"]));
    assert_eq!(
        (&container(2)["image"], &container(2)["ports"][0]["containerPort"]),
        (&"acme/admin:1".into(), &9000.into())
    );
    assert!(!text.contains("info"), "what is for prod stays out of dev:\n{text}");
}

#[test]
fn a_project_without_an_app_has_services_alone() {
    let Some(_) = helm() else { return };
    let project = rendered("services: [redis]\n");
    let files: Vec<String> = fs::read_dir(project.cache().join("shop/manifests"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, ["redis.yaml"]);
    assert!(!project.cache().join("shop/Dockerfile.dev").exists());
    assert_eq!(env(&project)["app"], Value::Null);
    let empty = Project::new("bare");
    insta::assert_snapshot!(empty.kilter(&["render"]).succeeds().stderr, @"This project has nothing to render yet: `kilter add SERVICE` adds a service.");
}

#[test]
fn the_port_is_read_out_of_the_dev_command() {
    let Some(_) = helm() else { return };
    let project = rendered("dev: vite --port 3001\n");
    assert_eq!(object(&project, "app", "Service")["spec"]["ports"][0]["port"], 3001);
    assert_eq!(env(&project)["inCluster"]["PORT"], "3001");
    project.write("kilter.yaml", "dev: vite --port 3001\nport: 3005\n");
    project.kilter(&["render"]).succeeds();
    assert_eq!(object(&project, "app", "Service")["spec"]["ports"][0]["port"], 3005);
}

#[test]
fn forwarded_ports_are_in_the_tiltfile_and_not_in_manifests() {
    let Some(_) = helm() else { return };
    let nodeport = rendered("services: [redis]\n");
    assert_eq!(object(&nodeport, "redis", "Service")["spec"]["type"], "NodePort");
    assert!(artifact(&nodeport, "Tiltfile").contains("port_forwards=unless_node_port([forward(0, 6379)])"));
    let forward = rendered("cluster: {hostAccess: forward}\nservices: [redis]\n");
    assert_eq!(object(&forward, "redis", "Service")["spec"]["type"], "ClusterIP");
    assert!(artifact(&forward, "Tiltfile").contains("port_forwards=[forward(0, 6379)]"));
    assert_eq!(env(&nodeport), env(&forward), "the same addresses either way");
}

#[test]
fn more_than_48_ports_are_forwarded_on_a_second_block() {
    let Some(_) = helm() else { return };
    let services: String =
        (0..50).map(|n| format!("  - {{name: s{n:02}, image: 'acme/s:1', port: {}}}\n", 7000 + n)).collect();
    let project = rendered(&format!("services:\n{services}"));
    assert_eq!(object(&project, "s47", "Service")["spec"]["ports"][0]["nodePort"], 30047);
    assert!(object(&project, "s48", "Service")["spec"]["ports"][0].get("nodePort").is_none());
    let tiltfile = artifact(&project, "Tiltfile");
    assert!(tiltfile.contains("port_forwards=unless_node_port([forward(47, 7047)])"), "{tiltfile}");
    assert!(tiltfile.contains("port_forwards=[forward(48, 7048)]"), "{tiltfile}");
    assert_eq!(tiltfile.matches("port_forwards=[forward(").count(), 2);
    let kind: Value = serde_yaml::from_str(&artifact(&project, "kind.yaml")).unwrap();
    assert_eq!(kind["nodes"][0]["extraPortMappings"].as_array().unwrap().len(), 48);
    let env = env(&project);
    let port = |n: usize| {
        env["services"][n]["ports"][0]["localhost"]
            .as_str()
            .unwrap()
            .rsplit_once(':')
            .unwrap()
            .1
            .parse::<u16>()
            .unwrap()
    };
    assert_eq!(port(47), port(0) + 47);
    assert_eq!(port(49), port(48) + 1);
    let mut all: Vec<u16> = (0..50).map(port).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 50);
}

#[test]
fn a_port_of_an_own_chart_is_forwarded_outside_of_what_the_cluster_maps() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [redis, {name: gate, chart: ./c, port: 9000}]\n");
    project.write("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    project.write("c/templates/x.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: gate\n");
    project.kilter(&["render"]).succeeds();
    let env: Value = serde_json::from_str(&project.kilter(&["env", "--json"]).succeeds().stdout).unwrap();
    let gate =
        env["services"][1]["ports"][0]["localhost"].as_str().unwrap().strip_prefix("127.0.0.1:").unwrap().to_owned();
    assert!(!artifact(&project, "kind.yaml").contains(&format!("hostPort: {gate}\n")), "{gate}");
    assert!(artifact(&project, "Tiltfile").contains("port_forwards=[forward(48, 9000)]"));
}

#[test]
fn env_cannot_give_the_app_another_port_than_it_is_expected_on() {
    let project = Project::new("shop").file("kilter.yaml", "port: 3000\ndev: npm start\nenv: {PORT: 4000}\n");
    insta::assert_snapshot!(project.kilter(&["env"]).fails(1), @r"
    error: `env` gives the app `PORT=4000`, but it is expected on port 3000.
      --> kilter.yaml:3:13
       |
    3  | env: {PORT: 4000}
       |             ^^^^
      = Write `port: 4000` in kilter.yaml in place of it; the app gets it as `PORT`.
    ");
    project.write("kilter.yaml", "port: 3000\ndev: npm start\nenv: {PORT: 3000}\n");
    project.kilter(&["env"]).succeeds();
}

#[test]
fn what_the_values_decide_reaches_the_variables_of_the_app() {
    let Some(_) = helm() else { return };
    let own = "{name: postgres, values: {auth: {password: 'p@ss', database: mine}}, provides: {PAIR: '{{ .Password }}/{{ .Database }}'}}";
    let project = rendered(&format!("services: [{own}]\n"));
    let variables = env(&project);
    assert_eq!(variables["inCluster"]["PAIR"], "p@ss/mine");
    let url = variables["inCluster"]["DATABASE_URL"].as_str().unwrap();
    assert!(url.starts_with("postgresql://postgres:p%40ss@") && url.contains("/mine?"), "{url}");
    // And so does an ejected values file.
    project.kilter(&["eject", "values/postgres"]).succeeds();
    let text = project.read("kilter/values/postgres.yaml").replace("p@ss", "other");
    project.write("kilter/values/postgres.yaml", text);
    project.kilter(&["render"]).succeeds();
    assert_eq!(env(&project)["inCluster"]["PAIR"], "other/mine");
}
