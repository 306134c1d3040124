//! The file that `envFile` names, in the cluster: as a Secret that the app takes its environment from, beside what kilter.yaml and
//! the services say. It is sent on kubectl's standard input and kept nowhere else.

use std::path::Path;

use serde_json::{Value, json};

use super::Dev;
use crate::api::MAX_SEALED;
use crate::cli::context::Context;
use crate::cluster::Kubectl;
use crate::deploy::{Variables, variables};
use crate::diag::{Error, Problem, Result};
use crate::fsx;
use crate::ids::Digest;
use crate::plan::env_file_secret;

/// Variables from which servers take the address that they listen at.
const LISTENS: [&str; 2] = ["HOST", "HOSTNAME"];

/// Annotation with a digest of what the Secret holds.
const CONTENT: &str = "kilter.netshire.com/content";

impl Dev {
    /// Brings the file into the cluster, where it changed; tells whether an app may run with what it said before. A file that is
    /// not there is a warning: each developer has one of his own.
    ///
    /// # Errors
    /// When the file cannot be read, or the cluster refuses the Secret.
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
        let (variables, wrong) = variables(path, &text);
        wrong.iter().flat_map(Error::problems).for_each(|problem| ctx.ui.warn(problem));
        let (kept, given) = self.beside_the_plan(variables);
        if !given.is_empty() {
            let names = given.join(", ");
            ctx.ui.talk(&format!(
                "{path}: {names} left out: kilter.yaml and its services say otherwise, or it is of this machine"
            ));
        }
        let near: Vec<&str> = kept.iter().filter(|(_, value)| is_near(value)).map(|(name, _)| name.as_str()).collect();
        if !near.is_empty() {
            let names = near.join(", ");
            ctx.ui.talk(&format!("{path}: {names} lead to 127.0.0.1, which in a pod is the pod itself"));
        }
        let secret = self.secret(&name, &kept);
        if there.as_ref().is_some_and(|there| content(there) == content(&secret)) {
            return Ok(false);
        }
        kubectl.apply(&secret)?;
        Ok(there.is_some())
    }

    /// Splits what the file says: what the app is to get, and the names of what it is told otherwise. An address on this machine
    /// is none in a pod, where an app that listens at one is not reached.
    fn beside_the_plan(&self, variables: Variables) -> (Variables, Vec<String>) {
        let listens = |name: &str, value: &str| LISTENS.contains(&name) && is_near(value);
        let (given, kept): (Variables, Variables) =
            variables.into_iter().partition(|(name, value)| self.plan.env.contains_key(name) || listens(name, value));
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

/// Tells whether a value is or holds an address of this machine.
fn is_near(value: &str) -> bool {
    let host = value.split_once("://").map_or(value, |(_, rest)| rest);
    let host = host.split(['/', '?']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    matches!(
        host.rsplit_once(':').map_or(host, |(host, _)| host),
        "localhost" | "127.0.0.1" | "[::1]" | "0:0:0:0:0:0:0:1"
    ) || value == "::1"
}

fn content(secret: &Value) -> Option<&str> {
    secret["metadata"]["annotations"][CONTENT].as_str()
}

#[cfg(test)]
mod tests {
    use super::is_near;

    #[test]
    fn an_address_of_this_machine_in_any_form() {
        for near in [
            "localhost",
            "127.0.0.1",
            "::1",
            "localhost:5432",
            "http://localhost:3000/x",
            "redis://u:p@127.0.0.1:6379/0",
        ] {
            assert!(is_near(near), "{near}");
        }
        for far in ["", "localhost.example.com", "example.com/localhost", "sk_test_1", "postgres://db:5432/localhost"] {
            assert!(!is_near(far), "{far}");
        }
    }
}
