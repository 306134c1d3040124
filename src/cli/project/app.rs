//! What is known about the app without kilter.yaml: what the manifests say, and what kilter.lock holds of that.

use super::Project;
use crate::config::lock::LockedProject;
use crate::detect::{Detection, Stack};
use crate::plan::Facts;

/// What is wrong where [`Project::moved`] says something, and what to do.
pub(crate) const OLDER: &str = "kilter.lock is older than the app";
pub(crate) const TAKE_UP: &str = "Take it up: `kilter upgrade app`. Or decide it in kilter.yaml.";

impl Project {
    /// Takes up an app that came after kilter.lock was made. What the lock holds of an app stays as it is: that is `kilter
    /// upgrade`'s.
    pub(crate) fn take_up_app(&mut self, found: &Detection) {
        let config = &self.loaded.config;
        let decided = config.dev.is_some() || config.port.is_some() || config.image.is_some();
        if let Some(lock) = &mut self.lock
            && !decided
            && found.dev.is_some()
            && locked_facts(&lock.project) == Facts::default()
        {
            lock_facts(&mut lock.project, found.clone());
            self.appeared = true;
        }
    }

    /// Says what kilter.lock holds about the app where the manifests say something else by now and kilter.yaml nothing; empty
    /// when there is no such thing.
    pub(crate) fn moved(&self, found: &Detection) -> String {
        let Some(lock) = &self.lock else { return String::new() };
        let (config, locked) = (&self.loaded.config, locked_facts(&lock.project));
        let (found, _) = facts_of(found.clone());
        let text = |port: u16| port.to_string();
        let facts = [
            ("dev", config.dev.is_some(), locked.dev, found.dev),
            ("port", config.port.is_some(), locked.port.map(text), found.port.map(text)),
            ("image", config.image.is_some(), locked.image, found.image),
            ("health", config.health.is_some(), locked.health, found.health),
        ];
        let moved = facts.into_iter().filter(|(_, said, locked, found)| !said && locked != found);
        let words = |value: Option<String>| value.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"));
        let moved: Vec<String> = moved
            .map(|(name, _, locked, found)| format!("{name} was {}, is {}", words(locked), words(found)))
            .collect();
        moved.join("; ")
    }
}

/// Takes out of a detection what a plan and a Dockerfile are made of.
pub(crate) fn facts_of(found: Detection) -> (Facts, Option<Stack>) {
    let facts = Facts {
        port: found.port.map(|f| f.value),
        dev: found.dev.map(|f| f.value),
        image: found.image.map(|f| f.value),
        health: found.health.map(|f| f.value),
    };
    (facts, found.stack)
}

/// Writes what a detection says of the app into a lock.
pub(crate) fn lock_facts(locked: &mut LockedProject, found: Detection) {
    let (facts, stack) = facts_of(found);
    locked.port = facts.port;
    locked.dev = facts.dev;
    locked.image = facts.image;
    locked.health = facts.health;
    locked.stack = stack.and_then(|stack| serde_json::to_value(stack).ok());
}

/// Takes out of a lock what a plan is made of.
pub(super) fn locked_facts(locked: &LockedProject) -> Facts {
    Facts { port: locked.port, dev: locked.dev.clone(), image: locked.image.clone(), health: locked.health.clone() }
}
