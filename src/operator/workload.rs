//! What of an app really runs: the pods of this revision, and its route.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use serde_json::Value;

use super::decide::Complaint;
use crate::api::{AppId, LABEL_APP, LABEL_REVISION};
use crate::daemon::api_error;
use crate::diag::Result;

/// Most characters of somebody's words in a condition.
const WORDS: usize = 400;

/// Returns the type of the Gateway API's route.
pub(super) fn http_route() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute"))
}

fn complaint(reason: &'static str, message: impl Into<String>) -> Complaint {
    Complaint { reason, message: message.into().chars().take(WORDS).collect() }
}

/// Tells whether the pods of a revision are ready and, when it is public, whether its routes are accepted.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn read(
    client: &kube::Client,
    id: &AppId,
    revision: u64,
    public: bool,
) -> Result<Result<(), Complaint>> {
    let ours = ListParams::default().labels(&format!("{LABEL_APP}={}", id.app()));
    let api: Api<Deployment> = Api::namespaced(client.clone(), &id.namespace());
    let deployments = api.list(&ours).await.map_err(|error| api_error("list the app's Deployments", &error))?;
    if deployments.items.is_empty() {
        return Ok(Err(complaint("Applying", "its Deployment is not there yet")));
    }
    for deployment in &deployments.items {
        if let Err(why) = deployed(deployment, revision) {
            let pods: Api<Pod> = Api::namespaced(client.clone(), &id.namespace());
            // Those of Jobs have no component.
            let serving =
                ListParams::default().labels(&format!("{LABEL_APP}={},app.kubernetes.io/component", id.app()));
            let pods = pods.list(&serving).await.map_err(|error| api_error("list the app's pods", &error))?;
            // The reason stays the Deployment's: that it gave up is final, however well its pods say why.
            let trouble = pods.items.iter().find_map(trouble);
            return Ok(Err(match trouble {
                Some(message) => complaint(why.reason, message),
                None => why,
            }));
        }
    }
    if !public {
        return Ok(Ok(()));
    }
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &id.namespace(), &http_route());
    let routes = api.list(&ours).await.map_err(|error| api_error("list the app's routes", &error))?;
    if routes.items.is_empty() {
        return Ok(Err(complaint("RouteNotAccepted", "its route is not there yet")));
    }
    Ok(routes.items.iter().try_for_each(|route| accepted(route.metadata.generation.unwrap_or(0), &route.data)))
}

/// Tells whether a Deployment runs a revision with all its pods and no others (apps/v1 DeploymentStatus).
fn deployed(deployment: &Deployment, revision: u64) -> Result<(), Complaint> {
    let name = deployment.metadata.name.clone().unwrap_or_default();
    let labels = deployment.metadata.labels.clone().unwrap_or_default();
    if labels.get(LABEL_REVISION) != Some(&revision.to_string()) {
        return Err(complaint("Applying", format!("Deployment {name} is of another revision")));
    }
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    if status.observed_generation < deployment.metadata.generation {
        return Err(complaint("PodsNotReady", format!("Deployment {name} is not taken up yet")));
    }
    let stuck = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "Progressing" && condition.status == "False");
    let count = |number: Option<i32>| number.unwrap_or(0);
    if count(status.updated_replicas) < wanted
        || count(status.available_replicas) < wanted
        || count(status.replicas) > wanted
    {
        let ready = count(status.available_replicas).min(count(status.updated_replicas));
        let why = stuck.and_then(|condition| condition.message.clone());
        let reason = if why.is_some() { "RolloutFailed" } else { "PodsNotReady" };
        let message = format!("Deployment {name}: {ready} of {wanted} new pods are ready");
        return Err(complaint(reason, why.map_or(message.clone(), |why| format!("{message}: {why}"))));
    }
    Ok(())
}

/// Returns why a pod does not get ready when its container says so, long before the Deployment gives up.
fn trouble(pod: &Pod) -> Option<String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref()?;
    if let Some(condition) =
        status.conditions.iter().flatten().find(|c| c.type_ == "PodScheduled" && c.status == "False")
    {
        return Some(format!("{name}: {}", condition.message.clone().unwrap_or_default()));
    }
    status.container_statuses.iter().flatten().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref()?;
        let known =
            ["CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError"];
        known.contains(&reason).then(|| {
            let ended = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
            let code = ended.map(|ended| format!(" (it ended with code {})", ended.exit_code)).unwrap_or_default();
            format!("{name}: {reason}{code}: {}", waiting.message.clone().unwrap_or_default())
        })
    })
}

