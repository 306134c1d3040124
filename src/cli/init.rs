//! `kilter init`.

mod ask;
mod shown;

use std::collections::BTreeMap;

use serde_json::json;

use super::add::lesson;
use super::context::Context;
use super::ending::{Ending, finish};
use super::forms::{specs, unread, with_forms};
use super::project::{KILTER_LOCK, OLDER, Project, TAKE_UP, begin_guide, tell_guide, unknown_catalog_service};
use super::proposal::Proposal;
use super::wizard::Drafted;
use crate::artifacts::unified_diff;
use crate::catalog;
use crate::config::edit::{Edit, add_service};
use crate::config::model::{ServiceEntry, ServiceSpec};
use crate::detect::{Detection, Finding, Stack};
use crate::diag::{Error, Problem, Result};
use crate::exec::Whole;
use crate::ids::Name;
use crate::yaml;
use ask::ask;
use shown::{as_json, shown};

/// What to do when nothing was rendered.
const NEXT: &str = " Next: `kilter add SERVICE`, or write `dev:`, the command that starts the app, into it.";

/// What to do when services were rendered, and no command starts an app.
const NEXT_WITHOUT_APP: &str =
    "Next: `kilter up`. The app runs, too, once `dev:` in kilter.yaml names the command that starts it.";

/// What a project is called that nothing gives a name, until a person does.
const STAND_IN: &str = "my-project";

/// The name that libraries which load a file of environment look for.
const ENV_FILE: &str = ".env";

/// First lines of a new kilter.yaml.
const HEADER: &str = "\
# What this project needs to run. Everything is optional; `kilter schema` describes every field.
";

/// Looks at the project, proposes a kilter.yaml with the evidence, and writes it after consent.
///
/// Services that the project's manifests name for sure are selected; mere hints are shown and left out. On a terminal it asks
/// which to take, and for name, port, dev command and image, each with what was found as default; then it renders. An existing
/// kilter.yaml is kept; what it lacks is added to it.
#[derive(Debug, Default, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter init\n  kilter init --yes                         # take what is selected\n  kilter init --yes --services postgres --port 8000\n  kilter init --dry-run --json              # for a script"
)]
pub(crate) struct Args {
    /// Take these services of the catalog in place of those that are selected; '' takes none.
    #[arg(long, value_name = "SERVICE,…", value_delimiter = ',', add = clap_complete::ArgValueCandidates::new(super::candidates::catalog))]
    services: Option<Vec<String>>,
    /// Name of the project, in a new kilter.yaml.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Port that the app listens on, in a new kilter.yaml.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Command that starts the app in development, in a new kilter.yaml.
    #[arg(long, value_name = "COMMAND")]
    dev: Option<String>,
    /// Image that the app runs in during development, in a new kilter.yaml.
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Show what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask; take what is selected.
    #[arg(short, long)]
    yes: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    // Manifests may be many, and this is said before anything is read.
    let work = ctx.ui.work("looking at the project");
    let mut project = args.open(ctx)?;
    args.check(&project)?;
    let found = project.detect()?;
    drop(work);
    project.take_up_app(&found);
    let moved = project.moved(&found);
    if !moved.is_empty() {
        ctx.ui.warn(&Problem::new(format!("{OLDER}: {moved}")).help(TAKE_UP));
    }
    propose(args, ctx, project, &found, false)
}

impl Args {
    /// What the options decide beside the services.
    fn drafted(&self) -> Drafted {
        Drafted {
            services: Vec::new(),
            name: self.name.clone(),
            port: self.port.map(|port| port.to_string()),
            dev: self.dev.clone(),
            image: self.image.clone(),
        }
    }

    /// Opens the project under the name that it is to get: its directory may have none for it. Who is asked for one may go on
    /// without.
    fn open(&self, ctx: &Context) -> Result<Project> {
        let name = self.name.as_deref().map(Name::new).transpose();
        let name = name.map_err(|wrong| Error::usage(wrong).help("Write for example `--name shop`."))?;
        match Project::open_named(ctx, name.as_ref()) {
            Err(_) if name.is_none() && self.asks(ctx) => Project::open_named(ctx, Name::new(STAND_IN).ok().as_ref()),
            opened => opened,
        }
    }

