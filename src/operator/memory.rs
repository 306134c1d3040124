//! What an operator need not find out again. Nothing of it is needed for being right: one that starts anew has none of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::decide::Rendering;
use super::render::RenderedApp;
use crate::api::AppId;
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
