//! An instance as the commands of its life work on it: its cluster, its Tilt, what it writes and where.

mod applied;
mod board;
mod cluster;
mod env_file;
mod forwards;
mod place;
mod ports;
mod verdict;
mod view;
mod volumes;
mod wait;
mod workloads;

use std::ops::Deref;
use std::path::PathBuf;

use super::context::Context;
use super::project::{Prepared, Project, tool};
use crate::cluster::{Instance, Kubectl};
use crate::config::model::Cluster;
use crate::diag::{Error, Result};
use crate::plan::Plan;
use crate::tilt::Tilt;
use crate::toolchain::Tool;

pub(crate) use cluster::docker;
pub(crate) use place::{Place, kubectl_program, left, sessions, tilt_of};
pub(crate) use ports::published;
pub(crate) use verdict::{Outcome as ServiceOutcome, Verdict};
pub(crate) use volumes::{refuse_lost_volumes, warn_of_other_volumes};
pub(crate) use wait::{Budgets, Expected, Waiting};
pub(crate) use workloads::{Workload, speakers, stored, workloads};

/// An instance.
#[derive(Debug)]
pub(crate) struct Dev {
    /// What kilter.yaml says of the cluster.
    pub(crate) cluster: Cluster,
    /// Its ports.
    pub(crate) instance: Instance,
    /// Its plan.
    pub(crate) plan: Plan,
    /// Where it lives.
    place: Place,
}

/// What can be done to a place can be done to an instance: it has one.
impl Deref for Dev {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Dev {
    /// Looks at the instance of an open project; nothing is written.
    ///
    /// # Errors
    /// When the project cannot be planned.
    pub(crate) fn look(ctx: &Context, project: &Project) -> Result<Self> {
        let (plan, ..) = project.plan(ctx)?;
        let instance = project.look(ctx, &plan)?;
        Self::new(ctx, project, plan, instance)
    }

    /// Takes the instance of a project that is about to be rendered.
    ///
    /// # Errors
    /// When the cluster's name gets too long.
    pub(crate) fn of(ctx: &Context, prepared: &Prepared) -> Result<Self> {
        Self::new(ctx, &prepared.project, prepared.plan.clone(), prepared.instance.clone())
    }

    fn new(ctx: &Context, project: &Project, plan: Plan, instance: Instance) -> Result<Self> {
        let cluster = project.loaded.config.cluster.clone().unwrap_or_default();
        let place = Place::new(ctx, project, &instance)?;
        Ok(Self { cluster, instance, plan, place })
    }

    /// Returns kubectl for the instance, got when it is not there yet.
    ///
    /// # Errors
    /// When it cannot be had.
    pub(crate) fn kubectl(&self, ctx: &Context, project: &Project) -> Result<Kubectl> {
        self.require_docker_first(ctx, project)?;
        Ok(self.kubectl_of(kubectl_program(ctx, Some(project))?))
    }

    /// Returns kubectl for a cluster that is there and answers; nothing is made.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn kubectl_there(&self, ctx: &Context, project: &Project) -> Result<Kubectl> {
        self.require_docker_first(ctx, project)?;
        self.there(ctx, kubectl_program(ctx, Some(project))?)
    }

    /// Returns Tilt for the instance, got when it is not there yet.
    ///
    /// # Errors
    /// When it cannot be had.
    pub(crate) fn tilt(&self, ctx: &Context, project: &Project) -> Result<Tilt> {
        Ok(Tilt { program: tool(ctx, project, Tool::Tilt)?.path, session: self.session.clone() })
    }

    /// Returns what Tilt and the user's Tiltfile are told: `tools` are the programs that come first on PATH.
    pub(crate) fn tilt_env(&self, ctx: &Context, tools: &[PathBuf], registry: Option<&str>) -> Vec<(String, String)> {
        let mut path: Vec<PathBuf> = tools.iter().filter_map(|tool| tool.parent()).map(PathBuf::from).collect();
        path.dedup();
        path.extend(std::env::split_paths(ctx.var("PATH").unwrap_or_default()));
        let path = std::env::join_paths(path).unwrap_or_default();
        let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let blocks: Vec<String> = self.instance.blocks.iter().map(u16::to_string).collect();
        let forward = if self.target.forwards(&self.cluster) { "1" } else { "" };
        let own = [
            ("PATH", path.to_string_lossy().into_owned()),
            ("KUBECONFIG", text(&self.kubeconfig())),
            ("KILTER_ARTIFACTS", text(&self.directory.root)),
            ("KILTER_PROJECT", text(&self.root)),
            ("KILTER_HOST_PORTS", blocks.join(",")),
            ("KILTER_CONTEXT", self.target.context()),
            ("KILTER_REGISTRY", registry.unwrap_or_default().to_owned()),
            ("KILTER_FORWARD", forward.to_owned()),
        ];
        own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Returns kilter itself, which starts what outlives it.
///
/// # Errors
/// When the system does not say where it is.
pub(crate) fn launcher() -> Result<PathBuf> {
    std::env::current_exe().map_err(|error| Error::io("find kilter's own program", &error))
}
