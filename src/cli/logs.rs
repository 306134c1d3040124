//! `kilter logs`.

mod source;

use std::collections::BTreeSet;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::context::Context;
use super::dev::{Dev, Workload, speakers};
use super::project::Project;
use crate::cluster::Kubectl;
use crate::diag::{Error, Kind, Problem, Result};
use crate::exec::{Said, pause_if_interrupted};
use source::{Next, Source};

/// How many containers of one workload are listened to at once; kubectl's own 5 are fewer than some charts have.
const CONTAINERS: &str = "50";

/// Shows what the app and the services say.
///
/// With several, each line begins with the name of the one that says it. For builds and Tilt's own words see its page, or
/// `kilter up --attach`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter logs app -f\n  kilter logs --tail 20\n  kilter logs app --previous    # of a container that crashed"
)]
pub(crate) struct Args {
    /// Only of these.
    #[arg(value_name = "SERVICE", add = clap_complete::ArgValueCandidates::new(super::candidates::running))]
    services: Vec<String>,
    /// Go on showing what they say, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// Show what the run before this one said, of containers that were started again.
    #[arg(short, long, conflicts_with = "follow")]
    previous: bool,
    /// How many of the last lines of each container.
    #[arg(long, value_name = "LINES", default_value_t = 200)]
    tail: u32,
    /// Show when each line was said.
    #[arg(long)]
    timestamps: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    if ctx.ui.json {
        return Err(Error::usage("`kilter logs` has no JSON: what services say is text")
            .help("Leave `--json` out; `--timestamps` says when each line was said."));
    }
    let project = Project::open(ctx)?;
    let dev = Dev::look(ctx, &project)?;
    let found = speakers(&dev, &args.services)?;
    let kubectl = dev.kubectl_there(ctx, &project)?;
    let names: BTreeSet<&str> = found.iter().map(|workload| workload.service.as_str()).collect();
    let width = names.iter().map(|name| name.len()).max().unwrap_or_default();
    let sources = found.iter().map(|workload| {
        let prefix = match names.len() {
            1 => String::new(),
            _ => format!("{} ", ctx.ui.strong(&format!("{:width$} |", workload.service))),
        };
        // A Job may be over and gone, and nobody asked for it by name.
        let others = found.iter().any(|other| other.service == workload.service && !other.job);
        Source::new(workload, prefix, workload.job && (args.services.is_empty() || others))
    });
    let mut sources: Vec<Source<'_>> = sources.collect();
    let failures = listen(args, ctx, &kubectl, &mut sources)?;
    if !failures.is_empty() {
        return Err(Error::from_problems(Kind::Tool, failures));
    }
    if args.previous && !sources.iter().any(Source::has_spoken) {
        let names = names.into_iter().collect::<Vec<_>>().join("`, `");
        return Err(Error::missing(format!("no container of `{names}` was started again, so there is no run before"))
            .help("See what they say now: the same command without `--previous`."));
    }
    Ok(())
}

/// Prints what the sources say until all have ended; returns why some could not be listened to.
fn listen(args: &Args, ctx: &Context, kubectl: &Kubectl, sources: &mut [Source<'_>]) -> Result<Vec<Problem>> {
    let (tell, heard) = channel();
    let mut failures = Vec::new();
    let mut open = sources.len();
    while open > 0 {
        pause_if_interrupted()?;
        let now = Instant::now();
        for (index, source) in sources.iter_mut().enumerate().filter(|(_, source)| source.is_due(now)) {
            let tell = tell.clone();
            let call = source.workload.kubectl(kubectl).call(call_of(args, source.workload, source.since(now)));
            source.begin(call.timeout(Duration::MAX).lines(move |said| drop(tell.send((index, said))))?);
        }
        let wake = sources.iter().filter_map(|source| source.again).min();
        let patience = wake.map_or(Duration::MAX, |at| at.saturating_duration_since(now));
        let (index, said) = match heard.recv_timeout(patience) {
            Ok(said) => said,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let source = &mut sources[index];
        match said {
            Said::Item(line) => {
                let text = source.line(&line, Instant::now(), args.timestamps);
                text.iter().for_each(|text| ctx.ui.result(&format!("{}{text}", source.prefix)));
            }
            Said::Ended(ending, words) => match source.ended(args.follow, ending, &words, Instant::now()) {
                Next::Again(news) => news.iter().for_each(|words| {
                    ctx.ui.talk(&format!("{}: {words}; listening again", source.workload.service));
                }),
                Next::Done => open -= 1,
                Next::Failed if source.optional => open -= 1,
                Next::Failed => {
                    open -= 1;
                    failures.push(not_had(kubectl, source.workload, &words));
                    // The others may go on for hours.
                    if args.follow && open > 0 {
                        failures.drain(..).for_each(|problem| ctx.ui.warn(&problem));
                    }
                }
            },
        }
    }
    Ok(failures)
}

fn call_of(args: &Args, workload: &Workload, since: Option<Duration>) -> Vec<String> {
    let mut words: Vec<String> =
        ["logs", &workload.reference, "--all-containers", "--timestamps", "--prefix"].map(str::to_owned).into();
    if args.previous {
        // Else a container that was never started again keeps those after it from being heard.
        words.extend(["--previous".to_owned(), "--ignore-errors".to_owned()]);
    }
    if args.follow {
        words.extend(["--follow".to_owned(), format!("--max-log-requests={CONTAINERS}")]);
    }
    words.push(match since {
        None => format!("--tail={}", args.tail),
        Some(since) => format!("--since={}s", since.as_secs()),
    });
    words
}

fn not_had(kubectl: &Kubectl, workload: &Workload, words: &str) -> Problem {
    let namespace = workload.kubectl(kubectl).namespace;
    Problem::new(format!("the logs of `{}` in `{namespace}` cannot be had", workload.service))
        .detail(words.trim())
        .help("See what runs: `kilter status`.")
}
