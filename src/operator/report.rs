//! What is said about a KilterApp: its conditions, from what was seen. Pure.

use super::decide::{Complaint, Namespace, Observed, Rendering, Step, Wanted, at_head, decide};
use crate::api::{Condition, ConditionStatus, ConditionType, HISTORY, KilterAppStatus, Timeline};

/// What the report needs besides what was seen.
#[derive(Debug, Clone)]
pub(super) struct Facts<'a> {
    pub deploy: &'a str,
    pub url: &'a str,
    /// Whether the kernel bounds the files that helm may open.
    pub confined: bool,
    /// Now: RFC 3339 in UTC with milliseconds.
    pub now: &'a str,
}

/// Returns the new status; equal to the old one when nothing changed but the time.
pub(super) fn report(wanted: &Wanted, seen: &Observed, about: &Facts<'_>, old: &KilterAppStatus) -> KilterAppStatus {
    let mut new = KilterAppStatus {
        observed_generation: Some(wanted.generation),
        url: Some(about.url.to_owned()),
        ..old.clone()
    };
    if wanted.deleting {
        (new.conditions, _) = conditions(leaving(wanted, seen), |_| {}, wanted, about, old);
        return new;
    }
    let committed = at_head(wanted, seen);
    if committed {
        new.revision = Some(wanted.revision);
        new.deploy = Some(about.deploy.to_owned());
        new.rerender = Some(wanted.rerender.clone()).filter(|stamp| !stamp.is_empty());
        new.commit = seen.head.as_ref().map(|head| head.commit.clone());
    }
    let hops = [
        (ConditionType::Accepted, accepted(seen)),
        (ConditionType::Rendered, if committed { Ok(()) } else { rendered(seen) }),
        (ConditionType::Committed, if committed { Ok(()) } else { Err(waiting_for_repository(seen)) }),
        (ConditionType::Reconciled, reconciled(seen)),
        (ConditionType::Ready, seen.workload.clone().map_err(Hop::No)),
    ];
    let mut timeline = old.timeline.clone().filter(|timeline| timeline.deploy == about.deploy);
    let timeline = timeline.get_or_insert_with(|| Timeline { deploy: about.deploy.to_owned(), ..Timeline::default() });
    let pass = |type_| {
        passed(timeline, type_).get_or_insert_with(|| about.now.to_owned());
    };
    let is_live;
    (new.conditions, is_live) = conditions(hops, pass, wanted, about, old);
    new.timeline = Some(timeline.clone());
    if is_live && !new.live_revisions.contains(&wanted.revision) {
        new.live_revisions.push(wanted.revision);
        let surplus = new.live_revisions.len().saturating_sub(HISTORY);
        new.live_revisions.drain(..surplus);
    }
    if !about.confined {
        let why =
            Complaint { reason: "NoLandlock", message: "the kernel cannot bound the files that helm may open".into() };
        new.conditions.push(condition(ConditionType::Confined, &Err(Hop::No(why)), wanted.generation, about.now, old));
    }
    new
}

/// Returns the new status while the repository was not read yet: of what it was said to have nothing is known, so that stays; what
/// it was not said to have, or is to lose, waits for it.
pub(super) fn unread(
    wanted: &Wanted,
    complaint: Option<Complaint>,
    why: &str,
    about: &Facts<'_>,
    old: &KilterAppStatus,
) -> KilterAppStatus {
    let is_committed = old.holds(ConditionType::Committed, wanted.generation)
        && old.rerender.as_deref().unwrap_or_default() == wanted.rerender;
    if is_committed && !wanted.deleting {
        return old.clone();
    }
    let unavailable = || Err(Hop::No(Complaint { reason: "RepositoryUnavailable", message: why.to_owned() }));
    let accepted = complaint.filter(|_| !wanted.deleting).map_or(Ok(()), |complaint| Err(Hop::No(complaint)));
    // What has no `Rendered` is not rendered, as the Jobs and Secrets that it has already are in the repository.
    let hops = [
        (ConditionType::Accepted, accepted),
        (ConditionType::Committed, unavailable()),
        (ConditionType::Reconciled, unavailable()),
        (ConditionType::Ready, unavailable()),
    ];
    let hops = hops.into_iter().skip(usize::from(wanted.deleting));
    KilterAppStatus {
        observed_generation: Some(wanted.generation),
        url: Some(about.url.to_owned()),
        conditions: conditions(hops, |_| {}, wanted, about, old).0,
        ..old.clone()
    }
}