/// Tells whether a Gateway accepted the newest form of a route (gateway.networking.k8s.io/v1 RouteParentStatus).
fn accepted(generation: i64, data: &Value) -> Result<(), Complaint> {
    let parents = data["status"]["parents"].as_array().cloned().unwrap_or_default();
    let conditions = parents.iter().flat_map(|parent| parent["conditions"].as_array().cloned().unwrap_or_default());
    let of_now = |condition: &Value| condition["observedGeneration"].as_i64().is_none_or(|seen| seen >= generation);
    let (mut yes, mut no) = (false, None);
    for condition in conditions.filter(of_now) {
        match (condition["type"].as_str(), condition["status"].as_str()) {
            (Some("Accepted"), Some("True")) => yes = true,
            (Some("Accepted" | "ResolvedRefs"), Some("False")) => no = condition["message"].as_str().map(str::to_owned),
            _ => {}
        }
    }
    match no {
        Some(why) => Err(complaint("RouteNotAccepted", format!("the Gateway refuses the route: {why}"))),
        None if yes => Ok(()),
        None => Err(complaint("RouteNotAccepted", "no Gateway has accepted the route yet")),
    }
}

/// Returns what a failed Job of a deploy says: its name and why, as Flux alone says that some check failed.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn failed_job(client: &kube::Client, id: &AppId, deploy: &str) -> Result<Option<Complaint>> {
    let api: Api<Job> = Api::namespaced(client.clone(), &id.namespace());
    let ours = ListParams::default().labels(&format!("{LABEL_APP}={}", id.app()));
    let jobs = api.list(&ours).await.map_err(|error| api_error("list the app's Jobs", &error))?;
    let failed = jobs.items.iter().find_map(|job| {
        let name = job.metadata.name.as_deref().filter(|name| name.ends_with(deploy))?;
        let conditions = job.status.as_ref()?.conditions.as_ref()?;
        let failed = conditions.iter().find(|condition| condition.type_ == "Failed" && condition.status == "True")?;
        Some((name.to_owned(), failed.message.clone().unwrap_or_default()))
    });
    let Some((name, why)) = failed else { return Ok(None) };
    let pods: Api<Pod> = Api::namespaced(client.clone(), &id.namespace());
    let of_job = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={name}"));
    let pods = pods.list(&of_job).await.map_err(|error| api_error("list the pods of a Job", &error))?;
    let ended =
        pods.items.iter().find_map(ended).map_or(why, |(step, code)| format!("the {step} ended with code {code}"));
    Ok(Some(complaint("JobFailed", format!("Job {name} failed: {ended}; the pods of before go on serving"))))
}

/// Returns the name of a Job of a deploy whose work has begun and not ended.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn running_job(client: &kube::Client, id: &AppId, deploy: &str) -> Result<Option<String>> {
    let api: Api<Job> = Api::namespaced(client.clone(), &id.namespace());
    let ours = ListParams::default().labels(&format!("{LABEL_APP}={}", id.app()));
    let jobs = api.list(&ours).await.map_err(|error| api_error("list the app's Jobs", &error))?;
    let is_active = |job: &&Job| job.status.as_ref().is_some_and(|status| status.active.unwrap_or(0) > 0);
    let names = jobs.items.iter().filter(is_active).filter_map(|job| job.metadata.name.as_deref());
    let Some(name) = names.into_iter().find(|name| name.ends_with(deploy)) else { return Ok(None) };
    let pods: Api<Pod> = Api::namespaced(client.clone(), &id.namespace());
    let of_job = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={name}"));
    let pods = pods.list(&of_job).await.map_err(|error| api_error("list the pods of a Job", &error))?;
    Ok(pods.items.iter().any(has_begun).then(|| name.to_owned()))
}

/// Tells whether a container of a pod was started: not while its image cannot be pulled, which the next deploy may mend.
fn has_begun(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| {
        let all = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
        all.filter_map(|container| container.state.as_ref())
            .any(|state| state.running.is_some() || state.terminated.is_some())
    })
}

