//! The rules of `services:`.

use std::collections::HashMap;

use super::load::Known;
use super::node::{Key, Node, NodeKind};
use super::rules::{Rules, near_or_all};
use crate::ids::APP;

/// How an inline service is written, for messages.
const INLINE: &str = "For a service that kilter does not know, write its image and port: \
                      `{name: NAME, image: IMAGE:TAG, port: PORT}`.";

/// What `provides` may hold in `{{ }}`, beside `.Port.NAME` and `.Values.PATH`.
const PLACEHOLDERS: [&str; 6] = [".Name", ".Namespace", ".Host", ".Project", ".Password", ".Database"];

/// Checks every entry of `services:`.
pub(super) fn check(rules: &mut Rules<'_>, root: &Node, catalog: Known<'_>) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for entry in root.get("services").map_or(&[][..], Node::items) {
        let name = if matches!(entry.kind, NodeKind::Map(_)) { entry.get("name") } else { Some(entry) };
        if let Some((node, text)) = name.and_then(|name| Some((name, name.as_text()?))) {
            if text == APP {
                rules.value(node, None, format!("the name `{APP}` is the app's own"), "Give the service another name.");
            }
            if let Some(line) = seen.get(text) {
                let help =
                    format!("Delete one, or give it another name with `from: {text}`: the first is on line {line}.");
                rules.value(node, None, format!("there are two services `{text}`"), help);
            } else {
                seen.insert(text, rules.line(node));
            }
        }
        if matches!(entry.kind, NodeKind::Map(_)) {
            details(rules, entry, catalog);
        } else if let Some(text) = entry.as_text().filter(|text| !text.is_empty() && *text != APP) {
            short(rules, entry, text, catalog);
        }
    }
}

/// A service that is a name alone.
fn short(rules: &mut Rules<'_>, entry: &Node, text: &str, catalog: Known<'_>) {
    if catalog.services.contains(&text) {
        return;
    }
    if let Some((name, tag)) = text.split_once(':').filter(|(name, _)| catalog.services.contains(name)) {
        let help = format!("Write `{{name: {name}, image: {name}:{tag}}}` for an image of your choice.");
        rules.value(entry, None, format!("unknown service `{text}`"), help);
        return;
    }
    rules.value(entry, None, format!("unknown service `{text}`"), unknown_help(text, catalog));
}

fn unknown_help(text: &str, catalog: Known<'_>) -> String {
    if let Some(said) = (catalog.absent)(text) {
        return format!("{said} {INLINE}");
    }
    match crate::ids::did_you_mean(text, catalog.services.iter().copied()) {
        Some(near) => format!("Did you mean `{near}`? {INLINE}"),
        None => format!("`kilter catalog` lists the services. {INLINE}"),
    }
}

/// A service with details.
fn details(rules: &mut Rules<'_>, entry: &Node, catalog: Known<'_>) {
    rules.env(entry.get("env"));
    rules.env(entry.get("provides"));
    for (key, value) in entry.get("provides").map_or(&[][..], Node::entries) {
        template(rules, key, value);
    }
    if let Some((from_key, from)) = entry.entry("from").filter(|(_, from)| !from.is_null()) {
        if entry.get("chart").is_some() {
            rules.key(
                from_key,
                "`from` and `chart` exclude each other".into(),
                "Keep `from` for a service of the catalog, or `chart` for a chart.",
            );
        } else if let Some(text) = from.as_text().filter(|text| !catalog.services.contains(text)) {
            let near = || near_or_all(text, catalog.services, "The catalog has");
            rules.value(
                from,
                Some(from_key),
                format!("unknown service `{text}`"),
                (catalog.absent)(text).unwrap_or_else(near),
            );
        }
    }
    match entry.get("chart") {
        Some(chart) => user_chart(rules, entry, chart),
        None => {
            if let Some((key, _)) = given(entry, "version") {
                let what = "`version` is the version of a remote chart, and there is no `chart`".into();
                rules.key(key, what, "Write the version of the product as the tag of `image`.");
            }
            if entry.get("from").is_none() {
                inline(rules, entry, catalog);
            }
        }
    }
}

/// A template of `provides`: its placeholders are known, and closed. Whether a `.Port.NAME` or
/// `.Values.PATH` is there, the plan knows.
fn template(rules: &mut Rules<'_>, key: &Key, value: &Node) {
    let mut rest = value.as_text().unwrap_or_default();
    while let Some(start) = rest.find("{{") {
        let Some(end) = rest[start..].find("}}") else {
            let help = "Close the placeholder, for example `{{ .Host }}`.";
            rules.value(value, Some(key), format!("`{}` has `{{{{` without `}}}}`", key.text), help);
            return;
        };
        let name = rest[start + 2..start + end].trim();
        let mut named = [".Port.", ".Values."].iter().filter_map(|kind| name.strip_prefix(kind));
        if !PLACEHOLDERS.contains(&name) && named.all(str::is_empty) {
            let help = match crate::ids::did_you_mean(name, PLACEHOLDERS) {
                Some(near) => format!("Did you mean `{{{{ {near} }}}}`?"),
                None => format!("Known are {}, .Port.NAME, .Values.PATH.", PLACEHOLDERS.join(", ")),
            };
            rules.value(
                value,
                Some(key),
                format!("`{}`: the placeholder `{{{{ {name} }}}}` is unknown", key.text),
                help,
            );
            return;
        }
        rest = &rest[start + end + 2..];
    }
}

