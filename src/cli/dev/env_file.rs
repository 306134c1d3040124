//! The file that `envFile` names, in the cluster: as a Secret that the app takes its environment from, beside what kilter.yaml and
//! the services say. It is sent on kubectl's standard input and kept nowhere else.

use std::path::Path;

use serde_json::{Value, json};

use super::Dev;
use crate::api::MAX_SEALED;
use crate::cli::context::Context;
use crate::cluster::Kubectl;
use crate::deploy::{Variables, variables};
use crate::diag::{Problem, Result};
use crate::fsx;
use crate::ids::Digest;
use crate::plan::env_file_secret;

/// Annotation with a digest of what the Secret holds.
const CONTENT: &str = "kilter.netshire.com/content";

impl Dev {
    /// Brings the file into the cluster, where it changed; tells whether an app may run with what it said before. A file that is
    /// not there is a warning: each developer has one of his own.
    ///
    /// # Errors
    /// When the file is no file of `KEY=VALUE` lines, or the cluster refuses the Secret.
    pub(crate) fn take_env_file(&self, ctx: &Context, root: &Path, kubectl: &Kubectl) -> Result<bool> {
        let Some(path) = self.plan.env_file.as_ref().filter(|_| self.plan.app.is_some()) else { return Ok(false) };
        let name = env_file_secret(&self.plan.project);
        let there = kubectl.get("secret", &name)?;
        let Some(text) = fsx::read_text(&root.join(path), MAX_SEALED as u64)? else {
            ctx.ui.warn(
                &Problem::new(format!("`{path}`, which kilter.yaml names as `envFile`, is not there"))
                    .help("The app starts without it. Make one, often of the example beside it, then run this again."),
            );
            kubectl.delete(&[format!("secret/{name}")])?;
            return Ok(there.is_some());
        };
        let (kept, given) = self.beside_the_plan(variables(path, &text)?);
        if !given.is_empty() {
            let names = given.join(", ");
            ctx.ui.talk(&format!("{path}: {names} left out, which kilter.yaml and its services say otherwise"));
        }
        let secret = self.secret(&name, &kept);
        if there.as_ref().is_some_and(|there| content(there) == content(&secret)) {
            return Ok(false);
        }
        kubectl.apply(&secret)?;
        Ok(there.is_some())
    }

    /// Splits what the file says: what the app is to get, and the names of what it is told otherwise. An address on this machine
    /// is none in a pod.
    fn beside_the_plan(&self, variables: Variables) -> (Variables, Vec<String>) {
        let (given, kept): (Variables, Variables) =
            variables.into_iter().partition(|(name, _)| self.plan.env.contains_key(name));
        (kept, given.into_keys().collect())
    }

    fn secret(&self, name: &str, variables: &Variables) -> Value {
        let content = Digest::of(json!(variables).to_string().as_bytes()).to_string();
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": self.plan.namespace,
                "annotations": {CONTENT: content},
                "labels": {"app.kubernetes.io/managed-by": "kilter", "app.kubernetes.io/part-of": self.plan.project},
            },
            "stringData": variables,
        })
    }
}

fn content(secret: &Value) -> Option<&str> {
    secret["metadata"]["annotations"][CONTENT].as_str()
}
