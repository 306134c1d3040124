//! What is deployed, as far as it is known without any server: kilter.yaml, the files of Secrets, the Dockerfile, git.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;

use super::Args;
use crate::api::{AppId, Template};
use crate::cli::context::Context;
use crate::cli::project::Project;
use crate::config::model::Config;
use crate::deploy::{self, App, Asked, Checkout, Variables, read_variables, refuse_missing};
use crate::diag::{Error, Problem, Result};
use crate::ids::did_you_mean;
use crate::image::{dockerfile_production, production_ignore};
use crate::plan::{Facts, Plan};

/// What is deployed.
#[derive(Debug)]
pub(super) struct Draft {
    /// Everything but the image, when that is built, and the sealed Secrets.
    pub(super) template: Template,
    /// The contents of the Secrets with a file.
    pub(super) contents: BTreeMap<String, Variables>,
    /// How the image is built; nothing when one is named, or none is needed.
    pub(super) build: Option<Build>,
    /// What git says.
    pub(super) checkout: Checkout,
}

/// Where the Dockerfile comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Build {
    /// The project's own.
    Own(PathBuf),
    /// kilter's: its text, and what the context leaves out.
    Generated { dockerfile: String, ignore: String },
}

impl Draft {
    /// Brings together what the project says.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn new(args: &Args, ctx: &Context, project: &Project, id: &AppId) -> Result<Self> {
        let config = &project.loaded.config;
        let (plan, facts, _) = project.plan(ctx)?;
        warn_of_environment(ctx, config, id.env());
        let files: Vec<&str> =
            config.environments.values().flat_map(|e| e.secrets.values().map(String::as_str)).collect();
        let checkout = Checkout::look(&project.root, ctx.var("PATH").map(OsStr::new), &files)?;
        if args.require_clean {
            require_clean(&checkout)?;
        }
        for file in &checkout.tracked {
            ctx.ui.warn(&Problem::new(format!("git has `{file}`, which holds secrets")).help(format!(
                "Take it out with `git rm --cached {file}`, add it to .gitignore, and change the secrets."
            )));
        }
        let asked = Asked {
            migration: args.migration.clone(),
            seed: args.seed.clone(),
            external: args.external.clone(),
            repo: checkout.repo.clone(),
        };
        let port = port(config, &plan, &facts)?;
        let health = config.health.as_deref().or(facts.health.as_deref());
        let mut template = deploy::request(id, &App { config, port, health }, &asked)?;
        let mut contents = BTreeMap::new();
        for (name, file) in config.environments.get(id.env()).iter().flat_map(|environment| &environment.secrets) {
            contents.insert(name.clone(), read_variables(&project.root.join(file), file)?);
        }
        if !args.allow_missing {
            check_missing(config, &plan, id, &template, &contents)?;
        }
        let build = match &args.image {
            Some(image) => {
                template.image.clone_from(image);
                check_image(id, &template)?;
                None
            }
            None if args.plan => None,
            None => Some(build(project, config, &plan, port)?),
        };
        Ok(Self { template, contents, build, checkout })
    }
}

/// A mistyped environment would be a new one.
fn warn_of_environment(ctx: &Context, config: &Config, env: &str) {
    if config.environments.is_empty() || config.environments.contains_key(env) {
        return;
    }
    if let Some(near) = did_you_mean(env, config.environments.keys().map(String::as_str)) {
        let what = format!("kilter.yaml says nothing of the environment `{env}`, but of `{near}`");
        ctx.ui.warn(&Problem::new(what).help(format!("Did you mean `--env {near}`?")));
    }
}

fn require_clean(checkout: &Checkout) -> Result<()> {
    let what = match (&checkout.commit, checkout.dirty) {
        (None, _) => "the project is in no git commit",
        (_, true) => "the project differs from its git commit",
        _ => return Ok(()),
    };
    Err(Error::refused(format!("{what}, and `--require-clean` asks for that"))
        .help("Commit or stash the changes (`git status` lists them), or leave the flag out."))
}

fn port(config: &Config, plan: &Plan, facts: &Facts) -> Result<u16> {
    plan.app.as_ref().map(|app| app.port).or(config.port).or(facts.port).ok_or_else(|| {
        Error::project("nothing says which port the app listens on").help("Write `port:` into kilter.yaml.")
    })
}

fn check_missing(
    config: &Config,
    plan: &Plan,
    id: &AppId,
    template: &Template,
    contents: &BTreeMap<String, Variables>,
) -> Result<()> {
    let missing = deploy::missing(config, plan, id.env(), contents);
    if missing.is_empty() {
        return Ok(());
    }
    let names = template.secrets.iter().map(|secret| secret.name.as_str());
    let unseen: Vec<&str> = names.filter(|name| !contents.contains_key(*name)).collect();
    Err(refuse_missing(&missing, id.env(), &unseen))
}

fn check_image(id: &AppId, template: &Template) -> Result<()> {
    let wrong = crate::api::check(id, template, &crate::api::Platform::default());
    match wrong.first() {
        None => Ok(()),
        Some(why) => Err(Error::usage(format!("`--image`: {}", why.trim_start_matches("image: ")))
            .help("Name it by its digest, as `docker push` prints it.")),
    }
}

fn build(project: &Project, config: &Config, plan: &Plan, port: u16) -> Result<Build> {
    if let Some(path) = config.deploy.as_ref().and_then(|deploy| deploy.dockerfile.as_deref()) {
        let file = project.root.join(path);
        return match file.is_file() {
            true => Ok(Build::Own(file)),
            false => Err(Error::project(format!("`{path}`, which `deploy.dockerfile` names, is not there"))
                .help("Correct the path in kilter.yaml; it begins at the project's root.")),
        };
    }
    let own = project.root.join("Dockerfile");
    if own.is_file() {
        return Ok(Build::Own(own));
    }
    let found = project.detect()?;
    let (Some(stack), Some(production)) = (&found.stack, &found.production) else {
        return Err(Error::project("the project has no Dockerfile, and kilter cannot make one for it")
            .help("kilter makes one for apps in Node, Python and Go. Write a `Dockerfile`, or name yours: `deploy: {dockerfile: PATH}` in kilter.yaml."));
    };
    let base = plan.app.as_ref().map(|app| app.image.clone()).or_else(|| found.image.as_ref().map(|i| i.value.clone()));
    let base = base.unwrap_or_else(|| "node:22-alpine".into());
    let secrets: Vec<String> = plan.secret_files.iter().cloned().collect();
    Ok(Build::Generated {
        dockerfile: dockerfile_production(stack, production, &base, port, &secrets)?,
        ignore: production_ignore(&secrets),
    })
}
