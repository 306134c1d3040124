//! Every service of the catalog before a real API server.

use std::path::Path;

use super::{Bed, app};
use crate::support::project::{Project, command};

#[test]
fn slow_every_object_of_the_catalog_is_accepted_as_it_is() {
    let Some(bed) = Bed::find("the catalog before an API server") else { return };
    let namespace = "e2e-catalog";
    app::kubectl(&bed, "default", &["create", "namespace", namespace]).unwrap();
    let mut refused = Vec::new();
    for service in kilter::catalog::services().keys() {
        let project = Project::new("catalog").file("kilter.yaml", format!("services: [{service}]\n"));
        project.kilter(&["render"]).env("KILTER_HELM", crate::support::helm().unwrap()).succeeds();
        let manifest =
            std::fs::read_to_string(project.cache().join(format!("catalog/manifests/{service}.yaml"))).unwrap();
        // The namespace is there; an object that nobody makes is accepted for sure.
        let manifest = manifest.replace("catalog-dev", namespace);
        assert!(manifest.contains("kind: Service"), "{service}");
        let file = project.outside("manifest.yaml");
        kilter::fsx::write(&file, manifest.as_bytes()).unwrap();
        let mut apply = command(Path::new(&bed.kubectl));
        apply.arg("--kubeconfig").arg(&bed.kubeconfig).args(["apply", "--dry-run=server", "--validate=strict", "-f"]);
        let output = apply.arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Strict validation warns of what it does not refuse.
        if !output.status.success() || said.contains("Warning") {
            refused.push(format!("{service}: {said}"));
        }
    }
    app::kubectl(&bed, "default", &["delete", "namespace", namespace, "--wait=false"]).unwrap();
    assert_eq!(refused, Vec::<String>::new());
}
