//! The Tiltfile: static YAML that is already rendered, the app's image, names and links. No helm runs when Tilt loads it.
//!
//! It holds nothing of this machine, so that an ejected copy can be committed. Tilt loads that copy in its place, and it may
//! include this one. kilter sets, before it starts Tilt:
//!
//! | variable | |
//! |---|---|
//! | `KILTER_ARTIFACTS`, `KILTER_PROJECT` | where the artifacts and the project are |
//! | `KILTER_HOST_PORTS` | where the blocks of host ports begin, with commas between them |
//! | `KILTER_CONTEXT` | the kubeconfig context, which Tilt then may use |
//! | `KILTER_REGISTRY` | the registry that the cluster pulls from; empty or unset: none |
//! | `KILTER_FORWARD` | `1` when NodePorts of the cluster do not reach 127.0.0.1 of this machine: then every port is forwarded, else those that no NodePort serves |
//!
//! Services that the catalog says another needs come before it. The app waits for none: it is built meanwhile, an app in dev tries
//! again or is started again by the cluster, and a service that fails must not keep the app from coming up. For the same reason
//! nothing waits for Jobs of a user's chart: helm's order among the objects of a chart is kept, and what depends on a Job has to
//! wait for it in production as well.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::objects::{Census, Object, STAYS, TiltService};
use super::reach::{served, with_port};
use crate::catalog::{self, Requirement};
use crate::detect::Stack;
use crate::image::{CONTEXT_IGNORE, built_here};
use crate::plan::{APP, AppPlan, Plan, PortPlan, SLOTS, SUPERVISOR, ServicePlan, restarts};

/// What kilter itself writes into a project, which no image needs: some of it changes with each render, and an edit of the
/// rest is no edit of the app.
const KILTERS: [&str; 10] = [
    "kilter.yaml",
    "kilter.lock",
    "kilter/.base",
    "kilter/Tiltfile",
    "kilter/Dockerfile.dev",
    "kilter/kind.yaml",
    "kilter/values",
    "kilter/charts",
    "kilter/manifests",
    ".agents/skills/kilter",
];

/// What a Tiltfile is made of.
#[derive(Debug)]
pub struct TiltInput<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Name of the app's image in its manifest.
    pub app_image: &'a str,
    /// The app's language, for live update.
    pub stack: Option<&'a Stack>,
    /// Whether components run in the app's image.
    pub components: bool,
    /// One entry per rendered service, the app included, in the plan's order.
    pub services: Vec<TiltService>,
    /// Whether the Dockerfile is the project's own ejected one.
    pub own_dockerfile: bool,
}

/// What every Tiltfile begins with.
///
/// Tilt's own 3 updates at a time and 30 seconds for the cluster to take an object are for a handful of services; what is
/// deployed here are finished manifests, and the first of them meet a cluster that is busy with its own start.
///
/// What stays is told by Tilt's annotation (tilt-dev/tilt `internal/controllers/core/kubernetesapply`), put on at load: the
/// stored manifest is helm's own. Where there is none, Tilt reads the file itself.
const HEAD: &str = "\
# kilter's Tiltfile; a copy at kilter/Tiltfile (`kilter eject tiltfile`) is yours and is used in its place. One that only adds
# to kilter's needs no copy of it: include(os.environ['KILTER_ARTIFACTS'] + '/Tiltfile')
# kilter sets these before it starts Tilt.
artifacts = os.environ['KILTER_ARTIFACTS']
project = os.environ['KILTER_PROJECT']
blocks = [int(first) for first in os.environ['KILTER_HOST_PORTS'].split(',')]
# '1': NodePorts of the cluster do not reach 127.0.0.1 of this machine.
forward_all = os.getenv('KILTER_FORWARD', '') == '1'
registry = os.getenv('KILTER_REGISTRY', '')

