//! Which directories hold the app, and which hold something beside it.

use std::collections::{BTreeSet, HashMap};

/// Directories below the root whose manifests are not the app's: what they declare is somebody's example, test or tool.
/// `packages` and `apps` are never among them. The whole name counts, without `_` around it (`_examples`, `__tests__`).
const SIDE: [&str; 45] = [
    "archive",
    "archived",
    "bench",
    "benches",
    "benchmark",
    "benchmarks",
    "boilerplate",
    "boilerplates",
    "demo",
    "demos",
    "doc",
    "docs",
    "documentation",
    "e2e",
    "e2e-tests",
    "example",
    "examples",
    "extern",
    "external",
    "fixture",
    "fixtures",
    "integration-tests",
    "integration_tests",
    "mocks",
    "playground",
    "playgrounds",
    "sample",
    "samples",
    "sandbox",
    "sdk",
    "sdks",
    "snippets",
    "starter",
    "starters",
    "template",
    "templates",
    "test",
    "test-fixtures",
    "testdata",
    "testing",
    "tests",
    "tool",
    "tools",
    "tutorial",
    "tutorials",
];

/// Endings of such directories: Nx names the tests of `web` `web-e2e` (<https://nx.dev>).
const SIDE_ENDINGS: [&str; 2] = ["-e2e", "-tests"];

/// Those of them that are apps, too, where a project keeps its apps: `apps/tools`, `services/template`.
const APPS_TOO: [&str; 6] = ["sdk", "sdks", "template", "templates", "tool", "tools"];

/// Directories in which a project keeps its apps.
const APPS: [&str; 3] = ["apps", "services", "microservices"];

/// Those that can be all there is: the app of a project that is a demonstration.
const ALONE: [&str; 11] = [
    "boilerplate",
    "demo",
    "demos",
    "example",
    "playground",
    "sample",
    "samples",
    "sandbox",
    "starter",
    "template",
    "tutorial",
];

/// Manifests that declare what an app needs.
pub(super) const MANIFESTS: [&str; 19] = [
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "setup.py",
    "setup.cfg",
    "Pipfile",
    "pixi.toml",
    "go.mod",
    "Gemfile",
    "gems.rb",
    "composer.json",
    "mix.exs",
    "Cargo.toml",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "build.sbt",
    "deno.json",
    "deno.jsonc",
];

/// Tells whether a file is one of the manifests that declare what an app needs.
pub(super) fn declares(path: &str) -> bool {
    let name = split(path).1;
    MANIFESTS.contains(&name) || name.ends_with(".csproj") || name.ends_with(".fsproj")
}

/// Tells whether a file stands beside the app: in an example, a fixture, a test and the like.
pub(super) fn is_side(path: &str) -> bool {
    side(path).is_some()
}

/// Returns the first directory on the way to a file that is beside the app.
fn side(path: &str) -> Option<&str> {
    let (directories, _) = path.rsplit_once('/')?;
    let mut start = 0;
    for directory in directories.split('/') {
        let end = start + directory.len();
        let name = directory.to_ascii_lowercase();
        let among_apps = APPS.contains(&path[..start].trim_end_matches('/')) && APPS_TOO.contains(&name.as_str());
        if !among_apps
            && (SIDE.contains(&name.trim_matches('_')) || SIDE_ENDINGS.iter().any(|ending| name.ends_with(ending)))
        {
            return Some(&path[..end]);
        }
        start = end + 1;
    }
    None
}

/// Tells whether an app is called like something beside another one (`apps/tools`), which is then more likely the project's.
pub(super) fn is_called_a_tool(directory: &str) -> bool {
    APPS_TOO.contains(&split(directory).1.to_ascii_lowercase().as_str())
}

/// Returns the files that are not beside the app. Where no manifest lies elsewhere, a directory that has a manifest itself is
/// the app whatever it is called (`demo/pom.xml`), unless it holds tests or documents.
pub(super) fn without_side<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let paths: Vec<&str> = paths.collect();
    if paths.iter().any(|path| declares(path) && !is_side(path)) {
        let server = server_called_demo(&paths);
        let is_of_server = |path: &str| server.is_some_and(|directory| is_app_of(path, directory));
        let has_schema = paths.iter().any(|path| path.ends_with(SCHEMA) && !is_side(path));
        let is_the_apps = |path: &str| !has_schema && is_schema_among_tools(path, &paths);
        let kept = |path: &&str| !is_side(path) || is_of_server(path) || is_the_apps(path);
        return paths.iter().copied().filter(kept).collect();
    }
    let is_app = |directory: &str| {
        ALONE.contains(&split(directory).1.to_ascii_lowercase().as_str())
            && paths.iter().any(|path| declares(path) && split(path).0 == directory)
    };
    let kept = |path: &&str| match side(path) {
        Some(directory) => is_app(directory) && !is_side(&path[directory.len() + 1..]),
        None => true,
    };
    paths.iter().copied().filter(kept).collect()
}

