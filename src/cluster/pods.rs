//! What a pod says about itself, in words: what it waits for, and what is wrong.
//!
//! The words `reason` are the kubelet's (`pkg/kubelet/images/types.go`, `pkg/kubelet/container/sync_result.go`) and the
//! scheduler's.

use std::time::SystemTime;

use serde_json::Value;

use super::probes::time::unix_seconds;

/// How often a container may crash before it counts as broken: an app that starts before its database crashes once or
/// twice.
const CRASHES_ALLOWED: u64 = 3;

/// How many seconds after a pod was made what it needs may still be on its way: a Secret that an operator or another Job
/// makes. The kubelet looks again every few seconds.
const ARRIVES_WITHIN: i64 = 60;

/// How many seconds after its end a failed pod may still be replaced by whoever made it. A Job tries again after 10, 20, 40 …
/// seconds (<https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy>), so a pod that is still
/// the newest by then was its third, or its last.
const REPLACED_WITHIN: i64 = 30;

/// What is wrong with a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// In one line, for example `the image acme/x:1 cannot be pulled`.
    pub what: String,
    /// The words of the system, if it has any.
    pub words: String,
    /// The container, when it is one that crashed: its last lines tell more.
    pub crashed: Option<String>,
    /// Whether waiting longer is no use unless somebody changes something.
    pub lasting: bool,
}

/// The state of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodState {
    /// Every container is ready.
    Ready,
    /// On its way; what it waits for.
    Waiting(String),
    /// Something is wrong.
    Trouble(Trouble),
}

/// Returns the name of a pod.
pub fn name(pod: &Value) -> &str {
    pod["metadata"]["name"].as_str().unwrap_or_default()
}

/// Returns how often containers of a pod have been started again.
pub fn restarts(pod: &Value) -> u64 {
    let containers = pod["status"]["containerStatuses"].as_array();
    containers.into_iter().flatten().filter_map(|container| container["restartCount"].as_u64()).sum()
}

