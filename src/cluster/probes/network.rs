//! What stands between this machine and its cluster: proxies, and routes of a VPN.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

use super::finding::Finding;

/// Where docker takes the networks of its bridges from at first: 172.17.0.0/16 to 172.31.0.0/16.
const DOCKER: Range = Range { first: 0xAC10_0000, bits: 12 };

/// How to have docker take other networks.
const OTHER_POOLS: &str = "Or give docker other ranges: `default-address-pools` in `/etc/docker/daemon.json`.";

/// How to have a kind cluster use other addresses.
const OTHER_SUBNETS: &str = "Or give the cluster other ranges: `kilter eject kind`, then `networking.serviceSubnet` and \
                             `networking.podSubnet` in `kilter/kind.yaml`.";

/// A range of IPv4 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    first: u32,
    bits: u8,
}

impl Range {
    /// Reads `10.0.0.0/8`.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.trim().split_once('/')?;
        let bits: u8 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let first = u32::from(address.parse::<Ipv4Addr>().ok()?) & mask(bits);
        Some(Self { first, bits })
    }

    fn contains(self, other: Self) -> bool {
        self.bits <= other.bits && other.first & mask(self.bits) == self.first
    }

    fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }
}

/// A range of addresses inside the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    /// What has them: `services` or `pods`.
    pub of: &'static str,
    /// The addresses.
    pub range: Range,
}

/// Returns the ranges of a kind cluster, from its settings: `networking.serviceSubnet` and `networking.podSubnet`, or
/// kind's defaults for them.
pub fn subnets(kind_yaml: Option<&str>) -> [Subnet; 2] {
    let settings: serde_json::Value = kind_yaml.and_then(|text| serde_yaml::from_str(text).ok()).unwrap_or_default();
    let range = |key: &str, default| settings["networking"][key].as_str().and_then(Range::parse).unwrap_or(default);
    [
        Subnet { of: "services", range: range("serviceSubnet", Range { first: 0x0A60_0000, bits: 16 }) },
        Subnet { of: "pods", range: range("podSubnet", Range { first: 0x0AF4_0000, bits: 16 }) },
    ]
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.bits)
    }
}

fn mask(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
}

/// One line of the table of routes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Route {
    interface: String,
    range: Range,
    gateway: bool,
}

/// Looks for routes that lead elsewhere with addresses that docker or the cluster uses. `table` is `/proc/net/route`;
/// `bridges` are the names of the machine's bridges; `cluster` are the cluster's ranges, as far as they are known.
pub fn routes(table: &str, bridges: &[String], cluster: &[Subnet]) -> Vec<Finding> {
    let routes: Vec<Route> = table.lines().filter_map(route).collect();
    let (inside, outside): (Vec<&Route>, Vec<&Route>) =
        routes.iter().partition(|route| is_of_containers(&route.interface, bridges));
    // The network the machine itself is in: docker takes its own around it (and around every other that is there first).
    let main: Vec<&str> =
        outside.iter().filter(|r| r.range.bits == 0 && r.gateway).map(|r| r.interface.as_str()).collect();
    let (mut found, mut said) = (Vec::new(), BTreeSet::new());
    for route in outside.iter().filter(|route| route.range.bits > 0 && !is_of_this_machine(route)) {
        let docker = inside.iter().find(|own| own.range.overlaps(route.range) && own.range.bits > 0);
        let lan = !route.gateway && main.contains(&route.interface.as_str());
        let (whose, other) = if let Some(docker) = docker {
            (format!("{}, the network of `{}`", docker.range, docker.interface), OTHER_POOLS)
        } else if let Some(own) = cluster.iter().find(|own| own.range.overlaps(route.range)) {
            (format!("{}, the cluster's {}", own.range, own.of), OTHER_SUBNETS)
        } else if route.range.overlaps(DOCKER) && !lan {
            (format!("{DOCKER}, where docker takes its networks from"), OTHER_POOLS)
        } else {
            continue;
        };
        let interface = &route.interface;
        // A VPN may bring dozens of routes: one of each kind says it.
        if !said.insert((interface.as_str(), whose.clone())) {
            continue;
        }
        let what = format!("the route to {} by `{interface}` overlaps {whose}", route.range);
        let fix = format!("If `{interface}` is a VPN, disconnect it, or have it leave that range out. {other}");
        found.push(Finding::warning("routes", what, fix));
    }
    found
}

/// Reads a line of `/proc/net/route` (proc_net(5)): addresses are hexadecimal, in the machine's own order of bytes.
fn route(line: &str) -> Option<Route> {
    const UP: u32 = 0x1; // RTF_UP and RTF_REJECT of the kernel's route.h
    const REJECT: u32 = 0x200;
    let fields: Vec<&str> = line.split_whitespace().collect();
    let hex = |field: usize| u32::from_str_radix(fields.get(field)?, 16).ok();
    let address = |field: usize| Some(u32::from(Ipv4Addr::from(hex(field)?.to_ne_bytes())));
    let (first, gateway, flags, mask) = (address(1)?, address(2)?, hex(3)?, address(7)?);
    let bits = u8::try_from(mask.leading_ones()).ok()?;
    (flags & UP != 0 && flags & REJECT == 0).then(|| Route {
        interface: fields[0].to_owned(),
        range: Range { first, bits },
        gateway: gateway != 0,
    })
}

