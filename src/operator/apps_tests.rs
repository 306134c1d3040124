use kube::runtime::watcher;
use serde_json::Value;

use super::super::decide::{Observed, Rendering};
use super::super::testing;
use super::*;
use crate::api::{ConditionStatus, ConditionType, KilterAppSpec, SecretRef, Template};
use crate::gitops::tests::{Bench, change};

/// A client for what needs no API server.
fn nobody() -> kube::Client {
    testing::client(|asked| async move { panic!("{} {} is asked for", asked.method(), asked.uri()) })
}

#[tokio::test]
async fn a_render_is_final_when_helm_refused_it_and_else_tried_again() {
    for (script, is_final) in [("exit 1", true), ("kill -9 $$", false), ("exit 2", false)] {
        let bench = Bench::new();
        let operator = testing::operator(&bench, nobody(), script);
        let (id, app) = testing::app(Template { image: "i@sha256:1".into(), ..Template::default() });
        let wanted = wanted(&app);
        let round = operator.render(&id, &app, &wanted).await;
        assert_eq!(round.is_ok(), is_final, "{script}: a round that fails is tried again: {round:?}");
        let key = (wanted.uid.clone(), wanted.generation, wanted.rerender.clone());
        match operator.memory(|memory| memory.rendering(&id, &key)) {
            Rendering::Failed(why) => assert!(is_final && why.contains("it ended with code 1"), "{script}: {why}"),
            Rendering::Interrupted(why) => assert!(!is_final && why.contains("helm could not"), "{script}: {why}"),
            other => panic!("{script}: {other:?}"),
        };
        // Another generation is another render.
        assert_eq!(
            operator.memory(|memory| memory.rendering(&id, &("u".into(), 2, String::new()))),
            Rendering::Missing
        );
    }
}

/// What the API server says of the pods: the Deployment of a revision, ready or not.
fn pods(revision: u64, ready: bool) -> kube::Client {
    testing::client(move |asked| async move {
        let labels = json!({crate::api::LABEL_REVISION: revision.to_string()});
        let count = i32::from(ready);
        let deployment = json!({"metadata": {"name": "shop", "labels": labels}, "spec": {"selector": {}, "template": {}},
            "status": {"replicas": 1, "updatedReplicas": 1, "availableReplicas": count}});
        let items = if asked.uri().path().ends_with("/deployments") { vec![deployment] } else { Vec::new() };
        (200, json!({"metadata": {}, "items": items}))
    })
}

