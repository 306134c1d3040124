//! Volumes that stay as they are, whatever is asked for by now: Kubernetes refuses to change what a StatefulSet claims, so Tilt
//! makes the set anew, and the new one takes the claims that are there.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Dev;
use super::place::{left, sessions};
use crate::artifacts::Change;
use crate::cli::context::Context;
use crate::cli::project::{Prepared, Project};
use crate::cluster::{ClaimingSet, Instance, Kubectl, Volume, claiming_sets};
use crate::diag::{Error, Kind, Problem, Result};

impl Dev {
    /// Warns of the volumes in the cluster that are not what these manifests ask for. A cluster that does not say which claims
    /// there are keeps nobody from working.
    pub(crate) fn warn_of_kept_volumes(
        &self,
        ctx: &Context,
        project: &Project,
        kubectl: &Kubectl,
        manifests: &[(String, Vec<u8>)],
    ) {
        let mut claims = BTreeMap::<String, Vec<Value>>::new();
        let mut problems = Vec::new();
        for (service, manifest) in manifests {
            for set in claiming_sets(manifest) {
                let namespace = set.namespace.clone().unwrap_or_else(|| kubectl.namespace.clone());
                let kubectl = Kubectl { namespace: namespace.clone(), ..kubectl.clone() };
                let there = claims.entry(namespace);
                let there = there.or_insert_with(|| kubectl.list("persistentvolumeclaims", &[]).unwrap_or_default());
                problems.extend(kept(service, &set, there).map(|kept| kept.problem(&kubectl)));
            }
        }
        if !problems.is_empty() {
            warn(ctx, project, problems);
        }
    }
}

/// Warns of the volumes that a change of stored manifests asks for otherwise, where something of the project was brought up on
/// this machine. No cluster is asked.
///
/// # Errors
/// When there is no directory for the state of this machine.
pub(crate) fn warn_of_other_volumes(ctx: &Context, prepared: &Prepared, changes: &[Change]) -> Result<()> {
    let problems = changes.iter().filter_map(|change| {
        let service = change.path.strip_prefix("manifests/")?.strip_suffix(".yaml")?;
        let lines = other_volumes(&change.old, &change.new);
        (!lines.is_empty())
            .then(|| problem(service, &lines).help("`kilter up` says how to get a new one, without the data."))
    });
    let problems: Vec<Problem> = problems.collect();
    let key = Instance::key(&prepared.project.name, prepared.project.instance.as_ref());
    if !problems.is_empty() && left(&sessions(ctx)?.join(key)).is_some() {
        warn(ctx, &prepared.project, problems);
    }
    Ok(())
}

/// Claims of a StatefulSet that are not what it asks for.
struct Kept<'a> {
    service: &'a str,
    set: &'a str,
    /// The claims, each with what it is.
    claims: Vec<(&'a str, String)>,
}

impl Kept<'_> {
    fn problem(&self, kubectl: &Kubectl) -> Problem {
        let lines: Vec<String> = self.claims.iter().map(|(claim, what)| format!("{claim}: {what}")).collect();
        let objects = self.claims.iter().map(|(claim, _)| format!("persistentvolumeclaim/{claim}"));
        // A claim that a pod has stays until the pod is gone.
        let delete = kubectl.call(["delete", &format!("statefulset/{}", self.set)]).args(objects);
        problem(self.service, &lines)
            .help("It stays in use, with its data. If that will do, say in kilter.yaml what it is.")
            .help(format!("For a new one, without the data: `{}`, then `kilter up`.", delete.shell_line()))
    }
}

/// Returns the claims of a set that are another than it asks for, `None` when there are none.
fn kept<'a>(service: &'a str, set: &'a ClaimingSet, there: &'a [Value]) -> Option<Kept<'a>> {
    let stays = there.iter().filter(|claim| claim["metadata"]["deletionTimestamp"].is_null());
    let claims = stays.filter_map(|claim| {
        let name = claim["metadata"]["name"].as_str()?;
        Some((name, Volume::of(&claim["spec"]).unlike(set.asks_of(name)?)?))
    });
    let claims: Vec<_> = claims.collect();
    (!claims.is_empty()).then_some(Kept { service, set: &set.name, claims })
}

/// Says of each volume that two manifests of a service ask for otherwise what it was and what it is to be.
fn other_volumes(old: &[u8], new: &[u8]) -> Vec<String> {
    let (old, new) = (claiming_sets(old), claiming_sets(new));
    let mut lines = Vec::new();
    for set in &new {
        let same = |other: &&ClaimingSet| (&other.name, &other.namespace) == (&set.name, &set.namespace);
        for (template, was) in old.iter().filter(same).flat_map(|set| &set.volumes) {
            let asked = set.volumes.iter().find(|(name, _)| name == template);
            let what = asked.and_then(|(_, asked)| was.unlike(asked));
            lines.extend(what.map(|what| format!("{template} of {}: {what}", set.name)));
        }
    }
    lines
}

fn problem(service: &str, lines: &[String]) -> Problem {
    Problem::new(format!("`{service}` keeps the volume that it has: Kubernetes does not change one that exists"))
        .about(service, &["values", "storage"])
        .detail(lines.join("\n"))
}

fn warn(ctx: &Context, project: &Project, problems: Vec<Problem>) {
    let located = project.located(Error::from_problems(Kind::Project, problems));
    located.problems().iter().for_each(|problem| ctx.ui.warn(problem));
}
