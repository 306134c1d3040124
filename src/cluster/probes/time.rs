//! The clock of docker against this machine's. Where docker runs in a virtual machine, its clock stops while the computer
//! sleeps, and certificates are then "not yet valid" in there.

use super::finding::Finding;

/// How many seconds the two may be apart. Reading them takes some, and certificates are made with a few minutes to spare.
const TOLERATED: u64 = 30;

/// Compares docker's clock (`SystemTime` of `docker info`) with this machine's, in seconds since 1970; `None` when docker
/// does not say.
pub fn clock(docker: &str, now: i64) -> Option<Finding> {
    let apart = unix_seconds(docker)? - now;
    let (size, direction) = (apart.unsigned_abs(), if apart < 0 { "behind" } else { "ahead of" });
    if size <= TOLERATED {
        return Some(Finding::ok("clock", "docker and this machine agree"));
    }
    Some(Finding::warning(
        "clock",
        format!("docker's clock is {} {direction} this machine's", words(size)),
        "Certificates fail over it. Restart docker, or the virtual machine it runs in, and switch on time \
         synchronisation (`sudo timedatectl set-ntp true` on Linux).",
    ))
}

fn words(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    }
}

/// Reads a time of RFC 3339, for example `2026-03-01T12:00:00.5+01:00`, as seconds since 1970.
pub fn unix_seconds(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let zone = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match zone.split_at_checked(1)? {
        ("Z", "") => 0,
        (sign, rest) => {
            let (hours, minutes) = rest.split_once(':')?;
            let seconds = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
            if sign == "-" { -seconds } else { seconds }
        }
    };
    (1..=12).contains(&month).then_some(())?;
    Some(days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset)
}

/// Counts the days from 1970-01-01 to a day of the Gregorian calendar. Years are counted from March, so that the leap
/// day is the last of a year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Days before a month of a year that begins in March: 0, 31, 61, 92, …
    let before = (153 * month + 2) / 5;
    year * 365 + leap_days + before + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::probes::finding::State;

    #[test]
    fn times_are_read() {
        // Each second number is what `date -u -d TIME +%s` prints.
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("2026-03-01T12:00:00.123456789Z", 1_772_366_400),
            ("2026-03-01T12:00:00+02:00", 1_772_359_200),
            ("2026-03-01T12:00:00Z", 1_772_366_400),
            ("2026-03-01T12:00:00.5-07:30", 1_772_393_400),
            ("2100-12-31T00:00:00Z", 4_133_894_400),
        ] {
            assert_eq!(unix_seconds(text), Some(seconds), "{text}");
        }
        for text in
            ["", "yesterday", "2026-13-01T12:00:00Z", "2026-03-01T12:00:00", "2026-03-01 noon", "é026-03-01T12:00:00Z"]
        {
            assert_eq!(unix_seconds(text), None, "{text}");
        }
    }

    #[test]
    fn a_clock_that_drifts_is_named() {
        let now = 1_772_366_400;
        let at = |text: &str| clock(text, now);
        assert_eq!(at("2026-03-01T12:00:29Z").unwrap().state, State::Ok);
        let behind = at("2026-03-01T11:59:00Z").unwrap();
        assert_eq!(
            (behind.state, behind.what.as_str()),
            (State::Warning, "docker's clock is 60 s behind this machine's")
        );
        assert_eq!(at("2026-03-01T16:00:00Z").unwrap().what, "docker's clock is 4 h ahead of this machine's");
        assert!(at("2026-02-26T12:00:00Z").unwrap().what.contains("3 days behind"));
        assert!(at("2026-03-01T12:10:00Z").unwrap().what.contains("10 min ahead"));
        assert_eq!(at(""), None);
    }
}