def host_port(slot):
    return blocks[slot // 48] + slot % 48

def forward(slot, port):
    return port_forward(host_port(slot), port, host='127.0.0.1')

def unless_node_port(forwards):
    return forwards if forward_all else []

# Tilt deletes what leaves the Tiltfile. These stay: data, and what holds more than one service.
stays = '^(STAYS)$'

def manifest(service, **options):
    path = artifacts + '/manifests/' + service + '.yaml'
    kept, rest = filter_yaml(path, kind=stays)
    objects = decode_yaml_stream(kept)
    for object in objects:
        annotations = object['metadata'].get('annotations') or {}
        annotations.setdefault('tilt.dev/down-policy', 'keep')
        object['metadata']['annotations'] = annotations
    k8s_yaml([encode_yaml_stream(objects), rest] if objects else path, **options)

allow_k8s_contexts(os.environ['KILTER_CONTEXT'])
if registry:
    default_registry(registry)
analytics_settings(enable=False)
version_settings(check_updates=False)
update_settings(max_parallel_updates=8, k8s_upsert_timeout_secs=120)
";

/// Writes a string as Starlark reads it: JSON's escapes are a subset of Starlark's.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns the text of the Tiltfile.
pub fn tiltfile(input: &TiltInput<'_>) -> String {
    let mut out = HEAD.replace("STAYS", &STAYS.join("|"));
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
    let ours = CONTEXT_IGNORE.iter().chain(built_here(input.stack)).chain(&KILTERS);
    let kept = input.stack.iter().flat_map(|stack| &stack.keeps).map(|path| format!("!{}", pattern(path)));
    let kept: Vec<String> = kept.collect();
    let ignored = ours.copied().chain(kept.iter().map(String::as_str)).chain(secrets.iter().map(String::as_str));
    let ignored: Vec<String> = ignored.map(quote).collect();
    let _ = writeln!(out, "    ignore=[{}],", ignored.join(", "));
    if let Some(dev) = &app.dev {
        live_update(out, input, dev);
    }
    line(out, ")");
}

/// Brings edits into the running containers: what says which packages are installed means a new image, everything else is
/// copied (and deleted) in place, and commands that load no changed files by themselves are started again. A component's
/// command is never known to load them.
fn live_update(out: &mut String, input: &TiltInput<'_>, dev: &str) {
    line(out, "    live_update=[");
    let stack = input.stack.iter();
    for path in stack.flat_map(|stack| stack.manifests.iter().chain(&stack.rebuild_on)) {
        let _ = writeln!(out, "        fall_back_on(project + {}),", quote(&format!("/{path}")));
    }
    line(out, "        sync(project, '/app'),");
    if restarts(input.stack, dev) || input.components {
        let signal = format!("if grep -qs {SUPERVISOR} /proc/1/cmdline; then kill -HUP 1; fi");
        let _ = writeln!(out, "        run({}),", quote(&signal));
    }
    line(out, "    ],");
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

/// Writes the resources of a service. The first workload has the service's name and links, and the objects that belong to
/// it; without a workload, the objects alone have the name. Each workload has the forwards of the ports that it serves.
fn resources(out: &mut String, plan: &Plan, service: &TiltService, census: &Census, names: &mut BTreeSet<String>) {
    let again = if census.repeats(service) { ", allow_duplicates=True" } else { "" };
    let _ = writeln!(out, "\nmanifest({}{again})", quote(&service.name));
    let told = host_ports(out, plan, &service.name);
    let label = if service.name == APP { "app" } else { "services" };
    let links = option("links", &links(plan, &service.name));
    let known = plan.services.iter().map(|service| (service.name.as_str(), service.catalog.as_deref()));
    let waits = waits(known, &service.name, requires(plan, &service.name));
    let beside: Vec<String> = census.beside(service).iter().chain(&told).map(|object| quote(object)).collect();
    let beside = option("objects", &beside);
    let workloads = service.objects.iter().filter(|object| object.is_workload());
    let workloads: Vec<_> = workloads.filter_map(|workload| Some((workload, census.resource(workload)?))).collect();
    let ways = ways(plan, service, &workloads.iter().map(|(workload, _)| *workload).collect::<Vec<_>>());
    for (index, (workload, resource)) in workloads.iter().enumerate() {
        let name = if index == 0 { service.name.clone() } else { further(plan, service, workload, names) };
        let _ = write!(out, "k8s_resource({}", quote(resource));
        if name != *resource {
            let _ = write!(out, ", new_name={}", quote(&name));
        }
        let _ = write!(out, ", labels=[{}]{waits}", quote(label));
        let forwards = forwards(plan, &service.name, ways.iter().filter(|way| way.workload == index));
        let (beside, links) = if index == 0 { (beside.as_str(), links.as_str()) } else { ("", "") };
        let _ = write!(out, "{beside}{forwards}{links}");
        // Otherwise Tilt waits for pods that nobody asked for.
        let idle = if workload.idle { ", pod_readiness='ignore'" } else { "" };
        line(out, &format!("{idle})"));
    }
    if workloads.is_empty() && !beside.is_empty() {
        let _ = writeln!(
            out,
            "k8s_resource(new_name={}, labels=[{}]{waits}{beside}{links})",
            quote(&service.name),
            quote(label)
        );
    }
}

/// Writes the ConfigMap that tells a server the host ports at which its clients on this machine are to go on: it has to tell them
/// itself, and nothing of one machine is in its manifest. Returns what Tilt calls the object.
fn host_ports(out: &mut String, plan: &Plan, service: &str) -> Option<String> {
    let told = plan.service(service).map(ServicePlan::told_ports).filter(|told| !told.is_empty())?;
    let data = told.iter().map(|port| format!("{}: str(host_port({}))", quote(&port.name), port.slot));
    let (name, data) = (format!("{service}-host-ports"), data.collect::<Vec<_>>().join(", "));
    let _ = writeln!(
        out,
        "k8s_yaml(encode_yaml({{'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {{'name': {}, 'namespace': {}}}, 'data': {{{data}}}}}))",
        quote(&name),
        quote(&plan.namespace)
    );
    Some(format!("{name}:configmap"))
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
            protocol: catalog::Protocol::Http,
            ui: true,
            slot: app.slot,
            localhost: None,
        };
        return plan.app.iter().map(http).collect();
    }
    plan.service(service).map(|service| service.ports.clone()).unwrap_or_default()
}

