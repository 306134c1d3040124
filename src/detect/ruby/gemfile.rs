//! Gemfile (<https://bundler.io/man/gemfile.5.html>) and gemspec
//! (<https://guides.rubygems.org/specification-reference/>), read as far as they are plain: blocks, groups, conditions.

use super::{Gem, RubyManifest};
use crate::detect::confidence::Scope;
use crate::detect::files::Files;
use crate::detect::lex::{Kind, NO_END, NO_PARTNER, Token, tokens, unbalanced};
use crate::detect::places::split;

/// Words that begin what an `end` closes, at the start of a statement.
const OPENERS: [&str; 11] =
    ["if", "unless", "case", "begin", "def", "class", "module", "while", "until", "for", "loop"];

/// Methods by which a Gemfile reads more of the project.
const READS_MORE: [&str; 6] = ["gemspec", "eval_gemfile", "instance_eval", "require_relative", "eval", "plugin"];

/// A block that is open.
struct Block {
    /// What is true of the gems in it; `None` when it changes nothing.
    scope: Option<Scope>,
    /// Of a block of branches: what is true in its `else`.
    otherwise: Option<Scope>,
    line: usize,
}

struct Reader<'a> {
    files: &'a Files<'a>,
    text: &'a str,
    manifest: RubyManifest,
    open: Vec<Block>,
}

/// Reads a Gemfile or a gemspec. What is malformed is a warning, and the rest counts.
pub(super) fn parse(files: &Files<'_>, path: &str, text: &str) -> RubyManifest {
    let (directory, name) = split(path);
    let manifest = RubyManifest {
        dir: directory.into(),
        file: path.into(),
        is_gemfile: !name.ends_with(".gemspec"),
        gems: Vec::new(),
        ruby: None,
        name: None,
        needs_sources: false,
    };
    let mut reader = Reader { files, text, manifest, open: Vec::new() };
    let (tokens, unclosed) = tokens(text);
    if let Some(line) = unclosed {
        reader.malformed(line, NO_END);
    }
    for statement in statements(&tokens) {
        reader.statement(statement);
    }
    // A pattern (`/\(/`) is not told from a division.
    let has_patterns = tokens.iter().any(|token| token.is('/'));
    if let Some(line) = unbalanced(&tokens).filter(|_| reader.manifest.is_gemfile && !has_patterns) {
        reader.malformed(line, NO_PARTNER);
    }
    // A gemspec is code; only a Gemfile is plain enough to say that its blocks do not fit.
    if let Some(line) = reader.open.first().map(|block| block.line).filter(|_| reader.manifest.is_gemfile) {
        reader.malformed(line, "the block that begins here has no `end`");
    }
    reader.manifest
}

/// Splits tokens into statements: at line ends and `;`, but not in brackets, behind a comma or an operator.
fn statements(tokens: &[Token]) -> Vec<&[Token]> {
    // Whether the next token that is no line end begins a statement of its own.
    let mut begins = vec![false; tokens.len() + 1];
    for (at, token) in tokens.iter().enumerate().rev() {
        begins[at] = match token.kind {
            Kind::Newline => begins[at + 1],
            _ => token.word().is_some_and(|word| matches!(word, "gem" | "group" | "source" | "end")),
        };
    }
    let mut out = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Punct('(' | '[' | '{') => depth += 1,
            Kind::Punct(')' | ']' | '}') => depth = depth.saturating_sub(1),
            Kind::Newline | Kind::Punct(';') => {
                let before = tokens[start..at].last().map(|token| &token.kind);
                let goes_on = matches!(before, Some(Kind::Punct(',' | '\\' | '=' | '&' | '|' | '+')));
                // A bracket that is never closed must not swallow the rest.
                if (depth == 0 && !goes_on) || begins[at + 1] || ends_with_parameters(&tokens[start..at]) {
                    out.push(&tokens[start..at]);
                    (start, depth) = (at + 1, 0);
                }
            }
            _ => {}
        }
    }
    out.push(&tokens[start.min(tokens.len())..]);
    out.retain(|statement| statement.iter().any(|token| token.kind != Kind::Newline));
    out
}

/// Tells whether tokens end with the parameters of a block, `do |spec|`, and not with an operator.
fn ends_with_parameters(tokens: &[Token]) -> bool {
    let mut before = tokens.iter().rev().skip(1).skip_while(|token| !token.is('|'));
    let is_open = |token: &Token| token.word() == Some("do") || token.is('{');
    tokens.last().is_some_and(|token| token.is('|')) && before.nth(1).is_some_and(is_open)
}

