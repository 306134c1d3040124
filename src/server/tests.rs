//! Deploys, rollbacks, history, secrets and names, from the request to the object that is kept.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};

use super::test_server::{Bed, SHOP, image, sealed, settings};
use crate::api::NAMESPACE;

#[tokio::test]
async fn the_first_deploy_is_revision_one() {
    let bed = Bed::new().await;
    let answer = bed.deploy("key-0001", &image(1)).await;
    assert_eq!((answer.status, answer.revision()), (202, 1), "{answer:?}");
    assert_eq!(answer.body["url"], "https://shop.apps.example.com");
    assert_eq!(answer.body["unchanged"], false);
    let shop = bed.shop();
    assert_eq!(shop["spec"]["deploy"], answer.body["deploy"]);
    assert_eq!(shop["spec"]["by"], "ci");
    assert_eq!(shop["spec"]["template"]["image"], image(1)["template"]["image"]);
    assert_eq!(shop["metadata"]["labels"]["kilter.netshire.com/org"], "acme");
    assert_eq!(bed.remembered(), [(answer.deploy(), 1)]);
}

#[tokio::test]
async fn a_repeated_request_has_the_same_answer_and_no_effect() {
    let bed = Bed::new().await;
    let first = bed.deploy("key-0001", &image(1)).await;
    bed.deploy("key-0002", &image(2)).await;
    let (shop, writes) = (bed.shop(), bed.cluster.writes());
    let again = bed.deploy("key-0001", &image(1)).await;
    assert_eq!((again.status, again.deploy(), again.revision()), (200, first.deploy(), 1));
    assert_eq!(again.body["unchanged"], true);
    let other = bed.deploy("key-0001", &image(3)).await;
    assert_eq!((other.status, other.code()), (422, "KeyUsed"));
    assert_eq!((bed.shop(), bed.cluster.writes()), (shop, writes), "something was written");
    // The key belongs to an app: the same one elsewhere is another deploy.
    let staging = bed.post("/v1/apps/acme/shop/envs/staging/deploys", "key-0001", &image(3)).await;
    assert_eq!((staging.status, staging.revision()), (202, 1));
    assert_ne!(staging.deploy(), first.deploy());
}

#[tokio::test]
async fn a_request_that_changed_nothing_undoes_nothing_when_it_comes_again() {
    let bed = Bed::new().await;
    let first = bed.deploy("key-0001", &image(1)).await;
    let same = bed.deploy("key-0002", &image(1)).await;
    assert_eq!((same.status, same.deploy(), same.revision()), (200, first.deploy(), 1));
    let theirs = bed.deploy("key-0003", &image(2)).await;
    let again = bed.deploy("key-0002", &image(1)).await;
    assert_eq!((again.status, again.deploy(), again.revision()), (200, first.deploy(), 1), "answered as before");
    assert_eq!(bed.shop()["spec"]["deploy"], theirs.deploy(), "what came between stays");
    let other = bed.deploy("key-0002", &image(3)).await;
    assert_eq!((other.status, other.code()), (422, "KeyUsed"));
}

#[tokio::test]
async fn a_key_is_needed_and_has_a_length() {
    let bed = Bed::new().await;
    let path = format!("{SHOP}/deploys");
    for key in [None, Some("short"), Some(&*"k".repeat(129))] {
        let answer = bed.call("POST", &path, &bed.token, key, image(1).to_string().into()).await;
        assert_eq!((answer.status, answer.code()), (400, "NoIdempotencyKey"), "{key:?}");
    }
    assert!(bed.cluster.get("kilterapps", NAMESPACE, "shop-prod").is_none());
}

