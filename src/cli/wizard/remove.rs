//! The questions of `kilter remove`.

use super::machine::{Answers, Flow};
use super::question::{Answer, Item, Kind, Question};
use crate::diag::Result;

const SERVICES: &str = "services";
const DATA: &str = "data";
const WRITE: &str = "write";

/// What can become of the data.
const KEEP: &str = "keep";
const DELETE: &str = "delete";

/// Makes the page that is consented to, of the services and of whether their data goes, too.
type Page<'a> = dyn Fn(&[String], bool) -> Result<Vec<String>> + 'a;

/// The questions of `kilter remove`.
pub(crate) struct RemoveFlow<'a> {
    /// The services of the project, with their state.
    pub(crate) services: &'a [Item],
    /// What becomes of their data, where that is decided already.
    pub(crate) decided: Option<bool>,
    /// What is to be consented to.
    pub(crate) page: &'a Page<'a>,
}

impl Flow for RemoveFlow<'_> {
    fn next(&self, answers: &Answers) -> Result<Option<Question>> {
        let question = |key: &str, title: &str, about: &str, kind| {
            Ok(Some(Question { key: key.into(), title: title.into(), about: about.into(), kind }))
        };
        if answers.get(SERVICES).is_none() {
            let about = "Takes them out of kilter.yaml, with their manifests. What you ejected stays.";
            return question(SERVICES, "Remove which services?", about, Kind::Many(self.services.to_vec()));
        }
        if answers.get(DATA).is_none() && self.decided.is_none() {
            let item = |name: &str, about: &str, marked| Item {
                name: name.into(),
                about: about.into(),
                marked,
                ..Item::default()
            };
            let ways = vec![
                item(KEEP, "volumes in the cluster stay; add the service again to have them back", true),
                item(DELETE, "what runs of it and its volumes go, for good", false),
            ];
            return question(DATA, "What becomes of their data?", "Only data in the cluster.", Kind::One(ways));
        }
        if answers.get(WRITE).is_some() {
            return Ok(None);
        }
        let page = (self.page)(answers.items(SERVICES), self.data(answers))?;
        question(WRITE, "Write kilter.yaml?", "", Kind::Consent(page))
    }

    fn objection(&self, _answers: &Answers, _question: &Question, answer: &Answer) -> Option<String> {
        let none = matches!(answer, Answer::Items(names) if names.is_empty());
        none.then(|| "Mark at least one with Space, or leave with Esc.".into())
    }
}

impl RemoveFlow<'_> {
    /// The services that were chosen.
    pub(crate) fn chosen(&self, answers: &Answers) -> Vec<String> {
        answers.items(SERVICES).to_vec()
    }

    /// Whether their data is to go.
    pub(crate) fn data(&self, answers: &Answers) -> bool {
        self.decided.unwrap_or_else(|| answers.items(DATA).iter().any(|way| way == DELETE))
    }
}

/// The command that removes the same.
pub(crate) fn command(services: &[String], data: bool) -> Vec<String> {
    let data: &[&str] = if data { &["--data", "--yes"] } else { &[] };
    let services = services.iter().map(String::as_str);
    ["kilter", "remove"].into_iter().chain(services).chain(data.iter().copied()).map(str::to_owned).collect()
}
