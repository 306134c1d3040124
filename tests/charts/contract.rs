//! What holds without rendering: files, schemas, templates, catalog files.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{all, chart, services};

/// Functions and objects of a template whose result is not the same everywhere and always: random, clock, time zone, map
/// order, operating system, cluster, network. (Masterminds/sprig functions.go, helm pkg/engine and pkg/action.)
const NOT_STABLE: &[&str] = &[
    "randAlphaNum",
    "randAlpha",
    "randAscii",
    "randNumeric",
    "randBytes",
    "randInt",
    "shuffle",
    "uuidv4",
    "genPrivateKey",
    "genCA",
    "genCAWithKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "bcrypt",
    "htpasswd",
    "encryptAES",
    "now",
    "ago",
    "durationRound",
    "date",
    "htmlDate",
    "dateInZone",
    "htmlDateInZone",
    "dateModify",
    "toDate",
    "mustToDate",
    "values",
    "osBase",
    "osClean",
    "osDir",
    "osExt",
    "osIsAbs",
    "lookup",
    "getHostByName",
    ".Capabilities",
    ".Release.Revision",
    ".Release.IsInstall",
    ".Release.IsUpgrade",
    ".Release.Service",
];

/// Returns the words of a template's actions, strings and comments left out.
fn words(template: &str) -> Vec<String> {
    let mut words = Vec::new();
    for action in template.split("{{").skip(1) {
        let action = action.split("}}").next().unwrap().trim_matches(['-', ' ', '\n']);
        if action.starts_with("/*") {
            continue;
        }
        let code: Vec<_> = action.split('"').step_by(2).collect();
        let word = |c: char| c.is_ascii_alphanumeric() || "._$".contains(c);
        words.extend(code.join(" ").split(|c| !word(c)).map(ToOwned::to_owned));
    }
    words
}

pub(super) fn unstable(template: &str) -> Vec<String> {
    let words = words(template);
    let mut found: Vec<_> = words.iter().filter(|word| names_unstable(word)).cloned().collect();
    let count = |name: &str| words.iter().filter(|word| *word == name).count();
    if count("keys") > count("sortAlpha") {
        found.push("keys".into());
    }
    found
}

fn names_unstable(word: &str) -> bool {
    let word = word.trim_start_matches('$');
    NOT_STABLE.iter().any(|name| word == *name || (name.starts_with('.') && word.starts_with(&format!("{name}."))))
}

#[test]
fn templates_use_nothing_that_is_not_the_same_everywhere() {
    assert_eq!(unstable("{{- randAlphaNum 5 | quote }}"), ["randAlphaNum"]);
    assert_eq!(
        unstable("{{ $.Capabilities.KubeVersion }}{{ keys .Values.a }}"),
        ["$.Capabilities.KubeVersion", "keys"]
    );
    assert_eq!(unstable("now {{/* now */}}{{ keys .Values | sortAlpha }}{{ \"now\" }}"), [""; 0]);
    for chart in all() {
        for (file, text) in chart.templates() {
            assert_eq!(unstable(&text), [""; 0], "{}", file.display());
            for word in ["helm.sh/hook", "helm.sh/chart"] {
                assert!(!text.contains(word), "{}: {word}", file.display());
            }
        }
        for absent in ["templates/tests", "charts", "crds"] {
            assert!(!chart.dir.join(absent).exists(), "{}: {absent}", chart.name);
        }
    }
}

#[test]
fn the_shared_helpers_are_the_same_in_every_chart() {
    let helpers = |name: &str| super::text(&chart(name).dir.join("templates/_kilter.tpl"));
    let first = helpers("postgres");
    for chart in all() {
        assert_eq!(helpers(&chart.name), first, "{}", chart.name);
    }
}

