//! kilter-server: see `kilter::server`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use kilter::api::NAMESPACE;
use kilter::diag::{Error, Kind, Result};
use kilter::{daemon, server};

/// Takes deploys and keeps them as KilterApps.
#[derive(Debug, Parser)]
#[command(name = "kilter-server", version)]
struct Arguments {
    /// The namespace of the KilterApps and of the tokens.
    #[arg(long, global = true, default_value = NAMESPACE)]
    namespace: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves until it is told to stop.
    Run(Run),
    /// Makes, lists and revokes access tokens.
    #[command(subcommand)]
    Token(TokenCommand),
}

#[derive(Debug, Args)]
struct Run {
    /// The settings of the platform, a YAML file.
    #[arg(long, default_value = "/etc/kilter/platform.yaml")]
    config: PathBuf,
    /// Where it listens: plain HTTP, for a proxy that ends TLS.
    #[arg(long, default_value = "0.0.0.0:8080")]
    listen: String,
    /// Requests per second and token.
    #[arg(long, default_value = "50")]
    per_second: NonZeroU32,
    /// Requests at once; one token may have an eighth of them.
    #[arg(long, default_value_t = server::AT_ONCE)]
    at_once: usize,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Makes a token and prints it, once.
    Create {
        /// Who gets it.
        #[arg(long)]
        name: String,
        /// The organisation it is for.
        #[arg(long)]
        org: String,
        /// One app, or `*`.
        #[arg(long, default_value = "*")]
        app: String,
        /// One environment, or `*`.
        #[arg(long, default_value = "*")]
        env: String,
        /// It may look and not change.
        #[arg(long)]
        read_only: bool,
        /// How long it lasts, for example `90d`; `never` for ever.
        #[arg(long, default_value = "90d")]
        expires: String,
    },
    /// Lists the tokens, without anything that could be used.
    List,
    /// Ends a token at once.
    Revoke {
        /// Its id: the 8 characters behind `kltr_`.
        id: String,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    daemon::run("kilter-server", command(arguments))
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
async fn command(arguments: Arguments) -> Result<()> {
    let namespace = arguments.namespace;
    match arguments.command {
        Command::Run(run) => {
            daemon::log();
            // What this machine lacks is said before the cluster is asked for.
            let settings = settings(run, namespace)?;
            server::run(daemon::client().await?, settings).await
        }
        Command::Token(TokenCommand::Create { name, org, app, env, read_only, expires }) => {
            let new = server::NewToken { name, org, app, env, read_only, days: days(&expires)? };
            new.check()?;
            println!("{}", server::create_token(daemon::client().await?, &namespace, &new).await?);
            Ok(())
        }
        Command::Token(TokenCommand::List) => {
            for line in server::list_tokens(daemon::client().await?, &namespace).await? {
                println!("{line}");
            }
            Ok(())
        }
        Command::Token(TokenCommand::Revoke { id }) => {
            server::revoke_token(daemon::client().await?, &namespace, &id).await
        }
    }
}

fn settings(run: Run, namespace: String) -> Result<server::Settings> {
    let platform = daemon::platform(&run.config)?;
    Ok(server::Settings { platform, listen: run.listen, namespace, per_second: run.per_second, at_once: run.at_once })
}

/// Reads `90d` or `never`.
fn days(text: &str) -> Result<Option<u32>> {
    if text == "never" {
        return Ok(None);
    }
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok()).filter(|days| (1..=3650).contains(days));
    days.map(Some).ok_or_else(|| {
        Error::new(Kind::Usage, format!("--expires: `{text}` is neither days (`90d`, at most 3650d) nor `never`"))
    })
}
