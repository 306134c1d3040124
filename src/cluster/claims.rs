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
    object: serde_json::Value,
}

/// What a claim was applied as the last time, written by `kubectl apply` and by Tilt.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The class of a claim, as it was said before `storageClassName`.
const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

impl LoneClaim {
    /// Returns the claim as the cluster has it once it was applied, as far as the manifest says.
    pub fn as_applied(&self) -> serde_json::Value {
        let mut there = self.object.clone();
        there["metadata"]["annotations"][LAST_APPLIED] = self.object.to_string().into();
        if there["spec"]["volumeMode"].is_null() {
            there["spec"]["volumeMode"] = MODE.into();
        }
        there
    }

    /// Says in words what is asked for that a claim which exists, as the API server returns it, cannot become; empty when it
    /// can.
    pub fn refused_by(&self, there: &serde_json::Value) -> Vec<String> {
        let last = there["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap_or_default();
        let last: serde_json::Value = serde_json::from_str(last).unwrap_or_default();
        let last = fixed(&last);
        let (asked, has) = (fixed(&self.object), fixed(there));
        let is_other = |key: &str, value: &serde_json::Value| match has.get(key) {
            // What was asked for and no longer is, is taken out.
            Some(has) => !has_all(has, value) || last.get(key).is_some_and(|last| !has_all(value, last)),
            // One without a class takes one up.
            None => key != "storageClassName",
        };
        let other = asked.iter().filter(|(key, value)| is_other(key, value)).map(|(key, value)| match has.get(key) {
            Some(has) => format!("{key}: {has}, not {value}"),
            None => format!("{key}: none, not {value}"),
        });
        let gone = last.iter().filter(|(key, value)| !asked.contains_key(*key) && !is_default(key, value));
        let gone = gone.map(|(key, value)| format!("{key}: {value}, which is no longer asked for"));
        let (size, wanted) = (Volume::of(&there["spec"]).size, Volume::of(&self.object["spec"]).size);
        let less = size.zip(wanted).filter(|(has, asked)| is_less(asked, has));
        other.chain(gone).chain(less.map(|(has, asked)| format!("storage: {has}, and not less: {asked}"))).collect()
    }
}

/// The mode of a claim that says none.
const MODE: &str = "Filesystem";

fn is_default(key: &str, value: &serde_json::Value) -> bool {
    key == "volumeMode" && value == MODE
}

/// Returns what stays as it is in a claim that exists: all but the size and the attributes of its volume
/// (`ValidatePersistentVolumeClaimUpdate` of Kubernetes).
fn fixed(claim: &serde_json::Value) -> BTreeMap<&str, serde_json::Value> {
    let keys = claim["spec"].as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value));
    let mut found: BTreeMap<_, _> =
        keys.filter(|(key, _)| !["resources", "volumeAttributesClassName"].contains(key)).collect();
    found.insert("limits", &claim["spec"]["resources"]["limits"]);
    found.insert("class of before", &claim["metadata"]["annotations"][OLD_CLASS]);
    found.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key, value.clone())).collect()
}

/// Tells whether a value has all that is asked of it: a cluster adds what it takes by default.
fn has_all(value: &serde_json::Value, asked: &serde_json::Value) -> bool {
    match (value, asked) {
        (serde_json::Value::Object(value), serde_json::Value::Object(asked)) => {
            let mut asked = asked.iter().filter(|(_, part)| !part.is_null());
            asked.all(|(key, part)| value.get(key).is_some_and(|value| has_all(value, part)))
        }
        _ => value == asked,
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
            object: serde_json::to_value(object).ok()?,
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

    /// The claim `uploads` as a cluster has it, with what was applied the last time.
    fn there(last: &str) -> serde_json::Value {
        let mut there = uploads("{accessModes: [ReadWriteOnce], resources: {requests: {storage: 2Gi}}}").as_applied();
        there["spec"]["storageClassName"] = "standard".into();
        there["spec"]["volumeName"] = "pvc-1".into();
        there["metadata"]["annotations"][LAST_APPLIED] = uploads(last).object.to_string().into();
        there
    }

    const MODES: &str = "{accessModes: [ReadWriteOnce]}";

    #[test]
    fn a_claim_that_exists_becomes_what_changes_nothing_that_stays() {
        for can in [
            MODES,
            "{accessModes: [ReadWriteOnce], resources: {requests: {storage: 2048Mi}}}",
            "{accessModes: [ReadWriteOnce], resources: {requests: {storage: 3Gi}}}",
            "{accessModes: [ReadWriteOnce], storageClassName: null, volumeAttributesClassName: gold}",
            "{accessModes: [ReadWriteOnce], storageClassName: standard, volumeMode: Filesystem}",
        ] {
            assert_eq!(uploads(can).refused_by(&there(MODES)), [""; 0], "{can}");
        }
        // One without a class takes one up, and a cluster adds what it takes by default.
        let mut bare = there("{accessModes: [ReadWriteOnce], volumeMode: Filesystem}");
        bare["spec"]["storageClassName"] = serde_json::Value::Null;
        bare["spec"]["dataSource"] =
            serde_json::json!({"apiGroup": "", "kind": "PersistentVolumeClaim", "name": "old"});
        let of = |name: &str| {
            format!(
                "{{accessModes: [ReadWriteOnce], storageClassName: fast, dataSource: {{kind: PersistentVolumeClaim, name: {name}}}}}"
            )
        };
        assert_eq!(uploads(&of("old")).refused_by(&bare), [""; 0]);
        assert_eq!(uploads(&of("other")).refused_by(&bare).len(), 1);
    }

    #[test]
    fn what_a_claim_that_exists_cannot_become() {
        let refused = |spec: &str, last: &str| uploads(spec).refused_by(&there(last)).join("\n");
        let other = "{accessModes: [ReadWriteMany], selector: {}, resources: {requests: {storage: 1Gi}, limits: {storage: 4Gi}}}";
        insta::assert_snapshot!(refused(other, MODES), @r#"
        accessModes: ["ReadWriteOnce"], not ["ReadWriteMany"]
        limits: none, not {"storage":"4Gi"}
        selector: none, not {}
        storage: 2Gi, and not less: 1Gi
        "#);
        let last = "{accessModes: [ReadWriteOnce], storageClassName: standard, volumeMode: Filesystem}";
        insta::assert_snapshot!(refused(MODES, last), @r#"storageClassName: "standard", which is no longer asked for"#);

        // A part that is no longer asked for is taken out.
        let of = |labels: &str| format!("{{accessModes: [ReadWriteOnce], selector: {{matchLabels: {labels}}}}}");
        let two = uploads(&of("{a: x, b: y}")).as_applied();
        assert_eq!(uploads(&of("{a: x, b: y}")).refused_by(&two), [""; 0]);
        assert_eq!(uploads(&of("{a: x}")).refused_by(&two).len(), 1);
        let mut old = there(MODES);
        old["metadata"]["annotations"][OLD_CLASS] = "slow".into();
        let mut asked = uploads(MODES);
        asked.object["metadata"]["annotations"] = serde_json::json!({OLD_CLASS: "fast"});
        assert_eq!(asked.refused_by(&old), [r#"class of before: "slow", not "fast""#]);
    }
}
