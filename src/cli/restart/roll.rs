//! Giving workloads new pods: all of them begin at once, then each is waited for.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::dev::Workload;
use crate::cluster::{Kubectl, pods};
use crate::diag::{Problem, Result};
use crate::exec::{Captured, Invocation};

/// How long all of them together may take to be ready again.
const READY_WITHIN: Duration = Duration::from_secs(300);

/// What is given to kubectl above its own limit.
const GRACE: Duration = Duration::from_secs(10);

/// Restarts workloads and waits until their new pods are ready; returns the services that are, and what is wrong with those that
/// cannot be restarted or do not get ready again.
///
/// # Errors
/// When the cluster does not answer.
pub(super) fn roll<'a>(
    ctx: &Context,
    kubectl: &Kubectl,
    workloads: &'a [Workload],
) -> Result<(Vec<&'a str>, Vec<Problem>)> {
    let mut services: Vec<&'a str> = workloads.iter().map(|workload| workload.service.as_str()).collect();
    services.dedup();
    let work = ctx.ui.work(&format!("restarting {}", services.join(", ")));
    let mut failed: Vec<(&str, Problem)> = Vec::new();
    let mut begun = Vec::new();
    for workload in workloads {
        let kubectl = workload.kubectl(kubectl);
        match begin(&kubectl, workload)? {
            Ok(wait) => begun.push((workload, wait)),
            Err(words) => failed.push((&workload.service, problem(workload, "cannot be restarted", &words))),
        }
    }
    let deadline = Instant::now() + READY_WITHIN;
    for (workload, wait) in begun {
        let Some(wait) = wait else { continue };
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        let call = wait.arg(format!("--timeout={}s", left.as_secs())).timeout(left + GRACE);
        let ready = call.capture()?;
        if !ready.ok() {
            failed.push((&workload.service, problem(workload, "did not get ready again", &ready.stderr)));
        }
    }
    drop(work);
    services.retain(|service| !failed.iter().any(|(failed, _)| failed == service));
    Ok((services, failed.into_iter().map(|(_, problem)| problem).collect()))
}

fn problem(workload: &Workload, what: &str, words: &str) -> Problem {
    Problem::new(format!("`{}` {what}", workload.service))
        .detail(format!("{}: {}", workload.reference, words.trim()))
        .help(format!("See what it says: `kilter logs {}`.", workload.service))
}

/// Begins to restart a workload; returns the call that waits for it, or the words of the cluster when it refuses.
fn begin(kubectl: &Kubectl, workload: &Workload) -> Result<Result<Option<Invocation>, String>> {
    let reference = workload.reference.as_str();
    let calls = match workload.kind() {
        "pod" => return anew(kubectl, workload),
        // They have no rollout: new pods come when the old ones go.
        "replicaset" | "replicationcontroller" => return replaced(kubectl, workload),
        _ => kubectl.call(["rollout", "restart", reference]),
    };
    Ok(words(&calls.capture()?).map(|()| Some(kubectl.call(["rollout", "status", reference]))))
}

/// Deletes the pods of what makes new ones by itself.
fn replaced(kubectl: &Kubectl, workload: &Workload) -> Result<Result<Option<Invocation>, String>> {
    let reference = workload.reference.as_str();
    let (kind, name) = reference.split_once('/').unwrap_or_default();
    let Some(there) = kubectl.get(kind, name)? else { return Ok(Err("there is none in the cluster".into())) };
    let mine: Vec<String> = kubectl
        .list("pods", &[])?
        .iter()
        .filter(|pod| workload.owns(pod))
        .map(|pod| format!("pod/{}", pods::name(pod)))
        .collect();
    kubectl.delete(&mine)?;
    let wanted = there["spec"]["replicas"].as_u64().unwrap_or(1);
    let ready = format!("--for=jsonpath={{.status.readyReplicas}}={wanted}");
    Ok(Ok((wanted > 0).then(|| kubectl.call(["wait", &ready, reference]))))
}

/// Makes a pod again that nobody else makes: as it is, on whatever node takes it.
fn anew(kubectl: &Kubectl, workload: &Workload) -> Result<Result<Option<Invocation>, String>> {
    let (_, name) = workload.reference.split_once('/').unwrap_or_default();
    let Some(there) = kubectl.get("pod", name)? else { return Ok(Err("there is none in the cluster".into())) };
    let call = kubectl.call(["replace", "--force", "--filename", "-"]);
    let call = Invocation { stdin: Some(as_new(there).to_string().into_bytes()), ..call };
    Ok(words(&call.capture()?).map(|()| Some(kubectl.call(["wait", "--for=condition=Ready", &workload.reference]))))
}

/// Takes out of a pod what the cluster has put in.
fn as_new(mut pod: Value) -> Value {
    for key in ["resourceVersion", "uid", "creationTimestamp", "managedFields"] {
        pod["metadata"].as_object_mut().map(|metadata| metadata.remove(key));
    }
    pod["spec"].as_object_mut().map(|spec| spec.remove("nodeName"));
    pod["status"] = json!({});
    pod
}

fn words(captured: &Captured) -> Result<(), String> {
    if captured.ok() { Ok(()) } else { Err(captured.stderr.trim().to_owned()) }
}
