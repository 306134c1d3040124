//! sbt: `build.sbt` and the lists of dependencies in `project/`
//! (<https://www.scala-sbt.org/1.x/docs/Library-Dependencies.html>). They are Scala and never run: what is read is
//! `"org.postgresql" % "postgresql" % "42.7" % Test`, wherever it stands.

use std::collections::HashMap;

use super::script::{Token, TokenKind, tokens};
use super::{Build, JvmProject};
use crate::catalog::Ecosystem;
use crate::detect::confidence::Scope;
use crate::detect::files::Files;
use crate::detect::places::split;
use crate::detect::rules::Declared;

/// Names of the sources in `project/` that list dependencies.
const LISTS: [&str; 7] = [
    "Build.scala",
    "Dependencies.scala",
    "Dependency.scala",
    "Deps.scala",
    "Libraries.scala",
    "Library.scala",
    "Libs.scala",
];

/// Settings and calls that add nothing to the app: plugins of the build and of the compiler, versions of what others bring.
const APART: [&str; 6] = [
    "addSbtPlugin",
    "addCompilerPlugin",
    "compilerPlugin",
    "dependencyOverrides",
    "excludeDependencies",
    "conflictManager",
];

/// Tells whether a file is one of these. A `.sbt` in `project/` is of the build itself.
pub(super) fn is_one(path: &str, name: &str) -> bool {
    let in_project = split(split(path).0).1 == "project";
    if in_project { LISTS.contains(&name) } else { name.ends_with(".sbt") }
}

/// Reads every file of sbt's. None is an app that kilter starts.
pub(super) fn read(files: &Files<'_>) -> Vec<JvmProject> {
    let paths = files.all().filter(|path| is_one(path, split(path).1));
    let texts: Vec<(&str, Vec<Token>)> = paths.filter_map(|path| Some((path, tokens(&files.read(path)?)))).collect();
    let mut used = HashMap::new();
    texts.iter().for_each(|(_, tokens)| uses(tokens, &mut used));
    texts.iter().map(|(path, tokens)| project(path, tokens, &used)).collect()
}

fn project(path: &str, tokens: &[Token], used: &HashMap<&str, Scope>) -> JvmProject {
    let packages = modules(tokens, used).into_iter().map(|module| Declared {
        ecosystem: Ecosystem::Jvm,
        name: module.name,
        extras: Vec::new(),
        scope: module.scope,
        file: path.to_owned(),
        line: module.line,
    });
    let directory = split(path).0;
    let dir = if split(directory).1 == "project" { split(directory).0 } else { directory };
    let packages = packages.collect();
    JvmProject {
        dir: dir.into(),
        file: path.into(),
        build: Build::Script,
        name: None,
        packages,
        plugins: Vec::new(),
        java: None,
    }
}

/// A dependency.
struct Module {
    name: String,
    scope: Scope,
    line: usize,
    /// Where it begins among the tokens.
    at: usize,
}

/// Returns the dependencies of a text, each with the scope that it is given: by itself, by `.map(_ % Test)` behind the list that
/// it is in, or where its name is used.
fn modules(tokens: &[Token], used: &HashMap<&str, Scope>) -> Vec<Module> {
    let mut found: Vec<Module> = Vec::new();
    let (mut at, mut apart, mut name) = (0, false, None);
    while at < tokens.len() {
        match tokens[at].word() {
            Some("val" | "def") => (apart, name) = (false, tokens.get(at + 1).and_then(Token::word)),
            Some("libraryDependencies") => (apart, name) = (false, None),
            Some(word) if APART.contains(&word) => apart = true,
            _ => {}
        }
        if let Some((module, end)) = module(tokens, at) {
            let by_use = || name.and_then(|name| used.get(name)).filter(|_| module.scope == Scope::Runtime).cloned();
            let scope = by_use().unwrap_or(module.scope.clone());
            found.extend((!apart).then_some(Module { scope, ..module }));
            at = end;
            continue;
        }
        if let Some((from, scope)) = list_scope(tokens, at) {
            found.iter_mut().filter(|module| module.at > from).for_each(|module| module.scope = scope.clone());
        }
        at += 1;
    }
    found
}

