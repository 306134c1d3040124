//! Following what was begun, and its last words.

use std::time::Duration;

use serde_json::{Value, json};

use super::access::Access;
use crate::api::{AppId, DeployAccepted, DeployInfo, Phase, PodLog};
use crate::cli::context::Context;
use crate::cli::ui::{self, Rows};
use crate::deploy::{Followed, Hop, follow, hops, waterfall};
use crate::diag::{Error, Result};

/// How many lines of a job that failed are shown.
const LAST_LINES: usize = 20;

/// Whether to wait, and how long.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WaitArgs {
    /// Wait until it is live (the default on a terminal).
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Print the address at once.
    #[arg(long, overrides_with = "wait")]
    no_wait: bool,
    /// How long to wait: `90s`, `10m`, `1h`, or seconds.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = patience)]
    timeout: Patience,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience(pub(crate) Duration);

fn patience(text: &str) -> std::result::Result<Patience, String> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => (&text[..at], unit),
        _ => (text, 's'),
    };
    let seconds = match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        _ => None,
    };
    let total = number.parse::<u64>().ok().zip(seconds).map(|(number, unit)| number.saturating_mul(unit));
    match total {
        Some(total @ 1..=86_400) => Ok(Patience(Duration::from_secs(total))),
        _ => Err("write a time from 1s to 24h, for example `90s` or `10m`".into()),
    }
}

/// A deploy or rollback that the server took.
#[derive(Debug)]
pub(crate) struct Begun<'a> {
    /// The app.
    pub(crate) id: &'a AppId,
    /// What the server answered.
    pub(crate) accepted: DeployAccepted,
    /// The image, when this command knows it.
    pub(crate) image: Option<String>,
    /// What was done until then.
    pub(crate) hops: Vec<Hop>,
}

/// Asks the server for something that it may have taken even if kilter is interrupted before the answer.
///
/// # Errors
/// Those of `ask`.
pub(crate) fn asking<T>(id: &AppId, ask: impl FnOnce() -> Result<T>) -> Result<T> {
    let show = show(id);
    ui::on_leaving(Some(format!("The server may have taken it all the same: `{show}` shows whether it has.")));
    let answer = ask();
    if !crate::exec::interrupted() {
        ui::on_leaving(None);
    }
    answer
}

