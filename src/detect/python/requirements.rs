//! Requirement strings (PEP 508), requirements files of pip and setup.cfg.

use crate::catalog::services;
use crate::detect::confidence::Scope;
use crate::detect::files::Files;
use crate::detect::places::{join, project, relative, split};

/// A declared package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::detect) struct Requirement {
    pub name: String,
    pub extras: Vec<String>,
    pub line: usize,
}

/// Declared packages and what they are for.
pub(super) type Packages = Vec<(Requirement, Scope)>;

/// Line and message of what is wrong with a manifest.
pub(super) type Fault = (usize, &'static str);

/// Reads the name and extras of a requirement (<https://packaging.python.org/en/latest/specifications/dependency-specifiers>);
/// `None` when it is not one.
pub(super) fn requirement(text: &str, line: usize) -> Option<Requirement> {
    let text = text.trim();
    let name_ends = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(text.len());
    let (name, rest) = text.split_at(name_ends);
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let rest = rest.trim_start();
    let extras = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((extras, _)) => extras.split(',').map(|extra| extra.trim().to_owned()).filter(|e| !e.is_empty()).collect(),
        // After the name stand a version, a marker, an address or nothing; anything else is a path or an address.
        None if rest.is_empty() || rest.starts_with(['<', '>', '=', '!', '~', ';', '@', '(', ',']) => Vec::new(),
        None => return None,
    };
    (!is_windows_alone(rest)).then(|| Requirement { name: name.into(), extras, line })
}

/// Tells whether a requirement is for Windows and nothing else, where no service of kilter's runs for it: `; os_name == "nt"`.
fn is_windows_alone(rest: &str) -> bool {
    let marker = rest.rsplit_once(';').map_or("", |(_, marker)| marker.split(" #").next().unwrap_or_default());
    let marker: String = marker.chars().filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\'')).collect();
    matches!(marker.as_str(), "sys_platform==win32" | "platform_system==Windows" | "os_name==nt")
}

/// Tells whether a path is a requirements file: `requirements*.txt` or `.in`, `dev-requirements.txt`, or any of these
/// endings in a folder `requirements`.
pub(in crate::detect) fn is_requirements(path: &str) -> bool {
    let (dir, name) = split(path);
    let Some((stem, "txt" | "in")) = name.rsplit_once('.') else { return false };
    stem.contains("requirements") || split(dir).1 == "requirements"
}

/// Tells whether the file was compiled from a `.in` beside it, which says what the project itself asks for.
pub(super) fn is_compiled(files: &Files<'_>, path: &str) -> bool {
    path.strip_suffix(".txt").is_some_and(|stem| files.has(&format!("{stem}.in")))
}

/// Reads a requirements file; its name says what it is for. Also tells whether pip needs more of the project to install
/// it: constraints, or a package of the project's own.
pub(super) fn read(files: &Files<'_>, path: &str) -> Option<(Vec<(Requirement, Scope)>, bool)> {
    let text = files.read(path)?;
    let scope = scope(files, path);
    let local =
        |line: &str| ["-c", "--constraint", "-e", "--editable", ".", "file:"].iter().any(|p| line.starts_with(p));
    let needs_sources = text.lines().any(|line| local(line.trim()));
    Some((parse(&text).into_iter().map(|package| (package, scope.clone())).collect(), needs_sources))
}

/// Words of a requirements file that is for those who want more than the app needs.
const OPTIONAL: [&str; 8] = ["all", "contrib", "extra", "extras", "full", "opt", "optional", "optionals"];

/// Names of those who run services, and of services that the catalog does not have or has by another name.
const PROVIDERS: [&str; 18] = [
    "amqp",
    "aws",
    "azure",
    "cassandra",
    "db2",
    "dynamodb",
    "elastic",
    "gcp",
    "gcs",
    "milvus",
    "mongo",
    "neo4j",
    "oracle",
    "pg",
    "pinecone",
    "postgresql",
    "s3",
    "sqlite",
];

/// Tells whether a word of a requirements file's name says that it is for those who choose it: who want more than the app needs, or
/// this service.
fn is_a_choice(word: &str) -> bool {
    OPTIONAL.contains(&word) || PROVIDERS.contains(&word) || services().contains_key(word)
}

/// Tells the scope by the file's name: `requirements-dev.txt`, `requirements/production.txt`. Other words than those that say for
/// what end it is name a part of the app, which is installed with it.
fn scope(files: &Files<'_>, path: &str) -> Scope {
    let stem = stem(path).to_ascii_lowercase();
    let words: Vec<&str> = stem.split(['-', '_', '.']).filter(|word| *word != "requirements").collect();
    match Scope::of_group(&stem) {
        Scope::Extra(_) if words.contains(&"integrations") => Scope::Dev,
        Scope::Extra(_) if words.iter().any(|word| is_a_choice(word)) && !is_alone(files, path) => {
            Scope::Extra(words.join("-"))
        }
        Scope::Extra(_) => Scope::Runtime,
        Scope::Production if is_all_there_is(files, path) || is_developed_with(files, path) => Scope::Runtime,
        scope => scope,
    }
}