    /// Whether a person is asked, question by question.
    fn asks(&self, ctx: &Context) -> bool {
        ctx.ui.interactive && !self.yes && !self.dry_run && self.services.is_none()
    }

    /// Checks them before anything is looked for.
    fn check(&self, project: &Project) -> Result<()> {
        if let Some(unknown) = self.wanted().into_iter().flatten().find(|name| catalog::service(name).is_none()) {
            return Err(unknown_catalog_service(&unknown));
        }
        match project.text {
            Some(_) if self.drafted() != Drafted::default() => {
                Err(Error::refused("there is a kilter.yaml already, and `kilter init` only adds services to one")
                    .help("Change `name`, `port`, `dev` and `image` in it with an editor."))
            }
            _ => Ok(()),
        }
    }

    /// The services that are asked for by name.
    fn wanted(&self) -> Option<Vec<String>> {
        let names = self.services.as_ref()?;
        Some(names.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect())
    }
}

/// Shows what was found, and writes what is wanted of it. `before_up`: as the first part of `kilter up`, whose result stands
/// alone on standard output.
fn propose(args: &Args, ctx: &Context, project: Project, found: &Detection, before_up: bool) -> Result<()> {
    for warning in &found.warnings {
        ctx.ui.warn(warning);
    }
    let (news, covered) = news(&project, found);
    if !ctx.ui.json {
        let renames = args.asks(ctx) && project.text.is_none() && args.name.is_none();
        let shown = shown(ctx, &project, found, &news, &args.drafted(), renames);
        if before_up {
            ctx.ui.talk(&shown)
        } else {
            ctx.ui.result(&shown)
        }
        covered.values().for_each(|why| ctx.ui.talk(why));
    }
    if args.asks(ctx) {
        return ask(args, ctx, project, &End { found, covered: &covered, dry_run: false, before_up }, &news);
    }
    let drafted = Drafted { services: unasked(args, &news), ..args.drafted() };
    let end = End { found, covered: &covered, dry_run: args.dry_run, before_up };
    let text = text(&project, &drafted, found)?;
    if !end.is_nothing(&project, &text) && !args.dry_run && !args.yes {
        let file = if project.text.as_deref() == Some(text.as_str()) { KILTER_LOCK } else { "kilter.yaml" };
        if !ctx.ui.interactive {
            return Err(nobody_to_ask(file, before_up));
        }
        let lines = proposed(ctx, &project, text.clone(), found)?.lines(ctx, &drafted.services)?;
        lines.iter().for_each(|line| ctx.ui.talk(line));
        ctx.ui.confirm(&format!("Write {file}?"), "--yes")?;
    }
    end.write(ctx, project, text, drafted.services)
}

/// How `kilter init` ends, whoever decided.
struct End<'a> {
    found: &'a Detection,
    covered: &'a BTreeMap<&'a str, String>,
    dry_run: bool,
    before_up: bool,
}

impl End<'_> {
    fn is_nothing(&self, project: &Project, text: &str) -> bool {
        project.text.as_deref() == Some(text) && !project.appeared
    }

    /// Writes kilter.yaml and renders; before `kilter up`, that does. Where there is nothing to render yet, no helm is needed.
    fn write(&self, ctx: &Context, project: Project, text: String, services: Vec<String>) -> Result<()> {
        let report = as_json(&project, self.found, self.covered);
        if self.is_nothing(&project, &text) {
            ctx.ui.talk("kilter.yaml has all of that already; nothing to write.");
            if ctx.ui.json && !self.before_up {
                ctx.ui.json(&report);
            }
            return Ok(());
        }
        let old = project.text.clone();
        let proposal = proposed(ctx, &project, text.clone(), self.found)?;
        if !self.dry_run && (self.before_up || !proposal.renders()) {
            ctx.ui.talk(&unified_diff("kilter.yaml", old.unwrap_or_default().as_bytes(), text.as_bytes()));
            write(ctx, &project.with_text(text.clone())?, &text, if self.before_up { "" } else { NEXT })?;
            if ctx.ui.json && !self.before_up {
                ctx.ui.json(&report);
            }
            return Ok(());
        }
        let _lock = (!self.dry_run).then(|| project.take_lock(ctx)).transpose()?;
        let report = match report {
            serde_json::Value::Object(report) => report,
            _ => serde_json::Map::new(),
        };
        let lesson = lesson(self.found, unread(services.iter().map(String::as_str), &project, self.found));
        let ending = Ending {
            old,
            services,
            dry_run: self.dry_run,
            verb: "Wrote kilter.yaml with",
            guide: true,
            advice: if proposal.runs_app() { "Next: `kilter up`." } else { NEXT_WITHOUT_APP },
            lesson,
            found: Some(self.found.clone()),
            report,
        };
        let appeared = project.appeared && !self.dry_run;
        finish(ctx, project, text, &ending)?;
        if let Some(dev) = self.found.dev.as_ref().filter(|_| appeared) {
            ctx.ui.talk(&format!("Took up the app, which runs by `{}`. Next: `kilter up`.", dev.value));
        }
        Ok(())
    }
}

