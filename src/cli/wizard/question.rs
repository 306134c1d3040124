//! Questions and answers.

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// What it is known by among the answers.
    pub(crate) key: String,
    /// The question itself, on one line.
    pub(crate) title: String,
    /// What the answer changes, on one line.
    pub(crate) about: String,
    /// What it takes.
    pub(crate) kind: Kind,
}

/// What a question takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any number of items.
    Many(Vec<Item>),
    /// One item.
    One(Vec<Item>),
    /// A line of text; nothing typed is the default.
    Text {
        /// What nothing typed means, in words.
        default: String,
    },
    /// Consent to what the lines say.
    Consent(Vec<String>),
}

/// One thing to choose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Item {
    /// What it is called, and the answer.
    pub(crate) name: String,
    /// The heading it stands under; items of one group stand together.
    pub(crate) group: String,
    /// What stands beside its name.
    pub(crate) about: String,
    /// What is said of it while the cursor is on it.
    pub(crate) detail: Vec<String>,
    /// Whether it is marked at first.
    pub(crate) marked: bool,
    /// Why it cannot be chosen, if so.
    pub(crate) barred: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Names of items, in the order of the question.
    Items(Vec<String>),
    /// What was typed; `None` is the default.
    Text(Option<String>),
    /// Consent.
    Yes,
}

impl Item {
    /// Tells whether it has something to do with what was typed.
    pub(crate) fn matches(&self, typed: &str) -> bool {
        let typed = typed.to_lowercase();
        let texts = [&self.name, &self.about, &self.group].into_iter().chain(&self.detail);
        let text = texts.map(|text| text.to_lowercase()).collect::<Vec<_>>().join("\n");
        typed.split_whitespace().all(|word| text.contains(word))
    }
}

impl Kind {
    /// The items there are to choose from.
    pub(crate) fn items(&self) -> &[Item] {
        match self {
            Self::Many(items) | Self::One(items) => items,
            Self::Text { .. } | Self::Consent(_) => &[],
        }
    }
}
