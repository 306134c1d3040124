//! The bodies of kilter-server's requests and answers, all JSON. kilter-server tells its endpoints at `/openapi.json`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{About, Condition, Template, Timeline};

/// `POST /v1/apps/{org}/{app}/envs/{env}/deploys` and `…/plans`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeployRequest {
    /// What to run.
    pub template: Template,
}

/// `POST /v1/apps/{org}/{app}/envs/{env}/rollback`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackRequest {
    /// The revision to deploy again; when left out, the newest before the current one that was live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
}

/// The answer to a deploy or a rollback: 202, or 200 when there was nothing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeployAccepted {
    /// Identifies the deploy.
    pub deploy: String,
    /// Its revision.
    pub revision: u64,
    /// Where the app will answer.
    pub url: String,
    /// The same is deployed already, or this very request was accepted before.
    #[serde(default)]
    pub unchanged: bool,
}

/// How far a deploy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It waits for the operator.
    Accepted,
    /// helm rendered it.
    Rendered,
    /// The repository has it.
    Committed,
    /// Flux applied it.
    Reconciled,
    /// It is live.
    Ready,
    /// It cannot go on by itself; `message` says why. The operator tries again where that can help.
    Failed,
    /// A newer deploy took its place; `message` says how far this one had come.
    Superseded,
}

/// `GET /v1/apps/{org}/{app}/envs/{env}/deploys/{deploy}`, and an entry of `…/deploys`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeployInfo {
    /// Identifies the deploy.
    pub deploy: String,
    /// Its revision, when it became one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// How far it is.
    pub phase: Phase,
    /// Why it is there, in a sentence.
    #[serde(default)]
    pub message: String,
    /// Name of the token that asked for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Its image.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// Where the app answers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// The commit that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When it passed each hop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
}

/// `GET /v1/apps/{org}/{app}/envs/{env}`, and an entry of `GET /v1/apps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppInfo {
    /// The organisation.
    pub org: String,
    /// The app.
    pub app: String,
    /// The environment.
    pub env: String,
    /// Where it answers.
    pub url: String,
    /// The newest deploy.
    pub deploy: DeployInfo,
    /// What the operator says.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// What people should know about it.
    #[serde(default)]
    pub about: About,
    /// It is being deleted.
    #[serde(default)]
    pub deleting: bool,
}

/// `GET /v1/apps/{org}/{app}/envs/{env}/logs`, and `…/deploys/{deploy}/logs` for what ran for one deploy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Logs {
    /// The containers, oldest pod first.
    pub pods: Vec<PodLog>,
}

/// The end of what one container said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodLog {
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// Its lines.
    pub log: String,
}

/// `POST …/plans`: 202.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanAccepted {
    /// Identifies the plan.
    pub plan: String,
}

/// `GET …/plans/{plan}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanInfo {
    /// Whether the operator answered.
    pub done: bool,
    /// The difference it would commit.
    #[serde(default)]
    pub diff: String,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `GET /v1/info`: what a client has to know before it builds an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// Version of kilter-server.
    pub version: String,
    /// Versions of the API it speaks, newest last.
    pub api: Vec<String>,
    /// Domain of the apps.
    pub domain: String,
    /// Platforms of the nodes, for example `linux/amd64`; build for the first.
    pub platforms: Vec<String>,
    /// age recipient to encrypt secrets for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sops_recipient: Option<String>,
}

/// The body of every answer that is not 2xx.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailureBody {
    /// What went wrong.
    pub error: Failure,
}

/// What went wrong.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// One word in CamelCase that programs can compare.
    pub code: String,
    /// One line.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
    /// Every problem found, when there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}
