//! The same project renders to the same bytes in another home, time zone, locale and directory, as another user, and in
//! an environment that tells helm all kinds of things.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};

use super::byhand::assert_is_what_helm_prints;
use super::canary::assert_no_trace;
use super::projects::{all, assert_same, files, portable, project};
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
    ("HELM_NAMESPACE", "canary-namespace"),
    ("HELM_KUBECONTEXT", "canary-context"),
    ("HELM_DRIVER", "sql"),
    ("HELM_DRIVER_SQL_CONNECTION_STRING", "postgres://nowhere.invalid"),
    ("HELM_DEBUG", "true"),
    ("HELM_COLOR", "always"),
    ("HELM_EXPERIMENTAL_CHART_V3", "1"),
    ("HELM_REGISTRY_CONFIG", "/nowhere/registry.json"),
    ("HELM_REPOSITORY_CACHE", "/nowhere/cache"),
    ("HELM_PPROF_CPU_PROFILE", "/nowhere/profile"),
    ("POD_NAMESPACE", "canary-namespace"),
    ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
    ("KUBERNETES_SERVICE_PORT", "443"),
    ("HTTPS_PROXY", "http://127.0.0.1:1"),
    ("http_proxy", "http://127.0.0.1:1"),
    ("SOURCE_DATE_EPOCH", "1"),
    ("GODEBUG", "http2debug=1"),
    ("COLUMNS", "20"),
    ("CI", "true"),
];

/// Renders every project in strange surroundings. What is stored then is what helm prints by hand in a plain
/// environment, holds no trace of the surroundings, and is what a plain render gives: values, manifests, Tiltfile,
/// Dockerfile.dev, receipts and kilter.lock.
#[test]
fn slow_every_project_is_helms_own_bytes_anywhere() {
    let Some(_) = support::helm() else { return };
    for name in all() {
        everywhere(&name);
    }
}

#[test]
fn a_project_is_helms_own_bytes_anywhere() {
    let Some(_) = support::helm() else { return };
    everywhere("pipeline");
}

fn everywhere(name: &str) {
    let strange = Strange::new(name);
    strange.render();
    let artifacts = strange.cache.join(name);
    assert_is_what_helm_prints(&strange.project, &strange.cache, &artifacts);
    assert_no_trace(&strange.project, &strange.files(), &artifacts);
    let plain = project(name);
    // What helm printed there need not be printed once more: equal inputs have equal keys. Were they not equal, helm
    // would run here.
    copy_tree(&strange.cache.join(".store/renders"), &plain.cache().join(".store/renders"));
    plain.kilter(&["render"]).succeeds();
    assert_same(name, &portable(&plain, name), &strange.files());
}

/// A project in other surroundings.
struct Strange {
    project: Project,
    name: String,
    checkout: PathBuf,
    cache: PathBuf,
}

impl Strange {
    fn new(name: &str) -> Self {
        let project = project(name);
        let checkout = project.outside("canary-path/mit Leerzeichen & ümlaut").join(name);
        copy_tree(&project.root(), &checkout);
        let cache = project.outside("canary-cache/deep down");
        plant(&project.outside("canary-home"));
        Self { project, name: name.to_owned(), checkout, cache }
    }

    fn render(&self) {
        let home = self.project.outside("canary-home");
        let checkout = self.checkout.to_str().unwrap();
        let mut run = self.project.kilter(&["render", "-C", checkout]).cwd(Path::new("/"));
        for (variable, value) in HOSTILE {
            run = run.env(variable, value);
        }
        for (variable, below) in [
            ("HOME", ""),
            ("KUBECONFIG", ".kube/config"),
            ("HELM_PLUGINS", "plugins"),
            ("HELM_REPOSITORY_CONFIG", "repositories.yaml"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_STATE_HOME", "state"),
        ] {
            run = run.env(variable, home.join(below));
        }
        run.env("KILTER_CACHE_DIR", &self.cache).succeeds();
    }

    /// The artifacts, kind.yaml left out, and kilter.lock.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = files(&self.cache.join(&self.name));
        found.remove(Path::new("kind.yaml"));
        found.insert("kilter.lock".into(), fs::read(self.checkout.join("kilter.lock")).unwrap());
        found
    }
}

