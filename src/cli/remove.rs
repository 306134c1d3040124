//! `kilter remove`.

use super::add::each_once;
use super::context::Context;
use super::dev::Dev;
use super::ending::{Ending, finish};
use super::project::{Project, unknown_service};
use super::proposal::Proposal;
use super::wizard::{self, Item, RemoveFlow, remove_command};
use crate::artifacts::{Ejected, Thing};
use crate::catalog;
use crate::cluster::{Kubectl, claims_of};
use crate::config::edit::remove_service;
use crate::config::model::ServiceSpec;
use crate::diag::{Error, Result};
use crate::fsx;
use crate::tilt::{Object, objects};

/// Takes services out of kilter.yaml, keeping its comments and layout, and removes their artifacts.
///
/// Without a service on a terminal it asks which. Copies that were ejected stay, and so does data in a cluster unless `--data` says otherwise.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:\n  kilter remove redis\n  kilter remove postgres --data --yes    # its volume, too")]
pub(crate) struct Args {
    /// Which services.
    #[arg(value_name = "SERVICE", add = clap_complete::ArgValueCandidates::new(super::candidates::services))]
    services: Vec<String>,
    /// Delete their data in the cluster, too: what runs of them, and its volumes.
    #[arg(long)]
    data: bool,
    /// With `--data`, do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Show what would change, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    match args.services.as_slice() {
        [] => remove(&ask(args, ctx)?, ctx),
        services => remove(&Args { services: each_once(services), ..args.clone() }, ctx),
    }
}

/// Asks what to remove.
fn ask(args: &Args, ctx: &Context) -> Result<Args> {
    if !ctx.ui.interactive || args.yes {
        return Err(Error::usage("no service is named, and nobody can be asked here")
            .help("Name the services: `kilter remove SERVICE`. What there is: `kilter status`."));
    }
    let work = ctx.ui.work("looking at the project");
    let project = Project::open(ctx)?;
    let Some(old) = project.text.clone() else { return Err(nothing()) };
    let specs: Vec<ServiceSpec> = project.loaded.config.services.iter().flatten().map(|entry| entry.spec()).collect();
    if specs.is_empty() {
        return Err(Error::project("kilter.yaml names no service, so there is nothing to remove")
            .help("Add one: `kilter add`."));
    }
    let items: Vec<Item> = specs.iter().map(|spec| item(&project, spec)).collect();
    let (_, facts, _) = project.plan(ctx)?;
    drop(work);
    let same = |services: &[String], data: bool| ctx.pasteable(&[remove_command(services, data)]);
    let page = |services: &[String], data: bool| {
        let text = services.iter().try_fold(old.clone(), |text, service| remove_service(&text, service))?;
        let mut lines = Proposal::new(ctx, &project, text, &facts, false)?.lines(ctx, &[])?;
        lines.push(match data {
            true => "Their data in the cluster is deleted for good.".to_owned(),
            false => "Their data in the cluster, if there is any, stays.".to_owned(),
        });
        lines.extend(own_copies(&project, services));
        lines.extend([String::new(), "The same without questions:".into(), format!("  {}", same(services, data))]);
        Ok(lines)
    };
    let flow = RemoveFlow { services: &items, decided: args.data.then_some(true), page: &page };
    let answers = wizard::run(&ctx.ui, &flow)?;
    let (services, data) = (flow.chosen(&answers), flow.data(&answers));
    ctx.ui.talk(&format!("The same without questions: `{}`", same(&services, data)));
    Ok(Args { services, data, yes: true, dry_run: args.dry_run })
}

/// Which copies of the user's stay without a use.
fn own_copies(project: &Project, services: &[String]) -> Vec<String> {
    let of = Thing::all(services.iter().map(String::as_str));
    let own = of.iter().filter(|thing| belongs(thing, services));
    let own = own.filter(|thing| project.root.join("kilter").join(thing.path()).exists());
    own.map(|thing| format!("kilter/{} is yours and stays", thing.path())).collect()
}

/// A service of kilter.yaml, with its state.
fn item(project: &Project, spec: &ServiceSpec) -> Item {
    let about = catalog::service(spec.from.as_deref().unwrap_or(&spec.name));
    let of = spec.chart.clone().or_else(|| spec.image.clone()).or_else(|| about.map(|about| about.image.clone()));
    let gives: Vec<&str> = about.iter().flat_map(|about| about.provides.keys()).map(String::as_str).collect();
    let own = own_copies(project, std::slice::from_ref(&spec.name));
    let gives =
        if gives.is_empty() { Vec::new() } else { vec![format!("The app no longer gets {}", gives.join(", "))] };
    Item {
        name: spec.name.clone(),
        about: of.into_iter().chain(own).collect::<Vec<_>>().join(" · "),
        detail: gives,
        ..Item::default()
    }
}

