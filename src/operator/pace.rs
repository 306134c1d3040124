//! When an app is looked at again. What changes in the cluster is told by watches; these looks are for what a watch missed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::RangeInclusive;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::decide::{Observed, Wanted, at_head};
use crate::api::KilterAppStatus;

/// How often an app is looked at that has arrived.
const AT_REST: Duration = Duration::from_secs(600);
/// How often one is looked at that is on its way: a quarter of the time in which nothing happened to it, within these bounds. A
/// thousand apps that wait for a Flux that is away then cost the API server 33 looks a second.
const ON_ITS_WAY: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(30);
/// The longest pause after failures.
const LONGEST: Duration = Duration::from_secs(60);

/// Returns the time to the next look at an app for which there is nothing to do now.
pub(super) fn next_look(wanted: &Wanted, seen: &Observed, status: &KilterAppStatus, now: Timestamp) -> Duration {
    let arrived = match &seen.complaint {
        // Nothing tells that a namespace is gone, or that an older app gave a host name up.
        _ if wanted.deleting => false,
        Some(complaint) => complaint.reason != "HostnameTaken",
        None => at_head(wanted, seen) && seen.workload.is_ok(),
    };
    if arrived { AT_REST } else { on_its_way(status, now) }
}

/// Returns the time to the next look at an app that is on its way.
pub(super) fn on_its_way(status: &KilterAppStatus, now: Timestamp) -> Duration {
    let times = status.conditions.iter().filter_map(|condition| condition.last_transition_time.parse().ok());
    let last: Option<Timestamp> = times.max();
    let quiet = last.and_then(|last| Duration::try_from(now.duration_since(last)).ok()).unwrap_or_default();
    (quiet / 4).clamp(*ON_ITS_WAY.start(), *ON_ITS_WAY.end())
}

/// Returns the pause of an app after so many failures in a row: 1 s, doubled with each, a minute at most; up to a quarter less, each
/// app another part of it, so that those that failed together do not all come back together.
pub(super) fn after_failures(count: u32, name: &str) -> Duration {
    let most = Duration::from_secs(1 << count.saturating_sub(1).min(6)).min(LONGEST);
    let mut hasher = DefaultHasher::new();
    (name, count).hash(&mut hasher);
    most - most.mul_f64((hasher.finish() % 1000) as f64 / 4000.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::decide::Complaint;
    use super::super::testing;
    use super::*;
    use crate::api::{Condition, ConditionStatus, ConditionType};

    #[test]
    fn the_longer_nothing_happens_the_rarer_a_look() {
        let condition = |at: &str| Condition {
            type_: ConditionType::Committed,
            status: ConditionStatus::True,
            reason: "Done".into(),
            message: String::new(),
            observed_generation: Some(1),
            last_transition_time: at.into(),
        };
        let conditions =
            vec![condition("2026-01-01T00:00:00Z"), condition("2026-01-01T00:10:00.5Z"), condition("no time")];
        let status = KilterAppStatus { conditions, ..KilterAppStatus::default() };
        let at = |now: &str| on_its_way(&status, now.parse().unwrap()).as_secs();
        assert_eq!(at("2026-01-01T00:10:01Z"), 5, "something has just happened");
        assert_eq!(at("2026-01-01T00:11:01Z"), 15);
        assert_eq!(at("2026-01-02T00:00:00Z"), 30);
        assert_eq!(at("2025-01-01T00:00:00Z"), 5, "a clock that is behind");
        assert_eq!(on_its_way(&KilterAppStatus::default(), Timestamp::UNIX_EPOCH).as_secs(), 5);
    }

    #[test]
    fn what_no_watch_tells_the_end_of_is_looked_at_soon() {
        let next = |deleting: bool, reason: Option<&'static str>| {
            let wanted = Wanted { uid: "u".into(), generation: 1, revision: 1, rerender: String::new(), deleting };
            let complaint = reason.map(|reason| Complaint { reason, message: String::new() });
            let seen = Observed { complaint, ..testing::seen(1) };
            next_look(&wanted, &seen, &KilterAppStatus::default(), Timestamp::UNIX_EPOCH)
        };
        let soon = *ON_ITS_WAY.start();
        assert_eq!(
            [None, Some("Invalid"), Some("HostnameTaken")].map(|why| next(false, why)),
            [AT_REST, AT_REST, soon]
        );
        assert_eq!([None, Some("Invalid"), Some("HostnameTaken")].map(|why| next(true, why)), [soon, soon, soon]);
    }

    #[test]
    fn failures_in_a_row_are_waited_out() {
        for (count, most) in [(0, 1000), (1, 1000), (2, 2000), (3, 4000), (7, 60_000), (8, 60_000), (1000, 60_000)] {
            let pauses: BTreeSet<u128> =
                (0..20).map(|n| after_failures(count, &format!("app{n}-prod")).as_millis()).collect();
            assert!(pauses.len() > 10, "not all at once: {pauses:?}");
            assert!(pauses.iter().all(|pause| (most * 3 / 4..=most).contains(pause)), "{count}: {pauses:?}");
        }
    }
}
