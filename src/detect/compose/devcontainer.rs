//! devcontainer.json (<https://containers.dev/implementors/json_reference/>): the compose files it starts and its features.

use super::{image, place};
use crate::catalog::Ecosystem;
use crate::detect::confidence::Scope;
use crate::detect::files::Files;
use crate::detect::json::{Json, Objects};
use crate::detect::places::split;
use crate::detect::rules::Declared;

/// What one devcontainer starts.
pub(super) struct Devcontainer {
    /// Compose files, relative to the project's root, and what is said by standing in them.
    pub compose_files: Vec<(String, Scope)>,
    /// Its features.
    pub declared: Vec<Declared>,
}

/// Tells whether a path is a devcontainer.json where the tools look for it.
pub(super) fn is_one(path: &str) -> bool {
    let (directory, name) = split(path);
    name == ".devcontainer.json"
        || (name == "devcontainer.json" && directory.split('/').any(|part| part == ".devcontainer"))
}

/// Reads every devcontainer.json. Of several in one folder a person chooses.
pub(super) fn read(files: &Files<'_>) -> Vec<Devcontainer> {
    let paths: Vec<&str> = files.all().filter(|path| is_one(path)).collect();
    let several = paths.iter().filter(|path| split(path).0.split('/').next_back() != Some(".devcontainer")).count() > 1;
    let one = |path: &&str| {
        let named = split(path).0.split('/').next_back() != Some(".devcontainer");
        let scope =
            if several && named { Scope::Aside("in one of several devcontainers".into()) } else { Scope::Runtime };
        parse(files, path, &scope)
    };
    paths.iter().filter_map(one).collect()
}

fn parse(files: &Files<'_>, path: &str, scope: &Scope) -> Option<Devcontainer> {
    let objects = Objects { names: &["features"], or_empty_list: false };
    let json = Json::object(files, path, without_comments, &objects)?;
    let directory = split(path).0;
    let said = &json.value["dockerComposeFile"];
    let names = said.as_str().into_iter().chain(said.as_array().into_iter().flatten().filter_map(|v| v.as_str()));
    let compose_files = names.filter_map(|name| Some((place(directory, name)?, scope.clone()))).collect();
    let features = json.value["features"].as_object().into_iter().flat_map(|features| features.keys());
    let declared = features.map(|feature| Declared {
        ecosystem: Ecosystem::Compose,
        name: image::canonical(feature),
        extras: Vec::new(),
        scope: scope.clone(),
        file: path.into(),
        line: json.line(&["features", feature]),
    });
    Some(Devcontainer { compose_files, declared: declared.collect() })
}

/// Puts blanks in place of comments and of commas before a closing bracket, which the format allows, so that lines and columns
/// stay what they are.
fn without_comments(text: &str) -> String {
    let mut out: Vec<char> = text.chars().collect();
    let (mut at, mut comma) = (0, None);
    while at < out.len() {
        let next = out.get(at + 1).copied();
        match out[at] {
            '"' => {
                comma = None;
                at += 1;
                while at < out.len() && out[at] != '"' {
                    at += if out[at] == '\\' { 2 } else { 1 };
                }
            }
            '/' if next == Some('/') => {
                while at < out.len() && out[at] != '\n' {
                    out[at] = ' ';
                    at += 1;
                }
                continue;
            }
            '/' if next == Some('*') => {
                let end =
                    out[at + 2..].windows(2).position(|pair| pair == ['*', '/']).map_or(out.len(), |n| at + n + 4);
                for c in &mut out[at..end] {
                    if *c != '\n' {
                        *c = ' ';
                    }
                }
                at = end;
                continue;
            }
            ',' => comma = Some(at),
            ']' | '}' => {
                if let Some(comma) = comma.take() {
                    out[comma] = ' ';
                }
            }
            c if c.is_whitespace() => {}
            _ => comma = None,
        }
        at += 1;
    }
    out.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_last_commas_are_allowed() {
        let text = "{ // a \"\n \"a\": \"x // y, }\", /* , ] */\n \"b\": [1, 2,],\n}\n/* end";
        let json = Json::parse(&without_comments(text)).unwrap();
        assert_eq!(json.text(&["a"]), Some(("x // y, }", 2)));
        assert_eq!(json.line(&["b"]), 3);
    }

    #[test]
    fn places_of_devcontainers() {
        assert!(is_one(".devcontainer.json") && is_one(".devcontainer/devcontainer.json"));
        assert!(is_one(".devcontainer/rails/devcontainer.json") && !is_one("a/devcontainer.json"));
    }
}
