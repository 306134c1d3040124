//! Ctrl-C at every stage of `up`, and two of them at once.

use rustix::process::Signal;

use super::Bed;
use super::app::App;

/// What `up` says when a stage begins, of a project that has nothing in the cluster.
const STAGES: [&str; 6] =
    ["rendering", "made the namespace", "starting Tilt", "waiting: ", "redis: ready", "postgres: ready"];

#[test]
fn slow_ctrl_c_at_every_stage() {
    let Some(bed) = Bed::find("Ctrl-C during `up`") else { return };
    let app = App::new(&bed, "e2e-stages", "shop", "services: [postgres, redis]\n");
    for stage in STAGES {
        // A signal may come late, and what is there already is not said again.
        app.kilter(&["destroy", "--yes"]).succeeds();
        let mut up = app.kilter(&["up"]).start();
        up.said(stage);
        up.signal(Signal::INT);
        let output = up.end();
        assert_eq!(output.code, 130, "at {stage:?}: {}", output.stderr);
        // What goes on is Tilt, under the number of its record, and what Tilt itself runs.
        let going_on = app.processes().into_iter().filter(|process| !process.contains("tilt"));
        assert_eq!(going_on.collect::<Vec<_>>(), Vec::<String>::new(), "at {stage:?}");
        if output.stderr.contains("goes on in the background") {
            assert_eq!(app.status()["tilt"]["state"], "running", "at {stage:?}");
        }
    }
    app.up();
    app.answers("/", "visits: ");
    app.kilter(&["down"]).succeeds();
    assert_eq!(app.processes(), Vec::<String>::new());
}

#[test]
fn slow_two_ups_at_once_are_one() {
    let Some(bed) = Bed::find("`up` in two terminals") else { return };
    let app = App::new(&bed, "e2e-twice", "shop", "services: [postgres, redis]\n");
    let (one, two) = std::thread::scope(|scope| {
        let run = || app.kilter(&["up", "--ci"]).run();
        let (one, two) = (scope.spawn(run), scope.spawn(run));
        (one.join().unwrap(), two.join().unwrap())
    });
    assert_eq!((one.code, two.code), (0, 0), "{}\n---\n{}", one.stderr, two.stderr);
    let tilts = app.processes().into_iter().filter(|process| process.contains("tilt up")).count();
    assert_eq!(tilts, 1);
    assert!(app.pods().iter().all(|(.., restarts)| *restarts == 0), "{:?}", app.pods());
}
