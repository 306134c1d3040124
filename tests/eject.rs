//! Ejecting: a copy that is the user's, what kilter does with it, and the way back.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::helm;
use crate::support::project::Project;

/// The default image of redis.
fn redis() -> &'static str {
    &kilter::catalog::service("redis").unwrap().image
}

const NODE: &str = "{\"name\": \"shop\", \"scripts\": {\"dev\": \"node server.js\"}}\n";

/// A project with an app and two services, rendered.
fn shop() -> Project {
    let project = Project::new("shop").file("package.json", NODE).file("kilter.yaml", "services: [postgres, redis]\n");
    project.kilter(&["render"]).succeeds();
    project
}

fn artifact(project: &Project, path: &str) -> String {
    fs::read_to_string(project.cache().join("shop").join(path)).unwrap()
}

/// The state of everything that can be ejected.
fn states(project: &Project) -> BTreeMap<String, String> {
    let rows: Value = serde_json::from_str(&project.kilter(&["eject", "--list", "--json"]).succeeds().stdout).unwrap();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.as_array().unwrap().iter().map(|row| (text(row, "thing"), text(row, "state"))).collect()
}

/// Makes kilter's default look as if it had moved since a thing was ejected: the base says something else, and the
/// user's copy was taken from that.
fn default_moved(project: &Project, path: &str, now: &str, then: &str) {
    for copy in [format!("kilter/{path}"), format!("kilter/.base/{path}")] {
        let text = project.read(&copy);
        assert!(text.contains(now), "{copy} has no `{now}`:\n{text}");
        project.write(&copy, text.replacen(now, then, 1));
    }
}

#[test]
fn everything_can_be_ejected_and_comes_back_when_the_copy_goes() {
    let Some(_) = helm() else { return };
    let project = shop();
    let default = states(&project);
    assert!(default.values().all(|state| state == "default"), "{default:?}");
    insta::assert_snapshot!(default.keys().cloned().collect::<Vec<_>>().join(" "), @"chart/app chart/postgres chart/redis dockerfile kind manifest/app manifest/postgres manifest/redis tiltfile values/app values/postgres values/redis");
    let lock = project.read("kilter.lock");
    for (thing, copy, artifact_path) in [
        ("tiltfile", "kilter/Tiltfile", "Tiltfile"),
        ("dockerfile", "kilter/Dockerfile.dev", "Dockerfile.dev"),
        ("values/redis", "kilter/values/redis.yaml", "values/redis.yaml"),
        ("manifest/redis", "kilter/manifests/redis.yaml", "manifests/redis.yaml"),
    ] {
        let before = artifact(&project, artifact_path);
        assert_eq!(project.kilter(&["eject", thing]).succeeds().stdout, format!("{copy}\n"));
        assert_eq!(project.read(copy), before, "{thing}");
        assert_eq!(states(&project)[thing], "current");
        let same = artifact(&project, "manifests/redis.yaml");
        project.kilter(&["render"]).succeeds();
        assert_eq!(
            (artifact(&project, artifact_path), artifact(&project, "manifests/redis.yaml")),
            (before.clone(), same)
        );

        let own = format!("{before}# mine\n");
        project.write(copy, &own);
        project.kilter(&["render"]).succeeds();
        // Tilt loads its Tiltfile from the project.
        let used = if thing == "tiltfile" { &before } else { &own };
        assert_eq!((&artifact(&project, artifact_path), &project.read(copy)), (used, &own), "{thing}");
        project.kilter(&["render", "--check"]).succeeds();
        assert_eq!(project.kilter(&["eject", thing]).run().code, 5);

        fs::remove_file(project.root().join(copy)).unwrap();
        project.kilter(&["render"]).succeeds();
        assert_eq!(artifact(&project, artifact_path), before, "{thing}");
        assert_eq!(states(&project)[thing], "default");
        assert_eq!(project.read("kilter.lock"), lock, "{thing}");
    }
}

