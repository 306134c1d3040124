//! What speaks to kilter-server.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{Method, Request, StatusCode, header};
use ureq::{Agent, Body, Proxy};

use super::login::Access;
use crate::api::{
    AppId, AppInfo, DeployAccepted, DeployInfo, DeployRequest, Failure, FailureBody, Info, Logs, PlanAccepted,
    PlanInfo, RollbackRequest,
};
use crate::diag::{Error, Kind, Problem, Result, io_words};
use crate::exec;
use crate::fsx::random_bytes;
use crate::ids::hex;

/// Largest answer that is read. The largest the server gives are logs.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;
/// How often a request is made before it is given up.
const ATTEMPTS: u32 = 5;
/// The pause before the second; it doubles with each.
const PAUSE: Duration = Duration::from_millis(400);
/// The longest pause, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// How long a connection may take, and an answer.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(60);

/// A client of one server.
pub struct Client {
    access: Access,
    agent: Agent,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("access", &self.access).finish_non_exhaustive()
    }
}

/// What a request gave.
enum Answer<T> {
    There(T),
    /// 404, where that is an answer.
    Missing,
    /// Nobody answered, as often as it was tried; why.
    Away(String),
}

/// How one attempt failed.
enum Attempt {
    /// The next one may do better; with the pause that the server asks for.
    Again(String, Option<Duration>),
    /// It will not.
    Failed(Error),
}

/// Makes the key that tells one request from every other: one per run of a command, the same for its repetitions.
///
/// # Errors
/// When the system gives no random bytes.
pub fn idempotency_key() -> Result<String> {
    random_bytes::<16>().map(|bytes| hex(&bytes))
}

impl Client {
    /// Makes a client. It follows no redirect: the token is for this server.
    pub fn new(access: Access, proxy: Option<Proxy>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .user_agent(concat!("kilter/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(ANSWER));
        Self { access, agent: config.build().into() }
    }

    /// Returns the server's address.
    pub fn server(&self) -> &str {
        self.access.server.as_str()
    }

    /// `GET /v1/info`.
    ///
    /// # Errors
    /// As every request: when the server cannot be reached, does not take the token, or refuses.
    pub fn info(&self) -> Result<Info> {
        self.get("/v1/info")
    }

    /// `GET /v1/apps`.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub fn apps(&self) -> Result<Vec<AppInfo>> {
        self.get("/v1/apps")
    }

    /// One environment of an app; `None` when it is not there.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub fn app(&self, id: &AppId) -> Result<Option<AppInfo>> {
        self.option(self.ask(Method::GET, &path(id, ""), None::<&()>, None, true)?)
    }

