//! KilterPlans: what a deploy would change in the repository, answered in the plan's status and forgotten after a while.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::runtime::controller::Action;
use serde_json::json;

use super::MANAGER;
use super::apps::Operator;
use super::render::Kept;
use crate::api::{AppId, KilterApp, KilterAppSpec, KilterPlan, NAMESPACE, PLAN_MINUTES, check};
use crate::daemon::api_error;
use crate::diag::{Error, Result};
use crate::gitops::{AppReceipt, Files, is_ciphertext};

/// Most characters of a plan: it has to fit into an object of the API server.
const MOST: usize = 512 * 1024;

/// When a plan is looked at again that could not be answered.
const AGAIN: Duration = Duration::from_secs(5);

/// Answers a plan, or deletes it when its time is over.
pub(super) async fn reconcile(plan: Arc<KilterPlan>, operator: Arc<Operator>) -> Result<Action> {
    let api: Api<KilterPlan> = Api::namespaced(operator.client.clone(), NAMESPACE);
    let born = plan.creation_timestamp().map_or_else(Timestamp::now, |time| time.0);
    let left = PLAN_MINUTES * 60 - (Timestamp::now().as_second() - born.as_second());
    if left <= 0 {
        return match api.delete(&plan.name_any(), &DeleteParams::default()).await {
            Ok(_) => Ok(Action::await_change()),
            Err(kube::Error::Api(error)) if error.code == 404 => Ok(Action::await_change()),
            Err(error) => Err(api_error("delete a plan", &error)),
        };
    }
    let later = Action::requeue(Duration::from_secs(u64::try_from(left).unwrap_or(0) + 1));
    if plan.status.as_ref().is_some_and(|status| status.state.is_some()) {
        return Ok(later);
    }
    if !operator.committer.head().is_read {
        return Ok(Action::requeue(AGAIN));
    }
    let status = match answer(&plan, &operator).await {
        Ok(diff) => json!({"state": "Done", "diff": diff}),
        Err(error) => json!({"state": "Failed", "message": error.to_string()}),
    };
    let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    match api.patch_status(&plan.name_any(), &params, &Patch::Merge(json!({"status": status}))).await {
        Ok(_) => Ok(later),
        Err(kube::Error::Api(error)) if error.code == 404 => Ok(Action::await_change()),
        Err(error) => Err(api_error("answer a plan", &error)),
    }
}

pub(super) fn retry(_plan: Arc<KilterPlan>, error: &Error, _operator: Arc<Operator>) -> Action {
    tracing::warn!(%error, "a plan failed");
    Action::requeue(AGAIN)
}

async fn answer(plan: &KilterPlan, operator: &Arc<Operator>) -> Result<String> {
    let asked = &plan.spec;
    let id = AppId::new(&asked.org, &asked.app, &asked.env).map_err(Error::project)?;
    let wrong = check(&id, &asked.template, operator.renderer.platform());
    if !wrong.is_empty() {
        return Err(Error::project(wrong.join("; ")));
    }
    let (old, now) = committed(&id, operator.committer.files(id.namespace()).await?)?;
    let now = now.as_ref();
    // As the next deploy would be, but for its number: what is the same shall not show up. Jobs have names of their own.
    let deploy = now.filter(|_| !asked.template.has_jobs()).map_or("next", |receipt| receipt.deploy.as_str());
    let spec = KilterAppSpec {
        org: asked.org.clone(),
        app: asked.app.clone(),
        env: asked.env.clone(),
        revision: now.map_or(1, |receipt| receipt.revision),
        deploy: deploy.to_owned(),
        by: String::new(),
        template: asked.template.clone(),
    };
    let mut app = KilterApp::new(&id.namespace(), spec);
    app.metadata.uid = now.map(|receipt| receipt.uid.clone());
    let slot = operator.render_slot().await?;
    // Jobs are rendered anew: those of the head are another deploy's.
    let kept = Kept { jobs: None, ..operator.kept(&id, &app).await? };
    let rendered = operator.rendered_in(slot, &id, app, kept).await?;
    Ok(diff(&old, &rendered.files))
}

/// Returns what an app has in the repository, and its receipt, from the files at its place there. Files without a receipt are not
/// known to be the app's: they count as none.
///
/// # Errors
/// When they are another app's: what that one has is not for whoever asks.
fn committed(id: &AppId, files: Files) -> Result<(Files, Option<AppReceipt>)> {
    match AppReceipt::of(&id.namespace(), &files) {
        None => Ok((Files::new(), None)),
        Some(receipt) if id.is_of(&receipt.org, &receipt.app, &receipt.env) => Ok((files, Some(receipt))),
        Some(_) => Err(Error::project(format!("`{}` belongs to another app", id.namespace()))),
    }
}

