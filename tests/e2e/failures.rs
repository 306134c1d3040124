//! What goes wrong with a service, with docker, with Tilt, with the cluster: who says what, and what still runs.

use std::path::Path;

use serde_json::Value;

use super::app::App;
use super::{Bed, REGISTRY, until};
use crate::support::{self, project::command};

/// Runs a script of the repository.
fn script(name: &str, args: &[&str]) {
    let output = command(&support::root().join("scripts").join(name)).args(args).output().unwrap();
    assert!(output.status.success(), "{name} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn slow_each_service_fails_for_a_reason_of_its_own() {
    let Some(bed) = Bed::find("services that fail") else { return };
    let yaml = format!(
        "services:\n\
         - redis\n\
         - {{name: ghost, image: \"{REGISTRY}/ghost:1\", port: 80}}\n\
         - {{name: reports-db, from: postgres, provides: {{DATABASE_URL: null, REPORTS_URL: \"x\"}}, values: {{storage: {{className: nowhere}}}}}}\n"
    );
    let app = App::new(&bed, "e2e-faults", "shop", &yaml);
    let output = app.kilter(&["up", "--ci", "--json", "--timeout", "40"]).run();
    assert_eq!(output.code, 1, "{}", output.stderr);
    let up: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.stderr));
    let state = |name: &str| {
        let services = up["services"].as_array().unwrap();
        let service = services.iter().find(|service| service["name"] == name).unwrap_or_else(|| panic!("{up}"));
        let text = |field: &str| service[field].as_str().unwrap_or_default().to_owned();
        (text("state"), text("reason"))
    };
    let failed = |reason: &str| ("failed".to_owned(), reason.to_owned());
    assert_eq!(state("redis"), ("ready".to_owned(), String::new()), "the failures of others are not its own");
    assert_eq!(state("app"), failed("waited in vain for its services to answer"));
    assert_eq!(state("ghost"), failed(&format!("the image {REGISTRY}/ghost:1 cannot be pulled")));
    assert_eq!(state("reports-db"), failed("no node takes the pod"));
    for words in ["nowhere", "`kilter logs ghost`"] {
        assert!(output.stderr.contains(words), "{words}: {}", output.stderr);
    }
}

#[test]
fn slow_an_app_that_crashes_is_shown_with_its_last_words() {
    let Some(bed) = Bed::find("an app that crashes") else { return };
    let yaml = "dev: node -e \"console.log('no licence'); process.exit(3)\"\nservices: [redis]\n";
    let app = App::new(&bed, "e2e-crash", "shop", yaml);
    let output = app.kilter(&["up", "--ci"]).run();
    assert_eq!(output.code, 1, "{}", output.stderr);
    for words in
        ["`app` is not ready: container app ends with code 3", "no licence", "`kilter logs app`", "redis: ready"]
    {
        assert!(output.stderr.contains(words), "{words}: {}", output.stderr);
    }
    assert_eq!(app.kilter(&["status"]).succeeds().stdout.matches("container app ends with code 3").count(), 1);
}

#[test]
fn slow_a_probe_that_never_passes_ends_with_the_budget() {
    let Some(bed) = Bed::find("a probe that never passes") else { return };
    let app = App::new(&bed, "e2e-probe", "shop", "dev: node -e \"setInterval(() => {}, 1e6)\"\nservices: [redis]\n");
    let output = app.kilter(&["up", "--ci", "--timeout", "15"]).run();
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(
        output.stderr.contains("`app` is not ready: waited in vain for container app to be ready"),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("Startup probe failed"), "the kubelet's own words: {}", output.stderr);

    // The way back is an edit.
    let text = app.project.read("kilter.yaml");
    app.project.write(
        "kilter.yaml",
        text.replace(text.lines().find(|line| line.starts_with("dev:")).unwrap(), "dev: node --watch server.js"),
    );
    app.project.write(
        "server.js",
        "import http from 'node:http';\nhttp.createServer((q, r) => r.end('well\\n')).listen(process.env.PORT);\n",
    );
    app.up();
    app.answers("/", "well");
}