#[test]
fn every_folder_says_who_it_is_and_where_its_facts_are_from() {
    for chart in all() {
        let about = super::yaml(&chart.dir.join("Chart.yaml"));
        assert_eq!(about["apiVersion"], "v2", "{}", chart.name);
        assert_eq!(about["name"], chart.name.as_str());
        semver::Version::parse(about["version"].as_str().unwrap()).unwrap();
        let readme = super::text(&chart.dir.join("README.md"));
        assert!(
            chart.catalog.is_none() || readme.contains("Sources:") && readme.contains("<https://"),
            "{}",
            chart.name
        );
    }
    let compiled: Vec<_> = kilter::catalog::CHARTS.iter().map(|chart| chart.name).collect();
    // The operator renders one chart of production; the other is for whoever runs the platform.
    let mut expected: Vec<_> = all().iter().map(|chart| chart.name.clone()).collect();
    expected.push("kilter-app".into());
    expected.sort();
    assert_eq!(compiled, expected);
}

/// Tells whether an image's tag is one that is made once: a full version, or, as Microsoft counts, a year and a cumulative update.
pub(super) fn exact(image: &str) -> bool {
    let Some((_, tag)) = image.rsplit_once(':') else { return false };
    let mut parts = tag.trim_start_matches('v').split('-');
    let numbers: Vec<_> = parts.next().unwrap().split('.').collect();
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    let update = parts.next().and_then(|part| part.strip_prefix("CU")).is_some_and(is_number);
    (numbers.len() >= 2 || update) && numbers.iter().all(|number| is_number(number))
}

#[test]
fn an_exact_tag_is_a_full_version() {
    assert!(exact("postgres:18.6") && exact("axllent/mailpit:v1.30.5") && exact("localhost:5000/a/b:2.14.5-alpine"));
    assert!(exact("mcr.microsoft.com/mssql/server:2025-CU9-ubuntu-22.04") && !exact("mssql/server:2025-latest"));
    assert!(!exact("postgres") && !exact("postgres:18") && !exact("a:latest") && !exact("localhost:5000/a"));
}

#[test]
fn catalog_files_agree_with_their_charts() {
    for (chart, catalog) in services() {
        let name = &chart.name;
        assert_eq!(chart.values["image"], catalog.image.as_str(), "{name}");
        assert!(exact(&catalog.image), "{name}: {}", catalog.image);
        let ports: BTreeSet<_> = catalog.ports.iter().map(|port| (port.name.clone(), u64::from(port.port))).collect();
        let names: BTreeSet<_> = catalog.ports.iter().map(|port| &port.name).collect();
        let of_values = chart.values["ports"].as_object().unwrap().iter();
        assert_eq!(ports, of_values.map(|(port, number)| (port.clone(), number.as_u64().unwrap())).collect(), "{name}");
        assert!(catalog.docs.starts_with("https://"), "{name}");
        assert!(!catalog.provides.is_empty(), "{name} provides nothing");
        assert!(!catalog.detect.is_empty(), "{name} is never detected");
        for port in &catalog.ports {
            let stands_in = port.localhost.as_ref().is_none_or(|other| *other != port.name && names.contains(other));
            assert!(stands_in, "{name}: {} is {:?} on this machine", port.name, port.localhost);
        }
        for needed in &catalog.requires {
            assert!(kilter::catalog::service(&needed.service).is_some(), "{name}: {}", needed.service);
        }
        let provides = catalog.provides.values().cloned();
        let credentials = catalog.credentials.iter().map(|credential| credential.value.clone());
        let mut values = chart.values.clone();
        merge(&mut values, &filled(&catalog.values));
        let forms = json!(catalog.forms).to_string();
        for text in provides.chain(credentials).chain([catalog.values.to_string(), forms]) {
            for placeholder in placeholders(&text) {
                assert!(known(&placeholder, &ports, &values), "{name}: {{{{{placeholder}}}}}");
            }
        }
    }
}

