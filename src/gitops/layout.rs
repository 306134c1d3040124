//! Which files an app has in the repository.
//!
//! ```text
//! apps/<namespace>/kustomization.yaml    what the root Kustomization applies: the two below
//!                  namespace.yaml
//!                  sync.yaml             two Flux Kustomizations: <namespace>-jobs, then <namespace>-app
//!                  receipt.json          what all of it was made from
//!                  jobs/                 what has to be there before the pods: Secrets and the Jobs of this deploy
//!                       former/          Secrets that pods of before may be in need of (`dropped`)
//!                  app/                  the app itself
//! ```
//!
//! `jobs/` is there also when no Job is: were the order of the two Kustomizations only made by the commit that brings the first
//! Job, Flux could apply the app of that commit before it knows of the order. The files of `jobs/` and `app/` that helm printed
//! are helm's bytes; each has the values it was rendered from beside it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::dropped::{Sealed, secret_path};
use super::{APPS, AppReceipt};
use crate::api::{AppId, KilterAppSpec, LABEL_APP, LABEL_ENV, LABEL_MANAGED, LABEL_ORG, NAMESPACE, Platform};
use crate::diag::Result;
use crate::yaml::emit;

/// Path in the repository → bytes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What of an app is applied together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Before the pods.
    Jobs,
    /// The app itself.
    App,
}

impl Phase {
    /// Returns the name of the directory, of the chart's value `phase`, and the end of the Kustomization's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::App => "app",
        }
    }
}

/// One helm run of an app.
#[derive(Debug, Clone)]
pub struct Phased {
    /// Which.
    pub phase: Phase,
    /// The values file, byte for byte.
    pub values: Vec<u8>,
    /// helm's standard output, byte for byte.
    pub manifest: Vec<u8>,
}

/// Returns every file of an app, its receipt among them, and that receipt. `former` are Secrets that the spec does not name.
///
/// # Errors
/// Never for checked input: what is written is plain data.
pub fn files(
    id: &AppId,
    spec: &KilterAppSpec,
    platform: &Platform,
    phases: &[Phased],
    former: &Sealed,
    mut receipt: AppReceipt,
) -> Result<(Files, AppReceipt)> {
    let namespace = id.namespace();
    let mut files = Files::new();
    let mut put = |path: &str, bytes: Vec<u8>| files.insert(format!("{APPS}/{namespace}/{path}"), bytes);
    put("kustomization.yaml", kustomization(&["namespace.yaml", "sync.yaml"])?);
    put("namespace.yaml", emit(&namespace_object(id, platform))?.into_bytes());
    let sync = [emit(&sync(id, platform, Phase::Jobs))?, emit(&self::sync(id, platform, Phase::App))?];
    put("sync.yaml", sync.join("---\n").into_bytes());
    put("jobs/deploy.yaml", emit(&deploy_object(id, spec))?.into_bytes());
    let mut resources = BTreeMap::from([(Phase::Jobs, vec!["deploy.yaml".to_owned()]), (Phase::App, Vec::new())]);
    for phased in phases {
        let name = phased.phase.name();
        put(&format!("{name}/{name}.yaml"), phased.manifest.clone());
        put(&format!("{name}/values.yaml"), phased.values.clone());
        resources.entry(phased.phase).or_default().push(format!("{name}.yaml"));
    }
    let own =
        spec.template.secrets.iter().filter_map(|secret| Some((&secret.name, secret.sealed.as_ref()?.as_bytes())));
    let own = own.map(|(name, sealed)| (secret_path(name, false), sealed));
    let former = former.iter().map(|(name, sealed)| (secret_path(name, true), sealed.as_slice()));
    for (path, sealed) in own.chain(former) {
        put(&format!("jobs/{path}"), sealed.to_vec());
        resources.entry(Phase::Jobs).or_default().push(path);
    }
    for (phase, resources) in resources {
        let resources: Vec<&str> = resources.iter().map(String::as_str).collect();
        put(&format!("{}/kustomization.yaml", phase.name()), kustomization(&resources)?);
    }
    receipt.record(&files);
    files.insert(receipt_path(&namespace), receipt.to_text().into_bytes());
    Ok((files, receipt))
}

/// Returns where the receipt of an app is.
pub(super) fn receipt_path(namespace: &str) -> String {
    format!("{APPS}/{namespace}/receipt.json")
}

fn kustomization(resources: &[&str]) -> Result<Vec<u8>> {
    let value =
        json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources});
    Ok(emit(&value)?.into_bytes())
}

/// Returns the labels of every object of an app that kilter itself makes.
pub fn labels(id: &AppId) -> Value {
    json!({"app.kubernetes.io/managed-by": "kilter", LABEL_APP: id.app(), LABEL_ENV: id.env(), LABEL_ORG: id.org()})
}

/// Returns the Namespace of an app: made by the operator first, so that nobody's is taken, then kept by Flux.
pub fn namespace_object(id: &AppId, platform: &Platform) -> Value {
    let mut labels = json!(platform.namespace_labels);
    for (key, value) in self::labels(id).as_object().into_iter().flatten() {
        labels[key] = value.clone();
    }
    labels[LABEL_MANAGED] = json!("true");
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": id.namespace(), "labels": labels}})
}

/// Returns the name of the Kustomization of a phase.
pub fn kustomization_name(id: &AppId, phase: Phase) -> String {
    format!("{}-{}", id.namespace(), phase.name())
}

/// The Kustomization of the app is not waited for: while Flux waits for pods that never get ready it does not take up the next
/// revision, which may be what mends them. The operator looks at the pods itself.
fn sync(id: &AppId, platform: &Platform, phase: Phase) -> Value {
    let flux = &platform.flux;
    let mut spec = json!({
        "interval": flux.interval,
        "retryInterval": flux.retry_interval,
        "timeout": flux.jobs_timeout,
        "path": format!("./{APPS}/{}/{}", id.namespace(), phase.name()),
        "prune": true,
        "wait": phase == Phase::Jobs,
        "serviceAccountName": flux.service_account,
        "sourceRef": {"kind": "GitRepository", "name": flux.source},
    });
    if phase == Phase::App {
        spec["dependsOn"] = json!([{"name": kustomization_name(id, Phase::Jobs)}]);
    }
    if phase == Phase::Jobs
        && let Some(secret) = &flux.sops_secret
    {
        spec["decryption"] = json!({"provider": "sops", "secretRef": {"name": secret}});
    }
    json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": kustomization_name(id, phase), "namespace": NAMESPACE, "labels": labels(id)},
        "spec": spec,
    })
}

/// A ConfigMap that tells people in the namespace what is deployed there; it also keeps `jobs/` from being empty.
fn deploy_object(id: &AppId, spec: &KilterAppSpec) -> Value {
    let template = &spec.template;
    let mut data = json!({
        "deploy": spec.deploy,
        "image": template.image,
        "revision": spec.revision.to_string(),
    });
    let about = &template.about;
    for (key, text) in [("description", &about.description), ("owner", &about.owner), ("agent", &about.agent)] {
        if let Some(text) = text {
            data[key] = json!(text);
        }
    }
    if !about.tags.is_empty() {
        data["tags"] = json!(about.tags.join(","));
    }
    for (name, link) in &about.links {
        let safe: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
        data[format!("link.{safe}")] = json!(link);
    }
    let metadata = json!({"name": "kilter-deploy", "namespace": id.namespace(), "labels": labels(id)});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
}
