//! Reading a project: kilter.lock, name and instance, beside what `file` reads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::app::{facts_of, locked_facts};
use super::file::{KILTER_LOCK, KILTER_YAML, find_root, load, read_config, read_lock};
use crate::artifacts::Thing;
use crate::catalog;
use crate::cli::context::Context;
use crate::cluster::{Instance, linked_worktree};
use crate::config::Loaded;
use crate::config::lock::{self, Lock};
use crate::config::model::{Config, Provider};
use crate::detect::{self, Detection, Stack};
use crate::diag::{Error, Problem, Result};
use crate::fsx;
use crate::ids::Name;
use crate::plan::{self, Facts, Plan};
use crate::toolchain::Pins;

/// A project that was read and found right.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    /// Its directory.
    pub(crate) root: PathBuf,
    /// Whether its app came after kilter.lock was made, and is taken up now.
    pub(crate) appeared: bool,
    /// kilter.yaml as this command has it, when there is one.
    pub(crate) text: Option<String>,
    /// kilter.yaml as it was read.
    read: Option<String>,
    /// kilter.yaml, checked, with the places of what it says.
    pub(crate) loaded: Loaded,
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
        Self::open_named(ctx, None)
    }

    /// Opens the project as [`Project::open`] does; one without a kilter.yaml has the name that it is to get, if there is one.
    ///
    /// # Errors
    /// As [`Project::open`].
    pub(crate) fn open_named(ctx: &Context, given: Option<&Name>) -> Result<Self> {
        let root = find_root(&ctx.directory()?, ctx.var("HOME").map(Path::new));
        if root.to_str().is_none() {
            return Err(Error::project(format!("the name of the directory `{}` is not UTF-8", root.display()))
                .help("Rename it: tools that kilter drives could not be told where the project is."));
        }
        let text = read_config(&root)?;
        let lock_text = read_lock(&root)?;
        let (lock, warnings) = match &lock_text {
            Some(text) => {
                let parsed = lock::parse(KILTER_LOCK, text)?;
                (Some(parsed.lock), parsed.warnings.into_iter().map(Problem::new).collect())
            }
            None => (None, Vec::new()),
        };
        let loaded = load(text.as_deref().unwrap_or_default(), lock.as_ref())?;
        let name = match given.filter(|_| text.is_none()) {
            Some(given) => {
                let config = Config { name: Some(given.to_string()), ..Config::default() };
                plan::project_name(&config, None, "")
            }
            None => plan::project_name(&loaded.config, lock.as_ref(), &directory_name(&root)),
        };
        let name = name.map_err(|error| nameable(error, text.is_some()))?;
        let instance = instance_of(ctx, &root)?;
        Ok(Self { root, appeared: false, read: text.clone(), text, loaded, lock_text, lock, name, instance, warnings })
    }

    /// Opens the project and takes the lock of everything that kilter writes for it. What another kilter wrote while this
    /// one waited counts.
    ///
    /// # Errors
    /// As [`Project::open`], or when the lock cannot be had.
    pub(crate) fn open_locked(ctx: &Context) -> Result<(Self, fsx::Lock)> {
        let project = Self::open(ctx)?;
        let lock = project.take_lock(ctx)?;
        let lock_text = read_lock(&project.root)?;
        match read_config(&project.root)? == project.read && lock_text == project.lock_text {
            true => Ok((project, lock)),
            false => Ok((Self::open(ctx)?, lock)),
        }
    }

    /// Takes the lock of everything that kilter writes for the project.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub(crate) fn take_lock(&self, ctx: &Context) -> Result<fsx::Lock> {
        lock_of(ctx, &self.key())
    }

    /// Returns the same project with another kilter.yaml, checked, not written.
    ///
    /// # Errors
    /// When the new text is wrong.
    pub(crate) fn with_text(self, text: String) -> Result<Self> {
        let loaded = load(&text, self.lock.as_ref())?;
        let name = plan::project_name(&loaded.config, self.lock.as_ref(), &directory_name(&self.root))?;
        Ok(Self { text: Some(text), loaded, name, ..self })
    }

    /// Tells whether the project has no name while kilter.yaml gives it none: its directory's is none of a project.
    pub(crate) fn is_nameless(&self) -> bool {
        plan::project_name(&Config::default(), self.lock.as_ref(), &directory_name(&self.root)).is_err()
    }

    /// Writes kilter.yaml, whole or not at all.
    ///
    /// # Errors
    /// When it was changed since it was read, or cannot be written.
    pub(crate) fn write_config(&self, text: &str) -> Result<()> {
        if read_config(&self.root)? != self.read {
            return Err(Error::refused("kilter.yaml was changed in the meantime, so it was left alone")
                .help("Run the same command again."));
        }
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
    /// it is needed: there is no lock yet, or the files that its stack was made of are others now. What was not there
    /// when the lock was made is taken up by `kilter upgrade`; `kilter doctor` points to it.
    fn facts(&self, ctx: &Context) -> Result<(Facts, Option<Stack>)> {
        let Some(locked) = self.lock.as_ref().map(|lock| &lock.project) else {
            let found = self.detect()?;
            found.warnings.iter().for_each(|warning| ctx.ui.warn(warning));
            return Ok(facts_of(found));
        };
        let facts = locked_facts(locked);
        // A stack that this kilter cannot read was written by one that knows more or other kinds.
        let stack = locked.stack.clone().map(serde_json::from_value::<Stack>);
        let stack = match stack {
            Some(Ok(stack)) if !detect::moved(&self.root, &stack) => Some(stack),
            Some(_) => self.detect()?.stack,
            None if facts.dev.is_none() && self.loaded.config.dev.is_some() => self.detect()?.stack,
            None => None,
        };
        Ok((facts, stack))
    }

    /// Makes the plan, and says what the Dockerfile has to know.
    pub(crate) fn plan(&self, ctx: &Context) -> Result<(Plan, Facts, Option<Stack>)> {
        let (facts, stack) = self.facts(ctx)?;
        let plan = self.plan_with(ctx, &facts)?;
        Ok((plan, facts, stack))
    }

    /// What is known about the app: what the lock holds, else what was found.
    pub(crate) fn known_facts(&self, found: &Detection) -> Facts {
        match self.lock.as_ref() {
            Some(lock) => locked_facts(&lock.project),
            None => facts_of(found.clone()).0,
        }
    }

    /// Makes the plan from what is known about the app.
    ///
    /// # Errors
    /// When services contradict one another, or a locked chart is no longer to be had.
    pub(crate) fn plan_with(&self, ctx: &Context, facts: &Facts) -> Result<Plan> {
        let older = super::older_catalogs(ctx, self.lock.as_ref())?;
        plan::build(&plan::Input {
            config: &self.loaded.config,
            lock: self.lock.as_ref(),
            facts,
            name: &self.name,
            instance: self.instance.as_ref(),
            older: &older,
            own_values: &self.own_values()?,
            kubernetes: Pins::builtin().kubernetes(),
        })
        .map_err(|error| nameable(self.located(error), self.read.is_some()))
    }

    /// Gives the problems of an error their places in kilter.yaml.
    pub(crate) fn located(&self, error: Error) -> Error {
        error.located(|subject| self.loaded.place_of_subject(subject))
    }

    /// Reads the values files that are ejected. One that cannot be read is helm's to refuse.
    fn own_values(&self) -> Result<BTreeMap<String, Value>> {
        let mut own = BTreeMap::new();
        for entry in self.loaded.config.services.iter().flatten() {
            let path = self.root.join(format!("kilter/{}", Thing::Values(entry.name().to_owned()).path()));
            let text = fsx::read_text(&path, fsx::MAX_FILE)?;
            if let Some(values) = text.and_then(|text| serde_yaml::from_str(&text).ok()) {
                own.insert(entry.name().to_owned(), values);
            }
        }
        Ok(own)
    }

    /// Claims the project's ports on this machine: for commands that write artifacts.
    pub(crate) fn claim(&self, ctx: &Context, plan: &Plan) -> Result<Instance> {
        let claim = Instance::claim(&ctx.state_dir()?, &self.name, self.instance.as_ref(), &self.root, slots(plan));
        claim.map(|instance| self.reached(instance)).map_err(|error| nameable(error, self.read.is_some()))
    }

    /// Returns the ports that the project has on this machine, or would get. Nothing is written.
    pub(crate) fn look(&self, ctx: &Context, plan: &Plan) -> Result<Instance> {
        let look = Instance::look(&ctx.state_dir()?, &self.name, self.instance.as_ref(), &self.root, slots(plan));
        look.map(|instance| self.reached(instance)).map_err(|error| nameable(error, self.read.is_some()))
    }

    fn reached(&self, instance: Instance) -> Instance {
        match &self.loaded.config.cluster {
            Some(cluster) => instance.with_access(cluster),
            None => instance,
        }
    }

    /// Returns the directory of the project's artifacts.
    pub(crate) fn artifacts(&self, ctx: &Context) -> Result<crate::artifacts::Directory> {
        Ok(crate::artifacts::Directory { root: ctx.cache_dir()?.join(self.key()) })
    }

    /// Tells whether kilter makes the cluster with kind.
    pub(crate) fn with_kind(&self) -> bool {
        self.loaded.config.cluster.as_ref().is_none_or(|cluster| cluster.provider == Provider::Kind)
    }
}

