//! How far every service is: Tilt's resources and the cluster's pods brought together. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::wait::{Budgets, Expected};
use crate::cluster::pods::{self, PodState, Trouble};
use crate::tilt::{Phase, Resource, TILTFILE};

/// How far one service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// On its way; what it waits for.
    Waiting(String),
    /// Everything of it is ready.
    Ready,
    /// It will not get ready unless somebody changes something.
    Failed(Failure),
}

/// Why a service did not get ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// In one line.
    pub(crate) reason: String,
    /// The words of whoever said so.
    pub(crate) words: String,
    /// Pod and, when it crashed, its container: they may tell more.
    pub(crate) pod: Option<(String, Option<String>)>,
}

/// A service with its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Its name.
    pub(crate) service: String,
    /// How far it is.
    pub(crate) verdict: Verdict,
    /// Whether it is built and applied, ready or not.
    pub(crate) applied: bool,
}

/// When a service entered which part of its way.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    building: Option<Duration>,
    starting: Option<Duration>,
}

/// What is known so far.
#[derive(Debug)]
pub(crate) struct Board {
    expected: Expected,
    budgets: Budgets,
    resources: BTreeMap<String, Resource>,
    pods: BTreeMap<String, Value>,
    clocks: BTreeMap<String, Clock>,
}

impl Board {
    /// Starts to wait.
    pub(crate) fn new(expected: Expected, budgets: Budgets) -> Self {
        Self { expected, budgets, resources: BTreeMap::new(), pods: BTreeMap::new(), clocks: BTreeMap::new() }
    }

    /// Takes up a resource as Tilt tells of it.
    pub(crate) fn resource(&mut self, resource: Resource) {
        self.resources.insert(resource.name.clone(), resource);
    }

    /// Takes up an event about a pod: `{"type": …, "object": …}`.
    pub(crate) fn pod(&mut self, event: &Value) {
        let pod = &event["object"];
        match event["type"].as_str() {
            Some("DELETED") => self.pods.remove(pods::name(pod)),
            _ => self.pods.insert(pods::name(pod).to_owned(), pod.clone()),
        };
    }

    /// Says how far everything is, `now` after the start; `None` while Tilt has not loaded what it is to run.
    pub(crate) fn look(&mut self, now: Duration) -> Option<Vec<Outcome>> {
        let tiltfile = self.resources.get(TILTFILE)?;
        let loaded =
            tiltfile.built != self.expected.tiltfile && !matches!(tiltfile.update, Phase::InProgress | Phase::Pending);
        if !loaded {
            return None;
        }
        if let Some(error) = tiltfile.error.clone().filter(|_| tiltfile.update == Phase::Error) {
            let failure = Failure { reason: "the Tiltfile cannot be loaded".into(), words: error, pod: None };
            let verdict = Verdict::Failed(failure);
            return Some(vec![Outcome { service: "Tiltfile".into(), verdict, applied: false }]);
        }
        let names: Vec<String> = self.resources.values().filter(|r| self.counts(r)).map(|r| r.name.clone()).collect();
        let outcomes = names.into_iter().map(|name| {
            let applied = self.applied(&name);
            Outcome { verdict: self.verdict(&name, applied, now), applied, service: name }
        });
        Some(outcomes.collect())
    }

    fn counts(&self, resource: &Resource) -> bool {
        let wanted = self.expected.only.is_empty() || self.expected.only.contains(&resource.name);
        resource.name != TILTFILE && !resource.disabled && wanted
    }

    fn applied(&self, name: &str) -> bool {
        let resource = &self.resources[name];
        let old = self.expected.deployed.get(name).is_some_and(|before| *before == resource.deployed);
        matches!(resource.update, Phase::Ok | Phase::None) && !old
    }

    fn verdict(&mut self, name: &str, applied: bool, now: Duration) -> Verdict {
        let resource = &self.resources[name];
        let clock = self.clocks.entry(name.to_owned()).or_default();
        if !applied {
            clock.starting = None;
            let since = *clock.building.get_or_insert(now);
            return building(resource, now.saturating_sub(since) >= self.budgets.build);
        }
        clock.building = None;
        let pod = resource.pod.as_ref().and_then(|pod| self.pods.get(pod));
        let state = pod.map(pods::state);
        // Tilt hears of a pod's end a moment after it.
        if resource.ready() && !matches!(state, Some(PodState::Trouble(_))) {
            clock.starting = None;
            return Verdict::Ready;
        }
        let since = *clock.starting.get_or_insert(now);
        starting(resource, state, now.saturating_sub(since) >= self.budgets.ready)
    }
}

/// Judges a service that is being built and applied.
fn building(resource: &Resource, late: bool) -> Verdict {
    let failed = |reason: &str, words: String| Verdict::Failed(Failure { reason: reason.into(), words, pod: None });
    match (&resource.error, resource.update) {
        (Some(error), Phase::Error) => failed("it cannot be built or applied", error.clone()),
        (_, Phase::Error) => failed("it cannot be built or applied", String::new()),
        _ if late => failed("it was not built and applied in time", resource.waiting.clone().unwrap_or_default()),
        (_, Phase::InProgress) => Verdict::Waiting("being built and applied".into()),
        _ => Verdict::Waiting("its turn".into()),
    }
}

/// Judges a service that is applied and has to start.
fn starting(resource: &Resource, state: Option<PodState>, late: bool) -> Verdict {
    let failed = |reason: String, words: String, container: Option<String>| {
        Verdict::Failed(Failure { reason, words, pod: resource.pod.clone().map(|pod| (pod, container)) })
    };
    match state {
        Some(PodState::Trouble(Trouble { what, words, crashed, lasting })) => {
            if lasting || late {
                return failed(what, words, crashed);
            }
            Verdict::Waiting(what)
        }
        Some(PodState::Waiting(what)) if late => failed(format!("waited in vain for {what}"), String::new(), None),
        Some(PodState::Waiting(what)) => Verdict::Waiting(what),
        _ if late => failed("it did not get ready in time".into(), String::new(), None),
        Some(PodState::Ready) => Verdict::Waiting("Tilt to see that it is ready".into()),
        None => Verdict::Waiting("its pod".into()),
    }
}
