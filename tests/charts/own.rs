//! What is particular to one chart.

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};

use super::chart;
use super::render::{containers, find, is_workload, objects, workload};
use crate::support;

fn names(objects: &[Value]) -> Vec<String> {
    let name = |object: &Value| format!("{} {}", object["kind"], object["metadata"]["name"]).replace('"', "");
    objects.iter().map(name).collect()
}

#[test]
fn postgres_makes_its_databases_and_password_at_each_start() {
    let Some(helm) = support::helm() else { return };
    let values = json!({"auth": {"password": "pw", "database": "shop", "databases": ["o'brien", "shop"]}});
    let objects = objects(&helm, &chart("postgres"), "db", &values);
    let sql = find(&objects, "ConfigMap", "db-start")["data"]["start.sql"].as_str().unwrap();
    assert!(sql.contains("('shop'),\n  ('o''brien')\n)"), "{sql}");
    let server = &containers(workload(&objects, "db"))[0];
    let start = server["lifecycle"]["postStart"]["exec"]["command"][2].as_str().unwrap();
    assert!(start.contains("/kilter/start.sql"), "{start}");
    let mounts = server["volumeMounts"].as_array().unwrap();
    assert!(mounts.iter().any(|mount| mount["mountPath"] == "/kilter" && mount["name"] == "start"));
    assert!(!workload(&objects, "db").to_string().contains("\"pw\""), "the password is in the Secret alone");
}

#[test]
fn postgres_without_its_ui_has_one_container_and_one_port() {
    let Some(helm) = support::helm() else { return };
    let values = json!({"ui": {"enabled": false}, "nodePorts": {"postgres": 30_000, "ui": 30_001}});
    let objects = objects(&helm, &chart("postgres"), "db", &values);
    assert_eq!(containers(workload(&objects, "db")).len(), 1);
    assert_eq!(find(&objects, "Service", "db")["spec"]["ports"].as_array().unwrap().len(), 1);
}

#[test]
fn postgres_runs_as_the_user_that_its_image_has() {
    let Some(helm) = support::helm() else { return };
    for (image, user) in [("postgres:17", 999), ("postgres:17-alpine", 70), ("postgis/postgis:17-3.5-alpine", 70)] {
        let objects = objects(&helm, &chart("postgres"), "db", &json!({"image": image}));
        let pod = &workload(&objects, "db")["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsUser"], user, "{image}");
    }
}

#[test]
fn redis_asks_for_no_password_when_there_is_none() {
    let Some(helm) = support::helm() else { return };
    let objects = objects(&helm, &chart("redis"), "cache", &json!({"auth": {"password": ""}}));
    let server = &containers(workload(&objects, "cache"))[0];
    assert_eq!(server["args"], json!(["redis-server", "/kilter/redis.conf"]));
    assert!(server.get("env").is_none());
}

