//! `kind.yaml`: the settings of the cluster that kind makes.

use serde_json::{Value, json};

use super::{BLOCK, Instance};
use crate::diag::Result;
use crate::plan::FIRST_NODE_PORT;

/// Returns kind's settings for an instance: one node, and NodePorts 30000 to 30047 on this machine's loopback address.
/// The format is that of kind's configuration, `kind.x-k8s.io/v1alpha4`.
///
/// # Errors
/// Never.
pub fn kind_yaml(instance: &Instance, node_image: &str) -> Result<String> {
    let name = format!("kilter-{}", Instance::key(&instance.project, instance.name.as_ref()).replace('@', "-"));
    let ports: Vec<Value> = (0..BLOCK)
        .map(|slot| {
            json!({
                "containerPort": FIRST_NODE_PORT + slot,
                "hostPort": instance.host_port(slot),
                "listenAddress": "127.0.0.1",
                "protocol": "TCP",
            })
        })
        .collect();
    let cluster = json!({
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": name,
        "nodes": [{"role": "control-plane", "image": node_image, "extraPortMappings": ports}],
    });
    let header = "# Written by kilter; `kilter eject kind` makes it yours.\n";
    Ok(header.to_owned() + &crate::yaml::emit(&cluster)?)
}
