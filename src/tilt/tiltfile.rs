//! The Tiltfile: static YAML that is already rendered, the app's image, names and links. No helm runs when Tilt loads it.
//!
//! It holds no path and no port of this machine: where the artifacts and the project are, and where the block of host
//! ports begins, Tilt is told by environment variables. So an ejected copy can be committed.

use std::fmt::Write as _;

use super::Workload;
use crate::detect::Stack;
use crate::plan::{APP, AppPlan, Plan, PortPlan, SLOTS};

/// What a Tiltfile is made of.
#[derive(Debug)]
pub struct TiltInput<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Name of the app's image in its manifest.
    pub app_image: &'a str,
    /// The app's language, for live update.
    pub stack: Option<&'a Stack>,
    /// The kubeconfig context Tilt may use, when it is not one of kind's.
    pub context: Option<&'a str>,
    /// Registry that the cluster pulls from, with a context.
    pub registry: Option<&'a str>,
    /// One entry per rendered service, the app included, in the plan's order.
    pub services: Vec<TiltService>,
    /// Whether the Dockerfile is the project's own ejected one.
    pub own_dockerfile: bool,
}

/// A service and the workloads its manifest has.
#[derive(Debug, Clone)]
pub struct TiltService {
    /// Name of the service, or `app`.
    pub name: String,
    /// Its workloads.
    pub workloads: Vec<Workload>,
}

/// Writes a string as Starlark reads it: JSON's escapes are a subset of Starlark's.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns the text of the Tiltfile.
pub fn tiltfile(input: &TiltInput<'_>) -> String {
    let mut out = String::from(
        "# Written by kilter from kilter.yaml; `kilter eject tiltfile` makes it yours.\n\
         # kilter sets these before it starts Tilt.\n\
         artifacts = os.environ['KILTER_ARTIFACTS']\n\
         project = os.environ['KILTER_PROJECT']\n\
         blocks = [int(first) for first in os.environ['KILTER_HOST_PORTS'].split(',')]\n\n\
         def host_port(slot):\n    return blocks[slot // 48] + slot % 48\n\n\
         analytics_settings(enable=False)\n\
         version_settings(check_updates=False)\n",
    );
    if let Some(context) = input.context {
        line(&mut out, &format!("allow_k8s_contexts({})", quote(context)));
    }
    if let Some(registry) = input.registry {
        line(&mut out, &format!("default_registry({})", quote(registry)));
    }
    if let Some(app) = &input.plan.app {
        image(&mut out, input, app);
    }
    for service in &input.services {
        resources(&mut out, input.plan, service);
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn image(out: &mut String, input: &TiltInput<'_>, app: &AppPlan) {
    let dockerfile =
        if input.own_dockerfile { "project + '/kilter/Dockerfile.dev'" } else { "artifacts + '/Dockerfile.dev'" };
    line(out, "\ndocker_build(");
    let _ = writeln!(out, "    {},\n    project,\n    dockerfile={dockerfile},", quote(input.app_image));
    line(out, "    ignore=['.git', 'kilter', 'node_modules', '**/node_modules', '**/__pycache__', '.venv'],");
    if app.dev.is_some() {
        line(out, "    live_update=[");
        for manifest in input.stack.iter().flat_map(|stack| &stack.manifests) {
            let _ = writeln!(out, "        fall_back_on(project + {}),", quote(&format!("/{manifest}")));
        }
        line(out, "        sync(project, '/app'),");
        line(out, "    ],");
    }
    line(out, ")");
}

fn resources(out: &mut String, plan: &Plan, service: &TiltService) {
    let _ = writeln!(out, "\nk8s_yaml(artifacts + {})", quote(&format!("/manifests/{}.yaml", service.name)));
    let forwards = forwards(plan, &service.name);
    let links = links(plan, &service.name);
    for (index, workload) in service.workloads.iter().enumerate() {
        let _ = write!(out, "k8s_resource({}, labels=[{}]", quote(&workload.name), quote(&service.name));
        if index == 0 && !forwards.is_empty() {
            let _ = write!(out, ", port_forwards=[{}]", forwards.join(", "));
        }
        if index == 0 && !links.is_empty() {
            let _ = write!(out, ", links=[{}]", links.join(", "));
        }
        line(out, ")");
    }
}

fn ports(plan: &Plan, service: &str) -> Vec<PortPlan> {
    if service == APP {
        let http = |app: &AppPlan| PortPlan {
            name: "http".into(),
            port: app.port,
            protocol: crate::catalog::Protocol::Http,
            ui: true,
            slot: app.slot,
        };
        return plan.app.iter().map(http).collect();
    }
    plan.service(service).map(|service| service.ports.clone()).unwrap_or_default()
}

/// Port-forwards stand only where a NodePort does not serve.
fn forwards(plan: &Plan, service: &str) -> Vec<String> {
    let own_chart = plan.service(service).is_some_and(|s| s.origin == crate::plan::Origin::Chart);
    ports(plan, service)
        .iter()
        .filter(|port| !plan.node_ports || port.slot >= SLOTS || own_chart)
        .map(|port| format!("port_forward(host_port({}), {})", port.slot, port.port))
        .collect()
}

fn links(plan: &Plan, service: &str) -> Vec<String> {
    let ui = ports(plan, service).into_iter().filter(|port| port.ui);
    ui.map(|port| format!("link('http://127.0.0.1:%d' % host_port({}), {})", port.slot, quote(&port.name))).collect()
}
