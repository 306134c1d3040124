//! `kilter add`.

use serde_json::Value;

use super::ahead::Ahead;
use super::context::Context;
use super::ending::{Ending, finish};
use super::forms::{given, specs, unread, variables, with_forms};
use super::needs::{Need, needs};
use super::project::{Project, unknown_catalog_service};
use super::proposal::{Proposal, in_a_line};
use super::wizard::{self, AddFlow, Chosen, chosen, commands, example};
use crate::catalog::{self, SettingKind};
use crate::config::edit::{Edit, add_service};
use crate::config::model::{EnvValue, ServiceEntry, ServiceSpec};
use crate::detect::Detection;
use crate::diag::{Error, Result};

/// Adds services to kilter.yaml, keeping its comments and layout, and renders them.
///
/// Without a service on a terminal it asks which. Standard output lists the variables the app gets.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter add postgres redis\n  kilter add postgres --image postgres:16 --storage 5Gi\n  kilter add postgres --set 'auth.databases={reports,audit}'\n  kilter add gotenberg --image gotenberg/gotenberg:8.25.1 --port 3000\n  kilter add reports-db --from postgres --provides DATABASE_URL=null"
)]
pub(crate) struct Args {
    /// Names of catalog services, or the name of one service that the options describe.
    #[arg(value_name = "SERVICE", add = clap_complete::ArgValueCandidates::new(super::candidates::catalog))]
    services: Vec<String>,
    /// The catalog service it is an instance of, when it has another name.
    #[arg(long, value_name = "SERVICE", add = clap_complete::ArgValueCandidates::new(super::candidates::catalog))]
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
    /// Size of the volume of a catalog service, for example `5Gi`; the same as `--set storage.size=5Gi`.
    #[arg(long, value_name = "SIZE")]
    storage: Option<String>,
    /// A value for the chart, `key.path=value`; true, false, null and whole numbers are taken as such, `{a,b}` is a list,
    /// and what is in double quotes is text.
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
    let (entries, found, lesson) = match args.services.as_slice() {
        [] => ask(args, ctx)?,
        names => (entries(args, &each_once(names))?, None, Vec::new()),
    };
    let (project, _lock) = Project::open_locked(ctx)?;
    let found = found.map_or_else(|| project.detect(), Ok)?;
    let entries = with_forms(entries, &project, &found);
    let twice = given_twice(args, ctx, &project, &entries);
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
    let new: Vec<ServiceSpec> = entries.iter().map(ServiceEntry::spec).collect();
    let needs = needs(&new, &specs(&project));
    for need in &needs {
        ctx.ui.talk(&format!("{need}, which the project lacks: `kilter add {}`.", need.service()));
    }
    let mut report = Ending::names(&added);
    report.insert("needs".to_owned(), needs.iter().map(Need::as_json).collect());
    let ending = Ending {
        old,
        report,
        services: added,
        dry_run: args.dry_run,
        verb: "Added",
        guide: true,
        advice: "`kilter env` shows every address.",
        lesson,
        found: Some(found),
    };
    finish(ctx, project, text.unwrap_or_default(), &ending).map_err(|error| match twice {
        Some(twice) if said(&twice) == said(&error) => twice.help("Nothing was written; kilter.yaml is as it was."),
        _ => error,
    })
}

/// The names, each where it comes first.
pub(super) fn each_once(names: &[String]) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    for name in names {
        if !once.contains(name) {
            once.push(name.clone());
        }
    }
    once
}

/// What is wrong first of all.
fn said(error: &Error) -> Option<&str> {
    error.problems().first().map(|problem| problem.what.as_str())
}

