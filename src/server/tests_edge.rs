//! The edges of the server: who may ask, how much, in which form; what must never be said; and what is while the API server is
//! away.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use futures::StreamExt as _;
use futures::channel::{mpsc, oneshot};
use serde_json::{Value, json};

use super::listen::Settings;
use super::routes::{open, table};
use super::test_server::{Answer, Bed, SHOP, image, sealed, settings};
use super::tokens::{NewToken, create_token, list_tokens, revoke_token};
use crate::api::{NAMESPACE, Token};

/// What must be nowhere.
const CANARY: &str = "hunter2-canary";
/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(60);

/// Every route, with names in its path.
fn paths() -> Vec<(&'static str, String)> {
    let fill = |path: &str| path.replace("{org}", "acme").replace("{app}", "shop").replace("{env}", "prod");
    let fill = |path: &str| fill(path).replace("{deploy}", "d0123456789abcdef").replace("{plan}", "plan-0");
    table().into_iter().map(|route| (route.method, fill(route.path))).collect()
}

async fn ask(bed: &Bed, method: &str, path: &str, token: &str) -> Answer {
    let body = if path.ends_with("rollback") { json!({}) } else { image(1) };
    bed.call(&method.to_uppercase(), path, token, Some("key-0001"), body.to_string().into()).await
}

