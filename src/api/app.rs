//! The KilterApp resource: what one environment of an app should be.

use std::collections::BTreeMap;

#[cfg(feature = "platform")]
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(feature = "platform")]
use super::status::KilterAppStatus;

/// One environment of an app. The server writes it, the operator renders and commits it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "platform", derive(CustomResource, KubeSchema))]
#[cfg_attr(
    feature = "platform",
    kube(
        group = "kilter.netshire.com",
        version = "v1alpha1",
        kind = "KilterApp",
        shortname = "kapp",
        category = "kilter",
        namespaced,
        status = "KilterAppStatus",
        printcolumn(name = "Org", type_ = "string", json_path = ".spec.org"),
        printcolumn(name = "Revision", type_ = "integer", json_path = ".spec.revision"),
        printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
        printcolumn(name = "Why", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
        printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
        printcolumn(name = "Commit", type_ = "string", json_path = ".status.commit", priority = 1),
        printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
        validation = Rule::new("self.metadata.name == self.spec.app + '-' + self.spec.env")
            .message("a KilterApp is named <app>-<env>")
    )
)]
#[cfg_attr(
    feature = "platform",
    x_kube(
        validation = Rule::new("self.org == oldSelf.org && self.app == oldSelf.app && self.env == oldSelf.env")
            .message("org, app and env never change"),
        validation = Rule::new("size(self.app) + size(self.env) < 53")
            .message("<app>-<env> has at most 53 characters: helm takes no longer name for a release"),
        validation = Rule::new("self.revision >= oldSelf.revision").message("a revision never goes back")
    )
)]
#[cfg_attr(feature = "platform", schemars(extend("x-kubernetes-map-type" = "atomic")))]
#[serde(rename_all = "camelCase")]
pub struct KilterAppSpec {
    /// The organisation that owns it.
    #[cfg_attr(feature = "platform", schemars(length(min = 1, max = 40)))]
    pub org: String,
    /// The app.
    #[cfg_attr(feature = "platform", schemars(length(min = 1, max = 40)))]
    pub app: String,
    /// The environment, for example `prod`.
    #[cfg_attr(feature = "platform", schemars(length(min = 1, max = 20)))]
    pub env: String,
    /// Counts the deploys of this environment, from 1.
    #[cfg_attr(feature = "platform", schemars(with = "i64", range(min = 1)))]
    pub revision: u64,
    /// Identifies the deploy that asked for this.
    #[cfg_attr(feature = "platform", schemars(length(min = 1, max = 24)))]
    pub deploy: String,
    /// Name of the token that asked for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// What to run.
    pub template: Template,
}

/// What to run: everything that a deploy decides.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "AppTemplate")]
pub struct Template {
    /// The image by digest, `host/name@sha256:…`.
    #[schemars(length(min = 1, max = 512))]
    pub image: String,
    /// Port the app listens on.
    #[schemars(with = "i32", range(min = 1, max = 65535))]
    pub port: u16,
    /// Path that answers when the app is ready; an open port will do when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// The command, one word each; the image's own when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Number of pods.
    #[serde(default = "one")]
    #[schemars(with = "i32", range(min = 0, max = 1000))]
    pub replicas: u32,
    /// Kubernetes resources; the chart's defaults where nothing is said.
    #[serde(default, skip_serializing_if = "Resources::is_empty")]
    pub resources: Resources,
    /// The environment of the app.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// Secrets whose keys the app gets as environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub secrets: Vec<SecretRef>,
    /// Whether the app has a route on the Gateway.
    #[serde(default = "yes")]
    pub public: bool,
    /// Further host names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub domains: Vec<String>,
    /// Processes beside the app.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub components: Vec<Component>,
    /// Command that runs before the new pods; its failure halts the deploy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub migration: Vec<String>,
    /// Command that runs after the migration, before the new pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seed: Vec<String>,
    /// What people should know about it.
    #[serde(default, skip_serializing_if = "About::is_empty")]
    pub about: About,
}

/// A process beside the app.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "AppComponent")]
pub struct Component {
    /// Its name.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
    /// Its image by digest or exact tag; the app's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its command, one word each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Port it listens on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Its environment, over the app's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// Host name, or path prefix of the app's host names, to publish it under; internal only when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
}

/// Kubernetes resource requests and limits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AppResources")]
pub struct Resources {
    /// What a container is promised.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, String>,
    /// What it may use at most.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
}

/// A Secret of the app. Its data is never here: `sealed` is encrypted for the cluster, and only Flux can read it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The Secret as a manifest encrypted with sops. In a request, left out for one that is deployed already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
    /// Somebody else puts it into the namespace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
}

/// What people and catalogs should know about an app.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct About {
    /// One sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Named addresses.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
    /// What an agent should know before it changes the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

impl About {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Resources {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Template {
    /// Returns the template without what runs once: what a rollback deploys.
    #[must_use]
    pub fn without_jobs(&self) -> Self {
        Self { migration: Vec::new(), seed: Vec::new(), ..self.clone() }
    }

    /// Tells whether Jobs run before the pods.
    pub fn has_jobs(&self) -> bool {
        !self.migration.is_empty() || !self.seed.is_empty()
    }
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}
