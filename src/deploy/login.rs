//! Which servers this user has a token of: one private file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::api::Token;
use crate::diag::{Error, Result};
use crate::fsx;

/// Largest file of logins that is read.
const MAX: u64 = 1024 * 1024;

/// The address of a kilter-server: scheme, host, port and path, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// Reads an address; `https://` may be left out. The token goes there with each request, so plain HTTP is for this machine
    /// alone, unless `insecure`.
    ///
    /// # Errors
    /// When it is no address of a server, or plain HTTP to another machine.
    pub fn parse(text: &str, insecure: bool) -> Result<Self> {
        let text = text.trim();
        let wrong = |why: &str| {
            Err(Error::usage(format!("`{}` is not the address of a kilter-server: {why}", crate::exec::redact(text)))
                .help("Write it like `https://kilter.example.com`."))
        };
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let scheme = scheme.to_ascii_lowercase();
        if !["http", "https"].contains(&scheme.as_str()) {
            return wrong("it is neither `https://` nor `http://`");
        }
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        if authority.contains('@') {
            return wrong("a login has no place in it; the token is asked for by itself");
        }
        let (host, port) = split_port(authority);
        let host_char = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        let plain_path = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        if host.is_empty() || !host.chars().all(host_char) || port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return wrong("it has no host");
        }
        if !path.chars().all(plain_path) || path.split('/').any(|part| part == "..") {
            return wrong("only a plain path can follow the host");
        }
        if scheme == "http" && !insecure && !is_loopback(host) {
            return Err(Error::usage(format!("`{text}` would send the token unencrypted over the network"))
                .help("Use the server's `https://` address.")
                .help("`--insecure` sends it all the same: to a server in a network that you trust."));
        }
        Ok(Self(format!("{scheme}://{}{}", authority.to_ascii_lowercase(), path.trim_end_matches('/'))))
    }

    /// Returns the address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// A server and what opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The server.
    pub server: ServerUrl,
    /// The token.
    pub token: Token,
}

/// One stored login.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    token: String,
    /// Plain HTTP to another machine was asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    insecure: bool,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("insecure", &self.insecure).finish_non_exhaustive()
    }
}

/// The stored logins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logins {
    /// The server that is meant when none is named: the last one that was logged in to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    #[serde(default)]
    servers: BTreeMap<String, Login>,
}

impl Logins {
    /// Reads the stored logins; none when there is no file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let Some(text) = fsx::read_text(path, MAX)? else { return Ok(Self::default()) };
        // serde's own words would quote the file, and tokens are in it.
        serde_json::from_str(&text).map_err(|_| {
            Error::missing(format!("`{}` is not what kilter wrote there", path.display()))
                .help("Delete the file, then log in again: `kilter login --server URL`.")
        })
    }

    /// Writes the logins, readable by this user alone.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Error::bug(error.to_string()))?;
        fsx::write_private(path, format!("{text}\n").as_bytes())
    }

    /// Stores a login and makes its server the default.
    pub fn add(&mut self, access: &Access, insecure: bool) {
        let server = access.server.to_string();
        self.servers.insert(server.clone(), Login { token: access.token.secret().to_owned(), insecure });
        self.default = Some(server);
    }

    /// Forgets the login of a server; returns whether there was one. Of several that are left, none is the default.
    pub fn remove(&mut self, server: &str) -> bool {
        let was = self.servers.remove(server).is_some();
        if self.default.as_deref() == Some(server) {
            self.default = self.servers.keys().next().filter(|_| self.servers.len() == 1).cloned();
        }
        was
    }

    /// Returns the server that is meant when none is named.
    pub fn default_server(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// Returns the servers, sorted.
    pub fn servers(&self) -> impl Iterator<Item = &str> {
        self.servers.keys().map(String::as_str)
    }

    /// Tells whether plain HTTP to this server was asked for when it was logged in to.
    pub fn is_insecure(&self, server: &str) -> bool {
        self.servers.get(server.trim().trim_end_matches('/')).is_some_and(|login| login.insecure)
    }

    /// Returns the token of a server.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn token(&self, server: &ServerUrl) -> Result<Token> {
        let Some(login) = self.servers.get(server.as_str()) else {
            return Err(Error::missing(format!("you are not logged in to `{server}`"))
                .help(format!("Log in: `kilter login --server {server}`; in CI set `KILTER_TOKEN`.")));
        };
        Token::parse(&login.token).map_err(|why| {
            Error::missing(format!("the stored token of `{server}` is damaged: {why}"))
                .help(format!("Log in again: `kilter login --server {server}`."))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> String {
        ServerUrl::parse(text, false).map_or_else(|error| error.to_string(), |url| url.to_string())
    }

    #[test]
    fn addresses_have_one_form() {
        assert_eq!(url("Kilter.Example.com"), "https://kilter.example.com");
        assert_eq!(url(" https://k.example:8443/api/ "), "https://k.example:8443/api");
        assert_eq!(url("HTTP://localhost:8080/"), "http://localhost:8080");
        for loopback in ["http://127.0.0.9:1", "http://[::1]:8080", "http://x.localhost"] {
            assert_eq!(url(loopback), loopback);
        }
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for (text, why) in [
            ("", "no host"),
            ("https://", "no host"),
            ("ftp://x", "neither"),
            ("https://me:hunter2-canary@x", "login"),
            ("https://x:http", "no host"),
            ("https://x/a?b", "plain path"),
            ("https://x/../y", "plain path"),
            ("https://x\r\nHost: y", "no host"),
            ("http://kilter.example.com", "unencrypted"),
            ("http://localhost.example.com", "unencrypted"),
            ("http://127.0.0.1.example.com", "unencrypted"),
        ] {
            let said = url(text);
            assert!(said.contains(why) && !said.contains("canary"), "{text}: {said}");
        }
        assert!(ServerUrl::parse("http://kilter.example.com", true).is_ok());
    }

    #[test]
    fn several_servers_have_one_default() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kilter/credentials.json");
        let access = |host: &str, byte: u8| Access {
            server: ServerUrl::parse(host, false).unwrap(),
            token: Token::from_entropy([byte; 40]),
        };
        let (one, two) = (access("one.example", 1), access("two.example", 2));
        let mut logins = Logins::read(&path).unwrap();
        assert_eq!(logins.default_server(), None);
        logins.add(&one, false);
        logins.add(&two, false);
        logins.write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut logins = Logins::read(&path).unwrap();
        assert_eq!(logins.default_server(), Some("https://two.example"));
        assert_eq!(logins.token(&one.server).unwrap(), one.token);
        assert!(!format!("{logins:?}").contains(two.token.secret()));
        assert!(logins.remove("https://two.example") && !logins.remove("https://two.example"));
        assert_eq!(logins.default_server(), Some("https://one.example"));
        assert!(
            logins.token(&two.server).unwrap_err().to_string().contains("kilter login --server https://two.example")
        );
        fsx::write(&path, format!("{{\"servers\": 1, \"x\": \"{}\"}}", one.token.secret()).as_bytes()).unwrap();
        let error = Logins::read(&path).unwrap_err().to_string();
        assert!(!error.contains(one.token.secret()) && error.contains("kilter login"), "{error}");
    }
}
