//! A kilter-server of a test's own on 127.0.0.1: it answers as told and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use kilter::api::Token;

use super::project::{Project, Run, write_script};

/// How it answers one request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// A status with a JSON body.
    Json(u16, Value),
    /// A status with a page, as a proxy gives it.
    Page(u16),
    /// A redirect to this address.
    Redirect(String),
    /// The connection ends without a word.
    Nothing,
}

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Method and path with its query, `GET /v1/info`.
    pub(crate) what: String,
    /// The headers, names in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// The body; null when there is none.
    pub(crate) body: Value,
}

#[derive(Debug, Default)]
struct State {
    answers: HashMap<String, VecDeque<Answer>>,
    asked: Vec<Asked>,
}

/// The server; it lives as long as the test process.
#[derive(Debug, Clone)]
pub(crate) struct Platform {
    url: String,
    state: Arc<Mutex<State>>,
    came: Arc<Condvar>,
}

/// Far above what any request needs on a loaded machine.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// What a deploy is accepted with.
pub(crate) const DEPLOY: &str = "d0123456789abcdef";
/// Where the app answers.
pub(crate) const URL: &str = "https://shop.apps.example.com";
/// The app's place on the server.
pub(crate) const APP: &str = "/v1/apps/acme/shop/envs/prod";

impl Platform {
    /// Starts a server that knows `GET /v1/info` and takes the test's token alone.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let platform = Self { url, state: Arc::default(), came: Arc::default() };
        platform.answers("GET /v1/info", [Answer::Json(200, info())]);
        let handler = platform.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let handler = handler.clone();
                thread::spawn(move || handler.serve(stream));
            }
        });
        platform
    }

    /// The address, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Gives the answers to a request; the last one stays.
    pub(crate) fn answers(&self, what: &str, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().answers.insert(what.to_owned(), answers.into_iter().collect());
    }

    /// Takes deploys, and says of the one how far it is: one phase for each time it is asked.
    pub(crate) fn deploys(&self, phases: impl IntoIterator<Item = Value>) {
        let accepted = json!({"deploy": DEPLOY, "revision": 7, "url": URL, "unchanged": false});
        self.answers(&format!("POST {APP}/deploys"), [Answer::Json(202, accepted.clone())]);
        self.answers(&format!("POST {APP}/rollback"), [Answer::Json(202, accepted)]);
        let infos = phases.into_iter().map(|info| Answer::Json(200, info));
        self.answers(&format!("GET {APP}/deploys/{DEPLOY}"), infos);
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    /// What was asked of this, `POST /path`, so far.
    pub(crate) fn asked_of(&self, what: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.what == what).collect()
    }

    /// Waits until this was asked. Fails the test when it never is.
    pub(crate) fn awaits(&self, what: &str) {
        let missing = |state: &mut State| !state.asked.iter().any(|asked| asked.what == what);
        let waited = self.came.wait_timeout_while(self.state.lock().unwrap(), HANGS_AFTER, missing).unwrap();
        assert!(!waited.1.timed_out(), "{what} was never asked");
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(asked) = read(&mut reader) {
            let authorized = asked.headers.get("authorization") == Some(&format!("Bearer {}", token().secret()));
            let answer = {
                let mut state = self.state.lock().unwrap();
                state.asked.push(asked.clone());
                self.came.notify_all();
                match state.answers.get_mut(&asked.what) {
                    _ if !authorized => failure(401, "Unauthorized", "the token is not valid"),
                    Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
                    Some(answers) => answers[0].clone(),
                    None => failure(404, "NotFound", "there is no such thing"),
                }
            };
            let (status, headers, body) = match answer {
                Answer::Json(status, body) => (status, String::new(), body.to_string()),
                Answer::Page(status) => (status, String::new(), "<html>bad</html>".into()),
                Answer::Redirect(to) => (302, format!("Location: {to}\r\n"), String::new()),
                Answer::Nothing => return,
            };
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
            if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
                return; // the client may hang up at any time
            }
        }
    }
}

/// What `GET /v1/info` says.
pub(crate) fn info() -> Value {
    json!({"version": "0.1.0", "api": ["v1"], "domain": "apps.example.com", "platforms": ["linux/amd64"],
        "sopsRecipient": RECIPIENT})
}

/// The cluster's age recipient; nobody has its key.
pub(crate) const RECIPIENT: &str = "age1wh7j48whn6lhfkzc88sltp227u29ll7r59l5evwx4nqczd6ftehqka6g7a";

/// A failure as kilter-server words it.
pub(crate) fn failure(status: u16, code: &str, message: &str) -> Answer {
    Answer::Json(status, json!({"error": {"code": code, "message": message}}))
}

/// How far the deploy is.
pub(crate) fn phase(phase: &str, message: &str) -> Value {
    json!({"deploy": DEPLOY, "revision": 7, "phase": phase, "message": message, "by": "ci", "image": IMAGE, "url": URL})
}

/// An image by digest.
pub(crate) const IMAGE: &str =
    "registry.example.com/acme/shop@sha256:4c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e2";

/// The token that the server takes.
pub(crate) fn token() -> Token {
    Token::from_entropy(std::array::from_fn(|i| u8::try_from(i * 5).unwrap()))
}

/// Prepares a run of kilter that is told server and token by the environment, and everything else by its arguments.
pub(crate) fn kilter<'a>(project: &'a Project, platform: &Platform, args: &[&str]) -> Run<'a> {
    project
        .kilter(args)
        .env("KILTER_SERVER", platform.url())
        .env("KILTER_TOKEN", token().secret())
        .env("KILTER_PROJECT", "acme/shop")
}

/// Gives the project a sops that encrypts as the real one does, but for the cipher: every value becomes the same text. What
/// it is called with is written down in `sops-calls`.
pub(crate) fn fake_sops(project: &Project) -> std::path::PathBuf {
    let path = project.outside("bin/sops");
    let version = kilter::toolchain::Pins::builtin().default_version(kilter::toolchain::Tool::Sops).to_string();
    let script = format!(
        r##"case "$*" in --version*) echo "sops {version}"; exit ;; esac
echo "$*" >>'{calls}'
to=; while [ $# -gt 0 ]; do case "$1" in --age) to=$2 ;; esac; shift; done
text=$(cat)
enc='"ENC[AES256_GCM,data:eA==,iv:eQ==,tag:eg==,type:str]"'
head=$(printf %s "$text" | sed 's/"stringData".*//')
keys=$(printf %s "$text" | sed 's/.*"stringData":{{\(.*\)}},"type".*/\1/' | sed "s#\":\"[^\"]\{{1,\}}\"#\":$enc#g")
printf '%s"stringData":{{%s}},"type":"Opaque","sops":{{"age":[{{"recipient":"%s","enc":"e"}}],"mac":%s,"encrypted_regex":"^stringData$","version":"3"}}}}' "$head" "$keys" "$to" "$enc"
"##,
        calls = project.outside("sops-calls").display()
    );
    write_script(&path, &script);
    path
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = || -> Option<String> {
        let mut text = String::new();
        reader.read_line(&mut text).ok().filter(|length| *length > 0)?;
        Some(text.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let what = format!("{} {}", words.next()?, words.next()?);
    let mut headers = HashMap::new();
    while let Some((name, value)) = line()?.split_once(": ") {
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { what, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}
