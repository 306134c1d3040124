//! The other helms that kilter pins, for projects whose kilter.yaml asks for one: `tools: {helm: 3.22.0}`.

use std::path::{Path, PathBuf};

use kilter::toolchain::{Pins, Platform, Tool};
use serde_json::Value;

use super::byhand::assert_is_what_helm_prints;
use super::projects::{WHOLE_CATALOG, fixtures, project};
use crate::support;
use crate::support::project::{Project, command};

/// Returns the pinned helms that are not kilter's default, with their versions, as far as the tests have them: below the
/// directory that `KILTER_TEST_HELMS` names. Says which are left out.
fn others() -> Vec<(String, PathBuf)> {
    let pins = Pins::builtin();
    let default = pins.default_version(Tool::Helm);
    let dir = support::variable("KILTER_TEST_HELMS").map(PathBuf::from);
    let versions = pins.versions(Tool::Helm).filter(|version| *version != default).map(ToString::to_string);
    let found = versions.filter_map(|version| {
        let path = dir.as_ref().map(|dir| dir.join(&version).join(Platform::host().as_str()).join("helm"));
        let path = path.filter(|path| path.is_file());
        if path.is_none() {
            support::skip(&format!(
                "renders by helm {version}: it is not below KILTER_TEST_HELMS; scripts/test gets it"
            ));
        }
        Some((version, path?))
    });
    found.collect()
}

/// A project whose kilter.yaml asks for this helm, rendered.
fn rendered(name: &str, version: &str, helm: &Path) -> Project {
    let project = project(name).with_helm(helm);
    let yaml = std::fs::read_to_string(project.root().join("kilter.yaml")).unwrap_or_default();
    assert!(!yaml.contains("\ntools:"), "{name} asks for a helm of its own");
    project.write("kilter.yaml", format!("{yaml}\ntools: {{helm: {version}}}\n"));
    project.kilter(&["render"]).succeeds();
    project
}

/// The documents of each manifest, read: helms of different versions put their blank lines differently.
fn objects(project: &Project, name: &str) -> Vec<(PathBuf, Vec<Value>)> {
    let manifests = super::projects::files(&project.cache().join(name).join("manifests"));
    let read = |bytes: &[u8]| {
        let documents = serde_yaml::Deserializer::from_slice(bytes);
        let values = documents.map(|one| serde::Deserialize::deserialize(one).unwrap());
        values.filter(|value: &Value| !value.is_null()).collect()
    };
    manifests.iter().map(|(path, bytes)| (path.clone(), read(bytes))).collect()
}

#[test]
fn slow_every_pinned_helm_renders_every_project() {
    let Some(default) = support::helm() else { return };
    let names: Vec<String> = fixtures().into_iter().chain([WHOLE_CATALOG.to_owned()]).collect();
    for (version, helm) in others() {
        for name in &names {
            let own = project(name).with_helm(&default);
            own.kilter(&["render"]).succeeds();
            let other = rendered(name, &version, &helm);
            assert_is_what_helm_prints(&other, &other.cache(), &other.cache().join(name));
            other.kilter(&["verify", "--quiet"]).succeeds();
            let commit = Pins::builtin().commit(Tool::Helm, &version.parse().unwrap()).unwrap();
            let line = format!("helm: {{\"version\": \"{version}\", \"commit\": \"{commit}\"}}");
            assert!(other.read("kilter.lock").contains(&line), "{name}: {}", other.read("kilter.lock"));
            assert_eq!(objects(&other, name), objects(&own, name), "{name}: helm {version} says something else");
        }
    }
}

#[test]
fn slow_a_pinned_helm_says_what_its_release_says() {
    for (version, helm) in others() {
        let said = command(&helm).arg("version").env_clear().env("HOME", "/nonexistent").output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        let commit = Pins::builtin().commit(Tool::Helm, &version.parse().unwrap()).unwrap();
        let expected = format!(
            "version.BuildInfo{{Version:\"v{version}\", GitCommit:\"{commit}\", GitTreeState:\"clean\", GoVersion:"
        );
        assert!(said.starts_with(&expected), "{said}");
    }
}
