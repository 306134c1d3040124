//! How this machine reaches what runs in the cluster: forwards of Tilt's, or NodePorts.

use super::app::{self, App, cluster};
use super::{Bed, clients};

#[test]
fn slow_node_ports_serve_without_a_forward() {
    let Some(bed) = Bed::find("host access by NodePorts") else { return };
    let app = App::bare(&bed, "e2e-ports", "shop");
    app.project.write("kilter.yaml", format!("{}services: [postgres, redis]\n", cluster(", hostAccess: nodeport")));
    app.up();
    let env = app.env();
    let url = env["localhost"]["DATABASE_URL"].as_str().unwrap();
    assert!(url.contains("127.0.0.1:300"), "one of the cluster's NodePorts: {url}");
    assert_eq!(app.answers("/", "visits: "), "visits: 1 in redis, 1 in postgres\n");
    assert_eq!(clients::postgres(url, "SELECT count(*) FROM visits"), "1");
    let services = app.kubectl(&["get", "services", "--output", "jsonpath={.items[*].spec.type}"]).unwrap();
    assert!(services.split(' ').all(|kind| kind == "NodePort"), "{services}");

    // They do not end with Tilt.
    app.kilter(&["down"]).succeeds();
    let address = app.address();
    assert_eq!(app::get(&address, "/").as_deref(), Some("visits: 2 in redis, 2 in postgres\n"));
}