/// Deploys an app with these Secrets; returns which the repository has then.
async fn deploy(operator: &Operator, bench: &Bench, revision: u64, secrets: &[&str]) -> String {
    let secret = |name: &&str| SecretRef { name: (*name).into(), sealed: Some("{}".into()), external: false };
    let template = Template { secrets: secrets.iter().map(secret).collect(), ..Template::default() };
    let (id, mut app) = testing::app(Template { image: "i@sha256:1".into(), ..template });
    (app.spec.revision, app.spec.deploy) = (revision, format!("d{revision}"));
    app.metadata.generation = i64::try_from(revision).ok();
    let wanted = wanted(&app);
    operator.render(&id, &app, &wanted).await.unwrap();
    operator.commit(&id, &wanted, false).await.unwrap();
    let files = bench.look(&["ls-tree", "-r", "--name-only", "main", "apps/shop-prod/jobs/"]);
    let of = |path: &str| {
        path.strip_prefix("apps/shop-prod/jobs/").filter(|file| file.contains("secret-")).map(str::to_owned)
    };
    files.lines().filter_map(of).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_secret_that_is_dropped_stays_until_the_pods_that_had_it_are_gone() {
    let bench = Bench::new();
    let helm = "echo 'kind: ConfigMap'";
    let operator = testing::operator(&bench, nobody(), helm);
    assert_eq!(deploy(&operator, &bench, 1, &["a", "b"]).await, "secret-a.json secret-b.json");
    assert_eq!(deploy(&operator, &bench, 2, &["a"]).await, "former/secret-b.json secret-a.json");
    // The same again is no commit.
    assert_eq!(deploy(&operator, &bench, 2, &["a"]).await, "former/secret-b.json secret-a.json");
    assert_eq!(bench.commits(), 2);
    // The pods of the second deploy never got ready: those of the first go on serving.
    for unready in [pods(2, false), pods(1, true)] {
        let operator = testing::operator(&bench, unready, helm);
        let revision = operator.committer.head().entries["shop-prod"].receipt.revision + 1;
        let kept = deploy(&operator, &bench, revision, &["a"]).await;
        assert_eq!(kept, "former/secret-b.json secret-a.json");
    }
    let operator = testing::operator(&bench, pods(4, true), helm);
    assert_eq!(deploy(&operator, &bench, 5, &[]).await, "former/secret-a.json", "it was the fourth deploy's");
    assert_eq!(deploy(&testing::operator(&bench, pods(5, true), helm), &bench, 6, &[]).await, "");
}

/// What the API server says while `acme/shop` is deleted: the uid of the KilterApp that it has of that name, and whose the namespace
/// is.
fn deleting(uid: &'static str, org: &'static str) -> kube::Client {
    testing::client(move |asked| async move {
        let labels = json!({LABEL_ORG: org, crate::api::LABEL_APP: "shop", crate::api::LABEL_ENV: "prod",
            "kustomize.toolkit.fluxcd.io/name": "kilter-apps"});
        let metadata = match asked.uri().path() {
            "/api/v1/namespaces/shop-prod" => json!({"name": "shop-prod", "uid": "n", "labels": labels}),
            _ => json!({"name": "shop-prod", "uid": uid, "resourceVersion": "2"}),
        };
        match asked.uri().path().ends_with("/kilterapps") {
            true => (200, json!({"metadata": {}, "items": [{"metadata": metadata}]})),
            false => {
                (200, json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata}))
            }
        }
    })
}

#[tokio::test]
async fn a_kilterapp_that_is_deleted_takes_what_an_earlier_one_left() {
    // Which KilterApp there is, whose the namespace is, whether the app leaves the repository.
    for (uid, org, leaves) in [("u", "acme", true), ("later", "acme", false), ("u", "other", false)] {
        let bench = Bench::new();
        let operator = testing::operator(&bench, deleting(uid, org), "echo 'kind: ConfigMap'");
        let (id, mut app) = testing::app(Template { image: "i@sha256:1".into(), ..Template::default() });
        let id = if org == "other" { AppId::new(org, id.app(), id.env()).unwrap() } else { id };
        app.spec.org = id.org().into();
        app.metadata.uid = Some("before the restore".into());
        operator.render(&id, &app, &wanted(&app)).await.unwrap();
        operator.commit(&id, &wanted(&app), false).await.unwrap();
        (app.metadata.uid, app.spec.org) = (Some("u".into()), "acme".into());
        app.metadata.namespace = Some(NAMESPACE.into());
        app.metadata.finalizers = Some(vec![FINALIZER.into()]);
        app.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH));
        reconcile(Arc::new(DeserializeGuard(Ok(app))), operator.clone()).await.unwrap();
        let there = operator.committer.head().entries.contains_key("shop-prod");
        assert_eq!(there, !leaves, "{uid} {org}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_so_and_left_alone() {
    let spec = json!({"org": "acme", "app": "shop", "env": "prod", "revision": 7, "deploy": "d1", "by": "ci",
        "template": {"image": "i@sha256:1"}});
    let with = |port: Value| {
        let mut spec = spec.clone();
        spec["template"]["port"] = port;
        spec
    };
    for (name, spec, words) in [
        ("shop-prod", spec.clone(), "port"),
        ("shop-prod", with(json!("canary")), "Invalid type string"),
        ("other-prod", with(json!(3000)), "its name is not <app>-<env>"),
    ] {
        let object = json!({"apiVersion": "kilter.netshire.com/v1alpha1", "kind": "KilterApp",
            "metadata": {"name": name, "namespace": NAMESPACE, "uid": "u", "generation": 3}, "spec": spec});
        let written: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let (to, stored) = (written.clone(), object.clone());
        let client = testing::client(move |asked| {
            to.lock().unwrap().push((format!("{} {}", asked.method(), asked.uri().path()), asked.body().clone()));
            let stored = stored.clone();
            async move { (200, stored) }
        });
        let bench = Bench::new();
        let operator = testing::operator(&bench, client, "exit 1");
        let guarded: DeserializeGuard<KilterApp> = serde_json::from_value(object).unwrap();
        let action = reconcile(Arc::new(guarded), operator.clone()).await.unwrap();
        assert_eq!(action, Action::await_change(), "nothing but a change mends it");
        let written = written.lock().unwrap();
        let [(call, sent)] = &written[..] else { panic!("{written:?}") };
        assert!(call.starts_with("PATCH ") && call.ends_with(&format!("/kilterapps/{name}/status")), "{call}");
        let status: KilterAppStatus = serde_json::from_value(sent["status"].clone()).unwrap();
        assert_eq!(status.observed_generation, Some(3));
        let types: Vec<ConditionType> = status.conditions.iter().map(|condition| condition.type_).collect();
        assert_eq!(types, [ConditionType::Accepted, ConditionType::Ready]);
        for condition in &status.conditions {
            assert_eq!((condition.status, condition.reason.as_str()), (ConditionStatus::False, "Malformed"));
            assert_eq!(condition.observed_generation, Some(3));
            let message = &condition.message;
            assert!(message.contains(words) && !message.contains("canary"), "{message}");
        }
        assert_eq!(operator.committer.head().commit, None, "nothing is committed");
    }
}

