//! The objects of a manifest, as far as Tilt asks for them.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_yaml::Value;

use super::plain;
use super::reach::Network;

/// Kinds that make pods; Tilt makes a resource of each such object. Those of tilt-dev/tilt `internal/k8s`, found by
/// loading one of each.
const WORKLOADS: [&str; 9] = [
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Job",
    "Pod",
    "PodTemplate",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
];

/// Kinds that stay in the cluster when their service goes: data, what others may have taken up, and what holds more than
/// the service.
pub(super) const STAYS: [&str; 4] =
    ["CustomResourceDefinition", "Namespace", "PersistentVolume", "PersistentVolumeClaim"];

/// Kinds that stay with Tilt's own resource for the rest. What others need comes first there; a Service goes with the
/// workload that it selects, by itself.
const LEFT: [&str; 3] = ["CustomResourceDefinition", "Namespace", "Service"];

/// Tells whether objects of a kind make pods.
pub fn is_workload(kind: &str) -> bool {
    WORKLOADS.contains(&kind)
}

/// A service and the objects of its manifest.
#[derive(Debug, Clone)]
pub struct TiltService {
    /// Name of the service, or `app`.
    pub name: String,
    /// Its objects, in the order of the manifest.
    pub objects: Vec<Object>,
}

/// One object of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Kind, for example `StatefulSet`.
    pub kind: String,
    /// Group of its API, for example `apps`; empty for the first of all.
    pub group: String,
    /// Name.
    pub name: String,
    /// Namespace, when it says one.
    pub namespace: Option<String>,
    /// Whether it says that it wants no pods now.
    pub idle: bool,
    /// What it says about the way to pods, when it is a Service or makes pods.
    pub(super) network: Option<Network>,
}

/// Reads which objects a manifest has, those of lists among them.
///
/// A render with nothing changed looks at every manifest, so only documents that are laid out in another way than charts
/// lay them out go through a YAML parser.
pub fn objects(manifest: &[u8]) -> Vec<Object> {
    let text = String::from_utf8_lossy(manifest);
    let mut found = Vec::new();
    for document in documents(&text) {
        match plain(document) {
            Some(object) => found.push(object),
            None => found.extend(parsed(document)),
        }
    }
    found
}

