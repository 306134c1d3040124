//! Objects that are laid out as charts lay them out, read without a YAML parser: a render with nothing changed looks at
//! every manifest, and a parser would be most of its time.

use serde_yaml::{Mapping, Value};

/// The keys of which anything is asked; what is below another one is passed over.
const WANTED: [&str; 18] = [
    "apiVersion",
    "containerPort",
    "containers",
    "kind",
    "labels",
    "matchLabels",
    "metadata",
    "name",
    "namespace",
    "port",
    "ports",
    "protocol",
    "replicas",
    "selector",
    "spec",
    "targetPort",
    "template",
    "type",
];

/// The keys below which every key is wanted.
const WHOLE: [&str; 3] = ["labels", "matchLabels", "selector"];

/// Unquoted words that are no strings, in the YAML of one or the other parser.
const NO_STRINGS: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan"];

/// Reads what is wanted of a document in plain block style; `None` when that needs a parser.
pub(super) fn read(document: &str) -> Option<Value> {
    let lines = document.lines().map(|line| (line.len() - line.trim_start_matches(' ').len(), line.trim()));
    let lines: Vec<_> = lines.filter(|(_, text)| !text.is_empty() && !text.starts_with('#')).collect();
    let indent = lines.first()?.0;
    let mut reader = Reader { lines, at: 0 };
    let value = reader.mapping(indent, false)?;
    (reader.at == reader.lines.len()).then_some(value)
}

/// Lines with their indentation, and how far they are read.
struct Reader<'a> {
    lines: Vec<(usize, &'a str)>,
    at: usize,
}

impl<'a> Reader<'a> {
    fn next(&self) -> Option<(usize, &'a str)> {
        self.lines.get(self.at).copied()
    }

    /// Reads the keys at an indentation; `whole`: all of them.
    fn mapping(&mut self, indent: usize, whole: bool) -> Option<Value> {
        let mut mapping = Mapping::new();
        while let Some((at, text)) = self.next().filter(|(at, _)| *at >= indent) {
            if at > indent {
                return None;
            }
            let (key, value) = entry(text)?;
            self.at += 1;
            if whole || WANTED.contains(&key) {
                let value = match value {
                    "" => self.block(indent, whole || WHOLE.contains(&key))?,
                    value => scalar(value)?,
                };
                mapping.insert(key.into(), value);
            } else {
                self.pass_over(indent);
            }
        }
        Some(Value::Mapping(mapping))
    }

    /// Reads what stands below a key at an indentation.
    fn block(&mut self, indent: usize, whole: bool) -> Option<Value> {
        match self.next() {
            Some((at, text)) if text.starts_with("- ") && at >= indent => self.sequence(at, whole),
            Some((at, _)) if at > indent => self.mapping(at, whole),
            _ => Some(Value::Null),
        }
    }

    fn sequence(&mut self, indent: usize, whole: bool) -> Option<Value> {
        let mut items = Vec::new();
        while let Some((_, text)) = self.next().filter(|(at, text)| *at == indent && text.starts_with('-')) {
            let item = text.strip_prefix("- ")?.trim_start();
            if entry(item).is_some() {
                // The first key of a mapping that goes on below it.
                let inner = indent + text.len() - item.len();
                self.lines[self.at] = (inner, item);
                items.push(self.mapping(inner, whole)?);
            } else {
                items.push(scalar(item)?);
                self.at += 1;
            }
        }
        Some(Value::Sequence(items))
    }

    /// Goes to the next key at an indentation. A list below a key may stand as far left as the key does.
    fn pass_over(&mut self, indent: usize) {
        let inside = |(at, text): (usize, &str)| at > indent || (at == indent && text.starts_with("- "));
        while self.next().is_some_and(inside) {
            self.at += 1;
        }
    }
}

/// Takes a line apart into key and value.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")))?;
    let key = key.trim_end();
    let key = match key.chars().next()? {
        quote @ ('"' | '\'') => key.strip_prefix(quote)?.strip_suffix(quote)?,
        _ => key,
    };
    (!key.is_empty() && key.chars().all(is_plain)).then_some((key, value.trim()))
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._/".contains(c)
}

/// Reads a simple scalar; anything that needs a parser is `None`.
fn scalar(text: &str) -> Option<Value> {
    let first = text.chars().next()?;
    if let quote @ ('"' | '\'') = first {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        return (!inner.contains(['"', '\'', '\\'])).then(|| inner.into());
    }
    if text == "{}" {
        return Some(Value::Mapping(Mapping::new()));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text.parse::<u64>().ok().filter(|_| text == "0" || first != '0')?;
        return Some(number.into());
    }
    let string = first.is_ascii_alphabetic() && text.chars().all(is_plain);
    (string && !NO_STRINGS.contains(&text.to_ascii_lowercase().as_str())).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(document: &str) -> Option<String> {
        read(document).map(|value| serde_json::to_string(&value).unwrap())
    }

    #[test]
    fn what_is_wanted_is_read_and_the_rest_passed_over() {
        let document = " # Source: x\nkind: \"Service\"\nstatus:\n- name: no\ndata:\n  name: |\n    kind: no\n\n    more\nspec:\n\
                        \x20 type: ClusterIP\n  externalIPs:\n  - 1.2.3.4\n  selector:\n    a/b: 'c d'\n    \"x\": z\n  ports:\n\
                        \x20 - name: web\n    port: 80\n    extra: [1, 2]\n\n  -   port: 81\n      targetPort: admin\n";
        let expected = r#"{"kind":"Service","spec":{"type":"ClusterIP","selector":{"a/b":"c d","x":"z"},"ports":[{"name":"web","port":80},{"port":81,"targetPort":"admin"}]}}"#;
        assert_eq!(json(document).as_deref(), Some(expected));
        assert_eq!(
            json("kind: A\nmetadata:\nspec: {}\n").as_deref(),
            Some(r#"{"kind":"A","metadata":null,"spec":{}}"#)
        );
    }

    #[test]
    fn what_is_laid_out_otherwise_needs_a_parser() {
        for document in [
            "",
            "{kind: Job}",
            "kind: &a Job",
            "kind: Job # of ours",
            "kind: on",
            "metadata: {name: x}",
            "metadata:\n  name: 007",
            "metadata:\n  name: 1.5",
            "metadata:\n  name: \"a\\nb\"",
            "metadata:\n  name: two\n    lines",
            "metadata:\n    name: a\n  namespace: b",
            "spec:\n  ports:\n  - - port: 1",
            "spec:\n  ports:\n  -\n    port: 1",
            "spec:\n  selector:\n    ? a\n    : b",
            "  kind: A\nname: b",
        ] {
            assert_eq!(json(document), None, "{document}");
        }
    }
}
