//! A terminal that cannot redraw, or a person who does not want it to (`KILTER_ACCESSIBLE=1`, a screen reader): numbered
//! questions, one after the other, answered by whole lines.

use super::machine::{Answers, Machine};
use super::question::{Answer, Item, Kind, Question};
use super::tty::{self, LOOKS, Taken};
use super::widget::{left, refused};
use crate::diag::{Error, Result};
use crate::exec::pause_if_interrupted;

/// What goes back, and what leaves. A service, a name or a token is neither.
const BACK: &str = "<";
const LEAVE: &str = "quit";

/// Asks the questions of a wizard.
///
/// # Errors
/// When the person leaves or quits, or the terminal fails; and the flow's own.
pub(super) fn run(mut machine: Machine<'_>) -> Result<Answers> {
    while let Some(question) = machine.question().cloned() {
        tty::write(&format!("\n{}\n", question.title))?;
        if !question.about.is_empty() {
            tty::write(&format!("{}\n", question.about))?;
        }
        let kept = machine.kept().cloned();
        show(&question, kept.as_ref(), "")?;
        loop {
            tty::write(&format!("{}\n> ", how(&question, kept.as_ref())))?;
            let Some(line) = read_line()? else { return Err(left()) };
            let answer = match line.trim() {
                BACK if machine.back()? => break,
                BACK | LEAVE => return Err(left()),
                typed => read(&question, kept.as_ref(), typed)?,
            };
            match answer {
                Said::Answer(answer) => match machine.answer(answer)? {
                    Some(objection) => tty::write(&format!("{objection}\n"))?,
                    None => break,
                },
                Said::Barred(why) => tty::write(&format!("{why}\n"))?,
                Said::Other => show(&question, kept.as_ref(), line.trim())?,
            }
        }
    }
    Ok(machine.into_answers())
}

/// Asks for one line; `None` at the end of the input. Nothing of it is shown when `hidden`.
///
/// # Errors
/// When the terminal fails.
pub(crate) fn ask_line(prompt: &str, hidden: bool) -> Result<Option<String>> {
    tty::write(&format!("{prompt}: "))?;
    if !hidden {
        return read_line();
    }
    let taken = Taken::hidden()?;
    let line = read_line()?;
    drop(taken);
    tty::write("\n")?;
    Ok(line)
}

/// Asks a yes-or-no question; Enter is yes.
///
/// # Errors
/// When the terminal fails.
pub(crate) fn ask_yes(question: &str) -> Result<bool> {
    loop {
        tty::write(&format!("{question} Enter or `y` is yes, `n` is no.\n> "))?;
        match read_line()?.as_deref().map(str::trim) {
            None | Some("n" | "no" | BACK | LEAVE) => return Ok(false),
            Some("" | "y" | "yes") => return Ok(true),
            Some(other) => tty::write(&format!("`{other}` is neither.\n"))?,
        }
    }
}

/// Reads a line without its end; `None` at the end of the input.
fn read_line() -> Result<Option<String>> {
    while !tty::wait(LOOKS)? {
        pause_if_interrupted()?;
    }
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Err(Error::interrupted()),
        Err(error) => Err(tty::fails(&error)),
    }
}

/// Lists what there is to choose from, or the part of it that was searched for.
fn show(question: &Question, kept: Option<&Answer>, search: &str) -> Result<()> {
    if let Kind::Consent(lines) = &question.kind {
        return tty::write(&format!("{}\n", lines.join("\n")));
    }
    let items = question.kind.items();
    let marked = marked(items, kept);
    let mut text = String::new();
    let mut group = "";
    for (number, item) in items.iter().enumerate().filter(|(_, item)| item.matches(search)) {
        if item.group != group {
            group = &item.group;
            text += &format!("{group}:\n");
        }
        let mark = match &item.barred {
            Some(why) => format!(" ({why})"),
            None if marked.contains(&item.name) => " (marked)".to_owned(),
            None => String::new(),
        };
        let about = if item.about.is_empty() { String::new() } else { format!(": {}", item.about) };
        text += &format!("{}. {}{about}{mark}\n", number + 1, item.name);
    }
    if text.is_empty() && !items.is_empty() {
        text = format!("Nothing matches `{search}`.\n");
    }
    tty::write(&text)
}

fn marked(items: &[Item], kept: Option<&Answer>) -> Vec<String> {
    match kept {
        Some(Answer::Items(names)) => names.clone(),
        _ => items.iter().filter(|item| item.marked).map(|item| item.name.clone()).collect(),
    }
}

