//! Volumes that are another than is asked for by now. Kubernetes refuses to change what a StatefulSet claims, so Tilt makes the
//! set anew, and the new one takes the claims that are there. A claim by itself Tilt would make anew, too, which deletes what is
//! in it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Dev;
use super::place::{left, sessions, tilt_of};
use crate::artifacts::Change;
use crate::cli::context::Context;
use crate::cli::project::{Prepared, Project};
use crate::cluster::{ClaimingSet, Instance, Kubectl, LoneClaim, Volume, claiming_sets, lone_claims};
use crate::diag::{Error, Kind, Problem, Result};

/// The claims of the cluster, asked for once per namespace. A cluster that does not say which there are keeps nobody from
/// working.
struct Claims<'a> {
    kubectl: &'a Kubectl,
    there: BTreeMap<String, Vec<Value>>,
}

impl Claims<'_> {
    /// Returns the claims of a namespace that are not about to go, and the kubectl for it.
    fn of(&mut self, namespace: Option<&str>) -> (&[Value], Kubectl) {
        let namespace = namespace.unwrap_or(&self.kubectl.namespace).to_owned();
        let kubectl = Kubectl { namespace: namespace.clone(), ..self.kubectl.clone() };
        let there = self.there.entry(namespace).or_insert_with(|| {
            let mut claims = kubectl.list("persistentvolumeclaims", &[]).unwrap_or_default();
            claims.retain(|claim| claim["metadata"]["deletionTimestamp"].is_null());
            claims
        });
        (there, kubectl)
    }
}

impl Dev {
    /// Sees to it that the data in the cluster outlive what is about to be applied: warns of the volumes that are not what these
    /// manifests ask for.
    ///
    /// # Errors
    /// When a manifest asks for what a claim with a volume cannot become, or the cluster does not say what it has of such a one.
    pub(crate) fn require_kept_volumes<'a>(
        &self,
        ctx: &Context,
        project: &Project,
        kubectl: &Kubectl,
        manifests: impl Iterator<Item = &'a (String, Vec<u8>)>,
    ) -> Result<()> {
        let mut claims = Claims { kubectl, there: BTreeMap::new() };
        let has_volume = |claim: &Value| {
            claim["metadata"]["deletionTimestamp"].is_null()
                && claim["spec"]["volumeName"].as_str().is_some_and(|v| !v.is_empty())
        };
        let (mut kept_ones, mut lost) = (Vec::new(), Vec::new());
        for (service, manifest) in manifests {
            for set in claiming_sets(manifest) {
                let (there, kubectl) = claims.of(set.namespace.as_deref());
                kept_ones.extend(kept(service, &set, there).map(|kept| kept.problem(&kubectl)));
            }
            for claim in lone_claims(manifest) {
                let namespace = claim.namespace.clone().unwrap_or_else(|| kubectl.namespace.clone());
                let kubectl = Kubectl { namespace, ..kubectl.clone() };
                let there = kubectl.get("persistentvolumeclaim", &claim.name)?.filter(has_volume);
                let words = there.map(|there| claim.refused_by(&there)).unwrap_or_default();
                lost.extend((!words.is_empty()).then(|| lost_by(service, &claim, &words).help(anew(&claim, &kubectl))));
            }
        }
        if !kept_ones.is_empty() {
            warn(ctx, project, kept_ones);
        }
        refuse(project, lost)
    }
}

/// Refuses changes of stored manifests for which the Tilt that runs would delete a claim. No cluster is asked.
///
/// # Errors
/// When there is such a change, or no directory for the state of this machine.
pub(crate) fn refuse_lost_volumes(ctx: &Context, prepared: &Prepared, changes: &[Change]) -> Result<()> {
    let mut lost = Vec::new();
    for change in changes {
        let Some(service) = service_of(change) else { continue };
        let old = lone_claims(&change.old);
        for claim in lone_claims(&change.new) {
            let same = |other: &&LoneClaim| (&other.name, &other.namespace) == (&claim.name, &claim.namespace);
            let words = old.iter().find(same).map(|old| claim.refused_by(&old.as_applied())).unwrap_or_default();
            let help = "`kilter up` asks the cluster what it has, and says how to get a new one, without the data.";
            lost.extend((!words.is_empty()).then(|| lost_by(service, &claim, &words).help(help)));
        }
    }
    let key = Instance::key(&prepared.project.name, prepared.project.instance.as_ref());
    if lost.is_empty() || tilt_of(&sessions(ctx)?.join(key)).is_none() {
        return Ok(());
    }
    refuse(&prepared.project, lost)
}

fn refuse(project: &Project, lost: Vec<Problem>) -> Result<()> {
    if lost.is_empty() {
        return Ok(());
    }
    Err(project.located(Error::from_problems(Kind::Refused, lost)))
}

fn lost_by(service: &str, claim: &LoneClaim, words: &[String]) -> Problem {
    let what = format!("`{service}` asks for what the volume claim `{}` cannot become", claim.name);
    Problem::new(what).about(service, &[]).detail(words.join("\n")).help(
        "Nothing was applied: Tilt would delete the claim and make it anew, without its data. To keep them, ask for what it is.",
    )
}

fn anew(claim: &LoneClaim, kubectl: &Kubectl) -> String {
    // A claim that a pod has stays until the pod is gone.
    let objects = claim.users.iter().cloned().chain([format!("persistentvolumeclaim/{}", claim.name)]);
    let delete = kubectl.call(["delete", "--ignore-not-found"]).args(objects);
    format!("For a new one, without the data: `{}`, then `kilter up`.", delete.shell_line())
}

/// Returns the service whose manifest changes.
fn service_of(change: &Change) -> Option<&str> {
    change.path.strip_prefix("manifests/")?.strip_suffix(".yaml")
}

/// Warns of the volumes that a change of stored manifests asks for otherwise, where something of the project was brought up on
/// this machine. No cluster is asked.
///
/// # Errors
/// When there is no directory for the state of this machine.
pub(crate) fn warn_of_other_volumes(ctx: &Context, prepared: &Prepared, changes: &[Change]) -> Result<()> {
    let problems = changes.iter().filter_map(|change| {
        let service = service_of(change)?;
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
    let claims = there.iter().filter_map(|claim| {
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
