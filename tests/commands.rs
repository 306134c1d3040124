//! The commands as people and scripts meet them: results on standard output, talk on standard error, JSON that parses.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::helm;
use crate::support::project::{Project, command, write_script};

const PACKAGE: &str = "{\n  \"name\": \"shop\",\n  \"scripts\": {\"dev\": \"node server.js\"},\n  \"dependencies\": {\n    \"pg\": \"^8\",\n    \"ioredis\": \"^5\",\n    \"nodemailer\": \"^6\"\n  }\n}\n";

fn shop() -> Project {
    Project::new("shop").file("package.json", PACKAGE)
}

fn parsed(project: &Project, args: &[&str]) -> Value {
    let output = project.kilter(args).run();
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("{args:?}: {error}\n{}{}", output.stdout, output.stderr))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

mod add_and_remove {
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

        let again = project.kilter(&["add", "mailpit"]).succeeds();
        assert_eq!((again.stdout.as_str(), again.stderr.as_str()), ("", "`mailpit` is in kilter.yaml already.\n"));
        let removed = project.kilter(&["remove", "mailpit"]).succeeds();
        assert_eq!(removed.stdout, "");
        assert_eq!(project.read("kilter.yaml"), "# ours\nservices: # needed\n  - redis # cache\n");
        assert!(!project.cache().join("shop/manifests/mailpit.yaml").exists());
        assert!(!project.read("kilter.lock").contains("mailpit"));
        let quiet = project.kilter(&["add", "mailpit", "-q"]).succeeds();
        assert_eq!((quiet.stdout, quiet.stderr), (done.stdout, String::new()));
    }

    #[test]
    fn every_option_ends_up_in_the_entry() {
        let Some(_) = helm() else { return };
        let project = Project::new("shop");
        project.kilter(&["add", "postgres"]).succeeds();
        let refused = project.kilter(&["add", "reports-db", "--from", "postgres"]).fails(1);
        assert!(refused.contains("`DATABASE_URL` is provided by both `postgres` and `reports-db`"), "{refused}");
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
            (&["add", "postgres", "--set", "nonsense=1"][..], 4),
            (&["add", "x", "--chart", "./charts/none"], 1),
            (&["add", "postgres", "nope"], 2),
            (&["add", "Not A Name", "--image", "x", "--port", "80"], 1),
            (&["add", "x", "--image", "acme/x:1"], 1),
            (&["add"], 2),
            (&["add", "postgres", "redis", "--image", "x"], 2),
            (&["add", "x", "--env", "novalue"], 2),
            (&["remove", "nope"], 1),
        ] {
            project.kilter(&[args, &["-q"]].concat()).fails(code);
            assert_eq!((project.read("kilter.yaml"), project.read("kilter.lock")), before, "{args:?}");
        }
        let dry = project.kilter(&["add", "postgres", "--dry-run"]).succeeds();
        assert!(dry.stdout.contains("postgres"), "{}", dry.stdout);
        assert_eq!((project.read("kilter.yaml"), project.read("kilter.lock")), before);
    }

    #[test]
    fn json_of_add_and_remove() {
        let Some(_) = helm() else { return };
        let project = Project::new("shop");
        let dry = parsed(&project, &["add", "redis", "--dry-run", "--json"]);
        assert_eq!(dry, json!({"services": ["redis"], "kilterYaml": "services:\n  - redis\n", "dryRun": true}));
        assert!(!project.root().join("kilter.yaml").exists());
        let added = parsed(&project, &["add", "redis", "--json"]);
        assert_eq!(keys(&added), ["services", "kilterYaml", "dryRun", "env"]);
        let removed = parsed(&project, &["remove", "redis", "--json"]);
        assert_eq!((&removed["services"], &removed["env"]), (&json!(["redis"]), &json!({})));
    }
}

mod init {
    use super::*;

