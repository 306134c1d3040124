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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BUDGETS: Budgets = Budgets { build: Duration::from_secs(100), ready: Duration::from_secs(50) };

    fn tilt(name: &str, update: &str, runtime: &str, deployed: &str) -> Resource {
        let value = json!({"metadata": {"name": name}, "status": {"updateStatus": update, "runtimeStatus": runtime,
            "lastDeployTime": deployed, "buildHistory": [{"startTime": deployed}], "k8sResourceInfo": {"podName": format!("{name}-0")}}});
        Resource::read(&value).unwrap()
    }

    fn board(expected: Expected, resources: impl IntoIterator<Item = Resource>) -> Board {
        let mut board = Board::new(expected, BUDGETS);
        resources.into_iter().for_each(|resource| board.resource(resource));
        board
    }

    fn look(board: &mut Board, seconds: u64) -> Vec<(String, Verdict)> {
        let outcomes = board.look(Duration::from_secs(seconds)).unwrap();
        outcomes.into_iter().map(|outcome| (outcome.service, outcome.verdict)).collect()
    }

    fn reason(verdict: &Verdict) -> &str {
        match verdict {
            Verdict::Failed(failure) => &failure.reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_is_said_before_the_tiltfile_is_loaded_anew() {
        let expected = Expected { tiltfile: "1".into(), ..Expected::default() };
        let mut board = board(expected, [tilt("redis", "ok", "ok", "1")]);
        assert_eq!(board.look(Duration::ZERO), None);
        board.resource(tilt(TILTFILE, "ok", "not_applicable", "1"));
        assert_eq!(board.look(Duration::ZERO), None, "that was the load before");
        board.resource(tilt(TILTFILE, "in_progress", "not_applicable", "2"));
        assert_eq!(board.look(Duration::ZERO), None);
        board.resource(tilt(TILTFILE, "ok", "not_applicable", "2"));
        assert_eq!(look(&mut board, 0), [("redis".into(), Verdict::Ready)]);
        board.resource(tilt("redis", "", "", ""));
        assert_eq!(
            look(&mut board, 0),
            [("redis".into(), Verdict::Waiting("its turn".into()))],
            "nothing is known yet"
        );
    }

    #[test]
    fn a_service_that_is_to_be_applied_anew_is_not_ready_before() {
        let expected = Expected { deployed: [("redis".into(), "1".into())].into(), ..Expected::default() };
        let mut board = board(expected, [tilt(TILTFILE, "ok", "not_applicable", "1"), tilt("redis", "ok", "ok", "1")]);
        assert_eq!(look(&mut board, 0), [("redis".into(), Verdict::Waiting("its turn".into()))]);
        board.resource(tilt("redis", "ok", "ok", "2"));
        assert_eq!(look(&mut board, 0), [("redis".into(), Verdict::Ready)]);
    }

    #[test]
    fn building_and_starting_have_budgets_of_their_own() {
        let mut board = board(
            Expected::default(),
            [tilt(TILTFILE, "ok", "not_applicable", "1"), tilt("app", "in_progress", "pending", "")],
        );
        assert!(matches!(&look(&mut board, 0)[0].1, Verdict::Waiting(_)));
        assert!(matches!(&look(&mut board, 99)[0].1, Verdict::Waiting(_)));
        board.resource(tilt("app", "ok", "pending", "2"));
        assert!(matches!(&look(&mut board, 100)[0].1, Verdict::Waiting(_)), "the time of starting begins now");
        assert_eq!(reason(&look(&mut board, 150)[0].1), "it did not get ready in time");
        board.resource(tilt("app", "in_progress", "pending", "2"));
        assert!(matches!(&look(&mut board, 151)[0].1, Verdict::Waiting(_)), "an edit: it is built again");
        assert_eq!(reason(&look(&mut board, 251)[0].1), "it was not built and applied in time");
    }

    #[test]
    fn a_pods_trouble_is_the_services() {
        let mut board =
            board(Expected::default(), [tilt(TILTFILE, "ok", "not_applicable", "1"), tilt("db", "ok", "pending", "1")]);
        let pod = |reason: &str| {
            json!({"type": "MODIFIED", "object": {"metadata": {"name": "db-0"}, "status": {"containerStatuses": [
                {"name": "db", "image": "nope:1", "state": {"waiting": {"reason": reason, "message": "not found"}}}]}}})
        };
        board.pod(&pod("ErrImagePull"));
        assert_eq!(look(&mut board, 0)[0].1, Verdict::Waiting("the image nope:1 cannot be pulled".into()));
        board.pod(&pod("ImagePullBackOff"));
        assert_eq!(reason(&look(&mut board, 1)[0].1), "the image nope:1 cannot be pulled");
        board.pod(&json!({"type": "DELETED", "object": {"metadata": {"name": "db-0"}}}));
        assert_eq!(look(&mut board, 2)[0].1, Verdict::Waiting("its pod".into()));
    }

    #[test]
    fn only_what_is_asked_for_counts() {
        let expected = Expected { only: vec!["redis".into()], ..Expected::default() };
        let resources = [
            tilt(TILTFILE, "ok", "not_applicable", "1"),
            tilt("redis", "ok", "ok", "1"),
            tilt("app", "error", "none", "1"),
        ];
        assert_eq!(look(&mut board(expected, resources), 0), [("redis".into(), Verdict::Ready)]);
    }

    #[test]
    fn a_tiltfile_that_does_not_load_is_the_one_failure() {
        let value = json!({"metadata": {"name": TILTFILE}, "status": {"updateStatus": "error",
            "buildHistory": [{"startTime": "1", "error": "Tiltfile:3: undefined: x"}]}});
        let mut board = board(Expected::default(), [Resource::read(&value).unwrap()]);
        assert_eq!(reason(&look(&mut board, 0)[0].1), "the Tiltfile cannot be loaded");
    }
}
