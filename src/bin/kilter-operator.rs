//! kilter-operator: see `kilter::operator`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use kilter::api::{KilterApp, KilterPlan, Platform};
use kilter::diag::{Error, Result};
use kilter::gitops::Remote;
use kilter::{exec, fsx, operator};
use kube::CustomResourceExt as _;

/// Brings KilterApps into the flux repository.
#[derive(Debug, Parser)]
#[command(name = "kilter-operator", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs until it is told to stop.
    Run(Box<Run>),
    /// Has every app rendered again, for a new chart or helm.
    Rerender {
        /// How many apps are asked for at a time.
        #[arg(long, default_value_t = 20)]
        batch: usize,
    },
    /// Prints the custom resource definitions.
    Crds,
}

#[derive(Debug, Args)]
struct Run {
    /// The settings of the platform, a YAML file.
    #[arg(long, default_value = "/etc/kilter/platform.yaml")]
    config: PathBuf,
    /// Address of the flux repository, without a login.
    #[arg(long, env = "KILTER_GIT_URL")]
    git_url: String,
    /// The branch that Flux follows.
    #[arg(long, default_value = "main")]
    git_branch: String,
    /// Directory with `username` and `password`, or `identity` and `known_hosts`.
    #[arg(long)]
    git_credentials: Option<PathBuf>,
    /// An SSH key that signs commits.
    #[arg(long)]
    signing_key: Option<PathBuf>,
    /// The helm to run.
    #[arg(long, env = "KILTER_HELM", default_value = "/usr/local/bin/helm")]
    helm: PathBuf,
    /// Directory for the copy of the repository and the charts; safe to lose.
    #[arg(long, default_value = "/var/lib/kilter-operator")]
    dir: PathBuf,
    /// Where probes and metrics are answered.
    #[arg(long, default_value = "0.0.0.0:8081")]
    probes: String,
    /// How many renders go on at once; the number of cores when left out.
    #[arg(long)]
    jobs: Option<usize>,
    /// Tells this process from others; host name and process id when left out.
    #[arg(long, env = "KILTER_IDENTITY")]
    identity: Option<String>,
    /// End the process right after an effect, for tests of what a crash leaves behind.
    #[arg(long, hide = true)]
    die_after: Option<String>,
}

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if let Some(error) = operator::become_confined(std::env::args()) {
        return failed(&error);
    }
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&Error::io("start", &error)),
    };
    match runtime.block_on(command(arguments.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

#[expect(clippy::print_stderr, reason = "the last words of the process")]
fn failed(error: &Error) -> ExitCode {
    eprintln!("kilter-operator: {error}");
    for detail in error.problems().iter().filter_map(|problem| problem.detail.as_ref()) {
        eprintln!("{detail}");
    }
    ExitCode::from(error.kind().exit_code())
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
async fn command(command: Command) -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    match command {
        Command::Crds => {
            for crd in [KilterApp::crd(), KilterPlan::crd()] {
                let value = serde_json::to_value(crd).map_err(|error| Error::bug(error.to_string()))?;
                print!("---\n{}", kilter::yaml::emit(&value)?);
            }
            Ok(())
        }
        Command::Rerender { batch } => {
            let stamp = k8s_openapi::jiff::Timestamp::now().to_string();
            operator::rerender(client().await?, batch, &stamp, |name| println!("{name}")).await
        }
        Command::Run(run) => {
            log();
            operator::run(client().await?, settings(*run)?).await
        }
    }
}

async fn client() -> Result<kube::Client> {
    kube::Client::try_default().await.map_err(|error| {
        Error::missing(format!("cannot find the cluster: {error}")).help("Set `KUBECONFIG`, or run inside the cluster.")
    })
}

fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("KILTER_LOG").unwrap_or_else(|_| "info,kube=warn".into());
    // kube's client writes whole objects that it cannot read, variables and all.
    let filter = match "kube_client::client=error".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
}

fn settings(run: Run) -> Result<operator::Settings> {
    let shown = run.config.display();
    let text = fsx::read_text(&run.config, 1 << 20)?.ok_or_else(|| {
        Error::missing(format!("there is no `{shown}`")).help("Give the platform's settings by `--config`.")
    })?;
    let platform = Platform::from_yaml(&text).map_err(|why| Error::project(format!("`{shown}`: {why}")))?;
    #[expect(clippy::disallowed_methods, reason = "the edge of the program")]
    let path = std::env::var_os("PATH");
    let git = exec::find_program("git", path.as_deref())
        .ok_or_else(|| Error::missing("there is no `git`").help("Put git on the PATH."))?;
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let identity = run.identity.unwrap_or_else(|| {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        format!("{}-{}", host.trim(), std::process::id())
    });
    Ok(operator::Settings {
        platform,
        remote: Remote {
            url: run.git_url,
            branch: run.git_branch,
            credentials: Remote::credentials_in(run.git_credentials.as_deref()),
            signing_key: run.signing_key,
            git,
            dir: run.dir.join("git"),
        },
        helm: run.helm,
        dir: run.dir,
        probes: run.probes,
        jobs: run.jobs.unwrap_or(cores),
        identity,
        die_after: run.die_after,
    })
}
