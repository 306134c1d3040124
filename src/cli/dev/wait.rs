//! Waiting until everything is ready or has failed, by listening to Tilt and to the cluster.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::board::Board;
use super::verdict::{Failure, Outcome, Verdict};
use super::view::View;
use crate::cli::context::Context;
use crate::cluster::Kubectl;
use crate::diag::{Error, Problem, Result};
use crate::exec::{Said, Stream, interrupted};
use crate::plan::APP;
use crate::tilt::{Object, Resource, Tilt, objects};

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
    /// All resources, if the Tiltfile stays as it is loaded; else none.
    pub(crate) known: Vec<Resource>,
    /// Whether the app's image or objects changed, which Tilt is to build and apply anew.
    pub(crate) app: bool,
    /// When services were applied last that are to be applied anew.
    pub(crate) deployed: BTreeMap<String, String>,
    /// The services that were disabled and are to be taken up again.
    pub(crate) enabled: Vec<String>,
    /// The services that are waited for; none means all.
    pub(crate) only: Vec<String>,
}

impl Expected {
    /// Tells whether nothing is to change.
    fn nothing(&self) -> bool {
        !self.known.is_empty() && self.deployed.is_empty() && self.enabled.is_empty()
    }
}

/// How often budgets are looked at while nothing happens.
const TICK: Duration = Duration::from_secs(1);

/// How long nobody may say anything before everything counts as said: one change comes as several events.
const SETTLES_IN: Duration = Duration::from_millis(300);

/// How long Tilt may look as if it had ended: it is taken for granted only when it lasts.
const GONE_FOR: Duration = Duration::from_secs(2);

/// How long to wait before somebody is listened to again who does not answer.
const AGAIN: Duration = Duration::from_millis(200);

/// How long Tilt may take to load and apply what was rendered.
const APPLIED_WITHIN: Duration = Duration::from_secs(120);