/// Reads `"group" %% "artifact" % version % Test` from a token on; returns it with where it ends.
fn module(tokens: &[Token], at: usize) -> Option<(Module, usize)> {
    let group = tokens[at].text().filter(|text| is_plain(text))?;
    let (next, _) = operand(tokens, at + 1)?;
    let artifact = tokens[next].text().filter(|text| is_plain(text))?;
    let (mut end, mut operands) = (next + 1, Vec::new());
    while let Some((start, stop)) = operand(tokens, end) {
        operands.push(start);
        end = stop;
    }
    let said = operands.iter().skip(1).find_map(|start| scope(&tokens[*start]));
    let module = Module {
        name: format!("{group}:{artifact}"),
        scope: said.unwrap_or(Scope::Runtime),
        line: tokens[at].line,
        at,
    };
    Some((module, end))
}

/// Returns where the value behind `%`, `%%` or `%%%` begins and ends, if one follows. A line may end around the operator.
fn operand(tokens: &[Token], at: usize) -> Option<(usize, usize)> {
    let next = |from: usize| (from..tokens.len()).find(|at| tokens[*at].kind != TokenKind::Line);
    let mut start = next(at).filter(|at| tokens[*at].is('%'))?;
    while tokens.get(start)?.is('%') {
        start += 1;
    }
    let start = next(start)?;
    let mut end = start + 1;
    match &tokens[start].kind {
        TokenKind::Text(_) => {}
        TokenKind::Word(_) => {
            // `Versions.postgres`
            while tokens.get(end).is_some_and(|token| token.is('.')) && tokens.get(end + 1)?.word().is_some() {
                end += 2;
            }
        }
        _ => return None,
    }
    Some((start, end))
}

/// Reads `.map(_ % Test)` behind the `)` at this place; returns where the list begins and the scope.
fn list_scope(tokens: &[Token], at: usize) -> Option<(usize, Scope)> {
    let rest = tokens.get(at + 1..)?;
    let start = rest.iter().position(|token| token.kind != TokenKind::Line)?;
    let rest = rest.get(start..).filter(|_| tokens[at].is(')'))?;
    let rest = if rest.first()?.is('.') { &rest[1..] } else { rest };
    let [map, open, blank, percent, configuration, ..] = rest else { return None };
    if map.word() != Some("map") || !open.is('(') || blank.word() != Some("_") || !percent.is('%') {
        return None;
    }
    let scope = scope(configuration)?;
    let mut depth = 0_usize;
    let begins = |token: &Token| {
        depth = if token.is(')') { depth + 1 } else { depth - usize::from(token.is('(') && depth > 0) };
        depth == 0
    };
    Some((tokens[..=at].iter().rev().position(begins).map(|back| at - back)?, scope))
}

/// Notes the names of dependencies that are used with a configuration: `Dependencies.postgres % Test`.
fn uses<'a>(tokens: &'a [Token], used: &mut HashMap<&'a str, Scope>) {
    for window in tokens.windows(3) {
        let [name, percent, configuration] = window else { continue };
        if let (Some(name), true, Some(scope)) = (name.word(), percent.is('%'), scope(configuration)) {
            used.insert(name, scope);
        }
    }
}

/// Tells the scope of a configuration, `Test`, `"test"`, `"compile->compile;test->test"`; `None` when it is none of sbt's
/// (<https://www.scala-sbt.org/1.x/docs/Scopes.html>).
fn scope(token: &Token) -> Option<Scope> {
    let text = token.word().or_else(|| token.text())?.to_ascii_lowercase();
    let mut scope = None;
    for name in text.split([',', ';']).map(|part| part.split("->").next().unwrap_or_default().trim()) {
        match name {
            "compile" | "runtime" | "default" => return Some(Scope::Runtime),
            "test" | "it" | "integrationtest" | "e2e" | "functionaltest" | "jmh" | "benchmark" => {
                scope = Some(Scope::Dev)
            }
            "provided" | "optional" => scope = Some(Scope::Optional),
            _ => {}
        }
    }
    scope
}

