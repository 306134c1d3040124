//! Esc goes back, Ctrl-C quits: at each step, of each wizard, without a trace.

use super::terminal::{CTRL_C, ENTER, ESC, Terminal};
use super::wizards::{cache, files};
use super::{kilter, written};
use crate::support::project::Project;

/// A wizard: its command, and the steps that Enter leads through, each with what is on its screen.
struct Wizard {
    args: &'static [&'static str],
    steps: &'static [(&'static str, &'static str)],
    made: fn() -> Project,
}

/// A project that has redis.
pub(super) fn with_redis() -> Project {
    let project = cache();
    project.kilter(&["init", "--yes"]).succeeds();
    project
}

/// What each step takes is pressed to get to the next.
const WIZARDS: [Wizard; 4] = [
    Wizard {
        args: &["add"],
        steps: &[
            ("Which services?", ENTER),
            ("redis: which image?", ENTER),
            ("redis: how much storage?", ENTER),
            ("redis: password?", ENTER),
            ("Write kilter.yaml?", ""),
        ],
        made: cache,
    },
    Wizard {
        args: &["init"],
        steps: &[
            ("Which services?", ENTER),
            ("What is the project called?", ENTER),
            ("Which command starts the app?", ENTER),
            ("Which port does the app listen on?", ENTER),
            ("Which image does the app run in?", ENTER),
            ("Write kilter.yaml?", ""),
        ],
        made: cache,
    },
    Wizard {
        args: &["remove"],
        steps: &[("Remove which services?", " \r"), ("What becomes of their data?", ENTER), ("Write kilter.yaml?", "")],
        made: with_redis,
    },
    Wizard { args: &["eject"], steps: &[("Eject what?", ENTER), ("Eject ", "")], made: with_redis },
];

/// Starts a wizard and goes to one of its steps.
fn at(project: &Project, wizard: &Wizard, step: usize) -> Terminal {
    let mut terminal = Terminal::start(project, kilter(project, wizard.args));
    for (title, keys) in &wizard.steps[..step] {
        terminal.sees(title);
        terminal.press(keys);
    }
    terminal.sees(wizard.steps[step].0);
    terminal
}

#[test]
fn ctrl_c_at_each_step_leaves_no_trace() {
    for wizard in WIZARDS {
        let project = (wizard.made)();
        let before = files(&project.root());
        for step in 0..wizard.steps.len() {
            let mut terminal = at(&project, &wizard, step);
            terminal.press(CTRL_C);
            let ended = terminal.end();
            assert_eq!(ended.code, 130, "{:?} at {step}:\n{}", wizard.args, ended.screen);
            assert!(!ended.heard.contains("error"), "{}", ended.screen);
            assert_eq!(files(&project.root()), before, "{:?} at {step}", wizard.args);
        }
        // No lock is left: the next kilter goes on at once.
        let next = project.kilter(&["add", "nats"]).succeeds();
        assert!(!next.stderr.contains("waiting"), "{}", next.stderr);
    }
}

#[test]
fn esc_at_each_step_goes_back_and_from_the_first_it_leaves() {
    for wizard in WIZARDS {
        let project = (wizard.made)();
        let before = files(&project.root());
        let last = wizard.steps.len() - 1;
        let mut terminal = at(&project, &wizard, last);
        for (title, _) in wizard.steps[..last].iter().rev() {
            terminal.press(ESC);
            terminal.sees(title);
        }
        terminal.press(ESC);
        let ended = terminal.end();
        assert_eq!(ended.code, 5, "{:?}:\n{}", wizard.args, ended.screen);
        assert!(ended.heard.contains("left without an answer, so nothing was written"), "{}", ended.screen);
        assert_eq!(files(&project.root()), before, "{:?}", wizard.args);
    }
}

#[test]
fn an_answer_is_kept_when_one_goes_back_and_forth() {
    let project = cache();
    let mut terminal = Terminal::start(&project, kilter(&project, &["add"]));
    terminal.sees("Which services?");
    terminal.press(ENTER);
    terminal.sees("redis: which image?");
    terminal.press("7.4");
    terminal.sees("> 7.4");
    terminal.press(ENTER);
    terminal.sees("redis: how much storage?");
    terminal.press(ESC);
    terminal.sees("> 7.4");
    terminal.press(ESC);
    terminal.sees("Marked: redis");
    terminal.press(ENTER);
    terminal.sees("> 7.4");
    terminal.press(ENTER);
    terminal.sees("redis: how much storage?");
    terminal.press("\x1b[C");
    assert!(terminal.sees("Write kilter.yaml?").contains("image: redis:7.4"));
    terminal.press(CTRL_C);
    assert_eq!(terminal.end().code, 130);
}

#[test]
fn no_consent_leaves_with_5() {
    let project = cache();
    let mut terminal = at(&project, &WIZARDS[0], 4);
    terminal.press("n");
    let ended = terminal.end();
    assert_eq!(ended.code, 5, "{}", ended.screen);
    assert!(ended.heard.contains("not confirmed, so nothing was written"), "{}", ended.screen);
    assert!(written(&project).is_empty());
}

#[test]
fn a_signal_gives_the_terminal_back() {
    for step in [0, 4] {
        let project = cache();
        let terminal = at(&project, &WIZARDS[0], step);
        terminal.signal_kilter("TERM");
        let ended = terminal.end();
        assert_eq!(ended.code, 130, "{}", ended.screen);
        assert!(written(&project).is_empty());
    }
}

#[test]
fn a_helm_that_hangs_holds_nobody() {
    use crate::support::project::fake_helm;
    for (key, code) in [(ESC, 5), (CTRL_C, 130)] {
        let project = cache().helm_script(&fake_helm("exec sleep 1000"));
        let mut terminal = Terminal::start(&project, kilter(&project, &["add"]));
        terminal.sees("Which services?");
        terminal.press(key);
        let ended = terminal.end();
        assert_eq!(ended.code, code, "{}", ended.screen);
        assert!(written(&project).is_empty());
    }
}
