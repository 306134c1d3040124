//! Finding and reading a project: its root, kilter.yaml, kilter.lock, name and instance.

use std::path::{Path, PathBuf};

use crate::catalog;
use crate::cli::context::Context;
use crate::cluster::{Instance, linked_worktree};
use crate::config::lock::{self, Lock};
use crate::config::model::{Config, Provider};
use crate::config::{self, Loaded};
use crate::detect::{self, Detection, Stack};
use crate::diag::{Error, Problem, Result};
use crate::fsx;
use crate::ids::Name;
use crate::plan::{self, Facts, Plan};
use crate::toolchain::Pins;

/// The user's file.
pub(crate) const KILTER_YAML: &str = "kilter.yaml";

/// What every machine renders from.
pub(crate) const KILTER_LOCK: &str = "kilter.lock";

/// Largest kilter.lock that is read.
const MAX_LOCK: u64 = 4 * 1024 * 1024;

/// A project that was read and found right.
#[derive(Debug)]
pub(crate) struct Project {
    /// Its directory.
    pub(crate) root: PathBuf,
    /// kilter.yaml as it is, when there is one.
    pub(crate) text: Option<String>,
    /// kilter.yaml, checked.
    pub(crate) config: Config,
    /// kilter.lock as it is, when there is one.
    pub(crate) lock_text: Option<String>,
    /// kilter.lock, when there is one.
    pub(crate) lock: Option<Lock>,
    /// Its name.
    pub(crate) name: Name,
    /// Its instance, when it is not the only working copy.
    pub(crate) instance: Option<Name>,
    /// Oddities found on the way.
    pub(crate) warnings: Vec<Problem>,
}

impl Project {
    /// Opens the project of the context's directory.
    ///
    /// # Errors
    /// When kilter.yaml or kilter.lock is wrong.
    pub(crate) fn open(ctx: &Context) -> Result<Self> {
        let root = find_root(&ctx.directory()?);
        let text = read_config(&root)?;
        let Loaded { config, .. } = load(text.as_deref().unwrap_or_default())?;
        let lock_text = fsx::read_text(&root.join(KILTER_LOCK), MAX_LOCK)?;
        let (lock, warnings) = match &lock_text {
            Some(text) => {
                let parsed = lock::parse(KILTER_LOCK, text)?;
                (Some(parsed.lock), parsed.warnings.into_iter().map(Problem::new).collect())
            }
            None => (None, Vec::new()),
        };
        let directory = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = plan::project_name(&config, lock.as_ref(), &directory)?;
        let instance = match ctx.global.instance.as_deref().filter(|text| !text.is_empty()) {
            Some(text) => Some(Name::new(text).map_err(|words| {
                Error::usage(words)
                    .help("Name the instance with `--instance` or `KILTER_INSTANCE`, for example `review`.")
            })?),
            None => linked_worktree(&root)?,
        };
        Ok(Self { root, text, config, lock_text, lock, name, instance, warnings })
    }

    /// Returns the same project with another kilter.yaml, checked, not written.
    ///
    /// # Errors
    /// When the new text is wrong.
    pub(crate) fn with_text(self, text: String) -> Result<Self> {
        let Loaded { config, .. } = load(&text)?;
        let directory = self.root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = plan::project_name(&config, self.lock.as_ref(), &directory)?;
        Ok(Self { text: Some(text), config, name, ..self })
    }

