//! Services whose servers no package registry has. They run where `scripts/service-images --pull` got the images that their
//! charts name, and say so where it did not.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Bed;
use super::app::{App, kubectl_call};
use super::clients::{self, Answer};
use super::served::{absent, answered_by_other_pods, port, service, told};
use crate::support::skip;

#[test]
fn slow_mongodb_answers_its_client() {
    let Some(app) = project("mongodb") else { return };
    let env = app.env();
    let url = env["inCluster"]["MONGODB_URL"].as_str().unwrap();
    let ask = |script: &str| within(&app, "mongodb-0", &["mongosh", url, "--quiet", "--eval", script]);
    // A transaction is what a server by itself refuses.
    let write = "db.getMongo().startSession().withTransaction(session => session.getDatabase(db.getName()).words.insertOne({word: 'atlas'}))";
    ask(write).unwrap();
    let read = "db.words.find().forEach(found => print(found.word))";
    answered_by_other_pods(&app, &[("mongodb", Box::new(|| ask(read)), "atlas")]);
}

#[test]
fn slow_sql_server_answers_its_client() {
    let Some(app) = project("mssql") else { return };
    let env = app.env();
    let login = &service(&env, "mssql")["credentials"];
    let server = service(&env, "mssql")["ports"][0]["inCluster"].as_str().unwrap().replace(':', ",");
    let call =
        "PATH=$PATH:/opt/mssql-tools18/bin:/opt/mssql-tools/bin sqlcmd -C -b -h -1 -S \"$1\" -U sa -d \"$2\" -Q \"$3\"";
    let ask = |query: &str| {
        let text = |name: &str| login[name].as_str().unwrap();
        let password = format!("SQLCMDPASSWORD={}", text("password"));
        within(&app, "mssql-0", &["env", &password, "sh", "-c", call, "sh", &server, text("database"), query])
    };
    ask("CREATE TABLE words (word nvarchar(20)); INSERT INTO words VALUES (N'atlas')").unwrap();
    answered_by_other_pods(&app, &[("mssql", Box::new(|| ask("SET NOCOUNT ON; SELECT word FROM words")), "atlas")]);
}

#[test]
fn slow_qdrant_answers_its_client() {
    let Some(app) = project("qdrant") else { return };
    let env = app.env();
    let words = format!("{}/collections/words", told(&env, "QDRANT_URL"));
    let key = format!("api-key: {}", told(&env, "QDRANT_API_KEY"));
    let ask = |path: &str, method: &str, json: &str| {
        clients::curl(&[&format!("{words}{path}"), "--header", &key, "--request", method, "--json", json])
    };
    ask("", "PUT", "{\"vectors\":{\"size\":2,\"distance\":\"Dot\"}}").unwrap();
    let point = "{\"points\":[{\"id\":7,\"vector\":[1,0],\"payload\":{\"word\":\"atlas\"}}]}";
    ask("/points?wait=true", "PUT", point).unwrap();
    assert!(clients::curl(&[&words]).is_err(), "it answers without the key");
    let near = "{\"query\":[1,0.1],\"with_payload\":true}";
    answered_by_other_pods(&app, &[("qdrant", Box::new(|| ask("/points/query", "POST", near)), "atlas")]);
}

#[test]
fn slow_meilisearch_answers_its_client() {
    let Some(app) = project("meilisearch") else { return };
    let env = app.env();
    let words = format!("{}/indexes/words", told(&env, "MEILISEARCH_URL"));
    let key = format!("Authorization: Bearer {}", told(&env, "MEILISEARCH_API_KEY"));
    let ask = |path: &str, json: &str| clients::curl(&[&format!("{words}{path}"), "--header", &key, "--json", json]);
    ask("/documents", "[{\"id\":7,\"word\":\"gazetteer\"}]").unwrap();
    assert!(clients::post(&format!("{words}/search"), "{}").is_err(), "it answers without the key");
    let misspelt = "{\"q\":\"gazeteer\"}";
    answered_by_other_pods(&app, &[("meilisearch", Box::new(|| ask("/search", misspelt)), "gazetteer")]);
}

#[test]
fn slow_aws_of_floci_answers_its_client() {
    let Some(app) = project("floci") else { return };
    let env = app.env();
    let bucket = format!("{}/globes", told(&env, "AWS_ENDPOINT_URL"));
    let globe = format!("{bucket}/sky");
    let login = format!("{}:{}", told(&env, "AWS_ACCESS_KEY_ID"), told(&env, "AWS_SECRET_ACCESS_KEY"));
    let signer = format!("aws:amz:{}:s3", told(&env, "AWS_REGION"));
    let ask = |args: &[&str]| clients::curl(&[args, &["--aws-sigv4", &signer, "--user", &login]].concat());
    ask(&[&bucket, "--request", "PUT"]).unwrap();
    ask(&[&globe, "--request", "PUT", "--data-binary", "of the stars"]).unwrap();
    answered_by_other_pods(&app, &[("floci", Box::new(|| ask(&[&globe])), "of the stars")]);
}

#[test]
fn slow_signoz_shows_what_it_is_sent() {
    let Some(app) = project("signoz") else { return };
    let env = app.env();
    // It shows services of the last day.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    clients::span(told(&env, "OTEL_EXPORTER_OTLP_ENDPOINT"), "e2e-shop", now);
    answered_by_other_pods(&app, &[("signoz", Box::new(|| traced_services(&env)), "e2e-shop")]);
}

/// Brings up one service whose images are its own; says what is not tested where they are not there.
fn project(chart: &str) -> Option<App> {
    let bed = Bed::find(chart)?;
    if !absent(&bed, &["--others", chart]).is_empty() {
        let get = format!("`scripts/service-images --pull {chart}`");
        skip(&format!("{chart}: no package registry has it; {get} gets its image where its own registry is in reach"));
        return None;
    }
    let app = App::without_app(&bed, &format!("e2e-{chart}"), &[chart]);
    app.up();
    Some(app)
}

/// Runs a program of a pod's image in its first container.
fn within(app: &App, pod: &str, words: &[&str]) -> Answer {
    let mut call = kubectl_call(&app.bed, &app.namespace());
    call.args(["exec", pod, "--"]).args(words);
    clients::answer_of(call, "")
}

/// Logs in to SigNoz as its first user and asks which services sent spans.
fn traced_services(env: &Value) -> Answer {
    let login = &service(env, "signoz")["credentials"];
    let url = format!("http://{}/api", port(env, "signoz", "ui"));
    let email = login["email"].as_str().unwrap();
    let parsed = |answer: String| serde_json::from_str::<Value>(&answer).map_err(|error| format!("{error}: {answer}"));
    let context = parsed(clients::curl(&[&format!("{url}/v2/sessions/context?email={email}&ref={url}")])?)?;
    let organisation = &context["data"]["orgs"][0]["id"];
    let login = json!({"email": email, "password": login["password"], "orgId": organisation});
    let session = parsed(clients::post(&format!("{url}/v2/sessions/email_password"), &login.to_string())?)?;
    let token = session["data"]["accessToken"].as_str().ok_or_else(|| session.to_string())?;
    clients::curl(&[&format!("{url}/v1/services/list"), "--header", &format!("Authorization: Bearer {token}")])
}