impl Reader<'_> {
    fn malformed(&self, line: usize, message: &str) {
        self.files.malformed(&self.manifest.file, self.text, line, 1, message);
    }

    fn statement(&mut self, statement: &[Token]) {
        let start = statement.iter().position(|token| token.kind != Kind::Newline).unwrap_or(0);
        let statement = &statement[start..];
        let Some(first) = statement.first() else { return };
        let line = first.line;
        match first.word().unwrap_or_default() {
            "end" => {
                if self.open.pop().is_none() && self.manifest.is_gemfile {
                    self.malformed(line, "an `end` too many");
                }
                return;
            }
            "elsif" => {
                self.branch(Some(condition(statement, false)));
                return;
            }
            "when" | "in" => {
                self.branch(Some(behind_a_condition()));
                return;
            }
            "else" => {
                let otherwise = self.open.last().and_then(|block| block.otherwise.clone());
                self.branch(otherwise);
                return;
            }
            "gem" => self.gem(statement),
            "ruby" => self.manifest.ruby = statement.get(1).and_then(|token| named(token, line)),
            word if READS_MORE.contains(&word) => self.manifest.needs_sources = true,
            word if word.contains(".add_") => self.dependency(word, statement),
            word if word.ends_with(".name") => {
                let value = statement.iter().skip(1).find(|token| token.text().is_some());
                self.manifest.name = value.and_then(|token| named(token, line));
            }
            _ => {}
        }
        if statement.iter().any(|token| matches!(token.word(), Some(word) if is_disk(word))) {
            self.manifest.needs_sources = true;
        }
        self.blocks(statement);
    }

    /// Begins another branch of the innermost block.
    fn branch(&mut self, scope: Option<Scope>) {
        if let Some(block) = self.open.last_mut() {
            block.scope = scope;
        }
    }

    /// Notes the blocks that a statement opens, and those that it closes itself.
    fn blocks(&mut self, statement: &[Token]) {
        let line = statement.first().map_or(1, |token| token.line);
        let first = statement.first().and_then(Token::word).unwrap_or_default();
        let assigned = statement.windows(2).any(|pair| {
            pair[0].is('=') && pair[1].word().is_some_and(|word| matches!(word, "if" | "unless" | "case" | "begin"))
        });
        let opener = OPENERS.contains(&first) || assigned;
        let does = statement.iter().filter(|token| token.word() == Some("do")).count();
        // The `do` of `while x do` is the loop's own.
        let opened = does.max(usize::from(opener));
        let closed = statement.iter().filter(|token| token.word().is_some_and(is_end)).count();
        for _ in closed..opened {
            let (scope, otherwise) = block_scope(first, statement);
            self.open.push(Block { scope, otherwise, line });
        }
        for _ in opened..closed {
            self.open.pop();
        }
    }

    /// Reads `gem "pg", "~> 1", group: :test if ENV["X"]`.
    fn gem(&mut self, statement: &[Token]) {
        let mut rest = &statement[1..];
        if rest.first().is_some_and(|token| token.is('(')) {
            rest = &rest[1..];
        }
        let Some(name) = rest.first().filter(|token| token.text().is_some()) else {
            // `gem name, version` in a loop of the Gemfile's own.
            return;
        };
        let text = name.text().unwrap_or_default();
        if text.is_empty() || text.contains("#{") {
            return;
        }
        let modifier = rest.iter().position(|token| matches!(token.word(), Some("if" | "unless")));
        let (options, condition_of) = rest.split_at(modifier.unwrap_or(rest.len()));
        let mut scopes: Vec<Scope> = self.open.iter().filter_map(|block| block.scope.clone()).collect();
        let groups: Vec<&str> = ["group", "groups"].iter().flat_map(|name| values(options, name)).collect();
        scopes.extend(group_scope(&groups, false));
        let platforms: Vec<&str> = ["platform", "platforms"].iter().flat_map(|name| values(options, name)).collect();
        scopes.extend(platform_scope(&platforms));
        if let Some(first) = condition_of.first() {
            scopes.push(condition(&condition_of[1..], first.word() == Some("unless")));
        }
        if options.iter().any(|token| token.label() == Some("install_if")) {
            scopes.push(condition(options, false));
        }
        if options.iter().any(|token| token.label() == Some("path")) {
            self.manifest.needs_sources = true;
        }
        self.manifest.gems.push(Gem { name: text.into(), line: name.line, scope: least(scopes) });
    }

    /// Reads `spec.add_dependency "pg"` of a gemspec.
    fn dependency(&mut self, method: &str, statement: &[Token]) {
        let scope = match method.rsplit('.').next() {
            Some("add_dependency" | "add_runtime_dependency") => Scope::Runtime,
            Some("add_development_dependency") => Scope::Dev,
            _ => return,
        };
        if let Some(name) = statement.iter().find(|token| token.text().is_some()) {
            let gem = Gem { name: name.text().unwrap_or_default().into(), line: name.line, scope };
            self.manifest.gems.push(gem);
        }
    }
}

fn named(token: &Token, line: usize) -> Option<(String, usize)> {
    token.text().filter(|text| !text.is_empty() && !text.contains("#{")).map(|text| (text.to_owned(), line))
}

/// Tells whether a word closes a block: `end`, also with a call behind it.
fn is_end(word: &str) -> bool {
    word == "end" || word.starts_with("end.")
}

/// Tells whether a word reads from the disk.
fn is_disk(word: &str) -> bool {
    ["File", "Dir", "YAML", "Pathname"].iter().any(|class| word == *class || word.starts_with(&format!("{class}.")))
}

