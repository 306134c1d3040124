//! Where a template reads of the helm that renders it what a source build cannot equal: all of `.Capabilities.HelmVersion`
//! but version and commit, helm/helm `pkg/chart/common/capabilities.go`.

use super::verify::{actions, line};

const CAPABILITIES: &str = "Capabilities";

/// What of it does not depend on how helm was built. A source build prints another Go version.
const SAME: [&str; 5] =
    ["KubeVersion", "APIVersions", "HelmVersion.Version", "HelmVersion.GitCommit", "HelmVersion.GitTreeState"];

/// Finds where a template reads it, one line each. Who takes `.Capabilities` whole may read it.
pub(super) fn build_reads(path: &str, text: &str) -> Vec<String> {
    let found = actions(text).into_iter().flat_map(|action| {
        let inside = &text[action.clone()];
        let read = inside.match_indices(CAPABILITIES).filter_map(move |(at, _)| {
            let what = what_is_read(&inside[..at], &inside[at + CAPABILITIES.len()..])?;
            Some((action.start + at, what))
        });
        read.collect::<Vec<_>>()
    });
    found.map(|(at, what)| format!("{path}:{} reads `{what}`", line(text, at))).collect()
}

/// Tells what is read where the word stands between these two; nothing when it is the same for every build.
fn what_is_read(before: &str, after: &str) -> Option<&'static str> {
    if after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return None; // another word
    }
    match before.chars().next_back()? {
        '.' => field(before, after),
        quote @ ('"' | '`') => key(after.strip_prefix(quote)?),
        _ => None,
    }
}

/// `.Capabilities` of the root, however it is reached: `$.Capabilities`, `.context.Capabilities`.
fn field(before: &str, after: &str) -> Option<&'static str> {
    let chain = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || "_.$".contains(c))).map_or(0, |at| at + 1);
    let (before, chain) = (before[..chain].trim_end(), &before[chain..]);
    // A value of this name is none of helm's; in a dict of the same name it stays `.Capabilities` to whoever gets that.
    if chain.contains(".Values.") || before.ends_with("\"Capabilities\"") {
        return None;
    }
    match after.trim_start_matches(')').strip_prefix('.') {
        Some(rest) if SAME.iter().any(|same| rest.starts_with(same)) => None,
        Some(rest) if rest.starts_with("HelmVersion") => Some(".Capabilities.HelmVersion"),
        _ => Some(".Capabilities"),
    }
}

/// `"Capabilities"` as a key: `index . "Capabilities"`.
fn key(after: &str) -> Option<&'static str> {
    let next = after.split_whitespace().next().unwrap_or_default();
    let fields = after.split(|c: char| c.is_whitespace() || "\"`()".contains(c)).filter(|word| !word.is_empty());
    let fields = fields.take(2).collect::<Vec<_>>().join(".");
    let same = next.starts_with(['"', '`']) && SAME.iter().any(|same| fields.starts_with(same));
    let handed_on = next.trim_end_matches(')').ends_with(".Capabilities");
    (!same && !handed_on).then_some(".Capabilities")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_depends_on_the_build_is_found() {
        for (text, what) in [
            ("{{ .Capabilities.HelmVersion.GoVersion }}", ".Capabilities.HelmVersion"),
            ("{{ $.Capabilities.HelmVersion | toYaml }}", ".Capabilities.HelmVersion"),
            ("{{ (.Capabilities).HelmVersion.GoVersion }}", ".Capabilities.HelmVersion"),
            ("{{ toYaml .Capabilities }}", ".Capabilities"),
            ("{{ with .Capabilities}}{{.HelmVersion.GoVersion }}{{ end }}", ".Capabilities"),
            ("{{ $c := .root.Capabilities }}", ".Capabilities"),
            ("{{ index . \"Capabilities\" \"HelmVersion\" \"GoVersion\" }}", ".Capabilities"),
            ("{{ (get $ `Capabilities`).HelmVersion }}", ".Capabilities"),
        ] {
            assert_eq!(build_reads("x", text), [format!("x:1 reads `{what}`")], "{text}");
        }
    }

    #[test]
    fn what_every_build_has_is_not() {
        for text in [
            ".Capabilities # {{/* .Capabilities */}}",
            "{{ .Capabilities.HelmVersion.Version }}{{ .Capabilities.HelmVersion.GitCommit }}",
            "{{ if .Capabilities.APIVersions.Has \"v1\" }}{{ (.Capabilities).KubeVersion.Major }}{{ end }}",
            "{{ include \"x\" (dict \"Capabilities\" $.Capabilities \"Values\" .Values) }}",
            "{{ index . \"Capabilities\" \"KubeVersion\" }}{{ index $ \"Capabilities\" \"HelmVersion\" \"Version\" }}",
            "{{ .Values.pod.Capabilities }}{{ .CapabilitiesOf }}{{ \"Capabilities of\" }}",
        ] {
            assert!(build_reads("x", text).is_empty(), "{text}: {:?}", build_reads("x", text));
        }
    }
}
