//! Services of the catalog as pods, each of which answers a client of its own on this machine, by what `kilter env` says, and
//! still has what it was given when its pod is another one.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::app::App;
use super::clients::{self, Answer};
use super::{Bed, until, until_ok};
use crate::support::project::command;
use crate::support::{root, skip};

/// What a service is asked again and again, and what the answer then contains.
pub(super) type Question<'a> = (&'static str, Box<dyn Fn() -> Answer + 'a>, &'static str);

#[test]
fn slow_databases_caches_brokers_and_workflows_answer_their_clients() {
    let Some(bed) = Bed::find("databases, caches, brokers and workflows") else { return };
    let services = ["postgres", "mysql", "valkey", "memcached", "rabbitmq", "nats", "temporal"];
    let app = App::without_app(&bed, "e2e-stores", &services);
    app.up();
    let env = app.env();
    let temporal = program_of(&app, "temporal", "/usr/local/bin/temporal");

    clients::postgres(told(&env, "DATABASE_URL"), "CREATE TABLE words (word text)");
    let tables = format!("http://{}/api/objects", port(&env, "postgres", "ui"));
    let mysql = told(&env, "MYSQL_URL");
    clients::mysql(mysql, "CREATE TABLE words (word VARCHAR(20)); INSERT INTO words VALUES ('atlas')").unwrap();
    let valkey = told(&env, "VALKEY_URL");
    assert_eq!(clients::valkey(valkey, &["SET", "greeting", "hello"]).unwrap(), "OK");
    let lines = "set greeting 0 0 5\r\nhello\r\nget greeting\r\n";
    let said = clients::speak(told(&env, "MEMCACHE_SERVERS"), lines, |answer| answer.contains("END")).unwrap();
    assert_eq!(said, "STORED\r\nVALUE greeting 0 5\r\nhello\r\nEND\r\n");
    let amqp = told(&env, "AMQP_URL");
    clients::amqp("amqp-declare-queue", amqp, &["--queue=jobs", "--durable"]).unwrap();
    clients::amqp("amqp-publish", amqp, &["--routing-key=jobs", "--persistent", "--body=resize"]).unwrap();
    let nats = told(&env, "NATS_URL");
    let stream = "{\"name\":\"ORDERS\",\"subjects\":[\"orders\"],\"storage\":\"file\"}";
    let made = clients::nats(nats, "$JS.API.STREAM.CREATE.ORDERS", stream).unwrap();
    assert!(made.contains("\"name\":\"ORDERS\""), "{made}");
    let stored = clients::nats(nats, "orders", "{\"number\":7}").unwrap();
    assert!(stored.contains("\"seq\":1"), "{stored}");
    let address = ["--address", told(&env, "TEMPORAL_ADDRESS")];
    let workflow = |words: &[&str]| clients::attempt(&temporal, &[&["workflow"], words, &address].concat(), "");
    workflow(&["start", "--type", "Order", "--task-queue", "orders", "--workflow-id", "order-7"]).unwrap();
    let namespaces = clients::curl(&[&format!("{}/api/v1/namespaces", told(&env, "TEMPORAL_UI_URL"))]).unwrap();
    assert!(namespaces.contains("\"default\""), "{namespaces}");

    answered_by_other_pods(
        &app,
        &[
            ("pgweb", Box::new(|| clients::curl(&[&tables])), "words"),
            ("mysql", Box::new(|| clients::mysql(mysql, "SELECT word FROM words")), "atlas"),
            ("valkey", Box::new(|| clients::valkey(valkey, &["GET", "greeting"])), "hello"),
            ("rabbitmq", Box::new(|| queue(&env, "jobs")), "\"durable\":true"),
            ("nats", Box::new(|| clients::nats(nats, "$JS.API.STREAM.INFO.ORDERS", "")), "\"messages\":1"),
            ("temporal", Box::new(|| workflow(&["describe", "--workflow-id", "order-7"])), "order-7"),
        ],
    );
    // Another port than the one that answered, so another forward, which may come later.
    answer("rabbitmq", &|| clients::amqp("amqp-get", amqp, &["--queue=jobs"]), "resize");
}

