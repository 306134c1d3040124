//! The shape of the code: which room may know which, where processes start, how long a file is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

/// What any room may use.
const SHARED: [&str; 5] = ["diag", "exec", "fsx", "ids", "yaml"];

/// The rooms, each with what it may use besides the shared ones. An edge that leaves the order
/// config, detect, catalog ← plan ← values ← helm ← artifacts ← cluster ← image ← tilt has its reason beside it.
const ROOMS: [(&str, &[&str]); 24] = [
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
    ("cluster", &["config", "plan"]),
    // docker is called in one way, which the cluster's room has.
    ("image", &["catalog", "cluster", "detect", "plan"]),
    // The developer's side of production: no cluster, no helm.
    ("deploy", &["api", "config", "plan"]),
    // What the image leaves out, Tilt does not watch.
    ("tilt", &["catalog", "detect", "image", "plan"]),
    // No helm and no git.
    ("server", &["api", "daemon"]),
    // What both programs of the platform need.
    ("daemon", &["api"]),
    // The layout of the flux repository, and git.
    ("gitops", &["api"]),
    // What becomes of a chart's hooks is a word of kilter.yaml.
    ("operator", &["api", "daemon", "catalog", "config", "gitops", "helm", "toolchain", "values"]),
    (
        "cli",
        &[
            "api",
            "artifacts",
            "catalog",
            "cluster",
            "config",
            "deploy",
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

/// Strings of the sources that name a service of the catalog, by file and how they begin, with the reason. Examples in the help
/// of a command (`after_help`, which begins with `Example`) need none.
const NAMING_A_SERVICE: [(&str, &str, &str); 6] = [
    ("cli/add.rs", "Name the services: `kilter add ", "an example in advice; the words after it lead to the list"),
    ("config/services.rs", "Write the whole address, for example ", "the made-up address of a chart, not a service"),
    ("detect/php/app.rs", "redis", "an extension of PHP"),
    ("image/php.rs", "memcached", "an extension of PHP"),
    ("image/php.rs", "mongodb", "an extension of PHP"),
    ("image/php.rs", "redis", "an extension of PHP"),
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
        if room == "main" || room == "bin" {
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

/// What kilter knows of a service stands in its folder: code that asks for one by name would have to be changed for the next.
#[test]
fn no_code_names_a_service_of_the_catalog() {
    let services = services();
    let names = |text: &str| {
        let part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        let stands = |name: &&String| {
            let mut places =
                text.match_indices(name.as_str()).map(|(at, name)| (&text[..at], &text[at + name.len()..]));
            places.any(|(before, after)| !part(before.chars().next_back()) && !part(after.chars().next()))
        };
        services.iter().filter(stands).cloned().collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    let mut unused: BTreeSet<(&str, &str)> = NAMING_A_SERVICE.map(|(file, start, _)| (file, start)).into();
    for (file, text) in sources() {
        for literal in strings(without_tests(&file, &text)) {
            let excuse = |(at, start, _): &&(&str, &str, &str)| file == Path::new(at) && literal.starts_with(start);
            match NAMING_A_SERVICE.iter().find(excuse) {
                _ if names(&literal).is_empty() || literal.starts_with("Example") => {}
                Some((at, start, _)) => drop(unused.remove(&(*at, *start))),
                None => found.push(format!("{}: {literal:?} names {}", file.display(), names(&literal).join(", "))),
            }
        }
    }
    assert_eq!(found, Vec::<String>::new(), "say it in the service's catalog.yaml");
    assert_eq!(unused, BTreeSet::new(), "no reason is needed for what is not there");
}

#[test]
fn a_string_is_found_however_it_is_written() {
    let text = "let a = \"re\\\"dis\"; // \"not\"\n/* \"nor\" */ f('\"', '\\'', &'a b\"bytes\", r#\"raw \"x\" \"#, \"two\\n\nlines\");";
    assert_eq!(strings(text), ["re\\\"dis", "bytes", "raw \"x\" ", "two\\n\nlines"]);
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
    let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    if name.starts_with("tests") || name.ends_with("_tests") || name == "testing" {
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

/// Returns the services of the catalog: the folders with a catalog file.
fn services() -> Vec<String> {
    let folders = fs::read_dir(root().join("vendor-charts")).unwrap().map(|entry| entry.unwrap());
    let services = folders.filter(|folder| folder.path().join("catalog.yaml").is_file());
    let names: Vec<String> = services.map(|folder| folder.file_name().into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name == "postgres"), "the catalog is gone: {names:?}");
    names
}

/// Returns the string literals of a source, as they are written.
fn strings(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, here) = rest.split_at(at);
        let hashes = before.len() - before.trim_end_matches('#').len();
        let raw = before[..before.len() - hashes].ends_with('r');
        let inside = &here[1..];
        rest = match here.as_bytes()[0] {
            b'/' if inside.starts_with('/') => here.split_once('\n').map_or("", |(_, rest)| rest),
            b'/' if inside.starts_with('*') => here.split_once("*/").map_or("", |(_, rest)| rest),
            b'/' => inside,
            b'"' if raw => {
                let (literal, rest) = inside.split_once(&format!("\"{}", "#".repeat(hashes))).unwrap();
                found.push(literal.to_owned());
                rest
            }
            b'"' => {
                let end = unescaped(inside, '"').unwrap();
                found.push(inside[..end].to_owned());
                &inside[end + 1..]
            }
            // A character, or the name of a lifetime.
            _ if inside.starts_with('\\') || inside.chars().nth(1) == Some('\'') => {
                &inside[unescaped(inside, '\'').unwrap() + 1..]
            }
            _ => inside,
        };
    }
    found
}

/// Returns where a character is first that no backslash stands before.
fn unescaped(text: &str, wanted: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let here = c == wanted && !escaped;
        escaped = c == '\\' && !escaped;
        here.then_some(at)
    })
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
