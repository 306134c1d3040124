//! The JVM: Maven's pom.xml, Gradle's build files and version catalogs, sbt's builds. A package is `group:artifact`.

mod app;
mod calls;
mod config;
mod configurations;
mod gradle;
mod libraries;
mod maven;
mod sbt;
mod script;

pub(super) use app::candidates;
pub(super) use config::RESOURCES;

use super::files::Files;
use super::places::{is_of_tests, relative, split};
use super::rules::Declared;

/// One module: a pom.xml, a build.gradle, or a script that build files share.
pub(super) struct JvmProject {
    /// Its directory, empty for the root.
    pub dir: String,
    pub file: String,
    pub build: Build,
    /// Name it gives itself, with the line.
    pub name: Option<(String, usize)>,
    pub packages: Vec<Declared>,
    pub plugins: Vec<Plugin>,
    /// Version of Java it is written for, with the line.
    pub java: Option<(u32, usize)>,
}

/// Who builds a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Build {
    Maven,
    Gradle,
    /// A script of Gradle that other build files use, or a file of sbt's: no module that kilter starts.
    Script,
}

/// A plugin of the build: Maven's artifact or Gradle's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plugin {
    pub id: String,
    pub line: usize,
}

/// Tells whether a file is one of the JVM's, or one whose presence or port says something about an app.
pub(super) fn is_manifest(path: &str, name: &str) -> bool {
    match name {
        "pom.xml" | "mvnw" | "gradlew" => true,
        "application.properties" | "application.yml" | "application.yaml" => split(path).0.ends_with(config::RESOURCES),
        _ if gradle::is_constants(path, name) || sbt::is_one(path, name) => true,
        _ => name.ends_with(".gradle") || name.ends_with(".gradle.kts") || name.ends_with(".versions.toml"),
    }
}

/// Reads every build file of the project.
pub(super) fn read(files: &Files<'_>) -> Vec<JvmProject> {
    let mut projects = maven::read(files);
    projects.extend(gradle::read(files));
    projects.extend(sbt::read(files));
    for project in projects.iter_mut().filter(|project| is_of_tests(&project.dir)) {
        project.packages.iter_mut().for_each(Declared::for_tests);
    }
    projects
}

/// Returns what the modules declare, and the databases that their settings name.
pub(super) fn declared(files: &Files<'_>, projects: &[JvmProject]) -> Vec<Declared> {
    let packages = projects.iter().flat_map(|project| project.packages.iter().cloned());
    packages.chain(config::databases(files)).collect()
}

/// Reads a version of Java: `21`, `1.8`, `VERSION_17`.
fn java_major(text: &str) -> Option<u32> {
    let text = text.trim().trim_start_matches("VERSION_").replace('_', ".");
    let text = text.strip_prefix("1.").unwrap_or(&text);
    text.split('.').next()?.parse().ok().filter(|major| (5..100).contains(major))
}

#[cfg(test)]
mod tests;
