//! What a cluster that exists was made with and kind.yaml no longer says: docker gives a container its ports and its
//! image when it makes it, and never others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::docker::{Container, Published};

/// The port of the API server in a node (kind's `APIServerInternalPort`); which port of this machine leads to it, kind
/// chooses.
pub(super) const API: &str = "6443/tcp";

/// Says in what the containers of a cluster differ from its settings, one line each; nothing when they are the same, or
/// when the settings cannot be read.
pub(super) fn differences(settings: &str, cluster: &str, containers: &[Container]) -> Vec<String> {
    let Ok(settings) = serde_yaml::from_str::<Value>(settings) else { return Vec::new() };
    let mut found = Vec::new();
    let none = Vec::new();
    let mut counts = BTreeMap::new();
    for node in settings["nodes"].as_array().unwrap_or(&none) {
        let name = node_name(cluster, node["role"].as_str().unwrap_or("control-plane"), &mut counts);
        match containers.iter().find(|container| container.name == name) {
            Some(container) => compare(node, container, &mut found),
            None => found.push(format!("the node `{name}` of kind.yaml is not there")),
        }
    }
    found
}

/// Names a node as kind does: the second worker is `NAME-worker2`.
fn node_name(cluster: &str, role: &str, counts: &mut BTreeMap<String, usize>) -> String {
    let count = counts.entry(role.to_owned()).or_default();
    *count += 1;
    match *count {
        1 => format!("{cluster}-{role}"),
        n => format!("{cluster}-{role}{n}"),
    }
}

fn compare(node: &Value, container: &Container, found: &mut Vec<String>) {
    let name = &container.name;
    if let Some(image) = node["image"].as_str().filter(|image| *image != container.image) {
        found.push(format!("`{name}` runs the image `{}`, kind.yaml says `{image}`", container.image));
    }
    let mappings = node["extraPortMappings"].as_array();
    let mappings: Vec<Published> = mappings.into_iter().flatten().filter_map(mapping).collect();
    // Which port of this machine leads to these, kind chose.
    let open: BTreeSet<&str> =
        mappings.iter().filter(|port| port.port == 0).map(|port| port.container.as_str()).chain([API]).collect();
    let said: BTreeSet<&Published> = mappings.iter().filter(|port| port.port != 0).collect();
    let made: BTreeSet<&Published> = container.wanted.iter().collect();
    let lacks: Vec<String> = said.difference(&made).map(|port| shown(port)).collect();
    let more = made.difference(&said).filter(|port| !open.contains(port.container.as_str()));
    let more: Vec<String> = more.map(|port| shown(port)).collect();
    if !lacks.is_empty() {
        found.push(format!("`{name}` does not publish {}", some(&lacks)));
    }
    if !more.is_empty() {
        found.push(format!("`{name}` publishes {}, which kind.yaml does not say", some(&more)));
    }
}

/// Returns a mapping of kind.yaml with kind's defaults; port 0 (or -1) is one that is chosen when the node is made.
fn mapping(said: &Value) -> Option<Published> {
    let container =
        format!("{}/{}", said["containerPort"].as_u64()?, said["protocol"].as_str().unwrap_or("TCP").to_lowercase());
    let address = said["listenAddress"].as_str().filter(|address| !address.is_empty()).unwrap_or("0.0.0.0").to_owned();
    let port = said["hostPort"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
    Some(Published { container, address, port })
}

fn shown(port: &Published) -> String {
    format!("{}:{} to {}", port.address, port.port, port.container)
}

/// Shows the first of a list, and how many more there are.
fn some(list: &[String]) -> String {
    match list {
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::docker::Status;

    fn container(name: &str, image: &str, wanted: &[(&str, u16)]) -> Container {
        let wanted = wanted.iter().map(|(container, port)| Published {
            container: (*container).to_owned(),
            address: "127.0.0.1".to_owned(),
            port: *port,
        });
        Container {
            name: name.to_owned(),
            status: Status::Running,
            health: None,
            image: image.to_owned(),
            labels: BTreeMap::new(),
            wanted: wanted.collect(),
            published: Vec::new(),
            networks: BTreeSet::new(),
            volumes: BTreeSet::new(),
        }
    }

    const SETTINGS: &str = "
nodes:
- role: control-plane
  image: node:1
  extraPortMappings:
  - {containerPort: 30000, hostPort: 20000, listenAddress: 127.0.0.1, protocol: TCP}
  - {containerPort: 53, listenAddress: 127.0.0.1, protocol: UDP}
- role: worker
- role: worker
";

    #[test]
    fn what_docker_was_told_is_compared_with_what_is_said_now() {
        let nodes = |image: &str, ports: &[(&str, u16)]| {
            vec![
                container("c-control-plane", image, ports),
                container("c-worker", "x", &[]),
                container("c-worker2", "x", &[]),
            ]
        };
        let same = nodes("node:1", &[(API, 41234), ("30000/tcp", 20000), ("53/udp", 40000)]);
        assert_eq!(
            differences(SETTINGS, "c", &same),
            Vec::<String>::new(),
            "the ports that kind chooses are no difference"
        );
        let moved = nodes("node:1", &[(API, 41234), ("30000/tcp", 20048)]);
        assert_eq!(
            differences(SETTINGS, "c", &moved),
            [
                "`c-control-plane` does not publish 127.0.0.1:20000 to 30000/tcp",
                "`c-control-plane` publishes 127.0.0.1:20048 to 30000/tcp, which kind.yaml does not say"
            ]
        );
        let mut old = nodes("node:0", &[("30000/tcp", 20000)]);
        old.pop();
        assert_eq!(
            differences(SETTINGS, "c", &old),
            [
                "`c-control-plane` runs the image `node:0`, kind.yaml says `node:1`",
                "the node `c-worker2` of kind.yaml is not there"
            ]
        );
        assert_eq!(differences("nodes: {}", "c", &old), Vec::<String>::new());
    }
}
