//! The text of a Gradle script, Groovy or Kotlin, as words, strings and blocks. It is code and never run: what is built at
//! run time is not seen.

use crate::detect::lex::{Brackets, NO_PARTNER};

/// A piece of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub line: usize,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name or a number.
    Word(String),
    /// A string, without its quotes; what is filled in at run time stands in it as it is written.
    Text(String),
    /// Anything else.
    Mark(char),
    /// The end of a line.
    Line,
}

impl Token {
    /// Returns the word, if it is one.
    pub(super) fn word(&self) -> Option<&str> {
        match &self.kind {
            TokenKind::Word(word) => Some(word),
            _ => None,
        }
    }

    /// Returns the string, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            TokenKind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Tells whether it is this mark.
    pub(super) fn is(&self, mark: char) -> bool {
        self.kind == TokenKind::Mark(mark)
    }
}

/// A statement: its tokens without those of the blocks behind it, and the blocks.
#[derive(Debug, Default)]
pub(super) struct Statement {
    pub tokens: Vec<Token>,
    pub blocks: Vec<Vec<Self>>,
}

impl Statement {
    /// Returns the word that it begins with.
    pub(super) fn first(&self) -> &str {
        self.tokens.first().and_then(Token::word).unwrap_or_default()
    }
}

/// A place where the script cannot be read: line, column and what is wrong.
pub(super) type Fault = (usize, usize, &'static str);

/// Blocks further down are not looked into.
const MAX_DEPTH: usize = 48;

/// Reads a script. What could be read is returned beside the first fault.
pub(super) fn parse(text: &str) -> (Vec<Statement>, Option<Fault>) {
    let (tokens, mut fault) = read(text);
    let mut at = 0;
    let statements = statements(&tokens, &mut at, 0);
    if at < tokens.len() && fault.is_none() {
        fault = Some((tokens[at].line, 1, "a `}` closes nothing"));
    }
    let open = tokens.iter().filter(|token| token.is('{')).count();
    let closed = tokens.iter().filter(|token| token.is('}')).count();
    if open > closed && fault.is_none() {
        fault = Some((text.lines().count().max(1), 1, "a block is not closed"));
    }
    let fault = fault.or_else(|| unbalanced(&tokens).map(|line| (line, 1, NO_PARTNER)));
    (statements, fault)
}

/// Returns the pieces of a script in a language that has the same strings and comments; what cannot be read is left out.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    read(text).0
}

fn read(text: &str) -> (Vec<Token>, Option<Fault>) {
    let mut lexer = Lexer { rest: text, line: 1, column: 1, tokens: Vec::new(), fault: None };
    lexer.run();
    (lexer.tokens, lexer.fault)
}

/// Returns the line of the first bracket that does not fit.
fn unbalanced(tokens: &[Token]) -> Option<usize> {
    let mark = |token: &Token| if let TokenKind::Mark(mark) = token.kind { Some((mark, token.line)) } else { None };
    Brackets::misfit(tokens.iter().filter_map(mark))
}

/// Reads statements up to the `}` that ends the block, or to the end.
fn statements(tokens: &[Token], at: &mut usize, depth: usize) -> Vec<Statement> {
    let mut all = Vec::new();
    let mut current = Statement::default();
    let mut parentheses = 0_usize;
    while let Some(token) = tokens.get(*at) {
        match &token.kind {
            TokenKind::Mark('{') => {
                *at += 1;
                if depth >= MAX_DEPTH {
                    skip_block(tokens, at);
                } else {
                    current.blocks.push(statements(tokens, at, depth + 1));
                }
                // The `}` of the block.
                *at += usize::from(*at < tokens.len());
                continue;
            }
            TokenKind::Mark('}') => break,
            TokenKind::Line | TokenKind::Mark(';') => {
                let goes_on = parentheses > 0 || current.tokens.last().is_some_and(|last| last.is(','));
                if !goes_on {
                    push(&mut all, &mut current);
                }
            }
            kind => {
                match kind {
                    TokenKind::Mark('(' | '[') => parentheses += 1,
                    TokenKind::Mark(')' | ']') => parentheses = parentheses.saturating_sub(1),
                    _ => {}
                }
                current.tokens.push(token.clone());
            }
        }
        *at += 1;
    }
    push(&mut all, &mut current);
    all
}