/// What a new text would bring about; what clashes is said before anything is written.
fn proposed(ctx: &Context, project: &Project, text: String, found: &Detection) -> Result<Proposal> {
    let same = project.text.as_deref().unwrap_or_default() == text;
    Proposal::new(ctx, project, text, &project.known_facts(found), true).map_err(|error| match same {
        true => error,
        false => error.help("Nothing was written: a line shown here is one of the proposed kilter.yaml."),
    })
}

/// Writes kilter.yaml, with the guide that goes with a new one.
fn write(ctx: &Context, project: &Project, text: &str, next: &str) -> Result<()> {
    let (plan, ..) = project.plan(ctx)?;
    let _lock = project.take_lock(ctx)?;
    let whole = Whole::begin()?;
    // Before kilter.yaml: after that is written, nobody asks for the guide again.
    let guide = begin_guide(project, &plan);
    project.write_config(text)?;
    // `kilter up` goes on, and hears of an interrupt.
    if next.is_empty() {
        drop(whole)
    } else {
        whole.and_done()
    }
    let path = project.root.join("kilter.yaml");
    let above = ctx.directory()? != project.root;
    let shown = if above { path.display().to_string() } else { "kilter.yaml".to_owned() };
    if let Some(begun) = tell_guide(ctx, guide) {
        ctx.ui.talk(begun);
    }
    ctx.ui.talk(&format!("Wrote {shown}.{next}"));
    Ok(())
}

/// Does what `kilter init` does when there is no kilter.yaml yet and the project's manifests name a service.
///
/// # Errors
/// When consent is needed and nobody can be asked.
pub(crate) fn first_run(ctx: &Context, yes: bool) -> Result<()> {
    let args = Args { yes, ..Args::default() };
    let project = args.open(ctx)?;
    if project.text.is_some() {
        return Ok(());
    }
    let work = ctx.ui.work("looking at the project");
    let found = project.detect()?;
    drop(work);
    if found.findings.iter().all(|finding| !finding.selected) {
        return Ok(());
    }
    propose(&args, ctx, project, &found, true)
}

fn nobody_to_ask(file: &str, before_up: bool) -> Error {
    let command = if before_up { "kilter up" } else { "kilter init" };
    Error::usage(format!("`{command}` asks before it writes {file}, and nobody can be asked here"))
        .help(format!("Take what is selected: `{command} --yes`. Only look: `kilter init --dry-run`."))
}

/// Which findings kilter.yaml lacks, and why others are left out: what is written there beats what is found.
fn news<'a>(project: &Project, found: &'a Detection) -> (Vec<&'a Finding>, BTreeMap<&'a str, String>) {
    let specs: Vec<ServiceSpec> = specs(project);
    let mut news = Vec::new();
    let mut covered = BTreeMap::new();
    for finding in &found.findings {
        if specs.iter().any(|spec| is_of(spec, &finding.name)) {
            continue;
        }
        let variables = catalog::service(&finding.name).into_iter().flat_map(|about| about.provides.keys());
        let giver = variables.into_iter().find_map(|variable| {
            let by = specs.iter().find(|spec| gives(spec, variable));
            let by = by.map(|spec| format!("`{}`", spec.name));
            Some((
                variable,
                by.or_else(|| project.loaded.config.env.contains_key(variable).then(|| "`env`".to_owned()))?,
            ))
        });
        match giver {
            Some((variable, by)) => {
                let name = finding.name.as_str();
                covered.insert(name, format!("`{name}` is left out: {by} of kilter.yaml gives `{variable}` already."));
            }
            None => news.push(finding),
        }
    }
    (news, covered)
}

