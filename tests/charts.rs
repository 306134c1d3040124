//! The charts of `vendor-charts/`, held to the contract of its README.

mod app;
mod contract;
mod golden;
mod images;
mod keys;
mod objects;
mod overrides;
mod own;
mod production;
mod reach;
pub(crate) mod render;
mod rules;
mod schemas;
mod stable;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support;

pub(crate) use objects::rich_in_place;
pub(crate) use render::{NAMESPACE, manifest};

/// One chart as it is in the repository.
pub(crate) struct Chart {
    /// Its name, the folder's.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) dir: PathBuf,
    /// values.yaml.
    pub(crate) values: Value,
    /// values.schema.json.
    pub(crate) schema: Value,
    /// catalog.yaml, for the services of the catalog.
    pub(crate) catalog: Option<kilter::catalog::CatalogService>,
}

impl Chart {
    fn read(dir: PathBuf) -> Self {
        let catalog = dir.join("catalog.yaml");
        Self {
            name: dir.file_name().unwrap().to_str().unwrap().to_owned(),
            values: yaml(&dir.join("values.yaml")),
            schema: serde_json::from_str(&text(&dir.join("values.schema.json"))).unwrap(),
            catalog: catalog.is_file().then(|| serde_json::from_value(yaml(&catalog)).unwrap()),
            dir,
        }
    }

    /// Returns the files of `templates/`, sorted, with their text.
    pub(crate) fn templates(&self) -> Vec<(PathBuf, String)> {
        let mut files: Vec<_> =
            fs::read_dir(self.dir.join("templates")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|file| (file.clone(), text(&file))).collect()
    }
}

/// The charts of production: what they have in common with the others is in `production`.
const PRODUCTION: [&str; 2] = ["kilter-app", "kilter-platform"];

/// Returns every chart of development, sorted by name.
pub(crate) fn all() -> Vec<Chart> {
    let folders = fs::read_dir(support::root().join("vendor-charts")).unwrap().map(|entry| entry.unwrap().path());
    let production = |path: &PathBuf| PRODUCTION.iter().any(|name| path.ends_with(name));
    let mut folders: Vec<_> = folders.filter(|path| path.is_dir() && !production(path)).collect();
    folders.sort();
    folders.into_iter().map(Chart::read).collect()
}

/// Returns one chart.
pub(crate) fn chart(name: &str) -> Chart {
    Chart::read(support::root().join("vendor-charts").join(name))
}

/// Returns the charts of the catalog with their catalog files.
pub(crate) fn services() -> Vec<(Chart, kilter::catalog::CatalogService)> {
    all().into_iter().filter_map(|mut chart| chart.catalog.take().map(|catalog| (chart, catalog))).collect()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &Path) -> Value {
    serde_yaml::from_str(&text(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