/// Tells whether no file beside this one of production says what development needs as well: then this one does.
fn is_all_there_is(files: &Files<'_>, path: &str) -> bool {
    const COMMON: [&str; 6] = ["base", "common", "core", "default", "main", "shared"];
    let is_common = |other: &str| {
        let name = stem(other).to_ascii_lowercase();
        is_requirements(other) && (name == "requirements" || has_word(&name, |word| COMMON.contains(&word)))
    };
    !files.in_directory_of(path).any(is_common) && !has_other_manifest(files, path)
}

/// Tells whether a requirements file for development installs this one, too: `-r prod.txt`, also where that is compiled from it.
fn is_developed_with(files: &Files<'_>, path: &str) -> bool {
    const NAMES: [&str; 5] = ["dev", "devel", "develop", "development", "local"];
    let is_for_development = |other: &&str| {
        is_requirements(other) && has_word(&stem(other).to_ascii_lowercase(), |word| NAMES.contains(&word))
    };
    let is_this = |file: &str| (split(file).0, stem(file)) == (split(path).0, stem(path));
    files.in_directory_of(path).filter(is_for_development).any(|other| {
        let text = files.read_if_there(other).unwrap_or_default();
        let mut included = text.lines().filter_map(|line| {
            let rest = ["-r", "--requirement"].into_iter().find_map(|flag| line.trim().strip_prefix(flag))?;
            relative(split(other).0, rest.trim_start_matches(['=', ' ']).split(" #").next()?.trim())
        });
        included.any(|file| is_this(&file))
    })
}

/// Tells whether no other manifest says what the app of this requirements file needs, so that the file has to.
fn is_alone(files: &Files<'_>, path: &str) -> bool {
    let plain = |other: &str| {
        is_requirements(other)
            && project(other) == project(path)
            && Scope::of_group(stem(other)) != Scope::Dev
            && !has_word(stem(other), is_a_choice)
    };
    !has_other_manifest(files, path) && !files.all().any(plain)
}

/// Tells whether the project of a requirements file has a manifest of another kind.
fn has_other_manifest(files: &Files<'_>, path: &str) -> bool {
    let mut names = ["pyproject.toml", "setup.py", "setup.cfg", "Pipfile"].into_iter();
    names.any(|name| files.has(&join(project(path), name)))
}

/// Returns the name of a file without its ending.
fn stem(path: &str) -> &str {
    split(path).1.rsplit_once('.').map_or("", |(stem, _)| stem)
}

fn has_word(name: &str, is_one: impl Fn(&str) -> bool) -> bool {
    name.split(['-', '_', '.']).any(is_one)
}

/// Reads the lines of a requirements file. Of one that a tool compiled from another file, only what that file asked for
/// directly counts: its comment `via` names the file.
pub(super) fn parse(text: &str) -> Vec<Requirement> {
    let head: String = text.lines().take(12).collect::<Vec<_>>().join("\n").to_ascii_lowercase();
    let compiled = head.contains("autogenerated by") || head.contains("pip-compile") || head.contains("uv pip compile");
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let code = if line.trim_start().starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default() };
        let code = code.split(" --").next().unwrap_or_default().trim_end_matches('\\').trim();
        found.extend(egg(code, index + 1));
        if code.is_empty() || code.starts_with('-') || (compiled && !is_direct(line, &lines[index + 1..])) {
            continue;
        }
        found.extend(requirement(code, index + 1));
    }
    found
}

/// Reads the name that an address of a repository gives itself: `-e git+https://…#egg=redis`
/// (<https://pip.pypa.io/en/stable/topics/vcs-support/>).
fn egg(code: &str, line: usize) -> Option<Requirement> {
    let (address, fragment) = code.split_once('#')?;
    address
        .contains("://")
        .then(|| fragment.split('&').find_map(|part| requirement(part.strip_prefix("egg=")?, line)))?
}

/// Returns the extras of the project itself that a requirements file asks for: `-e .[postgres]`.
pub(super) fn own_extras(text: &str) -> Vec<String> {
    let extras = text.lines().filter_map(|line| {
        let line = line.split(" #").next().unwrap_or_default().trim();
        let path = ["-e", "--editable"].into_iter().find_map(|flag| line.strip_prefix(flag)).unwrap_or(line);
        let path = path.trim_start_matches([' ', '=']).trim_matches(['"', '\'']);
        path.strip_prefix("./")
            .or_else(|| path.strip_prefix('.'))?
            .strip_prefix('[')?
            .split_once(']')
            .map(|(extras, _)| extras)
    });
    extras.flat_map(|extras| extras.split(',')).map(|extra| extra.trim().to_owned()).collect()
}

/// Tells whether the comment of a compiled requirement names a file (`-r main.in`, `shop (pyproject.toml)`), and not
/// only other packages; without a comment it counts.
fn is_direct(line: &str, after: &[&str]) -> bool {
    let is_part = |line: &&&str| line.starts_with([' ', '\t']) || line.trim_start().starts_with("--hash");
    let comments: Vec<&str> = std::iter::once(line)
        .chain(after.iter().take_while(is_part).copied())
        .filter_map(|line| line.split_once('#').map(|(_, comment)| comment.trim()))
        .collect();
    let via = comments.iter().any(|comment| comment.starts_with("via"));
    !via || comments.iter().any(|comment| comment.contains("-r ") || comment.ends_with(')'))
}

