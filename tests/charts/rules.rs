//! Rules over all charts: who keeps data, what a laptop is asked for, and what ready means.

use serde_json::{Value, json};

use super::objects::rich;
use super::render::{containers, objects, workload};
use super::{Chart, all, services};
use crate::support;

/// Services without a volume, and why they need none.
const STATELESS: &[(&str, &str)] = &[
    ("imgproxy", "it makes an image for each request"),
    ("jaeger", "its traces are in memory"),
    ("memcached", "its data is in memory"),
];

/// Containers that nothing asks: they are ready once their port is open. Why that will do.
const ASKED_BY_NOTHING: &[(&str, &str, &str)] = &[
    ("azurite", "azurite", "it answers nobody without a signature; the port is that of its last server to start"),
    ("dev-app", "app", "`health` is the user's to say"),
    ("inline-service", "main", "nothing is known of the image"),
    ("memcached", "memcached", "it listens when it serves, and its image has nothing to ask with"),
    ("rabbitmq", "rabbitmq", "its listener opens last; asking by its tools costs a second of CPU"),
    ("signoz", "collector", "its receivers open last; its health check says yes before"),
];

/// The most that a container may request, and be allowed, in MiB and thousandths of a CPU.
const REQUEST: u64 = 1024;
const LIMIT: u64 = 2048;
const CPU: u64 = 250;

/// The most that the containers of a pod may be allowed together: half of a laptop's 8 GiB.
const POD_LIMIT: u64 = 4096;

/// Containers that go on running, sidecars among them.
fn lasting(workload: &Value) -> Vec<&Value> {
    let init = workload["spec"]["template"]["spec"]["initContainers"].as_array();
    let sidecars = init.into_iter().flatten().filter(|container| container["restartPolicy"] == "Always");
    containers(workload).iter().chain(sidecars).collect()
}

/// Renders what a chart runs, by its defaults and by all that it has.
fn renders(helm: &std::path::Path, chart: &Chart) -> [Value; 2] {
    [json!({}), rich(chart)].map(|values| workload(&objects(helm, chart, "x", &values), "x").clone())
}

#[test]
fn every_service_keeps_its_data_but_those_that_have_none() {
    let Some(helm) = support::helm() else { return };
    for (chart, _) in services() {
        let workload = workload(&objects(&helm, &chart, "x", &json!({})), "x").clone();
        let claims = workload["spec"]["volumeClaimTemplates"].as_array().map_or(0, Vec::len);
        let stateless = STATELESS.iter().any(|(name, _)| *name == chart.name);
        let kind = if stateless { "Deployment" } else { "StatefulSet" };
        assert_eq!((workload["kind"].as_str(), claims), (Some(kind), usize::from(!stateless)), "{}", chart.name);
        let mounts = lasting(&workload).into_iter().flat_map(|c| c["volumeMounts"].as_array().into_iter().flatten());
        let data = mounts.filter(|mount| mount["name"] == "data" && mount.get("readOnly").is_none()).count();
        assert_eq!(data > 0, !stateless, "{}: a claim is of use where it is mounted", chart.name);
    }
}

#[test]
fn what_a_chart_asks_for_a_laptop_bears() {
    assert_eq!((mebibytes("1536Mi"), mebibytes("2Gi"), thousandths("200m"), thousandths("2")), (1536, 2048, 200, 2000));
    let Some(helm) = support::helm() else { return };
    for chart in all() {
        for workload in renders(&helm, &chart) {
            let of =
                |container: &Value, pointer: &str| container.pointer(pointer).unwrap().as_str().unwrap().to_owned();
            for container in lasting(&workload) {
                let request = mebibytes(&of(container, "/resources/requests/memory"));
                let limit = mebibytes(&of(container, "/resources/limits/memory"));
                let cpu = thousandths(&of(container, "/resources/requests/cpu"));
                let fits = request <= limit && request <= REQUEST && limit <= LIMIT && cpu <= CPU;
                assert!(fits, "{}/{}: {}", chart.name, container["name"], container["resources"]);
            }
            let limits = lasting(&workload).into_iter().map(|c| mebibytes(&of(c, "/resources/limits/memory")));
            assert!(limits.sum::<u64>() <= POD_LIMIT, "{}", chart.name);
        }
    }
}

fn mebibytes(quantity: &str) -> u64 {
    let number = |unit: &str| quantity.strip_suffix(unit).map(|number| number.parse::<u64>().unwrap());
    number("Mi").or_else(|| number("Gi").map(|number| number * 1024)).unwrap_or_else(|| panic!("{quantity}"))
}

fn thousandths(quantity: &str) -> u64 {
    let whole = quantity.strip_suffix('m');
    whole.map_or_else(|| quantity.parse::<u64>().unwrap() * 1000, |number| number.parse().unwrap())
}

#[test]
fn an_open_port_is_ready_only_after_something_asked_the_server() {
    let Some(helm) = support::helm() else { return };
    let mut unasked = Vec::new();
    for chart in all() {
        for container in renders(&helm, &chart).iter().flat_map(lasting) {
            let asked = container.get("startupProbe").is_some_and(|probe| probe.get("tcpSocket").is_none());
            let by_port = container["readinessProbe"].get("tcpSocket").is_some();
            if by_port && !asked {
                unasked.push((chart.name.clone(), container["name"].as_str().unwrap().to_owned()));
            }
        }
    }
    unasked.dedup();
    let known = ASKED_BY_NOTHING.iter().map(|(chart, container, _)| ((*chart).to_owned(), (*container).to_owned()));
    assert_eq!(unasked, known.collect::<Vec<_>>());
}
