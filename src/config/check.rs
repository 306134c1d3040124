//! A tree held against the schema: every problem at once, and the value that serde reads.

use serde_json::{Map, Value};

use super::node::{Key, Node, NodeKind, PathItem, Scalar};
use super::scalar::{self, Typed};
use super::source::Source;
use super::words::{self, label};
use super::{patterns, schema};
use crate::diag::Problem;
use crate::ids::did_you_mean;

/// Checks a file against the schema. Returns the value without what is wrong in it, and what is wrong.
pub(super) fn check(source: &Source, root: &Node) -> (Value, Vec<Problem>) {
    let mut checker = Checker { source, path: Vec::new(), problems: Vec::new() };
    let value = if root.is_null() { None } else { checker.value(root, None, schema::schema()) };
    (value.unwrap_or_else(|| Value::Object(Map::new())), checker.problems)
}

struct Checker<'a> {
    source: &'a Source,
    path: Vec<PathItem>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    /// Checks one value; `key` is the key it stands under, if any.
    fn value(&mut self, node: &Node, key: Option<&Key>, schema: &'static Value) -> Option<Value> {
        if schema == &Value::Bool(true) {
            return self.free(node, key);
        }
        let options = alternatives(schema);
        let constants: Vec<&str> = options.iter().filter_map(|o| o.get("const").and_then(Value::as_str)).collect();
        if node.is_null() && options.iter().any(|option| types(option).any(|kind| kind == "null")) {
            return Some(Value::Null);
        }
        if !constants.is_empty() {
            return self.constant(node, key, &constants);
        }
        let Some(option) = options.iter().find(|option| types(option).any(|kind| admits(kind, node))) else {
            let wanted: Vec<&str> = options.iter().flat_map(|option| types(option)).filter(|t| *t != "null").collect();
            self.wrong_type(node, key, &wanted);
            return None;
        };
        match &node.kind {
            NodeKind::Map(entries) => self.map(node, entries, option),
            NodeKind::List(items) => Some(self.list(items, option)),
            NodeKind::Scalar(scalar) => self.scalar(node, key, scalar, option),
        }
    }

    fn map(&mut self, node: &Node, entries: &[(Key, Node)], schema: &'static Value) -> Option<Value> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let rest = schema.get("additionalProperties");
        let known = |key: &str| properties.is_some_and(|properties| properties.contains_key(key));
        let required =
            || schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let missing: Vec<&str> = required().filter(|name| node.get(name).is_none()).collect();
        if let (Some((first, _)), false) = (entries.first(), missing.is_empty())
            && !known(&first.text)
        {
            self.nameless(first, missing[0]);
            return None;
        }
        let mut out = Map::new();
        for (key, value) in entries {
            let property = properties.and_then(|properties| properties.get(&key.text));
            let Some(schema) = property.or(rest).filter(|schema| **schema != Value::Bool(false)) else {
                self.unknown_key(key, properties);
                continue;
            };
            self.path.push(PathItem::Key(key.text.clone()));
            let value = self.value(value, Some(key), schema);
            self.path.pop();
            // An optional key without a value is a key that is not there.
            let absent = property.is_some() && value == Some(Value::Null);
            if let Some(value) = value.filter(|_| !absent) {
                out.insert(key.text.clone(), value);
            }
        }
        for name in &missing {
            let what = format!("{} has no `{name}`", self.label());
            // A key that is there without a value was reported with its value.
            if node.entry(name).is_none() {
                let place = entries.first().map_or(&node.span, |(key, _)| &key.span);
                self.report(Problem::new(what).at(self.source.place(place)).help(format!("Add `{name}:` to it.")));
            }
        }
        missing.is_empty().then_some(Value::Object(out))
    }

    /// A map that lacks what names it and starts with a strange key: most likely the name itself.
    fn nameless(&mut self, first: &Key, required: &str) {
        let what = format!("{} has no `{required}`", self.label());
        let help = if self.path.first() == Some(&"services".into()) {
            format!("Write `- {required}: {}` and put the details below it, indented alike.", first.text)
        } else {
            format!("Add `{required}:` to it.")
        };
        self.report(Problem::new(what).at(self.source.place(&first.span)).help(help));
    }

    fn unknown_key(&mut self, key: &Key, properties: Option<&Map<String, Value>>) {
        let known: Vec<&str> = properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let what = match self.path.as_slice() {
            [] => format!("unknown key `{}`", key.text),
            path => format!("unknown key `{}` in {}", key.text, label(path)),
        };
        let help = match did_you_mean(&key.text, known.iter().copied()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => format!("Known keys here are {}.", words::quoted(&known, "and")),
        };
        self.report(Problem::new(what).at(self.source.place(&key.span)).help(help));
    }

    fn list(&mut self, items: &[Node], schema: &'static Value) -> Value {
        let item_schema = schema.get("items").unwrap_or(&Value::Bool(true));
        let mut out = Vec::new();
        for (index, item) in items.iter().enumerate() {
            self.path.push(PathItem::Index(index));
            out.extend(self.value(item, None, item_schema));
            self.path.pop();
        }
        Value::Array(out)
    }

    fn scalar(&mut self, node: &Node, key: Option<&Key>, scalar: &Scalar, schema: &'static Value) -> Option<Value> {
        if takes_text_as_written(schema) {
            return Some(Value::String(scalar.text.clone()));
        }
        match &scalar.typed {
            Typed::Null => Some(Value::Null),
            Typed::Bool(value) => Some(Value::Bool(*value)),
            Typed::Float(value) => Some(Value::from(*value)),
            Typed::Int(value) => self.number(node, *value, &scalar.text, schema),
            Typed::Text => self.text(node, key, &scalar.text, schema),
        }
    }

    fn number(&mut self, node: &Node, value: i128, text: &str, schema: &Value) -> Option<Value> {
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        // Bounds are small whole numbers: a float holds them exactly, and an `i128` beyond them stays beyond.
        #[expect(clippy::cast_precision_loss, reason = "only compared with small numbers")]
        let number = value as f64;
        let (min, max) = (bound("minimum"), bound("maximum"));
        if min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max) {
            return i64::try_from(value).ok().map(Value::from).or_else(|| u64::try_from(value).ok().map(Value::from));
        }
        let range = match (min, max) {
            (Some(min), Some(max)) => format!("between {min} and {max}"),
            (Some(min), None) => format!("at least {min}"),
            _ => format!("at most {}", max.unwrap_or_default()),
        };
        let what = format!("{} must be {range}, not {text}", self.label());
        self.report(Problem::new(what).at(self.source.place(&node.span)).help("Write a number in that range."));
        None
    }

    fn text(&mut self, node: &Node, key: Option<&Key>, text: &str, schema: &Value) -> Option<Value> {
        let place = self.source.place(node.shown_span(key));
        if text.is_empty() && schema.get("minLength").is_some() {
            let help = "Write a value, or delete the line.";
            self.report(Problem::new(format!("{} is empty", self.label())).at(place).help(help));
            return None;
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
            && let Some((what, help)) = patterns::complaint(pattern, &self.label(), text)
        {
            self.report(Problem::new(what).at(place).help(help));
            return None;
        }
        Some(Value::String(text.into()))
    }

    fn constant(&mut self, node: &Node, key: Option<&Key>, constants: &[&str]) -> Option<Value> {
        if let Some(text) = node.as_text().filter(|text| constants.contains(text)) {
            return Some(Value::String(text.into()));
        }
        let what = format!("{} must be {}, not {}", self.label(), words::quoted(constants, "or"), words::found(node));
        let near = node.as_text().and_then(|text| did_you_mean(text, constants.iter().copied()));
        let help = format!("Write `{}`.", near.unwrap_or(constants[0]));
        self.report(Problem::new(what).at(self.source.place(node.shown_span(key))).help(help));
        None
    }

    fn wrong_type(&mut self, node: &Node, key: Option<&Key>, wanted: &[&str]) {
        let what = if node.is_null() {
            format!("{} has no value", self.label())
        } else {
            format!("{} must be {}, not {}", self.label(), words::wanted(wanted), words::found(node))
        };
        let mut problem = Problem::new(what).at(self.source.place(node.shown_span(key)));
        if let Some(help) = words::fix(&self.path, node, wanted) {
            problem = problem.help(help);
        }
        self.report(problem);
    }

    /// Takes a value that kilter passes on and does not judge, as long as all who read it agree on what it is.
    fn free(&mut self, node: &Node, key: Option<&Key>) -> Option<Value> {
        match &node.kind {
            NodeKind::Map(entries) => {
                let entry = |(key, value): &(Key, Node)| Some((key.text.clone(), self.free(value, Some(key))?));
                Some(Value::Object(entries.iter().filter_map(entry).collect()))
            }
            NodeKind::List(items) => {
                Some(Value::Array(items.iter().filter_map(|item| self.free(item, None)).collect()))
            }
            NodeKind::Scalar(scalar) => self.free_scalar(node, key, scalar),
        }
    }

    fn free_scalar(&mut self, node: &Node, key: Option<&Key>, scalar: &Scalar) -> Option<Value> {
        let plain = self.source.text().get(node.span.clone()) == Some(scalar.text.as_str());
        if let Some(old) = scalar::old_meaning(&scalar.text).filter(|_| plain) {
            let what = format!("`{}` means `{old}` to helm and something else to newer YAML readers", scalar.text);
            let help = format!("Write `{old}`, or `\"{}\"` where text is meant.", scalar.text);
            self.report(Problem::new(what).at(self.source.place(node.shown_span(key))).help(help));
            return None;
        }
        if let Some(value) = scalar.to_json() {
            return Some(value);
        }
        let what = format!("`{}` is no number that a chart can take", scalar.text);
        let help = format!("Write `\"{}\"` where text is meant.", scalar.text);
        self.report(Problem::new(what).at(self.source.place(&node.span)).help(help));
        None
    }

    fn label(&self) -> String {
        label(&self.path)
    }

    fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

/// Follows references and unfolds `anyOf` and `oneOf`.
fn alternatives(schema: &'static Value) -> Vec<&'static Value> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = schema::schema().pointer(reference.trim_start_matches('#'));
        return target.map(alternatives).unwrap_or_default();
    }
    match schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        Some(options) => options.iter().flat_map(alternatives).collect(),
        None => vec![schema],
    }
}

fn types(schema: &'static Value) -> impl Iterator<Item = &'static str> {
    let (one, many) = match schema.get("type") {
        Some(Value::String(one)) => (Some(one.as_str()), None),
        Some(Value::Array(many)) => (None, Some(many)),
        _ => (None, None),
    };
    one.into_iter().chain(many.into_iter().flatten().filter_map(Value::as_str))
}

/// Tells whether a schema wants text and takes numbers and booleans as they are written.
fn takes_text_as_written(schema: &'static Value) -> bool {
    ["string", "number", "boolean"].iter().all(|kind| types(schema).any(|t| t == *kind))
}

fn admits(kind: &str, node: &Node) -> bool {
    match (&node.kind, kind) {
        (NodeKind::Map(_), "object") | (NodeKind::List(_), "array") => true,
        (NodeKind::Scalar(scalar), kind) => matches!(
            (&scalar.typed, kind),
            (Typed::Null, "null")
                | (Typed::Bool(_), "boolean")
                | (Typed::Int(_), "integer" | "number")
                | (Typed::Float(_), "number")
                | (Typed::Text, "string")
        ),
        _ => false,
    }
}
