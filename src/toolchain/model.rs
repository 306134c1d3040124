//! What goes into the room and what comes out of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::pins::{Pins, Platform, Tool};
use crate::diag::{Error, Result};
use crate::exec::redact;
use crate::ids::Digest;

/// Everything that the room needs to know about the machine and the user's wishes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The store: `<cache>/tools`.
    pub store: PathBuf,
    /// Programs that the user named (`KILTER_HELM`, …).
    pub explicit: BTreeMap<Tool, PathBuf>,
    /// A URL or a directory that is laid out like the release hosts: `<mirror>/<release host>/<path>`.
    pub mirror: Option<String>,
    /// Whether no socket may be opened.
    pub offline: bool,
    /// The `go` command, when there is one.
    pub go: Option<PathBuf>,
    /// Go's own settings, passed to source builds and to nothing else: `GOPROXY`, `GOSUMDB`, `GOFLAGS`, `HOME`, `PATH`, ….
    pub go_env: BTreeMap<String, String>,
    /// How releases are reached.
    pub proxy: Proxy,
    /// What a download may cost.
    pub limits: Limits,
    /// The platform to get tools for.
    pub platform: Platform,
    /// The pin table.
    pub pins: Cow<'static, Pins>,
}

impl Settings {
    /// Creates settings for a store with no explicit paths, no mirror, no Go and the table that is compiled in.
    pub fn new(store: impl Into<PathBuf>) -> Self {
        Self {
            store: store.into(),
            explicit: BTreeMap::new(),
            mirror: None,
            offline: false,
            go: None,
            go_env: BTreeMap::new(),
            proxy: Proxy::default(),
            limits: Limits::default(),
            platform: Platform::host(),
            pins: Cow::Borrowed(Pins::builtin()),
        }
    }
}

/// The proxies of the user's environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxy {
    /// The value of `HTTP_PROXY`.
    pub http: Option<String>,
    /// The value of `HTTPS_PROXY`.
    pub https: Option<String>,
    /// The value of `NO_PROXY`.
    pub no_proxy: Option<String>,
}

/// What a download may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest release file. The largest pinned one is tilt's, about 60 MiB.
    pub max_download: u64,
    /// The largest program inside an archive. The largest pinned one is tilt, about 130 MiB.
    pub max_program: u64,
    /// How long a host may take to accept a connection.
    pub connect: Duration,
    /// How long a download may make no progress.
    pub stall: Duration,
    /// Progress is at least this many bytes in each `stall`.
    pub stall_bytes: u64,
    /// How often a download is tried before it is given up.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles with each.
    pub backoff: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_download: 256 * 1024 * 1024,
            max_program: 512 * 1024 * 1024,
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            stall_bytes: 64 * 1024,
            attempts: 5,
            backoff: Duration::from_millis(500),
        }
    }
}

/// A tool that is wanted, in one exact version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The tool.
    pub tool: Tool,
    /// The version.
    pub version: Version,
    /// The project's own checksums of release files, by platform; they beat the table's.
    pub sha256: BTreeMap<String, Digest>,
    /// Whether the table's fallback version will do when this one cannot be built from source.
    pub fallback: bool,
}

impl Want {
    /// Wants the default version of a table; its fallback will do.
    pub fn pinned(pins: &Pins, tool: Tool) -> Self {
        Self { fallback: true, ..Self::exact(tool, pins.default_version(tool).clone()) }
    }

    /// Wants exactly this version.
    pub fn exact(tool: Tool, version: Version) -> Self {
        Self { tool, version, sha256: BTreeMap::new(), fallback: false }
    }

    /// Wants what a `kilter.yaml` or `kilter.lock` says: a version (with or without `v`) and checksums by platform.
    ///
    /// # Errors
    /// When the version is no exact version, or a checksum is no SHA-256.
    pub fn parse<'a>(tool: Tool, version: &str, sha256: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let parsed = Version::parse(version.trim_start_matches('v')).map_err(|_| {
            Error::project(format!("`{version}` is not an exact version of {tool}"))
                .help(format!("Write all three numbers, for example `{tool}: 1.2.3`."))
        })?;
        let mut want = Self::exact(tool, parsed);
        for (platform, digits) in sha256 {
            let digest = Digest::parse(digits).ok_or_else(|| {
                Error::project(format!("the `sha256` of {tool} {version} for {platform} is not a SHA-256"))
                    .help("Copy the 64 lower-case hex digits of the publisher's checksum file.")
            })?;
            want.sha256.insert(platform.to_owned(), digest);
        }
        Ok(want)
    }
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.tool, self.version)
    }
}

/// A tool that is there and may be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// The tool.
    pub tool: Tool,
    /// Its version; after a fallback not the one that was wanted.
    pub version: Version,
    /// The commit that it prints or that its release was made of, where known.
    pub commit: Option<String>,
    /// The program.
    pub path: PathBuf,
    /// The digest of the program.
    pub digest: Digest,
    /// Where it comes from.
    pub source: Source,
}

/// Where a tool comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The user named its path.
    Explicit,
    /// A mirror: the URL or path of the release file.
    Mirror(String),
    /// The publisher: the URL of the release file.
    Release(String),
    /// Built here, with this Go.
    Built(String),
}

impl Source {
    /// Hides the login of the address.
    pub(super) fn redacted(self) -> Self {
        match self {
            Self::Mirror(address) => Self::Mirror(redact(&address)),
            Self::Release(address) => Self::Release(redact(&address)),
            other => other,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit => f.write_str("explicit path"),
            Self::Mirror(url) => write!(f, "mirror, {url}"),
            Self::Release(url) => write!(f, "release, {url}"),
            Self::Built(go) => write!(f, "built from source with {go}"),
        }
    }
}

/// Told how far the work is; called from whichever thread works.
pub trait Progress: Sync {
    /// Says one line.
    fn line(&self, text: &str);

    /// So many bytes of a tool's release file are there, of this total where it is known.
    fn bytes(&self, tool: Tool, done: u64, total: Option<u64>);

    /// The download of a tool's release file has ended, well or not.
    fn ended(&self, _tool: Tool) {}
}
