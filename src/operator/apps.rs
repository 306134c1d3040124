//! The rounds of one KilterApp: observe, report, decide, act; until the next thing is somebody else's to do.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions};
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use kube::{Resource as _, ResourceExt as _};
use serde::Serialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::committer::Committer;
use super::decide::{Step, Wanted, decide};
use super::memory::{Memory, Render};
use super::metrics::Metrics;
use super::observe::{complaint, observe, wanted};
use super::render::{AppRenderer, Kept, RenderedApp, committed_jobs, is_refusal};
use super::report::{Facts, report, unread, unreadable};
use super::{MANAGER, flux, history, pace, workload};
use crate::api::{AppId, FINALIZER, KilterApp, KilterAppStatus, LABEL_ORG, NAMESPACE};
use crate::daemon::api_error;
use crate::diag::{Error, Result};
use crate::gitops::{Change, Phase, dropped, kustomization_name, namespace_object, sealed};

/// Most effects of one round, so that one app cannot keep a worker.
const STEPS: usize = 20;

/// What all rounds share.
pub(super) struct Operator {
    pub client: kube::Client,
    pub renderer: Arc<AppRenderer>,
    pub committer: Committer,
    pub metrics: Arc<Metrics>,
    pub confined: bool,
    /// How many renders go on at once.
    pub render_slots: Arc<Semaphore>,
    pub apps: Store<DeserializeGuard<KilterApp>>,
    /// An effect after which the process ends at once: how tests find out what a crash leaves behind.
    pub die_after: Option<String>,
    pub memory: Mutex<Memory>,
    /// Held while Flux is told: of the rounds that one commit wakes, one does it.
    pub telling: tokio::sync::Mutex<()>,
}

