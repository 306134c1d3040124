//! `kilter version`.

use serde_json::json;

use super::context::Context;
use crate::diag::Result;
use crate::toolchain::{Pins, Tool};

/// Prints the version of kilter and of the tools it pins.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kilter version\n  kilter version --json    # for a script")]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, ctx: &Context) -> Result<()> {
    let pins = Pins::builtin();
    let version = env!("CARGO_PKG_VERSION");
    if ctx.ui.json {
        let tools: serde_json::Map<_, _> = Tool::all()
            .into_iter()
            .map(|t| (t.name().to_owned(), pins.default_version(t).to_string().into()))
            .collect();
        ctx.ui.json(&json!({"version": version, "tools": tools, "kubernetes": pins.kubernetes()}));
        return Ok(());
    }
    ctx.ui.result(&format!("kilter {version}"));
    for tool in Tool::all() {
        ctx.ui.result(&format!("{:8} {}", tool.name(), pins.default_version(tool)));
    }
    ctx.ui.result(&format!("{:8} {}", "charts", format_args!("for Kubernetes {}", pins.kubernetes())));
    Ok(())
}
