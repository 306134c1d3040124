//! kilter.lock: it beats kilter's defaults, until `kilter upgrade`.

use std::fs;
use std::path::Path;

use kilter::helm::charts::{ChartStore, Files, digest_of};
use kilter::ids::Digest;
use kilter::toolchain::Platform;

use crate::support::charts::{archive, older};
use crate::support::http::{Reply, Server};
use crate::support::project::{Project, command, fake_helm};
use crate::support::{helm, root};

const THEN: &str = "postgres:17.1";

/// The default image of postgres now.
fn now() -> &'static str {
    &kilter::catalog::service("postgres").unwrap().image
}

/// The version of the postgres chart now.
fn version() -> &'static str {
    kilter::catalog::chart("postgres").unwrap().version
}

/// The postgres chart of an earlier kilter: another version, another default image.
fn postgres_of_then() -> (Files, Digest) {
    older(
        "postgres",
        &[
            ("catalog.yaml", now(), THEN),
            ("values.yaml", now(), THEN),
            ("Chart.yaml", &format!("version: {}", version()), "version: 0.9.0"),
            (
                "templates/_kilter.tpl",
                "app.kubernetes.io/managed-by: kilter",
                "app.kubernetes.io/managed-by: kilter-then",
            ),
        ],
    )
}

/// Puts a chart into the project's store, as the earlier kilter did.
fn store(project: &Project, files: &Files, digest: &Digest) {
    let store = ChartStore { root: project.cache().join(".store/charts") };
    store.carried_elsewhere(files, digest, "the chart of then").unwrap();
}

/// Makes kilter.lock say that the earlier kilter wrote it.
fn lock_of_then(project: &Project, digest: &Digest) {
    let lock = project.read("kilter.lock");
    let line = lock.lines().find(|line| line.starts_with("  \"postgres\": {")).unwrap();
    let mut then = line
        .replace(now(), THEN)
        .replace(&format!("\"chartVersion\": \"{}\"", version()), "\"chartVersion\": \"0.9.0\"");
    let from = then.find("\"chartDigest\": \"").unwrap() + "\"chartDigest\": \"".len();
    then.replace_range(from..from + digest.as_str().len(), digest.as_str());
    project.write("kilter.lock", lock.replace(line, &then));
}

fn manifest(project: &Project, service: &str) -> String {
    fs::read_to_string(project.cache().join(format!("shop/manifests/{service}.yaml"))).unwrap()
}

/// A project that was last rendered by the earlier kilter.
fn shop_of_then(yaml: &str) -> (Project, Files, Digest) {
    let project = Project::new("shop").file("kilter.yaml", yaml);
    project.kilter(&["render"]).succeeds();
    let (files, digest) = postgres_of_then();
    lock_of_then(&project, &digest);
    (project, files, digest)
}

#[test]
fn a_newer_kilter_renders_what_the_lock_says_until_it_is_told_to_move() {
    let Some(_) = helm() else { return };
    let (project, files, digest) = shop_of_then("services: [postgres, redis]\n");
    let manifest_now = manifest(&project, "postgres");
    store(&project, &files, &digest);
    project.kilter(&["render"]).succeeds();
    let then = manifest(&project, "postgres");
    assert!(then.contains(THEN) && then.contains("kilter-then") && !then.contains(now()), "{then}");
    let locked = project.read("kilter.lock");
    assert!(locked.contains(digest.as_str()) && locked.contains("\"chartVersion\": \"0.9.0\""), "{locked}");

    // On another machine, without artifacts, the same bytes.
    fs::remove_dir_all(project.cache().join("shop")).unwrap();
    project.kilter(&["render", "--locked"]).succeeds();
    assert_eq!(manifest(&project, "postgres"), then);
    assert_eq!(project.read("kilter.lock"), locked);

    // The difference is that of the rendered objects, whether or not anything is stored.
    let plan = project.kilter(&["upgrade", "--dry-run"]).succeeds();
    fs::remove_dir_all(project.cache().join("shop")).unwrap();
    assert_eq!(project.kilter(&["upgrade", "--dry-run"]).succeeds().stdout, plan.stdout);
    assert!(plan.stdout.contains("--- a/manifests/postgres.yaml\n+++ b/manifests/postgres.yaml\n"), "{}", plan.stdout);
    assert!(plan.stdout.contains(&format!("image: \"{THEN}\"\n+")), "{}", plan.stdout);
    assert!(!plan.stdout.contains("manifests/redis.yaml"), "{}", plan.stdout);
    assert_eq!(project.read("kilter.lock"), locked);

    insta::assert_snapshot!(project.kilter(&["upgrade", "redis"]).succeeds().stderr, @"kilter.lock holds the defaults of this kilter already.");
    assert_eq!(project.read("kilter.lock"), locked, "only what is named moves");
    project.kilter(&["upgrade"]).run();
    assert_eq!(project.read("kilter.lock"), locked, "nothing moves without consent");

    let moved = project.kilter(&["upgrade", "--yes"]).succeeds();
    assert_eq!(moved.stdout, plan.stdout);
    assert!(moved.stderr.contains("Moved. 1 of 2 manifests changed; commit kilter.lock."), "{}", moved.stderr);
    assert_eq!(manifest(&project, "postgres"), manifest_now);
    let slots = |lock: &str| lock[lock.find("slots:").unwrap()..].to_owned();
    assert_eq!(slots(&project.read("kilter.lock")), slots(&locked));
}

