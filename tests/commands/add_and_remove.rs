//! `kilter add` and `kilter remove`.

use super::*;

#[test]
fn the_result_is_what_the_app_gets_and_the_rest_is_talk() {
    let Some(_) = helm() else { return };
    let project = shop().file("kilter.yaml", "# ours\nservices: # needed\n  - redis # cache\n");
    let done = project.kilter(&["add", "mailpit"]).succeeds();
    assert_eq!(done.stdout, "SMTP_HOST=mailpit.shop-dev.svc\nSMTP_PORT=1025\n");
    assert!(
        done.stderr.contains("+  - mailpit\n")
            && done.stderr.ends_with("Added mailpit. `kilter env` shows every address.\n"),
        "{}",
        done.stderr
    );
    assert_eq!(project.read("kilter.yaml"), "# ours\nservices: # needed\n  - redis # cache\n  - mailpit\n");
    assert!(project.cache().join("shop/manifests/mailpit.yaml").is_file());

    let twice = project.kilter(&["add", "nats", "nats", "--dry-run"]).succeeds();
    assert!(!twice.stderr.contains("already") && twice.stdout.matches("+  - nats\n").count() == 1, "{}", twice.stderr);
    let again = project.kilter(&["add", "mailpit"]).succeeds();
    assert_eq!((again.stdout.as_str(), again.stderr.as_str()), ("", "`mailpit` is in kilter.yaml already.\n"));
    let removed = project.kilter(&["remove", "mailpit"]).succeeds();
    assert_eq!(removed.stdout, "");
    assert_eq!(project.read("kilter.yaml"), "# ours\nservices: # needed\n  - redis # cache\n");
    assert!(!project.cache().join("shop/manifests/mailpit.yaml").exists());
    assert!(!project.read("kilter.lock").contains("mailpit"));
    let quiet = project.kilter(&["add", "mailpit", "-q"]).succeeds();
    assert_eq!((quiet.stdout, quiet.stderr), (done.stdout, String::new()));
    assert!(removed.stderr.ends_with("Removed mailpit. Its data in a cluster, if there is any, stays.\n"));
    let both = project.kilter(&["remove", "redis", "mailpit", "redis"]).succeeds().stderr;
    assert!(both.ends_with("Removed redis, mailpit. Their data in a cluster, if there is any, stays.\n"), "{both}");
}

#[test]
fn every_option_ends_up_in_the_entry() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop");
    project.kilter(&["add", "postgres"]).succeeds();
    let refused = project.kilter(&["add", "reports-db", "--from", "postgres"]).fails(1);
    insta::assert_snapshot!(refused, @r"
    error: `DATABASE_URL` is provided by both `postgres` and `reports-db`.
      = Leave it to `postgres`: `kilter add reports-db --from postgres --provides DATABASE_URL=null`.
      = Nothing was written; kilter.yaml is as it was.
    ");
    let refused = project.kilter(&["add", "redis", "valkey"]).fails(1);
    assert!(refused.contains("`kilter add redis && kilter add valkey --provides REDIS_URL=null`"), "{refused}");
    assert_eq!(project.read("kilter.yaml"), "services:\n  - postgres\n");
    project
        .kilter(&[
            "add",
            "reports-db",
            "--from",
            "postgres",
            "--image",
            "postgres:16",
            "--port",
            "6543",
            "--set",
            "storage.size=5Gi",
            "--set",
            "ui.enabled=false",
            "--env",
            "A=b=c",
            "--provides",
            "DATABASE_URL=null",
            "--provides",
            "REPORTS=host={{ .Host }}",
        ])
        .succeeds();
    insta::assert_snapshot!(project.read("kilter.yaml"), @r"
    services:
      - postgres
      - name: reports-db
        from: postgres
        image: postgres:16
        port: 6543
        env:
          A: b=c
        values:
          storage:
            size: 5Gi
          ui:
            enabled: false
        provides:
          DATABASE_URL: null
          REPORTS: host={{ .Host }}
    ");
    let env = parsed(&project, &["env", "--json"]);
    assert_eq!(env["inCluster"]["REPORTS"], "host=reports-db.shop-dev.svc");
}

#[test]
fn nothing_is_written_when_what_is_added_does_not_render() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
    project.kilter(&["render"]).succeeds();
    let before = (project.read("kilter.yaml"), project.read("kilter.lock"));
    for (args, code) in [
        (&["add", "postgres", "--set", "nonsense=1"][..], 1),
        (&["add", "x", "--chart", "./charts/none"], 1),
        (&["add", "postgres", "nope"], 2),
        (&["add", "Not A Name", "--image", "x", "--port", "80"], 1),
        (&["add", "x", "--image", "acme/x:1"], 1),
        (&["add"], 2),
        (&["add", "postgres", "redis", "--image", "x"], 2),
        (&["add", "x", "--env", "novalue"], 2),
        (&["remove", "nope"], 2),
    ] {
        project.kilter(&[args, &["-q"]].concat()).fails(code);
        assert_eq!((project.read("kilter.yaml"), project.read("kilter.lock")), before, "{args:?}");
    }
    let dry = project.kilter(&["add", "postgres", "--dry-run"]).succeeds();
    assert!(dry.stdout.contains("postgres"), "{}", dry.stdout);
    for said in ["chart postgres", "The app gets DATABASE_URL", "On this machine: postgres 127.0.0.1:"] {
        assert!(dry.stderr.contains(said), "{said}: {}", dry.stderr);
    }
    assert_eq!((project.read("kilter.yaml"), project.read("kilter.lock")), before);
}