/// A service that is neither a chart nor says `from`: of the catalog by its name, or inline.
fn inline(rules: &mut Rules<'_>, entry: &Node, catalog: Known<'_>) {
    let Some((node, text)) = entry.get("name").and_then(|name| Some((name, name.as_text()?))) else { return };
    if catalog.services.contains(&text) {
        return;
    }
    match (entry.get("image").is_some(), entry.get("port").is_some()) {
        (true, true) => {}
        (true, false) => {
            let help = "Add `port:` with the port that it listens on.";
            rules.value(node, None, format!("the inline service `{text}` has no `port`"), help);
        }
        (false, true) => {
            let help = "Add `image:` with the image to run, or `from:` with a service of the catalog.";
            rules.value(node, None, format!("the inline service `{text}` has no `image`"), help);
        }
        (false, false) => rules.value(node, None, format!("unknown service `{text}`"), unknown_help(text, catalog)),
    }
}

/// A chart of the user's, in the project or from elsewhere.
fn user_chart(rules: &mut Rules<'_>, entry: &Node, chart: &Node) {
    let Some(text) = chart.as_text() else { return };
    let version = given(entry, "version");
    if is_remote(text) {
        if has_user(text) {
            let login = "`\"$(kilter tools path helm)\" registry login HOST`";
            let help = if text.starts_with("oci://") {
                format!("Take it out, kilter.lock and command lines would show it, and log in once: {login}.")
            } else {
                format!(
                    "Take it out, kilter.lock and command lines would show it. A chart that wants a login can come from `oci://`, after {login}."
                )
            };
            rules.value(chart, None, "the address of the chart has a user or password in it".into(), help);
            return;
        }
        if version.is_none() {
            let help = "Add `version:` with the exact version, so that everyone renders the same chart.";
            rules.value(chart, None, format!("the remote chart `{text}` has no `version`"), help);
        }
        if let Some((_, version)) = version {
            exact_version(rules, version);
        }
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        if scheme == "http" && !on_this_machine(rest) {
            let help = format!("Write `https://{rest}`. Plain `http://` is for a repository on this machine.");
            rules.value(chart, None, format!("`{text}` comes over a connection that others can change"), help);
        }
        if rest.split('/').filter(|part| !part.is_empty()).count() < 2 {
            let help = format!("Write the whole address, for example `{scheme}://charts.example.com/redis`.");
            rules.value(chart, None, format!("`{text}` does not name a chart"), help);
        }
        return;
    }
    if let Some((scheme, _)) = text.split_once("://") {
        let help = "Write a path (`./charts/x`), `oci://HOST/…/NAME` or `https://REPOSITORY/NAME`.";
        rules.value(chart, None, format!("`{scheme}://` is not a way to get a chart"), help);
        return;
    }
    rules.path("chart", chart);
    if let Some((key, _)) = version {
        let help = "Delete the line: the version of a chart in the project is in its Chart.yaml.";
        rules.key(key, "`version` means nothing to a chart of the project".into(), help);
    }
}

/// A version that names one chart and not a range of them; some publishers write a `v` before it.
fn exact_version(rules: &mut Rules<'_>, node: &Node) {
    let Some(text) = node.as_text().filter(|text| !text.is_empty()) else { return };
    if semver::Version::parse(text.strip_prefix('v').unwrap_or(text)).is_err() {
        let help = "Write all three numbers, for example `version: 1.2.3`.";
        rules.value(node, None, format!("`{text}` is not an exact version of a chart"), help);
    }
}

/// Tells whether an address names a user before its host.
fn has_user(address: &str) -> bool {
    let (_, rest) = address.split_once("://").unwrap_or_default();
    rest.split(['/', '?', '#', '\\']).next().is_some_and(|authority| authority.contains('@'))
}

/// Tells whether an address without its scheme is of this machine.
fn on_this_machine(rest: &str) -> bool {
    let host = rest.split('/').next().unwrap_or_default();
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(|port| port.is_empty() || port.starts_with(':')))
}

/// Tells whether the text of `chart:` names a chart that is pulled from elsewhere.
pub fn is_remote(chart: &str) -> bool {
    ["oci://", "https://", "http://"].iter().any(|scheme| chart.starts_with(scheme))
}

fn given<'a>(entry: &'a Node, key: &str) -> Option<&'a (Key, Node)> {
    entry.entry(key).filter(|(_, value)| !value.is_null())
}
