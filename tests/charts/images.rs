//! Which services of the catalog the test bed can run as pods, and which only its API server has seen.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::{services, text};
use crate::support::project::command;
use crate::support::{root, skip};

/// Services whose pods a test starts only where `scripts/service-images --pull` got their images, with the reason. The README names
/// them, too.
const NOT_RUN: &[(&str, &str)] = &[
    ("floci", "no package registry has its server"),
    ("meilisearch", "no package registry has its server"),
    ("mongodb", "no package registry has its server, and Debian no longer since it is under another licence"),
    ("mssql", "its packages are in Microsoft's own archive alone"),
    ("qdrant", "no package registry has its server"),
    ("signoz", "no package registry has its server, and Debian no ClickHouse that knows what its tables need"),
];

/// Collects what stands under the key `image`, at any depth.
fn images(values: &Value, found: &mut BTreeSet<String>) {
    for (key, value) in values.as_object().into_iter().flatten() {
        match value {
            Value::String(image) if key == "image" => drop(found.insert(image.clone())),
            _ => images(value, found),
        }
    }
}

/// What `scripts/service-images` lists with these arguments.
fn list(args: &[String]) -> BTreeSet<String> {
    let listed = command(&root().join("scripts/service-images")).args(args).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn each_service_has_images_for_the_test_bed_or_a_reason_why_not() {
    if !cfg!(target_os = "linux") {
        return skip("the images of the test bed: its scripts run on Linux");
    }
    // Those on request, too.
    let folders = fs::read_dir(root().join("scripts/service-images.d")).unwrap();
    let folders = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap());
    let listed = list(&[vec!["--list".to_owned()], folders.collect()].concat());
    for (chart, _) in services() {
        let mut wanted = BTreeSet::new();
        images(&chart.values, &mut wanted);
        assert!(!wanted.is_empty(), "{}", chart.name);
        let missing: BTreeSet<String> = wanted.difference(&listed).cloned().collect();
        match NOT_RUN.iter().find(|(name, _)| *name == chart.name) {
            Some((name, reason)) => {
                assert!(!missing.is_empty(), "{name} can run by now, and yet: {reason}");
                assert_eq!(list(&["--others".to_owned(), chart.name.to_owned()]), missing);
            }
            None => assert!(missing.is_empty(), "{}: scripts/service-images.d has no {missing:?}", chart.name),
        }
    }
}

#[test]
fn the_readme_names_the_services_that_are_not_run() {
    let readme = text(&root().join("README.md"));
    let line = readme.lines().find(|line| line.contains("are not run")).unwrap();
    for (name, _) in NOT_RUN {
        assert!(line.contains(&format!("`{name}`")), "{name}: {line}");
        assert!(services().iter().any(|(chart, _)| chart.name == *name), "{name} is no service of the catalog");
    }
    assert_eq!(line.matches('`').count(), 2 * NOT_RUN.len(), "{line}");
}
