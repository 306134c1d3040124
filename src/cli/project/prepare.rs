//! From a plan to releases that can be rendered: helm, charts, values, the user's own copies.

use std::collections::BTreeMap;

use super::Project;
use super::store::chart;
use super::tools::helm;
use crate::artifacts::{Ejected, Thing};
use crate::catalog::{self, EmbeddedChart};
use crate::cli::context::Context;
use crate::cluster::Instance;
use crate::config::model::ServiceEntry;
use crate::detect::Stack;
use crate::diag::{Error, Problem, Result};
use crate::exec::redact;
use crate::helm::charts::{ChartStore, Files, digest_of, require_digest};
use crate::helm::{Chart, Helm, Rendered, Renderer, pull, unpack};
use crate::ids::Digest;
use crate::plan::{self, APP, ChartSource, Facts, Plan};
use crate::values::{self, Release};

/// Everything that is needed to render a project.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The project.
    pub(crate) project: Project,
    /// Its plan.
    pub(crate) plan: Plan,
    /// What the Dockerfile has to know about the app.
    pub(crate) stack: Option<Stack>,
    /// What is known about the app without kilter.yaml.
    pub(crate) facts: Facts,
    /// The ports of this machine, claimed only by [`Prepared::claim`].
    pub(crate) instance: Instance,
    /// What is the user's.
    pub(crate) ejected: Ejected,
    /// The helm to run.
    pub(crate) helm: Helm,
    /// What helm renders, the app first.
    pub(crate) releases: Vec<Release>,
    /// The pulled charts of services whose chart is ejected: kilter.lock goes on pinning these.
    pub(crate) hidden: BTreeMap<String, Chart>,
    /// Manifests of the user's, by service: helm does not render these.
    pub(crate) own_manifests: BTreeMap<String, Vec<u8>>,
}

impl Prepared {
    /// Prepares a project.
    ///
    /// # Errors
    /// When it cannot be planned, or helm or a chart cannot be had.
    pub(crate) fn new(ctx: &Context, project: Project) -> Result<Self> {
        Self::with(ctx, project, &[])
    }

