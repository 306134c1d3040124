//! The shape of the code: which room may know which, where processes start, how long a file is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

/// What any room may use.
const SHARED: [&str; 5] = ["diag", "exec", "fsx", "ids", "yaml"];

/// The rooms, each with what it may use besides the shared ones. An edge that leaves the order
/// config, detect, catalog ← plan ← values ← helm ← artifacts ← image, cluster ← tilt has its reason beside it.
const ROOMS: [(&str, &[&str]); 22] = [
    ("diag", &[]),
    ("exec", &[]),
    ("fsx", &[]),
    ("ids", &[]),
    ("yaml", &[]),
    // Wire types; deploy, server and operator share it.
    ("api", &[]),
    ("config", &[]),
    ("catalog", &[]),
    // What a package speaks of stands in the catalog files.
    ("detect", &["catalog"]),
    // Knows no plan: it gets tools by name and version.
    ("toolchain", &[]),
    ("plan", &["config", "detect", "catalog"]),
    ("values", &["api", "config", "plan"]),
    ("helm", &["catalog", "config", "values"]),
    ("artifacts", &["helm", "values"]),
    ("image", &["catalog", "detect", "plan"]),
    ("cluster", &["config", "plan"]),
    // What the image leaves out, Tilt does not watch.
    ("tilt", &["catalog", "detect", "image", "plan"]),
    // No helm and no git.
    ("server", &["api"]),
    // The layout of the flux repository, and git.
    ("gitops", &["api"]),
    ("operator", &["api", "catalog", "gitops", "helm", "toolchain", "values"]),
    (
        "cli",
        &[
            "artifacts",
            "catalog",
            "cluster",
            "config",
            "detect",
            "helm",
            "image",
            "plan",
            "tilt",
            "toolchain",
            "values",
        ],
    ),
    // The list of rooms, and the start.
    ("lib", &[]),
];

/// Lines of a file without its tests that are a reason to split it, and with them.
const LONG: (usize, usize) = (400, 700);

#[test]
fn rooms_use_only_what_comes_before_them() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.into();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (file, text) in sources() {
        let room = room(&file);
        if room == "main" {
            continue;
        }
        let may = *allowed.get(room.as_str()).unwrap_or_else(|| panic!("{}: a room without a rule", file.display()));
        for used in uses(without_tests(&file, &text)) {
            seen.insert((room.clone(), used.clone()));
            if used != room && !SHARED.contains(&used.as_str()) && !may.contains(&used.as_str()) {
                wrong.push(format!("{}: {room} uses {used}", file.display()));
            }
        }
    }
    assert!(seen.contains(&("helm".into(), "values".into())), "no use is found: {seen:?}");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn an_import_is_found_however_it_is_written() {
    let text = "use crate::plan::Plan;\nuse crate::{cli, fsx::read as r};\nlet x = crate::helm::key();\n// crate::tilt\nuse crate::{\n    image::{a, b},\n    config,\n};";
    assert_eq!(uses(text).into_iter().collect::<Vec<_>>(), ["cli", "config", "fsx", "helm", "image", "plan"]);
}

#[test]
fn processes_start_in_one_room() {
    let starts = [["Command", "::new"].concat(), ["duct", "::cmd"].concat(), ["std::process", "::Command"].concat()];
    let elsewhere = sources().into_iter().filter(|(file, _)| room(file) != "exec");
    let found: Vec<String> = elsewhere
        .filter(|(_, text)| starts.iter().any(|start| text.contains(start)))
        .map(|(file, _)| file.display().to_string())
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn no_file_is_too_long() {
    let mut long = Vec::new();
    for (file, text) in sources() {
        let own = without_tests(&file, &text);
        let (own, all) = (own.lines().count(), text.lines().count());
        if own > LONG.0 || all > LONG.1 {
            long.push(format!("{}: {own} lines, {all} with tests", file.display()));
        }
    }
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn nothing_is_left_unfinished() {
    let words = [["TO", "DO"], ["FIX", "ME"], ["X", "XX"], ["unimpl", "emented!"], ["to", "do!("]].map(|w| w.concat());
    let mut found = Vec::new();
    for (file, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {line}", file.display(), number + 1));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Returns the part of a file that is not its tests, which may look ahead.
fn without_tests<'a>(file: &Path, text: &'a str) -> &'a str {
    if file.ends_with("tests.rs") || file.ends_with("testing.rs") {
        return "";
    }
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

/// Returns every source file of the library, relative to `src`, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(&root().join("src"), &mut found);
    assert!(found.len() > 50, "the sources are gone");
    found
}

fn collect(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path.strip_prefix(root().join("src")).unwrap().to_owned(), text));
        }
    }
}

/// Returns the room of a file: its first directory, or its own name.
fn room(file: &Path) -> String {
    let first = file.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Returns the rooms that a text names behind `crate::`, comments left out.
fn uses(text: &str) -> BTreeSet<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut found = BTreeSet::new();
    for (at, start) in code.match_indices("crate::") {
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(heads(group)),
            None => found.extend(word(rest)),
        }
    }
    found
}

/// Returns the first word of each item of a group, up to its closing brace.
fn heads(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut items = vec![String::new()];
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            _ if depth == 0 => items.last_mut().unwrap().push(c),
            _ => {}
        }
    }
    items.iter().filter_map(|item| word(item.trim())).collect()
}

fn word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
    // A macro or a type of the crate's root is no room.
    (!word.is_empty()).then_some(word)
}