/// Judges a pod by its status.
///
/// Whether trouble lasts may be a matter of time. A clock of the cluster that is another than this machine's makes that
/// sooner or later; who waits has a budget of its own.
pub fn state(pod: &Value) -> PodState {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    state_at(pod, i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

/// Judges a pod at a time in seconds since 1970.
fn state_at(pod: &Value, now: i64) -> PodState {
    let status = &pod["status"];
    let containers = || {
        let of = |key: &str| status[key].as_array().cloned().unwrap_or_default();
        of("initContainerStatuses").into_iter().chain(of("containerStatuses"))
    };
    if let Some(trouble) = containers().find_map(|container| container_trouble(pod, &container, now)) {
        return PodState::Trouble(trouble);
    }
    let condition = |name: &str| {
        let all = status["conditions"].as_array();
        all.into_iter().flatten().find(|condition| condition["type"] == name).cloned().unwrap_or_default()
    };
    let scheduled = condition("PodScheduled");
    if scheduled["status"] == "False" {
        let words = text(&scheduled["message"]);
        return PodState::Trouble(Trouble {
            what: "no node takes the pod".into(),
            words,
            crashed: None,
            lasting: false,
        });
    }
    if status["phase"] == "Succeeded" || condition("Ready")["status"] == "True" {
        return PodState::Ready;
    }
    if status["phase"] == "Failed" {
        let words = text(&status["message"]);
        // Evicted, or lost with its node: who made it makes another.
        let lasting = !is_replaced(pod, &Value::Null, now);
        return PodState::Trouble(Trouble { what: "the pod failed".into(), words, crashed: None, lasting });
    }
    let init = status["initContainerStatuses"].as_array().into_iter().flatten();
    let mut init = init.filter(|container| !container["state"]["running"].is_null() && container["ready"] != true);
    if let Some(container) = init.next() {
        return PodState::Waiting(match text(&container["name"]) {
            // That of the app's chart.
            name if name == "wait" => "its services to answer".to_owned(),
            name => format!("init container {name} to end"),
        });
    }
    let waiting = containers().find_map(|container| {
        let name = text(&container["name"]);
        match (container["state"]["waiting"]["reason"].as_str(), container["ready"].as_bool()) {
            (Some("PodInitializing"), _) => None,
            (Some("ContainerCreating"), _) => Some("its container to start".to_owned()),
            (Some(other), _) => Some(format!("{other} of container {name}")),
            (None, Some(false)) if !container["state"]["running"].is_null() => {
                Some(format!("container {name} to be ready"))
            }
            _ => None,
        }
    });
    PodState::Waiting(waiting.unwrap_or_else(|| "its pod".into()))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Tells whether a failed pod may still be replaced; `ended` is how its container ended.
fn is_replaced(pod: &Value, ended: &Value, now: i64) -> bool {
    let owned = pod["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty());
    let end = seconds(&ended["finishedAt"]);
    owned && end.is_none_or(|end| now < end + REPLACED_WITHIN)
}

/// Tells whether what a pod needs may still arrive.
fn may_arrive(pod: &Value, now: i64) -> bool {
    seconds(&pod["metadata"]["creationTimestamp"]).is_none_or(|made| now < made + ARRIVES_WITHIN)
}

/// Reads a time of the API server's, `2026-03-01T12:00:00Z`, as seconds since 1970.
fn seconds(time: &Value) -> Option<i64> {
    unix_seconds(time.as_str()?)
}

fn container_trouble(pod: &Value, container: &Value, now: i64) -> Option<Trouble> {
    let name = text(&container["name"]);
    let waiting = &container["state"]["waiting"];
    let words = text(&waiting["message"]);
    let trouble = |what: String, lasting| Some(Trouble { what, words: words.clone(), crashed: None, lasting });
    let crash = |ended: &Value, lasting| {
        let code = ended["exitCode"].as_i64();
        let how = match (ended["reason"].as_str(), code) {
            (Some("OOMKilled"), _) => "needs more memory than it may have".to_owned(),
            (_, Some(code)) => format!("ends with code {code}"),
            _ => "crashes".to_owned(),
        };
        let what = format!("container {name} {how}");
        Some(Trouble { what, words: text(&ended["message"]), crashed: Some(name.clone()), lasting })
    };
    let restarts = container["restartCount"].as_u64().unwrap_or_default();
    match waiting["reason"].as_str() {
        // A first failure may be the network's; the second is not taken for one.
        Some(reason @ ("ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "RegistryUnavailable")) => {
            trouble(format!("the image {} cannot be pulled", text(&container["image"])), reason != "ErrImagePull")
        }
        Some("InvalidImageName") => trouble(format!("{} is no name of an image", text(&container["image"])), true),
        // A Secret, a ConfigMap or a key of one is not there.
        Some("CreateContainerConfigError") => {
            trouble(format!("container {name} cannot be started"), !may_arrive(pod, now))
        }
        Some("CreateContainerError" | "RunContainerError" | "PostStartHookError") => {
            trouble(format!("container {name} cannot be started"), true)
        }
        Some("CrashLoopBackOff") => crash(&container["lastState"]["terminated"], restarts >= CRASHES_ALLOWED),
        _ => match &container["state"]["terminated"] {
            ended if ended["exitCode"].as_i64().is_some_and(|code| code != 0) => {
                let over = pod["spec"]["restartPolicy"] == "Never" && !is_replaced(pod, ended, now);
                crash(ended, over || restarts >= CRASHES_ALLOWED)
            }
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(container: Value) -> Value {
        json!({"metadata": {"name": "x-0"}, "status": {"phase": "Pending", "containerStatuses": [container]}})
    }

    fn pod_of_init(container: Value) -> Value {
        let waits = json!({"name": "x", "state": {"waiting": {"reason": "PodInitializing"}}});
        json!({"status": {"phase": "Pending", "initContainerStatuses": [container], "containerStatuses": [waits]}})
    }

    fn trouble(container: Value) -> Trouble {
        match state(&pod(container)) {
            PodState::Trouble(trouble) => trouble,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        let pull = trouble(json!({"name": "x", "image": "acme/x:1", "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}}));
        assert_eq!((pull.what.as_str(), pull.lasting), ("the image acme/x:1 cannot be pulled", true));
        let crash = |restarts: u64| {
            trouble(json!({"name": "x", "restartCount": restarts, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}}))
        };
        assert_eq!(crash(1).what, "container x ends with code 3");
        assert_eq!((crash(1).lasting, crash(3).lasting), (false, true));
        assert_eq!(crash(1).crashed.as_deref(), Some("x"));
        let memory =
            json!({"name": "x", "restartCount": 5, "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}});
        assert_eq!(trouble(memory).what, "container x needs more memory than it may have");
    }

    const NOON: i64 = 1_772_366_400;

    fn lasts(pod: &Value, now: i64) -> bool {
        match state_at(pod, now) {
            PodState::Trouble(trouble) => trouble.lasting,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_pod_needs_may_arrive_a_moment_later() {
        let mut pod = pod(json!({"name": "x", "state": {"waiting":
            {"reason": "CreateContainerConfigError", "message": "secret \"key\" not found"}}}));
        assert!(!lasts(&pod, NOON), "nothing says how old it is");
        pod["metadata"]["creationTimestamp"] = "2026-03-01T12:00:00Z".into();
        assert_eq!([0, 59, 60].map(|later| lasts(&pod, NOON + later)), [false, false, true]);
    }

    #[test]
    fn a_pod_that_is_not_started_again_has_failed_unless_a_job_makes_another() {
        let ended = json!({"name": "x", "restartCount": 0, "state": {"terminated":
            {"exitCode": 1, "reason": "Error", "finishedAt": "2026-03-01T12:00:00Z"}}});
        let mut pod = pod(ended);
        pod["status"]["phase"] = "Failed".into();
        assert!(!lasts(&pod, NOON + 999), "the kubelet starts it again");
        pod["spec"]["restartPolicy"] = "Never".into();
        assert!(lasts(&pod, NOON), "nobody makes another");
        pod["metadata"]["ownerReferences"] = json!([{"kind": "Job", "name": "migrate"}]);
        assert_eq!([0, 29, 30].map(|later| lasts(&pod, NOON + later)), [false, false, true]);
        let PodState::Trouble(trouble) = state_at(&pod, NOON) else { panic!("{pod}") };
        assert_eq!((trouble.what.as_str(), trouble.crashed.as_deref()), ("container x ends with code 1", Some("x")));
    }

    #[test]
    fn a_pod_without_a_node_says_why() {
        let pod = json!({"status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: insufficient memory"}]}});
        let PodState::Trouble(trouble) = state(&pod) else { panic!("{pod}") };
        assert!(trouble.words.contains("insufficient memory") && !trouble.lasting, "{trouble:?}");
    }

    #[test]
    fn a_pod_on_its_way_says_what_it_waits_for() {
        let creating = json!({"name": "x", "state": {"waiting": {"reason": "ContainerCreating"}}});
        assert_eq!(state(&pod(creating)), PodState::Waiting("its container to start".into()));
        let running = json!({"name": "x", "ready": false, "state": {"running": {}}});
        assert_eq!(state(&pod(running)), PodState::Waiting("container x to be ready".into()));
        let first = |name: &str| pod_of_init(json!({"name": name, "ready": false, "state": {"running": {}}}));
        assert_eq!(state(&first("wait")), PodState::Waiting("its services to answer".into()));
        assert_eq!(state(&first("migrate")), PodState::Waiting("init container migrate to end".into()));
        let ready = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        assert_eq!(state(&ready), PodState::Ready);
        assert_eq!(state(&json!({})), PodState::Waiting("its pod".into()));
    }
}
