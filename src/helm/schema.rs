//! What helm says when a chart's schema refuses values, as problems that name the value.

use std::path::Path;

use serde_json::Value;

use super::Release;
use crate::diag::{Error, Kind, Problem};
use crate::fsx;
use crate::ids::did_you_mean;

/// How helm begins (helm 3 and 4, `chart/common/util/jsonschema.go`); a line `CHART:` and lines `- at 'POINTER': WHY`
/// follow for each chart.
pub(super) const WORDS: &str = "values don't meet the specifications of the schema(s)";

/// What helm says of a value whose parts it refuses.
const GROUP: &str = "validation failed";

/// One thing that the schema refuses.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    /// The keys from the chart's values down.
    keys: Vec<String>,
    /// helm's reason.
    why: String,
    /// What helm says beneath it, of alternatives that all failed.
    more: Vec<String>,
}

/// Returns the error for values that helm refuses by their schema; `said` is helm's stderr.
pub(super) fn refused(release: &Release, said: &str) -> Error {
    let problems = read(said, &release.chart.name).into_iter().map(|refusal| problem(release, &refusal));
    let mut problems: Vec<Problem> = problems.collect();
    if problems.is_empty() {
        // In other words than ours: then helm's own.
        problems.push(Problem::new(format!("helm refuses the values of `{}`", release.service)).detail(said.trim()));
    }
    Error::from_problems(Kind::Project, problems)
        .help(format!("The schema is that of chart `{}`: `values.schema.json`.", release.chart.name))
}

fn problem(release: &Release, refusal: &Refusal) -> Problem {
    let mut keys = refusal.keys.clone();
    let unknown = unknown_keys(&refusal.why);
    if let [key] = unknown.as_slice() {
        keys.push((*key).to_owned());
    }
    let at = if keys.is_empty() { String::new() } else { format!("`{}`: ", keys.join(".")) };
    let why = match unknown.as_slice() {
        [_] => "the chart has no such value",
        _ => &refusal.why,
    };
    let path: Vec<&str> = ["values"].into_iter().chain(keys.iter().map(String::as_str)).collect();
    let mut problem = Problem::new(format!("helm refuses the values of `{}`: {at}{why}", release.service))
        .about(&release.service, &path);
    if !refusal.more.is_empty() {
        problem = problem.detail(refusal.more.join("\n"));
    }
    if let [key] = unknown.as_slice()
        && let Some(near) = did_you_mean(key, known(&release.chart.dir, &refusal.keys).iter().map(String::as_str))
    {
        problem = problem.help(format!("Did you mean `{near}`?"));
    }
    problem
}

/// Reads helm's lines. A subchart's values are below its name in those of the chart. A line that only groups those
/// indented below it is left out; of any other, they are the explanation.
fn read(said: &str, chart: &str) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = Vec::new();
    let mut below = Vec::new();
    let mut indent_of_last = usize::MAX;
    for line in said.lines().skip_while(|line| !line.contains(WORDS)).skip(1) {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        let entry = text.strip_prefix("- at '").and_then(|rest| rest.split_once("': "));
        match (entry, refusals.last_mut()) {
            (_, Some(last)) if indent > indent_of_last => last.more.push(text.to_owned()),
            (Some((_, GROUP)), _) => indent_of_last = usize::MAX,
            (Some((pointer, why)), _) => {
                let keys = pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~"));
                let keys = below.iter().cloned().chain(keys).collect();
                refusals.push(Refusal { keys, why: why.into(), more: vec![] });
                indent_of_last = indent;
            }
            (None, _) => {
                let name = text.strip_suffix(':').filter(|name| !name.is_empty() && *name != chart);
                below = name.map(str::to_owned).into_iter().collect();
                indent_of_last = usize::MAX;
            }
        }
    }
    refusals
}

/// The names in `additional properties 'a', 'b' not allowed`.
fn unknown_keys(why: &str) -> Vec<&str> {
    let names = why.strip_prefix("additional properties ").and_then(|rest| rest.strip_suffix(" not allowed"));
    names.into_iter().flat_map(|names| names.split(", ")).map(|name| name.trim_matches('\'')).collect()
}

/// The keys that the chart's schema names below these.
fn known(chart: &Path, keys: &[String]) -> Vec<String> {
    let text = fsx::read_text(&chart.join("values.schema.json"), fsx::MAX_FILE).ok().flatten();
    let schema: Value = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let at = keys.iter().fold(&schema, |at, key| resolved(&schema, &at["properties"][key]));
    at["properties"].as_object().map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

/// Follows a reference inside the schema.
fn resolved<'a>(schema: &'a Value, at: &'a Value) -> &'a Value {
    let pointer = at["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| schema.pointer(pointer)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helms_lines_are_read_one_by_one() {
        let said = "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nredis:\n\
            - at '/auth/a~1b': got number, want string\n- at '': additional properties 'x' not allowed\n\
            - at '/y': 'anyOf' failed\n  - at '/y': got null, want string\n- at '/g': validation failed\n  - at '/g/a': bad\n  \
            - at '/g/b': bad\nsub:\n- at '/z': bad\n";
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let found = read(said, "redis");
        let paths: Vec<Vec<String>> = found.iter().map(|refusal| refusal.keys.clone()).collect();
        assert_eq!(
            paths,
            [
                keys(&["auth", "a/b"]),
                keys(&[]),
                keys(&["y"]),
                keys(&["g", "a"]),
                keys(&["g", "b"]),
                keys(&["sub", "z"])
            ]
        );
        assert_eq!(found[2].more, ["- at '/y': got null, want string"]);
        assert_eq!(unknown_keys(&found[1].why), ["x"]);
        assert!(unknown_keys(&found[0].why).is_empty());
    }
}
