//! `kilter verify`: it holds for what is deterministic, and names template, line and function for what is not.

use std::fs;

use crate::support;
use crate::support::project::Project;

/// A project with one chart of its own: one template and a file of helpers.
fn chart(template: &str, helpers: &str) -> Option<Project> {
    support::helm()?;
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n";
    let project = Project::new("lab")
        .file("kilter.yaml", "services:\n  - {name: x, chart: charts/x}\n")
        .file("charts/x/Chart.yaml", "apiVersion: v2\nname: odd\nversion: 1.0.0\n")
        .file("charts/x/values.yaml", "many: {a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8, i: 9, j: 10, k: 11}\n")
        .file("charts/x/templates/_helpers.tpl", helpers)
        .file("charts/x/templates/still.yaml", format!("{object}  {{{{/* randAlpha */}}}}a: now\n"))
        .file("charts/x/templates/sub/moving.yaml", format!("{object}{template}\n"));
    project.kilter(&["render"]).succeeds();
    Some(project)
}

/// What verify says about a chart that is not deterministic.
fn found(template: &str, helpers: &str) -> String {
    let Some(project) = chart(template, helpers) else { return String::new() };
    let said = project.kilter(&["verify"]).fails(1);
    let first = "error: `x` does not render to the same bytes each time: chart `odd` is not deterministic.\n";
    let last = "  = Give the chart values with which it does not call the function, or make the manifest yours: `kilter eject manifest/x`.\n";
    let between = said.strip_prefix("verifying x\n").unwrap_or(&said).strip_prefix(first);
    let lines = between.and_then(|said| said.strip_suffix(last)).unwrap_or_else(|| panic!("{said}")).lines();
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix("  | ").unwrap()).collect();
    lines.join(", ")
}

#[test]
fn a_random_function_is_named() {
    let Some(project) = chart("  b: {{ randAlphaNum 8 }}\n  c: {{ now }}", "") else { return };
    insta::assert_snapshot!(project.kilter(&["verify"]).fails(1), @r#"
    verifying x
    error: `x` does not render to the same bytes each time: chart `odd` is not deterministic.
      | templates/sub/moving.yaml:6 calls `randAlphaNum`
      | templates/sub/moving.yaml:7 calls `now`
      = Give the chart values with which it does not call the function, or make the manifest yours: `kilter eject manifest/x`.
    "#);
}

#[test]
fn slow_each_kind_of_function_is_named() {
    let Some(_) = support::helm() else { return };
    insta::assert_snapshot!(found("  b: {{ now | date \"2006\" | quote }}", ""), @"templates/sub/moving.yaml:6 calls `now`");
    insta::assert_snapshot!(found("  b: {{ now | unixEpoch | quote }}", ""), @"templates/sub/moving.yaml:6 calls `now`");
    insta::assert_snapshot!(found("  b: {{ htmlDate \"no date\" | quote }}", ""), @"templates/sub/moving.yaml:6 calls `htmlDate`");
    insta::assert_snapshot!(found("  b: {{ date \"15:04\" 0 | quote }}", ""), @"templates/sub/moving.yaml:6 calls `date`");
    insta::assert_snapshot!(found("  b: {{ ago (toDate \"2006-01-02\" \"2020-01-01\") | quote }}", ""), @"templates/sub/moving.yaml:6 calls `ago`");
    insta::assert_snapshot!(found("  b: {{ toDate \"2006-01-02\" \"2020-01-01\" | durationRound }}", ""), @"templates/sub/moving.yaml:6 calls `durationRound`");
    insta::assert_snapshot!(found("  b: {{ (genCA \"ca\" 3).Cert | quote }}", ""), @"templates/sub/moving.yaml:6 calls `genCA`");
    insta::assert_snapshot!(found("  b: {{ keys .Values.many | join \"-\" }}\n  c: {{ keys .Values.many | sortAlpha }}", ""), @"templates/sub/moving.yaml:6 calls `keys`");
    insta::assert_snapshot!(found("  b: {{ keys (dict \"x\" 1 \"y\" 2) | join \"-\" }}", ""), @"templates/sub/moving.yaml:6 calls `keys`");
    insta::assert_snapshot!(found("  b: {{ values .Values.many | first }}", ""), @"templates/sub/moving.yaml:6 calls `values`");
    insta::assert_snapshot!(found("  b: {{ htpasswd \"a\" \"b\" }}", ""), @"templates/sub/moving.yaml:6 calls `htpasswd`");
}

#[test]
fn a_function_of_a_helper_is_named_where_it_stands() {
    let Some(_) = support::helm() else { return };
    let helpers = "{{- define \"odd.word\" -}}\nword-{{ randAlpha 4 }}\n{{- end }}\n";
    insta::assert_snapshot!(found("  b: {{ keys .Values.many | sortAlpha | first }}-{{ include \"odd.word\" . }}", helpers), @"templates/_helpers.tpl:2 calls `randAlpha`");
}

#[test]
fn what_is_not_reached_or_does_not_move_is_fine() {
    let template = "  b: {{ if false }}{{ randAlphaNum 8 }}{{ now }}{{ end }}\n  c: {{ date \"2006-01-02\" (toDate \"2006-01-02\" \"2020-01-01\") | quote }}\n  d: {{ keys .Values.many | sortAlpha | join \"-\" }}\n  e: {{ durationRound \"2h10m5s\" }}{{ 95 | int64 | durationRound }}";
    let Some(project) = chart(template, "{{ define \"unused\" }}{{ uuidv4 }}{{ end }}") else { return };
    let stored = || fs::read_dir(project.cache().join(".store/charts")).unwrap().count();
    let (before, temporary) = (stored(), project.outside("tmp"));
    fs::create_dir_all(&temporary).unwrap();
    let said = project.kilter(&["verify", "--quiet"]).env("TMPDIR", &temporary).succeeds();
    let left = fs::read_dir(&temporary).unwrap().count();
    assert_eq!((stored(), left), (before, 0), "the changed copy of the chart does not stay");
    let digest = kilter::ids::Digest::of(&fs::read(project.cache().join("lab/manifests/x.yaml")).unwrap());
    assert_eq!((said.stdout, said.stderr.as_str()), (format!("x  verified  {digest}\n"), ""));
}

#[test]
fn what_a_source_build_cannot_equal_is_a_warning() {
    let Some(project) =
        chart("  b: {{ .Capabilities.HelmVersion.GoVersion }}\n  c: {{ .Capabilities.HelmVersion.Version }}", "")
    else {
        return;
    };
    let said = project.kilter(&["verify", "--quiet"]).succeeds();
    insta::assert_snapshot!(said.stderr, @r#"
    warning: chart `odd` reads how helm was built: a helm built from source may print something else there.
      | templates/sub/moving.yaml:6 reads `.Capabilities.HelmVersion`
      = Use the released helm everywhere (`kilter tools install helm`, with a network), or change the chart.
    "#);
}

#[test]
fn capabilities_as_a_whole_count_as_reading_the_build() {
    let template = "  b: {{ with .Capabilities}}{{.HelmVersion.GoVersion}}{{ end }}\n  c: |\n    {{- toYaml .Capabilities | nindent 4 }}\n  d: {{ .Capabilities.KubeVersion.Version }}";
    let Some(project) = chart(template, "") else { return };
    let said = project.kilter(&["verify", "--json", "--quiet"]).succeeds();
    let rows: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let expected =
        ["templates/sub/moving.yaml:6 reads `.Capabilities`", "templates/sub/moving.yaml:8 reads `.Capabilities`"];
    assert_eq!(rows[0]["readsBuild"], serde_json::json!(expected));
}

#[test]
fn every_row_of_the_json_has_the_same_keys() {
    let Some(_) = support::helm() else { return };
    let project = Project::new("lab")
        .file("kilter.yaml", "services:\n  - {name: x, chart: charts/x}\n  - redis\n")
        .file("charts/x/Chart.yaml", "apiVersion: v2\nname: odd\nversion: 1.0.0\n")
        .file("charts/x/templates/x.yaml", "a: {{ fail \"no\" }}\n");
    let said = project.kilter(&["verify", "--json"]).run();
    assert_eq!(said.code, 4, "{}", said.stderr);
    let rows: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let rows = rows.as_array().unwrap();
    let keys = |row: &serde_json::Value| row.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&rows[0]), keys(&rows[1]));
    let failed = rows.iter().find(|row| row["name"] == "x").unwrap();
    let expected = serde_json::json!({
        "name": "x", "verified": false, "problems": ["helm could not render `x`"],
        "unstable": [], "readsBuild": [], "digest": null,
    });
    assert_eq!(*failed, expected);
}

