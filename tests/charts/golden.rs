//! The manifests, byte for byte as helm prints them.

use std::fs;
use std::path::Path;

use super::objects::rich;
use super::render::manifest;
use super::{all, app};
use crate::support;

#[test]
fn manifests_are_the_golden_ones() {
    let Some(helm) = support::helm() else { return };
    let folder = support::root().join("tests/golden/charts");
    for chart in all() {
        let file = folder.join(format!("{}.yaml", chart.name));
        let manifest = manifest(&helm, &chart, &format!("my-{}", chart.name), &rich(&chart));
        check(&file, &manifest);
    }
    for (name, values) in app::scenarios() {
        check(&folder.join(format!("kilter-app-{name}.yaml")), &app::manifest(&helm, &values));
    }
    let golden: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(golden.len(), all().len() + app::scenarios().len(), "a golden file without a chart: {golden:?}");
}

fn check(file: &Path, manifest: &str) {
    if support::update_golden() {
        return kilter::fsx::write(file, manifest.as_bytes()).unwrap();
    }
    let golden = fs::read_to_string(file).unwrap_or_default();
    let diff = diffy::create_patch(&golden, manifest);
    assert!(golden == manifest, "{} differs; `KILTER_UPDATE_GOLDEN=1` takes it over:\n{diff}", file.display());
}
