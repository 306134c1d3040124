//! The calls of kilter-server and kilter-operator in this run of the tests, and those of Flux in the place of the accounts that it
//! applies with, as the API server noted them, against the roles that the chart gives.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::Bed;
use crate::support::{self, root};

/// One right: where it is given (the cluster, or the programs' own namespace), API group, resource, verb.
type Right = (Scope, String, String, String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Cluster,
    Own,
}

/// What no call of a run shows: what the API server itself asks for in the course of another call; what happens only ten minutes
/// after a plan was made; a namespace that Flux makes where the cluster's store was lost; an app that gives up its links.
const UNSEEN: [(&str, &str); 4] = [
    ("kilterapps/finalizers", "update"),
    ("kilterplans", "delete"),
    ("namespaces", "create"),
    ("configmaps", "delete"),
];

// The last of the tests by its name: they run in that order.
#[test]
fn slow_what_the_programs_asked_of_the_api_server_is_what_their_roles_give() {
    let what = "the rights of the platform's programs";
    let Some(bed) = Bed::find(what) else { return };
    if support::variable("KILTER_TEST_ALL").is_none() {
        support::skip(&format!("{what}: needs the calls of a whole run (KILTER_TEST_ALL)"));
        return;
    }
    let calls = calls(&fs::read_to_string(bed.kubeconfig.with_file_name("audit").join("calls.jsonl")).unwrap());
    for (program, file) in [
        ("kilter-server", "rbac-server.yaml"),
        ("kilter-operator", "rbac-operator.yaml"),
        ("kilter-root", "rbac-flux.yaml"),
        ("kilter-apps", "rbac-flux.yaml"),
    ] {
        let given = given(program, file);
        let used = &calls[program];
        let refused: Vec<_> = used.iter().filter(|right| !covers(&given, right)).collect();
        assert!(refused.is_empty(), "{program} asked for what its roles do not give: {refused:?}");
        let idle: Vec<_> = given.iter().filter(|right| !is_used(used, right)).collect();
        assert!(idle.is_empty(), "{program} never used what its roles give: {idle:?}");
        support::tell(&format!("{program}: {} rights, all of them used, no other asked for", given.len()));
    }
}

/// A right of the cluster covers its use in any namespace.
fn covers(given: &BTreeSet<Right>, (scope, group, resource, verb): &Right) -> bool {
    let has = |scope| given.contains(&(scope, group.clone(), resource.clone(), verb.clone()));
    has(Scope::Cluster) || (*scope == Scope::Own && has(Scope::Own))
}

/// A right of the cluster is needed only when it is used beyond the programs' own namespace.
fn is_used(used: &BTreeSet<Right>, right: &Right) -> bool {
    let (_, _, resource, verb) = right;
    used.contains(right) || UNSEEN.contains(&(resource, verb))
}

/// Reads what each program was allowed or refused, without what anybody may do, as discovery.
fn calls(log: &str) -> BTreeMap<String, BTreeSet<Right>> {
    let mut calls: BTreeMap<String, BTreeSet<Right>> = BTreeMap::new();
    // A line that an API server began when it was killed is none.
    for event in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let object = &event["objectRef"];
        let user = [&event["impersonatedUser"], &event["user"]].map(|user| text(&user["username"]));
        let user = user.iter().find(|name| !name.is_empty()).map(String::as_str).unwrap_or_default();
        let (Some(program), true) = (user.rsplit(':').next(), object.is_object()) else { continue };
        let mut resource = text(&object["resource"]);
        if let Some(part) = object["subresource"].as_str() {
            resource = format!("{resource}/{part}");
        }
        let scope = if object["namespace"] == "kilter-system" { Scope::Own } else { Scope::Cluster };
        let right = (scope, text(&object["apiGroup"]), resource, text(&event["verb"]));
        let used = calls.entry(program.to_owned()).or_default();
        // An apply that makes an object needs the right to create it, too.
        if right.3 == "patch" && event["responseStatus"]["code"] == 201 {
            used.insert((right.0, right.1.clone(), right.2.clone(), "create".to_owned()));
        }
        used.insert(right);
    }
    calls
}

/// Reads what a file of the chart gives a program.
fn given(program: &str, file: &str) -> BTreeSet<Right> {
    let chart = fs::read_to_string(root().join("vendor-charts/kilter-platform/templates").join(file)).unwrap();
    let mut found = BTreeSet::new();
    let of_it = |document: &&str| document.contains("\nrules:\n") && document.contains(&format!("\"{program}\""));
    for document in chart.split("\n---\n").filter(of_it) {
        let scope = if document.contains("kind: ClusterRole\n") { Scope::Cluster } else { Scope::Own };
        let (_, rules) = document.split_once("\nrules:\n").unwrap();
        let rules: Vec<BTreeMap<String, Vec<String>>> = serde_yaml::from_str(rules).unwrap();
        for rule in &rules {
            for (group, resource) in
                rule["apiGroups"].iter().flat_map(|group| rule["resources"].iter().map(move |r| (group, r)))
            {
                found.extend(rule["verbs"].iter().map(|verb| (scope, group.clone(), resource.clone(), verb.clone())));
            }
        }
    }
    found
}
