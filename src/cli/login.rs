//! `kilter login`.

use std::io::Read as _;

use serde_json::json;

use super::context::Context;
use super::production::{ServerArgs, credentials, lock_credentials};
use super::ui::left;
use crate::api::Token;
use crate::deploy::{Access, Logins, ServerUrl};
use crate::diag::{Error, Result};

/// Logs in to a kilter-server, so that this user can deploy to it.
///
/// The token is stored in `kilter/credentials.json` below `XDG_CONFIG_HOME`, readable by this user alone. In CI, set
/// `KILTER_SERVER` and `KILTER_TOKEN` in place of it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kilter login --server https://kilter.example.com    # asks for the token\n  pass kilter | kilter login --server https://kilter.example.com --token-stdin"
)]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
    /// The token; other users of this machine may see it in the list of processes.
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_stdin")]
    token: Option<String>,
    /// Read the token from standard input.
    #[arg(long)]
    token_stdin: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let access = access(args, ctx)?;
    let client = super::production::client(ctx, access.clone())?;
    let work = ctx.ui.work(&format!("asking {}", access.server));
    let info = client.info()?;
    drop(work);
    let lock = lock_credentials(ctx)?;
    let path = credentials(ctx)?;
    let mut logins = Logins::read(&path)?;
    logins.add(&access, args.server.insecure);
    logins.write(&path)?;
    drop(lock);
    ctx.ui.talk(&format!(
        "Logged in to {} (kilter-server {}); apps get a name under {}.",
        access.server, info.version, info.domain
    ));
    ctx.ui.talk("Deploy a project: `kilter deploy --project ORG/APP --registry HOST/SCOPE`.");
    if ctx.ui.json {
        let token = access.token.id();
        ctx.ui.json(&json!({"server": access.server, "token": token, "version": info.version, "domain": info.domain}));
    }
    Ok(())
}

/// Finds out server and token. From the token Esc leads back to the server, when that was asked for.
fn access(args: &Args, ctx: &Context) -> Result<Access> {
    let given = args.server.server.as_deref().or(ctx.var("KILTER_SERVER"));
    // Standard input has the token.
    let asks = given.is_none() && ctx.ui.interactive && !args.token_stdin;
    loop {
        let server = match given {
            Some(server) => server.to_owned(),
            None if asks => {
                let logins = Logins::read(&credentials(ctx)?)?;
                ctx.ui.ask_text("Address of the kilter-server", logins.default_server(), "--server URL")?
            }
            None => {
                return Err(Error::usage("which kilter-server? Nothing says it")
                    .help("Add `--server URL`, for example `--server https://kilter.example.com`."));
            }
        };
        let server = ServerUrl::parse(&server, args.server.insecure)?;
        match token(args, ctx)? {
            Some(token) => return Ok(Access { server, token }),
            None if asks => {}
            None => return Err(left("--token-stdin")),
        }
    }
}

/// Longest text that is read as a token.
const MAX_TOKEN: u64 = 4096;

/// Reads the token, or asks for it; `None` when the person goes back.
fn token(args: &Args, ctx: &Context) -> Result<Option<Token>> {
    let (text, whose) = if args.token_stdin {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .take(MAX_TOKEN)
            .read_to_string(&mut text)
            .map_err(|error| Error::io("read the token from standard input", &error))?;
        (text, "standard input")
    } else if let Some(text) = &args.token {
        (text.clone(), "`--token`")
    } else if let Some(text) = ctx.var("KILTER_TOKEN") {
        (text.to_owned(), "`KILTER_TOKEN`")
    } else {
        match ctx.ui.ask_hidden("Token", "--token-stdin")? {
            Some(text) => (text, "what was typed"),
            None => return Ok(None),
        }
    };
    Token::parse(text.trim()).map(Some).map_err(|why| super::production::wrong_token(whose, why))
}
