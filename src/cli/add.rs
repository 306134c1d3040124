//! `kilter add`.

use serde_json::{Map, Value, json};

use super::context::Context;
use super::project::{Outcome, Prepared, Project, begin_guide, tell_guide, unknown_catalog_service};
use crate::artifacts::unified_diff;
use crate::catalog;
use crate::config::edit::{Edit, add_service};
use crate::config::model::{EnvValue, ServiceEntry, ServiceSpec};
use crate::diag::{Error, Result};
use crate::exec::shell_word;

/// Adds services to kilter.yaml, keeping its comments and layout, and renders them.
///
/// Without a service on a terminal it asks which. Standard output lists the variables the app gets.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter add postgres redis\n  kilter add postgres --image postgres:16 --set storage.size=5Gi\n  kilter add imgproxy --image darthsim/imgproxy:v3.30 --port 8080\n  kilter add reports-db --from postgres --provides DATABASE_URL=null"
)]
pub(crate) struct Args {
    /// Names of catalog services, or the name of one service that the options describe.
    #[arg(value_name = "SERVICE", add = clap_complete::ArgValueCandidates::new(super::candidates::catalog))]
    services: Vec<String>,
    /// The catalog service it is an instance of, when it has another name.
    #[arg(long, value_name = "SERVICE")]
    from: Option<String>,
    /// Image in place of the default, or the image of a service the catalog does not have.
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Port in place of the default, or the port of a service the catalog does not have.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// A chart of your own: a directory of the project, or an `oci://` or repository address.
    #[arg(long, value_name = "CHART")]
    chart: Option<String>,
    /// Exact version of a remote chart.
    #[arg(long, value_name = "VERSION", requires = "chart")]
    chart_version: Option<String>,
    /// A value for the chart, `key.path=value`; true, false, null and whole numbers are taken as such.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    values: Vec<String>,
    /// A variable of the service's own container.
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// A variable the app gets, as a template (`http://{{ .Host }}:{{ .Port.main }}`); `NAME=null` takes one away.
    #[arg(long, value_name = "NAME=TEMPLATE")]
    provides: Vec<String>,
    /// Show what would change, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let entries = match args.services.as_slice() {
        [] => chosen(args, ctx, &Project::open(ctx)?)?,
        names => entries(args, names)?,
    };
    let (project, _lock) = Project::open_locked(ctx)?;
    let old = project.text.clone();
    let mut text = old.clone();
    let mut added = Vec::new();
    for entry in &entries {
        match add_service(text.as_deref(), entry)? {
            Edit::Changed(new) => {
                text = Some(new);
                added.push(entry.name().to_owned());
            }
            Edit::Unchanged => ctx.ui.talk(&format!("`{}` is in kilter.yaml already.", entry.name())),
        }
    }
    let advice = "`kilter env` shows every address.";
    finish(
        ctx,
        project,
        text.unwrap_or_default(),
        &Ending { old, added, dry_run: args.dry_run, verb: "Added", guide: true, advice },
    )
}

/// How a command that edits kilter.yaml ends.
pub(super) struct Ending {
    /// The file before.
    pub(super) old: Option<String>,
    /// The services it is about.
    pub(super) added: Vec<String>,
    /// Whether nothing is written.
    pub(super) dry_run: bool,
    /// What is said of them.
    pub(super) verb: &'static str,
    /// Whether the project gets a guide for coding agents, if it has none.
    pub(super) guide: bool,
    /// What there is to know afterwards.
    pub(super) advice: &'static str,
}

/// Renders the project as the new kilter.yaml has it; only when that works is anything written, kilter.yaml first.
pub(super) fn finish(ctx: &Context, project: Project, text: String, ending: &Ending) -> Result<()> {
    let old = ending.old.as_deref().unwrap_or_default();
    let diff = unified_diff("kilter.yaml", old.as_bytes(), text.as_bytes());
    // The lines that are shown may not be in the file: then this says so.
    let project = project.with_text(text.clone()).map_err(|error| match old == text {
        true => error,
        false => error.help("kilter.yaml is as it was: these lines would have been written."),
    })?;
    let as_it_was = |error: Error| match old == text {
        true => error,
        false => error.help("Nothing was written; kilter.yaml is as it was."),
    };
    let mut prepared = Prepared::new(ctx, project).map_err(as_it_was)?;
    if ending.dry_run {
        match ctx.ui.json {
            true => ctx.ui.json(&json!({"services": ending.added, "kilterYaml": text, "dryRun": true})),
            false => ctx.ui.result(&diff),
        }
        return Ok(());
    }
    prepared.claim(ctx).map_err(as_it_was)?;
    let rendered = prepared.render(ctx).map_err(as_it_was)?;
    let outcome = Outcome::new(ctx, &prepared, &rendered)?;
    // Before kilter.yaml: after that is written, nobody asks for the guide again.
    let guide = (ending.guide && !diff.is_empty()).then(|| begin_guide(&prepared.project, &prepared.plan));
    if !diff.is_empty() {
        prepared.project.write_config(&text)?;
    }
    outcome.write(&prepared)?;
    let begun = guide.and_then(|guide| tell_guide(ctx, guide));
    if ctx.ui.json {
        let env: Map<String, Value> = prepared.plan.env.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
        ctx.ui.json(&json!({"services": ending.added, "kilterYaml": text, "dryRun": false, "env": env}));
        return Ok(());
    }
    if !diff.is_empty() {
        ctx.ui.talk(&diff);
    }
    for name in &ending.added {
        let Some(service) = prepared.plan.service(name) else { continue };
        for (variable, value) in service.provided(&service.in_cluster()).map_err(Error::project)? {
            ctx.ui.result(&format!("{variable}={value}"));
        }
    }
    if let Some(begun) = begun {
        ctx.ui.talk(begun);
    }
    if !ending.added.is_empty() {
        ctx.ui.talk(format!("{} {}. {}", ending.verb, ending.added.join(", "), ending.advice).trim_end());
    }
    Ok(())
}

