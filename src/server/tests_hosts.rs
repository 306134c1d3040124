//! Whose a host name is, also with two servers whose watches have seen nothing.

use std::collections::BTreeSet;

use futures::future::join_all;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::hosts::claim;
use super::test_server::{Answer, Bed, SHOP, image, settings};
use crate::api::{ANNOTATION_RENEWED, AppId, KilterApp, NAMESPACE};

const WWW: &str = "www.example.org";
const OTHER: &str = "/v1/apps/globex/other/envs/prod";

/// The `n`th image with further host names.
fn with(n: u64, domains: &[&str]) -> Value {
    let mut body = image(n);
    body["template"]["domains"] = json!(domains);
    body
}

/// Two servers of one cluster, the second with a token of another organisation, whose watches hear of nothing.
async fn two() -> (Bed, Bed) {
    let one = Bed::new().await;
    let mut other = Bed::on(one.cluster.clone(), settings()).await;
    other.token = other.token_for("globex-ci", "globex", "*", "*").await;
    one.cluster.be_silent();
    (one, other)
}

impl Bed {
    fn claim(&self, host: &str) -> Option<Value> {
        self.cluster.get("kilterhosts", NAMESPACE, host)
    }

    /// Returns the app that has claimed a host name.
    fn holder(&self, host: &str) -> String {
        let spec = self.claim(host).unwrap()["spec"].clone();
        ["org", "app", "env"].map(|key| spec[key].as_str().unwrap().to_owned()).join("/")
    }

    /// Puts a claim in place that was made `seconds` ago.
    fn claimed(&self, host: &str, (org, app, env): (&str, &str, &str), seconds: i64) {
        let at = (Timestamp::now() - SignedDuration::from_secs(seconds)).to_string();
        let labels =
            json!({"kilter.netshire.com/app": app, "kilter.netshire.com/env": env, "kilter.netshire.com/org": org});
        let claim = json!({"apiVersion": "kilter.netshire.com/v1alpha1", "kind": "KilterHost",
            "metadata": {"name": host, "namespace": NAMESPACE, "creationTimestamp": at, "labels": labels},
            "spec": {"org": org, "app": app, "env": env}});
        self.cluster.put("kilterhosts", NAMESPACE, claim);
    }

    /// Has a claim be as old as one that is in nobody's way any more.
    fn grow_old(&self, host: &str) {
        let mut claim = self.claim(host).unwrap();
        claim["metadata"]["creationTimestamp"] = json!("2020-01-01T00:00:00Z");
        claim["metadata"]["annotations"] = json!({});
        self.cluster.put("kilterhosts", NAMESPACE, claim);
    }

    async fn deploy_other(&self, key: &str, body: &Value) -> Answer {
        self.post(&format!("{OTHER}/deploys"), key, body).await
    }
}

fn is_taken(answer: &Answer) {
    assert_eq!((answer.status, answer.code()), (409, "HostnameTaken"), "{answer:?}");
    let says = answer.message().starts_with("the host name ") && answer.message().ends_with(" belongs to another app");
    assert!(says && !answer.text.contains("acme") && !answer.text.contains("shop-prod"), "{}", answer.text);
}

#[tokio::test]
async fn a_deploy_claims_its_host_names_and_they_go_with_the_app() {
    let bed = Bed::new().await;
    assert_eq!(bed.deploy("key-0001", &with(1, &[WWW])).await.status, 202);
    for host in ["shop.apps.example.com", WWW] {
        assert_eq!(bed.holder(host), "acme/shop/prod");
        let claim = bed.claim(host).unwrap();
        let owners = claim["metadata"]["ownerReferences"].as_array().unwrap();
        assert_eq!((owners.len(), &owners[0]["uid"]), (1, &bed.shop()["metadata"]["uid"]));
        assert_eq!((&owners[0]["kind"], &owners[0]["name"]), (&json!("KilterApp"), &json!("shop-prod")));
        assert_eq!(claim["metadata"]["labels"]["kilter.netshire.com/org"], "acme");
    }
    // The next deploy finds all of that, and writes the app alone.
    let writes = bed.cluster.writes();
    assert_eq!(bed.deploy("key-0002", &with(2, &[WWW])).await.status, 202);
    assert_eq!(bed.cluster.writes(), writes + 1);
    // What was deployed before there were claims gets them with its next deploy.
    bed.cluster.remove("kilterhosts", NAMESPACE, WWW);
    assert_eq!(bed.deploy("key-0003", &with(3, &[WWW])).await.status, 202);
    assert_eq!(bed.holder(WWW), "acme/shop/prod");
}

