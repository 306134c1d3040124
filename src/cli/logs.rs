//! `kilter logs`.

use std::collections::BTreeSet;
use std::sync::mpsc::channel;
use std::time::Duration;

use super::context::Context;
use super::dev::{Dev, Workload, workloads};
use super::project::Project;
use crate::cluster::Kubectl;
use crate::diag::{Error, Result};
use crate::exec::{Ending, Said, Stream, pause_if_interrupted};

/// How long to wait before a container that ended is listened to again.
const AGAIN: Duration = Duration::from_secs(1);

/// Shows what the app and the services say.
///
/// With several, each line begins with the name of the one that says it. For builds and Tilt's own words see its page, or
/// `kilter up --attach`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kilter logs app -f\n  kilter logs --tail 20")]
pub(crate) struct Args {
    /// Only of these.
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Go on showing what they say, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// How many of the last lines of each container.
    #[arg(long, value_name = "LINES", default_value_t = 200)]
    tail: u32,
    /// Show when each line was said.
    #[arg(long)]
    timestamps: bool,
}

/// One workload that is listened to.
struct Source<'a> {
    workload: &'a Workload,
    prefix: String,
    /// When its last line was said, as the cluster writes it.
    last: String,
    _stream: Option<Stream>,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let project = Project::open(ctx)?;
    let dev = Dev::look(ctx, &project)?;
    let found = workloads(&dev, &args.services)?;
    let kubectl = dev.kubectl_there(ctx, &project)?;
    let names: BTreeSet<&str> = found.iter().map(|workload| workload.service.as_str()).collect();
    let width = names.iter().map(|name| name.len()).max().unwrap_or_default();
    let (tell, heard) = channel();
    let listen = |index: usize, workload: &Workload, since: &str| {
        let tell = tell.clone();
        let call = workload.kubectl(&kubectl).call(call_of(args, workload, since)).timeout(Duration::MAX);
        call.lines(move |said| drop(tell.send((index, said))))
    };
    let mut sources = Vec::new();
    for (index, workload) in found.iter().enumerate() {
        let prefix = match names.len() {
            1 => String::new(),
            _ => format!("{} ", ctx.ui.strong(&format!("{:width$} |", workload.service))),
        };
        let stream = listen(index, workload, "")?;
        sources.push(Source { workload, prefix, last: String::new(), _stream: Some(stream) });
    }
    let mut open = sources.len();
    let mut failures = Vec::new();
    while open > 0 {
        pause_if_interrupted()?;
        let Ok((index, said)) = heard.recv() else { break };
        let source = &mut sources[index];
        match said {
            Said::Item(line) => source.line(ctx, args, &line),
            Said::Ended(..) if args.follow => {
                // The container ended: its next one goes on where it stopped.
                std::thread::sleep(AGAIN);
                source._stream = Some(listen(index, source.workload, &source.last)?);
            }
            Said::Ended(ending, words) => {
                open -= 1;
                if ending != Ending::Exited(0) {
                    failures.push((source.workload.service.clone(), words));
                }
            }
        }
    }
    not_had(&kubectl, failures)
}

impl Source<'_> {
    /// Prints a line, unless it was printed before the listening began anew.
    fn line(&mut self, ctx: &Context, args: &Args, line: &str) {
        let (time, text) = line.split_once(' ').unwrap_or((line, ""));
        if time <= self.last.as_str() && !self.last.is_empty() {
            return;
        }
        time.clone_into(&mut self.last);
        ctx.ui.result(&format!("{}{}", self.prefix, if args.timestamps { line } else { text }));
    }
}

fn call_of(args: &Args, workload: &Workload, since: &str) -> Vec<String> {
    let mut words =
        vec!["logs".to_owned(), workload.reference.clone(), "--all-containers".into(), "--timestamps".into()];
    if args.follow {
        words.push("--follow".into());
    }
    match since {
        "" => words.push(format!("--tail={}", args.tail)),
        since => words.push(format!("--since-time={since}")),
    }
    words
}

fn not_had(kubectl: &Kubectl, failures: Vec<(String, String)>) -> Result<()> {
    let Some((service, words)) = failures.into_iter().next() else { return Ok(()) };
    Err(Error::tool(format!("the logs of `{service}` in `{}` cannot be had", kubectl.namespace))
        .detail(words.trim())
        .help("See what runs: `kilter status`."))
}
