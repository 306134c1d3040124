//! One entry of `services:` made complete.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::build::Input;
use super::template::{Addresses, Fill};
use super::{ChartSource, FIRST_NODE_PORT, Origin, Plan, PortPlan, SLOTS, ServicePlan, merge, single};
use crate::catalog::{self, CatalogService, Protocol};
use crate::config::lock::LockedService;
use crate::config::model::ServiceSpec;
use crate::diag::{Error, Result};
use crate::ids::{Digest, Name, hex};

/// The chart of inline services.
const INLINE_CHART: &str = "inline-service";

/// Name of the one port of an inline service, or of a user's chart with `port:`.
const MAIN_PORT: &str = "main";

/// Makes the plan of one service; slots are given later.
pub(super) fn plan(spec: &ServiceSpec, input: &Input<'_>, plan: &Plan) -> Result<ServicePlan> {
    let name = Name::new(&spec.name).map_err(Error::project)?;
    let locked = input.lock.and_then(|lock| lock.services.get(name.as_str()));
    let fill = Fill {
        name: name.to_string(),
        project: plan.project.to_string(),
        namespace: plan.namespace.clone(),
        password: password(&plan.project, &name),
        database: plan.project.to_string(),
        values: Value::Null,
    };
    let bare = |origin, chart| ServicePlan {
        name: name.clone(),
        catalog: None,
        chart,
        origin,
        default_image: None,
        ports: Vec::new(),
        provides: IndexMap::new(),
        credentials: Vec::new(),
        values: Value::Object(Map::new()),
        hooks: spec.hooks,
        fill: fill.clone(),
    };
    let mut service = match origin(spec, locked) {
        Origin::Chart => bare(Origin::Chart, users_chart(spec, locked)),
        Origin::Inline => inline(spec, bare(Origin::Inline, embedded(INLINE_CHART, locked)?)),
        Origin::Catalog => {
            let from = spec.from.as_deref().unwrap_or(&spec.name);
            let chart = embedded(from, locked)?;
            let about = about(from, &name, &chart, input)?;
            from_catalog(spec, from, about, locked, bare(Origin::Catalog, chart))?
        }
    };
    if service.origin == Origin::Chart
        && let Some(port) = spec.port
    {
        service.ports.push(main_port(port));
    }
    for (variable, template) in &spec.provides {
        match template {
            Some(template) => service.provides.insert(variable.clone(), template.clone()),
            None => service.provides.shift_remove(variable),
        };
    }
    if let Some(values) = &spec.values {
        merge(&mut service.values, &Value::Object(values.clone()));
    }
    service.fill.values = service.values.clone();
    if let Some(own) = input.own_values.get(name.as_str()) {
        merge(&mut service.fill.values, own);
    }
    if service.origin != Origin::Chart {
        follow_values(&mut service);
    }
    Ok(service)
}

/// Takes the ports that the complete values say: kilter's own charts listen where `ports` tells them to.
fn follow_values(service: &mut ServicePlan) {
    for port in &mut service.ports {
        let said = service.fill.values.get("ports").and_then(|ports| ports.get(&port.name)?.as_u64());
        if let Some(number) = said.and_then(|number| u16::try_from(number).ok()) {
            port.port = number;
        }
    }
}

/// An entry with an image and a port is inline unless the catalog has its name. What is locked stays what it is: inline
/// when the catalog gets its name later, of the catalog when that loses it.
fn origin(spec: &ServiceSpec, locked: Option<&LockedService>) -> Origin {
    let inline = spec.from.is_none() && spec.image.is_some() && spec.port.is_some();
    if spec.chart.is_some() {
        return Origin::Chart;
    }
    let carried = catalog::service(&spec.name).is_some();
    match locked {
        Some(locked) if inline && locked.origin == Origin::Inline => Origin::Inline,
        // Under another chart's name it was `from` that is gone from kilter.yaml.
        Some(locked) if locked.origin == Origin::Catalog && locked.chart == spec.name => Origin::Catalog,
        _ if inline && !carried => Origin::Inline,
        _ => Origin::Catalog,
    }
}

