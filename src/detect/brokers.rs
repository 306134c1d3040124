//! Which broker carries the tasks. A library of tasks that works with several hints at each of them (`celery`); what names one of
//! them for it answers: an extra (`celery[redis]`, `kombu[redis]`), the address in a variable (`CELERY_BROKER_URL=redis://…`).

use std::collections::{BTreeMap, BTreeSet};

use super::confidence::SELECT;
use super::decide::{about, is_within};
use super::model::Evidence;
use super::rules::canonical;
use crate::catalog::Ecosystem;

/// Packages of which an extra of any answers for all. Celery sends its messages with Kombu, and that always brings `amqp` along
/// (<https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/>).
const LIBRARIES: [&[&str]; 2] = [&["celery", "kombu", "amqp"], &["dramatiq"]];

/// Takes away the hints at brokers where another service is named as the broker; `evidence` is by service.
pub(super) fn take_back_answered(evidence: &mut BTreeMap<usize, Vec<Evidence>>) {
    let answers: Vec<(usize, Answer)> = evidence
        .iter()
        .flat_map(|(service, pieces)| pieces.iter().filter_map(|piece| Some((*service, answer(piece)?))))
        .collect();
    // What a library does not work with is another's broker: `EVENTS_BROKER=nats://…`.
    let asked: BTreeSet<(usize, &[&str])> = evidence
        .iter()
        .flat_map(|(service, pieces)| pieces.iter().filter_map(|piece| Some((*service, asks(piece)?))))
        .collect();
    let is_for = |service: usize, answer: &Answer, library: &'static [&'static str], file: &str| {
        answer.is_for(library, file) && (answer.library.is_some() || asked.contains(&(service, library)))
    };
    let is_answered = |service: usize, piece: &Evidence| {
        asks(piece).is_some_and(|library| {
            let about = |(other, answer): &&(usize, Answer)| is_for(*other, answer, library, &piece.file);
            let mut about = answers.iter().filter(about).peekable();
            about.peek().is_some() && about.all(|(other, _)| *other != service)
        })
    };
    let answered: BTreeSet<(usize, usize)> = evidence
        .iter()
        .flat_map(|(service, pieces)| pieces.iter().enumerate().map(|(at, piece)| (*service, at, piece)))
        .filter(|(service, _, piece)| piece.confidence < SELECT && is_answered(*service, piece))
        .map(|(service, at, _)| (service, at))
        .collect();
    for (service, pieces) in evidence.iter_mut() {
        let mut at = 0..;
        pieces.retain(|_| at.next().is_some_and(|at| !answered.contains(&(*service, at))));
    }
    evidence.retain(|_, pieces| !pieces.is_empty());
}

/// What names a broker.
struct Answer {
    /// The packages that it is about; `None` for all.
    library: Option<&'static [&'static str]>,
    /// The directory below which it counts.
    directory: String,
}

impl Answer {
    fn is_for(&self, library: &[&str], file: &str) -> bool {
        self.library.is_none_or(|own| own == library) && is_within(file, &self.directory)
    }
}

/// Returns what a piece of evidence answers: an extra of such a library, an address that is to be taken over.
fn answer(piece: &Evidence) -> Option<Answer> {
    let directory = about(piece.file.as_str()).strip_suffix("requirements").unwrap_or(about(&piece.file));
    let directory = directory.trim_end_matches('/').to_owned();
    match piece.ecosystem {
        Ecosystem::Python => {
            let (name, _) = piece.package.split_once('[')?;
            Some(Answer { library: Some(library(name)?), directory })
        }
        Ecosystem::Env => {
            let names = piece.package.to_ascii_uppercase().contains("BROKER") && piece.confidence >= SELECT;
            names.then_some(Answer { library: None, directory })
        }
        _ => None,
    }
}

/// Returns the packages that a piece asks about: one of them is named without an extra.
fn asks(piece: &Evidence) -> Option<&'static [&'static str]> {
    library(&piece.package).filter(|_| piece.ecosystem == Ecosystem::Python)
}

/// Returns the packages of which a package is one.
fn library(package: &str) -> Option<&'static [&'static str]> {
    let name = canonical(Ecosystem::Python, package);
    LIBRARIES.into_iter().find(|packages| packages.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, tree};

    #[test]
    fn a_broker_that_is_named_answers_for_all() {
        for files in [
            &[("requirements.txt", "celery[redis]==5\n")][..],
            &[("requirements.txt", "Celery\nkombu[redis]\namqp\n")],
            &[("requirements/base.txt", "celery\n"), ("requirements/production.txt", "celery[redis]\n")],
            &[("requirements.txt", "celery\n"), (".env.example", "CELERY_BROKER_URL=redis://localhost:6379/0\n")],
            &[("app/requirements.txt", "celery\n"), (".env.example", "BROKER=redis://localhost\n")],
            &[("pyproject.toml", "[project]\ndependencies = ['dramatiq[redis, watch]']\n")],
        ] {
            assert_eq!(found(&tree(files).detect_by_catalog()), ["redis"], "{files:?}");
        }
        let rabbit = [("requirements.txt", "celery\n"), (".env.example", "CELERY_BROKER_URL=amqp://localhost\n")];
        assert_eq!(found(&tree(&rabbit).detect_by_catalog()), ["rabbitmq"]);
    }

    #[test]
    fn without_an_answer_for_it_the_question_stays() {
        for files in [
            &[("requirements.txt", "celery\nredis\n")][..],
            &[("a/requirements.txt", "celery\n"), ("b/requirements.txt", "celery[redis]\n")],
            &[("requirements.txt", "celery\n"), (".env.example", "# CELERY_BROKER_URL=redis://localhost\n")],
            &[("requirements.txt", "celery\n"), (".env.example", "CACHE_URL=redis://localhost\n")],
            &[("requirements.txt", "celery[redis]\ndramatiq\n")],
            &[("requirements.txt", "celery[redis]\nkombu[amqp]\n")],
        ] {
            assert_eq!(found(&tree(files).detect_by_catalog()), ["rabbitmq", "redis"], "{files:?}");
        }
        let other = [("requirements.txt", "celery\n"), (".env.example", "EVENTS_BROKER=nats://localhost\n")];
        assert_eq!(found(&tree(&other).detect_by_catalog()), ["nats", "rabbitmq", "redis"]);
    }
}
