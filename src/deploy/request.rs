//! From kilter.yaml to what kilter-server is asked to run. Pure, but for the files of Secrets, which come in read.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::dotenv::Variables;
use crate::api::{self, About, AppId, Component, Platform, Resources, SecretRef, Template};
use crate::config::model::{Config, EnvValue, Environment};
use crate::diag::{Error, Problem, Result};
use crate::plan::{Plan, argv};

/// What stands in for an image that is not built yet, while everything else is checked.
const NOT_BUILT: &str = "kilter.invalid/app@sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// What is asked for beside kilter.yaml.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// A line that runs before the new pods.
    pub migration: Option<String>,
    /// A line that runs after the migration.
    pub seed: Option<String>,
    /// Secrets that somebody else puts into the namespace.
    pub external: Vec<String>,
    /// The web address of the repository.
    pub repo: Option<String>,
}

/// What is known about the app.
#[derive(Debug, Clone, Copy)]
pub struct App<'a> {
    /// kilter.yaml, checked.
    pub config: &'a Config,
    /// The port it listens on.
    pub port: u16,
    /// The path of its readiness probe.
    pub health: Option<&'a str>,
}

/// Makes the template of an environment, complete but for the image and the sealed Secrets, and checks it as the server will.
///
/// # Errors
/// Every problem that can be known without the server.
pub fn request(id: &AppId, app: &App<'_>, asked: &Asked) -> Result<Template> {
    let config = app.config;
    let deploy = config.deploy.clone().unwrap_or_default();
    let environment = environment(config, id.env());
    let amounts =
        |amounts: &IndexMap<String, EnvValue>| amounts.iter().map(|(k, v)| (k.clone(), v.0.clone())).collect();
    let template = Template {
        image: NOT_BUILT.into(),
        port: app.port,
        health: app.health.map(str::to_owned),
        command: Vec::new(),
        replicas: deploy.replicas.unwrap_or(1),
        resources: deploy.resources.as_ref().map_or_else(Resources::default, |resources| Resources {
            requests: amounts(&resources.requests),
            limits: amounts(&resources.limits),
        }),
        variables: variables(config, &environment),
        secrets: secrets(config, &environment, &asked.external)?,
        public: config.public.unwrap_or(true),
        domains: deploy.domains,
        components: config.components.iter().map(component).collect(),
        migration: asked.migration.as_deref().map(argv).unwrap_or_default(),
        seed: asked.seed.as_deref().map(argv).unwrap_or_default(),
        about: about(config, asked.repo.as_deref()),
    };
    // The cluster's domain is the server's to know; everything else is checked here as there.
    check(id, &template, "")?;
    Ok(template)
}

/// Checks a template as the server of a cluster with this domain will.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(id: &AppId, template: &Template, domain: &str) -> Result<()> {
    let wrong = api::check(id, template, &Platform { domain: domain.to_owned(), ..Platform::default() });
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::project(format!("kilter.yaml cannot be deployed to `{}` as it is", id.env()))
        .detail(wrong.join("\n"))
        .help("Correct it, then run the same command again. Nothing was built or deployed."))
}

fn environment(config: &Config, env: &str) -> Environment {
    config.environments.get(env).cloned().unwrap_or_default()
}

/// `env`, with the environment's own over it; `null` there takes one away.
fn variables(config: &Config, environment: &Environment) -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, String> =
        config.env.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect();
    for (name, value) in &environment.env {
        match value {
            Some(value) => drop(variables.insert(name.clone(), value.0.clone())),
            None => drop(variables.remove(name)),
        }
    }
    variables
}

/// Those with a file, those that are only named, those that somebody else brings; sorted by name, none twice.
fn secrets(config: &Config, environment: &Environment, external: &[String]) -> Result<Vec<SecretRef>> {
    if let Some(name) = external.iter().find(|name| environment.secrets.contains_key(*name)) {
        return Err(Error::usage(format!("`--external {name}`: kilter.yaml has a file for this Secret"))
            .help("Leave the flag out, or take the Secret out of `secrets:` of the environment."));
    }
    let names: BTreeSet<&String> =
        environment.secrets.keys().chain(&config.app_secrets).chain(external.iter()).collect();
    let secret = |name: &String| SecretRef { name: name.clone(), sealed: None, external: external.contains(name) };
    Ok(names.into_iter().map(secret).collect())
}

fn component(component: &crate::config::model::Component) -> Component {
    Component {
        name: component.name.clone(),
        image: component.image.clone(),
        command: component.command.as_deref().map(argv).unwrap_or_default(),
        port: component.port,
        variables: component.env.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect(),
        route: component.route.clone(),
    }
}

fn about(config: &Config, repo: Option<&str>) -> About {
    let manifest = config.manifest.clone().unwrap_or_default();
    let mut links: BTreeMap<String, String> = manifest.links.into_iter().collect();
    if let Some(repo) = repo {
        links.entry("repo".into()).or_insert_with(|| repo.to_owned());
    }
    About {
        description: manifest.description,
        owner: manifest.owner,
        tags: manifest.tags,
        links,
        agent: manifest.agent,
    }
}

/// Returns the variables that the app gets from services in development and from nothing in this environment: the variable,
/// and the service that provides it. `sealed` are the contents of the Secrets with a file.
pub fn missing(config: &Config, plan: &Plan, env: &str, sealed: &BTreeMap<String, Variables>) -> Vec<(String, String)> {
    let environment = environment(config, env);
    let decided = |name: &str| {
        config.env.contains_key(name)
            || environment.env.contains_key(name)
            || sealed.values().any(|variables| variables.contains_key(name))
    };
    let provided =
        plan.services.iter().flat_map(|s| s.provides.keys().map(move |name| (name.clone(), s.name.to_string())));
    provided.filter(|(name, _)| !decided(name)).collect()
}

/// Says which variables are missing, and where they can be set.
pub(crate) fn refuse_missing(missing: &[(String, String)], env: &str, unseen: &[&str]) -> Error {
    let width = missing.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines: Vec<String> =
        missing.iter().map(|(name, service)| format!("{name:width$}  in dev from {service}")).collect();
    let what = match missing.len() {
        1 => format!("a variable that the app has in dev is not set for `{env}`"),
        n => format!("{n} variables that the app has in dev are not set for `{env}`"),
    };
    let mut problem = Problem::new(what).detail(lines.join("\n")).help(format!(
        "Set them in kilter.yaml: under `environments.{env}.env`, or in a file that `environments.{env}.secrets` names."
    ));
    if !unseen.is_empty() {
        problem = problem.help(format!(
            "kilter cannot see what is in {}: when they are there, add `--allow-missing`.",
            unseen.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ));
    }
    problem =
        problem.help("Write `NAME: null` there for one that the app does not need; `--allow-missing` asks for none.");
    Error::from_problems(crate::diag::Kind::Project, vec![problem])
}

#[cfg(test)]
mod tests;
