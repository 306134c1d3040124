//! From nothing to an app that answers.

use std::time::Instant;

use super::app::App;
use super::{Bed, CONTEXT, clients};

#[test]
fn slow_from_nothing_to_an_app_that_answers() {
    let Some(bed) = Bed::find("`up` from nothing") else { return };
    let app = App::bare(&bed, "e2e-first", "shop");
    let began = Instant::now();
    let output = app.kilter(&["up", "--ci"]).env("KILTER_CONTEXT", CONTEXT).succeeds();
    println!("cold `up`: {:.1} s", began.elapsed().as_secs_f32());
    assert!(app.project.read("kilter.yaml").contains("services:\n  - postgres\n  - redis\n"));
    let text = app.answers("/", "visits: ");
    assert_eq!(text, "visits: 1 in redis, 1 in postgres\n");
    assert!(output.stdout.contains("DATABASE_URL"), "{}", output.stdout);

    // The addresses for this machine, with clients of this machine.
    let env = app.env();
    let local = |name: &str| env["localhost"][name].as_str().unwrap().to_owned();
    assert_eq!(clients::postgres(&local("DATABASE_URL"), "SELECT count(*) FROM visits"), "1");
    assert_eq!(clients::redis(&local("REDIS_URL"), &["GET", "visits"]), "1");

    // Again, with nothing changed: nothing happens.
    let pods = app.pods();
    let tilt = app.tilt_pid().unwrap();
    let began = Instant::now();
    app.kilter(&["up", "--ci"]).env("KILTER_CONTEXT", CONTEXT).succeeds();
    println!("warm `up`: {:.2} s", began.elapsed().as_secs_f32());
    assert_eq!((app.pods(), app.tilt_pid()), (pods, Some(tilt)), "nothing was restarted");
}
