//! `kilter deploy --plan`.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Args;
use super::draft::Draft;
use crate::api::{AppId, DeployRequest};
use crate::cli::context::Context;
use crate::cli::production::Access;
use crate::deploy::{idempotency_key, rest};
use crate::diag::{Error, Result};

/// How often is asked for the answer, and how long.
const PAUSE: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks what the deploy would change, and prints the difference.
///
/// # Errors
/// When the server refuses, or the operator does not answer.
pub(super) fn run(args: &Args, ctx: &Context, access: &Access, id: &AppId, mut draft: Draft) -> Result<()> {
    if args.image.is_none() {
        // Nothing is built for a question; what is left to compare is everything else.
        let running = access.client.app(id)?.map(|app| app.deploy.image).filter(|image| !image.is_empty());
        match running {
            Some(image) => {
                ctx.ui.talk(&format!("no image is built for a plan: it is compared with {image}, which runs now"));
                draft.template.image = image;
            }
            None => ctx.ui.talk("no image is built for a plan, and none runs yet: a stand-in takes its place"),
        }
    }
    let work = ctx.ui.work("asking the operator what would change");
    let request = DeployRequest { template: draft.template };
    let plan = access.client.plan(id, &request, &idempotency_key()?)?.plan;
    let began = Instant::now();
    let answer = loop {
        let answer = access.client.plan_info(id, &plan)?;
        if answer.done {
            break answer;
        }
        if began.elapsed() > PATIENCE {
            return Err(Error::tool("the operator does not answer")
                .help("Ask the people who run the cluster; `kilter apps` shows whether apps move on."));
        }
        rest(PAUSE)?;
    };
    drop(work);
    if let Some(why) = answer.error {
        return Err(Error::project(format!("the operator cannot render it: {}", why.trim_end_matches('.')))
            .help("Correct what it names, then ask again."));
    }
    if ctx.ui.json {
        ctx.ui.json(&json!({"diff": answer.diff}));
    } else if answer.diff.is_empty() {
        ctx.ui.talk("Nothing would change.");
    } else {
        ctx.ui.result(&answer.diff);
    }
    Ok(())
}
