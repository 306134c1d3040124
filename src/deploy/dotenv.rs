//! Files of `KEY=VALUE` lines.
//!
//! Taken are blank lines, comments, `export ` before a name, values without quotes (to the end of the line, blanks around them
//! and a comment after a blank left out), in single quotes (as they are) and in double quotes (with `\n`, `\t`, `\"`, `\\`,
//! `\$`); quoted values may have several lines. Nothing is expanded. No message quotes a value.

use std::collections::BTreeMap;

use crate::diag::{Error, Result};

/// The variables of a file, sorted by name.
pub type Variables = BTreeMap<String, String>;

/// Reads the text of a file; `file` names it in messages.
///
/// # Errors
/// When a line is none of the above, or a name is there twice, or there is no variable at all.
pub(super) fn parse(file: &str, text: &str) -> Result<Variables> {
    let mut reader = Reader::new(file, text);
    let mut variables = Variables::new();
    while let Some((line, name, value)) = reader.next()? {
        if variables.insert(name.clone(), value).is_some() {
            return Err(Error::project(format!("`{file}`, line {line}: `{name}` is there twice"))
                .help("Keep one of the two lines."));
        }
    }
    if variables.is_empty() {
        return Err(Error::project(format!("`{file}` has no variable in it"))
            .help("Write `KEY=VALUE` lines, or take the file out of `secrets:` in kilter.yaml."));
    }
    Ok(variables)
}

/// Reads the text of a file as the libraries that load one do: of a name that is there twice the last one counts, there may be
/// none, `${NAME}` of the file itself is filled in but in single quotes, and a line that says nothing is passed over. Returns the
/// errors of such lines beside the variables; `file` names it in them.
pub fn variables(file: &str, text: &str) -> (Variables, Vec<Error>) {
    let mut reader = Reader::new(file, text);
    let (mut variables, mut wrong) = (Variables::new(), Vec::new());
    loop {
        match reader.next() {
            Ok(Some((_, name, value))) => {
                let value = if reader.literal { value } else { filled(&value, &variables) };
                variables.insert(name, value);
            }
            Ok(None) => return (variables, wrong),
            Err(error) => {
                wrong.push(error);
                reader.skip_line();
            }
        }
    }
}

/// Fills in what stands above in the same file; other names are left as they are.
fn filled(value: &str, variables: &Variables) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}').map(|end| start + end) else { break };
        out.push_str(&rest[..start]);
        match variables.get(&rest[start + 2..end]) {
            Some(known) => out.push_str(known),
            None => out.push_str(&rest[start..=end]),
        }
        rest = &rest[end + 1..];
    }
    out + rest
}

struct Reader<'a> {
    file: &'a str,
    rest: &'a str,
    line: usize,
    /// Whether the value that was read last stood in single quotes.
    literal: bool,
}