#[tokio::test]
async fn of_two_servers_one_gives_a_host_name_away() {
    let (one, other) = two().await;
    let body = with(1, &[WWW]);
    let (ours, theirs) = tokio::join!(one.deploy("key-0001", &body), other.deploy_other("key-0001", &body));
    assert_eq!(BTreeSet::from([ours.status, theirs.status]), BTreeSet::from([202, 409]));
    let (refused, path) = if ours.status == 409 { (ours, "shop-prod") } else { (theirs, "other-prod") };
    assert_eq!(
        (refused.code(), refused.message()),
        ("HostnameTaken", "the host name www.example.org belongs to another app")
    );
    assert!(one.cluster.get("kilterapps", NAMESPACE, path).is_none());
}

#[tokio::test]
async fn a_server_whose_watch_is_behind_gives_nothing_away() {
    let (one, other) = two().await;
    assert_eq!(one.deploy("key-0001", &with(1, &[WWW])).await.status, 202);
    one.grow_old(WWW);
    is_taken(&other.deploy_other("key-0001", &with(1, &[WWW])).await);
    // Neither does a rollback, to what was another app's meanwhile.
    assert_eq!(other.deploy_other("key-0002", &with(1, &["a.example.org"])).await.status, 202);
    one.commit();
    assert_eq!(one.deploy("key-0002", &image(2)).await.status, 202);
    assert_eq!(other.deploy_other("key-0003", &with(2, &["a.example.org", WWW])).await.status, 202);
    let back = one.post(&format!("{SHOP}/rollback"), "key-0003", &json!({"to": 1})).await;
    assert_eq!((back.status, back.code()), (409, "HostnameTaken"), "{back:?}");
    assert_eq!((one.shop()["spec"]["revision"].as_u64(), one.holder(WWW)), (Some(2), "globex/other/prod".into()));
}

#[tokio::test]
async fn a_claim_is_left_over_when_its_app_does_not_have_the_host_name() {
    let (one, other) = two().await;
    let ask = async |key| other.deploy_other(key, &with(1, &[WWW])).await;
    // The app may be written at any moment.
    one.claimed(WWW, ("acme", "shop", "prod"), 30);
    is_taken(&ask("key-0001").await);
    one.claimed(WWW, ("acme", "shop", "prod"), 3600);
    let mut renewed = one.claim(WWW).unwrap();
    renewed["metadata"]["annotations"] = json!({ANNOTATION_RENEWED: format!("{:.0}", Timestamp::now())});
    one.cluster.put("kilterhosts", NAMESPACE, renewed);
    is_taken(&ask("key-0002").await);
    assert!(one.cluster.get("kilterapps", NAMESPACE, "other-prod").is_none());
    one.claimed(WWW, ("acme", "shop", "prod"), 3600);
    assert_eq!(ask("key-0003").await.status, 202);
    assert_eq!(one.holder(WWW), "globex/other/prod");
    // Then it is theirs.
    is_taken(&one.deploy("key-0001", &with(1, &[WWW])).await);
}

