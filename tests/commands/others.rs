//! The commands that show things, and the JSON of those that render.

use super::*;

#[test]
fn why_shows_the_line_and_the_evidence() {
    let project = shop().file("kilter.yaml", "services:\n  - redis # cache\n");
    insta::assert_snapshot!(project.kilter(&["why", "redis"]).succeeds().stdout, @r"
    redis is in kilter.yaml:2: - redis # cache
      package.json:6  ioredis  ioredis works with redis (95 %)
      together 95 %: selected
    ");
    insta::assert_snapshot!(project.kilter(&["why", "mailpit"]).succeeds().stdout, @r"
    mailpit is not in kilter.yaml.
      package.json:7  nodemailer  nodemailer hints at mailpit (40 %)
      together 40 %: proposed, not selected
    ");
    insta::assert_snapshot!(project.kilter(&["why", "temporal"]).succeeds().stdout, @r"
    temporal is not in kilter.yaml.
    Nothing in the project's manifests points to it.
    ");
    insta::assert_snapshot!(project.kilter(&["why", "rediss"]).fails(2), @r"
    error: kilter's catalog has no service `rediss`.
      = Did you mean `redis`?
    ");
    project.write("kilter.yaml", "services:\n  - {name: cache, from: redis}\n  - redis\n");
    let cache = project.kilter(&["why", "cache"]).succeeds().stdout;
    assert!(
        cache.starts_with("cache is in kilter.yaml:2: - {name: cache, from: redis}\n  package.json:6  ioredis"),
        "{cache}"
    );
    project.write("kilter.yaml", "services:\n  - redis # cache\n");
    let why = parsed(&project, &["why", "redis", "--json"]);
    assert_eq!(keys(&why), ["name", "line", "selected", "confidence", "evidence", "reads"]);
    assert_eq!((&why["line"], &why["evidence"][0]["package"]), (&json!(2), &json!("ioredis")));
}

#[test]
fn the_catalog_shows_every_service() {
    let project = Project::new("shop");
    let list = project.kilter(&["catalog"]).succeeds();
    let rows = parsed(&project, &["catalog", "--json"]);
    assert_eq!(list.stderr, "");
    assert_eq!(rows.as_array().unwrap().len(), kilter::catalog::services().len());
    for (name, about) in kilter::catalog::services() {
        assert!(list.stdout.contains(&format!("  {name}")) && list.stdout.contains(&about.description), "{name}");
        let shown = project.kilter(&["catalog", "show", name]).succeeds().stdout;
        assert!(about.provides.keys().all(|variable| shown.contains(variable)), "{shown}");
        assert!(shown.contains(&about.image) && shown.contains(&about.category), "{shown}");
        assert!(
            about.credentials.iter().all(|one| shown.contains(&format!("{:8} {}", one.name, one.value))),
            "{shown}"
        );
        assert!(!about.ports.is_empty() && about.docs.starts_with("https://"), "{name}");
        assert!(shown.contains(&format!("\n  docs      {}\n", about.docs)), "{shown}");
        for port in &about.ports {
            let page = if port.ui { "  (a page)" } else { "" };
            assert!(shown.contains(&format!("\n  port      {} {}{page}\n", port.name, port.port)), "{shown}");
        }
        assert!(about.variants.iter().all(|image| shown.contains(image.as_str())), "{shown}");
        let rules = || about.detect.values();
        for package in rules().flat_map(|rules| rules.strong.iter().chain(&rules.weak).chain(&rules.tests)) {
            assert!(shown.contains(package.as_str()), "{package}: {shown}");
        }
        let in_tests = rules().filter(|rules| !rules.tests.is_empty()).count();
        assert_eq!(shown.matches(" in tests: ").count(), in_tests, "{shown}");
        let json = parsed(&project, &["catalog", "show", name, "--json"]);
        let forms = json.get("forms").map(|_| "forms");
        let documented = ["name", "category", "description", "docs", "image", "variants", "ports", "provides"];
        let documented = documented.into_iter().chain(forms);
        let rest = ["credentials", "values", "detect", "oneOf", "requires", "resources"];
        assert_eq!(keys(&json), documented.chain(rest).collect::<Vec<_>>(), "{name}");
        for port in json["ports"].as_array().unwrap() {
            let known = ["name", "port", "protocol", "ui", "localhost"];
            assert_eq!(keys(port), known[..keys(port).len()], "{name}");
            assert!(keys(port).len() >= 4, "{name}");
        }
        for (key, said) in [
            ("name", json!(name)),
            ("docs", json!(about.docs)),
            ("image", json!(about.image)),
            ("variants", json!(about.variants)),
            ("ports", json!(about.ports)),
            ("provides", json!(about.provides)),
            ("credentials", json!(about.credentials)),
            ("detect", json!(about.detect)),
            ("requires", json!(about.requires)),
        ] {
            assert_eq!(json[key], said, "{name}: {key}");
        }
        assert!(rows.as_array().unwrap().contains(&json), "{name}: an element of the list");
        let resources = kilter::catalog::chart(name).unwrap().resources();
        assert!(!resources.is_empty() && json["resources"] == json!(resources), "{json}");
        for asks in resources {
            let line = shown.lines().find(|line| line.starts_with(&format!("  takes     {}", asks.container))).unwrap();
            let amounts = asks.requests.iter().chain(&asks.limits).map(|(name, amount)| format!("{name} {amount}"));
            assert!(amounts.into_iter().all(|amount| line.contains(&amount)), "{line}");
        }
    }
    let shown = project.kilter(&["catalog", "show", "postgres"]).succeeds().stdout;
    insta::assert_snapshot!(shown.split("  detected by").next().unwrap(), @r"
    postgres  PostgreSQL, and pgweb to browse it.
      category  database
      image     postgres:18.6
      or        pgvector/pgvector, postgis/postgis, imresamu/postgis, where the project runs it
      docs      https://www.postgresql.org/docs/18/
      port      postgres 5432
      port      ui 8081  (a page)
      takes     postgres     cpu 50m, memory 128Mi; at most memory 512Mi
      takes     ui           cpu 10m, memory 32Mi; at most memory 128Mi
      gives the app
        DATABASE_URL=postgresql://postgres:{{ .Values.auth.password }}@{{ .Host }}:{{ .Port.postgres }}/{{ .Values.auth.database }}?sslmode=disable
      log in with
        user     postgres
        password {{ .Values.auth.password }}
        database {{ .Values.auth.database }}
    ");
    let columns = list.stdout.lines().filter(|line| line.starts_with("  ")).map(|line| {
        let name = line[2..].split(' ').next().unwrap_or_default().len();
        2 + name + line[2 + name..].len() - line[2 + name..].trim_start().len()
    });
    assert_eq!(columns.collect::<std::collections::BTreeSet<_>>().len(), 1, "one column: {}", list.stdout);
    insta::assert_snapshot!(project.kilter(&["catalog", "postgres"]).fails(2), @r"
    error: `kilter catalog` has no command `postgres`.
      = Show the service: `kilter catalog show postgres`.
    ");
    for (word, hint) in [("shwo", "Did you mean `kilter catalog show`?"), ("nothing", "`kilter catalog show SERVICE`")]
    {
        let refused = project.kilter(&["catalog", word, "--json"]).fails(2);
        assert!(refused.contains(hint), "{refused}");
    }
    insta::assert_snapshot!(project.kilter(&["catalog", "show", "postgrse"]).fails(2), @r"
    error: kilter's catalog has no service `postgrse`.
      = Did you mean `postgres`?
    ");
}

#[test]
fn version_tools_schema_completions_and_man() {
    let project = Project::new("shop");
    assert_eq!(project.kilter(&["--version"]).succeeds().stdout, format!("kilter {}\n", env!("CARGO_PKG_VERSION")));
    let version = parsed(&project, &["version", "--json"]);
    assert_eq!(keys(&version), ["version", "tools", "kubernetes"]);
    assert_eq!(keys(&version["tools"]), ["helm", "tilt", "kind", "kubectl", "sops"]);
    let text = project.kilter(&["version"]).succeeds().stdout;
    assert!(version["tools"].as_object().unwrap().values().all(|v| text.contains(v.as_str().unwrap())), "{text}");

    let tools = project.kilter(&["tools", "list", "--json"]).without("KILTER_HELM").succeeds();
    let tools: Value = serde_json::from_str(&tools.stdout).unwrap();
    assert_eq!(tools[1], json!({"tool": "tilt", "version": version["tools"]["tilt"], "path": null}));
    insta::assert_snapshot!(project.kilter(&["tools", "path", "helmm"]).fails(2), @r"
    error: kilter has no tool `helmm`.
      = Did you mean `helm`?
    ");

    let schema = parsed(&project, &["schema"]);
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&json!({"services": ["redis"]})));
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(project.kilter(&["completions", shell]).succeeds().stdout.contains("kilter"), "{shell}");
    }
    assert!(project.kilter(&["man"]).succeeds().stdout.contains(".TH kilter 1"));
    let pages = project.kilter(&["man", "--out", "man1"]).succeeds().stdout;
    assert!(pages.lines().all(|page| Path::new(page).is_file()) && pages.contains("kilter-eject.1"), "{pages}");
}

#[test]
fn a_shell_is_offered_what_there_is() {
    let yaml = "services: [redis, {name: reports, from: postgres}]\nenvironments: {staging: {env: {A: b}}}\n";
    let project = Project::new("shop").file("kilter.yaml", yaml).file("api/x", "");
    for (words, offered) in [
        (&["add", "post"][..], "postgres"),
        (&["add", "x", "--from", "post"], "postgres"),
        (&["remove", "re"], "redis\nreports"),
        (&["logs", ""], "app\nredis\nreports"),
        (&["up", "--only", "rep"], "reports"),
        (&["eject", "values/"], "values/app\nvalues/redis\nvalues/reports"),
        (&["eject", "k"], "kind"),
        (&["deploy", "--env", ""], "prod\nstaging"),
        (&["apps", "show", "--env", "s"], "staging"),
    ] {
        let run = project.kilter(&[&["--", "kilter"], words].concat()).cwd(&project.root().join("api"));
        let index = words.len().to_string();
        let completed =
            run.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", index).env("_CLAP_IFS", "\n").succeeds();
        let words_alone: Vec<&str> = completed.stdout.lines().filter(|line| !line.starts_with("--")).collect();
        assert_eq!(words_alone.join("\n"), offered, "{words:?}");
    }
    let broken = Project::new("shop").file("kilter.yaml", "services: [[[");
    let completed =
        broken.kilter(&["--", "kilter", "remove", ""]).env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "2");
    assert!(!completed.succeeds().stdout.contains("error"));
}

/// What bash offers for a line, by its own way to complete (`complete -F`), as after Tab: one a line.
const TAB: &str = r#"
source "$KILTER_BASH"
read -ra COMP_WORDS <<<"$1"
[[ $1 != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
spec=$(complete -p kilter)
function=${spec##*-F }
"${function%% *}" kilter "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

#[test]
fn bash_completes_what_there_is() {
    let yaml = "services: [redis, {name: reports, from: postgres}]\nenvironments: {staging: {env: {A: b}}}\n";
    let project = Project::new("shop").file("kilter.yaml", yaml);
    let script = project.outside("kilter.bash");
    kilter::fsx::write(&script, project.kilter(&["completions", "bash"]).succeeds().stdout.as_bytes()).unwrap();
    let program = project.kilter::<&str>(&[]).into_command();
    let path = format!("{}:/usr/bin:/bin", Path::new(program.get_program()).parent().unwrap().display());
    for (line, offered) in [
        ("kilter add postg", &["postgres"][..]),
        ("kilter remove re", &["redis", "reports"]),
        ("kilter logs app", &["app"]),
        ("kilter eject values/", &["values/app", "values/redis", "values/reports"]),
        ("kilter deploy --env ", &["prod", "staging"]),
        ("kilter help serv", &["services"]),
        ("kilter help ej", &["ejecting", "eject"]),
        ("kilter compl", &["completions"]),
        ("kilter remove --da", &["--data"]),
    ] {
        let mut bash = command(Path::new("/bin/bash"));
        bash.args(["--norc", "-c", TAB, "bash", line]).current_dir(project.root()).env_clear();
        bash.env("PATH", &path).env("HOME", project.home()).env("KILTER_BASH", &script);
        let done = bash.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&done.stderr), "", "{line}");
        let stdout = String::from_utf8_lossy(&done.stdout);
        let words: Vec<&str> =
            stdout.lines().filter(|word| !word.is_empty() && (line.contains("--") || !word.starts_with('-'))).collect();
        assert_eq!(words.iter().map(|word| word.trim()).collect::<Vec<_>>(), offered, "{line}");
    }
}

#[test]
fn bash_accepts_its_completions() {
    let project = Project::new("shop");
    project.write("kilter.bash", project.kilter(&["completions", "bash"]).succeeds().stdout);
    let done = command(Path::new("/bin/bash")).arg("-n").arg(project.root().join("kilter.bash")).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn json_of_render_verify_and_upgrade() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
    let check = parsed(&project, &["render", "--check", "--json"]);
    assert_eq!((keys(&check), &check["lock"]), (vec!["changes", "lock"], &json!(true)));
    assert_eq!(check["changes"][0], json!({"path": "Tiltfile", "change": "added"}));
    let done = parsed(&project, &["render", "--json"]);
    assert_eq!(keys(&done), ["project", "artifacts", "services", "changes"]);
    assert_eq!(keys(&done["services"][0]), ["name", "source", "manifest", "digest"]);
    assert_eq!(done["services"][0]["source"], "cache", "the check has rendered it");
    let manifest = fs::read_to_string(done["services"][0]["manifest"].as_str().unwrap()).unwrap();
    assert_eq!(parsed(&project, &["render", "--stdout", "--json"]), json!([{"name": "redis", "manifest": manifest}]));
    assert_eq!(project.kilter(&["render", "--stdout"]).succeeds().stdout, manifest);
    let out = parsed(&project, &["render", "--out", "out", "--json"]);
    assert_eq!(out, json!([{"name": "redis", "path": project.root().join("out/redis.yaml")}]));
    let commands = parsed(&project, &["render", "--show-commands", "--json"]);
    assert_eq!(commands[0]["command"], project.kilter(&["render", "--show-commands"]).succeeds().stdout.trim_end());
    let verified = parsed(&project, &["verify", "--json"]);
    assert_eq!(keys(&verified[0]), ["name", "verified", "problems", "unstable", "readsBuild", "digest"]);
    let upgrade = parsed(&project, &["upgrade", "--dry-run", "--json"]);
    assert_eq!(upgrade, json!({"changed": [], "lock": false, "diff": "", "dryRun": true}));
}
