//! Calls in a Gradle script, as its tokens.

use super::script::Token;

/// Splits a statement into the configuration and its arguments: `implementation x`, `"implementation"(x)`,
/// `add("implementation", x)`. Anything that is no such call is none.
pub(super) fn call(tokens: &[Token]) -> Option<(&str, &[Token])> {
    const NO_CALL: [&str; 6] = ["def", "val", "var", "return", "println", "import"];
    let (first, rest) = tokens.split_first()?;
    if first.word() == Some("add") && rest.first().is_some_and(|token| token.is('(')) {
        return Some((rest.get(1)?.text()?, rest.get(2..)?));
    }
    let name = first.word().or_else(|| first.text())?;
    let follows = rest.first()?;
    let is_call = follows.is('(') || follows.is('[') || follows.word().is_some() || follows.text().is_some();
    (is_call && !NO_CALL.contains(&name)).then_some((name, rest))
}

/// Returns the string of `: 'x'` or `= "x"`.
pub(super) fn value_at(tokens: &[Token], at: usize) -> Option<&str> {
    let sign = tokens.get(at)?;
    if sign.is(':') || sign.is('=') { tokens.get(at + 1)?.text() } else { None }
}

/// Reads `a.b.c` from a place on; returns the names and the place behind them.
pub(super) fn dotted(tokens: &[Token], start: usize) -> (Vec<&str>, usize) {
    let mut path: Vec<&str> = tokens.get(start).and_then(Token::word).into_iter().collect();
    let mut at = start + 1;
    while let (Some(dot), Some(name)) = (tokens.get(at), tokens.get(at + 1).and_then(Token::word)) {
        if !dot.is('.') {
            break;
        }
        path.push(name);
        at += 2;
    }
    (path, at)
}

/// Returns the place behind the parentheses of a call, or behind the names that stand in place of them.
pub(super) fn behind_call(tokens: &[Token], start: usize) -> usize {
    if !tokens.get(start).is_some_and(|token| token.is('(')) {
        return dotted(tokens, start - 1).1;
    }
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        if token.is('(') {
            depth += 1;
        } else if token.is(')') {
            depth -= 1;
            if depth == 0 {
                return at + 1;
            }
        }
    }
    tokens.len()
}
