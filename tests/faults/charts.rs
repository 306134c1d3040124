//! Charts of the user's that are wrong.

use std::os::unix::fs::symlink;

use kilter::helm::charts::Files;

use super::{quick, same, tree};
use crate::support::charts::{archive, small};
use crate::support::http::Server;
use crate::support::oci::Registry;
use crate::support::project::Project;

const KILTER_YAML: &str = "services:\n  - {name: mine, chart: ./charts/mine}\n";

const CHART_YAML: &str = "apiVersion: v2\nname: mine\nversion: 1.0.0\n";

/// Runs `kilter render`, which must fail with this code, and checks that no artifact and no lock was made.
fn words(project: &Project, code: i32) -> String {
    let before = tree(&project.root());
    let words = project.kilter(&["render"]).fails(code);
    same(&tree(&project.root()), &before, "written");
    assert!(!project.cache().join("shop").exists());
    words
}

fn with_chart(project: Project, template: &str) -> Project {
    project
        .file("kilter.yaml", KILTER_YAML)
        .file("charts/mine/Chart.yaml", CHART_YAML)
        .file("charts/mine/templates/thing.yaml", template)
}

#[test]
fn a_chart_directory_that_is_not_there() {
    insta::assert_snapshot!(words(&quick("shop").file("kilter.yaml", KILTER_YAML), 1), @r"
    error: there is no chart directory `./charts/mine`.
      --> kilter.yaml:2:25
       |
    2  |   - {name: mine, chart: ./charts/mine}
       |                         ^^^^^^^^^^^^^
      = Correct `chart:` in kilter.yaml; it is relative to the project's root.
    ");
}

#[test]
fn a_chart_without_chart_yaml() {
    let project = quick("shop").file("kilter.yaml", KILTER_YAML).file("charts/mine/values.yaml", "");
    insta::assert_snapshot!(words(&project, 1), @r"
    error: `./charts/mine` has no Chart.yaml, so it is no chart.
      --> kilter.yaml:2:25
       |
    2  |   - {name: mine, chart: ./charts/mine}
       |                         ^^^^^^^^^^^^^
      = Point `chart:` at the directory that holds Chart.yaml.
    ");
}

#[test]
fn a_chart_yaml_that_says_nothing() {
    let project = quick("shop").file("kilter.yaml", KILTER_YAML).file("charts/mine/Chart.yaml", "- [\n");
    insta::assert_snapshot!(words(&project, 1), @r"
    error: Chart.yaml of `./charts/mine` does not say `name` and `version`.
      --> kilter.yaml:2:25
       |
    2  |   - {name: mine, chart: ./charts/mine}
       |                         ^^^^^^^^^^^^^
      = Write both into Chart.yaml.
    ");
}

#[test]
fn a_chart_that_leads_back_to_itself() {
    let project = with_chart(quick("shop"), "a: b\n");
    symlink("..", project.root().join("charts/mine/templates/again")).unwrap();
    insta::assert_snapshot!(words(&project, 1), @r"
    error: chart `./charts/mine`: the link `templates/again` leads back to a directory above it.
      --> kilter.yaml:2:25
       |
    2  |   - {name: mine, chart: ./charts/mine}
       |                         ^^^^^^^^^^^^^
      = Remove the link.
    ");
    let project = quick("shop").file("kilter.yaml", KILTER_YAML).file("charts/readme", "");
    symlink("mine", project.root().join("charts/mine")).unwrap();
    insta::assert_snapshot!(words(&project, 1), @r"
    error: cannot read chart `./charts/mine`: too many levels of symbolic links.
      --> kilter.yaml:2:25
       |
    2  |   - {name: mine, chart: ./charts/mine}
       |                         ^^^^^^^^^^^^^
      = Correct `chart:` in kilter.yaml; it is relative to the project's root.
    ");
}

/// A schema that refers to this server, which must never be asked.
fn remote_schema(server: &Server) -> String {
    format!("{{\"properties\": {{\"a\": {{\"$ref\": \"{}/part.json\"}}}}}}\n", server.url())
}

#[test]
fn a_schema_that_is_partly_on_the_network() {
    let server = Server::start();
    let words = |project: &Project| words(project, 1).replace(server.url(), "http://[SERVER]");
    let own = with_chart(quick("shop"), "a: b\n").file("charts/mine/values.schema.json", remote_schema(&server));
    insta::assert_snapshot!(words(&own), @r"
    error: chart `./charts/mine`: `values.schema.json` takes a part from the network: `http://[SERVER]/part.json`.
      --> kilter.yaml:2:25
       |
    2  |   - {name: mine, chart: ./charts/mine}
       |                         ^^^^^^^^^^^^^
      = Copy that part into the file, below `$defs`: then the chart renders the same everywhere, offline too.
      = In a chart that is not yours, use another version, or copy it into the project and change it there.
    ");

    let schema = remote_schema(&server);
    let sub = with_chart(quick("shop"), "a: b\n")
        .file("charts/mine/charts/sub/Chart.yaml", CHART_YAML)
        .file("charts/mine/charts/sub/values.schema.json", &schema);
    insta::assert_snapshot!(words(&sub).lines().next().unwrap(), @"error: chart `./charts/mine`: `charts/sub/values.schema.json` takes a part from the network: `http://[SERVER]/part.json`.");

    let mut files = small("sub", "1.0.0");
    files.insert("values.schema.json".into(), schema.clone().into_bytes());
    let packed = with_chart(quick("shop"), "a: b\n").file("charts/mine/charts/sub-1.0.0.tgz", archive("sub", &files));
    insta::assert_snapshot!(words(&packed).lines().next().unwrap(), @"error: chart `./charts/mine`: `charts/sub-1.0.0.tgz:values.schema.json` takes a part from the network: `http://[SERVER]/part.json`.");
    let outer = archive("outer", &Files::from([("charts/sub-1.0.0.tgz".into(), archive("sub", &files))]));
    let deep = with_chart(quick("shop"), "a: b\n").file("charts/mine/charts/outer.tgz", outer);
    insta::assert_snapshot!(words(&deep).lines().next().unwrap(), @"error: chart `./charts/mine`: `charts/outer.tgz:charts/sub-1.0.0.tgz:values.schema.json` takes a part from the network: `http://[SERVER]/part.json`.");
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_published_chart_whose_schema_is_partly_on_the_network() {
    if crate::support::helm().is_none() {
        return;
    }
    let server = Server::start();
    let mut files = small("hello", "1.2.3");
    files.insert("values.schema.json".into(), remote_schema(&server).into_bytes());
    let registry = Registry::start("hello", "1.2.3", &archive("hello", &files));
    let chart = format!("oci://{}/charts/hello", registry.address());
    let project = Project::new("shop")
        .file("kilter.yaml", format!("services:\n  - {{name: x, chart: '{chart}', version: 1.2.3}}\n"));
    let words = words(&project, 1).replace(server.url(), "http://[SERVER]").replace(registry.address(), "[REGISTRY]");
    insta::assert_snapshot!(words, @r"
    pulling chart oci://[REGISTRY]/charts/hello 1.2.3
    error: chart `oci://[REGISTRY]/charts/hello`: `values.schema.json` takes a part from the network: `http://[SERVER]/part.json`.
      --> kilter.yaml:2:22
       |
    2  |   - {name: x, chart: 'oci://[REGISTRY]/charts/hello', version: 1.2.3}
       |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = Copy that part into the file, below `$defs`: then the chart renders the same everywhere, offline too.
      = In a chart that is not yours, use another version, or copy it into the project and change it there.
    ");
    assert_eq!(server.connections(), 0);
}

/// A chart with two subcharts, one of them packed, that have `crds/`.
fn with_crds(project: Project) -> Project {
    let crd = |name: &str| {
        format!("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: {name}}}\n")
    };
    let mut packed = small("beta", "1.0.0");
    packed.insert("crds/beta.yaml".into(), crd("betas.example.com").into_bytes());
    with_chart(project, "a: b\n")
        .file("charts/mine/charts/alpha/Chart.yaml", "apiVersion: v2\nname: alpha\nversion: 1.0.0\n")
        .file("charts/mine/charts/alpha/crds/alpha.yaml", crd("alphas.example.com"))
        .file("charts/mine/charts/beta-1.0.0.tgz", archive("beta", &packed))
}

#[test]
fn subcharts_whose_crds_helm_prints_in_any_order() {
    insta::assert_snapshot!(words(&with_crds(quick("shop")), 1), @r"
    error: chart `./charts/mine`: helm prints the `crds/` of `charts/alpha` and `charts/beta-1.0.0.tgz` in another order each time.
      --> kilter.yaml:2:25
       |
    2  |   - {name: mine, chart: ./charts/mine}
       |                         ^^^^^^^^^^^^^
      = Declare them in `Chart.yaml`, below `dependencies:`: then helm keeps to the order there.
      = In a chart that is not yours, use another version, or copy it into the project and change it there.
    ");
}

#[test]
fn subcharts_that_are_declared_are_printed_in_that_order() {
    if crate::support::helm().is_none() {
        return;
    }
    let project = with_crds(Project::new("shop"));
    let about = project.read("charts/mine/Chart.yaml");
    project.write(
        "charts/mine/Chart.yaml",
        format!("{about}dependencies:\n  - {{name: beta, version: 1.0.0}}\n  - {{name: alpha, version: 1.0.0}}\n"),
    );
    project.kilter(&["render"]).succeeds();
    project.kilter(&["verify"]).succeeds();
    let manifest = std::fs::read_to_string(project.cache().join("shop/manifests/mine.yaml")).unwrap();
    let at = |name: &str| manifest.find(&format!("name: {name}.example.com")).unwrap();
    assert!(at("betas") < at("alphas"), "{manifest}");
}

#[test]
fn a_chart_that_refers_to_what_helm_knows_renders_offline() {
    if crate::support::helm().is_none() {
        return;
    }
    let schema = r#"{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}}"#;
    let project = with_chart(Project::new("shop"), "a: b\n").file("charts/mine/values.schema.json", schema);
    project.kilter(&["render", "--offline"]).succeeds();
}

#[test]
fn a_chart_outside_the_project_by_its_path() {
    let project = quick("shop").file("kilter.yaml", "services: [{name: mine, chart: ../../charts/mine}]\n");
    insta::assert_snapshot!(words(&project, 1), @r"
    error: `chart` leaves the project: `../../charts/mine`.
      --> kilter.yaml:1:32
       |
    1  | services: [{name: mine, chart: ../../charts/mine}]
       |                                ^^^^^^^^^^^^^^^^^
      = Write a path inside the project, relative to kilter.yaml, without `..`.
    ");
}

#[test]
fn a_template_that_fails() {
    if crate::support::helm().is_none() {
        return;
    }
    let project = with_chart(
        Project::new("shop"),
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ fail \"no name was given\" }}\n",
    );
    let words = words(&project, 4);
    // The command is long, and `kilter render --show-commands` has its own test.
    let (before, after) = words.split_once("  | $ env -i").unwrap();
    insta::assert_snapshot!(format!("{before}{}", after.split_once('\n').unwrap().1), @r"
    rendering mine
    error: helm could not render `mine` from chart `mine`: it ended with code 1.
      | Error: execution error at (mine/templates/thing.yaml:4:11): no name was given
      |
      | Use --debug flag to render out invalid YAML
      = Correct the values or the chart that helm names, then run `kilter render` again.
    ");
}

#[test]
fn a_template_that_is_no_yaml_after_all() {
    if crate::support::helm().is_none() {
        return;
    }
    let words = words(&with_chart(Project::new("shop"), "a: b\n c: d\n"), 4);
    let (before, after) = words.split_once("  | $ env -i").unwrap();
    insta::assert_snapshot!(format!("{before}{}", after.split_once('\n').unwrap().1), @r"
    rendering mine
    error: helm could not render `mine` from chart `mine`: it ended with code 1.
      | Error: YAML parse error on mine/templates/thing.yaml: error converting YAML to JSON: yaml: line 2: mapping values are not allowed in this context
      |
      | Use --debug flag to render out invalid YAML
      = Correct the values or the chart that helm names, then run `kilter render` again.
    ");
}

#[test]
fn hooks_that_nothing_was_said_about() {
    if crate::support::helm().is_none() {
        return;
    }
    let project = with_chart(
        Project::new("shop"),
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations:\n    helm.sh/hook: pre-install\n",
    );
    insta::assert_snapshot!(words(&project, 1), @r"
    rendering mine
    error: chart `mine` of `mine` has hooks, which nothing runs outside `helm install`.
      --> kilter.yaml:2:5
       |
    2  |   - {name: mine, chart: ./charts/mine}
       |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      | Job migrate (pre-install)
      = Apply them as ordinary objects: add `hooks: apply` to `mine` in kilter.yaml.
      = Or leave them out: `hooks: drop`.
    ");
}
