//! Choosing from a list: what is typed searches, Space marks, Enter takes.

use super::frame::{Look, Row, row};
use super::keys::Key;
use super::question::{Answer, Item};
use super::widget::Reply;

/// A list as it is being looked at.
#[derive(Debug)]
pub(crate) struct List {
    items: Vec<Item>,
    many: bool,
    marked: Vec<bool>,
    /// What was typed.
    search: String,
    /// Where the cursor is, among what the search leaves.
    at: usize,
}

impl List {
    /// Opens a list, with what was chosen before.
    pub(crate) fn new(items: &[Item], many: bool, kept: Option<&Answer>) -> Self {
        let before = |item: &Item| match kept {
            Some(Answer::Items(names)) => names.contains(&item.name),
            _ => item.marked,
        };
        let marked: Vec<bool> = items.iter().map(|item| item.barred.is_none() && before(item)).collect();
        let at = if many { 0 } else { marked.iter().position(|marked| *marked).unwrap_or(0) };
        Self { items: items.to_vec(), many, marked, search: String::new(), at }
    }

    /// Presses a key.
    pub(crate) fn key(&mut self, key: Key) -> Reply {
        let visible = self.visible();
        let last = visible.len().saturating_sub(1);
        match key {
            Key::Up => self.at = if self.at == 0 { last } else { self.at - 1 },
            Key::Down => self.at = if self.at >= last { 0 } else { self.at + 1 },
            Key::PageUp => self.at = self.at.saturating_sub(5),
            Key::PageDown => self.at = (self.at + 5).min(last),
            Key::Home => self.at = 0,
            Key::End => self.at = last,
            Key::Char(' ') if self.many => return self.mark(visible.get(self.at).copied()),
            Key::Char(c) => self.search_for(format!("{}{c}", self.search)),
            Key::Backspace => {
                let mut search = self.search.clone();
                search.pop();
                self.search_for(search);
            }
            Key::Clear => self.search_for(String::new()),
            Key::Esc if self.search.is_empty() => return Reply::Back,
            Key::Esc => self.search_for(String::new()),
            Key::Enter => return self.enter(visible.get(self.at).copied()),
            Key::Quit => return Reply::Quit,
            _ => {}
        }
        Reply::Stay
    }

    fn visible(&self) -> Vec<usize> {
        (0..self.items.len()).filter(|index| self.items[*index].matches(&self.search)).collect()
    }

    fn search_for(&mut self, search: String) {
        let before = self.visible().get(self.at).copied();
        self.search = search;
        let visible = self.visible();
        // Names that begin with it are what is meant before those that only mention it.
        let begins = |index: &usize| !self.search.is_empty() && self.items[*index].name.starts_with(&self.search);
        let kept = visible.iter().position(|index| Some(*index) == before).filter(|_| self.search.is_empty());
        self.at = kept.or_else(|| visible.iter().position(begins)).unwrap_or(0);
    }

    fn mark(&mut self, index: Option<usize>) -> Reply {
        let Some(index) = index else { return Reply::Stay };
        if let Some(why) = &self.items[index].barred {
            return Reply::Notice(format!("`{}`: {why}", self.items[index].name));
        }
        self.marked[index] = !self.marked[index];
        Reply::Stay
    }

    fn enter(&mut self, index: Option<usize>) -> Reply {
        if self.many && !self.search.is_empty() {
            // Found by typing: the first Enter marks it, the next goes on.
            let Some(index) = index else { return Reply::Notice(format!("nothing matches `{}`", self.search)) };
            let reply = if self.marked[index] { Reply::Stay } else { self.mark(Some(index)) };
            self.search.clear();
            self.at = index;
            return reply;
        }
        if self.many {
            return Reply::Answer(Answer::Items(self.chosen()));
        }
        let Some(index) = index else { return Reply::Notice(format!("nothing matches `{}`", self.search)) };
        match &self.items[index].barred {
            Some(why) => Reply::Notice(format!("`{}`: {why}", self.items[index].name)),
            None => Reply::Answer(Answer::Items(vec![self.items[index].name.clone()])),
        }
    }

    fn chosen(&self) -> Vec<String> {
        let marked = self.items.iter().zip(&self.marked).filter(|(_, marked)| **marked);
        marked.map(|(item, _)| item.name.clone()).collect()
    }

    /// What is said of the item under the cursor.
    pub(crate) fn detail(&self) -> Vec<String> {
        let Some(index) = self.visible().get(self.at).copied() else { return Vec::new() };
        let item = &self.items[index];
        item.barred.iter().map(|why| format!("`{}`: {why}", item.name)).chain(item.detail.iter().cloned()).collect()
    }

    /// What the keys do.
    pub(crate) fn keys(&self) -> String {
        match (self.many, self.search.is_empty()) {
            (true, true) => "Enter goes on · Space marks · Esc back · type to search · Ctrl-C quits".into(),
            (true, false) => "Enter marks it · Esc ends the search · Ctrl-C quits".into(),
            (false, _) => "Enter takes it · Esc back · type to search · Ctrl-C quits".into(),
        }
    }

