//! What a YAML file says, as a tree in which every key and value knows its place.

use std::ops::Range;

use serde_json::Value;

use super::scalar::Typed;

/// A value of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Its bytes in the text; empty for a value that is left out. For a block list or map: from its first entry to the
    /// end of its last. For an alias: the alias itself.
    pub span: Range<usize>,
    /// How it is written.
    pub style: Style,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// On lines of its own, or a scalar.
    Plain,
    /// In `[]` or `{}`.
    Flow,
    /// `*name`, or by way of `<<`: the text is somewhere else.
    Elsewhere,
}

/// The kinds of values.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    /// Keys with values, in the order of the file, every key once.
    Map(Vec<(Key, Node)>),
    /// A list.
    List(Vec<Node>),
    /// Text, a number, a boolean or nothing.
    Scalar(Scalar),
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The key as text, also when YAML takes it for something else.
    pub text: String,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

/// A value without parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// Its text, quotes and escapes undone; of a number or boolean, as it is written.
    pub text: String,
    /// What YAML 1.2 takes it for.
    pub typed: Typed,
}

/// One step from a value to a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathItem {
    /// To the value of a key.
    Key(String),
    /// To an entry of a list, counted from 0.
    Index(usize),
}

impl From<&str> for PathItem {
    fn from(key: &str) -> Self {
        Self::Key(key.into())
    }
}

impl From<usize> for PathItem {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl Node {
    /// Returns the entries of a map; none for anything else.
    pub fn entries(&self) -> &[(Key, Self)] {
        if let NodeKind::Map(entries) = &self.kind { entries } else { &[] }
    }

    /// Returns the entries of a list; none for anything else.
    pub fn items(&self) -> &[Self] {
        if let NodeKind::List(items) = &self.kind { items } else { &[] }
    }

    /// Returns key and value of an entry of a map.
    pub fn entry(&self, key: &str) -> Option<&(Key, Self)> {
        self.entries().iter().find(|(k, _)| k.text == key)
    }

    /// Returns the value of a key, unless it is null.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, node)| node).filter(|node| !node.is_null())
    }

    /// Returns the text of a scalar that YAML takes for text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(Scalar { text, typed: Typed::Text }) => Some(text),
            _ => None,
        }
    }

    /// Tells whether the value is null or left out.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, NodeKind::Scalar(Scalar { typed: Typed::Null, .. }))
    }

    /// Returns the value at the end of a path and, when the last step is a key, that key.
    pub fn at(&self, path: &[PathItem]) -> Option<(Option<&Key>, &Self)> {
        path.iter().try_fold((None, self), |(_, node), item| match item {
            PathItem::Key(key) => node.entry(key).map(|(key, node)| (Some(key), node)),
            PathItem::Index(index) => node.items().get(*index).map(|node| (None, node)),
        })
    }

    /// Returns the value as JSON, as YAML 1.2 reads it; a number beyond JSON becomes text.
    pub(super) fn to_json(&self) -> Value {
        match &self.kind {
            NodeKind::Map(entries) => {
                Value::Object(entries.iter().map(|(key, node)| (key.text.clone(), node.to_json())).collect())
            }
            NodeKind::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            NodeKind::Scalar(scalar) => scalar.to_json().unwrap_or_else(|| Value::String(scalar.text.clone())),
        }
    }

    /// Returns what to underline for a value: the value, or its key when the value is left out.
    pub fn shown_span<'a>(&'a self, key: Option<&'a Key>) -> &'a Range<usize> {
        match key {
            Some(key) if self.span.is_empty() => &key.span,
            _ => &self.span,
        }
    }
}

impl Scalar {
    /// Returns the value as JSON; `None` for a number that JSON does not have.
    pub(super) fn to_json(&self) -> Option<Value> {
        match &self.typed {
            Typed::Null => Some(Value::Null),
            Typed::Bool(value) => Some(Value::Bool(*value)),
            Typed::Text => Some(Value::String(self.text.clone())),
            Typed::Int(value) => {
                i64::try_from(*value).map(Value::from).or_else(|_| u64::try_from(*value).map(Value::from)).ok()
            }
            Typed::Float(value) => serde_json::Number::from_f64(*value).map(Value::Number),
        }
    }
}