/// Tells whether a text can be the name of a group or an artifact.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, selected, tree};

    const POSTGRES: &str = "\"org.postgresql\" % \"postgresql\" % \"42.7\"";

    fn one(text: &str) -> (Vec<String>, usize) {
        let detection = tree(&[("build.sbt", text)]).detect_by_catalog();
        assert!(detection.warnings.is_empty(), "{text}");
        (found(&detection).into_iter().map(str::to_owned).collect(), selected(&detection).len())
    }

    #[test]
    fn dependencies_are_read_with_their_configuration() {
        for (text, chosen) in [
            (format!("libraryDependencies += {POSTGRES}\n"), 1),
            (format!("libraryDependencies ++= Seq(\n  jdbc, // \"a\" % \"b\"\n  {POSTGRES} % Runtime,\n)\n"), 1),
            (format!("libraryDependencies += {POSTGRES} % Test\n"), 0),
            (format!("libraryDependencies += {POSTGRES} % \"test,it\"\n"), 0),
            (format!("libraryDependencies += {POSTGRES} % \"compile->compile;test->test\"\n"), 1),
            (format!("libraryDependencies += {POSTGRES} % Provided\n"), 0),
            (format!("libraryDependencies ++= Seq({POSTGRES}).map(_ % Test)\n"), 0),
            (format!("val a = Seq(\"a\" % \"b\" % \"1\")\n  .map(_ % Test)\nval b = Seq({POSTGRES})\n"), 1),
            ("val pg = \"org.postgresql\" %\n  \"postgresql\" % Versions.pg\n  % Test\n".to_owned(), 0),
            ("libraryDependencies += \"org.tpolecat\" %% \"doobie-postgres\" % V.doobie\n".to_owned(), 1),
        ] {
            assert_eq!(one(&text), (vec!["postgres".to_owned()], chosen), "{text}");
        }
    }

    #[test]
    fn what_is_not_the_apps_is_passed_over() {
        for text in [
            format!("// libraryDependencies += {POSTGRES}\n/* {POSTGRES} */\n"),
            format!("dependencyOverrides ++= Seq(\n  {POSTGRES}\n)\n"),
            "addSbtPlugin(\"org.postgresql\" % \"postgresql\" % \"1\")\n".to_owned(),
            "val x = 7 % 2\nval y = \"a\" % 3\nval z = \"50 %\" % \"d\"\nval c = '\"'\n".to_owned(),
            "libraryDependencies += \"org.postgresql\" % \"postgresql-tools\" % \"1\"\n\"\"\"\n".to_owned(),
        ] {
            assert!(one(&text).0.is_empty(), "{text}");
        }
        assert!(found(&tree(&[("project/plugins.sbt", POSTGRES)]).detect_by_catalog()).is_empty());
        assert!(found(&tree(&[("src/Dependencies.scala", POSTGRES)]).detect_by_catalog()).is_empty());
    }

    #[test]
    fn lists_in_the_folder_of_the_build_count_as_they_are_used() {
        let list = format!(
            "object Dependencies {{\n  val pg = {POSTGRES}\n  val jedis = \"redis.clients\" % \"jedis\" % \"5\"\n}}\n"
        );
        let build = "libraryDependencies ++= Seq(Dependencies.pg, Dependencies.jedis % Test)\n";
        let detection =
            tree(&[("api/project/Dependencies.scala", &list), ("api/build.sbt", build)]).detect_by_catalog();
        assert_eq!((found(&detection), selected(&detection)), (vec!["postgres", "redis"], vec!["postgres"]));
        let evidence = &detection.findings[0].evidence[0];
        assert_eq!((evidence.file.as_str(), evidence.line), ("api/project/Dependencies.scala", 2));
        assert_eq!(detection.dev, None);
    }
}
