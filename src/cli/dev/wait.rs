//! Waiting until everything is ready or has failed, by listening to Tilt and to the cluster.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::board::{Board, Failure, Outcome, Verdict};
use super::view::View;
use crate::cli::context::Context;
use crate::cluster::Kubectl;
use crate::diag::{Error, Problem, Result};
use crate::exec::{Said, Stream, interrupted};
use crate::tilt::{Resource, Tilt};

/// How long building and starting may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budgets {
    /// From its turn until it is built and applied.
    pub(crate) build: Duration,
    /// From then until it is ready.
    pub(crate) ready: Duration,
}

/// What tells the state that is waited for from the one before.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    /// When the Tiltfile was loaded last, if it is to be loaded anew; else empty.
    pub(crate) tiltfile: String,
    /// When services were applied last that are to be applied anew.
    pub(crate) deployed: BTreeMap<String, String>,
    /// The services that are waited for; none means all.
    pub(crate) only: Vec<String>,
}

/// How often budgets are looked at while nothing happens.
const TICK: Duration = Duration::from_secs(1);

/// How long to wait before somebody is listened to again who does not answer.
const AGAIN: Duration = Duration::from_millis(200);

/// How long Tilt may take to load and apply what was rendered.
const APPLIED_WITHIN: Duration = Duration::from_secs(120);

/// Lines of a crashed container that are shown.
const LAST_LINES: &str = "10";

enum Heard {
    Tilt(Said<Value>),
    Pods(Said<Value>),
}

/// What is waited for.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    /// How kilter talks.
    pub(crate) ctx: &'a Context,
    /// Who builds and applies.
    pub(crate) tilt: &'a Tilt,
    /// Who knows the pods.
    pub(crate) kubectl: &'a Kubectl,
}

/// A stream that is listened to, and again when it ends.
struct Ear<'a> {
    open: Box<dyn Fn() -> Result<Stream> + 'a>,
    stream: Option<Stream>,
    again: Instant,
}

impl Ear<'_> {
    fn listen(&mut self) -> Result<()> {
        if self.stream.is_none() && Instant::now() >= self.again {
            self.stream = Some((self.open)()?);
        }
        Ok(())
    }

    fn ended(&mut self) {
        self.stream = None;
        self.again = Instant::now() + AGAIN;
    }
}