/// Reads `install_requires` and `[options.extras_require]` of setup.cfg
/// (<https://setuptools.pypa.io/en/latest/userguide/declarative_config.html>), which is taken apart as Python does
/// (<https://docs.python.org/3/library/configparser.html#supported-ini-file-structure>). Beside it, line and reason where that
/// cannot be done first.
pub(super) fn setup_cfg(text: &str) -> (Packages, Option<Fault>) {
    let (mut found, mut fault) = (Vec::new(), None);
    let mut section = None;
    let mut scope: Option<Scope> = None;
    // How far the last key is indented: what is further belongs to its value.
    let mut key_at: Option<usize> = None;
    for (number, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line)) {
        let code = line.trim();
        if code.starts_with(['#', ';']) || code.is_empty() {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let mut value = code;
        if key_at.is_none_or(|key_at| indent <= key_at) {
            if let Some((name, _)) = code.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')) {
                (section, scope, key_at) = (Some(name.trim()), None, None);
                continue;
            }
            let Some(section) = section else {
                fault = fault.or(Some((number, "a line stands before the first section")));
                continue;
            };
            let Some((key, rest)) = code.split_once(['=', ':']).filter(|(key, _)| !key.is_empty()) else {
                fault = fault.or(Some((number, "a line is neither a section nor a key with its value")));
                scope = None;
                continue;
            };
            key_at = Some(indent);
            scope = match (section, key.trim()) {
                ("options", "install_requires") => Some(Scope::Runtime),
                ("options", "tests_require") => Some(Scope::Dev),
                ("options.extras_require", group) => Some(Scope::of_group(group)),
                _ => None,
            };
            value = rest;
        }
        let Some(scope) = &scope else { continue };
        found.extend(requirement(value, number).map(|package| (package, scope.clone())));
    }
    (found, fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_extras_are_read_from_requirements() {
        let read = |text| requirement(text, 1).map(|r| (r.name, r.extras.join("+")));
        let some = |name: &str, extras: &str| Some((name.to_owned(), extras.to_owned()));
        assert_eq!(read("psycopg[binary, pool]>=3.1,<4 ; python_version > '3'"), some("psycopg", "binary+pool"));
        assert_eq!(read("python-multipart<1.0"), some("python-multipart", ""));
        assert_eq!(read("redis"), some("redis", ""));
        assert_eq!(read("shop @ git+https://example.com/shop"), some("shop", ""));
        assert_eq!(read("zope.interface (>=5)"), some("zope.interface", ""));
        for other in ["./local/redis", "https://example.com/redis.whl", "git+ssh://x", "", "redis something", "redis/"]
        {
            assert_eq!(read(other), None, "{other}");
        }
        for windows in
            ["pika ; sys_platform == \"win32\"", "pika>=1; platform_system=='Windows' # x", "a[b];os_name == 'nt'"]
        {
            assert_eq!(read(windows), None, "{windows}");
        }
        for more in ["pika; sys_platform != 'win32'", "pika; sys_platform == 'win32' or python_version > '3'"] {
            assert_eq!(read(more), some("pika", ""), "{more}");
        }
    }

    #[test]
    fn requirements_files_are_told_by_name_or_folder() {
        for yes in ["requirements.txt", "a/requirements-dev.in", "dev-requirements.txt", "requirements/base.txt"] {
            assert!(is_requirements(yes), "{yes}");
        }
        for no in ["robots.txt", "requirements.md", "notrequirements/base.txt", "requirements/readme.md"] {
            assert!(!is_requirements(no), "{no}");
        }
    }

    #[test]
    fn of_a_compiled_file_only_what_was_asked_for_counts() {
        let text = "# This file is autogenerated by pip-compile with Python 3.13\namqp==5.3 \\\n    --hash=sha256:ab\n    # via kombu\nredis==5 # via -r main.in\ncelery==5\n    # via\n    #   -r main.in\n    #   celery-redbeat\nflask==3\n    # via shop (pyproject.toml)\n";
        let names: Vec<_> = parse(text).into_iter().map(|r| r.name).collect();
        assert_eq!(names, ["redis", "celery", "flask"]);
    }

    #[test]
    fn repositories_and_the_project_itself_are_read() {
        let text = "-e git+https://example.com/psycopg2.git#egg=psycopg2&subdirectory=a\ngit+https://example.com/x#egg=redis[hiredis]\n-e . #egg=no\n# -e a://b#egg=no\n";
        let names: Vec<_> = parse(text).into_iter().map(|r| (r.name, r.line)).collect();
        assert_eq!(names, [("psycopg2".to_owned(), 1), ("redis".to_owned(), 2)]);
        assert_eq!(
            own_extras("-e .[postgres, s3]\n.[web]\n./[a]\n--editable=.[b]\n-e ./other[c]\n.\n"),
            ["postgres", "s3", "web", "a", "b"]
        );
    }
}
