//! The types of `kilter.yaml`. The JSON Schema for editors, the checks of a file and the reading of it all come from
//! these types: a field added here is known everywhere.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::patterns;

/// A `kilter.yaml`. Every field is optional; an absent file is a valid project.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[schemars(title = "kilter.yaml")]
pub struct Config {
    /// Name of the project: also names the cluster `kilter-<name>` and the namespace `<name>-dev`.
    #[schemars(pattern(patterns::NAME))]
    pub name: Option<String>,
    /// Port the app listens on; the app also gets it as `PORT`.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// Path for readiness probes, for example `/healthz`.
    #[schemars(pattern(patterns::HTTP_PATH))]
    pub health: Option<String>,
    /// Base image of the dev container, for example `node:22-alpine`.
    #[schemars(length(min = 1), pattern(patterns::IMAGE))]
    pub image: Option<String>,
    /// Command that starts the app in dev.
    #[schemars(length(min = 1))]
    pub dev: Option<String>,
    /// Backing services.
    pub services: Option<Vec<ServiceEntry>>,
    /// Environment of the app, in dev and in deploys.
    pub env: IndexMap<String, EnvValue>,
    /// A local file of `KEY=VALUE` lines that the app gets in dev beside `env`, for example `.env`: it goes to the cluster as a
    /// Secret, and into no image, manifest or deploy.
    #[schemars(length(min = 1))]
    pub env_file: Option<String>,
    /// What differs per environment of a deploy.
    pub environments: IndexMap<String, Environment>,
    /// Names of Secrets the app mounts; optional in dev.
    pub app_secrets: Vec<String>,
    /// Whether production gives the app a route on the Gateway.
    #[schemars(extend("default" = true))]
    pub public: Option<bool>,
    /// Processes beside the app (workers and the like), in dev and deploys.
    pub components: Vec<Component>,
    /// How the app is deployed.
    pub deploy: Option<Deploy>,
    /// What people and catalogs should know about the project.
    pub manifest: Option<Manifest>,
    /// age recipient of the target cluster, for encrypting secrets.
    #[schemars(pattern(patterns::AGE))]
    pub sops_recipient: Option<String>,
    /// The cluster to develop on.
    pub cluster: Option<Cluster>,
    /// Exact versions of the tools that kilter runs.
    pub tools: IndexMap<String, ToolPin>,
    /// Whether kilter writes short agent guides for the project.
    #[schemars(extend("default" = true))]
    pub skills: Option<bool>,
}

/// One entry of `services:`: the name of a catalog service, or a map that says more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ServiceEntry {
    /// A service of kilter's catalog.
    Name(#[schemars(length(min = 1))] String),
    /// A service with details.
    Detailed(Box<ServiceSpec>),
}

/// The long form of a service entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[schemars(extend("required" = ["name"]))]
pub struct ServiceSpec {
    /// Name of the service in this project.
    #[schemars(pattern(patterns::NAME))]
    pub name: String,
    /// The catalog service this is an instance of; the name when left out.
    pub from: Option<String>,
    /// Image to use in place of the default, or the image of an inline service.
    #[schemars(length(min = 1), pattern(patterns::IMAGE))]
    pub image: Option<String>,
    /// Port of an inline service, or the main port of a catalog service in place of its default.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// Environment of the service's own container.
    pub env: IndexMap<String, EnvValue>,
    /// Values for the chart, merged over kilter's, unchanged.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub values: Option<serde_json::Map<String, serde_json::Value>>,
    /// Variables the app gets from this service; `{{ .Namespace }}` and `{{ .Name }}` are filled in, `null` takes one away.
    pub provides: IndexMap<String, Option<String>>,
    /// A chart of the project (`./charts/x`), of a registry (`oci://…`) or of a repository (`https://…/name`).
    #[schemars(length(min = 1))]
    pub chart: Option<String>,
    /// Exact version of a remote chart.
    pub version: Option<String>,
    /// What to do with the hooks of the chart: apply them as ordinary objects, or drop them.
    pub hooks: Option<Hooks>,
}

/// What happens to Helm hooks, which have no meaning to whoever applies rendered manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Hooks {
    /// Keep them in the manifest, as ordinary objects.
    Apply,
    /// Leave them out.
    Drop,
}

