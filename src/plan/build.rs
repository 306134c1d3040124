//! From what the user wrote, what is locked and what was detected, to a [`Plan`].

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::{APP, Origin, Plan, SLOTS, ServicePlan, app, service};
use crate::catalog::CatalogService;
use crate::config::lock::{Lock, assign_slots};
use crate::config::model::{Config, HostAccess, Provider, ServiceEntry};
use crate::diag::{Error, Kind, Problem, Result};
use crate::ids::{Digest, Name};

/// Longest name of a namespace (a DNS-1123 label).
const MAX_NAMESPACE: usize = 63;

/// What is known about the app without kilter.yaml: from kilter.lock, or else detected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Port it listens on.
    pub port: Option<u16>,
    /// Command that starts it in dev.
    pub dev: Option<String>,
    /// Base image of the dev container.
    pub image: Option<String>,
    /// Path for readiness probes.
    pub health: Option<String>,
}

/// Everything a plan is made of.
#[derive(Debug)]
pub struct Input<'a> {
    /// The user's file, checked.
    pub config: &'a Config,
    /// What is locked, if anything is.
    pub lock: Option<&'a Lock>,
    /// What is known about the app.
    pub facts: &'a Facts,
    /// Name of the project (see [`project_name`]).
    pub name: &'a Name,
    /// Name of the instance, when it is not the only one.
    pub instance: Option<&'a Name>,
    /// Catalog files of locked charts that this kilter no longer carries, by chart digest.
    pub older: &'a BTreeMap<Digest, CatalogService>,
    /// Values files that are ejected, by service: the user's, read for what the app gets from the service.
    pub own_values: &'a BTreeMap<String, Value>,
    /// The Kubernetes version charts see when nothing else says it, for example `v1.37.0`.
    pub kubernetes: &'a str,
}

/// Decides the project's name: kilter.yaml's, else the locked one, else the directory's made a name.
///
/// # Errors
/// When nothing of the directory's name can be used.
pub fn project_name(config: &Config, lock: Option<&Lock>, directory: &str) -> Result<Name> {
    let given = config.name.as_deref().or_else(|| lock.map(|lock| lock.project.name.as_str()));
    let name = match given {
        Some(name) => Name::new(name).map_err(Error::project)?,
        None => Name::from_text(directory).ok_or_else(|| {
            Error::project(format!("the directory name `{directory}` has nothing to make a project name of"))
                .help("Write `name: my-project` into kilter.yaml.")
        })?,
    };
    if name.as_str() == "tools" {
        return Err(Error::project("a project cannot be named `tools`: kilter keeps its tools under that name")
            .help("Write another `name:` into kilter.yaml."));
    }
    Ok(name)
}

/// Returns the namespace of an instance: with kind, whose clusters have but one of kilter's, all have the same.
pub fn namespace(name: &Name, instance: Option<&Name>, provider: Provider) -> String {
    match (provider, instance) {
        (Provider::Context, Some(instance)) => format!("{name}-{instance}-dev"),
        _ => format!("{name}-dev"),
    }
}

/// Makes the plan.
///
/// # Errors
/// When services contradict one another, or a locked chart is no longer to be had.
pub fn build(input: &Input<'_>) -> Result<Plan> {
    let cluster = input.config.cluster.clone().unwrap_or_default();
    let access = cluster.host_access.unwrap_or(match cluster.provider {
        Provider::Kind => HostAccess::Nodeport,
        Provider::Context => HostAccess::Forward,
    });
    let namespace = namespace(input.name, input.instance, cluster.provider);
    if namespace.len() > MAX_NAMESPACE {
        let what =
            format!("the namespace `{namespace}` has {} characters; Kubernetes takes {MAX_NAMESPACE}", namespace.len());
        return Err(Error::project(what).help("Take a shorter `--instance NAME`, or a shorter `name:` in kilter.yaml."));
    }
    let kubernetes = cluster.kubernetes.clone().or_else(|| input.lock.map(|lock| lock.kubernetes.clone()));
    let of_environments = input.config.environments.values().flat_map(|e| e.secrets.values());
    let mut plan = Plan {
        project: input.name.clone(),
        namespace,
        kubernetes: with_v(&kubernetes.unwrap_or_else(|| input.kubernetes.to_owned())),
        node_ports: access == HostAccess::Nodeport,
        app: app::facts(input)?,
        services: Vec::new(),
        env: IndexMap::new(),
        env_file: input.config.env_file.clone(),
        secret_files: of_environments.chain(&input.config.env_file).cloned().collect(),
    };
    for entry in input.config.services.iter().flatten() {
        plan.services.push(service::plan(&entry.spec(), input, &plan)?);
    }
    refuse_taken_names(&plan, input.config)?;
    slots(&mut plan, input.lock);
    plan.env = environment(&plan, input.config, input.own_values)?;
    for service in &mut plan.services {
        service::set_node_ports(service, plan.node_ports);
    }
    app::values(&mut plan, input.config)?;
    Ok(plan)
}

fn with_v(version: &str) -> String {
    if version.starts_with('v') { version.to_owned() } else { format!("v{version}") }
}