/// Tells whether an interface belongs to docker or a cluster: a bridge, or what such programs name theirs.
fn is_of_containers(interface: &str, bridges: &[String]) -> bool {
    const OWN: [&str; 10] = ["docker", "br-", "veth", "cni", "flannel", "cali", "kube", "podman", "virbr", "lxc"];
    bridges.iter().any(|bridge| bridge == interface) || OWN.iter().any(|own| interface.starts_with(own))
}

/// Tells whether a route leads nowhere else: to the machine itself, or link-local and multicast addresses.
fn is_of_this_machine(route: &Route) -> bool {
    let address = Ipv4Addr::from(route.range.first);
    route.interface == "lo" || address.is_loopback() || address.is_link_local() || address.is_multicast()
}

/// Looks at the variables of a proxy; `var` returns one of them. `cluster` are the cluster's ranges, as far as they are
/// known.
pub fn proxies(var: impl Fn(&str) -> Option<String>, cluster: &[Subnet]) -> Option<Finding> {
    let either = |name: &str| {
        var(name).map(|value| (name.to_owned(), value)).or_else(|| {
            let lower = name.to_lowercase();
            var(&lower).map(|value| (lower, value))
        })
    };
    let (name, _) = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"].into_iter().find_map(either)?;
    let no_proxy = either("NO_PROXY");
    let entries: Vec<&str> = match &no_proxy {
        Some((_, value)) => value.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).collect(),
        None => Vec::new(),
    };
    let mut missing: Vec<String> = Vec::new();
    for host in ["localhost", "127.0.0.1", ".svc"] {
        if !entries.iter().any(|entry| covers(entry, host)) {
            missing.push(host.to_owned());
        }
    }
    let ranges = cluster.iter().map(|subnet| subnet.range).filter(|range| {
        !entries.iter().any(|entry| *entry == "*" || Range::parse(entry).is_some_and(|entry| entry.contains(*range)))
    });
    missing.extend(ranges.map(|range| range.to_string()));
    if missing.is_empty() {
        return Some(Finding::ok("proxy", format!("`{name}` is set, and leaves this machine and the cluster out")));
    }
    let variable = no_proxy.map_or_else(|| "NO_PROXY".to_owned(), |(name, _)| name);
    let list = missing.join(",");
    Some(Finding::warning(
        "proxy",
        format!("`{name}` is set, and `{variable}` lacks {}", missing.join(", ")),
        format!(
            "Requests to the app and the cluster would go to the proxy. Run \
             `export {variable}=\"${{{variable}:+${variable},}}{list}\"`, and put it where the proxy is set."
        ),
    ))
}

