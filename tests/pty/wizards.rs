//! Each wizard to its end, with its screens.

use std::collections::BTreeMap;
use std::path::Path;

use super::terminal::{DOWN, ENTER, RIGHT, Terminal};
use super::{kilter, shop, written};
use crate::support::project::{Project, fake_helm};

/// A project whose manifests name redis alone.
pub(super) fn cache() -> Project {
    let helm = fake_helm("cat >/dev/null; printf 'kind: ConfigMap\\n'");
    let package = r#"{"name": "cache", "scripts": {"dev": "node server.js"}, "dependencies": {"ioredis": "^5"}}"#;
    Project::new("cache").file("package.json", package).helm_script(&helm)
}

/// Every file below a directory, by its path.
pub(super) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    let name = path.strip_prefix(root).unwrap().display().to_string();
                    found.insert(name, std::fs::read(path).unwrap());
                }
            }
        }
    }
    found
}

/// A screen without what the catalog has beside what was found: that grows.
pub(super) fn without_catalog(screen: &str) -> String {
    let (list, rest) = screen.split_at(screen.rfind("\n\n").unwrap_or(screen.len()));
    let found = list.find("\ncache\n").unwrap_or(list.len());
    format!("{}\n[CATALOG]{rest}", &list[..found])
}

/// A project that renders with the helm of the tests, when there is one.
fn rendered() -> Project {
    let project = Project::new("shop").fixture("shop");
    match project.helm().as_os_str().is_empty() {
        true => shop(),
        false => project,
    }
}

#[test]
fn add_to_its_end_and_the_same_by_flags() {
    let project = rendered();
    let mut terminal = Terminal::start(&project, kilter(&project, &["add"]));
    insta::assert_snapshot!("add_services", without_catalog(&terminal.sees("Which services?")));
    terminal.press(ENTER);
    insta::assert_snapshot!("add_image", terminal.sees("postgres: which image?"));
    terminal.press("17.6");
    terminal.press(ENTER);
    terminal.sees("postgres: how much storage?");
    terminal.press("lots");
    terminal.press(ENTER);
    terminal.sees("A size is a number with a unit");
    terminal.press("\x155Gi");
    terminal.press(ENTER);
    insta::assert_snapshot!("add_password", terminal.sees("postgres: password?"));
    terminal.press(ENTER);
    terminal.sees("postgres: database?");
    terminal.press(ENTER);
    terminal.sees("postgres: databases?");
    terminal.press("reports, audit");
    terminal.press(ENTER);
    terminal.sees("redis: which image?");
    terminal.press(RIGHT);
    insta::assert_snapshot!("add_consent", terminal.sees("Write kilter.yaml?"));
    assert!(written(&project).is_empty());
    terminal.press(ENTER);
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    let same = "kilter add postgres --image postgres:17.6 --storage 5Gi --set 'auth.databases={reports,audit}' && kilter add redis";
    for said in [
        format!("The same without questions: `{same}`"),
        "DATABASE_URL=postgresql://".into(),
        "REDIS_URL=redis://".into(),
        "const databaseUrl = process.env.DATABASE_URL;".into(),
        "const redisUrl = process.env.REDIS_URL;".into(),
        "Added postgres, redis.".into(),
    ] {
        assert!(ended.heard.contains(&said), "{said}\n{}", ended.screen);
    }

    let scripted = rendered();
    for command in same.split(" && ") {
        let words: Vec<String> = command.split(' ').skip(1).map(|word| word.replace('\'', "")).collect();
        scripted.kilter(&words).succeeds();
    }
    assert_eq!(files(&project.root()), files(&scripted.root()));
    let artifacts = |project: &Project| files(&project.cache().join("shop"));
    assert!(artifacts(&project).keys().any(|path| path == "manifests/redis.yaml"));
    assert_eq!(artifacts(&project), artifacts(&scripted));
}

#[test]
fn what_is_likely_is_rendered_while_one_reads_and_not_again() {
    let project = cache();
    let calls = project.outside("calls");
    let script = format!("echo call >>'{}'; cat >/dev/null; printf 'kind: ConfigMap\\n'", calls.display());
    let project = project.helm_script(&fake_helm(&script));
    let rendered = || std::fs::read_to_string(&calls).unwrap_or_default().lines().count();
    let mut terminal = Terminal::start(&project, kilter(&project, &["add"]));
    terminal.sees("Which services?");
    while rendered() < 2 {
        std::thread::yield_now(); // the app and redis
    }
    assert!(files(&project.root()).keys().eq(["package.json"].iter()));
    terminal.press(ENTER);
    terminal.sees("redis: which image?");
    terminal.press(RIGHT);
    terminal.sees("Write kilter.yaml?");
    terminal.press(ENTER);
    let ended = terminal.end();
    assert_eq!((ended.code, rendered()), (0, 2), "{}", ended.screen);
}

