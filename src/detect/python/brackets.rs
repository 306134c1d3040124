//! The brackets and strings of a Python file, as far as it takes to see that they have an end.

use super::requirements::Fault;
use crate::detect::lex::{Brackets, NO_END, NO_PARTNER};

/// Returns line and message of the first string without an end or bracket without a partner
/// (<https://docs.python.org/3/reference/lexical_analysis.html>).
pub(super) fn fault(text: &str) -> Option<Fault> {
    let mut brackets = Brackets::default();
    let (mut rest, mut line) = (text, 1);
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => match string(rest, c) {
                Some(length) => length,
                None => return Some((line, NO_END)),
            },
            c => c.len_utf8(),
        };
        if let Some(line) = brackets.take(c, line) {
            return Some((line, NO_PARTNER));
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    brackets.end().map(|line| (line, NO_PARTNER))
}

/// Returns the length of the string that a text begins with. A backslash takes what follows with it, in a raw string, too.
fn string(text: &str, quote: char) -> Option<usize> {
    let triple = quote.to_string().repeat(3);
    let close = if text.starts_with(&triple) { triple.as_str() } else { &triple[..1] };
    let mut at = close.len();
    while let Some(c) = text[at..].chars().next() {
        if text[at..].starts_with(close) {
            return Some(at + close.len());
        }
        at += c.len_utf8();
        match c {
            '\\' => at += text[at..].chars().next().map_or(0, char::len_utf8),
            '\n' if close.len() == 1 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_brackets_of_python() {
        for text in [
            "a = '(' + \"[\" # {\n",
            "'''\n( it's\n''' + r'\\'' + b\"\"\n",
            "a = 'b\\\n(c'\n",
            "f\"{a['b']}\" + f\"{a[\"b\"]}\"",
            "{'a': [('b',)]}\n",
            "",
        ] {
            assert_eq!(fault(text), None, "{text}");
        }
        assert_eq!(fault("a\nsetup(\n  b=['c'],\n"), Some((2, NO_PARTNER)));
        assert_eq!(fault("setup(\n  b=['c',\n)\n"), Some((2, NO_PARTNER)));
        assert_eq!(fault("a)\n"), Some((1, NO_PARTNER)));
        assert_eq!(fault("a\n'b\n"), Some((2, NO_END)));
        assert_eq!(fault("a\n\"\"\"b\n"), Some((2, NO_END)));
    }

    proptest::proptest! {
        #[test]
        fn every_text_is_looked_through(text in "[a'\"#\\\\(){}\\[\\]é\n]{0,40}") {
            let lines = text.lines().count().max(1);
            proptest::prop_assert!(fault(&text).is_none_or(|(line, _)| (1..=lines).contains(&line)));
        }
    }
}