/// What the name of a schema of Prisma ends with.
const SCHEMA: &str = ".prisma";

/// Tells whether a file is a schema that a project keeps among its tools (`tools/prisma/schema.prisma`): where it has no other, that is
/// the app's. One of a tool with a manifest of its own is the tool's.
fn is_schema_among_tools(path: &str, paths: &[&str]) -> bool {
    let Some(tools) = side(path).filter(|_| path.ends_with(SCHEMA)) else { return false };
    let is_between = |manifest: &&&str| {
        let directory = split(manifest).0;
        let is_above = || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
        declares(manifest) && directory.starts_with(tools) && is_above()
    };
    matches!(split(tools).1.to_ascii_lowercase().as_str(), "tool" | "tools")
        && !is_side(&path[tools.len() + 1..])
        && !paths.iter().any(|manifest| is_between(&manifest))
}

/// Returns the directory of a server that kept the name which Spring Initializr proposes (<https://start.spring.io>): `demo`, at the
/// root, where all other manifests are pages' (`frontend/package.json`).
fn server_called_demo<'a>(paths: &[&'a str]) -> Option<&'a str> {
    const BUILDS: [&str; 3] = ["pom.xml", "build.gradle", "build.gradle.kts"];
    let is_page = |path: &&&str| declares(path) && !is_side(path);
    let others = || paths.iter().filter(is_page);
    let is_build = |path: &&&str| {
        let (directory, name) = split(path);
        directory.eq_ignore_ascii_case("demo") && BUILDS.contains(&name)
    };
    let build = paths.iter().find(is_build)?;
    others().all(|path| split(path).1 == "package.json").then(|| split(build).0)
}

/// Tells whether a file is in an app's directory, and there not beside the app.
fn is_app_of(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')).is_some_and(|rest| !is_side(rest))
}

/// Words with which the name of a directory begins or ends that holds an example: `demo-app`, `playground-go`.
const EXAMPLES: [&str; 8] = ["demo", "demos", "example", "examples", "playground", "playgrounds", "sample", "samples"];

/// Words with which the name of a directory begins or ends that holds tests: `load-test`, `e2e-test`.
const TESTS: [&str; 7] = ["bench", "benchmark", "benchmarks", "e2e", "fixtures", "test", "tests"];

/// Directories of tests with a name of their own.
const TEST_TOOLS: [&str; 6] = ["cypress", "k6", "loadtest", "loadtests", "playwright", "testapp"];

/// Directories of what a user of the product adds to it.
const ADDED: [&str; 9] =
    ["add-ons", "addon", "addons", "connectors", "extension", "extensions", "integrations", "plugin", "plugins"];

/// Words with which the name of such a directory ends: `acme-plugins`.
const ADDED_ENDINGS: [&str; 2] = ["addons", "plugins"];

/// Tells whether a file is in a directory of what a user adds to the product.
pub(super) fn is_added(path: &str) -> bool {
    let is_one = |directory: &str| {
        let last = directory.rsplit(['-', '_']).next().unwrap_or_default();
        ADDED.contains(&directory) || ADDED_ENDINGS.contains(&last)
    };
    split(path).0.to_ascii_lowercase().split('/').any(is_one)
}

/// Modules beside the app by a word of their name. What they declare is for development.
pub(super) struct Beside<'a> {
    /// The directories in which something is kept, each with those directly in it.
    below: HashMap<&'a str, BTreeSet<&'a str>>,
    /// Whether a manifest below the root is not in such a module.
    has_others: bool,
}

impl<'a> Beside<'a> {
    /// Takes the files of a project, without those that are beside the app anyway.
    pub(super) fn new(paths: impl Iterator<Item = &'a str>) -> Self {
        let mut beside = Self { below: HashMap::new(), has_others: false };
        let paths: Vec<&str> = paths.collect();
        for path in &paths {
            for (at, _) in path.match_indices('/') {
                let (above, name) = split(&path[..at]);
                beside.below.entry(above).or_default().insert(name);
            }
        }
        beside.has_others = paths.iter().any(|path| path.contains('/') && declares(path) && !beside.is_in_one(path));
        beside
    }

    /// Tells whether a file is in a module beside the app. `has_others` tells whether something outside of them says what the
    /// app needs; without it, and without a manifest elsewhere, such a module is the app.
    pub(super) fn has(&self, path: &str, has_others: bool) -> bool {
        (self.has_others || has_others) && self.is_in_one(path)
    }

