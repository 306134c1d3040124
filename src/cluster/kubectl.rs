//! The pinned kubectl with the instance's own kubeconfig.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::diag::{Error, Result};
use crate::exec::{Captured, Invocation, Said, Stream};
use crate::fsx;

/// Label of a namespace that kilter made: the project.
pub const PROJECT_LABEL: &str = "kilter.netshire.com/project";

/// How long one question to the API server may take.
const ANSWERS_WITHIN: &str = "10s";

/// kubectl for one instance.
#[derive(Debug, Clone)]
pub struct Kubectl {
    /// The binary.
    pub program: PathBuf,
    /// A kubeconfig with exactly one context.
    pub kubeconfig: PathBuf,
    /// The namespace of the instance.
    pub namespace: String,
}

impl Kubectl {
    /// Returns a call of kubectl in the namespace. It has kilter's environment: logins are programs of the user's.
    pub fn call<S: Into<String>>(&self, args: impl IntoIterator<Item = S>) -> Invocation {
        Invocation::new(&self.program)
            .inherit_env()
            .env("KUBECONFIG", self.kubeconfig.to_string_lossy())
            .args(["--namespace", &self.namespace])
            .args(args)
    }

    /// Asks the API server whether it is ready.
    ///
    /// # Errors
    /// When it is not, or cannot be reached; with kubectl's words.
    pub fn ready(&self) -> Result<()> {
        let answer = self.call(["get", "--raw", "/readyz", "--request-timeout", ANSWERS_WITHIN]).capture()?;
        if answer.ok() {
            return Ok(());
        }
        Err(Error::missing("the cluster does not answer").detail(said(&answer)))
    }

    /// Returns an object, or `None` when there is none of the name.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn get(&self, kind: &str, name: &str) -> Result<Option<Value>> {
        let call = self.call([
            "get",
            kind,
            name,
            "--output",
            "json",
            "--ignore-not-found",
            "--request-timeout",
            ANSWERS_WITHIN,
        ]);
        let text = require(&call)?;
        Ok(serde_json::from_str(&text).ok())
    }

    /// Returns a list of objects of the namespace.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn list(&self, kinds: &str, selector: &[&str]) -> Result<Vec<Value>> {
        let call = self.call(["get", kinds, "--output", "json", "--request-timeout", ANSWERS_WITHIN]);
        let text = require(&call.args(selector.iter().copied()))?;
        let list: Value = serde_json::from_str(&text).unwrap_or_default();
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// Makes the namespace, when it is not there; tells whether it was made.
    ///
    /// # Errors
    /// When the cluster refuses, or the namespace is about to go.
    pub fn ensure_namespace(&self, project: &str) -> Result<bool> {
        if let Some(there) = self.get("namespace", &self.namespace)? {
            return match there["status"]["phase"].as_str() {
                Some("Terminating") => {
                    Err(Error::missing(format!("the namespace `{}` is being deleted", self.namespace))
                        .help("Wait until it is gone, then run the same command again."))
                }
                _ => Ok(false),
            };
        }
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self.namespace, "labels": {PROJECT_LABEL: project}},
        });
        let call = self.call(["create", "--filename", "-"]);
        require(&Invocation { stdin: Some(namespace.to_string().into_bytes()), ..call })?;
        Ok(true)
    }

    /// Deletes the namespace with everything in it, and waits until it is gone.
    ///
    /// # Errors
    /// When kilter did not make it, or it does not go.
    pub fn delete_namespace(&self, project: &str) -> Result<bool> {
        let Some(there) = self.get("namespace", &self.namespace)? else { return Ok(false) };
        if there["metadata"]["labels"][PROJECT_LABEL] != project {
            return Err(Error::refused(format!("the namespace `{}` was not made by kilter", self.namespace)).help(
                format!("Delete it yourself, with everything in it: `kubectl delete namespace {}`.", self.namespace),
            ));
        }
        let call = self.call(["delete", "namespace", &self.namespace, "--wait=true", "--timeout=5m"]);
        require(&call.timeout(Duration::from_secs(330)))?;
        Ok(true)
    }

    /// Applies an object, as `kubectl apply` does: what it had before and has no longer goes.
    ///
    /// # Errors
    /// When the cluster refuses it.
    pub fn apply(&self, object: &Value) -> Result<()> {
        let call = self.call(["apply", "--filename", "-"]);
        require(&Invocation { stdin: Some(object.to_string().into_bytes()), ..call }).map(drop)
    }

    /// Deletes objects of the namespace (`kind/name`), as far as they are there, and waits until they are gone.
    ///
    /// # Errors
    /// When the cluster refuses, or one does not go.
    pub fn delete(&self, objects: &[String]) -> Result<()> {
        if objects.is_empty() {
            return Ok(());
        }
        let call = self.call(["delete", "--ignore-not-found", "--wait=true", "--timeout=2m"]);
        require(&call.args(objects.iter().cloned()).timeout(Duration::from_secs(150))).map(drop)
    }

    /// Listens to the pods of the namespace: each document is `{"type": …, "object": …}`.
    ///
    /// # Errors
    /// When kubectl cannot be started.
    pub fn watch_pods(&self, tell: impl Fn(Said<Value>) + Send + Sync + 'static) -> Result<Stream> {
        self.call(["get", "pods", "--watch", "--output-watch-events", "--output", "json"]).documents(tell)
    }
}

/// Writes a kubeconfig that has one context of the user's and nothing else, with what it needs to log in.
///
/// # Errors
/// When there is no such context.
pub fn take_context(program: &Path, context: &str, to: &Path) -> Result<()> {
    let call = Invocation::new(program).inherit_env();
    let view =
        call.args(["config", "view", "--minify", "--flatten", "--raw", "--context", context, "--output", "json"]);
    let taken = view.capture()?;
    let text = taken.text();
    let config: Option<Value> = serde_json::from_str(&text).ok();
    let complete =
        config.as_ref().is_some_and(|config| config["contexts"].as_array().is_some_and(|all| all.len() == 1));
    if !taken.ok() || !complete {
        return Err(Error::missing(format!("there is no kubeconfig context `{context}` on this machine"))
            .detail(said(&taken))
            .help("List them: `kubectl config get-contexts`. Name another for this machine: `KILTER_CONTEXT=NAME`.")
            .help("Or correct `cluster.context` in kilter.yaml."));
    }
    if fsx::read_text(to, fsx::MAX_FILE)?.as_deref() == Some(&text) {
        return Ok(());
    }
    fsx::write_private(to, text.as_bytes())
}

/// Runs a call to a good end and returns what it printed.
fn require(call: &Invocation) -> Result<String> {
    let captured = call.capture()?;
    if captured.ok() {
        return Ok(captured.text());
    }
    Err(Error::tool(format!("kubectl failed: {}", captured.ending)).detail(said(&captured)))
}

/// What a tool says last.
fn said(captured: &Captured) -> String {
    let lines: Vec<&str> = captured.stderr.lines().collect();
    let words = lines[lines.len().saturating_sub(5)..].join("\n");
    if words.is_empty() { captured.ending.to_string() } else { words }
}
