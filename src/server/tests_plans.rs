//! Plans: whose they are, what they are of, and how many there may be.

use serde_json::{Value, json};

use super::test_server::{Bed, SHOP, image, sealed};
use crate::api::NAMESPACE;

#[tokio::test]
async fn a_plan_is_asked_for_and_answered() {
    let bed = Bed::new().await;
    let path = format!("{SHOP}/plans");
    let asked = bed.post(&path, "key-0001", &image(1)).await;
    assert_eq!(asked.status, 202);
    let name = asked.body["plan"].as_str().unwrap();
    let of = |app: &str| format!("/v1/apps/acme/{app}/envs/prod/plans/{name}");
    assert_eq!(bed.get(&of("shop")).await.body, json!({"done": false, "diff": ""}));
    assert_eq!(bed.get(&of("other")).await.status, 404);
    assert_eq!(bed.get(&format!("{path}/plan-none")).await.status, 404);
    let mut plan = bed.cluster.get("kilterplans", NAMESPACE, name).unwrap();
    assert_eq!(plan["spec"]["template"]["image"], image(1)["template"]["image"]);
    plan["status"] = json!({"state": "Done", "diff": "+a\n"});
    bed.cluster.put("kilterplans", NAMESPACE, plan.clone());
    assert_eq!(bed.get(&of("shop")).await.body, json!({"done": true, "diff": "+a\n"}));
    plan["status"] = json!({"state": "Failed", "message": "no"});
    bed.cluster.put("kilterplans", NAMESPACE, plan);
    assert_eq!(bed.get(&of("shop")).await.body, json!({"done": true, "diff": "", "error": "no"}));
    let invalid = bed.post(&path, "key-0001", &json!({"template": {"image": "x", "port": 1}})).await;
    assert_eq!((invalid.status, invalid.code()), (400, "Invalid"));
    // A plan deploys nothing.
    assert!(bed.cluster.get("kilterapps", NAMESPACE, "shop-prod").is_none());
}

#[tokio::test]
async fn a_plan_is_of_what_belongs_to_who_asks() {
    let bed = Bed::new().await;
    bed.deploy("key-0001", &image(1)).await;
    bed.post("/v1/apps/acme/web/envs/eu-prod/deploys", "key-0001", &image(1)).await;
    let theirs = bed.token_for("globex-ci", "globex", "*", "*").await;
    for (path, token) in [("globex/shop/envs/prod", &theirs), ("acme/web-eu/envs/prod", &bed.token)] {
        let path = format!("/v1/apps/{path}/plans");
        let taken = bed.call("POST", &path, token, None, image(2).to_string().into()).await;
        assert_eq!((taken.status, taken.code()), (409, "NameTaken"), "{path}");
    }
}

#[tokio::test]
async fn a_plan_takes_the_secrets_that_are_deployed() {
    let bed = Bed::new().await;
    let with = |secrets: Value| {
        let mut body = image(1);
        body["template"]["secrets"] = secrets;
        body
    };
    let path = format!("{SHOP}/plans");
    let missing = bed.post(&path, "key-0001", &with(json!([{"name": "a"}]))).await;
    assert_eq!((missing.status, missing.message()), (400, "missing secrets in shop-prod: a"));
    let sealed = json!([sealed("a", "shop-prod", "one")]);
    bed.deploy("key-0001", &with(sealed.clone())).await;
    let asked = bed.post(&path, "key-0002", &with(json!([{"name": "a"}]))).await;
    let plan = bed.cluster.get("kilterplans", NAMESPACE, asked.body["plan"].as_str().unwrap()).unwrap();
    assert_eq!(plan["spec"]["template"]["secrets"], sealed);
}

#[tokio::test]
async fn plans_do_not_pile_up() {
    let bed = Bed::new().await;
    let ask = async |app: &str| {
        let answer = bed.post(&format!("/v1/apps/acme/{app}/envs/prod/plans"), "key-0001", &image(1)).await;
        (answer.status, answer.code().to_owned())
    };
    let (taken, full) = ((202, String::new()), (429, "TooManyPlans".to_owned()));
    for _ in 0..10 {
        assert_eq!(ask("shop").await, taken);
    }
    assert_eq!(ask("shop").await, full);
    // Another app has room, until the organisation has none; that of another organisation has its own.
    for n in 0..90 {
        assert_eq!(ask(&format!("other-{}", n / 10)).await, taken, "{n}");
    }
    assert_eq!(ask("one-more").await, full);
    let theirs = bed.token_for("globex-ci", "globex", "*", "*").await;
    let path = "/v1/apps/globex/site/envs/prod/plans";
    let other = bed.call("POST", path, &theirs, None, image(1).to_string().into()).await;
    assert_eq!(other.status, 202, "{other:?}");
}
