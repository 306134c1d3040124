//! The environment that a developer has in a file of his own.

use super::Bed;
use super::app::App;

/// What stands in no file but the developer's.
const SECRET: &str = "sk_test_0f3a";

#[test]
fn slow_the_app_has_what_the_developers_own_file_says() {
    let Some(bed) = Bed::find("a file of environment") else { return };
    let app = App::new(&bed, "e2e-env-file", "shop", "services: [postgres, redis]\nenvFile: .env\n");
    let server = app.project.read("server.js");
    app.project.write("server.js", server.replace("`visits: ", "`${process.env.GREETING ?? 'visits'}: "));
    let says = |greeting: &str| {
        let lines =
            ["# mine", "DATABASE_URL=postgres://localhost/other", "PORT=1", &format!("KEY='{SECRET}'")].join("\n");
        app.project.write(".env", format!("{lines}\nGREETING=\"{greeting}\"\n"));
    };
    says("good day");
    let up = app.kilter(&["up", "--ci"]).succeeds();
    assert!(up.stderr.contains(".env: DATABASE_URL, PORT left out"), "{}", up.stderr);
    // The database is the one in the cluster, whatever the file says.
    app.answers("/", "good day: ");
    let printed = app.kubectl(&["exec", "deployment/e2e-env-file", "--", "printenv", "KEY"]);
    assert_eq!(printed.as_deref().map(str::trim), Some(SECRET));

    // It is in the cluster alone: in no file that kilter writes, no image, no log.
    assert!(app.kubectl(&["exec", "deployment/e2e-env-file", "--", "cat", "/app/.env"]).is_none());
    assert!(app.kept().iter().any(|text| text.contains("kind: Deployment")));
    assert!(!app.kept().iter().any(|text| text.contains(SECRET)) && !up.stderr.contains(SECRET));

    // Nothing changed: the same pods.
    let pods = app.pods();
    app.up();
    assert_eq!(app.pods(), pods);
    says("good evening");
    let again = app.kilter(&["up", "--ci"]).succeeds();
    assert!(again.stderr.contains("app restarted: its environment is another one"), "{}", again.stderr);
    app.answers("/", "good evening: ");
    says("good night");
    app.kilter(&["restart", "app"]).succeeds();
    app.answers("/", "good night: ");
    assert_eq!(app.kubectl(&["get", "pods", "--output", "name"]).unwrap().lines().count(), 3);

    // Who has none is told so, and the app runs.
    std::fs::remove_file(app.project.root().join(".env")).unwrap();
    let without = app.kilter(&["up", "--ci"]).succeeds();
    assert!(without.stderr.contains("warning: `.env`, which kilter.yaml names as `envFile`, is not there"));
    app.answers("/", "visits: ");
}