/// Gives every port its slot: the locked one, or the lowest free one. The app's port comes first.
fn slots(plan: &mut Plan, lock: Option<&Lock>) {
    // A chart of the user's has no NodePorts of kilter's: its ports are forwarded, and so they stay out of the slots whose
    // host ports the cluster holds.
    let forwarded = |key: &str| {
        let service = key.split_once('/').and_then(|(service, _)| plan.service(service));
        service.is_some_and(|service| service.origin == Origin::Chart)
    };
    let wanted: Vec<(String, u16)> =
        plan.slots().into_iter().map(|(key, _)| if forwarded(&key) { (key, SLOTS) } else { (key, 0) }).collect();
    let slots = assign_slots(lock.map_or(&BTreeMap::new(), |lock| &lock.slots), &wanted);
    let slot_of = |service: &str, port: &str| slots.get(&format!("{service}/{port}")).copied().unwrap_or_default();
    if let Some(app) = &mut plan.app {
        app.slot = slot_of(APP, "http");
    }
    for service in &mut plan.services {
        for port in &mut service.ports {
            port.slot = slot_of(service.name.as_str(), &port.name);
        }
    }
}

/// The app's environment in the cluster: PORT, what services provide, and `env` over both.
fn environment(plan: &Plan, config: &Config, own_values: &BTreeMap<String, Value>) -> Result<IndexMap<String, String>> {
    let mut env = IndexMap::new();
    let mut giver: BTreeMap<&str, &ServicePlan> = BTreeMap::new();
    let mut problems = Vec::new();
    if let Some(app) = &plan.app {
        env.insert("PORT".to_owned(), app.port.to_string());
    }
    for service in &plan.services {
        let provided = service.provided(&service.in_cluster());
        let provided = provided.map_err(|what| not_provided(what, service, config, own_values))?;
        for (variable, value) in provided {
            let decided = config.env.contains_key(&variable);
            match giver.get(variable.as_str()) {
                Some(first) if !decided => problems.push(twice(&variable, &first.name, service)),
                _ => {
                    env.insert(variable, value);
                }
            }
        }
        giver.extend(service.provides.keys().map(|key| (key.as_str(), service)));
    }
    if !problems.is_empty() {
        return Err(Error::from_problems(Kind::Project, problems));
    }
    if let (Some(app), Some(port)) = (&plan.app, config.env.get("PORT"))
        && port.0 != app.port.to_string()
    {
        return Err(Error::project(format!(
            "`env` gives the app `PORT={}`, but it is expected on port {}",
            port.0, app.port
        ))
        .about(APP, &["env", "PORT"])
        .help(format!("Write `port: {}` in kilter.yaml in place of it; the app gets it as `PORT`.", port.0)));
    }
    env.extend(config.env.iter().map(|(name, value)| (name.clone(), value.0.clone())));
    Ok(env)
}

/// The app's objects in the cluster have the project's name, those of components the project's and their own: no service
/// can have one of these.
fn refuse_taken_names(plan: &Plan, config: &Config) -> Result<()> {
    let Some(_) = plan.app else { return Ok(()) };
    let components = config.components.iter().map(|c| (format!("{}-{}", plan.project, c.name), c.name.as_str()));
    let components: BTreeMap<String, &str> = components.collect();
    let problems = plan.services.iter().filter_map(|service| {
        let of = match components.get(service.name.as_str()) {
            Some(component) => format!("the component `{component}`"),
            None if service.name == plan.project => "the app".to_owned(),
            None => return None,
        };
        Some(
            Problem::new(format!("the service `{}` has the name that {of} has in the cluster", service.name))
                .about(service.name.as_str(), &["name"])
                .help("Give the service another name, or the project: `name:` in kilter.yaml."),
        )
    });
    let problems: Vec<Problem> = problems.collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::from_problems(Kind::Project, problems)) }
}

/// The error for a variable that cannot be filled in: what is missing is missing in the values, or the template is wrong.
fn not_provided(what: String, service: &ServicePlan, config: &Config, own_values: &BTreeMap<String, Value>) -> Error {
    let name = service.name.as_str();
    let specs = config.services.iter().flatten().map(ServiceEntry::spec).filter(|spec| spec.name == name);
    let written =
        specs.flat_map(|spec| spec.provides.into_keys()).any(|variable| what.starts_with(&format!("`{variable}` ")));
    let of_values = what.contains("{{ .Values.") && !written;
    let (field, help) = match own_values.contains_key(name) {
        true if of_values => ("name", format!("Give it one in your own kilter/values/{name}.yaml.")),
        false if of_values => ("values", format!("Give it one under `values` of `{name}` in kilter.yaml.")),
        _ => ("provides", format!("Correct `provides` of `{name}` in kilter.yaml.")),
    };
    Error::project(what).about(name, &[field]).help(help)
}

fn twice(variable: &str, first: &Name, second: &ServicePlan) -> Problem {
    let name = &second.name;
    let from = match &second.catalog {
        Some(catalog) if catalog != name.as_str() => format!(", from: {catalog}"),
        _ => String::new(),
    };
    Problem::new(format!("`{variable}` is provided by both `{first}` and `{name}`"))
        .about(name.as_str(), &["provides", variable])
        .help(format!(
            "Take it away from one: `- {{name: {name}{from}, provides: {{{variable}: null}}}}` under `services:`."
        ))
        .help(format!("Or decide it yourself: `env: {{{variable}: …}}` in kilter.yaml."))
}
