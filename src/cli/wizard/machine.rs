//! The course of a wizard: which question is open, the answers so far, the way back. No terminal, no files.

use std::collections::BTreeMap;

use super::question::{Answer, Question};
use crate::diag::Result;

/// What a wizard is about.
pub(crate) trait Flow {
    /// The question that is open after these answers; `None` when everything is answered.
    ///
    /// # Errors
    /// When what was answered cannot be done.
    fn next(&self, answers: &Answers) -> Result<Option<Question>>;

    /// Why an answer will not do, after these answers.
    fn objection(&self, answers: &Answers, question: &Question, answer: &Answer) -> Option<String>;

    /// Told of the answers so far, each time that there is one more or one less.
    fn progress(&self, _answers: &Answers) {}
}

/// The answers so far, by the key of their question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answers(Vec<(String, Answer)>);

impl Answers {
    /// The answer to a question, if it was given.
    pub(crate) fn get(&self, key: &str) -> Option<&Answer> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, answer)| answer)
    }

    /// These answers and one more.
    #[must_use]
    pub(crate) fn with(&self, question: &Question, answer: &Answer) -> Self {
        let mut answers = self.clone();
        answers.0.push((question.key.clone(), answer.clone()));
        answers
    }

    /// The items that were chosen; none when the question was not asked.
    pub(crate) fn items(&self, key: &str) -> &[String] {
        match self.get(key) {
            Some(Answer::Items(items)) => items,
            _ => &[],
        }
    }

    /// The text that was typed; `None` for the default.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Answer::Text(text)) => text.as_deref(),
            _ => None,
        }
    }
}

/// A wizard in its course.
pub(crate) struct Machine<'a> {
    flow: &'a dyn Flow,
    answers: Answers,
    /// What was answered before a step back, to begin with when the question comes again.
    kept: BTreeMap<String, Answer>,
    open: Option<Question>,
}

impl<'a> Machine<'a> {
    /// Opens the first question.
    ///
    /// # Errors
    /// As the flow's.
    pub(crate) fn new(flow: &'a dyn Flow) -> Result<Self> {
        let answers = Answers::default();
        let open = flow.next(&answers)?;
        flow.progress(&answers);
        Ok(Self { flow, answers, kept: BTreeMap::new(), open })
    }

    /// The question that is open; `None` at the end.
    pub(crate) fn question(&self) -> Option<&Question> {
        self.open.as_ref()
    }

    /// What was answered to it before a step back.
    pub(crate) fn kept(&self) -> Option<&Answer> {
        self.open.as_ref().and_then(|question| self.kept.get(&question.key))
    }

    /// Answers it. Returns why the answer will not do, and then the question stays open.
    ///
    /// # Errors
    /// As the flow's.
    pub(crate) fn answer(&mut self, answer: Answer) -> Result<Option<String>> {
        let Some(question) = &self.open else { return Ok(None) };
        if let Some(objection) = self.flow.objection(&self.answers, question, &answer) {
            return Ok(Some(objection));
        }
        self.kept.insert(question.key.clone(), answer.clone());
        self.answers.0.push((question.key.clone(), answer));
        self.open = self.flow.next(&self.answers)?;
        self.flow.progress(&self.answers);
        Ok(None)
    }

    /// Takes the default of every text that follows, up to the next question of another kind.
    ///
    /// # Errors
    /// As the flow's.
    pub(crate) fn take_defaults(&mut self) -> Result<()> {
        while matches!(self.open, Some(Question { kind: super::Kind::Text { .. }, .. })) {
            if self.answer(Answer::Text(None))?.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Goes back to the question before; `false` when there is none.
    ///
    /// # Errors
    /// As the flow's.
    pub(crate) fn back(&mut self) -> Result<bool> {
        if self.answers.0.pop().is_none() {
            return Ok(false);
        }
        self.open = self.flow.next(&self.answers)?;
        self.flow.progress(&self.answers);
        Ok(true)
    }

    /// The answers, at the end.
    pub(crate) fn into_answers(self) -> Answers {
        self.answers
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Item, Kind};
    use super::*;

    /// Asks which of two, then a text for each of them, then for consent.
    struct Two;

    impl Flow for Two {
        fn next(&self, answers: &Answers) -> Result<Option<Question>> {
            let question =
                |key: &str, kind| Question { key: key.into(), title: key.into(), about: String::new(), kind };
            let item = |name: &str| Item { name: name.into(), ..Item::default() };
            if answers.get("which").is_none() {
                return Ok(Some(question("which", Kind::Many(vec![item("a"), item("b")]))));
            }
            for name in answers.items("which") {
                if answers.get(name).is_none() {
                    return Ok(Some(question(name, Kind::Text { default: "1".into() })));
                }
            }
            let consent = || question("write", Kind::Consent(Vec::new()));
            Ok(answers.get("write").is_none().then(consent))
        }

        fn objection(&self, _answers: &Answers, question: &Question, answer: &Answer) -> Option<String> {
            (question.key == "which" && *answer == Answer::Items(Vec::new())).then(|| "none".into())
        }
    }

    fn at<'a>(machine: &'a Machine<'_>) -> Option<&'a str> {
        machine.question().map(|question| question.key.as_str())
    }

    #[test]
    fn there_and_back_and_what_was_said_is_kept() {
        let mut machine = Machine::new(&Two).unwrap();
        assert!(machine.answer(Answer::Items(Vec::new())).unwrap().is_some());
        assert_eq!(at(&machine), Some("which"));
        let both = Answer::Items(vec!["a".into(), "b".into()]);
        assert!(machine.answer(both.clone()).unwrap().is_none());
        machine.answer(Answer::Text(Some("x".into()))).unwrap();
        assert_eq!(at(&machine), Some("b"));
        assert!(machine.back().unwrap());
        assert_eq!((at(&machine), machine.kept()), (Some("a"), Some(&Answer::Text(Some("x".into())))));
        assert!(machine.back().unwrap());
        assert_eq!((at(&machine), machine.kept()), (Some("which"), Some(&both)));
        assert!(!machine.back().unwrap(), "before the first there is nothing");
        machine.answer(Answer::Items(vec!["b".into()])).unwrap();
        machine.take_defaults().unwrap();
        assert_eq!(at(&machine), Some("write"));
        machine.answer(Answer::Yes).unwrap();
        assert_eq!(at(&machine), None);
        let answers = machine.into_answers();
        assert_eq!((answers.items("which"), answers.text("b")), (&["b".to_owned()][..], None));
        assert_eq!(answers.get("a"), None, "what is no longer asked is not answered");
    }
}