#[tokio::test]
async fn what_is_deployed_already_changes_nothing_unless_it_failed() {
    let bed = Bed::new().await;
    let first = bed.deploy("key-0001", &image(1)).await;
    let shop = bed.shop();
    let same = bed.deploy("key-0002", &image(1)).await;
    assert_eq!((same.status, same.deploy(), same.revision()), (200, first.deploy(), 1));
    let now = bed.shop();
    assert_eq!((&now["spec"], &now["metadata"]["generation"]), (&shop["spec"], &shop["metadata"]["generation"]));
    // A failure that passes by itself is none.
    bed.condition("Committed", "False", "PushFailed");
    assert_eq!(bed.deploy("key-0003", &image(1)).await.status, 200);
    bed.condition("Ready", "False", "JobFailed");
    let info = bed.get(&format!("{SHOP}/deploys/{}", first.deploy())).await;
    assert_eq!((&info.body["phase"], &info.body["message"]), (&json!("failed"), &json!("it is JobFailed")));
    let again = bed.deploy("key-0004", &image(1)).await;
    assert_eq!((again.status, again.revision()), (202, 2));
    assert_ne!(again.deploy(), first.deploy());
    // The failure was that of the revision before.
    let info = bed.get(&format!("{SHOP}/deploys/{}", again.deploy())).await;
    assert_eq!(info.body["phase"], "accepted", "{info:?}");
}

#[tokio::test]
async fn fifty_deploys_at_once_are_fifty_revisions() {
    let bed = Bed::new().await;
    let keys: Vec<String> = (0..50).map(|n| format!("key-{n:05}")).collect();
    let bodies: Vec<Value> = (0..50).map(image).collect();
    let answers = join_all(keys.iter().zip(&bodies).map(|(key, body)| bed.deploy(key, body))).await;
    assert!(answers.iter().all(|answer| answer.status == 202), "{answers:?}");
    let revisions: BTreeSet<u64> = answers.iter().map(super::test_server::Answer::revision).collect();
    assert_eq!(revisions, (1..=50).collect());
    let mut answered: Vec<(String, u64)> = answers.iter().map(|answer| (answer.deploy(), answer.revision())).collect();
    answered.sort_by_key(|(_, revision)| *revision);
    assert_eq!(bed.remembered(), answered);
    assert_eq!(bed.shop()["spec"]["deploy"], answered[49].0);
    // The fifty-first has the first forgotten, and nothing else.
    bed.deploy("key-99999", &image(99)).await;
    assert_eq!(bed.remembered()[..49], answered[1..]);
}

#[tokio::test]
async fn of_two_first_deploys_at_once_none_is_lost() {
    let bed = Bed::new().await;
    let (one, two) = (image(1), image(2));
    let (one, two) = tokio::join!(bed.deploy("key-0001", &one), bed.deploy("key-0002", &two));
    assert_eq!((one.status, two.status), (202, 202));
    let both = BTreeSet::from([(one.deploy(), one.revision()), (two.deploy(), two.revision())]);
    assert_eq!(both.iter().map(|(_, revision)| *revision).collect::<BTreeSet<_>>(), BTreeSet::from([1, 2]));
    assert_eq!(bed.remembered().into_iter().collect::<BTreeSet<_>>(), both);
    // The same request twice at once is one deploy.
    let three = image(3);
    let (once, twice) = tokio::join!(bed.deploy("key-0003", &three), bed.deploy("key-0003", &three));
    assert_eq!((once.deploy(), once.revision()), (twice.deploy(), 3));
    assert_eq!(BTreeSet::from([once.status, twice.status]), BTreeSet::from([200, 202]));
}

#[tokio::test]
async fn a_name_belongs_to_who_had_it_first() {
    let bed = Bed::new().await;
    bed.deploy("key-0001", &image(1)).await;
    bed.post("/v1/apps/acme/web/envs/eu-prod/deploys", "key-0001", &image(1)).await;
    let shop = bed.shop();
    let theirs = bed.token_for("globex-ci", "globex", "*", "*").await;
    let path = "/v1/apps/globex/shop/envs/prod";
    let taken =
        bed.call("POST", &format!("{path}/deploys"), &theirs, Some("key-0002"), image(2).to_string().into()).await;
    assert_eq!((taken.status, taken.code()), (409, "NameTaken"));
    assert!(!taken.text.contains("acme"), "{}", taken.text);
    for (method, path) in [("GET", path.to_owned()), ("DELETE", path.to_owned()), ("GET", format!("{path}/deploys"))] {
        let answer = bed.call(method, &path, &theirs, None, "".into()).await;
        assert_eq!(answer.status, 404, "{method} {path}");
    }
    // `web` in `eu-prod` and `web-eu` in `prod` would be one namespace.
    let same = bed.post("/v1/apps/acme/web-eu/envs/prod/deploys", "key-0003", &image(3)).await;
    assert_eq!((same.status, same.code()), (409, "NameTaken"));
    assert_eq!(bed.shop(), shop);
}