/// The way to a port of a service: which of its workloads serves it, at which port of a container.
struct Way {
    port: PortPlan,
    workload: usize,
    container: u16,
}

/// Finds the way to each port. What no Service of the manifest says is taken for the container's own.
fn ways(plan: &Plan, service: &TiltService, workloads: &[&Object]) -> Vec<Way> {
    let release = if service.name == APP { plan.project.as_str() } else { &service.name };
    let index = |object: &Object| workloads.iter().position(|workload| *workload == object);
    let way = |port: PortPlan| {
        let found = served(service, release, &port).and_then(|(object, number)| Some((index(object)?, number)));
        let named = || Some((with_port(service, port.port).and_then(index)?, port.port));
        let (workload, container) = found.or_else(named).unwrap_or((0, port.port));
        Way { port, workload, container }
    };
    ports(plan, &service.name).into_iter().map(way).collect()
}

/// Writes the forwards of a workload: always where no NodePort serves, else only where NodePorts do not reach this machine.
fn forwards<'a>(plan: &Plan, service: &str, ways: impl Iterator<Item = &'a Way>) -> String {
    let own_chart = plan.service(service).is_some_and(|s| s.origin == crate::plan::Origin::Chart);
    let (always, else_by_node_port): (Vec<_>, Vec<_>) =
        ways.partition(|way| !plan.node_ports || way.port.slot >= SLOTS || own_chart);
    let list = |ways: &[&Way]| {
        let calls: Vec<String> =
            ways.iter().map(|way| format!("forward({}, {})", way.port.slot, way.container)).collect();
        format!("[{}]", calls.join(", "))
    };
    let parts = [
        (!always.is_empty()).then(|| list(&always)),
        (!else_by_node_port.is_empty()).then(|| format!("unless_node_port({})", list(&else_by_node_port))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!(", port_forwards={}", parts.join(" + ")) }
}

/// Writes what a service waits for: the services, given with their names in the catalog, that its own entry there needs.
fn waits<'a>(
    services: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    service: &str,
    requires: &[Requirement],
) -> String {
    let needs = |catalog: Option<&str>| requires.iter().any(|need| catalog == Some(need.service.as_str()));
    let needed = services.filter(|(name, catalog)| *name != service && needs(*catalog));
    let needed: Vec<String> = needed.map(|(name, _)| quote(name)).collect();
    option("resource_deps", &needed)
}

/// What the catalog's entry of a service needs.
fn requires(plan: &Plan, service: &str) -> &'static [Requirement] {
    let entry = plan.service(service).and_then(|service| catalog::service(service.catalog.as_deref()?));
    entry.map_or(&[], |entry| &entry.requires)
}

fn links(plan: &Plan, service: &str) -> Vec<String> {
    let ui = ports(plan, service).into_iter().filter(|port| port.ui);
    ui.map(|port| format!("link('http://127.0.0.1:%d' % host_port({}), {})", port.slot, quote(&port.name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_waits_for_the_instances_of_what_it_needs() {
        let services =
            [("postgres", Some("postgres")), ("reports-db", Some("postgres")), ("x", None), ("auth", Some("auth"))];
        let requires = |names: &[&str]| -> Vec<Requirement> {
            names
                .iter()
                .map(|name| Requirement { service: (*name).into(), why: "it keeps users there".into() })
                .collect()
        };
        let waits = |names: &[&str]| waits(services.into_iter(), "auth", &requires(names));
        assert_eq!(waits(&["postgres", "redis"]), r#", resource_deps=["postgres", "reports-db"]"#);
        assert_eq!((waits(&[]), waits(&["auth", "x"])), (String::new(), String::new()));
    }
}