/// Returns the conditions of hops, and whether all of them are passed; `pass` is told each that is.
fn conditions(
    hops: impl IntoIterator<Item = (ConditionType, Result<(), Hop>)>,
    mut pass: impl FnMut(ConditionType),
    wanted: &Wanted,
    about: &Facts<'_>,
    old: &KilterAppStatus,
) -> (Vec<Condition>, bool) {
    let mut before: Result<(), Hop> = Ok(());
    let mut conditions = Vec::new();
    for (type_, hop) in hops {
        // A hop is not passed before the one ahead of it.
        let hop = before.clone().and(hop);
        if hop.is_ok() {
            pass(type_);
        }
        conditions.push(condition(type_, &hop, wanted.generation, about.now, old));
        if let Err(stopped) = &hop {
            before = Err(Hop::Later(stopped.complaint().clone()));
        }
    }
    (conditions, before.is_ok())
}

/// Returns the hops of a deletion: whether it was to be deployed, and is rendered, is of no interest any more.
fn leaving(wanted: &Wanted, seen: &Observed) -> [(ConditionType, Result<(), Hop>); 3] {
    let removed = match (decide(wanted, seen), &seen.repository) {
        (Step::Remove, Some(_)) => Err(waiting_for_repository(seen)),
        (Step::Remove, None) => Err(unknown("Deleting", "it waits for the commit that removes it")),
        _ => Ok(()),
    };
    let deleted = || Err(unknown("Deleting", "Flux deletes what it applied, the namespace last"));
    [(ConditionType::Committed, removed), (ConditionType::Reconciled, deleted()), (ConditionType::Ready, deleted())]
}

/// Returns what is said of a KilterApp that cannot be read: serde's words, without the values that they quote (serde-value,
/// `src/de.rs`).
pub(super) fn unreadable(words: &str) -> String {
    let (what, expected) = words.rsplit_once(". Expected ").unwrap_or((words, ""));
    let begins = |with: &[&str]| with.iter().any(|words| what.starts_with(words));
    if begins(&["Missing field ", "Unknown field ", "Duplicate field ", "Invalid length "]) {
        what.to_owned()
    } else if begins(&["Invalid type ", "Invalid value "]) {
        format!("{}, expected {expected}", what.split(['"', '`']).next().unwrap_or_default().trim_end())
    } else {
        "it is not in the form of a KilterApp".to_owned()
    }
}

/// Why a hop is not passed.
#[derive(Debug, Clone)]
enum Hop {
    /// It failed, or waits for something that is named.
    No(Complaint),
    /// Nothing is known yet.
    Unknown(Complaint),
    /// One ahead of it is not passed.
    Later(Complaint),
}

impl Hop {
    fn complaint(&self) -> &Complaint {
        match self {
            Self::No(complaint) | Self::Unknown(complaint) | Self::Later(complaint) => complaint,
        }
    }
}

fn unknown(reason: &'static str, message: &str) -> Hop {
    Hop::Unknown(Complaint { reason, message: message.into() })
}

fn accepted(seen: &Observed) -> Result<(), Hop> {
    if let Some(complaint) = &seen.complaint {
        return Err(Hop::No(complaint.clone()));
    }
    match seen.namespace {
        Namespace::Foreign => Err(Hop::No(Complaint {
            reason: "NamespaceTaken",
            message: "there is a namespace of that name which kilter did not make; it is left alone".into(),
        })),
        Namespace::Terminating => {
            Err(unknown("NamespaceTerminating", "the namespace of an earlier app is being deleted"))
        }
        _ => Ok(()),
    }
}

fn rendered(seen: &Observed) -> Result<(), Hop> {
    match &seen.rendering {
        Rendering::Done => Ok(()),
        Rendering::Missing => Err(unknown("Pending", "it waits for helm")),
        Rendering::Failed(why) => Err(Hop::No(Complaint { reason: "RenderFailed", message: why.clone() })),
        Rendering::Interrupted(why) => {
            let message = format!("it is tried again: {why}");
            Err(Hop::No(Complaint { reason: "RenderInterrupted", message }))
        }
    }
}

fn waiting_for_repository(seen: &Observed) -> Hop {
    match (&seen.repository, &seen.job) {
        // Nothing is written meanwhile, whatever the last try ended with.
        (_, Some(job)) => unknown("Pending", &format!("it waits for the end of Job {job} of the deploy before")),
        (Some(why), None) => Hop::No(Complaint { reason: "RepositoryUnavailable", message: why.clone() }),
        (None, None) => unknown("Pending", "it waits for its commit"),
    }
}

fn reconciled(seen: &Observed) -> Result<(), Hop> {
    let failure = [&seen.jobs, &seen.app].into_iter().find_map(|sync| sync.failure.clone());
    match failure {
        _ if seen.jobs.applied && seen.app.applied => Ok(()),
        Some(failure) => Err(Hop::No(failure)),
        None if !seen.jobs.exists || !seen.app.exists => Err(unknown("Pending", "Flux has not taken up the app yet")),
        None if !seen.jobs.applied => Err(unknown("JobsRunning", "Flux applies the commit and waits for its Jobs")),
        None => Err(unknown("Applying", "Flux applies the commit")),
    }
}

