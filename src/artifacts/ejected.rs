//! What of the artifacts is the user's: copies under `kilter/` in the project.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde::de::IgnoredAny;

use super::files::{Directory, TILTFILE};
use crate::diag::{Error, Kind, Place, Problem, Result};
use crate::fsx;
use crate::ids::did_you_mean;

/// Directory of ejected copies in the project.
pub(super) const DIR: &str = "kilter";

/// Directory of the defaults they were taken from, in the project.
pub(super) const BASE_DIR: &str = "kilter/.base";

/// Something that can be ejected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    /// The Tiltfile.
    Tiltfile,
    /// The Dockerfile of the dev container.
    Dockerfile,
    /// The settings of the kind cluster.
    Kind,
    /// The values file of a service.
    Values(String),
    /// The chart of a service.
    Chart(String),
    /// The rendered manifest of a service.
    Manifest(String),
}

impl Thing {
    /// Returns everything that can be ejected in a project with these services (`app` among them).
    pub fn all<'a>(services: impl Iterator<Item = &'a str> + Clone) -> Vec<Self> {
        let mut all = vec![Self::Tiltfile, Self::Dockerfile, Self::Kind];
        for make in [Self::Values, Self::Chart, Self::Manifest] {
            all.extend(services.clone().map(|service| make(service.to_owned())));
        }
        all
    }

    /// Finds a thing by what the user typed, among those that can be ejected. A bare service means its chart.
    ///
    /// # Errors
    /// When there is no such thing.
    pub fn find(text: &str, all: &[Self]) -> Result<Self> {
        let names: Vec<String> = all.iter().map(ToString::to_string).collect();
        let bare = format!("chart/{text}");
        if let Some(at) = names.iter().position(|name| name == text).or(names.iter().position(|name| *name == bare)) {
            return Ok(all[at].clone());
        }
        let error = Error::usage(format!("`{text}` is nothing that can be ejected"));
        let error = match did_you_mean(text, names.iter().map(String::as_str)) {
            Some(near) => error.help(format!("Did you mean `{near}`?")),
            None => error,
        };
        Err(error.help("List what can be: `kilter eject --list`."))
    }

    /// Returns where the user's copy is, relative to `kilter/` (and to `kilter/.base/` for what it was taken from).
    pub fn path(&self) -> String {
        match self {
            Self::Tiltfile => TILTFILE.into(),
            Self::Dockerfile => "Dockerfile.dev".into(),
            Self::Kind => "kind.yaml".into(),
            Self::Values(service) => format!("values/{service}.yaml"),
            Self::Chart(service) => format!("charts/{service}"),
            Self::Manifest(service) => format!("manifests/{service}.yaml"),
        }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tiltfile => f.write_str("tiltfile"),
            Self::Dockerfile => f.write_str("dockerfile"),
            Self::Kind => f.write_str("kind"),
            Self::Values(service) => write!(f, "values/{service}"),
            Self::Chart(service) => write!(f, "chart/{service}"),
            Self::Manifest(service) => write!(f, "manifest/{service}"),
        }
    }
}

/// Which things are ejected in a project.
#[derive(Debug, Clone, Default)]
pub struct Ejected {
    root: PathBuf,
    things: BTreeSet<Thing>,
}

impl Ejected {
    /// Looks which of `all` have a copy under `kilter/`.
    pub fn scan(project: &Path, all: Vec<Thing>) -> Self {
        let root = project.join(DIR);
        if !root.is_dir() {
            return Self { root, things: BTreeSet::new() };
        }
        let things = all.into_iter().filter(|thing| root.join(thing.path()).exists()).collect();
        Self { root, things }
    }

    /// Lists the copies under `kilter/` that belong to no service of the project: nothing uses them.
    pub fn unused(project: &Path, services: &[String]) -> Vec<Thing> {
        let root = project.join(DIR);
        let mut unused = Vec::new();
        for (place, suffix, make) in [
            ("values", ".yaml", Thing::Values as fn(String) -> Thing),
            ("charts", "", Thing::Chart),
            ("manifests", ".yaml", Thing::Manifest),
        ] {
            let Ok(entries) = fs::read_dir(root.join(place)) else { continue };
            let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
            let names = names.filter_map(|name| name.strip_suffix(suffix).map(str::to_owned));
            let strangers = names.filter(|name| !name.starts_with('.') && !services.contains(name));
            let mut strangers: Vec<String> = strangers.collect();
            strangers.sort();
            unused.extend(strangers.into_iter().map(make));
        }
        unused
    }

