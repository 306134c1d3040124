//! setup.py and conda's environment files.

use super::requirements::{Requirement, requirement};
use crate::detect::confidence::Scope;
use crate::detect::files::{Fault, Lines, key_line, yaml};

/// Reads the lists that setup.py writes out: `install_requires=["psycopg"]`, also one that is named before
/// (`REQUIRES = […]`, `install_requires=REQUIRES`). Nothing is evaluated: what is computed says nothing
/// (<https://setuptools.pypa.io/en/latest/references/keywords.html>).
pub(super) fn setup_py(text: &str) -> Vec<(Requirement, Scope)> {
    let code = without_comments(text);
    let mut found = Vec::new();
    for (keyword, scope) in [("install_requires", Scope::Runtime), ("tests_require", Scope::Dev)] {
        let Some(value) = value_of(&code, keyword) else { continue };
        let name_ends = code[value..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(0);
        let name = &code[value..value + name_ends];
        let list = if name.is_empty() { Some(value) } else { value_of(&code, name) };
        found.extend(list.into_iter().flat_map(|at| strings(&code, at)).map(|package| (package, scope.clone())));
    }
    found
}

/// Puts blanks in place of comments, so that offsets stay what they are.
fn without_comments(text: &str) -> String {
    let line = |line: &str| {
        let mut quote = None;
        let end = line.char_indices().find(|(_, c)| {
            match (quote, c) {
                (None, '"' | '\'') => quote = Some(*c),
                (Some(open), c) if open == *c => quote = None,
                _ => {}
            }
            quote.is_none() && *c == '#'
        });
        line[..end.map_or(line.len(), |(at, _)| at)].to_owned()
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Returns where the value of `name = …` begins.
fn value_of(code: &str, name: &str) -> Option<usize> {
    code.match_indices(name).find_map(|(at, _)| {
        let is_whole = !code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let rest = code[at + name.len()..].trim_start();
        let value = rest.strip_prefix('=').filter(|rest| is_whole && !rest.starts_with('='))?.trim_start();
        Some(code.len() - value.len())
    })
}

/// Reads the strings of the list that begins at an offset; nothing of anything else.
fn strings(code: &str, start: usize) -> Vec<Requirement> {
    let Some(list) = code[start..].strip_prefix(['[', '(']) else { return Vec::new() };
    let (offset, lines) = (code.len() - list.len(), Lines::new(code));
    let mut found = Vec::new();
    let (mut depth, mut open) = (0, None);
    for (at, c) in list.char_indices() {
        match (open, c) {
            (Some((quote, from)), c) if c == quote => {
                found.extend(requirement(&list[from..at], lines.of(offset + at)));
                open = None;
            }
            (Some(_), _) => {}
            (None, '"' | '\'') => open = Some((c, at + 1)),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') if depth == 0 => break,
            (None, ']' | ')') => depth -= 1,
            _ => {}
        }
    }
    found
}

/// Reads the `dependencies` of an environment of conda, with what it installs by pip
/// (<https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html>). It is read line by line: a conda
/// recipe of that name may be a template.
pub(super) fn environment(text: &str) -> Vec<(Requirement, Scope)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        let code = line.split(" #").next().unwrap_or_default().trim_end();
        if code.starts_with("dependencies:") {
            inside = true;
        } else if !code.starts_with([' ', '-', '#']) && !code.is_empty() {
            inside = false;
        }
        let Some(entry) = code.trim_start().strip_prefix("- ").filter(|_| inside) else { continue };
        // `conda-forge::psycopg2=2.9`
        let entry = entry.trim().trim_matches(['"', '\'']);
        let entry = entry.rsplit_once("::").map_or(entry, |(_, name)| name);
        found.extend(requirement(entry, number + 1).map(|package| (package, Scope::Runtime)));
    }
    found
}

/// Says why conda cannot read an environment. Of a template nothing is known before it is filled in, and a file of that name
/// without dependencies is another tool's.
pub(super) fn fault_of_environment(text: &str) -> Option<Fault> {
    let is_template = ["{{", "{%", "<%"].iter().any(|mark| text.contains(mark));
    if is_template || !text.lines().any(|line| line.starts_with("dependencies:")) {
        return None;
    }
    let dependencies = match yaml(text) {
        Ok(value) => value["dependencies"].clone(),
        Err(fault) => return Some(fault),
    };
    let is_one = dependencies.is_sequence() || dependencies.is_null();
    (!is_one).then(|| (key_line(text, "dependencies"), 1, "`dependencies` is not a list".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: Vec<(Requirement, Scope)>) -> Vec<(String, usize)> {
        found.into_iter().map(|(package, _)| (package.name, package.line)).collect()
    }

    #[test]
    fn literal_lists_of_setup_py_are_read() {
        let text = "setup(\n  name='shop',\n  install_requires=[\n    'redis>=5',  # cache\n    # 'pika',\n    \"psycopg[binary]; python_version > '3'\",\n  ],\n  extras_require={'a': ['pika']},\n)\n";
        assert_eq!(names(setup_py(text)), [("redis".to_owned(), 4), ("psycopg".to_owned(), 6)]);
        let named = "REQUIRES = (\n 'redis',\n)\nsetup(install_requires=REQUIRES, tests_require=['pika'])\n";
        assert_eq!(names(setup_py(named)), [("redis".to_owned(), 2), ("pika".to_owned(), 4)]);
        for text in
            ["setup(install_requires=read('r.txt'))", "install_requires == ['a']", "setup(install_requires=[", ""]
        {
            assert!(setup_py(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn environments_of_conda_are_read_with_their_pip() {
        let text = "name: shop\nchannels:\n  - conda-forge\ndependencies:\n  - python=3.12\n  - conda-forge::redis-py=5\n  - pip:\n    - celery[redis]\nvariables:\n  - pika\n";
        let expected = [("python", 5), ("redis-py", 6), ("celery", 8)].map(|(name, line)| (name.to_owned(), line));
        assert_eq!(names(environment(text)), expected);
    }
}