/// The value of an environment variable: text, or a number or boolean that is taken as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("type" = ["string", "number", "boolean"]))]
pub struct EnvValue(pub String);

/// What differs in one environment of a deploy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Environment {
    /// Variables that override `env`; `null` removes one.
    pub env: IndexMap<String, Option<EnvValue>>,
    /// Secret name → local file of `KEY=VALUE` lines.
    pub secrets: IndexMap<String, String>,
}

/// A process beside the app.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[schemars(extend("required" = ["name"]))]
pub struct Component {
    /// Name of the component.
    #[schemars(pattern(patterns::NAME))]
    pub name: String,
    /// Command that starts it; the image's own when left out.
    pub command: Option<String>,
    /// Image, when it is not the app's.
    #[schemars(length(min = 1), pattern(patterns::IMAGE))]
    pub image: Option<String>,
    /// Port it listens on.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// Its environment, over the app's.
    pub env: IndexMap<String, EnvValue>,
    /// Host name or path prefix to publish it under; internal only when left out.
    pub route: Option<String>,
}

/// How the app is deployed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Deploy {
    /// Number of pods.
    #[schemars(range(max = 1000))]
    pub replicas: Option<u32>,
    /// Kubernetes resources of the app's container.
    pub resources: Option<Resources>,
    /// Further host names of the app.
    pub domains: Vec<String>,
    /// The Dockerfile to build, from the project's root.
    pub dockerfile: Option<String>,
}

/// Kubernetes resource requests and limits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Resources {
    /// What the container is promised, for example `{cpu: 100m, memory: 128Mi}`.
    pub requests: IndexMap<String, EnvValue>,
    /// What the container may use at most.
    pub limits: IndexMap<String, EnvValue>,
}

/// What people and catalogs should know about the project.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Manifest {
    /// One sentence.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Named addresses; `repo` is filled from the git remote.
    pub links: IndexMap<String, String>,
    /// What an agent should know before it changes the project.
    pub agent: Option<String>,
}

/// The cluster to develop on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Cluster {
    /// Who provides it: kilter by kind (the default), or a context that exists.
    pub provider: Provider,
    /// Name of the kubeconfig context, with `provider: context`.
    pub context: Option<String>,
    /// Registry the cluster pulls the app's image from, with `provider: context`.
    pub registry: Option<String>,
    /// The Kubernetes version that charts see, for example `v1.37.0`; kind's node by default.
    #[schemars(pattern(patterns::KUBERNETES))]
    pub kubernetes: Option<String>,
    /// How services are reached from this machine; `nodeport` with kind, `forward` with a context.
    pub host_access: Option<HostAccess>,
}

/// Who provides the cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// kilter makes one with kind.
    #[default]
    Kind,
    /// One that exists, by its kubeconfig context.
    Context,
}

/// How services are reached from this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HostAccess {
    /// NodePorts, mapped to host ports when the cluster is made.
    Nodeport,
    /// Port-forwards, which end at `kilter down`.
    Forward,
}

/// A tool by version, or by version and checksums when kilter does not know that version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ToolPin {
    /// A version of kilter's pin table.
    Version(#[schemars(length(min = 1))] String),
    /// A version with the SHA-256 of its release file per platform (`linux-amd64`, …).
    Checked(CheckedPin),
}

/// The long form of a tool's version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[schemars(extend("required" = ["version"]))]
pub struct CheckedPin {
    /// Exact version, without `v`.
    #[schemars(length(min = 1))]
    pub version: String,
    /// Platform (`linux-amd64`, `linux-arm64`, `darwin-amd64`, `darwin-arm64`) → SHA-256 of the release file.
    pub sha256: IndexMap<String, String>,
}

impl ServiceEntry {
    /// Returns the name of the service in this project.
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Detailed(spec) => &spec.name,
        }
    }

    /// Returns the long form of the entry, whichever way it was written.
    pub fn spec(&self) -> ServiceSpec {
        match self {
            Self::Name(name) => ServiceSpec { name: name.clone(), ..ServiceSpec::default() },
            Self::Detailed(spec) => (**spec).clone(),
        }
    }
}