#[test]
fn upgrade_without_consent_names_the_flag() {
    let Some(_) = helm() else { return };
    let (project, files, digest) = shop_of_then("services: [postgres]\n");
    store(&project, &files, &digest);
    let refused = project.kilter(&["upgrade"]).run();
    assert_eq!(refused.code, 5);
    assert!(refused.stdout.contains(THEN));
    assert!(refused.stderr.ends_with(
        "error: not confirmed: \"Move kilter.lock and the artifacts?\" needs an answer, and nobody can be asked here.\n  = Add `--yes`.\n"
    ), "{}", refused.stderr);
}

#[test]
fn a_locked_chart_that_is_nowhere_is_named_with_three_ways_out() {
    let Some(_) = helm() else { return };
    let (project, _, digest) =
        shop_of_then("services: [{name: db, from: postgres}]\n".replace("db, from: postgres", "postgres").as_str());
    let message = project.kilter(&["render"]).fails(3).replace(&digest.hex()[..12], "[DIGEST]");
    insta::assert_snapshot!(message, @r"
    error: kilter.lock holds chart `postgres` sha256:[DIGEST]…, which this kilter does not carry.
      = Move to the chart of this kilter, diff first: `kilter upgrade postgres`.
      = Or use the kilter that wrote the lock, or a mirror (`KILTER_MIRROR`) that has the chart.
    ");
    // The first way out works: what is stored counts as what was.
    project.kilter(&["upgrade", "postgres", "--yes"]).succeeds();
    project.kilter(&["render", "--locked"]).succeeds();
}

#[test]
fn a_locked_chart_comes_from_a_mirror_and_is_checked_first() {
    let Some(_) = helm() else { return };
    let (files, digest) = postgres_of_then();
    let path = format!("charts/{}.tgz", digest.hex());

    let (project, ..) = shop_of_then("services: [postgres]\n");
    let mirror = project.outside("mirror");
    kilter::fsx::write(&mirror.join(&path), &archive("postgres", &files)).unwrap();
    project.kilter(&["render", "--offline"]).env("KILTER_MIRROR", &mirror).succeeds();
    assert!(manifest(&project, "postgres").contains(THEN));
    // Once it is in the store, no mirror is needed.
    project.kilter(&["render"]).succeeds();

    let server = Server::start();
    server.file(&format!("/{path}"), &archive("postgres", &files), &[Reply::File]);
    let (project, ..) = shop_of_then("services: [postgres]\n");
    project.kilter(&["render"]).env("KILTER_MIRROR", server.url()).succeeds();
    assert!(manifest(&project, "postgres").contains(THEN));
    assert_eq!(server.requests().len(), 1);
    project.kilter(&["render"]).env("KILTER_MIRROR", server.url()).succeeds();
    assert_eq!(server.requests().len(), 1);

    let (project, ..) = shop_of_then("services: [postgres]\n");
    let stderr = project.kilter(&["render", "--offline"]).env("KILTER_MIRROR", server.url()).fails(3);
    assert!(stderr.contains("which this kilter does not carry"), "{stderr}");
    assert_eq!(server.requests().len(), 1);
}

/// The command of `vendor-charts/README.md`.
#[test]
fn a_mirror_is_made_with_tar() {
    for name in ["redis", "dev-app"] {
        let mut tar = command(Path::new("/bin/tar"));
        tar.args(["-czf", "-", "-C", "vendor-charts", "--exclude=README.md", name]).current_dir(root());
        let made = tar.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let files = kilter::helm::unpack(&made.stdout, "the mirror").unwrap();
        assert_eq!(digest_of(&files), kilter::catalog::chart(name).unwrap().digest(), "{name}");
    }
}

#[test]
fn a_mirror_that_lies_is_found_out_and_nothing_is_kept() {
    let Some(_) = helm() else { return };
    let (project, mut files, digest) = shop_of_then("services: [postgres]\n");
    files.insert("templates/extra.yaml".into(), b"kind: Evil\n".to_vec());
    let path = format!("/charts/{}.tgz", digest.hex());
    let server = Server::start();
    server.file(&path, &archive("postgres", &files), &[Reply::File]);
    let message =
        project.kilter(&["render"]).env("KILTER_MIRROR", server.url()).fails(3).replace(server.url(), "[MIRROR]");
    assert!(message.starts_with(&format!("error: `[MIRROR]{path}` is not the chart that kilter.lock holds.\n  | expected {digest}\n  | got      sha256:")), "{message}");
    assert!(!project.cache().join(".store/charts").join(digest.hex()).exists());

    server.file(&path, b"<html>not a chart</html>", &[Reply::File]);
    let message = project.kilter(&["render"]).env("KILTER_MIRROR", server.url()).fails(1);
    assert!(message.contains("cannot be read"), "{message}");
    server.file(&path, b"", &[Reply::Page(500, "oops")]);
    let message = project.kilter(&["render"]).env("KILTER_MIRROR", server.url()).fails(3);
    assert!(message.contains("the host answers 500"), "{message}");
}

#[test]
fn a_pinned_helm_is_that_version_or_none() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\ntools: {helm: 4.2.4}\n");
    insta::assert_snapshot!(project.kilter(&["render"]).fails(3), @r"
    error: `[HELM]` is helm 4.3.0, and helm 4.2.4 is needed.
      = Set `KILTER_HELM` to a helm 4.2.4, or unset it and run `kilter tools install`.
      = Or pin this one in kilter.yaml: `tools: {helm: 4.3.0}`.
    ");
    let older = fake_helm("cat >/dev/null; echo 'kind: ConfigMap'").replace("v4.3.0", "v4.2.4");
    let project = project.helm_script(&older);
    project.kilter(&["render"]).succeeds();
    assert!(project.read("kilter.lock").contains("helm: {\"version\": \"4.2.4\"}"), "{}", project.read("kilter.lock"));
    // Without the pin, the lock still says 4.2.4.
    project.write("kilter.yaml", "services: [redis]\n");
    project.kilter(&["render", "--locked"]).succeeds();
    let list = project.kilter(&["tools", "list", "--json"]).succeeds();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&list.stdout).unwrap()[0]["version"], "4.2.4");
}

