//! `kind.yaml`: the settings of the cluster that kind makes.
//!
//! The settings themselves are the same on every machine, and may be the user's; the cluster's name and its host ports
//! are this machine's, and are put in when the artifact is made. The format is that of kind's configuration,
//! `kind.x-k8s.io/v1alpha4`.

use serde_json::{Map, Value, json};

use super::{BLOCK, Instance};
use crate::diag::{Error, Result};
use crate::plan::FIRST_NODE_PORT;

/// What kind puts behind the cluster's name for the first node.
const NODE_SUFFIX: &str = "-control-plane";

/// Longest name of a cluster: a node's name is a label of 63 characters (RFC 1123).
const MAX_NAME: usize = 63 - NODE_SUFFIX.len();

/// Has the node's containerd look up registries in files, which is how the local registry is made known to it. The node
/// images of kind 0.27 and newer do so without; an older one, or a containerd that looks in two places, does with it
/// (https://kind.sigs.k8s.io/docs/user/local-registry/).
const CERTS_D: &str = "[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \"/etc/containerd/certs.d\"\n";

/// Returns kind's settings as they can be ejected: one node, without anything of this machine.
///
/// # Errors
/// Never.
pub fn kind_settings(node_image: &str) -> Result<String> {
    let header =
        "# The settings of the dev cluster. kilter adds `name` and, to the first node, the ports of this machine.\n";
    Ok(header.to_owned() + &crate::yaml::emit(&settings(node_image))?)
}

/// Returns kind's settings for an instance: kilter's, or the text of the user's copy. The cluster's name is the
/// instance's, and the first node maps NodePorts 30000 to 30047 to ports on this machine's loopback address, whatever
/// the copy says about these.
///
/// # Errors
/// When the copy is not a map of settings with a list of nodes, or the cluster's name gets too long.
pub fn kind_yaml(instance: &Instance, node_image: &str, own: Option<&[u8]>) -> Result<String> {
    let (header, settings) = match own {
        Some(own) => ("# Written by kilter from kilter/kind.yaml, which is yours.\n", parse(own)?),
        None => (
            "# kilter's settings of the cluster; a copy at kilter/kind.yaml (`kilter eject kind`) is yours and is used in their place.\n",
            settings(node_image),
        ),
    };
    let Value::Object(settings) = settings else { return Err(not_settings("it is no map")) };
    let name = cluster_name(instance)?;
    let mut cluster = Map::new();
    for key in ["kind", "apiVersion"] {
        cluster.extend(settings.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    cluster.insert("name".into(), name.into());
    cluster.extend(settings.into_iter().filter(|(key, _)| key != "kind" && key != "apiVersion" && key != "name"));
    map_ports(&mut cluster, instance)?;
    Ok(header.to_owned() + &crate::yaml::emit(&Value::Object(cluster))?)
}

/// Returns the name of an instance's cluster. kind makes node names of it, which Kubernetes takes up to 63 characters of.
pub(super) fn cluster_name(instance: &Instance) -> Result<String> {
    let name = format!("kilter-{}", super::flat(&Instance::key(&instance.project, instance.name.as_ref())));
    if name.len() <= MAX_NAME {
        return Ok(name);
    }
    let error = Error::project(format!(
        "the cluster name `{name}` has {} characters; with kind's `{NODE_SUFFIX}` behind it, {MAX_NAME} are the most",
        name.len()
    ));
    Err(error.help(match instance.name {
        Some(_) => "Take a shorter `--instance NAME`, or a shorter `name:` in kilter.yaml.",
        None => "Take a shorter `name:` in kilter.yaml.",
    }))
}

fn settings(node_image: &str) -> Value {
    json!({
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "containerdConfigPatches": [CERTS_D],
        "nodes": [{"role": "control-plane", "image": node_image}],
    })
}

fn parse(own: &[u8]) -> Result<Value> {
    let wrong = |error: serde_yaml::Error| not_settings(&error.to_string());
    let mut settings: serde_yaml::Value = serde_yaml::from_slice(own).map_err(wrong)?;
    settings.apply_merge().map_err(wrong)?;
    serde_json::to_value(settings).map_err(|error| not_settings(&error.to_string()))
}

/// Maps the ports of the instance on the first node, in place of what is said about the same NodePorts.
fn map_ports(cluster: &mut Map<String, Value>, instance: &Instance) -> Result<()> {
    let nodes = cluster.entry("nodes").or_insert_with(|| json!([]));
    if nodes.is_null() || *nodes == json!([]) {
        *nodes = json!([{"role": "control-plane"}]); // what kind takes for no nodes
    }
    let first = nodes.get_mut(0).and_then(Value::as_object_mut);
    let first = first.ok_or_else(|| not_settings("its `nodes` is no list of maps"))?;
    let own = match first.get("extraPortMappings") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(own)) => own.clone(),
        Some(_) => return Err(not_settings("`extraPortMappings` of its first node is no list")),
    };
    let generated = u64::from(FIRST_NODE_PORT)..u64::from(FIRST_NODE_PORT + BLOCK);
    let own = own.into_iter().filter(|port| !port["containerPort"].as_u64().is_some_and(|p| generated.contains(&p)));
    let ports = (0..BLOCK).map(|slot| {
        json!({
            "containerPort": FIRST_NODE_PORT + slot,
            "hostPort": instance.host_port(slot),
            "listenAddress": "127.0.0.1",
            "protocol": "TCP",
        })
    });
    first.insert("extraPortMappings".into(), ports.chain(own).collect());
    Ok(())
}

fn not_settings(why: &str) -> Error {
    Error::project(format!("`kilter/kind.yaml` is not kind's settings: {}", why.lines().next().unwrap_or_default()))
        .help("Correct it, or delete it to go back to kilter's default.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Name;

    #[test]
    fn the_name_of_a_node_fits() {
        let of = |project: usize, instance: usize| Instance {
            project: Name::new(&"p".repeat(project)).unwrap(),
            name: Name::new(&"i".repeat(instance)).ok(),
            blocks: vec![20000],
            tilt_port: 11000,
        };
        let longest = kind_yaml(&of(30, 11), "node", None).unwrap();
        let kind: Value = serde_yaml::from_str(&longest).unwrap();
        assert_eq!(format!("{}-control-plane", kind["name"].as_str().unwrap()).len(), 63);
        let error = kind_yaml(&of(30, 12), "node", None).unwrap_err();
        assert!(error.to_string().contains("has 50 characters"), "{error}");
        assert!(error.problems()[0].help[0].contains("`--instance NAME`"), "{error:?}");
        kind_yaml(&of(40, 0), "node", None).unwrap();
    }
}
