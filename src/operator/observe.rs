//! Looking at everything that decides what to do next for one KilterApp, and at no more than that.

use k8s_openapi::api::core::v1::Namespace as NamespaceObject;
use kube::api::{Api, ListParams};
use kube::{Resource as _, ResourceExt as _};

use super::apps::Operator;
use super::decide::{AtHead, Complaint, Namespace, Observed, Rendering, Sync, Wanted, at_head};
use super::{flux, history, render, workload};
use crate::api::{AppId, ConditionType, FINALIZER, KilterApp, LABEL_APP, LABEL_ENV, LABEL_ORG, NAMESPACE, check};
use crate::daemon::api_error;
use crate::diag::Result;
use crate::gitops::{Phase, kustomization_name};

/// Label that Flux puts on what it applies (kustomize-controller, owner labels).
const FLUX_OWNER: &str = "kustomize.toolkit.fluxcd.io/name";

/// Returns what a KilterApp wants.
pub(super) fn wanted(app: &KilterApp) -> Wanted {
    Wanted {
        uid: app.uid().unwrap_or_default(),
        generation: app.meta().generation.unwrap_or(0),
        revision: app.spec.revision,
        rerender: render::rerender_of(app),
        deleting: app.meta().deletion_timestamp.is_some(),
    }
}

/// Returns what there is of it; `complaint` is why its spec cannot be deployed.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn observe(
    operator: &Operator,
    id: &AppId,
    app: &KilterApp,
    wanted: &Wanted,
    complaint: Option<Complaint>,
) -> Result<Observed> {
    let head = operator.committer.head();
    let entry = head.entries.get(&id.namespace());
    let key = (wanted.uid.clone(), wanted.generation, wanted.rerender.clone());
    let mut seen = Observed {
        complaint,
        finalizer: app.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
        namespace: Namespace::Unseen,
        head: entry.map(|entry| AtHead {
            uid: entry.receipt.uid.clone(),
            owned: entry.receipt.is_of(id),
            generation: entry.receipt.generation,
            rerender: entry.receipt.rerender.clone(),
            whole: entry.whole,
            commit: entry.commit.clone(),
        }),
        rendering: operator.memory(|memory| memory.rendering(id, &key)),
        job: None,
        repository: operator.memory(|memory| memory.trouble(id)),
        // One that another process wrote is found out by writing it.
        recorded: operator.memory(|memory| memory.is_recorded(&wanted.uid, wanted.revision)),
        told: false,
        nudged: false,
        jobs: Sync::default(),
        app: Sync::default(),
        workload: Err(Complaint { reason: "Waiting", message: String::new() }),
    };
    if wanted.deleting {
        if let Some(head) = seen.head.as_mut().filter(|head| head.owned && head.uid != wanted.uid) {
            head.owned = is_there(operator, app).await?;
        }
        seen.namespace = namespace(operator, id).await?;
        seen.told = operator.memory(|memory| memory.was_told(&head, head.commit.as_deref()));
        return Ok(seen);
    }
    if !at_head(wanted, &seen) {
        if seen.complaint.is_none() && seen.finalizer {
            seen.namespace = namespace(operator, id).await?;
        }
        // All that is left to do is to commit, and the head's Jobs are others.
        let others = entry.filter(|entry| entry.receipt.is_of(id) && entry.receipt.deploy != app.spec.deploy);
        if let Some(entry) = others.filter(|_| seen.rendering == Rendering::Done)
            && entry.receipt.renders.contains_key(Phase::Jobs.name())
        {
            seen.job = workload::running_job(&operator.client, id, &entry.receipt.deploy).await?;
        }
        return Ok(seen);
    }
    let Some(commit) = seen.head.as_ref().map(|head| head.commit.clone()) else { return Ok(seen) };
    seen.rendering = Rendering::Done;
    seen.recorded = seen.recorded || {
        let has = history::has(&operator.client, id, &wanted.uid, wanted.revision).await?;
        if has {
            operator.memory(|memory| memory.note_recorded(&wanted.uid, wanted.revision));
        }
        has
    };
    seen.told = operator.memory(|memory| memory.was_told(&head, Some(&commit)));
    (seen.jobs, _) = flux::read(&operator.client, &kustomization_name(id, Phase::Jobs), &head, &commit).await?;
    (seen.app, seen.nudged) = flux::read(&operator.client, &kustomization_name(id, Phase::App), &head, &commit).await?;
    if seen.jobs.tried && !seen.jobs.applied && app.spec.template.has_jobs() {
        let failed = workload::failed_job(&operator.client, id, &app.spec.deploy).await?;
        seen.jobs.failure = failed.or(seen.jobs.failure.take());
    }
    if seen.app.applied {
        let public = app.spec.template.public;
        seen.workload = workload::read(&operator.client, id, wanted.revision, public).await?;
    }
    Ok(seen)
}

