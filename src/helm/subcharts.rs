//! Subcharts whose order helm leaves to chance. helm puts what is below `charts/` into a map of Go's, whose order changes from
//! run to run, and brings only those that Chart.yaml declares into an order (helm/helm `pkg/chart/v2/loader/load.go`
//! `LoadFiles`, `pkg/chart/v2/util/dependencies.go` `processDependencyEnabled`). Templates are sorted later, the files of
//! `crds/` are printed in this order: a chart in which that shows is refused.

use std::collections::BTreeMap;

use super::charts::Files;
use super::packed::{packed, unreadable};
use crate::diag::{Error, Result};

/// Where the subcharts of a chart are.
const CHARTS: &str = "charts/";

/// Where charts name those that they declare; the second one in charts of before helm 3.
const DECLARED_IN: [&str; 2] = ["Chart.yaml", "requirements.yaml"];

/// Refuses a chart when two of its subcharts, or of those of a subchart, have `crds/` and are not declared; `shown` names
/// the chart.
///
/// # Errors
/// When there are such, or a packed subchart cannot be looked into.
pub(super) fn refuse_unordered(files: &Files, shown: &str) -> Result<()> {
    look(files, "", shown, 0).map(drop)
}

/// Looks through a chart; `at` is where it is inside the outermost one, with a slash at its end. Returns whether it, or a
/// subchart, prints something of `crds/`.
fn look(files: &Files, at: &str, shown: &str, depth: usize) -> Result<bool> {
    let declared = declared(files);
    let mut prints = files.keys().any(|path| is_crd(path));
    let mut unordered = Vec::new();
    for (entry, subchart) in subcharts(files, at, shown, depth)? {
        let place = format!("{at}{CHARTS}{entry}");
        if !look(&subchart, &format!("{place}/"), shown, depth + 1)? {
            continue;
        }
        prints = true;
        // One that says no name is helm's to refuse.
        if name(&subchart).is_some_and(|name| !declared.contains(&name)) {
            unordered.push(place);
        }
    }
    match unordered.as_slice() {
        [_, _, ..] => Err(refused(shown, at, &unordered)),
        _ => Ok(prints),
    }
}

fn refused(shown: &str, at: &str, unordered: &[String]) -> Error {
    let places: Vec<String> = unordered.iter().map(|place| format!("`{place}`")).collect();
    let (last, others) = places.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
    Error::project(format!(
        "chart `{shown}`: helm prints the `crds/` of {} and {last} in another order each time",
        others.join(", ")
    ))
    .help(format!("Declare them in `{at}Chart.yaml`, below `dependencies:`: then helm keeps to the order there."))
    .help("In a chart that is not yours, use another version, or copy it into the project and change it there.")
}

/// Returns the subcharts as helm takes them: the name of the entry below `charts/` and the files inside.
fn subcharts(files: &Files, at: &str, shown: &str, depth: usize) -> Result<BTreeMap<String, Files>> {
    let mut found: BTreeMap<String, Files> = BTreeMap::new();
    for (path, bytes) in files {
        let Some(below) = path.strip_prefix(CHARTS).filter(|below| !below.starts_with(['_', '.'])) else { continue };
        match below.split_once('/') {
            Some((entry, _)) if entry.ends_with(".tgz") => {} // helm refuses it
            Some((entry, inside)) => {
                found.entry(entry.to_owned()).or_default().insert(inside.to_owned(), bytes.clone());
            }
            None if below.ends_with(".tgz") => {
                let place = format!("{at}{path}");
                let inside = packed(bytes, is_read, depth).map_err(|why| unreadable(shown, &place, &why))?;
                found.insert(below.to_owned(), inside);
            }
            None => {}
        }
    }
    Ok(found)
}

/// Tells whether a file of a chart, or of a chart in it, says something about the order.
fn is_read(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or_default();
    DECLARED_IN.contains(&file) || path.starts_with("crds/") || path.contains("/crds/")
}

