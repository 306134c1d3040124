//! `down`, `stop`, `destroy`, and what `up` makes of each.

use std::net::TcpStream;

use super::app::{self, App};
use super::{Bed, clients, until};

/// Asks the app by way of the API server: through no port of this machine.
fn inside(app: &App, name: &str) -> Option<String> {
    app.kubectl(&["get", "--raw", &format!("/api/v1/namespaces/{}/services/{name}:http/proxy/", app.namespace())])
}

#[test]
fn slow_down_stop_and_destroy_each_leave_what_they_say() {
    let Some(bed) = Bed::find("the commands of a project's life") else { return };
    let app = App::new(&bed, "e2e-life", "shop", "services: [postgres, redis]\n");
    app.up();
    assert_eq!(app.answers("/", "visits: "), "visits: 1 in redis, 1 in postgres\n");
    let pods = app.pods();
    let tilt = app.tilt_pid().unwrap();

    let said = app.kilter(&["down"]).succeeds().stderr;
    assert!(said.contains("`kilter up` starts it again"), "{said}");
    assert!(!app::lives(tilt), "Tilt is gone");
    assert_eq!(inside(&app, "e2e-life").unwrap(), "visits: 2 in redis, 2 in postgres\n", "pods go on serving");
    assert_eq!(app::get(&app.address(), "/"), None, "what Tilt forwards ends with it");
    let text = app.project.read("server.js");
    app.project.write("server.js", text.replace("visits: ", "again: "));
    assert_eq!(app.processes(), Vec::<String>::new(), "nobody is left who could bring the edit in");
    assert_eq!(app.status()["tilt"]["state"], "not running");
    let again = app.kilter(&["down"]).succeeds().stderr;
    assert!(again.contains("nothing to end"), "{again}");

    app.up();
    app.answers("/", "again: ");
    assert_eq!(app.pod_uid("postgres"), pods.iter().find(|(name, ..)| name == "postgres-0").unwrap().1);
    app.project.write("server.js", text.replace("visits: ", "edited: "));
    app.answers("/", "edited: ");

    let count = |app: &App| -> u32 {
        let env = app.env();
        clients::postgres(env["localhost"]["DATABASE_URL"].as_str().unwrap(), "SELECT count(*) FROM visits")
            .parse()
            .unwrap()
    };
    let before = count(&app);
    app.kilter(&["stop"]).succeeds();
    assert_eq!((app.pods(), app.processes()), (vec![], vec![]));
    app.up();
    assert_eq!(count(&app), before, "the data is still there");
    let pods: Vec<String> = app.pods().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(pods.len(), 3, "{pods:?}");

    destroy(&app);
}

/// Destroys the project and asserts that nothing is left of it.
fn destroy(app: &App) {
    let volumes = |app: &App| {
        let claims = "jsonpath={range .items[*]}{.spec.claimRef.namespace}{\"\\n\"}{end}";
        let all = app::kubectl(&app.bed, "default", &["get", "persistentvolumes", "--output", claims]).unwrap();
        all.lines().filter(|namespace| *namespace == app.namespace()).count()
    };
    assert_eq!(volumes(app), 2, "one of postgres, one of redis");
    let env = app.env();
    let ports: Vec<u64> = env["services"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|service| {
            service["ports"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|port| port["localhost"].as_str()?.rsplit_once(':')?.1.parse().ok())
        })
        .collect();
    assert!(ports.len() >= 2, "{env}");
    let address = app.address();
    let cached: Vec<_> = app::walk(&app.project.cache())
        .into_iter()
        .filter(|path| path.to_string_lossy().contains("/e2e-life/"))
        .collect();
    assert!(!cached.is_empty());

    let refused = app.kilter(&["destroy"]).fails(5);
    assert!(refused.contains("--yes"), "{refused}");
    app.kilter(&["destroy", "--yes"]).succeeds();

    assert_eq!(app::kubectl(&app.bed, "default", &["get", "namespace", &app.namespace()]), None);
    until("the end of the volumes", || (volumes(app) == 0).then_some(()));
    assert_eq!(app.processes(), Vec::<String>::new());
    for port in ports.iter().map(|port| format!("127.0.0.1:{port}")).chain([address]) {
        assert!(TcpStream::connect(&port).is_err(), "{port} is free again");
    }
    assert!(!app.project.cache().join("e2e-life").exists(), "its artifacts are gone");
    let state: Vec<String> = app::walk(&app.project.state())
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            assert!(!text.contains("e2e-life"), "{} still knows it: {text}", path.display());
            path.file_name().unwrap().to_string_lossy().into_owned()
        })
        .collect();
    assert!(!state.iter().any(|file| file.starts_with("tilt")), "{state:?}");
    assert!(app.project.root().join("kilter.yaml").exists() && app.project.root().join("kilter.lock").exists());
    let images = app.docker(&["image", "ls", "--format", "{{.Repository}}"]);
    assert!(!images.lines().any(|image| image.contains("e2e-life")), "{images}");
}
