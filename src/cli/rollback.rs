//! `kilter rollback`.

use std::time::Instant;

use super::context::Context;
use super::production::{AppArgs, Begun, Place, WaitArgs, asking};
use crate::api::RollbackRequest;
use crate::deploy::{Hop, idempotency_key};
use crate::diag::Result;

/// Deploys an earlier revision again: image, variables and secrets as they were then.
///
/// Migrations are not run, neither forth nor back. Standard output is the app's address alone.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter rollback\n  kilter apps show              # which revisions there are\n  kilter rollback --to 12 --env staging"
)]
pub(crate) struct Args {
    #[command(flatten)]
    app: AppArgs,
    /// The revision; when left out, the newest before the current one that was live.
    #[arg(long, value_name = "REVISION")]
    to: Option<u64>,
    #[command(flatten)]
    wait: WaitArgs,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let place = Place::look(ctx)?;
    let (id, said) = place.app(ctx, args.app.project.as_deref(), &args.app.env)?;
    let access = place.access(ctx, &args.app.server)?;
    ctx.ui.talk(&format!(
        "rolling back {id} (app by {}) at {} (by {})",
        said.from, access.server.value, access.server.from
    ));
    let began = Instant::now();
    let (request, key) = (RollbackRequest { to: args.to }, idempotency_key()?);
    let accepted = asking(&id, || access.client.rollback(&id, &request, &key))?;
    let hops = vec![Hop { name: "accept", took: began.elapsed() }];
    Begun { id: &id, accepted, image: None, hops }.finish(ctx, &access, &args.wait)
}