impl Operator {
    /// Asks or tells the memory one thing: nobody holds it longer, as one that waits for itself waits for ever.
    pub(super) fn memory<T>(&self, with: impl FnOnce(&mut Memory) -> T) -> T {
        with(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does one round. What cannot be decoded is told so in its own status; it never holds up another.
    async fn round(&self, guarded: &DeserializeGuard<KilterApp>) -> Result<Action> {
        let app = match &guarded.0 {
            Ok(app) => app,
            Err(invalid) => {
                self.tell_invalid(invalid, &unreadable(&invalid.error)).await?;
                return Ok(Action::await_change());
            }
        };
        let id = match AppId::new(&app.spec.org, &app.spec.app, &app.spec.env) {
            Ok(id) if id.namespace() == app.name_any() => id,
            other => {
                let why = other.err().unwrap_or_else(|| "its name is not <app>-<env>".into());
                let invalid = InvalidObject { error: String::new(), metadata: app.metadata.clone() };
                self.tell_invalid(&invalid, &why).await?;
                return Ok(Action::await_change());
            }
        };
        // What the rounds before wrote and this one writes is in it.
        let mut app = app.clone();
        self.memory(|memory| memory.catch_up(&mut app));
        let mut status = app.status.clone().unwrap_or_default();
        let wanted = wanted(&app);
        let complaint = complaint(self, &id, &app);
        for _ in 0..STEPS {
            if !self.committer.head().is_read {
                let why = self.memory(|memory| memory.unreachable());
                let why = why.unwrap_or_else(|| "it was not read yet".into());
                let tell = |about: &Facts<'_>| unread(&wanted, complaint, &why, about, &status);
                let new = self.say(&id, &mut app, tell).await?;
                return Ok(Action::requeue(pace::on_its_way(&new, Timestamp::now())));
            }
            let seen = observe(self, &id, &app, &wanted, complaint.clone()).await?;
            let step = decide(&wanted, &seen);
            // Of one that is deleted nobody but its finalizer is left who would be told, and that goes now.
            if !(wanted.deleting && (step == Step::DropFinalizer || !seen.finalizer)) {
                status = self.say(&id, &mut app, |about| report(&wanted, &seen, about, &status)).await?;
            }
            if step == Step::Rest {
                return Ok(Action::requeue(pace::next_look(&wanted, &seen, &status, Timestamp::now())));
            }
            tracing::debug!(app = %id, ?step, "step");
            self.act(step, &id, &mut app, &wanted).await?;
            self.die(step);
            if step == Step::DropFinalizer {
                self.memory(|memory| memory.forget(&id, &wanted.uid));
                return Ok(Action::await_change());
            }
        }
        Ok(Action::requeue(Duration::from_secs(1)))
    }

    /// Does one effect.
    async fn act(&self, step: Step, id: &AppId, app: &mut KilterApp, wanted: &Wanted) -> Result<()> {
        match step {
            Step::AddFinalizer => self.set_finalizers(app, |all| all.push(FINALIZER.into())).await,
            Step::DropFinalizer => self.set_finalizers(app, |all| all.retain(|finalizer| finalizer != FINALIZER)).await,
            Step::CreateNamespace => self.create_namespace(id).await,
            Step::DeleteNamespace => self.delete_namespace(id).await,
            Step::Render => self.render(id, app, wanted).await,
            Step::Commit | Step::Remove => self.commit(id, wanted, step == Step::Remove).await,
            Step::Record => {
                history::record(&self.client, id, app).await?;
                self.memory(|memory| memory.note_recorded(&wanted.uid, wanted.revision));
                Ok(())
            }
            Step::Tell => {
                let _one = self.telling.lock().await;
                let head = self.committer.head();
                let Some(commit) = head.commit.clone() else { return Ok(()) };
                let was_told = self.memory(|memory| memory.was_told(&head, Some(&commit)));
                if !was_told {
                    flux::tell(&self.client, &self.renderer.platform().flux.source, &commit).await?;
                    self.memory(|memory| memory.note_told(commit));
                }
                Ok(())
            }
            Step::Nudge => {
                let head = self.committer.head();
                let Some(entry) = head.entries.get(&id.namespace()) else { return Ok(()) };
                flux::nudge(&self.client, &kustomization_name(id, Phase::App), &entry.commit).await
            }
            Step::Rest => Ok(()),
        }
    }

    /// Ends the process after the effect that a test named.
    fn die(&self, step: Step) {
        if self.die_after.as_deref() == Some(format!("{step:?}").as_str()) {
            tracing::error!(?step, "told to die here");
            std::process::abort();
        }
    }

    async fn set_finalizers(&self, app: &mut KilterApp, change: impl FnOnce(&mut Vec<String>)) -> Result<()> {
        let api: Api<KilterApp> = Api::namespaced(self.client.clone(), NAMESPACE);
        let mut finalizers = app.finalizers().to_vec();
        change(&mut finalizers);
        // With the resourceVersion: somebody else's finalizer is not lost.
        let metadata = json!({"resourceVersion": app.resource_version(), "finalizers": finalizers});
        let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        match api.patch_metadata(&app.name_any(), &params, &Patch::Merge(json!({"metadata": metadata}))).await {
            Ok(changed) => {
                app.metadata.finalizers = changed.metadata.finalizers;
                app.metadata.resource_version = changed.metadata.resource_version;
                self.memory(|memory| memory.note_app(app));
                Ok(())
            }
            Err(kube::Error::Api(error)) if error.code == 404 => Ok(()),
            Err(error) => {
                self.memory(|memory| memory.forget_app(app));
                Err(api_error("write the finalizer", &error))
            }
        }
    }

    async fn create_namespace(&self, id: &AppId) -> Result<()> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let object = serde_json::from_value(namespace_object(id, self.renderer.platform()))
            .map_err(|error| Error::bug(error.to_string()))?;
        let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        match api.create(&params, &object).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(error)) if error.code == 409 => Ok(()), // the next look says whose it is
            Err(error) => Err(api_error("create the app's namespace", &error)),
        }
    }

    /// Deletes the namespace that was looked at, and no other that came in its place.
    async fn delete_namespace(&self, id: &AppId) -> Result<()> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let found = api
            .get_metadata_opt(&id.namespace())
            .await
            .map_err(|error| api_error("read the app's namespace", &error))?;
        let Some(found) = found.filter(|found| found.labels().get(LABEL_ORG).is_some_and(|org| org == id.org())) else {
            return Ok(());
        };
        let only = Preconditions { uid: found.metadata.uid, resource_version: found.metadata.resource_version };
        let params = DeleteParams { preconditions: Some(only), ..DeleteParams::default() };
        match api.delete(&id.namespace(), &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(error)) if matches!(error.code, 404 | 409) => Ok(()), // looked at again
            Err(error) => Err(api_error("delete the app's namespace", &error)),
        }
    }

    async fn render(&self, id: &AppId, app: &KilterApp, wanted: &Wanted) -> Result<()> {
        let _in_progress = self.committer.rendering_now();
        let slot = self.render_slot().await?;
        let kept = self.kept(id, app).await?;
        let began = Instant::now();
        let rendered = self.rendered_in(slot, id, app.clone(), kept).await;
        self.metrics.rendered(rendered.is_ok(), began.elapsed());
        let (render, passing) = match rendered {
            Ok(rendered) => (Render::Done(Box::new(rendered)), None),
            Err(error) => {
                let why = words(&error);
                tracing::warn!(app = %id, %why, "cannot render");
                if is_refusal(&error) { (Render::Failed(why), None) } else { (Render::Interrupted(why), Some(error)) }
            }
        };
        let key = (wanted.uid.clone(), wanted.generation, wanted.rerender.clone());
        self.memory(|memory| memory.note_render(id, key, render));
        passing.map_or(Ok(()), Err)
    }

    /// Waits until helm may run: each takes its memory beside the operator, so that all who render share the slots.
    pub(super) async fn render_slot(&self) -> Result<OwnedSemaphorePermit> {
        let closed = |_| Error::bug("the renders ended");
        self.render_slots.clone().acquire_owned().await.map_err(closed)
    }

    /// Renders in a slot, which is free again when helm has ended, whether somebody waits for it or not.
    pub(super) async fn rendered_in(
        &self,
        slot: OwnedSemaphorePermit,
        id: &AppId,
        app: KilterApp,
        kept: Kept,
    ) -> Result<RenderedApp> {
        let (renderer, of) = (self.renderer.clone(), id.clone());
        let rendered = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            renderer.render(&of, &app, kept)
        });
        rendered.await.unwrap_or_else(|error| Err(Error::bug(error.to_string())))
    }

    /// Reads what of the head goes into the next render of an app; without a look into the repository where there can be nothing.
    /// Of the Secrets that the head itself had kept, those of a deploy that has taken the place of the pods before it are let go.
    ///
    /// # Errors
    /// When git fails, or the API server does not answer.
    pub(super) async fn kept(&self, id: &AppId, app: &KilterApp) -> Result<Kept> {
        let head = self.committer.head();
        let entry = head.entries.get(&id.namespace());
        let receipt = entry.map(|entry| &entry.receipt).filter(|receipt| app.uid().as_ref() == Some(&receipt.uid));
        let Some(receipt) = receipt else { return Ok(Kept::default()) };
        let same_deploy = receipt.deploy == app.spec.deploy;
        let mut secrets = dropped(id, &app.spec, receipt);
        if !same_deploy && secrets.iter().any(|secret| secret.is_former) {
            let pods = workload::read(&self.client, id, receipt.revision, false).await?;
            secrets.retain(|secret| pods.is_err() || !secret.is_former);
        }
        let jobs = same_deploy && app.spec.template.has_jobs();
        if secrets.is_empty() && !jobs {
            return Ok(Kept::default());
        }
        let files = self.committer.files(id.namespace()).await?;
        let jobs = if jobs { committed_jobs(id, app, receipt, &files) } else { None };
        Ok(Kept { jobs, secrets: sealed(secrets, receipt, &files) })
    }

    async fn commit(&self, id: &AppId, wanted: &Wanted, remove: bool) -> Result<()> {
        let rendered = if remove { None } else { self.memory(|memory| memory.rendered(id)) };
        if rendered.is_none() && !remove {
            return Ok(()); // rendered again in the next step
        }
        let title = match remove {
            true => format!("{} {}", id.app(), id.env()),
            false => format!("{} {} revision {}", id.app(), id.env(), wanted.revision),
        };
        let gone = || vec![format!("Kilter-App: {}/{} env={}", id.org(), id.app(), id.env())];
        // What is removed may be of an earlier KilterApp (`AtHead::owned`); of what somebody writes there meanwhile nothing is.
        let head = self.committer.head();
        let removed = head.entries.get(&id.namespace()).filter(|entry| remove && entry.receipt.is_of(id));
        let change = Change {
            namespace: id.namespace(),
            uid: removed.map_or(&wanted.uid, |entry| &entry.receipt.uid).clone(),
            generation: wanted.generation,
            trailers: rendered.as_ref().map_or_else(gone, |rendered| rendered.trailers.clone()),
            files: rendered.map(|rendered| (rendered.files, rendered.receipt)),
            restores: false,
            title,
        };
        let written = self.committer.write(change).await;
        self.memory(|memory| match &written {
            Ok(_) => memory.note_written(id),
            Err(error) => memory.note_trouble(id, words(error)),
        });
        written.map(drop)
    }

    /// Writes the status when it says something new; returns it.
    async fn say(
        &self,
        id: &AppId,
        app: &mut KilterApp,
        status: impl FnOnce(&Facts<'_>) -> KilterAppStatus,
    ) -> Result<KilterAppStatus> {
        let url = id.url(self.renderer.platform(), &app.spec.template);
        let now = format!("{:.3}", Timestamp::now());
        let new = status(&Facts { deploy: &app.spec.deploy, url: &url, confined: self.confined, now: &now });
        if app.status.as_ref() == Some(&new) {
            return Ok(new);
        }
        // The whole of it: what a merge would leave of the one before, as the times of an earlier deploy, is not so any more.
        let replaced = json!([{"op": "add", "path": "/status", "value": new}]);
        let replaced = serde_json::from_value(replaced).map_err(|error| Error::bug(error.to_string()))?;
        let written = self.patch_status(&app.name_any(), &Patch::Json::<()>(replaced)).await?;
        app.status = Some(new.clone());
        if let Some(written) = written {
            // Both: the finalizers are written back as of this resourceVersion.
            app.metadata.resource_version = written.resource_version;
            app.metadata.finalizers = written.finalizers;
            self.memory(|memory| memory.note_app(app));
        }
        Ok(new)
    }

    async fn tell_invalid(&self, invalid: &InvalidObject, why: &str) -> Result<()> {
        let name = invalid.metadata.name.clone().unwrap_or_default();
        let generation = invalid.metadata.generation.unwrap_or(0);
        let now = format!("{:.0}", Timestamp::now());
        let condition = |type_: &str| {
            json!({"type": type_, "status": "False", "reason": "Malformed", "message": why.chars().take(400).collect::<String>(),
                "observedGeneration": generation, "lastTransitionTime": now})
        };
        let status =
            json!({"observedGeneration": generation, "conditions": [condition("Accepted"), condition("Ready")]});
        // The rest of the status, as which revisions were live, is still so.
        self.patch_status(&name, &Patch::Merge(json!({"status": status}))).await.map(drop)
    }

    /// Returns the metadata that the object has now; `None` when it is gone.
    async fn patch_status<P: Serialize + Debug>(&self, name: &str, patch: &Patch<P>) -> Result<Option<ObjectMeta>> {
        let api: Api<DeserializeGuard<KilterApp>> = Api::namespaced(self.client.clone(), NAMESPACE);
        let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        match api.patch_status(name, &params, patch).await {
            Ok(app) => Ok(Some(app.meta().clone())),
            Err(kube::Error::Api(error)) if error.code == 404 => Ok(None),
            Err(error) => Err(api_error("write the status", &error)),
        }
    }
}

