//! Where the ports of a service are served. Tilt forwards to a container of a pod, so what a Service does on the way from
//! its own port to that one is done here.

use std::collections::BTreeMap;

use serde_yaml::Value;

use super::objects::{Object, TiltService};
use crate::plan::PortPlan;

/// What an object says about the way to pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Network {
    /// A Service: the pods that it selects, and its ports.
    Service { selector: Labels, ports: Vec<ServicePort> },
    /// A workload: the labels of its pods, and the ports that its containers name.
    Pods { labels: Labels, ports: Vec<(String, u16)> },
}

type Labels = BTreeMap<String, String>;

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServicePort {
    name: String,
    port: u16,
    target: Target,
}

/// The port of the container behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Number(u16),
    Name(String),
}

impl Network {
    /// Reads what a Service or a workload says.
    pub(super) fn read(kind: &str, object: &Value) -> Option<Self> {
        let pods = match kind {
            "Service" => return Some(Self::service(&object["spec"])),
            "Pod" => object,
            "PodTemplate" => &object["template"],
            _ => &object["spec"]["template"],
        };
        if pods.is_null() {
            return None;
        }
        let containers = pods["spec"]["containers"].as_sequence();
        let ports = containers.into_iter().flatten().filter_map(|container| container["ports"].as_sequence()).flatten();
        let ports = ports
            .filter(|port| is_tcp(port))
            .filter_map(|port| Some((text(port, "name"), number(&port["containerPort"])?)));
        Some(Self::Pods { labels: labels(&pods["metadata"]["labels"]), ports: ports.collect() })
    }

    fn service(spec: &Value) -> Self {
        let ports = spec["ports"].as_sequence().into_iter().flatten().filter(|port| is_tcp(port));
        let ports = ports.filter_map(|entry| {
            let port = number(&entry["port"])?;
            let target = match entry["targetPort"].as_str() {
                Some(name) => Target::Name(name.to_owned()),
                None => Target::Number(number(&entry["targetPort"]).unwrap_or(port)),
            };
            Some(ServicePort { name: text(entry, "name"), port, target })
        });
        let ports = ports.collect();
        Self::Service { selector: labels(&spec["selector"]), ports }
    }
}

/// Nothing else can be forwarded.
fn is_tcp(port: &Value) -> bool {
    port["protocol"].as_str().is_none_or(|protocol| protocol == "TCP")
}

fn number(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|number| number.try_into().ok())
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn labels(value: &Value) -> Labels {
    let pairs = value.as_mapping().into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value.as_str()?.to_owned()))).collect()
}

/// Returns the workload that serves a port of a service, and the port of its container. `release` is the name that the
/// service has for others in the cluster. `None` when no Service says it.
pub(super) fn served<'a>(service: &'a TiltService, release: &str, wanted: &PortPlan) -> Option<(&'a Object, u16)> {
    let ports = service.objects.iter().flat_map(|object| match &object.network {
        Some(Network::Service { selector, ports }) => {
            ports.iter().map(|port| (object, selector, port)).collect::<Vec<_>>()
        }
        _ => Vec::new(),
    });
    let ranked = ports.filter_map(|(object, selector, port)| {
        let (number, name, own) = (port.port == wanted.port, port.name == wanted.name, object.name == release);
        // Values may have moved the number: then the name tells, on the Service that others are told of.
        (number || (name && own)).then_some(((number, own, name), object, selector, port))
    });
    // Of equals the first.
    let best = ranked.reduce(|best, next| if next.0 > best.0 { next } else { best });
    let (_, at, selector, port) = best?;
    let selected = |object: &&Object| match &object.network {
        Some(Network::Pods { labels, .. }) => {
            !selector.is_empty()
                && object.namespace == at.namespace
                && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
        }
        _ => false,
    };
    // A Job may share the labels of what it prepares, and something that is scaled to nothing serves nothing.
    let workloads = service.objects.iter().filter(selected);
    let workload = workloads.reduce(|best, next| if serves(next) && !serves(best) { next } else { best })?;
    let number = match &port.target {
        Target::Number(number) => *number,
        Target::Name(name) => named(workload, name).unwrap_or(port.port),
    };
    Some((workload, number))
}

fn serves(workload: &Object) -> bool {
    !workload.idle && !workload.is_job()
}