/// Puts files in place that a helm with this home would listen to.
fn plant(home: &Path) {
    let put = |path: &str, text: &str| kilter::fsx::write(&home.join(path), text.as_bytes()).unwrap();
    put(
        ".kube/config",
        "apiVersion: v1\nkind: Config\ncurrent-context: canary-context\n\
         clusters: [{name: c, cluster: {server: \"https://127.0.0.1:1\"}}]\n\
         contexts: [{name: canary-context, context: {cluster: c, user: u, namespace: canary-namespace}}]\n\
         users: [{name: u, user: {}}]\n",
    );
    put(".docker/config.json", r#"{"credsStore": "canary"}"#);
    put("repositories.yaml", "not: [what helm expects");
    put("config/helm/repositories.yaml", "not: [what helm expects");
    let plugin = "name: template\nversion: 0.1.0\nusage: canary\ncommand: /bin/false\n";
    put("plugins/template/plugin.yaml", plugin);
    put("data/helm/plugins/template/plugin.yaml", plugin);
}

/// Nobody: a user with no name, no home and no group of this system's.
const NOBODY: u32 = 65534;

#[test]
fn another_user_of_the_system_renders_the_same_bytes() {
    let Some(helm) = support::helm() else { return };
    if !rustix::process::geteuid().is_root() {
        return support::skip("a render as another user of the system: only root may become another");
    }
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.is_file() {
        return support::skip("a render as another user of the system: there is no /usr/bin/setpriv");
    }
    for name in ["tickets", "pipeline"] {
        let ours = project(name);
        ours.kilter(&["render"]).succeeds();
        // All that the other user needs, in a place that is not root's alone.
        let place = tempfile::tempdir().unwrap();
        let open = |path: &Path| fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        open(place.path());
        let bin = |program: &Path, name: &str| {
            let copy = place.path().join(name);
            fs::copy(program, &copy).unwrap();
            open(&copy);
            copy
        };
        let (kilter, helm) = (bin(Path::new(env!("CARGO_BIN_EXE_kilter")), "kilter"), bin(&helm, "helm"));
        let theirs = place.path().join("theirs");
        let (checkout, cache) = (theirs.join("work").join(name), theirs.join("cache"));
        copy_tree(&project(name).root(), &checkout);
        give(&theirs, NOBODY);
        let mut render = command(setpriv);
        render.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(kilter).arg("render");
        render.current_dir(&checkout).env_clear().env("HOME", theirs.join("home")).env("KILTER_HELM", helm);
        render.env("KILTER_CACHE_DIR", &cache).env("XDG_STATE_HOME", theirs.join("state"));
        let said = render.output().unwrap();
        assert!(said.status.success(), "{name}: {}", String::from_utf8_lossy(&said.stderr));
        let mut found = files(&cache.join(name));
        found.remove(Path::new("kind.yaml"));
        found.insert("kilter.lock".into(), fs::read(checkout.join("kilter.lock")).unwrap());
        assert_same(name, &portable(&ours, name), &found);
        for entry in fs::read_dir(cache.join(name).join("manifests")).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().uid(), NOBODY, "it was not that user who rendered");
        }
    }
}

/// Gives a directory and everything below it to a user and the group of the same number.
fn give(path: &Path, user: u32) {
    std::os::unix::fs::lchown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path(), user));
    }
}

#[test]
fn the_umask_changes_no_byte() {
    let Some(_) = support::helm() else { return };
    let rendered = |umask: &str| {
        let project = project("tickets");
        let mut shell = command(Path::new("/bin/sh"));
        shell.args(["-c", &format!("umask {umask} && exec \"$0\" render"), env!("CARGO_BIN_EXE_kilter")]);
        shell.current_dir(project.root()).env_clear().env("HOME", project.home()).env("KILTER_HELM", project.helm());
        shell.env("KILTER_CACHE_DIR", project.cache()).env("XDG_STATE_HOME", project.state());
        let said = shell.output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        portable(&project, "tickets")
    };
    let first = rendered("022");
    for umask in ["077", "000"] {
        assert_same(umask, &first, &rendered(umask));
    }
}
