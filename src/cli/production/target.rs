//! The app that is meant, and where it was said.

use std::path::{Path, PathBuf};

use super::access::{Access, ServerArgs};
use crate::api::AppId;
use crate::cli::context::Context;
use crate::cli::project::find_root;
use crate::deploy::{Remembered, remembered};
use crate::diag::{Error, Result};

/// A value, and where it comes from, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) value: String,
    pub(crate) from: &'static str,
}

impl Said {
    /// Returns the first value that there is.
    pub(crate) fn first<const N: usize>(places: [(Option<&str>, &'static str); N]) -> Option<Self> {
        places.into_iter().find_map(|(value, from)| Some(Self { value: value?.to_owned(), from }))
    }
}

/// Which app.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct AppArgs {
    /// The app on the server; else `KILTER_PROJECT`, or the one of the last deploy.
    #[arg(long, value_name = "ORG/APP")]
    pub(crate) project: Option<String>,
    /// The environment.
    #[arg(long, value_name = "ENV", default_value = "prod", add = clap_complete::ArgValueCandidates::new(super::super::candidates::environments))]
    pub(crate) env: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// The project that a command works in, as production knows it.
#[derive(Debug)]
pub(crate) struct Place {
    /// The project's root.
    pub(crate) root: PathBuf,
    /// Where the state of deploys is kept.
    pub(crate) dir: PathBuf,
    /// What is remembered of the project.
    pub(crate) remembered: Remembered,
}

impl Place {
    /// Looks where the command works. kilter.yaml need not be right.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub(crate) fn look(ctx: &Context) -> Result<Self> {
        let root = find_root(&ctx.directory()?, ctx.var("HOME").map(Path::new));
        let dir = ctx.state_dir()?.join("deploy");
        let remembered = remembered(&dir, &root)?;
        Ok(Self { root, dir, remembered })
    }

    /// Returns the app that is meant; `project` is what the command line says of it.
    ///
    /// # Errors
    /// When nothing says it, or its name is wrong.
    pub(crate) fn app(&self, ctx: &Context, project: Option<&str>, env: &str) -> Result<(AppId, Said)> {
        let said = Said::first([
            (project, "`--project`"),
            // A Tiltfile gets the project's directory under this name.
            (ctx.var("KILTER_PROJECT").filter(|value| !value.starts_with('/')), "`KILTER_PROJECT`"),
            (self.remembered.project.as_deref(), "the last deploy"),
        ]);
        let Some(said) = said else {
            return Err(Error::usage("which app? Nothing says it yet")
                .help("Add `--project ORG/APP`, or set `KILTER_PROJECT`; after the first deploy it is remembered."));
        };
        Ok((named(&said.value, env)?, said))
    }

    /// Finds the server.
    ///
    /// # Errors
    /// As [`Access::find`].
    pub(crate) fn access(&self, ctx: &Context, args: &ServerArgs) -> Result<Access> {
        Access::find(ctx, args, self.remembered.server.as_deref())
    }
}

/// Reads `ORG/APP`.
///
/// # Errors
/// When it is not two names.
pub(crate) fn named(project: &str, env: &str) -> Result<AppId> {
    let Some((org, app)) = project.split_once('/') else {
        return Err(Error::usage(format!("`{project}` is not an app: it has no `/`"))
            .help("Write organisation and app, for example `--project acme/shop`."));
    };
    AppId::new(org, app, env)
        .map_err(|why| Error::usage(why).help("Write organisation and app, for example `--project acme/shop`."))
}
