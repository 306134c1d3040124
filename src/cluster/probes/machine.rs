//! What the machine has: memory, inotify's limits, users and groups.

use super::finding::Finding;
use crate::fsx::size;

/// Memory that a node takes before the first service, and some to build an image in.
const MIN_AVAILABLE: u64 = 2 * 1024 * 1024 * 1024;

/// The figures of kind's known issues, "Pod errors due to too many open files"
/// (kind.sigs.k8s.io/docs/user/known-issues).
const INOTIFY: [(&str, u64); 2] = [("max_user_watches", 524_288), ("max_user_instances", 512)];

/// Looks at `/proc/meminfo` (proc_meminfo(5)): what can be had without swapping.
pub fn memory(meminfo: &str) -> Option<Finding> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let available = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)?;
    let what = format!("{} available", size(available));
    Some(match available {
        ..MIN_AVAILABLE => {
            let fix = format!(
                "A cluster and its services take {} and more: end programs that you do not need, or take fewer services.",
                size(MIN_AVAILABLE)
            );
            Finding::warning("memory", what, fix)
        }
        _ => Finding::ok("memory", what),
    })
}

/// Looks at the limits below `/proc/sys/fs/inotify`, which pods share with the machine. `read` returns the text of one of
/// them; `None` when there are none.
pub fn inotify(read: impl Fn(&str) -> Option<String>) -> Option<Finding> {
    let limits = INOTIFY.map(|(name, wanted)| {
        let is: Option<u64> = read(name).and_then(|text| text.trim().parse().ok());
        is.map(|is| (name, is, wanted))
    });
    let limits: Vec<(&str, u64, u64)> = limits.into_iter().flatten().collect();
    let low: Vec<_> = limits.iter().filter(|(_, is, wanted)| is < wanted).collect();
    if limits.is_empty() {
        return None;
    }
    if low.is_empty() {
        let shown = limits.iter().map(|(name, is, _)| format!("{name} {is}"));
        return Some(Finding::ok("inotify", shown.collect::<Vec<_>>().join(", ")));
    }
    let what = low.iter().map(|(name, is, wanted)| format!("{name} is {is}, under {wanted}")).collect::<Vec<_>>();
    let set = low.iter().map(|(name, _, wanted)| format!("fs.inotify.{name}={wanted}")).collect::<Vec<_>>();
    let fix = format!(
        "Pods may fail with \"too many open files\". Raise it now: `sudo sysctl {}`. For good: put the same into \
         `/etc/sysctl.d/99-kilter.conf`, one on each line.",
        set.join(" ")
    );
    Some(Finding::warning("inotify", what.join(", "), fix))
}

/// Finds the name of a user in `/etc/passwd` (passwd(5)).
pub fn user_name(passwd: &str, uid: u32) -> Option<String> {
    let mut users = passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?, fields.nth(1)?.parse::<u32>().ok()?))
    });
    users.find(|(_, id)| *id == uid).map(|(name, _)| name.to_owned())
}

/// Finds the name of a group in `/etc/group` (group(5)), and who is listed as its members.
pub fn group(groups: &str, gid: u32) -> Option<(String, Vec<String>)> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?.parse::<u32>().ok()?);
        let members = fields.next().unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
        (id == gid).then(|| (name.to_owned(), members.map(str::to_owned).collect()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::probes::finding::State;

    #[test]
    fn little_memory_is_named() {
        let of = |available: &str| {
            memory(&format!("MemTotal:       16384000 kB\nMemFree:          100000 kB\nMemAvailable:   {available}\n"))
        };
        assert_eq!(of("8388608 kB"), Some(Finding::ok("memory", "8 GiB available")));
        let low = of(" 1048576 kB").unwrap();
        assert_eq!((low.state, low.what.as_str()), (State::Warning, "1 GiB available"));
        assert_eq!((of("much"), memory("")), (None, None));
    }

    #[test]
    fn low_limits_of_inotify_come_with_the_commands() {
        let with = |watches: &str, instances: &str| {
            inotify(|name| Some(if name == "max_user_watches" { watches } else { instances }.to_owned()))
        };
        assert_eq!(with("524288\n", "512\n").unwrap().state, State::Ok);
        insta::assert_debug_snapshot!(with("8192\n", "128\n"), @r#"
        Some(
            Finding {
                check: "inotify",
                state: Warning,
                what: "max_user_watches is 8192, under 524288, max_user_instances is 128, under 512",
                fix: Some(
                    "Pods may fail with \"too many open files\". Raise it now: `sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512`. For good: put the same into `/etc/sysctl.d/99-kilter.conf`, one on each line.",
                ),
            },
        )
        "#);
        let one = with("1048576\n", "128\n").unwrap();
        assert!(!one.fix.unwrap().contains("max_user_watches"));
        assert_eq!(inotify(|_| None), None);
    }

    #[test]
    fn users_and_groups_are_found() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\neve:x:1000:1000::/home/eve:/bin/sh\nbroken\n";
        assert_eq!((user_name(passwd, 1000).as_deref(), user_name(passwd, 7)), (Some("eve"), None));
        let groups = "root:x:0:\ndocker:x:998:eve,adam\nempty:x:5\n";
        assert_eq!(group(groups, 998), Some(("docker".into(), vec!["eve".into(), "adam".into()])));
        assert_eq!(group(groups, 0), Some(("root".into(), vec![])));
        assert_eq!(group(groups, 5), Some(("empty".into(), vec![])));
        assert_eq!(group(groups, 1), None);
    }
}
