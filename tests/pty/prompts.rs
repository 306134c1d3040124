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