    /// Tells whether a thing is the user's.
    pub fn has(&self, thing: &Thing) -> bool {
        self.things.contains(thing)
    }

    /// Returns the path of the user's copy, when there is one.
    pub fn path(&self, thing: &Thing) -> Option<PathBuf> {
        self.has(thing).then(|| self.root.join(thing.path()))
    }

    /// Returns the Tiltfile that Tilt loads. The user's is loaded where it is, not as a copy: Tilt then takes it up when it is
    /// saved, and paths in it count from its own directory. Kilter's stays among the artifacts beside it.
    pub fn tiltfile(&self, artifacts: &Directory) -> PathBuf {
        self.path(&Thing::Tiltfile).unwrap_or_else(|| artifacts.path(TILTFILE))
    }

    /// Reads the user's copy of a file, when there is one.
    ///
    /// # Errors
    /// When it is there and cannot be read, or is larger than [`fsx::MAX_FILE`].
    pub fn read(&self, thing: &Thing) -> Result<Option<Vec<u8>>> {
        let Some(path) = self.path(thing) else { return Ok(None) };
        fsx::read(&path, fsx::MAX_FILE)
    }

    /// Reads the user's copy of a service's manifest, when there is one.
    ///
    /// # Errors
    /// As [`Ejected::read`], and when it is no YAML: with the place. Whether a cluster takes it is the cluster's to say.
    pub fn manifest(&self, service: &str) -> Result<Option<Vec<u8>>> {
        let thing = Thing::Manifest(service.to_owned());
        let Some(manifest) = self.read(&thing)? else { return Ok(None) };
        let file = format!("{DIR}/{}", thing.path());
        match fault(&manifest) {
            None => Ok(Some(manifest)),
            Some((line, column, why)) => {
                let text = String::from_utf8_lossy(&manifest);
                let text = text.lines().nth(line - 1).unwrap_or_default().to_owned();
                let problem = Problem::new(format!("`{file}` is no YAML: {why}"))
                    .at(Place { file: file.clone(), line, column, text, width: 1 })
                    .help(format!("Correct it, or delete `{file}` to go back to what kilter renders."));
                Err(Error::from_problems(Kind::Project, vec![problem]))
            }
        }
    }
}

/// Finds what keeps a manifest from being YAML: line and column, from 1, and why. A key twice is left to who applies it.
fn fault(manifest: &[u8]) -> Option<(usize, usize, String)> {
    let text = match std::str::from_utf8(manifest) {
        Ok(text) => text,
        Err(error) => {
            let before = &manifest[..error.valid_up_to()];
            let line = before.split(|byte| *byte == b'\n').count();
            return Some((line, 1, "it is not UTF-8".into()));
        }
    };
    let error =
        serde_yaml::Deserializer::from_str(text).find_map(|document| IgnoredAny::deserialize(document).err())?;
    let (line, column) = error.location().map_or((1, 1), |at| (at.line().max(1), at.column().max(1)));
    Some((line, column, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tilt_loads_the_users_tiltfile_where_it_is() {
        let project = tempfile::tempdir().unwrap();
        let artifacts = Directory { root: "/artifacts".into() };
        let tiltfile = || Ejected::scan(project.path(), vec![Thing::Tiltfile]).tiltfile(&artifacts);
        assert_eq!(tiltfile(), Path::new("/artifacts/Tiltfile"));
        fsx::write(&project.path().join("kilter/Tiltfile"), b"").unwrap();
        assert_eq!(tiltfile(), project.path().join("kilter/Tiltfile"));
    }

    #[test]
    fn a_manifest_is_yaml_or_its_fault_has_a_place() {
        let place = |manifest: &[u8]| fault(manifest).map(|(line, column, _)| (line, column));
        for good in ["", "---\n", "kind: A\n---\nkind: B\n", "a: 1\na: 2\n", "a: &x {b: 1}\nc: {<<: *x}\n", "a: !t b\n"]
        {
            assert_eq!(place(good.as_bytes()), None, "{good}");
        }
        assert_eq!(place(b"kind: A\n---\nkind: B\n  name: b\n"), Some((4, 7)));
        assert_eq!(place(b"kind: A\n\xff\n"), Some((2, 1)));
        let deep = "[".repeat(100_000);
        assert!(fault(deep.as_bytes()).is_some());
    }
}