#[tokio::test]
async fn the_status_that_is_kept_is_the_one_that_was_said() {
    let (id, mut app) = testing::app(Template { image: "i@sha256:1".into(), ..Template::default() });
    app.metadata.resource_version = Some("1".into());
    let kept = Arc::new(Mutex::new(json!(app)));
    let cluster = kept.clone();
    let client = testing::client(move |asked| {
        let mut kept = cluster.lock().unwrap();
        assert!(asked.method() == "PATCH" && asked.uri().path().ends_with("/kilterapps/shop-prod/status"));
        *kept = testing::patched(&kept, &asked);
        kept["metadata"]["resourceVersion"] = json!("2");
        kept["metadata"]["finalizers"] = json!(["somebody.else/s"]);
        let kept = kept.clone();
        async move { (200, kept) }
    });
    let bench = Bench::new();
    let operator = testing::operator(&bench, client, "exit 1");
    let read = || serde_json::from_value::<KilterApp>(kept.lock().unwrap().clone()).unwrap().status.unwrap();
    app.status = Some(KilterAppStatus { rerender: Some("of before".into()), ..KilterAppStatus::default() });
    *kept.lock().unwrap() = json!(app);
    let say = async |app: &mut KilterApp, seen: Observed| {
        let (wanted, old) = (wanted(app), app.status.clone().unwrap());
        operator.say(&id, app, |about| report(&wanted, &seen, about, &old)).await.unwrap()
    };

    let status = say(&mut app, testing::seen(1)).await;
    assert_eq!(read(), status);
    assert!(status.rerender.is_none() && status.timeline.as_ref().unwrap().ready.is_some());
    let (version, finalizers) = (app.metadata.resource_version.as_deref(), app.finalizers());
    assert_eq!((version, finalizers), (Some("2"), &["somebody.else/s".to_owned()][..]));

    // A round that begins with a copy of before goes on from there, and only with such a copy.
    let of_before = |version: &str| {
        let mut copy = KilterApp::new("shop-prod", app.spec.clone());
        (copy.metadata.uid, copy.metadata.resource_version) = (Some("u".into()), Some(version.into()));
        copy
    };
    for (version, catches_up) in [("1", true), ("2", false), ("1", false)] {
        let mut copy = of_before(version);
        operator.memory(|memory| memory.catch_up(&mut copy));
        assert_eq!(copy.status.as_ref() == Some(&status), catches_up, "{version}");
        let expected = if catches_up { (Some("2"), 1) } else { (Some(version), 0) };
        assert_eq!((copy.metadata.resource_version.as_deref(), copy.finalizers().len()), expected);
    }

    // Of the next deploy nothing is known yet but that it was taken up.
    (app.metadata.generation, app.spec.deploy) = (Some(2), "d2".into());
    say(&mut app, Observed { head: None, ..testing::seen(2) }).await;
    let times = read().timeline.unwrap();
    assert_eq!((times.deploy.as_str(), times.accepted.is_some()), ("d2", true));
    assert_eq!((times.rendered, times.committed, times.reconciled, times.ready), (None, None, None, None));
}

