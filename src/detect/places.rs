//! Which directories hold the app, and which hold something beside it.

/// Directories below the root whose manifests are not the app's: what they declare is somebody's example, test or tool.
/// `packages` and `apps` are never among them. The whole name counts, never a part of it.
const SIDE: [&str; 44] = [
    "__fixtures__",
    "__mocks__",
    "__tests__",
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

/// Tells whether a file stands beside the app: in an example, a fixture, a test and the like.
pub(super) fn is_side(path: &str) -> bool {
    let Some((directories, _)) = path.rsplit_once('/') else { return false };
    directories.split('/').any(|directory| {
        let name = directory.to_ascii_lowercase();
        SIDE.contains(&name.as_str()) || SIDE_ENDINGS.iter().any(|ending| name.ends_with(ending))
    })
}

/// Tells whether a directory is that of a module of tests, by the words of its name: `test-support`, `shop-it`, `load-tests`.
pub(super) fn is_of_tests(directory: &str) -> bool {
    const WORDS: [&str; 9] = ["test", "tests", "testing", "testkit", "testlib", "it", "jmh", "benchmark", "benchmarks"];
    let name = split(directory).1.to_ascii_lowercase();
    name.split(['-', '_', '.']).any(|word| WORDS.contains(&word))
}

/// Splits a path into its directory (empty for the root) and its file name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Joins a directory (empty for the root) and a relative path.
pub(super) fn join(directory: &str, path: &str) -> String {
    if directory.is_empty() { path.to_owned() } else { format!("{directory}/{path}") }
}

/// Ranks a directory by how likely it holds the app: the root, `apps`, the names that apps usually have, any other.
pub(super) fn place(directory: &str) -> usize {
    const USUAL: [&str; 9] = ["backend", "server", "api", "app", "application", "web", "src", "frontend", "client"];
    match directory {
        "" => 0,
        directory if directory.starts_with("apps/") => 1,
        directory => USUAL.iter().position(|usual| *usual == directory).map_or(20, |at| 2 + at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_places_are_whole_directory_names_below_the_root() {
        for side in
            ["examples/a/package.json", "sdks/go/go.mod", "apps/web-e2e/package.json", "a/Tests/requirements.txt"]
        {
            assert!(is_side(side), "{side}");
        }
        for app in ["package.json", "packages/a/package.json", "apps/a/package.json", "latest/go.mod", "contest/go.mod"]
        {
            assert!(!is_side(app), "{app}");
        }
        assert!(["shop-test-support", "a/it", "load_tests"].iter().all(|dir| is_of_tests(dir)));
        assert!(["", "contest", "tests/api", "audit"].iter().all(|dir| !is_of_tests(dir)));
    }
}