fn condition(
    type_: ConditionType,
    hop: &Result<(), Hop>,
    generation: i64,
    now: &str,
    old: &KilterAppStatus,
) -> Condition {
    let (status, reason, message) = match hop {
        Ok(()) => (ConditionStatus::True, "Done", String::new()),
        Err(Hop::No(why)) => (ConditionStatus::False, why.reason, why.message.clone()),
        Err(Hop::Unknown(why)) => (ConditionStatus::Unknown, why.reason, why.message.clone()),
        // What stopped an earlier hop is what whoever looks at `Ready` alone wants to know.
        Err(Hop::Later(why)) if type_ == ConditionType::Ready => {
            (ConditionStatus::False, why.reason, why.message.clone())
        }
        Err(Hop::Later(why)) => {
            (ConditionStatus::Unknown, "Waiting", format!("an earlier hop is not done: {}", why.reason))
        }
    };
    let before = old.condition(type_).filter(|before| before.status == status);
    Condition {
        type_,
        status,
        reason: reason.to_owned(),
        message,
        // Kubernetes' times have no fractions (meta/v1 Time).
        last_transition_time: before.map_or_else(|| seconds(now), |before| before.last_transition_time.clone()),
        observed_generation: Some(generation),
    }
}

fn passed(timeline: &mut Timeline, type_: ConditionType) -> &mut Option<String> {
    match type_ {
        ConditionType::Accepted => &mut timeline.accepted,
        ConditionType::Rendered => &mut timeline.rendered,
        ConditionType::Committed => &mut timeline.committed,
        ConditionType::Reconciled => &mut timeline.reconciled,
        ConditionType::Ready | ConditionType::Confined => &mut timeline.ready,
    }
}

