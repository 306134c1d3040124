//! A PHP app: its extensions, its packages, and the variables that its example environment names.

use super::app::{App, cluster};
use super::{Bed, until};

#[test]
fn slow_a_php_app_reads_what_its_services_give() {
    let Some(bed) = Bed::find("a PHP app") else { return };
    let app = App::bare(&bed, "e2e-php", "guestbook");
    app.project.write("kilter.yaml", cluster(""));
    let added = app.kilter(&["add", "postgres", "redis"]).succeeds();
    assert!(added.stdout.contains("DB_HOST=postgres.e2e-php-dev.svc\n"), "{}", added.stdout);
    app.up();
    app.answers("/healthz", "ok");
    app.answers("/", "visits: 1 in postgres, 1 in redis");

    // PHP reads a file anew for every request, so an edit needs no restart.
    let pods = app.pods();
    let page = app.project.read("src/Page.php");
    app.project.write("src/Page.php", page.replace("visits: {", "guests: {"));
    until("the edit", || super::app::get(&app.address(), "/").filter(|text| text.starts_with("guests: ")));
    assert_eq!(app.pods(), pods);
}