/// Returns what is true of the gems in a block, and what in its `else`.
fn block_scope(first: &str, statement: &[Token]) -> (Option<Scope>, Option<Scope>) {
    let names: Vec<&str> = statement.iter().flat_map(Token::names).collect();
    match first {
        "group" | "groups" => {
            let optional = statement.iter().position(|token| token.label() == Some("optional"));
            let optional = optional.and_then(|at| statement.get(at + 1)).and_then(Token::word) == Some("true");
            (group_scope(&names, optional), None)
        }
        "platform" | "platforms" => (platform_scope(&names), None),
        "source" | "git" | "github" | "path" => (None, None),
        "if" => (Some(condition(statement, false)), Some(condition(statement, true))),
        "unless" => (Some(condition(statement, true)), Some(condition(statement, false))),
        // Each `when` has its own condition; what is before the first is nothing.
        "case" | "begin" | "def" | "class" | "module" | "while" | "until" | "for" => (None, None),
        // A method of the Gemfile's own: `install_if -> { … } do`, `if_true(ENV["X"]) do`.
        _ if asks_environment(statement) || first == "install_if" => (Some(condition(statement, false)), None),
        _ => (None, None),
    }
}

/// Returns the names behind an option: `group: :test`, `:group => [:development, :test]`, `platforms: %i[mri]`.
fn values<'a>(options: &'a [Token], name: &str) -> Vec<&'a str> {
    let is_name =
        |token: &Token| token.label() == Some(name) || matches!(&token.kind, Kind::Symbol(symbol) if symbol == name);
    let Some(at) = options.iter().position(is_name) else { return Vec::new() };
    let mut out = Vec::new();
    let mut depth = 0_usize;
    for token in options[at + 1..].iter().filter(|token| token.kind != Kind::Newline) {
        match token.kind {
            Kind::Punct('=' | '>') => {}
            Kind::Punct('[') => depth += 1,
            Kind::Punct(']') => depth = depth.saturating_sub(1),
            Kind::Punct(',') if depth > 0 => {}
            Kind::Symbol(_) | Kind::Text(_) | Kind::List(_) => out.extend(token.names()),
            _ => break,
        }
        if depth == 0 && !out.is_empty() {
            break;
        }
    }
    out
}

/// Tells the scope of a gem by its groups. Bundler installs every group that is not optional, so a name that says nothing
/// about development or production leaves the gem an ordinary one.
fn group_scope(groups: &[&str], optional: bool) -> Option<Scope> {
    let scopes: Vec<Scope> =
        groups.iter().filter(|name| **name != "default").map(|name| Scope::of_group(name)).collect();
    if optional {
        return Some(groups.first().map_or(Scope::Optional, |name| Scope::Extra((*name).to_owned())));
    }
    if groups.contains(&"default") || scopes.is_empty() {
        return None;
    }
    if scopes.contains(&Scope::Production) {
        return Some(if scopes.contains(&Scope::Dev) { Scope::Runtime } else { Scope::Production });
    }
    // `:assets, :development`: what is for development with a name beside it is still for development.
    scopes.contains(&Scope::Dev).then_some(Scope::Dev)
}

/// A gem for platforms none of which is the Ruby of a Linux container.
fn platform_scope(platforms: &[&str]) -> Option<Scope> {
    let elsewhere = |name: &&str| {
        let name = name.to_ascii_lowercase();
        ["jruby", "mswin", "mingw", "x64_mingw", "windows", "rbx", "truffleruby", "java"]
            .iter()
            .any(|other| name.starts_with(other))
    };
    (!platforms.is_empty() && platforms.iter().all(elsewhere)).then(|| Scope::Aside("for another platform".into()))
}

fn behind_a_condition() -> Scope {
    Scope::Aside("behind a condition".into())
}

fn asks_environment(statement: &[Token]) -> bool {
    statement.iter().any(|token| token.word().is_some_and(|word| word == "ENV" || word.starts_with("ENV.")))
}

/// Tells what a condition leaves of a gem. One about the version of Ruby or Rails chooses between versions of a gem, not
/// whether there is one; one that holds when a variable is not set is the usual case; any other is an option.
fn condition(statement: &[Token], negated: bool) -> Scope {
    const VERSIONS: [&str; 10] =
        ["RUBY", "JRUBY", "Gem", "Bundler", "rails", "RAILS", "next", "version", "VERSION", "RbConfig"];
    let words: Vec<&str> = statement.iter().filter_map(Token::word).collect();
    if asks_environment(statement) {
        let not = statement.iter().any(|token| token.is('!')) || words.iter().any(|word| word.ends_with("nil?"));
        return if negated != not { Scope::Runtime } else { behind_a_condition() };
    }
    let about_versions = words.iter().any(|word| VERSIONS.iter().any(|start| word.starts_with(start)));
    if about_versions || negated { Scope::Runtime } else { behind_a_condition() }
}

/// Returns the scope that leaves the least.
fn least(scopes: Vec<Scope>) -> Scope {
    scopes.into_iter().min_by(|a, b| a.factor().total_cmp(&b.factor())).unwrap_or(Scope::Runtime)
}
