//! Who has a port of this machine.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::Instance;
use super::probes::machine::user_name;
use super::probes::socket::{self, Listener, Published};
use super::probes::text;
use crate::exec::{Invocation, Process};

/// Where lsof is: on macOS, and on Linux where there is no `/proc`.
const LSOF: [&str; 2] = ["/usr/sbin/lsof", "/usr/bin/lsof"];

/// How long lsof may take.
const LSOF_TIMEOUT: Duration = Duration::from_secs(2);

/// Whoever listens on a port so that nobody else can on 127.0.0.1. What another user's process is, the system does not
/// tell everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Its process, where that may be known.
    pub pid: Option<u32>,
    /// Name of its program, where that may be known.
    pub name: Option<String>,
    /// Name of the user it belongs to, or `uid N`, where that is known.
    pub user: Option<String>,
    /// The container it is, where it is one and docker was asked.
    pub container: Option<String>,
}

impl fmt::Display for Holder {
    /// Writes who it is, as a part of a sentence: `` `node` (pid 4711) ``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.container, &self.name, self.pid, &self.user) {
            (Some(container), ..) => write!(f, "the container `{container}`"),
            (_, Some(name), Some(pid), _) => write!(f, "`{name}` (pid {pid})"),
            (_, _, Some(pid), _) => write!(f, "a process (pid {pid})"),
            (_, _, _, Some(user)) => write!(f, "a process of {user}"),
            _ => f.write_str("another process"),
        }
    }
}

impl Holder {
    /// Returns what to do to get the port back.
    pub fn fix(&self, port: u16) -> String {
        match (&self.container, self.pid) {
            (Some(container), _) => format!("Stop it: `docker stop {container}`."),
            (None, Some(pid)) => format!("Stop it: `kill {pid}`."),
            (None, None) if Path::new(LSOF[0]).exists() => {
                format!("See who it is: `sudo lsof -nP -iTCP:{port} -sTCP:LISTEN`. Then stop it.")
            }
            (None, None) => format!("See who it is: `sudo ss -ltnp 'sport = :{port}'`. Then stop it."),
        }
    }

    /// Tells whether it is a process that kilter started in a session of its own, or one that this one started.
    fn is_of(&self, leader: &Process) -> bool {
        self.pid.is_some_and(|pid| leader.lives() && (pid == leader.pid || session(pid) == Some(leader.pid)))
    }
}

/// Returns the session of a process (proc(5): the name is in parentheses and may hold anything; the session is field 6);
/// `None` where the system does not say, or has it elsewhere.
fn session(pid: u32) -> Option<u32> {
    text(&format!("/proc/{pid}/stat"))?.rsplit_once(')')?.1.split_whitespace().nth(3)?.parse().ok()
}

/// Returns whoever has a port of 127.0.0.1; `None` when it is free, or that cannot be seen here.
pub fn holder(port: u16) -> Option<Holder> {
    holders(&[port]).remove(&port)
}

/// Returns those of the ports that somebody has, each with its holder. Nothing is opened or tried.
pub fn holders(ports: &[u16]) -> BTreeMap<u16, Holder> {
    of_proc(ports).or_else(|| of_lsof(ports)).unwrap_or_default()
}

/// Tells whether a container is the node of an instance's own kind cluster.
pub fn is_own(container: &Published, instance: &Instance) -> bool {
    super::kind::cluster_name(instance).is_ok_and(|name| container.cluster == name)
}

/// Finds who has the ports, leaving out the instance's own cluster and its Tilt. `containers` is asked, for what docker has
/// published, only when somebody has one.
pub fn others(
    ports: &[u16],
    instance: &Instance,
    tilt: Option<&Process>,
    containers: &dyn Fn() -> Vec<Published>,
) -> BTreeMap<u16, Holder> {
    let mut holders = holders(ports);
    holders.retain(|_, holder| !tilt.is_some_and(|tilt| holder.is_of(tilt)));
    if holders.is_empty() {
        return holders;
    }
    // What holds the port of a container is a helper of docker's, which is nobody to be stopped.
    let containers = containers();
    holders.retain(|port, holder| {
        let container = containers.iter().find(|container| container.has(*port));
        holder.container = container.map(|container| container.container.clone());
        !container.is_some_and(|container| is_own(container, instance))
    });
    // One container may have a helper for each port.
    for holder in holders.values_mut().filter(|holder| holder.container.is_some()) {
        *holder = Holder { container: holder.container.take(), ..Holder::default() };
    }
    holders
}

/// Says for each of the others what it has, and what to do about that.
pub fn taken(others: &BTreeMap<u16, Holder>) -> Vec<(String, String)> {
    let mut of: BTreeMap<&Holder, Vec<u16>> = BTreeMap::new();
    others.iter().for_each(|(port, holder)| of.entry(holder).or_default().push(*port));
    let words = |(holder, ports): (&Holder, Vec<u16>)| {
        let (word, verb) = if ports.len() == 1 { ("port", "is") } else { ("ports", "are") };
        let what = format!("{word} {} {verb} taken by {holder}", listed(&ports));
        (what, format!("The project needs that port, and does not move to another. {}", holder.fix(ports[0])))
    };
    of.into_iter().map(words).collect()
}

/// Writes ports as people do: `20000 to 20047, 11000`.
pub fn listed(ports: &[u16]) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for port in ports {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*port) => *last = *port,
            _ => runs.push((*port, *port)),
        }
    }
    let words = runs.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Looks into the kernel's tables; `None` where there are none.
