//! Gradle: `build.gradle`, `build.gradle.kts` and the scripts beside them. They are code; what they declare is read from the
//! ways in which people write it, and never run.

use std::collections::HashMap;

use super::calls::{behind_call, call, dotted, value_at};
use super::configurations::{camel, configuration};
use super::libraries::Catalogs;
use super::script::{self, Statement, Token};
use super::{Build, JvmProject, Plugin};
use crate::catalog::Ecosystem;
use crate::detect::confidence::Scope;
use crate::detect::files::Files;
use crate::detect::places::split;
use crate::detect::rules::Declared;

/// Directories of builds that build the build: their own dependencies are the build's tools.
const BUILD_LOGIC: [&str; 6] =
    ["buildSrc", "build-logic", "buildLogic", "build-plugins", "gradle-plugins", "build-conventions"];

/// Blocks that declare nothing for the app, whatever stands in them.
const APART: [&str; 14] = [
    "buildscript",
    "pluginManagement",
    "dependencyManagement",
    "dependencyResolutionManagement",
    "constraints",
    "publishing",
    "components",
    "modules",
    "exclude",
    "resolutionStrategy",
    "configurations",
    "artifacts",
    "repositories",
    "initscript",
];

/// Calls among the arguments that name no package: own modules, lists of versions, files, Gradle's and npm's own.
const NO_PACKAGE: [&str; 14] = [
    "platform",
    "enforcedPlatform",
    "project",
    "projects",
    "files",
    "fileTree",
    "gradleApi",
    "gradleKotlinDsl",
    "gradleTestKit",
    "localGroovy",
    "kotlin",
    "testFixtures",
    "npm",
    "exclude",
];

/// Words that begin a block which is read or not as the build runs.
const CONDITIONS: [&str; 6] = ["if", "else", "when", "switch", "try", "for"];

/// Names of the sources of such builds that hold nothing but constants for the app's build files.
const CONSTANTS: [&str; 7] =
    ["Dependencies.kt", "Deps.kt", "Libs.kt", "Libraries.kt", "Dependency.kt", "Lib.kt", "Dependencies.groovy"];

/// Tells whether a file is a list of constants in the build's own sources.
pub(super) fn is_constants(path: &str, name: &str) -> bool {
    CONSTANTS.contains(&name) && in_build_logic(path)
}

/// Reads every Gradle script.
pub(super) fn read(files: &Files<'_>) -> Vec<JvmProject> {
    let mut catalogs = Catalogs::read(files);
    let mut scripts: Vec<(&str, Vec<Statement>)> = Vec::new();
    for path in files.all().filter(|path| path.ends_with(".gradle") || path.ends_with(".gradle.kts")) {
        let Some(text) = files.read(path) else { continue };
        let (statements, fault) = script::parse(&text);
        if let Some((line, column, message)) = fault {
            files.malformed(path, &text, line, column, message);
        }
        if is_settings(path) {
            catalogs.add_settings(path, &statements);
        }
        scripts.push((path, statements));
    }
    let mut variables = HashMap::new();
    scripts.iter().for_each(|(_, statements)| assignments(statements, &mut variables));
    let constants = files.all().filter(|path| is_constants(path, split(path).1)).filter_map(|path| files.read(path));
    constants.for_each(|text| assignments(&script::parse(&text).0, &mut variables));
    let names: HashMap<&str, (String, usize)> =
        scripts.iter().filter(|(path, _)| is_settings(path)).filter_map(|(path, s)| root_name(path, s)).collect();
    let mut projects: Vec<JvmProject> = scripts
        .iter()
        .filter(|(path, _)| !is_settings(path) && !is_build_logic(path))
        .map(|(path, statements)| {
            let mut reader = Reader::new(path, &catalogs, &variables);
            reader.block(statements, &Scope::Runtime, false);
            reader.project(&names)
        })
        .collect();
    share_plugins(&mut projects);
    projects
}

fn is_settings(path: &str) -> bool {
    matches!(split(path).1, "settings.gradle" | "settings.gradle.kts")
}

fn is_build(name: &str) -> bool {
    matches!(name, "build.gradle" | "build.gradle.kts")
}

/// Tells whether a build file is that of a build's own tools. The scripts of such a build are plugins for the app's modules.
fn is_build_logic(path: &str) -> bool {
    is_build(split(path).1) && in_build_logic(path)
}

fn in_build_logic(path: &str) -> bool {
    split(path).0.split('/').any(|part| BUILD_LOGIC.contains(&part))
}

/// Reads `rootProject.name = "shop"`.
fn root_name<'a>(path: &'a str, statements: &[Statement]) -> Option<(&'a str, (String, usize))> {
    statements.iter().find_map(|statement| match statement.tokens.as_slice() {
        [root, dot, name, equals, value] if dot.is('.') && equals.is('=') => {
            let is = (root.word(), name.word()) == (Some("rootProject"), Some("name"));
            let value = value.text().filter(|text| is && !text.contains('$'))?;
            Some((split(path).0, (value.to_owned(), name.line)))
        }
        _ => None,
    })
}

