//! What a schema cannot say: rules over several keys of `kilter.yaml`. They read the tree, pass over what has the
//! wrong type (the schema's problem) and so work on files with other problems as well.

use std::collections::HashMap;

use super::load::Known;
use super::node::{Key, Node};
use super::services;
use super::source::Source;
use super::words;
use crate::diag::Problem;
use crate::ids::{APP, Digest, did_you_mean, environment_name};

/// The tools that kilter runs.
const TOOLS: [&str; 5] = ["helm", "tilt", "kind", "kubectl", "sops"];
/// The platforms that kilter runs on.
const PLATFORMS: [&str; 4] = ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"];
/// Longest name of a Secret (a DNS subdomain).
const MAX_SECRET_NAME: usize = 253;

/// Checks every rule and returns every problem.
pub(super) fn check(source: &Source, root: &Node, catalog: Known<'_>) -> Vec<Problem> {
    let mut rules = Rules { source, problems: Vec::new() };
    services::check(&mut rules, root, catalog);
    rules.env(root.get("env"));
    if let Some(path) = root.get("envFile") {
        rules.path("envFile", path);
    }
    rules.environments(root);
    for name in root.get("appSecrets").map_or(&[][..], Node::items) {
        rules.secret_name(name.as_text(), name, None);
    }
    rules.components(root);
    rules.routes(root);
    if let Some(path) = root.get("deploy").and_then(|deploy| deploy.get("dockerfile")) {
        rules.path("dockerfile", path);
    }
    rules.cluster(root);
    rules.tools(root);
    rules.problems
}

/// The problems found so far.
pub(super) struct Rules<'a> {
    source: &'a Source,
    problems: Vec<Problem>,
}