#[tokio::test]
async fn a_name_that_helm_would_refuse_is_refused() {
    let bed = Bed::new().await;
    let ask = async |length| {
        let path = format!("/v1/apps/acme/{}/envs/production-of-europe/deploys", "a".repeat(length));
        bed.post(&path, "key-0001", &image(1)).await
    };
    assert_eq!(ask(32).await.status, 202);
    let long = ask(33).await;
    assert_eq!((long.status, long.code()), (400, "BadName"));
    assert!(long.message().contains("has 54 characters; helm takes at most 53"), "{long:?}");
}

#[tokio::test]
async fn a_host_name_belongs_to_one_app() {
    let bed = Bed::new().await;
    let with = |domain: &str| {
        let mut body = image(1);
        body["template"]["domains"] = json!([domain]);
        body
    };
    bed.deploy("key-0001", &with("www.example.org")).await;
    bed.post("/v1/apps/acme/shop/envs/staging/deploys", "key-0001", &image(1)).await;
    bed.seen("shop-prod").await;
    bed.seen("shop-staging").await;
    let theirs = bed.token_for("globex-ci", "globex", "*", "*").await;
    let other = "/v1/apps/globex/other/envs/prod/deploys";
    let post = |path, body: Value| bed.call("POST", path, &theirs, Some("key-0002"), body.to_string().into());
    let taken = post(other, with("www.example.org")).await;
    assert_eq!((taken.status, taken.code()), (409, "HostnameTaken"));
    assert!(taken.message().contains("www.example.org") && !taken.text.contains("acme"), "{}", taken.text);
    let label = post("/v1/apps/globex/shop-staging/envs/prod/deploys", image(1)).await;
    assert_eq!((label.status, label.code()), (409, "HostnameTaken"), "{label:?}");
    let component = json!({"name": "api", "port": 80, "route": "www.example.org"});
    let mut body = image(1);
    body["template"]["components"] = json!([component]);
    assert_eq!(post(other, body).await.code(), "HostnameTaken");
    let below = post(other, with("x.shop.apps.example.com")).await;
    assert_eq!((below.status, below.code()), (400, "Invalid"));
    assert!(bed.cluster.get("kilterapps", NAMESPACE, "other-prod").is_none());
    // One's own stays one's own, and an internal app has none.
    assert_eq!(bed.deploy("key-0003", &with("www.example.org")).await.status, 200);
    let mut internal = with("www.example.org");
    internal["template"]["public"] = json!(false);
    assert_eq!(post(other, internal).await.status, 202);
}

#[tokio::test]
async fn the_servers_own_host_name_is_no_apps() {
    let mut settings = settings();
    settings.platform.reserved_hosts = vec!["git.apps.example.com".into(), "kilter.example.org".into()];
    let bed = Bed::with(settings).await;
    let mut route = image(1);
    route["template"]["components"] = json!([{"name": "api", "port": 80, "route": "kilter.example.org"}]);
    let mut domain = image(1);
    domain["template"]["domains"] = json!(["kilter.example.org"]);
    for (app, body) in [("shop", route), ("shop", domain), ("git", image(1))] {
        for what in ["deploys", "plans"] {
            let answer = bed.post(&format!("/v1/apps/acme/{app}/envs/prod/{what}"), "key-0001", &body).await;
            assert_eq!((answer.status, answer.code()), (400, "Invalid"), "{app} {what}: {answer:?}");
            assert!(answer.message().contains("platform"), "{answer:?}");
        }
    }
    assert_eq!(bed.post("/v1/apps/acme/git/envs/eu/deploys", "key-0001", &image(1)).await.status, 202);
}

