//! The questions of `kilter init`.

use std::collections::BTreeMap;

use super::add::{clash, evidence};
use super::machine::{Answers, Flow};
use super::question::{Answer, Item, Kind, Question};
use crate::catalog;
use crate::detect::Finding;
use crate::diag::Result;
use crate::ids::Name;

const SERVICES: &str = "services";
const WRITE: &str = "write";
/// What stands for an answer where nothing was found and nothing is needed.
const LEFT_OPEN: &str = "left open";

/// A kilter.yaml as it was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Drafted {
    /// The services to write.
    pub(crate) services: Vec<String>,
    /// `name:`, when it is not the default.
    pub(crate) name: Option<String>,
    /// `port:`, when it is not the default.
    pub(crate) port: Option<String>,
    /// `dev:`, when it is not the default.
    pub(crate) dev: Option<String>,
    /// `image:`, when it is not the default.
    pub(crate) image: Option<String>,
}

/// The questions of `kilter init`.
pub(crate) struct InitFlow<'a> {
    /// What the manifests name and kilter.yaml lacks.
    pub(crate) news: &'a [&'a Finding],
    /// The facts to ask for, with their defaults: only where there is no kilter.yaml yet.
    pub(crate) facts: &'a [(Fact, String)],
    /// The name to write when no other is given: nothing else gives the project one.
    pub(crate) stand_in: Option<&'a str>,
    /// What is to be consented to; nothing when there is nothing to write.
    pub(crate) page: &'a dyn Fn(&Drafted) -> Result<Vec<String>>,
    /// What clashes with what the project and this machine have, in one line.
    pub(crate) clash: &'a dyn Fn(&Drafted) -> Option<String>,
    /// Told of what is decided so far.
    pub(crate) watch: &'a dyn Fn(&Drafted),
}

/// A fact about the project that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fact {
    /// Its name.
    Name,
    /// The port that the app listens on.
    Port,
    /// The command that starts it.
    Dev,
    /// The image that it runs in.
    Image,
}

impl Fact {
    /// Its key in kilter.yaml.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Port => "port",
            Self::Dev => "dev",
            Self::Image => "image",
        }
    }

    /// The question, and what its answer changes; `found`: whether the default was found in the project.
    fn words(self, found: bool) -> (&'static str, &'static str) {
        match self {
            Self::Dev if !found => {
                ("Which command starts the app?", "None was found. Left open, the services run without the app.")
            }
            Self::Name => {
                ("What is the project called?", "Names its cluster, its namespace and its app when deployed.")
            }
            Self::Port => ("Which port does the app listen on?", "The app gets it as PORT, too."),
            Self::Dev => ("Which command starts the app?", "It runs in a container, with your edits in it."),
            Self::Image => ("Which image does the app run in?", "The base of its container in development."),
        }
    }
}

impl Flow for InitFlow<'_> {
    fn next(&self, answers: &Answers) -> Result<Option<Question>> {
        if answers.get(SERVICES).is_none() && !self.news.is_empty() {
            return Ok(Some(Question {
                key: SERVICES.into(),
                title: "Which services?".into(),
                about: "Found in the project's own files: how sure, and by what. What is marked is as good as certain."
                    .into(),
                kind: Kind::Many(items(self.news)),
            }));
        }
        let asked = |fact: Fact| match fact {
            Fact::Port | Fact::Image => self.has_app(answers),
            Fact::Name | Fact::Dev => true,
        };
        let open = self.facts.iter().find(|(fact, _)| answers.get(fact.key()).is_none() && asked(*fact));
        if let Some((fact, default)) = open {
            let (title, about) = fact.words(!default.is_empty());
            let default = if default.is_empty() { LEFT_OPEN.to_owned() } else { default.clone() };
            let kind = Kind::Text { default };
            return Ok(Some(Question { key: fact.key().into(), title: title.into(), about: about.into(), kind }));
        }
        if answers.get(WRITE).is_some() {
            return Ok(None);
        }
        let page = (self.page)(&self.drafted(answers))?;
        let consent = |page| Question {
            key: WRITE.into(),
            title: "Write kilter.yaml?".into(),
            about: String::new(),
            kind: Kind::Consent(page),
        };
        Ok((!page.is_empty()).then(|| consent(page)))
    }

    fn objection(&self, answers: &Answers, question: &Question, answer: &Answer) -> Option<String> {
        let wrong = match (answer, question.key.as_str()) {
            (Answer::Items(names), _) => clash(names, &BTreeMap::new()),
            (Answer::Text(Some(text)), "name") => Name::new(text).err(),
            (Answer::Text(Some(text)), "port") if text == LEFT_OPEN => None,
            (Answer::Text(Some(text)), "port") if text.parse::<u16>().is_ok_and(|port| port > 0) => None,
            (Answer::Text(Some(_)), "port") => Some("A port is a number from 1 to 65535.".into()),
            _ => None,
        };
        // Its name is what another directory may have: until it is asked for, that is no reason to object.
        let is_open = |fact: &(Fact, String)| fact.0 == Fact::Name && answers.get(fact.0.key()).is_none();
        let named = question.key == Fact::Name.key() || !self.facts.iter().any(is_open);
        wrong.or_else(|| (self.clash)(&self.drafted(&answers.with(question, answer))).filter(|_| named))
    }

    fn progress(&self, answers: &Answers) {
        let mut drafted = self.drafted(answers);
        // What is likely to be chosen: what is marked at first.
        if answers.get(SERVICES).is_none() {
            let likely = self.news.iter().filter(|finding| finding.selected);
            drafted.services = likely.map(|finding| finding.name.clone()).collect();
        }
        (self.watch)(&drafted);
    }
}