fn named(workload: &Object, wanted: &str) -> Option<u16> {
    let Some(Network::Pods { ports, .. }) = &workload.network else { return None };
    ports.iter().find(|(name, _)| name == wanted).map(|(_, number)| *number)
}

/// Returns the first workload of which a container names a port.
pub(super) fn with_port(service: &TiltService, port: u16) -> Option<&Object> {
    let names = |object: &&Object| match &object.network {
        Some(Network::Pods { ports, .. }) => ports.iter().any(|(_, number)| *number == port),
        _ => false,
    };
    service.objects.iter().find(names)
}

#[cfg(test)]
mod tests {
    use super::super::objects;
    use super::*;
    use crate::catalog::Protocol;

    const POD: &str = "template: {metadata: {labels: {app: x, tier: web}}, spec: {containers: [\
                       {name: a, ports: [{name: web, containerPort: 8080}, {name: dns, protocol: UDP, containerPort: 53}]}, \
                       {name: b, ports: [{name: admin, containerPort: 9000}]}]}}";

    fn served_at(manifest: &str, release: &str, name: &str, port: u16) -> Option<(String, u16)> {
        let service = TiltService { name: "x".into(), objects: objects(manifest.as_bytes()) };
        let wanted =
            PortPlan { name: name.into(), port, protocol: Protocol::Http, ui: false, slot: 0, localhost: None };
        served(&service, release, &wanted).map(|(object, port)| (object.kind.clone(), port))
    }

    fn at(kind: &str, port: u16) -> Option<(String, u16)> {
        Some((kind.to_owned(), port))
    }

    #[test]
    fn a_port_is_followed_through_its_service_to_the_container() {
        let manifest = format!(
            "kind: Service\nmetadata: {{name: x}}\nspec: {{selector: {{app: x}}, ports: [{{name: http, port: 80, targetPort: web}}, \
             {{name: same, port: 7000}}, {{name: by-number, port: 81, targetPort: 8081}}, {{name: lost, port: 82, targetPort: nobody}}, \
             {{name: dns, protocol: UDP, port: 53}}]}}\n---\n\
             kind: Service\nmetadata: {{name: x-admin}}\nspec: {{selector: {{app: x, tier: web}}, ports: [{{port: 80, targetPort: admin}}]}}\n---\n\
             kind: Service\nmetadata: {{name: far}}\nspec: {{type: ExternalName, ports: [{{port: 90}}]}}\n---\n\
             kind: Job\nmetadata: {{name: migrate}}\nspec: {{{POD}}}\n---\n\
             kind: Deployment\nmetadata: {{name: other}}\nspec: {{template: {{metadata: {{labels: {{app: y}}}}, spec: {{containers: []}}}}}}\n---\n\
             kind: StatefulSet\nmetadata: {{name: x}}\nspec: {{{POD}}}\n"
        );
        let port = |name, number| served_at(&manifest, "x", name, number);
        assert_eq!(port("main", 80), at("StatefulSet", 8080));
        assert_eq!(port("main", 81), at("StatefulSet", 8081));
        assert_eq!(port("main", 7000), at("StatefulSet", 7000));
        assert_eq!(port("main", 82), at("StatefulSet", 82));
        assert_eq!(port("http", 8888), at("StatefulSet", 8080), "values moved the number");
        for nobody in [53, 90, 8080] {
            assert_eq!(port("main", nobody), None);
        }
        assert_eq!(served_at(&manifest, "x-admin", "main", 80), at("StatefulSet", 9000), "the Service of the release");
        assert_eq!(served_at(&manifest, "z", "main", 80), at("StatefulSet", 8080), "else the first");
    }

    #[test]
    fn without_a_service_the_container_that_has_the_port_serves_it() {
        let manifest = format!(
            "kind: Pod\nmetadata: {{name: p, labels: {{a: b}}}}\nspec: {{containers: [{{name: c}}]}}\n---\n\
                                kind: Deployment\nmetadata: {{name: d}}\nspec: {{{POD}}}\n"
        );
        let service = TiltService { name: "x".into(), objects: objects(manifest.as_bytes()) };
        assert_eq!(with_port(&service, 9000).map(|object| object.name.as_str()), Some("d"));
        assert_eq!((with_port(&service, 53), with_port(&service, 1)), (None, None));
    }
}
