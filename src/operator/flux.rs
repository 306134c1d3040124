//! Flux' side of an app: its GitRepository and its Kustomizations, read and told through the API server.

use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use super::MANAGER;
use super::decide::{Complaint, Sync};
use crate::api::NAMESPACE;
use crate::daemon::api_error;
use crate::diag::Result;
use crate::gitops::Head;

/// The annotation that asks Flux to look now (`meta.ReconcileRequestAnnotation` of fluxcd/pkg/apis).
const REQUEST: &str = "reconcile.fluxcd.io/requestedAt";

/// Returns the type of Flux' Kustomization.
pub(super) fn kustomization() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("kustomize.toolkit.fluxcd.io", "v1", "Kustomization"))
}

fn git_repository() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("source.toolkit.fluxcd.io", "v1", "GitRepository"))
}

/// Reads how far a Kustomization is with a commit; also tells whether it was nudged for it.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn read(client: &kube::Client, name: &str, head: &Head, commit: &str) -> Result<(Sync, bool)> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &kustomization());
    let object = match api.get(name).await {
        Ok(object) => object,
        // Not there yet, or Flux itself is not.
        Err(kube::Error::Api(error)) if error.code == 404 => return Ok((Sync::default(), false)),
        Err(error) => return Err(api_error("read a Kustomization", &error)),
    };
    let nudged = object.metadata.annotations.as_ref().and_then(|all| all.get(REQUEST)).is_some_and(|at| at == commit);
    Ok((sync(&object.data, head, commit), nudged))
}

/// Reads the status of a Kustomization (kustomize-controller, `api/v1`).
fn sync(data: &Value, head: &Head, commit: &str) -> Sync {
    let status = &data["status"];
    let contains = |key: &str| {
        // `<branch>@sha1:<commit>` (source-controller, `api/v1` Artifact).
        let revision = status[key].as_str().and_then(|revision| revision.rsplit(':').next());
        revision.is_some_and(|applied| head.contains(applied, commit))
    };
    let (applied, tried) = (contains("lastAppliedRevision"), contains("lastAttemptedRevision"));
    let ready = status["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == "Ready");
    let failure = ready.filter(|ready| tried && !applied && ready["status"] == "False").and_then(|ready| {
        let reason = match ready["reason"].as_str().unwrap_or_default() {
            // Not failures: it waits.
            "DependencyNotReady" | "Progressing" | "ArtifactFailed" => return None,
            "HealthCheckFailed" => "JobFailed",
            _ => "ApplyFailed",
        };
        Some(Complaint { reason, message: ready["message"].as_str().unwrap_or_default().to_owned() })
    });
    Sync { exists: true, applied, tried, failure }
}

/// Asks Flux to fetch the repository now.
///
/// # Errors
/// When the API server does not answer or refuses.
pub(super) async fn tell(client: &kube::Client, source: &str, commit: &str) -> Result<()> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &git_repository());
    request(&api, source, commit).await
}

/// Asks Flux to look at a Kustomization now: what it waited for is done.
///
/// # Errors
/// When the API server does not answer or refuses.
pub(super) async fn nudge(client: &kube::Client, name: &str, commit: &str) -> Result<()> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &kustomization());
    request(&api, name, commit).await
}

async fn request(api: &Api<DynamicObject>, name: &str, commit: &str) -> Result<()> {
    let patch = json!({"metadata": {"annotations": {REQUEST: commit}}});
    let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    match api.patch_metadata(name, &params, &Patch::Merge(&patch)).await {
        Ok(_) => Ok(()),
        // Flux finds the commit by itself, later.
        Err(kube::Error::Api(error)) if error.code == 404 => Ok(()),
        Err(error) => Err(api_error(&format!("tell Flux about `{name}`"), &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_counts_by_its_commit() {
        let head = Head::default();
        let of = |status: Value| sync(&json!({"status": status}), &head, "abc");
        let applied = of(json!({"lastAppliedRevision": "main@sha1:abc", "lastAttemptedRevision": "main@sha1:abc"}));
        assert_eq!(applied, Sync { exists: true, applied: true, tried: true, failure: None });
        assert_eq!(of(json!({"lastAppliedRevision": "main@sha1:abd"})), Sync { exists: true, ..Sync::default() });
        let failed = |reason: &str| {
            let ready = json!({"type": "Ready", "status": "False", "reason": reason, "message": "m"});
            of(json!({"lastAttemptedRevision": "main@sha1:abc", "conditions": [ready]})).failure.map(|why| why.reason)
        };
        assert_eq!(failed("HealthCheckFailed"), Some("JobFailed"));
        assert_eq!(failed("ReconciliationFailed"), Some("ApplyFailed"));
        assert_eq!(failed("DependencyNotReady"), None);
    }
}
