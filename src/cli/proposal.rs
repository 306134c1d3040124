//! What an edit of kilter.yaml would bring about, worked out before anything is written: the lines, what helm renders, the
//! ports of this machine, and what clashes.

use serde_json::{Value, json};

use super::context::Context;
use super::dev::{published, sessions, tilt_of};
use super::project::{KILTER_LOCK, Project, will_begin_guide};
use crate::artifacts::unified_diff;
use crate::catalog;
use crate::cluster::{self, Instance};
use crate::diag::Result;
use crate::plan::{ChartSource, Facts, Plan};
use crate::values::drafts;

/// A new kilter.yaml that can be planned.
#[derive(Debug)]
pub(super) struct Proposal {
    old: String,
    text: String,
    project: Project,
    before: Option<Plan>,
    after: Plan,
    instance: Result<Instance>,
    guide: bool,
}

impl Proposal {
    /// Plans the project with a new text, if it can be: names and variables that clash are said here. `facts` is what is known
    /// about the app; `guide`: whether a guide for coding agents is begun.
    ///
    /// # Errors
    /// When the new text is wrong or services contradict one another.
    pub(super) fn new(ctx: &Context, project: &Project, text: String, facts: &Facts, guide: bool) -> Result<Self> {
        // A project that was never rendered is rendered as a whole.
        let none = Facts::default();
        let known = if project.appeared { &none } else { facts };
        let before = project.lock.as_ref().and_then(|_| project.plan_with(ctx, known).ok());
        let old = project.text.clone().unwrap_or_default();
        let project = project.clone().with_text(text.clone())?;
        let after = project.plan_with(ctx, facts)?;
        let instance = project.look(ctx, &after);
        let guide = guide && will_begin_guide(&project);
        Ok(Self { old, text, project, before, after, instance, guide })
    }

    /// Requires that no other directory of this machine is the project already.
    ///
    /// # Errors
    /// Names the one that is.
    pub(super) fn require_place(self) -> Result<Self> {
        match self.instance {
            Ok(_) => Ok(self),
            Err(error) => Err(error),
        }
    }

    /// Whether there is something to render.
    pub(super) fn renders(&self) -> bool {
        !drafts(&self.after).is_empty()
    }

    /// Whether the app is among it.
    pub(super) fn runs_app(&self) -> bool {
        self.after.app.is_some()
    }

    /// All of it for a person: the lines of kilter.yaml, then the rest. `services` are those that it is about.
    ///
    /// # Errors
    /// When the values of a service cannot be written.
    pub(super) fn lines(&self, ctx: &Context, services: &[String]) -> Result<Vec<String>> {
        let diff = unified_diff("kilter.yaml", self.old.as_bytes(), self.text.as_bytes());
        // The title says which file it is.
        let of_file = |line: &&str| !line.starts_with("--- ") && !line.starts_with("+++ ");
        let mut lines: Vec<String> = diff.lines().filter(of_file).map(str::to_owned).collect();
        lines.push(String::new());
        lines.extend(self.consequences(ctx, services)?);
        Ok(lines)
    }