impl Args {
    /// The command that adds this service with the same options and these `--provides` besides, as its words.
    fn command(&self, service: &str, provides: &[String]) -> Vec<String> {
        let one = |flag: &'static str, value: &Option<String>| value.clone().map(|value| (flag, value));
        let many = |flag: &'static str, values: &[String]| values.iter().map(|value| (flag, value.clone())).collect();
        let options = [
            one("--from", &self.from),
            one("--image", &self.image),
            one("--port", &self.port.map(|port| port.to_string())),
            one("--chart", &self.chart),
            one("--chart-version", &self.chart_version),
            one("--storage", &self.storage),
        ];
        let lists: [Vec<(&str, String)>; 4] = [
            many("--set", &self.values),
            many("--env", &self.env),
            many("--provides", &self.provides),
            many("--provides", provides),
        ];
        let words = options.into_iter().flatten().chain(lists.into_iter().flatten());
        let words = words.flat_map(|(flag, value)| [flag.to_owned(), value]);
        ["kilter", "add", service].map(str::to_owned).into_iter().chain(words).collect()
    }

    /// Tells whether there are options that describe one service.
    fn describe(&self) -> bool {
        self.from.is_some()
            || self.image.is_some()
            || self.port.is_some()
            || self.chart.is_some()
            || self.storage.is_some()
            || !self.values.is_empty()
            || !self.env.is_empty()
            || !self.provides.is_empty()
    }
}

/// The entries that arguments and options describe.
fn entries(args: &Args, names: &[String]) -> Result<Vec<ServiceEntry>> {
    if !args.describe() {
        if let Some(unknown) = names.iter().find(|name| catalog::service(name).is_none()) {
            return Err(unknown_catalog_service(unknown));
        }
        return Ok(names.iter().map(|name| ServiceEntry::Name(name.clone())).collect());
    }
    let [name] = names else {
        return Err(Error::usage("options that describe a service go with one service at a time")
            .help("Run `kilter add` once for each service."));
    };
    let storage = args.storage.iter().map(|size| storage(name, args, size)).collect::<Result<Vec<String>>>()?;
    let values = storage.iter().chain(&args.values).try_fold(Value::Null, |mut values, set| {
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

/// The `--set` that `--storage` stands for.
fn storage(name: &str, args: &Args, size: &str) -> Result<String> {
    let chart = args.from.as_deref().unwrap_or(name);
    let settings = match (&args.chart, catalog::chart(chart), catalog::service(chart)) {
        (None, Some(chart), Some(about)) => chart.settings(about),
        _ => Vec::new(),
    };
    match settings.iter().find(|setting| setting.kind == SettingKind::Storage) {
        // Quoted, so that it is text whatever it looks like.
        Some(setting) => Ok(format!("{}={}", setting.path, Value::from(size))),
        None => {
            Err(Error::usage(format!("kilter does not know where the chart of `{name}` takes the size of its volume"))
                .help("Say it to the chart: `--set KEY=VALUE`."))
        }
    }
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
        _ if value.starts_with('{') && value.ends_with('}') => {
            let items = value[1..value.len() - 1].split(',').map(str::trim).filter(|item| !item.is_empty());
            items.map(Value::from).collect()
        }
        _ if value.len() > 1 && value.starts_with('"') && value.ends_with('"') => {
            serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))
        }
        // Only what reads back the same: `007` and `+5` are text.
        _ => match value.parse::<i64>() {
            Ok(number) if number.to_string() == value => Value::from(number),
            _ => Value::from(value),
        },
    };
    Ok(path.rsplit('.').fold(scalar, |inner, key| crate::plan::single(key, inner)))
}