/// Splits a stream of YAML documents at its `---` lines, which stand at the left margin and nothing else does there.
fn documents(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text.strip_prefix("---").unwrap_or(text));
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.find("\n---").map(|at| at + 1);
        rest = end.map(|end| &text[end + 3..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

fn parsed(document: &str) -> Vec<Object> {
    let Ok(object) = Value::deserialize(serde_yaml::Deserializer::from_str(document)) else { return Vec::new() };
    match (object["kind"].as_str(), object["items"].as_sequence()) {
        (Some("List"), Some(items)) => items.iter().filter_map(Object::read).collect(),
        _ => Object::read(&object).into_iter().collect(),
    }
}

/// Reads an object in plain block style; `None` when it needs a parser.
fn plain(document: &str) -> Option<Object> {
    Object::read(&plain::read(document)?).filter(|object| object.kind != "List")
}

impl Object {
    fn read(object: &Value) -> Option<Self> {
        let kind = object["kind"].as_str()?;
        let of_network = kind == "Service" || WORKLOADS.contains(&kind);
        Some(Self {
            kind: kind.to_owned(),
            group: object["apiVersion"]
                .as_str()
                .and_then(|version| version.split_once('/'))
                .map_or("", |it| it.0)
                .to_owned(),
            name: object["metadata"]["name"].as_str()?.to_owned(),
            namespace: object["metadata"]["namespace"].as_str().map(str::to_owned),
            idle: object["spec"]["replicas"].as_u64() == Some(0),
            network: of_network.then(|| Network::read(kind, object)).flatten(),
        })
    }

    /// Tells whether it makes pods.
    pub fn is_workload(&self) -> bool {
        is_workload(&self.kind)
    }

    /// Returns the kind as kubectl takes it when another group has one of that name, too: `statefulset.apps`.
    pub fn qualified_kind(&self) -> String {
        let kind = self.kind.to_lowercase();
        if self.group.is_empty() { kind } else { format!("{kind}.{}", self.group) }
    }

    /// Tells whether it stays in the cluster when its service goes.
    pub fn stays(&self) -> bool {
        STAYS.contains(&self.kind.as_str())
    }

    /// Tells whether its pods come to an end, or are made by others: nothing of it can be rolled or looked into by name.
    pub fn is_job(&self) -> bool {
        matches!(self.kind.as_str(), "CronJob" | "Job" | "PodTemplate")
    }

    /// What Tilt tells objects apart by, shortest first; it compares without regard to case.
    fn identities(&self) -> [String; 3] {
        let (name, kind) = (self.name.to_lowercase(), self.kind.to_lowercase());
        let namespace = self.namespace.as_deref().unwrap_or("default").to_lowercase();
        [name.clone(), format!("{name}:{kind}"), format!("{name}:{kind}:{namespace}")]
    }
}

/// All objects of a project, counted by what Tilt calls them.
#[derive(Debug)]
pub(super) struct Census {
    workloads: BTreeMap<String, usize>,
    all: BTreeMap<String, usize>,
}

impl Census {
    pub(super) fn new(services: &[TiltService]) -> Self {
        let (mut workloads, mut all) = (BTreeMap::new(), BTreeMap::new());
        for object in services.iter().flat_map(|service| &service.objects) {
            for identity in object.identities() {
                if object.is_workload() {
                    *workloads.entry(identity.clone()).or_default() += 1;
                }
                *all.entry(identity).or_default() += 1;
            }
        }
        Self { workloads, all }
    }

    /// Tells whether an object of the service is there more than once, as the CRDs are of a chart that two services use.
    pub(super) fn repeats(&self, service: &TiltService) -> bool {
        service.objects.iter().any(|object| self.all[&object.identities()[2]] > 1)
    }

    /// Returns the name Tilt gives the resource of a workload by itself: the shortest that is the only one. `None` for
    /// a workload that is there twice.
    pub(super) fn resource(&self, workload: &Object) -> Option<String> {
        workload.identities().into_iter().find(|identity| self.workloads[identity] == 1)
    }

    /// Returns the words by which objects of a service are put beside its workload. What cannot be named for sure is
    /// left where Tilt puts it.
    pub(super) fn beside(&self, service: &TiltService) -> Vec<String> {
        let alone = |object: &&Object| {
            let kept = !object.is_workload() && !LEFT.contains(&object.kind.as_str());
            kept && !object.name.contains(':') && self.all[&object.identities()[1]] == 1
        };
        service.objects.iter().filter(alone).map(|object| object.identities()[1].clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_documents_read_as_the_parser_reads_them() {
        let charts = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/charts")).unwrap();
        let (mut plainly, mut all) = (0, 0);
        for chart in charts {
            let text = std::fs::read_to_string(chart.unwrap().path()).unwrap();
            for document in documents(&text).filter(|document| document.contains("kind:")) {
                all += 1;
                if let Some(object) = plain(document) {
                    assert_eq!(vec![object], parsed(document), "{document}");
                    plainly += 1;
                }
            }
        }
        assert_eq!(plainly, all, "kilter's own charts take no parser");
        let odd = "kind: Deployment\nmetadata:\n  labels:\n    name: not-this\n  name: \"b\"\nspec:\n  template:\n    replicas: 0\n  replicas: 0\n";
        assert_eq!(plain(odd).map(|o| (o.name, o.idle)), Some(("b".to_owned(), true)));
        assert_eq!(plain("kind: List\nmetadata:\n  name: c\n"), None);
    }

    #[test]
    fn objects_of_lists_are_objects_and_comments_are_not() {
        let manifest = b"# nothing\n---\nkind: List\nitems:\n- {kind: Pod, metadata: {name: a, namespace: n}}\n---\n\
                         kind: Deployment\nmetadata: {name: b}\nspec: {replicas: 0}\n";
        let found = objects(manifest);
        let names: Vec<_> = found.iter().map(|o| (o.kind.as_str(), o.name.as_str(), o.idle)).collect();
        assert_eq!(names, [("Pod", "a", false), ("Deployment", "b", true)]);
    }

    #[test]
    fn workloads_of_one_name_are_told_apart() {
        let service =
            |name: &str, manifest: &str| TiltService { name: name.into(), objects: objects(manifest.as_bytes()) };
        let one = service(
            "x",
            "kind: Deployment\nmetadata: {name: x}\n---\nkind: Job\nmetadata: {name: x}\n---\nkind: ConfigMap\nmetadata: {name: x}\n",
        );
        let two = service("y", "kind: Job\nmetadata: {name: y}\n---\nkind: Namespace\nmetadata: {name: y}\n");
        let census = Census::new(&[one.clone(), two.clone()]);
        let names: Vec<_> = one.objects.iter().filter(|o| o.is_workload()).map(|o| census.resource(o)).collect();
        assert_eq!(names, [Some("x:deployment".to_owned()), Some("x:job".to_owned())]);
        assert_eq!(census.beside(&one), ["x:configmap"]);
        assert_eq!(census.resource(&two.objects[0]).as_deref(), Some("y"));
        assert!(census.beside(&two).is_empty() && !census.repeats(&two));
        assert!(Census::new(&[two.clone(), two.clone()]).repeats(&two));
    }
}