/// Returns the difference of what is applied; ciphertexts, values and receipts are left out.
fn diff(old: &Files, new: &Files) -> String {
    let shown =
        |path: &&String| !path.ends_with("receipt.json") && !path.ends_with("values.yaml") && !is_ciphertext(path);
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).filter(shown).collect();
    let mut out = String::new();
    for path in paths {
        let text = |files: &Files| files.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let (before, after) = (text(old).unwrap_or_default(), text(new).unwrap_or_default());
        if before != after {
            let patch = diffy::create_patch(&before, &after).to_string();
            let body = patch.split_once("\n+++ modified\n").map_or(patch.as_str(), |(_, body)| body);
            out.push_str(&format!("--- {path}\n+++ {path}\n{body}"));
        }
    }
    let secrets = |files: &Files| -> BTreeSet<String> {
        files
            .iter()
            .filter(|(path, _)| is_ciphertext(path))
            .map(|(path, bytes)| format!("{path} {}", crate::ids::Digest::of(bytes)))
            .collect()
    };
    for changed in secrets(old).symmetric_difference(&secrets(new)) {
        let path = changed.split(' ').next().unwrap_or_default();
        let line = format!("# {path} changes (encrypted, not shown)\n");
        if !out.contains(&line) {
            out.push_str(&line);
        }
    }
    out.chars().take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::api::{KilterPlanSpec, Template};
    use crate::gitops::tests::Bench;

    #[tokio::test]
    async fn a_plan_waits_for_a_slot_as_a_deploy_does() {
        let bench = Bench::new();
        let client = testing::client(|asked| async move { panic!("{} is asked for", asked.uri()) });
        let operator = testing::operator(&bench, client, "echo 'kind: ConfigMap'");
        let template = Template { image: format!("shop@sha256:{}", "0".repeat(64)), port: 3000, ..Template::default() };
        let (org, app, env) = ("acme".into(), "shop".into(), "prod".into());
        let plan = KilterPlan::new("p", KilterPlanSpec { org, app, env, template });
        let shown = answer(&plan, &operator).await.unwrap();
        assert!(shown.contains("+kind: ConfigMap"), "{shown}");
        operator.render_slots.close();
        let error = answer(&plan, &operator).await.unwrap_err();
        assert!(error.to_string().contains("the renders ended"), "{error}");
    }

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_plan_shows_what_is_applied_and_no_ciphertext() {
        // Of an app whose name begins as the files of ciphertexts do everything else is shown all the same.
        for namespace in ["x-prod", "secret-x-prod"] {
            let with = |value: u8, secret: &str| {
                files(&[
                    (&format!("apps/{namespace}/app/app.yaml"), &format!("a: 1\nb: {value}\n")),
                    (&format!("apps/{namespace}/jobs/secret-s.json"), secret),
                    (&format!("apps/{namespace}/receipt.json"), &value.to_string()),
                ])
            };
            let (old, new) = (with(2, "canary-old"), with(3, "canary-new"));
            let shown = diff(&old, &new);
            let path = format!("apps/{namespace}/app/app.yaml");
            assert!(shown.starts_with(&format!("--- {path}\n+++ {path}\n@@")), "{shown}");
            let hidden = !shown.contains("canary") && !shown.contains("receipt");
            assert!(shown.contains("-b: 2\n+b: 3\n") && hidden, "{shown}");
            assert_eq!(shown.matches("secret-s.json changes").count(), 1);
            assert_eq!(diff(&old, &old), "");
        }
    }

    #[test]
    fn what_another_app_has_is_not_shown() {
        let receipt = r#"{"org": "acme", "app": "web", "env": "eu-prod", "uid": "u", "generation": 1, "revision": 7,
            "deploy": "d", "image": "i", "renders": {}}"#;
        let theirs =
            || files(&[("apps/web-eu-prod/app/app.yaml", "a: 1\n"), ("apps/web-eu-prod/receipt.json", receipt)]);
        let id = |org, app, env| AppId::new(org, app, env).unwrap();
        let (old, known) = committed(&id("acme", "web", "eu-prod"), theirs()).unwrap();
        assert_eq!((old, known.map(|receipt| receipt.revision)), (theirs(), Some(7)));
        for other in [id("globex", "web", "eu-prod"), id("acme", "web-eu", "prod")] {
            let refused = committed(&other, theirs()).unwrap_err().to_string();
            assert!(refused.starts_with("`web-eu-prod` belongs to another app"), "{refused}");
        }
        // Whose it is cannot be told without a receipt.
        let mut damaged = theirs();
        damaged.insert("apps/web-eu-prod/receipt.json".into(), b"{".to_vec());
        assert_eq!(committed(&id("acme", "web-eu", "prod"), damaged).unwrap(), (Files::new(), None));
    }
}