/// Asks until it is not too often: so many failures at once are too many.
async fn patiently(bed: &Bed, method: &str, path: &str, token: &str) -> Answer {
    loop {
        let answer = ask(bed, method, path, token).await;
        if answer.status != 429 {
            return answer;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn no_route_is_open_without_a_valid_token() {
    let bed = Bed::new().await;
    let stranger = Token::from_entropy([9; 40]).secret().to_owned();
    let mut mistyped = bed.token.clone();
    let last = if mistyped.pop() == Some('0') { '1' } else { '0' };
    mistyped.push(last);
    // Another secret behind an id that is known.
    let forged = std::array::from_fn(|at| if at < 8 { digit(bed.token.as_bytes()[5 + at]) } else { 3 });
    let forged = Token::from_entropy(forged);
    assert_eq!(forged.id(), &bed.token[5..13]);
    let expired = bed.token_for("late", "acme", "*", "*").await;
    for (method, path) in paths() {
        for token in ["", "kltr_short", "ghp_0123456789", &stranger, &mistyped, forged.secret(), &expired] {
            let answer = patiently(&bed, method, &path, token).await;
            assert_eq!((answer.status, answer.code()), (401, "Unauthorized"), "{method} {path} `{token}`");
        }
    }
    let says = async |token: &str| patiently(&bed, "get", "/v1/info", token).await.message().to_owned();
    assert!(says(&mistyped).await.contains("checksum"));
    // Who has no valid token learns nothing about those that there are.
    assert_eq!(says(&stranger).await, says(&expired).await);
    assert_eq!(says(&stranger).await, says(forged.secret()).await);
    assert!(bed.cluster.get("kilterapps", NAMESPACE, "shop-prod").is_none());
}

/// Returns the byte that becomes a digit of a token.
fn digit(of: u8) -> u8 {
    match of {
        b'0'..=b'9' => of - b'0',
        b'A'..=b'Z' => of - b'A' + 10,
        _ => of - b'a' + 36,
    }
}

#[tokio::test]
async fn a_scope_is_not_left_and_a_viewer_changes_nothing() {
    let bed = Bed::new().await;
    bed.deploy("key-0001", &image(1)).await;
    bed.seen("shop-prod").await;
    let (shop, writes) = (bed.shop(), bed.cluster.writes());
    let tokens =
        [("globex-ci", "globex", "*", "*"), ("narrow", "acme", "other", "*"), ("staging", "acme", "*", "staging")];
    for (name, org, app, env) in tokens {
        let token = bed.token_for(name, org, app, env).await;
        for (method, path) in paths().into_iter().filter(|(_, path)| path.contains("shop")) {
            let answer = ask(&bed, method, &path, &token).await;
            assert_eq!((answer.status, answer.code()), (403, "OutOfScope"), "{name} {method} {path}");
        }
        assert_eq!(ask(&bed, "get", "/v1/apps", &token).await.body, json!([]), "{name}");
    }
    let viewer = bed.token_for("viewer", "acme", "*", "*").await;
    for (method, path) in paths() {
        let answer = ask(&bed, method, &path, &viewer).await;
        let expected: &[u16] = if method == "get" { &[200, 404] } else { &[403] };
        assert!(expected.contains(&answer.status), "{method} {path}: {answer:?}");
        assert_eq!(answer.code() == "ReadOnly", method != "get", "{method} {path}");
    }
    assert_eq!(bed.shop(), shop);
    assert_eq!(bed.cluster.writes(), writes + 4, "the four tokens and nothing else");
}

#[tokio::test]
async fn two_tokens_at_once_are_none() {
    let bed = Bed::new().await;
    let bearer = format!("Bearer {}", bed.token);
    let two = Request::get("/v1/info").header("authorization", &bearer).header("authorization", &bearer);
    let answer = bed.send(two.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.code()), (400, "TwoTokens"));
    for other in [bed.token.clone(), format!("Basic {}", bed.token), format!("bearer{}", bed.token), "Bearer".into()] {
        let request = Request::get("/v1/info").header("authorization", other).body(Body::empty()).unwrap();
        assert_eq!(bed.send(request).await.status, 401);
    }
}

#[tokio::test]
async fn a_revoked_token_ends_while_the_server_runs() {
    let bed = Bed::new().await;
    let id = bed.token[5..13].to_owned();
    assert_eq!(bed.get("/v1/info").await.status, 200);
    revoke_token(bed.cluster.client(), NAMESPACE, &id).await.unwrap();
    let mut tokens = bed.server.tokens.clone();
    let gone = tokens.wait_for(|records| records.as_ref().is_some_and(|records| records[&id].revoked.is_some()));
    drop(tokio::time::timeout(LONG, gone).await.unwrap().unwrap());
    assert_eq!(bed.get("/v1/info").await.status, 401);
    assert_eq!(bed.deploy("key-0001", &image(1)).await.status, 401);
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked() {
    let bed = Bed::new().await;
    let new = |name: &str, org: &str, days| NewToken {
        name: name.into(),
        org: org.into(),
        app: "*".into(),
        env: "*".into(),
        read_only: name == "viewer",
        days,
    };
    let client = || bed.cluster.client();
    let names: Vec<String> = (0..15).map(|n| format!("bot-{n}")).collect();
    let made = names.iter().map(|name| {
        let new = new(name, "acme", Some(90));
        async move { create_token(client(), NAMESPACE, &new).await.unwrap() }
    });
    let made = futures::future::join_all(made).await;
    let lines = list_tokens(client(), NAMESPACE).await.unwrap();
    assert_eq!(lines.len(), 16, "{lines:?}");
    for token in &made {
        let token = Token::parse(token).unwrap();
        let line = lines.iter().find(|line| line.starts_with(token.id())).unwrap();
        assert!(line.contains("acme/* *  deploy  until 20") && !line.contains(&token.secret()[13..]), "{line}");
        assert!(!line.contains(token.digest().hex()), "{line}");
    }
    revoke_token(client(), NAMESPACE, &made[0][5..13]).await.unwrap();
    let lines = list_tokens(client(), NAMESPACE).await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.contains("revoked 20")).count(), 1);
    assert!(revoke_token(client(), NAMESPACE, "nobody00").await.is_err());
    for (name, org) in [("x", "*"), ("*", "acme"), ("X y", "acme"), ("x", "../a")] {
        assert!(create_token(client(), NAMESPACE, &new(name, org, None)).await.is_err(), "{name} {org}");
    }
    let too_long = NewToken { app: "a".repeat(40), env: "e".repeat(20), ..new("x", "acme", None) };
    let refused = create_token(client(), NAMESPACE, &too_long).await.unwrap_err().to_string();
    assert!(refused.contains("--app") && refused.contains("has 61 characters"), "{refused}");
    // What is stored is no token, and not made of one.
    let stored = bed.cluster.get("secrets", NAMESPACE, "kilter-tokens").unwrap().to_string();
    assert!(made.iter().all(|token| !stored.contains(&token[13..])));
}

#[tokio::test]
async fn too_many_requests_of_one_token_are_refused() {
    let bed = Bed::with(Settings { per_second: NonZeroU32::MIN, ..settings() }).await;
    let other = bed.token_for("other", "acme", "*", "*").await;
    let mut answers = 0;
    let refused = loop {
        let answer = bed.get("/v1/info").await;
        answers += 1;
        assert!(answers < 1000, "never refused");
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!((refused.status, refused.code()), (429, "TooManyRequests"));
    assert_eq!(ask(&bed, "get", "/v1/info", &other).await.status, 200, "one token's flood is not another's");
}

#[tokio::test]
async fn guessing_is_slow_and_hurts_nobody_else() {
    let bed = Bed::new().await;
    let mut guesses = 0;
    while ask(&bed, "get", "/v1/info", "kltr_guess").await.status == 401 {
        guesses += 1;
        assert!(guesses < 100_000, "never refused");
    }
    assert!(guesses >= 20);
    assert_eq!(bed.get("/v1/info").await.status, 200);
}

#[tokio::test]
async fn more_than_the_server_can_bear_is_told_to_come_back() {
    let bed = Bed::with(Settings { at_once: 1, ..settings() }).await;
    let (begun, has_begun) = oneshot::channel::<()>();
    let (end, ends) = oneshot::channel::<Bytes>();
    let body = async move {
        begun.send(()).unwrap();
        Ok::<_, Infallible>(ends.await.unwrap())
    };
    let slow = Body::from_stream(futures::stream::once(body));
    let path = format!("{SHOP}/deploys");
    let first = bed.call("POST", &path, &bed.token, Some("key-0001"), slow);
    let others = async {
        has_begun.await.unwrap();
        let refused = bed.get("/v1/info").await;
        assert_eq!((refused.status, refused.code()), (503, "Overloaded"));
        // Whether it lives can be asked all the same.
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(bed.call("GET", path, "", None, Body::empty()).await.status, 200, "{path}");
        }
        end.send(image(1).to_string().into()).unwrap();
    };
    let (first, ()) = tokio::join!(first, others);
    assert_eq!(first.status, 202);
    assert_eq!(bed.get("/v1/info").await.status, 200);
}

#[tokio::test]
async fn a_body_is_small_and_what_the_route_takes() {
    let bed = Bed::new().await;
    let path = format!("{SHOP}/deploys");
    let send = |body: Body| bed.call("POST", &path, &bed.token, Some("key-0001"), body);
    let large = send(vec![b' '; 2 * 1024 * 1024].into()).await;
    assert_eq!((large.status, large.code()), (413, "TooLarge"));
    let chunks = futures::stream::repeat(Bytes::from(vec![b'x'; 64 * 1024])).take(40).map(Ok::<_, Infallible>);
    assert_eq!(send(Body::from_stream(chunks)).await.status, 413);
    let deep = "[".repeat(100_000);
    let with = |key: &str, value: Value| {
        let mut body = image(1);
        body["template"][key] = value;
        body.to_string()
    };
    for (body, word) in [
        (String::new(), "missing field `template`"),
        ("{}".into(), "missing field `template`"),
        ("hello".into(), "not JSON"),
        ("{\"template\": ".into(), "not JSON"),
        (deep, "invalid type"),
        ("[]".into(), "body"),
        ("null".into(), "body"),
        (with("imagine", json!(1)), "unknown field `imagine`"),
        (with("port", json!(70_000)), "invalid value: integer"),
        (with("port", json!(-1)), "invalid value: integer"),
        (with("variables", json!({"PIN": 81_549_300})), "invalid type: integer"),
        (with("variables", json!([CANARY])), "invalid type"),
        (with("variables", json!(CANARY)), "invalid type: string"),
        (with("replicas", json!(CANARY)), "invalid type: string"),
        (with("public", json!(CANARY)), "invalid type: string"),
    ] {
        let answer = send(Body::from(body.clone())).await;
        let start: String = body.chars().take(100).collect();
        assert_eq!((answer.status, answer.code()), (400, "BadBody"), "{start}");
        assert!(answer.message().contains(word), "{start}: {}", answer.message());
        assert!(!answer.text.contains(CANARY) && !answer.text.contains("81549300"), "{}", answer.text);
    }
    let not_utf8 = send(Body::from(b"{\"template\": \"\xff\"}".to_vec())).await;
    assert_eq!(not_utf8.status, 400);
    assert!(bed.cluster.get("kilterapps", NAMESPACE, "shop-prod").is_none());
}

#[tokio::test]
async fn names_in_a_path_cannot_leave_it() {
    let bed = Bed::new().await;
    let long = "a".repeat(64);
    let names = [
        "..",
        "..%2f",
        "..%2fshop",
        "%2e%2e",
        "%00",
        "shop%00",
        "sh%C3%B6p",
        "%E2%80%AE",
        "%ff",
        "Shop",
        "a_b",
        "a.b",
        "a%0ab",
        "-a",
        "1a",
        "%20",
        "*",
        &long,
        "a%2fb%2fc",
        "%25",
        "a%3Fwatch",
    ];
    for name in names {
        for path in [
            format!("/v1/apps/{name}/shop/envs/prod"),
            format!("/v1/apps/acme/{name}/envs/system"),
            format!("/v1/apps/acme/shop/envs/{name}/deploys"),
            format!("/v1/apps/acme/{name}/envs/system/logs"),
            format!("{SHOP}/deploys/{name}"),
            format!("{SHOP}/plans/{name}"),
            format!("/v1/{name}"),
        ] {
            for method in ["GET", "POST", "DELETE"] {
                let answer = bed.call(method, &path, &bed.token, Some("key-0001"), image(1).to_string().into()).await;
                assert!([400, 403, 404, 405].contains(&answer.status), "{method} {path}: {answer:?}");
            }
        }
    }
    for path in
        ["/", "//", "/v1", "/v1/apps/", "/v1//apps", "/v1/apps/acme/shop", "/V1/info", "/v1/info/x", "/metrics/x"]
    {
        assert_eq!(bed.get(path).await.status, 404, "{path}");
    }
    assert_eq!(bed.post("/v1/apps/acme/kube/envs/system/deploys", "key-0001", &image(1)).await.code(), "BadName");
    assert_eq!(bed.cluster.writes(), 1, "the token and nothing else");
}

#[tokio::test]
async fn values_and_tokens_are_never_said() {
    let bed = Bed::new().await;
    let mut body = image(1);
    body["template"]["variables"] = json!({"PASSWORD": CANARY});
    body["template"]["command"] = json!(["serve", CANARY]);
    body["template"]["secrets"] = json!([sealed("a", "shop-prod", CANARY)]);
    let deploy = bed.deploy("key-0001", &body).await;
    assert_eq!(deploy.status, 202);
    bed.commit();
    bed.seen("shop-prod").await;
    for (method, path) in paths().into_iter().filter(|(method, _)| *method == "get") {
        ask(&bed, method, &path, &bed.token).await;
    }
    body["template"]["port"] = json!(4000);
    // The API server quotes what it refuses, and so does serde what it cannot read.
    for status in [400, 403, 422, 500] {
        bed.cluster.refuse(status, &format!("spec.template.variables: Invalid value: \"{CANARY}\""));
        let refused = bed.deploy("key-0002", &body).await;
        let expected = if [400, 422].contains(&status) { (400, "Invalid") } else { (503, "ClusterUnavailable") };
        assert_eq!((refused.status, refused.code()), expected);
        bed.cluster.refuse(status, CANARY);
        let refused = bed.post(&format!("{SHOP}/plans"), "key-0002", &body).await;
        assert_eq!((refused.status, refused.code()), expected);
    }
    assert_eq!(bed.deploy("key-0002", &body).await.status, 202);
    let good = bed.shop();
    let mut spoilt = good.clone();
    spoilt["spec"]["template"]["port"] = json!(CANARY);
    bed.cluster.put("kilterapps", NAMESPACE, spoilt);
    assert_eq!(bed.deploy("key-0003", &body).await.status, 503);
    bed.cluster.put("kilterapps", NAMESPACE, good);
    bed.post(&format!("{SHOP}/rollback"), "key-0004", &json!({"to": 1})).await;
    bed.call("GET", SHOP, &format!("{}x", bed.token), None, Body::empty()).await;
    assert_eq!(bed.delete(SHOP).await.status, 202);
    let (audit, log, answers) = (bed.audit.text(), bed.log.text(), bed.answers.text());
    assert!(log.contains("Invalid (422)") && log.contains("cannot be read"), "{log}");
    for (what, text) in [("audit", &audit), ("log", &log), ("answers", &answers)] {
        for secret in [CANARY, &bed.token[13..], "ENC["] {
            assert!(!text.contains(secret), "`{secret}` is in the {what}: {text}");
        }
    }
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["audit"] == kind).count();
    assert!(of("begin") == of("end") && of("begin") >= 8, "{audit}");
    let (begin, end) = (&lines[0], &lines[1]);
    assert_eq!(
        (&begin["action"], &begin["by"], &begin["token"]),
        (&json!("deploy"), &json!("ci"), &json!(bed.token[5..13]))
    );
    assert_eq!(begin["about"]["deploy"], deploy.body["deploy"]);
    assert_eq!(begin["request"], deploy.headers["x-request-id"].to_str().unwrap());
    assert_eq!((&end["outcome"], &end["request"]), (&json!("accepted"), &begin["request"]));
}