    #[test]
    fn a_dry_run_has_the_documented_shape_and_writes_nothing() {
        let project = shop();
        let found = parsed(&project, &["init", "--dry-run", "--json"]);
        assert_eq!(keys(&found), ["name", "port", "dev", "image", "health", "services"]);
        assert_eq!(
            (&found["name"], &found["dev"], &found["image"]),
            (&json!("shop"), &json!("npm run dev"), &json!("node:22-alpine"))
        );
        let rows = found["services"].as_array().unwrap();
        let selected: Vec<(&str, bool)> =
            rows.iter().map(|row| (row["name"].as_str().unwrap(), row["selected"].as_bool().unwrap())).collect();
        assert_eq!(selected, [("postgres", true), ("redis", true), ("mailpit", false)]);
        for row in rows {
            assert_eq!(keys(row), ["name", "selected", "confidence", "evidence"]);
            assert!((0.0..=1.0).contains(&row["confidence"].as_f64().unwrap()));
        }
        assert_eq!(rows[0]["evidence"][0]["file"], "package.json");
        assert_eq!((&rows[0]["evidence"][0]["line"], &rows[0]["evidence"][0]["package"]), (&json!(5), &json!("pg")));
        assert_eq!(fs::read_dir(project.root()).unwrap().count(), 1);
    }

