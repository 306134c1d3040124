//! A volume that exists stays as it is, whatever kilter.yaml asks for by now.

use kilter::toolchain::Tool;

use super::*;
use crate::support::cluster::{Tilt, asked, has, kilter, kubectl, project, store, tool};
use crate::support::project::fake_helm;

const SERVICE: &str = "services:\n  - {name: x, image: 'acme/x:1', port: 80, values: {storage: {size: 5Gi}}}\n";

const ANSWERS: &str = r#"case "$*" in
"get namespace "*) echo '{"status": {}}' ;;
"get persistentvolumeclaims "*) cat claims ;;
"get persistentvolumeclaim "*) test ! -e silent || { echo 'forbidden' >&2; exit 1; }; cat claim 2>/dev/null || true ;;
esac"#;

fn manifest(size: &str) -> String {
    format!(
        "kind: StatefulSet\nmetadata: {{name: x}}\nspec:\n  volumeClaimTemplates:\n  - metadata: {{name: data}}\n    \
         spec: {{resources: {{requests: {{storage: {size}}}}}}}\n"
    )
}

fn rendering(name: &str) -> Project {
    project(name, SERVICE).helm_script(&fake_helm(&format!("cat <<'EOF'\n{}EOF", manifest("5Gi"))))
}

fn claim(name: &str, size: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"storageClassName": "standard", "resources": {"requests": {"storage": size}}}})
}