#[test]
fn a_helm_that_is_not_safe_to_run_is_refused_wherever_it_is_asked_for() {
    let platform = Platform::host().to_string();
    let project = Project::new("shop")
        .helm_script(&fake_helm("exit 1"))
        .file("kilter.yaml", "services: [redis]\ntools:\n  helm: v4.1.3 # as ever\n");
    insta::assert_snapshot!(project.kilter(&["render"]).fails(1), @r"
    error: helm 4.1.3 is not safe to run: CVE-2026-35205 and CVE-2026-35206, mended in 4.1.4.
      --> kilter.yaml:3:9
       |
    3  |   helm: v4.1.3 # as ever
       |         ^^^^^^
      = Write 4.1.4 or a later version, or delete the line and take kilter's own, 4.3.0.
    ");
    // A checksum of one's own makes it no safer.
    let digest = "a".repeat(64);
    project.write(
        "kilter.yaml",
        format!("services: [redis]\ntools: {{helm: {{version: 3.20.1, sha256: {{{platform}: \"{digest}\"}}}}}}\n"),
    );
    for args in [&["render"][..], &["tools", "install"], &["tools", "path", "helm"], &["verify"]] {
        let said = project.kilter(args).without("KILTER_HELM").fails(1);
        let said = said.replace(&platform, "[PLATFORM]").replace(&digest, "[DIGEST]");
        assert!(
            said.contains(
                "error: helm 3.20.1 is not safe to run: CVE-2026-35206, mended in 3.20.2.\n  --> kilter.yaml:2:25\n"
            ),
            "{said}"
        );
        assert!(
            said.contains("\n  = Write 3.20.2 or a later version, or delete the line and take kilter's own, 4.3.0.\n"),
            "{said}"
        );
    }
    assert!(!project.root().join("kilter.lock").exists());
}

#[test]
fn a_lock_with_a_helm_that_is_not_safe_to_run_is_refused_until_it_is_moved() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
    project.kilter(&["render"]).succeeds();
    let lock = project.read("kilter.lock");
    let line = lock.lines().find(|line| line.starts_with("helm: ")).unwrap();
    project.write("kilter.lock", lock.replace(line, "helm: {\"version\": \"4.0.1\"}"));
    insta::assert_snapshot!(project.kilter(&["render"]).fails(1), @r"
    error: the helm 4.0.1 of kilter.lock is not safe to run: CVE-2026-35205 and CVE-2026-35206, mended in 4.1.4.
      = Move to kilter's own, 4.3.0: `kilter upgrade --tools`.
    ");
    project.kilter(&["upgrade", "--tools", "--yes"]).succeeds();
    assert_eq!(project.read("kilter.lock"), lock);
    project.kilter(&["render", "--locked"]).succeeds();
}

#[test]
fn a_helm_that_kilter_does_not_know_is_taken_by_its_checksum() {
    let platform = Platform::host().to_string();
    let script =
        format!("#!/bin/sh\n{}\n", fake_helm("cat >/dev/null; echo 'kind: ConfigMap'").replace("v4.3.0", "v9.9.9"));
    let release = archive(&platform, &Files::from([("helm".to_owned(), script.into_bytes())]));
    let yaml = |digest: &str| {
        format!("services: [redis]\ntools:\n  helm:\n    version: 9.9.9\n    sha256: {{{platform}: \"{digest}\"}}\n")
    };
    let project = Project::new("shop").file("kilter.yaml", yaml(Digest::of(&release).hex()));
    let mirror = project.outside("mirror");
    kilter::fsx::write(&mirror.join(format!("get.helm.sh/helm-v9.9.9-{platform}.tar.gz")), &release).unwrap();
    let render = || project.kilter(&["render", "--offline"]).without("KILTER_HELM").env("KILTER_MIRROR", &mirror);
    render().succeeds();
    assert!(project.read("kilter.lock").contains("helm: {\"version\": \"9.9.9\"}"), "{}", project.read("kilter.lock"));
    project.write("kilter.yaml", yaml(&"a".repeat(64)));
    let message = render().fails(3);
    assert!(message.contains("is not the file that kilter expects"), "{message}");
    project.write("kilter.yaml", "services: [redis]\ntools: {helm: 9.9.8}\n");
    insta::assert_snapshot!(render().fails(1).replace(&platform, "[PLATFORM]"), @r#"
    error: helm 9.9.8 is none of kilter's pins and has no `sha256` for [PLATFORM].
      = Take a pinned version: `3.22.0`, `4.2.4`, `4.3.0`.
      = Or give the checksum of the release file: `tools: {helm: {version: "9.9.8", sha256: {[PLATFORM]: …}}}`.
    "#);
}

#[test]
fn a_renamed_directory_keeps_the_projects_name_and_ports() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
    project.kilter(&["render"]).succeeds();
    let before = project.kilter(&["env", "--json"]).succeeds().stdout;
    let other = project.outside("work/renamed");
    fs::rename(project.root(), &other).unwrap();
    let after = project.kilter(&["env", "--json"]).cwd(&other).succeeds().stdout;
    assert_eq!(before, after);
    assert!(after.contains("\"project\": \"shop\""), "{after}");
    fs::rename(&other, project.root()).unwrap();
}

#[test]
fn what_was_detected_stays_until_upgrade() {
    let Some(_) = helm() else { return };
    let package = |dev: &str| format!("{{\"name\": \"shop\", \"scripts\": {{\"dev\": \"{dev}\"}}}}\n");
    let project = Project::new("shop").file("package.json", package("vite --port 3001"));
    project.kilter(&["render"]).succeeds();
    let dockerfile = || fs::read_to_string(project.cache().join("shop/Dockerfile.dev")).unwrap();
    let before = dockerfile();
    assert!(before.contains("EXPOSE 3001") && before.contains("RUN npm install"), "{before}");
    project.write("package.json", package("vite --port 3002"));
    project.kilter(&["render", "--locked"]).succeeds();
    assert_eq!(dockerfile(), before);
    let plan = project.kilter(&["upgrade", "app", "--dry-run"]).succeeds();
    assert!(plan.stdout.contains("-EXPOSE 3001\n+ENV PORT=3002\n+EXPOSE 3002\n"), "{}", plan.stdout);
    project.kilter(&["upgrade", "app", "--yes"]).succeeds();
    assert!(dockerfile().contains("EXPOSE 3002"));
    assert!(manifest(&project, "app").contains("containerPort: 3002"));
}

#[test]
fn an_app_that_came_later_is_taken_up_by_upgrade() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
    project.kilter(&["render"]).succeeds();
    project.write("package.json", "{\"scripts\": {\"dev\": \"node server.js\"}}\n");
    project.kilter(&["render", "--locked"]).succeeds();
    project.kilter(&["upgrade", "app", "--yes"]).succeeds();
    assert!(manifest(&project, "app").contains("kind: Deployment"));
    assert!(project.read("kilter.lock").contains("\"redis/redis\": 0"), "the slot of redis moved");
}

