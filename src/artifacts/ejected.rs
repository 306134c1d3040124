//! What of the artifacts is the user's: copies under `kilter/` in the project.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde::de::IgnoredAny;

use super::files::{Directory, TILTFILE};
use crate::diag::{Error, Result};
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
    /// As [`Ejected::read`], and when it is no YAML: with line and column, without the line itself, which may be a Secret's.
    /// Whether a cluster takes it is the cluster's to say.
    pub fn manifest(&self, service: &str) -> Result<Option<Vec<u8>>> {
        let thing = Thing::Manifest(service.to_owned());
        let Some(manifest) = self.read(&thing)? else { return Ok(None) };
        let file = format!("{DIR}/{}", thing.path());
        match fault(&manifest) {
            None => Ok(Some(manifest)),
            Some(why) => Err(Error::project(format!("`{file}` is no YAML: {why}"))
                .help(format!("Correct it, or delete `{file}` to go back to what kilter renders."))),
        }
    }
}

/// Says what keeps a manifest from being YAML, and where. A key twice is left to who applies it.
fn fault(manifest: &[u8]) -> Option<String> {
    match std::str::from_utf8(manifest) {
        Ok(text) => {
            let mut documents = serde_yaml::Deserializer::from_str(text);
            documents.find_map(|document| IgnoredAny::deserialize(document).err()).map(|error| error.to_string())
        }
        Err(error) => {
            let line = manifest[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
            Some(format!("it is not UTF-8 at line {line}"))
        }
    }
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
        for good in ["", "---\n", "kind: A\n---\nkind: B\n", "a: 1\na: 2\n", "a: &x {b: 1}\nc: {<<: *x}\n", "a: !t b\n"]
        {
            assert_eq!(fault(good.as_bytes()), None, "{good}");
        }
        let place = |manifest: &[u8]| fault(manifest).unwrap();
        let said = place(b"kind: A\n---\nkind: Secret\n  password: hunter2\n");
        assert!(said.ends_with(" at line 4 column 11") && !said.contains("hunter2"), "{said}");
        assert_eq!(place(b"kind: A\n\xff\n"), "it is not UTF-8 at line 2");
        assert!(fault("[".repeat(100_000).as_bytes()).is_some());
    }
}