impl<'a> Reader<'a> {
    fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1, literal: false }
    }

    fn next(&mut self) -> Result<Option<(usize, String, String)>> {
        loop {
            self.skip_blanks();
            match self.rest.chars().next() {
                None => return Ok(None),
                Some('\n' | '#') => self.skip_line(),
                Some(_) => break,
            }
        }
        let line = self.line;
        let end = self.rest.find(['=', '\n']).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        let name = name.trim();
        let name = name.strip_prefix("export ").map_or(name, str::trim);
        let first = |c: char| c.is_ascii_alphabetic() || c == '_';
        let valid = name.starts_with(first) && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        let Some(rest) = rest.strip_prefix('=').filter(|_| valid) else {
            return Err(self.wrong("is no `KEY=VALUE` line"));
        };
        let name = name.to_owned();
        self.rest = rest;
        let value = self.value()?;
        if value.contains('\0') {
            return Err(self.wrong("has a NUL character in it"));
        }
        Ok(Some((line, name, value)))
    }

    fn value(&mut self) -> Result<String> {
        self.skip_blanks();
        self.literal = self.rest.starts_with('\'');
        match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let value = self.quoted(quote)?;
                self.skip_blanks();
                match self.rest.chars().next() {
                    None | Some('\n' | '#' | '\r') => Ok(value),
                    Some(_) => Err(self.wrong("goes on after the closing quote")),
                }
            }
            _ => {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                let text = &self.rest[..end];
                let comment = text.match_indices('#').find(|(at, _)| *at == 0 || text[..*at].ends_with([' ', '\t']));
                let value = text[..comment.map_or(end, |(at, _)| at)].trim().to_owned();
                self.rest = &self.rest[end..];
                Ok(value)
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String> {
        let began = self.line;
        let mut value = String::new();
        let mut chars = self.rest[1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                _ if c == quote => {
                    self.rest = &self.rest[1 + at + 1..];
                    return Ok(value);
                }
                '\\' if quote == '"' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, c @ ('"' | '\\' | '$' | '`'))) => value.push(c),
                    Some((_, c)) => value.extend(['\\', c]),
                    None => break,
                },
                _ => {
                    if c == '\n' {
                        self.line += 1;
                    }
                    value.push(c);
                }
            }
        }
        self.line = began;
        Err(self.wrong("opens a quote that nothing closes"))
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
    }

    fn skip_line(&mut self) {
        let end = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
        self.rest = &self.rest[end..];
        self.line += 1;
    }

    fn wrong(&self, what: &str) -> Error {
        Error::project(format!("`{}`: line {} {what}", self.file, self.line)).help(
            "Write one `KEY=VALUE` per line; put a value with blanks at its ends, `#` or several lines in quotes.",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        parse("prod.env", text).unwrap().into_iter().collect()
    }

    #[test]
    fn a_developers_file_is_read_as_libraries_do() {
        let read = |text: &str| {
            let (all, wrong) = variables(".env", text);
            (all.into_iter().map(|(name, value)| name + "=" + &value).collect::<Vec<_>>(), wrong.len())
        };
        let some = |lines: &[&str], wrong| (lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>(), wrong);
        assert_eq!(read("# nothing\n"), some(&[], 0));
        assert_eq!(read("A=1\nB=2\nA=3\n"), some(&["A=3", "B=2"], 0));
        assert_eq!(read("A=1\nnothing\nB='x' y\nC=\"2\"\nD=\"open\n"), some(&["A=1", "C=2"], 3));
        let text = "NAME=shop\nA=\"${NAME} ${OTHER}\"\nB='${NAME}'\nC=${NAME}s\nD=${NAME\n";
        assert_eq!(read(text), some(&["A=shop ${OTHER}", "B=${NAME}", "C=shops", "D=${NAME", "NAME=shop"], 0));
    }

    #[test]
    fn every_form_of_a_line_is_read() {
        let text = "\u{feff}# a comment\r\n\nB = two words  # why\r\nexport A='it\\n # is'\nC=\"x\\ny \\\"z\\\" \\$D\"\nD=\nE=\"a\nb\" # end\nF=a#b\nG=k=v==";
        let expected = [
            ("A", "it\\n # is"),
            ("B", "two words"),
            ("C", "x\ny \"z\" $D"),
            ("D", ""),
            ("E", "a\nb"),
            ("F", "a#b"),
            ("G", "k=v=="),
        ];
        assert_eq!(read(text), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_wrong_is_said_by_line_and_without_the_value() {
        for (text, line, words) in [
            ("A=1\nhunter2-canary", "line 2", "no `KEY=VALUE`"),
            ("A=1\nA=hunter2-canary", "line 2", "twice"),
            ("1A=hunter2-canary", "line 1", "no `KEY=VALUE`"),
            ("A=\"x\ny\nhunter2-canary", "line 1", "nothing closes"),
            ("A='x' hunter2-canary", "line 1", "closing quote"),
            ("# nothing\n", "prod.env", "no variable"),
        ] {
            let error = parse("prod.env", text).unwrap_err().to_string();
            assert!(error.contains(line) && error.contains(words) && !error.contains("canary"), "{error}");
        }
    }
}
