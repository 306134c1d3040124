//! What an operator need not find out again. Nothing of it is needed for being right: one that starts anew has none of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use kube::ResourceExt as _;
use kube::api::ObjectMeta;

use super::decide::Rendering;
use super::render::RenderedApp;
use crate::api::{AppId, KilterApp, KilterAppStatus};
use crate::gitops::Head;

/// uid, generation and rerender annotation: what a render is of.
pub(super) type RenderKey = (String, i64, String);

/// How a render went.
#[derive(Debug, Clone)]
pub(super) enum Render {
    Done(Box<RenderedApp>),
    /// helm refused it: the same again would fail again.
    Failed(String),
    /// It was no fault of the app's: it is tried again.
    Interrupted(String),
}

/// What is remembered; apps are known by their namespace.
#[derive(Default)]
pub(super) struct Memory {
    renders: HashMap<String, (RenderKey, Render)>,
    /// Why the last write to the repository failed.
    trouble: HashMap<String, String>,
    /// Why the last fetch failed.
    unreachable: Option<String>,
    recorded: HashSet<(String, u64)>,
    /// The commit that Flux was told of last.
    told: Option<String>,
    /// Rounds in a row that failed, by the name of the KilterApp.
    failures: BTreeMap<String, u32>,
    /// What was written to a KilterApp and the watch may not have shown yet, by its uid.
    written: HashMap<String, Written>,
}

/// What a KilterApp has had since its last write.
#[derive(Clone)]
struct Written {
    version: u64,
    finalizers: Option<Vec<String>>,
    status: Option<KilterAppStatus>,
}

/// Reads a resourceVersion: those of one resource are numbers that grow, as Kubernetes promises since 1.35
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>).
fn version(meta: &ObjectMeta) -> Option<u64> {
    meta.resource_version.as_ref()?.parse().ok()
}

impl Memory {
    /// Returns how far the render of an app is.
    pub(super) fn rendering(&self, id: &AppId, key: &RenderKey) -> Rendering {
        match self.renders.get(&id.namespace()).filter(|(known, _)| known == key) {
            None => Rendering::Missing,
            Some((_, Render::Done(_))) => Rendering::Done,
            Some((_, Render::Failed(why))) => Rendering::Failed(why.clone()),
            Some((_, Render::Interrupted(why))) => Rendering::Interrupted(why.clone()),
        }
    }

    /// Returns the files of an app that were rendered last, where they were.
    pub(super) fn rendered(&self, id: &AppId) -> Option<RenderedApp> {
        match self.renders.get(&id.namespace()) {
            Some((_, Render::Done(rendered))) => Some(rendered.as_ref().clone()),
            _ => None,
        }
    }

    pub(super) fn note_render(&mut self, id: &AppId, key: RenderKey, render: Render) {
        self.renders.insert(id.namespace(), (key, render));
    }

    /// Returns why the last write to the repository failed.
    pub(super) fn trouble(&self, id: &AppId) -> Option<String> {
        self.trouble.get(&id.namespace()).cloned()
    }

    pub(super) fn note_trouble(&mut self, id: &AppId, why: String) {
        self.trouble.insert(id.namespace(), why);
    }

    /// Returns why the last fetch of the repository failed.
    pub(super) fn unreachable(&self) -> Option<String> {
        self.unreachable.clone()
    }

    pub(super) fn note_fetch(&mut self, failed: Option<String>) {
        self.unreachable = failed;
    }

    /// Forgets what was on its way to the repository.
    pub(super) fn note_written(&mut self, id: &AppId) {
        self.trouble.remove(&id.namespace());
        self.renders.remove(&id.namespace());
    }

    /// Forgets an app that is gone.
    pub(super) fn forget(&mut self, id: &AppId, uid: &str) {
        self.note_written(id);
        self.recorded.retain(|(of, _)| of != uid);
        self.written.remove(uid);
    }

    /// Remembers a KilterApp as it is after a write.
    pub(super) fn note_app(&mut self, app: &KilterApp) {
        if let (Some(uid), Some(version)) = (app.uid(), version(&app.metadata)) {
            let (finalizers, status) = (app.metadata.finalizers.clone(), app.status.clone());
            self.written.insert(uid, Written { version, finalizers, status });
        }
    }

    /// Forgets the last write to a KilterApp: what the API server has is not what was to follow it.
    pub(super) fn forget_app(&mut self, app: &KilterApp) {
        self.written.remove(&app.uid().unwrap_or_default());
    }

    /// Brings a copy of a KilterApp that is older than the last write to it up to that write: a round that began with less
    /// would write the status without what the one before put into it.
    pub(super) fn catch_up(&mut self, app: &mut KilterApp) {
        let Some(uid) = app.uid() else { return };
        let Some(written) = self.written.get(&uid) else { return };
        if version(&app.metadata).is_none_or(|seen| seen >= written.version) {
            self.written.remove(&uid);
            return;
        }
        let written = written.clone();
        app.metadata.resource_version = Some(written.version.to_string());
        (app.metadata.finalizers, app.status) = (written.finalizers, written.status);
    }

    pub(super) fn is_recorded(&self, uid: &str, revision: u64) -> bool {
        self.recorded.contains(&(uid.to_owned(), revision))
    }

    pub(super) fn note_recorded(&mut self, uid: &str, revision: u64) {
        self.recorded.insert((uid.to_owned(), revision));
    }

    /// Tells whether Flux was told of a commit or of one after it.
    pub(super) fn was_told(&self, head: &Head, commit: Option<&str>) -> bool {
        match (&self.told, commit) {
            (Some(told), Some(commit)) => head.contains(told, commit),
            (_, None) => true,
            (None, _) => false,
        }
    }

    pub(super) fn note_told(&mut self, commit: String) {
        self.told = Some(commit);
    }

    /// Counts a round that failed; returns how many did in a row.
    pub(super) fn note_failure(&mut self, name: &str) -> u32 {
        let count = self.failures.entry(name.to_owned()).or_default();
        *count += 1;
        *count
    }

    pub(super) fn forget_failures(&mut self, name: &str) {
        self.failures.remove(name);
    }
}