#[tokio::test]
async fn another_app_in_the_namespace_of_a_claims_app_is_not_its_app() {
    let (one, other) = two().await;
    assert_eq!(one.post("/v1/apps/acme/web/envs/eu-prod/deploys", "key-0001", &with(1, &[WWW])).await.status, 202);
    for of in [("acme", "web-eu", "prod"), ("initech", "web", "eu-prod")] {
        one.claimed(WWW, of, 3600);
        assert_eq!(other.deploy_other(&format!("key-{}-{}", of.0, of.1), &with(1, &[WWW])).await.status, 202);
        other.cluster.remove("kilterapps", NAMESPACE, "other-prod");
    }
    one.claimed(WWW, ("acme", "web", "eu-prod"), 3600);
    is_taken(&other.deploy_other("key-0009", &with(1, &[WWW])).await);
    // What cannot be read may have the host name.
    let mut spoilt = one.cluster.get("kilterapps", NAMESPACE, "web-eu-prod").unwrap();
    spoilt["spec"]["template"]["domains"] = json!(1);
    one.cluster.put("kilterapps", NAMESPACE, spoilt);
    is_taken(&other.deploy_other("key-0010", &with(1, &[WWW])).await);
}

#[tokio::test]
async fn of_two_that_take_what_is_left_over_one_has_it() {
    let (one, other) = two().await;
    one.claimed(WWW, ("initech", "gone", "prod"), 3600);
    let body = with(1, &[WWW]);
    let (ours, theirs) = tokio::join!(one.deploy("key-0001", &body), other.deploy_other("key-0001", &body));
    assert_eq!(BTreeSet::from([ours.status, theirs.status]), BTreeSet::from([202, 409]), "{ours:?} {theirs:?}");
    let (refused, holder) = if ours.status == 409 { (ours, "globex/other/prod") } else { (theirs, "acme/shop/prod") };
    assert_eq!((refused.code(), one.holder(WWW).as_str()), ("HostnameTaken", holder));
}

#[tokio::test]
async fn what_an_app_gives_up_is_free() {
    let (one, other) = two().await;
    assert_eq!(one.deploy("key-0001", &with(1, &[WWW])).await.status, 202);
    is_taken(&other.deploy_other("key-0001", &with(1, &[WWW])).await);
    assert_eq!(one.deploy("key-0002", &image(1)).await.status, 202);
    assert_eq!(one.claim(WWW), None);
    assert_eq!(other.deploy_other("key-0002", &with(1, &[WWW])).await.status, 202);
    // An app that is not public has none.
    let mut internal = image(1);
    internal["template"]["public"] = json!(false);
    assert_eq!(one.deploy("key-0003", &internal).await.status, 202);
    assert_eq!(one.claim("shop.apps.example.com"), None);
    assert_eq!(one.holder(WWW), "globex/other/prod");
}

#[tokio::test]
async fn an_app_that_is_made_again_has_its_claims_again() {
    let bed = Bed::new().await;
    bed.deploy("key-0001", &with(1, &[WWW])).await;
    let before = bed.shop()["metadata"]["uid"].clone();
    // The garbage collector has not come by yet, and must not take along what is needed again.
    bed.cluster.remove("kilterapps", NAMESPACE, "shop-prod");
    bed.cluster.forbid(Some(("kilterapps", "create")));
    assert_eq!(bed.deploy("key-0002", &with(1, &[WWW])).await.status, 503);
    assert_eq!(bed.claim(WWW).unwrap()["metadata"].get("ownerReferences"), None);
    bed.cluster.forbid(None);
    assert_eq!(bed.deploy("key-0002", &with(1, &[WWW])).await.status, 202);
    let owners = bed.claim(WWW).unwrap()["metadata"]["ownerReferences"].clone();
    assert_eq!(owners[0]["uid"], bed.shop()["metadata"]["uid"]);
    assert_ne!(owners[0]["uid"], before);
}