/// Tells whether helm prints a file for one of `crds/`.
fn is_crd(path: &str) -> bool {
    let ending = path.strip_prefix("crds/").and_then(|file| file.rsplit_once('.')).map(|(_, ending)| ending);
    ending.is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// Returns the name that a chart gives itself.
fn name(files: &Files) -> Option<String> {
    let about: serde_yaml::Value = serde_yaml::from_slice(files.get("Chart.yaml")?).ok()?;
    about["name"].as_str().map(str::to_owned)
}

/// Returns the names of the charts that a chart declares.
fn declared(files: &Files) -> Vec<String> {
    let read = |file: &&str| serde_yaml::from_slice::<serde_yaml::Value>(files.get(*file)?).ok();
    let lists = DECLARED_IN.iter().filter_map(read).map(|about| about["dependencies"].clone());
    let names = |list: serde_yaml::Value| {
        let all = list.as_sequence().cloned().unwrap_or_default();
        all.into_iter().filter_map(|one| one["name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    lists.flat_map(names).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    /// A chart with two subcharts that have `crds/`, and more.
    fn chart(more: &[(&str, &str)]) -> Files {
        let mut all = files(&[
            ("Chart.yaml", "name: top\nversion: 1.0.0\n"),
            ("charts/b/Chart.yaml", "name: beta\nversion: 1.0.0\n"),
            ("charts/b/crds/b.yaml", "kind: B\n"),
            ("charts/a/Chart.yaml", "name: alpha\nversion: 1.0.0\n"),
            ("charts/a/charts/c/Chart.yaml", "name: gamma\nversion: 1.0.0\n"),
            ("charts/a/charts/c/crds/c.JSON", "{}"),
            ("charts/README.md", "no chart"),
        ]);
        all.extend(files(more));
        all
    }

    #[test]
    fn two_that_are_not_declared_are_refused() {
        let error = refuse_unordered(&chart(&[]), "top").unwrap_err();
        insta::assert_snapshot!(error, @r"
        chart `top`: helm prints the `crds/` of `charts/a` and `charts/b` in another order each time.
          = Declare them in `Chart.yaml`, below `dependencies:`: then helm keeps to the order there.
          = In a chart that is not yours, use another version, or copy it into the project and change it there.
        ");
        // One that is declared leaves one whose place is sure.
        let one = "name: top\nversion: 1.0.0\ndependencies: [{name: beta, version: 1.x}]\n";
        refuse_unordered(&chart(&[("Chart.yaml", one)]), "top").unwrap();
        refuse_unordered(&chart(&[("requirements.yaml", "dependencies: [{name: alpha}]\n")]), "top").unwrap();
        // The name counts, not the directory.
        let directory = "name: top\nversion: 1.0.0\ndependencies: [{name: a, version: 1.x}]\n";
        refuse_unordered(&chart(&[("Chart.yaml", directory)]), "top").unwrap_err();
    }

    #[test]
    fn those_of_a_subchart_are_refused_too() {
        let all = chart(&[
            ("Chart.yaml", "name: top\nversion: 1.0.0\ndependencies: [{name: alpha}, {name: beta}]\n"),
            ("charts/a/charts/d/Chart.yaml", "name: delta\nversion: 1.0.0\n"),
            ("charts/a/charts/d/crds/d.yml", "kind: D\n"),
        ]);
        let error = refuse_unordered(&all, "top").unwrap_err().to_string();
        assert!(error.contains("`charts/a/charts/c` and `charts/a/charts/d`"), "{error}");
        assert!(error.contains("`charts/a/Chart.yaml`"), "{error}");
    }

    #[test]
    fn where_nothing_of_it_is_printed_the_order_is_nobodys_concern() {
        let mut all = chart(&[("charts/b/crds/notes.txt", "x"), ("charts/_off/crds/x.yaml", "kind: X\n")]);
        all.remove("charts/b/crds/b.yaml");
        refuse_unordered(&all, "top").unwrap();
    }
}