#[tokio::test]
async fn a_secret_is_sent_once_and_kept() {
    let bed = Bed::new().await;
    let with = |n, secrets: Value| {
        let mut body = image(n);
        body["template"]["secrets"] = secrets;
        body
    };
    let missing = bed.deploy("key-0001", &with(1, json!([{"name": "a"}, {"name": "b"}]))).await;
    assert_eq!((missing.status, missing.code()), (400, "MissingSecrets"));
    assert_eq!(missing.message(), "missing secrets in shop-prod: a, b");
    let sealed = [sealed("a", "shop-prod", "one"), json!({"name": "b", "external": true})];
    assert_eq!(bed.deploy("key-0002", &with(1, json!(sealed))).await.status, 202);
    let kept = bed.deploy("key-0003", &with(2, json!([{"name": "a"}, {"name": "b"}]))).await;
    assert_eq!((kept.status, kept.revision()), (202, 2));
    assert_eq!(bed.shop()["spec"]["template"]["secrets"], json!(sealed));
    // By name alone it is what is deployed; the same request again is the same, though it is stored otherwise.
    assert_eq!(bed.deploy("key-0003", &with(2, json!([{"name": "a"}, {"name": "b"}]))).await.revision(), 2);
    assert_eq!(bed.deploy("key-0004", &with(2, json!([{"name": "a"}, {"name": "b"}]))).await.status, 200);
    let third = bed.deploy("key-0005", &with(3, json!([{"name": "a"}, {"name": "c"}]))).await;
    assert_eq!((third.status, third.message()), (400, "missing secrets in shop-prod: c"));
    // A refused request leaves its key free.
    assert_eq!(bed.deploy("key-0005", &with(3, json!([{"name": "a"}]))).await.status, 202);
}

#[tokio::test]
async fn a_secret_in_clear_is_refused_and_not_repeated() {
    let bed = Bed::new().await;
    let clear: [(&str, Value); 3] = [
        ("/stringData/KEY", json!("hunter2-canary")),
        ("/data", json!({"KEY": "aHVudGVyMi1jYW5hcnk="})),
        ("/metadata/namespace", json!("other-prod")),
    ];
    for (at, value) in clear {
        let secret = sealed("a", "shop-prod", "x");
        let mut manifest: Value = serde_json::from_str(secret["sealed"].as_str().unwrap()).unwrap();
        match manifest.pointer_mut(at) {
            Some(place) => *place = value,
            None => manifest["data"] = value,
        }
        let mut body = image(1);
        body["template"]["secrets"] = json!([{"name": "a", "sealed": manifest.to_string()}]);
        let answer = bed.deploy("key-0001", &body).await;
        assert_eq!((answer.status, answer.code()), (400, "Invalid"), "{at}");
        assert!(!answer.text.contains("canary") && !answer.text.contains("aHVudGVy"), "{}", answer.text);
    }
    assert!(bed.cluster.get("kilterapps", NAMESPACE, "shop-prod").is_none());
}

#[tokio::test]
async fn everything_wrong_is_said_at_once() {
    let bed = Bed::new().await;
    let body = json!({"template": {"image": "shop:latest", "port": 0, "health": "x", "domains": ["a b"]}});
    let answer = bed.deploy("key-0001", &body).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.body["error"]["problems"].as_array().unwrap().len(), 4, "{answer:?}");
    assert_eq!(answer.body["error"]["message"], answer.body["error"]["problems"][0]);
    // What the resource has no room for is told by the server and not by the cluster.
    let mut many = image(1);
    let external = |n| json!({"name": format!("s{n}"), "external": true});
    many["template"]["secrets"] = (0..21).map(external).collect();
    let answer = bed.deploy("key-0002", &many).await;
    assert!(answer.status == 400 && answer.message().contains("secrets: more than 20"), "{answer:?}");
}

/// Deploys and commits two revisions, the first with a migration.
async fn two_revisions(bed: &Bed) {
    let mut first = image(1);
    first["template"]["migration"] = json!(["migrate"]);
    bed.deploy("key-0001", &first).await;
    bed.commit();
    bed.deploy("key-0002", &image(2)).await;
    bed.commit();
}

