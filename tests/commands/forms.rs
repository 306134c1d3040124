//! The variables that a project reads, given by the services that `kilter init` and `kilter add` write.

use super::*;

const EXAMPLE: &str = "DB_HOST=127.0.0.1\nDB_PORT=3306\nDB_PASSWORD=\nCACHE_STORE=redis\nREDIS_HOST=127.0.0.1\n";

/// A project whose example environment names its variables.
fn shop() -> Project {
    Project::new("shop").file("package.json", r#"{"dependencies": {"mysql2": "3"}}"#).file(".env.example", EXAMPLE)
}

#[test]
fn what_the_project_reads_is_written_and_reaches_the_app() {
    let project = shop();
    let found = parsed(&project, &["init", "--dry-run", "--json"]);
    let mysql = found["services"].as_array().unwrap().iter().find(|row| row["name"] == "mysql").unwrap();
    let forms = json!({"DB_HOST": "{{ .Host }}", "DB_PORT": "{{ .Port.mysql }}", "DB_PASSWORD": "{{ .Password }}"});
    assert_eq!(mysql["provides"], forms);
    let said = project.kilter(&["init", "--yes"]).succeeds();
    let line = "  .env.example:1  DB_HOST, DB_PORT, DB_PASSWORD  given to the app, too\n";
    assert!(said.stdout.contains(line), "{}", said.stdout);
    insta::assert_snapshot!(fs::read_to_string(project.root().join("kilter.yaml")).unwrap(), @r#"
    # What this project needs to run. Everything is optional; `kilter schema` describes every field.
    services:
      - name: mysql
        provides:
          DB_HOST: "{{ .Host }}"
          DB_PORT: "{{ .Port.mysql }}"
          DB_PASSWORD: "{{ .Password }}"
      - name: redis
        values:
          auth:
            password: ""
        provides:
          CACHE_STORE: redis
          REDIS_HOST: "{{ .Host }}"
    "#);
    let why = project.kilter(&["why", "mysql"]).succeeds().stdout;
    assert!(why.contains("The project reads, of what it can give:\n  .env.example:1  DB_HOST\n"), "{why}");
    let why = parsed(&project, &["why", "mysql", "--json"]);
    assert_eq!(why["reads"][0], json!({"file": ".env.example", "line": 1, "variable": "DB_HOST"}));
    // The app has them, and clients on this machine as they reach it.
    let env = parsed(&project, &["env", "--json"]);
    assert_eq!(env["inCluster"]["DB_HOST"], "mysql.shop-dev.svc");
    assert_eq!(env["inCluster"]["DB_PORT"], "3306");
    assert_eq!(env["localhost"]["DB_HOST"], "127.0.0.1");
    assert_ne!(env["localhost"]["DB_PORT"], "3306");
    assert!(
        env["inCluster"]["MYSQL_URL"].as_str().unwrap().contains(env["inCluster"]["DB_PASSWORD"].as_str().unwrap())
    );
    // No code has to be written for what is read already.
    assert!(!said.stderr.contains("In the app's code"), "{}", said.stderr);
}

#[test]
fn a_service_that_is_added_gives_them_and_options_go_before() {
    let project = shop();
    let added = parsed(&project, &["add", "mysql", "--image", "mysql:8.4.6", "--provides", "DB_PORT=null", "--json"]);
    let env: Vec<&String> = added["env"].as_object().unwrap().keys().collect();
    assert_eq!(env, ["MYSQL_URL", "DB_HOST", "DB_PASSWORD"]);
    // Again: what is there stays as it is.
    let again = project.kilter(&["add", "mysql", "redis"]).succeeds();
    assert!(again.stderr.contains("`mysql` is in kilter.yaml already."), "{}", again.stderr);
    let text = fs::read_to_string(project.root().join("kilter.yaml")).unwrap();
    assert!(text.contains("CACHE_STORE: redis") && text.matches("DB_HOST").count() == 1, "{text}");
}

#[test]
fn what_two_services_could_give_or_env_has_nobody_is_given() {
    let project = shop();
    project.write("package.json", r#"{"dependencies": {"mysql2": "3", "pg": "8"}}"#);
    let both = parsed(&project, &["init", "--dry-run", "--json", "--services", "mysql,postgres,redis"]);
    let env: Vec<&String> = both["env"].as_object().unwrap().keys().collect();
    assert_eq!(env, ["MYSQL_URL", "DATABASE_URL", "REDIS_URL", "CACHE_STORE", "REDIS_HOST"]);
    project.write("kilter.yaml", "env: {DB_HOST: elsewhere}\nservices: [{name: other, from: redis}]\n");
    let kept = parsed(&project, &["add", "mysql", "--dry-run", "--json"]);
    let text = kept["kilterYaml"].as_str().unwrap();
    // The rest of a group is of no use without its host.
    assert!(text.contains("mysql") && !text.contains("DB_PORT") && !text.contains("REDIS_HOST"), "{text}");
}

#[test]
fn a_group_is_one_services_or_nobodys() {
    let project = Project::new("shop").file(".env.example", "DB_HOST=x\nDB_NAME=y\n");
    let db = "services: [{name: db, image: 'acme/db:1', port: 3306, provides: {DB_HOST: '{{ .Host }}'}}]\n";
    project.write("kilter.yaml", db);
    let added = parsed(&project, &["add", "postgres", "--dry-run", "--json"]);
    let env: Vec<&String> = added["env"].as_object().unwrap().keys().collect();
    assert_eq!(env, ["DB_HOST", "DATABASE_URL"]);
}

#[test]
fn a_store_without_a_password_where_the_project_reads_none() {
    let redis = |example: &str| {
        let project = Project::new("shop").file(".env.example", example);
        let added = parsed(&project, &["add", "redis", "--dry-run", "--json"]);
        let text = added["kilterYaml"].as_str().unwrap().to_owned();
        (text.contains("password: \"\""), added["env"]["REDIS_URL"].as_str().unwrap().to_owned())
    };
    assert_eq!(redis("REDIS_HOST=x\nREDIS_PORT=6379\n"), (true, "redis://redis.shop-dev.svc:6379".into()));
    let both = redis("REDIS_HOST=x\nREDIS_URL=redis://localhost\n");
    assert_eq!(both, (true, "redis://redis.shop-dev.svc:6379".into()), "either way leads to it");
    assert!(!redis("REDIS_HOST=x\nREDIS_USERNAME=\n").0);
    assert!(!redis("REDIS_HOST=x\nREDIS_PASSWORD=\n").0 && !redis("CACHE=redis://x\n").0 && !redis("").0);
}

#[test]
fn no_key_where_a_client_would_take_it_for_a_sign_of_tls() {
    let qdrant = |example: &str| {
        let project = Project::new("shop").file(".env.example", example);
        let added = parsed(&project, &["add", "qdrant", "--dry-run", "--json"]);
        let variables = added["env"].as_object().unwrap().keys().filter(|name| !name.ends_with("UI_URL"));
        (added["kilterYaml"].as_str().unwrap().contains("apiKey: \"\""), variables.cloned().collect::<Vec<_>>())
    };
    let all = ["QDRANT_URL", "QDRANT_GRPC_URL", "QDRANT_HOST", "QDRANT_PORT"].map(str::to_owned);
    assert_eq!(qdrant("QDRANT_HOST=x\nQDRANT_PORT=6333\nQDRANT_API_KEY=\n"), (true, all.into()));
    let project = Project::new("shop").file(".env.example", "QDRANT_HOST=x\nQDRANT_API_KEY=\n");
    let added = parsed(&project, &["add", "qdrant", "--storage", "5Gi", "--dry-run", "--json"]);
    let yaml = added["kilterYaml"].as_str().unwrap();
    assert!(yaml.contains("apiKey: \"\"") && yaml.contains("size: 5Gi"), "{yaml}");
    let keyed = ["QDRANT_URL", "QDRANT_GRPC_URL", "QDRANT_API_KEY"].map(str::to_owned);
    assert_eq!(qdrant("QDRANT_URL=http://localhost:6333\nQDRANT_API_KEY=\n"), (false, keyed.into()));
}

#[test]
fn what_is_left_open_is_said() {
    let clients = r#"{"dependencies": {"mysql2": "3"}}"#;
    let project = Project::new("shop").file("a/package.json", clients).file(".env.example", "DB_HOST=x\n");
    project.write("b/package.json", r#"{"dependencies": {"pg": "8"}}"#);
    let said = project.kilter(&["init", "--dry-run"]).succeeds().stdout;
    assert!(said.contains("\nDB_HOST  left to you: mysql and postgres could give it\n"), "{said}");
}

#[test]
fn a_key_that_the_project_names_is_asked_for() {
    let added = |example: &str| {
        let project = Project::new("shop").file(".env.example", example);
        parsed(&project, &["add", "meilisearch", "--dry-run", "--json"])["env"].clone()
    };
    let keyed = added("MEILI_HOST=http://localhost:7700\nMEILISEARCH_KEY=\n");
    assert!(keyed["MEILISEARCH_KEY"].as_str().is_some_and(|key| key.len() >= 16), "{keyed}");
    let open = added("MEILI_HOST=http://localhost:7700\n");
    assert!(open["MEILISEARCH_KEY"].is_null() && open["MEILI_HOST"].is_string(), "{open}");
}