#[test]
fn slow_identities_mail_and_events_answer_their_clients() {
    let images = ["kafka", "kratos", "hydra", "keto", "oathkeeper"];
    let Some(bed) = bed_with("identities, mail and events", &images) else { return };
    let app = App::without_app(&bed, "e2e-people", &["mariadb", "mailpit", "ory", "kafka"]);
    app.up();
    let env = app.env();

    let mariadb = told(&env, "MARIADB_URL");
    clients::mysql(mariadb, "CREATE TABLE words (word VARCHAR(20)); INSERT INTO words VALUES ('atlas')").unwrap();
    let mail = "From: shop@example.com\r\nTo: ada@example.com\r\nSubject: Your order 7\r\n\r\nIt is on its way.\r\n";
    clients::mail(&format!("{}:{}", told(&env, "SMTP_HOST"), told(&env, "SMTP_PORT")), mail);
    let brokers = told(&env, "KAFKA_BROKERS");
    clients::kafka_write(brokers, "orders", "order 7");
    identity(&env);
    permission(&env);

    let messages = format!("http://{}/api/v1/messages", port(&env, "mailpit", "ui"));
    let identities = format!("{}/admin/identities", told(&env, "KRATOS_ADMIN_URL"));
    let rules = format!("{}/rules", told(&env, "OATHKEEPER_API_URL"));
    answered_by_other_pods(
        &app,
        &[
            ("mariadb", Box::new(|| clients::mysql(mariadb, "SELECT word FROM words")), "atlas"),
            ("mailpit", Box::new(|| clients::curl(&[&messages])), "Your order 7"),
            ("mail of kratos", Box::new(|| clients::curl(&[&messages])), "verify your email"),
            ("kratos", Box::new(|| clients::curl(&[&identities])), "ada@example.com"),
            ("hydra", Box::new(|| token(&env)), "access_token"),
            ("keto", Box::new(|| allowed(&env)), "\"allowed\":true"),
            ("oathkeeper", Box::new(|| clients::curl(&[&rules])), "[]"),
            ("kafka", Box::new(|| clients::kafka_read(brokers, "orders")), "order 7"),
        ],
    );
}

#[test]
fn slow_vectors_objects_and_traces_answer_their_clients() {
    let services = ["chroma", "weaviate", "azurite", "fake-gcs-server", "garage", "jaeger", "imgproxy"];
    let Some(bed) = bed_with("vectors, objects and traces", &services) else { return };
    let app = App::without_app(&bed, "e2e-shelves", &services);
    app.up();
    let env = app.env();

    let azurite = told(&env, "AZURE_STORAGE_CONNECTION_STRING");
    clients::azure(azurite, &["PUT", "books"]).unwrap();
    clients::azure(azurite, &["PUT", "books/atlas", "of the world"]).unwrap();
    let (gcs, bucket) = (told(&env, "STORAGE_EMULATOR_HOST"), told(&env, "GCS_BUCKET"));
    let to = format!("{gcs}/upload/storage/v1/b/{bucket}/o?uploadType=media&name=atlas");
    clients::curl(&[&to, "--data-binary", "of the sky"]).unwrap();
    let to = format!("{gcs}/upload/storage/v1/b/{bucket}/o?uploadType=media&name=drawing");
    let drawing = "<svg xmlns='http://www.w3.org/2000/svg' width='400' height='200'><rect width='9' height='9'/></svg>";
    clients::curl(&[&to, "--header", "Content-Type: image/svg+xml", "--data-binary", drawing]).unwrap();
    let s3 = &env["localhost"];
    clients::s3(s3, "atlas", Some("of the sea")).unwrap();
    let vectors = collection(told(&env, "CHROMA_URL"));
    let objects = format!("{}/v1/objects", told(&env, "WEAVIATE_URL"));
    let key = format!("Authorization: Bearer {}", told(&env, "WEAVIATE_API_KEY"));
    let book = "{\"class\":\"Book\",\"properties\":{\"title\":\"gazetteer\"},\"vector\":[1,0]}";
    clients::curl(&[&objects, "--header", &key, "--json", book]).unwrap();
    trace(&env);

    let nearest = "{\"query_embeddings\":[[0.1,0.9]],\"n_results\":1}";
    let books = format!("{objects}?class=Book");
    let atlas = format!("{gcs}/storage/v1/b/{bucket}/o/atlas?alt=media");
    let store = env["inCluster"]["STORAGE_EMULATOR_HOST"].as_str().unwrap();
    let drawing = format!("{store}/storage/v1/b/{bucket}/o/drawing?alt=media");
    answered_by_other_pods(
        &app,
        &[
            ("chroma", Box::new(|| clients::post(&format!("{vectors}/query"), nearest)), "dictionary"),
            ("weaviate", Box::new(|| clients::curl(&[&books, "--header", &key])), "gazetteer"),
            ("azurite", Box::new(|| clients::azure(azurite, &["GET", "books/atlas"])), "of the world"),
            ("fake-gcs-server", Box::new(|| clients::curl(&[&atlas])), "of the sky"),
            ("garage", Box::new(|| clients::s3(s3, "atlas", None)), "of the sea"),
            ("imgproxy", Box::new(|| clients::imgproxy(&env["localhost"], &drawing, "100")), "100x50"),
        ],
    );
}

