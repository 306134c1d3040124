//! Every service of the catalog before a real API server.

use std::fs;
use std::path::Path;

use super::{Bed, app, until};
use crate::support::project::{Project, command};
use crate::{charts, support};

/// What the API server checks objects with, without keeping them.
const DRY: &[&str] = &["--dry-run=server"];

/// Applies a manifest; returns what kubectl says of it, or why it is not accepted as it is. Strict validation warns of what it
/// does not refuse.
fn apply(bed: &Bed, manifest: &str, options: &[&str]) -> Result<String, String> {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("manifest.yaml");
    kilter::fsx::write(&file, manifest.as_bytes()).unwrap();
    let mut apply = command(Path::new(&bed.kubectl));
    apply.arg("--kubeconfig").arg(&bed.kubeconfig).args(["apply", "--validate=strict"]).args(options);
    let output = apply.arg("--filename").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() && !said.contains("Warning") {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(said),
    }
}

/// Makes a namespace: objects of one that nobody made are refused.
fn make(bed: &Bed, namespace: &str) {
    app::kubectl(bed, "default", &["create", "namespace", namespace]).unwrap();
}

fn delete(bed: &Bed, namespace: &str) {
    app::kubectl(bed, "default", &["delete", "namespace", namespace, "--wait=false"]).unwrap();
}

#[test]
fn slow_every_object_of_the_catalog_is_accepted_as_it_is() {
    let Some(bed) = Bed::find("the catalog before an API server") else { return };
    let namespace = "e2e-catalog";
    make(&bed, namespace);
    let mut refused = Vec::new();
    for service in kilter::catalog::services().keys() {
        let project = Project::new("catalog").file("kilter.yaml", format!("services: [{service}]\n"));
        project.kilter(&["render"]).env("KILTER_HELM", support::helm().unwrap()).succeeds();
        let manifest = fs::read_to_string(project.cache().join(format!("catalog/manifests/{service}.yaml"))).unwrap();
        let manifest = manifest.replace("catalog-dev", namespace);
        assert!(manifest.contains("kind: Service"), "{service}");
        refused.extend(apply(&bed, &manifest, DRY).err().map(|said| format!("{service}: {said}")));
    }
    delete(&bed, namespace);
    assert_eq!(refused, Vec::<String>::new());
}

#[test]
fn slow_what_more_values_make_of_the_charts_is_accepted_as_it_is() {
    let Some(bed) = Bed::find("the golden manifests before an API server") else { return };
    let namespace = "e2e-golden";
    make(&bed, namespace);
    let mut refused = Vec::new();
    for chart in charts::all() {
        let golden = support::root().join(format!("tests/golden/charts/{}.yaml", chart.name));
        let golden = fs::read_to_string(golden).unwrap();
        assert!(golden.contains(charts::NAMESPACE) && golden.contains("nodePort: 30000"), "{}", chart.name);
        let manifest = golden.replace(charts::NAMESPACE, namespace);
        refused.extend(apply(&bed, &manifest, DRY).err().map(|said| format!("{}: {said}", chart.name)));
    }
    delete(&bed, namespace);
    assert_eq!(refused, Vec::<String>::new());
}

/// What Kubernetes refuses to change of an object that is there, Tilt deletes and makes anew. No value of a chart comes to
/// that, but for those of volumes: `rich_in_place` leaves these out.
#[test]
fn slow_other_values_are_taken_over_by_the_objects_that_are_there() {
    let Some(bed) = Bed::find("the catalog with other values") else { return };
    let helm = support::helm().unwrap();
    let namespace = "e2e-in-place";
    make(&bed, namespace);
    // Objects alone: what runs of them is another test's.
    let quota = ["create", "quota", "objects-alone", "--hard=pods=0,persistentvolumeclaims=0"];
    app::kubectl(&bed, namespace, &quota).unwrap();
    // Until it has counted, it holds back nothing.
    let counted = ["get", "quota", "objects-alone", "--output", "jsonpath={.status.hard.pods}"];
    until("the quota", || app::kubectl(&bed, namespace, &counted).filter(|pods| pods == "0"));
    let mut refused = Vec::new();
    for chart in charts::all() {
        let name = chart.name.as_str();
        let render = |values: &serde_json::Value| {
            charts::manifest(&helm, &chart, name, values).replace(charts::NAMESPACE, namespace)
        };
        let (plain, rich) = (render(&serde_json::json!({})), render(&charts::rich_in_place(&chart)));
        for (what, manifest, word) in
            [("new", &plain, "created"), ("rich", &rich, "configured"), ("plain", &plain, "configured")]
        {
            let taken = apply(&bed, manifest, &[]).and_then(|said| {
                let line = format!(".apps/{name} {word}");
                if said.contains(&line) { Ok(()) } else { Err(format!("no {line} in {said}")) }
            });
            refused.extend(taken.err().map(|said| format!("{name}, {what}: {said}")));
        }
        // The next one has the same node ports, whatever became of these.
        app::kubectl(&bed, namespace, &["delete", "services", "--all"]).unwrap();
    }
    let pods = app::kubectl(&bed, namespace, &["get", "pods", "--output", "name"]);
    delete(&bed, namespace);
    assert_eq!(refused, Vec::<String>::new());
    assert_eq!(pods.as_deref(), Some(""), "nothing of it ran");
}