    /// Deletes one environment of an app; returns whether it was there.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub fn delete(&self, id: &AppId) -> Result<bool> {
        let gone = self.ask::<serde_json::Value>(Method::DELETE, &path(id, ""), None::<&()>, None, true)?;
        Ok(self.option(gone)?.is_some())
    }

    /// Deploys; `key` is the same for each repetition of one request.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub fn deploy(&self, id: &AppId, request: &DeployRequest, key: &str) -> Result<DeployAccepted> {
        self.post(&path(id, "/deploys"), request, key)
    }

    /// Deploys an earlier revision again.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub fn rollback(&self, id: &AppId, request: &RollbackRequest, key: &str) -> Result<DeployAccepted> {
        self.post(&path(id, "/rollback"), request, key)
    }

    /// The deploys that are remembered, the newest first.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub fn deploys(&self, id: &AppId) -> Result<Vec<DeployInfo>> {
        self.get(&path(id, "/deploys"))
    }

    /// One deploy; the inner failure says why the server could not be reached, where asking again may help.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn deploy_info(&self, id: &AppId, deploy: &str) -> Result<std::result::Result<DeployInfo, String>> {
        let path = path(id, &format!("/deploys/{}", part(deploy)));
        match self.ask(Method::GET, &path, None::<&()>, None, false)? {
            Answer::There(info) => Ok(Ok(info)),
            Answer::Missing => Err(self.no_answer()),
            Answer::Away(words) => Ok(Err(words)),
        }
    }

    /// What ran for one deploy said.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub fn deploy_logs(&self, id: &AppId, deploy: &str) -> Result<Logs> {
        self.get(&path(id, &format!("/deploys/{}/logs", part(deploy))))
    }

    /// What the app, or one component, says.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub fn logs(&self, id: &AppId, component: Option<&str>, tail: u16) -> Result<Logs> {
        let component = component.map(|name| format!("&component={}", part(name))).unwrap_or_default();
        self.get(&path(id, &format!("/logs?tail={tail}{component}")))
    }

    /// Asks what a deploy would change.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub fn plan(&self, id: &AppId, request: &DeployRequest, key: &str) -> Result<PlanAccepted> {
        self.post(&path(id, "/plans"), request, key)
    }

    /// The answer to that, so far.
    ///
    /// # Errors
    /// As [`Client::info`].
    pub fn plan_info(&self, id: &AppId, plan: &str) -> Result<PlanInfo> {
        self.get(&path(id, &format!("/plans/{}", part(plan))))
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.there(self.ask(Method::GET, path, None::<&()>, None, false)?)
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize, key: &str) -> Result<T> {
        self.there(self.ask(Method::POST, path, Some(body), Some(key), false)?)
    }

    fn there<T>(&self, answer: Answer<T>) -> Result<T> {
        self.option(answer)?.ok_or_else(|| self.no_answer())
    }

    fn option<T>(&self, answer: Answer<T>) -> Result<Option<T>> {
        match answer {
            Answer::There(answer) => Ok(Some(answer)),
            Answer::Missing => Ok(None),
            Answer::Away(words) => {
                Err(Error::missing(format!("kilter-server at `{}` cannot be reached: {words}", self.server()))
                    .help("Check the network and the address, then run the same command again."))
            }
        }
    }

    fn no_answer(&self) -> Error {
        Error::bug(format!("`{}` gave no answer", self.server()))
    }

    /// Makes a request, again where that may help; a 404 is an answer when `may_miss`.
    fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        key: Option<&str>,
        may_miss: bool,
    ) -> Result<Answer<T>> {
        let body = body.map(serde_json::to_vec).transpose().map_err(|error| Error::bug(error.to_string()))?;
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            exec::pause_if_interrupted()?;
            let (words, asked) = match self.once(&method, path, body.as_deref(), key, may_miss) {
                Ok(answer) => return Ok(answer),
                Err(Attempt::Failed(error)) => return Err(error),
                Err(Attempt::Again(words, asked)) => (words, asked),
            };
            if attempt == ATTEMPTS {
                return Ok(Answer::Away(words));
            }
            rest(asked.unwrap_or(pause).min(LONGEST_PAUSE))?;
            pause *= 2;
            attempt += 1;
        }
    }

    fn once<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &str,
        body: Option<&[u8]>,
        key: Option<&str>,
        may_miss: bool,
    ) -> std::result::Result<Answer<T>, Attempt> {
        let failed = |words: String| Attempt::Failed(Error::usage(words));
        let mut request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.server()))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.access.token.secret()))
            .header(header::ACCEPT, "application/json");
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = match body {
            Some(body) => {
                let request = request.header(header::CONTENT_TYPE, "application/json").body(body);
                self.agent.run(request.map_err(|error| failed(error.to_string()))?)
            }
            None => self.agent.run(request.body(()).map_err(|error| failed(error.to_string()))?),
        };
        let mut answer = answer.map_err(|error| sorted(&error))?;
        let status = answer.status();
        let asked = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let bytes = match read(answer.body_mut()) {
            Ok(bytes) => bytes,
            Err(error) => return Err(sorted(&error)),
        };
        match status {
            StatusCode::NOT_FOUND if may_miss => Ok(Answer::Missing),
            status if status.is_success() => {
                let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
                serde_json::from_slice(bytes)
                    .map(Answer::There)
                    .map_err(|error| Attempt::Failed(self.not_ours(&error.to_string())))
            }
            // Places of plans get free after minutes, not seconds.
            StatusCode::TOO_MANY_REQUESTS if self.failure(&bytes).is_some_and(|why| why.code == "TooManyPlans") => {
                Err(Attempt::Failed(self.refused(status, &bytes)))
            }
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let said = self.failure(&bytes).map(|failure| format!(": {}", failure.message)).unwrap_or_default();
                Err(Attempt::Again(format!("it answers {status}{said}"), asked.map(Duration::from_secs)))
            }
            status => Err(Attempt::Failed(self.refused(status, &bytes))),
        }
    }

    /// Reads the body of a failure, with nothing in it that is secret or moves the cursor.
    fn failure(&self, bytes: &[u8]) -> Option<Failure> {
        let failure = serde_json::from_slice::<FailureBody>(bytes).ok()?.error;
        let clean = |text: &str| -> String {
            let text = text.replace(self.access.token.secret(), "kltr_…");
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(2000).collect()
        };
        let all = |texts: &[String]| texts.iter().take(100).map(|text| clean(text)).collect();
        Some(Failure {
            code: clean(&failure.code),
            message: clean(&failure.message),
            help: all(&failure.help),
            problems: all(&failure.problems),
        })
    }

    /// Says why the server did not do it.
    fn refused(&self, status: StatusCode, bytes: &[u8]) -> Error {
        let Some(failure) = self.failure(bytes) else {
            if status.is_redirection() {
                return self.not_ours(&format!("it answers {status}, and kilter follows no redirect with a token"));
            }
            return self.not_ours(&format!("it answers {status}"));
        };
        let kind = match status.as_u16() {
            401 | 403 => Kind::Missing,
            400..=499 => Kind::Project,
            _ => Kind::Tool,
        };
        let mut problem = Problem::new(format!("{} ({})", failure.message.trim_end_matches('.'), failure.code));
        if !failure.problems.is_empty() {
            problem = problem.detail(failure.problems.join("\n"));
        }
        for help in failure.help {
            problem = problem.help(help);
        }
        if status == StatusCode::UNAUTHORIZED {
            problem = problem.help(format!(
                "Log in with a token that is valid: `kilter login --server {}`; in CI set `KILTER_TOKEN`.",
                self.server()
            ));
        }
        Error::from_problems(kind, vec![problem])
    }

    fn not_ours(&self, why: &str) -> Error {
        Error::missing(format!("`{}` does not answer as a kilter-server does: {why}", self.server()))
            .help("Check the address: `kilter login --server URL`. A proxy or a login page may have answered for it.")
    }
}