#[test]
fn slow_searches_analytics_and_logins_answer_their_clients() {
    let services = ["elasticsearch", "opensearch", "typesense", "clickhouse", "keycloak"];
    let Some(bed) = bed_with("searches, analytics and logins", &services) else { return };
    let app = App::without_app(&bed, "e2e-doors", &services);
    app.up();
    let env = app.env();

    let books = format!("{}/books", told(&env, "OPENSEARCH_URL"));
    let put = |url: &str, json: &str| clients::curl(&[url, "--request", "PUT", "--json", json]).unwrap();
    put(&books, "{\"mappings\":{\"properties\":{\"title\":{\"type\":\"text\",\"analyzer\":\"english\"}}}}");
    put(&format!("{books}/_doc/7?refresh=true"), "{\"title\":\"An atlas of rivers\"}");
    let maps = format!("{}/maps", told(&env, "ELASTICSEARCH_URL"));
    put(&format!("{maps}/_doc/3?refresh=true"), "{\"title\":\"A map of the sea\",\"year\":1569}");
    let words = format!("{}/collections", told(&env, "TYPESENSE_URL"));
    let key = format!("X-TYPESENSE-API-KEY: {}", told(&env, "TYPESENSE_API_KEY"));
    let fields = "{\"name\":\"words\",\"fields\":[{\"name\":\"word\",\"type\":\"string\"}]}";
    clients::curl(&[&words, "--header", &key, "--json", fields]).unwrap();
    let words = format!("{words}/words/documents");
    clients::curl(&[&words, "--header", &key, "--json", "{\"word\":\"gazetteer\"}"]).unwrap();
    let clickhouse = told(&env, "CLICKHOUSE_URL");
    clients::clickhouse(clickhouse, "CREATE TABLE sales (book String) ENGINE = MergeTree ORDER BY book").unwrap();
    clients::clickhouse(clickhouse, "INSERT INTO sales VALUES ('atlas'), ('gazetteer'), ('atlas')").unwrap();
    realm(&env);

    let found = format!("{books}/_search?q=title:river");
    let drawn = format!("{maps}/_search?q=title:sea+AND+year:%3C1600");
    let misspelt = format!("{words}/search?q=gazeteer&query_by=word");
    let sold = "SELECT book, count() FROM sales GROUP BY book HAVING count() > 1";
    answered_by_other_pods(
        &app,
        &[
            ("elasticsearch", Box::new(|| clients::curl(&[&drawn])), "A map of the sea"),
            ("opensearch", Box::new(|| clients::curl(&[&found])), "An atlas of rivers"),
            ("typesense", Box::new(|| clients::curl(&[&misspelt, "--header", &key])), "gazetteer"),
            ("clickhouse", Box::new(|| clients::clickhouse(clickhouse, sold)), "atlas\t2"),
            ("keycloak", Box::new(|| login(&env)), "access_token"),
        ],
    );
}

#[test]
fn slow_objects_of_rustfs_answer_their_client() {
    let Some(bed) = Bed::find("objects of RustFS") else { return };
    if !missing(&bed, &["rustfs"]).is_empty() {
        return skip("objects of RustFS: its image is built on request, by `scripts/service-images rustfs`");
    }
    let app = App::without_app(&bed, "e2e-buckets", &["rustfs"]);
    app.up();
    let env = &app.env()["localhost"];
    clients::s3(env, "globe", Some("of the sky")).unwrap();
    answered_by_other_pods(&app, &[("rustfs", Box::new(|| clients::s3(env, "globe", None)), "of the sky")]);
}

/// Finds the bed with the images of these folders of `scripts/service-images.d`; says what is not tested where they are left for
/// another run.
fn bed_with(what: &str, images: &[&str]) -> Option<Bed> {
    let bed = Bed::find(what)?;
    let missing = missing(&bed, images);
    if missing.is_empty() {
        return Some(bed);
    }
    skip(&format!("{what}: left for the next run, as the time of this one did not do to build {}", missing.join(", ")));
    None
}

