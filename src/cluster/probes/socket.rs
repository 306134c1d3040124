//! Who listens on a port: the kernel's tables of sockets, the words of lsof, the published ports of containers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// State of a listening socket in `/proc/net/tcp` (`TCP_LISTEN` of the kernel's `tcp_states.h`).
const LISTEN: &str = "0A";

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its port.
    pub port: u16,
    /// The user it belongs to.
    pub uid: u32,
    /// What `/proc/<pid>/fd` shows of it: `socket:[<inode>]`.
    pub inode: u64,
}

/// A process that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Port it listens on.
    pub port: u16,
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

/// A container with ports of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Name of the container.
    pub container: String,
    /// Name of the kind cluster of which it is a node; empty for others.
    pub cluster: String,
    /// First and last port of each range of host ports.
    pub ports: Vec<(u16, u16)>,
}

impl Published {
    /// Tells whether the container has this port of the machine.
    pub fn has(&self, port: u16) -> bool {
        self.ports.iter().any(|(first, last)| (*first..=*last).contains(&port))
    }
}

/// What `docker ps --format` is asked for, for [`published`].
pub const PS_FORMAT: &str = "{{.Names}}\t{{.Label \"io.x-k8s.kind.cluster\"}}\t{{.Ports}}";

/// Reads `/proc/net/tcp` or `/proc/net/tcp6` (proc_net(5)): the listening sockets that keep others from 127.0.0.1.
pub fn listeners(table: &str) -> Vec<Listener> {
    let listener = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, port) = fields.get(1)?.split_once(':')?;
        let ours = *fields.get(3)? == LISTEN && is_in_the_way(hex_address(address)?);
        let port = u16::from_str_radix(port, 16).ok()?;
        ours.then_some(Listener { port, uid: fields.get(7)?.parse().ok()?, inode: fields.get(9)?.parse().ok()? })
    };
    table.lines().filter_map(listener).collect()
}

/// Reads what `lsof -nP -iTCP -sTCP:LISTEN -F pcn` prints: a field per line, `p` begins a process.
pub fn of_lsof(text: &str) -> Vec<Process> {
    let (mut pid, mut name, mut found) = (None, "", Vec::new());
    for line in text.lines().filter(|line| line.is_char_boundary(1)) {
        match line.split_at(1) {
            ("p", rest) => (pid, name) = (rest.parse().ok(), ""),
            ("c", rest) => name = rest,
            ("n", rest) => {
                let Some((address, port)) = rest.rsplit_once(':') else { continue };
                let address = match address.trim_start_matches('[').trim_end_matches(']') {
                    "*" => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
                    address => address.parse().ok(),
                };
                if let (Some(pid), Some(true), Ok(port)) = (pid, address.map(is_in_the_way), port.parse()) {
                    found.push(Process { port, pid, name: name.to_owned() });
                }
            }
            _ => {}
        }
    }
    found
}

/// Reads what `docker ps` prints with [`PS_FORMAT`]. Ports read like `127.0.0.1:20000-20047->30000-30047/tcp, 80/tcp`.
pub fn published(text: &str) -> Vec<Published> {
    let range = |mapping: &str| {
        let (host, _) = mapping.trim().split_once("->")?;
        let (address, ports) = host.rsplit_once(':')?;
        let address: IpAddr = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        is_in_the_way(address).then_some((first.parse().ok()?, last.parse().ok()?))
    };
    let container = |line: &str| {
        let mut fields = line.split('\t');
        let (container, cluster, ports) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Published {
            container: container.to_owned(),
            cluster: cluster.to_owned(),
            ports: ports.split(',').filter_map(range).collect(),
        })
    };
    text.lines().filter_map(container).collect()
}

/// Reads an address as the kernel prints it: words of 32 bits in the machine's own order, of bytes in the network's.
fn hex_address(text: &str) -> Option<IpAddr> {
    let words = text.as_bytes().chunks(8).map(|word| {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        Some(word.to_ne_bytes())
    });
    let words: Vec<[u8; 4]> = words.collect::<Option<_>>()?;
    match words.as_slice() {
        [word] => Some(IpAddr::V4(Ipv4Addr::from(*word))),
        [_, _, _, _] => Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?))),
        _ => None,
    }
}

/// Tells whether a socket that listens there keeps another one from 127.0.0.1: it has that address, or all of them.
/// A socket on `::` has the IPv4 addresses too, unless it was told otherwise (ipv6(7), `IPV6_V6ONLY`).
fn is_in_the_way(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_unspecified() || address == IpAddr::V4(Ipv4Addr::LOCALHOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    #[test]
    fn listening_sockets_of_the_loopback_address_are_found() {
        let row = |address: &str, state: &str| {
            let queues = "00000000:00000000 00:00000000 00000000";
            format!(
                "   0: {address} 00000000:0000 {state} {queues}  1000        0 4711 1 0000000000000000 100 0 0 10 0\n"
            )
        };
        let found = |address: &str, state: &str| listeners(&format!("{HEAD}{}", row(address, state)));
        let expected = vec![Listener { port: 20050, uid: 1000, inode: 4711 }];
        let mapped = |last: &str| format!("0000000000000000FFFF0000{last}:4E52");
        for address in ["0100007F:4E52", "00000000:4E52", &format!("{:032}:4E52", 0), &mapped("0100007F")] {
            assert_eq!(found(address, "0A"), expected, "{address}");
            assert_eq!(found(address, "01"), [], "a connection: {address}");
        }
        let others = ["0200007F:4E52", "020200C0:4E52", "00000000000000000000000001000000:4E52", &mapped("020200C0")];
        for address in others {
            assert_eq!(found(address, "0A"), [], "127.0.0.1 is free beside it: {address}");
        }
        assert_eq!(listeners("nonsense\n1: x:y z 0A\n  3: 0100007F:4E52"), []);
    }

    #[test]
    fn lsof_names_the_processes() {
        let text =
            "p812\ncnode\nf21\nn*:20050\nf22\nn[::1]:20051\np901\ncControlCe\nf9\nn127.0.0.1:5000\nf10\nn[::]:7000\n\n";
        let of = |port, pid, name: &str| Process { port, pid, name: name.into() };
        assert_eq!(of_lsof(text), [of(20050, 812, "node"), of(5000, 901, "ControlCe"), of(7000, 901, "ControlCe")]);
        assert_eq!(of_lsof("n*:80\npx\ncnode\nn*:81\nété\n"), []);
    }

    #[test]
    fn the_ports_of_containers_are_found() {
        let text = "kilter-shop-control-plane\tkilter-shop\t127.0.0.1:20000-20047->30000-30047/tcp, 127.0.0.1:41234->6443/tcp\nweb\t\t0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 443/tcp\nlan\t\t192.168.1.5:9000->9000/tcp\nidle\t\t\nbroken";
        let found = published(text);
        let names: Vec<&str> = found.iter().map(|container| container.container.as_str()).collect();
        assert_eq!(names, ["kilter-shop-control-plane", "web", "lan", "idle"]);
        assert_eq!(found[0].cluster, "kilter-shop");
        assert_eq!(found[0].ports, [(20000, 20047), (41234, 41234)]);
        assert!(found[0].has(20047) && !found[0].has(20048));
        assert_eq!(found[1].ports, [(8080, 8080), (8080, 8080)]);
        assert!(found[2].ports.is_empty() && found[3].ports.is_empty());
    }
}