    /// Tells whether a directory on the way to a file has such a name.
    pub(super) fn is_in_one(&self, path: &str) -> bool {
        path.match_indices('/').any(|(at, _)| {
            let (above, name) = split(&path[..at]);
            let lower = name.to_ascii_lowercase();
            let words: Vec<&str> = lower.split(['-', '_', '.']).filter(|word| !word.is_empty()).collect();
            match words.as_slice() {
                [word] => TEST_TOOLS.contains(word),
                [first, .., last] => {
                    [first, last].iter().any(|word| TESTS.contains(word))
                        || (EXAMPLES.contains(first) && !self.is_prefix(above, first))
                        || (EXAMPLES.contains(last) && !self.is_suffix(above, last))
                }
                [] => false,
            }
        })
    }

    /// Tells whether a word is the project's own name for its modules: `demo-api` beside `demo-web`.
    fn is_prefix(&self, above: &str, word: &str) -> bool {
        self.is_shared(above, |name| name.starts_with(word) && name.len() > word.len())
    }

    fn is_suffix(&self, above: &str, word: &str) -> bool {
        self.is_shared(above, |name| name.ends_with(word) && name.len() > word.len())
    }

    fn is_shared(&self, above: &str, shares: impl Fn(&str) -> bool) -> bool {
        let Some(names) = self.below.get(above) else { return false };
        let sharing = names.iter().filter(|name| shares(&name.to_ascii_lowercase())).count();
        sharing >= 2 && sharing * 2 >= names.len()
    }
}

/// Tells whether a directory is that of a module of tests, by the words of its name: `test-support`, `shop-it`, `load-tests`.
pub(super) fn is_of_tests(directory: &str) -> bool {
    const WORDS: [&str; 8] = ["test", "tests", "testing", "testkit", "testlib", "jmh", "benchmark", "benchmarks"];
    let name = split(directory).1.to_ascii_lowercase();
    // `it-portal` is an app.
    name.split(['-', '_', '.']).any(|word| WORDS.contains(&word)) || name.ends_with("-it") || name.ends_with("_it")
}

/// Splits a path into its directory (empty for the root) and its file name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Returns the directory of the project that a manifest is of: `a` for `a/requirements/dev.txt`.
pub(super) fn project(path: &str) -> &str {
    let directory = split(path).0;
    directory.strip_suffix("requirements").map_or(directory, |above| above.trim_end_matches('/'))
}

/// Joins a directory (empty for the root) and a relative path.
pub(super) fn join(directory: &str, path: &str) -> String {
    if directory.is_empty() { path.to_owned() } else { format!("{directory}/{path}") }
}

