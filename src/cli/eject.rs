//! `kilter eject`.

use serde_json::json;

use super::context::Context;
use super::project::{Outcome, Prepared, Project};
use super::wizard::{self, EjectFlow, Item};
use crate::artifacts::eject::{Contents, Copy, Merged, State};
use crate::artifacts::{Ejected, Thing};
use crate::cluster::kind_settings;
use crate::diag::{Error, Result};
use crate::exec::Whole;
use crate::helm::charts::read_files;
use crate::toolchain::Pins;
use crate::values;

/// Hands one artifact to you for good: a copy under `kilter/` that kilter uses and never overwrites.
///
/// Without a thing on a terminal it asks which. What it was taken from is kept under `kilter/.base/`, so that later improvements of kilter's default can be merged.
/// Commit both. Deleting the copy returns to the default.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter eject --list\n  kilter eject values/postgres\n  kilter eject --diff dockerfile\n  kilter eject --merge dockerfile"
)]
pub(crate) struct Args {
    /// What: `tiltfile`, `dockerfile`, `kind`, `values/SERVICE`, `chart/SERVICE` (or just SERVICE), `manifest/SERVICE`.
    #[arg(value_name = "THING", add = clap_complete::ArgValueCandidates::new(super::candidates::things))]
    thing: Option<String>,
    /// List what can be ejected, and its state.
    #[arg(long, conflicts_with_all = ["diff", "merge", "status"])]
    list: bool,
    /// Show whether kilter's default has moved since a thing was ejected; exit 1 when it has.
    #[arg(long, conflicts_with_all = ["diff", "merge"])]
    status: bool,
    /// Show what kilter's current default has that the ejected copy was not taken from.
    #[arg(long, conflicts_with = "merge")]
    diff: bool,
    /// Merge these improvements into the copy; on a clash nothing is written.
    #[arg(long)]
    merge: bool,
    /// With `--merge`: you have merged by hand, so take the current default as the new base.
    #[arg(long, requires = "merge")]
    resolved: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let asked = match args.thing.is_none() && !args.list && !args.status {
        true => Some(ask(args, ctx)?),
        false => None,
    };
    let (project, _lock) = Project::open_locked(ctx)?;
    let prepared = Prepared::new(ctx, project)?;
    let Some(name) = args.thing.as_ref().or(asked.as_ref()) else {
        return list(args, ctx, prepared);
    };
    let thing = Thing::find(name, &things(&prepared))?;
    let copy = Copy::new(&prepared.project.root, &thing);
    let hidden = hidden_by_manifest(&prepared, &thing);
    let (_, default) = default_of(ctx, prepared, &thing)?;
    if args.list || args.status {
        return status(ctx, &thing, &copy, &default);
    }
    if args.diff {
        let diff = copy.improvements(&default)?;
        match ctx.ui.json {
            true => ctx.ui.json(&json!({"thing": thing.to_string(), "path": copy.shown, "diff": diff})),
            false => ctx.ui.result_bytes(diff.as_bytes()),
        }
        return Ok(());
    }
    if args.merge {
        return merge(args, ctx, &thing, &copy, &default);
    }
    if let Some(error) = hidden {
        return Err(error);
    }
    let whole = Whole::begin()?;
    copy.eject(&default)?;
    whole.and_done();
    match ctx.ui.json {
        true => ctx.ui.json(&json!({"thing": thing.to_string(), "path": copy.shown})),
        false => ctx.ui.result(&copy.shown),
    }
    ctx.ui
        .talk(&format!("`{}` is yours from now on; commit it with kilter/.base. `kilter render` uses it.", copy.shown));
    Ok(())
}