impl Rules<'_> {
    /// Reports a problem with a value.
    pub(super) fn value(&mut self, node: &Node, key: Option<&Key>, what: String, help: impl Into<String>) {
        let place = self.source.place(node.shown_span(key));
        self.problems.push(Problem::new(what).at(place).help(help));
    }

    /// Reports a problem with a key.
    pub(super) fn key(&mut self, key: &Key, what: String, help: impl Into<String>) {
        self.problems.push(Problem::new(what).at(self.source.place(&key.span)).help(help));
    }

    /// Returns the line (from 1) of a value, for messages about another one.
    pub(super) fn line(&self, node: &Node) -> usize {
        self.source.line_of(node.span.start) + 1
    }

    /// Checks the names of environment variables.
    pub(super) fn env(&mut self, env: Option<&Node>) {
        for (key, _) in env.map_or(&[][..], Node::entries) {
            let mut chars = key.text.chars();
            let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            if !first || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
                let what = format!("`{}` is not a name of an environment variable", key.text);
                self.key(key, what, "Use letters, digits and `_`, with no digit first.");
            }
        }
    }

    /// Checks that a path stays in the project.
    pub(super) fn path(&mut self, name: &str, node: &Node) {
        let Some(path) = node.as_text() else { return };
        let why = if path.is_empty() {
            "is empty"
        } else if path.starts_with(['/', '~', '\\']) || path.get(1..2) == Some(":") {
            "is not relative to the project"
        } else if path.split(['/', '\\']).any(|part| part == "..") {
            "leaves the project"
        } else {
            return;
        };
        let what = format!("`{name}` {why}{}", if path.is_empty() { String::new() } else { format!(": `{path}`") });
        self.value(node, None, what, "Write a path inside the project, relative to kilter.yaml, without `..`.");
    }

    fn environments(&mut self, root: &Node) {
        for (key, environment) in root.get("environments").map_or(&[][..], Node::entries) {
            if let Err(what) = environment_name(&key.text) {
                self.key(key, what, "The name of an environment becomes part of names in Kubernetes.");
            }
            self.env(environment.get("env"));
            for (secret, path) in environment.get("secrets").map_or(&[][..], Node::entries) {
                self.secret_name(Some(&secret.text), path, Some(secret));
                self.path(&secret.text, path);
            }
        }
    }

    fn secret_name(&mut self, name: Option<&str>, node: &Node, key: Option<&Key>) {
        let Some(name) = name else { return };
        let label = |label: &str| {
            let ok = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            ok && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
        };
        if name.len() <= MAX_SECRET_NAME && name.split('.').all(label) {
            return;
        }
        let what = format!("`{name}` is not a name of a Secret");
        let help = "Use lower-case letters, digits, `-` and `.`, with a letter or digit at both ends.";
        match key {
            Some(key) => self.key(key, what, help),
            None => self.value(node, None, what, help),
        }
    }

    fn components(&mut self, root: &Node) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for component in root.get("components").map_or(&[][..], Node::items) {
            self.env(component.get("env"));
            let Some((name, text)) = component.get("name").and_then(|name| Some((name, name.as_text()?))) else {
                continue;
            };
            if text == APP {
                self.value(
                    name,
                    None,
                    format!("the name `{APP}` is the app's own"),
                    "Give the component another name.",
                );
            }
            if let Some(line) = seen.get(text) {
                let help = format!("Give it another name: the first is on line {line}.");
                self.value(name, None, format!("there are two components `{text}`"), help);
            } else {
                seen.insert(text, self.line(name));
            }
        }
    }

    /// What is routed to a component is routed to no other, and takes a port.
    fn routes(&mut self, root: &Node) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for component in root.get("components").map_or(&[][..], Node::items) {
            let Some((key, route)) = component.entry("route").filter(|(_, route)| !route.is_null()) else { continue };
            let Some(text) = route.as_text() else { continue };
            if component.get("port").is_none_or(Node::is_null) {
                let help = "Add `port:` with the port that the component listens on, or delete the line.";
                self.key(key, "a component with a `route` has no `port`".into(), help);
            }
            let leads = crate::ids::route_of(text);
            if leads == "/" {
                let help = "Write a path below it, for example `/api`, or a host name.";
                self.value(route, Some(key), "the route `/` is the app's own".into(), help);
            } else if let Some(line) = seen.get(leads) {
                let help = format!("Give it another path or host name: the first is on line {line}.");
                self.value(route, Some(key), format!("two components have the route `{leads}`"), help);
            } else {
                seen.insert(leads, self.line(route));
            }
        }
    }

    fn cluster(&mut self, root: &Node) {
        let Some((cluster_key, cluster)) = root.entry("cluster") else { return };
        let provider = cluster.get("provider").map_or(Some("kind"), Node::as_text);
        for field in ["context", "registry"] {
            let entry = cluster.entry(field).filter(|(_, value)| !value.is_null());
            match (provider, entry) {
                // A registry of its own the cluster announces.
                (Some("context"), None) if field == "context" => {
                    let key = cluster.entry("provider").map_or(cluster_key, |(key, _)| key);
                    let help = "Add `context:` with the name of a context of your kubeconfig (`kubectl config get-contexts` lists them).";
                    self.key(key, "`provider: context` needs `context`".into(), help);
                }
                (Some("kind"), Some((key, _))) => {
                    let help = "Add `provider: context` for a cluster that exists, or delete the line.";
                    self.key(key, format!("`{field}` means nothing to a cluster that kilter makes with kind"), help);
                }
                _ => {}
            }
        }
    }

    fn tools(&mut self, root: &Node) {
        for (key, pin) in root.get("tools").map_or(&[][..], Node::entries) {
            if !TOOLS.contains(&key.text.as_str()) {
                let help = near_or_all(&key.text, &TOOLS, "Tools are");
                self.key(key, format!("unknown tool `{}`", key.text), help);
            }
            for (platform, sum) in pin.get("sha256").map_or(&[][..], Node::entries) {
                if !PLATFORMS.contains(&platform.text.as_str()) {
                    let help = near_or_all(&platform.text, &PLATFORMS, "Platforms are");
                    self.key(platform, format!("unknown platform `{}`", platform.text), help);
                }
                if let Some(text) = sum.as_text().filter(|text| Digest::parse(text).is_none()) {
                    let what = format!("`{text}` is not a SHA-256 checksum");
                    self.value(
                        sum,
                        Some(platform),
                        what,
                        "Write its 64 digits, 0 to 9 and a to f, as the release page shows them.",
                    );
                }
            }
        }
    }
}

/// Returns "Did you mean …" or the list of all.
pub(super) fn near_or_all(word: &str, all: &[&str], are: &str) -> String {
    match did_you_mean(word, all.iter().copied()) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("{are} {}.", words::quoted(all, "and")),
    }
}