#[tokio::test]
async fn a_deletion_that_cannot_be_committed_says_so() {
    let bench = Bench::new();
    let (_, mut app) = testing::app(Template { image: "i@sha256:1".into(), ..Template::default() });
    app.metadata.finalizers = Some(vec![FINALIZER.into()]);
    app.metadata.deletion_timestamp = serde_json::from_value(json!("2026-11-24T10:00:00Z")).unwrap();
    let mut there = change("shop", 1, "i@sha256:1");
    (there.uid, there.files.as_mut().unwrap().1.uid) = ("u".into(), "u".into());
    let kept = Arc::new(Mutex::new(json!(app)));
    let cluster = kept.clone();
    let client = testing::client(move |asked| {
        let mut kept = cluster.lock().unwrap();
        let is_status = asked.uri().path().ends_with("/kilterapps/shop-prod/status");
        if is_status {
            *kept = testing::patched(&kept, &asked);
        }
        let answer = if is_status { (200, kept.clone()) } else { testing::refusal(404, "NotFound") };
        async move { answer }
    });
    let operator = testing::operator(&bench, client, "exit 1");
    operator.committer.write(there).await.unwrap();
    let hook = std::path::Path::new(&bench.url()).join("hooks/pre-receive");
    crate::fsx::write(&hook, b"#!/bin/sh\necho not today >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let round = async || {
        let app: DeserializeGuard<KilterApp> = serde_json::from_value(kept.lock().unwrap().clone()).unwrap();
        let done = reconcile(Arc::new(app), operator.clone()).await;
        let app: KilterApp = serde_json::from_value(kept.lock().unwrap().clone()).unwrap();
        let ready = app.status.unwrap().condition(ConditionType::Ready).unwrap().clone();
        (done.is_ok(), ready.status, ready.reason, ready.message)
    };
    assert_eq!(round().await.2, "Deleting");
    let (is_done, status, reason, message) = round().await;
    assert_eq!((is_done, status, reason.as_str()), (false, ConditionStatus::False, "RepositoryUnavailable"));
    assert!(message.contains("not today"), "{message}");
}

#[tokio::test]
async fn whose_host_name_it_is_is_not_told() {
    let (id, mut app) =
        testing::app(Template { image: format!("shop@sha256:{}", "0".repeat(64)), port: 3000, ..Template::default() });
    (app.spec.template.public, app.spec.template.domains) = (true, vec!["www.example.org".into()]);
    let mut elder =
        KilterApp::new("secret-prod", KilterAppSpec { org: "globex".into(), app: "secret".into(), ..app.spec.clone() });
    elder.metadata.creation_timestamp = serde_json::from_value(json!("2026-11-24T10:00:00Z")).unwrap();
    app.metadata.creation_timestamp = serde_json::from_value(json!("2026-11-24T11:00:00Z")).unwrap();
    let bench = Bench::new();
    let mut operator = Arc::into_inner(testing::operator(&bench, nobody(), "exit 1")).unwrap();
    let (store, mut writer) = kube::runtime::reflector::store();
    operator.apps = store;
    writer.apply_watcher_event(&watcher::Event::Apply(DeserializeGuard(Ok(elder))));
    let complaint = complaint(&operator, &id, &app).unwrap();
    assert_eq!(complaint.message, "the host name www.example.org belongs to another app");
}
