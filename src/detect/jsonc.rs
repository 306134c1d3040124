//! JSON with comments and with commas behind the last entry.

/// Puts blanks in place of comments and such commas, so that what is left is JSON with every byte where it was. A text
/// that is no such JSON is not better afterwards.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Where in `out` the last comma is, as long as only blanks follow it.
    let mut comma: Option<usize> = None;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '"' => string(rest),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |end| end + 4),
            c => c.len_utf8(),
        };
        let (piece, behind) = rest.split_at(length);
        if c == '/' && length > 1 {
            out.extend(piece.chars().flat_map(blank));
        } else {
            match c {
                ',' => comma = Some(out.len()),
                '}' | ']' => {
                    if let Some(at) = comma.take() {
                        out.replace_range(at..=at, " ");
                    }
                }
                c if c.is_whitespace() => {}
                _ => comma = None,
            }
            out.push_str(piece);
        }
        rest = behind;
    }
    out
}

/// Returns as many blanks as the character has bytes; line ends stay.
fn blank(c: char) -> impl Iterator<Item = char> {
    let blank = if c == '\n' { '\n' } else { ' ' };
    std::iter::repeat_n(blank, c.len_utf8())
}

/// Returns the length of the string that a text begins with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text[1..].find(|c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_json_in_its_place() {
        let text = "{\n  // é \"a\"\n  \"b//\\\"\": [1, /* , */ 2, ],\n}\n";
        let plain = plain(text);
        assert_eq!(plain.len(), text.len());
        let value: serde_json::Value = serde_json::from_str(&plain).unwrap();
        assert_eq!(value["b//\""][1], 2);
    }

    proptest::proptest! {
        #[test]
        fn json_stays_as_it_is(text in "[a\\\\\",/*{}\\[\\]: \n]{0,40}") {
            let plain = plain(&text);
            proptest::prop_assert_eq!(plain.len(), text.len());
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
                proptest::prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&plain).unwrap(), value);
            }
        }
    }
}