#[test]
fn forms_are_variables_of_which_each_stands_once_and_groups_lead_to_the_host() {
    for (_, catalog) in services() {
        let forms = &catalog.forms;
        let mut seen = BTreeSet::new();
        for group in &forms.groups {
            assert!(group.values().any(|template| template.contains("{{ .Host }}")), "{group:?}");
            assert!(group.keys().all(|variable| seen.insert(variable)), "{group:?}");
        }
        let of_packages = forms.packages.values().flat_map(|packages| packages.values()).flat_map(|read| read.keys());
        let of_packages: Vec<&String> = of_packages.collect();
        assert!(forms.packages.values().flat_map(|packages| packages.keys()).all(|name| !name.trim().is_empty()));
        let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        for variable in seen.into_iter().chain(of_packages) {
            assert!(
                variable.starts_with(|c: char| c.is_ascii_uppercase()) && variable.chars().all(plain),
                "{variable}"
            );
        }
        for (port, beside) in &forms.ports {
            assert!(catalog.ports.iter().any(|known| known.name == *port) && !beside.is_empty(), "{port}");
        }
        let known = |variable: &&String| forms.groups.iter().any(|group| group.contains_key(*variable));
        assert!(
            forms.open_beside.iter().all(|variable| known(&variable))
                && (forms.open_beside.is_empty() || forms.open.is_object())
        );
        let addresses = forms.addresses.iter();
        // Go's driver of MySQL reads no address.
        let is_address = |scheme: &str, template: &str| template.contains("://") || scheme == "@tcp(";
        assert!(addresses.clone().all(|(scheme, of_it)| !scheme.contains("://") && is_address(scheme, of_it)));
        assert!(forms.connection_string.iter().all(|template| template.contains("{{ .Host }}")));
    }
}

fn placeholders(text: &str) -> Vec<String> {
    text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap().to_owned()).collect()
}

fn known(placeholder: &str, ports: &BTreeSet<(String, u64)>, values: &Value) -> bool {
    if let Some(path) = placeholder.trim().strip_prefix(".Values.") {
        return values.pointer(&format!("/{}", path.replace('.', "/"))).is_some_and(Value::is_string);
    }
    match placeholder.trim().strip_prefix(".Port.") {
        Some(port) => ports.iter().any(|(name, _)| name == port),
        None => {
            [" .Name ", " .Project ", " .Namespace ", " .Host ", " .Password ", " .Database "].contains(&placeholder)
        }
    }
}

#[test]
fn what_kilter_sets_is_taken_by_the_schema() {
    for (chart, catalog) in services() {
        let mut values = chart.values.clone();
        merge(&mut values, &filled(&catalog.values));
        let schema = jsonschema::validator_for(&chart.schema).unwrap();
        let problems: Vec<_> = schema.iter_errors(&values).map(|error| error.to_string()).collect();
        assert_eq!(problems, [""; 0], "{}", chart.name);
    }
}

/// Fills in what `catalog.yaml` may name: a password has 24 hex digits.
fn filled(values: &Value) -> Value {
    let filled = values.to_string();
    let filled = filled.replace("{{ .Password }}", "0123456789abcdef01234567").replace("{{ .Database }}", "my-shop");
    serde_json::from_str(&filled.replace("{{ .Project }}", "my-shop")).unwrap()
}

/// Merges values over others, map by map.
pub(super) fn merge(into: &mut Value, over: &Value) {
    match (into, over) {
        (Value::Object(into), Value::Object(over)) => {
            for (key, value) in over {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, over) => *into = over.clone(),
    }
}

#[test]
fn no_package_is_strong_and_weak() {
    for (chart, catalog) in services() {
        for (ecosystem, rules) in &catalog.detect {
            let mut seen = BTreeSet::new();
            for package in rules.strong.iter().chain(&rules.weak).chain(&rules.tests) {
                assert!(seen.insert(package), "{}, {ecosystem:?}: {package} is listed twice", chart.name);
            }
        }
    }
}