#[tokio::test]
async fn without_an_audit_log_nothing_takes_effect() {
    let bed = Bed::new().await;
    bed.deploy("key-0001", &image(1)).await;
    let (shop, writes) = (bed.shop(), bed.cluster.writes());
    bed.audit.be_full();
    for answer in [bed.deploy("key-0002", &image(2)).await, bed.delete(SHOP).await] {
        assert_eq!((answer.status, answer.code()), (503, "NoAudit"));
    }
    assert_eq!((bed.shop(), bed.cluster.writes()), (shop, writes));
}

#[tokio::test]
async fn without_the_api_server_nothing_is_done_and_nobody_shut_out() {
    let bed = Bed::new().await;
    bed.deploy("key-0001", &image(1)).await;
    bed.seen("shop-prod").await;
    let shop = bed.shop();
    bed.cluster.be_away(true);
    bed.cluster.forget();
    // The watches have to list again and cannot: who was known stays known.
    bed.log.until("cannot watch the tokens", 2).await;
    bed.log.until("cannot watch the KilterApps", 2).await;
    for (method, path) in paths() {
        let answer = ask(&bed, method, &path, &bed.token).await;
        if ["/v1/info", "/v1/apps"].contains(&&*path) {
            assert_eq!(answer.status, 200, "{path}");
        } else {
            assert_eq!((answer.status, answer.code()), (503, "ClusterUnavailable"), "{method} {path}");
        }
    }
    assert_eq!(bed.get("/v1/apps").await.body[0]["app"], "shop");
    assert_eq!(bed.shop(), shop);
    bed.cluster.be_away(false);
    assert_eq!(bed.deploy("key-0002", &image(2)).await.revision(), 2);
}

