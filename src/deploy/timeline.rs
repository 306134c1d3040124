//! Where the time of a deploy went.

use std::time::Duration;

use crate::api::Timeline;

/// One hop and how long it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// What was done: `build`, `push`, `accept`, `render`, `commit`, `reconcile`, `ready`.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
}

/// Returns the hops in the cluster, as far as the deploy has passed them.
pub fn hops(timeline: &Timeline) -> Vec<Hop> {
    let mut hops = Vec::new();
    let mut before = timeline.accepted.as_deref().and_then(millis);
    for (name, at) in [
        ("render", &timeline.rendered),
        ("commit", &timeline.committed),
        ("reconcile", &timeline.reconciled),
        ("ready", &timeline.ready),
    ] {
        let at = at.as_deref().and_then(millis);
        if let (Some(before), Some(at)) = (before, at) {
            hops.push(Hop { name, took: Duration::from_millis(u64::try_from(at - before).unwrap_or(0)) });
        }
        before = at.or(before);
    }
    hops
}

/// Draws the hops one below the other, each bar beginning where the one before ends.
pub fn waterfall(hops: &[Hop]) -> String {
    const WIDTH: u128 = 40;
    let total: u128 = hops.iter().map(|hop| hop.took.as_millis()).sum();
    let mut before = 0;
    let mut text = String::new();
    for hop in hops {
        let place = |at: u128| usize::try_from(at * WIDTH / total.max(1)).unwrap_or(0);
        let (start, end) = (place(before), place(before + hop.took.as_millis()));
        before += hop.took.as_millis();
        let bar = format!("{}{}", " ".repeat(start), "━".repeat((end - start).max(1)));
        text += &format!("{:9} {:>7.1} s  {bar}\n", hop.name, hop.took.as_secs_f64());
    }
    text + &format!(
        "{:9} {:>7.1} s",
        "total",
        Duration::from_millis(u64::try_from(total).unwrap_or(u64::MAX)).as_secs_f64()
    )
}

/// Reads a time of RFC 3339 in UTC as milliseconds since 1970; `None` when it is no such time.
fn millis(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?.split_once(['T', 't', ' '])?;
    let numbers = |text: &str, by: char| text.split(by).map(|n| n.parse::<i64>().ok()).collect::<Option<Vec<i64>>>();
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let ([year, month, day], [hour, minute, second]) =
        (numbers(date, '-')?.try_into().ok()?, numbers(clock, ':')?.try_into().ok()?);
    if !(1..=12).contains(&month) || !(1970..=9999).contains(&year) {
        return None;
    }
    let fraction: String = fraction.chars().chain("00".chars()).take(3).collect();
    let fraction: i64 = fraction.parse().ok()?;
    Some((((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + fraction)
}

/// Counts the days from 1970-01-01 to a date of the Gregorian calendar, with years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(millis("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(millis("2000-02-29T12:00:00.5Z"), Some(951_825_600_500));
        assert_eq!(millis("2026-11-24T10:13:34.123456Z"), Some(1_795_515_214_123));
        for bad in
            ["", "yesterday", "2026-11-24", "2026-13-01T00:00:00Z", "2026-11-24T10:13Z", "2026-11-24T10:13:34+02:00"]
        {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }

    #[test]
    fn hops_are_what_lies_between_two_times() {
        let at = |second: &str| Some(format!("2026-11-24T10:00:{second}Z"));
        let timeline = Timeline {
            deploy: "d".into(),
            accepted: at("00.000"),
            rendered: at("00.250"),
            committed: at("01.250"),
            reconciled: None,
            ready: at("11.250"),
        };
        let found = hops(&timeline);
        let shown: Vec<String> = found.iter().map(|hop| format!("{} {}", hop.name, hop.took.as_millis())).collect();
        assert_eq!(shown, ["render 250", "commit 1000", "ready 10000"]);
        let drawn =
            waterfall(&[Hop { name: "build", took: Duration::from_secs(10) }, found[0].clone(), found[2].clone()]);
        insta::assert_snapshot!(drawn, @r"
        build        10.0 s  ━━━━━━━━━━━━━━━━━━━
        render        0.2 s                     ━
        ready        10.0 s                      ━━━━━━━━━━━━━━━━━━━━
        total        20.2 s
        ");
    }
}