/// A kind.yaml without what is this machine's; the comments above it are left out as well.
fn shared(text: &str) -> Value {
    let mut kind: Value = serde_yaml::from_str(text).unwrap();
    kind.as_object_mut().unwrap().remove("name");
    kind["nodes"][0].as_object_mut().unwrap().remove("extraPortMappings");
    kind
}

#[test]
fn ejected_kind_settings_hold_nothing_of_a_machine_and_work_on_another() {
    let Some(_) = helm() else { return };
    let project = shop();
    let before = artifact(&project, "kind.yaml");
    assert_eq!(project.kilter(&["eject", "kind"]).succeeds().stdout, "kilter/kind.yaml\n");
    let own = project.read("kilter/kind.yaml");
    assert_eq!(project.read("kilter/.base/kind.yaml"), own);
    assert!(!own.contains("\nname:") && !own.contains("hostPort"), "{own}");
    assert_eq!(serde_yaml::from_str::<Value>(&own).unwrap(), shared(&before));
    project.kilter(&["render"]).succeeds();
    let parsed = |text: &str| serde_yaml::from_str::<Value>(text).unwrap();
    assert_eq!(parsed(&artifact(&project, "kind.yaml")), parsed(&before), "the same cluster");

    // A mapping and a node of the user's; a copy that was taken with another machine's name and ports in it.
    let mut mine = parsed(&before);
    mine["name"] = "kilter-elsewhere".into();
    for port in mine["nodes"][0]["extraPortMappings"].as_array_mut().unwrap() {
        port["hostPort"] = 1.into();
    }
    let http = serde_json::json!({"containerPort": 80, "hostPort": 8080});
    mine["nodes"][0]["extraPortMappings"].as_array_mut().unwrap().push(http.clone());
    mine["nodes"].as_array_mut().unwrap().push(serde_json::json!({"role": "worker"}));
    project.write("kilter/kind.yaml", kilter::yaml::emit(&mine).unwrap());
    project.kilter(&["render"]).succeeds();
    let mut expected = parsed(&before);
    expected["nodes"][0]["extraPortMappings"].as_array_mut().unwrap().push(http);
    expected["nodes"].as_array_mut().unwrap().push(serde_json::json!({"role": "worker"}));
    assert_eq!(parsed(&artifact(&project, "kind.yaml")), expected);

    project.write("kilter/kind.yaml", own);
    let second = project.outside("work/shop-2");
    crate::support::project::copy_tree(&project.root(), &second);
    for args in [&["render"][..], &["eject", "--status", "kind"], &["eject", "--status"]] {
        project.kilter(args).cwd(&second).env("KILTER_INSTANCE", "review").succeeds();
    }
    let diff = project.kilter(&["eject", "--diff", "kind", "--instance", "review"]).cwd(&second).succeeds().stdout;
    assert_eq!(diff, "");
    let there = parsed(&artifact(&project, "../shop@review/kind.yaml"));
    assert_eq!(there["name"], "kilter-shop-review");
    let first_port = |kind: &Value| kind["nodes"][0]["extraPortMappings"][0]["hostPort"].clone();
    assert_ne!(first_port(&there), first_port(&parsed(&before)));

    fs::remove_file(project.root().join("kilter/kind.yaml")).unwrap();
    project.kilter(&["render"]).succeeds();
    assert_eq!(artifact(&project, "kind.yaml"), before);
    project.write("kilter/kind.yaml", "nodes: 3\n");
    insta::assert_snapshot!(project.kilter(&["render"]).fails(1), @r"
    error: `kilter/kind.yaml` is not kind's settings: its `nodes` is no list of maps.
      = Correct it, or delete it to go back to kilter's default.
    ");
}

#[test]
fn what_is_ejected_is_never_overwritten() {
    let Some(_) = helm() else { return };
    let project = shop();
    project.kilter(&["eject", "values/redis"]).succeeds();
    project.write("kilter/values/redis.yaml", "image: redis:7\n");
    insta::assert_snapshot!(project.kilter(&["eject", "values/redis"]).fails(5), @r"
    error: `kilter/values/redis.yaml` is there already, and it is yours.
      = See what kilter's default has that it does not: `kilter eject --diff values/redis`.
      = To start over from the default, delete it first.
    ");
    for command in [&["render"][..], &["upgrade", "--yes"], &["add", "mailpit"], &["remove", "mailpit"]] {
        project.kilter(command).succeeds();
        assert_eq!(project.read("kilter/values/redis.yaml"), "image: redis:7\n", "{command:?}");
    }
}

#[test]
fn a_copy_without_an_end_is_not_read_for_ever() {
    let project = Project::new("shop").file("package.json", NODE).file("kilter.yaml", "services: [redis]\n");
    let Some(_) = helm() else { return };
    for copy in ["values/redis.yaml", "manifests/redis.yaml", "Tiltfile", "kind.yaml"] {
        let place = project.root().join("kilter").join(copy);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &place).unwrap();
        let words = project.kilter(&["render"]).fails(1);
        let expected = format!("error: `[PROJECT]/kilter/{copy}` is larger than 64 MiB.\n  = Check that");
        assert!(words.contains(&expected), "{words}");
        fs::remove_file(place).unwrap();
    }
    project.kilter(&["eject", "values/redis"]).succeeds();
    fs::remove_file(project.root().join("kilter/.base/values/redis.yaml")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", project.root().join("kilter/.base/values/redis.yaml")).unwrap();
    let words = project.kilter(&["eject", "--status", "values/redis"]).fails(1);
    assert!(words.contains("kilter/.base/values/redis.yaml` is larger than 64 MiB"), "{words}");
}

#[test]
fn messages_of_eject() {
    let Some(_) = helm() else { return };
    let project = shop();
    insta::assert_snapshot!(project.kilter(&["eject", "--status"]).succeeds().stderr, @"Nothing is ejected: `kilter eject --list` shows what can be.");
    insta::assert_snapshot!(project.kilter(&["eject", "values/redi"]).fails(2), @r"
    error: `values/redi` is nothing that can be ejected.
      = Did you mean `values/redis`?
      = List what can be: `kilter eject --list`.
    ");
    insta::assert_snapshot!(project.kilter(&["eject", "--diff", "tiltfile"]).fails(1), @r"
    error: `kilter/Tiltfile` is not ejected, so there is nothing to compare.
      = List what is: `kilter eject --list`.
    ");
    insta::assert_snapshot!(project.kilter(&["eject", "--merge", "tiltfile"]).fails(1), @r"
    error: `kilter/Tiltfile` is not ejected, so there is nothing to merge.
      = List what is: `kilter eject --list`.
    ");
    assert_eq!(
        project.kilter(&["eject", "--merge", "--resolved", "tiltfile"]).fails(1),
        project.kilter(&["eject", "--merge", "tiltfile"]).fails(1)
    );
    assert!(!project.root().join("kilter").exists());
    let done = project.kilter(&["eject", "redis"]).succeeds();
    insta::assert_snapshot!(format!("{}{}", done.stdout, done.stderr), @r"
    kilter/charts/redis
    `kilter/charts/redis` is yours from now on; commit it with kilter/.base. `kilter render` uses it.
    ");
}

#[test]
fn ejected_values_are_in_receipt_and_lock_and_verify_holds() {
    let Some(_) = helm() else { return };
    let project = shop();
    project.kilter(&["eject", "values/redis"]).succeeds();
    project.write("kilter/values/redis.yaml", project.read("kilter/values/redis.yaml").replace(redis(), "redis:7.9.9"));
    assert_eq!(project.kilter(&["render", "--locked"]).run().code, 1, "the lock does not know these values yet");
    project.kilter(&["render"]).succeeds();
    assert!(artifact(&project, "manifests/redis.yaml").contains("redis:7.9.9"));
    let digest = kilter::ids::Digest::of(project.read("kilter/values/redis.yaml").as_bytes());
    let receipt: Value = serde_json::from_str(&artifact(&project, "receipts/redis.json")).unwrap();
    assert_eq!(receipt["values"], digest.as_str());
    assert!(project.read("kilter.lock").contains(digest.as_str()));
    project.kilter(&["verify"]).succeeds();
    project.kilter(&["render", "--locked"]).succeeds();
}

#[test]
fn an_ejected_chart_is_rendered_and_the_lock_keeps_kilters() {
    let Some(_) = helm() else { return };
    let project = shop();
    let locked = |project: &Project| {
        project
            .read("kilter.lock")
            .lines()
            .find(|l| l.contains("\"redis\": {"))
            .unwrap()
            .split("\"values\"")
            .next()
            .unwrap()
            .to_owned()
    };
    let before = locked(&project);
    assert_eq!(project.kilter(&["eject", "chart/redis"]).succeeds().stdout, "kilter/charts/redis\n");
    let same = artifact(&project, "manifests/redis.yaml");
    project.kilter(&["render"]).succeeds();
    assert_eq!(artifact(&project, "manifests/redis.yaml"), same);
    let chart = project
        .read("kilter/charts/redis/Chart.yaml")
        .replace(&format!("version: {}", kilter::catalog::chart("redis").unwrap().version), "version: 7.7.7");
    project.write("kilter/charts/redis/Chart.yaml", chart);
    project.write(
        "kilter/charts/redis/templates/extra.yaml",
        "kind: ConfigMap\napiVersion: v1\nmetadata: {name: extra}\n",
    );
    project.kilter(&["render"]).succeeds();
    assert!(artifact(&project, "manifests/redis.yaml").contains("name: extra"));
    let receipt: Value = serde_json::from_str(&artifact(&project, "receipts/redis.json")).unwrap();
    assert_eq!(receipt["chartVersion"], "7.7.7");
    assert_eq!(locked(&project), before);
    project.kilter(&["verify"]).succeeds();
    fs::remove_dir_all(project.root().join("kilter/charts")).unwrap();
    project.kilter(&["render"]).succeeds();
    assert!(!artifact(&project, "manifests/redis.yaml").contains("name: extra"));
}

#[test]
fn an_ejected_manifest_takes_no_helm_and_no_receipt() {
    let Some(_) = helm() else { return };
    let project = shop();
    project.kilter(&["eject", "manifest/redis"]).succeeds();
    project.write("kilter/manifests/redis.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: mine}\n");
    let done = project.kilter(&["render"]).succeeds();
    assert!(done.stdout.contains("redis     yours"), "{}", done.stdout);
    assert!(!project.cache().join("shop/receipts/redis.json").exists());
    let commands = project.kilter(&["render", "--show-commands"]).succeeds().stdout;
    assert_eq!(project.shown(commands.lines().last().unwrap()), "cat [PROJECT]/kilter/manifests/redis.yaml");
    let others = project.kilter(&["render", "--show-commands", "postgres"]).succeeds().stdout;
    assert!(others.lines().count() == 1 && !others.starts_with("cat "), "{others}");
    let verified = project.kilter(&["verify"]).succeeds().stdout;
    assert!(!verified.contains("redis"), "{verified}");
    project.kilter(&["render", "--locked"]).succeeds();
    let message = project.kilter(&["eject", "chart/redis"]).fails(1);
    insta::assert_snapshot!(message, @r"
    error: the manifest of `redis` is ejected, so its chart is not used.
      = Delete `kilter/manifests/redis.yaml` first to go back to the chart.
    ");
}

#[test]
fn an_ejected_manifest_that_is_no_yaml_is_refused_before_anything_is_written() {
    let Some(_) = helm() else { return };
    let project = shop();
    project.kilter(&["render"]).succeeds();
    let before = artifact(&project, "manifests/redis.yaml");
    project.kilter(&["eject", "manifest/redis"]).succeeds();
    project.write("kilter/manifests/redis.yaml", "kind: ConfigMap\n  name: mine\n");
    insta::assert_snapshot!(project.kilter(&["render"]).fails(1), @r"
    error: `kilter/manifests/redis.yaml` is no YAML: mapping values are not allowed in this context at line 2 column 7.
      = Correct it, or delete `kilter/manifests/redis.yaml` to go back to what kilter renders.
    ");
    assert_eq!(artifact(&project, "manifests/redis.yaml"), before);
    let doctor: Value = serde_json::from_str(&project.kilter(&["doctor", "--json"]).run().stdout).unwrap();
    let found = doctor.as_array().unwrap().iter().find(|row| row["check"] == "artifacts").unwrap();
    assert_eq!(found["state"], "failed", "{found}");
}

#[test]
fn chart_and_manifest_of_one_service_may_both_be_the_users() {
    let Some(_) = helm() else { return };
    let project = shop();
    for thing in ["chart/redis", "manifest/redis", "values/redis"] {
        project.kilter(&["eject", thing]).succeeds();
    }
    let states = states(&project);
    let of = ["chart/redis", "manifest/redis", "values/redis"].map(|thing| states[thing].as_str());
    assert_eq!(of, ["current", "current", "current"]);
    default_moved(&project, "charts/redis/values.yaml", redis(), "redis:8.0.0");
    assert!(project.kilter(&["eject", "--diff", "chart/redis"]).succeeds().stdout.contains(redis()));
    project.kilter(&["doctor"]).succeeds();
}

#[test]
fn improvements_of_the_default_are_merged_into_the_copy() {
    let Some(_) = helm() else { return };
    let project = shop();
    project.kilter(&["eject", "dockerfile"]).succeeds();
    project.kilter(&["eject", "values/redis"]).succeeds();
    default_moved(&project, "Dockerfile.dev", "EXPOSE 3000", "EXPOSE 2999");
    let own = format!("# my own comment\n{}", project.read("kilter/Dockerfile.dev"));
    project.write("kilter/Dockerfile.dev", &own);

    let status = project.kilter(&["eject", "--status"]).run();
    insta::assert_snapshot!(format!("exit {}\n{}{}", status.code, status.stdout, status.stderr), @r"
    exit 1
    dockerfile               yours, kilter/Dockerfile.dev; kilter's default has moved since
    values/redis             yours, kilter/values/redis.yaml
    error: an ejected copy is behind kilter's default.
      = See what is new: `kilter eject --diff dockerfile`. Take it: `kilter eject --merge dockerfile`.
    ");
    let doctor = project.kilter(&["doctor", "--json"]).succeeds();
    assert!(
        doctor.stdout.contains("kilter's default has moved since `kilter/Dockerfile.dev` was taken"),
        "{}",
        doctor.stdout
    );
    let diff = project.kilter(&["eject", "--diff", "dockerfile"]).succeeds().stdout;
    assert!(diff.contains("-EXPOSE 2999\n+EXPOSE 3000\n") && !diff.contains("my own"), "{diff}");
    let json: Value =
        serde_json::from_str(&project.kilter(&["eject", "--diff", "dockerfile", "--json"]).succeeds().stdout).unwrap();
    assert_eq!(json, serde_json::json!({"thing": "dockerfile", "path": "kilter/Dockerfile.dev", "diff": diff}));
    assert_eq!(project.read("kilter/Dockerfile.dev"), own);

    assert_eq!(project.kilter(&["eject", "--merge", "dockerfile"]).succeeds().stdout, "kilter/Dockerfile.dev\n");
    assert_eq!(project.read("kilter/Dockerfile.dev"), own.replace("EXPOSE 2999", "EXPOSE 3000"));
    project.kilter(&["eject", "--status"]).succeeds();
}

#[test]
fn a_clash_writes_nothing_and_is_settled_by_hand() {
    let Some(_) = helm() else { return };
    let project = shop();
    project.kilter(&["eject", "dockerfile"]).succeeds();
    default_moved(&project, "Dockerfile.dev", "EXPOSE 3000", "EXPOSE 2999");
    let own = project.read("kilter/Dockerfile.dev").replace("EXPOSE 2999", "EXPOSE 1234");
    project.write("kilter/Dockerfile.dev", &own);
    let clash = project.kilter(&["eject", "--merge", "dockerfile"]).run();
    assert_eq!(clash.code, 1);
    assert!(clash.stdout.contains("<<<<<<<") && clash.stdout.contains("EXPOSE 1234"), "{}", clash.stdout);
    insta::assert_snapshot!(clash.stderr, @r"
    error: `kilter/Dockerfile.dev` and kilter's default both changed the same lines; nothing was written.
      = Standard output has the text with the clashes marked. Settle them in your copy by hand.
      = Then say so: `kilter eject --merge --resolved dockerfile`.
    ");
    assert_eq!(project.read("kilter/Dockerfile.dev"), own);
    assert_eq!(states(&project)["dockerfile"], "behind");
    project.kilter(&["eject", "--merge", "--resolved", "dockerfile"]).succeeds();
    assert_eq!(project.read("kilter/Dockerfile.dev"), own);
    assert_eq!(states(&project)["dockerfile"], "current");
}

#[test]
fn a_chart_is_merged_file_by_file() {
    let Some(_) = helm() else { return };
    let project = shop();
    project.kilter(&["eject", "redis"]).succeeds();
    default_moved(&project, "charts/redis/values.yaml", redis(), "redis:8.0.0");
    fs::remove_file(project.root().join("kilter/.base/charts/redis/values.schema.json")).unwrap();
    fs::remove_file(project.root().join("kilter/charts/redis/values.schema.json")).unwrap();
    project.write("kilter/charts/redis/templates/mine.yaml", "# mine\n");
    let diff = project.kilter(&["eject", "--diff", "redis"]).succeeds().stdout;
    assert!(
        diff.contains("b/kilter/charts/redis/values.schema.json") && diff.contains(&format!("+image: {}", redis())),
        "{diff}"
    );
    project.kilter(&["eject", "--merge", "redis"]).succeeds();
    assert!(project.read("kilter/charts/redis/values.yaml").contains(redis()));
    assert!(project.root().join("kilter/charts/redis/values.schema.json").is_file());
    assert_eq!(project.read("kilter/charts/redis/templates/mine.yaml"), "# mine\n");
    assert_eq!(states(&project)["chart/redis"], "current");
}

#[test]
fn a_copy_of_a_service_that_was_removed_is_kept_and_named() {
    let Some(_) = helm() else { return };
    let project = shop();
    project.kilter(&["eject", "values/redis"]).succeeds();
    project.write("kilter/values/redis.yaml", "image: redis:7\n");
    let removed = project.kilter(&["remove", "redis"]).succeeds();
    assert!(
        removed.stderr.ends_with("`kilter/values/redis.yaml` is yours and stays; nothing uses it now.\n"),
        "{}",
        removed.stderr
    );
    assert!(!project.cache().join("shop/values/redis.yaml").exists());
    assert_eq!(states(&project)["values/redis"], "unused");
    let doctor = project.kilter(&["doctor"]).succeeds().stdout;
    assert!(doctor.contains("nothing uses `kilter/values/redis.yaml`"), "{doctor}");
    project.kilter(&["add", "redis"]).succeeds();
    assert!(artifact(&project, "manifests/redis.yaml").contains("redis:7"), "the copy counts again");
}

#[test]
fn what_is_wrong_in_values_of_the_users_own_names_their_file() {
    let Some(_) = helm() else { return };
    let project = shop();
    project.kilter(&["eject", "values/postgres"]).succeeds();
    project.write("kilter/values/postgres.yaml", "");
    let said = project.kilter(&["render"]).fails(1);
    assert!(said.contains("the values have no text there") && said.contains("kilter/values/postgres.yaml"), "{said}");
    assert!(!said.contains("`provides`"), "{said}");
    project.write("kilter/values/postgres.yaml", "a: [");
    let said = project.kilter(&["render"]).run();
    assert!(said.code != 0 && said.stderr.contains("kilter/values/postgres.yaml"), "{}", said.stderr);
    let project = Project::new("shop")
        .file("kilter.yaml", "services:\n  - name: postgres\n    values: {auth: {database: [x]}}\n");
    let said = project.kilter(&["render"]).fails(1);
    assert!(said.contains("Give it one under `values` of `postgres`") && said.contains("kilter.yaml:3"), "{said}");
}
