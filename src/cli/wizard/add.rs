//! The questions of `kilter add`, and the commands that give the same answers.

use std::collections::BTreeMap;

use super::machine::{Answers, Flow};
use super::question::{Answer, Item, Kind, Question};
use crate::catalog::{self, CatalogService, Setting, SettingKind};
use crate::detect::Finding;
use crate::diag::Result;

/// The keys of the first question and of the last.
const SERVICES: &str = "services";
const WRITE: &str = "write";

/// The group of what the project's manifests name.
const FOUND: &str = "found in this project";

/// A service that was chosen, with what was decided about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Its name.
    pub(crate) name: String,
    /// `--image`.
    pub(crate) image: Option<String>,
    /// `--storage`.
    pub(crate) storage: Option<String>,
    /// `--set`.
    pub(crate) set: Vec<String>,
}

/// The questions of `kilter add`.
pub(crate) struct AddFlow<'a> {
    /// Name of the project.
    pub(crate) project: &'a str,
    /// Names of the services that it has.
    pub(crate) there: &'a [String],
    /// The variables that they give the app, each with who gives it.
    pub(crate) given: &'a BTreeMap<String, String>,
    /// What its manifests name.
    pub(crate) found: &'a [Finding],
    /// What is to be consented to.
    pub(crate) page: &'a dyn Fn(&[Chosen]) -> Result<Vec<String>>,
    /// What clashes with what the project has, or needs what it lacks, in one line.
    pub(crate) clash: &'a dyn Fn(&[Chosen]) -> Option<String>,
    /// Told of what is chosen so far.
    pub(crate) watch: &'a dyn Fn(&[Chosen]),
}

impl Flow for AddFlow<'_> {
    fn next(&self, answers: &Answers) -> Result<Option<Question>> {
        if answers.get(SERVICES).is_none() {
            return Ok(Some(Question {
                key: SERVICES.into(),
                title: "Which services?".into(),
                about: "Each runs beside your app in development; the app gets its address in a variable.".into(),
                kind: Kind::Many(items(self.found, self.there)),
            }));
        }
        for name in answers.items(SERVICES) {
            let open = settings(name).into_iter().find(|setting| answers.get(&key(name, setting)).is_none());
            if let Some(setting) = open {
                return Ok(Some(self.question(name, &setting)));
            }
        }
        if answers.get(WRITE).is_some() {
            return Ok(None);
        }
        Ok(Some(Question {
            key: WRITE.into(),
            title: "Write kilter.yaml?".into(),
            about: String::new(),
            kind: Kind::Consent((self.page)(&chosen(answers))?),
        }))
    }

    fn objection(&self, answers: &Answers, question: &Question, answer: &Answer) -> Option<String> {
        let clashes = || (self.clash)(&chosen(&answers.with(question, answer)));
        match answer {
            Answer::Items(names) if names.is_empty() => Some("Mark at least one with Space, or leave with Esc.".into()),
            Answer::Items(names) => clash(names, self.given).or_else(clashes),
            Answer::Text(Some(text)) => {
                let (service, path) = question.key.split_once('/')?;
                let setting = settings(service).into_iter().find(|setting| setting.path == path)?;
                wrong(&setting, text).or_else(clashes)
            }
            Answer::Text(None) | Answer::Yes => None,
        }
    }

    fn progress(&self, answers: &Answers) {
        match answers.get(SERVICES) {
            Some(_) => (self.watch)(&chosen(answers)),
            // What is likely to be chosen: what is marked at first.
            None => {
                let likely = items(self.found, self.there).into_iter().filter(|item| item.marked);
                (self.watch)(&likely.map(|item| Chosen { name: item.name, ..Chosen::default() }).collect::<Vec<_>>());
            }
        }
    }
}

