//! What kilter-server and kilter-operator both need: a start, a log, the settings of the platform, a cluster, and an end.

use std::path::Path;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::Request;
use futures::future::BoxFuture;
use kube::runtime::utils::Backoff;
use tower::{BoxError, Service};
use tracing_subscriber::EnvFilter;

use crate::api::Platform;
use crate::diag::{Error, Result};
use crate::fsx;

/// Largest settings file, in bytes.
const MAX_SETTINGS: u64 = 1 << 20;
/// How long the API server has for the beginning of an answer: as long as it gives itself (kube-apiserver, `--request-timeout`).
const ANSWER: Duration = Duration::from_secs(60);
/// How long it may be silent in the course of one: longer than a watch lasts (kube-runtime, `watcher.rs`: 290 s).
const SILENCE: Duration = Duration::from_secs(295);

/// How long a watch pauses that failed: half a second, then twice as long each time, at most four seconds. An API server that has
/// just started refuses everything for a moment; kube's own pauses of up to a minute would leave a program blind long after.
#[derive(Debug, Clone, Default)]
pub struct WatchPause {
    failures: u32,
}

impl Iterator for WatchPause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = Duration::from_millis(500 << self.failures);
        self.failures = (self.failures + 1).min(3);
        Some(pause)
    }
}

impl Backoff for WatchPause {
    fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Runs a program to its end; what went wrong is its last word on standard error, and decides the exit code.
pub fn run(program: &str, work: impl Future<Output = Result<()>>) -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default(); // of two, the first one stays
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done = runtime.map_err(|error| Error::io("start", &error)).and_then(|runtime| runtime.block_on(work));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(program, &error),
    }
}

/// Says why a program ends, and returns its exit code.
#[expect(clippy::print_stderr, reason = "the last words of the process")]
pub fn failed(program: &str, error: &Error) -> ExitCode {
    eprint!("{program}: {error}");
    ExitCode::from(error.kind().exit_code())
}

/// Writes the log as JSON lines on standard error; `KILTER_LOG` says how much.
pub fn log() {
    let filter = EnvFilter::try_from_env("KILTER_LOG").unwrap_or_else(|_| EnvFilter::new("info,kube=warn"));
    tracing_subscriber::fmt().json().with_env_filter(log_filter(filter)).with_writer(std::io::stderr).init();
}

/// Returns what of the log is written: what `filter` says, and nothing of what kube's client says below an error, as it writes
/// whole objects, variables and all, that it cannot read (kube-client, `client/mod.rs`).
pub fn log_filter(filter: EnvFilter) -> EnvFilter {
    match "kube_client::client=error".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    }
}

/// Reads the settings of the platform.
///
/// # Errors
/// When the file is not there or says something else than settings.
pub fn platform(path: &Path) -> Result<Platform> {
    let shown = path.display();
    let text = fsx::read_text(path, MAX_SETTINGS)?.ok_or_else(|| {
        Error::missing(format!("there is no `{shown}`")).help("Give the platform's settings by `--config`.")
    })?;
    Platform::from_yaml(&text).map_err(|why| Error::project(format!("`{shown}`: {why}")))
}

/// Finds the cluster: by `KUBECONFIG`, or the one that this runs in. No call waits for its answer without end.
///
/// # Errors
/// When there is none.
pub async fn client() -> Result<kube::Client> {
    let missing = |error: kube::Error| {
        Error::missing(format!("cannot find the cluster: {error}")).help("Set `KUBECONFIG`, or run inside the cluster.")
    };
    let mut config = kube::Config::infer().await.map_err(|error| missing(kube::Error::InferConfig(error)))?;
    (config.read_timeout, config.reset_reader_on_write) = (Some(SILENCE), true);
    let builder = kube::client::ClientBuilder::try_from(config).map_err(missing)?;
    Ok(builder.with_layer(&tower::layer::layer_fn(Limited)).build())
}

/// A service whose answers begin in time, but for those of watches, which kube's watcher looks after.
struct Limited<S>(S);

impl<S, B> Service<Request<B>> for Limited<S>
where
    S: Service<Request<B>, Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, std::result::Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_watch = request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"));
        let answer = self.0.call(request);
        Box::pin(async move {
            if is_watch {
                return answer.await.map_err(Into::into);
            }
            match tokio::time::timeout(ANSWER, answer).await {
                Ok(answered) => answered.map_err(Into::into),
                Err(_) => Err(format!("the API server did not answer within {} s", ANSWER.as_secs()).into()),
            }
        })
    }
}

/// Makes an error of what the API server said; `what` is what it could not do.
pub fn api_error(what: &str, error: &kube::Error) -> Error {
    Error::missing(format!("cannot {what}: {}", words(error)))
        .help("Check `KUBECONFIG` and the rights in the namespace.")
}

/// Returns the words of an error, with those of its cause where no answer came: "client error (Connect)" alone helps nobody.
pub fn words(error: &kube::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    if matches!(error, kube::Error::Service(_) | kube::Error::HyperError(_)) {
        while let Some(next) = cause.source() {
            cause = next;
        }
    }
    let (said, cause) = (error.to_string(), cause.to_string());
    if said.contains(&cause) { said } else { format!("{said}: {cause}") }
}

/// Waits for SIGTERM or Ctrl-C.
pub async fn stopped() {
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
    let term = async {
        match term.as_mut() {
            Some(term) => drop(term.recv().await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = term => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stops");
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn who_cannot_connect_is_told_why() {
        // Nobody listens where somebody listened a moment ago.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = kube::Config::new(format!("http://{address}").parse().unwrap());
        let error = kube::Client::try_from(config).unwrap().apiserver_version().await.unwrap_err();
        let said = api_error("read the version", &error).to_string();
        assert!(said.contains("cannot read the version: ") && said.contains("Connection refused"), "{said}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_not_answered_ends_and_a_watch_goes_on() {
        let silent = || Limited(tower::service_fn(|_: Request<()>| std::future::pending::<Result<(), BoxError>>()));
        let ask = |query: &str| silent().oneshot(Request::get(format!("/apis/x?{query}")).body(()).unwrap());
        let error = tokio::time::timeout(2 * ANSWER, ask("fieldManager=watch&limit=500")).await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the API server did not answer within 60 s");
        assert!(tokio::time::timeout(2 * SILENCE, ask("allowWatchBookmarks=true&watch=true")).await.is_err());
    }
}
