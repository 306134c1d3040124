//! The proof that a release renders to the same bytes everywhere, and the culprit when it does not.
//!
//! A release is rendered anew twice, the second time with another time zone, home and working directory. Where that could
//! show nothing, there are more renders: with a zone on the other side of the date line where a template uses the local
//! zone, several where a function draws from a few, and of a changed chart where a template reads the clock or the order
//! of a map: another time, the reverse order. A date function that is given no time takes the clock; kilter sees that by
//! the date alone, so a template that prints but the year of it passes until the year changes.
//!
//! Names of the functions: Masterminds/sprig v3.3.0 `functions.go`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::build_reads::build_reads;
use super::charts::{ChartStore, read_files, require_whole};
use super::{Chart, Helm, Release, ValuesFrom};
use crate::diag::{Error, Result};
use crate::exec::Environment;
use crate::fsx;

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
const CLOCK: [&str; 3] = ["now", "ago", "durationRound"];

/// Functions that use the local time zone.
const ZONE: [&str; 4] = ["date", "htmlDate", "toDate", "mustToDate"];

/// Functions whose order changes from run to run.
const ORDER: [&str; 2] = ["keys", "values"];

/// Functions that may give the same twice although they give something else another time.
const FEW: [&str; 2] = ["shuffle", "randInt"];

/// Renders beyond the first two for these: of two things, eight draws are all the same with a chance of 1 in 128.
const MORE: usize = 6;

/// Renders with the reverse order: it is the same as before where the order itself turned, for two keys in 1 of 8.
const REVERSED: usize = 3;

/// Time zones far from UTC, in hours: in one of them it is always another date.
const EAST: i32 = 14;
const WEST: i32 = -12;

/// What stands for `now` when another time is tried.
const OTHER_TIME: &str = r#"(toDate "2006-01-02" "2001-02-03")"#;

/// What stands for `durationRound`, which takes the clock when it is given a time, but not when it is given a duration.
const OTHER_ROUND: &str = r#"include "kilter.durationRound""#;

/// The template that it calls, in a file of its own.
const ROUND: (&str, &str) = (
    "templates/_kilter_duration_round.tpl",
    r#"{{- define "kilter.durationRound" -}}{{- if eq (typeOf .) "time.Time" -}}another time{{- else -}}{{- durationRound . -}}{{- end -}}{{- end -}}"#,
);

/// What the renders of one release showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// helm's bytes.
    pub manifest: Vec<u8>,
    /// The reasons why it is not deterministic, one line each; empty when it is.
    pub unstable: Vec<String>,
    /// Where the chart reads what a source-built helm cannot equal, one line each.
    pub reads_build: Vec<String>,
}

/// Renders a release anew and looks for anything that is not a function of its inputs.
///
/// # Errors
/// When helm fails.
pub fn verify(helm: &Helm, release: &Release) -> Result<Verdict> {
    require_whole(&release.chart)?;
    let templates = templates(release)?;
    let first = run(helm, release, None)?;
    let reads_build = templates.iter().flat_map(|(path, text)| build_reads(path, text)).collect();
    let mut verdict = Verdict { manifest: first, unstable: Vec::new(), reads_build };
    let some = |functions: &[&str]| templates.values().any(|text| !calls(text, functions).is_empty());
    let mut zones = vec![Some(EAST)];
    if some(&ZONE) {
        zones.push(Some(WEST));
    }
    if some(&FEW) {
        zones.extend([None; MORE]);
    }
    for zone in zones {
        if let Some(template) = first_difference(&verdict.manifest, &run(helm, release, zone)?) {
            verdict.unstable =
                culprits(&templates, &template, &[&[&RANDOM[..], &CLOCK].concat(), &[&ZONE[..], &ORDER].concat()]);
            return Ok(verdict);
        }
    }
    let temp = temporary()?;
    let store = ChartStore { root: temp.path().to_path_buf() };
    let Some(other) = changed(release, &templates, &store)? else { return Ok(verdict) };
    let other = Release { chart: other, ..release.clone() };
    for _ in 0..if some(&ORDER) { REVERSED } else { 1 } {
        if let Some(template) = first_difference(&verdict.manifest, &run(helm, &other, None)?) {
            verdict.unstable = culprits(&templates, &template, &[&[&CLOCK[..], &ORDER].concat()]);
            break;
        }
    }
    Ok(verdict)
}

/// Makes a directory that goes with its value.
fn temporary() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|error| Error::io("make a temporary directory", &error))
}