impl AddFlow<'_> {
    fn question(&self, service: &str, setting: &Setting) -> Question {
        let last = setting.path.rsplit('.').next().unwrap_or_default();
        let (title, about) = match setting.kind {
            SettingKind::Image => (
                format!("{service}: which image?"),
                "Decides the version. A tag alone (18.6) is one of the same image.".to_owned(),
            ),
            SettingKind::Storage => (
                format!("{service}: how much storage?"),
                "The size of its volume, which keeps its data over restarts.".to_owned(),
            ),
            SettingKind::Login => (format!("{service}: {last}?"), setting.about.clone()),
            SettingKind::Names => (
                format!("{service}: {last}?"),
                format!("{} Names, with blanks between them.", setting.about).trim_start().to_owned(),
            ),
        };
        Question { key: key(service, setting), title, about, kind: Kind::Text { default: self.default(setting) } }
    }

    /// The default of a setting, in words.
    fn default(&self, setting: &Setting) -> String {
        let text = setting.default.replace("{{ .Database }}", self.project).replace("{{ .Project }}", self.project);
        match text.as_str() {
            "" if setting.kind == SettingKind::Names => "none beside the first".into(),
            "" => "none".into(),
            text if text.contains("{{") => "derived from the names of project and service".into(),
            text => text.to_owned(),
        }
    }
}

fn key(service: &str, setting: &Setting) -> String {
    format!("{service}/{}", setting.path)
}

fn settings(service: &str) -> Vec<Setting> {
    match (catalog::chart(service), catalog::service(service)) {
        (Some(chart), Some(about)) => chart.settings(about),
        _ => Vec::new(),
    }
}

/// The services of the catalog to choose from: what was found first, the rest by category.
fn items(found: &[Finding], there: &[String]) -> Vec<Item> {
    let is_there = |name: &str| there.iter().any(|there| there == name);
    let item = |name: &str, about: &CatalogService, finding: Option<&Finding>| Item {
        name: name.to_owned(),
        group: finding.map_or_else(|| about.category.clone(), |_| FOUND.to_owned()),
        about: finding.map_or_else(|| about.description.clone(), evidence),
        detail: detail(about, finding),
        marked: finding.is_some_and(|finding| finding.selected),
        barred: is_there(name).then(|| "in kilter.yaml already".to_owned()),
    };
    let new = |finding: &&Finding| !is_there(&finding.name);
    let first = found
        .iter()
        .filter(new)
        .filter_map(|finding| Some(item(&finding.name, catalog::service(&finding.name)?, Some(finding))));
    let mut all: Vec<Item> = first.collect();
    let listed: Vec<String> = all.iter().map(|item| item.name.clone()).collect();
    let rest = catalog::services().iter().filter(|(name, _)| !listed.iter().any(|listed| listed == *name));
    let mut rest: Vec<Item> = rest.map(|(name, about)| item(name, about, None)).collect();
    rest.sort_by(|a, b| (&a.group, &a.name).cmp(&(&b.group, &b.name)));
    all.append(&mut rest);
    // Of two that give the same variable only the first can be marked.
    let mut marked: Vec<String> = Vec::new();
    for item in all.iter_mut().filter(|item| item.marked) {
        marked.push(item.name.clone());
        if clash(&marked, &BTreeMap::new()).is_some() {
            marked.pop();
            item.marked = false;
        }
    }
    all
}

/// The first piece of evidence of a finding: `package.json:5 pg`.
pub(super) fn evidence(finding: &Finding) -> String {
    let Some(first) = finding.evidence.first() else { return String::new() };
    let more = match finding.evidence.len() {
        0 | 1 => String::new(),
        more => format!(" and {} more", more - 1),
    };
    format!("{}:{} {}{more}", first.file, first.line, first.package)
}

