//! `kilter doctor`.

use super::*;

fn check(report: &Value, name: &str) -> Value {
    report
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["check"] == name)
        .unwrap_or_else(|| panic!("no {name}: {report}"))
        .clone()
}

#[test]
fn each_finding_comes_with_its_fix() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
    let bin = project.outside("nothing");
    fs::create_dir_all(&bin).unwrap();
    let doctor = || {
        let output = project.kilter(&["doctor", "--json"]).env("PATH", &bin).run();
        (output.code, serde_json::from_str::<Value>(&output.stdout).unwrap())
    };
    let (code, report) = doctor();
    assert_eq!(code, 0);
    assert_eq!(check(&report, "docker")["what"], "there is no `docker` on PATH");
    assert_eq!(check(&report, "artifacts")["fix"], "Run `kilter render`.");
    assert_eq!(check(&report, "tilt")["state"], "warning");
    assert!(check(&report, "tilt")["fix"].as_str().unwrap().contains("kilter tools install tilt"));
    for row in report.as_array().unwrap() {
        assert_eq!(keys(row), ["check", "state", "what", "fix"]);
        assert_eq!(row["fix"].is_null(), row["state"] == "ok", "{row}");
    }

    project.kilter(&["render"]).succeeds();
    assert_eq!(check(&doctor().1, "artifacts")["state"], "ok");
    kilter::fsx::write(&project.cache().join("shop/manifests/redis.yaml"), b"# stale\n").unwrap();
    let (code, report) = doctor();
    assert_eq!((code, check(&report, "artifacts")["what"].as_str().unwrap()), (0, "out of date: manifests/redis.yaml"));

    project.write("kilter.yaml", "services: [redsi]\n");
    let (code, report) = doctor();
    assert_eq!(code, 1);
    assert_eq!(check(&report, "kilter.yaml")["what"], "unknown service `redsi` (kilter.yaml:1:12)");
    assert!(check(&report, "kilter.yaml")["fix"].as_str().unwrap().starts_with("Did you mean `redis`?"));

    fs::remove_file(project.root().join("kilter.yaml")).unwrap();
    assert_eq!(check(&doctor().1, "kilter.yaml")["what"], "there is none here");
}

#[test]
fn tools_and_docker_that_are_not_right_are_named() {
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n").helm_script("echo v3.0.0");
    let docker = project.outside("bin/docker");
    write_script(&docker, "echo 'Cannot connect to the Docker daemon.' >&2; exit 1");
    let output = project
        .kilter(&["doctor", "--json"])
        .env("PATH", docker.parent().unwrap())
        .env("KILTER_TILT", "/nonexistent/tilt")
        .run();
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(output.code, 1);
    assert_eq!(check(&report, "docker")["what"], "Cannot connect to the Docker daemon.");
    assert_eq!(check(&report, "tilt")["what"], "`/nonexistent/tilt` is no file, and `KILTER_TILT` names it");
}

#[test]
fn what_contradicts_itself_and_what_has_moved_is_found() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [postgres, {name: db, from: postgres}]\n");
    let report = parsed(&project, &["doctor", "--json"]);
    assert_eq!(check(&report, "kilter.yaml")["what"], "`DATABASE_URL` is provided by both `postgres` and `db`");
    project.write("kilter.yaml", "services: [redis]\n");
    project.kilter(&["render"]).succeeds();
    let report = parsed(&project, &["doctor", "--json"]);
    assert!(!report.as_array().unwrap().iter().any(|row| row["check"] == "detected"), "{report}");
    project.write("package.json", PACKAGE);
    let found = check(&parsed(&project, &["doctor", "--json"]), "detected");
    assert_eq!(
        found["what"],
        "kilter.lock is older than the app: dev was nothing, is `npm run dev`; image was nothing, is `node:22-alpine`"
    );
    project.kilter(&["upgrade", "app", "--yes"]).succeeds();
    let report = parsed(&project, &["doctor", "--json"]);
    assert!(!report.as_array().unwrap().iter().any(|row| row["check"] == "detected"), "{report}");
}

#[test]
fn doctor_gets_nothing_and_writes_nothing_into_the_project() {
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
    fs::create_dir_all(project.cache().join("shop")).unwrap();
    let output = project.kilter(&["doctor", "--json"]).without("KILTER_HELM").env("PATH", "/nonexistent").succeeds();
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(check(&report, "artifacts")["what"], "not compared: helm is not here yet");
    assert_eq!(fs::read_dir(project.root()).unwrap().count(), 1);
    assert!(!project.cache().join("tools").exists());
}
