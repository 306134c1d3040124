//! The history of an app: a ControllerRevision for each revision that was committed, written right before that, the last 20,
//! owned by the KilterApp.

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, PostParams, Preconditions};
use kube::{Resource as _, ResourceExt as _};

use super::MANAGER;
use crate::api::{AppId, HISTORY, KilterApp, LABEL_APP, LABEL_ENV, LABEL_ORG, NAMESPACE};
use crate::daemon::api_error;
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
    let mut written = api.create(&params, &entry).await;
    if matches!(&written, Err(kube::Error::Api(error)) if error.code == 409) {
        let uid = app.metadata.uid.clone().unwrap_or_default();
        if !has(client, id, &uid, app.spec.revision).await? {
            // Of an app of that name that was deleted, and not collected yet: it would hold up the deploy.
            forget(&api, &name(id, app.spec.revision), &uid).await?;
            written = api.create(&params, &entry).await;
        }
    }
    match written {
        Ok(_) => {}
        Err(kube::Error::Api(error)) if error.code == 409 => {} // written before a crash
        Err(error) => return Err(api_error("write the history", &error)),
    }
    let ours = ListParams::default().labels(&format!("{LABEL_APP}={},{LABEL_ENV}={}", id.app(), id.env()));
    let listed = api.list(&ours).await.map_err(|error| api_error("list the history", &error))?;
    for name in surplus(app, &listed.items) {
        delete(&api, &name, DeleteParams::default()).await?;
    }
    Ok(())
}

/// Returns the entries of an app that are beyond the last 20. The newest that was live stays however long ago that was: it is what
/// serves, and what a rollback goes to, while later ones fail. What belongs to an earlier app of the name is collected with that.
fn surplus(app: &KilterApp, entries: &[ControllerRevision]) -> Vec<String> {
    let is_own = |entry: &&ControllerRevision| {
        let owners = entry.owner_references();
        owners.is_empty() || owners.iter().any(|owner| Some(&owner.uid) == app.metadata.uid.as_ref())
    };
    let mut own: Vec<&ControllerRevision> = entries.iter().filter(is_own).collect();
    own.sort_by_key(|entry| entry.revision);
    let live = app.status.as_ref().and_then(|status| status.live_revisions.iter().max().copied());
    let oldest = &own[..own.len().saturating_sub(HISTORY)];
    let surplus = oldest.iter().filter(|entry| u64::try_from(entry.revision).ok() != live);
    surplus.map(|entry| entry.name_any()).collect()
}

/// Deletes an entry that another KilterApp than the one of a uid has.
async fn forget(api: &Api<ControllerRevision>, name: &str, uid: &str) -> Result<()> {
    let found = api.get_metadata_opt(name).await.map_err(|error| api_error("read the history", &error))?;
    let is_own = |owner: &OwnerReference| owner.uid == uid;
    let Some(found) = found.filter(|found| !found.owner_references().iter().any(is_own)) else { return Ok(()) };
    let only = Preconditions { uid: found.metadata.uid, resource_version: found.metadata.resource_version };
    delete(api, name, DeleteParams { preconditions: Some(only), ..DeleteParams::default() }).await
}

/// Deletes an entry; what is gone, or another one by now, is fine.
async fn delete(api: &Api<ControllerRevision>, name: &str, params: DeleteParams) -> Result<()> {
    match api.delete(name, &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(error)) if matches!(error.code, 404 | 409) => Ok(()),
        Err(error) => Err(api_error("shorten the history", &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::super::testing;
    use super::*;
    use crate::api::Template;

    #[test]
    fn what_is_live_stays_in_the_history_while_later_ones_fail() {
        let (_, mut app) = testing::app(Template::default());
        let entry = |uid: &str, revision: i64| -> ControllerRevision {
            let owner = json!({"apiVersion": "v", "kind": "KilterApp", "name": "shop-prod", "uid": uid});
            serde_json::from_value(json!({"revision": revision,
                "metadata": {"name": format!("{uid}-{revision}"), "ownerReferences": [owner]}}))
            .unwrap()
        };
        let mut entries: Vec<ControllerRevision> = (1..=23).rev().map(|revision| entry("u", revision)).collect();
        entries.extend((90..=99).map(|revision| entry("earlier", revision)));
        assert_eq!(surplus(&app, &entries), ["u-1", "u-2", "u-3"]);
        app.status = Some(crate::api::KilterAppStatus { live_revisions: vec![1, 2], ..Default::default() });
        assert_eq!(surplus(&app, &entries), ["u-1", "u-3"]);
        assert_eq!(surplus(&app, &entries[..20]), Vec::<String>::new());
    }

    #[tokio::test]
    async fn what_an_earlier_app_of_the_name_left_makes_room() {
        for (owner, replaced) in [("older", true), ("u", false)] {
            let entry = json!({"metadata": {"name": "shop-prod-1", "uid": "e", "resourceVersion": "7",
                "ownerReferences": [{"apiVersion": "v", "kind": "KilterApp", "name": "shop-prod", "uid": owner}]}, "revision": 1});
            let kept = Arc::new(Mutex::new(Some(entry)));
            let cluster = kept.clone();
            let client = testing::client(move |asked| {
                let mut kept = cluster.lock().unwrap();
                let known = kept.clone();
                let answer = match (asked.method().as_str(), known) {
                    ("POST", Some(_)) => testing::refusal(409, "AlreadyExists"),
                    ("POST", None) => {
                        *kept = Some(asked.body().clone());
                        (201, asked.body().clone())
                    }
                    ("DELETE", Some(known)) => {
                        assert_eq!(asked.body()["preconditions"], json!({"uid": "e", "resourceVersion": "7"}));
                        *kept = None;
                        (200, known)
                    }
                    (_, known) if asked.uri().path().ends_with("/controllerrevisions") => {
                        (200, json!({"metadata": {}, "items": known.into_iter().collect::<Vec<Value>>()}))
                    }
                    (_, known) => known.map_or_else(|| testing::refusal(404, "NotFound"), |known| (200, known)),
                };
                async move { answer }
            });
            let (id, app) = testing::app(Template::default());
            record(&client, &id, &app).await.unwrap();
            let kept = kept.lock().unwrap().clone().unwrap();
            assert_eq!(kept["metadata"]["ownerReferences"][0]["uid"], "u", "{owner}");
            assert_eq!(kept["metadata"].get("uid").is_none(), replaced, "{owner}");
        }
    }
}
