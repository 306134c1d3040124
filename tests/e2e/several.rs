//! Several projects, and several working copies of one, at once.

use std::path::Path;

use serde_json::Value;

use super::app::{self, App};
use super::{Bed, clients, until};
use crate::support::project::command;

#[test]
fn slow_two_projects_at_once() {
    let Some(bed) = Bed::find("two projects at once") else { return };
    let one = App::new(&bed, "e2e-one", "shop", "services: [postgres, redis]\n");
    let two = App::new(&bed, "e2e-two", "shop", "services: [postgres, redis]\n").sharing(&one);
    std::thread::scope(|scope| {
        scope.spawn(|| one.up());
        scope.spawn(|| two.up());
    });
    assert_eq!(one.answers("/", "visits: "), "visits: 1 in redis, 1 in postgres\n");
    assert_eq!(one.answers("/", "visits: "), "visits: 2 in redis, 2 in postgres\n");
    assert_eq!(two.answers("/", "visits: "), "visits: 1 in redis, 1 in postgres\n", "it has its own");
    let url = |app: &App| app.env()["localhost"]["DATABASE_URL"].as_str().unwrap().to_owned();
    assert_ne!(url(&one), url(&two));
    for (app, database) in [(&one, "e2e-one"), (&two, "e2e-two")] {
        assert_eq!(clients::postgres(&url(app), "SELECT current_database()"), database);
    }
    two.kilter(&["destroy", "--yes"]).succeeds();
    assert_eq!(one.answers("/", "visits: "), "visits: 3 in redis, 3 in postgres\n", "the end of one is its own");
}

#[test]
fn slow_two_worktrees_of_one_project_at_once() {
    let Some(bed) = Bed::find("two worktrees at once") else { return };
    let app = App::new(&bed, "e2e-tree", "shop", "services: [postgres, redis]\n");
    let root = app.project.root();
    let git = |args: &[&str]| {
        let mut git = command(Path::new("git"));
        git.current_dir(&root).args(["-c", "user.name=test", "-c", "user.email=test@example.com"]).args(args);
        let output = git.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    app.kilter(&["render"]).succeeds();
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "The shop"]);
    let review = app.project.outside("work/review");
    git(&["worktree", "add", "--quiet", &review.to_string_lossy()]);

    app.up();
    app.answers("/", "visits: 1 in redis");
    let output = app.kilter(&["up", "--ci", "--json"]).cwd(&review).succeeds();
    let up: Value = serde_json::from_str(&output.stdout).unwrap();
    let url = up["env"]["app"]["localhost"].as_str().unwrap().trim_start_matches("http://");
    assert_ne!(url, app.address(), "other ports");
    let namespace = up["env"]["namespace"].as_str().unwrap();
    assert!(namespace != app.namespace() && namespace.contains("review"), "another namespace: {namespace}");
    let text = until("the worktree's app", || app::get(url, "/").filter(|text| text.starts_with("visits")));
    assert_eq!(text, "visits: 1 in redis, 1 in postgres\n", "its own data");
    assert_eq!(app.answers("/", "visits: "), "visits: 2 in redis, 2 in postgres\n");

    // The same two commands for the worktree alone.
    app.kilter(&["destroy", "--yes"]).cwd(&review).succeeds();
    assert_eq!(app::kubectl(&bed, "default", &["get", "namespace", namespace]), None);
    assert_eq!(app.answers("/", "visits: "), "visits: 3 in redis, 3 in postgres\n");
}
