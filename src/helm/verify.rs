//! The proof that a release renders to the same bytes everywhere, and the culprit when it does not.
//!
//! A release is rendered anew twice, the second time with another time zone, home and working directory. A chart that
//! reads the clock may still print the same in both, so where a template names `now`, a third render has another time
//! in its place. Names of the functions: Masterminds/sprig v3.3.0 `functions.go`; how charts read the helm that renders
//! them: helm/helm `pkg/chart/common/capabilities.go`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::charts::{ChartStore, read_files, require_whole};
use super::{Chart, Helm, Release, ValuesFrom};
use crate::diag::{Error, Result};
use crate::exec::Environment;

/// Functions that give something else each time.
const RANDOM: [&str; 20] = [
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
    "getHostByName",
    "lookup",
];

/// Functions that read the clock.
const CLOCK: [&str; 2] = ["now", "ago"];

/// Functions that use the local time zone.
const ZONE: [&str; 4] = ["date", "htmlDate", "toDate", "mustToDate"];

/// Functions whose order changes from run to run.
const ORDER: [&str; 2] = ["keys", "values"];

/// What only the official build of helm has: a source build prints another Go version.
const BUILD: &str = ".Capabilities.HelmVersion.GoVersion";

/// What stands for `now` in the third render.
const OTHER_TIME: &str = r#"(toDate "2006-01-02" "2001-02-03")"#;

/// What the renders of one release showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// helm's bytes.
    pub manifest: Vec<u8>,
    /// The reasons why it is not deterministic, one line each; empty when it is.
    pub unstable: Vec<String>,
    /// Whether the chart reads what a source-built helm cannot equal, and where.
    pub reads_build: Vec<String>,
}

/// Renders a release anew and looks for anything that is not a function of its inputs. `store` takes the changed copy
/// of a chart that reads the clock.
///
/// # Errors
/// When helm fails.
pub fn verify(helm: &Helm, release: &Release, store: &ChartStore) -> Result<Verdict> {
    require_whole(&release.chart)?;
    let templates = templates(release)?;
    let first = run(helm, release, false)?;
    let second = run(helm, release, true)?;
    let mut unstable = Vec::new();
    if let Some(template) = first_difference(&first, &second) {
        let functions = [&RANDOM[..], &CLOCK[..], &ZONE[..], &ORDER[..]].concat();
        unstable.extend(culprits(&templates, &template, &functions));
    } else if let Some(other) = with_other_time(release, &templates, store)? {
        let third = run(helm, &Release { chart: other, ..release.clone() }, false)?;
        if let Some(template) = first_difference(&first, &third) {
            unstable.extend(culprits(&templates, &template, &CLOCK));
        }
    }
    let reads_build = templates.iter().filter(|(_, text)| text.contains(BUILD)).map(|(path, _)| path.clone()).collect();
    Ok(Verdict { manifest: first, unstable, reads_build })
}

fn run(helm: &Helm, release: &Release, elsewhere: bool) -> Result<Vec<u8>> {
    let mut call = helm.template(release, ValuesFrom::Stdin);
    let other = tempfile::tempdir().map_err(|error| Error::io("make a temporary directory", &error))?;
    if elsewhere {
        if let Environment::Only(vars) = &mut call.env {
            vars.insert("TZ".into(), "Pacific/Kiritimati".into());
            vars.insert("HOME".into(), other.path().to_string_lossy().into_owned());
            vars.insert("LC_ALL".into(), "C.UTF-8".into());
            vars.insert("USER".into(), "somebody-else".into());
        }
        call.cwd = Some(other.path().to_path_buf());
    }
    let captured = call.capture()?;
    if !captured.ok() {
        return Err(Error::tool(format!("helm could not render `{}`", release.service))
            .detail(format!("$ {}\n{}", call.shell_line(), captured.stderr.trim_end()))
            .help("Run `kilter render` to see whether it renders at all."));
    }
    Ok(captured.stdout)
}

/// Reads the files of a chart that helm takes for templates, subcharts included.
fn templates(release: &Release) -> Result<BTreeMap<String, String>> {
    let files = read_files(&release.chart.dir, &release.chart.name)?;
    let templates = files.into_iter().filter(|(path, _)| format!("/{path}").contains("/templates/"));
    Ok(templates.map(|(path, bytes)| (path, String::from_utf8_lossy(&bytes).into_owned())).collect())
}

