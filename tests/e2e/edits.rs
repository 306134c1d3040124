//! What changes in a project that runs, and what it takes to bring the change in.

use std::path::Path;
use std::time::Instant;

use super::app::App;
use super::{Bed, clients, until};
use crate::support::project::command;

/// A shop whose greeting comes from its environment.
fn shop(bed: &Bed, name: &str, yaml: &str) -> App {
    let app = App::new(bed, name, "shop", yaml);
    edit(&app, "server.js", "`visits: ", "`${process.env.GREETING ?? 'visits'}: ");
    app
}

/// Replaces a text in a file of the project, as most editors do: by a new file in its place.
fn edit(app: &App, file: &str, from: &str, to: &str) {
    let text = app.project.read(file);
    assert!(text.contains(from), "{file} has no {from:?}");
    app.project.write(file, text.replace(from, to));
}

#[test]
fn slow_an_edit_of_a_source_file_reaches_the_running_pod() {
    let Some(bed) = Bed::find("live update") else { return };
    let app = shop(&bed, "e2e-edit", "services: [postgres, redis]\n");
    app.up();
    app.answers("/", "visits: ");
    let pods = app.pods();
    let address = app.address();
    let began = Instant::now();
    edit(&app, "server.js", "'visits'", "'edited'");
    until("the edit", || super::app::get(&address, "/").filter(|text| text.starts_with("edited: ")));
    println!("edit to answer: {:.2} s", began.elapsed().as_secs_f32());

    // A file and a directory that were not there when the image was built.
    app.project.write("pages/new/about.txt", "about us");
    let cat = || app.kubectl(&["exec", "deployment/e2e-edit", "--", "cat", "/app/pages/new/about.txt"]);
    assert_eq!(until("the new file", cat), "about us");
    std::fs::remove_file(app.project.root().join("pages/new/about.txt")).unwrap();
    until("the end of the new file", || cat().is_none().then_some(()));
    assert_eq!(app.pods(), pods, "no pod was made, and no container started again");
}

#[test]
fn slow_an_edit_of_the_dependencies_makes_a_new_image() {
    let Some(bed) = Bed::find("a change of the dependencies") else { return };
    let app = shop(&bed, "e2e-deps", "services: [postgres, redis]\n");
    app.up();
    let (server, database) = (app.pod_uid("e2e-deps"), app.pod_uid("postgres"));
    edit(&app, "package.json", "\"dependencies\": {", "\"dependencies\": {\n    \"ms\": \"2.1.3\",");
    edit(&app, "server.js", "import pg from 'pg';", "import ms from 'ms';\nimport pg from 'pg';");
    edit(&app, "server.js", "'visits'", "ms(60000)");
    app.up();
    app.answers("/", "1m: ");
    assert_ne!(app.pod_uid("e2e-deps"), server, "a new image is a new pod");
    assert_eq!(app.pod_uid("postgres"), database);

    // Edits that live update brought are part of the image that is built next.
    let built = app.pod_uid("e2e-deps");
    edit(&app, "server.js", "ms(60000)", "ms(7200000)");
    app.answers("/", "2h: ");
    app.kilter(&["up", "--ci", "--rebuild"]).succeeds();
    app.kubectl(&["delete", "pods", "--selector", "app.kubernetes.io/instance=e2e-deps"]).unwrap();
    app.answers("/", "2h: ");
    assert_ne!(app.pod_uid("e2e-deps"), built);
}

#[test]
fn slow_a_value_of_one_service_rolls_that_service_alone() {
    let Some(bed) = Bed::find("a change of values") else { return };
    let yaml = "services: [postgres, redis]\nenv: {GREETING: hello}\n";
    let app = shop(&bed, "e2e-values", yaml);
    app.up();
    app.answers("/", "hello: 1 in redis");
    let (server, database, cache) = (app.pod_uid("e2e-values"), app.pod_uid("postgres"), app.pod_uid("redis"));
    edit(
        &app,
        "kilter.yaml",
        "services: [postgres, redis]",
        "services: [postgres, {name: redis, values: {resources: {limits: {memory: 200Mi}}}}]",
    );
    app.up();
    assert_eq!((app.pod_uid("e2e-values"), app.pod_uid("postgres")), (server.clone(), database.clone()));
    assert_ne!(app.pod_uid("redis"), cache);
    let limit = "jsonpath={.spec.containers[0].resources.limits.memory}";
    assert_eq!(app.kubectl(&["get", "pod", "redis-0", "--output", limit]).unwrap(), "200Mi");

    // The environment: read again by new pods of the same image.
    edit(&app, "kilter.yaml", "GREETING: hello", "GREETING: welcome");
    let image = |app: &App| {
        app.kubectl(&["get", "deployment/e2e-values", "--output", "jsonpath={.spec.template.spec.containers[0].image}"])
    };
    let before = image(&app).unwrap();
    app.kilter(&["restart", "app"]).succeeds();
    app.answers("/", "welcome: ");
    assert_eq!(image(&app).unwrap(), before);
    assert_ne!(app.pod_uid("e2e-values"), server);
    assert_eq!(app.pod_uid("postgres"), database);
}

#[test]
fn slow_another_size_leaves_a_volume_and_its_data_as_they_are_and_up_says_so() {
    let Some(bed) = Bed::find("a change of a volume") else { return };
    let app = App::without_app(&bed, "e2e-volume", &["postgres"]);
    app.up();
    let url = app.env()["localhost"]["DATABASE_URL"].as_str().unwrap().to_owned();
    let words =
        || clients::postgres(&url, "SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'public'");
    clients::postgres(&url, "CREATE TABLE words (word text)");
    let size = || {
        let size = "jsonpath={.spec.resources.requests.storage}";
        app.kubectl(&["get", "persistentvolumeclaim", "data-postgres-0", "--output", size]).unwrap()
    };
    assert_eq!(size(), "1Gi");

    edit(&app, "kilter.yaml", "[postgres]", "[{name: postgres, values: {storage: {size: 2Gi}}}]");
    let said = app.kilter(&["up", "--ci"]).succeeds().stderr;
    assert!(said.contains("warning: `postgres` keeps the volume that it has: "), "{said}");
    assert!(said.contains("  | data-postgres-0: 1Gi, not 2Gi\n"), "{said}");
    assert_eq!((size().as_str(), words().as_str()), ("1Gi", "words"));

    // What it says to do, pasted.
    let line = said.split('`').find(|part| part.contains(" delete statefulset/")).unwrap();
    let pasted = command(Path::new("/bin/sh")).args(["-c", line]).output().unwrap();
    assert!(pasted.status.success(), "{line}: {}", String::from_utf8_lossy(&pasted.stderr));
    let said = app.kilter(&["up", "--ci"]).succeeds().stderr;
    assert!(!said.contains("keeps the volume"), "{said}");
    assert_eq!((size().as_str(), words().as_str()), ("2Gi", ""));
}