/// Tells whether an entry of `NO_PROXY` covers a host, or a whole domain that begins with a dot.
fn covers(entry: &str, host: &str) -> bool {
    let bare = |name: &str| name.trim_start_matches('*').trim_start_matches('.').to_owned();
    let address = format!("{host}/32");
    entry == "*"
        || bare(entry).eq_ignore_ascii_case(&bare(host))
        || Range::parse(entry).zip(Range::parse(&address)).is_some_and(|(entry, host)| entry.contains(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::probes::finding::State;

    const HEAD: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    /// A line as the kernel prints it on a little-endian machine.
    fn line(interface: &str, range: &str, gateway: &str) -> String {
        let range = Range::parse(range).unwrap();
        let hex = |address: u32| format!("{:08X}", u32::from_ne_bytes(address.to_be_bytes()));
        let gateway = u32::from(gateway.parse::<Ipv4Addr>().unwrap());
        let flags = if gateway == 0 { "0001" } else { "0003" };
        let (first, mask) = (hex(range.first), hex(mask(range.bits)));
        format!("{interface}\t{first}\t{}\t{flags}\t0\t0\t0\t{mask}\t0\t0\t0\n", hex(gateway))
    }

    fn found(lines: &[(&str, &str, &str)]) -> Vec<String> {
        let table: String = lines.iter().map(|(interface, range, gateway)| line(interface, range, gateway)).collect();
        let bridges = ["lab0".to_owned()];
        let found = routes(&format!("{HEAD}{table}"), &bridges, &subnets(None));
        assert!(found.iter().all(|finding| finding.state == State::Warning && finding.fix.is_some()));
        found.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn the_kernels_own_lines_are_read() {
        let text = "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let routes: Vec<Route> = format!("{HEAD}{text}").lines().filter_map(route).collect();
        assert_eq!(routes.len(), 2);
        assert_eq!((routes[1].range.to_string(), routes[1].gateway), ("192.0.2.0/24".to_owned(), false));
        assert!(routes[0].gateway && routes[0].range.bits == 0);
    }

    #[test]
    fn a_vpn_in_the_way_is_named() {
        let lan = ("eth0", "0.0.0.0/0", "192.168.1.1");
        let docker = ("docker0", "172.17.0.0/16", "0.0.0.0");
        assert_eq!(found(&[lan, ("eth0", "192.168.1.0/24", "0.0.0.0"), docker]), Vec::<String>::new());
        assert_eq!(
            found(&[lan, ("tun0", "10.0.0.0/8", "10.8.0.1")]),
            ["the route to 10.0.0.0/8 by `tun0` overlaps 10.96.0.0/16, the cluster's services"]
        );
        assert_eq!(
            found(&[lan, ("wg0", "10.244.3.0/24", "0.0.0.0")]),
            ["the route to 10.244.3.0/24 by `wg0` overlaps 10.244.0.0/16, the cluster's pods"]
        );
        assert_eq!(
            found(&[lan, ("tun0", "172.20.0.0/14", "10.8.0.1")]),
            ["the route to 172.20.0.0/14 by `tun0` overlaps 172.16.0.0/12, where docker takes its networks from"]
        );
        assert_eq!(
            found(&[lan, docker, ("tun0", "172.17.5.0/24", "0.0.0.0")]),
            ["the route to 172.17.5.0/24 by `tun0` overlaps 172.17.0.0/16, the network of `docker0`"]
        );
        assert_eq!(found(&[lan, ("tun0", "0.0.0.0/1", "10.8.0.1"), ("tun0", "128.0.0.0/1", "10.8.0.1")]).len(), 2);
    }

    #[test]
    fn what_belongs_there_is_no_finding() {
        let lan = ("ens5", "0.0.0.0/0", "172.31.0.1");
        for other in [
            ("ens5", "172.31.0.0/20", "0.0.0.0"), // a cloud's own network: docker goes around it
            ("br-0a1b2c3d4e5f", "172.18.0.0/16", "0.0.0.0"),
            ("cni0", "10.244.0.0/24", "0.0.0.0"),
            ("lab0", "10.96.0.0/16", "0.0.0.0"),
            ("lo", "172.16.0.0/12", "0.0.0.0"),
            ("ens5", "169.254.0.0/16", "0.0.0.0"),
        ] {
            assert_eq!(found(&[lan, other]), Vec::<String>::new(), "{other:?}");
        }
        assert_eq!(routes("", &[], &subnets(None)), []);
        assert_eq!(routes("tun0\tzz\n", &[], &subnets(None)), []);
    }

    #[test]
    fn the_ranges_of_a_kind_cluster_may_be_others() {
        let of = |text: Option<&str>| subnets(text).map(|subnet| format!("{} {}", subnet.of, subnet.range));
        let default = ["services 10.96.0.0/16", "pods 10.244.0.0/16"];
        assert_eq!(
            (of(None), of(Some("kind: Cluster\n")), of(Some("{"))),
            (default.map(str::to_owned), default.map(str::to_owned), default.map(str::to_owned))
        );
        let own = "networking:\n  podSubnet: 10.50.7.0/16\n  serviceSubnet: fd00::/108\n";
        assert_eq!(of(Some(own)), ["services 10.96.0.0/16", "pods 10.50.0.0/16"]);
        let line = format!("{HEAD}{}", line("tun0", "10.50.0.0/24", "10.8.0.1"));
        assert_eq!(routes(&line, &[], &subnets(Some(own))).len(), 1);
        assert_eq!((routes(&line, &[], &subnets(None)), routes(&line, &[], &[])), (vec![], vec![]));
    }

    #[test]
    fn a_proxy_must_leave_the_cluster_out() {
        let with = |vars: &'static [(&str, &str)]| {
            proxies(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()), &subnets(None))
        };
        assert_eq!(with(&[("NO_PROXY", "localhost")]), None);
        let none = with(&[("HTTP_PROXY", "http://proxy:3128")]).unwrap();
        assert_eq!(
            none.what,
            "`HTTP_PROXY` is set, and `NO_PROXY` lacks localhost, 127.0.0.1, .svc, 10.96.0.0/16, 10.244.0.0/16"
        );
        assert!(none.fix.unwrap().contains(
            "`export NO_PROXY=\"${NO_PROXY:+$NO_PROXY,}localhost,127.0.0.1,.svc,10.96.0.0/16,10.244.0.0/16\"`"
        ));
        let some = with(&[("https_proxy", "x"), ("no_proxy", "localhost, 127.0.0.0/8,10.0.0.0/8")]).unwrap();
        assert_eq!(some.what, "`https_proxy` is set, and `no_proxy` lacks .svc");
        for list in ["*", "LOCALHOST,127.0.0.1,svc,10.96.0.0/12,10.244.0.0/16", "localhost 127.0.0.1 *.svc 10.0.0.0/8"]
        {
            let vars = [("HTTPS_PROXY", "x"), ("NO_PROXY", list)];
            let found = proxies(|n| vars.iter().find(|(v, _)| *v == n).map(|(_, v)| (*v).to_owned()), &subnets(None));
            assert_eq!(found.unwrap().state, State::Ok, "{list}");
        }
    }
}