/// Cuts the milliseconds off: `2026-11-24T10:00:00.123Z` → `2026-11-24T10:00:00Z`.
fn seconds(now: &str) -> String {
    now.split_once('.').map_or_else(|| now.to_owned(), |(seconds, _)| format!("{seconds}Z"))
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn seen() -> Observed {
        testing::seen(3)
    }

    fn of(seen: &Observed, now: &str, old: &KilterAppStatus) -> KilterAppStatus {
        let wanted = Wanted { uid: "u".into(), generation: 3, revision: 2, rerender: String::new(), deleting: false };
        report(&wanted, seen, &Facts { deploy: "d", url: "https://x", confined: true, now }, old)
    }

    fn words(status: &KilterAppStatus) -> Vec<String> {
        status.conditions.iter().map(|c| format!("{:?} {:?} {}", c.type_, c.status, c.reason)).collect()
    }

    #[test]
    fn a_live_app_has_passed_every_hop_and_the_time_alone_changes_nothing() {
        let status = of(&seen(), "2026-11-24T10:00:00.123Z", &KilterAppStatus::default());
        assert!(status.holds(ConditionType::Ready, 3) && status.commit.as_deref() == Some("c"));
        assert_eq!(status.conditions[0].last_transition_time, "2026-11-24T10:00:00Z");
        assert_eq!(of(&seen(), "2026-11-24T10:09:00.000Z", &status), status);
    }

    #[test]
    fn a_deletion_says_what_it_waits_for() {
        let live = of(&seen(), "2026-11-24T10:00:00.123Z", &KilterAppStatus::default());
        let wanted = Wanted { uid: "u".into(), generation: 4, revision: 2, rerender: String::new(), deleting: true };
        let about = Facts { deploy: "d", url: "https://x", confined: true, now: "2026-11-24T11:00:00.000Z" };
        let mut leaving = Observed { namespace: Namespace::Ours, ..seen() };
        let status = report(&wanted, &leaving, &about, &live);
        let expected = ["Committed Unknown Deleting", "Reconciled Unknown Waiting", "Ready False Deleting"];
        assert_eq!(words(&status), expected);
        leaving.repository = Some("no route".into());
        let status = report(&wanted, &leaving, &about, &live);
        assert_eq!(words(&status)[2], "Ready False RepositoryUnavailable");
        let ready = status.condition(ConditionType::Ready).unwrap();
        assert_eq!((ready.message.as_str(), ready.observed_generation), ("no route", Some(4)));
        // What stopped its deploy does not stop its end.
        leaving.complaint = Some(Complaint { reason: "Invalid", message: String::new() });
        (leaving.head, leaving.repository) = (None, None);
        let status = report(&wanted, &leaving, &about, &live);
        let expected = ["Committed True Done", "Reconciled Unknown Deleting", "Ready False Deleting"];
        assert_eq!(words(&status), expected);
        assert_eq!((status.timeline, status.live_revisions), (live.timeline, live.live_revisions), "as it was");
    }

    #[test]
    fn what_waits_for_a_job_says_so_also_after_a_write_that_failed() {
        let mut waiting =
            Observed { head: None, rendering: Rendering::Done, job: Some("migration-d1".into()), ..seen() };
        waiting.repository = Some("no route".into());
        let committed = |seen: &Observed| {
            let status = of(seen, "2026-11-24T10:00:00.123Z", &KilterAppStatus::default());
            let committed = status.condition(ConditionType::Committed).unwrap();
            (committed.reason.clone(), committed.message.clone())
        };
        let said = ("Pending".to_owned(), "it waits for the end of Job migration-d1 of the deploy before".to_owned());
        assert_eq!(committed(&waiting), said);
        waiting.job = None;
        assert_eq!(committed(&waiting), ("RepositoryUnavailable".to_owned(), "no route".to_owned()));
    }

    #[test]
    fn what_cannot_be_read_is_told_without_its_values() {
        for (serde, told) in [
            ("Missing field port", "Missing field port"),
            ("Unknown field colour. Expected one of image, port", "Unknown field colour"),
            ("Invalid type string \"canary\". Expected u16", "Invalid type string, expected u16"),
            ("Invalid value integer `70000`. Expected u16", "Invalid value integer, expected u16"),
            ("Invalid type string \"canary. Expected canary\". Expected a map", "Invalid type string, expected a map"),
            ("Invalid length 3. Expected 2 elements in sequence", "Invalid length 3"),
            ("Unknown variant canary. Expected one of a, b", "it is not in the form of a KilterApp"),
            ("canary is not a quantity", "it is not in the form of a KilterApp"),
        ] {
            assert_eq!(unreadable(serde), told);
        }
    }

    #[test]
    fn the_revisions_that_were_live_are_kept() {
        let full = KilterAppStatus { live_revisions: (100..120).collect(), ..KilterAppStatus::default() };
        let mut failed = seen();
        failed.workload = Err(Complaint { reason: "RolloutFailed", message: String::new() });
        assert_eq!(of(&failed, "t", &full).live_revisions, full.live_revisions);
        let live = of(&seen(), "t", &full);
        let expected: Vec<u64> = (101..120).chain([2]).collect();
        assert_eq!(live.live_revisions, expected);
        assert_eq!(of(&failed, "t", &live).live_revisions, expected, "it was live once");
        assert_eq!(of(&seen(), "t", &live).live_revisions, expected);
    }

    #[test]
    fn a_failed_job_is_what_ready_says_and_later_hops_wait() {
        let mut failed = seen();
        failed.jobs.applied = false;
        failed.app.applied = false;
        failed.jobs.failure = Some(Complaint { reason: "JobFailed", message: "migration-d: no".into() });
        let status = of(&failed, "t", &KilterAppStatus::default());
        let expected = [
            "Accepted True Done",
            "Rendered True Done",
            "Committed True Done",
            "Reconciled False JobFailed",
            "Ready False JobFailed",
        ];
        assert_eq!(words(&status), expected);
        assert_eq!(status.timeline.unwrap().reconciled, None);
    }

    #[test]
    fn a_new_generation_is_not_ready_because_the_old_one_is() {
        let mut older = seen();
        older.head.as_mut().unwrap().generation = 2;
        let status = of(&older, "t", &KilterAppStatus { commit: Some("old".into()), ..KilterAppStatus::default() });
        assert!(!status.holds(ConditionType::Ready, 3));
        assert_eq!(status.commit.as_deref(), Some("old"));
        assert_eq!(words(&status)[1..3], ["Rendered Unknown Pending", "Committed Unknown Waiting"]);
    }

    #[test]
    fn a_render_that_is_tried_again_says_so() {
        let mut waiting = seen();
        waiting.head = None;
        waiting.rendering = Rendering::Interrupted("signal 9 ended it".into());
        let status = of(&waiting, "t", &KilterAppStatus::default());
        assert_eq!(words(&status)[1], "Rendered False RenderInterrupted");
        assert_eq!(words(&status)[4], "Ready False RenderInterrupted");
        assert_eq!(status.conditions[1].message, "it is tried again: signal 9 ended it");
    }

    #[test]
    fn who_has_the_namespace_is_said() {
        let mut foreign = seen();
        foreign.head = None;
        foreign.namespace = Namespace::Foreign;
        let status = of(&foreign, "t", &KilterAppStatus::default());
        assert_eq!(words(&status)[0], "Accepted False NamespaceTaken");
        assert_eq!(words(&status)[4], "Ready False NamespaceTaken");
    }
}
