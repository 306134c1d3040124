//! Which objects of a manifest make pods: the names Tilt knows its resources by.

use serde::Deserialize as _;

/// Kinds that make pods.
const KINDS: [&str; 6] = ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"];

/// An object that makes pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Kind, for example `StatefulSet`.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// Reads which workloads a manifest has, in their order.
///
/// A render with nothing changed looks at every manifest, so only documents that are not laid out as helm charts lay
/// them out go through a YAML parser.
pub fn workloads(manifest: &[u8]) -> Vec<Workload> {
    let text = String::from_utf8_lossy(manifest);
    let mut found = Vec::new();
    for document in documents(&text) {
        let (kind, name) = match (top_level(document, "kind"), metadata_name(document)) {
            (Some(kind), Some(name)) => (kind.to_owned(), name.to_owned()),
            _ => match parsed(document) {
                Some(both) => both,
                None => continue,
            },
        };
        if KINDS.contains(&kind.as_str()) {
            found.push(Workload { kind, name });
        }
    }
    found
}

/// Splits a stream of YAML documents at its `---` lines.
fn documents(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.find("\n---").map(|at| at + 1);
        rest = end.map(|end| text[end..].split_once('\n').map_or("", |(_, after)| after));
        Some(&text[..end.unwrap_or(text.len())])
    })
}

/// The plain or quoted scalar of a key that stands at the left margin.
fn top_level<'a>(document: &'a str, key: &str) -> Option<&'a str> {
    document.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": ")).and_then(scalar)
}

/// `metadata.name` in block style.
fn metadata_name(document: &str) -> Option<&str> {
    let mut lines = document.lines().skip_while(|line| line.trim_end() != "metadata:").skip(1);
    let first = lines.next()?;
    let indent = first.len() - first.trim_start().len();
    let block = std::iter::once(first).chain(lines).take_while(|line| line.is_empty() || line.starts_with(' '));
    let mut fields = block.filter(|line| indent > 0 && line.len() > indent && !line[indent..].starts_with(' '));
    fields.find_map(|line| line[indent..].strip_prefix("name: ")).and_then(scalar)
}

/// Takes the quotes off a simple scalar; anything that needs a parser is `None`.
fn scalar(text: &str) -> Option<&str> {
    let text = text.trim();
    let inner = match text.chars().next()? {
        quote @ ('"' | '\'') => text.strip_prefix(quote)?.strip_suffix(quote)?,
        _ => text,
    };
    inner.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)).then_some(inner)
}

fn parsed(document: &str) -> Option<(String, String)> {
    let object = serde_yaml::Value::deserialize(serde_yaml::Deserializer::from_str(document)).ok()?;
    Some((object["kind"].as_str()?.to_owned(), object["metadata"]["name"].as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_are_found_however_they_are_written() {
        let manifest = "---\n# Source: x/templates/a.yaml\napiVersion: v1\nkind: Service\nmetadata:\n  name: a\n\
                        ---\nkind: Deployment\nmetadata:\n  labels:\n    name: not-this\n  name: \"b\"\nspec:\n  template:\n    metadata:\n      name: nor-this\n\n\
                        ---\n{kind: Job, metadata: {name: c}}\n\
                        ---\nmetadata: {name: d}\nkind: 'StatefulSet'\n\
                        ---\n# nothing\n";
        let found: Vec<String> =
            workloads(manifest.as_bytes()).into_iter().map(|w| format!("{} {}", w.kind, w.name)).collect();
        assert_eq!(found, ["Deployment b", "Job c", "StatefulSet d"]);
    }
}