#[test]
fn slow_a_tilt_that_died_is_found_and_started_again() {
    let Some(bed) = Bed::find("a Tilt that died") else { return };
    let app = App::new(&bed, "e2e-tilt", "shop", "services: [postgres, redis]\n");
    app.up();
    let pods = app.pods();
    let pid = app.tilt_pid().unwrap();
    assert!(command(Path::new("kill")).args(["-KILL", &pid.to_string()]).status().unwrap().success());
    until("the end of Tilt", || (app.status()["tilt"]["state"] == "ended by itself").then_some(()));
    let said = app.kilter(&["up", "--ci"]).succeeds().stderr;
    assert!(said.contains("Tilt no longer runs, though nobody stopped it: starting it again."), "{said}");
    assert_ne!(app.tilt_pid(), Some(pid));
    app.answers("/", "visits: ");
    assert_eq!(app.pods(), pods, "the pods are the same");

    // Killed while it is waited for.
    app.kilter(&["down"]).succeeds();
    let text = app.project.read("kilter.yaml");
    app.project.write("kilter.yaml", format!("{text}dev: node -e \"setInterval(() => {{}}, 1e6)\"\n"));
    let mut waits = app.kilter(&["up", "--ci"]).start();
    waits.said("waiting: container app to be ready");
    let pid = app.tilt_pid().unwrap();
    assert!(command(Path::new("kill")).args(["-KILL", &pid.to_string()]).status().unwrap().success());
    let output = waits.end();
    assert_eq!(output.code, 4, "{}", output.stderr);
    assert!(output.stderr.contains("Tilt has ended"), "{}", output.stderr);
}

#[test]
fn slow_docker_stops_while_the_image_is_built() {
    let Some(bed) = Bed::find("docker stops during `up`") else { return };
    let app = App::new(&bed, "e2e-docker", "shop", "services: [postgres, redis]\n");
    app.kilter(&["render"]).succeeds();
    app.kilter(&["eject", "dockerfile"]).succeeds();
    let dockerfile = app.project.read("kilter/Dockerfile.dev");
    // Longer than any test: the build ends with docker.
    app.project.write("kilter/Dockerfile.dev", format!("{dockerfile}\nRUN sleep 3600\n"));
    let mut up = app.kilter(&["up", "--ci"]).start();
    up.said("postgres: ready");
    script("dockerd", &["stop"]);
    let output = up.end();
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stderr.contains("`app` is not ready: it cannot be built or applied"), "{}", output.stderr);
    assert!(output.stderr.contains("postgres: ready"), "{}", output.stderr);
    let again = app.kilter(&["up", "--ci"]).run();
    assert_ne!(again.code, 0);
    assert!(again.stderr.contains("docker"), "{}", again.stderr);
    script("dockerd", &["start"]);
    std::fs::remove_file(app.project.root().join("kilter/Dockerfile.dev")).unwrap();
    app.up();
    app.answers("/", "visits: ");
}

#[test]
fn slow_the_api_server_goes_and_comes_back() {
    let Some(bed) = Bed::find("an API server that is gone for a while") else { return };
    let app = App::new(&bed, "e2e-api", "shop", "services: [postgres, redis]\n");
    app.up();
    let pods = app.pods();
    script("testbed", &["stop", "kube-apiserver"]);
    let status = app.kilter(&["status"]).succeeds();
    assert!(status.stdout.contains("the cluster does not answer"), "{}", status.stdout);
    for command in [["up", "--ci"].as_slice(), &["logs"], &["exec", "--", "true"], &["stop"]] {
        let said = app.kilter(command).fails(3);
        assert!(
            said.contains("the cluster does not answer") && said.contains("kubectl --context"),
            "{command:?}: {said}"
        );
    }
    script("testbed", &["start", "kube-apiserver"]);
    app.up();
    assert_eq!(app.pods(), pods, "nothing was restarted");
    let text = app.project.read("server.js");
    app.project.write("server.js", text.replace("visits: ", "after: "));
    app.answers("/", "after: ");
}
