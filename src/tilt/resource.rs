//! A resource as Tilt's API tells of it (`UIResource`, <https://api.tilt.dev/interface/ui-resource-v1alpha1.html>).

use serde_json::Value;

/// How far Tilt is with building and applying a resource, or with what runs of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing of this kind belongs to the resource.
    None,
    /// It waits for its turn.
    Pending,
    /// It is being worked on.
    InProgress,
    /// It is as it should be.
    Ok,
    /// It failed.
    Error,
}

impl Phase {
    fn read(value: &Value) -> Self {
        match value.as_str() {
            Some("in_progress") => Self::InProgress,
            Some("ok") => Self::Ok,
            Some("error") => Self::Error,
            Some("none" | "not_applicable") => Self::None,
            // A resource is there a moment before anything is known of it.
            _ => Self::Pending,
        }
    }
}

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its name: a service's, for what kilter's Tiltfile names.
    pub name: String,
    /// Building and applying.
    pub update: Phase,
    /// What runs.
    pub runtime: Phase,
    /// Whether Tilt was told to leave it.
    pub disabled: bool,
    /// The error of the last build, if it failed.
    pub error: Option<String>,
    /// When its last build began, as Tilt writes it; empty before the first.
    pub built: String,
    /// Whether that build only copied files into what runs.
    pub live: bool,
    /// When it was last applied, or files were copied into it; empty before the first time.
    pub deployed: String,
    /// Its newest pod.
    pub pod: Option<String>,
    /// What it waits for, in Tilt's word.
    pub waiting: Option<String>,
    /// The resources that have to be ready before it.
    pub waits_on: Vec<String>,
}

/// How Tilt names what a live update says (`internal/controllers/core/tiltfile/api.go`).
const LIVE: &str = "liveupdate:";

/// Tilt's word for waiting until other resources are ready (`internal/store/buildcontrol/reason.go`).
const FOR_DEPENDENCY: &str = "waiting-for-dep";

fn waits_on(waiting: &Value) -> Vec<String> {
    if waiting["reason"] != FOR_DEPENDENCY {
        return Vec::new();
    }
    let on = waiting["on"].as_array().into_iter().flatten();
    on.filter_map(|on| on["name"].as_str()).map(str::to_owned).collect()
}

impl Resource {
    /// Reads a resource; `None` for what is none.
    pub fn read(value: &Value) -> Option<Self> {
        let name = value["metadata"]["name"].as_str()?.to_owned();
        let status = &value["status"];
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let last = &status["buildHistory"][0];
        let building = text(&status["currentBuild"]["startTime"]).is_some();
        let update = Phase::read(&status["updateStatus"]);
        Some(Self {
            name,
            update: if building { Phase::InProgress } else { update },
            runtime: Phase::read(&status["runtimeStatus"]),
            disabled: status["disableStatus"]["state"] == "Disabled",
            error: text(&last["error"]),
            built: text(&last["startTime"]).unwrap_or_default(),
            live: last["spanID"].as_str().is_some_and(|span| span.starts_with(LIVE)),
            deployed: text(&status["lastDeployTime"]).unwrap_or_default(),
            pod: text(&status["k8sResourceInfo"]["podName"]),
            waiting: text(&status["waiting"]["reason"]),
            waits_on: waits_on(&status["waiting"]),
        })
    }

    /// Tells whether everything that Tilt does and sees of it is as it should be.
    pub fn ready(&self) -> bool {
        let good = |phase| matches!(phase, Phase::Ok | Phase::None);
        good(self.update) && good(self.runtime)
    }
}