/// Returns the images of these folders of `scripts/service-images.d` that are not built.
fn missing(bed: &Bed, folders: &[&str]) -> Vec<String> {
    absent(bed, &[&["--list"], folders].concat())
}

/// Returns which of the images that `scripts/service-images` lists with these arguments are not there.
pub(super) fn absent(bed: &Bed, args: &[&str]) -> Vec<String> {
    let list = command(&root().join("scripts/service-images")).args(args).output().unwrap();
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    let is_built = |image: &str| {
        let mut inspect = command(Path::new("docker"));
        inspect.env("DOCKER_HOST", &bed.docker).args(["image", "inspect", image]).output().unwrap().status.success()
    };
    let images = String::from_utf8(list.stdout).unwrap();
    images.lines().filter(|image| !is_built(image)).map(str::to_owned).collect()
}

/// Asks a service until it gives an answer with the part.
fn answer(service: &str, question: &dyn Fn() -> Answer, part: &str) {
    until_ok(&format!("the answer of {service} with {part:?}"), || {
        question().and_then(|answer| if answer.contains(part) { Ok(()) } else { Err(answer) })
    });
}

/// Waits for each answer, starts every pod of the project again, and waits for each answer of the new ones.
pub(super) fn answered_by_other_pods(app: &App, questions: &[Question<'_>]) {
    let ask = || {
        for (service, question, part) in questions {
            answer(service, question, part);
        }
    };
    ask();
    let before: BTreeSet<String> = app.pods().into_iter().map(|(_, uid, _)| uid).collect();
    app.kilter(&["restart"]).succeeds();
    until("other pods in place of all", || {
        let now = app.pods();
        (now.len() == before.len() && now.iter().all(|(_, uid, _)| !before.contains(uid))).then_some(())
    });
    // By name: one that is about to go never gets ready.
    let names: Vec<String> = app.pods().into_iter().map(|(name, ..)| format!("pod/{name}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let wait = ["wait", "--for=condition=Ready", "--timeout=180s"];
    app.kubectl(&[&wait, names.as_slice()].concat()).expect("ready pods");
    ask();
}

/// A variable as this machine is told it.
pub(super) fn told<'a>(env: &'a Value, name: &str) -> &'a str {
    env["localhost"][name].as_str().unwrap_or_else(|| panic!("no {name}: {env}"))
}

/// A service by its name.
pub(super) fn service<'a>(env: &'a Value, name: &str) -> &'a Value {
    env["services"].as_array().unwrap().iter().find(|service| service["name"] == name).unwrap()
}

/// The address of a port on this machine.
pub(super) fn port<'a>(env: &'a Value, of: &str, name: &str) -> &'a str {
    let ports = service(env, of)["ports"].as_array().unwrap();
    ports.iter().find(|port| port["name"] == name).unwrap()["localhost"].as_str().unwrap()
}

/// Takes a program out of the image of a service.
fn program_of(app: &App, service: &str, path: &str) -> String {
    let image = &kilter::catalog::services()[service].image;
    let container = app.docker(&["create", image]);
    let copy = app.project.outside("client").to_string_lossy().into_owned();
    app.docker(&["cp", &format!("{}:{path}", container.trim()), &copy]);
    app.docker(&["rm", container.trim()]);
    copy
}

/// What the management UI of RabbitMQ says of a queue.
fn queue(env: &Value, name: &str) -> Answer {
    let login = &service(env, "rabbitmq")["credentials"];
    let login = format!("{}:{}", login["user"].as_str().unwrap(), login["password"].as_str().unwrap());
    let url = format!("http://{}/api/queues/%2F/{name}", port(env, "rabbitmq", "ui"));
    clients::curl(&["--user", &login, &url])
}

/// Makes a collection of Chroma with two vectors; returns its address.
fn collection(url: &str) -> String {
    let all = format!("{url}/api/v2/tenants/default_tenant/databases/default_database/collections");
    let made: Value = serde_json::from_str(&clients::post(&all, "{\"name\":\"books\"}").unwrap()).unwrap();
    let books = format!("{all}/{}", made["id"].as_str().unwrap());
    let two = "{\"ids\":[\"a\",\"b\"],\"embeddings\":[[1,0],[0,1]],\"documents\":[\"atlas\",\"dictionary\"]}";
    clients::post(&format!("{books}/add"), two).unwrap();
    books
}