fn push(all: &mut Vec<Statement>, current: &mut Statement) {
    if !current.tokens.is_empty() || !current.blocks.is_empty() {
        all.push(std::mem::take(current));
    }
}

/// Goes to the `}` that ends a block.
fn skip_block(tokens: &[Token], at: &mut usize) {
    let mut depth = 1_usize;
    while let Some(token) = tokens.get(*at) {
        if token.is('{') {
            depth += 1;
        } else if token.is('}') {
            depth -= 1;
            if depth == 0 {
                return;
            }
        }
        *at += 1;
    }
}

struct Lexer<'t> {
    rest: &'t str,
    line: usize,
    column: usize,
    tokens: Vec<Token>,
    fault: Option<Fault>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while let Some(c) = self.rest.chars().next() {
            match c {
                '\n' => {
                    self.push(TokenKind::Line);
                    self.take(1);
                }
                // A line that goes on.
                '\\' if self.rest.starts_with("\\\n") => self.take(2),
                c if c.is_whitespace() => self.take(c.len_utf8()),
                '/' if self.rest.starts_with("//") => self.take(self.rest.find('\n').unwrap_or(self.rest.len())),
                '/' if self.rest.starts_with("/*") => self.comment(),
                '\'' | '"' => self.string(c),
                '$' if self.rest.starts_with("$/") => self.until("/$", 2, "a string does not end"),
                '/' if self.may_begin_pattern() => self.pattern(),
                '`' => self.quoted_name(),
                c if c.is_alphanumeric() || c == '_' || c == '$' => {
                    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
                    let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
                    self.push(TokenKind::Word(self.rest[..end].to_owned()));
                    self.take(end);
                }
                c => {
                    self.push(TokenKind::Mark(c));
                    self.take(c.len_utf8());
                }
            }
        }
    }

    fn push(&mut self, kind: TokenKind) {
        self.tokens.push(Token { kind, line: self.line });
    }

    /// Goes on by this many bytes, which end between two characters.
    fn take(&mut self, bytes: usize) {
        let (taken, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        match taken.rsplit_once('\n') {
            Some((before, after)) => {
                self.line += before.matches('\n').count() + 1;
                self.column = after.chars().count() + 1;
            }
            None => self.column += taken.chars().count(),
        }
        self.rest = rest;
    }

    fn is_at_fault(&mut self, what: &'static str) {
        let fault = (self.line, self.column, what);
        self.fault.get_or_insert(fault);
    }

    /// Passes over a comment; Kotlin's may stand in one another, Groovy's end at the first end. The first end is taken:
    /// a comment in a comment is rare, and its rest reads as marks.
    fn comment(&mut self) {
        match self.rest[2..].find("*/") {
            Some(end) => self.take(end + 4),
            None => {
                self.is_at_fault("a comment does not end");
                self.take(self.rest.len());
            }
        }
    }

    /// Passes over what ends with `end`, as an empty string.
    fn until(&mut self, end: &str, start: usize, fault: &'static str) {
        match self.rest[start..].find(end) {
            Some(length) => {
                self.push(TokenKind::Text(String::new()));
                self.take(start + length + end.len());
            }
            None => {
                self.is_at_fault(fault);
                self.take(self.rest.len());
            }
        }
    }

    /// Tells whether a `/` begins a string of Groovy's, and is no division: it stands where a value does, and another one
    /// follows on the line.
    fn may_begin_pattern(&self) -> bool {
        let value = match self.tokens.last().map(|token| &token.kind) {
            Some(TokenKind::Mark(mark)) => "=(,[:~?!&|".contains(*mark),
            Some(TokenKind::Word(word)) => word == "return",
            Some(TokenKind::Text(_)) => false,
            Some(TokenKind::Line) | None => true,
        };
        let line = self.rest[1..].lines().next().unwrap_or_default();
        value && line.contains('/')
    }

    fn pattern(&mut self) {
        let mut escaped = false;
        let end = self.rest[1..].find(|c: char| {
            let ends = c == '/' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        self.push(TokenKind::Text(String::new()));
        self.take(end.map_or(1, |end| end + 2));
    }

    /// Reads a name of Kotlin's in backquotes.
    fn quoted_name(&mut self) {
        let line = self.rest[1..].lines().next().unwrap_or_default();
        match line.find('`') {
            Some(end) => {
                self.push(TokenKind::Word(line[..end].to_owned()));
                self.take(end + 2);
            }
            None => self.take(1),
        }
    }

    fn string(&mut self, quote: char) {
        let triple = quote.to_string().repeat(3);
        let (open, close) = match self.rest.starts_with(&triple) {
            true => (3, triple.as_str()),
            false => (1, &triple[..1]),
        };
        let fills_in = quote == '"';
        let mut at = open;
        let mut value = String::new();
        // How deep in `${…}` the text is, and whether in a string of that code.
        let (mut inside, mut quoted) = (0_usize, false);
        while let Some(c) = self.rest[at..].chars().next() {
            if inside == 0 && self.rest[at..].starts_with(close) {
                self.push(TokenKind::Text(value));
                return self.take(at + open);
            }
            match c {
                '\n' if open == 1 => break,
                '\\' => {
                    let next = self.rest[at + 1..].chars().next().filter(|next| *next != '\n');
                    value.extend(next);
                    at += 1 + next.map_or(0, char::len_utf8);
                    continue;
                }
                '$' if fills_in && self.rest[at + 1..].starts_with('{') => inside += 1,
                '"' if inside > 0 => quoted = !quoted,
                '{' if inside > 0 && !quoted && !value.ends_with('$') => inside += 1,
                '}' if !quoted => inside = inside.saturating_sub(1),
                _ => {}
            }
            value.push(c);
            at += c.len_utf8();
        }
        self.is_at_fault("a string does not end");
        self.push(TokenKind::Text(value));
        self.take(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let (statements, fault) = parse(text);
        assert_eq!(fault, None, "{text}");
        statements
            .iter()
            .flat_map(|statement| &statement.tokens)
            .map(|token| match &token.kind {
                TokenKind::Word(word) => word.clone(),
                TokenKind::Text(text) => format!("'{text}'"),
                TokenKind::Mark(mark) => mark.to_string(),
                TokenKind::Line => unreachable!("a statement has no line ends"),
            })
            .collect()
    }

    #[test]
    fn comments_and_strings_are_passed_over_whole() {
        assert_eq!(words("a // b 'c\n/* d\n' */ e \"f // \\\"g\" '{'"), ["a", "e", "'f // \"g'", "'{'"]);
        assert_eq!(words("a '''b\n'c' {''' \"\"\"d \"e\" }\"\"\""), ["a", "'b\n'c' {'", "'d \"e\" }'"]);
        assert_eq!(words("v = \"x${y.get(\"}z\")}w\""), ["v", "=", "'x${y.get(\"}z\")}w'"]);
        assert_eq!(words("a = ~/it's {/\nb = c / d"), ["a", "=", "~", "''", "b", "=", "c", "/", "d"]);
        assert_eq!(words("id `java-library`\nx = $/ ' { /$ + 1"), ["id", "java-library", "x", "=", "''", "+", "1"]);
    }

    #[test]
    fn statements_know_their_blocks_and_lines() {
        let (statements, _) = parse("a {\n  b 'c',\n    'd'\n  e(\n f)\n}\ng { h { } } i\n");
        assert_eq!(statements.iter().map(|s| s.first().to_owned()).collect::<Vec<_>>(), ["a", "g"]);
        let inner = &statements[0].blocks[0];
        assert_eq!(inner.len(), 2);
        assert_eq!(inner[0].tokens.last().unwrap().line, 3);
        assert_eq!(inner[1].tokens.len(), 4);
    }

    #[test]
    fn faults_have_a_place_and_the_rest_counts() {
        let fault = |text: &str| parse(text).1.map(|(line, column, _)| (line, column));
        assert_eq!(fault("a\nb 'c\nd"), Some((2, 3)));
        assert_eq!(fault("a\n}\n"), Some((2, 1)));
        assert_eq!(fault("a {\n"), Some((1, 1)));
        assert_eq!(fault("/* a"), Some((1, 1)));
        assert_eq!(parse("a 'b\nc 'd'").0[1].tokens[1].text(), Some("d"));
        assert_eq!(parse(&"{".repeat(100_000)).1.map(|(_, _, what)| what), Some("a block is not closed"));
        assert_eq!(parse(&"a{b}".repeat(1000)).1, None);
    }
}