    /// Prepares the same project as if these things were not ejected.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub(crate) fn without(self, ctx: &Context, things: &[Thing]) -> Result<Self> {
        Self::with(ctx, self.project, things)
    }

    fn with(ctx: &Context, mut project: Project, not_ejected: &[Thing]) -> Result<Self> {
        for warning in std::mem::take(&mut project.warnings) {
            ctx.ui.warn(&warning);
        }
        let (plan, facts, stack) = project.plan(ctx)?;
        unreachable_server(project.loaded.config.dev.as_deref(), facts.dev.as_deref())
            .iter()
            .for_each(|warning| ctx.ui.warn(warning));
        let instance = project.look(ctx, &plan)?;
        let names: Vec<String> = values::drafts(&plan).iter().map(|draft| draft.service.to_owned()).collect();
        let things =
            Thing::all(names.iter().map(String::as_str)).into_iter().filter(|thing| !not_ejected.contains(thing));
        let ejected = Ejected::scan(&project.root, things.collect());
        let helm = helm(ctx, &project)?;
        let mut releases = Vec::new();
        let mut own_manifests = BTreeMap::new();
        let mut hidden = BTreeMap::new();
        for draft in values::drafts(&plan) {
            let service = draft.service.to_owned();
            if let Some(manifest) = ejected.manifest(&service)? {
                own_manifests.insert(service, manifest);
                continue;
            }
            let chart = match ejected.path(&Thing::Chart(service.clone())) {
                Some(dir) => {
                    if matches!(draft.chart, ChartSource::Remote { .. }) {
                        hidden.insert(service.clone(), chart(ctx, &project, draft.service, draft.chart)?);
                    }
                    super::store::chart_store(ctx)?.local(&dir, &format!("kilter/charts/{service}"))?
                }
                None => chart(ctx, &project, draft.service, draft.chart)?,
            };
            let values = match ejected.read(&Thing::Values(service))? {
                Some(values) => values,
                None => {
                    let is_own = ejected.path(&Thing::Chart(draft.service.to_owned())).is_some();
                    require_amounts(&project, draft.service, draft.chart, is_own)?;
                    draft.values_file()?
                }
            };
            releases.push(draft.release(&plan, chart, values));
        }
        Ok(Self { project, plan, facts, stack, instance, ejected, helm, releases, hidden, own_manifests })
    }

    /// Claims the ports of this machine: whoever writes artifacts does, before it works them out.
    ///
    /// # Errors
    /// When another directory has the project's name by now, or the table of ports cannot be written.
    pub(crate) fn claim(&mut self, ctx: &Context) -> Result<()> {
        self.instance = self.project.claim(ctx, &self.plan)?;
        Ok(())
    }

    /// Requires that there is something to run.
    ///
    /// # Errors
    /// When there is neither an app nor a service, nor a Tiltfile of the user's that may know more.
    pub(crate) fn require_work(&self) -> Result<()> {
        if self.plan.app.is_some() || !self.plan.services.is_empty() || self.ejected.has(&Thing::Tiltfile) {
            return Ok(());
        }
        Err(Error::project("this project has no app and no services, so there is nothing to bring up")
            .help("See what its manifests name: `kilter init`. Add a service: `kilter add SERVICE`.")
            .help("With `dev:` in kilter.yaml, the command that starts it, the app runs."))
    }

    /// Requires that the project has these services.
    ///
    /// # Errors
    /// When it has no service of a name.
    pub(crate) fn require(&self, services: &[String]) -> Result<()> {
        let known = self.services();
        match services.iter().find(|service| !known.contains(service)) {
            Some(service) => Err(unknown_service(service, &known)),
            None => Ok(()),
        }
    }

    /// Leaves only these services to be rendered; none named means all.
    ///
    /// # Errors
    /// When the project has no service of a name.
    pub(crate) fn only(&mut self, services: &[String]) -> Result<()> {
        self.require(services)?;
        if !services.is_empty() {
            self.releases.retain(|release| services.contains(&release.service));
        }
        Ok(())
    }

    /// Renders the releases, from the cache where the inputs are known.
    ///
    /// # Errors
    /// All failures of all releases at once.
    pub(crate) fn render(&self, ctx: &Context) -> Result<Vec<Rendered>> {
        let renderer = Renderer {
            helm: self.helm.clone(),
            cache: Some(ctx.store_dir("renders")?),
            jobs: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        };
        let directory = self.project.artifacts(ctx)?;
        let progress = crate::cli::ui::RenderProgress::new(&ctx.ui, self.releases.len());
        let results = renderer.render(&self.releases, &|release| directory.stored(&release.service), &progress);
        drop(progress);
        // The values of an ejected file are not kilter.yaml's.
        let own = |service: &str| self.ejected.path(&Thing::Values(service.to_owned())).is_some();
        let told = results.into_iter().zip(&self.releases).map(|(result, Release { service, .. })| {
            result.map_err(|error| match own(service) {
                true => error.help(format!("Its values are your own: kilter/values/{service}.yaml.")),
                false => error,
            })
        });
        collect(told.collect()).map_err(|error| {
            error.located(|subject| {
                let place = || self.project.loaded.place_of_subject(subject);
                (!own(&subject.service)).then(place).flatten()
            })
        })
    }

    /// Returns the services of the plan, the app included, in order.
    pub(crate) fn services(&self) -> Vec<String> {
        values::drafts(&self.plan).iter().map(|draft| draft.service.to_owned()).collect()
    }
}

/// Returns all results, or all failures.
pub(crate) fn collect<T>(results: Vec<Result<T>>) -> Result<Vec<T>> {
    let mut good = Vec::new();
    let mut problems = Vec::new();
    let mut kind = None;
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(error) => {
                kind = kind.or(Some(error.kind()));
                problems.extend(error.problems().to_vec());
            }
        }
    }
    match kind {
        Some(kind) => Err(Error::from_problems(kind, problems)),
        None => Ok(good),
    }
}

