//! The environment that a developer has in a file of his own.

use super::Bed;
use super::app::App;

/// What stands in no file but the developer's.
const SECRET: &str = "sk_test_0f3a";

/// A worker that has one of the variables from kilter.yaml.
const YAML: &str = "services: [postgres, redis]\nenvFile: .env\ncomponents: [{name: worker, command: sleep 1000000, env: {GREETING: hello}}]\n";

#[test]
fn slow_the_app_has_what_the_developers_own_file_says() {
    let Some(bed) = Bed::find("a file of environment") else { return };
    let app = App::new(&bed, "e2e-env-file", "shop", YAML);
    let server = app.project.read("server.js");
    app.project.write("server.js", server.replace("`visits: ", "`${process.env.GREETING ?? 'visits'}: "));
    let says = |greeting: &str| {
        let lines = [
            "# mine",
            "DATABASE_URL=postgres://localhost/other",
            "PORT=1",
            "HOST=localhost",
            "NEAR=http://127.0.0.1:9/x",
            "nothing",
            &format!("KEY='{SECRET}'"),
        ]
        .join("\n");
        app.project.write(".env", format!("{lines}\nGREETING=\"{greeting}\"\n"));
    };
    says("good day");
    let up = app.kilter(&["up", "--ci"]).succeeds();
    for said in
        [".env: DATABASE_URL, HOST, PORT left out", ".env: NEAR lead to 127.0.0.1", "line 6 is no `KEY=VALUE` line"]
    {
        assert!(up.stderr.contains(said), "{said}: {}", up.stderr);
    }
    // The database is the one in the cluster, whatever the file says.
    app.answers("/", "good day: ");
    let printed = app.kubectl(&["exec", "deployment/e2e-env-file", "--", "printenv", "KEY"]);
    assert_eq!(printed.as_deref().map(str::trim), Some(SECRET));
    // What kilter.yaml says of a component goes before it.
    let worker = ["exec", "deployment/e2e-env-file-worker", "--", "printenv", "KEY", "GREETING"];
    assert_eq!(app.kubectl(&worker).unwrap().lines().collect::<Vec<_>>(), [SECRET, "hello"]);

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
    assert_eq!(app.kubectl(&["get", "pods", "--output", "name"]).unwrap().lines().count(), 4);

    // Who has none is told so, and the app runs.
    std::fs::remove_file(app.project.root().join(".env")).unwrap();
    let without = app.kilter(&["up", "--ci"]).succeeds();
    assert!(without.stderr.contains("warning: `.env`, which kilter.yaml names as `envFile`, is not there"));
    app.answers("/", "visits: ");
}
