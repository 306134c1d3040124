//! The texts that other tools read: a real Tilt loads every Tiltfile, a real docker builds Dockerfile.dev.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use kilter::artifacts::{Directory, Ejected, Thing};
use serde_json::Value;

use super::projects::{WHOLE_CATALOG, fixtures, project};
use crate::support;
use crate::support::project::{Project, command};

#[expect(clippy::disallowed_methods, reason = "a test binary is an edge: this is where it reads its environment")]
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn tilt() -> Option<PathBuf> {
    let tilt = variable("KILTER_TILT").map(PathBuf::from);
    if tilt.is_none() {
        support::skip("loading Tiltfiles: KILTER_TILT is not set");
    }
    tilt
}

/// Prepares Tilt to load the Tiltfile of a rendered project, its own if it has one, with what kilter would set.
fn call(tilt: &Path, project: &Project, name: &str, set: &[(&str, &str)]) -> Command {
    let artifacts = project.cache().join(name);
    let ejected = Ejected::scan(&project.root(), vec![Thing::Tiltfile]);
    let tiltfile = ejected.tiltfile(&Directory { root: artifacts.clone() });
    let context = "somebodys-cluster";
    let kubeconfig = project.outside("kubeconfig");
    // By the name of its context and its address Tilt would take it for production.
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {context}\n\
         clusters: [{{name: {context}, cluster: {{server: \"https://192.0.2.1:1\"}}}}]\n\
         contexts: [{{name: {context}, context: {{cluster: {context}, user: u}}}}]\nusers: [{{name: u, user: {{}}}}]\n"
    );
    kilter::fsx::write(&kubeconfig, text.as_bytes()).unwrap();
    let mut call = command(tilt);
    call.args(["alpha", "tiltfile-result", "-f"]).arg(tiltfile).env_clear().current_dir("/");
    call.env("PATH", "/usr/bin:/bin")
        .env("HOME", project.home())
        .env("DO_NOT_TRACK", "1")
        .env("KUBECONFIG", &kubeconfig);
    call.env("KILTER_ARTIFACTS", &artifacts).env("KILTER_PROJECT", project.root()).env("KILTER_CONTEXT", context);
    call.env("KILTER_HOST_PORTS", "21000,22000").envs(set.iter().copied());
    call
}

/// Returns all that Tilt makes of a Tiltfile.
fn result(tilt: &Path, project: &Project, name: &str, set: &[(&str, &str)]) -> Value {
    let said = call(tilt, project, name, set).output().unwrap();
    assert!(said.status.success(), "{name}: {}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}

/// Returns Tilt's resources by name.
fn load(tilt: &Path, project: &Project, name: &str, set: &[(&str, &str)]) -> BTreeMap<String, Value> {
    let result = result(tilt, project, name, set);
    let resources = result["Manifests"].as_array().unwrap().iter();
    resources.map(|resource| (resource["Name"].as_str().unwrap().to_owned(), resource.clone())).collect()
}

fn rendered(tilt: &Path, project: &Project, name: &str) -> BTreeMap<String, Value> {
    project.kilter(&["render"]).succeeds();
    load(tilt, project, name, &[])
}

fn links(resource: &Value) -> Vec<&str> {
    let links = resource["DeployTarget"]["Links"].as_array().map_or(&[][..], Vec::as_slice);
    links.iter().map(|link| link["URL"]["Host"].as_str().unwrap()).collect()
}

fn forwards(resource: &Value) -> Vec<(u64, u64)> {
    let forwards = resource["DeployTarget"]["portForwardTemplateSpec"]["forwards"].as_array();
    let forwards = forwards.map_or(&[][..], Vec::as_slice).iter();
    forwards.map(|f| (f["localPort"].as_u64().unwrap(), f["containerPort"].as_u64().unwrap())).collect()
}

fn kinds(resource: &Value) -> Vec<&str> {
    let yaml = resource["DeployTarget"]["yaml"].as_str().unwrap();
    let mut kinds: Vec<&str> = yaml.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
    kinds.sort_unstable();
    kinds
}

#[test]
fn slow_tilt_loads_every_tiltfile_and_names_resources_as_services() {
    let (Some(_), Some(tilt)) = (support::helm(), tilt()) else { return };
    for name in fixtures().iter().map(String::as_str).chain([WHOLE_CATALOG]) {
        let project = project(name);
        let resources = rendered(&tilt, &project, name);
        let listed = project.kilter(&["render", "--json"]).succeeds().stdout;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        for service in listed["services"].as_array().unwrap() {
            let service = service["name"].as_str().unwrap();
            let resource = resources.get(service).unwrap_or_else(|| panic!("{name}: Tilt has no `{service}`"));
            let label = if service == "app" { "app" } else { "services" };
            assert_eq!(resource["Labels"], serde_json::json!({ label: label }), "{name}/{service}");
        }
        let rest = resources.get("uncategorized").map(kinds).unwrap_or_default();
        assert!(rest.iter().all(|kind| *kind == "CustomResourceDefinition"), "{name}: {rest:?} belong to no service");
    }
}

#[test]
fn tilt_builds_the_app_and_links_what_people_open() {
    let (Some(_), Some(tilt)) = (support::helm(), tilt()) else { return };
    let project = project("bookstore");
    let resources = rendered(&tilt, &project, "bookstore");
    let names: Vec<&str> = resources.keys().map(String::as_str).collect();
    assert_eq!(names, ["app", "images", "mailpit", "postgres", "redis", "worker"]);
    for (name, image) in [("app", true), ("worker", true), ("images", false), ("redis", false)] {
        let targets = resources[name]["ImageTargets"].as_array().map_or(&[][..], Vec::as_slice);
        assert_eq!(targets.len(), usize::from(image), "{name}");
    }
    let image = &resources["app"]["ImageTargets"][0];
    assert_eq!(image["selector"], "kilter.local/bookstore/app:dev");
    assert_eq!(image["BuildDetails"]["context"], project.root().to_str().unwrap());
    assert_eq!(image["BuildDetails"]["dockerfileContents"], text(&project.cache().join("bookstore/Dockerfile.dev")));
    let update = &image["LiveUpdateSpec"];
    // The app reloads by itself; the worker has to be started again.
    assert!(!text(&project.cache().join("bookstore/Dockerfile.dev")).contains("kilter-run"));
    let run = update["execs"][0]["args"][2].as_str().unwrap();
    assert!(
        run.contains("kilter-run")
            && resources["worker"]["DeployTarget"]["yaml"].as_str().unwrap().contains("kilter-run")
    );
    assert_eq!(update["syncs"][0]["containerPath"], "/app");
    let stops: Vec<&str> = update["stopPaths"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    assert!(stops.iter().any(|path| path.ends_with("bookstore/apps/web/package.json")), "{stops:?}");
    // The app has slot 0, pgweb slot 2, mailpit's page slot 5; NodePorts serve them, so nothing is forwarded.
    let linked: Vec<(&str, Vec<&str>)> = resources.iter().map(|(name, r)| (name.as_str(), links(r))).collect();
    let linked: Vec<_> = linked.into_iter().filter(|(_, links)| !links.is_empty()).collect();
    let expected = [("app", "127.0.0.1:21000"), ("mailpit", "127.0.0.1:21005"), ("postgres", "127.0.0.1:21002")];
    assert_eq!(linked, expected.map(|(name, link)| (name, vec![link])));
    assert!(resources.values().all(|resource| forwards(resource).is_empty()));
    assert_eq!(kinds(&resources["postgres"]), ["ConfigMap", "Secret", "Service", "StatefulSet"]);
}

#[test]
fn with_a_context_tilt_forwards_the_ports() {
    let (Some(_), Some(tilt)) = (support::helm(), tilt()) else { return };
    let resources = rendered(&tilt, &project("backing"), "backing");
    assert_eq!(forwards(&resources["postgres"]), [(21000, 5432), (21001, 8081)]);
    assert_eq!(forwards(&resources["redis"]), [(21002, 6379)]);
    let images = resources.values().filter_map(|resource| resource["ImageTargets"].as_array());
    assert_eq!(images.flatten().count(), 0);
}

#[test]
fn tilt_tells_a_server_the_host_port_before_it_starts() {
    let (Some(_), Some(tilt)) = (support::helm(), tilt()) else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [redis, kafka]\n");
    let resources = rendered(&tilt, &project, "shop");
    assert_eq!(resources.len(), 2, "{:?}", resources.keys());
    let yaml = resources["kafka"]["DeployTarget"]["yaml"].as_str().unwrap();
    let at = |text: &str| yaml.find(text).unwrap_or_else(|| panic!("no {text} in {yaml}"));
    // Redis has slot 0, the port for pods slot 1.
    assert!(
        at("host: \"21002\"") < at("kind: StatefulSet") && at("name: kafka-host-ports") < at("kind: StatefulSet"),
        "{yaml}"
    );
}

#[test]
fn where_node_ports_do_not_reach_this_machine_tilt_forwards_every_port() {
    let (Some(_), Some(tilt)) = (support::helm(), tilt()) else { return };
    let project = project("bookstore");
    project.kilter(&["render"]).succeeds();
    for off in ["", "0"] {
        let resources = load(&tilt, &project, "bookstore", &[("KILTER_FORWARD", off)]);
        assert!(resources.values().all(|resource| forwards(resource).is_empty()), "{off:?}");
    }
    let resources = load(&tilt, &project, "bookstore", &[("KILTER_FORWARD", "1")]);
    assert_eq!(forwards(&resources["app"]), [(21000, 3100)]);
    assert_eq!(forwards(&resources["postgres"]), [(21001, 5432), (21002, 8081)]);
    assert_eq!(forwards(&resources["mailpit"]), [(21004, 1025), (21005, 8025)]);
    let hosts = resources.values().filter_map(|r| r["DeployTarget"]["portForwardTemplateSpec"]["forwards"].as_array());
    assert!(hosts.flatten().all(|forward| forward["host"] == "127.0.0.1"));
}

#[test]
fn tilt_forwards_to_the_container_that_serves_a_port() {
    let (Some(_), Some(tilt)) = (support::helm(), tilt()) else { return };
    let workload = |kind: &str, name: &str, port: u16| {
        format!(
            "apiVersion: apps/v1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n  selector:\n    matchLabels: {{run: {name}}}\n  \
             template:\n    metadata:\n      labels: {{run: {name}}}\n    spec:\n      containers:\n      - name: c\n        \
             image: c\n        ports:\n        - name: web\n          containerPort: {port}\n"
        )
    };
    let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: own\nspec:\n  selector: {run: web}\n  ports:\n  - port: 80\n    \
                   targetPort: web\n";
    let project = Project::new("odd")
        .file("kilter.yaml", "cluster: {provider: context, context: c, registry: r.example.com}\nservices:\n  - {name: own, chart: own, port: 80}\n  - {name: postgres, port: 6000}\n  - {name: redis, values: {ports: {redis: 7000}}}\n")
        .file("own/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n")
        .file("own/templates/service.yaml", service)
        .file("own/templates/cache.yaml", workload("Deployment", "cache", 80))
        .file("own/templates/web.yaml", workload("StatefulSet", "web", 8080));
    let resources = rendered(&tilt, &project, "odd");
    let names: Vec<&str> = resources.keys().map(String::as_str).collect();
    assert_eq!(names, ["own", "postgres", "redis", "web"]);
    // NodePorts never serve a chart of the user's: its port has a slot behind theirs.
    assert_eq!(forwards(&resources["web"]), [(22000, 8080)]);
    assert_eq!(forwards(&resources["own"]), []);
    assert_eq!(forwards(&resources["postgres"]), [(21000, 5432), (21001, 8081)]);
    assert_eq!(forwards(&resources["redis"]), [(21002, 6379)]);
}

#[test]
fn tilt_is_told_the_registry_and_the_context() {
    let (Some(_), Some(tilt)) = (support::helm(), tilt()) else { return };
    let project = project("backing");
    project.kilter(&["render"]).succeeds();
    // Neither is in the Tiltfile, though kilter.yaml names both.
    let tiltfile = text(&project.cache().join("backing/Tiltfile"));
    assert!(!tiltfile.contains("team-dev") && !tiltfile.contains("registry.team.internal"), "{tiltfile}");
    let registry = |value: &str| {
        result(&tilt, &project, "backing", &[("KILTER_REGISTRY", value)])["DefaultRegistry"]["host"].clone()
    };
    assert_eq!(registry("localhost:5000"), "localhost:5000");
    assert_eq!(registry(""), Value::Null);
    assert_eq!(result(&tilt, &project, "backing", &[])["DefaultRegistry"]["host"], Value::Null);
    let refused = call(&tilt, &project, "backing", &[("KILTER_CONTEXT", "another")]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("somebodys-cluster might be production"), "{said}");
}

/// What live update of the app's image does: the paths that mean a new image, and the commands it runs.
fn live_update(resources: &BTreeMap<String, Value>) -> (Vec<String>, usize) {
    let update = &resources["app"]["ImageTargets"][0]["LiveUpdateSpec"];
    let stops = update["stopPaths"].as_array().map_or(&[][..], Vec::as_slice).iter();
    let stops = stops.map(|path| path.as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect();
    (stops, update["execs"].as_array().map_or(0, Vec::len))
}

#[test]
fn commands_that_load_no_changed_files_are_started_again() {
    let (Some(_), Some(tilt)) = (support::helm(), tilt()) else { return };
    for (dev, kilter_yaml, again) in [
        ("node x.js", "", 1),
        ("nodemon x.js", "", 0),
        ("nodemon x.js", "dev: node x.js\n", 1),
        ("node x.js", "dev: npx nodemon x.js\n", 0),
    ] {
        let package = format!("{{\"scripts\": {{\"dev\": \"{dev}\", \"postinstall\": \"node y.js\"}}}}");
        let project = Project::new("shop").file("package.json", &package).file("kilter.yaml", kilter_yaml);
        let resources = rendered(&tilt, &project, "shop");
        // Everything is copied before the installation; even so another package.json means to install again.
        assert_eq!(live_update(&resources), (vec!["package.json".to_owned()], again), "{dev}, {kilter_yaml}");
        let supervised = text(&project.cache().join("shop/Dockerfile.dev")).contains("\"kilter-run\"");
        assert_eq!(supervised, again == 1, "{dev}, {kilter_yaml}");
    }
}

#[test]
fn tilt_takes_charts_that_share_names_hooks_and_crds() {
    let (Some(_), Some(tilt)) = (support::helm(), tilt()) else { return };
    let resources = rendered(&tilt, &project("museum"), "museum");
    let found: Vec<_> = resources.iter().map(|(name, resource)| (name.as_str(), kinds(resource))).collect();
    let expected = [
        ("archive", vec!["CronTab", "Deployment"]),
        ("archive-cronjob", vec!["CronJob"]),
        ("legacy", vec!["CronTab", "Deployment"]),
        ("legacy-cronjob", vec!["CronJob"]),
        ("legacy-migrate", vec!["Job"]),
        ("uncategorized", vec!["CustomResourceDefinition", "CustomResourceDefinition"]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn tilt_takes_a_chart_without_workloads_and_one_that_wants_no_pods() {
    let (Some(_), Some(tilt)) = (support::helm(), tilt()) else { return };
    let chart = "apiVersion: v2\nname: c\nversion: 1.0.0\n";
    let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"with:colon\"}\n---\n\
                    apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n---\n\
                    apiVersion: v1\nkind: Service\nmetadata: {name: far}\nspec: {type: ExternalName, externalName: far.example.com}\n";
    let idle = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: idle}\nspec: {replicas: 0, selector: {matchLabels: {a: b}}, \
                template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: c}]}}}\n";
    let project = Project::new("odd")
        .file(
            "kilter.yaml",
            "services:\n  - {name: settings, chart: a, port: 80}\n  - {name: idle, chart: b, port: 81}\n",
        )
        .file("a/Chart.yaml", chart)
        .file("a/templates/all.yaml", settings)
        .file("b/Chart.yaml", chart)
        .file("b/templates/all.yaml", idle);
    let resources = rendered(&tilt, &project, "odd");
    let ready = |name: &str| resources[name]["DeployTarget"]["PodReadinessMode"].as_str().unwrap();
    assert_eq!((ready("settings"), ready("idle")), ("ignore", "ignore"));
    assert_eq!(kinds(&resources["settings"]), ["ConfigMap"]);
    assert_eq!(forwards(&resources["idle"]), [(22001, 81)]);
    assert_eq!(kinds(&resources["uncategorized"]), ["ConfigMap", "Service"]);
}

#[test]
fn what_holds_data_stays_when_its_service_leaves_and_nothing_else_is_touched() {
    let (Some(_), Some(tilt)) = (support::helm(), tilt()) else { return };
    let claim = |name: &str, annotations: &str| {
        format!(
            "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}{annotations}}}\n\
             spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}\n"
        )
    };
    let all = format!(
        "{}---\n{}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: words}}\ndata: {{'on': 'on', 'n': '1_0', o: '0o7', text: \"a\\n b\\n\"}}\n---\n\
         apiVersion: v1\nkind: List\nitems:\n- {}",
        claim("plain", ""),
        claim("own", ", annotations: {tilt.dev/down-policy: delete, a: b}"),
        claim("listed", ", annotations: {a: b}").trim_end().replace('\n', "\n  "),
    );
    let project = Project::new("files")
        .file("kilter.yaml", "services: [{name: files, chart: files, port: 80}]\n")
        .file("files/Chart.yaml", "apiVersion: v2\nname: files\nversion: 1.0.0\n")
        .file("files/templates/all.yaml", &all);
    let resources = rendered(&tilt, &project, "files");
    let loaded = resources["files"]["DeployTarget"]["yaml"].as_str().unwrap();
    let documents = serde_yaml::Deserializer::from_str(loaded);
    let objects: Vec<Value> = documents.map(|document| serde::Deserialize::deserialize(document).unwrap()).collect();
    let object = |name: &str| objects.iter().find(|object| object["metadata"]["name"] == name).unwrap();
    let annotations = |name: &str| object(name)["metadata"]["annotations"].clone();
    assert_eq!(annotations("plain"), serde_json::json!({"tilt.dev/down-policy": "keep"}));
    assert_eq!(
        annotations("own"),
        serde_json::json!({"tilt.dev/down-policy": "delete", "a": "b"}),
        "the chart decides"
    );
    assert_eq!(annotations("listed"), serde_json::json!({"tilt.dev/down-policy": "keep", "a": "b"}));
    assert_eq!(annotations("words"), Value::Null);
    assert_eq!(object("words")["data"], serde_json::json!({"on": "on", "n": "1_0", "o": "0o7", "text": "a\n b\n"}));
    assert_eq!(object("plain")["spec"]["resources"]["requests"]["storage"], "1Gi");
    let stored = text(&project.cache().join("files/manifests/files.yaml"));
    assert!(!stored.contains("keep"), "helm's bytes are stored: {stored}");
}

#[test]
fn an_ejected_tiltfile_is_loaded_where_it_is_and_may_include_kilters() {
    let (Some(_), Some(tilt)) = (support::helm(), tilt()) else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
    let loaded = || {
        let resources = rendered(&tilt, &project, "shop").into_iter();
        resources.map(|(name, resource)| (name, resource["DeployTarget"]["yaml"].clone())).collect::<BTreeMap<_, _>>()
    };
    let plain = loaded();
    project.kilter(&["eject", "tiltfile"]).succeeds();
    assert_eq!(loaded(), plain);
    project.write("kilter/own.star", "def own(name):\n    local_resource(name, 'echo mine')\n");
    let lines = "load('./own.star', 'own')\nown('check')\n";
    let whole = project.read("kilter/Tiltfile");
    let included = "include(os.environ['KILTER_ARTIFACTS'] + '/Tiltfile')\n";
    for text in [format!("{whole}{lines}"), format!("{included}{lines}")] {
        project.write("kilter/Tiltfile", text);
        let mut resources = loaded();
        assert!(resources.remove("check").is_some(), "{resources:?}");
        assert_eq!(resources, plain);
    }
    std::fs::remove_file(project.root().join("kilter/Tiltfile")).unwrap();
    assert_eq!(loaded(), plain);
}

#[test]
fn no_image_gets_files_of_secrets() {
    let (Some(_), Some(tilt)) = (support::helm(), tilt()) else { return };
    let project = Project::new("shop").file("package.json", "{\"scripts\": {\"dev\": \"node x.js\"}}").file(
        "kilter.yaml",
        "environments:\n  prod: {secrets: {stripe: ./ops/stripe.txt, odd: \"!a[1]*\"}}\n  stage: {secrets: {stripe: .env.example}}\n",
    );
    let resources = rendered(&tilt, &project, "shop");
    let image = &resources["app"]["ImageTargets"][0];
    for ignored in [&image["FileWatchIgnores"], &image["BuildDetails"]["contextIgnores"]] {
        let ignored = ignored.as_array().unwrap().iter().find_map(|ignored| ignored["patterns"].as_array()).unwrap();
        let at = |pattern: &str| ignored.iter().position(|p| p == pattern).unwrap_or_else(|| panic!("no {pattern}"));
        // The last that fits decides.
        assert!(at("**/.env.*") < at("!**/.env.example") && at("!**/.env.example") < at("**/node_modules"));
        assert!(at("!**/.env.example") < at(".env.example") && at("**/.env") < at("!**/.env.template"));
        assert_eq!((at("ops/stripe.txt"), at("\\!a\\[1\\]\\*")), (ignored.len() - 2, ignored.len() - 3));
    }
}

pub(super) fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Builds Dockerfile.dev of a fixture and runs a command in a container of it, without a network.
fn docker(name: &str, check: &[&str], expected: &str) {
    docker_of(&project(name), name, check, expected);
}

fn docker_of(project: &Project, name: &str, check: &[&str], expected: &str) {
    let Some(_) = support::helm() else { return };
    let Some(host) = variable("KILTER_TEST_DOCKER_HOST") else {
        support::skip(&format!("docker build of `{name}`: KILTER_TEST_DOCKER_HOST is not set"));
        return;
    };
    project.kilter(&["render"]).succeeds();
    let mut call = command(&support::root().join("scripts/docker-build-check"));
    call.arg(project.root()).arg(project.cache().join(name).join("Dockerfile.dev")).args(check);
    let said = call.env("KILTER_TEST_DOCKER_HOST", host).output().unwrap();
    assert!(said.status.success(), "{name}: {}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), expected, "{name}");
}

#[test]
fn slow_docker_builds_a_node_app() {
    let check =
        "process.stdout.write([process.env.PORT, require.resolve('pg'), require('os').userInfo().username].join(' '))";
    docker("shop", &["node", "-e", check], "3000 /app/node_modules/pg/lib/index.js node");
}

#[test]
fn slow_docker_builds_a_pnpm_workspace() {
    let check = "[process.env.PORT, require('nodemailer/package.json').name, require('os').userInfo().username, process.cwd()].join(' ')";
    docker(
        "bookstore",
        &["pnpm", "--filter", "web", "exec", "node", "-p", check],
        "3100 nodemailer node /app/apps/web",
    );
}

/// yarn in the versions that projects have, brought by corepack as their `packageManager` says.
#[test]
fn slow_docker_builds_yarn_apps() {
    for (version, settings) in [("1.22.22", ""), ("4.10.3", "nodeLinker: node-modules\n")] {
        let package = serde_json::json!({
            "name": "stall", "private": true, "packageManager": format!("yarn@{version}"),
            "scripts": {"dev": "node app.js"}, "dependencies": {"ioredis": "^5.8.0"},
        });
        let project = Project::new("stall").file("package.json", package.to_string()).file("app.js", "");
        if !settings.is_empty() {
            project.write(".yarnrc.yml", settings);
        }
        let check = "echo $(yarn --version) $(node -p \"require.resolve('ioredis')\")";
        docker_of(
            &project,
            "stall",
            &["sh", "-c", check],
            &format!("{version} /app/node_modules/ioredis/built/index.js"),
        );
    }
}

#[test]
fn slow_docker_builds_a_python_app_with_uv() {
    let check = "import os, app.main, sys; print(os.environ['PORT'], app.main.app.title, sys.prefix)";
    docker("notes", &["python", "-c", check], "8000 FastAPI /opt/venv");
}

#[test]
fn slow_docker_builds_a_python_app_with_pip() {
    docker("board", &["python", "-c", "import django, psycopg; print(django.VERSION[0])"], "5");
}

#[test]
fn slow_docker_builds_a_go_app() {
    docker("links", &["go", "list", "./..."], "example.com/links/cmd/links");
}

#[test]
fn slow_docker_builds_a_bun_app() {
    docker(
        "blog",
        &["bun", "--eval", "console.log(process.env.PORT, typeof (await import('postgres')).default)"],
        "3000 function",
    );
}
