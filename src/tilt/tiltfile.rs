//! The Tiltfile: static YAML that is already rendered, the app's image, names and links. No helm runs when Tilt loads it.
//!
//! It holds no path and no port of this machine: where the artifacts and the project are, and where the block of host
//! ports begins, Tilt is told by environment variables. So an ejected copy can be committed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::objects::{Census, Object, TiltService};
use crate::detect::Stack;
use crate::image::CONTEXT_IGNORE;
use crate::plan::{APP, AppPlan, Plan, PortPlan, SLOTS};

/// What kilter itself writes into a project, which no image needs: it changes with each render.
const KILTERS: [&str; 3] = ["kilter.yaml", "kilter.lock", "kilter/.base"];

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

/// Writes a string as Starlark reads it: JSON's escapes are a subset of Starlark's.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns the text of the Tiltfile.
pub fn tiltfile(input: &TiltInput<'_>) -> String {
    let mut out = String::from(
        "# kilter's Tiltfile; a copy at kilter/Tiltfile (`kilter eject tiltfile`) is yours and is used in its place.\n\
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
    let census = Census::new(&input.services);
    let mut names: BTreeSet<String> = input.services.iter().map(|service| service.name.clone()).collect();
    for service in &input.services {
        resources(&mut out, input.plan, service, &census, &mut names);
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
    let secrets: Vec<String> = input.plan.secret_files.iter().map(|path| pattern(path)).collect();
    let ignored = CONTEXT_IGNORE.iter().chain(&KILTERS).copied().chain(secrets.iter().map(String::as_str));
    let ignored: Vec<String> = ignored.map(quote).collect();
    let _ = writeln!(out, "    ignore=[{}],", ignored.join(", "));
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

/// Writes a path as a pattern of .dockerignore that fits it alone.
fn pattern(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let mut out = String::new();
    for c in parts.join("/").chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '!' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Writes the resources of a service. The first workload has the service's name, forwards and links, and the objects
/// that belong to it; without a workload, the objects alone have the name.
fn resources(out: &mut String, plan: &Plan, service: &TiltService, census: &Census, names: &mut BTreeSet<String>) {
    let again = if census.repeats(service) { ", allow_duplicates=True" } else { "" };
    let _ = writeln!(out, "\nk8s_yaml(artifacts + {}{again})", quote(&format!("/manifests/{}.yaml", service.name)));
    let label = if service.name == APP { "app" } else { "services" };
    let links = option("links", &links(plan, &service.name));
    let beside: Vec<String> = census.beside(service).iter().map(|object| quote(object)).collect();
    let beside = option("objects", &beside);
    let workloads = service.objects.iter().filter(|object| object.is_workload());
    let workloads: Vec<_> = workloads.filter_map(|workload| Some((workload, census.resource(workload)?))).collect();
    for (index, (workload, resource)) in workloads.iter().enumerate() {
        let name = if index == 0 { service.name.clone() } else { further(plan, service, workload, names) };
        let _ = write!(out, "k8s_resource({}", quote(resource));
        if name != *resource {
            let _ = write!(out, ", new_name={}", quote(&name));
        }
        let _ = write!(out, ", labels=[{}]", quote(label));
        if index == 0 {
            let forwards = option("port_forwards", &forwards(plan, &service.name));
            let _ = write!(out, "{beside}{forwards}{links}");
        }
        // Otherwise Tilt waits for pods that nobody asked for.
        let idle = if workload.idle { ", pod_readiness='ignore'" } else { "" };
        line(out, &format!("{idle})"));
    }
    if workloads.is_empty() && !beside.is_empty() {
        let _ =
            writeln!(out, "k8s_resource(new_name={}, labels=[{}]{beside}{links})", quote(&service.name), quote(label));
    }
}

/// Writes a list as an argument, or nothing for an empty one.
fn option(name: &str, items: &[String]) -> String {
    if items.is_empty() { String::new() } else { format!(", {name}=[{}]", items.join(", ")) }
}

/// Names a workload after the first of a service: a component as kilter.yaml does, others as they are, as far as nothing
/// else has the name.
fn further(plan: &Plan, service: &TiltService, workload: &Object, names: &mut BTreeSet<String>) -> String {
    let project = format!("{}-", plan.project);
    let component = workload.name.strip_prefix(&project).filter(|_| service.name == APP);
    let kind = workload.kind.to_lowercase();
    let plain = [component.unwrap_or(&workload.name).to_owned(), format!("{}-{kind}", workload.name)];
    let numbered = (2..).map(|n| format!("{}-{kind}-{n}", workload.name));
    let mut candidates = plain.into_iter().chain(numbered);
    candidates.find(|name| names.insert(name.clone())).unwrap_or_default()
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
