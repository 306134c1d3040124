//! `kilter-operator rerender`: every app that is committed is rendered again, in batches.

use kube::ResourceExt as _;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::runtime::wait::await_condition;
use serde_json::json;

use super::MANAGER;
use crate::api::{ANNOTATION_RERENDER, ConditionStatus, ConditionType, KilterApp, NAMESPACE};
use crate::daemon::api_error;
use crate::diag::{Error, Result};

/// Most characters of an operator's words about an app.
const WORDS: usize = 400;

type Guarded = DeserializeGuard<KilterApp>;

/// Asks for another render of every app, in batches: the next one when the one before is committed. `tell` is told the name of each
/// app, and why it was left out where it was: one that is not committed as it is would hold up the rest, and is rendered with the
/// newest chart anyway when that is mended.
///
/// # Errors
/// When the API server does not answer or refuses, or when an app that was committed cannot be rendered any more, so that a bad
/// chart stops at the first batch.
pub async fn rerender(
    client: kube::Client,
    batch: usize,
    stamp: &str,
    tell: impl Fn(&str, Option<&str>),
) -> Result<()> {
    let api: Api<Guarded> = Api::namespaced(client, NAMESPACE);
    let listed = api.list(&ListParams::default()).await.map_err(|error| api_error("list the KilterApps", &error))?;
    let mut names = Vec::new();
    for app in &listed.items {
        match left_out(app) {
            Some(why) => tell(&app.name_any(), Some(&why)),
            None => names.push(app.name_any()),
        }
    }
    for some in names.chunks(batch.max(1)) {
        for name in some {
            let patch = json!({"metadata": {"annotations": {ANNOTATION_RERENDER: stamp}}});
            let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
            match api.patch_metadata(name, &params, &Patch::Merge(&patch)).await {
                Ok(_) => {}
                Err(kube::Error::Api(error)) if error.code == 404 => {} // deleted meanwhile
                Err(error) => return Err(api_error("ask for a render", &error)),
            }
        }
        for name in some {
            let ended = |app: Option<&Guarded>| app.is_none_or(|app| outcome(app, stamp).is_some());
            let waited = await_condition(api.clone(), name, ended).await;
            let app = waited.map_err(|error| Error::missing(format!("cannot wait for `{name}`: {error}")))?;
            if let Some(Err(why)) = app.and_then(|app| outcome(&app, stamp)) {
                return Err(Error::tool(format!("`{name}` was committed and cannot be rendered any more: {why}"))
                    .help("Correct the cause, or have the team deploy it again, then run this once more."));
            }
            tell(name, None);
        }
    }
    Ok(())
}

/// Says why an app is not asked for: it is not committed as it is.
fn left_out(app: &Guarded) -> Option<String> {
    let app = match &app.0 {
        Ok(app) => app,
        Err(_) => return Some("Malformed".into()),
    };
    if app.metadata.deletion_timestamp.is_some() {
        return Some("it is being deleted".into());
    }
    let status = app.status.clone().unwrap_or_default();
    if status.holds(ConditionType::Committed, app.metadata.generation.unwrap_or(0)) {
        return None;
    }
    let stopped = status.conditions.iter().find(|condition| condition.status != ConditionStatus::True);
    Some(stopped.map_or_else(|| "the operator has not seen it yet".into(), |c| said(&c.reason, &c.message)))
}

/// Tells what became of the request: committed, or why not. `None` while the operator is at it, or tries again by itself.
fn outcome(app: &Guarded, stamp: &str) -> Option<Result<(), String>> {
    let app = match &app.0 {
        Ok(app) if app.metadata.deletion_timestamp.is_some() => return Some(Ok(())),
        Ok(app) => app,
        Err(_) => return Some(Err("Malformed".into())),
    };
    let status = app.status.as_ref()?;
    if status.rerender.as_deref() == Some(stamp) {
        return Some(Ok(()));
    }
    // These held before, as it was committed.
    let failed = [ConditionType::Accepted, ConditionType::Rendered].into_iter().find_map(|type_| {
        let condition = status.condition(type_)?;
        let is_final = condition.status == ConditionStatus::False && condition.reason != "RenderInterrupted";
        (is_final && condition.observed_generation == app.metadata.generation).then_some(condition)
    });
    failed.map(|condition| Err(said(&condition.reason, &condition.message)))
}