#[test]
fn locked_refuses_what_the_lock_does_not_say_and_writes_nothing() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
    insta::assert_snapshot!(project.kilter(&["render", "--locked", "-q"]).fails(1), @r"
    error: there is no kilter.lock, and `--locked` requires one.
      = Run `kilter render` and commit kilter.lock.
    ");
    assert!(!project.root().join("kilter.lock").exists() && !project.cache().join("shop").exists());
    project.kilter(&["render"]).succeeds();
    let (lock, redis) = (project.read("kilter.lock"), manifest(&project, "redis"));
    project.write("kilter.yaml", "services:\n  - {name: redis, values: {storage: {size: 3Gi}}}\n");
    let message = project.kilter(&["render", "--locked", "-q"]).fails(1);
    assert!(
        message.starts_with("error: kilter.lock does not say what this project renders from.\n  | --- a/kilter.lock\n"),
        "{message}"
    );
    assert!(message.ends_with("  = Run `kilter render` and commit kilter.lock.\n"), "{message}");
    assert_eq!((project.read("kilter.lock"), manifest(&project, "redis")), (lock, redis));
}

#[test]
fn a_conflict_in_the_lock_is_mended_by_render() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [postgres, mailpit]\n");
    project.kilter(&["render"]).succeeds();
    let ours = project.read("kilter.lock");
    project.write("kilter.yaml", "services: [postgres, redis]\n");
    fs::remove_file(project.root().join("kilter.lock")).unwrap();
    project.kilter(&["render"]).succeeds();
    let theirs = project.read("kilter.lock");
    let lines =
        |text: &str, with: &str| text.lines().filter(|l| l.contains(with)).fold(String::new(), |all, l| all + l + "\n");
    let conflict = |with: (&str, &str)| {
        let (a, b) = (lines(&ours, with.0), lines(&theirs, with.1));
        (a.clone(), format!("<<<<<<< HEAD\n{a}=======\n{b}>>>>>>> theirs\n"))
    };
    let mut text = ours.clone();
    for with in [("\"mailpit\": {", "\"redis\": {"), ("\"mailpit/", "\"redis/")] {
        let (from, to) = conflict(with);
        text = text.replace(&from, &to);
    }
    project.write("kilter.yaml", "services: [postgres, mailpit, redis]\n");
    project.write("kilter.lock", &text);
    assert_eq!(project.kilter(&["render", "--check"]).run().code, 1);
    assert_eq!(project.kilter(&["render", "--locked"]).run().code, 1);
    assert_eq!(project.read("kilter.lock"), text);
    let mended = project.kilter(&["render", "-q"]).succeeds();
    insta::assert_snapshot!(mended.stderr, @"warning: `redis/redis` and `mailpit/smtp` both had port slot 2: `redis/redis` moves to slot 4.");
    let lock = project.read("kilter.lock");
    assert!(
        lock.contains("\"mailpit/smtp\": 2\n") && lock.contains("\"redis/redis\": 4\n") && !lock.contains("<<<<"),
        "{lock}"
    );
    project.kilter(&["render", "--locked"]).succeeds();
}

