//! `kilter deploy`.

mod draft;
mod image;
mod plan;
mod secrets;

use std::time::Instant;

use super::context::Context;
use super::production::{Access, AppArgs, Begun, Place, Said, WaitArgs, asking};
use super::project::Project;
use crate::api::{AppId, DeployRequest};
use crate::deploy::{Hop, Remembered, check, idempotency_key, remember};
use crate::diag::{Error, Result};
use draft::Draft;

/// Deploys the project: builds its image, pushes it, and has the cluster run it.
///
/// What can be checked here is checked before anything is built. On a terminal kilter waits until the app is live. Standard
/// output is the app's address alone.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter deploy --project acme/shop --registry registry.example.com/acme    # the first time\n  kilter deploy\n  kilter deploy --env staging --migration \"npm run migrate\"\n  kilter deploy --plan          # what would change\n\n\
    Exit codes: 4 when the deploy failed, 1 when it is not live in time or a newer one took its place."
)]
pub(crate) struct Args {
    #[command(flatten)]
    app: AppArgs,
    /// Where images are pushed; else `KILTER_REGISTRY`, or the place of the last deploy.
    #[arg(long, value_name = "HOST/SCOPE")]
    registry: Option<String>,
    /// Deploy this image by digest; nothing is built.
    #[arg(long, value_name = "IMAGE@DIGEST")]
    image: Option<String>,
    /// Build for this platform; that of the cluster when left out.
    #[arg(long, value_name = "OS/ARCH", conflicts_with = "image")]
    platform: Option<String>,
    /// Run this before the new pods start; the deploy ends where it fails.
    #[arg(long, value_name = "COMMAND")]
    migration: Option<String>,
    /// Run this after the migration.
    #[arg(long, value_name = "COMMAND")]
    seed: Option<String>,
    /// Deploy without variables that only dev provides.
    #[arg(long)]
    allow_missing: bool,
    /// Refuse when the project differs from its git commit.
    #[arg(long)]
    require_clean: bool,
    /// A Secret that somebody else puts into the namespace (repeatable).
    #[arg(long, value_name = "SECRET")]
    external: Vec<String>,
    /// Print what would change, and change nothing.
    #[arg(long, conflicts_with_all = ["wait", "no_wait"])]
    plan: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let project = Project::open(ctx)?;
    let place = Place::look(ctx)?;
    let (id, said) = place.app(ctx, args.app.project.as_deref(), &args.app.env)?;
    let registry = registry(args, ctx, &place)?;
    let access = place.access(ctx, &args.app.server)?;
    let mut draft = Draft::new(args, ctx, &project, &id)?;
    tell(ctx, &id, &said, registry.as_ref(), &access);

    let info = access.client.info()?;
    draft.seal(ctx, &project, &place, &id, &info)?;
    check(&id, &draft.template, &info.domain)?;
    if args.plan {
        return plan::run(args, ctx, &access, &id, draft);
    }
    let mut hops = Vec::new();
    if let Some(registry) = &registry {
        let platform = args.platform.clone().or_else(|| info.platforms.first().cloned());
        draft.template.image = image::make(ctx, &project, &draft, &id, &registry.value, platform, &mut hops)?;
    }
    let image = draft.template.image.clone();
    let began = Instant::now();
    let (request, key) = (DeployRequest { template: draft.template }, idempotency_key()?);
    let accepted = asking(&id, || access.client.deploy(&id, &request, &key))?;
    hops.push(Hop { name: "accept", took: began.elapsed() });
    let now = Remembered {
        project: Some(said.value),
        registry: registry.map(|registry| registry.value).or_else(|| place.remembered.registry.clone()),
        server: Some(access.server.value.clone()),
    };
    remember(&place.dir, &place.root, &now)?;
    Begun { id: &id, accepted, image: Some(image), hops }.finish(ctx, &access, &args.wait)
}

/// Returns where the image is pushed; nothing when none is built.
fn registry(args: &Args, ctx: &Context, place: &Place) -> Result<Option<Said>> {
    if args.image.is_some() || args.plan {
        return Ok(None);
    }
    let said = Said::first([
        (args.registry.as_deref(), "`--registry`"),
        (ctx.var("KILTER_REGISTRY"), "`KILTER_REGISTRY`"),
        (place.remembered.registry.as_deref(), "the last deploy"),
    ]);
    let Some(said) = said else {
        return Err(Error::usage("where is the image to be pushed? Nothing says it yet").help(
            "Add `--registry HOST/SCOPE`, for example `--registry registry.example.com/acme`; after the first deploy it is remembered.",
        ));
    };
    let value = said.value.trim_end_matches('/').to_owned();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/:[]".contains(c);
    let host = value.split('/').next().unwrap_or_default();
    if !value.contains('/') || !host.contains(['.', ':']) && host != "localhost" || !value.chars().all(plain) {
        return Err(Error::usage(format!("`{value}` is not a place in a registry"))
            .help("Write the host and the scope, for example `registry.example.com/acme` or `localhost:5000/acme`."));
    }
    Ok(Some(Said { value, ..said }))
}

/// Says what is going on, and where what was not typed comes from.
fn tell(ctx: &Context, id: &AppId, app: &Said, registry: Option<&Said>, access: &Access) {
    let mut words = vec![format!("app by {}", app.from)];
    words.extend(registry.map(|registry| format!("registry {} by {}", registry.value, registry.from)));
    words.push(format!("server {} by {}", access.server.value, access.server.from));
    ctx.ui.talk(&format!("deploying {id} ({})", words.join(", ")));
}
