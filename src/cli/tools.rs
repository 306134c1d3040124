//! `kilter tools`.

use serde_json::json;

use super::context::Context;
use super::project::{self, Project};
use super::ui::ToolProgress;
use crate::diag::{Error, Result};
use crate::ids::did_you_mean;
use crate::toolchain::{self, Installed, Tool};

/// Gets, lists and finds the pinned tools that kilter runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kilter tools install            # all of them\n  kilter tools path helm")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Gets tools that are not there yet, all of them when none is named.
    #[command(
        after_help = "Examples:\n  kilter tools install            # all of them\n  kilter tools install helm tilt"
    )]
    Install {
        /// Which tools.
        #[arg(value_name = "TOOL")]
        tools: Vec<String>,
    },
    /// Lists every tool with its version, and where it is when it is there.
    #[command(after_help = "Examples:\n  kilter tools list\n  kilter tools list --json    # for a script")]
    List,
    /// Prints the path of a tool, which is got first when it is not there.
    #[command(after_help = "Example:\n  kilter tools path helm")]
    Path {
        /// Which tool.
        #[arg(value_name = "TOOL")]
        tool: String,
    },
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let project = Project::open(ctx)?;
    match &args.action {
        Action::Install { tools } => {
            let tools = match tools.as_slice() {
                [] => Tool::all().to_vec(),
                names => names.iter().map(|name| parse(name)).collect::<Result<_>>()?,
            };
            let installed: Vec<Installed> =
                tools.into_iter().map(|tool| get(ctx, &project, tool)).collect::<Result<_>>()?;
            print(ctx, &installed.iter().map(|i| (i.tool, Some(i))).collect::<Vec<_>>(), &project)
        }
        Action::List => {
            let mut found = Vec::new();
            for tool in Tool::all() {
                found.push((tool, project::present(ctx, &project, tool)?));
            }
            print(ctx, &found.iter().map(|(tool, i)| (*tool, i.as_ref())).collect::<Vec<_>>(), &project)
        }
        Action::Path { tool } => {
            let installed = get(ctx, &project, parse(tool)?)?;
            match ctx.ui.json {
                true => ctx.ui.json(&json!(installed)),
                false => ctx.ui.result(&installed.path.to_string_lossy()),
            }
            Ok(())
        }
    }
}

fn parse(name: &str) -> Result<Tool> {
    Tool::parse(name).ok_or_else(|| {
        let names = Tool::all().map(Tool::name);
        let error = Error::usage(format!("kilter has no tool `{name}`"));
        match did_you_mean(name, names) {
            Some(near) => error.help(format!("Did you mean `{near}`?")),
            None => error.help(format!("It has {}.", names.join(", "))),
        }
    })
}

fn get(ctx: &Context, project: &Project, tool: Tool) -> Result<Installed> {
    toolchain::ensure(&ctx.tool_settings()?, &project::wanted(project, tool)?, &ToolProgress::new(&ctx.ui))
}

fn print(ctx: &Context, tools: &[(Tool, Option<&Installed>)], project: &Project) -> Result<()> {
    if ctx.ui.json {
        let mut rows = Vec::new();
        for (tool, installed) in tools {
            rows.push(match installed {
                Some(installed) => json!(installed),
                None => json!({"tool": tool, "version": project::wanted(project, *tool)?.version, "path": null}),
            });
        }
        ctx.ui.json(&json!(rows));
        return Ok(());
    }
    for (tool, installed) in tools {
        let name = ctx.ui.strong(&format!("{:8}", tool.name()));
        match installed {
            Some(i) => {
                let about = format!("{}  ({})", i.path.display(), i.source);
                ctx.ui.result(&format!("{name} {:8} {about}", i.version.to_string()));
            }
            None => {
                let version = project::wanted(project, *tool)?.version.to_string();
                ctx.ui.result(&format!("{name} {version:8} not here yet: `kilter tools install {}`", tool.name()));
            }
        }
    }
    Ok(())
}
