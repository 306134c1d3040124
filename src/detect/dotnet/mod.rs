//! .NET: project files (`*.csproj`, `*.fsproj`, `*.vbproj`), `Directory.Build.props` and its like, `packages.config`,
//! `paket.references`, and the settings of the app.

mod app;
mod settings;

use roxmltree::Node;

pub(super) use app::candidates;
pub(super) use settings::{ConnectionString, connection_strings};

use super::confidence::Scope;
use super::files::Files;
use super::places::split;
use super::rules::Declared;
use super::xml::{Xml, children, text};
use crate::catalog::Ecosystem;

/// Files that MSBuild takes into every project below their directory, and NuGet's central list of versions
/// (<https://learn.microsoft.com/en-us/visualstudio/msbuild/customize-by-directory>).
const SHARED: [&str; 3] = ["Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props"];

/// Endings of project files.
const PROJECTS: [&str; 3] = [".csproj", ".fsproj", ".vbproj"];

/// Packages and SDKs that make a project one of tests.
const TESTS: [&str; 9] = [
    "microsoft.net.test.sdk",
    "mstest",
    "mstest.sdk",
    "nunit",
    "tunit",
    "xunit",
    "xunit.v3",
    "xunit.core",
    "xunit.runner.visualstudio",
];

/// One manifest.
pub(super) struct DotnetProject {
    /// Its directory, empty for the root.
    pub dir: String,
    pub file: String,
    pub packages: Vec<Declared>,
    /// Facts of a project file; none for shared files and lists of packages.
    pub facts: Option<Facts>,
}

/// What a project file says about the app.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// SDKs in lower case.
    pub sdks: Vec<String>,
    /// `TargetFramework`, or the list of `TargetFrameworks`, with its line.
    pub framework: Option<(String, usize)>,
    pub output: Option<String>,
    pub tests: bool,
    /// Whether it starts others, as the host of Aspire does.
    pub hosts: bool,
}

/// Tells whether a file is one of .NET's, or says something about an app.
pub(super) fn is_manifest(path: &str, name: &str) -> bool {
    is_project(name)
        || SHARED.contains(&name)
        || settings::is_settings(name)
        || matches!(name, "packages.config" | "paket.references" | "global.json")
        || (name == "launchSettings.json" && split(split(path).0).1 == "Properties")
}

fn is_project(name: &str) -> bool {
    PROJECTS.iter().any(|ending| name.ends_with(ending))
}

/// Reads every manifest, sorted by path.
pub(super) fn read(files: &Files<'_>) -> Vec<DotnetProject> {
    let mut projects = Vec::new();
    for path in files.all() {
        let name = split(path).1;
        if is_project(name) || SHARED.contains(&name) {
            projects.extend(msbuild(files, path));
        } else if name == "packages.config" {
            projects.extend(packages_config(files, path));
        } else if name == "paket.references" {
            projects.extend(paket(files, path));
        }
    }
    projects
}

/// Returns what the manifests declare.
pub(super) fn declared(projects: &[DotnetProject]) -> Vec<Declared> {
    projects.iter().flat_map(|project| project.packages.iter().cloned()).collect()
}

fn package(file: &str, name: &str, scope: Scope, line: usize) -> Declared {
    Declared { ecosystem: Ecosystem::Dotnet, name: name.into(), extras: Vec::new(), scope, file: file.into(), line }
}

/// Reads a project file or a shared one
/// (<https://learn.microsoft.com/en-us/nuget/consume-packages/package-references-in-project-files>).
fn msbuild(files: &Files<'_>, path: &str) -> Option<DotnetProject> {
    let text = files.read(path)?;
    let xml = Xml::parse(files, path, &text)?;
    let root = xml.root();
    let mut packages = Vec::new();
    let mut facts = Facts { sdks: sdks(root), ..Facts::default() };
    for node in root.descendants().filter(Node::is_element) {
        match node.tag_name().name() {
            // `Update` changes what another file declares, and `PackageVersion` is only a version.
            "PackageReference" | "GlobalPackageReference" => {
                let scope = scope(node);
                let names = node.attribute("Include").unwrap_or_default().split(';');
                let names = names.map(str::trim).filter(|name| !name.is_empty());
                packages.extend(names.map(|name| package(path, name, scope.clone(), xml.line(node))));
            }
            name => facts.property(name, self::text(node), xml.line(node)),
        }
    }
    let shared = SHARED.contains(&split(path).1);
    facts.tests |= packages.iter().any(|package| TESTS.contains(&package.name.to_ascii_lowercase().as_str()))
        || facts.sdks.iter().any(|sdk| TESTS.contains(&sdk.as_str()))
        || names_tests(path);
    if facts.tests && !shared {
        packages.iter_mut().for_each(Declared::for_tests);
    }
    Some(DotnetProject { dir: split(path).0.into(), file: path.into(), packages, facts: (!shared).then_some(facts) })
}

