//! YAML text → [`Node`], by the events of the parser.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, Tag};

use super::node::{Key, Node, NodeKind, Scalar, Style};
use super::scalar::{self, Typed};
use super::source::Source;
use super::syntax;
use crate::diag::{Error, Kind, Problem, Result};

/// Deepest nesting of maps and lists.
const MAX_DEPTH: usize = 64;
/// Most values a file may unfold to, aliases counted each time they are used.
const MAX_NODES: usize = 50_000;
/// Most bytes of text a file may unfold to.
const MAX_TEXT: usize = 8 * 1024 * 1024;

/// A file read: its tree, its comments, and what was wrong without being in the way.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Node,
    pub(super) comments: Vec<Range<usize>>,
    pub(super) problems: Vec<Problem>,
}

/// Reads the one YAML document of a file. An empty file is a null.
///
/// # Errors
/// The first thing that is not YAML, or beyond the limits, in our words.
pub(super) fn parse(source: &Source, comments: bool) -> Result<Tree> {
    let options = granit_parser::options! {
        emit_comments: comments,
        // Comments cannot be more than the file, whose size is limited.
        max_buffered_comment_events: usize::MAX,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder::new(source);
    for event in Parser::new_from_str_with_options(source.text(), options) {
        let (event, span) = event.map_err(|error| fatal(syntax::problem(source, &error)))?;
        builder.event(event, &span)?;
    }
    let nothing = Scalar { text: String::new(), typed: Typed::Null };
    let root = builder.root.take();
    let root = root.unwrap_or(Node { kind: NodeKind::Scalar(nothing), span: 0..0, style: Style::Plain });
    Ok(Tree { root, comments: builder.comments, problems: builder.problems })
}

/// What a subtree costs wherever it is used.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    nodes: usize,
    text: usize,
    depth: usize,
}

/// A map or list whose end has not come.
struct Open {
    kind: NodeKind,
    key: Option<Key>,
    /// The keys of a map so far, each with where it was.
    seen: HashMap<String, usize>,
    span: Range<usize>,
    style: Style,
    anchor: usize,
    weight: Weight,
}

struct Builder<'a> {
    source: &'a Source,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, Weight)>,
    root: Option<Node>,
    documents: usize,
    total: Weight,
    comments: Vec<Range<usize>>,
    problems: Vec<Problem>,
}

