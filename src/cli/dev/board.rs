//! How far every service is: Tilt's resources and the cluster's pods brought together. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::verdict::{Failure, Outcome, Verdict, building, starting};
use super::wait::{Budgets, Expected};
use crate::cluster::pods::{self, PodState};
use crate::plan::APP;
use crate::tilt::{Phase, Resource, TILTFILE};

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
    /// The resources that the Tiltfile has; `None` before it is loaded and they are listed.
    listed: Option<BTreeSet<String>>,
    pods: BTreeMap<String, Value>,
    clocks: BTreeMap<String, Clock>,
    /// Which build of the app was last doubted, by its time.
    asked: String,
}

impl Board {
    /// Starts to wait.
    pub(crate) fn new(expected: Expected, budgets: Budgets) -> Self {
        let (resources, pods, clocks) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { expected, budgets, resources, listed: None, pods, clocks, asked: String::new() }
    }

    /// Takes up a resource as Tilt tells of it.
    pub(crate) fn resource(&mut self, resource: Resource) {
        self.resources.insert(resource.name.clone(), resource);
    }

    /// Takes up all resources that there are: what is not among them is gone. Tilt tells of each by itself, in no order,
    /// and not that one is gone.
    pub(crate) fn list(&mut self, resources: Vec<Resource>) {
        self.listed = Some(resources.iter().map(|resource| resource.name.clone()).collect());
        self.resources = resources.into_iter().map(|resource| (resource.name.clone(), resource)).collect();
    }

    /// Tells whether the resources have to be listed: the Tiltfile is loaded, and what it has is not known.
    pub(crate) fn wants_list(&self) -> bool {
        self.listed.is_none() && self.resources.get(TILTFILE).is_some_and(|tiltfile| self.loaded(tiltfile))
    }

    /// Tells when the Tiltfile was loaded if it is doubtful whether the app was built and applied since, as it has to be:
    /// asked once for each of the app's builds.
    ///
    /// Tilt forgets to do it when a live update begins between the load and the build: it clears what is pending after
    /// any build (tilt-dev/tilt `internal/store/buildcontrols/reducers.go`, `HandleBuildCompleted`).
    pub(crate) fn doubts_app(&mut self) -> Option<String> {
        let app = self.resources.get(APP).filter(|app| self.expected.app && app.live && app.update == Phase::Ok)?;
        let tiltfile = self.resources.get(TILTFILE).filter(|tiltfile| self.loaded(tiltfile))?;
        let news = self.asked != app.built;
        self.asked = app.built.clone();
        news.then(|| tiltfile.built.clone())
    }

    /// Takes up an event about a pod: `{"type": …, "object": …}`.
    pub(crate) fn pod(&mut self, event: &Value) {
        let pod = &event["object"];
        match event["type"].as_str() {
            Some("DELETED") => self.pods.remove(pods::name(pod)),
            _ => self.pods.insert(pods::name(pod).to_owned(), pod.clone()),
        };
    }

    /// Forgets the pods: all there are will be told of anew.
    pub(crate) fn no_pods(&mut self) {
        self.pods.clear();
    }

    fn loaded(&self, tiltfile: &Resource) -> bool {
        tiltfile.built != self.expected.tiltfile && !matches!(tiltfile.update, Phase::InProgress | Phase::Pending)
    }

    /// Says how far everything is, `now` after the start; `None` while Tilt has not loaded what it is to run.
    pub(crate) fn look(&mut self, now: Duration) -> Option<Vec<Outcome>> {
        let tiltfile = self.resources.get(TILTFILE);
        let failed = |reason: &str, words: String| {
            let verdict = Verdict::Failed(Failure { reason: reason.into(), words, pod: None });
            Some(vec![Outcome { service: "Tiltfile".into(), verdict, applied: false }])
        };
        let Some(tiltfile) = tiltfile.filter(|tiltfile| self.loaded(tiltfile)) else {
            return match now >= self.budgets.build {
                true => failed("the Tiltfile was not loaded in time", String::new()),
                false => None,
            };
        };
        if let Some(error) = tiltfile.error.clone().filter(|_| tiltfile.update == Phase::Error) {
            return failed("the Tiltfile cannot be loaded", error);
        }
        let listed = self.listed.as_ref()?;
        let names = listed.iter().filter(|name| self.resources.get(*name).is_some_and(|r| self.counts(r)));
        let names: Vec<String> = names.cloned().collect();
        let outcomes = names.into_iter().map(|name| {
            let applied = self.applied(&name);
            Outcome { verdict: self.verdict(&name, applied, now), applied, service: name }
        });
        let mut outcomes: Vec<Outcome> = outcomes.collect();
        self.in_vain(&mut outcomes);
        Some(outcomes)
    }

    fn counts(&self, resource: &Resource) -> bool {
        resource.name != TILTFILE
            && match self.expected.only.as_slice() {
                // What nobody asked for may be disabled on Tilt's page.
                [] => !resource.disabled || self.expected.enabled.contains(&resource.name),
                only => only.contains(&resource.name),
            }
    }

    fn applied(&self, name: &str) -> bool {
        let resource = &self.resources[name];
        let old = self.expected.deployed.get(name).is_some_and(|before| *before == resource.deployed);
        matches!(resource.update, Phase::Ok | Phase::None) && !old && !resource.disabled
    }