    /// What follows from the lines: files, ports, variables, and who has a port.
    ///
    /// # Errors
    /// As [`Proposal::lines`].
    pub(super) fn consequences(&self, ctx: &Context, services: &[String]) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        let also =
            [(self.renders(), KILTER_LOCK), (self.guide, ".agents/skills/kilter/SKILL.md, a guide for coding agents")];
        let also: Vec<&str> = also.into_iter().filter(|(is, _)| *is).map(|(_, file)| file).collect();
        if !also.is_empty() {
            lines.push(format!("Written beside it: {}.", also.join("; ")));
        }
        let (rendered, gone) = self.rendered()?;
        if !rendered.is_empty() {
            lines.push("Helm renders, outside of the repository:".to_owned());
        }
        let width = rendered.iter().map(|row| row.service.len()).max().unwrap_or_default();
        lines.extend(rendered.iter().map(|row| format!("  {:width$}  {}", row.service, row.from)));
        lines.extend(gone.iter().map(|service| format!("The rendered files of {service} are removed.")));
        lines.extend(self.variables());
        lines.extend(self.ports(services).into_iter().map(|(name, ports)| format!("On this machine: {name} {ports}")));
        lines.extend(self.clashes(ctx, services).into_iter().map(|clash| format!("Clash: {clash}")));
        Ok(lines)
    }

    /// What will be rendered, and what clashes, for programs. `services` are those that it is about.
    ///
    /// # Errors
    /// As [`Proposal::lines`].
    pub(super) fn as_json(&self, ctx: &Context, services: &[String]) -> Result<Value> {
        let (rendered, gone) = self.rendered()?;
        let rows = rendered.iter().map(|row| json!({"name": row.service, "chart": row.chart, "image": row.image}));
        let env: serde_json::Map<String, Value> =
            self.after.env.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let clashes = self.clashes(ctx, services);
        Ok(json!({"renders": rows.collect::<Vec<_>>(), "removes": gone, "env": env, "clashes": clashes}))
    }

    /// What is rendered that was not, or otherwise; and what is no longer.
    fn rendered(&self) -> Result<(Vec<Rendered>, Vec<String>)> {
        let old = self.before.as_ref().map(drafts).unwrap_or_default();
        let new = drafts(&self.after);
        let mut rows = Vec::new();
        for draft in &new {
            let values = draft.values_file()?;
            let before = old.iter().find(|before| before.service == draft.service);
            let same = match before {
                Some(before) => before.chart == draft.chart && before.values_file()? == values,
                None => false,
            };
            if !same {
                rows.push(Rendered::of(draft.service, draft.chart, draft.values));
            }
        }
        let gone = old.iter().filter(|before| !new.iter().any(|draft| draft.service == before.service));
        Ok((rows, gone.map(|draft| draft.service.to_owned()).collect()))
    }

    /// Which variables the app gets and loses.
    fn variables(&self) -> Vec<String> {
        let before = self.before.as_ref().map(|plan| &plan.env);
        let is_new = |name: &&String| before.is_none_or(|before| !before.contains_key(*name));
        let new: Vec<&str> = self.after.env.keys().filter(is_new).map(String::as_str).collect();
        let gone = before.into_iter().flat_map(|env| env.keys()).filter(|name| !self.after.env.contains_key(*name));
        let gone: Vec<&str> = gone.map(String::as_str).collect();
        let line = |words: &str, names: Vec<&str>| (!names.is_empty()).then(|| format!("{words} {}", names.join(", ")));
        [line("The app gets", new), line("The app no longer gets", gone)].into_iter().flatten().collect()
    }

    /// The ports that services get on this machine.
    fn ports(&self, services: &[String]) -> Vec<(String, String)> {
        let of = |name: &String| {
            let (instance, service) = (self.instance.as_ref().ok()?, self.after.service(name)?);
            let own = service.ports.iter().filter(|port| port.localhost.is_none());
            let ports: Vec<String> =
                own.map(|port| format!("127.0.0.1:{} ({})", instance.host_port(port.slot), port.name)).collect();
            (!ports.is_empty()).then(|| (name.clone(), ports.join(", ")))
        };
        services.iter().filter_map(of).collect()
    }

    /// Which other directory is the project, or who has one of these ports: nothing that stops an edit, but `kilter up` will not start before that is settled.
    fn clashes(&self, ctx: &Context, services: &[String]) -> Vec<String> {
        let instance = match &self.instance {
            Ok(instance) => instance,
            Err(error) => return vec![in_a_line(error)],
        };
        let slots = services.iter().filter_map(|name| self.after.service(name)).flat_map(|service| &service.ports);
        let ports: Vec<u16> = slots.map(|port| instance.host_port(port.slot)).collect();
        let tilt = sessions(ctx).ok().and_then(|sessions| tilt_of(&sessions.join(self.project.key())));
        let others = cluster::others(&ports, instance, tilt.as_ref(), &|| published(ctx));
        let taken = cluster::taken(&others).into_iter();
        taken.map(|(what, fix)| format!("{what}. {fix} `kilter up` waits for that.")).collect()
    }
}

/// One thing that is rendered.
struct Rendered {
    service: String,
    chart: String,
    image: Option<String>,
    from: String,
}

impl Rendered {
    fn of(service: &str, chart: &ChartSource, values: &Value) -> Self {
        let chart = match chart {
            ChartSource::Embedded { name, digest } => {
                let carried = catalog::chart(name).filter(|carried| carried.digest() == *digest);
                carried.map_or_else(|| name.clone(), |carried| format!("{name} {}", carried.version))
            }
            ChartSource::Local(dir) => dir.clone(),
            ChartSource::Remote { reference, version, .. } => format!("{} {version}", crate::exec::redact(reference)),
        };
        let image = values["image"].as_str().map(str::to_owned);
        let from = match &image {
            Some(image) => format!("chart {chart}, image {image}"),
            None => format!("chart {chart}"),
        };
        Self { service: service.to_owned(), chart, image, from }
    }
}

/// Says in one line what is wrong with a proposal, and what to do: the first problem.
pub(super) fn in_a_line(error: &crate::diag::Error) -> String {
    let Some(problem) = error.problems().first() else { return String::new() };
    let mut words = vec![format!("{}.", problem.what.trim_end_matches('.'))];
    words.extend(problem.help.iter().cloned());
    words.join(" ")
}
