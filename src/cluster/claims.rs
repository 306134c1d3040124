//! The data of a service: which volume claims of a namespace its manifest asked for, and what it asks of them.

use std::collections::BTreeMap;

use serde_yaml::Value;

use super::documents::documents;
use crate::plan::quantity;

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
    fn of_set(template: &str, set: &str) -> Self {
        Self::Numbered(format!("{template}-{set}-"))
    }

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
            names.map(|template| Claim::of_set(template, name)).collect()
        }
        _ => Vec::new(),
    }
}

/// A StatefulSet that claims volumes for its pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimingSet {
    /// Its name.
    pub name: String,
    /// Its namespace, when it says one.
    pub namespace: Option<String>,
    /// What it asks for, by the name of the template.
    pub volumes: Vec<(String, Volume)>,
}

impl ClaimingSet {
    /// Returns what is asked of a claim of this name, when it is one of the set's.
    pub fn asks_of(&self, claim: &str) -> Option<&Volume> {
        let mut volumes = self.volumes.iter();
        volumes.find(|(template, _)| Claim::of_set(template, &self.name).is(claim)).map(|(_, volume)| volume)
    }
}

/// What a claim says of its volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    size: Option<String>,
    class: Option<String>,
}

impl Volume {
    /// Reads the `spec` of a claim, or of a template for claims.
    pub fn of(spec: &serde_json::Value) -> Self {
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        Self { size: text(&spec["resources"]["requests"]["storage"]), class: text(&spec["storageClassName"]) }
    }

    /// Says in words in what this volume is another than one that is asked for now; `None` when it is what is asked for. Who
    /// asks for no class takes any.
    pub fn unlike(&self, asked: &Self) -> Option<String> {
        let (class, has) = (asked.class.as_deref(), self.class.as_deref());
        let class = class.filter(|class| *class != has.unwrap_or_default());
        let class = class.map(|class| match has {
            Some(has) => format!("of the storage class `{has}`, not `{class}`"),
            None => format!("of the default storage class, not `{class}`"),
        });
        let size = match (&self.size, &asked.size) {
            (Some(has), Some(asked)) if !is_same_size(has, asked) => Some(format!("{has}, not {asked}")),
            _ => None,
        };
        let words: Vec<String> = size.into_iter().chain(class).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}

/// A cluster writes sizes in its own way: `1Gi` for `1024Mi`.
fn is_same_size(one: &str, other: &str) -> bool {
    match (quantity(one), quantity(other)) {
        (Some(one), Some(other)) => (one - other).abs() <= one.max(other) * 1e-9,
        _ => one == other,
    }
}

/// Returns the StatefulSets of a manifest whose volumes outlive them: with a set that has its claims deleted, they go.
pub fn claiming_sets(manifest: &[u8]) -> Vec<ClaimingSet> {
    // Most manifests have none, and reading one takes longer than this.
    if !String::from_utf8_lossy(manifest).contains("volumeClaimTemplates") {
        return Vec::new();
    }
    let lasting = |object: &&Value| {
        object["kind"] == "StatefulSet"
            && object["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] != "Delete"
    };
    documents(manifest).iter().filter(lasting).filter_map(claiming_set).collect()
}

fn claiming_set(object: &Value) -> Option<ClaimingSet> {
    let templates = object["spec"]["volumeClaimTemplates"].as_sequence()?.iter();
    let volumes = templates.filter_map(|template| {
        let spec = serde_json::to_value(&template["spec"]).ok()?;
        Some((template["metadata"]["name"].as_str()?.to_owned(), Volume::of(&spec)))
    });
    Some(ClaimingSet {
        name: object["metadata"]["name"].as_str()?.to_owned(),
        namespace: object["metadata"]["namespace"].as_str().map(str::to_owned),
        volumes: volumes.collect(),
    })
}

/// A PersistentVolumeClaim that a manifest holds itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoneClaim {
    /// Its name.
    pub name: String,
    /// Its namespace, when it says one.
    pub namespace: Option<String>,
    /// The workloads of the manifest whose pods have it, as kubectl takes them: `deployment/uploads`.
    pub users: Vec<String>,
    spec: serde_json::Value,
}

/// What may change in the `spec` of a claim that exists
/// (<https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/persistent-volume-claim-v1/>).
const CHANGEABLE: [&str; 2] = ["resources", "volumeAttributesClassName"];

/// What a claim was applied as the last time, written by `kubectl apply` and by Tilt.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

impl LoneClaim {
    /// Returns the claim as the cluster has it once it was applied, as far as the manifest says.
    pub fn as_applied(&self) -> serde_json::Value {
        let last = serde_json::json!({"spec": self.spec}).to_string();
        serde_json::json!({"metadata": {"annotations": {LAST_APPLIED: last}}, "spec": self.spec})
    }

