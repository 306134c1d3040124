//! The questions of `kilter eject`.

use super::machine::{Answers, Flow};
use super::question::{Answer, Item, Kind, Question};
use crate::diag::Result;

const THING: &str = "thing";
const WRITE: &str = "write";

/// The questions of `kilter eject`.
pub(crate) struct EjectFlow<'a> {
    /// What can be ejected, with its state.
    pub(crate) things: &'a [Item],
    /// What is to be consented to.
    pub(crate) page: &'a dyn Fn(&str) -> Vec<String>,
}

impl Flow for EjectFlow<'_> {
    fn next(&self, answers: &Answers) -> Result<Option<Question>> {
        let Some(thing) = answers.items(THING).first() else {
            return Ok(Some(Question {
                key: THING.into(),
                title: "Eject what?".into(),
                about: "You get a copy below kilter/ that kilter uses and never overwrites.".into(),
                kind: Kind::One(self.things.to_vec()),
            }));
        };
        let consent = || Question {
            key: WRITE.into(),
            title: format!("Eject {thing}?"),
            about: String::new(),
            kind: Kind::Consent((self.page)(thing)),
        };
        Ok(answers.get(WRITE).is_none().then(consent))
    }

    fn objection(&self, _answers: &Answers, _question: &Question, _answer: &Answer) -> Option<String> {
        None
    }
}

impl EjectFlow<'_> {
    /// The thing that was chosen.
    pub(crate) fn chosen(&self, answers: &Answers) -> Option<String> {
        answers.items(THING).first().cloned()
    }
}
