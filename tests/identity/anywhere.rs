//! The same project renders to the same bytes in another home, time zone, locale and directory, as another user, and in
//! an environment that tells helm all kinds of things.

use std::fs;
use std::path::Path;

use super::projects::{all, assert_same, fill, portable, project};
use crate::support;
use crate::support::project::{Project, command, copy_tree};

/// What helm listens to (helm/helm `pkg/cli/environment.go`, `pkg/helmpath`), and what is machine-specific elsewhere.
const HOSTILE: [(&str, &str); 25] = [
    ("TZ", "Pacific/Kiritimati"),
    ("LC_ALL", "tr_TR.UTF-8"),
    ("LANG", "de_DE.UTF-8"),
    ("USER", "canary-user"),
    ("LOGNAME", "canary-user"),
    ("HOSTNAME", "canary-host"),
    ("HELM_NAMESPACE", "canary"),
    ("HELM_KUBECONTEXT", "canary"),
    ("HELM_DRIVER", "sql"),
    ("HELM_DRIVER_SQL_CONNECTION_STRING", "postgres://nowhere.invalid"),
    ("HELM_DEBUG", "true"),
    ("HELM_COLOR", "always"),
    ("HELM_EXPERIMENTAL_CHART_V3", "1"),
    ("HELM_REGISTRY_CONFIG", "/nowhere/registry.json"),
    ("HELM_REPOSITORY_CACHE", "/nowhere/cache"),
    ("HELM_PPROF_CPU_PROFILE", "/nowhere/profile"),
    ("POD_NAMESPACE", "canary"),
    ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
    ("KUBERNETES_SERVICE_PORT", "443"),
    ("HTTPS_PROXY", "http://127.0.0.1:1"),
    ("http_proxy", "http://127.0.0.1:1"),
    ("SOURCE_DATE_EPOCH", "1"),
    ("GODEBUG", "http2debug=1"),
    ("COLUMNS", "20"),
    ("CI", "true"),
];

#[test]
fn every_project_renders_to_the_same_bytes_anywhere() {
    let Some(_) = support::helm() else { return };
    for name in all() {
        let here = project(&name);
        here.kilter(&["render"]).succeeds();
        let expected = portable(&here, &name);
        assert_same(&name, &expected, &elsewhere(&name));
    }
}

/// Renders a project in other surroundings.
fn elsewhere(name: &str) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let project = fill(name, Project::new(name));
    let checkout = project.outside("ein Ort/mit Leerzeichen & ümlaut").join(name);
    copy_tree(&project.root(), &checkout);
    let cache = project.outside("another cache/deep/down");
    let hostile = project.outside("hostile");
    plant(&hostile);
    let folder = |below: &str| hostile.join(below);
    let checkout_arg = checkout.to_str().unwrap().to_owned();
    let mut run = project.kilter(&["render", "-C", &checkout_arg]).cwd(Path::new("/"));
    for (variable, value) in HOSTILE {
        run = run.env(variable, value);
    }
    let run = run
        .env("HOME", folder("home"))
        .env("KUBECONFIG", folder("kubeconfig"))
        .env("HELM_PLUGINS", folder("plugins"))
        .env("HELM_REPOSITORY_CONFIG", folder("repositories.yaml"))
        .env("XDG_CONFIG_HOME", folder("config"))
        .env("XDG_DATA_HOME", folder("data"))
        .env("XDG_CACHE_HOME", folder("cache"))
        .env("XDG_STATE_HOME", folder("state"))
        .env("KILTER_CACHE_DIR", &cache);
    run.succeeds();
    let mut found = super::projects::files(&cache.join(name));
    found.remove(Path::new("kind.yaml"));
    found.insert("kilter.lock".into(), fs::read(checkout.join("kilter.lock")).unwrap());
    found
}

/// Puts files in place that a helm with this home would listen to.
fn plant(at: &Path) {
    let put = |path: &str, text: &str| kilter::fsx::write(&at.join(path), text.as_bytes()).unwrap();
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: canary\nclusters: [{name: c, cluster: {server: \"https://127.0.0.1:1\"}}]\n\
                      contexts: [{name: canary, context: {cluster: c, user: u, namespace: canary}}]\nusers: [{name: u, user: {}}]\n";
    put("kubeconfig", kubeconfig);
    put("home/.kube/config", kubeconfig);
    put("home/.docker/config.json", r#"{"credsStore": "canary"}"#);
    put("repositories.yaml", "not: [what helm expects");
    put("config/helm/repositories.yaml", "not: [what helm expects");
    let plugin = "name: template\nversion: 0.1.0\nusage: canary\ncommand: /bin/false\n";
    put("plugins/template/plugin.yaml", plugin);
    put("data/helm/plugins/template/plugin.yaml", plugin);
}

#[test]
fn the_umask_changes_no_byte() {
    let Some(_) = support::helm() else { return };
    let here = project("pipeline");
    here.kilter(&["render"]).succeeds();
    for umask in ["077", "000"] {
        let there = project("pipeline");
        let mut shell = command(Path::new("/bin/sh"));
        shell.args(["-c", &format!("umask {umask} && exec \"$0\" render"), env!("CARGO_BIN_EXE_kilter")]);
        shell.current_dir(there.root()).env_clear().env("HOME", there.home()).env("KILTER_HELM", there.helm());
        shell.env("KILTER_CACHE_DIR", there.cache()).env("XDG_STATE_HOME", there.state());
        let said = shell.output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        assert_same(umask, &portable(&here, "pipeline"), &portable(&there, "pipeline"));
    }
}

#[test]
fn an_instance_has_the_same_manifests_with_kind_and_a_namespace_of_its_own_with_a_context() {
    let Some(_) = support::helm() else { return };
    let with_kind = project("bookstore");
    with_kind.kilter(&["render"]).succeeds();
    let first = portable(&with_kind, "bookstore");
    with_kind.kilter(&["render", "--instance", "review"]).succeeds();
    assert_same("instance", &first, &portable(&with_kind, "bookstore@review"));
    let with_context = project("backing");
    with_context.kilter(&["render", "--instance", "review"]).succeeds();
    let manifests = super::projects::files(&with_context.cache().join("backing@review/manifests"));
    let manifest = String::from_utf8(manifests[Path::new("redis.yaml")].clone()).unwrap();
    assert!(manifest.contains("namespace: \"backing-review-dev\"") && !manifest.contains("nodePort"), "{manifest}");
}