/// Asks what to add, with what was found in the project first.
fn ask(args: &Args, ctx: &Context) -> Result<(Vec<ServiceEntry>, Option<Detection>, Vec<String>)> {
    if args.describe() {
        return Err(Error::usage("these options describe a service, and none is named")
            .help("Name it: `kilter add SERVICE` with the options behind it."));
    }
    if !ctx.ui.interactive || args.yes {
        return Err(Error::usage("no service is named, and nobody can be asked here")
            .help("Name the services: `kilter add postgres redis`. List them: `kilter catalog`."));
    }
    let work = ctx.ui.work("looking at the project");
    let project = Project::open(ctx)?;
    let found = project.detect()?;
    drop(work);
    let specs: Vec<ServiceSpec> = specs(&project);
    let there: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
    let facts = project.known_facts(&found);
    // What is wrong already is said before anything is asked.
    Proposal::new(ctx, &project, project.text.clone().unwrap_or_default(), &facts, true)?.require_place()?;
    let whole = |chosen: &[Chosen]| chosen_entries(chosen).map(|entries| with_forms(entries, &project, &found));
    let proposal = |chosen: &[Chosen]| Proposal::new(ctx, &project, with(&project, whole(chosen)?)?, &facts, true);
    let ahead = Ahead::start(ctx);
    let flow = AddFlow {
        project: project.name.as_str(),
        there: &there,
        given: &given(&specs, &project),
        found: &found.findings,
        page: &|chosen| page(ctx, &proposal(chosen)?, chosen),
        clash: &|chosen| lacks(chosen, &specs).or_else(|| Some(in_a_line(&proposal(chosen).err()?))),
        watch: &|chosen| ahead.render(whole(chosen).unwrap_or_default()),
    };
    let answers = wizard::run(&ctx.ui, &flow)?;
    let chosen = chosen(&answers);
    ctx.ui.talk(&format!("The same without questions: `{}`", ctx.pasteable(&commands(&chosen))));
    let work = ctx.ui.work("rendering");
    ahead.finish();
    drop(work);
    let lesson = lesson(&found, unread(chosen.iter().map(|one| one.name.as_str()), &project, &found));
    Ok((chosen_entries(&chosen)?, Some(found), lesson))
}

/// Says which of the chosen services needs another one that is neither there nor chosen.
fn lacks(chosen: &[Chosen], there: &[ServiceSpec]) -> Option<String> {
    let spec = |one: &Chosen| ServiceSpec { name: one.name.clone(), ..ServiceSpec::default() };
    let new: Vec<ServiceSpec> = chosen.iter().map(spec).collect();
    needs(&new, there).first().map(|need| format!("{need}: mark it, too."))
}

/// The error for a service that gives what another one gives already. Its lines are in no file yet, so that what decides is an
/// option; for a file that has them, the plan says it.
fn given_twice(args: &Args, ctx: &Context, project: &Project, entries: &[ServiceEntry]) -> Option<Error> {
    let mut there: Vec<ServiceSpec> = specs(project);
    for new in entries.iter().map(ServiceEntry::spec) {
        if there.iter().any(|spec| spec.name == new.name) {
            continue;
        }
        let given = given(&there, project);
        let twice: Vec<_> = variables(&new).filter_map(|variable| given.get_key_value(variable)).collect();
        if let Some((variable, first)) = twice.first() {
            let without: Vec<String> = twice.iter().map(|(variable, _)| format!("{variable}=null")).collect();
            let others = entries.iter().map(ServiceEntry::name).filter(|name| *name != new.name);
            let others: Vec<String> = ["kilter", "add"].into_iter().chain(others).map(str::to_owned).collect();
            let commands = [others, args.command(&new.name, &without)];
            let commands = ctx.pasteable(if entries.len() > 1 { &commands } else { &commands[1..] });
            let error = Error::project(format!("`{variable}` is provided by both `{first}` and `{}`", new.name));
            return Some(error.help(format!("Leave it to `{first}`: `{commands}`.")));
        }
        there.push(new);
    }
    None
}

/// kilter.yaml with these services.
fn with(project: &Project, entries: Vec<ServiceEntry>) -> Result<String> {
    let mut text = project.text.clone();
    for entry in entries {
        if let Edit::Changed(new) = add_service(text.as_deref(), &entry)? {
            text = Some(new);
        }
    }
    Ok(text.unwrap_or_default())
}

/// What is consented to: the diff, what will be rendered, and the command that does the same.
fn page(ctx: &Context, proposal: &Proposal, chosen: &[Chosen]) -> Result<Vec<String>> {
    let names: Vec<String> = chosen.iter().map(|one| one.name.clone()).collect();
    let mut lines = proposal.lines(ctx, &names)?;
    lines.extend([String::new(), "The same without questions:".into()]);
    lines.push(format!("  {}", ctx.pasteable(&commands(chosen))));
    Ok(lines)
}

