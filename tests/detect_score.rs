//! How well detection does on real projects: the manifests of thirty applications, judged by the services that their own
//! compose files start. The data lies beside the repository and is no part of it; without it the test says so and ends.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use kilter::detect::{Detection, DiskTree, ServiceRules, catalog_rules, detect};
use kilter::diag::Problem;
use kilter::exec::{Invocation, find_program};
use kilter::fsx;

use crate::support;

/// Ecosystems of `truth.tsv` whose manifests kilter reads.
const READ: [&str; 9] = ["node", "python", "go", "ruby", "php", "elixir", "jvm", "dotnet", "rust"];

/// Files of which the corpus has a copy with lines that are cut off in a string: kilter warns of them, as it should.
const CUT: [&str; 1] = ["`backend/ktlint/build.gradle` is malformed: a string does not end"];

/// `../shared/detect`, also seen from a linked worktree of the repository.
pub(crate) fn data() -> PathBuf {
    let places = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1).map(|dir| dir.join("shared/detect"));
    places.into_iter().find(|dir| dir.join("truth.tsv").is_file()).unwrap_or_default()
}

/// The names that `truth.tsv` has for services of the catalog, where it has others. `scripts/bench detect` reads them, too.
static CANONICAL: LazyLock<BTreeMap<String, String>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../scripts/bench.d/canonical.json")).unwrap());

/// The name that `truth.tsv` uses for a catalog service.
fn canonical(name: &str) -> &str {
    CANONICAL.get(name).map_or(name, String::as_str)
}

/// A name that no service has any more would count for nothing, unseen.
#[test]
fn names_of_the_truth_are_for_services_of_the_catalog() {
    let rules = catalog_rules();
    for name in CANONICAL.keys() {
        assert!(rules.iter().any(|rule| rule.name == name), "{name}");
    }
}

/// The name under which the scorer counts a service of `truth.tsv`.
fn family(name: &str) -> &str {
    if name == "mariadb" { "mysql" } else { name }
}

/// `truth.tsv` as a header and one map per row.
fn truth() -> (Vec<String>, Vec<BTreeMap<String, String>>) {
    let text = fs::read_to_string(data().join("truth.tsv")).unwrap();
    let mut lines = text.lines();
    let header: Vec<String> = lines.next().unwrap().split('\t').map(str::to_owned).collect();
    let row = |line: &str| header.iter().cloned().zip(line.split('\t').map(str::to_owned)).collect();
    (header.clone(), lines.map(row).collect())
}

/// Writes a copy of the truth that knows only these services, beside a copy of the scorer.
fn restricted_truth(dir: &Path, services: &BTreeSet<&str>) {
    let (header, rows) = truth();
    let mut text = header.join("\t") + "\n";
    for row in rows {
        let cells = header.iter().map(|column| {
            let cell = &row[column];
            let known = |entry: &&str| services.contains(family(entry.split('=').next().unwrap_or_default()));
            let (split, join) = match column.as_str() {
                "truth" => (" ", " "),
                "optional" | "visible_strong" | "visible_weak" | "decoys" => ("; ", "; "),
                _ => return cell.clone(),
            };
            let kept: Vec<&str> = cell.split(split).filter(known).collect();
            if kept.is_empty() { "-".to_owned() } else { kept.join(join) }
        });
        // `-` means nothing in every column but `truth`, where it would be read as a service.
        let cells: Vec<String> =
            header.iter().zip(cells).map(|(c, v)| if c == "truth" && v == "-" { String::new() } else { v }).collect();
        writeln!(text, "{}", cells.join("\t")).unwrap();
    }
    fsx::write(&dir.join("truth.tsv"), text.as_bytes()).unwrap();
    fsx::write(&dir.join("score.py"), &fs::read(data().join("score.py")).unwrap()).unwrap();
}

/// What the scorer says about one set of rows.
#[derive(Debug)]
struct Score {
    precision: f64,
    strong: f64,
    visible: f64,
}

/// Runs the scorer; returns its text and the score of all rows together.
fn score(dir: &Path, name: &str, predictions: &BTreeMap<String, Vec<String>>) -> (String, Score) {
    let file = dir.join(format!("{name}.json"));
    fsx::write(&file, serde_json::to_string_pretty(predictions).unwrap().as_bytes()).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test is an edge")]
    let search_path = std::env::var_os("PATH");
    let python = find_program("python3", search_path.as_deref()).expect("python3 for the scorer");
    let call = Invocation::new(python).inherit_env();
    let run = call.args([dir.join("score.py").display().to_string(), file.display().to_string()]).capture().unwrap();
    assert!(run.ok(), "{}", run.stderr);
    let text = run.text();
    let first = text.lines().next().unwrap();
    let percent = |label: &str| -> f64 {
        let rest = first.split(&format!("{label} ")).nth(1).unwrap().trim_start();
        rest.split('%').next().unwrap().parse().unwrap()
    };
    let score =
        Score { precision: percent("precision"), strong: percent("recall strong"), visible: percent(" visible") };
    (text, score)
}

fn detections(rules: &[ServiceRules<'_>]) -> Vec<(String, Detection)> {
    let (_, rows) = truth();
    let rows = rows.into_iter().filter(|row| READ.contains(&row["ecosystem"].as_str()));
    rows.map(|row| {
        let repo = row["repo"].clone();
        let tree = DiskTree::open(&data().join("open").join(repo.replace('/', "__"))).unwrap();
        let detection = detect(&tree, rules);
        (repo, detection)
    })
    .collect()
}

fn predictions(
    detections: &[(String, Detection)],
    only: &BTreeSet<&str>,
    selected: bool,
) -> BTreeMap<String, Vec<String>> {
    let names = |detection: &Detection| {
        let kept = detection.findings.iter().filter(|finding| finding.selected || !selected);
        kept.map(|f| canonical(&f.name).to_owned()).filter(|name| only.contains(name.as_str())).collect()
    };
    detections.iter().map(|(repo, detection)| (repo.clone(), names(detection))).collect()
}

#[test]
fn real_projects_get_what_they_start() {
    if !data().join("truth.tsv").is_file() {
        support::skip("the score of detection: the projects to measure on are not beside this repository");
        return;
    }
    let rules = catalog_rules();
    let detections = detections(&rules);
    for (repo, detection) in &detections {
        let warnings = detection.warnings.iter().filter(|warning| !CUT.iter().any(|file| warning.what.contains(file)));
        assert_eq!(warnings.collect::<Vec<_>>(), Vec::<&Problem>::new(), "{repo}");
    }
    let all: BTreeSet<&str> = rules.iter().map(|rule| canonical(rule.name)).collect();
    let first: BTreeSet<&str> = ["postgres", "redis", "mailpit", "temporal"].into();
    for (what, services) in [("all services", &all), ("postgres, redis, mailpit, temporal", &first)] {
        let dir = tempfile::tempdir().unwrap();
        restricted_truth(dir.path(), services);
        let (text, selected) = score(dir.path(), "selected", &predictions(&detections, services, true));
        support::tell(&format!("selected, {what}\n{text}"));
        let (text, proposed) = score(dir.path(), "proposed", &predictions(&detections, services, false));
        support::tell(&format!("proposed, {what}\n{text}"));
        assert!(selected.precision >= 93.0, "{what}: {selected:?}");
        assert!(selected.strong >= 97.0, "{what}: {selected:?}");
        assert!(proposed.visible >= 95.0, "{what}: {proposed:?}");
    }
}