#[test]
fn an_inline_service_stays_inline_when_the_catalog_has_its_name_later() {
    let Some(_) = helm() else { return };
    // As an earlier kilter, whose catalog had no redis, would have locked it.
    let project =
        Project::new("shop").file("kilter.yaml", "services:\n  - {name: zedis, image: acme/redis:1, port: 7000}\n");
    project.kilter(&["render"]).succeeds();
    project.write("kilter.lock", project.read("kilter.lock").replace("zedis", "redis"));
    project.write("kilter.yaml", "services:\n  - {name: redis, image: acme/redis:1, port: 7000}\n");
    for command in [&["render"][..], &["upgrade", "--yes"]] {
        project.kilter(command).succeeds();
        assert!(project.read("kilter.lock").contains("\"redis\": {\"origin\": \"inline\""), "{command:?}");
        assert!(manifest(&project, "redis").contains("containerPort: 7000"));
    }
    assert!(!project.kilter(&["env"]).succeeds().stdout.contains("REDIS_URL"));
    // A name alone asks for the catalog's.
    project.write("kilter.yaml", "services: [redis]\n");
    project.kilter(&["render"]).succeeds();
    assert!(project.read("kilter.lock").contains("\"redis\": {\"origin\": \"catalog\""));
}

/// A project that an earlier kilter rendered, whose catalog had the service `ledger`; the chart is not in the store yet.
fn shop_with_a_lost_service(yaml: &str) -> (Project, Files, Digest) {
    let project = Project::new("shop").file("kilter.yaml", "services: [postgres]\n");
    project.kilter(&["render"]).succeeds();
    let (files, digest) = older("postgres", &[("Chart.yaml", "name: postgres", "name: ledger")]);
    let ours = kilter::catalog::chart("postgres").unwrap().digest;
    let lock = project.read("kilter.lock").replace(ours, digest.as_str());
    let lock = lock.replace("  \"postgres\": {", "  \"ledger\": {").replace("\"postgres/", "\"ledger/");
    project.write("kilter.lock", lock.replace("\"chart\": \"postgres\"", "\"chart\": \"ledger\""));
    project.write("kilter.yaml", yaml);
    (project, files, digest)
}