fn nothing() -> Error {
    Error::project("this project has no kilter.yaml, so there is nothing to remove").help("Make one: `kilter init`.")
}

fn remove(args: &Args, ctx: &Context) -> Result<()> {
    let (project, _lock) = Project::open_locked(ctx)?;
    let Some(old) = project.text.clone() else {
        return Err(nothing());
    };
    let names: Vec<String> =
        project.loaded.config.services.iter().flatten().map(|entry| entry.name().to_owned()).collect();
    if let Some(unknown) = args.services.iter().find(|service| !names.contains(service)) {
        return Err(unknown_service(unknown, &names));
    }
    let text = args.services.iter().try_fold(old.clone(), |text, service| remove_service(&text, service))?;
    let data = args.data.then(|| Data::find(ctx, &project, &args.services)).transpose()?;
    if let Some(data) = data.as_ref().filter(|data| !args.dry_run && !args.yes && !data.claims.is_empty()) {
        let claims = data.claims.join(", ");
        ctx.ui.confirm(&format!("Delete the data for good ({claims} in {})?", data.kubectl.namespace), "--yes")?;
    }
    let advice = match args.services.as_slice() {
        _ if args.data => "",
        [_] => "Its data in a cluster, if there is any, stays.",
        _ => "Their data in a cluster, if there is any, stays.",
    };
    let ending = Ending {
        old: Some(old),
        report: Ending::names(&args.services),
        services: args.services.clone(),
        dry_run: args.dry_run,
        verb: "Removed",
        advice,
        ..Ending::default()
    };
    let root = project.root.clone();
    finish(ctx, project, text, &ending)?;
    for thing in Ejected::unused(&root, &[]).into_iter().filter(|thing| belongs(thing, &args.services)) {
        ctx.ui.talk(&format!("`kilter/{}` is yours and stays; nothing uses it now.", thing.path()));
    }
    match data {
        Some(data) if args.dry_run => data.would_go(ctx),
        Some(data) => data.delete(ctx)?,
        None => {}
    }
    Ok(())
}

/// What the cluster has of the services.
struct Data {
    kubectl: Kubectl,
    workloads: Vec<String>,
    claims: Vec<String>,
}

impl Data {
    /// Looks for it, before anything is changed.
    fn find(ctx: &Context, project: &Project, services: &[String]) -> Result<Self> {
        let dev = Dev::look(ctx, project)?;
        let kubectl = dev.kubectl_there(ctx, project).map_err(|error| {
            error.help("Nothing was removed. Without `--data` no cluster is needed, and data stays where it is.")
        })?;
        let existing = kubectl.list("persistentvolumeclaims", &[])?;
        let existing: Vec<String> =
            existing.iter().filter_map(|claim| claim["metadata"]["name"].as_str().map(str::to_owned)).collect();
        let (mut workloads, mut claims) = (Vec::new(), Vec::new());
        for service in services {
            let stored = dev.directory.path(&format!("manifests/{service}.yaml"));
            let Some(manifest) = fsx::read(&stored, fsx::MAX_FILE)? else { continue };
            claims.extend(claims_of(&manifest, &existing));
            let here = |namespace: &String| *namespace == kubectl.namespace;
            let found = objects(&manifest).into_iter().filter(Object::is_workload);
            let found = found.filter(|object| object.namespace.as_ref().is_none_or(here));
            workloads.extend(found.map(|object| format!("{}/{}", object.kind.to_lowercase(), object.name)));
        }
        Ok(Self { kubectl, workloads, claims })
    }

    fn would_go(&self, ctx: &Context) {
        for claim in &self.claims {
            ctx.ui.talk(&format!("The volume {claim} in {} would be deleted.", self.kubectl.namespace));
        }
    }

    /// Deletes the pods first: a volume that one of them has stays until it is gone.
    fn delete(&self, ctx: &Context) -> Result<()> {
        let work = ctx.ui.work("deleting the data");
        self.kubectl.delete(&self.workloads)?;
        self.kubectl
            .delete(&self.claims.iter().map(|claim| format!("persistentvolumeclaim/{claim}")).collect::<Vec<_>>())?;
        drop(work);
        match self.claims.as_slice() {
            [] => ctx.ui.talk("There was no data to delete in the cluster."),
            claims => ctx.ui.talk(&format!("Deleted {} in {}.", claims.join(", "), self.kubectl.namespace)),
        }
        Ok(())
    }
}

/// Tells whether an ejected copy is of one of these services.
fn belongs(thing: &Thing, services: &[String]) -> bool {
    match thing {
        Thing::Values(service) | Thing::Chart(service) | Thing::Manifest(service) => services.contains(service),
        Thing::Tiltfile | Thing::Dockerfile | Thing::Kind => false,
    }
}
