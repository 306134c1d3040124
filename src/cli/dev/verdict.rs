//! How far one service is, and why it does not get further. Pure.

use crate::cluster::pods::{PodState, Trouble};
use crate::tilt::{Phase, Resource};

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

impl Verdict {
    /// Tells whether it says how things ended, as far as they do.
    pub(crate) fn is_final(&self) -> bool {
        !matches!(self, Self::Waiting(_))
    }
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

/// Judges a service that is being built and applied.
pub(super) fn building(resource: &Resource, late: bool) -> Verdict {
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
pub(super) fn starting(resource: &Resource, state: Option<PodState>, late: bool) -> Verdict {
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