#[tokio::test]
async fn a_rollback_is_a_new_revision_without_jobs() {
    let bed = Bed::new().await;
    two_revisions(&bed).await;
    let path = format!("{SHOP}/rollback");
    let back = bed.post(&path, "back-0001", &json!({})).await;
    assert_eq!((back.status, back.revision()), (202, 3));
    assert_eq!(bed.shop()["spec"]["template"]["image"], image(1)["template"]["image"]);
    assert_eq!(bed.shop()["spec"]["template"].get("migration"), None);
    assert_eq!(bed.remembered()[2], (back.deploy(), 3));
    bed.commit();
    // By now the one before is another: the same request is still the same rollback.
    let writes = bed.cluster.writes();
    let again = bed.post(&path, "back-0001", &json!({})).await;
    assert_eq!((again.status, again.deploy(), again.revision()), (200, back.deploy(), 3));
    assert_eq!(bed.cluster.writes(), writes);
    let to = bed.post(&path, "back-0002", &json!({"to": 2})).await;
    assert_eq!((to.status, to.revision()), (202, 4));
    assert_eq!(bed.shop()["spec"]["template"]["image"], image(2)["template"]["image"]);
    let other = bed.post(&path, "back-0002", &json!({"to": 1})).await;
    assert_eq!((other.status, other.code()), (422, "KeyUsed"));
    assert_eq!(bed.post(&path, "back-0002", &json!({"to": 2})).await.revision(), 4);
    let unknown = bed.post(&path, "back-0003", &json!({"to": 9})).await;
    assert_eq!((unknown.status, unknown.code()), (404, "NotFound"));
    assert_eq!(unknown.message(), "acme/shop prod has no revision 9; there are: 1, 2, 3");
}

#[tokio::test]
async fn a_rollback_needs_something_to_go_back_to() {
    let bed = Bed::new().await;
    let path = format!("{SHOP}/rollback");
    assert_eq!(bed.post(&path, "back-0001", &json!({})).await.status, 404);
    bed.deploy("key-0001", &image(1)).await;
    // What an app of the same name left behind is not this app's.
    let mut spec = bed.shop()["spec"].clone();
    spec["revision"] = json!(0);
    bed.record("shop-prod-0", &json!("uid-of-another"), &spec);
    let nothing = bed.post(&path, "back-0001", &json!({})).await;
    assert_eq!((nothing.status, nothing.code()), (409, "NothingBefore"));
    assert_eq!(nothing.body["error"]["help"], json!(["Correct the cause, then deploy again."]));
    // Neither has one run that was committed and failed; whoever names it gets it.
    bed.commit_and_fail();
    bed.deploy("key-0002", &image(2)).await;
    let nothing = bed.post(&path, "back-0001", &json!({})).await;
    assert_eq!((nothing.status, nothing.code()), (409, "NothingBefore"));
    let help = "Choose one with `--to`; there are: 1. Or correct the cause and deploy again.";
    assert_eq!(nothing.body["error"]["help"], json!([help]));
    assert_eq!(bed.post(&path, "back-0002", &json!({"to": 1})).await.revision(), 3);
}

#[tokio::test]
async fn a_rollback_goes_back_to_what_ran() {
    let bed = Bed::new().await;
    bed.deploy("key-0001", &image(1)).await;
    bed.commit();
    for (key, n) in [("key-0002", 2), ("key-0003", 3)] {
        bed.deploy(key, &image(n)).await;
        bed.commit_and_fail();
    }
    let back = bed.post(&format!("{SHOP}/rollback"), "back-0001", &json!({})).await;
    assert_eq!((back.status, back.revision()), (202, 4));
    assert_eq!(bed.shop()["spec"]["template"]["image"], image(1)["template"]["image"]);
}