fn users_chart(spec: &ServiceSpec, locked: Option<&LockedService>) -> ChartSource {
    let chart = spec.chart.clone().unwrap_or_default();
    if !chart.contains("://") {
        return ChartSource::Local(chart);
    }
    let version = spec.version.clone().unwrap_or_default();
    let plain = |version: &str| version.trim_start_matches('v').to_owned();
    let same = |locked: &&LockedService| {
        locked.source.as_deref() == Some(&chart) && plain(&locked.chart_version) == plain(&version)
    };
    let digest = locked.filter(same).map(|locked| locked.chart_digest.clone());
    ChartSource::Remote { reference: chart, version, digest }
}

/// The chart that is locked, or the compiled-in one.
fn embedded(chart: &str, locked: Option<&LockedService>) -> Result<ChartSource> {
    let locked = locked.filter(|locked| locked.chart == chart && locked.source.is_none());
    let digest = match locked {
        Some(locked) => locked.chart_digest.clone(),
        None => catalog::chart(chart)
            .ok_or_else(|| {
                Error::project(format!("`{chart}` is not in kilter's catalog")).help("List it: `kilter catalog`.")
            })?
            .digest(),
    };
    Ok(ChartSource::Embedded { name: chart.to_owned(), digest })
}

/// The catalog file that belongs to a chart: the compiled-in one, or that of an older chart out of the store.
fn about<'a>(name: &str, service: &Name, chart: &ChartSource, input: &'a Input<'_>) -> Result<&'a CatalogService> {
    let ChartSource::Embedded { digest, .. } = chart else {
        return Err(Error::bug("a catalog service without a chart"));
    };
    if catalog::chart(name).is_some_and(|chart| chart.digest() == *digest)
        && let Some(about) = catalog::service(name)
    {
        return Ok(about);
    }
    input.older.get(digest).ok_or_else(|| not_carried(name, service.as_str(), digest))
}

/// The error for a locked chart that is nowhere to be had.
pub(crate) fn not_carried(name: &str, service: &str, digest: &Digest) -> Error {
    let ours = match catalog::chart(name) {
        Some(_) => format!("Move to the chart of this kilter, diff first: `kilter upgrade {service}`."),
        None => format!("This kilter has no `{name}` at all: `kilter catalog` lists what can stand in for it."),
    };
    Error::missing(format!("kilter.lock holds chart `{name}` {}, which this kilter does not carry", short(digest)))
        .help(ours)
        .help("Or use the kilter that wrote the lock, or a mirror (`KILTER_MIRROR`) that has the chart.")
}

fn short(digest: &Digest) -> String {
    format!("sha256:{}…", &digest.hex()[..12])
}

fn main_port(port: u16) -> PortPlan {
    PortPlan { name: MAIN_PORT.into(), port, protocol: Protocol::Tcp, ui: false, slot: 0, localhost: None }
}

fn inline(spec: &ServiceSpec, mut service: ServicePlan) -> ServicePlan {
    let port = spec.port.unwrap_or_default();
    service.ports.push(main_port(port));
    service.values = json!({"image": spec.image, "ports": {MAIN_PORT: port}});
    set_env(spec, &mut service.values);
    service
}

fn from_catalog(
    spec: &ServiceSpec,
    from: &str,
    about: &CatalogService,
    locked: Option<&LockedService>,
    mut service: ServicePlan,
) -> Result<ServicePlan> {
    service.catalog = Some(from.to_owned());
    service.ports = about
        .ports
        .iter()
        .map(|p| PortPlan {
            name: p.name.clone(),
            port: p.port,
            protocol: p.protocol,
            ui: p.ui,
            slot: 0,
            localhost: p.localhost.clone(),
        })
        .collect();
    let locked_image = locked.and_then(|locked| locked.image.clone());
    let default_image = locked_image.unwrap_or_else(|| about.image.clone());
    let image = spec.image.as_ref().unwrap_or(&default_image);
    merge(&mut service.values, &json!({"image": image}));
    if let (Some(port), Some(main)) = (spec.port, service.ports.first_mut()) {
        main.port = port;
        merge(&mut service.values, &single("ports", single(&main.name, port.into())));
    }
    service.provides = about.provides.clone();
    service.credentials = about.credentials.clone();
    service.default_image = Some(default_image);
    if !about.values.is_null() {
        let filled = service.fill.value(&about.values, &service.in_cluster());
        merge(&mut service.values, &filled.map_err(|error| Error::bug(format!("catalog.yaml of {from}: {error}")))?);
    }
    set_env(spec, &mut service.values);
    Ok(service)
}