impl InitFlow<'_> {
    /// Whether there is an app to run: a command that starts it was found, or said by an option or an answer.
    fn has_app(&self, answers: &Answers) -> bool {
        let dev = self.facts.iter().find(|(fact, _)| *fact == Fact::Dev);
        dev.is_none_or(|(_, found)| !found.is_empty()) || self.drafted(answers).dev.is_some()
    }

    /// What was decided; what is the default is not written.
    pub(crate) fn drafted(&self, answers: &Answers) -> Drafted {
        let other = |wanted: Fact| {
            let (_, default) = self.facts.iter().find(|(fact, _)| *fact == wanted)?;
            answers.text(wanted.key()).filter(|text| text != default && *text != LEFT_OPEN).map(str::to_owned)
        };
        Drafted {
            services: answers.items(SERVICES).to_vec(),
            name: other(Fact::Name).or_else(|| self.stand_in.map(str::to_owned)),
            port: other(Fact::Port),
            dev: other(Fact::Dev),
            image: other(Fact::Image),
        }
    }
}

impl Drafted {
    /// The command that writes the same. `plain`: the services are those that are taken without a word.
    pub(crate) fn command(&self, plain: bool) -> Vec<String> {
        let mut words = vec!["kilter".to_owned(), "init".into(), "--yes".into()];
        if !plain {
            words.extend(["--services".to_owned(), self.services.join(",")]);
        }
        let facts = [("--name", &self.name), ("--port", &self.port), ("--dev", &self.dev), ("--image", &self.image)];
        for (flag, value) in facts {
            words.extend(value.iter().flat_map(|value| [flag.to_owned(), value.clone()]));
        }
        words
    }
}

/// The findings as a table: what, how sure, why.
fn items(news: &[&Finding]) -> Vec<Item> {
    let item = |finding: &&Finding| {
        let about = catalog::service(&finding.name);
        let gives: Vec<&str> = about.into_iter().flat_map(|about| about.provides.keys()).map(String::as_str).collect();
        let mut detail: Vec<String> = about.map(|about| about.description.clone()).into_iter().collect();
        detail.push(format!("Gives {}", gives.join(", ")));
        let notes = finding.evidence.iter().take(2);
        detail.extend(notes.map(|one| format!("{}:{} {}", one.file, one.line, one.note)));
        Item {
            name: finding.name.clone(),
            about: format!("{:>3.0} %  {}", finding.confidence * 100.0, evidence(finding)),
            detail,
            marked: finding.selected,
            ..Item::default()
        }
    };
    news.iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::super::machine::Machine;
    use super::*;

    #[test]
    fn a_command_that_was_not_found_is_asked_for_and_may_be_left_out() {
        let facts = [Fact::Name, Fact::Dev, Fact::Port, Fact::Image].map(|fact| match fact {
            Fact::Name => (fact, "shop".to_owned()),
            Fact::Port => (fact, "8000".to_owned()),
            _ => (fact, String::new()),
        });
        let page = |_: &Drafted| Ok(vec!["x".into()]);
        let flow = InitFlow { news: &[], facts: &facts, stand_in: None, page: &page, clash: &|_| None, watch: &|_| () };
        let course = |dev: Option<&str>| {
            let mut machine = Machine::new(&flow).unwrap();
            let mut asked = Vec::new();
            while let Some(question) = machine.question().cloned() {
                let answer = match (question.key.as_str(), question.kind) {
                    (_, Kind::Consent(_)) => Answer::Yes,
                    ("dev", _) => Answer::Text(dev.map(str::to_owned)),
                    // As Tab has it.
                    ("image", Kind::Text { default }) => Answer::Text(Some(default)),
                    _ => Answer::Text(None),
                };
                assert_eq!(machine.answer(answer).unwrap(), None);
                asked.push(question.key);
            }
            (asked.join(" "), flow.drafted(&machine.into_answers()))
        };
        assert_eq!(course(None), ("name dev write".into(), Drafted::default()));
        assert_eq!(course(Some(LEFT_OPEN)), ("name dev write".into(), Drafted::default()));
        let dev = Some("php artisan serve".to_owned());
        let (asked, drafted) = course(dev.as_deref());
        assert_eq!((asked.as_str(), drafted), ("name dev port image write", Drafted { dev, ..Drafted::default() }));
    }

    #[test]
    fn what_is_the_default_is_not_written() {
        let facts =
            [(Fact::Name, "shop".to_owned()), (Fact::Port, "3000".to_owned()), (Fact::Dev, "npm run dev".into())];
        let clash = |drafted: &Drafted| (drafted.name.as_deref() == Some("taken")).then(|| "it is".to_owned());
        let page = |_: &Drafted| Ok(vec!["x".into()]);
        let flow = InitFlow { news: &[], facts: &facts, stand_in: None, page: &page, clash: &clash, watch: &|_| () };
        let mut machine = Machine::new(&flow).unwrap();
        assert!(machine.answer(Answer::Text(Some("Not A Name".into()))).unwrap().is_some());
        assert_eq!(machine.answer(Answer::Text(Some("taken".into()))).unwrap(), Some("it is".into()));
        machine.answer(Answer::Text(Some("store".into()))).unwrap();
        assert!(machine.answer(Answer::Text(Some("0".into()))).unwrap().is_some());
        machine.answer(Answer::Text(Some("3000".into()))).unwrap();
        machine.answer(Answer::Text(None)).unwrap();
        machine.answer(Answer::Yes).unwrap();
        assert!(machine.question().is_none());
        let drafted = flow.drafted(&machine.into_answers());
        assert_eq!(drafted, Drafted { name: Some("store".into()), ..Drafted::default() });
        assert_eq!(drafted.command(true), ["kilter", "init", "--yes", "--name", "store"]);
        assert_eq!(drafted.command(false)[2..5], ["--yes", "--services", ""]);
    }
}