/// The entries that arguments and options describe.
fn entries(args: &Args, names: &[String]) -> Result<Vec<ServiceEntry>> {
    let detailed = args.from.is_some()
        || args.image.is_some()
        || args.port.is_some()
        || args.chart.is_some()
        || !args.values.is_empty()
        || !args.env.is_empty()
        || !args.provides.is_empty();
    if !detailed {
        if let Some(unknown) = names.iter().find(|name| catalog::service(name).is_none()) {
            return Err(unknown_catalog_service(unknown));
        }
        return Ok(names.iter().map(|name| ServiceEntry::Name(name.clone())).collect());
    }
    let [name] = names else {
        return Err(Error::usage("options that describe a service go with one service at a time")
            .help("Run `kilter add` once for each service."));
    };
    let values = args.values.iter().try_fold(Value::Null, |mut values, set| {
        crate::plan::merge(&mut values, &set_value(set)?);
        Ok::<_, Error>(values)
    })?;
    let spec = ServiceSpec {
        name: name.clone(),
        from: args.from.clone(),
        image: args.image.clone(),
        port: args.port,
        chart: args.chart.clone(),
        version: args.chart_version.clone(),
        values: match values {
            Value::Object(map) => Some(map),
            _ => None,
        },
        env: pairs("--env", &args.env)?.map(|(name, value)| (name, EnvValue(value))).collect(),
        provides: pairs("--provides", &args.provides)?
            .map(|(name, value)| (name, Some(value).filter(|value| value != "null")))
            .collect(),
        ..ServiceSpec::default()
    };
    Ok(vec![ServiceEntry::Detailed(Box::new(spec))])
}

/// Reads the `NAME=VALUE` words of an option.
fn pairs<'a>(option: &str, words: &'a [String]) -> Result<impl Iterator<Item = (String, String)> + 'a> {
    if let Some(wrong) = words.iter().find(|word| word.split_once('=').is_none_or(|(name, _)| name.is_empty())) {
        return Err(Error::usage(format!("`{option} {wrong}` is not `NAME=VALUE`"))
            .help(format!("Write for example `{option} NAME=value`.")));
    }
    Ok(words.iter().filter_map(|word| word.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())))
}

/// Reads `a.b=value` into `{a: {b: value}}`.
fn set_value(text: &str) -> Result<Value> {
    let wrong = || {
        Error::usage(format!("`--set {text}` is not `key=value`")).help("Write for example `--set storage.size=5Gi`.")
    };
    let (path, value) = text.split_once('=').ok_or_else(wrong)?;
    if path.split('.').any(str::is_empty) {
        return Err(wrong());
    }
    let scalar = match value {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        // Only what reads back the same: `007` and `+5` are text.
        _ => match value.parse::<i64>() {
            Ok(number) if number.to_string() == value => Value::from(number),
            _ => Value::from(value),
        },
    };
    Ok(path.rsplit('.').fold(scalar, |inner, key| crate::plan::single(key, inner)))
}

/// Asks which services to add; what is detected and not there yet is ticked.
fn chosen(args: &Args, ctx: &Context, project: &Project) -> Result<Vec<ServiceEntry>> {
    if !ctx.ui.interactive || args.yes {
        return Err(Error::usage("no service is named, and nobody can be asked here")
            .help("Name the services: `kilter add postgres redis`. List them: `kilter catalog`."));
    }
    let there: Vec<&str> = project.loaded.config.services.iter().flatten().map(ServiceEntry::name).collect();
    let found = project.detect()?.findings;
    let mut names: Vec<&str> = catalog::services().keys().copied().filter(|name| !there.contains(name)).collect();
    // What the project uses first: the list is longer than a screen.
    names.sort_by_key(|name| !found.iter().any(|finding| finding.name == *name));
    let items: Vec<(String, bool)> = names
        .iter()
        .map(|name| {
            let finding = found.iter().find(|finding| finding.name == *name);
            let why = finding.map(|f| format!("  ({} in {})", f.evidence[0].package, f.evidence[0].file));
            let about = catalog::service(name).map(|about| about.description.clone()).unwrap_or_default();
            (format!("{name}: {about}{}", why.unwrap_or_default()), finding.is_some_and(|f| f.selected))
        })
        .collect();
    let picked = ctx.ui.pick("Which services? Space marks, Enter takes, Esc leaves.", &items)?;
    let picked: Vec<&str> = picked.into_iter().map(|index| names[index]).collect();
    if picked.is_empty() {
        return Err(Error::refused("nothing was chosen, so nothing was written"));
    }
    let words: Vec<String> = picked.iter().map(|name| shell_word(name)).collect();
    ctx.ui.talk(&format!("The same without questions: `kilter add {}`", words.join(" ")));
    Ok(picked.into_iter().map(|name| ServiceEntry::Name(name.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_reads_paths_and_scalars() {
        assert_eq!(set_value("a.b=5Gi").unwrap(), json!({"a": {"b": "5Gi"}}));
        assert_eq!(set_value("n=3").unwrap(), json!({"n": 3}));
        assert_eq!(set_value("n=007").unwrap(), json!({"n": "007"}));
        assert_eq!(set_value("n=+5").unwrap(), json!({"n": "+5"}));
        assert_eq!(set_value("t=true").unwrap(), json!({"t": true}));
        assert_eq!(set_value("e=a=b").unwrap(), json!({"e": "a=b"}));
        assert!(set_value("nope").is_err());
        assert!(set_value("a..b=1").is_err());
    }
}
