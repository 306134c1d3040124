//! `kilter init`.

use super::*;

#[test]
fn a_dry_run_has_the_documented_shape_and_writes_nothing() {
    let project = shop();
    let found = parsed(&project, &["init", "--dry-run", "--json"]);
    assert_eq!(
        keys(&found),
        [
            "name",
            "port",
            "dev",
            "image",
            "health",
            "services",
            "kilterYaml",
            "dryRun",
            "renders",
            "removes",
            "env",
            "clashes"
        ]
    );
    assert_eq!(
        (&found["name"], &found["dev"], &found["image"]),
        (&json!("shop"), &json!("npm run dev"), &json!("node:22-alpine"))
    );
    let rows = found["services"].as_array().unwrap();
    let selected: Vec<(&str, bool)> =
        rows.iter().map(|row| (row["name"].as_str().unwrap(), row["selected"].as_bool().unwrap())).collect();
    assert_eq!(selected, [("postgres", true), ("redis", true), ("mailpit", false)]);
    for row in rows {
        assert_eq!(keys(row), ["name", "selected", "confidence", "image", "provides", "evidence"]);
        assert!((0.0..=1.0).contains(&row["confidence"].as_f64().unwrap()));
    }
    assert_eq!(rows[0]["evidence"][0]["file"], "package.json");
    assert_eq!((&rows[0]["evidence"][0]["line"], &rows[0]["evidence"][0]["package"]), (&json!(5), &json!("pg")));
    assert_eq!(fs::read_dir(project.root()).unwrap().count(), 1);
}

#[test]
fn what_is_known_of_an_app_without_a_command_is_said_as_in_the_json() {
    let project = Project::new("shop").file("requirements.txt", "flask==3\nredis==5\n");
    let found = parsed(&project, &["init", "--dry-run", "--json"]);
    assert_eq!((&found["dev"], &found["port"]), (&json!(null), &json!(5000)), "{found}");
    let said = project.kilter(&["init", "--dry-run"]).succeeds().stdout;
    let image = found["image"].as_str().unwrap();
    let lines = ["dev     none found; ", "port    5000  requirements.txt:1, ", &format!("image   {image}  ")];
    assert!(lines.iter().all(|line| said.contains(&format!("\n{line}"))), "{said}");
}

#[test]
fn what_is_wrong_with_a_manifest_is_said_once() {
    let project = shop();
    project.write("compose.yml", "services: [\n");
    for args in [&["init", "--dry-run"][..], &["init", "--yes"]] {
        let said = project.kilter(args).succeeds().stderr;
        assert_eq!(said.matches("warning: `compose.yml` is malformed").count(), 1, "{said}");
    }
}