/// Takes the lock of everything that kilter writes for the instance of this key.
pub(crate) fn lock_of(ctx: &Context, key: &str) -> Result<fsx::Lock> {
    let path = ctx.store_dir("locks")?.join(key);
    fsx::Lock::acquire(&path, || ctx.ui.talk("waiting for another kilter that works on this project"))
}

/// Returns the instance that is meant: by flag or variable, or as the folder of a linked worktree.
pub(crate) fn instance_of(ctx: &Context, root: &Path) -> Result<Option<Name>> {
    let Some(text) = ctx.global.instance.as_deref().filter(|text| !text.is_empty()) else {
        return linked_worktree(root);
    };
    Name::new(text).map(Some).map_err(|words| {
        Error::usage(words).help("Name the instance with `--instance` or `KILTER_INSTANCE`, for example `review`.")
    })
}

/// How many slots a plan uses.
fn slots(plan: &Plan) -> u16 {
    plan.slots().into_iter().map(|(_, slot)| slot.saturating_add(1)).max().unwrap_or(1)
}

/// Says of an error that another name mends how the project gets one: without a kilter.yaml there is no `name:` to change.
fn nameable(error: Error, is_there: bool) -> Error {
    const WORDS: [(&str, &str); 4] = [
        ("Write `name: my-project` into kilter.yaml", "Name it: `kilter init --name my-project`"),
        ("Write another `name:` into kilter.yaml", "Give it another name: `kilter init --name NAME`"),
        ("another `name:` in kilter.yaml", "another name: `kilter init --name NAME`"),
        ("`name:` in kilter.yaml", "`kilter init --name NAME`"),
    ];
    match is_there {
        true => error,
        false => error.reworded(|text| {
            WORDS.iter().fold(text.to_owned(), |text, (with_file, without)| text.replace(with_file, without))
        }),
    }
}

fn directory_name(root: &Path) -> String {
    root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Looks at the manifests of a directory.
pub(crate) fn detect_in(root: &Path) -> Result<Detection> {
    let tree = detect::DiskTree::open(root)?;
    Ok(detect::detect(&tree, &detect::catalog_rules()))
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
    if let Some(said) = catalog::absent(service) {
        return error
            .help(said)
            .help(format!("For an image that you have: `kilter add {service} --image IMAGE --port PORT`."));
    }
    match crate::ids::did_you_mean(service, catalog::services().keys().copied()) {
        Some(near) => error.help(format!("Did you mean `{near}`?")),
        None => error.help("List them: `kilter catalog`. Anything with an image and a port can be added: `kilter add NAME --image IMAGE --port PORT`."),
    }
}
