//! Each wizard to its end, with its screens.

use std::collections::BTreeMap;
use std::path::Path;

use super::terminal::{CTRL_C, DOWN, ENTER, Ended, RIGHT, Terminal};
use super::{kilter, shop, written};
use crate::support::project::{Project, command, fake_helm};
use crate::support::skip;

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
    paste(&scripted, &said_same(&ended));
    assert_eq!(files(&project.root()), files(&scripted.root()));
    let artifacts = |project: &Project| files(&project.cache().join("shop"));
    assert!(artifacts(&project).keys().any(|path| path == "manifests/redis.yaml"));
    assert_eq!(artifacts(&project), artifacts(&scripted));
}

/// The line that the end of a wizard has for scripts.
fn said_same(ended: &Ended) -> String {
    let line = ended.heard.split("The same without questions: `").nth(1).and_then(|rest| rest.split_once("`\r\n"));
    line.unwrap_or_else(|| panic!("no such line:\n{}", ended.screen)).0.to_owned()
}

/// Has a shell run a line, as a person who pastes it would.
fn paste(project: &Project, line: &str) {
    let kilter = project.kilter::<&str>(&[]).into_command();
    let mut shell = command("/bin/sh".as_ref());
    let dir = Path::new(kilter.get_program()).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", dir.display());
    shell.args(["-c", line]).current_dir(project.root()).env_clear();
    shell.envs(kilter.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("PATH", path);
    let done = shell.output().unwrap();
    assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn what_a_shell_would_take_otherwise_is_pasted_as_it_was_typed() {
    let asked = rendered();
    let mut terminal = Terminal::start(&asked, kilter(&asked, &["init"]));
    let typed = r#"sh -c 'echo "$HOME"; npm run dev' \ # `x`"#;
    for (title, keys) in [
        ("Which services?", ""),
        ("What is the project called?", ""),
        ("Which command starts the app?", typed),
        ("Which port does the app listen on?", ""),
        ("Which image does the app run in?", "node:20"),
        ("Write kilter.yaml?", ""),
    ] {
        terminal.sees(title);
        terminal.press(keys);
        terminal.press(ENTER);
    }
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    assert!(asked.read("kilter.yaml").contains("image: node:20\n"), "{}", asked.read("kilter.yaml"));
    let scripted = rendered();
    paste(&scripted, &said_same(&ended));
    assert_eq!(files(&asked.root()), files(&scripted.root()));

    let mut terminal = Terminal::start(&asked, kilter(&asked, &["add"]));
    terminal.sees("Which services?");
    terminal.press("meilis");
    terminal.sees("Search: meilis_");
    terminal.press("\r");
    terminal.sees("Marked: meilisearch");
    terminal.press("\r");
    terminal.sees("meilisearch: which image?");
    terminal.press("\r");
    terminal.sees("meilisearch: how much storage?");
    terminal.press("\r");
    terminal.sees("meilisearch: ");
    terminal.press("it's $(x) {a}\r");
    terminal.sees("at least 16");
    terminal.press(" \"b\" c\r");
    terminal.sees("Write kilter.yaml?");
    terminal.press(ENTER);
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    paste(&scripted, &said_same(&ended));
    assert_eq!(files(&asked.root()), files(&scripted.root()));
    let artifacts = |project: &Project| files(&project.cache().join("shop"));
    assert_eq!(artifacts(&asked), artifacts(&scripted));
}

#[test]
fn the_line_goes_to_the_same_project() {
    let project = cache();
    let above = project.root().parent().unwrap().to_owned();
    let run = kilter(&project, &["-C", "cache", "--instance", "review", "add"]).cwd(&above);
    let mut terminal = Terminal::start(&project, run);
    terminal.sees("Which services?");
    terminal.press(ENTER);
    terminal.sees("redis: which image?");
    terminal.press(RIGHT);
    let screen = terminal.sees("Write kilter.yaml?");
    assert!(screen.contains("kilter -C cache --instance review add redis"), "{screen}");
    terminal.press(ENTER);
    assert_eq!(terminal.end().code, 0);
}

#[test]
fn what_clashes_is_said_before_consent() {
    let project = cache();
    // Another directory of this machine is the project `cache`.
    let other = project.outside("elsewhere/cache");
    let taken = serde_json::json!({"instances": {"cache": {"dir": other, "blocks": [20000]}}}).to_string();
    std::fs::create_dir_all(&other).unwrap();
    kilter::fsx::write(&project.state().join("kilter/machine.json"), taken.as_bytes()).unwrap();
    let mut terminal = Terminal::start(&project, kilter(&project, &["init"]));
    terminal.sees("Which services?");
    terminal.press(ENTER);
    terminal.sees("What is the project called?");
    terminal.press(ENTER);
    let screen = terminal.sees("already is the project `cache`");
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("give it another name: `kilter init --name NAME`."), "to its end: {screen}");
    // The app's objects have the project's name in the cluster, and so no service can.
    terminal.press("redis");
    terminal.press(ENTER);
    terminal.sees("the name that the app has in the cluster");
    terminal.press("\x15caches");
    terminal.press(ENTER);
    terminal.sees("Which command starts the app?");
    terminal.press(RIGHT);
    let screen = terminal.sees("Write kilter.yaml?");
    assert!(screen.contains("+name: caches") && screen.contains("On this machine: redis 127.0.0.1:"), "{screen}");
    // A port of it that somebody has is said, too.
    let port = screen.split("redis 127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    terminal.press(CTRL_C);
    assert_eq!(terminal.end().code, 130);
    let _other = std::net::TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    let said = project.kilter(&["init", "--dry-run", "--name", "caches"]).succeeds().stderr;
    match Path::new("/proc/net/tcp").is_file() {
        true => assert!(said.contains(&format!("Clash: port {port} is taken by ")), "{said}"),
        false => skip("what_clashes_is_said_before_consent: there is no /proc here to see who has a port"),
    }
    let said = project.kilter(&["add", "redis"]).fails(1);
    assert!(said.contains("already is the project `cache`"), "{said}");
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
    let same = "kilter init --yes --services postgres --port 8080";
    for said in [format!("The same without questions: `{same}`").as_str(), "DATABASE_URL=", "process.env.DATABASE_URL"]
    {
        assert!(ended.heard.contains(said), "{said}\n{}", ended.screen);
    }
    assert!(project.read("kilter.yaml").ends_with("field.\nport: 8080\nservices:\n  - postgres\n"));

    let scripted = rendered();
    paste(&scripted, &said_same(&ended));
    assert_eq!(files(&project.root()), files(&scripted.root()));
    let artifacts = |project: &Project| files(&project.cache().join("shop"));
    assert_eq!(artifacts(&project), artifacts(&scripted));
}

#[test]
fn a_name_is_asked_for_where_the_directory_has_none() {
    let project = Project::new("日本").fixture("shop").helm_script(&fake_helm("cat >/dev/null; printf 'kind: X\\n'"));
    let mut terminal = Terminal::start(&project, kilter(&project, &["init"]));
    terminal.sees("Which services?");
    terminal.press(ENTER);
    let screen = terminal.sees("What is the project called?");
    assert!(screen.contains("> my-project"), "{screen}");
    terminal.press("shop");
    terminal.press(ENTER);
    terminal.sees("Which command starts the app?");
    terminal.press(RIGHT);
    terminal.sees("+name: shop");
    terminal.press(ENTER);
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    assert!(ended.heard.contains("`kilter init --yes --name shop`"), "{}", ended.screen);
    // What was found stays on the screen, and the name is another now.
    assert!(ended.screen.contains("dev     ") && !ended.screen.contains("name    my-project"), "{}", ended.screen);
    assert!(project.read("kilter.yaml").contains("\nname: shop\n"));
}

#[test]
fn a_command_that_was_not_found_is_asked_for() {
    let package = r#"{"name": "cache", "dependencies": {"ioredis": "^5"}}"#;
    for typed in ["", "node server.js"] {
        let project = cache().file("package.json", package);
        let mut terminal = Terminal::start(&project, kilter(&project, &["init"]));
        terminal.sees("Which services?");
        terminal.press(ENTER);
        terminal.sees("What is the project called?");
        terminal.press(ENTER);
        let screen = terminal.sees("Which command starts the app?");
        assert!(screen.contains("None was found.") && screen.contains("> left open"), "{screen}");
        terminal.press(typed);
        terminal.press(ENTER);
        if !typed.is_empty() {
            terminal.sees("Which port does the app listen on?");
            terminal.press(RIGHT);
        }
        terminal.sees("Write kilter.yaml?");
        terminal.press(ENTER);
        let ended = terminal.end();
        assert_eq!(ended.code, 0, "{}", ended.screen);
        assert_eq!(project.read("kilter.yaml").contains("\ndev: node server.js\n"), !typed.is_empty());
        assert_eq!(ended.heard.contains("once `dev:` in kilter.yaml"), typed.is_empty(), "{}", ended.screen);
    }
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
    assert!(ended.heard.contains("`kilter init --yes`"), "{}", ended.screen);
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