#[test]
fn up_tells_of_a_volume_that_stays_as_it_is() {
    let project = rendering("swift");
    kubectl(&project, ANSWERS);
    tool(&project, Tool::Tilt, "exit 1");
    let claims = [claim("data-x-0", "1Gi"), claim("data-x-1", "5Gi"), claim("data-y-0", "1Gi")];
    has(&project, "claims", &json!({"items": claims}).to_string());
    let said = kilter(&project, &["up", "--ci"]).fails(4);
    let warning = &said[said.find("warning: `x`").unwrap_or_else(|| panic!("{said}"))..];
    let warning = warning.split_inclusive("`kilter up`.\n").next().unwrap();
    insta::assert_snapshot!(warning, @r"
    warning: `x` keeps the volume that it has: Kubernetes does not change one that exists.
      --> kilter.yaml:4:62
       |
    4  |   - {name: x, image: 'acme/x:1', port: 80, values: {storage: {size: 5Gi}}}
       |                                                              ^^^^^^^^^^^
      | data-x-0: 1Gi, not 5Gi
      = It stays in use, with its data. If that will do, say in kilter.yaml what it is.
      = For a new one, without the data: `env KUBECONFIG=[CACHE]/swift/kubeconfig [TMP]/bin/kubectl --namespace swift-dev delete statefulset/x persistentvolumeclaim/data-x-0`, then `kilter up`.
    ");
    let claims: Vec<_> = asked(&project).into_iter().filter(|call| call.contains("persistentvolumeclaims")).collect();
    assert_eq!(claims, ["swift-dev: get persistentvolumeclaims --output json --request-timeout 10s"]);

    // One that is what is asked for, or about to go, is nothing to speak of; nor is a cluster that does not say.
    let mut going = claim("data-x-0", "1Gi");
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    for claims in [json!({"items": [claim("data-x-0", "5120Mi"), going]}).to_string(), "no list".to_owned()] {
        has(&project, "claims", &claims);
        let said = kilter(&project, &["up", "--ci"]).fails(4);
        assert!(!said.contains("keeps the volume"), "{said}");
    }
}

#[test]
fn render_tells_of_it_where_something_was_brought_up() {
    let project = rendering("martin");
    store(&project, "x", &manifest("1Gi"));
    let says = |args: &[&str]| project.kilter(args).run().stderr.contains("keeps the volume that it has");
    assert!(!says(&["render", "--check"]), "nothing was brought up");
    let place = project.state().join("kilter/instances/martin/place.json");
    kilter::fsx::write(&place, br#"{"context": "team", "namespace": "martin-dev"}"#).unwrap();
    assert!(says(&["render", "--check"]) && !says(&["render", "--stdout"]));
    let said = project.kilter(&["render"]).succeeds().stderr;
    insta::assert_snapshot!(said, @r"
    warning: `x` keeps the volume that it has: Kubernetes does not change one that exists.
      --> kilter.yaml:4:62
       |
    4  |   - {name: x, image: 'acme/x:1', port: 80, values: {storage: {size: 5Gi}}}
       |                                                              ^^^^^^^^^^^
      | data of x: 1Gi, not 5Gi
      = `kilter up` says how to get a new one, without the data.
    0 rendered by helm 4.3.0, 1 reused.
    ");
    assert!(!says(&["render"]), "what is stored is what is asked for");
}

/// A chart of the user's own, whose claim no StatefulSet makes.
fn with_a_claim(name: &str, modes: &str) -> Project {
    let manifest = lone(modes);
    project(name, "services:\n  - {name: x, image: 'acme/x:1', port: 80}\n").helm_script(&fake_helm(&format!(
        "case \" $* \" in *' x '*) cat <<'EOF'\n{manifest}EOF\n;; *) echo 'kind: Service' ;; esac"
    )))
}

fn lone(modes: &str) -> String {
    format!(
        "kind: PersistentVolumeClaim\nmetadata: {{name: uploads}}\nspec: {{accessModes: [{modes}]}}\n---\n\
         kind: Deployment\nmetadata: {{name: web}}\nspec:\n  template:\n    spec:\n      volumes:\n      \
         - {{name: data, persistentVolumeClaim: {{claimName: uploads}}}}\n"
    )
}

#[test]
fn up_refuses_what_would_delete_a_volume() {
    let project = with_a_claim("wren", "ReadWriteMany");
    kubectl(&project, ANSWERS);
    tool(&project, Tool::Tilt, "exit 1");
    let mut there =
        json!({"metadata": {"name": "uploads"}, "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "pvc-1"}});
    has(&project, "claim", &there.to_string());
    let said = kilter(&project, &["up", "--ci"]).fails(5);
    let error = &said[said.find("error: ").unwrap_or_else(|| panic!("{said}"))..];
    insta::assert_snapshot!(error, @r#"
    error: `x` asks for what the volume claim `uploads` cannot become.
      --> kilter.yaml:4:5
       |
    4  |   - {name: x, image: 'acme/x:1', port: 80}
       |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      | accessModes: ["ReadWriteOnce"], not ["ReadWriteMany"]
      = Nothing was applied: Tilt would delete the claim and make it anew, without its data. To keep them, ask for what it is.
      = For a new one, without the data: `env KUBECONFIG=[CACHE]/wren/kubeconfig [TMP]/bin/kubectl --namespace wren-dev delete --ignore-not-found deployment/web persistentvolumeclaim/uploads`, then `kilter up`.
    "#);
    assert!(!project.cache().join("wren/manifests").exists(), "nothing is written that a Tilt could apply");

    // One of which nobody says what it is could be lost, too.
    has(&project, "silent", "");
    let said = kilter(&project, &["up", "--ci"]).run().stderr;
    assert!(said.contains("forbidden") && !project.cache().join("wren/manifests").exists(), "{said}");
    fs::remove_file(project.outside("cluster/silent")).unwrap();

    // One that is about to go is not kept, and one that never got a volume has no data; nor is there anything to lose that
    // Tilt is not told to bring up.
    let run = |there: &Value, args: &[&str]| {
        has(&project, "claim", &there.to_string());
        let said = kilter(&project, args).fails(4);
        assert!(!said.contains("uploads"), "{said}");
    };
    project.write("kilter.yaml", fs::read_to_string(project.root().join("kilter.yaml")).unwrap() + "  - redis\n");
    run(&there, &["up", "--ci", "--only", "redis"]);
    let bound = there.clone();
    there["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    run(&there, &["up", "--ci"]);
    there = bound;
    there["spec"]["volumeName"] = Value::Null;
    run(&there, &["up", "--ci"]);
}

#[test]
fn nothing_is_written_for_which_a_tilt_that_runs_would_delete_a_volume() {
    let project = with_a_claim("finch", "ReadWriteMany");
    store(&project, "x", &lone("ReadWriteOnce"));
    let stored = project.cache().join("finch/manifests/x.yaml");
    let tilt = Tilt::start(&project);
    for args in [&["render"][..], &["add", "redis", "--yes"]] {
        let said = project.kilter(args).fails(5);
        assert!(said.contains("error: `x` asks for what the volume claim `uploads` cannot become.\n"), "{said}");
        assert_eq!(fs::read_to_string(&stored).unwrap(), lone("ReadWriteOnce"), "{args:?}");
        assert!(!fs::read_to_string(project.root().join("kilter.yaml")).unwrap().contains("redis"), "{args:?}");
    }
    drop(tilt);
    project.kilter(&["render"]).succeeds();
    assert_eq!(fs::read_to_string(&stored).unwrap(), lone("ReadWriteMany"));
}
