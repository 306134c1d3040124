//! The manifests, byte for byte as helm prints them.

use std::fs;

use super::{manifest, scenarios};
use crate::support;

#[test]
fn manifests_of_an_app_are_the_golden_ones() {
    let Some(helm) = support::helm() else { return };
    let folder = support::root().join("tests/golden/kilter-app");
    for (name, values) in scenarios() {
        let file = folder.join(format!("{name}.yaml"));
        let manifest = manifest(&helm, &values);
        if support::update_golden() {
            kilter::fsx::write(&file, manifest.as_bytes()).unwrap();
            continue;
        }
        let golden = fs::read_to_string(&file).unwrap_or_default();
        let diff = diffy::create_patch(&golden, &manifest);
        assert!(golden == manifest, "{} differs; `KILTER_UPDATE_GOLDEN=1` takes it over:\n{diff}", file.display());
    }
    let golden: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(golden.len(), scenarios().len(), "a golden file of nothing: {golden:?}");
}
