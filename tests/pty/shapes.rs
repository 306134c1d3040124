//! Terminals of all shapes, and people who press anything.

use std::collections::BTreeSet;

use super::leaving::with_redis;
use super::terminal::{CTRL_C, DOWN, ENTER, ESC, RIGHT, Terminal};
use super::wizards::{cache, files};
use super::{is_coloured, kilter, shop, written};

#[test]
fn small_terminals_show_what_matters() {
    for (columns, rows) in [(40, 10), (40, 24), (80, 10), (20, 6)] {
        let project = cache();
        let mut terminal = Terminal::of_size(&project, kilter(&project, &["add"]), columns, rows);
        let screen = terminal.sees("Marked: redis");
        assert!(screen.contains("> [x] redis"), "{screen}");
        if (columns, rows) == (40, 10) {
            let found = screen.lines().take(5).collect::<Vec<_>>().join("\n");
            let keys = screen.lines().last().unwrap();
            insta::assert_snapshot!("small_services", format!("{found}\n[CATALOG]\n{keys}"));
        }
        terminal.press(&DOWN.repeat(7));
        terminal.press(ENTER);
        terminal.sees("redis: which");
        terminal.press(RIGHT);
        let screen = terminal.sees("Write kilter.yaml?");
        assert!(screen.contains("Enter or y: yes"), "{screen}");
        if (columns, rows) == (40, 10) {
            insta::assert_snapshot!("small_consent", screen);
        }
        terminal.press(ENTER);
        let ended = terminal.end();
        assert_eq!(ended.code, 0, "{}", ended.screen);
        assert!(project.read("kilter.yaml").contains("- redis"));
    }
}

#[test]
fn a_terminal_may_change_its_size_in_the_middle() {
    let project = cache();
    let mut terminal = Terminal::start(&project, kilter(&project, &["add"]));
    let wide = terminal.sees("Which services?");
    terminal.resize(40, 10);
    terminal.sees_no("Each runs beside your app in development; the app gets");
    let small = terminal.sees("> [x] redis");
    assert!(small.lines().count() <= 10 && small.lines().all(|line| line.chars().count() <= 40), "{small}");
    terminal.resize(80, 24);
    assert_eq!(terminal.sees("Each runs beside your app in development; the app gets"), wide);
    terminal.press(CTRL_C);
    assert_eq!(terminal.end().code, 130);
}

#[test]
fn many_keys_at_once() {
    let project = cache();
    let mut terminal = Terminal::start(&project, kilter(&project, &["add"]));
    terminal.sees("Which services?");
    terminal.press(ENTER);
    terminal.sees("redis: which image?");
    // Pasted as a whole, as terminals mark it: its line ends are no Enter, and what is too much is left out.
    terminal.press(&format!("\x1b[200~{}\r\n\x1b[201~", "registry.example.com/x/".repeat(300)));
    terminal.sees("registry.example.com/x/");
    terminal.press("\x15\x1b[200~acme/redis:7\x1b[201~");
    terminal.sees("> acme/redis:7");
    // And as bare keys, through every question to the end.
    terminal.press("\r\r\r\r");
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    assert!(project.read("kilter.yaml").contains("image: acme/redis:7\n"), "{}", project.read("kilter.yaml"));
}

#[test]
fn without_colour_nothing_is_coloured_and_nothing_is_lost() {
    let project = cache();
    let mut terminal = Terminal::start(&project, kilter(&project, &["add"]).env("NO_COLOR", "1"));
    let plain = terminal.sees("Which services?");
    assert!(plain.contains("> [x] redis"), "{plain}");
    terminal.press(ENTER);
    terminal.sees("redis: which image?");
    terminal.press(RIGHT);
    terminal.sees("Write kilter.yaml?");
    terminal.press(ENTER);
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    assert!(!is_coloured(&ended.heard), "{:?}", ended.heard);
}

/// The numbers of all sequences that set how letters look (SGR, ECMA-48 8.3.117).
fn looks(text: &str) -> BTreeSet<String> {
    let sequence = |rest: &str| {
        let (numbers, _) = rest.split_once('m')?;
        let all = numbers.chars().all(|c| c.is_ascii_digit() || c == ';');
        all.then(|| numbers.split(';').map(str::to_owned).collect::<Vec<_>>())
    };
    text.split("\x1b[").skip(1).filter_map(sequence).flatten().collect()
}

#[test]
fn all_that_is_marked_can_be_read_on_any_background() {
    let project = shop();
    let mut terminal = Terminal::start(&project, kilter(&project, &["add"]));
    terminal.sees("Which services?");
    terminal.press(ENTER);
    terminal.sees("postgres: which image?");
    terminal.press(RIGHT);
    terminal.sees("Write kilter.yaml?");
    terminal.press(ENTER);
    let mut heard = terminal.end().heard;
    for args in [
        &["init"][..],
        &["render"],
        &["catalog"],
        &["rendr"],
        &["remove", "--chekc"],
        &["help"],
        &["add", "--help"],
        &["eject"],
    ] {
        let mut terminal = Terminal::start(&project, kilter(&project, args));
        if args == ["eject"] {
            terminal.sees("Eject what?");
            terminal.press(CTRL_C);
        }
        heard += &terminal.end().heard;
    }
    // Bold, underlined, red, green and magenta; nothing faint (2), yellow (33, 93), white (37, 97) or with a background.
    let readable = ["", "0", "1", "4", "22", "24", "31", "32", "35", "39"].map(str::to_owned);
    let others: Vec<String> = looks(&heard).into_iter().filter(|look| !readable.contains(look)).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(looks(&heard).contains("1"));
}

