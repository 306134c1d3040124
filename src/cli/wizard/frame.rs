//! What a screen shows: rows of text that fit it.

use console::{Style, measure_text_width, truncate_str};

/// The size of a terminal, in columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Columns.
    pub(crate) columns: usize,
    /// Rows.
    pub(crate) rows: usize,
}

/// How a piece of text looks. Nothing is said by looks alone, and every look can be read on a light background as on a dark one:
/// so none is faint, yellow or white.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// As any text.
    Plain,
    /// What stands out.
    Strong,
    /// A heading, or what stands where something can be typed.
    Lined,
    /// A line that comes.
    New,
    /// A line that goes.
    Old,
}

/// A row: pieces of text, one after the other.
pub(crate) type Row = Vec<(Look, String)>;

/// The rows that a body keeps beside a long notice.
const BODY: usize = 3;

/// Everything that is shown at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The rows, from the top; none is wider than the screen.
    pub(crate) rows: Vec<Row>,
    /// Row and column of the cursor, when it is to be seen.
    pub(crate) cursor: Option<(usize, usize)>,
}

/// A row of one piece.
pub(crate) fn row(look: Look, text: impl Into<String>) -> Row {
    vec![(look, text.into())]
}

/// Cuts a row to a width.
pub(crate) fn fit(row: Row, columns: usize) -> Row {
    let mut left = columns;
    let mut fitting = Row::new();
    for (look, text) in row {
        if left == 0 {
            break;
        }
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        let text = if measure_text_width(&text) > left { truncate_str(&text, left, "…").into_owned() } else { text };
        left = left.saturating_sub(measure_text_width(&text));
        fitting.push((look, text));
    }
    fitting
}