    /// Says in words what is asked for that a claim which exists cannot become; empty when it can.
    pub fn refused_by(&self, there: &serde_json::Value) -> Vec<String> {
        let fixed = |spec: &serde_json::Value| {
            let keys = spec.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
            let keys: BTreeMap<String, serde_json::Value> = keys.map(|(k, v)| (k.clone(), v.clone())).collect();
            keys.into_iter().filter(|(key, _)| !CHANGEABLE.contains(&key.as_str())).collect::<BTreeMap<_, _>>()
        };
        let (asked, has) = (fixed(&self.spec), fixed(&there["spec"]));
        let other =
            asked.iter().filter(|(key, value)| has.get(*key) != Some(value)).map(|(key, value)| match has.get(key) {
                Some(has) => format!("{key}: {has}, not {value}"),
                None => format!("{key}: none, not {value}"),
            });
        let last = there["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap_or_default();
        let last: serde_json::Value = serde_json::from_str(last).unwrap_or_default();
        let gone = fixed(&last["spec"]).into_iter().filter(|(key, _)| !asked.contains_key(key));
        let gone = gone.map(|(key, value)| format!("{key}: {value}, which is no longer asked for"));
        let (size, wanted) = (Volume::of(&there["spec"]).size, Volume::of(&self.spec).size);
        let less = size.zip(wanted).filter(|(has, asked)| is_less(asked, has));
        other.chain(gone).chain(less.map(|(has, asked)| format!("storage: {has}, and not less: {asked}"))).collect()
    }
}

/// Tells whether one size is less than another; what is no size is not.
fn is_less(one: &str, other: &str) -> bool {
    let sizes = quantity(one).zip(quantity(other));
    !is_same_size(one, other) && sizes.is_some_and(|(one, other)| one < other)
}

/// Returns the claims that a manifest holds itself.
pub fn lone_claims(manifest: &[u8]) -> Vec<LoneClaim> {
    // Most manifests have none, and reading one takes longer than this.
    if !String::from_utf8_lossy(manifest).contains("PersistentVolumeClaim") {
        return Vec::new();
    }
    let objects = documents(manifest);
    let claims = objects.iter().filter(|object| object["kind"] == "PersistentVolumeClaim").filter_map(|object| {
        let name = object["metadata"]["name"].as_str()?;
        Some(LoneClaim {
            name: name.to_owned(),
            namespace: object["metadata"]["namespace"].as_str().map(str::to_owned),
            users: objects.iter().filter_map(|object| user_of(object, name)).collect(),
            spec: serde_json::to_value(&object["spec"]).ok()?,
        })
    });
    claims.collect()
}

/// Returns how kubectl calls a workload whose pods have the claim; `None` for other objects.
fn user_of(object: &Value, claim: &str) -> Option<String> {
    let pods = [
        &object["spec"],
        &object["spec"]["template"]["spec"],
        &object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
    ];
    let volumes = pods.into_iter().filter_map(|pods| pods["volumes"].as_sequence()).flatten();
    let mut claims = volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str());
    let (kind, name) = (object["kind"].as_str()?, object["metadata"]["name"].as_str()?);
    claims.any(|name| name == claim).then(|| format!("{}/{name}", kind.to_lowercase()))
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

    const SET: &str =
        "kind: StatefulSet\nmetadata: {name: db}\nspec:\n  volumeClaimTemplates:\n  - metadata: {name: data}\n";

    #[test]
    fn what_a_set_asks_of_its_claims() {
        let spec = "    spec: {storageClassName: fast, resources: {requests: {storage: 5Gi}}}\n";
        let sets = claiming_sets(format!("kind: Service\n---\n{SET}{spec}").as_bytes());
        let [set] = sets.as_slice() else { panic!("{sets:?}") };
        let asked = Volume { size: Some("5Gi".into()), class: Some("fast".into()) };
        assert_eq!(set.asks_of("data-db-0"), Some(&asked));
        assert_eq!((set.asks_of("data-db2-0"), set.asks_of("logs-db-0")), (None, None));
        let goes = format!("{SET}{spec}  persistentVolumeClaimRetentionPolicy: {{whenDeleted: Delete}}\n");
        assert!(claiming_sets(goes.as_bytes()).is_empty());
        assert!(claiming_sets(b"kind: Deployment\nmetadata: {name: volumeClaimTemplates}\n").is_empty());
    }