impl Begun<'_> {
    /// Follows it to its end where that is wanted, and prints the address, or what went wrong.
    ///
    /// # Errors
    /// When it fails, a newer one takes its place, or it takes too long.
    pub(crate) fn finish(mut self, ctx: &Context, access: &Access, args: &WaitArgs) -> Result<()> {
        let DeployAccepted { revision, unchanged, .. } = self.accepted;
        let word = if unchanged { "nothing to do: it is" } else { "accepted as" };
        ctx.ui.talk(&format!("{}: {word} revision {revision}, deploy {}", self.id, self.accepted.deploy));
        if !args.wait && (args.no_wait || !ctx.ui.watched) {
            ctx.ui.talk(&format!("It goes on by itself: `{}` shows how far it is.", self.show()));
            self.print(ctx, None);
            return Ok(());
        }
        ui::on_leaving(Some(format!("The deploy goes on without you: `{}` shows how far it is.", self.show())));
        let followed = self.follow(ctx, access, args.timeout.0);
        if !crate::exec::interrupted() {
            ui::on_leaving(None);
        }
        match followed? {
            Followed::Ready(info) => {
                // What was deployed before took its time then.
                let timeline = info.timeline.as_ref().filter(|_| !unchanged);
                self.hops.extend(timeline.map(hops).unwrap_or_default());
                ctx.ui.talk(&waterfall(&self.hops));
                self.print(ctx, Some(&info));
                Ok(())
            }
            Followed::Failed(info) => Err(self.failed(access, &info)),
            Followed::Superseded(info) => Err(self.superseded(&info)),
            Followed::OutOfTime(info) => Err(self.out_of_time(info.as_ref(), args.timeout.0)),
        }
    }

    fn follow(&self, ctx: &Context, access: &Access, patience: Duration) -> Result<Followed> {
        let rows = Rows::new(&ctx.ui);
        let name = self.id.to_string();
        let tell = |info: &DeployInfo| match info.phase {
            Phase::Ready => rows.settle(&name, true, "live"),
            Phase::Failed => rows.settle(&name, false, "failed"),
            Phase::Superseded => rows.settle(&name, false, "a newer deploy took its place"),
            _ => rows.set(&name, &state(info)),
        };
        let away = |words: &str| rows.set(&name, &format!("the server does not answer just now ({words})"));
        follow(&access.client, self.id, &self.accepted.deploy, patience, &tell, &away)
    }

    /// Prints the result: the address alone, or all of it as JSON.
    fn print(&self, ctx: &Context, info: Option<&DeployInfo>) {
        let url = info.map(|info| info.url.as_str()).filter(|url| !url.is_empty()).unwrap_or(&self.accepted.url);
        if ctx.ui.json {
            ctx.ui.json(&self.json(info, url));
        } else {
            ctx.ui.result(url);
        }
    }

    fn json(&self, info: Option<&DeployInfo>, url: &str) -> Value {
        let image =
            self.image.clone().or_else(|| info.map(|info| info.image.clone()).filter(|image| !image.is_empty()));
        let took: Vec<Value> =
            self.hops.iter().map(|hop| json!({"name": hop.name, "seconds": hop.took.as_secs_f64()})).collect();
        json!({
            "deploy": self.accepted.deploy,
            "revision": self.accepted.revision,
            "unchanged": self.accepted.unchanged,
            "phase": info.map_or(Phase::Accepted, |info| info.phase),
            "url": url,
            "image": image,
            "commit": info.and_then(|info| info.commit.clone()),
            "hops": took,
        })
    }

    fn failed(&self, access: &Access, info: &DeployInfo) -> Error {
        let why = if info.message.is_empty() { "nothing says why" } else { info.message.trim_end_matches('.') };
        // Without its jobs' words the failure is still one.
        let logs = access.client.deploy_logs(self.id, &self.accepted.deploy).map(|logs| logs.pods).unwrap_or_default();
        let mut error = Error::tool(format!("the deploy of {} failed: {}", self.id, printable(why)));
        let lines: Vec<String> = logs.iter().flat_map(last_lines).collect();
        if !lines.is_empty() {
            error = error.detail(lines.join("\n"));
        }
        error
            .help(format!("See what the cluster says of it: `{}`.", self.show()))
            .help("Correct the cause, then deploy again. `kilter rollback` returns to what was live before.")
    }

    fn superseded(&self, info: &DeployInfo) -> Error {
        let why = if info.message.is_empty() { String::new() } else { format!(": {}", printable(&info.message)) };
        Error::project(format!(
            "a newer deploy of {} took the place of revision {}{why}",
            self.id, self.accepted.revision
        ))
        .help(format!("See which: `{}`. Deploy again if yours is the one that is wanted.", self.show()))
    }

    fn out_of_time(&self, info: Option<&DeployInfo>, patience: Duration) -> Error {
        let state = info.map_or_else(|| "the server did not answer".to_owned(), state);
        Error::project(format!("{} is not live after {} s: {state}", self.id, patience.as_secs()))
            .help(format!("It goes on by itself: `{}` shows how far it is.", self.show()))
            .help("`--timeout TIME` waits longer.")
    }

    fn show(&self) -> String {
        show(self.id)
    }
}

fn show(id: &AppId) -> String {
    let env = if id.env() == "prod" { String::new() } else { format!(" --env {}", id.env()) };
    format!("kilter apps show {}/{}{env}", id.org(), id.app())
}

/// Says how far a deploy is, and why it is no further when the server says so.
pub(crate) fn state(info: &DeployInfo) -> String {
    let words = match info.phase {
        Phase::Accepted => "accepted, waiting for the operator",
        Phase::Rendered => "rendered by helm",
        Phase::Committed => "committed, waiting for Flux",
        Phase::Reconciled => "applied by Flux, waiting for its pods",
        Phase::Ready => "live",
        Phase::Failed => "failed",
        Phase::Superseded => "a newer deploy took its place",
    };
    match info.message.as_str() {
        "" => words.to_owned(),
        message => format!("{words}: {}", printable(message)),
    }
}

/// Takes out of the server's words what moves a terminal's cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn last_lines(pod: &PodLog) -> Vec<String> {
    let lines: Vec<&str> = pod.log.lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    last.iter().map(|line| format!("{}: {}", pod.pod, printable(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_wait() {
        let seconds = |text: &str| patience(text).map(|patience| patience.0.as_secs()).ok();
        assert_eq!(["90s", "10m", "1h", "45"].map(seconds), [Some(90), Some(600), Some(3600), Some(45)]);
        assert_eq!(["", "0", "m", "1d", "25h", "-1s", "1.5m", "5ü"].map(seconds), [None; 8]);
    }
}
