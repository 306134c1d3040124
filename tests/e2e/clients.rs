//! Real clients on this machine.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::project::command;
use crate::support::root;

/// What a service answered, or why it did not.
pub(super) type Answer = Result<String, String>;

/// Asks PostgreSQL one thing with psql.
pub(super) fn postgres(url: &str, query: &str) -> String {
    run("psql", &[url, "--no-psqlrc", "--tuples-only", "--no-align", "--command", query])
}

/// Asks Redis one thing with redis-cli.
pub(super) fn redis(url: &str, words: &[&str]) -> String {
    run("redis-cli", &[&["-u", url, "--no-auth-warning"], words].concat())
}

/// Asks Valkey one thing with redis-cli.
pub(super) fn valkey(url: &str, words: &[&str]) -> Answer {
    attempt("redis-cli", &[&["-u", url, "--no-auth-warning"], words].concat(), "")
}

/// Asks MySQL or MariaDB one thing with MariaDB's client.
pub(super) fn mysql(url: &str, query: &str) -> Answer {
    let (_, rest) = url.split_once("://").unwrap();
    let (login, place) = rest.split_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    let (address, database) = place.split_once('/').unwrap();
    let (host, port) = address.split_once(':').unwrap();
    let option = |name: &str, value: &str| format!("--{name}={value}");
    let options = [("host", host), ("port", port), ("user", user), ("password", password), ("execute", query)];
    let options: Vec<String> = options.iter().map(|(name, value)| option(name, value)).collect();
    let mut args = vec!["--no-defaults", "--protocol=tcp", "--batch", "--skip-column-names"];
    args.extend(options.iter().map(String::as_str));
    args.push(database);
    attempt("mariadb", &args, "")
}

/// Asks a broker of AMQP one thing with a program of amqp-tools.
pub(super) fn amqp(program: &str, url: &str, args: &[&str]) -> Answer {
    let url = format!("--url={url}");
    attempt(program, &[&[url.as_str()], args].concat(), "")
}

/// Writes a message into a topic of Kafka with kcat.
pub(super) fn kafka_write(brokers: &str, topic: &str, message: &str) {
    attempt("kcat", &["-q", "-b", brokers, "-t", topic, "-P"], message).unwrap();
}

/// Reads the messages of a topic of Kafka with kcat.
pub(super) fn kafka_read(brokers: &str, topic: &str) -> Answer {
    let limit = ["-X", "socket.connection.setup.timeout.ms=5000", "-m", "10"];
    attempt("kcat", &[&limit[..], &["-q", "-b", brokers, "-t", topic, "-C", "-e", "-o", "beginning"]].concat(), "")
}

/// Asks a server with curl, which fails for every answer that tells of an error.
pub(super) fn curl(args: &[&str]) -> Answer {
    attempt("curl", &[&["--silent", "--show-error", "--fail-with-body", "--max-time", "30"], args].concat(), "")
}

/// Asks a server for what answers to a document of JSON.
pub(super) fn post(url: &str, json: &str) -> Answer {
    curl(&[url, "--json", json])
}

/// Sends a span `checkout` of this service over OTLP, which began at this time (nanoseconds since the epoch).
pub(super) fn span(endpoint: &str, service: &str, began: u128) {
    let span = json!({
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "checkout", "kind": 2,
        "startTimeUnixNano": began.to_string(), "endTimeUnixNano": (began + 1).to_string(),
    });
    let name = json!({"key": "service.name", "value": {"stringValue": service}});
    let spans = json!({"resourceSpans": [{"resource": {"attributes": [name]}, "scopeSpans": [{"spans": [span]}]}]});
    post(&format!("{endpoint}/v1/traces"), &spans.to_string()).unwrap();
}

/// Asks ClickHouse one thing over HTTP, as the user and in the database of an address.
pub(super) fn clickhouse(url: &str, query: &str) -> Answer {
    let (server, database) = url.rsplit_once('/').unwrap();
    curl(&[&format!("{server}/?database={database}"), "--data-binary", query])
}