    fn verdict(&mut self, name: &str, applied: bool, now: Duration) -> Verdict {
        let resource = &self.resources[name];
        let clock = self.clocks.entry(name.to_owned()).or_default();
        if !applied {
            clock.starting = None;
            // Its own time begins when what it needs is there.
            if !resource.waits_on.is_empty() {
                clock.building = None;
                return Verdict::Waiting(resource.waits_on.join(", "));
            }
            let since = *clock.building.get_or_insert(now);
            let late = now.saturating_sub(since) >= self.budgets.build;
            return building(resource, late);
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

    /// What waits for a service that failed has failed as well.
    fn in_vain(&self, outcomes: &mut [Outcome]) {
        loop {
            let failed = outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Failed(_)));
            let failed: BTreeSet<String> = failed.map(|outcome| outcome.service.clone()).collect();
            let mut more = false;
            for outcome in outcomes.iter_mut().filter(|outcome| matches!(outcome.verdict, Verdict::Waiting(_))) {
                let on = &self.resources[&outcome.service].waits_on;
                if let Some(on) = on.iter().find(|on| failed.contains(*on) && !outcome.applied) {
                    let reason = format!("it waits for `{on}`, which is not ready");
                    outcome.verdict = Verdict::Failed(Failure { reason, words: String::new(), pod: None });
                    more = true;
                }
            }
            if !more {
                return;
            }
        }
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
        for resource in resources {
            board.resource(resource);
        }
        if board.wants_list() {
            board.list(board.resources.values().cloned().collect());
        }
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
        assert!(!board.wants_list());
        board.resource(tilt(TILTFILE, "ok", "not_applicable", "2"));
        assert!(board.wants_list());
        assert_eq!(board.look(Duration::ZERO), None, "redis may not be all there is");
        board.list(vec![tilt(TILTFILE, "ok", "not_applicable", "2"), tilt("redis", "ok", "ok", "1")]);
        assert_eq!(look(&mut board, 0), [("redis".into(), Verdict::Ready)]);
        board.resource(tilt("gone", "error", "none", "1"));
        assert_eq!(look(&mut board, 0), [("redis".into(), Verdict::Ready)], "the Tiltfile has it no longer");
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
    fn a_live_update_does_not_stand_for_a_build() {
        let app = |time: &str, span: &str, update: &str| {
            let value = json!({"metadata": {"name": APP}, "status": {"updateStatus": update, "runtimeStatus": "ok",
                "buildHistory": [{"startTime": time, "spanID": span}]}});
            Resource::read(&value).unwrap()
        };
        let at = |time: &str| tilt(TILTFILE, "ok", "not_applicable", time);
        let expected = Expected { tiltfile: "1".into(), app: true, ..Expected::default() };
        let mut board = board(expected.clone(), [at("1"), app("3", "liveupdate:app", "ok")]);
        assert_eq!(board.doubts_app(), None, "the Tiltfile is not loaded yet");
        board.resource(at("2"));
        board.resource(app("3", "liveupdate:app", "pending"));
        assert_eq!(board.doubts_app(), None, "it is going to be built");
        board.resource(app("3", "liveupdate:app", "ok"));
        assert_eq!(board.doubts_app().as_deref(), Some("2"));
        assert_eq!(board.doubts_app(), None, "asked once");
        board.resource(app("4", "liveupdate:app", "ok"));
        assert_eq!(board.doubts_app().as_deref(), Some("2"), "another one may have come between again");
        board.resource(app("5", "build:5", "ok"));
        assert_eq!(board.doubts_app(), None);
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
    fn who_waits_for_a_failed_service_has_failed_too_and_else_is_given_time() {
        let waiting = |name: &str, on: &str| {
            let on = json!([{"kind": "UIResource", "name": on}]);
            let value = json!({"metadata": {"name": name}, "status": {"updateStatus": "pending",
                "waiting": {"reason": "waiting-for-dep", "on": on}}});
            Resource::read(&value).unwrap()
        };
        let resources = [
            tilt(TILTFILE, "ok", "not_applicable", "1"),
            tilt("db", "in_progress", "", ""),
            waiting("auth", "db"),
            waiting("web", "auth"),
        ];
        let mut board = board(Expected::default(), resources);
        assert_eq!(look(&mut board, 99)[0].1, Verdict::Waiting("db".into()));
        board.resource(tilt("db", "ok", "pending", "1"));
        assert_eq!(look(&mut board, 130)[0].1, Verdict::Waiting("db".into()), "its own time has not begun");
        board.resource(tilt("db", "error", "none", "1"));
        let outcomes = look(&mut board, 131);
        assert_eq!(reason(&outcomes[0].1), "it waits for `db`, which is not ready");
        assert_eq!(reason(&outcomes[2].1), "it waits for `auth`, which is not ready");
    }

    #[test]
    fn a_tiltfile_that_is_never_loaded_ends_with_the_budget() {
        let mut board = board(Expected::default(), []);
        assert_eq!(board.look(Duration::from_secs(99)), None);
        assert_eq!(reason(&look(&mut board, 100)[0].1), "the Tiltfile was not loaded in time");
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