/// Registers a person with Kratos, as an app does for a client of its API, and a client with Hydra.
fn identity(env: &Value) {
    let url = format!("{}/self-service/registration", told(env, "KRATOS_URL"));
    let flow: Value = serde_json::from_str(&clients::curl(&[&format!("{url}/api")]).unwrap()).unwrap();
    let person =
        "{\"method\":\"password\",\"password\":\"correct-horse-7\",\"traits\":{\"email\":\"ada@example.com\"}}";
    let registered = clients::post(&format!("{url}?flow={}", flow["id"].as_str().unwrap()), person).unwrap();
    let session: Value = serde_json::from_str(&registered).unwrap();
    let token = format!("X-Session-Token: {}", session["session_token"].as_str().unwrap());
    let whoami = format!("{}/sessions/whoami", told(env, "KRATOS_URL"));
    let person = clients::curl(&[&whoami, "--header", &token]).unwrap();
    assert!(person.contains("ada@example.com"), "{person}");
    let client = "{\"client_id\":\"shop\",\"client_secret\":\"of-the-shop\",\"grant_types\":[\"client_credentials\"]}";
    clients::post(&format!("{}/admin/clients", told(env, "HYDRA_ADMIN_URL")), client).unwrap();
}

/// Asks Hydra for a token of that client.
fn token(env: &Value) -> Answer {
    let url = format!("{}/oauth2/token", told(env, "HYDRA_URL"));
    clients::curl(&[&url, "--user", "shop:of-the-shop", "--data", "grant_type=client_credentials"])
}

/// Makes a realm of Keycloak with a client and a person, as the admin whom `kilter env` names.
fn realm(env: &Value) {
    let url = told(env, "KEYCLOAK_URL");
    let admin = &service(env, "keycloak")["credentials"];
    let user = format!("username={}", admin["user"].as_str().unwrap());
    let password = format!("password={}", admin["password"].as_str().unwrap());
    let tokens = format!("{url}/realms/master/protocol/openid-connect/token");
    let form = ["--data", "grant_type=password&client_id=admin-cli"];
    let login = ["--data-urlencode", &user, "--data-urlencode", &password, &tokens];
    let tokens: Value = serde_json::from_str(&clients::curl(&[&form[..], &login].concat()).unwrap()).unwrap();
    let token = format!("Authorization: Bearer {}", tokens["access_token"].as_str().unwrap());
    let client = "{\"clientId\":\"shop\",\"publicClient\":true,\"directAccessGrantsEnabled\":true}";
    let person = "{\"username\":\"ada\",\"enabled\":true,\"email\":\"ada@example.com\",\"firstName\":\"Ada\",\
                  \"lastName\":\"Byron\",\"credentials\":[{\"type\":\"password\",\"value\":\"correct-horse-7\"}]}";
    let realm = format!("{{\"realm\":\"shop\",\"enabled\":true,\"clients\":[{client}],\"users\":[{person}]}}");
    clients::curl(&[&format!("{url}/admin/realms"), "--header", &token, "--json", &realm]).unwrap();
}

/// Asks Keycloak for a token of that person.
fn login(env: &Value) -> Answer {
    let url = format!("{}/realms/shop/protocol/openid-connect/token", told(env, "KEYCLOAK_URL"));
    let form = "grant_type=password&client_id=shop&username=ada&password=correct-horse-7";
    clients::curl(&[&url, "--data", form])
}

/// Says to Keto that Bob is a friend of Ada's.
fn permission(env: &Value) {
    let url = format!("{}/admin/relation-tuples", told(env, "KETO_WRITE_URL"));
    let friend = "{\"namespace\":\"User\",\"object\":\"ada\",\"relation\":\"friend\",\"subject_id\":\"bob\"}";
    clients::curl(&[&url, "--request", "PUT", "--json", friend]).unwrap();
}

/// Asks Keto whether he is.
fn allowed(env: &Value) -> Answer {
    let query = "namespace=User&object=ada&relation=friend&subject_id=bob";
    clients::curl(&[&format!("{}/relation-tuples/check?{query}", told(env, "KETO_READ_URL"))])
}

/// Sends Jaeger a span over OTLP and waits until its UI shows it. It is in memory alone.
fn trace(env: &Value) {
    clients::span(told(env, "OTEL_EXPORTER_OTLP_ENDPOINT"), "shop", 1_700_000_000_000_000_000);
    let shown = format!("{}/api/traces/5b8efff798038103d269b633813fc60c", told(env, "JAEGER_UI_URL"));
    until("the span in Jaeger's UI", || clients::curl(&[&shown]).ok().filter(|answer| answer.contains("checkout")));
}