#[tokio::test]
async fn a_server_that_has_not_seen_the_cluster_says_so() {
    let cluster = super::testing::Cluster::default();
    cluster.be_away(true);
    let audit = super::audit::Log::new(std::io::sink());
    let server = super::listen::start(cluster.client(), &settings(), audit);
    let ask = |path: &str, token: &str| {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        tower::ServiceExt::oneshot(super::routes::router(server.clone()), request.body(Body::empty()).unwrap())
    };
    let token = Token::from_entropy([1; 40]);
    let answer = ask("/v1/apps", token.secret()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (503, true));
    assert_eq!(ask("/readyz", "").await.unwrap().status(), 503);
    assert_eq!(ask("/healthz", "").await.unwrap().status(), 200);
}

#[tokio::test]
async fn metrics_count_and_tell_nothing() {
    let bed = Bed::new().await;
    bed.deploy("key-0001", &image(1)).await;
    bed.get(&format!("/v1/{CANARY}")).await;
    bed.get(&format!("/v1/apps/acme/{CANARY}/envs/prod")).await;
    bed.call("GET", "/v1/info", "kltr_guess", None, Body::empty()).await;
    let answer = bed.call("GET", "/metrics", "", None, Body::empty()).await;
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    let text = answer.text;
    let route = "route=\"/v1/apps/{org}/{app}/envs/{env}/deploys\",status=\"202\"";
    assert!(text.contains(&format!("kilter_server_requests_total{{{route}}} 1")), "{text}");
    assert!(text.contains("kilter_server_refused_total{reason=\"Unauthorized\"} 1"), "{text}");
    assert!(text.contains("route=\"none\",status=\"404\"") && text.ends_with("# EOF\n"), "{text}");
    for secret in [CANARY, "acme", "shop", "kltr_", &bed.token[5..13]] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test]
