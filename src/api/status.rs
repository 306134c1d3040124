//! What the operator says about a KilterApp.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The status of a KilterApp.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KilterAppStatus {
    /// The generation of the spec that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The revision that is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>")]
    pub revision: Option<u64>,
    /// The deploy that is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<String>,
    /// The commit that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The annotation `kilter.netshire.com/rerender` that is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerender: Option<String>,
    /// Where the app answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The revisions that were live once, oldest first, the last 20: what can be gone back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<i64>")]
    pub live_revisions: Vec<u64>,
    /// When the deploy passed each hop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    /// Accepted, Rendered, Committed, Reconciled, Ready.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// When a deploy passed each hop: RFC 3339 in UTC with milliseconds; a hop that is not passed yet is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// The deploy that this is about.
    pub deploy: String,
    /// The operator took it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// helm rendered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<String>,
    /// The repository has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<String>,
    /// Flux applied it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciled: Option<String>,
    /// Its pods and its route are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
}

/// The hops of a deploy, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// The spec can be deployed.
    Accepted,
    /// helm rendered it.
    Rendered,
    /// The repository has it.
    Committed,
    /// Flux applied it.
    Reconciled,
    /// The pods of this revision are ready and, when public, its route is accepted.
    Ready,
    /// Set to False where the kernel cannot confine helm; left out where it can.
    Confined,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It does.
    True,
    /// It does not.
    False,
    /// Not known yet.
    Unknown,
}

/// One condition, in the form that Kubernetes and its tools know (`meta/v1` Condition).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which one.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// One word in CamelCase that programs can compare.
    pub reason: String,
    /// A sentence for people.
    #[serde(default)]
    pub message: String,
    /// When `status` changed last: RFC 3339 in UTC.
    pub last_transition_time: String,
    /// The generation of the spec that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

impl KilterAppStatus {
    /// Returns one condition.
    pub fn condition(&self, type_: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == type_)
    }

    /// Tells whether a condition holds for a generation of the spec.
    pub fn holds(&self, type_: ConditionType, generation: i64) -> bool {
        self.condition(type_).is_some_and(|condition| {
            condition.status == ConditionStatus::True && condition.observed_generation == Some(generation)
        })
    }
}
