//! kilter-operator: see `kilter::operator`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use kilter::api::{KilterApp, KilterHost, KilterPlan};
use kilter::diag::{Error, Result};
use kilter::gitops::Remote;
use kilter::{daemon, exec, operator};
use kube::CustomResourceExt as _;

const PROGRAM: &str = "kilter-operator";

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
    /// How many renders go on at once, with about 60 MiB each; the number of cores when left out.
    #[arg(long, overrides_with = "jobs")]
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
        return daemon::failed(PROGRAM, &error);
    }
    let arguments = Arguments::parse();
    daemon::run(PROGRAM, command(arguments.command))
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "what the command is for")]
async fn command(command: Command) -> Result<()> {
    match command {
        Command::Crds => {
            for crd in [KilterApp::crd(), KilterHost::crd(), KilterPlan::crd()] {
                let value = serde_json::to_value(crd).map_err(|error| Error::bug(error.to_string()))?;
                print!("---\n{}", kilter::yaml::emit(&value)?);
            }
            Ok(())
        }
        Command::Rerender { batch } => {
            let stamp = k8s_openapi::jiff::Timestamp::now().to_string();
            let tell = |name: &str, left_out: Option<&str>| match left_out {
                None => println!("{name}"),
                Some(why) => eprintln!("{name} is left out: {why}"),
            };
            operator::rerender(daemon::client().await?, batch, &stamp, tell).await
        }
        Command::Run(run) => {
            daemon::log();
            // What this machine lacks is said before the cluster is asked for.
            let settings = settings(*run)?;
            operator::run(daemon::client().await?, settings).await
        }
    }
}

fn settings(run: Run) -> Result<operator::Settings> {
    let platform = daemon::platform(&run.config)?;
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
