//! How a .NET app runs in dev.

use super::{DotnetProject, Facts};
use crate::catalog::Ecosystem;
use crate::detect::app::{Candidate, Ready};
use crate::detect::command;
use crate::detect::files::Files;
use crate::detect::json::{Json, Objects};
use crate::detect::model::{Found, Stack};
use crate::detect::places::{join, split};

/// The port that ASP.NET Core listens on when nothing says another
/// (<https://learn.microsoft.com/en-us/aspnet/core/fundamentals/servers/kestrel/endpoints>).
const PORT: u16 = 5000;

/// The release of .NET when the project says none, and the least that there are images of with what `dotnet watch` needs.
const RELEASE: u32 = 10;
const LEAST: u32 = 6;

/// Describes every project that can be an app.
pub(in crate::detect) fn candidates(files: &Files<'_>, projects: &[DotnetProject]) -> Vec<Ready> {
    let apps = projects.iter().filter_map(|project| Some((project, project.facts.as_ref()?)));
    apps.filter(|(_, facts)| !facts.tests && !facts.hosts)
        .map(|(project, facts)| ready(files, project, facts))
        .collect()
}

fn ready(files: &Files<'_>, project: &DotnetProject, facts: &Facts) -> Ready {
    let has = |sdk: &str| facts.sdks.iter().any(|known| known == sdk);
    let host = has("aspire.apphost.sdk");
    let serves = has("microsoft.net.sdk.web");
    let worker = has("microsoft.net.sdk.worker");
    // A window needs a screen, and a page that runs in the browser is served by another project where there is one.
    let runs = (serves || worker || facts.output.as_deref() == Some("exe")) && !host && can_run_here(facts);
    let port = serves.then(|| {
        launch_port(files, &project.dir)
            .unwrap_or_else(|| Found::new(PORT, &project.file, 1, "the default of ASP.NET Core"))
    });
    let name = split(&project.file).1;
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let dev = runs.then(|| {
        let listens = port.as_ref().map(|port| format!(" -- --urls http://0.0.0.0:{}", port.value)).unwrap_or_default();
        let project_flag = match one_project(files, project) {
            true => String::new(),
            false => format!(" --project {}", command::quote(name)),
        };
        let line = format!("dotnet watch --non-interactive run{project_flag}{listens}");
        let note = if serves { "a web project" } else { "a program" };
        Found::new(line, &project.file, 1, note)
    });
    let candidate = Candidate {
        dir: project.dir.clone(),
        ecosystem: Ecosystem::Dotnet,
        name: Some(Found::new(stem.to_owned(), &project.file, 1, "the project's file")),
        image: dev.as_ref().map(|_| image(project, facts)),
        dev,
        fixed_port: true,
        port,
        reloads: true,
        serves,
    };
    Ready { candidate, stack: stack(files, project) }
}

/// Tells whether the SDK's image can run it: not a program of Windows, of a phone or of the .NET Framework.
fn can_run_here(facts: &Facts) -> bool {
    let Some((framework, _)) = &facts.framework else { return true };
    framework.split(';').any(|name| release(name).is_some())
}

/// Returns the release of `net8.0`; other frameworks, and those of one system, are none.
fn release(framework: &str) -> Option<u32> {
    let version = framework.trim().strip_prefix("net").filter(|rest| !rest.contains('-'))?;
    let (major, _) = version.split_once('.')?;
    major.parse().ok().filter(|major| (5..100).contains(major))
}

fn one_project(files: &Files<'_>, project: &DotnetProject) -> bool {
    files.all().filter(|path| split(path).0 == project.dir && super::is_project(split(path).1)).count() == 1
}

/// Returns the image of the SDK for the newest framework of the project.
fn image(project: &DotnetProject, facts: &Facts) -> Found<String> {
    let asked = facts.framework.as_ref().and_then(|(names, line)| {
        let release = names.split(';').filter_map(release).max()?;
        Some((release.max(LEAST), *line, "fits the target framework"))
    });
    let (release, line, note) = asked.unwrap_or((RELEASE, 1, "kilter's default for .NET"));
    Found::new(format!("mcr.microsoft.com/dotnet/sdk:{release}.0"), &project.file, line, note)
}

/// Returns the port of the first address with plain HTTP among the profiles that start the project itself
/// (<https://learn.microsoft.com/en-us/aspnet/core/fundamentals/environments#lsj>).
fn launch_port(files: &Files<'_>, dir: &str) -> Option<Found<u16>> {
    let path = join(dir, "Properties/launchSettings.json");
    let objects = Objects { names: &["profiles"], or_empty_list: false };
    let json = files.has(&path).then(|| Json::object(files, &path, str::to_owned, &objects))??;
    let profiles = json.value["profiles"].as_object()?;
    profiles.iter().filter(|(_, profile)| profile["commandName"] == "Project").find_map(|(name, profile)| {
        let port = profile["applicationUrl"].as_str()?.split(';').find_map(http_port)?;
        let line = json.line(&["profiles", name, "applicationUrl"]);
        Some(Found::new(port, path.as_str(), line, "applicationUrl of launchSettings.json"))
    })
}

fn http_port(address: &str) -> Option<u16> {
    let rest = address.trim().strip_prefix("http://")?.trim_end_matches('/');
    rest.rsplit_once(':')?.1.parse().ok().filter(|port| *port > 0)
}

/// Tells how the project is installed: everything is copied first, as its packages may be named in any file above it.
fn stack(files: &Files<'_>, project: &DotnetProject) -> Stack {
    let name = split(&project.file).1;
    let named = |path: &&str| {
        let name = split(path).1;
        super::is_project(name) || super::SHARED.contains(&name) || name == "global.json"
    };
    Stack {
        ecosystem: Ecosystem::Dotnet,
        manager: "dotnet".into(),
        manifests: Vec::new(),
        rebuild_on: files.all().filter(named).map(str::to_owned).collect(),
        install: command::in_dir(&project.dir, &format!("dotnet restore {}", command::quote(name))),
        extensions: Vec::new(),
        keeps: Vec::new(),
        reloads: false,
    }
}
