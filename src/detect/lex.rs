//! The words of a Ruby or Elixir file, as far as a Gemfile or a mix.exs needs them: nothing is evaluated.

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub kind: Kind,
    /// Line it begins on, from 1.
    pub line: usize,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// `gem`, `end`, `1`, `spec.add_dependency`: dots belong to the word.
    Word(String),
    /// `group:` before its value.
    Label(String),
    /// `:test`.
    Symbol(String),
    /// `"pg"`; what stands in `#{…}` is left in as it is.
    Text(String),
    /// `%w[a b]`, `~w(a b)`.
    List(Vec<String>),
    Punct(char),
    Newline,
}

impl Token {
    pub(super) fn is(&self, punct: char) -> bool {
        self.kind == Kind::Punct(punct)
    }

    pub(super) fn word(&self) -> Option<&str> {
        if let Kind::Word(word) = &self.kind { Some(word) } else { None }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Kind::Text(text) = &self.kind { Some(text) } else { None }
    }

    pub(super) fn label(&self) -> Option<&str> {
        if let Kind::Label(label) = &self.kind { Some(label) } else { None }
    }

    /// The names that a token stands for as a value: `:a`, `"a"`, `%w[a b]`.
    pub(super) fn names(&self) -> Vec<&str> {
        match &self.kind {
            Kind::Symbol(name) | Kind::Text(name) => vec![name],
            Kind::List(names) => names.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// The tokens of a text and the line of the first string that never ends, if there is one.
pub(super) fn tokens(text: &str) -> (Vec<Token>, Option<usize>) {
    let mut lexer = Lexer { chars: text.chars().collect(), at: 0, line: 1, tokens: Vec::new(), unclosed: None };
    lexer.run();
    (lexer.tokens, lexer.unclosed)
}

/// What is said of a string without an end, and of a bracket that does not fit.
pub(super) const NO_END: &str = "a string has no end";
pub(super) const NO_PARTNER: &str = "a bracket has no partner";

/// Brackets that are open, with their lines.
#[derive(Debug, Default)]
pub(super) struct Brackets(Vec<(char, usize)>);

impl Brackets {
    /// Takes up a character; the line of the bracket that does not fit, if it shows one.
    pub(super) fn take(&mut self, c: char, line: usize) -> Option<usize> {
        match c {
            '(' | '[' | '{' => self.0.push((c, line)),
            ')' | ']' | '}' => match self.0.pop() {
                Some((open, _)) if closing(open) == c => {}
                Some((_, opened)) => return Some(opened),
                None => return Some(line),
            },
            _ => {}
        }
        None
    }

    /// Returns the line of the first bracket that does not fit among marks with their lines.
    pub(super) fn misfit(marks: impl IntoIterator<Item = (char, usize)>) -> Option<usize> {
        let mut brackets = Self::default();
        let first = marks.into_iter().find_map(|(mark, line)| brackets.take(mark, line));
        first.or_else(|| brackets.end())
    }

    /// Returns the line of the first bracket that is still open.
    pub(super) fn end(self) -> Option<usize> {
        self.0.first().map(|(_, line)| *line)
    }
}

/// Returns the line of the first bracket that does not fit.
pub(super) fn unbalanced(tokens: &[Token]) -> Option<usize> {
    let mark = |token: &Token| if let Kind::Punct(mark) = token.kind { Some((mark, token.line)) } else { None };
    Brackets::misfit(tokens.iter().filter_map(mark))
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
    /// Line of the first string without an end. From there on no string goes beyond its line.
    unclosed: Option<usize>,
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn closing(open: char) -> char {
    match open {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        '<' => '>',
        other => other,
    }
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn push(&mut self, kind: Kind, line: usize) {
        self.tokens.push(Token { kind, line });
    }

    fn run(&mut self) {
        while let Some(c) = self.peek(0) {
            let line = self.line;
            match c {
                '\n' => {
                    self.push(Kind::Newline, line);
                    self.next_line();
                }
                '#' => self.skip_line(),
                '=' if self.at_line_start() && self.starts_with("=begin") => self.skip_until_line("=end"),
                '_' if self.at_line_start() && self.starts_with("__END__") => self.at = self.chars.len(),
                '"' if self.starts_with("\"\"\"") => self.heredoc_quotes(),
                '"' | '\'' | '`' => {
                    self.at += 1;
                    let text = self.string(c, c);
                    self.text_or_label(text, line);
                }
                '%' | '~' => self.percent(c),
                '<' if self.starts_with("<<") => self.heredoc(),
                ':' => self.symbol(),
                '?' if self.is_char_literal() => self.at += 2,
                c if is_word(c) => self.word(),
                c => {
                    self.at += 1;
                    if !c.is_whitespace() {
                        self.push(Kind::Punct(c), line);
                    }
                }
            }
        }
    }

    fn next_line(&mut self) {
        self.at += 1;
        self.line += 1;
    }

    fn at_line_start(&self) -> bool {
        self.at == 0 || self.chars[self.at - 1] == '\n'
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(ahead, c)| self.peek(ahead) == Some(c))
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.at += 1;
        }
    }

    /// Goes to the line that is this word (blanks around it do not matter), or to the end.
    fn skip_until_line(&mut self, word: &str) {
        loop {
            self.skip_line();
            if self.peek(0).is_none() {
                return;
            }
            self.next_line();
            let start = self.at;
            self.skip_line();
            let line: String = self.chars[start..self.at].iter().collect();
            if line.trim() == word {
                return;
            }
        }
    }

    /// Reads up to the closing character, which is passed over; `open` nests where it differs.
    fn string(&mut self, open: char, close: char) -> String {
        let (start, line) = (self.at, self.line);
        let read = self.string_to(open, close, self.unclosed.is_none());
        // Where a quote over several lines is followed by a word, it is the beginning of another string.
        let ends = self.peek(0).is_none_or(|c| c.is_whitespace() || ",.:;)]}".contains(c));
        match read.filter(|text| ends || open != close || !text.contains('\n')) {
            Some(text) => text,
            None => {
                self.unclosed = self.unclosed.or(Some(line));
                (self.at, self.line) = (start, line);
                let end = self.chars[start..].iter().position(|c| *c == '\n').map_or(self.chars.len(), |n| start + n);
                let found = self.string_to(open, close, false);
                if found.is_none() {
                    self.at = end;
                }
                found.unwrap_or_default()
            }
        }
    }

    /// Reads a string; `None` when it does not end in the text, or in its line where it may not go on in the next one.
    fn string_to(&mut self, open: char, close: char, lines: bool) -> Option<String> {
        let (mut text, mut depth, mut code) = (String::new(), 0_usize, 0_usize);
        while let Some(c) = self.peek(0) {
            if c == '\n' {
                if !lines {
                    return None;
                }
                self.line += 1;
            }
            self.at += 1;
            if code > 0 {
                // Quotes in `#{…}` are those of the code in it.
                code = match c {
                    '{' => code + 1,
                    '}' => code - 1,
                    _ => code,
                };
                text.push(c);
                continue;
            }
            match c {
                '\\' if close != '\\' => {
                    if let Some(escaped) = self.peek(0).filter(|c| *c != '\n') {
                        self.at += 1;
                        text.push(escaped);
                    }
                }
                '#' if close != '\'' && self.peek(0) == Some('{') => {
                    self.at += 1;
                    code = 1;
                    text.push_str("#{");
                }
                c if c == close && depth == 0 => return Some(text),
                c => {
                    if open != close {
                        depth = match c {
                            c if c == open => depth + 1,
                            c if c == close => depth - 1,
                            _ => depth,
                        };
                    }
                    text.push(c);
                }
            }
        }
        None
    }

    fn text_or_label(&mut self, text: String, line: usize) {
        // `"group": :test`
        if self.peek(0) == Some(':') && self.peek(1).is_some_and(char::is_whitespace) {
            self.at += 1;
            self.push(Kind::Label(text), line);
        } else {
            self.push(Kind::Text(text), line);
        }
    }

    /// Elixir's `"""`.
    fn heredoc_quotes(&mut self) {
        let line = self.line;
        self.at += 3;
        self.skip_until_line("\"\"\"");
        self.push(Kind::Text(String::new()), line);
    }

    /// `%w[a b]`, `%q(…)`, `%(…)`, `~w(a b)a`, `~r/…/`; else a character of its own.
    fn percent(&mut self, mark: char) {
        let line = self.line;
        let letters = (1..).take_while(|ahead| self.peek(*ahead).is_some_and(|c| c.is_ascii_alphabetic())).count();
        let kind = self.peek(1).filter(|_| letters == 1);
        let open = self.peek(1 + letters);
        let delimits = |c: char| "([{<|/!".contains(c);
        let fits = match (mark, letters) {
            ('%', 0) => open.is_some_and(|c| "([".contains(c)),
            ('%', 1) => kind.is_some_and(|c| "wWiIqQrs".contains(c)) && open.is_some_and(delimits),
            ('~', 1) => open.is_some_and(|c| delimits(c) || "\"'".contains(c)),
            _ => false,
        };
        let Some(open) = open.filter(|_| fits && self.unclosed.is_none()) else {
            self.at += 1;
            self.push(Kind::Punct(mark), line);
            return;
        };
        self.at += 2 + letters;
        let text = self.string(open, closing(open));
        if kind.is_some_and(|c| "wWiI".contains(c)) {
            self.push(Kind::List(text.split_whitespace().map(str::to_owned).collect()), line);
            // `~w(a b)a` makes atoms of the words.
            if mark == '~' && self.peek(0).is_some_and(|c| "acs".contains(c)) {
                self.at += 1;
            }
        } else {
            self.push(Kind::Text(text), line);
        }
    }

    /// Ruby's `<<~TEXT`: everything up to the line `TEXT` is passed over.
    fn heredoc(&mut self) {
        let line = self.line;
        let mut ahead = 2;
        if self.peek(ahead).is_some_and(|c| "~-".contains(c)) {
            ahead += 1;
        }
        let quoted = self.peek(ahead).is_some_and(|c| "'\"".contains(c));
        ahead += usize::from(quoted);
        let name: String =
            self.chars.iter().skip(self.at + ahead).take_while(|c| c.is_ascii_uppercase() || **c == '_').collect();
        if name.is_empty() {
            self.at += 2;
            return;
        }
        self.push(Kind::Text(String::new()), line);
        self.skip_until_line(&name);
    }

    fn symbol(&mut self) {
        let line = self.line;
        self.at += 1;
        match self.peek(0) {
            // `A::B`
            Some(':') => {
                self.at += 1;
                self.push(Kind::Punct(':'), line);
            }
            Some('"') => {
                self.at += 1;
                let text = self.string('"', '"');
                self.push(Kind::Symbol(text), line);
            }
            Some(c) if is_word(c) => {
                let name = self.name();
                self.push(Kind::Symbol(name), line);
            }
            _ => self.push(Kind::Punct(':'), line),
        }
    }

    /// Elixir's `?"`, a character as a number.
    fn is_char_literal(&self) -> bool {
        self.peek(1).is_some_and(|c| "\"'`#{}[]()".contains(c)) && self.peek(2).is_none_or(|c| !is_word(c))
    }

    fn name(&mut self) -> String {
        let start = self.at;
        while self.peek(0).is_some_and(is_word) {
            self.at += 1;
        }
        if self.peek(0).is_some_and(|c| "?!".contains(c)) && self.peek(1) != Some('=') {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    fn word(&mut self) {
        let line = self.line;
        let mut word = self.name();
        while self.peek(0) == Some('.') && self.peek(1).is_some_and(is_word) {
            self.at += 1;
            word.push('.');
            word += &self.name();
        }
        let labels = self.peek(0) == Some(':') && self.peek(1) != Some(':') && !word.contains('.');
        if labels {
            self.at += 1;
            self.push(Kind::Label(word), line);
        } else {
            self.push(Kind::Word(word), line);
        }
    }
}

#[cfg(test)]
mod tests;