#[tokio::test]
async fn what_cannot_be_tidied_is_for_the_next_deploy() {
    let bed = Bed::new().await;
    bed.cluster.forbid(Some(("kilterhosts", "update")));
    assert_eq!(bed.deploy("key-0001", &with(1, &[WWW])).await.status, 202);
    assert_eq!(bed.claim(WWW).unwrap()["metadata"].get("ownerReferences"), None);
    assert!(bed.log.text().contains("cannot tidy the claim"), "{}", bed.log.text());
    bed.cluster.forbid(Some(("kilterhosts", "delete")));
    assert_eq!(bed.deploy("key-0002", &with(2, &[WWW])).await.status, 202);
    assert_eq!(bed.claim(WWW).unwrap()["metadata"]["ownerReferences"][0]["uid"], bed.shop()["metadata"]["uid"]);
    assert_eq!(bed.deploy("key-0003", &image(3)).await.status, 202);
    assert_eq!(bed.holder(WWW), "acme/shop/prod");
    bed.cluster.forbid(None);
    assert_eq!(bed.deploy("key-0004", &image(4)).await.status, 202);
    assert_eq!(bed.claim(WWW), None);
}

#[tokio::test]
async fn deploys_of_one_app_at_once_do_not_lose_its_claims() {
    let bed = Bed::new().await;
    for round in 0..5_u64 {
        let bodies: Vec<Value> = (0..12).map(|n| with(n, if n % 3 == round % 3 { &[] } else { &[WWW] })).collect();
        let keys: Vec<String> = (0..12).map(|n| format!("key-{round}-{n:04}")).collect();
        let answers = join_all(keys.iter().zip(&bodies).map(|(key, body)| bed.deploy(key, body))).await;
        assert!(answers.iter().all(|answer| answer.status == 202), "{answers:?}");
        let has = bed.shop()["spec"]["template"]["domains"] == json!([WWW]);
        assert!(!has || bed.holder(WWW) == "acme/shop/prod", "the app has a host name and no claim");
        assert_eq!(bed.holder("shop.apps.example.com"), "acme/shop/prod");
    }
}

#[tokio::test]
async fn what_is_needed_again_is_not_deleted_by_an_earlier_deploy() {
    let bed = Bed::new().await;
    bed.deploy("key-0001", &with(1, &[WWW])).await;
    let id = AppId::new("acme", "shop", "prod").unwrap();
    let own = "shop.apps.example.com".to_owned();
    let earlier = claim(&bed.server, &id, std::slice::from_ref(&own), &[own.clone(), WWW.into()]).await.unwrap();
    let mut app = bed.shop();
    app["spec"]["template"]["domains"] = json!([]);
    bed.cluster.put("kilterapps", NAMESPACE, app);
    let written: KilterApp = serde_json::from_value(bed.shop()).unwrap();
    // Its deploy has written the app; before it is done with the claims the host name comes back.
    assert_eq!(bed.deploy("key-0002", &with(2, &[WWW])).await.status, 202);
    earlier.settle(&bed.server, &written).await;
    assert_eq!(bed.holder(WWW), "acme/shop/prod");
}

#[tokio::test]
async fn a_plan_claims_nothing() {
    let bed = Bed::new().await;
    bed.cluster.forget_calls();
    assert_eq!(bed.post(&format!("{SHOP}/plans"), "key-0001", &with(1, &[WWW])).await.status, 202);
    assert!(bed.cluster.calls().iter().all(|(resource, _)| resource != "kilterhosts"));
    assert_eq!((bed.claim(WWW), bed.claim("shop.apps.example.com")), (None, None));
}

#[tokio::test]
async fn a_cluster_that_is_away_is_not_a_host_name_that_is_taken() {
    let bed = Bed::new().await;
    for verb in ["list", "create"] {
        bed.cluster.forbid(Some(("kilterhosts", verb)));
        let answer = bed.deploy("key-0001", &image(1)).await;
        assert_eq!((answer.status, answer.code()), (503, "ClusterUnavailable"), "{verb}");
    }
    assert!(bed.cluster.get("kilterapps", NAMESPACE, "shop-prod").is_none());
}
