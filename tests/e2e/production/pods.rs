//! The platform as a cluster has it: images of scripts/platform-images, and the workloads of the chart.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Platform, REGISTRY, SERVER, Source, app, binary, until};
use crate::support::project::command;
use crate::support::{self, root};

#[test]
fn slow_server_and_operator_run_as_the_chart_installs_them() {
    let Some(mut platform) = Platform::install("server and operator as pods") else { return };
    let Some([server, operator]) = images(&platform) else { return };
    let _ = platform.try_kubectl(&["delete", "lease", "kilter-operator", "--ignore-not-found"]);
    platform.apply(&json!({"server": {"image": server}, "operator": {"image": operator}}));
    for name in ["kilter-server", "kilter-operator"] {
        platform.kubectl(&["rollout", "status", &format!("deployment/{name}"), "--timeout=120s"]);
    }
    let mut forward = command(&platform.bed.kubectl);
    forward.arg("--kubeconfig").arg(&platform.bed.kubeconfig).args(["--namespace", "kilter-system", "port-forward"]);
    let (_, port) = SERVER.split_once(':').unwrap();
    forward.args(["service/kilter-server", &format!("{port}:80")]);
    platform.server =
        Some(forward.stdin(Stdio::null()).stdout(Stdio::null()).stderr(platform.log("server")).spawn().unwrap());
    until("the server answers", || app::get(SERVER, "/readyz").filter(|answer| answer.contains("ok")));
    platform.clear();

    let source = Source::new("podded");
    source.yaml("");
    source.deploy(&platform, "podded", &[]);
    super::answers(&platform, "podded", "version 1 \n");
    let conditions = platform.live("podded-prod")["status"]["conditions"].clone();
    let types: Vec<&str> = conditions.as_array().unwrap().iter().filter_map(|one| one["type"].as_str()).collect();
    assert!(types.contains(&"Ready") && !types.contains(&"Confined"), "helm is confined in a pod, too: {conditions}");

    // The other operator takes over: what the first had on its disk is gone with it.
    let holder = platform.kubectl(&["get", "lease", "kilter-operator", "--output=jsonpath={.spec.holderIdentity}"]);
    platform.kubectl(&["delete", "pod", &holder, "--wait=false", "--grace-period=0", "--force"]);
    source.version("2");
    source.deploy(&platform, "podded", &[]);
    super::answers(&platform, "podded", "version 2 \n");
    let next = platform.kubectl(&["get", "lease", "kilter-operator", "--output=jsonpath={.spec.holderIdentity}"]);
    assert_ne!(next, holder);

    for name in ["kilter-server", "kilter-operator"] {
        let said = logs(&platform, name);
        assert!(!said.to_lowercase().contains("forbidden"), "{said}");
    }
    for pod in pods(&platform) {
        let spec = &pod["spec"];
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
        assert_eq!(spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"], true);
    }
    platform.delete("podded-prod");
    platform.kubectl(&["delete", "deployment", "kilter-server", "kilter-operator", "--cascade=foreground"]);
    platform.kubectl(&["delete", "service", "kilter-server"]);
    platform.kubectl(&["delete", "networkpolicy", "kilter-server", "kilter-operator"]);
    platform.kubectl(&["delete", "lease", "kilter-operator", "--ignore-not-found"]);
}

/// The platform's pods that are not ending.
fn pods(platform: &Platform) -> Vec<Value> {
    let listed =
        platform.kubectl(&["get", "pods", "--selector=app.kubernetes.io/part-of=kilter-platform", "--output=json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let all = listed["items"].as_array().unwrap().iter();
    all.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).cloned().collect()
}

fn logs(platform: &Platform, name: &str) -> String {
    platform.kubectl(&["logs", "--selector", &format!("app.kubernetes.io/name={name}"), "--tail=-1", "--prefix"])
}

/// Builds the images of this build's programs and pushes them where the node pulls from; their names.
fn images(platform: &Platform) -> Option<[String; 2]> {
    // <cache>/tools/helm/<version>/<platform>/helm: the image gets the helm that kilter pins, from kilter's own cache.
    let Some(cache) = platform.helm.ancestors().nth(5).filter(|cache| cache.join("tools/helm").is_dir()) else {
        support::skip("server and operator as pods: KILTER_HELM is not of kilter's own cache");
        return None;
    };
    let mut content = Vec::new();
    for name in ["kilter", "kilter-server", "kilter-operator"] {
        let small = platform.dir.path().join(name);
        let mut strip = command(Path::new("/usr/bin/strip"));
        assert!(strip.arg("-o").arg(&small).arg(binary(name)).status().unwrap().success());
        content.extend(std::fs::read(&small).unwrap());
    }
    let tag = kilter::ids::Digest::of(&content).hex()[..12].to_owned();
    let mut build = command(&root().join("scripts/platform-images"));
    build.arg("--binaries").arg(platform.dir.path()).args([
        "--base",
        "kilter-test/debian:trixie",
        "--version",
        &tag,
        "--push",
    ]);
    build.arg(format!("{REGISTRY}/platform")).args(["--", "--network", "host"]);
    build.env("KILTER_CACHE_DIR", cache).env("DOCKER_HOST", &platform.bed.docker).env("DOCKER_BUILDKIT", "0");
    let built = build.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let names = String::from_utf8(built.stdout).unwrap();
    let names: Vec<&str> = names.lines().collect();
    let [server, operator] = names.as_slice() else { panic!("{names:?}") };
    Some([(*server).to_owned(), (*operator).to_owned()])
}
