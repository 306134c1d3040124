//! Where an instance lives: enough to end it, also when its kilter.yaml cannot be read.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::artifacts::Directory;
use crate::cli::context::Context;
use crate::cli::project::{Project, find_root, instance_of, lock_of, pinned_tool, tool};
use crate::cluster::{Instance, Machine, Target};
use crate::config::model::Provider;
use crate::diag::{Error, Kind, Result};
use crate::exec::{Process, Record};
use crate::fsx;
use crate::ids::Name;
use crate::plan;
use crate::tilt::Session;
use crate::toolchain::Tool;

/// Where an instance lives.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Name of the project.
    pub(crate) project: Name,
    /// The name that this machine has for it: the project's, with the instance.
    pub(crate) key: String,
    /// Where it runs.
    pub(crate) target: Target,
    /// The namespace of everything in it.
    pub(crate) namespace: String,
    /// Its artifacts.
    pub(crate) directory: Directory,
    /// What this machine remembers of it, Tilt's files among that.
    pub(crate) session: Session,
    /// The project's directory.
    pub(crate) root: PathBuf,
}

/// What is kept of a place that something was brought up in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remembered {
    /// The kubeconfig context.
    context: String,
    /// The name of kind's cluster, where it is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    kind_cluster: Option<String>,
    /// The namespace.
    namespace: String,
}

/// The file in an instance's directory that holds it.
const MEMORY: &str = "place.json";

impl Remembered {
    /// Reads what the directory of an instance remembers.
    fn read(session: &Path) -> Option<Self> {
        let text = fsx::read_text(&session.join(MEMORY), fsx::MAX_FILE).ok()??;
        serde_json::from_str(&text).ok()
    }
}

/// Returns in words what was brought up and not destroyed since, by the directory of an instance.
pub(crate) fn left(session: &Path) -> Option<String> {
    let was = Remembered::read(session)?;
    Some(match was.kind_cluster {
        Some(name) => format!("the kind cluster `{name}`"),
        None => format!("the namespace `{}` in the cluster of `{}`", was.namespace, was.context),
    })
}

impl Place {
    /// Returns the place of an instance as kilter.yaml has it.
    ///
    /// # Errors
    /// When the cluster's name gets too long.
    pub(super) fn new(ctx: &Context, project: &Project, instance: &Instance) -> Result<Self> {
        let cluster = project.loaded.config.cluster.clone().unwrap_or_default();
        let target = Target::of(instance, &cluster, ctx.var("KILTER_CONTEXT"))?;
        let namespace = plan::namespace(&instance.project, instance.name.as_ref(), cluster.provider);
        Self::with(ctx, instance, project.root.clone(), target, namespace)
    }

    fn with(ctx: &Context, instance: &Instance, root: PathBuf, target: Target, namespace: String) -> Result<Self> {
        let key = Instance::key(&instance.project, instance.name.as_ref());
        Ok(Self {
            project: instance.project.clone(),
            target,
            namespace,
            directory: Directory { root: ctx.cache_dir()?.join(&key) },
            session: Session { dir: sessions(ctx)?.join(&key), port: instance.tilt_port },
            root,
            key,
        })
    }

    /// Finds the place that is to be ended: where the instance was brought up, else where kilter.yaml says that it would be.
    /// A kilter.yaml that cannot be read does not keep anybody from that: the project is `None` then.
    ///
    /// # Errors
    /// When kilter.yaml cannot be read and nothing is remembered of its directory.
    pub(crate) fn find(ctx: &Context) -> Result<(Self, Option<Project>)> {
        match Project::open(ctx) {
            Ok(project) => {
                // Of a directory that says nothing of itself, this machine may know more.
                if project.text.as_deref().is_none_or(|text| text.trim().is_empty())
                    && project.lock.is_none()
                    && let Some(place) = Self::of_directory(ctx)?
                {
                    return Ok((place, Some(project)));
                }
                let (name, instance) = (&project.name, project.instance.as_ref());
                let instance = Instance::look(&ctx.state_dir()?, name, instance, &project.root, 1)?;
                Ok((Self::new(ctx, &project, &instance)?.remembered(), Some(project)))
            }
            Err(error) if error.kind() == Kind::Project => {
                let Some(place) = Self::of_directory(ctx)? else { return Err(error) };
                error.problems().iter().for_each(|problem| ctx.ui.warn(problem));
                ctx.ui.talk(&format!("Going by what this machine remembers of `{}`.", place.key));
                Ok((place, None))
            }
            Err(error) => Err(error),
        }
    }

