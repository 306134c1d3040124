//! How far a deploy is: from the KilterApp, what it remembers, and the history. Pure.

use std::collections::BTreeMap;

use kube::ResourceExt as _;
use serde::Serialize;

use crate::api::{ANNOTATION_ACCEPTED, ConditionStatus, ConditionType, DeployInfo, KilterApp, KilterAppSpec, Phase};
use crate::ids::Digest;

/// How many deploys a KilterApp remembers.
const REMEMBERED: usize = 50;

/// Reasons that nothing but a new deploy, or somebody's help, will change.
const FINAL: [&str; 8] = [
    "ApplyFailed",
    "HostnameTaken",
    "Invalid",
    "JobFailed",
    "Malformed",
    "NamespaceTaken",
    "RenderFailed",
    "RolloutFailed",
];

/// A deploy that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted {
    pub deploy: String,
    /// First digits of the digest of what was asked for.
    pub digest: String,
    pub revision: u64,
    /// The deploy that was there already, where the request changed nothing and was answered with that.
    pub same_as: Option<String>,
}

/// Returns the digits that tell the body of one request from another.
pub(super) fn digest_of(body: &impl Serialize) -> String {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    Digest::of(&bytes).hex()[..16].to_owned()
}

/// Reads what a KilterApp remembers, oldest first: `deploy=digest=revision[=same as]` with commas.
pub(super) fn accepted(app: &KilterApp) -> Vec<Accepted> {
    let text = app.annotations().get(ANNOTATION_ACCEPTED).map(String::as_str).unwrap_or_default();
    let entry = |entry: &str| {
        let mut parts = entry.split('=');
        let (deploy, digest, revision) = (parts.next()?, parts.next()?, parts.next()?);
        let same_as = parts.next().map(str::to_owned);
        Some(Accepted { deploy: deploy.into(), digest: digest.into(), revision: revision.parse().ok()?, same_as })
    };
    text.split(',').filter_map(entry).collect()
}

/// Writes it with one more.
pub(super) fn remember(mut known: Vec<Accepted>, new: Accepted) -> String {
    known.push(new);
    let surplus = known.len().saturating_sub(REMEMBERED);
    let entry = |one: &Accepted| {
        let same_as = one.same_as.as_ref().map(|deploy| format!("={deploy}")).unwrap_or_default();
        format!("{}={}={}{same_as}", one.deploy, one.digest, one.revision)
    };
    known[surplus..].iter().map(entry).collect::<Vec<_>>().join(",")
}

/// Returns how far the current deploy of a KilterApp is, and why.
pub(super) fn phase(app: &KilterApp) -> (Phase, String) {
    let generation = app.metadata.generation.unwrap_or(0);
    let Some(status) = &app.status else { return (Phase::Accepted, "it waits for the operator".into()) };
    let of_now = |condition: &&crate::api::Condition| condition.observed_generation == Some(generation);
    let conditions: Vec<_> = status.conditions.iter().filter(of_now).collect();
    let failed = conditions
        .iter()
        .find(|condition| condition.status == ConditionStatus::False && FINAL.contains(&condition.reason.as_str()));
    if let Some(failed) = failed {
        return (Phase::Failed, failed.message.clone());
    }
    let hops = [
        (ConditionType::Ready, Phase::Ready),
        (ConditionType::Reconciled, Phase::Reconciled),
        (ConditionType::Committed, Phase::Committed),
        (ConditionType::Rendered, Phase::Rendered),
    ];
    let passed =
        hops.iter().find(|(type_, _)| status.holds(*type_, generation)).map_or(Phase::Accepted, |(_, phase)| *phase);
    let waits = conditions
        .iter()
        .find(|condition| condition.status != ConditionStatus::True && condition.type_ <= ConditionType::Ready);
    (passed, waits.map(|condition| condition.message.clone()).unwrap_or_default())
}

/// Returns the current deploy.
pub(super) fn current(app: &KilterApp) -> DeployInfo {
    let (phase, message) = phase(app);
    let status = app.status.clone().unwrap_or_default();
    let of_this = status.deploy.as_deref() == Some(app.spec.deploy.as_str());
    DeployInfo {
        deploy: app.spec.deploy.clone(),
        revision: Some(app.spec.revision),
        phase,
        message,
        by: app.spec.by.clone(),
        image: app.spec.template.image.clone(),
        url: status.url.unwrap_or_default(),
        commit: status.commit.filter(|_| of_this),
        timeline: status.timeline.filter(|timeline| timeline.deploy == app.spec.deploy),
    }
}

/// Returns a deploy that was accepted once; `None` when this KilterApp remembers none of that id.
pub(super) fn of_deploy(app: &KilterApp, deploy: &str, history: &BTreeMap<u64, KilterAppSpec>) -> Option<DeployInfo> {
    if app.spec.deploy == deploy {
        return Some(current(app));
    }
    let was = history.values().find(|spec| spec.deploy == deploy);
    let accepted = accepted(app).into_iter().find(|one| one.deploy == deploy && one.same_as.is_none());
    let revision = was.map(|spec| spec.revision).or_else(|| accepted.map(|accepted| accepted.revision))?;
    let now = app.spec.revision;
    let was_live = app.status.as_ref().is_some_and(|status| status.live_revisions.contains(&revision));
    let message = match was {
        Some(_) if was_live => format!("it was live; revision {now} took its place since"),
        Some(_) => format!("it was not known to be live when revision {now} took its place"),
        // A revision is in the history before it is committed, for as long as 20 newer ones are not.
        None if history.keys().next().is_some_and(|oldest| *oldest < revision) => {
            format!("revision {now} took its place before it was committed")
        }
        None => format!("revision {now} took its place; what became of it is not known"),
    };
    Some(DeployInfo {
        deploy: deploy.to_owned(),
        revision: Some(revision),
        // Whoever follows it need not wait: the repository has the newer one, or will.
        phase: Phase::Superseded,
        message,
        by: was.map(|spec| spec.by.clone()).unwrap_or_default(),
        image: was.map(|spec| spec.template.image.clone()).unwrap_or_default(),
        url: String::new(),
        commit: None,
        timeline: None,
    })
}