#[tokio::test]
async fn the_history_tells_what_became_of_a_deploy() {
    let bed = Bed::new().await;
    let first = bed.deploy("key-0001", &image(1)).await;
    bed.commit();
    let one = bed.get(&format!("{SHOP}/deploys/{}", first.deploy())).await;
    assert_eq!((&one.body["phase"], &one.body["commit"]), (&json!("ready"), &json!("c0ffee")));
    let failed = bed.deploy("key-0002", &image(2)).await;
    bed.commit_and_fail();
    let second = bed.deploy("key-0003", &image(3)).await;
    let third = bed.deploy("key-0004", &image(4)).await;
    let phase = async |deploy: &str| {
        let answer = bed.get(&format!("{SHOP}/deploys/{deploy}")).await;
        (answer.status, answer.body["phase"].clone(), answer.body["revision"].clone())
    };
    let message = async |deploy: &str| bed.get(&format!("{SHOP}/deploys/{deploy}")).await.body["message"].clone();
    // However far it had come: who waits for it need wait no longer.
    for (deploy, revision, words) in [
        (&first, 1, "it was live; revision 4 took its place since"),
        (&failed, 2, "it was not known to be live when revision 4 took its place"),
        (&second, 3, "revision 4 took its place before it was committed"),
    ] {
        assert_eq!(phase(&deploy.deploy()).await, (200, json!("superseded"), json!(revision)));
        assert_eq!(message(&deploy.deploy()).await, words);
    }
    assert_eq!(phase(&third.deploy()).await, (200, json!("accepted"), json!(4)));
    // What is older than the history may have been anything.
    for revision in [1, 2] {
        bed.cluster.remove("controllerrevisions", NAMESPACE, &format!("shop-prod-{revision}"));
    }
    assert_eq!(message(&failed.deploy()).await, "revision 4 took its place; what became of it is not known");
    for (revision, was) in [(1, &first), (2, &failed)] {
        let mut spec = bed.shop()["spec"].clone();
        (spec["revision"], spec["deploy"]) = (json!(revision), json!(was.deploy()));
        bed.record(&format!("shop-prod-{revision}"), &bed.shop()["metadata"]["uid"], &spec);
    }
    assert_eq!(phase("d0000000000000000").await.0, 404);
    let third_info = bed.get(&format!("{SHOP}/deploys/{}", third.deploy())).await;
    assert_eq!(third_info.body.get("commit"), None, "the commit is the first deploy's");
    let all = bed.get(&format!("{SHOP}/deploys")).await;
    let revisions: Vec<u64> = all.body.as_array().unwrap().iter().map(|d| d["revision"].as_u64().unwrap()).collect();
    assert_eq!(revisions, [4, 2, 1]);
    assert_eq!(bed.get("/v1/apps/acme/none/envs/prod/deploys").await.status, 404);
}

#[tokio::test]
async fn an_app_is_deleted_once() {
    let bed = Bed::new().await;
    bed.deploy("key-0001", &image(1)).await;
    let mut shop = bed.shop();
    shop["metadata"]["finalizers"] = json!(["kilter.netshire.com/repository"]);
    bed.cluster.put("kilterapps", NAMESPACE, shop);
    let answer = bed.delete(SHOP).await;
    assert_eq!((answer.status, &answer.body["deleting"]), (202, &json!(true)));
    assert_eq!(bed.get(SHOP).await.body["deleting"], true);
    let deploy = bed.deploy("key-0002", &image(2)).await;
    assert_eq!((deploy.status, deploy.code()), (409, "Deleting"));
    assert!(deploy.headers.contains_key("retry-after"));
    let mut shop = bed.shop();
    shop["metadata"]["finalizers"] = json!([]);
    bed.cluster.put("kilterapps", NAMESPACE, shop);
    assert_eq!(bed.delete(SHOP).await.status, 202);
    assert_eq!((bed.get(SHOP).await.status, bed.delete(SHOP).await.status), (404, 404));
    assert_eq!(bed.deploy("key-0002", &image(2)).await.revision(), 1);
}