/// Returns the template of the first document that differs, as helm's `# Source:` lines name it.
fn first_difference(a: &[u8], b: &[u8]) -> Option<String> {
    if a == b {
        return None;
    }
    let (a, b) = (String::from_utf8_lossy(a), String::from_utf8_lossy(b));
    let mut source = String::new();
    let mut others = b.lines();
    for line in a.lines() {
        if let Some(path) = line.strip_prefix("# Source: ") {
            path.clone_into(&mut source);
        }
        if others.next() != Some(line) {
            break;
        }
    }
    Some(source)
}

/// Names the functions that may be to blame: those the template itself calls, or else those its helpers call.
fn culprits(templates: &BTreeMap<String, String>, source: &str, functions: &[&str]) -> Vec<String> {
    let own = |path: &&String| source.ends_with(&format!("/{path}"));
    let found = |paths: Vec<&String>| -> Vec<String> {
        let calls =
            paths.into_iter().flat_map(|path| calls(&templates[path], functions).into_iter().map(move |c| (path, c)));
        calls.map(|(path, (line, function))| format!("{path}:{line} calls `{function}`")).collect()
    };
    let in_template = found(templates.keys().filter(own).collect());
    if !in_template.is_empty() {
        return in_template;
    }
    let helpers = found(templates.keys().filter(|path| path.ends_with(".tpl")).collect());
    if !helpers.is_empty() {
        return helpers;
    }
    let source = source.split_once('/').map_or(source, |(_, path)| path);
    vec![format!("{source} prints something else each time")]
}

/// Finds calls of functions inside `{{ }}`, comments and strings left out: (line, function).
fn calls(text: &str, functions: &[&str]) -> Vec<(usize, String)> {
    let words = actions(text).into_iter().flat_map(|range| words(text, range));
    let calls = words.filter(|range| functions.contains(&&text[range.clone()]));
    calls.map(|range| (text[..range.start].matches('\n').count() + 1, text[range].to_owned())).collect()
}

/// Byte ranges of the insides of `{{ }}`, comments left out.
fn actions(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find("{{") {
        let start = from + open + 2;
        let Some(close) = text[start..].find("}}") else { break };
        let inside = text[start..start + close].trim_start_matches('-').trim_start();
        if !inside.starts_with("/*") {
            found.push(start..start + close);
        }
        from = start + close + 2;
    }
    found
}

/// Byte ranges of the identifiers in an action that could be functions: not in a string, not a field or a variable.
fn words(text: &str, action: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut quote = None;
    let mut start = None;
    let mut before = ' ';
    for (at, c) in text[action.clone()].char_indices().chain([(action.len(), ' ')]) {
        if let Some(open) = quote {
            if c == open && (before != '\\' || open == '`') {
                quote = None;
            }
            before = c;
            continue;
        }
        let part = c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
        match (start, part) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                found.push(action.start + from..action.start + at);
                start = None;
            }
            _ => {}
        }
        if matches!(c, '"' | '`' | '\'') {
            quote = Some(c);
        }
        before = c;
    }
    let function = |word: &str| word.starts_with(|c: char| c.is_ascii_alphabetic()) && !word.contains(['.', '$']);
    found.retain(|range| function(&text[range.clone()]));
    found
}

/// Puts a copy of the chart in which `now` is another time into the store; `None` when no template names it.
fn with_other_time(
    release: &Release,
    templates: &BTreeMap<String, String>,
    store: &ChartStore,
) -> Result<Option<Chart>> {
    if templates.values().all(|text| calls(text, &["now"]).is_empty()) {
        return Ok(None);
    }
    let mut files = read_files(&release.chart.dir, &release.chart.name)?;
    for (path, text) in templates {
        files.insert(path.clone(), other_time(text).into_bytes());
    }
    store.files(&files, &release.chart.name).map(Some)
}

/// Replaces every call of `now`.
fn other_time(text: &str) -> String {
    let mut out = String::new();
    let mut copied = 0;
    for range in actions(text).into_iter().flat_map(|range| words(text, range)) {
        if &text[range.clone()] == "now" {
            out.push_str(&text[copied..range.start]);
            out.push_str(OTHER_TIME);
            copied = range.end;
        }
    }
    out + &text[copied..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_where_they_are_calls() {
        let text = "a: {{ now | date \"now\" }}\nb: {{/* randAlpha */}}\nc: {{ .Values.now }} {{ $now }}\nd: {{- randAlphaNum 5 -}}\nnow";
        let found = calls(text, &["now", "randAlpha", "randAlphaNum"]);
        assert_eq!(found, [(1, "now".to_owned()), (4, "randAlphaNum".to_owned())]);
        assert!(other_time(text).starts_with("a: {{ (toDate \"2006-01-02\" \"2001-02-03\") | date \"now\" }}\nb:"));
    }
}
