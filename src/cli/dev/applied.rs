//! What was applied for the project, remembered on this machine: Tilt deletes what leaves the Tiltfile while it runs, and
//! knows nothing of what left while it did not.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Dev;
use crate::cli::context::Context;
use crate::cluster::Kubectl;
use crate::diag::{Error, Result};
use crate::fsx;
use crate::tilt::objects;

/// The objects of a project, `kind/name`, by namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Applied(BTreeMap<String, BTreeSet<String>>);

impl Applied {
    /// Reads the objects of manifests; those that say no namespace are in `namespace`.
    fn of(manifests: &[(String, Vec<u8>)], namespace: &str) -> Self {
        let mut all = Self::default();
        let found = manifests.iter().flat_map(|(_, manifest)| objects(manifest));
        for object in found.filter(|object| !object.stays()) {
            let namespace = object.namespace.unwrap_or_else(|| namespace.to_owned());
            all.0.entry(namespace).or_default().insert(format!("{}/{}", object.kind.to_lowercase(), object.name));
        }
        all
    }

    /// Returns what is here and not there.
    fn without(&self, other: &Self) -> BTreeMap<String, Vec<String>> {
        let nothing = BTreeSet::new();
        let gone = self.0.iter().map(|(namespace, objects)| {
            let left = other.0.get(namespace).unwrap_or(&nothing);
            (namespace.clone(), objects.difference(left).cloned().collect::<Vec<_>>())
        });
        gone.filter(|(_, objects)| !objects.is_empty()).collect()
    }
}

impl Dev {
    /// Deletes what was applied before and belongs to the project no longer, and remembers what is applied now.
    ///
    /// # Errors
    /// When the cluster refuses, or the list cannot be read or written.
    pub(crate) fn sweep(&self, ctx: &Context, kubectl: &Kubectl, manifests: &[(String, Vec<u8>)]) -> Result<()> {
        let file = self.session.dir.join("applied.json");
        let now = Applied::of(manifests, &self.plan.namespace);
        let before = fsx::read_text(&file, fsx::MAX_FILE)?;
        // A file of another kilter that cannot be read says nothing.
        let before: Applied = before.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        if before == now {
            return Ok(());
        }
        for (namespace, gone) in before.without(&now) {
            Kubectl { namespace, ..kubectl.clone() }.delete(&gone)?;
            ctx.ui.talk(&format!("deleted what the project no longer has: {}", gone.join(", ")));
        }
        let text = serde_json::to_string_pretty(&now).map_err(|error| Error::bug(error.to_string()))?;
        fsx::write(&file, (text + "\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_left_the_project_is_named_and_data_never_is() {
        let manifest = |text: &str| vec![("x".to_owned(), text.as_bytes().to_vec())];
        let before = Applied::of(
            &manifest(
                "kind: StatefulSet\nmetadata: {name: redis}\n---\nkind: PersistentVolumeClaim\nmetadata: {name: uploads}\n---\n\
                 kind: Secret\nmetadata: {name: key, namespace: other}\n---\nkind: Namespace\nmetadata: {name: other}\n",
            ),
            "shop-dev",
        );
        let now = Applied::of(&manifest("kind: Secret\nmetadata: {name: key, namespace: other}\n"), "shop-dev");
        let gone = BTreeMap::from([("shop-dev".to_owned(), vec!["statefulset/redis".to_owned()])]);
        assert_eq!(before.without(&now), gone);
        assert!(now.without(&before).is_empty());
    }
}
