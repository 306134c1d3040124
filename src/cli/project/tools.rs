//! The tools of a project: which version it wants, and getting it.

use super::Project;
use crate::cli::context::Context;
use crate::cli::ui::ToolProgress;
use crate::config::PathItem;
use crate::config::model::ToolPin;
use crate::diag::{Error, Kind, Problem, Result};
use crate::helm::{Helm, MAX_OUTPUT};
use crate::toolchain::{self, Floor, Installed, Pins, Tool, Want};

/// Returns the helm of a project: kilter.yaml's version, else the locked one, else kilter's default.
pub(crate) fn helm(ctx: &Context, project: &Project) -> Result<Helm> {
    let installed = tool(ctx, project, Tool::Helm)?;
    let locked = project.lock.as_ref().map(|lock| &lock.helm);
    let locked = locked.filter(|locked| locked.version == installed.version.to_string());
    if let (Some(is), Some(wants)) = (&installed.commit, locked.and_then(|locked| locked.commit.as_ref()))
        && is != wants
    {
        return Err(Error::missing(format!(
            "`{}` is not the helm {} of kilter.lock",
            installed.path.display(),
            installed.version
        ))
        .detail(format!("kilter.lock  commit {wants}\nthis one     commit {is}"))
        .help("Take kilter's own: unset `KILTER_HELM` and run `kilter tools install helm`."));
    }
    let home = ctx.store_dir("helm")?;
    let timeout = ctx.helm_timeout()?;
    Ok(Helm {
        path: installed.path,
        version: installed.version.to_string(),
        commit: installed.commit,
        digest: installed.digest,
        home,
        timeout,
        max_output: MAX_OUTPUT,
        confined_by: None,
    })
}

/// Returns a tool of a project, got when it is not there yet.
pub(crate) fn tool(ctx: &Context, project: &Project, tool: Tool) -> Result<Installed> {
    got(ctx, &wanted(project, tool)?)
}

/// Returns a tool of kilter's own choice, got when it is not there yet.
pub(crate) fn pinned_tool(ctx: &Context, tool: Tool) -> Result<Installed> {
    got(ctx, &Want::pinned(Pins::builtin(), tool))
}

fn got(ctx: &Context, want: &Want) -> Result<Installed> {
    let settings = ctx.tool_settings()?;
    match toolchain::find(&settings, want)? {
        Some(installed) => Ok(installed),
        None => toolchain::ensure(&settings, want, &ToolProgress::new(&ctx.ui)),
    }
}

/// Returns a tool of a project where it is there already; nothing is got. A program that the user named is run for its
/// version where it has changed since kilter last did.
pub(crate) fn present(ctx: &Context, project: &Project, tool: Tool) -> Result<Option<Installed>> {
    let (settings, want) = (ctx.tool_settings()?, wanted(project, tool)?);
    match settings.explicit.contains_key(&tool) {
        true => got(ctx, &want).map(Some),
        false => toolchain::find(&settings, &want),
    }
}

/// Decides which version of a tool a project wants.
///
/// # Errors
/// When kilter.yaml or kilter.lock has no exact version there, or one that is not safe to run.
pub(crate) fn wanted(project: &Project, tool: Tool) -> Result<Want> {
    let locked = project.lock.as_ref().filter(|_| tool == Tool::Helm).map(|lock| lock.helm.version.as_str());
    let said = project.loaded.config.tools.get(tool.name());
    let want = match (said, locked) {
        (Some(ToolPin::Version(version)), _) => Want::parse(tool, version, []),
        (Some(ToolPin::Checked(pin)), _) => {
            Want::parse(tool, &pin.version, pin.sha256.iter().map(|(k, v)| (k.as_str(), v.as_str())))
        }
        (None, Some(version)) => Want::parse(tool, version, []),
        (None, None) => Ok(Want::pinned(Pins::builtin(), tool)),
    }?;
    match Pins::builtin().floor_above(tool, &want.version) {
        None => Ok(want),
        Some(floor) => Err(unsafe_tool(project, &want, floor)),
    }
}

/// The error for a version of a tool that is known to be unsafe, whoever asks for it.
fn unsafe_tool(project: &Project, want: &Want, floor: &Floor) -> Error {
    let (tool, least) = (want.tool, &floor.version);
    let own = Pins::builtin().default_version(tool);
    let known = floor.advisories.join(" and ");
    let why = format!("is not safe to run: {known}, mended in {least}");
    let path = ["tools", tool.name(), "version"].map(PathItem::from);
    let place = [&path[..], &path[..2]].into_iter().find_map(|path| project.loaded.place_of(path));
    let problem = match place {
        Some(place) => Problem::new(format!("{want} {why}"))
            .at(place)
            .help(format!("Write {least} or a later version, or delete the line and take kilter's own, {own}.")),
        None => Problem::new(format!("the {want} of kilter.lock {why}"))
            .help(format!("Move to kilter's own, {own}: `kilter upgrade --tools`.")),
    };
    Error::from_problems(Kind::Project, vec![problem])
}