/// Returns which container of a pod failed, and with which code.
fn ended(pod: &Pod) -> Option<(String, i32)> {
    let status = pod.status.as_ref()?;
    let all = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    all.filter_map(|container| {
        let code = container.state.as_ref()?.terminated.as_ref()?.exit_code;
        (code != 0).then(|| (container.name.clone(), code))
    })
    .next()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing;
    use super::*;

    fn deployment(change: impl FnOnce(&mut Value)) -> Deployment {
        let mut value = json!({"metadata": {"name": "shop", "generation": 2, "labels": {LABEL_REVISION: "7"}}, "spec": {"replicas": 2,
            "selector": {}, "template": {}}, "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}});
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn ready_means_all_pods_of_this_revision_and_no_others() {
        assert_eq!(deployed(&deployment(|_| {}), 7), Ok(()));
        let not: [fn(&mut Value); 5] = [
            |d| d["metadata"]["labels"][LABEL_REVISION] = json!("6"),
            |d| d["status"]["observedGeneration"] = json!(1),
            |d| d["status"]["updatedReplicas"] = json!(1),
            |d| d["status"]["availableReplicas"] = json!(1),
            |d| d["status"]["replicas"] = json!(3),
        ];
        for change in not {
            assert!(deployed(&deployment(change), 7).is_err());
        }
        assert_eq!(
            deployed(
                &deployment(|d| (d["spec"]["replicas"], d["status"]) = (json!(0), json!({"observedGeneration": 2}))),
                7
            ),
            Ok(())
        );
        let stuck = deployment(|d| {
            d["status"]["availableReplicas"] = json!(0);
            d["status"]["conditions"] = json!([{"type": "Progressing", "status": "False", "message": "exceeded"}]);
        });
        assert_eq!(deployed(&stuck, 7).unwrap_err().reason, "RolloutFailed");
    }

    #[tokio::test]
    async fn a_rollout_that_failed_stays_one_when_a_pod_says_why() {
        let condition =
            |status: &str| json!([{"type": "Progressing", "status": status, "message": "deadline exceeded"}]);
        for (progressing, reason) in [("True", "PodsNotReady"), ("False", "RolloutFailed")] {
            let stuck = deployment(|d| {
                d["status"]["availableReplicas"] = json!(0);
                d["status"]["conditions"] = condition(progressing);
            });
            for (waits, message) in [
                (json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}), "no such image"),
                (json!({"running": {}}), "0 of 2 new pods are ready"),
            ] {
                let pod = json!({"metadata": {"name": "shop-1"}, "status": {"containerStatuses": [{"name": "app", "image": "",
                    "imageID": "", "ready": false, "restartCount": 0, "state": waits}]}});
                let deployments = json!({"metadata": {}, "items": [stuck.clone()]});
                let client = testing::client(move |asked| {
                    let pods = json!({"metadata": {}, "items": [pod.clone()]});
                    let list = if asked.uri().path().ends_with("/pods") { pods } else { deployments.clone() };
                    async move { (200, list) }
                });
                let id = AppId::new("acme", "shop", "prod").unwrap();
                let why = read(&client, &id, 7, false).await.unwrap().unwrap_err();
                assert_eq!(why.reason, reason);
                assert!(why.message.contains(message), "{}", why.message);
            }
        }
    }

    #[tokio::test]
    async fn a_job_runs_from_its_first_container_to_its_end() {
        let waiting = json!({"waiting": {"reason": "ImagePullBackOff"}});
        for (deploy, active, migration, seed, runs) in [
            ("d1", 1, json!({"running": {}}), waiting.clone(), true),
            ("d1", 1, json!({"terminated": {"exitCode": 0}}), waiting.clone(), true),
            ("d1", 1, waiting.clone(), waiting.clone(), false),
            ("d1", 0, json!({"terminated": {"exitCode": 0}}), json!({"terminated": {"exitCode": 0}}), false),
            ("d2", 1, json!({"running": {}}), waiting.clone(), false),
        ] {
            let job = json!({"metadata": {"name": format!("migration-{deploy}")}, "status": {"active": active}});
            let container = |name: &str, state: &Value| {
                json!({"name": name, "image": "", "imageID": "", "ready": false,
                "restartCount": 0, "state": state})
            };
            let pod = json!({"metadata": {"name": "p"}, "status": {"initContainerStatuses": [container("migration", &migration)],
                "containerStatuses": [container("seed", &seed)]}});
            let client = testing::client(move |asked| {
                let item = if asked.uri().path().ends_with("/pods") { pod.clone() } else { job.clone() };
                async move { (200, json!({"metadata": {}, "items": [item]})) }
            });
            let id = AppId::new("acme", "shop", "prod").unwrap();
            let running = running_job(&client, &id, "d1").await.unwrap();
            assert_eq!(running.as_deref(), runs.then_some("migration-d1"), "{deploy} {active} {migration} {seed}");
        }
    }

    #[test]
    fn a_route_is_accepted_in_its_newest_form() {
        let route = |condition: Value| accepted(3, &json!({"status": {"parents": [{"conditions": [condition]}]}}));
        assert!(route(json!({"type": "Accepted", "status": "True", "observedGeneration": 3})).is_ok());
        assert!(route(json!({"type": "Accepted", "status": "True", "observedGeneration": 2})).is_err());
        let no = route(
            json!({"type": "Accepted", "status": "False", "observedGeneration": 3, "message": "NotAllowedByListeners"}),
        );
        assert!(no.unwrap_err().message.contains("NotAllowed"));
        assert!(accepted(1, &json!({})).is_err());
    }

    #[test]
    fn a_pod_in_trouble_says_which() {
        let pod = json!({"metadata": {"name": "shop-1"}, "status": {"containerStatuses": [{"name": "app", "image": "", "imageID": "", "ready": false,
            "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            "lastState": {"terminated": {"exitCode": 3}}}]}});
        let why = trouble(&serde_json::from_value(pod).unwrap()).unwrap();
        assert_eq!(why, "shop-1: CrashLoopBackOff (it ended with code 3): back-off");
    }
}