/// Asks what to eject.
fn ask(args: &Args, ctx: &Context) -> Result<String> {
    if args.diff || args.merge || !ctx.ui.interactive {
        return Err(Error::usage("nothing is named to eject, and nobody can be asked here")
            .help("Name it: `kilter eject THING`. What there is: `kilter eject --list`."));
    }
    let work = ctx.ui.work("looking at what can be ejected");
    let rows = states(ctx, Prepared::new(ctx, Project::open(ctx)?)?)?;
    drop(work);
    let item = |(thing, copy, state): &(Thing, Copy, State)| Item {
        name: thing.to_string(),
        about: words(*state, copy),
        barred: (*state != State::Default).then(|| words(*state, copy)),
        ..Item::default()
    };
    let items: Vec<Item> = rows.iter().map(item).collect();
    let same = |name: &str| ctx.pasteable(&[["kilter", "eject", name].map(str::to_owned).to_vec()]);
    let page = |name: &str| {
        let shown = rows.iter().find(|(thing, ..)| thing.to_string() == name).map(|(_, copy, _)| copy.shown.clone());
        vec![
            format!("Written: {}", shown.unwrap_or_default()),
            "What it was taken from is kept below kilter/.base.".to_owned(),
            "Commit both. Deleting the copy returns to the default.".to_owned(),
            String::new(),
            "The same without questions:".to_owned(),
            format!("  {}", same(name)),
        ]
    };
    let flow = EjectFlow { things: &items, page: &page };
    let answers = wizard::run(&ctx.ui, &flow)?;
    let thing = flow.chosen(&answers).ok_or_else(|| Error::bug("a wizard without an answer"))?;
    ctx.ui.talk(&format!("The same without questions: `{}`", same(&thing)));
    Ok(thing)
}

/// Everything of a project that can be ejected.
fn things(prepared: &Prepared) -> Vec<Thing> {
    let services = prepared.services();
    let all = Thing::all(services.iter().map(String::as_str));
    all.into_iter().filter(|thing| exists(prepared, thing)).collect()
}

/// Tells whether a project has this thing: kind settings only with kind, a Dockerfile only with an app.
fn exists(prepared: &Prepared, thing: &Thing) -> bool {
    match thing {
        Thing::Kind => prepared.project.with_kind(),
        Thing::Dockerfile => prepared.plan.app.is_some(),
        _ => true,
    }
}

/// Works out kilter's default of a thing: what would be used if it were not ejected, everything else being as it is.
fn default_of(ctx: &Context, prepared: Prepared, thing: &Thing) -> Result<(Prepared, Contents)> {
    let mut aside = vec![thing.clone()];
    if let Thing::Chart(service) = thing {
        aside.push(Thing::Manifest(service.clone())); // with it, the chart is not even got
    }
    let prepared = match aside.iter().any(|thing| prepared.ejected.has(thing)) {
        true => prepared.without(ctx, &aside)?,
        false => prepared,
    };
    let contents = match thing {
        Thing::Chart(service) => {
            let release = prepared.releases.iter().find(|release| release.service == *service);
            let release = release.ok_or_else(|| Error::bug("a service without a release"))?;
            read_files(&release.chart.dir, &release.chart.name)?
        }
        Thing::Values(service) => {
            let draft = values::drafts(&prepared.plan).into_iter().find(|draft| draft.service == service);
            let draft = draft.ok_or_else(|| Error::bug("a service without values"))?;
            Contents::from([(String::new(), draft.values_file()?)])
        }
        // Without the name and the ports of this machine: the copy is committed.
        Thing::Kind => Contents::from([(String::new(), kind_settings(&Pins::builtin().kind_node)?.into_bytes())]),
        Thing::Tiltfile | Thing::Dockerfile | Thing::Manifest(_) => {
            let rendered = prepared.render(ctx)?;
            let outcome = Outcome::new(ctx, &prepared, &rendered)?;
            let path = match thing {
                Thing::Manifest(service) => format!("manifests/{service}.yaml"),
                other => other.path(),
            };
            let bytes = outcome.file(&path)?.ok_or_else(|| Error::bug(format!("nothing is made for `{thing}`")))?;
            Contents::from([(String::new(), bytes)])
        }
    };
    Ok((prepared, contents))
}

/// The error for ejecting a chart that nothing would use: the manifest of its service is the user's already.
fn hidden_by_manifest(prepared: &Prepared, thing: &Thing) -> Option<Error> {
    let Thing::Chart(service) = thing else { return None };
    let hidden = prepared.ejected.has(&Thing::Manifest(service.clone())) && !prepared.ejected.has(thing);
    hidden.then(|| {
        Error::project(format!("the manifest of `{service}` is ejected, so its chart is not used"))
            .help(format!("Delete `kilter/manifests/{service}.yaml` first to go back to the chart."))
    })
}