    /// Writes kilter.yaml, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write_config(&self, text: &str) -> Result<()> {
        fsx::write(&self.root.join(KILTER_YAML), text.as_bytes())
    }

    /// Returns the key of the project on this machine: its name, with the instance.
    pub(crate) fn key(&self) -> String {
        Instance::key(&self.name, self.instance.as_ref())
    }

    /// Looks at the project's own manifests.
    pub(crate) fn detect(&self) -> Result<Detection> {
        detect_in(&self.root)
    }

    /// Returns what is known about the app: what the lock holds, or else what detection finds. Detection runs only when
    /// it is needed: nothing is locked about an app yet, or the files its stack was made of are others now.
    pub(crate) fn facts(&self) -> Result<(Facts, Option<Stack>)> {
        let Some(locked) = self.lock.as_ref().map(|lock| &lock.project).filter(|locked| locked.dev.is_some()) else {
            let found = self.detect()?;
            let facts = Facts {
                port: found.port.map(|f| f.value),
                dev: found.dev.map(|f| f.value),
                image: found.image.map(|f| f.value),
                health: found.health.map(|f| f.value),
            };
            return Ok((facts, found.stack));
        };
        let facts = Facts {
            port: locked.port,
            dev: locked.dev.clone(),
            image: locked.image.clone(),
            health: locked.health.clone(),
        };
        let stack: Option<Stack> = locked.stack.clone().and_then(|stack| serde_json::from_value(stack).ok());
        match stack {
            Some(stack) if detect::moved(&self.root, &stack) => Ok((facts, self.detect()?.stack)),
            stack => Ok((facts, stack)),
        }
    }

    /// Makes the plan, and says what the Dockerfile has to know.
    pub(crate) fn plan(&self, ctx: &Context) -> Result<(Plan, Facts, Option<Stack>)> {
        let (facts, stack) = self.facts()?;
        let older = super::older_catalogs(ctx, self.lock.as_ref())?;
        let plan = plan::build(&plan::Input {
            config: &self.config,
            lock: self.lock.as_ref(),
            facts: &facts,
            name: &self.name,
            instance: self.instance.as_ref(),
            older: &older,
            kubernetes: Pins::builtin().kubernetes(),
        })?;
        Ok((plan, facts, stack))
    }

    /// Claims the project's ports on this machine: for commands that write artifacts.
    pub(crate) fn claim(&self, ctx: &Context, plan: &Plan) -> Result<Instance> {
        Instance::claim(&ctx.state_dir()?, &self.name, self.instance.as_ref(), &self.root, slots(plan))
    }

    /// Returns the ports that the project has on this machine, or would get. Nothing is written.
    pub(crate) fn look(&self, ctx: &Context, plan: &Plan) -> Result<Instance> {
        Instance::look(&ctx.state_dir()?, &self.name, self.instance.as_ref(), &self.root, slots(plan))
    }

    /// Returns the directory of the project's artifacts.
    pub(crate) fn artifacts(&self, ctx: &Context) -> Result<crate::artifacts::Directory> {
        Ok(crate::artifacts::Directory { root: ctx.cache_dir()?.join(self.key()) })
    }

    /// Tells whether kilter makes the cluster with kind.
    pub(crate) fn with_kind(&self) -> bool {
        self.config.cluster.as_ref().is_none_or(|cluster| cluster.provider == Provider::Kind)
    }
}

/// How many slots a plan uses.
fn slots(plan: &Plan) -> u16 {
    plan.slots().into_iter().map(|(_, slot)| slot + 1).max().unwrap_or(1)
}

/// Reads and checks the text of a kilter.yaml.
pub(crate) fn load(text: &str) -> Result<Loaded> {
    let names: Vec<&str> = catalog::services().keys().copied().collect();
    config::load(KILTER_YAML, text, &names)
}

/// Reads kilter.yaml; `None` when there is none.
pub(crate) fn read_config(root: &Path) -> Result<Option<String>> {
    let Some(bytes) = fsx::read(&root.join(KILTER_YAML), 64 * 1024 * 1024)? else { return Ok(None) };
    config::text_of(KILTER_YAML, &bytes).map(|text| Some(text.to_owned()))
}

/// Looks at the manifests of a directory.
pub(crate) fn detect_in(root: &Path) -> Result<Detection> {
    let tree = detect::DiskTree::open(root)?;
    Ok(detect::detect(&tree, &detect::catalog_rules()))
}

/// The project's root: the nearest directory with a kilter.yaml, no further up than the git repository; else the
/// directory itself.
fn find_root(dir: &Path) -> PathBuf {
    for above in dir.ancestors() {
        if above.join(KILTER_YAML).exists() {
            return above.to_path_buf();
        }
        if above.join(".git").exists() {
            break;
        }
    }
    dir.to_path_buf()
}

/// The error for a service that neither the catalog nor the project has.
pub(crate) fn unknown_catalog_service(service: &str) -> Error {
    let error = Error::usage(format!("kilter's catalog has no service `{service}`"));
    if let Some((name, tag)) = service.split_once([':', '@'])
        && let Some(about) = catalog::service(name)
    {
        let image = about.image.split([':', '@']).next().unwrap_or(name);
        return error.help(format!("For another image of `{name}`: `kilter add {name} --image {image}:{tag}`."));
    }
    match crate::ids::did_you_mean(service, catalog::services().keys().copied()) {
        Some(near) => error.help(format!("Did you mean `{near}`?")),
        None => error.help("List them: `kilter catalog`. Anything with an image and a port can be added: `kilter add NAME --image IMAGE --port PORT`."),
    }
}