    /// The rows: what was typed or chosen, then the part of the list around the cursor.
    pub(crate) fn body(&self, columns: usize, height: usize) -> (Vec<Row>, Option<(usize, usize)>) {
        let chosen = self.chosen();
        let first = match self.search.as_str() {
            "" if !self.many => None,
            "" if chosen.is_empty() => Some(row(Look::Plain, "Marked: none")),
            "" => Some(row(Look::Plain, format!("Marked: {}", chosen.join(", ")))),
            search => Some(vec![(Look::Plain, "Search: ".into()), (Look::Strong, format!("{search}_"))]),
        };
        let visible = self.visible();
        let widest = visible.iter().map(|index| self.items[*index].name.chars().count()).max().unwrap_or(0);
        let widest = widest.min(columns / 2);
        let mut rows: Vec<(Option<usize>, Row)> = Vec::new();
        let mut group = "";
        for (place, index) in visible.iter().enumerate() {
            let item = &self.items[*index];
            if item.group != group {
                group = &item.group;
                rows.push((None, row(Look::Lined, group)));
            }
            rows.push((Some(place), self.item(*index, place == self.at, widest)));
        }
        if rows.is_empty() {
            rows.push((None, row(Look::Plain, "  nothing matches")));
        }
        let cursor = rows.iter().position(|(place, _)| *place == Some(self.at)).unwrap_or(0);
        let first = first.filter(|_| height > 1);
        let room = height - usize::from(first.is_some());
        let start = cursor.saturating_sub(room / 2).min(rows.len().saturating_sub(room));
        let shown = rows.into_iter().skip(start).take(room).map(|(_, row)| row);
        (first.into_iter().chain(shown).collect(), None)
    }

    fn item(&self, index: usize, here: bool, widest: usize) -> Row {
        let item = &self.items[index];
        let mark = match (self.many, &item.barred, self.marked[index]) {
            (false, ..) => "",
            (true, Some(_), _) => "[-] ",
            (true, None, true) => "[x] ",
            (true, None, false) => "[ ] ",
        };
        let look = if here { Look::Strong } else { Look::Plain };
        let about = match &item.barred {
            Some(why) => why,
            None => &item.about,
        };
        vec![
            (look, format!("{} {mark}{:widest$}", if here { ">" } else { " " }, item.name)),
            (Look::Plain, format!("  {about}")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> List {
        let item = |name: &str, group: &str| Item { name: name.into(), group: group.into(), ..Item::default() };
        let items = [
            Item { marked: true, ..item("elephant", "found") },
            item("cow", "stable"),
            Item { barred: Some("there already".into()), ..item("crow", "stable") },
        ];
        List::new(&items, true, None)
    }

    fn press(list: &mut List, keys: &str) -> Reply {
        let mut reply = Reply::Stay;
        for c in keys.chars() {
            reply = list.key(match c {
                '\n' => Key::Enter,
                '^' => Key::Up,
                'v' => Key::Down,
                '<' => Key::Backspace,
                '!' => Key::Esc,
                c => Key::Char(c),
            });
        }
        reply
    }

    fn items(names: &[&str]) -> Reply {
        Reply::Answer(Answer::Items(names.iter().map(|name| (*name).to_owned()).collect()))
    }

    #[test]
    fn enter_takes_what_is_marked() {
        assert_eq!(press(&mut list(), "\n"), items(&["elephant"]));
        assert_eq!(press(&mut list(), " \n"), items(&[]));
        assert_eq!(press(&mut list(), "v \n"), items(&["elephant", "cow"]));
    }

    #[test]
    fn what_is_typed_searches_and_enter_marks_what_is_found() {
        let mut list = list();
        assert_eq!(press(&mut list, "cow\n"), Reply::Stay);
        assert_eq!(press(&mut list, "\n"), items(&["elephant", "cow"]));
        assert!(matches!(press(&mut list, "zebra\n"), Reply::Notice(_)));
        assert_eq!(press(&mut list, "!"), Reply::Stay, "ends the search");
        assert_eq!(press(&mut list, "!"), Reply::Back);
    }

    #[test]
    fn what_is_barred_says_why() {
        let mut list = list();
        assert_eq!(press(&mut list, "^ "), Reply::Notice("`crow`: there already".into()));
        assert_eq!(press(&mut list, "\n"), items(&["elephant"]));
        let again = List::new(&list.items, true, Some(&Answer::Items(vec!["cow".into(), "crow".into()])));
        assert_eq!(again.chosen(), ["cow"]);
    }

    #[test]
    fn the_cursor_is_always_to_be_seen() {
        let items: Vec<Item> =
            (0..40).map(|n| Item { name: format!("i{n}"), group: format!("g{}", n / 7), ..Item::default() }).collect();
        let mut list = List::new(&items, true, None);
        for height in [1, 2, 3, 7, 30] {
            for _ in 0..41 {
                list.key(Key::Down);
                let (rows, _) = list.body(40, height);
                assert!(rows.len() <= height);
                assert_eq!(rows.iter().filter(|row| row.iter().any(|(_, text)| text.starts_with("> "))).count(), 1);
            }
        }
    }
}