/// Breaks a text at its blanks into at most `most` lines of a width; what does not fit is cut.
pub(crate) fn wrap(text: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let full = lines.len() >= most;
        match lines.last_mut() {
            Some(line) if full || measure_text_width(line) + 1 + measure_text_width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.truncate(most);
    lines.into_iter().map(|line| truncate_str(&line, columns, "…").into_owned()).collect()
}

/// Breaks a text as [`wrap`] does, and a word that is wider than a line as [`fold`] does.
fn wrap_whole(text: &str, columns: usize, most: usize) -> Vec<String> {
    let words: Vec<String> = text.split_whitespace().flat_map(|word| fold(word, columns)).collect();
    wrap(&words.join(" "), columns, most)
}

/// Breaks a line after as many columns as there are, wherever that is: what is to be read as it is, is not reworded.
pub(crate) fn fold(line: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for c in line.chars().filter(|c| !c.is_control()) {
        let width = measure_text_width(c.encode_utf8(&mut [0; 4]));
        if used > 0 && used + width > columns {
            lines.push(String::new());
            used = 0;
        }
        used += width;
        if let Some(last) = lines.last_mut() {
            last.push(c);
        }
    }
    lines
}

/// Writes a row for a terminal.
pub(crate) fn paint(row: &Row, color: bool) -> String {
    let style = |look: Look| match look {
        Look::Plain => Style::new(),
        Look::Strong => Style::new().bold(),
        Look::Lined => Style::new().underlined(),
        Look::New => Style::new().green(),
        Look::Old => Style::new().red(),
    };
    let piece = |(look, text): &(Look, String)| style(*look).force_styling(color).apply_to(text).to_string();
    row.iter().map(piece).collect()
}

/// How a line of a diff looks.
pub(crate) fn diff_look(line: &str) -> Look {
    match line.as_bytes().first() {
        Some(b'+') if !line.starts_with("+++") => Look::New,
        Some(b'-') if !line.starts_with("---") => Look::Old,
        _ => Look::Plain,
    }
}

/// Puts a question together: title, what it is about, the body, a notice and the keys. On a low screen what explains gives way
/// to what is chosen from.
pub(crate) fn layout(
    parts: &Parts<'_>,
    size: Size,
    body: impl FnOnce(usize, usize) -> (Vec<Row>, Option<(usize, usize)>),
) -> Frame {
    let columns = size.columns.max(1);
    let low = size.rows < 16;
    let (title_rows, about_rows) = if low { (1, 1) } else { (2, 3) };
    let mut head: Vec<Row> =
        wrap(parts.title, columns, title_rows).into_iter().map(|line| row(Look::Strong, line)).collect();
    head.extend(wrap(parts.about, columns, about_rows).into_iter().map(|line| row(Look::Plain, line)));
    let mut foot: Vec<Row> = Vec::new();
    for line in parts.detail.iter().take(if low { 1 } else { 4 }) {
        foot.extend(wrap(line, columns, if low { 1 } else { 2 }).into_iter().map(|line| row(Look::Plain, line)));
    }
    let keys = wrap(parts.keys, columns, if low { 1 } else { 2 });
    // What is wrong is read to its end, even where the body has but a few rows beside it.
    let others = head.len() + foot.len() + keys.len() + if low { 0 } else { 2 };
    let room = size.rows.saturating_sub(others + BODY).max(2);
    foot.extend(
        parts.notice.iter().flat_map(|notice| wrap_whole(notice, columns, room)).map(|line| row(Look::Strong, line)),
    );
    foot.extend(keys.into_iter().map(|line| row(Look::Plain, line)));
    if !low {
        head.push(Row::new());
        foot.insert(0, Row::new());
    }
    let height = size.rows.saturating_sub(head.len() + foot.len()).max(1);
    let (mut rows, cursor) = body(columns, height);
    rows.truncate(height);
    let cursor = cursor.map(|(at, column)| (head.len() + at, column.min(columns - 1)));
    let mut all = head;
    all.append(&mut rows);
    all.append(&mut foot);
    all.truncate(size.rows.max(1));
    Frame { rows: all.into_iter().map(|row| fit(row, columns)).collect(), cursor }
}

/// What stands around the body of a question.
#[derive(Debug, Default)]
pub(crate) struct Parts<'a> {
    /// The question.
    pub(crate) title: &'a str,
    /// What the answer changes.
    pub(crate) about: &'a str,
    /// More about where the cursor is.
    pub(crate) detail: &'a [String],
    /// What is wrong with an answer.
    pub(crate) notice: Option<&'a str>,
    /// What the keys do.
    pub(crate) keys: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_blanks_and_cut_at_the_end() {
        assert_eq!(wrap("one two three four", 9, 9), ["one two", "three", "four"]);
        assert_eq!(wrap("one two three four", 9, 2), ["one two", "three fo…"]);
        assert_eq!(wrap("extraordinary", 6, 2), ["extra…"]);
        assert_eq!(wrap_whole("an extraordinary text", 6, 9), ["an", "extrao", "rdinar", "y text"]);
        assert_eq!(fold("ab cdefg", 3), ["ab ", "cde", "fg"]);
        assert_eq!(fold("漢字x", 3), ["漢", "字x"]);
        assert_eq!(fold("", 3), [""]);
        assert_eq!(fit(vec![(Look::Plain, "ab\tc".into()), (Look::Lined, "defg".into())], 5)[1].1, "d…");
    }

    #[test]
    fn a_notice_is_shown_to_its_end() {
        let notice =
            "another directory already is the project: name it otherwise, or set KILTER_INSTANCE to work beside it";
        for (columns, rows) in [(100, 40), (80, 24), (40, 10)] {
            let parts =
                Parts { title: "What?", about: "It is.", notice: Some(notice), keys: "Enter", ..Parts::default() };
            let frame = layout(&parts, Size { columns, rows }, |_, _| (vec![row(Look::Plain, "> x")], Some((0, 3))));
            let text = |row: &Row| row.iter().map(|(_, text)| text.as_str()).collect::<String>();
            let shown: Vec<String> = frame.rows.iter().map(text).collect();
            let words = shown.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains(notice) && words.ends_with("Enter"), "{shown:?}");
            assert!(shown.contains(&"> x".to_owned()) && shown.len() <= rows, "{shown:?}");
        }
    }
}