impl<'a> Builder<'a> {
    fn new(source: &'a Source) -> Self {
        Self {
            source,
            open: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            documents: 0,
            total: Weight::default(),
            comments: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<()> {
        let range = span.byte_range().unwrap_or(0..0);
        match event {
            Event::DocumentStart(..) => self.document(&range),
            Event::Comment(..) => {
                self.comments.push(range);
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.check_tag(tag.as_deref(), span, &["str", "null", "bool", "int", "float"]);
                let node = self.scalar_node(&text, style, tag.as_deref(), range);
                self.value(node, anchor, Weight { nodes: 1, text: text.len(), depth: 0 })
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.check_tag(tag.as_deref(), span, &["seq"]);
                self.start(NodeKind::List(Vec::new()), style, anchor, range)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.check_tag(tag.as_deref(), span, &["map"]);
                self.start(NodeKind::Map(Vec::new()), style, anchor, range)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&range),
            Event::Alias(anchor) => self.alias(anchor, range),
            _ => Ok(()),
        }
    }

    fn document(&mut self, range: &Range<usize>) -> Result<()> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        let problem = self.problem(format!("`{}` has more than one document", self.source.file()), range);
        Err(fatal(problem.help("Delete the line `---` and everything that belongs to another file.")))
    }

    fn scalar_node(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Range<usize>) -> Node {
        // The parser gives `~` for a value that is left out.
        let text = if span.is_empty() && style == ScalarStyle::Plain { "" } else { text };
        let typed = match tag.and_then(|tag| tag.core_suffix().map(str::to_owned)) {
            Some(core) if core != "str" => scalar::resolve(text),
            Some(_) => Typed::Text,
            None if tag.is_some() || style != ScalarStyle::Plain => Typed::Text,
            None => scalar::resolve(text),
        };
        Node { kind: NodeKind::Scalar(Scalar { text: text.into(), typed }), span, style: Style::Plain }
    }

    fn check_tag(&mut self, tag: Option<&Tag>, span: &Span, allowed: &[&str]) {
        let Some(tag) = tag else { return };
        let range = span.tag_span().unwrap_or(*span).byte_range().unwrap_or_default();
        let plain = tag.original() == "!";
        if !plain && !tag.core_suffix().is_some_and(|core| allowed.contains(&core)) {
            let problem = self
                .problem(format!("the tag `{}` means nothing here", tag.original()), &range)
                .help("Delete the tag; put the value in quotes where text is meant.");
            self.problems.push(problem);
        }
    }

    fn start(&mut self, kind: NodeKind, style: StructureStyle, anchor: usize, span: Range<usize>) -> Result<()> {
        let style = if style == StructureStyle::Flow { Style::Flow } else { Style::Plain };
        self.spend(Weight { nodes: 1, text: 0, depth: 1 }, &span)?;
        let seen = HashMap::new();
        self.open.push(Open {
            kind,
            key: None,
            seen,
            span,
            style,
            anchor,
            weight: Weight { nodes: 1, text: 0, depth: 1 },
        });
        Ok(())
    }

    fn end(&mut self, range: &Range<usize>) -> Result<()> {
        let Some(mut open) = self.open.pop() else { return Ok(()) };
        if open.style == Style::Flow {
            open.span.end = range.end;
        }
        if let NodeKind::Map(entries) = &mut open.kind {
            self.merge(entries);
        }
        let node = Node { kind: open.kind, span: open.span, style: open.style };
        self.place(node, open.anchor, open.weight)
    }

    fn alias(&mut self, anchor: usize, span: Range<usize>) -> Result<()> {
        let Some((node, weight)) = self.anchors.get(&anchor) else {
            let problem = self.problem("an alias stands inside the value that it names".into(), &span);
            return Err(fatal(problem.help("Write the value out, or move the anchor.")));
        };
        let weight = *weight;
        // Checked before the copy is made: this is where a small file could grow without end.
        if !self.affordable(weight) {
            return Err(fatal(self.too_much(&span)));
        }
        let kind = node.kind.clone();
        self.value(Node { kind, span, style: Style::Elsewhere }, 0, weight)
    }

    /// Pays for a finished value and puts it where it belongs.
    fn value(&mut self, node: Node, anchor: usize, weight: Weight) -> Result<()> {
        self.spend(weight, &node.span)?;
        self.place(node, anchor, weight)
    }

    fn affordable(&self, weight: Weight) -> bool {
        self.total.nodes + weight.nodes <= MAX_NODES
            && self.total.text + weight.text <= MAX_TEXT
            && self.open.len() + weight.depth <= MAX_DEPTH
    }

    fn spend(&mut self, weight: Weight, span: &Range<usize>) -> Result<()> {
        if !self.affordable(weight) {
            return Err(fatal(self.too_much(span)));
        }
        self.total.nodes += weight.nodes;
        self.total.text += weight.text;
        Ok(())
    }

    fn too_much(&self, span: &Range<usize>) -> Problem {
        self.problem(
            format!(
                "`{}` unfolds to more than {MAX_NODES} values or nests deeper than {MAX_DEPTH}",
                self.source.file()
            ),
            span,
        )
        .help("Write less, or use fewer aliases (`*name`) of aliases.")
    }

    fn place(&mut self, node: Node, anchor: usize, weight: Weight) -> Result<()> {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.weight.nodes += weight.nodes;
        open.weight.text += weight.text;
        open.weight.depth = open.weight.depth.max(weight.depth + 1);
        if open.style == Style::Plain {
            open.span.end = open.span.end.max(node.span.end);
        }
        match (&mut open.kind, open.key.take()) {
            (NodeKind::List(items), _) => items.push(node),
            (NodeKind::Map(entries), Some(key)) => {
                if let Some(first) = open.seen.get(&key.text) {
                    let line = self.source.line_of(*first) + 1;
                    let problem = Problem::new(format!("`{}` is given twice", key.text))
                        .at(self.source.place(&key.span))
                        .help(format!("Keep one: the first is on line {line}."));
                    self.problems.push(problem);
                } else {
                    open.seen.insert(key.text.clone(), key.span.start);
                    entries.push((key, node));
                }
            }
            (_, None) => {
                let NodeKind::Scalar(scalar) = node.kind else {
                    let problem = self.problem("a list or map cannot be a key".into(), &node.span);
                    return Err(fatal(
                        problem.help("Write a plain word before the `:`; put text with `{{ }}` in quotes."),
                    ));
                };
                open.key = Some(Key { text: scalar.text, span: node.span });
            }
            (NodeKind::Scalar(_), Some(_)) => {}
        }
        Ok(())
    }

    /// Carries out `<<`: what the named maps hold and this one does not.
    fn merge(&mut self, entries: &mut Vec<(Key, Node)>) {
        let Some(at) = entries.iter().position(|(key, _)| key.text == "<<") else { return };
        let (key, from) = entries.remove(at);
        let maps = if let NodeKind::List(items) = from.kind { items } else { vec![from] };
        for map in maps {
            let NodeKind::Map(more) = map.kind else {
                let problem = self.problem("`<<` merges maps, and this is none".into(), map.shown_span(Some(&key)));
                self.problems.push(problem.help("Write `<<: *name` with the anchor of a map."));
                continue;
            };
            for (key, mut node) in more {
                if entries.iter().all(|(k, _)| k.text != key.text) {
                    node.style = Style::Elsewhere;
                    entries.push((key, node));
                }
            }
        }
    }

    fn problem(&self, what: String, span: &Range<usize>) -> Problem {
        Problem::new(what).at(self.source.place(span))
    }
}

fn fatal(problem: Problem) -> Error {
    Error::from_problems(Kind::Project, vec![problem])
}