#[test]
fn consent_is_a_flag_and_an_existing_file_keeps_what_it_has() {
    let project = shop();
    for args in [&["init"][..], &["init", "--no-input"], &["init", "--no-input", "--json"]] {
        let refused = project.kilter(args).run();
        assert_eq!((refused.code, project.root().join("kilter.yaml").exists()), (2, false), "{args:?}");
        insta::allow_duplicates! { insta::assert_snapshot!(refused.stderr, @r"
        looking at the project
        error: `kilter init` asks before it writes kilter.yaml, and nobody can be asked here.
          = Take what is selected: `kilter init --yes`. Only look: `kilter init --dry-run`.
        "); }
    }
    project.kilter(&["init", "--no-input", "--dry-run"]).succeeds();
    let refused = project.kilter(&["up", "--no-input"]).fails(2);
    assert!(refused.contains("`kilter up --yes`"), "{refused}");
    assert!(!project.root().join("kilter.yaml").exists());
    project.kilter(&["init", "--no-input", "--yes"]).succeeds();
    insta::assert_snapshot!(project.read("kilter.yaml"), @r"
    # What this project needs to run. Everything is optional; `kilter schema` describes every field.
    services:
      - postgres
      - redis
    ");
    // What writes nothing needs no consent.
    for args in [&["init", "--yes"][..], &["init", "--no-input"]] {
        let again = project.kilter(args).succeeds();
        assert!(again.stderr.ends_with("kilter.yaml has all of that already; nothing to write.\n"), "{}", again.stderr);
    }

    project.write("kilter.yaml", "# mine\nname: mine\nservices:\n  - redis   # cache\n");
    project.kilter(&["init", "--yes"]).succeeds();
    assert_eq!(project.read("kilter.yaml"), "# mine\nname: mine\nservices:\n  - redis   # cache\n  - postgres\n");
}

#[test]
fn a_name_is_given_where_the_directory_has_none() {
    let Some(_) = helm() else { return };
    for directory in ["日本", "tools"] {
        let project = Project::new(directory).file("package.json", PACKAGE);
        let refused = project.kilter(&["init", "--yes"]).fails(1);
        assert!(refused.contains("`kilter init --name "), "{refused}");
        let found = parsed(&project, &["init", "--dry-run", "--json", "--name", "shop"]);
        assert_eq!(found["name"], "shop");
        project.kilter(&["init", "--yes", "--name", "shop"]).succeeds();
        assert!(project.read("kilter.yaml").contains("\nname: shop\n"), "{}", project.read("kilter.yaml"));
        assert!(project.read("kilter.lock").contains("  name: \"shop\"\n"), "{}", project.read("kilter.lock"));
    }
}

#[test]
fn another_directory_of_one_name_is_told_of_with_what_mends_it() {
    let Some(_) = helm() else { return };
    let (first, project) = (shop(), shop());
    let taken = json!({"instances": {"shop": {"dir": first.root(), "blocks": [20000]}}}).to_string();
    kilter::fsx::write(&project.state().join("kilter/machine.json"), taken.as_bytes()).unwrap();
    let dry = parsed(&project, &["init", "--dry-run", "--json"]);
    let clash = dry["clashes"][0].as_str().unwrap_or_default();
    assert!(clash.contains("already is the project `shop` on this machine. "), "{dry}");
    assert!(project.kilter(&["init", "--dry-run"]).succeeds().stderr.contains(&format!("Clash: {clash}\n")));
    let dry = parsed(&project, &["init", "--dry-run", "--json", "--name", "store"]);
    assert_eq!(dry["clashes"], json!([]));
    let refused = project.kilter(&["init", "--yes"]).run();
    assert_eq!(refused.code, 1);
    for said in [
        "already is the project `shop` on this machine",
        "  = If it is another project, give it another name: `kilter init --name NAME`.\n",
    ] {
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
    project.kilter(&["init", "--yes", "--name", "store"]).succeeds();
}

#[test]
fn an_image_that_the_project_runs_and_that_holds_more_is_written_too() {
    let project = shop();
    project.write("compose.yml", "services:\n  db:\n    image: pgvector/pgvector:pg16\n  cache: {image: redis}\n");
    let done = project.kilter(&["init", "--yes"]).succeeds();
    let image = "  compose.yml:3  pgvector/pgvector:pg16, which holds more than postgres alone\n";
    assert!(done.stdout.contains(image), "{}", done.stdout);
    let text = project.read("kilter.yaml");
    assert!(text.contains("  - name: postgres\n    image: pgvector/pgvector:pg16\n"), "{text}");
    let manifest = project.kilter(&["render", "--stdout", "postgres"]).succeeds().stdout;
    assert!(manifest.contains("image: \"pgvector/pgvector:pg16\""), "{manifest}");
}

#[test]
fn a_developers_own_file_of_environment_is_named_and_not_read() {
    let project = shop();
    project.write(".env", "KEY=canary-4711\n");
    project.kilter(&["init", "--yes"]).succeeds();
    let text = fs::read_to_string(project.root().join("kilter.yaml")).unwrap();
    assert!(text.contains("\nenvFile: .env\n"), "{text}");
    let manifest = project.kilter(&["render", "--stdout", "app"]).succeeds().stdout;
    assert!(manifest.contains("name: \"shop-env-file\"") && !manifest.contains("canary"), "{manifest}");
    let tiltfile = fs::read_to_string(project.cache().join("shop/Tiltfile")).unwrap();
    assert!(tiltfile.contains("\"**/.env\""), "{tiltfile}");
    project.write("kilter.yaml", "envFile: ../.env\n");
    let refused = project.kilter(&["render"]).fails(1);
    assert!(refused.contains("`envFile` leaves the project"), "{refused}");
}

#[test]
fn what_kilter_yaml_has_in_another_form_is_not_added_again() {
    let project = shop();
    project.write("kilter.yaml", "services:\n  - {name: db, from: postgres}\n  - {name: cache, image: 'acme/redis:1', port: 6379, provides: {REDIS_URL: 'redis://{{ .Host }}:{{ .Port.main }}'}}\n");
    let before = project.read("kilter.yaml");
    let done = project.kilter(&["init", "--yes"]).succeeds();
    assert_eq!(project.read("kilter.yaml"), before);
    assert!(
        done.stderr.contains("`redis` is left out: `cache` of kilter.yaml gives `REDIS_URL` already.\n"),
        "{}",
        done.stderr
    );
    let found = parsed(&project, &["init", "--dry-run", "--json"]);
    let redis = found["services"].as_array().unwrap().iter().find(|row| row["name"] == "redis").unwrap();
    assert_eq!(redis["selected"], false);
    project.write("kilter.yaml", "env: {REDIS_URL: 'redis://elsewhere'}\n");
    project.kilter(&["init", "--yes"]).succeeds();
    assert_eq!(project.read("kilter.yaml"), "env: {REDIS_URL: 'redis://elsewhere'}\nservices:\n  - postgres\n");
}

#[test]
fn what_is_selected_is_what_is_written() {
    let project = shop();
    project.write("compose.yml", "services:\n  aws: {image: floci/floci}\n  s3: {image: minio/minio}\n  db: {image: postgres}\n  cache: {image: redis}\n");
    let selected = |found: Value| -> Vec<String> {
        let rows = found["services"].as_array().unwrap().iter().filter(|row| row["selected"] == true);
        rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    let before = selected(parsed(&project, &["init", "--dry-run", "--json"]));
    let done = project.kilter(&["init", "--yes"]).succeeds();
    assert!(done.stdout.contains("covered by floci, which gives AWS_ACCESS_KEY_ID as well"), "{}", done.stdout);
    let written = project.read("kilter.yaml");
    let names: Vec<&str> = written.lines().filter_map(|line| line.strip_prefix("  - ")).collect();
    assert_eq!(before, names);
    assert!(names.contains(&"floci") && !names.contains(&"garage"), "{written}");
    assert_eq!(selected(parsed(&project, &["init", "--dry-run", "--json"])), before);
    // What is there already stays, whatever is surer.
    project.write("kilter.yaml", "services:\n  - garage\n  - mailpit\n");
    project.kilter(&["init", "--yes"]).succeeds();
    let mut there = selected(parsed(&project, &["init", "--dry-run", "--json"]));
    there.sort();
    assert_eq!(there, ["garage", "mailpit", "postgres", "redis"]);
    assert!(!project.read("kilter.yaml").contains("floci"));
}

#[test]
fn what_is_new_is_selected_from_70_percent_on() {
    let project = Project::new("shop")
        .file(
            "package.json",
            r#"{"scripts": {"dev": "node server.js"},
"dependencies": {"pg": "8", "mysql2": "3", "ioredis": "5", "nodemailer": "7", "@aws-sdk/client-s3": "3"},
"devDependencies": {"mongodb": "6", "@testcontainers/kafka": "11"},
"optionalDependencies": {"amqplib": "0.10"}}"#,
        )
        .file("worker/pyproject.toml", "[project]\ndependencies = ['psycopg']\noptional-dependencies.x = ['meilisearch']\n")
        .file(".env.example", "NATS_URL=nats://localhost:4222\nREDIS_URL=redis://localhost:6379\n")
        .file(
            "compose.yml",
            "services:\n  db: {image: postgres}\n  mail: {image: axllent/mailpit}\n  cache: {image: redis}\n  search: {image: elasticsearch, profiles: [tools]}\n",
        );
    let found = parsed(&project, &["init", "--dry-run", "--json"]);
    let rows = found["services"].as_array().unwrap();
    let (mut selected, mut proposed, mut percent) = (Vec::new(), Vec::new(), std::collections::BTreeSet::new());
    for row in rows {
        let (name, sure) = (row["name"].as_str().unwrap(), row["confidence"].as_f64().unwrap());
        let is_selected = row["selected"].as_bool().unwrap();
        assert_eq!(is_selected, sure >= 0.7, "{row}");
        percent.insert(format!("{:.0}", sure * 100.0));
        if is_selected { selected.push(name) } else { proposed.push(name) }
    }
    selected.sort_unstable();
    proposed.sort_unstable();
    assert_eq!(selected, ["mailpit", "nats", "postgres", "redis"]);
    assert_eq!(proposed, ["elasticsearch", "garage", "kafka", "meilisearch", "mongodb", "mysql", "rabbitmq"]);
    assert!(percent.len() > 4, "several kinds of evidence: {percent:?}");
    let said = project.kilter(&["init", "--dry-run"]).succeeds().stdout;
    for row in rows {
        let mark = if row["selected"] == true { "selected" } else { "perhaps " };
        let percent = row["confidence"].as_f64().unwrap() * 100.0;
        let line = format!("\n{}  {mark}  {percent:.0} %\n", row["name"].as_str().unwrap());
        assert!(said.contains(&line), "{line}{said}");
    }
}

#[test]
fn before_up_standard_output_stays_with_up() {
    let project = shop();
    for json in [&["--json"][..], &[]] {
        let up = project.kilter(&["up", "--yes"]).env("KILTER_HELM", "/nonexistent/helm");
        let said = json.iter().fold(up, |up, flag| up.arg(flag)).fails(3);
        assert!(said.contains("Wrote kilter.yaml.\n") && !said.contains("kilter render"), "{said}");
        assert_eq!(json.is_empty(), said.contains("package.json:5  pg"), "the evidence of what is written: {said}");
        fs::remove_file(project.root().join("kilter.yaml")).unwrap();
    }
}

#[test]
fn what_options_say_of_the_app_is_not_said_to_be_missing() {
    let project = Project::new("shop").file("requirements.txt", "flask==3\n");
    let said = project.kilter(&["init", "--dry-run", "--dev", "flask run", "--image", "acme/py:3"]).succeeds().stdout;
    assert!(said.contains("dev     flask run  `--dev`\n") && said.contains("image   acme/py:3  `--image`\n"), "{said}");
}

#[test]
fn another_version_that_the_project_runs_is_said() {
    let said = |image: &str| {
        let compose = format!("services:\n  db:\n    image: {image}\n");
        let project = Project::new("shop").file("compose.yaml", compose);
        project.kilter(&["init", "--dry-run"]).succeeds().stdout
    };
    let ours = &kilter::catalog::service("postgres").unwrap().image;
    for image in ["postgres:16-alpine", "docker.io/library/postgres:9.6"] {
        let expected = format!(
            "compose.yaml:3  {image}  kilter's is {}; for this one: `kilter add postgres --image {image}`\n",
            ours.split_once(':').unwrap().1
        );
        assert!(said(image).contains(&expected), "{}", said(image));
    }
    for image in [ours.as_str(), "postgres", "postgres:latest", "${IMAGE}"] {
        assert!(!said(image).contains("for this one"), "{}", said(image));
    }
}

#[test]
fn an_app_that_comes_later_is_taken_up_and_one_that_moved_is_said() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop");
    project.kilter(&["add", "redis"]).succeeds();
    let app = |port: u16| {
        let scripts = format!(r#"{{"dev": "vite --port {port}"}}"#);
        format!(r#"{{"name": "shop", "scripts": {scripts}, "devDependencies": {{"vite": "7"}}}}"#)
    };
    project.write("package.json", app(3005));
    let missing = project.kilter(&["up", "--only", "app", "--no-input"]).fails(2);
    assert!(missing.contains("`kilter init`"), "{missing}");
    let (before, yaml) = (project.read("kilter.lock"), project.read("kilter.yaml"));
    let dry = parsed(&project, &["init", "--dry-run", "--json"]);
    let renders: Vec<&str> =
        dry["renders"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!((renders, project.read("kilter.lock")), (vec!["app"], before));
    let unasked = project.kilter(&["init"]).run();
    assert_eq!(unasked.code, 2, "{}", unasked.stderr);
    assert!(unasked.stderr.contains("asks before it writes kilter.lock"), "{}", unasked.stderr);
    let said = project.kilter(&["init", "--yes"]).succeeds().stderr;
    assert!(
        said.ends_with("Took up the app, which runs by `npm run dev -- --host 0.0.0.0`. Next: `kilter up`.\n"),
        "{said}"
    );
    assert_eq!(project.read("kilter.yaml"), yaml);
    assert!(project.read("kilter.lock").contains("3005"), "{}", project.read("kilter.lock"));
    let again = project.kilter(&["init", "--yes"]).succeeds().stderr;
    assert!(again.ends_with("nothing to write.\n") && !again.contains("warning"), "{again}");

    project.write("package.json", app(3007));
    let moved = project.kilter(&["init", "--yes"]).succeeds().stderr;
    assert!(moved.contains("port was `3005`, is `3007`") && moved.contains("`kilter upgrade app`"), "{moved}");
    assert!(project.read("kilter.lock").contains("3005"));
}

#[test]
fn the_example_of_the_help_is_taken_as_it_is() {
    let Some(_) = helm() else { return };
    let help = Project::new("shop").kilter(&["help", "services"]).succeeds().stdout;
    let lines = help.lines().skip_while(|line| *line != "  services:").take_while(|line| !line.is_empty());
    // The chart of one's own is not there.
    let lines: Vec<&str> = lines.filter(|line| !line.contains("chart:")).filter_map(|line| line.get(2..)).collect();
    let project = Project::new("shop").file("kilter.yaml", &(lines.join("\n") + "\n"));
    project.kilter(&["render"]).succeeds();
}

#[test]
fn a_directory_that_no_tool_could_be_told_is_refused_by_name() {
    use std::os::unix::ffi::OsStrExt as _;
    let project = Project::new("shop");
    let odd = project.root().join(std::ffi::OsStr::from_bytes(b"dir\xff"));
    std::fs::create_dir(&odd).unwrap();
    let said = project.kilter(&["init", "--yes"]).cwd(&odd).fails(1);
    assert!(said.contains("is not UTF-8") && said.contains("dir"), "{said}");
}
