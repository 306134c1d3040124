//! Charts from elsewhere: pulled once, pinned by digest, rendered from the pinned copy.

use std::fs;
use std::path::Path;

use kilter::helm::charts::Files;

use crate::support::charts::{archive, small, write};
use crate::support::helm;
use crate::support::http::{Reply, Server};
use crate::support::oci::Registry;
use crate::support::project::{Project, command};

/// A chart repository: an index of one chart, and its archives.
struct Repository {
    server: Server,
}

impl Repository {
    fn start() -> Self {
        Self { server: Server::start() }
    }

    /// Publishes an archive of the chart `hello` at this version.
    fn publish(&self, version: &str, archive: &[u8]) {
        let index = format!(
            "apiVersion: v1\nentries:\n  hello:\n  - apiVersion: v2\n    name: hello\n    version: {version}\n    urls: [hello-{version}.tgz]\n"
        );
        self.server.file("/charts/index.yaml", index.as_bytes(), &[Reply::File]);
        self.server.file(&format!("/charts/hello-{version}.tgz"), archive, &[Reply::File]);
    }

    /// Takes everything off the server.
    fn close(&self) {
        for request in self.server.requests() {
            self.server.file(&request.path, b"", &[Reply::Page(503, "closed")]);
        }
    }

    fn chart(&self) -> String {
        format!("{}/charts/hello", self.server.url())
    }

    /// A project that uses the chart.
    fn project(&self) -> Project {
        Project::new("shop").file("kilter.yaml", self.yaml("1.2.3"))
    }

    fn yaml(&self, version: &str) -> String {
        format!("services:\n  - {{name: x, chart: '{}', version: {version}, values: {{greeting: hi}}}}\n", self.chart())
    }

    /// How often an archive was asked for.
    fn pulls(&self) -> usize {
        self.server.requests().iter().filter(|request| request.path.ends_with(".tgz")).count()
    }

    fn shown(&self, text: &str) -> String {
        text.replace(self.server.url(), "http://[SERVER]")
    }
}

