//! What others do to the cluster behind kilter's back, and a project that is brought up in parts.

use super::Bed;
use super::app::{self, App};

#[test]
fn slow_what_somebody_deleted_is_back_after_up() {
    let Some(bed) = Bed::find("what is deleted behind kilter's back") else { return };
    let app = App::new(&bed, "e2e-behind", "shop", "services: [postgres, redis]\n");
    app.up();
    app.answers("/", "visits: 1 in redis");
    let database = app.pod_uid("postgres");
    app.kubectl(&["delete", "statefulset/redis", "--cascade=foreground"]).unwrap();
    app.up();
    assert_eq!(app.pod_uid("postgres"), database, "what was there stays");
    app.answers("/", "visits: ");

    app::kubectl(&bed, "default", &["delete", "namespace", &app.namespace()]).unwrap();
    let said = app.kilter(&["up", "--ci"]).succeeds().stderr;
    assert!(said.contains("made the namespace e2e-behind-dev"), "{said}");
    assert_eq!(app.answers("/", "visits: "), "visits: 1 in redis, 1 in postgres\n", "a new one");

    // A service that leaves the project while nobody runs goes when somebody does.
    app.kilter(&["down"]).succeeds();
    app.kilter(&["remove", "redis"]).succeeds();
    let server =
        "import http from 'node:http';\nhttp.createServer((q, r) => r.end('well')).listen(process.env.PORT);\n";
    app.project.write("server.js", server);
    let said = app.kilter(&["up", "--ci"]).succeeds().stderr;
    assert!(
        said.contains("deleted what the project no longer has: ") && said.contains("statefulset.apps/redis"),
        "{said}"
    );
    assert_eq!(app.kubectl(&["get", "statefulsets", "--output", "name"]).unwrap(), "statefulset.apps/postgres\n");
    let claims = || app.kubectl(&["get", "persistentvolumeclaims", "--output", "name"]).unwrap();
    assert!(claims().contains("data-redis-0"), "data stays");
    app.kilter(&["remove", "postgres", "--data", "--yes"]).succeeds();
    assert_eq!(claims(), "persistentvolumeclaim/data-redis-0\n");
}

#[test]
fn slow_one_service_and_then_the_rest() {
    let Some(bed) = Bed::find("`up --only`") else { return };
    let app = App::new(&bed, "e2e-only", "shop", "services: [postgres, redis]\n");
    let names = |app: &App| app.pods().into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
    app.kilter(&["up", "--ci", "--only", "redis"]).succeeds();
    assert_eq!(names(&app), ["redis-0"]);
    app.kilter(&["up", "--ci", "--only", "postgres"]).succeeds();
    assert_eq!(names(&app), ["postgres-0", "redis-0"], "what is up stays up");
    let redis = app.pod_uid("redis");
    app.up();
    app.answers("/", "visits: 1 in redis");
    assert_eq!((app.pods().len(), app.pod_uid("redis")), (3, redis));
    let said = app.kilter(&["up", "--only", "nope"]).fails(2);
    assert!(said.contains("`nope`"), "{said}");

    // To stay, and to leave: the rest goes on.
    let mut attached = app.kilter(&["up", "--attach"]).start();
    attached.said("Ctrl-C leaves everything running.");
    // From its first line on it is Tilt, which ends at once.
    attached.says("postgres │ ");
    attached.signal(rustix::process::Signal::INT);
    attached.end();
    assert_eq!(app.status()["tilt"]["state"], "running");
    app.answers("/", "visits: ");
}