    /// Finds the place of the instance that this machine has in the directory; `None` when there is none, or several.
    fn of_directory(ctx: &Context) -> Result<Option<Self>> {
        let (root, state) = (find_root(&ctx.directory()?, ctx.var("HOME").map(Path::new)), ctx.state_dir()?);
        let wanted = instance_of(ctx, &root)?;
        let machine = Machine::read(&state)?;
        let here = machine.instances.iter().filter(|(_, entry)| entry.dir == root).map(|(key, _)| key.as_str());
        let all: Vec<(&str, Option<&str>)> = here
            .map(|key| key.split_once('@').map_or((key, None), |(name, instance)| (name, Some(instance))))
            .collect();
        let fits = |found: &&(&str, Option<&str>)| found.1 == wanted.as_ref().map(Name::as_str);
        let (name, instance) = match (all.iter().filter(fits).collect::<Vec<_>>().as_slice(), all.as_slice(), &wanted) {
            ([one], ..) => **one,
            ([], [one], None) => *one,
            _ => return Ok(None),
        };
        let (Ok(name), Ok(named)) = (Name::new(name), instance.map(Name::new).transpose()) else { return Ok(None) };
        let instance = Instance::look(&state, &name, named.as_ref(), &root, 1)?;
        let target = Target::of(&instance, &Default::default(), ctx.var("KILTER_CONTEXT"))?;
        let namespace = plan::namespace(&name, named.as_ref(), Provider::Kind);
        Ok(Some(Self::with(ctx, &instance, root, target, namespace)?.remembered()))
    }

    /// Remembers the place: something is about to run there.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(super) fn remember(&self) -> Result<()> {
        let kind_cluster = match &self.target {
            Target::Kind { name } => Some(name.clone()),
            Target::Context { .. } => None,
        };
        let now = Remembered { context: self.target.context(), kind_cluster, namespace: self.namespace.clone() };
        let text = serde_json::to_string_pretty(&now).map_err(|error| Error::bug(error.to_string()))?;
        fsx::write_if_changed(&self.session.dir.join(MEMORY), (text + "\n").as_bytes()).map(drop)
    }

    /// Returns the place where it was brought up, whatever is said by now.
    fn remembered(mut self) -> Self {
        if let Some(was) = Remembered::read(&self.session.dir) {
            self.target = match was.kind_cluster {
                Some(name) => Target::Kind { name },
                None => Target::Context { context: was.context, registry: None },
            };
            self.namespace = was.namespace;
        }
        self
    }

    /// Takes the lock of everything that kilter writes for the instance.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub(crate) fn take_lock(&self, ctx: &Context) -> Result<fsx::Lock> {
        lock_of(ctx, &self.key)
    }
}

/// Returns the directory in which every instance of this machine has one.
pub(crate) fn sessions(ctx: &Context) -> Result<PathBuf> {
    Ok(ctx.state_dir()?.join("instances"))
}

/// Returns the process of the Tilt that an instance's directory remembers, as long as it runs.
pub(crate) fn tilt_of(session: &Path) -> Option<Process> {
    let record = Record::read(&session.join("tilt.json")).ok()??;
    Some(record.process).filter(Process::lives)
}

/// Returns kubectl's program: the project's, or kilter's own where there is no project that could say which.
///
/// # Errors
/// When it cannot be had.
pub(crate) fn kubectl_program(ctx: &Context, project: Option<&Project>) -> Result<PathBuf> {
    let installed = match project {
        Some(project) => tool(ctx, project, Tool::Kubectl)?,
        None => pinned_tool(ctx, Tool::Kubectl)?,
    };
    Ok(installed.path)
}
