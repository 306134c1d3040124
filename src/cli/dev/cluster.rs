//! Finding or making the cluster of an instance.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;

use super::{Dev, Place};
use crate::cli::context::Context;
use crate::cli::project::{Project, tool, wanted};
use crate::cluster::{
    self, Docker, KindCluster, Kubectl, Limits, REGISTRY_IMAGE, Registry, State, Target, take_context,
};
use crate::diag::{Error, Problem, Result};
use crate::fsx;
use crate::toolchain::{self, Tool};

/// What became of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// Whether it is another one than before, was started, or has lost the namespace: what talked to it before has to start
    /// again.
    pub(crate) anew: bool,
    /// The registry that the app's image goes to.
    pub(crate) registry: Option<String>,
}

impl Dev {
    /// Finds or makes the cluster, and the namespace in it.
    ///
    /// # Errors
    /// When it cannot be made or does not answer.
    pub(crate) fn ensure_cluster(&self, ctx: &Context, project: &Project, kubectl: &Kubectl) -> Result<Made> {
        self.remember()?;
        let made = match &self.target {
            Target::Context { context, registry } => {
                let before = fsx::read(&kubectl.kubeconfig, fsx::MAX_FILE)?;
                take_context(&kubectl.program, context, &kubectl.kubeconfig)?;
                Made { anew: before != fsx::read(&kubectl.kubeconfig, fsx::MAX_FILE)?, registry: registry.clone() }
            }
            Target::Kind { .. } => self.ensure_kind(ctx, project)?,
        };
        kubectl.ready().map_err(|error| self.unreachable(error))?;
        let emptied = kubectl.ensure_namespace(self.plan.project.as_str())?;
        if emptied {
            ctx.ui.talk(&format!("made the namespace {}", self.plan.namespace));
        }
        Ok(Made { anew: made.anew || emptied, ..made })
    }

    /// Requires docker before a tool is got that is of no use without it: getting one takes minutes on some machines.
    ///
    /// # Errors
    /// When docker is not there or does not answer, kilter's own cluster is wanted, and kubectl is not here yet.
    pub(super) fn require_docker_first(&self, ctx: &Context, project: &Project) -> Result<()> {
        let is_here = || toolchain::find(&ctx.tool_settings()?, &wanted(project, Tool::Kubectl)?);
        if !matches!(self.target, Target::Kind { .. }) || is_here()?.is_some() {
            return Ok(());
        }
        docker(ctx).map(drop)
    }

    /// Tells whether images are built that the cluster is to pull: the app's, or whatever a Tiltfile of the user's says.
    fn builds(&self) -> bool {
        self.plan.app.is_some() || self.root.join("kilter/Tiltfile").exists()
    }

    fn ensure_kind(&self, ctx: &Context, project: &Project) -> Result<Made> {
        let kind = self.kind(ctx, project)?;
        let work = ctx.ui.work(&format!("looking at {}", self.target.shown()));
        let progress = |text: &str| ctx.ui.talk(text);
        if !matches!(kind.state()?, State::Running | State::Paused) {
            self.require_block(ctx)?;
        }
        let ensured = kind.ensure(&progress)?;
        let registry = match self.builds() {
            true => Some(Registry::ensure(&kind.docker, &ctx.state_dir()?, REGISTRY_IMAGE, &progress)?),
            false => None,
        };
        let nodes: Vec<&str> = ensured.nodes.iter().map(String::as_str).collect();
        registry.iter().try_for_each(|registry| registry.wire(&kind.docker, &nodes))?;
        drop(work);
        if !ensured.stale.is_empty() {
            ctx.ui.warn(
                &Problem::new("the cluster is not what its settings say by now").detail(ensured.stale.join("\n")).help(
                    "What was settled when it was made changes only with it: `kilter destroy`, then `kilter up`.",
                ),
            );
        }
        Ok(Made { anew: ensured.made != cluster::Made::Running, registry: registry.map(|registry| registry.address) })
    }

    fn kind(&self, ctx: &Context, project: &Project) -> Result<KindCluster> {
        let docker = docker(ctx)?;
        let (kind, kubectl) = (tool(ctx, project, Tool::Kind)?.path, tool(ctx, project, Tool::Kubectl)?.path);
        Ok(self.kind_with(docker, kind, kubectl))
    }
}

impl Place {
    /// Returns the kubeconfig of the instance: one context, kilter's own copy.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.directory.path("kubeconfig")
    }

    /// Returns kubectl for the instance.
    pub(super) fn kubectl_of(&self, program: PathBuf) -> Kubectl {
        Kubectl { program, kubeconfig: self.kubeconfig(), namespace: self.namespace.clone() }
    }

    fn unreachable(&self, error: Error) -> Error {
        match &self.target {
            Target::Kind { .. } => error.help("Look at what is wrong with it: `kilter doctor`."),
            Target::Context { context, .. } => error
                .help(format!(
                    "Start {}, or name another cluster for this machine: `KILTER_CONTEXT=NAME`.",
                    self.target.shown()
                ))
                .help(format!("To see what it says: `kubectl --context {context} get nodes`.")),
        }
    }

    /// Returns kubectl for a cluster that is there and answers; nothing is made.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn there(&self, ctx: &Context, program: PathBuf) -> Result<Kubectl> {
        let kubectl = self.kubectl_of(program);
        match &self.target {
            // Who only looks makes no directory.
            Target::Context { .. } if !self.directory.root.is_dir() => {
                return Err(Error::missing("nothing of this project is rendered yet").help("Bring it up: `kilter up`."));
            }
            Target::Context { context, .. } => take_context(&kubectl.program, context, &kubectl.kubeconfig)?,
            Target::Kind { .. } => self.require_kind(ctx)?,
        }
        kubectl.ready().map_err(|error| self.unreachable(error))?;
        Ok(kubectl)
    }

    /// Requires a kind cluster that runs.
    fn require_kind(&self, ctx: &Context) -> Result<()> {
        let kind = self.kind_without_tools(ctx)?;
        let what = match kind.state()? {
            State::Running => return Ok(()),
            State::Absent => "there is no cluster yet".to_owned(),
            State::Stopped => "the cluster is stopped".to_owned(),
            State::Paused => "the cluster is paused".to_owned(),
            State::Broken(why) => format!("the cluster is broken: {why}"),
        };
        Err(Error::missing(what).help("Bring it up: `kilter up`."))
    }

    /// Returns the kind cluster for what docker alone can do.
    ///
    /// # Errors
    /// When there is no docker, or it does not answer.
    pub(crate) fn kind_without_tools(&self, ctx: &Context) -> Result<KindCluster> {
        Ok(self.kind_with(docker(ctx)?, PathBuf::new(), PathBuf::new()))
    }

    fn kind_with(&self, docker: Docker, kind: PathBuf, kubectl: PathBuf) -> KindCluster {
        let name = match &self.target {
            Target::Kind { name } => name.clone(),
            Target::Context { context, .. } => context.clone(),
        };
        KindCluster {
            kind,
            kubectl,
            docker,
            name,
            config: self.directory.path("kind.yaml"),
            kubeconfig: self.kubeconfig(),
            limits: Limits::default(),
        }
    }
}

/// Returns the docker of this machine.
///
/// # Errors
/// When there is none, or it does not answer.
pub(crate) fn docker(ctx: &Context) -> Result<Docker> {
    Docker::find(ctx.var("PATH").map(OsStr::new), BTreeMap::new())
}