    #[test]
    fn consent_is_a_flag_and_an_existing_file_keeps_what_it_has() {
        let project = shop();
        insta::assert_snapshot!(project.kilter(&["init"]).run().stderr, @r"
        error: `kilter init` asks before it writes, and nobody can be asked here.
          = Take what is selected: `kilter init --yes`. Only look: `kilter init --dry-run`.
        ");
        project.kilter(&["init", "--no-input"]).succeeds();
        insta::assert_snapshot!(project.read("kilter.yaml"), @r"
        # What this project needs to run. Everything is optional; `kilter schema` describes every field.
        services:
          - postgres
          - redis
        ");
        let again = project.kilter(&["init", "--yes"]).succeeds();
        assert!(again.stderr.ends_with("kilter.yaml has all of that already; nothing to write.\n"), "{}", again.stderr);

        project.write("kilter.yaml", "# mine\nname: mine\nservices:\n  - redis   # cache\n");
        project.kilter(&["init", "--yes"]).succeeds();
        assert_eq!(project.read("kilter.yaml"), "# mine\nname: mine\nservices:\n  - redis   # cache\n  - postgres\n");
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
}

mod env {
    use super::*;

    /// Values that readers of such files stumble over.
    const AWKWARD: &str = "services: [redis]\nenv:\n  PLAIN: text\n  EMPTY: ''\n  SPACES: ' two  words '\n  DOLLAR: 'a$HOME ${HOME} $(id) `id`'\n  QUOTES: \"it's \\\"said\\\"\"\n  BACKSLASH: 'C:\\new'\n  TRAILING: 'end\\'\n  AMP: 'a=1&b=2;c#d'\n  LINES: \"one\\ntwo\"\n  BOTH: \"it's $HOME\\nand `id`\"\n  GLOB: '* ?'\n";

    fn variables(project: &Project) -> serde_json::Map<String, Value> {
        parsed(project, &["env", "--format", "json"]).as_object().unwrap().clone()
    }

    /// What a program prints for each variable, NUL after each.
    fn read_by(program: &str, script: &str, project: &Project, names: &[String]) -> Vec<String> {
        let mut reader = command(Path::new("/usr/bin/env"));
        reader
            .arg("-i")
            .args(["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent", program, "-c", script, "reader"])
            .args(names);
        let output = reader.current_dir(project.root()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.split('\0').map(str::to_owned).take(names.len()).collect()
    }

    #[test]
    fn a_shell_reads_back_both_formats() {
        let project = Project::new("shop").file("kilter.yaml", AWKWARD);
        let expected = variables(&project);
        assert_eq!(expected["SPACES"], " two  words ");
        let names: Vec<String> = expected.keys().cloned().collect();
        let values: Vec<String> = expected.values().map(|v| v.as_str().unwrap().to_owned()).collect();
        for format in ["shell", "dotenv"] {
            project.write(".env", project.kilter(&["env", "--format", format]).succeeds().stdout);
            let script = "set -a; . ./.env; for name; do eval \"printf '%s\\\\0' \\\"\\$$name\\\"\"; done";
            assert_eq!(read_by("sh", script, &project, &names), values, "{format}:\n{}", project.read(".env"));
        }
    }

    #[test]
    fn python_reads_back_json_and_shell_words() {
        let project = Project::new("shop").file("kilter.yaml", AWKWARD);
        let names: Vec<String> = variables(&project).keys().cloned().collect();
        let values: Vec<String> = variables(&project).values().map(|v| v.as_str().unwrap().to_owned()).collect();
        project.write("env.json", project.kilter(&["env", "--format", "json"]).succeeds().stdout);
        project.write("env.sh", project.kilter(&["env", "--format", "shell"]).succeeds().stdout);
        let json = "import json,sys; d=json.load(open('env.json')); sys.stdout.write(''.join(d[n]+'\\0' for n in sys.argv[2:]))";
        let shell = "import shlex,sys; w=shlex.split(open('env.sh').read()); d=dict(x.split('=',1) for x in w if x!='export'); sys.stdout.write(''.join(d[n]+'\\0' for n in sys.argv[2:]))";
        for script in [json, shell] {
            assert_eq!(read_by("python3", script, &project, &names), values);
        }
    }

    #[test]
    fn both_addresses_of_everything() {
        let project = shop().file("kilter.yaml", "services: [postgres]\n");
        let env = parsed(&project, &["env", "--json"]);
        assert_eq!(keys(&env), ["project", "namespace", "app", "inCluster", "localhost", "services"]);
        assert_eq!(keys(&env["services"][0]), ["name", "ports", "uis", "credentials"]);
        let (inside, local) =
            (env["inCluster"]["DATABASE_URL"].as_str().unwrap(), env["localhost"]["DATABASE_URL"].as_str().unwrap());
        assert!(
            inside.contains("@postgres.shop-dev.svc:5432/shop") && local.contains("@127.0.0.1:"),
            "{inside} {local}"
        );
        assert_eq!(env["app"]["inCluster"], "http://shop.shop-dev.svc:3000");
        let in_cluster = project.kilter(&["env", "--format", "json", "--in-cluster"]).succeeds().stdout;
        assert_eq!(serde_json::from_str::<Value>(&in_cluster).unwrap(), env["inCluster"]);
        let text = project.kilter(&["env"]).succeeds();
        assert_eq!(text.stderr, "");
        for address in [
            inside,
            local,
            env["app"]["localhost"].as_str().unwrap(),
            env["services"][0]["uis"]["ui"].as_str().unwrap(),
        ] {
            assert!(text.stdout.contains(address), "{address}\n{}", text.stdout);
        }
    }
}

mod doctor {
    use super::*;

    fn check(report: &Value, name: &str) -> Value {
        report
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["check"] == name)
            .unwrap_or_else(|| panic!("no {name}: {report}"))
            .clone()
    }

    #[test]
    fn each_finding_comes_with_its_fix() {
        let Some(_) = helm() else { return };
        let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
        let bin = project.outside("nothing");
        fs::create_dir_all(&bin).unwrap();
        let doctor = || {
            let output = project.kilter(&["doctor", "--json"]).env("PATH", &bin).run();
            (output.code, serde_json::from_str::<Value>(&output.stdout).unwrap())
        };
        let (code, report) = doctor();
        assert_eq!(code, 0);
        assert_eq!(check(&report, "docker")["what"], "there is no `docker` on PATH");
        assert_eq!(check(&report, "artifacts")["fix"], "Run `kilter render`.");
        assert_eq!(check(&report, "tilt")["state"], "warning");
        assert!(check(&report, "tilt")["fix"].as_str().unwrap().contains("kilter tools install tilt"));
        for row in report.as_array().unwrap() {
            assert_eq!(keys(row), ["check", "state", "what", "fix"]);
            assert_eq!(row["fix"].is_null(), row["state"] == "ok", "{row}");
        }

        project.kilter(&["render"]).succeeds();
        assert_eq!(check(&doctor().1, "artifacts")["state"], "ok");
        kilter::fsx::write(&project.cache().join("shop/manifests/redis.yaml"), b"# stale\n").unwrap();
        let (code, report) = doctor();
        assert_eq!(
            (code, check(&report, "artifacts")["what"].as_str().unwrap()),
            (0, "out of date: manifests/redis.yaml")
        );

        project.write("kilter.yaml", "services: [redsi]\n");
        let (code, report) = doctor();
        assert_eq!(code, 1);
        assert_eq!(check(&report, "kilter.yaml")["what"], "unknown service `redsi` (kilter.yaml:1:12)");
        assert!(check(&report, "kilter.yaml")["fix"].as_str().unwrap().starts_with("Did you mean `redis`?"));

        fs::remove_file(project.root().join("kilter.yaml")).unwrap();
        assert_eq!(check(&doctor().1, "kilter.yaml")["what"], "there is none here");
    }

    #[test]
    fn tools_and_docker_that_are_not_right_are_named() {
        let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n").helm_script("echo v3.0.0");
        let docker = project.outside("bin/docker");
        write_script(&docker, "echo 'Cannot connect to the Docker daemon.' >&2; exit 1");
        let output = project
            .kilter(&["doctor", "--json"])
            .env("PATH", docker.parent().unwrap())
            .env("KILTER_TILT", "/nonexistent/tilt")
            .run();
        let report: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(output.code, 1);
        assert_eq!(check(&report, "docker")["what"], "Cannot connect to the Docker daemon.");
        assert_eq!(check(&report, "tilt")["what"], "`/nonexistent/tilt` is no file, and `KILTER_TILT` names it");
    }

    #[test]
    fn doctor_gets_nothing_and_writes_nothing_into_the_project() {
        let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
        fs::create_dir_all(project.cache().join("shop")).unwrap();
        let output =
            project.kilter(&["doctor", "--json"]).without("KILTER_HELM").env("PATH", "/nonexistent").succeeds();
        let report: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(check(&report, "artifacts")["what"], "not compared: helm is not here yet");
        assert_eq!(fs::read_dir(project.root()).unwrap().count(), 1);
        assert!(!project.cache().join("tools").exists());
    }
}

mod others {
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
        assert_eq!(keys(&why), ["name", "line", "selected", "confidence", "evidence"]);
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
            assert_eq!(parsed(&project, &["catalog", "show", name, "--json"])["name"], *name);
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
        let completed = project
            .kilter(&["--", "kilter", "add", "post"])
            .env("COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", "2")
            .env("_CLAP_IFS", "\n")
            .succeeds();
        assert_eq!(completed.stdout, "postgres");
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
        assert_eq!(
            parsed(&project, &["render", "--stdout", "--json"]),
            json!([{"name": "redis", "manifest": manifest}])
        );
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
}

mod help {
    use super::*;

    /// Every command and subcommand, as the words to type.
    fn commands(project: &Project) -> Vec<Vec<String>> {
        let mut all = vec![vec![]];
        let mut next = 0;
        while let Some(words) = all.get(next).cloned() {
            next += 1;
            let help = help(project, &words);
            let list = help.split("\nCommands:\n").nth(1).unwrap_or_default();
            for line in list.lines().take_while(|line| !line.is_empty()) {
                let name = line.split_whitespace().next().unwrap_or_default();
                if line.starts_with("  ") && !line.starts_with("   ") && name != "help" {
                    all.push(words.iter().cloned().chain([name.to_owned()]).collect());
                }
            }
        }
        all
    }

    fn help(project: &Project, words: &[String]) -> String {
        let args: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let output = project.kilter(&args).succeeds();
        assert_eq!(output.stderr, "");
        output.stdout
    }

    #[test]
    fn every_help_fits_a_hundred_columns_and_shows_how() {
        let project = Project::new("shop");
        let all = commands(&project);
        assert!(all.len() > 16, "{all:?}");
        for words in &all {
            let text = help(&project, words);
            for line in text.lines() {
                assert!(line.chars().count() <= 100, "{words:?}: {line}");
            }
            let plain = ["doctor", "version"]; // nothing to show beside their name
            if words.len() == 1 && !plain.contains(&words[0].as_str()) {
                assert!(text.contains("Example"), "{words:?} shows no example:\n{text}");
            }
        }
    }

    #[test]
    fn the_first_page() {
        insta::assert_snapshot!(help(&Project::new("shop"), &[]), @r"
        Real backing services in development and a one-command deploy, from one small kilter.yaml.

        Usage: kilter [OPTIONS] <COMMAND>

        Commands:
          init         Looks at the project, proposes a kilter.yaml with the evidence, and writes it after
                       consent
          add          Adds services to kilter.yaml, keeping its comments and layout, and renders them
          remove       Takes services out of kilter.yaml, keeping its comments and layout, and removes their
                       artifacts
          catalog      Lists the services kilter knows, or shows one of them
          why          Says why a service is in the project, or why kilter would propose it
          render       Renders the services of the project through helm
          verify       Proves that the stored manifests are exactly what helm prints, anywhere
          upgrade      Moves what kilter.lock holds to the defaults of this kilter, after showing what
                       changes in the rendered objects
          eject        Hands one artifact to you for good: a copy under `kilter/` that kilter uses and never
                       overwrites
          env          Prints every connection string of the project: for pods, and for this machine
          doctor       Checks what kilter needs: kilter.yaml, tools, docker, disk, drift, ejected copies.
                       Each finding comes with its fix
          tools        Gets, lists and finds the pinned tools that kilter runs
          schema       Prints the JSON Schema of kilter.yaml, for editors
          completions  Prints the script that completes kilter's commands in a shell
          man          Prints the man page of kilter, or writes those of all commands
          version      Prints the version of kilter and of the tools it pins
          help         Print this message or the help of the given subcommand(s)

        Options:
          -h, --help     Print help
          -V, --version  Print version

        Options of every command:
          -C, --directory <DIR>  Work on the project in this directory
              --instance <NAME>  Work on this instance of the project (a second working copy) [env:
                                 KILTER_INSTANCE]
              --json             Print the result as JSON
              --no-input         Never ask; a missing answer is an error that names its flag
              --offline          Open no network connection
          -q, --quiet            Print results and errors only
          -v, --verbose          Print every command that kilter runs

        Start in a project with `kilter init`, then `kilter render`. Exit codes: 0 done, 1 the project is
        wrong or a check failed, 2 usage, 3 something is missing, 4 a tool failed, 5 refused or not
        confirmed, 70 a bug in kilter, 130 interrupted.
        ");
    }

    #[test]
    fn a_wrong_word_is_usage() {
        let project = Project::new("shop");
        insta::assert_snapshot!(project.kilter(&["rendr"]).fails(2), @r"
        error: unrecognized subcommand 'rendr'

          tip: a similar subcommand exists: 'render'

        Usage: kilter [OPTIONS] <COMMAND>

        For more information, try '--help'.
        ");
        insta::assert_snapshot!(project.kilter(&["render", "--chekc"]).fails(2), @r"
        error: unexpected argument '--chekc' found

          tip: a similar argument exists: '--check'

        Usage: kilter render --check [SERVICE]...

        For more information, try '--help'.
        ");
    }
}