/// Resolves a path that is relative to a directory; `None` when it leaves the project.
pub(super) fn relative(dir: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = if dir.is_empty() { Vec::new() } else { dir.split('/').collect() };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Ranks a directory by how likely it holds the app: the root, `apps`, the names that apps usually have, of what serves also what lies
/// below those (`backend/src/Shop`) or is in a directory of several (`packages/server`), any other.
pub(super) fn place(directory: &str, serves: bool) -> usize {
    const USUAL: [&str; 9] = ["backend", "server", "api", "app", "application", "web", "src", "frontend", "client"];
    const OTHER: usize = 40;
    let usual = |name: &str| {
        let plain = name.to_ascii_lowercase().replace(['-', '_'], "");
        USUAL.iter().position(|usual| *usual == plain).map(|at| 2 + 2 * at)
    };
    match directory {
        "" => 0,
        directory if directory.starts_with("apps/") => 1,
        directory => {
            // In `src` there is everything, and further below there are parts of an app.
            let named = directory.split('/').take(2).filter(|name| *name != "src" && usual(name).is_some()).last();
            let named = named.or_else(|| directory.starts_with("src/").then_some("src")).filter(|_| serves);
            usual(directory).or_else(|| usual(named?).map(|rank| rank + 1)).unwrap_or(OTHER)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_places_are_whole_directory_names_below_the_root() {
        for side in [
            "examples/a/package.json",
            "sdks/go/go.mod",
            "apps/web-e2e/package.json",
            "a/Tests/requirements.txt",
            "external/lib/go.mod",
            "archive/shop/package.json",
        ] {
            assert!(is_side(side), "{side}");
        }
        for app in ["package.json", "packages/a/package.json", "apps/a/package.json", "latest/go.mod", "contest/go.mod"]
        {
            assert!(!is_side(app), "{app}");
        }
        assert!(["shop-test-support", "a/shop-it", "load_tests"].iter().all(|dir| is_of_tests(dir)));
        assert!(["", "contest", "tests/api", "audit", "it-portal", "it"].iter().all(|dir| !is_of_tests(dir)));
    }

    #[test]
    fn a_place_by_its_name_is_the_app_where_nothing_else_is() {
        let kept = |paths: &[&'static str]| without_side(paths.iter().copied());
        assert_eq!(kept(&["demo/pom.xml", "demo/src/test/pom.xml", "compose.yml"]), ["demo/pom.xml", "compose.yml"]);
        assert_eq!(kept(&["demo/pom.xml", "app/pom.xml"]), ["app/pom.xml"]);
        assert!(kept(&["examples/a/pom.xml", "docs/package.json", "tests/go.mod"]).is_empty());
        assert_eq!(kept(&["apps/tools/package.json", "package.json"]).len(), 2);
        assert_eq!(kept(&["apps/docs/package.json", "packages/tools/package.json", "package.json"]), ["package.json"]);
        assert_eq!(kept(&["_examples/go.mod", "go.mod", "__tests__/go.mod"]), ["go.mod"]);
        let server = ["demo/pom.xml", "demo/src/test/pom.xml", "frontend/package.json"];
        assert_eq!(kept(&server), ["demo/pom.xml", "frontend/package.json"]);
        assert_eq!(kept(&["demo/package.json", "package.json"]), ["package.json"]);
        assert_eq!(kept(&["demo/pom.xml", "frontend/package.json", "server/go.mod"]).len(), 2);
    }

    #[test]
    fn directories_are_ranked_by_the_names_on_their_way() {
        let serving = |directory: &str| place(directory, true);
        let ranked =
            ["", "apps/web", "backend", "modules/back-end/src/Api", "server", "web", "front-end", "packages/core"];
        assert!(ranked.is_sorted_by(|a, b| serving(a) < serving(b)));
        assert!(serving("backend/src/Shop") < serving("frontend") && serving("client") < serving("web/client"));
        assert!(serving("web/server") < serving("web/client") && serving("src/Shop") < serving("src/frontend"));
        assert!(["rust/relay/server", "cms/src/plugins/a"].iter().all(|part| serving(part) == serving("elixir")));
        // A library or a part that serves nothing is none for its name.
        assert!(
            ["server/emails", "packages/client"].iter().all(|part| place(part, false) == serving("services/orders"))
        );
        assert_eq!(place("server", false), place("server", true));
    }

    #[test]
    fn a_schema_among_the_tools_is_the_apps_where_there_is_no_other() {
        let kept = |paths: &[&'static str]| without_side(paths.iter().copied());
        let tools = ["package.json", "tools/prisma/schema.prisma"];
        assert_eq!(kept(&tools), tools);
        for other in ["tools/package.json", "tools/tests/a.prisma", "examples/a/schema.prisma"] {
            assert_eq!(kept(&["package.json", other]), ["package.json"]);
        }
        assert_eq!(kept(&["package.json", "prisma/schema.prisma", tools[1]]), ["package.json", "prisma/schema.prisma"]);
        let own = ["package.json", "tools/import/package.json", "tools/import/prisma/schema.prisma"];
        assert_eq!(kept(&own), own[..1]);
    }

    #[test]
    fn what_a_user_adds_is_told_by_a_directory() {
        let added = ["plugins/a/package.json", "backend/Extensions/A.csproj", "api/shop-plugins/a/pom.xml"];
        assert!(added.iter().all(|path| is_added(path)));
        assert!(["plugins.txt", "src/plugin-host/go.mod", "package.json"].iter().all(|path| !is_added(path)));
    }

    #[test]
    fn modules_beside_the_app_are_told_by_the_first_or_last_word() {
        let app = "app/go.mod";
        for module in [
            "integration-test/go.mod",
            "e2e-test/a/go.mod",
            "test_app/go.mod",
            "apps/sample-app/go.mod",
            "playground-go/go.mod",
            "cypress/package.json",
            "Shop.Tests/Shop.Tests.csproj",
        ] {
            assert!(Beside::new([app, module].into_iter()).has(module, false), "{module}");
            assert!(!Beside::new([module].into_iter()).has(module, false), "{module}");
        }
        for module in ["latest-news/go.mod", "my-demo-app/go.mod", "testament/go.mod", "it-portal/pom.xml"] {
            assert!(!Beside::new([app, module].into_iter()).has(module, true), "{module}");
        }
        let named = ["demo-api/go.mod", "demo-web/go.mod", "docker/compose.yml"];
        assert!(!Beside::new(named.into_iter()).has(named[0], true), "the name of the project");
    }
}