impl Waiting<'_> {
    /// Waits until every service is ready or has failed; returns them all.
    ///
    /// # Errors
    /// When Tilt ends, or kilter is interrupted.
    pub(crate) fn wait(&self, expected: Expected, budgets: Budgets) -> Result<Vec<Outcome>> {
        self.until(Board::new(expected, budgets), |outcomes| {
            outcomes.iter().all(|outcome| !matches!(outcome.verdict, Verdict::Waiting(_)))
        })
    }

    /// Waits until Tilt has taken up what is expected, whether it gets ready or not.
    ///
    /// # Errors
    /// When Tilt ends, or cannot load or apply it, or kilter is interrupted.
    pub(crate) fn applied(&self, expected: Expected) -> Result<()> {
        let budgets = Budgets { build: APPLIED_WITHIN, ready: Duration::MAX };
        let refused = |outcome: &Outcome| !outcome.applied && matches!(outcome.verdict, Verdict::Failed(_));
        let outcomes = self.until(Board::new(expected, budgets), |outcomes| {
            outcomes.iter().all(|outcome| outcome.applied || refused(outcome))
        })?;
        let failed = outcomes.iter().filter_map(|outcome| match &outcome.verdict {
            Verdict::Failed(failure) if !outcome.applied => Some(self.problem(&outcome.service, failure)),
            _ => None,
        });
        let failed: Vec<Problem> = failed.collect();
        if failed.is_empty() { Ok(()) } else { Err(Error::from_problems(crate::diag::Kind::Project, failed)) }
    }

    fn until(&self, mut board: Board, done: impl Fn(&[Outcome]) -> bool) -> Result<Vec<Outcome>> {
        let (tell, heard) = channel();
        let pods = tell.clone();
        let of_tilt = move || {
            let tell = tell.clone();
            self.tilt.watch(move |said| drop(tell.send(Heard::Tilt(said))))
        };
        let of_pods = move || {
            let tell = pods.clone();
            self.kubectl.watch_pods(move |said| drop(tell.send(Heard::Pods(said))))
        };
        let mut tilt = Ear { open: Box::new(of_tilt), stream: None, again: Instant::now() };
        let mut pods = Ear { open: Box::new(of_pods), stream: None, again: Instant::now() };
        let began = Instant::now();
        let view = View::new(&self.ctx.ui);
        loop {
            tilt.listen()?;
            pods.listen()?;
            match next(&heard, &[&tilt, &pods]) {
                Some(Heard::Tilt(Said::Item(value))) => {
                    Resource::read(&value).into_iter().for_each(|r| board.resource(r))
                }
                Some(Heard::Pods(Said::Item(event))) => board.pod(&event),
                Some(Heard::Tilt(Said::Ended(..))) => tilt.ended(),
                Some(Heard::Pods(Said::Ended(..))) => pods.ended(),
                None => {}
            }
            if interrupted() {
                return Err(Error::interrupted());
            }
            if !self.tilt.session.runs()? {
                return Err(self.tilt_ended());
            }
            let Some(outcomes) = board.look(began.elapsed()) else { continue };
            outcomes.iter().for_each(|outcome| view.show(outcome));
            if done(&outcomes) {
                return Ok(outcomes);
            }
        }
    }

    fn tilt_ended(&self) -> Error {
        Error::tool("Tilt has ended")
            .detail(self.tilt.session.last_words())
            .help(format!("Everything that it said: `{}`.", self.tilt.session.log().display()))
            .help("If you did not stop it yourself, run `kilter up` again.")
    }

    /// Returns the problem of a service that failed, with what its pod can tell.
    pub(crate) fn problem(&self, service: &str, failure: &Failure) -> Problem {
        let problem = Problem::new(format!("`{service}` is not ready: {}", failure.reason));
        let mut words = failure.words.clone();
        if let Some((pod, container)) = &failure.pod {
            let more = match container {
                Some(container) => self.last_lines(pod, container),
                None if words.is_empty() => self.warnings(pod),
                None => None,
            };
            words = [words, more.unwrap_or_default()].join("\n").trim().to_owned();
        }
        let problem = if words.is_empty() { problem } else { problem.detail(words) };
        match &failure.pod {
            Some(_) => problem.help(format!("All that it says: `kilter logs {service}`.")),
            None => problem.help(format!(
                "All that Tilt says: {}, or `{}`.",
                self.tilt.session.url(),
                self.tilt.session.log().display()
            )),
        }
    }

    /// The last lines of a container, of its last run when it is not running now.
    fn last_lines(&self, pod: &str, container: &str) -> Option<String> {
        let lines = |previous: &[&str]| {
            let call = self.kubectl.call(["logs", pod, "--container", container, "--tail", LAST_LINES]);
            let said = call.args(previous.iter().copied()).capture().ok().filter(crate::exec::Captured::ok)?;
            Some(said.text().trim_end().to_owned()).filter(|text| !text.is_empty())
        };
        lines(&["--previous"]).or_else(|| lines(&[]))
    }

    /// What the cluster warned about a pod.
    fn warnings(&self, pod: &str) -> Option<String> {
        let selector = format!("involvedObject.name={pod},type=Warning");
        let events = self.kubectl.list("events", &["--field-selector", &selector]).ok()?;
        let mut words: Vec<String> =
            events.iter().filter_map(|e| Some(e["message"].as_str()?.trim().to_owned())).collect();
        words.dedup();
        let last = words.len().saturating_sub(3);
        Some(words[last..].join("\n")).filter(|text| !text.is_empty())
    }
}

/// Waits for what is said next; `None` when it is time to look at the budgets, or to listen again.
fn next(heard: &Receiver<Heard>, ears: &[&Ear<'_>]) -> Option<Heard> {
    let deaf =
        ears.iter().filter(|ear| ear.stream.is_none()).map(|ear| ear.again.saturating_duration_since(Instant::now()));
    let patience = deaf.min().unwrap_or(TICK).min(TICK);
    heard.recv_timeout(patience).ok()
}