#[test]
fn a_server_asks_nobody_who_he_is_where_its_password_is_empty() {
    let Some(helm) = support::helm() else { return };
    for (name, key, names) in [
        ("qdrant", "apiKey", &["API_KEY"][..]),
        ("meilisearch", "masterKey", &["MASTER_KEY"]),
        ("mongodb", "password", &["MONGO_INITDB", "KEYFILE", "--keyFile", "__system"]),
        ("elasticsearch", "password", &["ELASTIC_PASSWORD"]),
    ] {
        let said = |value: &str| {
            let objects = objects(&helm, &chart(name), "x", &json!({"auth": {key: value}}));
            workload(&objects, "x").to_string()
        };
        let (asked, open) = (said("a-password-of-20-letters"), said(""));
        assert!(names.iter().all(|name| asked.contains(name)), "{asked}");
        assert!(!names.iter().any(|name| open.contains(name)), "{open}");
        if name == "elasticsearch" {
            let security = |on: &str| format!(r#"{{"name":"xpack.security.enabled","value":"{on}"}}"#);
            assert!(asked.contains(&security("true")) && open.contains(&security("false")), "{open}");
        }
    }
}

#[test]
fn kafka_tells_pods_and_this_machine_each_its_own_address() {
    let Some(helm) = support::helm() else { return };
    let objects = objects(&helm, &chart("kafka"), "events", &json!({"ports": {"kafka": 19_092}}));
    let server = &containers(workload(&objects, "events"))[0];
    let start = server["command"][2].as_str().unwrap();
    assert!(start.contains(",CLUSTER://events.shop-dev.svc:19092,HOST://127.0.0.1:$KILTER_HOST_PORT\""), "{start}");
    assert!(start.starts_with(": \"${KILTER_HOST_PORT:=9094}\"\n"), "what a forward by hand leads to: {start}");
    let told = json!({"name": "events-host-ports", "key": "host", "optional": true});
    assert_eq!(server["env"][0]["valueFrom"]["configMapKeyRef"], told);
    let properties = find(&objects, "ConfigMap", "events-config")["data"]["server.properties"].as_str().unwrap();
    assert!(properties.contains(",CLUSTER://:9092,HOST://:9094\n"), "{properties}");
}

#[test]
fn sql_server_takes_the_password_that_kilter_derives_and_no_weaker_one() {
    let schema = jsonschema::validator_for(&chart("mssql").schema).unwrap();
    let taken = |password: &str| {
        let mut values = chart("mssql").values;
        values["auth"]["password"] = json!(password);
        schema.is_valid(&values)
    };
    assert!(taken("Kilter-0123456789abcdef01234567") && taken("Kilter-abcdefabcdefabcdefabcdef") && taken("sMall123"));
    assert!(!taken("0123456789abcdef01234567") && !taken("Ab-1") && !taken("ALLCAPITALS1"));
}

#[test]
fn what_a_server_would_not_start_with_is_no_value() {
    for (name, key, taken, refused) in [
        (
            "signoz",
            "password",
            &["Password1234!", "Kilter.1-abcdef0", r#"P]assw[ord\1""#][..],
            &["Password1234;", "Pass word1234!", "P'assword1234!"][..],
        ),
        ("signoz", "email", &["a@b.c", "a.b@c-d.example.com"], &["me@localhost", "a@b@c.d", "@b.c"]),
        ("rustfs", "bucket", &["abc", "a.b-c", "1.2.3"], &["a..b", "a.-b", "ab", "1.2.3.4"]),
    ] {
        let schema = jsonschema::validator_for(&chart(name).schema).unwrap();
        let takes = |value: &str| {
            let mut values = chart(name).values;
            values["auth"][key] = json!(value);
            schema.is_valid(&values)
        };
        assert!(taken.iter().all(|value| takes(value)), "{name} {key}: {taken:?}");
        assert!(!refused.iter().any(|value| takes(value)), "{name} {key}: {refused:?}");
    }
    let mut values = chart("signoz").values;
    values["auth"]["password"] = json!(format!("Aa1!{}", "x".repeat(69)));
    assert!(!jsonschema::validator_for(&chart("signoz").schema).unwrap().is_valid(&values), "bcrypt's 72 bytes");
}

/// The command with which a pod of Floci is asked whether its scripts have run, against a server that answers as Floci does.
#[test]
fn floci_is_ready_when_its_scripts_have_run() {
    let Some(helm) = support::helm() else { return };
    let objects =
        objects(&helm, &chart("floci"), "aws", &json!({"scripts": {"queues.sh": "true"}, "region": "eu-west-1"}));
    let container = &containers(workload(&objects, "aws"))[0];
    let command: Vec<&str> = container["readinessProbe"]["exec"]["command"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    let answered = |status: &'static str, body: &'static str| {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let script = command[2].replace("4566", &server.local_addr().unwrap().port().to_string());
        assert_ne!(script, command[2]);
        let answer = std::thread::spawn(move || {
            let (mut client, _) = server.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            write!(client, "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\r\n{body}").unwrap();
            String::from_utf8(request).unwrap()
        });
        let said = kilter::exec::Invocation::new(format!("/bin/{}", command[0]))
            .args([command[1], &script])
            .capture()
            .unwrap();
        assert!(answer.join().unwrap().starts_with("GET /_floci/init HTTP/1.0\r\n"));
        said.ok()
    };
    assert!(answered("200 OK", "{\"completed\": {\"boot\": true,\n \"ready\": true}}"));
    assert!(!answered("200 OK", "{\"completed\":{\"boot\":true,\"ready\":false}}"));
    let env = container["env"].as_array().unwrap();
    assert!(env.contains(&json!({"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"})), "{env:?}");
}

#[test]
fn credentials_in_files_of_a_client_are_escaped_the_way_it_reads_them() {
    let Some(helm) = support::helm() else { return };
    for (name, file, line) in [
        ("elasticsearch", "curl.conf", r#"user = "elastic:quote\" and \\""#),
        ("mariadb", "client.cnf", r#"password="quote" and \\""#),
    ] {
        let values = json!({"auth": {"password": r#"quote" and \"#}});
        let objects = objects(&helm, &chart(name), "x", &values);
        let text = find(&objects, "Secret", "x-auth")["stringData"][file].as_str().unwrap();
        assert!(text.lines().any(|found| found == line), "{name}: {text}");
    }
}

#[test]
fn an_inline_service_has_a_volume_only_when_it_says_where() {
    let Some(helm) = support::helm() else { return };
    let chart = chart("inline-service");
    let ports = json!({"ports": {"main": 8080, "admin": 9090}});
    let plain = objects(&helm, &chart, "imgproxy", &ports);
    assert_eq!(names(&plain), ["Service imgproxy", "Deployment imgproxy"]);
    let open = containers(workload(&plain, "imgproxy"))[0]["ports"].as_array().unwrap().iter();
    assert_eq!(open.map(|port| port["containerPort"].as_u64().unwrap()).collect::<Vec<_>>(), [9090, 8080]);
    let kept = objects(&helm, &chart, "imgproxy", &json!({"storage": {"path": "/var/data"}}));
    assert_eq!(names(&kept), ["Service imgproxy", "StatefulSet imgproxy"]);
    assert_eq!(containers(workload(&kept, "imgproxy"))[0]["volumeMounts"][0]["mountPath"], "/var/data");
}

#[test]
fn the_app_and_its_components_have_each_their_own_objects() {
    let Some(helm) = support::helm() else { return };
    let components =
        json!([{"name": "app", "env": {"A": "own"}}, {"name": "admin", "port": 4000, "image": "admin:dev"}]);
    let values = json!({"image": "shop:dev", "port": 3001, "env": {"A": "1"}, "secrets": ["keys"],
        "nodePorts": {"http": 30_000}, "components": components});
    let objects = objects(&helm, &chart("dev-app"), "shop", &values);
    let expected = [
        "ConfigMap shop-env",
        "ConfigMap shop-app-env",
        "ConfigMap shop-admin-env",
        "Service shop",
        "Service shop-admin",
        "Deployment shop",
        "Deployment shop-app",
        "Deployment shop-admin",
    ];
    assert_eq!(names(&objects), expected);
    let data = |name: &str| find(&objects, "ConfigMap", name)["data"].clone();
    assert_eq!(data("shop-env"), json!({"A": "1", "PORT": "3001"}));
    assert_eq!(data("shop-app-env"), json!({"A": "own"}));
    assert_eq!(data("shop-admin-env"), json!({"A": "1", "PORT": "4000"}));
    assert_eq!(find(&objects, "Service", "shop")["spec"]["ports"][0]["nodePort"], 30_000);
    assert_eq!(find(&objects, "Service", "shop-admin")["spec"]["type"], "ClusterIP");
    let image = |name: &str| containers(workload(&objects, name))[0]["image"].clone();
    assert_eq!([image("shop"), image("shop-app"), image("shop-admin")], ["shop:dev", "shop:dev", "admin:dev"]);
    let selectors: Vec<_> =
        objects.iter().filter(|object| is_workload(object)).map(|w| &w["spec"]["selector"]).collect();
    assert!(selectors[0] != selectors[1] && selectors[1] != selectors[2] && selectors[0] != selectors[2]);
    for object in objects.iter().filter(|object| is_workload(object)) {
        let from = &containers(object)[0]["envFrom"];
        assert_eq!(from[0]["configMapRef"]["name"], format!("{}-env", object["metadata"]["name"].as_str().unwrap()));
        assert_eq!(from[1]["secretRef"], json!({"name": "keys", "optional": true}));
    }
}

#[test]
fn a_component_has_a_port_of_its_own_or_none() {
    let Some(helm) = support::helm() else { return };
    let components = json!([{"name": "worker"}, {"name": "admin", "port": 4000},
        {"name": "mail", "port": 4001, "env": {"PORT": "5000"}}, {"name": "quiet", "env": {"A": "", "PORT": ""}}]);
    let values = json!({"port": 3001, "env": {"A": "1", "PORT": "3001"}, "components": components});
    let objects = objects(&helm, &chart("dev-app"), "shop", &values);
    let data = |name: &str| find(&objects, "ConfigMap", name)["data"].clone();
    assert_eq!(data("shop-env"), json!({"A": "1", "PORT": "3001"}));
    assert_eq!(data("shop-worker-env"), json!({"A": "1"}));
    assert_eq!(data("shop-admin-env"), json!({"A": "1", "PORT": "4000"}));
    assert_eq!(data("shop-mail-env"), json!({"A": "1", "PORT": "5000"}));
    assert_eq!(data("shop-quiet-env"), json!({"A": "", "PORT": ""}));
}

#[test]
fn the_app_is_ready_by_its_path_or_its_port_or_at_once() {
    let Some(helm) = support::helm() else { return };
    let chart = chart("dev-app");
    let app = |values: Value| containers(workload(&objects(&helm, &chart, "shop", &values), "shop"))[0].clone();
    assert_eq!(app(json!({"health": "/up"}))["readinessProbe"]["httpGet"], json!({"path": "/up", "port": "http"}));
    assert_eq!(app(json!({"health": null}))["readinessProbe"]["tcpSocket"], json!({"port": "http"}));
    let bot = objects(&helm, &chart, "bot", &json!({"port": null}));
    assert_eq!(names(&bot), ["ConfigMap bot-env", "Deployment bot"]);
    assert!(containers(workload(&bot, "bot"))[0].get("readinessProbe").is_none());
}

#[test]
fn ory_migrates_what_is_on_and_makes_the_databases_that_are_its_own() {
    let Some(helm) = support::helm() else { return };
    let started = |values: Value| {
        let objects = objects(&helm, &chart("ory"), "auth", &values);
        let pod = workload(&objects, "auth")["spec"]["template"]["spec"].clone();
        let named = |key: &str| -> Vec<String> {
            let all = pod[key].as_array().into_iter().flatten();
            all.map(|container| container["name"].as_str().unwrap().to_owned()).collect()
        };
        let ports = find(&objects, "Service", "auth")["spec"]["ports"].as_array().unwrap().len();
        (named("initContainers"), named("containers"), ports, pod)
    };
    let (init, main, ports, pod) = started(json!({}));
    assert_eq!(init, ["database", "databases", "kratos-migrate", "hydra-migrate", "keto-migrate"]);
    assert_eq!((main, ports), (["kratos", "hydra", "keto", "oathkeeper"].map(str::to_owned).to_vec(), 8));
    let made = |pod: &Value| pod["initContainers"][1]["command"].as_array().unwrap()[4..].to_vec();
    assert_eq!(made(&pod), ["kratos", "hydra", "keto"]);
    let (init, main, ports, pod) =
        started(json!({"kratos": {"dsn": "postgres://shop@db/kratos"}, "hydra": {"enabled": false}}));
    assert_eq!(init, ["database", "databases", "kratos-migrate", "keto-migrate"]);
    assert_eq!((main, ports), (["kratos", "keto", "oathkeeper"].map(str::to_owned).to_vec(), 6));
    assert_eq!(made(&pod), ["keto"]);
    let off = json!({"enabled": false});
    let (init, main, ports, _) = started(json!({"kratos": off, "hydra": off, "keto": off}));
    assert_eq!((init.len(), main, ports), (0, vec!["oathkeeper".to_owned()], 2));
    let nothing = json!({"kratos": off, "hydra": off, "keto": off, "oathkeeper": off});
    let said = super::render::run(&helm, &chart("ory"), "auth", &nothing);
    assert!(!said.ok() && said.stderr.contains("every program of ory is off"), "{}", said.stderr);
}

#[test]
fn ory_is_ready_by_what_each_program_can_say() {
    let Some(helm) = support::helm() else { return };
    let path = |values: Value, name: &str| {
        let objects = objects(&helm, &chart("ory"), "auth", &values);
        let all = containers(workload(&objects, "auth"));
        let found = all.iter().find(|container| container["name"] == name).unwrap();
        found["readinessProbe"]["httpGet"]["path"].as_str().unwrap().to_owned()
    };
    for name in ["kratos", "hydra", "keto"] {
        assert_eq!(path(json!({}), name), "/health/ready");
    }
    assert_eq!(path(json!({}), "oathkeeper"), "/health/alive");
    assert_eq!(path(json!({"oathkeeper": {"rules": [{"id": "all"}]}}), "oathkeeper"), "/health/ready");
}

#[test]
fn ory_takes_the_identity_schemas_of_the_project() {
    let Some(helm) = support::helm() else { return };
    let files = |values: Value| {
        let objects = objects(&helm, &chart("ory"), "auth", &values);
        find(&objects, "ConfigMap", "auth-config")["data"].clone()
    };
    let own = files(json!({}));
    let schema: Value = serde_json::from_str(own["default.schema.json"].as_str().unwrap()).unwrap();
    assert_eq!(schema["properties"]["traits"]["required"], json!(["email"]));
    let theirs = files(json!({"kratos": {"schemas": {"staff": {"title": "S"}, "customer": {"title": "C"}}}}));
    assert!(theirs.get("default.schema.json").is_none());
    let config: Value = serde_yaml::from_str(theirs["kratos.yaml"].as_str().unwrap()).unwrap();
    assert_eq!(config["identity"]["default_schema_id"], "customer");
    assert_eq!(config["identity"]["schemas"].as_array().unwrap().len(), 2);
}

#[test]
fn ory_is_reached_where_the_project_says() {
    let Some(helm) = support::helm() else { return };
    let configured = |values: Value| -> (Value, Value) {
        let objects = objects(&helm, &chart("ory"), "auth", &values);
        let files = &find(&objects, "ConfigMap", "auth-config")["data"];
        let file = |name: &str| serde_yaml::from_str(files[name].as_str().unwrap()).unwrap();
        (file("kratos.yaml"), file("hydra.yaml"))
    };
    let origins = |kratos: &Value| kratos["serve"]["public"]["cors"]["allowed_origins"].as_array().unwrap().clone();
    let addresses = |app: &str, kratos: &str, hydra: &str| json!({"appUrl": app, "kratos": {"url": kratos}, "hydra": {"url": hydra}});
    let (auth, oauth) = ("https://auth.example.com/", "https://oauth.example.com/");
    for (app, page) in [
        ("https://shop.example.com/", "https://shop.example.com"),
        ("http://shop.test/a", "http://shop.test/a"),
        ("/", ""),
    ] {
        let (kratos, hydra) = configured(addresses(app, auth, oauth));
        assert_eq!(kratos["serve"]["public"]["base_url"], auth);
        let service = &kratos["selfservice"];
        assert_eq!(
            (&service["default_browser_return_url"], &service["allowed_return_urls"]),
            (&json!(app), &json!([app]))
        );
        let flows = service["flows"].as_object().unwrap();
        let names: Vec<_> = flows.keys().map(String::as_str).collect();
        assert_eq!(names, ["error", "login", "recovery", "registration", "settings", "verification"]);
        for (name, flow) in flows {
            assert_eq!(flow["ui_url"], format!("{page}/{name}"));
        }
        let urls = &hydra["urls"];
        assert_eq!(urls["self"]["issuer"], oauth);
        for name in ["login", "consent", "logout"] {
            assert_eq!(urls[name], format!("{page}/{name}"));
        }
        // A page of the app asks Kratos from there.
        let origin = page.strip_suffix("/a").unwrap_or(page);
        assert_eq!(origins(&kratos).contains(&json!(origin)), !page.is_empty(), "{kratos}");
    }
    let (kratos, hydra) = configured(json!({}));
    assert_eq!(kratos["serve"]["public"]["base_url"], "/");
    assert_eq!(hydra["urls"]["self"]["issuer"], "http://auth.shop-dev.svc:4444/");
    assert_eq!(origins(&kratos), ["http://127.0.0.1*", "http://localhost*"]);
}

#[test]
fn signoz_makes_its_tables_before_anything_reads_them() {
    let Some(helm) = support::helm() else { return };
    let objects = objects(&helm, &chart("signoz"), "telemetry", &json!({}));
    let pod = &workload(&objects, "telemetry")["spec"]["template"]["spec"];
    let init = pod["initContainers"].as_array().unwrap();
    assert_eq!((&init[0]["name"], &init[0]["restartPolicy"]), (&json!("store"), &json!("Always")));
    let steps = init[1]["command"][2].as_str().unwrap();
    let at = |step: &str| steps.find(step).unwrap_or_else(|| panic!("{step} in {steps}"));
    assert!(at("migrate bootstrap") < at("migrate sync up") && at("migrate sync up") < at("migrate async up"));
    assert_eq!(init[1]["image"], containers(workload(&objects, "telemetry"))[1]["image"], "of one version");
    let store = find(&objects, "ConfigMap", "telemetry-config")["data"]["store.xml"].as_str().unwrap();
    assert!(!store.contains("listen_host"), "without it ClickHouse listens on the loopback alone: {store}");
}