/// The entries of what was chosen: those of the commands that choose the same.
fn chosen_entries(chosen: &[Chosen]) -> Result<Vec<ServiceEntry>> {
    let all: Result<Vec<Vec<ServiceEntry>>> = chosen
        .iter()
        .map(|one| {
            let args = Args {
                services: vec![one.name.clone()],
                image: one.image.clone(),
                storage: one.storage.clone(),
                values: one.set.clone(),
                ..Args::default()
            };
            entries(&args, &args.services)
        })
        .collect();
    Ok(all?.concat())
}

/// Two lines of code for each service that was added: how the app gets at what it is given.
pub(super) fn lesson<'a>(found: &Detection, services: impl Iterator<Item = &'a str>) -> Vec<String> {
    let language = found.stack.as_ref().map(|stack| stack.ecosystem);
    let of_findings = || found.findings.iter().flat_map(|finding| &finding.evidence).map(|evidence| evidence.ecosystem);
    let language = language.or_else(|| of_findings().find(|language| example(*language, "X").is_some()));
    let Some(language) = language else { return Vec::new() };
    let variables = services.filter_map(|service| catalog::service(service)?.provides.keys().next());
    let examples: Vec<[String; 2]> = variables.filter_map(|variable| example(language, variable)).collect();
    if examples.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["In the app's code:".to_owned()];
    let mut seen = Vec::new();
    for line in examples.into_iter().flatten() {
        // What every example begins with stands there once.
        if !seen.contains(&line) {
            lines.push(format!("  {line}"));
            seen.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_chosen_is_what_its_command_says() {
        use clap::Parser as _;
        let chosen = [
            Chosen { name: "redis".into(), ..Chosen::default() },
            Chosen {
                name: "postgres".into(),
                image: Some("postgres:17".into()),
                storage: Some("5Gi".into()),
                set: vec!["auth.password=\"1\"".into(), "auth.databases={a,b}".into()],
            },
        ];
        let by_command = commands(&chosen).into_iter().flat_map(|words| {
            let cli = crate::cli::Cli::try_parse_from(words).unwrap();
            let crate::cli::Command::Add(args) = cli.command else { panic!("another command") };
            entries(&args, &args.services).unwrap()
        });
        let by_command: Vec<ServiceEntry> = by_command.collect();
        assert_eq!(by_command, chosen_entries(&chosen).unwrap());
        let ServiceEntry::Detailed(postgres) = &by_command[1] else { panic!("details") };
        let values = json!({"storage": {"size": "5Gi"}, "auth": {"password": "1", "databases": ["a", "b"]}});
        assert_eq!(postgres.values.clone().map(Value::Object), Some(values));
    }

    #[test]
    fn set_reads_paths_and_scalars() {
        assert_eq!(set_value("a.b=5Gi").unwrap(), json!({"a": {"b": "5Gi"}}));
        assert_eq!(set_value("n=3").unwrap(), json!({"n": 3}));
        assert_eq!(set_value("n=007").unwrap(), json!({"n": "007"}));
        assert_eq!(set_value("n=+5").unwrap(), json!({"n": "+5"}));
        assert_eq!(set_value("t=true").unwrap(), json!({"t": true}));
        assert_eq!(set_value("e=a=b").unwrap(), json!({"e": "a=b"}));
        assert_eq!(set_value("l={a, b,}").unwrap(), json!({"l": ["a", "b"]}));
        assert_eq!(set_value("l={}").unwrap(), json!({"l": []}));
        assert_eq!(set_value(r#"q="7""#).unwrap(), json!({"q": "7"}));
        assert_eq!(set_value(r#"q=""#).unwrap(), json!({"q": "\""}));
        assert!(set_value("nope").is_err());
        assert!(set_value("a..b=1").is_err());
    }
}
