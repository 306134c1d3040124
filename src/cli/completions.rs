//! `kilter completions`.

use clap_complete::env::Shells;

use super::context::Context;
use crate::diag::{Error, Result};

/// Prints the script that completes kilter's commands in a shell.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter completions bash >> ~/.bashrc\n  kilter completions zsh > ~/.zfunc/_kilter\n  kilter completions fish > ~/.config/fish/completions/kilter.fish"
)]
pub(crate) struct Args {
    /// Which shell: bash, elvish, fish, powershell or zsh.
    #[arg(value_name = "SHELL", value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
    shell: String,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let shells = Shells::builtins();
    let shell =
        shells.completer(&args.shell).ok_or_else(|| Error::bug(format!("no completions for `{}`", args.shell)))?;
    let mut script = Vec::new();
    shell
        .write_registration("COMPLETE", "kilter", "kilter", "kilter", &mut script)
        .map_err(|error| Error::bug(format!("cannot write completions: {error}")))?;
    ctx.ui.result_bytes(&script);
    Ok(())
}