/// The path of an environment of an app, and what follows it. Names are DNS labels.
fn path(id: &AppId, rest: &str) -> String {
    format!("/v1/apps/{}/{}/envs/{}{rest}", id.org(), id.app(), id.env())
}

/// Encodes a part of a path, or a value of a query.
fn part(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn read(body: &mut Body) -> std::result::Result<Vec<u8>, ureq::Error> {
    body.with_config().limit(MAX_ANSWER).read_to_vec()
}

/// Tells what another attempt may mend: with an idempotency key, or a request that changes nothing, it does no harm.
fn sorted(error: &ureq::Error) -> Attempt {
    match error {
        ureq::Error::BodyExceedsLimit(_) => {
            Attempt::Failed(Error::tool("the server's answer is larger than kilter reads").help("Ask for less of it."))
        }
        ureq::Error::BadUri(words) => Attempt::Failed(Error::usage(format!("not an address: {words}"))),
        ureq::Error::HostNotFound => Attempt::Again("the host name is not known".into(), None),
        ureq::Error::ConnectionFailed => Attempt::Again("no connection".into(), None),
        ureq::Error::Timeout(_) => Attempt::Again("no answer in time".into(), None),
        ureq::Error::Io(error) => Attempt::Again(io_words(error).to_lowercase(), None),
        other => Attempt::Again(other.to_string(), None),
    }
}

/// Waits, but not longer than until kilter is interrupted.
///
/// # Errors
/// When it is.
pub fn rest(pause: Duration) -> Result<()> {
    let end = Instant::now() + pause;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        exec::pause_if_interrupted()?;
        thread::sleep(left.min(Duration::from_millis(50)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Token;
    use crate::deploy::ServerUrl;

    fn client() -> Client {
        let server = ServerUrl::parse("https://kilter.example.com", false).unwrap();
        Client::new(Access { server, token: Token::from_entropy([7; 40]) }, None)
    }

    #[test]
    fn a_failure_is_shown_whole_but_for_the_token() {
        let client = client();
        let secret = client.access.token.secret().to_owned();
        let body = format!(
            r#"{{"error": {{"code": "Invalid", "message": "bad \u001b[2Jrequest {secret}", "problems": ["image: x", "port: 0"], "help": ["Do this."]}}}}"#
        );
        let error = client.refused(StatusCode::BAD_REQUEST, body.as_bytes());
        assert_eq!(error.kind(), Kind::Project);
        assert_eq!(error.to_string(), "bad  [2Jrequest kltr_… (Invalid).\n  | image: x\n  | port: 0\n  = Do this.\n");
        assert!(!format!("{client:?}").contains(&secret));
    }

    #[test]
    fn each_status_has_its_exit_code() {
        let body = br#"{"error": {"code": "X", "message": "no"}}"#;
        for (status, kind) in [
            (StatusCode::UNAUTHORIZED, Kind::Missing),
            (StatusCode::FORBIDDEN, Kind::Missing),
            (StatusCode::CONFLICT, Kind::Project),
            (StatusCode::INTERNAL_SERVER_ERROR, Kind::Tool),
        ] {
            assert_eq!(client().refused(status, body).kind(), kind, "{status}");
        }
        let page = client().refused(StatusCode::OK, b"<html>");
        assert!(page.to_string().contains("does not answer as a kilter-server"), "{page}");
    }

    #[test]
    fn parts_of_a_path_stay_parts() {
        assert_eq!(part("../x?y z"), "..%2Fx%3Fy%20z");
        let id = AppId::new("acme", "shop", "prod").unwrap();
        assert_eq!(path(&id, "/deploys"), "/v1/apps/acme/shop/envs/prod/deploys");
    }
}
