//! `kilter logout`.

use serde_json::json;

use super::context::Context;
use super::production::{credentials, lock_credentials};
use crate::deploy::{Logins, ServerUrl};
use crate::diag::{Error, Result};

/// Forgets the token of a kilter-server.
///
/// The token itself stays valid: who runs the server revokes it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kilter logout\n  kilter logout --server https://kilter.example.com")]
pub(crate) struct Args {
    /// The server; the one that was logged in to last when left out.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let _lock = lock_credentials(ctx)?;
    let path = credentials(ctx)?;
    let mut logins = Logins::read(&path)?;
    let server = match args.server.as_deref() {
        Some(server) => ServerUrl::parse(server, true)?.to_string(),
        None => match logins.default_server() {
            Some(server) => server.to_owned(),
            None => return which(ctx, &logins),
        },
    };
    let was = logins.remove(&server);
    if was {
        logins.write(&path)?;
    }
    ctx.ui.talk(&match was {
        true => format!("Logged out of {server}: its token is forgotten here. Only the server can revoke it."),
        false => format!("You were not logged in to {server}."),
    });
    if ctx.ui.json {
        ctx.ui.json(&json!({"server": server, "loggedOut": was}));
    }
    Ok(())
}

/// No server is named, and none is the default.
fn which(ctx: &Context, logins: &Logins) -> Result<()> {
    let servers: Vec<&str> = logins.servers().collect();
    if servers.is_empty() {
        ctx.ui.talk("You are not logged in to any kilter-server.");
        if ctx.ui.json {
            ctx.ui.json(&json!({"server": null, "loggedOut": false}));
        }
        return Ok(());
    }
    let servers: Vec<String> = servers.iter().map(|server| format!("`--server {server}`")).collect();
    Err(Error::usage("which kilter-server?").help(format!("Add one of {}.", servers.join(", "))))
}