#[test]
fn a_service_that_the_catalog_lost_stays_what_is_locked() {
    let Some(_) = helm() else { return };
    for yaml in ["ledger", "{name: ledger, from: ledger}", "{name: ledger, image: \"postgres:17.1\", port: 5432}"] {
        let (project, files, digest) = shop_with_a_lost_service(&format!("services:\n  - {yaml}\n"));
        let said = project.kilter(&["render"]).fails(3);
        assert!(said.contains("kilter.lock holds chart `ledger`") && said.contains("no `ledger` at all"), "{said}");
        store(&project, &files, &digest);
        project.kilter(&["render"]).succeeds();
        let rendered = manifest(&project, "ledger");
        assert!(rendered.contains("app.kubernetes.io/name: ledger") && rendered.contains("pgweb"), "{rendered}");
        assert!(project.read("kilter.lock").contains("  \"ledger\": {\"origin\": \"catalog\""));
    }
}

#[test]
fn a_name_that_was_locked_for_another_chart_can_become_inline_or_a_chart_of_the_users() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [{name: cache, from: valkey}]\n");
    project.kilter(&["render"]).succeeds();
    project.write("kilter.yaml", "services: [{name: cache, image: \"memcached:1.6\", port: 11211}]\n");
    project.kilter(&["render"]).succeeds();
    assert!(project.read("kilter.lock").contains("  \"cache\": {\"origin\": \"inline\""));
    let (project, ..) = shop_with_a_lost_service("services: [{name: ledger, chart: ./chart}]\n");
    crate::support::charts::write(&project.root().join("chart"), &crate::support::charts::small("own", "1.0.0"));
    project.kilter(&["render"]).succeeds();
    assert!(project.read("kilter.lock").contains("  \"ledger\": {\"origin\": \"chart\""));
}