/// What is said of a service while the cursor is on it.
fn detail(about: &CatalogService, finding: Option<&Finding>) -> Vec<String> {
    let gives: Vec<&str> = about.provides.keys().map(String::as_str).collect();
    let page = if about.ports.iter().any(|port| port.ui) { "; a page in the browser" } else { "" };
    let mut lines = vec![about.description.clone(), format!("Gives {}{page}", gives.join(", "))];
    lines.extend(
        finding.map(|finding| format!("Found by {}, {:.0} % sure", evidence(finding), finding.confidence * 100.0)),
    );
    // The question for the image follows, and takes it.
    let image = finding.and_then(|finding| finding.image.as_ref());
    lines.extend(image.map(|image| format!("The project runs {}, {}.", image.value, image.note)));
    lines
}

/// Says which two services give the app one variable.
pub(super) fn clash(names: &[String], given: &BTreeMap<String, String>) -> Option<String> {
    let mut givers = given.clone();
    for name in names {
        for variable in catalog::service(name).into_iter().flat_map(|about| about.provides.keys()) {
            if let Some(first) = givers.insert(variable.clone(), name.clone()) {
                return Some(format!("`{first}` and `{name}` both give the app `{variable}`: take one of them."));
            }
        }
    }
    None
}

/// Why a text will not do.
fn wrong(setting: &Setting, text: &str) -> Option<String> {
    let (least, most) = setting.length;
    let characters = text.chars().count();
    if setting.kind == SettingKind::Login && !(least..=most).contains(&characters) {
        return Some(match characters < least {
            true => format!("That has {characters} characters, and it takes at least {least}."),
            false => format!("That has {characters} characters, and it takes at most {most}."),
        });
    }
    let wrong = match setting.kind {
        SettingKind::Image if text.contains(char::is_whitespace) => Some("An image has no blanks in its name."),
        SettingKind::Storage if !crate::plan::is_size(text) => {
            Some("A size is a number with a unit, for example 5Gi or 500Mi.")
        }
        SettingKind::Names if text.contains(['{', '}', '"']) => Some("Names have no braces and no quotes."),
        SettingKind::Login if text.contains(char::is_control) => Some("That has characters that are none."),
        _ => None,
    };
    wrong.map(str::to_owned)
}

/// What was decided, service by service.
pub(crate) fn chosen(answers: &Answers) -> Vec<Chosen> {
    let one = |name: &String| {
        let mut one = Chosen { name: name.clone(), ..Chosen::default() };
        for setting in settings(name) {
            let Some(text) = answers.text(&key(name, &setting)).filter(|text| *text != setting.default) else {
                continue;
            };
            match setting.kind {
                SettingKind::Image => {
                    one.image = Some(image(text, &setting.default)).filter(|text| *text != setting.default)
                }
                SettingKind::Storage => one.storage = Some(text.to_owned()),
                SettingKind::Login => one.set.push(format!("{}={}", setting.path, as_text(text))),
                SettingKind::Names => {
                    let names: Vec<&str> = text.split([' ', ',']).filter(|name| !name.is_empty()).collect();
                    one.set.push(format!("{}={{{}}}", setting.path, names.join(",")));
                }
            }
        }
        one
    };
    answers.items(SERVICES).iter().map(one).collect()
}

/// A tag alone is one of the default image.
fn image(typed: &str, default: &str) -> String {
    let tag = typed.starts_with(|c: char| c.is_ascii_digit()) && !typed.contains(['/', ':', '@']);
    let name = default.rsplit_once(':').map_or(default, |(name, _)| name);
    if tag { format!("{name}:{typed}") } else { typed.to_owned() }
}

/// A text as `--set` reads it back: in quotes where it would be taken for something else.
fn as_text(text: &str) -> String {
    let taken =
        matches!(text, "true" | "false" | "null") || text.parse::<i64>().is_ok() || text.starts_with(['{', '"']);
    if taken { serde_json::Value::from(text).to_string() } else { text.to_owned() }
}