#[test]
fn what_is_typed_searches_and_enter_marks() {
    let project = cache().file("kilter.yaml", "services: [mailpit]\n");
    let mut terminal = Terminal::start(&project, kilter(&project, &["add"]));
    terminal.sees("Marked: redis");
    terminal.press("mailp");
    insta::assert_snapshot!("add_search", terminal.sees("Search: mailp_"));
    terminal.press(ENTER);
    terminal.sees("`mailpit`: in kilter.yaml already");
    terminal.press("nat");
    terminal.sees("Search: nat_");
    terminal.press(ENTER);
    terminal.sees("Marked: redis, nats");
    // The cursor is on it: Space takes the mark away again.
    terminal.press(" ");
    terminal.sees_no("Marked: redis, nats");
    terminal.press(ENTER);
    terminal.sees("redis: which image?");
    terminal.press(RIGHT);
    terminal.sees("Write kilter.yaml?");
    terminal.press("y");
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    assert_eq!(project.read("kilter.yaml"), "services: [mailpit, redis]\n");
}

#[test]
fn init_to_its_end_and_the_same_by_flags() {
    let project = rendered();
    let mut terminal = Terminal::start(&project, kilter(&project, &["init"]));
    insta::assert_snapshot!("init_services", terminal.sees("Which services?"));
    terminal.press(&format!("{DOWN} "));
    terminal.sees("[ ] redis");
    terminal.press(ENTER);
    insta::assert_snapshot!("init_name", terminal.sees("What is the project called?"));
    terminal.press(ENTER);
    terminal.sees("Which command starts the app?");
    terminal.press(ENTER);
    terminal.sees("Which port does the app listen on?");
    terminal.press("99999");
    terminal.press(ENTER);
    terminal.sees("A port is a number from 1 to 65535.");
    terminal.press("\x158080");
    terminal.press(ENTER);
    terminal.sees("Which image does the app run in?");
    terminal.press(ENTER);
    insta::assert_snapshot!("init_consent", terminal.sees("Write kilter.yaml?"));
    assert!(written(&project).is_empty());
    terminal.press(ENTER);
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    let same = "kilter init --yes --services postgres --port 8080 && kilter render";
    for said in [format!("The same without questions: `{same}`").as_str(), "DATABASE_URL=", "process.env.DATABASE_URL"]
    {
        assert!(ended.heard.contains(said), "{said}\n{}", ended.screen);
    }
    assert!(project.read("kilter.yaml").ends_with("field.\nport: 8080\nservices:\n  - postgres\n"));

    let scripted = rendered();
    for command in same.split(" && ") {
        scripted.kilter(&command.split(' ').skip(1).collect::<Vec<_>>()).succeeds();
    }
    assert_eq!(files(&project.root()), files(&scripted.root()));
    let artifacts = |project: &Project| files(&project.cache().join("shop"));
    assert_eq!(artifacts(&project), artifacts(&scripted));
}

#[test]
fn init_proposes_additions_to_what_is_there() {
    let project = shop().file("kilter.yaml", "# ours\nservices:\n  - postgres # the shop's\n");
    let mut terminal = Terminal::start(&project, kilter(&project, &["init"]));
    let screen = terminal.sees("Which services?");
    assert!(screen.contains("[x] redis") && !screen.contains("postgres"), "{screen}");
    terminal.press(ENTER);
    terminal.sees("Write kilter.yaml?");
    terminal.press(ENTER);
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    assert!(ended.heard.contains("`kilter init --yes && kilter render`"), "{}", ended.screen);
    assert_eq!(project.read("kilter.yaml"), "# ours\nservices:\n  - postgres # the shop's\n  - redis\n");
}

#[test]
fn remove_to_its_end() {
    let project = shop();
    project.kilter(&["init", "--yes"]).succeeds();
    project.kilter(&["eject", "values/redis"]).succeeds();
    let mut terminal = Terminal::start(&project, kilter(&project, &["remove"]));
    insta::assert_snapshot!("remove_services", terminal.sees("Remove which services?"));
    terminal.press(ENTER);
    terminal.sees("Mark at least one");
    terminal.press(&format!("{DOWN} "));
    terminal.sees("Marked: redis");
    terminal.press(ENTER);
    insta::assert_snapshot!("remove_data", terminal.sees("What becomes of their data?"));
    terminal.press(ENTER);
    insta::assert_snapshot!("remove_consent", terminal.sees("Write kilter.yaml?"));
    terminal.press(ENTER);
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    assert!(ended.heard.contains("The same without questions: `kilter remove redis`"), "{}", ended.screen);
    assert!(project.read("kilter.yaml").ends_with("services:\n  - postgres\n"));
    assert!(project.root().join("kilter/values/redis.yaml").is_file());
}

#[test]
fn eject_to_its_end() {
    let project = shop();
    project.kilter(&["init", "--yes"]).succeeds();
    project.kilter(&["eject", "values/redis"]).succeeds();
    let mut terminal = Terminal::start(&project, kilter(&project, &["eject"]));
    insta::assert_snapshot!("eject_things", terminal.sees("Eject what?"));
    terminal.press("values/redis");
    terminal.sees("Search: values/redis_");
    terminal.press(ENTER);
    terminal.sees("`values/redis`: yours, kilter/values/redis.yaml");
    terminal.press("\x15dockerfile");
    terminal.sees("Search: dockerfile_");
    terminal.press(ENTER);
    insta::assert_snapshot!("eject_consent", terminal.sees("Eject dockerfile?"));
    terminal.press(ENTER);
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    assert!(ended.heard.contains("The same without questions: `kilter eject dockerfile`"), "{}", ended.screen);
    assert!(project.root().join("kilter/Dockerfile.dev").is_file());
}