async fn the_document_lists_the_routes_that_there_are() {
    let bed = Bed::new().await;
    let document = bed.call("GET", "/openapi.json", "", None, Body::empty()).await.body;
    let mut listed = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        listed.extend(methods.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())));
    }
    let mut routes: Vec<(String, String)> =
        table().iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    routes.extend(open().iter().map(|route| ("get".to_owned(), route.path.to_owned())));
    listed.sort();
    routes.sort();
    assert_eq!(listed, routes);
    for (_, path) in paths() {
        for method in ["get", "post", "delete", "put", "patch"] {
            let answer = bed.call(&method.to_uppercase(), &path, &bed.token, None, Body::empty()).await;
            let is_route = paths().contains(&(method, path.clone()));
            assert_eq!(answer.status == 405, !is_route, "{method} {path}: {answer:?}");
            assert!(is_route || answer.code() == "MethodNotAllowed", "{answer:?}");
        }
    }
}

#[tokio::test]
async fn two_keys_are_none() {
    let bed = Bed::new().await;
    let request = Request::post(format!("{SHOP}/deploys")).header("authorization", format!("Bearer {}", bed.token));
    let request = request.header("idempotency-key", "key-0001").header("idempotency-key", "key-0002");
    let answer = bed.send(request.body(Body::from(image(1).to_string())).unwrap()).await;
    assert_eq!((answer.status, answer.code()), (400, "NoIdempotencyKey"));
    assert!(bed.cluster.get("kilterapps", NAMESPACE, "shop-prod").is_none());
}

#[tokio::test]
async fn a_request_that_never_ends_holds_no_other_up() {
    let bed = Bed::new().await;
    let (send, chunks) = mpsc::unbounded::<Result<Bytes, Infallible>>();
    let path = format!("{SHOP}/deploys");
    let slow = bed.call("POST", &path, &bed.token, Some("key-0001"), Body::from_stream(chunks));
    let other = async {
        assert_eq!(bed.deploy("key-0002", &image(2)).await.revision(), 1);
        send.unbounded_send(Ok(image(1).to_string().into())).unwrap();
        drop(send);
    };
    let (slow, ()) = tokio::join!(slow, other);
    assert_eq!((slow.status, slow.revision()), (202, 2));
}
