//! `kilter schema`.

use super::context::Context;
use crate::config;
use crate::diag::Result;

/// Prints the JSON Schema of kilter.yaml, for editors.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kilter schema > kilter.schema.json\n  # then, as the first line of kilter.yaml:\n  # yaml-language-server: $schema=./kilter.schema.json"
)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, ctx: &Context) -> Result<()> {
    ctx.ui.result(&config::schema_json());
    Ok(())
}