/// Hands a mail over by SMTP with curl.
pub(super) fn mail(address: &str, text: &str) {
    let url = format!("smtp://{address}");
    let args = ["--silent", "--show-error", &url, "--mail-from", "shop@example.com", "--mail-rcpt", "ada@example.com"];
    attempt("curl", &[&args[..], &["--upload-file", "-"]].concat(), text).unwrap();
}

/// Asks an S3 store one thing about an object, by a signed request: puts a text there, or gets what is there.
pub(super) fn s3(env: &Value, object: &str, put: Option<&str>) -> Answer {
    let told = |name: &str| env[name].as_str().unwrap_or_else(|| panic!("no {name}: {env}"));
    let url = format!("{}/{}/{object}", told("S3_ENDPOINT"), told("AWS_S3_BUCKET"));
    let signer = format!("aws:amz:{}:s3", told("AWS_REGION"));
    let login = format!("{}:{}", told("AWS_ACCESS_KEY_ID"), told("AWS_SECRET_ACCESS_KEY"));
    // Older curls do not send it by themselves, and S3 asks for it.
    let content = "x-amz-content-sha256: UNSIGNED-PAYLOAD";
    let signed = ["--aws-sigv4", signer.as_str(), "--header", content, "--user", login.as_str(), url.as_str()];
    match put {
        Some(text) => curl(&[&signed[..], &["--request", "PUT", "--data-binary", text]].concat()),
        None => curl(&signed),
    }
}

/// Asks Azure's blobs one thing: method, container or blob, text.
pub(super) fn azure(connection: &str, words: &[&str]) -> Answer {
    let script = root().join("tests/e2e/azure_blob.py");
    attempt("python3", &[&[&*script.to_string_lossy(), connection], words].concat(), "")
}

/// Asks imgproxy for an image as a PNG that fits into a square, by a signed URL, for its size as `WIDTHxHEIGHT`.
pub(super) fn imgproxy(env: &Value, source: &str, side: &str) -> Answer {
    let told = |name: &str| env[name].as_str().unwrap_or_else(|| panic!("no {name}: {env}"));
    let script = root().join("tests/e2e/imgproxy.py");
    let script = script.to_string_lossy();
    attempt("python3", &[&script, told("IMGPROXY_URL"), told("IMGPROXY_KEY"), told("IMGPROXY_SALT"), source, side], "")
}

/// Speaks a protocol of lines: sends the text, and reads until the answer is whole.
pub(super) fn speak(address: &str, text: &str, whole: impl Fn(&str) -> bool) -> Answer {
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(text.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = String::new();
    let mut bytes = [0; 4096];
    while !whole(&answer) {
        let count = stream.read(&mut bytes).map_err(|error| error.to_string())?;
        if count == 0 {
            return Err(format!("the end after {answer:?}"));
        }
        answer.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    Ok(answer)
}

/// Asks NATS for the answer to one message.
pub(super) fn nats(url: &str, subject: &str, body: &str) -> Answer {
    let address = url.strip_prefix("nats://").unwrap();
    let length = body.len();
    let text = format!("CONNECT {{}}\r\nSUB answers 1\r\nPUB {subject} answers {length}\r\n{body}\r\n");
    // After its head an answer of JetStream is one line.
    let all = speak(address, &text, |answer| {
        answer.split_once("MSG answers").is_some_and(|(_, message)| message.matches("\r\n").count() >= 2)
    })?;
    Ok(all.split_once("MSG answers").unwrap().1.to_owned())
}

/// Runs a program and returns what it prints.
pub(super) fn run(program: &str, args: &[&str]) -> String {
    attempt(program, args, "").unwrap_or_else(|said| panic!("{program}: {said}"))
}

/// Runs a program with this on its standard input; what it says when it fails is the error.
pub(super) fn attempt(program: &str, args: &[&str], input: &str) -> Answer {
    let mut client = command(Path::new(program));
    client.args(args);
    answer_of(client, input)
}

/// Runs a call with this on its standard input; what it says when it fails is the error.
pub(super) fn answer_of(mut client: Command, input: &str) -> Answer {
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = client.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", client.get_program()));
    // Who reads nothing of it has ended.
    let _ = client.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = client.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if status.success() { Ok(text(&stdout)) } else { Err(format!("{}\n{}", text(&stderr), text(&stdout))) }
}