impl Facts {
    fn property(&mut self, name: &str, value: Option<&str>, line: usize) {
        let Some(value) = value else { return };
        let is_true = value.eq_ignore_ascii_case("true");
        match name {
            "TargetFramework" | "TargetFrameworks" if self.framework.is_none() => {
                self.framework = Some((value.to_owned(), line));
            }
            "OutputType" => self.output = Some(value.to_ascii_lowercase()),
            "IsTestProject" => self.tests |= is_true,
            "IsAspireHost" => self.hosts |= is_true,
            _ => {}
        }
    }
}

/// Returns the SDKs of a project: an attribute, elements, or the imports of one, without their versions.
fn sdks(root: Node<'_, '_>) -> Vec<String> {
    let own = root.attribute("Sdk").unwrap_or_default().split(';');
    let elements = children(root, "Sdk").filter_map(|node| node.attribute("Name"));
    let imports = children(root, "Import").filter_map(|node| node.attribute("Sdk"));
    let all = own.chain(elements).chain(imports).map(|sdk| sdk.split('/').next().unwrap_or_default().trim());
    all.filter(|sdk| !sdk.is_empty()).map(str::to_ascii_lowercase).collect()
}

/// Tells whether the file's name is that of a project of tests: `Shop.Tests.csproj`.
fn names_tests(path: &str) -> bool {
    const WORDS: [&str; 9] = [
        "test",
        "tests",
        "unittests",
        "integrationtests",
        "functionaltests",
        "acceptancetests",
        "unittest",
        "integrationtest",
        "benchmarks",
    ];
    let name = split(path).1;
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    ["Test", "Tests", "Specs"].iter().any(|ending| stem.ends_with(ending))
        || stem.to_ascii_lowercase().split('.').any(|word| WORDS.contains(&word))
}

/// Tells the scope of a reference by its conditions and those around it.
fn scope(reference: Node<'_, '_>) -> Scope {
    let private = reference.attribute("PrivateAssets").or_else(|| children(reference, "PrivateAssets").find_map(text));
    if private.is_some_and(|assets| assets.eq_ignore_ascii_case("all")) {
        return Scope::Dev;
    }
    let conditions: Vec<&str> = reference.ancestors().filter_map(|node| node.attribute("Condition")).collect();
    let otherwise = reference.ancestors().any(|node| node.tag_name().name() == "Otherwise");
    let mut scope = if otherwise { Scope::Optional } else { Scope::Runtime };
    for condition in conditions {
        let condition = condition.to_ascii_lowercase();
        if condition.contains("istestproject") || condition.contains("'debug") {
            return Scope::Dev;
        }
        // Frameworks and machines differ, but the app is the same.
        let about_the_target = ["$(targetframework", "$(os)", "isosplatform", "istargetframeworkcompatible"];
        if !about_the_target.iter().any(|target| condition.contains(target)) {
            scope = Scope::Optional;
        }
    }
    scope
}

/// Reads the list of NuGet before package references
/// (<https://learn.microsoft.com/en-us/nuget/reference/packages-config>). It holds what packages need themselves, too;
/// that is not told apart.
fn packages_config(files: &Files<'_>, path: &str) -> Option<DotnetProject> {
    let text = files.read(path)?;
    let xml = Xml::parse(files, path, &text)?;
    let packages = children(xml.root(), "package").filter_map(|node| {
        let development =
            node.attribute("developmentDependency").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let scope = if development { Scope::Dev } else { Scope::Runtime };
        Some(package(path, node.attribute("id")?, scope, xml.line(node)))
    });
    let mut packages: Vec<Declared> = packages.collect();
    if packages.iter().any(|package| TESTS.contains(&package.name.to_ascii_lowercase().as_str())) {
        packages.iter_mut().for_each(Declared::for_tests);
    }
    Some(DotnetProject { dir: split(path).0.into(), file: path.into(), packages, facts: None })
}

/// Reads Paket's list of the packages of one project (<https://fsprojects.github.io/Paket/references-files.html>).
fn paket(files: &Files<'_>, path: &str) -> Option<DotnetProject> {
    let text = files.read(path)?;
    let mut packages = Vec::new();
    let mut scope = Scope::Runtime;
    for (number, line) in text.lines().enumerate() {
        let mut words = line.split("//").next().unwrap_or_default().split_whitespace();
        match words.next() {
            Some(word) if word.eq_ignore_ascii_case("group") => {
                scope = match words.next().map_or(Scope::Runtime, Scope::of_group) {
                    Scope::Extra(_) => Scope::Runtime,
                    scope => scope,
                };
            }
            Some(word) if !word.starts_with(['#', '-']) && !word.contains(':') => {
                packages.push(package(path, word, scope.clone(), number + 1));
            }
            _ => {}
        }
    }
    Some(DotnetProject { dir: split(path).0.into(), file: path.into(), packages, facts: None })
}

#[cfg(test)]
mod tests;