#[tokio::test]
async fn logs_are_those_of_the_app_and_of_the_jobs() {
    let bed = Bed::new().await;
    let deploy = bed.deploy("key-0001", &image(1)).await.deploy();
    let pod = |name: &str, labels: Value, age: u8| {
        let at = format!("2026-11-24T10:00:{age:02}Z");
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels, "creationTimestamp": at},
            "spec": {"containers": [{"name": "main"}]}})
    };
    let of = |org: &str, more: Value| {
        let mut labels = json!({"kilter.netshire.com/app": "shop", "kilter.netshire.com/env": "prod",
            "kilter.netshire.com/org": org});
        labels.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        labels
    };
    let component = |name: &str| json!({"app.kubernetes.io/component": name});
    let app = |name: &str| of("acme", component(name));
    bed.cluster.put("pods", "shop-prod", pod("shop-b", app("app"), 2));
    bed.cluster.put("pods", "shop-prod", pod("shop-a", app("worker"), 3));
    bed.cluster.put("pods", "shop-prod", pod("foreign", json!({"app": "shop"}), 1));
    let job = json!({"batch.kubernetes.io/job-name": format!("migration-{deploy}")});
    bed.cluster.put("pods", "shop-prod", pod("job", of("acme", job.clone()), 1));
    // The namespace is somebody else's who has such pods, too.
    bed.cluster.put("pods", "shop-prod", pod("their-job", of("globex", job.clone()), 1));
    bed.cluster.put("pods", "shop-prod", pod("a-job", job, 1));
    bed.cluster.put("pods", "shop-prod", pod("theirs", of("globex", component("app")), 1));
    bed.cluster.say("shop-b", "main", "one\ntwo\nthree\n");
    bed.cluster.say("job", "main", "migrated\n");
    let said = async |path: &str| {
        let answer = bed.get(&format!("{SHOP}{path}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let pods = answer.body["pods"].as_array().unwrap().clone();
        let text = |pod: &Value, key: &str| pod[key].as_str().unwrap().to_owned();
        pods.iter().map(|pod| (text(pod, "pod"), text(pod, "log"))).collect::<Vec<_>>()
    };
    let lines = |pod: &str, log: &str| (pod.to_owned(), log.to_owned());
    // The worker has not started: it said nothing.
    assert_eq!(said("/logs").await, [lines("shop-b", "one\ntwo\nthree"), lines("shop-a", "")]);
    assert_eq!(said("/logs?component=app&tail=1").await, [lines("shop-b", "three")]);
    assert_eq!(said("/logs?component=none").await, []);
    assert_eq!(said(&format!("/deploys/{deploy}/logs")).await, [lines("job", "migrated")]);
    for query in ["tail=-1", "tail=x", "tail=70000", "component=A%2CB", "component=a%2Cb%3Dc", "follow=1"] {
        assert_eq!(bed.get(&format!("{SHOP}/logs?{query}")).await.status, 400, "{query}");
    }
    assert_eq!(bed.get("/v1/apps/acme/none/envs/prod/logs").await.status, 404);
    assert_eq!(bed.get(&format!("{SHOP}/deploys/a)b/logs")).await.status, 400);
}

#[tokio::test]
async fn info_and_lists_are_what_the_token_may_see() {
    let bed = Bed::new().await;
    let info = bed.get("/v1/info").await;
    assert_eq!(info.status, 200);
    assert_eq!((&info.body["domain"], &info.body["api"]), (&json!("apps.example.com"), &json!(["v1"])));
    assert_eq!(info.body["sopsRecipient"], "age1recipient");
    assert_eq!(bed.get("/v1/apps").await.body, json!([]));
    let theirs = bed.token_for("globex-ci", "globex", "*", "*").await;
    let post = |path, token| bed.call("POST", path, token, Some("key-0001"), image(1).to_string().into());
    assert_eq!(post("/v1/apps/acme/shop/envs/prod/deploys", &*bed.token).await.status, 202);
    assert_eq!(post("/v1/apps/acme/shop/envs/staging/deploys", &*bed.token).await.status, 202);
    bed.seen("shop-prod").await;
    bed.seen("shop-staging").await;
    assert_eq!(post("/v1/apps/acme/api/envs/prod/deploys", &*bed.token).await.status, 202);
    assert_eq!(post("/v1/apps/globex/site/envs/prod/deploys", &*theirs).await.status, 202);
    bed.seen("api-prod").await;
    bed.seen("site-prod").await;
    let names = async |token: &str| {
        let answer = bed.call("GET", "/v1/apps", token, None, "".into()).await;
        let apps = answer.body.as_array().unwrap().clone();
        apps.iter().map(|app| format!("{}-{}", app["app"], app["env"]).replace('"', "")).collect::<Vec<_>>()
    };
    assert_eq!(names(&bed.token).await, ["api-prod", "shop-prod", "shop-staging"]);
    assert_eq!(names(&theirs).await, ["site-prod"]);
    let narrow = bed.token_for("narrow", "acme", "shop", "prod").await;
    assert_eq!(names(&narrow).await, ["shop-prod"]);
    assert_eq!(names(&bed.token_for("star", "acme", "*", "staging").await).await, ["shop-staging"]);
}
