//! `kilter man`.

use std::path::PathBuf;

use clap::CommandFactory as _;

use super::Cli;
use super::context::Context;
use crate::diag::{Error, Result};
use crate::fsx;

/// Prints the man page of kilter, or writes those of all commands.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kilter man | man -l -\n  kilter man --out ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// Write one page per command into this directory.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let Some(out) = &args.out else {
        ctx.ui.result_bytes(&page(command)?);
        return Ok(());
    };
    let out = ctx.directory()?.join(out);
    write(&command, &out, ctx)
}

fn write(command: &clap::Command, out: &std::path::Path, ctx: &Context) -> Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let path = out.join(format!("{name}.1"));
    fsx::write_if_changed(&path, &page(command.clone())?)?;
    ctx.ui.result(&path.to_string_lossy());
    command.get_subcommands().try_for_each(|sub| write(sub, out, ctx))
}

fn page(command: clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    // No date: two builds of one kilter write the same page.
    clap_mangen::Man::new(command)
        .date("")
        .render(&mut page)
        .map_err(|error| Error::bug(format!("cannot write the man page: {error}")))?;
    Ok(page)
}
