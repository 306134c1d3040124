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

/// Names of objects by kind. A kind is written as kubectl takes it, with its group: `statefulset.apps`.
type Kinds = BTreeMap<String, BTreeSet<String>>;

/// The objects of a project, by namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Applied(BTreeMap<String, Kinds>);

impl Applied {
    /// Reads the objects of manifests; those that say no namespace are in `namespace`.
    fn of(manifests: &[(String, Vec<u8>)], namespace: &str) -> Self {
        let mut all = Self::default();
        let found = manifests.iter().flat_map(|(_, manifest)| objects(manifest));
        for object in found.filter(|object| !object.stays()) {
            let kind = object.qualified_kind();
            let namespace = object.namespace.unwrap_or_else(|| namespace.to_owned());
            all.0.entry(namespace).or_default().entry(kind).or_default().insert(object.name);
        }
        all
    }

    /// Returns what is here and not there.
    fn without(&self, other: &Self) -> BTreeMap<String, Kinds> {
        let mut gone = BTreeMap::<String, Kinds>::new();
        for (namespace, kinds) in &self.0 {
            for (kind, names) in kinds {
                let left = other.0.get(namespace).and_then(|kinds| kinds.get(kind)).cloned().unwrap_or_default();
                let names: BTreeSet<String> = names.difference(&left).cloned().collect();
                if !names.is_empty() {
                    gone.entry(namespace.clone()).or_default().insert(kind.clone(), names);
                }
            }
        }
        gone
    }
}

/// Deletes objects; returns those of kinds that the cluster knows. With the definition of a kind the cluster has deleted
/// everything of it.
fn delete(kubectl: &Kubectl, gone: &Kinds) -> Result<Vec<String>> {
    let named = |(kind, names): (&String, &BTreeSet<String>)| {
        names.iter().map(|name| format!("{kind}/{name}")).collect::<Vec<_>>()
    };
    let all: Vec<String> = gone.iter().flat_map(named).collect();
    match kubectl.delete(&all) {
        Ok(()) => Ok(all),
        Err(error) if !is_unknown_kind(&error) => Err(error),
        Err(_) if gone.len() == 1 => Ok(Vec::new()),
        // kubectl looks all kinds up before it deletes anything, and does not say of each whether it knows it.
        Err(_) => {
            let each = gone.iter().map(|(kind, names)| delete(kubectl, &Kinds::from([(kind.clone(), names.clone())])));
            Ok(each.collect::<Result<Vec<_>>>()?.concat())
        }
    }
}

/// Knows the words that kubectl has for a kind that the cluster does not know (k8s.io/cli-runtime `pkg/resource/builder.go`);
/// when it could not ask, it has others.
fn is_unknown_kind(error: &Error) -> bool {
    let words = error.problems().iter().filter_map(|problem| problem.detail.as_deref());
    words.into_iter().any(|words| words.contains("the server doesn't have a resource type"))
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
            let gone = delete(&Kubectl { namespace, ..kubectl.clone() }, &gone)?;
            if !gone.is_empty() {
                ctx.ui.talk(&format!("deleted what the project no longer has: {}", gone.join(", ")));
            }
        }
        let text = serde_json::to_string_pretty(&now).map_err(|error| Error::bug(error.to_string()))?;
        fsx::write(&file, (text + "\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn applied(manifest: &str) -> Applied {
        Applied::of(&[("x".to_owned(), manifest.as_bytes().to_vec())], "shop-dev")
    }

    fn kinds(of: &[(&str, &str)]) -> Kinds {
        let mut kinds = Kinds::new();
        for (kind, name) in of {
            kinds.entry((*kind).to_owned()).or_default().insert((*name).to_owned());
        }
        kinds
    }

    #[test]
    fn what_left_the_project_is_named_and_data_never_is() {
        let before = applied(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: redis}\n---\n\
             apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: uploads}\n---\n\
             apiVersion: x.example.com/v1\nkind: Secret\nmetadata: {name: key, namespace: other}\n---\n\
             apiVersion: v1\nkind: Secret\nmetadata: {name: key, namespace: other}\n---\n\
             apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n",
        );
        let now = applied("apiVersion: v1\nkind: Secret\nmetadata: {name: key, namespace: other}\n");
        let gone = BTreeMap::from([
            ("other".to_owned(), kinds(&[("secret.x.example.com", "key")])),
            ("shop-dev".to_owned(), kinds(&[("statefulset.apps", "redis")])),
        ]);
        assert_eq!(before.without(&now), gone);
        assert!(now.without(&before).is_empty());
        let moved = applied("apiVersion: apps/v2\nkind: StatefulSet\nmetadata: {name: redis}\n");
        assert!(moved.without(&before).is_empty(), "another version of a kind is the same object");
    }

    #[test]
    fn a_kind_that_the_cluster_no_longer_knows_is_passed_over() {
        let place = tempfile::tempdir().unwrap();
        let program = place.path().join("kubectl");
        let lines = "#!/bin/sh\ncase \"$*\" in\n*crontab.*) echo \"error: the server doesn't have a resource type \\\"crontab\\\"\" >&2; exit 1;;\n\
                     *broken*) echo 'error: no answer' >&2; exit 1;;\n*) echo \"$*\" >>\"$0.log\";;\nesac\n";
        fsx::write(&program, lines.as_bytes()).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let kubeconfig = place.path().join("kubeconfig");
        let kubectl = Kubectl { program, kubeconfig, namespace: "shop-dev".into() };
        let gone = kinds(&[("crontab.example.com", "x"), ("secret", "a"), ("secret", "b"), ("service", "s")]);
        assert_eq!(delete(&kubectl, &gone).unwrap(), ["secret/a", "secret/b", "service/s"]);
        let log = fs::read_to_string(place.path().join("kubectl.log")).unwrap();
        assert_eq!(log.lines().count(), 2, "{log}");
        assert_eq!(delete(&kubectl, &kinds(&[("crontab.example.com", "x")])).unwrap(), Vec::<String>::new());
        delete(&kubectl, &kinds(&[("crontab.example.com", "x"), ("secret", "broken")])).unwrap_err();
    }
}