/// The words of an error for a condition: one line and what the tool said.
pub(super) fn words(error: &Error) -> String {
    let problems = error.problems().iter();
    let lines = problems.flat_map(|problem| [Some(problem.what.clone()), problem.detail.clone()]).flatten();
    let text = lines.collect::<Vec<_>>().join(": ");
    text.lines().filter(|line| !line.starts_with("$ ")).collect::<Vec<_>>().join("; ").chars().take(1000).collect()
}

/// Does a round of one KilterApp, for kube's controller.
pub(super) async fn reconcile(app: Arc<DeserializeGuard<KilterApp>>, operator: Arc<Operator>) -> Result<Action> {
    let done = operator.round(&app).await;
    operator.metrics.round(done.is_ok());
    if done.is_ok() {
        operator.memory(|memory| memory.forget_failures(app.meta().name.as_deref().unwrap_or_default()));
    }
    done
}

/// Says when a round is tried again that failed.
pub(super) fn retry(app: Arc<DeserializeGuard<KilterApp>>, error: &Error, operator: Arc<Operator>) -> Action {
    let name = app.meta().name.clone().unwrap_or_default();
    tracing::warn!(app = %name, %error, "the round failed");
    let count = operator.memory(|memory| memory.note_failure(&name));
    Action::requeue(pace::after_failures(count, &name))
}

#[cfg(test)]
#[path = "apps_tests.rs"]
mod tests;