    #[test]
    fn a_volume_is_unlike_what_is_asked_for_in_size_and_class() {
        let volume = |size: &str, class: Option<&str>| {
            let spec = serde_json::json!({"storageClassName": class, "resources": {"requests": {"storage": size}}});
            Volume::of(&spec)
        };
        let words = |has: (&str, Option<&str>), asked: (&str, Option<&str>)| {
            volume(has.0, has.1).unlike(&volume(asked.0, asked.1))
        };
        for same in ["1Gi", "1024Mi", "1073741824"] {
            assert_eq!(words(("1Gi", Some("standard")), (same, None)), None, "{same}");
        }
        assert_eq!(words(("107374182400m", None), ("0.1Gi", None)), None);
        assert_eq!(words(("1Gi", None), ("2Gi", None)).unwrap(), "1Gi, not 2Gi");
        let both = words(("1Gi", Some("standard")), ("1G", Some("fast"))).unwrap();
        assert_eq!(both, "1Gi, not 1G; of the storage class `standard`, not `fast`");
        assert_eq!(words(("1Gi", None), ("1Gi", Some("fast"))).unwrap(), "of the default storage class, not `fast`");
        assert_eq!(words(("1Gi", Some("")), ("1Gi", Some(""))), None);
        let number = serde_json::json!({"resources": {"requests": {"storage": 1_073_741_824}}});
        assert_eq!(Volume::of(&number).unlike(&volume("1Gi", None)), None);
    }

    const UPLOADS: &str = "kind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {volumes: [{name: d, \
                           persistentVolumeClaim: {claimName: uploads}}]}}}\n---\nkind: PersistentVolumeClaim\n\
                           metadata: {name: uploads, namespace: other}\nspec: ";

    fn uploads(spec: &str) -> LoneClaim {
        let claims = lone_claims(format!("{UPLOADS}{spec}\n").as_bytes());
        let [claim] = claims.as_slice() else { panic!("{claims:?}") };
        claim.clone()
    }

    #[test]
    fn a_claim_of_a_manifest_knows_who_has_it() {
        let claim = uploads("{accessModes: [ReadWriteOnce]}");
        assert_eq!((claim.name.as_str(), claim.namespace.as_deref()), ("uploads", Some("other")));
        assert_eq!(claim.users, ["deployment/web"]);
        assert!(lone_claims(SET.as_bytes()).is_empty());
    }

    #[test]
    fn what_a_claim_that_exists_cannot_become() {
        let there = |last: serde_json::Value| {
            let spec = serde_json::json!({
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}},
                "storageClassName": "standard", "volumeMode": "Filesystem", "volumeName": "pvc-1",
            });
            let last = serde_json::json!({"spec": last}).to_string();
            serde_json::json!({"metadata": {"annotations": {LAST_APPLIED: last}}, "spec": spec})
        };
        let modes = serde_json::json!({"accessModes": ["ReadWriteOnce"]});
        let refused = |spec: &str| uploads(spec).refused_by(&there(modes.clone()));
        for can in ["2Gi", "2048Mi", "3Gi"] {
            let spec = format!("{{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: {can}}}}}}}");
            assert_eq!(refused(&spec), [""; 0], "{can}");
        }
        assert_eq!(refused("{accessModes: [ReadWriteOnce], storageClassName: null}"), [""; 0]);
        let other = refused("{accessModes: [ReadWriteMany], selector: {}, resources: {requests: {storage: 1Gi}}}");
        let words = [
            "accessModes: [\"ReadWriteOnce\"], not [\"ReadWriteMany\"]",
            "selector: none, not {}",
            "storage: 2Gi, and not less: 1Gi",
        ];
        assert_eq!(other, words);
        let last = serde_json::json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "standard"});
        let gone = uploads("{accessModes: [ReadWriteOnce]}").refused_by(&there(last));
        assert_eq!(gone, ["storageClassName: \"standard\", which is no longer asked for"]);
    }
}
