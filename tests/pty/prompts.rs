//! Single questions: a name typed as consent, a token that is not shown.

use super::terminal::{CTRL_C, ENTER, ESC, Terminal};
use super::{kilter, shop};
use crate::support::platform::{self as production, APP, Answer, Platform, token};
use crate::support::project::Project;

/// Both ways to ask.
const WAYS: [&str; 2] = ["", "1"];

fn login(project: &Project, server: Option<&str>, accessible: &str) -> Terminal {
    let args: Vec<&str> = ["login"].into_iter().chain(server.iter().flat_map(|url| ["--server", *url])).collect();
    Terminal::start(project, kilter(project, &args).env("KILTER_ACCESSIBLE", accessible))
}

fn logged_in(project: &Project) -> bool {
    project.home().join(".config/kilter/credentials.json").exists()
}

#[test]
fn a_token_is_asked_for_and_not_shown() {
    for way in WAYS {
        let (project, platform) = (Project::new("shop"), Platform::start());
        let mut terminal = login(&project, None, way);
        terminal.sees("Address of the kilter-server:");
        terminal.press(&format!("{}{ENTER}", platform.url()));
        terminal.sees("Token:");
        terminal.press(&format!("{}{ENTER}", token().secret()));
        let ended = terminal.end();
        assert_eq!(ended.code, 0, "{}", ended.screen);
        assert!(ended.heard.contains("Logged in to") && !ended.heard.contains(token().secret()), "{}", ended.screen);
        assert!(logged_in(&project));
    }
}

#[test]
fn from_the_token_one_goes_back_to_the_server() {
    for way in WAYS {
        let (project, platform) = (Project::new("shop"), Platform::start());
        let back = if way.is_empty() { ESC } else { "\x04" };
        let mut terminal = login(&project, None, way);
        terminal.sees("Address of the kilter-server:");
        terminal.press(&format!("https://wrong.example.com{ENTER}"));
        terminal.sees("Token:");
        terminal.press(back);
        terminal.sees_times("Address of the kilter-server:", 2);
        terminal.press(&format!("{}{ENTER}", platform.url()));
        terminal.sees_times("Token:", 2);
        terminal.press(&format!("{}{ENTER}", token().secret()));
        let ended = terminal.end();
        assert_eq!(ended.code, 0, "{}", ended.screen);
        assert!(logged_in(&project) && ended.heard.contains("Logged in to http://127.0.0.1"), "{}", ended.screen);

        // The next login begins with that server.
        let mut terminal = login(&project, None, way);
        terminal.sees(&format!("Address of the kilter-server (Enter: {}", platform.url().trim_end_matches('/')));
        terminal.press(ENTER);
        terminal.sees("Token:");
        terminal.press(CTRL_C);
        assert_eq!(terminal.end().code, 130);
    }
}

#[test]
fn a_question_of_yes_or_no_leaves_the_terminal_as_it_was() {
    for way in WAYS {
        for (key, code) in [("n", 5), (if way.is_empty() { ESC } else { "\x04" }, 5), (CTRL_C, 130), ("", 130)] {
            let project = shop();
            let run = kilter(&project, &["init", "--services", "redis"]).env("KILTER_ACCESSIBLE", way);
            let mut terminal = Terminal::start(&project, run);
            terminal.sees("Write kilter.yaml?");
            match key {
                "" => terminal.signal_kilter("TERM"),
                key if way.is_empty() || key.len() > 1 || key < " " => terminal.press(key),
                key => terminal.press(&format!("{key}\n")),
            }
            let ended = terminal.end();
            assert_eq!(ended.code, code, "{way:?} {key:?}\n{}", ended.screen);
            let said = ["+  - redis", "On this machine: redis 127.0.0.1:"];
            assert!(said.iter().all(|said| ended.heard.contains(said)), "{}", ended.screen);
            assert!(super::written(&project).is_empty());
        }
    }
}

#[test]
fn a_token_can_be_left_out() {
    for way in WAYS {
        // On lines Esc is a character like any other; the end of the input leaves.
        for (key, code) in [(if way.is_empty() { ESC } else { "\x04" }, 5), (ENTER, 5), (CTRL_C, 130)] {
            let (project, platform) = (Project::new("shop"), Platform::start());
            let mut terminal = login(&project, Some(platform.url()), way);
            terminal.sees("Token:");
            terminal.press(key);
            let ended = terminal.end();
            assert_eq!(ended.code, code, "{way:?} {key:?}\n{}", ended.screen);
            assert_eq!(ended.heard.contains("`--token-stdin`"), code == 5, "{}", ended.screen);
            assert!(!logged_in(&project) && platform.asked().is_empty());
        }
    }
}

#[test]
fn an_app_is_deleted_by_its_name() {
    let (project, platform) = (Project::new("shop"), Platform::start());
    platform.answers(&format!("DELETE {APP}"), [Answer::Json(202, serde_json::json!({}))]);
    for way in WAYS {
        for (typed, expected) in [("shop\r", 5), (CTRL_C, 130), (if way.is_empty() { ESC } else { "\x04" }, 5)] {
            let run = production::kilter(&project, &platform, &["apps", "delete", "acme/shop"]);
            let mut terminal = Terminal::start(&project, run.env("TERM", "xterm").env("KILTER_ACCESSIBLE", way));
            terminal.sees("Type `shop-prod` to go on:");
            terminal.press(typed);
            let ended = terminal.end();
            assert_eq!(ended.code, expected, "{}", ended.screen);
        }
    }
    assert!(platform.asked_of(&format!("DELETE {APP}")).is_empty());
    let run = production::kilter(&project, &platform, &["apps", "delete", "acme/shop"]);
    let mut terminal = Terminal::start(&project, run.env("TERM", "xterm"));
    terminal.sees("Type `shop-prod` to go on:");
    terminal.press("shop-prox\x7fd\r");
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    assert_eq!(platform.asked_of(&format!("DELETE {APP}")).len(), 1);
}

#[test]
fn a_cluster_is_destroyed_by_its_name() {
    for way in WAYS {
        for (typed, code, why) in [
            ("other\r", 5, "that is not `shop`, so nothing was deleted"),
            (if way.is_empty() { ESC } else { "\x04" }, 5, "so nothing was deleted"),
            (CTRL_C, 130, ""),
        ] {
            let project = shop();
            project.kilter(&["init", "--yes"]).succeeds();
            let run = kilter(&project, &["destroy"]).env("KILTER_ACCESSIBLE", way);
            let mut terminal = Terminal::start(&project, run);
            terminal.sees("This deletes the kind cluster `kilter-shop` and the data in it.");
            terminal.sees("Type `shop` to go on:");
            terminal.press(typed);
            let ended = terminal.end();
            assert_eq!(ended.code, code, "{}", ended.screen);
            assert!(ended.heard.contains(why), "{}", ended.screen);
        }
    }
}