#[test]
fn numbered_lines_for_those_who_want_no_redraw() {
    for (name, value) in [("KILTER_ACCESSIBLE", "1"), ("TERM", "dumb")] {
        let project = shop();
        let mut terminal = Terminal::of_size(&project, kilter(&project, &["add"]).env(name, value), 80, 70);
        terminal.sees("1. postgres: package.json:11 pg (marked)");
        terminal.sees("Enter takes what is marked (postgres, redis)");
        terminal.press("mailpit\n");
        terminal.sees("mailpit: which image?");
        terminal.press("<\n");
        terminal.sees("Enter takes what is marked (mailpit)");
        terminal.press("zebra\n");
        terminal.sees("Nothing matches `zebra`.");
        terminal.press("none\n");
        terminal.sees("Mark at least one");
        terminal.press("2\n");
        terminal.sees("redis: which image?");
        terminal.press("\n");
        terminal.sees("redis: how much storage?");
        terminal.press("much\n");
        terminal.sees("A size is a number with a unit");
        terminal.press("2Gi\n");
        terminal.sees("redis: password?");
        terminal.press("\n");
        terminal.sees("Write kilter.yaml?");
        terminal.press("y\n");
        let ended = terminal.end();
        assert_eq!(ended.code, 0, "{}", ended.screen);
        assert!(!ended.heard.contains('\x1b') || name == "KILTER_ACCESSIBLE", "{:?}", ended.heard);
        assert!(!ended.heard.contains("\x1b[?1049h") && !ended.heard.contains("\x1b[K"), "{:?}", ended.heard);
        assert!(ended.heard.contains("`kilter add redis --storage 2Gi`"), "{}", ended.screen);
        assert!(project.read("kilter.yaml").contains("size: 2Gi"));
    }
}

#[test]
fn numbered_lines_are_left_like_any_other() {
    for (keys, code) in [("<\n", 5), ("quit\n", 5), ("\x04", 5), (CTRL_C, 130)] {
        for step in 0..4 {
            let project = cache();
            let run = kilter(&project, &["add"]).env("KILTER_ACCESSIBLE", "1");
            let mut terminal = Terminal::of_size(&project, run, 120, 100);
            let titles = ["Which services?", "redis: which image?", "redis: how much storage?", "redis: password?"];
            for title in &titles[..step] {
                terminal.sees(title);
                terminal.press("\n");
            }
            terminal.sees(titles[step]);
            terminal.sees("leaves.");
            if keys.starts_with('<') {
                for title in titles[..step].iter().rev() {
                    terminal.press(keys);
                    terminal.sees(title);
                }
            }
            terminal.press(keys);
            let ended = terminal.end();
            assert_eq!(ended.code, code, "{keys:?} at {step}:\n{}", ended.screen);
            assert!(written(&project).is_empty());
        }
    }
}

#[test]
fn two_hundred_random_sequences_of_keys_end_well() {
    let keys = [
        "a",
        "r",
        "p",
        "e",
        " ",
        "7",
        ".",
        "n",
        "y",
        "Ä",
        "\t",
        "\x7f",
        "\x15",
        "\x01",
        "\x05",
        ENTER,
        ENTER,
        ENTER,
        ESC,
        DOWN,
        RIGHT,
        "\x1b[A",
        "\x1b[D",
        "\x1b[5~",
        "\x1b[6~",
        "\x1b[H",
        "\x1b[F",
        "\x1b[3~",
        "\x1bOP",
        "\x1b[1;5C",
        "\x1b[",
        "\u{9b}",
        "\x1b[200~",
        "\x1b[201~",
        "\x00",
        "\x1a",
    ];
    let mut state: u64 = 6;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let (new, ready) = (cache(), with_redis());
    let (of_new, of_ready) = (files(&new.root()), files(&ready.root()));
    let wizards =
        [("add", "Which services?"), ("init", "Which services?"), ("remove", "Remove"), ("eject", "Eject what?")];
    for round in 0..200_u16 {
        let (command, begins) = wizards[usize::from(round % 4)];
        let (project, before) = if round % 4 < 2 { (&new, &of_new) } else { (&ready, &of_ready) };
        let run = kilter(project, &[command]);
        let mut terminal = Terminal::of_size(project, run, 40 + 10 * (round % 5), 8 + 2 * (round % 7));
        terminal.sees(begins);
        let pressed: String = (0..1 + random(40)).map(|_| keys[random(keys.len())]).collect();
        terminal.press(&pressed);
        terminal.press(CTRL_C);
        let ended = terminal.end();
        assert!([0, 5, 130].contains(&ended.code), "{} after {pressed:?}:\n{}", ended.code, ended.screen);
        assert!(!ended.heard.contains("panicked"), "{pressed:?}:\n{}", ended.screen);
        match ended.code {
            0 => {
                std::fs::remove_dir_all(project.root()).unwrap();
                before.iter().for_each(|(path, text)| project.write(path, text));
            }
            _ => assert_eq!(files(&project.root()), *before, "{command} {pressed:?}"),
        }
    }
}