#[test]
fn what_no_cluster_would_take_is_no_image_and_no_size() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop");
    insta::assert_snapshot!(project.kilter(&["add", "postgres", "--image", "POSTGRES:16"]).fails(1), @r"
    error: `POSTGRES:16` is not the name of an image.
      --> kilter.yaml:3:12
       |
    3  |     image: POSTGRES:16
       |            ^^^^^^^^^^^
      = Write it as it is pulled, its path in lower case: for example `registry.example.com/team/name:1.2`.
      = kilter.yaml is as it was: these lines would have been written.
    ");
    for size in ["abc", "5", "500m", "5GB"] {
        let refused = project.kilter(&["add", "postgres", "--storage", size]).fails(1);
        assert!(refused.contains(&format!("`{size}` is not the size of a volume")), "{refused}");
        assert!(
            refused.contains(&format!("        size: {size}")) || refused.contains(&format!("size: \"{size}\"")),
            "{refused}"
        );
    }
    let refused = project.kilter(&["init", "--yes", "--dev", "x", "--image", "NODE:20"]).run();
    assert_eq!(refused.code, 1);
    for said in ["`NODE:20` is not the name of an image", "kilter.yaml:3:8"] {
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
    assert!(!project.root().join("kilter.yaml").exists());
    project.write("kilter.yaml", "services:\n  - {name: db, from: postgres, values: {storage: {size: lots}}}\n");
    insta::assert_snapshot!(project.kilter(&["render"]).fails(1), @r"
    error: `lots` is not the size of a volume.
      --> kilter.yaml:2:57
       |
    2  |   - {name: db, from: postgres, values: {storage: {size: lots}}}
       |                                                         ^^^^
      = Write a number with its unit, for example `5Gi` or `500Mi`.
    ");
}

#[test]
fn json_of_add_and_remove() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop");
    let dry = parsed(&project, &["add", "redis", "--dry-run", "--json"]);
    assert_eq!(keys(&dry), ["services", "needs", "kilterYaml", "dryRun", "renders", "removes", "env", "clashes"]);
    assert_eq!(dry["needs"], json!([]));
    assert_eq!((&dry["kilterYaml"], &dry["dryRun"]), (&json!("services:\n  - redis\n"), &json!(true)));
    assert_eq!((&dry["renders"][0]["name"], &dry["removes"]), (&json!("redis"), &json!([])));
    assert!(!project.root().join("kilter.yaml").exists());
    let added = parsed(&project, &["add", "redis", "--json"]);
    assert_eq!(keys(&added), ["services", "needs", "kilterYaml", "dryRun", "env"]);
    assert_eq!((&added["kilterYaml"], &added["env"]), (&dry["kilterYaml"], &dry["env"]));
    let dry = parsed(&project, &["remove", "redis", "--dry-run", "--json"]);
    assert_eq!((&dry["renders"], &dry["removes"], &dry["env"]), (&json!([]), &json!(["redis"]), &json!({})));
    let removed = parsed(&project, &["remove", "redis", "--json"]);
    assert_eq!((&removed["services"], &removed["env"]), (&json!(["redis"]), &json!({})));
}

#[test]
fn messages_of_add() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services:\n  - redis\n");
    insta::assert_snapshot!(project.kilter(&["add", "postgres:16"]).fails(2), @r"
    error: kilter's catalog has no service `postgres:16`.
      = For another image of `postgres`: `kilter add postgres --image postgres:16`.
    ");
    insta::assert_snapshot!(project.kilter(&["add", "x", "--chart", "oci://registry.example.com/x"]).fails(1), @r"
    error: the remote chart `oci://registry.example.com/x` has no `version`.
      --> kilter.yaml:4:12
       |
    4  |     chart: oci://registry.example.com/x
       |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = Add `version:` with the exact version, so that everyone renders the same chart.
      = kilter.yaml is as it was: these lines would have been written.
    ");
    insta::assert_snapshot!(project.kilter(&["add", "postgres", "--env", "A"]).fails(2), @r"
    error: `--env A` is not `NAME=VALUE`.
      = Write for example `--env NAME=value`.
    ");
}