/// Notes which names stand for one coordinate: `def pg = 'g:a:v'`, `ext.libs = [pg: 'g:a:v']`. A name with two meanings has
/// none.
fn assignments(statements: &[Statement], variables: &mut HashMap<String, Option<String>>) {
    for statement in statements {
        for window in statement.tokens.windows(3) {
            let [name, sign, value] = window else { continue };
            let (Some(name), Some(value)) = (name.word().or_else(|| name.text()), value.text().and_then(coordinate))
            else {
                continue;
            };
            if sign.is('=') || sign.is(':') {
                let known = variables.entry(name.to_owned()).or_insert_with(|| Some(value.clone()));
                if known.as_ref() != Some(&value) {
                    *known = None;
                }
            }
        }
        statement.blocks.iter().for_each(|block| assignments(block, variables));
    }
}

/// Returns `group:artifact` of a text that is a coordinate
/// (<https://docs.gradle.org/current/userguide/declaring_dependencies_basics.html>).
fn coordinate(text: &str) -> Option<String> {
    let mut parts = text.split(':');
    let (group, artifact) = (parts.next()?, parts.next()?);
    let plain = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            && !part.starts_with('.')
    };
    (plain(group) && plain(artifact) && parts.count() <= 2).then(|| format!("{group}:{artifact}"))
}

/// Reads one script.
struct Reader<'a> {
    path: &'a str,
    dir: &'a str,
    catalogs: &'a Catalogs,
    variables: &'a HashMap<String, Option<String>>,
    packages: Vec<Declared>,
    plugins: Vec<Plugin>,
    java: Option<(u32, usize)>,
}

impl<'a> Reader<'a> {
    fn new(path: &'a str, catalogs: &'a Catalogs, variables: &'a HashMap<String, Option<String>>) -> Self {
        let dir = split(path).0;
        Self { path, dir, catalogs, variables, packages: Vec::new(), plugins: Vec::new(), java: None }
    }

    fn project(self, names: &HashMap<&str, (String, usize)>) -> JvmProject {
        let build = if is_build(split(self.path).1) { Build::Gradle } else { Build::Script };
        JvmProject {
            dir: self.dir.into(),
            file: self.path.into(),
            build,
            name: names.get(self.dir).filter(|_| build == Build::Gradle).cloned(),
            packages: self.packages,
            plugins: self.plugins,
            java: self.java,
        }
    }

    /// Reads the statements of a block; `inside` tells whether it is one of dependencies.
    fn block(&mut self, statements: &[Statement], scope: &Scope, inside: bool) {
        for statement in statements {
            let first = statement.first();
            if APART.contains(&first) {
                continue;
            }
            self.java(statement);
            if inside && !CONDITIONS.contains(&first) {
                self.dependency(statement, scope);
                continue;
            }
            match first {
                "plugins" => statement.blocks.iter().flatten().for_each(|plugin| self.plugin(plugin)),
                "apply" | "id" => self.plugin(statement),
                _ => {}
            }
            let scope = below(statement, scope);
            // `jvmMain.dependencies` of Kotlin's multiplatform projects, too.
            let last = statement.tokens.last().and_then(Token::word);
            let inside = inside || last == Some("dependencies");
            statement.blocks.iter().for_each(|block| self.block(block, &scope, inside));
        }
    }

    /// Reads `implementation 'g:a:v'` in all its forms.
    fn dependency(&mut self, statement: &Statement, place: &Scope) {
        let Some((name, arguments)) = call(&statement.tokens) else { return };
        let Some(scope) = configuration(name) else { return };
        let scope = if scope == Scope::Runtime { place.clone() } else { scope };
        let mut group: Option<&str> = None;
        let mut at = 0;
        while let Some(token) = arguments.get(at) {
            at += 1;
            if let Some(text) = token.text() {
                self.declare(coordinate(text).or_else(|| self.variable(text)), &scope, token.line);
                continue;
            }
            let Some(word) = token.word() else { continue };
            if NO_PACKAGE.contains(&word) {
                at = behind_call(arguments, at);
                continue;
            }
            if let ("group" | "name", Some(value)) = (word, value_at(arguments, at)) {
                match (word, group) {
                    ("group", _) => group = Some(value),
                    (_, Some(group)) => self.declare(coordinate(&format!("{group}:{value}")), &scope, token.line),
                    _ => {}
                }
                at += 2;
                continue;
            }
            let (path, behind) = dotted(arguments, at - 1);
            at = behind;
            self.reference(&path, arguments.get(behind..).unwrap_or_default(), &scope, token.line);
        }
    }