/// The commands that decide the same, each as its words. Services without decisions share one.
pub(crate) fn commands(chosen: &[Chosen]) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = Vec::new();
    let mut shared = false;
    for one in chosen {
        let mut words = Vec::new();
        for (flag, value) in [("--image", &one.image), ("--storage", &one.storage)] {
            words.extend(value.iter().flat_map(|value| [flag.to_owned(), value.clone()]));
        }
        words.extend(one.set.iter().flat_map(|set| ["--set".to_owned(), set.clone()]));
        let plain = words.is_empty();
        match commands.last_mut().filter(|_| shared && plain) {
            Some(last) => last.push(one.name.clone()),
            None => {
                words.splice(0..0, ["kilter", "add", &one.name].map(str::to_owned));
                commands.push(words);
            }
        }
        shared = plain;
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::super::machine::Machine;
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn flow<'a>(there: &'a [String], given: &'a BTreeMap<String, String>) -> AddFlow<'a> {
        AddFlow {
            project: "shop",
            there,
            given,
            found: &[],
            page: &|_| Ok(Vec::new()),
            clash: &|_| None,
            watch: &|_| (),
        }
    }

    fn answered(machine: &mut Machine<'_>, answers: &[(&str, &str)]) {
        while let Some(question) = machine.question().cloned() {
            let given = answers.iter().find(|(key, _)| *key == question.key);
            let answer = match question.kind {
                Kind::Text { .. } => Answer::Text(given.map(|(_, text)| (*text).to_owned())),
                _ => Answer::Yes,
            };
            assert_eq!(machine.answer(answer).unwrap(), None, "{}", question.key);
        }
    }

    #[test]
    fn what_is_decided_is_a_command() {
        let (there, given) = (Vec::new(), BTreeMap::new());
        let flow = flow(&there, &given);
        let mut machine = Machine::new(&flow).unwrap();
        machine.answer(Answer::Items(names(&["postgres", "redis", "nats"]))).unwrap();
        assert_eq!(machine.question().unwrap().title, "postgres: which image?");
        answered(
            &mut machine,
            &[
                ("postgres/image", "17"),
                ("postgres/storage.size", "5Gi"),
                ("postgres/auth.password", "12345"),
                ("postgres/auth.databases", "reports, audit"),
                ("redis/storage.size", "1Gi"),
            ],
        );
        let chosen = chosen(&machine.into_answers());
        let lines: Vec<String> = commands(&chosen).iter().map(|words| words.join(" ")).collect();
        assert_eq!(
            lines.join(" && "),
            "kilter add postgres --image postgres:17 --storage 5Gi --set auth.password=\"12345\" --set auth.databases={reports,audit} && kilter add redis nats"
        );
    }

    #[test]
    fn what_cannot_be_is_said_at_once() {
        let there = names(&["redis"]);
        let given = BTreeMap::from([("REDIS_URL".to_owned(), "redis".to_owned())]);
        let flow = flow(&there, &given);
        let mut machine = Machine::new(&flow).unwrap();
        let mut said = |names: Vec<String>| machine.answer(Answer::Items(names)).unwrap().unwrap_or_default();
        assert!(said(names(&["valkey"])).contains("both give the app `REDIS_URL`"));
        assert!(said(Vec::new()).contains("at least one"));
        let key = settings("meilisearch").into_iter().find(|setting| setting.kind == SettingKind::Login).unwrap();
        assert!(wrong(&key, "short").unwrap().contains("at least 16"));
        assert_eq!(wrong(&key, "long enough as a key"), None);
        machine.answer(Answer::Items(names(&["postgres"]))).unwrap();
        machine.answer(Answer::Text(None)).unwrap();
        for (size, right) in [("5 Gi", false), ("x", false), ("0Gi", false), ("5", false), ("1.5Gi", true)] {
            let said = machine.answer(Answer::Text(Some(size.into()))).unwrap();
            assert_eq!(said.is_none(), right, "{size}: {said:?}");
        }
        let Question { kind: Kind::Many(items), .. } = Machine::new(&flow).unwrap().question().unwrap().clone() else {
            panic!("a list")
        };
        assert!(items.iter().find(|item| item.name == "redis").unwrap().barred.is_some());
    }
}