fn of_proc(ports: &[u16]) -> Option<BTreeMap<u16, Holder>> {
    let tables = [text("/proc/net/tcp")?, text("/proc/net/tcp6").unwrap_or_default()];
    let listeners = tables.iter().flat_map(|table| socket::listeners(table));
    let listeners: Vec<Listener> = listeners.filter(|listener| ports.contains(&listener.port)).collect();
    if listeners.is_empty() {
        return Some(BTreeMap::new());
    }
    let owners = owners(&listeners);
    let passwd = text("/etc/passwd").unwrap_or_default();
    let mut found = BTreeMap::new();
    for listener in listeners {
        let pid = owners.get(&listener.inode).copied();
        let user = user_name(&passwd, listener.uid).map_or(format!("uid {}", listener.uid), |name| format!("`{name}`"));
        let holder = Holder { pid, name: pid.and_then(program), user: Some(user), container: None };
        // Of two sockets on one port, the one whose process is known says more.
        let known: &mut Holder = found.entry(listener.port).or_default();
        if known.pid.is_none() {
            *known = holder;
        }
    }
    Some(found)
}

/// Finds the processes that have these sockets; of several that share one, the one with the lowest id.
fn owners(listeners: &[Listener]) -> BTreeMap<u64, u32> {
    let mut pids: Vec<u32> = entries("/proc").filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    let mut found = BTreeMap::new();
    for pid in pids {
        for entry in entries(&format!("/proc/{pid}/fd")) {
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            let inode = target.to_str().and_then(|to| to.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            if let Some(listener) = listeners.iter().find(|listener| Some(listener.inode) == inode) {
                found.entry(listener.inode).or_insert(pid);
            }
        }
    }
    found
}

fn entries(dir: &str) -> impl Iterator<Item = fs::DirEntry> + use<> {
    fs::read_dir(dir).into_iter().flatten().flatten()
}

/// Returns the name of a process's program: that of its file, else the one that the process gives itself.
fn program(pid: u32) -> Option<String> {
    let file = fs::read_link(format!("/proc/{pid}/exe")).ok();
    let file = file.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let file = file.map(|name| name.trim_end_matches(" (deleted)").to_owned());
    file.or_else(|| text(&format!("/proc/{pid}/comm")).map(|name| name.trim().to_owned()))
}

/// Asks lsof; `None` where there is none, or it does not answer.
fn of_lsof(ports: &[u16]) -> Option<BTreeMap<u16, Holder>> {
    let lsof = LSOF.into_iter().find(|path| Path::new(path).exists())?;
    let call = Invocation::new(lsof).args(["-nP", "-iTCP", "-sTCP:LISTEN", "-F", "pcn"]).timeout(LSOF_TIMEOUT);
    let found = socket::of_lsof(&call.capture().ok()?.text()).into_iter().filter(|of| ports.contains(&of.port));
    let holder = |name, pid| Holder { pid: Some(pid), name: Some(name), ..Holder::default() };
    Some(found.map(|of| (of.port, holder(of.name, of.pid))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Name;

    #[test]
    fn a_holder_is_named_and_a_free_port_has_none() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
            let Ok(listener) = std::net::TcpListener::bind(address) else { continue }; // no IPv6 here
            let port = listener.local_addr().unwrap().port();
            let holder = holder(port).unwrap();
            assert_eq!(holder.pid, Some(std::process::id()), "{address}: {holder:?}");
            assert!(holder.to_string().ends_with(&format!("(pid {})", std::process::id())), "{holder}");
            assert_eq!(holders(&[port, 1]).into_keys().collect::<Vec<_>>(), [port]);
        }
    }

    #[test]
    fn whoever_it_is_there_are_words_for_it() {
        let of = |holder: Holder| format!("{holder}: {}", holder.fix(20050));
        let node = Holder { pid: Some(7), name: Some("node".into()), user: Some("`eve`".into()), container: None };
        assert_eq!(of(node.clone()), "`node` (pid 7): Stop it: `kill 7`.");
        let container = Holder { container: Some("web".into()), ..node };
        assert_eq!(of(container), "the container `web`: Stop it: `docker stop web`.");
        let other = Holder { user: Some("`root`".into()), ..Holder::default() };
        assert!(of(other).starts_with("a process of `root`: See who it is: `sudo "));
        assert!(of(Holder::default()).starts_with("another process: See who it is: `sudo "));
    }

    #[test]
    fn ports_are_listed_as_people_do() {
        assert_eq!(listed(&[20000, 20001, 20002, 11000]), "20000 to 20002, 11000");
        assert_eq!(listed(&[65534, 65535]), "65534, 65535");
        assert_eq!(listed(&[80]), "80");
    }

    #[test]
    fn what_kilter_started_is_told_by_its_process_and_not_by_its_name() {
        let this = Process::this().unwrap();
        let holder = Holder { pid: Some(this.pid), name: Some("mytilt".into()), ..Holder::default() };
        assert!(holder.is_of(&this));
        assert!(!holder.is_of(&Process { started: "another time".into(), ..this.clone() }), "that one has ended");
        assert!(!Holder { name: Some("tilt".into()), ..Holder::default() }.is_of(&this), "nobody knows whose it is");
        assert!(!Holder { pid: Some(1), name: Some("tilt".into()), ..Holder::default() }.is_of(&this), "another's");
    }

    #[test]
    fn the_node_of_an_instance_is_its_own() {
        let of = |name: Option<&str>| Instance {
            project: Name::new("shop").unwrap(),
            name: name.map(|name| Name::new(name).unwrap()),
            blocks: vec![20000],
            tilt_port: 11000,
        };
        let node = |cluster: &str| Published { container: "x".into(), cluster: cluster.into(), ports: Vec::new() };
        assert!(is_own(&node("kilter-shop"), &of(None)) && is_own(&node("kilter-shop-fix"), &of(Some("fix"))));
        assert!(!is_own(&node("kilter-shop"), &of(Some("fix"))) && !is_own(&node(""), &of(None)));
    }
}