fn set_env(spec: &ServiceSpec, values: &mut Value) {
    if !spec.env.is_empty() {
        let env: Map<String, Value> = spec.env.iter().map(|(k, v)| (k.clone(), v.0.clone().into())).collect();
        merge(values, &single("env", Value::Object(env)));
    }
}

/// Puts the NodePorts of the slots under the user's values. A user's own chart has no such values.
pub(super) fn set_node_ports(service: &mut ServicePlan, node_ports: bool) {
    if !node_ports || service.origin == Origin::Chart {
        return;
    }
    let ports: Map<String, Value> = service
        .ports
        .iter()
        .filter(|port| port.slot < SLOTS)
        .map(|port| (port.name.clone(), (FIRST_NODE_PORT + port.slot).into()))
        .collect();
    let mut values = single("nodePorts", Value::Object(ports));
    merge(&mut values, &service.values);
    service.values = values;
}

/// Derives a password that is the same on every machine: the first 24 hex digits of a SHA-256 over project and service.
/// Dev only: services listen on this machine alone.
fn password(project: &Name, service: &Name) -> String {
    let digest = Sha256::digest(format!("kilter dev password\0{project}\0{service}"));
    hex(&digest[..12])
}

impl ServicePlan {
    /// Returns the addresses as pods see them.
    pub fn in_cluster(&self) -> Addresses {
        Addresses::InCluster(self.ports.iter().map(|port| (port.name.clone(), port.port)).collect())
    }

    /// Returns the addresses on this machine, given the host port of each slot.
    pub fn on_localhost(&self, host_port: impl Fn(u16) -> u16) -> Addresses {
        let ports = self.ports.iter();
        let ports = ports.map(|port| (port.name.clone(), (port.port, host_port(self.local_slot(port)))));
        Addresses::Localhost(ports.collect())
    }

    /// Returns the slot of the port that stands for a port on this machine: its own, but for a server that tells its clients
    /// where to go on.
    pub fn local_slot(&self, port: &PortPlan) -> u16 {
        let stands_in = port.localhost.as_ref().and_then(|name| self.ports.iter().find(|port| port.name == *name));
        stands_in.unwrap_or(port).slot
    }

    /// Returns the ports whose host ports the service's own pods have to be told.
    pub fn told_ports(&self) -> Vec<&PortPlan> {
        let told = |port: &&PortPlan| self.ports.iter().any(|other| other.localhost.as_ref() == Some(&port.name));
        self.ports.iter().filter(told).collect()
    }

    /// Returns the variables the app gets, filled in for one kind of address.
    ///
    /// # Errors
    /// Names the placeholder that cannot be filled in.
    pub fn provided(&self, addresses: &Addresses) -> Result<Vec<(String, String)>, String> {
        let filled = self.provides.iter().map(|(variable, template)| {
            let value = self.fill.text(template, addresses);
            value
                .map(|value| (variable.clone(), value))
                .map_err(|error| format!("`{variable}` of `{}`: {error}", self.name))
        });
        filled.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::password;
    use crate::ids::Name;

    /// Volumes keep logins that were made with it (RabbitMQ's user, Garage's key): another derivation locks projects out.
    #[test]
    fn a_derived_password_never_changes() {
        let of = |project: &str, service: &str| password(&Name::new(project).unwrap(), &Name::new(service).unwrap());
        assert_eq!(of("shop", "postgres"), "8e673278ae4dbacde2b311c1");
        assert_ne!(of("shop", "postgres"), of("shop", "reports-db"));
        assert_ne!(of("shop", "postgres"), of("store", "postgres"));
    }
}