/// The error for a service that the project does not have.
pub(crate) fn unknown_service(service: &str, known: &[String]) -> Error {
    let error = Error::usage(format!("this project has no service `{service}`"));
    let error = match service {
        APP => error.help(
            "An app that came after kilter.lock is taken up by `kilter init`; `dev:` in kilter.yaml is one, too.",
        ),
        _ => error,
    };
    let error = match crate::ids::did_you_mean(service, known.iter().map(String::as_str)) {
        Some(near) => error.help(format!("Did you mean `{near}`?")),
        None => error,
    };
    match known {
        [] => error.help("It has none yet: `kilter add SERVICE` adds one."),
        _ => error.help(format!("It has {}.", known.iter().map(|s| format!("`{s}`")).collect::<Vec<_>>().join(", "))),
    }
}

/// Returns a remote chart: the pinned copy, or, when there is none yet, what is pulled now.
pub(super) fn remote(ctx: &Context, project: &Project, store: &ChartStore, remote: &RemoteChart<'_>) -> Result<Chart> {
    let RemoteChart { reference, version, digest, service } = *remote;
    let put = |files: &Files| {
        let stored = store.files(files, reference);
        stored.map_err(|error| project.located(error.about(service, &["chart"])))
    };
    if let Some(chart) = digest.and_then(|digest| store.by_digest(digest)) {
        return Ok(chart);
    }
    if let Some(digest) = digest
        && let Some(file) = super::store::mirrored(ctx, digest)?
    {
        let files = unpack(&file.bytes, &file.address)?;
        require_digest(&files, digest, &file.address)?;
        return put(&files);
    }
    if ctx.global.offline {
        return Err(Error::missing(format!(
            "chart `{reference}` {version} is not in the store, and `--offline` forbids to pull it"
        ))
        .help("Run `kilter render` once with a network."));
    }
    let work = ctx.ui.work(&format!("pulling chart {} {version}", redact(reference)));
    let files = pull(&helm(ctx, project)?, reference, version)?;
    drop(work);
    let pulled = digest_of(&files);
    if let Some(digest) = digest.filter(|digest| **digest != pulled) {
        return Err(Error::project(format!("chart `{reference}` {version} is no longer what kilter.lock holds"))
            .detail(format!("locked  {digest}\npulled  {pulled}"))
            .help(format!(
                "Find out why a published version changed. To take it all the same: `kilter upgrade {}`.",
                remote.service
            )));
    }
    let chart = put(&files)?;
    if chart.version.trim_start_matches('v') != version.trim_start_matches('v') {
        return Err(Error::project(format!("chart `{reference}` {version} is version {} inside", chart.version))
            .help("Write the version that its Chart.yaml says into `version:`, or tell its publisher."));
    }
    Ok(chart)
}

/// A chart of a registry or repository.
pub(super) struct RemoteChart<'a> {
    /// The service that it is for.
    pub(super) service: &'a str,
    /// Where it is.
    pub(super) reference: &'a str,
    /// Its exact version.
    pub(super) version: &'a str,
    /// Its locked digest.
    pub(super) digest: Option<&'a Digest>,
}

/// Warns of a `dev` that is the detected command without the flags that open its dev server to others than localhost.
fn unreachable_server(dev: Option<&str>, detected: Option<&str>) -> Option<Problem> {
    let (dev, detected) = (dev?, detected?);
    let flags = detected.strip_prefix(dev)?.strip_prefix(' ').filter(|flags| flags.contains("--host"))?;
    let what = format!("`dev: {dev}` in kilter.yaml leaves out `{flags}`");
    let why = "Its server may then listen on localhost inside its container only, where nothing reaches it.";
    Some(Problem::new(what).help(format!("{why} Write `dev: {detected}`, or leave `dev:` out.")))
}

/// Checks the amounts that kilter.yaml says of a service with a chart of kilter's. What the chart says by itself is known of the
/// one that is compiled in, unless the user has another in its place.
fn require_amounts(project: &Project, service: &str, chart: &ChartSource, is_own: bool) -> Result<()> {
    let ChartSource::Embedded { name, digest } = chart else { return Ok(()) };
    let mut specs = project.loaded.config.services.iter().flatten().map(ServiceEntry::spec);
    let Some(spec) = specs.find(|spec| spec.name == service && spec.values.is_some()) else { return Ok(()) };
    let known = catalog::chart(name).filter(|known| known.digest() == *digest && !is_own);
    let defaults = known.map(EmbeddedChart::resources).unwrap_or_default();
    plan::require_amounts(&spec, name, &defaults).map_err(|error| project.located(error))
}