/// Says how to answer.
fn how(question: &Question, kept: Option<&Answer>) -> String {
    let back = format!("`{BACK}` goes back, `{LEAVE}` leaves.");
    match &question.kind {
        Kind::Many(items) => {
            let marked = marked(items, kept);
            let marked = if marked.is_empty() { "none".to_owned() } else { marked.join(", ") };
            format!("Numbers or names, or `none`; Enter takes what is marked ({marked}); other words search; {back}")
        }
        Kind::One(_) => format!("A number or a name; other words search; {back}"),
        Kind::Text { default } => {
            let default = match kept {
                Some(Answer::Text(Some(text))) => text,
                _ => default,
            };
            format!("Enter takes: {default}. {back}")
        }
        Kind::Consent(_) => format!("Enter or `y` is yes, `n` is no, {back}"),
    }
}

/// What a line says.
enum Said {
    /// An answer.
    Answer(Answer),
    /// A choice that cannot be made, and why.
    Barred(String),
    /// Something to search for, or nothing that is understood.
    Other,
}

/// Reads a line.
fn read(question: &Question, kept: Option<&Answer>, typed: &str) -> Result<Said> {
    Ok(match &question.kind {
        Kind::Text { .. } if typed.is_empty() => match kept {
            Some(Answer::Text(text)) => Said::Answer(Answer::Text(text.clone())),
            _ => Said::Answer(Answer::Text(None)),
        },
        Kind::Text { .. } => Said::Answer(Answer::Text(Some(typed.to_owned()))),
        Kind::Consent(_) => match typed {
            "" | "y" | "yes" => Said::Answer(Answer::Yes),
            "n" | "no" => return Err(refused()),
            _ => Said::Other,
        },
        Kind::Many(items) if typed.is_empty() => Said::Answer(Answer::Items(marked(items, kept))),
        Kind::Many(_) if typed == "none" => Said::Answer(Answer::Items(Vec::new())),
        Kind::Many(items) => chosen(items, typed, items.len()),
        Kind::One(items) => chosen(items, typed, 1),
    })
}

/// Reads numbers and names of at most `most` items. They come in the order of the list, as on a screen, each once.
fn chosen(items: &[Item], typed: &str, most: usize) -> Said {
    let item = |word: &str| match word.parse::<usize>() {
        Ok(number) => items.get(number.wrapping_sub(1)),
        Err(_) => items.iter().find(|item| item.name == word),
    };
    let words = typed.split([' ', ',']).filter(|word| !word.is_empty());
    let Some(chosen) = words.map(item).collect::<Option<Vec<&Item>>>() else { return Said::Other };
    if chosen.is_empty() || chosen.len() > most {
        return Said::Other;
    }
    if let Some((name, why)) = chosen.iter().find_map(|item| Some((&item.name, item.barred.as_ref()?))) {
        return Said::Barred(format!("`{name}`: {why}"));
    }
    let names = items.iter().filter(|item| chosen.contains(item)).map(|item| item.name.clone());
    Said::Answer(Answer::Items(names.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(question: &Question, typed: &str) -> String {
        match read(question, None, typed) {
            Ok(Said::Answer(answer)) => format!("{answer:?}"),
            Ok(Said::Barred(why)) => why,
            Ok(Said::Other) => "other".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn numbers_names_and_words() {
        let item = |name: &str| Item { name: name.into(), ..Item::default() };
        let items =
            vec![Item { marked: true, ..item("a") }, item("b"), Item { barred: Some("not now".into()), ..item("c") }];
        let question = |kind| Question { key: "k".into(), title: "t".into(), about: String::new(), kind };
        let many = question(Kind::Many(items.clone()));
        let expected = [
            ("", "Items([\"a\"])"),
            ("none", "Items([])"),
            ("2, 1 2", "Items([\"a\", \"b\"])"),
            ("b", "Items([\"b\"])"),
            ("3", "`c`: not now"),
            ("0", "other"),
            ("4", "other"),
            ("cache", "other"),
        ];
        for (typed, answer) in expected {
            assert_eq!(said(&many, typed), answer, "{typed:?}");
        }
        let one = question(Kind::One(items));
        assert_eq!(
            (said(&one, "2"), said(&one, "1 2"), said(&one, "")),
            ("Items([\"b\"])".into(), "other".into(), "other".into())
        );
        let text = question(Kind::Text { default: "d".into() });
        assert_eq!((said(&text, ""), said(&text, "5Gi")), ("Text(None)".into(), "Text(Some(\"5Gi\"))".into()));
        let consent = question(Kind::Consent(vec![]));
        assert_eq!((said(&consent, "y"), said(&consent, "what")), ("Yes".into(), "other".into()));
        assert!(said(&consent, "n").contains("not confirmed"));
    }
}