fn said(reason: &str, message: &str) -> String {
    let message: String = message.chars().take(WORDS).collect();
    if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::super::testing;
    use super::*;
    use crate::api::Template;

    /// A KilterApp whose conditions before `stops` hold.
    fn app(name: &str, stops: Option<(&str, &str)>) -> Value {
        let mut app = json!(testing::app(Template::default()).1);
        app["metadata"]["name"] = json!(name);
        let mut status = "True";
        let mut conditions = Vec::new();
        for type_ in ["Accepted", "Rendered", "Committed", "Reconciled", "Ready"] {
            let reason = match stops {
                Some((at, reason)) if at == type_ => {
                    status = "False";
                    reason
                }
                _ if status == "True" => "Done",
                _ => "Waiting",
            };
            let shown = if reason == "Waiting" { "Unknown" } else { status };
            conditions.push(json!({"type": type_, "status": shown, "reason": reason, "message": "of the test",
                "observedGeneration": 1, "lastTransitionTime": "2026-11-24T10:00:00Z"}));
        }
        app["status"] = json!({"conditions": conditions});
        app
    }

    /// Has apps rendered again that the operator then says this of; returns what was told, and the error.
    async fn run(apps: &[(&str, Value, Value)]) -> (Vec<String>, Option<String>) {
        let kept: BTreeMap<String, Value> =
            apps.iter().map(|(name, app, _)| ((*name).to_owned(), app.clone())).collect();
        let then: BTreeMap<String, Value> =
            apps.iter().map(|(name, _, app)| ((*name).to_owned(), app.clone())).collect();
        let kept = Arc::new(Mutex::new(kept));
        let client = testing::client(move |asked| {
            let mut kept = kept.lock().unwrap();
            let name = asked.uri().path().rsplit('/').next().unwrap().to_owned();
            let answer = if asked.method() == "PATCH" {
                let app = kept.get_mut(&name).unwrap_or_else(|| panic!("{name} is asked for"));
                *app = then[&name].clone();
                (
                    200,
                    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": app["metadata"]}),
                )
            } else {
                let query = asked.uri().query().unwrap_or_default().to_owned();
                let of_one = query.contains("fieldSelector");
                let items = kept.iter().filter(|(name, _)| {
                    !of_one || query.ends_with(name.as_str()) || query.contains(&format!("{name}&"))
                });
                (
                    200,
                    json!({"metadata": {"resourceVersion": "1"}, "items": items.map(|(_, app)| app).collect::<Vec<_>>()}),
                )
            };
            async move { answer }
        });
        let told = Mutex::new(Vec::new());
        let tell =
            |name: &str, why: Option<&str>| told.lock().unwrap().push(format!("{name} {}", why.unwrap_or("done")));
        let done = rerender(client, 2, "now", tell).await;
        (told.into_inner().unwrap(), done.err().map(|error| error.to_string()))
    }

    #[tokio::test]
    async fn what_was_refused_before_is_named_and_left_out() {
        let done = |name: &str| {
            let mut app = app(name, None);
            app["status"]["rerender"] = json!("now");
            app
        };
        let refused = |name: &'static str, reason| (name, app(name, Some(("Accepted", reason))), Value::Null);
        let mut leaving = app("e", None);
        leaving["metadata"]["deletionTimestamp"] = json!("2026-11-24T10:00:00Z");
        let mut malformed = app("f", None);
        malformed["spec"]["template"]["port"] = json!("canary");
        let (told, error) = run(&[
            ("a", app("a", None), done("a")),
            refused("b", "Invalid"),
            refused("c", "HostnameTaken"),
            ("d", app("d", Some(("Ready", "RolloutFailed"))), done("d")),
            ("e", leaving, Value::Null),
            ("f", malformed, Value::Null),
            ("g", app("g", None), done("g")),
        ])
        .await;
        let expected = [
            "b Invalid: of the test",
            "c HostnameTaken: of the test",
            "e it is being deleted",
            "f Malformed",
            "a done",
            "d done",
            "g done",
        ];
        assert_eq!((told.iter().map(String::as_str).collect::<Vec<_>>(), error), (expected.to_vec(), None));
    }

    #[tokio::test]
    async fn one_that_cannot_be_rendered_any_more_stops_the_rest() {
        let committed = |name: &'static str| (name, app(name, None), app(name, Some(("Rendered", "RenderFailed"))));
        let (told, error) = run(&[committed("a"), committed("b"), committed("c")]).await;
        assert_eq!(told, Vec::<String>::new());
        let error = error.unwrap();
        assert!(
            error.contains("`a` was committed and cannot be rendered any more: RenderFailed: of the test"),
            "{error}"
        );
    }

    #[test]
    fn what_passes_is_waited_for() {
        let of = |stops| outcome(&serde_json::from_value(app("a", stops)).unwrap(), "now");
        for passing in [None, Some(("Rendered", "RenderInterrupted")), Some(("Committed", "RepositoryUnavailable"))] {
            assert_eq!(of(passing), None, "{passing:?}");
        }
        assert_eq!(of(Some(("Accepted", "NamespaceTaken"))), Some(Err("NamespaceTaken: of the test".into())));
    }
}