/// How everything that can be ejected stands, and the copies that nothing uses.
pub(super) fn states(ctx: &Context, mut prepared: Prepared) -> Result<Vec<(Thing, Copy, State)>> {
    let root = prepared.project.root.clone();
    let services = prepared.services();
    let mut rows = Vec::new();
    for thing in things(&prepared) {
        let copy = Copy::new(&root, &thing);
        let state = if prepared.ejected.has(&thing) {
            let (without, default) = default_of(ctx, prepared, &thing)?;
            prepared = Prepared::new(ctx, without.project)?;
            copy.state(&default)?
        } else {
            State::Default
        };
        rows.push((thing, copy, state));
    }
    let unused = Ejected::unused(&root, &services).into_iter();
    rows.extend(unused.map(|thing| (thing.clone(), Copy::new(&root, &thing), State::Unused)));
    Ok(rows)
}

fn list(args: &Args, ctx: &Context, prepared: Prepared) -> Result<()> {
    let mut rows = states(ctx, prepared)?;
    if args.status {
        rows.retain(|(.., state)| *state != State::Default);
    }
    if ctx.ui.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(thing, copy, state)| json!({"thing": thing.to_string(), "path": copy.shown, "state": state}))
            .collect();
        ctx.ui.json(&json!(rows));
    } else {
        for (thing, copy, state) in &rows {
            ctx.ui.result(&format!("{:24} {}", thing.to_string(), words(*state, copy)));
        }
    }
    if rows.is_empty() {
        ctx.ui.talk("Nothing is ejected: `kilter eject --list` shows what can be.");
    }
    let moved: Vec<&Thing> =
        rows.iter().filter(|(.., state)| *state == State::Behind).map(|(thing, ..)| thing).collect();
    match moved.as_slice() {
        _ if !args.status => Ok(()),
        [] => Ok(()),
        [one] => Err(behind("an ejected copy is", &one.to_string())),
        _ => Err(behind("some ejected copies are", "THING")),
    }
}

fn words(state: State, copy: &Copy) -> String {
    match state {
        State::Default => "kilter's default".into(),
        State::Current => format!("yours, {}", copy.shown),
        State::Behind => format!("yours, {}; kilter's default has moved since", copy.shown),
        State::Unused => format!("yours, {}; the project has no such service, so nothing uses it", copy.shown),
    }
}

fn behind(what: &str, thing: &str) -> Error {
    Error::project(format!("{what} behind kilter's default"))
        .help(format!("See what is new: `kilter eject --diff {thing}`. Take it: `kilter eject --merge {thing}`."))
}

fn status(ctx: &Context, thing: &Thing, copy: &Copy, default: &Contents) -> Result<()> {
    let state = copy.state(default)?;
    match ctx.ui.json {
        true => ctx.ui.json(&json!({"thing": thing.to_string(), "path": copy.shown, "state": state})),
        false => ctx.ui.result(&format!("{thing}  {}", words(state, copy))),
    }
    if state == State::Behind { Err(behind(&format!("`{}` is", copy.shown), &thing.to_string())) } else { Ok(()) }
}

fn merge(args: &Args, ctx: &Context, thing: &Thing, copy: &Copy, default: &Contents) -> Result<()> {
    let done = || match ctx.ui.json {
        true => ctx.ui.json(&json!({"thing": thing.to_string(), "path": copy.shown})),
        false => ctx.ui.result(&copy.shown),
    };
    if args.resolved {
        copy.resolved(default)?;
        done();
        ctx.ui.talk(&format!("`{}` counts as merged with kilter's current default.", copy.shown));
        return Ok(());
    }
    match copy.merge(default)? {
        Merged::Clean(merged) => {
            let whole = Whole::begin()?;
            copy.store(&merged, default)?;
            whole.and_done();
            done();
            Ok(())
        }
        Merged::Conflicts(marked) => {
            match ctx.ui.json {
                true => {
                    ctx.ui.json(&json!({"thing": thing.to_string(), "path": copy.shown, "clashes": texts(&marked)}))
                }
                false => marked.values().for_each(|text| ctx.ui.result_bytes(text)),
            }
            Err(Error::project(format!(
                "`{}` and kilter's default both changed the same lines; nothing was written",
                copy.shown
            ))
            .help("Standard output has the text with the clashes marked. Settle them in your copy by hand.")
            .help(format!("Then say so: `kilter eject --merge --resolved {thing}`.")))
        }
    }
}

/// The clashing files by their path inside the copy, for JSON.
fn texts(marked: &Contents) -> serde_json::Value {
    marked
        .iter()
        .map(|(path, bytes)| (path.clone(), String::from_utf8_lossy(bytes).into_owned().into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
