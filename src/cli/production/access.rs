//! The server and the token.

use std::path::PathBuf;

use super::target::Said;
use crate::api::{Token, TokenError};
use crate::cli::context::Context;
use crate::deploy::{self, Client, Logins, ServerUrl};
use crate::diag::{Error, Result};
use crate::fsx;
use crate::toolchain::proxy_for;

/// Which server.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServerArgs {
    /// The kilter-server; else `KILTER_SERVER`, the one of the last deploy, the last login.
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Let the token go over plain HTTP to another machine.
    #[arg(long)]
    pub(crate) insecure: bool,
}

/// A server that can be asked.
#[derive(Debug)]
pub(crate) struct Access {
    /// The client.
    pub(crate) client: Client,
    /// Where the server's address comes from.
    pub(crate) server: Said,
}

impl Access {
    /// Finds the server and its token; `remembered` is the server of the project's last deploy. Nothing is asked.
    ///
    /// # Errors
    /// When no server is known, or there is no token of it.
    pub(crate) fn find(ctx: &Context, args: &ServerArgs, remembered: Option<&str>) -> Result<Self> {
        let logins = Logins::read(&credentials(ctx)?)?;
        let said = Said::first([
            (args.server.as_deref(), "`--server`"),
            (ctx.var("KILTER_SERVER"), "`KILTER_SERVER`"),
            (remembered, "the last deploy"),
            (logins.default_server(), "the last login"),
        ]);
        let Some(said) = said else {
            return Err(Error::missing("you are not logged in to a kilter-server")
                .help("Log in once: `kilter login --server URL`; in CI set `KILTER_SERVER` and `KILTER_TOKEN`."));
        };
        let insecure = args.insecure || logins.is_insecure(&said.value);
        let server = ServerUrl::parse(&said.value, insecure)?;
        let token = match ctx.var("KILTER_TOKEN") {
            Some(text) => Token::parse(text.trim()).map_err(|why| wrong_token("`KILTER_TOKEN`", why))?,
            None => logins.token(&server)?,
        };
        let access = deploy::Access { server: server.clone(), token };
        let said = Said { value: server.to_string(), ..said };
        Ok(Self { client: client(ctx, access)?, server: said })
    }
}

/// Makes a client with the user's proxy.
///
/// # Errors
/// When no connection may be opened, or the proxy is none.
pub(crate) fn client(ctx: &Context, access: deploy::Access) -> Result<Client> {
    if ctx.global.offline {
        return Err(Error::usage("`--offline` forbids to ask kilter-server").help("Leave the flag out."));
    }
    let proxy = proxy_for(&ctx.tool_settings()?.proxy, access.server.as_str())?;
    Ok(Client::new(access, proxy))
}

/// The error for a text that is no token; it shows nothing of it.
pub(crate) fn wrong_token(whose: &str, why: TokenError) -> Error {
    Error::usage(format!("{whose}: {why}")).help("Copy the whole token, as `kilter-server token create` printed it.")
}

/// Returns the file of the logins.
///
/// # Errors
/// When there is no place for it.
pub(crate) fn credentials(ctx: &Context) -> Result<PathBuf> {
    Ok(ctx.config_dir()?.join("credentials.json"))
}

/// Takes the lock of that file.
///
/// # Errors
/// When it cannot be had.
pub(crate) fn lock_credentials(ctx: &Context) -> Result<fsx::Lock> {
    let path = ctx.state_dir()?.join("deploy/credentials.lock");
    fsx::Lock::acquire(&path, || ctx.ui.talk("waiting for another kilter that logs in or out"))
}
