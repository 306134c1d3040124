//! Secrets: encrypted on the developer's machine, readable to Flux alone.

use std::fs;
use std::path::Path;

use super::{Platform, REGISTRY, Source};
use crate::support;

/// What must be nowhere but in the pod.
const CANARY: &str = "canary-4f1b9c";

#[test]
fn slow_a_secret_reaches_the_pod_and_nothing_else() {
    if support::variable("KILTER_SOPS").is_none() {
        return support::skip("secrets of production: KILTER_SOPS is not set");
    }
    let Some(platform) = Platform::start("secrets of production") else { return };
    let source = Source::new("keys");
    source.project.write("prod.env", format!("GREETING={CANARY}\n"));
    source.yaml("appSecrets: [keys-env]\nenvironments: {prod: {secrets: {keys-env: prod.env}}}\n");
    source.deploy(&platform, "keys", &[]);
    // The Gateway may take up the route a moment after the pods are ready.
    super::answers(&platform, "keys", &format!("version 1 {CANARY}\n"));

    // Another value rolls the pods.
    source.project.write("prod.env", format!("GREETING={CANARY}-2\n"));
    source.deploy(&platform, "keys", &[]);
    super::answers(&platform, "keys", &format!("version 1 {CANARY}-2\n"));
    // The same file is not encrypted anew: nothing to do.
    let commits = platform.commits_of("keys");
    source.deploy(&platform, "keys", &[]);
    assert_eq!(platform.commits_of("keys"), commits);

    let everything = [
        platform.git(&["log", "--patch", "main"]),
        platform.said(),
        platform.app("keys-prod").unwrap().to_string(),
        platform.kubectl(&["get", "controllerrevisions,events,kilterplans", "--output=json"]),
        platform.kubectl(&["--namespace", "keys-prod", "get", "events,pods,deployments,configmaps", "--output=json"]),
        super::app::get(super::SERVER, "/metrics").unwrap(),
        platform.operator_metrics(),
        // Flux has the plaintext in its hands, and the API server and the node have it after that.
        ["source-controller", "kustomize-controller", "git-server", "kube-apiserver", "kubelet"].map(log).concat(),
    ]
    .concat();
    assert!(everything.contains("ENC[AES256_GCM"), "the ciphertext is there");
    assert!(everything.contains("\"reason\": \"ScalingReplicaSet\""), "the app's own events are there");
    assert!(everything.contains("keys-prod-app"), "Flux speaks of the app");
    assert!(everything.contains("kilter_operator_leads 1"), "the metrics are there");
    assert!(!everything.contains(CANARY));

    // One that is declared and nowhere.
    source.yaml("appSecrets: [keys-env, missing-one]\nenvironments: {prod: {secrets: {keys-env: prod.env}}}\n");
    let registry = format!("{REGISTRY}/acme");
    let refused =
        source.kilter(&platform, &["deploy", "--wait", "--project", "acme/keys", "--registry", &registry]).run();
    assert!(
        refused.code != 0 && refused.stderr.contains("missing secrets in keys-prod: missing-one"),
        "{}",
        refused.stderr
    );
    platform.delete("keys-prod");
}

/// What a part of the test bed wrote into its log.
fn log(part: &str) -> String {
    let bed = support::variable("KILTER_TEST_BED").unwrap();
    let bytes = fs::read(Path::new(&bed).with_file_name("log").join(format!("{part}.log"))).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