    /// Looks up `libs.a.b`, `libs.findLibrary("a")` and a name that stands for a coordinate.
    fn reference(&mut self, path: &[&str], behind: &[Token], scope: &Scope, line: usize) {
        let Some((first, rest)) = path.split_first() else { return };
        if self.catalogs.has(self.dir, first) {
            let found = match (rest, behind) {
                (["findLibrary"], [_, alias, ..]) => alias.text().map(|alias| vec![alias]),
                (["findBundle"], [_, alias, ..]) => alias.text().map(|alias| vec!["bundles", alias]),
                _ => Some(rest.to_vec()),
            };
            let names = self.catalogs.libraries(self.dir, first, &found.unwrap_or_default());
            names.into_iter().for_each(|name| self.declare(Some(name), scope, line));
            return;
        }
        self.declare(path.last().and_then(|name| self.variable(name)), scope, line);
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned().flatten()
    }

    fn declare(&mut self, name: Option<String>, scope: &Scope, line: usize) {
        let Some(name) = name else { return };
        self.packages.push(Declared {
            ecosystem: Ecosystem::Jvm,
            name,
            extras: Vec::new(),
            scope: scope.clone(),
            file: self.path.into(),
            line,
        });
    }

    /// Reads `id("a") version "1"`, `alias(libs.plugins.a)`, `` `java-library` ``, `apply plugin: 'a'`; with `apply false` the
    /// plugin is for other modules.
    fn plugin(&mut self, statement: &Statement) {
        let words: Vec<&str> = statement.tokens.iter().filter_map(Token::word).collect();
        if words.windows(2).any(|pair| pair == ["apply", "false"]) {
            return;
        }
        let line = statement.tokens.first().map_or(1, |token| token.line);
        let id = match words.first() {
            Some(&"alias") => {
                let (path, _) = dotted(&statement.tokens, 2);
                path.split_first().and_then(|(catalog, rest)| self.catalogs.plugin(self.dir, catalog, rest))
            }
            Some(&"apply") if words.get(1) != Some(&"plugin") => None,
            Some(&"id" | &"apply") => statement.tokens.iter().find_map(Token::text).map(str::to_owned),
            Some(word) => Some((*word).to_owned()),
            None => None,
        };
        self.plugins.extend(id.map(|id| Plugin { id, line }));
    }

    /// Reads the version of Java: `JavaLanguageVersion.of(21)`, `jvmToolchain(21)`, `sourceCompatibility = '17'`.
    fn java(&mut self, statement: &Statement) {
        const NAMES: [&str; 4] = ["JavaLanguageVersion", "jvmToolchain", "sourceCompatibility", "languageVersion"];
        let named = statement.tokens.iter().position(|token| token.word().is_some_and(|word| NAMES.contains(&word)));
        let (Some(at), None) = (named, self.java) else { return };
        self.java = statement.tokens[at + 1..].iter().take(8).find_map(|token| {
            let major = token.word().or_else(|| token.text()).and_then(super::java_major)?;
            Some((major, token.line))
        });
    }
}

/// Tells the scope below a statement: a source set or suite of tests, or a condition.
fn below(statement: &Statement, scope: &Scope) -> Scope {
    if CONDITIONS.contains(&statement.first()) {
        return if *scope == Scope::Runtime { Scope::Optional } else { scope.clone() };
    }
    let names = statement.tokens.iter().filter_map(|token| token.word().or_else(|| token.text()));
    let tests = names.flat_map(camel).any(|word| ["test", "tests", "testing"].contains(&word.as_str()));
    if tests && statement.first() != "dependencies" { Scope::Dev } else { scope.clone() }
}

/// Hands the plugins of a script on to the modules that apply it by the name of its file
/// (<https://docs.gradle.org/current/userguide/implementing_gradle_plugins_precompiled.html>).
fn share_plugins(projects: &mut [JvmProject]) {
    let conventions: HashMap<String, Vec<Plugin>> = projects
        .iter()
        .filter(|project| project.build == Build::Script)
        .map(|project| {
            let name = split(&project.file).1;
            (name.trim_end_matches(".kts").trim_end_matches(".gradle").to_owned(), project.plugins.clone())
        })
        .collect();
    for project in projects.iter_mut().filter(|project| project.build == Build::Gradle) {
        let shared: Vec<Plugin> = project
            .plugins
            .iter()
            .filter_map(|plugin| Some((plugin.line, conventions.get(&plugin.id)?)))
            .flat_map(|(line, plugins)| plugins.iter().map(move |plugin| Plugin { line, ..plugin.clone() }))
            .collect();
        project.plugins.extend(shared);
    }
}

/// Returns the Gradle scripts that an installation reads.
pub(super) fn scripts(files: &Files<'_>) -> Vec<String> {
    let named =
        |path: &&str| path.ends_with(".gradle") || path.ends_with(".gradle.kts") || path.ends_with(".versions.toml");
    files.all().filter(named).map(str::to_owned).collect()
}
