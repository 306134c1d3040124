//! The data of a service: which volume claims of a namespace its manifest asked for.

use serde_yaml::Value;

use super::documents::documents;

/// Says which of these claims (names of PersistentVolumeClaims) belong to a manifest: those that it holds itself, and those
/// that the cluster made for its StatefulSets, `<template>-<set>-<ordinal>`
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage>).
pub fn claims_of(manifest: &[u8], existing: &[String]) -> Vec<String> {
    let wanted: Vec<Claim> = documents(manifest).iter().flat_map(of_object).collect();
    existing.iter().filter(|name| wanted.iter().any(|claim| claim.is(name))).cloned().collect()
}

enum Claim {
    Named(String),
    /// What stands before the ordinal.
    Numbered(String),
}

impl Claim {
    fn is(&self, name: &str) -> bool {
        match self {
            Self::Named(own) => own == name,
            Self::Numbered(prefix) => name
                .strip_prefix(prefix.as_str())
                .is_some_and(|ordinal| !ordinal.is_empty() && ordinal.bytes().all(|byte| byte.is_ascii_digit())),
        }
    }
}

fn of_object(object: &Value) -> Vec<Claim> {
    let Some(name) = object["metadata"]["name"].as_str() else { return Vec::new() };
    match object["kind"].as_str() {
        Some("PersistentVolumeClaim") => vec![Claim::Named(name.to_owned())],
        Some("StatefulSet") => {
            let templates = object["spec"]["volumeClaimTemplates"].as_sequence();
            let names = templates.into_iter().flatten().filter_map(|template| template["metadata"]["name"].as_str());
            names.map(|template| Claim::Numbered(format!("{template}-{name}-"))).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_of_sets_and_those_that_stand_by_themselves() {
        let manifest = b"kind: StatefulSet\nmetadata: {name: db}\nspec:\n  volumeClaimTemplates:\n  - metadata: {name: data}\n\
                         ---\nkind: PersistentVolumeClaim\nmetadata: {name: uploads}\n---\nkind: Service\nmetadata: {name: other}\n";
        let existing =
            ["data-db-0", "data-db-12", "data-db-x", "data-db-", "data-db2-0", "uploads", "uploads-1", "other"];
        let existing: Vec<String> = existing.map(str::to_owned).into();
        assert_eq!(claims_of(manifest, &existing), ["data-db-0", "data-db-12", "uploads"]);
        assert!(claims_of(b"", &existing).is_empty());
    }
}
