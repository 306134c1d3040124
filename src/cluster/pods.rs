//! What a pod says about itself, in words: what it waits for, and what is wrong.
//!
//! The words `reason` are the kubelet's (`pkg/kubelet/images/types.go`, `pkg/kubelet/container/sync_result.go`) and the
//! scheduler's.

use serde_json::Value;

/// How often a container may crash before it counts as broken: an app that starts before its database crashes once or
/// twice.
const CRASHES_ALLOWED: u64 = 3;

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
pub fn state(pod: &Value) -> PodState {
    let status = &pod["status"];
    let containers = || {
        let of = |key: &str| status[key].as_array().cloned().unwrap_or_default();
        of("initContainerStatuses").into_iter().chain(of("containerStatuses"))
    };
    if let Some(trouble) = containers().find_map(|container| container_trouble(&container)) {
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
        return PodState::Trouble(Trouble { what: "the pod failed".into(), words, crashed: None, lasting: true });
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

fn container_trouble(container: &Value) -> Option<Trouble> {
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
        Some("CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" | "PostStartHookError") => {
            trouble(format!("container {name} cannot be started"), true)
        }
        Some("CrashLoopBackOff") => crash(&container["lastState"]["terminated"], restarts >= CRASHES_ALLOWED),
        _ => match &container["state"]["terminated"] {
            ended if ended["exitCode"].as_i64().is_some_and(|code| code != 0) => {
                crash(ended, restarts >= CRASHES_ALLOWED)
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
        let ready = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        assert_eq!(state(&ready), PodState::Ready);
        assert_eq!(state(&json!({})), PodState::Waiting("its pod".into()));
    }
}