/// Tells whether an entry of kilter.yaml is of this service of the catalog.
fn is_of(spec: &ServiceSpec, service: &str) -> bool {
    spec.name == service || spec.from.as_deref() == Some(service)
}

/// Tells whether an entry of kilter.yaml gives the app a variable: by itself, or as its service of the catalog does.
fn gives(spec: &ServiceSpec, variable: &str) -> bool {
    let service = spec.from.as_deref().unwrap_or(&spec.name);
    let by_catalog =
        || spec.chart.is_none() && catalog::service(service).is_some_and(|about| about.provides.contains_key(variable));
    spec.provides.get(variable).map_or_else(by_catalog, Option::is_some)
}

/// Which services are taken without a question: those that are named, else those that are selected.
fn unasked(args: &Args, news: &[&Finding]) -> Vec<String> {
    args.wanted().unwrap_or_else(|| selected(news).map(|finding| finding.name.clone()).collect())
}

/// Which of the findings are taken when nobody is asked. No two of them give the same variable.
fn selected<'a>(news: &'a [&Finding]) -> impl Iterator<Item = &'a Finding> {
    news.iter().copied().filter(|finding| finding.selected)
}

/// What kilter.yaml says of a service: its name, and the image where the project itself runs one that holds more.
fn entry(name: &str, found: &Detection) -> ServiceEntry {
    let finding = found.findings.iter().find(|finding| finding.name == name);
    match finding.and_then(|finding| finding.image.as_ref()) {
        Some(image) => {
            let image = Some(image.value.clone());
            ServiceEntry::Detailed(Box::new(ServiceSpec { name: name.into(), image, ..ServiceSpec::default() }))
        }
        None => ServiceEntry::Name(name.into()),
    }
}

/// What kilter.yaml says of these services.
fn entries(names: &[String], project: &Project, found: &Detection) -> Vec<ServiceEntry> {
    with_forms(names.iter().map(|name| entry(name, found)).collect(), project, found)
}

/// Tells whether the developer has a file of environment, as most libraries name it, that is no part of the sources. What is in it
/// is not read.
pub(super) fn has_env_file(project: &Project, stack: Option<&Stack>) -> bool {
    let is_source = stack.is_some_and(|stack| stack.keeps.iter().any(|path| path == ENV_FILE));
    !is_source && project.root.join(ENV_FILE).is_file()
}

/// The new text of kilter.yaml.
fn text(project: &Project, drafted: &Drafted, found: &Detection) -> Result<String> {
    let mut text = match &project.text {
        Some(text) => text.clone(),
        None => {
            let port = drafted.port.as_ref().and_then(|port| port.parse::<u16>().ok());
            let facts = [
                ("name", drafted.name.as_ref().map(|name| json!(name))),
                ("dev", drafted.dev.as_ref().map(|dev| json!(dev))),
                ("port", port.map(|port| json!(port))),
                ("image", drafted.image.as_ref().map(|image| json!(image))),
                ("envFile", has_env_file(project, found.stack.as_ref()).then(|| json!(ENV_FILE))),
            ];
            let mut text = HEADER.to_owned();
            for (key, value) in facts.into_iter().filter_map(|(key, value)| Some((key, value?))) {
                text += &yaml::emit(&json!({ key: value }))?;
            }
            if drafted.services.is_empty() { text + "services: []\n" } else { text }
        }
    };
    for entry in entries(&drafted.services, project, found) {
        if let Edit::Changed(new) = add_service(Some(&text), &entry)? {
            text = new;
        }
    }
    Ok(text)
}
