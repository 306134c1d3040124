//! What git says of the project: commit, changes, address.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use crate::diag::Result;
use crate::exec::{Environment, Invocation, find_program};

/// What git says; nothing of it when the project is in no repository, or there is no git.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkout {
    /// The commit, 40 digits or more.
    pub commit: Option<String>,
    /// Whether the project differs from it.
    pub dirty: bool,
    /// The web address of the repository, without a login.
    pub repo: Option<String>,
    /// Which of the files that were asked about git has in its index.
    pub tracked: Vec<String>,
}

impl Checkout {
    /// Asks git. `files` are paths below `root` of which it matters whether git has them.
    ///
    /// # Errors
    /// When kilter is interrupted.
    pub fn look(root: &Path, search_path: Option<&OsStr>, files: &[&str]) -> Result<Self> {
        let Some(git) = find_program("git", search_path) else { return Ok(Self::default()) };
        let ask = |words: &[&str]| -> Result<Option<String>> {
            // What git runs by itself (a monitor of files) must not outlive it, and it asks nobody.
            let env = [("GIT_OPTIONAL_LOCKS", "0"), ("GIT_TERMINAL_PROMPT", "0"), ("LC_ALL", "C")];
            let mut env: BTreeMap<String, Option<String>> =
                env.into_iter().map(|(name, value)| (name.to_owned(), Some(value.to_owned()))).collect();
            env.insert("KILTER_TOKEN".to_owned(), None);
            let call = Invocation { env: Environment::Inherit(env), ..Invocation::new(&git) };
            let call = call.args(["-c", "core.fsmonitor=false"]).args(words.iter().copied()).cwd(root);
            let said = call.timeout(Duration::from_secs(30)).capture()?;
            Ok(said.ok().then(|| said.text()))
        };
        let Some(commit) = ask(&["rev-parse", "--verify", "HEAD"])? else { return Ok(Self::default()) };
        let changes = ask(&["status", "--porcelain", "--", "."])?;
        let mut tracked = Vec::new();
        if !files.is_empty() {
            let words: Vec<&str> = ["ls-files", "-z", "--"].into_iter().chain(files.iter().copied()).collect();
            let said = ask(&words)?.unwrap_or_default();
            tracked = said.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
        }
        let remote = match ask(&["remote", "get-url", "origin"])? {
            Some(url) => Some(url),
            None => match ask(&["remote"])?.and_then(|names| names.lines().next().map(str::to_owned)) {
                Some(name) => ask(&["remote", "get-url", &name])?,
                None => None,
            },
        };
        Ok(Self {
            commit: Some(commit.trim().to_owned()),
            dirty: changes.is_none_or(|changes| !changes.trim().is_empty()),
            repo: remote.and_then(|url| web_address(url.trim())),
            tracked,
        })
    }
}

/// Makes the web address of a repository of a remote's: `https`, no login, no `.git`; `None` for a path of this machine.
pub fn web_address(remote: &str) -> Option<String> {
    let (host, path) = match remote.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/')?;
            let host = authority.rsplit('@').next()?;
            match scheme {
                // The port of ssh or of git's own protocol is none of the web's.
                "ssh" | "git" | "git+ssh" => (host.split(':').next()?, path),
                "https" | "http" => (host, path),
                _ => return None,
            }
        }
        // `user@host:path`, as scp takes it; a path with a colon in it begins with a slash or a dot.
        None => {
            let (authority, path) = remote.split_once(':')?;
            if authority.contains('/') || path.starts_with('\\') {
                return None;
            }
            (authority.rsplit('@').next()?, path)
        }
    };
    let path = path.split(['?', '#']).next()?.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/:%+".contains(c);
    (host.contains(['.', ':']) && !path.is_empty() && host.chars().chain(path.chars()).all(plain))
        .then(|| format!("https://{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_become_addresses_without_logins() {
        for (remote, address) in [
            ("git@github.com:acme/shop.git", Some("https://github.com/acme/shop")),
            ("https://me:hunter2@git.example.com:8443/acme/shop.git/", Some("https://git.example.com:8443/acme/shop")),
            ("https://token@github.com/acme/shop", Some("https://github.com/acme/shop")),
            ("ssh://git@git.example.com:2222/acme/shop.git", Some("https://git.example.com/acme/shop")),
            ("http://git.example.com/acme/shop?token=x", Some("https://git.example.com/acme/shop")),
            ("/srv/git/shop.git", None),
            ("../shop.git", None),
            ("file:///srv/shop.git", None),
            ("C:\\shop", None),
            ("ext::sh -c evil", None),
        ] {
            assert_eq!(web_address(remote).as_deref(), address, "{remote}");
        }
    }
}