/// Tells whether a KilterApp is there still, and no later one of its name: what was watched may be old.
async fn is_there(operator: &Operator, app: &KilterApp) -> Result<bool> {
    let api: Api<KilterApp> = Api::namespaced(operator.client.clone(), NAMESPACE);
    // By a list: no other call of the operator's needs the right to get one.
    let one = ListParams::default().fields(&format!("metadata.name={}", app.name_any()));
    let found = api.list_metadata(&one).await.map_err(|error| api_error("read the KilterApp", &error))?;
    Ok(found.items.iter().any(|found| found.metadata.uid == app.metadata.uid))
}

/// Says why a spec cannot be deployed. It looks at every other app, so it is asked once in a round.
pub(super) fn complaint(operator: &Operator, id: &AppId, app: &KilterApp) -> Option<Complaint> {
    let platform = operator.renderer.platform();
    let mut wrong = check(id, &app.spec.template, platform);
    wrong.extend(missing(&app.spec.template.secrets));
    if !wrong.is_empty() {
        return Some(Complaint { reason: "Invalid", message: wrong.join("; ") });
    }
    let (name, other) = elder_with_a_host(operator, id, app)?;
    let accepted = app.status.as_ref().and_then(|status| status.condition(ConditionType::Accepted));
    if accepted.is_none_or(|known| known.reason != "HostnameTaken") {
        tracing::info!(app = %id, host = name, has = other, "an older app has the host name");
    }
    // Whose it is may be another organisation's affair.
    Some(Complaint { reason: "HostnameTaken", message: format!("the host name {name} belongs to another app") })
}

/// Finds an older KilterApp that has one of an app's host names, and which: the elder keeps it, of two of one second the
/// first by name.
fn elder_with_a_host(operator: &Operator, id: &AppId, app: &KilterApp) -> Option<(String, String)> {
    let platform = operator.renderer.platform();
    let names = id.hostnames(platform, &app.spec.template);
    if names.is_empty() {
        return None;
    }
    let age = |app: &KilterApp| (app.creation_timestamp(), app.name_any());
    let mine = age(app);
    operator.apps.state().iter().find_map(|other| {
        let other = other.0.as_ref().ok().filter(|other| other.name_any() != app.name_any() && age(other) < mine)?;
        let spec = &other.spec;
        let theirs = AppId::new(&spec.org, &spec.app, &spec.env).ok()?.hostnames(platform, &spec.template);
        let name = names.iter().find(|name| theirs.contains(name))?;
        Some((name.clone(), other.name_any()))
    })
}

/// A Secret without its ciphertext cannot be committed.
fn missing(secrets: &[crate::api::SecretRef]) -> Option<String> {
    let missing = secrets.iter().find(|secret| secret.sealed.is_none() && !secret.external)?;
    Some(format!("secrets: `{}` is neither sealed nor external", missing.name))
}

async fn namespace(operator: &Operator, id: &AppId) -> Result<Namespace> {
    let api: Api<NamespaceObject> = Api::all(operator.client.clone());
    let found = api.get_metadata_opt(&id.namespace()).await;
    let Some(found) = found.map_err(|error| api_error("read the app's namespace", &error))? else {
        return Ok(Namespace::Absent);
    };
    let labels = found.labels();
    let is = |label: &str, value: &str| labels.get(label).is_some_and(|found| found == value);
    if !(is(LABEL_ORG, id.org()) && is(LABEL_APP, id.app()) && is(LABEL_ENV, id.env())) {
        return Ok(Namespace::Foreign);
    }
    Ok(match found.metadata.deletion_timestamp {
        Some(_) => Namespace::Terminating,
        None if labels.contains_key(FLUX_OWNER) => Namespace::Ours,
        None => Namespace::Fresh,
    })
}
