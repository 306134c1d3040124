//! Finding or making the cluster of an instance.

use super::Dev;
use crate::cli::context::Context;
use crate::cli::project::Project;
use crate::cluster::{Kubectl, Target, take_context};
use crate::diag::Result;

/// What became of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// Whether it is another one than before, or was started: what talked to it before has to start again.
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
        let made = match &self.target {
            Target::Context { context, registry } => {
                take_context(&kubectl.program, context, &kubectl.kubeconfig)?;
                Made { anew: false, registry: registry.clone() }
            }
            Target::Kind { .. } => self.ensure_kind(ctx, project)?,
        };
        kubectl.ready().map_err(|error| self.unreachable(error))?;
        if kubectl.ensure_namespace(self.plan.project.as_str())? {
            ctx.ui.talk(&format!("made the namespace {}", self.plan.namespace));
        }
        Ok(made)
    }

    fn unreachable(&self, error: crate::diag::Error) -> crate::diag::Error {
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
    pub(crate) fn kubectl_there(&self, ctx: &Context, project: &Project) -> Result<Kubectl> {
        let kubectl = self.kubectl(ctx, project)?;
        match &self.target {
            Target::Context { context, .. } => take_context(&kubectl.program, context, &kubectl.kubeconfig)?,
            Target::Kind { .. } => self.require_kind(ctx)?,
        }
        kubectl.ready().map_err(|error| self.unreachable(error))?;
        Ok(kubectl)
    }

    fn ensure_kind(&self, _ctx: &Context, _project: &Project) -> Result<Made> {
        Err(crate::diag::Error::missing("kind is not here yet"))
    }

    fn require_kind(&self, _ctx: &Context) -> Result<()> {
        Err(crate::diag::Error::missing("kind is not here yet"))
    }

    pub(crate) fn stop_kind(&self, _ctx: &Context, _project: &Project) -> Result<()> {
        Err(crate::diag::Error::missing("kind is not here yet"))
    }

    pub(crate) fn destroy_kind(&self, _ctx: &Context, _project: &Project) -> Result<()> {
        Err(crate::diag::Error::missing("kind is not here yet"))
    }
}
