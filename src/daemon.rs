//! What kilter-server and kilter-operator both need: a start, a log, the settings of the platform, a cluster, and an end.

use std::path::Path;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::api::Platform;
use crate::diag::{Error, Result};
use crate::fsx;

/// Largest settings file, in bytes.
const MAX_SETTINGS: u64 = 1 << 20;

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

/// Finds the cluster: by `KUBECONFIG`, or the one that this runs in.
///
/// # Errors
/// When there is none.
pub async fn client() -> Result<kube::Client> {
    kube::Client::try_default().await.map_err(|error| {
        Error::missing(format!("cannot find the cluster: {error}")).help("Set `KUBECONFIG`, or run inside the cluster.")
    })
}

/// Makes an error of what the API server said; `what` is what it could not do.
pub fn api_error(what: &str, error: &kube::Error) -> Error {
    Error::missing(format!("cannot {what}: {error}")).help("Check `KUBECONFIG` and the rights in the namespace.")
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
