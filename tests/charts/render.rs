//! Rendering a chart as kilter does: a local folder, a cleared environment, everything said on the command line.

use std::path::Path;

use kilter::exec::{Captured, Invocation};
use serde::Deserialize as _;
use serde_json::Value;

use super::Chart;

/// Namespace of every render.
pub(crate) const NAMESPACE: &str = "shop-dev";

/// Returns the call of helm with empty homes below `home`.
pub(crate) fn call(helm: &Path, home: &Path) -> Invocation {
    let folder = |name: &str| home.join(name).to_str().unwrap().to_owned();
    Invocation::new(helm)
        .cwd(home)
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", folder(""))
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .env("KUBECONFIG", folder("none"))
        .env("HELM_NO_PLUGINS", "1")
        .env("HELM_PLUGINS", folder("plugins"))
        .env("HELM_CACHE_HOME", folder("cache"))
        .env("HELM_CONFIG_HOME", folder("config"))
        .env("HELM_DATA_HOME", folder("data"))
}

/// Runs `helm template` with the given values over the chart's own.
pub(crate) fn run(helm: &Path, chart: &Chart, release: &str, values: &Value) -> Captured {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("values.yaml");
    kilter::fsx::write(&file, kilter::yaml::emit(values).unwrap().as_bytes()).unwrap();
    template(call(helm, home.path()), chart, release).args(["-f", file.to_str().unwrap()]).capture().unwrap()
}

/// Adds the arguments of `helm template`.
pub(crate) fn template(call: Invocation, chart: &Chart, release: &str) -> Invocation {
    call.args(["template", release, chart.dir.to_str().unwrap(), "--namespace", NAMESPACE]).args([
        "--kube-version",
        "v1.37.0",
        "--include-crds",
        "--skip-tests",
    ])
}

/// Renders a chart that must render; returns helm's bytes as text.
pub(crate) fn manifest(helm: &Path, chart: &Chart, release: &str, values: &Value) -> String {
    let said = run(helm, chart, release, values);
    assert!(said.ok(), "{}: {}", chart.name, said.stderr);
    said.text()
}

/// Renders a chart and returns its objects.
pub(crate) fn objects(helm: &Path, chart: &Chart, release: &str, values: &Value) -> Vec<Value> {
    parse(&manifest(helm, chart, release, values))
}

/// Reads the objects of a manifest.
pub(crate) fn parse(manifest: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(manifest).map(|document| Value::deserialize(document).unwrap());
    documents.filter(|document| !document.is_null()).collect()
}

/// Finds the one object of a kind and name.
pub(crate) fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name} in {objects:#?}"))
}

/// Finds the one workload (Deployment or StatefulSet) of a name.
pub(crate) fn workload<'a>(objects: &'a [Value], name: &str) -> &'a Value {
    let found = objects.iter().find(|object| is_workload(object) && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no workload {name} in {objects:#?}"))
}

/// Tells whether an object runs pods.
pub(crate) fn is_workload(object: &Value) -> bool {
    object["kind"] == "Deployment" || object["kind"] == "StatefulSet"
}

/// Returns the containers of a workload.
pub(crate) fn containers(workload: &Value) -> &Vec<Value> {
    workload["spec"]["template"]["spec"]["containers"].as_array().unwrap()
}

/// Reads the literal `env` of a container the way the kubelet does: `$$` is `$`.
pub(crate) fn env(container: &Value, name: &str) -> Option<String> {
    let entries: Vec<_> = container["env"].as_array()?.iter().filter(|entry| entry["name"] == name).collect();
    assert!(entries.len() <= 1, "{name} is there twice");
    expanded(entries.first()?["value"].as_str()?).into()
}

/// Expands what the kubelet expands, for text without references: `$$` becomes `$`. A reference must not be there.
pub(crate) fn expanded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        assert!(c != '$' || rest.peek() != Some(&'('), "a reference in {text:?}");
        if c == '$' && rest.peek() == Some(&'$') {
            rest.next();
        }
        out.push(c);
    }
    out
}
