//! The KilterPlan resource: what a deploy would commit, without committing it.

#[cfg(feature = "platform")]
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Template;

/// How long a plan is kept, in minutes.
pub const PLAN_MINUTES: i64 = 10;

/// A question to the operator: what would change in the repository if this were deployed?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "platform", derive(CustomResource, KubeSchema))]
#[cfg_attr(
    feature = "platform",
    kube(
        group = "kilter.netshire.com",
        version = "v1alpha1",
        kind = "KilterPlan",
        category = "kilter",
        namespaced,
        status = "KilterPlanStatus",
        printcolumn(name = "App", type_ = "string", json_path = ".spec.app"),
        printcolumn(name = "Env", type_ = "string", json_path = ".spec.env"),
        printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
        printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
        validation = Rule::new("self.spec == oldSelf.spec").message("a plan never changes")
    )
)]
#[serde(rename_all = "camelCase")]
pub struct KilterPlanSpec {
    /// The organisation.
    pub org: String,
    /// The app.
    pub app: String,
    /// The environment.
    pub env: String,
    /// What would be deployed.
    pub template: Template,
}

/// The operator's answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KilterPlanStatus {
    /// `Done` or `Failed`; nothing while it is not worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The difference as a unified diff, ciphertexts left out; empty when nothing would change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