#[test]
fn a_manifest_that_was_changed_is_shown() {
    let Some(project) = chart("  b: fine", "") else { return };
    let manifest = project.cache().join("lab/manifests/x.yaml");
    let tampered = fs::read_to_string(&manifest).unwrap().replace("b: fine", "b: tampered");
    kilter::fsx::write(&manifest, tampered.as_bytes()).unwrap();
    insta::assert_snapshot!(project.kilter(&["verify", "--quiet"]).fails(1), @r#"
    error: the stored manifest of `x` is not what helm prints.
      | --- a/manifests/x.yaml
      | +++ b/manifests/x.yaml
      | @@ -14,4 +14,4 @@
      |  metadata:
      |    name: x
      |  data:
      | -  b: tampered
      | +  b: fine
      = Run `kilter render` to store helm's own bytes again.
    "#);
    project.kilter(&["render"]).succeeds();
    project.kilter(&["verify"]).succeeds();
}

#[test]
fn a_lock_that_holds_another_manifest_is_shown() {
    let Some(project) = chart("  b: fine", "") else { return };
    let digest = kilter::ids::Digest::of(&fs::read(project.cache().join("lab/manifests/x.yaml")).unwrap()).to_string();
    let lock = project.read("kilter.lock");
    project.write("kilter.lock", lock.replace(&digest, &kilter::ids::Digest::of(b"another").to_string()));
    insta::assert_snapshot!(project.kilter(&["verify", "--quiet"]).fails(1), @r#"
    error: kilter.lock holds another manifest of `x` than this machine renders.
      | locked    sha256:ae448ac86c4e8e4dec645729708ef41873ae79c6dff84eff73360989487f08e5
      | rendered  sha256:9b96c9326344cc54078a1dd6bc983420209e009d4647b56da86dba297334e219
      = Did kilter.yaml change? Then run `kilter render` and commit kilter.lock.
      = If it did not, this is a bug in kilter: report it with both digests.
    "#);
}

#[test]
fn what_is_not_rendered_is_said() {
    let Some(_) = support::helm() else { return };
    let project = super::projects::project("tickets");
    insta::assert_snapshot!(project.kilter(&["verify", "--quiet"]).fails(1), @r#"
    error: `app` is not rendered yet.
      = Run `kilter render`.

    error: `redis` is not rendered yet.
      = Run `kilter render`.
    "#);
}

#[test]
fn the_charts_of_the_catalog_hold() {
    let Some(_) = support::helm() else { return };
    let project = super::projects::project(super::projects::WHOLE_CATALOG);
    project.kilter(&["render"]).succeeds();
    let said = project.kilter(&["verify", "--quiet"]).succeeds();
    assert_eq!((said.stdout.lines().count(), said.stderr.as_str()), (kilter::catalog::services().len(), ""));
}
