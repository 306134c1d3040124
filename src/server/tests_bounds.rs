//! What is bounded, what is written down, and which rights are used.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use super::listen::{Patience, Settings, serve};
use super::test_server::{Bed, SHOP, image, sealed, settings};
use crate::api::{KilterApp, NAMESPACE};

/// Far above what any of it needs on a loaded machine.
const LONG: Duration = Duration::from_secs(30);

/// Opens a connection to a server that gives a head 50 ms, says something, and waits for the end.
async fn silent_after(bed: &Bed, words: &[u8]) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let patience = Patience { head: Duration::from_millis(50), answer: LONG };
    tokio::spawn(serve(listener, bed.router.clone(), patience, std::future::pending()));
    let stream = TcpStream::connect(address).await.unwrap();
    assert_eq!(stream.try_write(words).unwrap(), words.len());
    let end = async {
        loop {
            stream.readable().await.unwrap();
            match stream.try_read(&mut [0; 1024]) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(n) if n > 0 => {}
                _ => break,
            }
        }
    };
    tokio::time::timeout(LONG, end).await.unwrap_or_else(|_| panic!("it is still open after {words:?}"));
}

#[tokio::test]
async fn a_connection_that_says_nothing_more_is_closed() {
    let bed = Bed::new().await;
    for words in
        [b"".as_slice(), b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"]
    {
        silent_after(&bed, words).await;
    }
}

#[tokio::test]
async fn a_client_that_takes_no_answer_gives_its_place_back() {
    let bed = Bed::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let patience = Patience { head: LONG, answer: Duration::from_millis(50) };
    tokio::spawn(serve(listener, bed.router.clone(), patience, std::future::pending()));
    let stream = TcpStream::connect(address).await.unwrap();
    // It asks for as many documents as the server takes requests, and reads none.
    let asked = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    let mut at = 0;
    let end = async {
        loop {
            stream.writable().await.unwrap();
            match stream.try_write(&asked[at..]) {
                Ok(n) => at = (at + n) % asked.len(),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
    };
    tokio::time::timeout(LONG, end).await.expect("it is still open");
}

fn lines(bed: &Bed) -> Vec<Value> {
    bed.audit.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn one_token_does_not_take_all_room() {
    let bed = Bed::with(Settings { at_once: 16, ..settings() }).await;
    let path = format!("{SHOP}/deploys");
    // Two bodies that never end are this token's share.
    let endless = |key| {
        let body = Body::from_stream(futures::stream::pending::<Result<Bytes, Infallible>>());
        let request = Request::post(&path).header("authorization", format!("Bearer {}", bed.token));
        let request = request.header("idempotency-key", key).body(body).unwrap();
        Box::pin(tower::ServiceExt::oneshot(bed.router.clone(), request))
    };
    let (mut first, mut second) = (endless("key-0001"), endless("key-0002"));
    assert!(futures::poll!(&mut first).is_pending() && futures::poll!(&mut second).is_pending());
    let refused = bed.get("/v1/info").await;
    assert_eq!((refused.status, refused.code()), (429, "TooManyAtOnce"), "{refused:?}");
    let other = bed.token_for("other", "acme", "*", "*").await;
    assert_eq!(bed.call("GET", "/v1/info", &other, None, Body::empty()).await.status, 200);
    let metrics = bed.server.metrics.text();
    assert!(metrics.contains("refused_total{reason=\"TooManyAtOnce\"} 1\n"), "{metrics}");
    drop(first);
    assert_eq!(bed.get("/v1/info").await.status, 200, "what is given up makes room");
}

#[tokio::test]
async fn no_body_is_read_for_whoever_may_not() {
    let bed = Bed::new().await;
    let theirs = bed.token_for("globex-ci", "globex", "*", "*").await;
    let viewer = bed.token_for("viewer", "acme", "*", "*").await;
    let unread = |path: &str| {
        let read = futures::stream::poll_fn(|_| -> std::task::Poll<Option<Result<Bytes, Infallible>>> {
            panic!("somebody reads the body")
        });
        (format!("/v1/apps/acme/{path}"), Body::from_stream(read))
    };
    for what in ["deploys", "plans", "rollback"] {
        for (token, app, code) in
            [(&theirs, "shop", "OutOfScope"), (&viewer, "shop", "ReadOnly"), (&bed.token, "Shop", "BadName")]
        {
            let (path, body) = unread(&format!("{app}/envs/prod/{what}"));
            let answer = bed.call("POST", &path, token, Some("key-0001"), body).await;
            assert_eq!(answer.code(), code, "{path}");
        }
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_has_an_end_in_the_audit_log() {
    let bed = Bed::new().await;
    let request = Request::post(format!("{SHOP}/deploys"))
        .header("authorization", format!("Bearer {}", bed.token))
        .header("idempotency-key", "key-0001");
    let mut running = Box::pin(bed.router.clone().oneshot(request.body(Body::from(image(1).to_string())).unwrap()));
    while bed.audit.text().is_empty() {
        assert!(futures::poll!(&mut running).is_pending(), "it ended without a line");
        tokio::task::yield_now().await;
    }
    let metrics = bed.server.metrics.text();
    assert!(metrics.contains("kilter_server_running 1\n"), "{metrics}");
    drop(running);
    let metrics = bed.server.metrics.text();
    assert!(metrics.contains("kilter_server_running 0\n"), "{metrics}");
    let lines = lines(&bed);
    let of = |line: &Value| [line["audit"].clone(), line["outcome"].clone(), line["action"].clone()];
    assert_eq!(
        lines.iter().map(of).collect::<Vec<_>>(),
        [[json!("begin"), Value::Null, json!("deploy")], [json!("end"), json!("interrupted"), json!("deploy")]]
    );
    assert_eq!(lines[0]["request"], lines[1]["request"]);
}

#[tokio::test]
async fn every_change_has_a_line_before_and_one_after() {
    let bed = Bed::new().await;
    bed.deploy("key-0001", &image(1)).await;
    bed.commit();
    bed.deploy("key-0002", &image(2)).await;
    bed.post(&format!("{SHOP}/rollback"), "key-0003", &json!({})).await;
    bed.post(&format!("{SHOP}/plans"), "key-0004", &image(3)).await;
    bed.cluster.refuse(500, "no");
    bed.post(&format!("{SHOP}/plans"), "key-0005", &image(3)).await;
    bed.delete(SHOP).await;
    let lines = lines(&bed);
    let of = |line: &Value| (line["action"].clone(), line["outcome"].clone());
    let done: Vec<(Value, Value)> = lines.iter().filter(|line| line["audit"] == "end").map(of).collect();
    let wanted = ["deploy", "deploy", "rollback", "plan", "plan", "delete"].map(|action| json!(action));
    let outcomes = ["accepted", "accepted", "accepted", "accepted", "ClusterUnavailable", "accepted"];
    let wanted: Vec<(Value, Value)> = wanted.into_iter().zip(outcomes.map(|outcome| json!(outcome))).collect();
    assert_eq!(done, wanted);
    for pair in lines.chunks(2) {
        assert_eq!((&pair[0]["audit"], &pair[1]["audit"]), (&json!("begin"), &json!("end")));
        assert_eq!(pair[0]["request"], pair[1]["request"]);
    }
    // Looking is no change.
    bed.get(SHOP).await;
    assert_eq!(self::lines(&bed).len(), lines.len());
}

#[tokio::test]
async fn a_key_is_for_one_request_whatever_it_asks() {
    let bed = Bed::new().await;
    bed.deploy("key-0001", &image(1)).await;
    bed.commit();
    bed.deploy("key-0002", &image(2)).await;
    bed.commit();
    let back = format!("{SHOP}/rollback");
    let refused =
        |answer: super::test_server::Answer| assert_eq!((answer.status, answer.code()), (422, "KeyUsed"), "{answer:?}");
    refused(bed.post(&back, "key-0002", &json!({})).await);
    let first = bed.post(&back, "key-0003", &json!({})).await;
    assert_eq!((first.status, first.revision()), (202, 3));
    refused(bed.post(&back, "key-0003", &json!({"to": 1})).await);
    refused(bed.deploy("key-0003", &image(1)).await);
    bed.commit();
    let again = bed.post(&back, "key-0003", &json!({})).await;
    assert_eq!((again.status, again.revision(), again.deploy()), (200, 3, first.deploy()));
    assert_eq!(bed.shop()["spec"]["revision"], 3);
}

#[tokio::test]
async fn kept_and_new_secrets_are_not_too_much_together() {
    let bed = Bed::new().await;
    let with = |secrets: Value| {
        let mut body = image(1);
        body["template"]["secrets"] = secrets;
        body
    };
    let (large, other) = ("a".repeat(200 * 1024), "b".repeat(100 * 1024));
    assert_eq!(bed.deploy("key-0001", &with(json!([sealed("one", "shop-prod", &large)]))).await.status, 202);
    let both = with(json!([{"name": "one"}, sealed("two", "shop-prod", &other)]));
    let answer = bed.deploy("key-0002", &both).await;
    assert_eq!((answer.status, answer.code()), (400, "Invalid"), "{answer:?}");
    assert!(answer.message().contains("more than 256 KiB together"), "{answer:?}");
    assert_eq!(bed.shop()["spec"]["revision"], 1);
}

#[tokio::test]
async fn the_server_keeps_no_ciphertext_and_no_value_in_memory() {
    let bed = Bed::new().await;
    let mut body = image(1);
    body["template"]["variables"] = json!({"A": "canary-1"});
    body["template"]["components"] = json!([{"name": "x", "variables": {"B": "canary-2"}}]);
    body["template"]["secrets"] = json!([sealed("one", "shop-prod", "canary-3")]);
    bed.deploy("key-0001", &body).await;
    bed.seen("shop-prod").await;
    let kept: Vec<KilterApp> = bed.server.apps.state().iter().map(|app| app.0.clone().unwrap()).collect();
    assert!(kept[0].spec.template.image.contains("acme/shop"));
    assert!(!serde_json::to_string(&kept).unwrap().contains("canary"), "{kept:?}");
    // What is written is whole all the same.
    for canary in ["canary-1", "canary-2", "canary-3"] {
        assert!(bed.shop().to_string().contains(canary));
    }
}

#[tokio::test]
async fn what_is_too_much_is_counted() {
    let mut settings = settings();
    settings.per_second = 1.try_into().unwrap();
    let bed = Bed::with(Settings { ..settings }).await;
    let mut refused = 0;
    while refused == 0 {
        refused += usize::from(bed.get("/v1/info").await.code() == "TooManyRequests");
    }
    let metrics = bed.server.metrics.text();
    assert!(metrics.contains("kilter_server_refused_total{reason=\"TooManyRequests\"} 1\n"), "{metrics}");
}

#[tokio::test]
async fn routes_without_a_token_are_in_the_document_too() {
    let bed = Bed::new().await;
    let document = bed.call("GET", "/openapi.json", "", None, Body::empty()).await.body;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let mut at = path.clone();
            for (name, value) in [("org", "acme"), ("app", "shop"), ("env", "prod"), ("deploy", "d1"), ("plan", "p1")] {
                at = at.replace(&format!("{{{name}}}"), value);
            }
            let is_open = operation["security"] == json!([]);
            let answer = bed.call(&method.to_uppercase(), &at, "", None, Body::empty()).await;
            assert_eq!(answer.status, if is_open { 200 } else { 401 }, "{method} {path}");
            if is_open {
                let kind = operation["responses"]["200"]["content"].as_object().unwrap().keys().next().unwrap();
                assert!(answer.headers["content-type"].to_str().unwrap().starts_with(kind.as_str()), "{path}");
            }
        }
    }
    let deploys = &document["paths"][&format!("{}/deploys", "/v1/apps/{org}/{app}/envs/{env}")]["post"];
    assert!(["200", "202", "default"].iter().all(|status| deploys["responses"][status].is_object()), "{deploys}");
    let logs = document["paths"]["/v1/apps/{org}/{app}/envs/{env}/logs"]["get"]["parameters"].as_array().unwrap();
    let queries: Vec<&Value> = logs.iter().filter(|one| one["in"] == "query").map(|one| &one["name"]).collect();
    assert_eq!(queries, ["component", "tail"]);
}

/// Returns the rights that the platform's chart gives to the server: (resource, verb).
fn shipped() -> BTreeSet<(String, String)> {
    let chart = include_str!("../../vendor-charts/kilter-platform/templates/rbac-server.yaml");
    let mut found = BTreeSet::new();
    for document in chart.split("\n---\n").filter(|document| document.contains("\nrules:\n")) {
        let (_, rules) = document.split_once("\nrules:\n").unwrap();
        let rules: Value = serde_saphyr::from_str(rules).unwrap();
        for rule in rules.as_array().unwrap() {
            for resource in rule["resources"].as_array().unwrap() {
                let verbs = rule["verbs"].as_array().unwrap().iter();
                found.extend(verbs.map(|verb| (text(resource), text(verb))));
            }
            let is_secrets = rule["resources"] == json!(["secrets"]);
            assert_eq!(is_secrets, rule["resourceNames"] == json!(["kilter-tokens"]), "{rule}");
        }
    }
    found
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// As many bodies as there may be at once are half of the memory that the chart gives to the server.
#[test]
fn the_bodies_that_are_read_at_once_fit_into_the_memory_of_the_chart() {
    let values: Value =
        serde_saphyr::from_str(include_str!("../../vendor-charts/kilter-platform/values.yaml")).unwrap();
    let memory = text(&values["server"]["resources"]["limits"]["memory"]);
    let mebibytes: usize = memory.strip_suffix("Mi").unwrap().parse().unwrap();
    assert!(mebibytes * 1024 * 1024 >= 2 * super::limits::AT_ONCE * super::limits::MAX_BODY, "{memory}");
}

/// The rights of the chart are what the server uses, and no more.
#[tokio::test]
async fn no_right_is_missing_and_none_is_for_nothing() {
    let bed = Bed::new().await;
    bed.cluster.forget_calls();
    let server = super::listen::start(bed.cluster.client(), &settings(), super::audit::Log::new(bed.audit.clone()));
    server.apps.wait_until_ready().await.unwrap();
    server.tokens.clone().wait_for(Option::is_some).await.unwrap();
    bed.deploy("key-0001", &image(1)).await;
    bed.commit();
    bed.deploy("key-0002", &image(2)).await;
    bed.post(&format!("{SHOP}/rollback"), "key-0003", &json!({})).await;
    let plan = bed.post(&format!("{SHOP}/plans"), "key-0004", &image(3)).await.body;
    bed.get(&format!("{SHOP}/plans/{}", plan["plan"].as_str().unwrap())).await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "app"}]}, "metadata": {"name": "shop-1",
        "labels": {"kilter.netshire.com/app": "shop", "kilter.netshire.com/env": "prod", "kilter.netshire.com/org": "acme",
            "app.kubernetes.io/component": "app"}}});
    bed.cluster.put("pods", "shop-prod", pod);
    for path in ["", "/deploys", "/deploys/d1", "/deploys/d1/logs", "/logs"] {
        bed.get(&format!("{SHOP}{path}")).await;
    }
    let mut internal = image(4);
    internal["template"]["public"] = json!(false);
    bed.deploy("key-0005", &internal).await;
    bed.delete(SHOP).await;
    assert_eq!(bed.cluster.calls(), shipped());
    assert!(bed.cluster.get("kilterapps", NAMESPACE, "shop-prod").is_none());
}