/// Packs a chart as its publisher does.
fn package(project: &Project, files: &Files) -> Vec<u8> {
    let dir = project.outside("published/hello");
    write(&dir, files);
    let mut helm = command(project.helm());
    let out = project.outside("packed");
    let done =
        helm.arg("package").arg(&dir).arg("--destination").arg(&out).env("HOME", project.home()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    fs::read(fs::read_dir(&out).unwrap().next().unwrap().unwrap().path()).unwrap()
}

fn manifest(project: &Project) -> String {
    fs::read_to_string(project.cache().join("shop/manifests/x.yaml")).unwrap()
}

#[test]
fn a_chart_of_a_repository_is_pulled_once_and_pinned() {
    let Some(_) = helm() else { return };
    let repository = Repository::start();
    let project = repository.project();
    repository.publish("1.2.3", &package(&project, &small("hello", "1.2.3")));
    project.kilter(&["render"]).succeeds();
    assert!(manifest(&project).contains("greeting: \"hi\""), "{}", manifest(&project));
    assert_eq!(repository.pulls(), 1);
    let lock = project.read("kilter.lock");
    let locked = r#""x": {"origin": "chart", "chart": "hello", "chartVersion": "1.2.3", "chartDigest": "sha256:"#;
    assert!(lock.contains(locked), "{lock}");
    assert!(lock.contains(&format!("\"source\": \"{}\"", repository.chart())), "{lock}");

    let asked = repository.server.connections();
    repository.close();
    project.write("kilter.yaml", repository.yaml("1.2.3").replace("hi", "hello there"));
    project.kilter(&["render", "--offline"]).succeeds();
    assert!(manifest(&project).contains("greeting: \"hello there\""));
    project.kilter(&["verify"]).succeeds();
    project.kilter(&["upgrade", "--yes"]).succeeds();
    project.kilter(&["render", "--locked"]).succeeds();
    assert_eq!(repository.server.connections(), asked, "the pinned copy needs no server");
}

#[test]
fn bytes_that_changed_behind_a_version_are_refused() {
    let Some(_) = helm() else { return };
    let repository = Repository::start();
    let project = repository.project();
    let published = small("hello", "1.2.3");
    repository.publish("1.2.3", &archive("hello", &published));
    project.kilter(&["render"]).succeeds();
    let lock = project.read("kilter.lock");
    let mut changed = published.clone();
    changed.insert("values.yaml".into(), b"greeting: changed\n".to_vec());
    repository.publish("1.2.3", &archive("hello", &changed));

    project.kilter(&["render"]).succeeds();
    fs::remove_dir_all(project.cache()).unwrap(); // another machine
    let message = repository.shown(&project.kilter(&["render", "-q"]).fails(1));
    let digests = [&published, &changed].map(kilter::helm::charts::digest_of);
    let message = message.replace(digests[0].as_str(), "[PUBLISHED]").replace(digests[1].as_str(), "[CHANGED]");
    insta::assert_snapshot!(message, @r"
    error: chart `http://[SERVER]/charts/hello` 1.2.3 is no longer what kilter.lock holds.
      | locked  [PUBLISHED]
      | pulled  [CHANGED]
      = Find out why a published version changed. To take it all the same: `kilter upgrade x`.
    ");
    assert_eq!(project.read("kilter.lock"), lock);
    assert!(!project.cache().join(".store/charts").join(digests[1].hex()).exists(), "refused bytes are not kept");

    project.kilter(&["upgrade", "x", "--yes"]).succeeds();
    assert!(project.read("kilter.lock").contains(digests[1].as_str()));
    project.kilter(&["render", "--locked"]).succeeds();
}

#[test]
fn a_pinned_chart_comes_from_a_mirror_when_its_publisher_is_gone() {
    let Some(_) = helm() else { return };
    let repository = Repository::start();
    let project = repository.project();
    let files = small("hello", "1.2.3");
    repository.publish("1.2.3", &archive("hello", &files));
    project.kilter(&["render"]).succeeds();
    let before = manifest(&project);
    fs::remove_dir_all(project.cache()).unwrap();
    repository.close();
    let name = format!("charts/{}.tgz", kilter::helm::charts::digest_of(&files).hex());
    let mirror = project.outside("mirror");
    kilter::fsx::write(&mirror.join(&name), &archive("hello", &files)).unwrap();
    project.kilter(&["render", "--offline", "--locked"]).env("KILTER_MIRROR", &mirror).succeeds();
    assert_eq!(manifest(&project), before);

    fs::remove_dir_all(project.cache()).unwrap();
    kilter::fsx::write(&mirror.join(&name), &archive("hello", &small("hello", "1.2.4"))).unwrap();
    let message = project.kilter(&["render", "--offline"]).env("KILTER_MIRROR", &mirror).fails(3);
    assert!(message.contains("is not the chart that kilter.lock holds"), "{message}");
}

#[test]
fn a_version_that_is_not_there_is_helms_to_say() {
    let Some(_) = helm() else { return };
    let repository = Repository::start();
    let project = repository.project();
    repository.publish("1.0.0", &archive("hello", &small("hello", "1.0.0")));
    let message = repository.shown(&project.kilter(&["render", "-q"]).fails(4));
    let lines: Vec<&str> = message.lines().filter(|line| !line.starts_with("  | $ ")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    error: helm could not pull chart `http://[SERVER]/charts/hello` 1.2.3.
      | Error: chart "hello" version "1.2.3" not found in http://[SERVER]/charts repository
      = Check the address and the version, then run `kilter render` again.
      = A registry that wants a login: `"$(kilter tools path helm)" registry login HOST`.
    "#);
    assert!(!project.root().join("kilter.lock").exists());
    let message = project.kilter(&["render", "-q", "--offline"]).fails(3);
    assert!(message.contains("is not in the store, and `--offline` forbids to pull it"), "{message}");
}

#[test]
fn an_archive_that_is_of_another_version_is_refused() {
    let Some(_) = helm() else { return };
    let repository = Repository::start();
    let project = repository.project();
    repository.publish("1.2.3", &archive("hello", &small("hello", "9.9.9")));
    insta::assert_snapshot!(repository.shown(&project.kilter(&["render", "-q"]).fails(1)), @r"
    error: chart `http://[SERVER]/charts/hello` 1.2.3 is version 9.9.9 inside.
      = Write the version that its Chart.yaml says into `version:`, or tell its publisher.
    ");
}

/// An archive with one entry of this path and type beside a right Chart.yaml.
fn hostile(path: &str, kind: tar::EntryType, body: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let chart: &[u8] = b"apiVersion: v2\nname: hello\nversion: 1.2.3\n";
    for (path, kind, body) in [("hello/Chart.yaml", tar::EntryType::Regular, chart), (path, kind, body)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(body.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(kind);
        if kind == tar::EntryType::Symlink {
            header.set_link_name("/etc/passwd").unwrap();
        }
        // The builder refuses hostile paths, so they are written past it.
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        tar.append(&header, body).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[test]
fn a_hostile_archive_is_refused() {
    let Some(_) = helm() else { return };
    let regular = tar::EntryType::Regular;
    let too_large = vec![0; 21 * 1024 * 1024];
    for (archive, why) in [
        (hostile("hello/../../evil", regular, b"x"), "has a path that kilter does not take: `hello/../../evil`"),
        (hostile("/evil", regular, b"x"), "has a path that kilter does not take: `/evil`"),
        (hostile("hello/link", tar::EntryType::Symlink, b""), "has something that is no ordinary file: `hello/link`"),
        (hostile("hello/large", regular, &too_large), "holds more than 20 MiB or 2000 files"),
        (b"\x1f\x8b not an archive".to_vec(), "cannot be read"),
    ] {
        let repository = Repository::start();
        let project = repository.project();
        repository.publish("1.2.3", &archive);
        let message = project.kilter(&["render", "-q"]).fails(1);
        assert!(message.contains("error: the archive of chart `") && message.contains(why), "{why}:\n{message}");
        assert!(!project.outside("evil").exists() && !Path::new("/evil").exists());
        assert!(!project.root().join("kilter.lock").exists());
    }
}

#[test]
fn a_chart_whose_dependencies_are_missing_says_how_to_get_them() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services:\n  - {name: x, chart: ./charts/x}\n");
    let mut files = small("x", "0.1.0");
    files.get_mut("Chart.yaml").unwrap().extend_from_slice(
        b"dependencies: [{name: common, version: 1.0.0, repository: 'https://charts.example.com'}]\n",
    );
    write(&project.root().join("charts/x"), &files);
    let message = project.kilter(&["render", "-q"]).fails(4);
    let lines: Vec<&str> = message.lines().filter(|line| !line.starts_with("  | $ ")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    error: helm could not render `x` from chart `x`: its dependencies are not in `charts/`.
      | Error: an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: common
      = Get them once: `"$(kilter tools path helm)" dependency build DIR` for the chart's directory, and commit `charts/`.
      = A published chart without its dependencies is incomplete: use another version of it.
    "#);
}

#[test]
fn what_is_no_address_or_no_exact_version_is_shown_where_it_is() {
    let project = Project::new("shop");
    let message = |chart: &str, version: &str| {
        project.write("kilter.yaml", format!("services:\n  - name: x\n    chart: {chart}\n    version: {version}\n"));
        project.kilter(&["render"]).fails(1)
    };
    insta::assert_snapshot!(message("http://charts.example.com/hello", "1.2.3"), @r"
    error: `http://charts.example.com/hello` comes over a connection that others can change.
      --> kilter.yaml:3:12
       |
    3  |     chart: http://charts.example.com/hello
       |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = Write `https://charts.example.com/hello`. Plain `http://` is for a repository on this machine.
    ");
    insta::assert_snapshot!(message("https://charts.example.com/hello", "^1.2"), @r"
    error: `^1.2` is not an exact version of a chart.
      --> kilter.yaml:4:14
       |
    4  |     version: ^1.2
       |              ^^^^
      = Write all three numbers, for example `version: 1.2.3`.
    ");
}

#[test]
fn an_ejected_remote_chart_leaves_the_pin_alone() {
    let Some(_) = helm() else { return };
    let repository = Repository::start();
    let project = repository.project();
    repository.publish("1.2.3", &archive("hello", &small("hello", "1.2.3")));
    project.kilter(&["render"]).succeeds();
    let before = (project.read("kilter.lock"), manifest(&project));
    project.kilter(&["eject", "chart/x"]).succeeds();
    let own = project.read("kilter/charts/x/templates/configmap.yaml").replace("data:", "data:\n  mine: \"yes\"");
    project.write("kilter/charts/x/templates/configmap.yaml", own);
    project.kilter(&["render"]).succeeds();
    assert!(manifest(&project).contains("mine: \"yes\""));
    let pin = |lock: &str| lock.split("\"chartDigest\": \"").nth(1).unwrap()[..71].to_owned();
    assert_eq!(pin(&project.read("kilter.lock")), pin(&before.0));
    fs::remove_dir_all(project.root().join("kilter")).unwrap();
    project.kilter(&["render"]).succeeds();
    assert_eq!((project.read("kilter.lock"), manifest(&project)), before);
}

#[test]
fn a_chart_of_a_registry_is_pulled_once_and_pinned() {
    let Some(_) = helm() else { return };
    let files = small("hello", "1.2.3");
    let registry = Registry::start("hello", "1.2.3", &archive("hello", &files));
    let yaml = |version: &str| {
        format!("services:\n  - {{name: x, chart: 'oci://{}/charts/hello', version: {version}}}\n", registry.address())
    };
    let project = Project::new("shop").file("kilter.yaml", yaml("1.2.3"));
    project.kilter(&["render"]).succeeds();
    assert!(manifest(&project).contains("greeting: \"hello\""));
    assert!(project.read("kilter.lock").contains(kilter::helm::charts::digest_of(&files).as_str()));
    let asked = registry.requests();
    assert!(asked > 0);
    fs::remove_dir_all(project.cache().join("shop")).unwrap();
    project.kilter(&["render", "--locked"]).succeeds();
    assert_eq!(registry.requests(), asked);

    project.write("kilter.yaml", yaml("9.9.9"));
    let message = project.kilter(&["render", "-q"]).fails(4);
    assert!(message.contains("helm could not pull chart `oci://") && message.contains("9.9.9"), "{message}");
}