/// How often a port is tried until somebody listens: nobody tells.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Workloads that stay in the cluster until somebody deletes them.
const LASTING: &str = "deployments,statefulsets,daemonsets";

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
        let settled = |outcomes: &[Outcome]| outcomes.iter().all(|outcome| outcome.verdict.is_final());
        if expected.nothing() {
            // Nothing is on its way, so one look may be all.
            let mut board = Board::new(expected.clone(), budgets);
            board.list(expected.known.clone());
            self.kubectl.list("pods", &[])?.into_iter().for_each(|pod| board.pod(&json!({"object": pod})));
            if let Some(outcomes) = board.look(Duration::ZERO).filter(|outcomes| settled(outcomes)) {
                let view = View::new(&self.ctx.ui);
                outcomes.iter().for_each(|outcome| view.show(outcome));
                return Ok(outcomes);
            }
        }
        self.until(Board::new(expected, budgets), settled)
    }

    /// Waits until a Tilt that was just started listens: until then, another kilter would take it for dead.
    ///
    /// # Errors
    /// When it ends, or kilter is interrupted.
    pub(crate) fn listening(&self) -> Result<()> {
        let _work = self.ctx.ui.work("starting Tilt");
        while !self.tilt.session.listens() {
            if interrupted() {
                return Err(Error::interrupted());
            }
            if !self.tilt.session.runs()? {
                return Err(self.tilt_ended());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Returns the services of which a workload that was rendered is not in the cluster: somebody took it away, or the
    /// cluster is another one.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub(crate) fn missing(&self, manifests: &[(String, Vec<u8>)]) -> Result<Vec<String>> {
        let there = self.kubectl.list(LASTING, &[])?;
        let there: Vec<String> = there.iter().filter_map(reference).collect();
        let here = |namespace: &String| *namespace == self.kubectl.namespace;
        let missing = |object: &Object| {
            let kind = object.kind.to_lowercase();
            LASTING.split(',').any(|kinds| kinds.strip_suffix('s') == Some(&kind))
                && object.namespace.as_ref().is_none_or(here)
                && !there.contains(&format!("{kind}/{}", object.name))
        };
        let services = manifests.iter().filter(|(_, manifest)| objects(manifest).iter().any(missing));
        Ok(services.map(|(service, _)| service.clone()).collect())
    }

    /// Waits until Tilt has taken up what is expected, whether it gets ready or not.
    ///
    /// # Errors
    /// When Tilt ends, or cannot load or apply it, or kilter is interrupted.
    pub(crate) fn applied(&self, expected: Expected) -> Result<()> {
        let budgets = Budgets { build: APPLIED_WITHIN, ready: Duration::MAX };
        // What others are at is no matter of this command.
        let meant: Vec<String> = expected.deployed.keys().cloned().chain(["Tiltfile".to_owned()]).collect();
        let mine = move |outcome: &&Outcome| meant.contains(&outcome.service);
        let refused = |outcome: &Outcome| !outcome.applied && matches!(outcome.verdict, Verdict::Failed(_));
        let outcomes = self.until(Board::new(expected, budgets), |outcomes| {
            outcomes.iter().filter(&mine).all(|outcome| outcome.applied || refused(outcome))
        })?;
        let failed = outcomes.iter().filter(&mine).filter_map(|outcome| match &outcome.verdict {
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
        let (began, mut said_last, mut seen) = (Instant::now(), Instant::now(), Instant::now());
        let view = View::new(&self.ctx.ui);
        loop {
            tilt.listen()?;
            pods.listen()?;
            let mut words = next(&heard, &[&tilt, &pods], said_last);
            while let Some(word) = words {
                match word {
                    Heard::Tilt(Said::Item(value)) => {
                        Resource::read(&value).into_iter().for_each(|r| board.resource(r));
                    }
                    Heard::Pods(Said::Item(event)) => board.pod(&event),
                    Heard::Tilt(Said::Ended(..)) => tilt.ended(),
                    Heard::Pods(Said::Ended(..)) => {
                        pods.ended();
                        board.no_pods();
                    }
                }
                said_last = Instant::now();
                words = heard.try_recv().ok();
            }
            if interrupted() {
                return Err(Error::interrupted());
            }
            if self.tilt.session.runs()? {
                seen = Instant::now();
            } else if seen.elapsed() > GONE_FOR {
                return Err(self.tilt_ended());
            }
            if board.wants_list()
                && let Some(all) = self.tilt.resources()?
            {
                board.list(all);
                said_last = Instant::now();
            }
            if let Some(loaded) = board.doubts_app()
                && self.tilt.applied_at(APP)? < loaded
            {
                self.tilt.trigger(APP)?;
            }
            let Some(outcomes) = board.look(began.elapsed()) else { continue };
            outcomes.iter().for_each(|outcome| view.show(outcome));
            if done(&outcomes) && said_last.elapsed() >= SETTLES_IN {
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
                None if words.contains("PersistentVolumeClaim") => self.warnings_of_claims(pod),
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
            // What the kubelet says of a container that it has removed by now.
            let told = |text: &String| !text.is_empty() && !text.starts_with("unable to retrieve container logs");
            Some(said.text().trim_end().to_owned()).filter(told)
        };
        lines(&["--previous"]).or_else(|| lines(&[]))
    }

    /// What the cluster warned about the volume claims of a pod.
    fn warnings_of_claims(&self, pod: &str) -> Option<String> {
        let pod = self.kubectl.get("pod", pod).ok()??;
        let volumes = pod["spec"]["volumes"].as_array()?.iter();
        let claims = volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str());
        let warnings: Vec<String> = claims.filter_map(|claim| self.warnings(claim)).collect();
        Some(warnings.join("\n"))
    }

    /// What the cluster warned about an object of this name.
    fn warnings(&self, name: &str) -> Option<String> {
        let selector = format!("involvedObject.name={name},type=Warning");
        let events = self.kubectl.list("events", &["--field-selector", &selector]).ok()?;
        let mut words: Vec<String> =
            events.iter().filter_map(|e| Some(e["message"].as_str()?.trim().to_owned())).collect();
        words.dedup();
        let last = words.len().saturating_sub(3);
        Some(words[last..].join("\n")).filter(|text| !text.is_empty())
    }
}

/// Waits for what is said next; `None` when it is time to look at the budgets, or to listen again, or when everything counts
/// as said.
fn next(heard: &Receiver<Heard>, ears: &[&Ear<'_>], said_last: Instant) -> Option<Heard> {
    let deaf = ears.iter().filter(|ear| ear.stream.is_none()).map(|ear| ear.again);
    let times = deaf.chain([said_last + SETTLES_IN]).map(|time| time.saturating_duration_since(Instant::now()));
    let patience = times.filter(|time| !time.is_zero()).min().unwrap_or(TICK).min(TICK);
    heard.recv_timeout(patience).ok()
}

/// kubectl's name of an object.
fn reference(object: &Value) -> Option<String> {
    let (kind, name) = (object["kind"].as_str()?, object["metadata"]["name"].as_str()?);
    Some(format!("{}/{name}", kind.to_lowercase()))
}