/// Renders a release anew; with a zone, as another user in another place.
fn run(helm: &Helm, release: &Release, zone: Option<i32>) -> Result<Vec<u8>> {
    let mut call = helm.template(release, ValuesFrom::Stdin);
    let other = temporary()?;
    if let (Some(hours), Environment::Only(vars)) = (zone, &mut call.env) {
        // A file of kilter's own: a machine need not have a database of time zones.
        let file = other.path().join("zone");
        fsx::write(&file, &zone_file(hours))?;
        vars.insert("TZ".into(), file.to_string_lossy().into_owned());
        vars.insert("HOME".into(), other.path().to_string_lossy().into_owned());
        vars.insert("LC_ALL".into(), "C.UTF-8".into());
        vars.insert("USER".into(), "somebody-else".into());
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

/// Returns a time zone so many hours east of UTC, in the format of RFC 8536, version 1: a header with six counts (here
/// one zone and four letters), the zone, its name.
fn zone_file(hours: i32) -> Vec<u8> {
    let mut file = b"TZif".to_vec();
    file.extend([0; 16]);
    for count in [0_u32, 0, 0, 0, 1, 4] {
        file.extend(count.to_be_bytes());
    }
    file.extend((hours * 3600).to_be_bytes());
    file.extend([0, 0]);
    file.extend(b"KLT\0");
    file
}

/// Returns the line of a place in a text, counted from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
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

/// Names the functions that may be to blame. `groups` are functions by how likely they are it; of one group, those that
/// the template itself calls are named before those that its helpers call.
fn culprits(templates: &BTreeMap<String, String>, source: &str, groups: &[&[&str]]) -> Vec<String> {
    let own = |path: &str| source.ends_with(&format!("/{path}"));
    let helper = |path: &str| path.ends_with(".tpl");
    for functions in groups {
        for place in [&own as &dyn Fn(&str) -> bool, &helper] {
            let paths = templates.iter().filter(|(path, _)| place(path));
            let found = paths.flat_map(|(path, text)| {
                calls(text, functions)
                    .into_iter()
                    .map(move |(line, function)| format!("{path}:{line} calls `{function}`"))
            });
            let found: Vec<String> = found.collect();
            if !found.is_empty() {
                return found;
            }
        }
    }
    let source = source.split_once('/').map_or(source, |(_, path)| path);
    vec![format!("{source} prints something else each time")]
}

/// Finds calls of functions inside `{{ }}`, comments and strings left out: (line, function). What lists a map is left out
/// where the list is sorted.
fn calls(text: &str, functions: &[&str]) -> Vec<(usize, String)> {
    let words = actions(text).into_iter().flat_map(|action| {
        let sorted = text[action.clone()].contains("sortAlpha");
        let kept = move |range: &Range<usize>| !(sorted && ORDER.contains(&&text[range.clone()]));
        words(text, action).into_iter().filter(kept)
    });
    let calls = words.filter(|range| functions.contains(&&text[range.clone()]));
    calls.map(|range| (line(text, range.start), text[range].to_owned())).collect()
}

/// Byte ranges of the insides of `{{ }}`, comments left out.
pub(super) fn actions(text: &str) -> Vec<Range<usize>> {
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

/// Puts a copy of the chart into a store in which the clock shows another time and maps have the reverse order; `None`
/// when no template reads either.
fn changed(release: &Release, templates: &BTreeMap<String, String>, store: &ChartStore) -> Result<Option<Chart>> {
    let read = [&CLOCK[..], &ORDER].concat();
    if templates.values().all(|text| calls(text, &read).is_empty()) {
        return Ok(None);
    }
    let mut files = read_files(&release.chart.dir, &release.chart.name)?;
    for (path, text) in templates {
        files.insert(path.clone(), change(text).into_bytes());
    }
    files.insert(ROUND.0.to_owned(), ROUND.1.as_bytes().to_vec());
    store.files(&files, &release.chart.name).map(Some)
}

/// Replaces every call of `now` by a fixed time, `ago` by what prints something else than a duration, and so `durationRound`
/// where it is given a time; puts `reverse` behind what lists a map.
fn change(text: &str) -> String {
    let mut edits: Vec<(Range<usize>, &str)> = Vec::new();
    for action in actions(text) {
        for range in words(text, action.clone()) {
            match &text[range.clone()] {
                "now" => edits.push((range, OTHER_TIME)),
                "ago" => edits.push((range, "toString")),
                "durationRound" => edits.push((range, OTHER_ROUND)),
                word if ORDER.contains(&word) => {
                    let end = command_end(text, range.end..action.end);
                    edits.push((end..end, " | reverse"));
                }
                _ => {}
            }
        }
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut out = String::new();
    let mut copied = 0;
    for (range, new) in edits {
        out.push_str(&text[copied..range.start]);
        out.push_str(new);
        copied = range.end;
    }
    out + &text[copied..]
}

/// Returns where a command of a pipeline ends: before the next `|`, the `)` around it, or the end of the action.
fn command_end(text: &str, rest: Range<usize>) -> usize {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in text[rest.clone()].char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open && (before != '\\' || open == '`') => quote = None,
            (Some(_), _) => {}
            (None, '"' | '`' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, '|') if depth == 0 => return rest.start + at,
            (None, ')') if depth == 0 => return rest.start + at,
            (None, ')') => depth -= 1,
            (None, _) => {}
        }
        before = c;
    }
    rest.start + text[rest.clone()].trim_end_matches('-').trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_where_they_are_calls() {
        let text = "a: {{ now | date \"now\" }}\nb: {{/* randAlpha */}}\nc: {{ .Values.now }} {{ $now }}\nd: {{- randAlphaNum 5 -}}\nnow";
        let found = calls(text, &["now", "randAlpha", "randAlphaNum"]);
        assert_eq!(found, [(1, "now".to_owned()), (4, "randAlphaNum".to_owned())]);
        assert!(change(text).starts_with("a: {{ (toDate \"2006-01-02\" \"2001-02-03\") | date \"now\" }}\nb:"));
    }

    #[test]
    fn a_list_of_a_map_is_turned_where_its_command_ends() {
        let turned = |text: &str| change(text);
        assert_eq!(turned("{{- keys .a -}}"), "{{- keys .a | reverse -}}");
        assert_eq!(turned("{{ .a | keys | join \",\" }}"), "{{ .a | keys  | reverse| join \",\" }}");
        assert_eq!(turned("{{ range (keys (get .a \"|)\")) }}"), "{{ range (keys (get .a \"|)\") | reverse) }}");
        assert_eq!(turned("{{ .Values.keys }} {{/* keys */}}"), "{{ .Values.keys }} {{/* keys */}}");
        assert!(calls("{{ keys .a | sortAlpha }}", &ORDER).is_empty());
    }
}
