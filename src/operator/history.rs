//! The history of an app: a ControllerRevision for each revision that was committed, the last 20, owned by the KilterApp.

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::{Resource as _, ResourceExt as _};

use super::MANAGER;
use super::run::api_error;
use crate::api::{AppId, HISTORY, KilterApp, LABEL_APP, LABEL_ENV, LABEL_ORG, NAMESPACE};
use crate::diag::{Error, Result};

/// Returns the name of a revision's entry.
fn name(id: &AppId, revision: u64) -> String {
    format!("{}-{revision}", id.namespace())
}

/// Tells whether the history has a revision of this very KilterApp.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn has(client: &kube::Client, id: &AppId, uid: &str, revision: u64) -> Result<bool> {
    let api: Api<ControllerRevision> = Api::namespaced(client.clone(), NAMESPACE);
    let found = api.get_metadata_opt(&name(id, revision)).await;
    let found = found.map_err(|error| api_error("read the history", &error))?;
    let owner = |owner: &OwnerReference| owner.uid == uid;
    Ok(found.is_some_and(|entry| entry.metadata.owner_references.iter().flatten().any(owner)))
}

/// Writes the entry of an app's current revision, and deletes those beyond the last 20.
///
/// # Errors
/// When the API server does not answer or refuses.
pub(super) async fn record(client: &kube::Client, id: &AppId, app: &KilterApp) -> Result<()> {
    let api: Api<ControllerRevision> = Api::namespaced(client.clone(), NAMESPACE);
    let spec = serde_json::to_value(&app.spec).map_err(|error| Error::bug(error.to_string()))?;
    let labels = [(LABEL_APP, id.app()), (LABEL_ENV, id.env()), (LABEL_ORG, id.org())];
    let entry = ControllerRevision {
        metadata: ObjectMeta {
            name: Some(name(id, app.spec.revision)),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            owner_references: app.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        data: Some(RawExtension(spec)),
        revision: i64::try_from(app.spec.revision).unwrap_or(i64::MAX),
    };
    let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    match api.create(&params, &entry).await {
        Ok(_) => {}
        // Written before a crash; or of an app of that name that was deleted, and not collected yet: then this fails until it is.
        Err(kube::Error::Api(error)) if error.code == 409 => {
            let uid = app.metadata.uid.clone().unwrap_or_default();
            if !has(client, id, &uid, app.spec.revision).await? {
                return Err(Error::missing("the history of an earlier app of this name is still there"));
            }
        }
        Err(error) => return Err(api_error("write the history", &error)),
    }
    let ours = ListParams::default().labels(&format!("{LABEL_APP}={},{LABEL_ENV}={}", id.app(), id.env()));
    let listed = api.list(&ours).await.map_err(|error| api_error("list the history", &error))?;
    let mut entries: Vec<(i64, String)> = listed.items.iter().map(|entry| (entry.revision, entry.name_any())).collect();
    entries.sort();
    let surplus = entries.len().saturating_sub(HISTORY);
    for (_, name) in &entries[..surplus] {
        match api.delete(name, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(error)) if error.code == 404 => {}
            Err(error) => return Err(api_error("shorten the history", &error)),
        }
    }
    Ok(())
}
