//! What a command has at hand: the terminal, the directories, the environment. Read once, here; the rooms get values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Global;
use super::ui::Ui;
use crate::diag::{Error, Result};
use crate::exec::shell_word;
use crate::toolchain::{Proxy, Settings, Tool};

/// What a command has at hand.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) ui: Ui,
    vars: BTreeMap<String, String>,
    cwd: Option<PathBuf>,
}

/// Go's own settings, which its builds get and nothing else does.
const GO_VARIABLES: [&str; 30] = [
    "GOPROXY",
    "GOSUMDB",
    "GONOSUMDB",
    "GONOSUMCHECK",
    "GOPRIVATE",
    "GONOPROXY",
    "GOINSECURE",
    "GOFLAGS",
    "GOTOOLCHAIN",
    "GOPATH",
    "GOMODCACHE",
    "GOCACHE",
    "GOROOT",
    "GOENV",
    "GOAUTH",
    "HOME",
    "PATH",
    "TMPDIR",
    "CC",
    "CXX",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "XDG_CACHE_HOME",
    "NETRC",
];

impl Context {
    /// Reads the surroundings of this process; `ci`: a command was told that it is run by CI, whatever `CI` says.
    #[expect(clippy::disallowed_methods, reason = "this is the edge where the environment is read")]
    pub(crate) fn new(global: Global, ci: bool) -> Self {
        let mut vars: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        if ci {
            vars.insert("CI".to_owned(), "true".to_owned());
        }
        let ui = Ui::new(&global, &vars);
        Self { global, ui, vars, cwd: std::env::current_dir().ok() }
    }

    /// The same without a person: nothing is said, nobody is asked, nothing is got from the network.
    pub(crate) fn silent(&self) -> Self {
        let global = Global { offline: true, no_input: true, quiet: true, ..self.global.clone() };
        Self { global, ui: Ui::silent(), vars: self.vars.clone(), cwd: self.cwd.clone() }
    }

    /// Writes commands of kilter, each as its words, as one line to paste where this one was typed: with the directory and the
    /// instance that this one was told.
    pub(crate) fn pasteable(&self, commands: &[Vec<String>]) -> String {
        let mut told = Vec::new();
        if let Some(dir) = &self.global.directory {
            told.extend(["-C".to_owned(), dir.to_string_lossy().into_owned()]);
        }
        if let Some(name) = self.global.instance.as_deref().filter(|name| self.var("KILTER_INSTANCE") != Some(*name)) {
            told.extend(["--instance".to_owned(), name.to_owned()]);
        }
        let line = |words: &Vec<String>| {
            let (program, rest) = words.split_at(words.len().min(1));
            program.iter().chain(&told).chain(rest).map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
        };
        commands.iter().map(line).collect::<Vec<_>>().join(" && ")
    }

    /// Returns a variable of the environment; an empty one counts as unset.
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns the directory the command works in.
    ///
    /// # Errors
    /// When it is gone or cannot be read.
    pub(crate) fn directory(&self) -> Result<PathBuf> {
        let cwd = || {
            self.cwd.clone().ok_or_else(|| {
                Error::missing("the current directory is gone").help("Change to a directory that exists.")
            })
        };
        let dir = match &self.global.directory {
            Some(dir) if dir.is_absolute() => dir.clone(),
            Some(dir) => cwd()?.join(dir),
            None => cwd()?,
        };
        std::fs::canonicalize(&dir).map_err(|error| {
            Error::usage(format!("cannot work in `{}`: {}", dir.display(), crate::diag::io_words(&error)))
                .help("Name a directory that exists: `kilter -C DIR …`.")
        })
    }

    /// Returns the directory of everything that can be made again: `KILTER_CACHE_DIR`, or `kilter` below
    /// `XDG_CACHE_HOME` or `~/.cache`.
    ///
    /// # Errors
    /// When none of the three variables is set.
    pub(crate) fn cache_dir(&self) -> Result<PathBuf> {
        match self.var("KILTER_CACHE_DIR") {
            Some(dir) => self.absolute(dir),
            None => self.xdg("XDG_CACHE_HOME", ".cache"),
        }
    }

    /// Returns the directory of what this machine remembers: `kilter` below `XDG_STATE_HOME` or `~/.local/state`.
    ///
    /// # Errors
    /// When neither variable is set.
    pub(crate) fn state_dir(&self) -> Result<PathBuf> {
        self.xdg("XDG_STATE_HOME", ".local/state")
    }

    /// Returns the directory of what this user set: `kilter` below `XDG_CONFIG_HOME` or `~/.config`.
    ///
    /// # Errors
    /// When neither variable is set.
    pub(crate) fn config_dir(&self) -> Result<PathBuf> {
        self.xdg("XDG_CONFIG_HOME", ".config")
    }

    fn xdg(&self, variable: &str, below_home: &str) -> Result<PathBuf> {
        // The XDG base directory specification: a relative path is to be ignored.
        match (self.var(variable).map(Path::new).filter(|dir| dir.is_absolute()), self.var("HOME")) {
            (Some(dir), _) => Ok(dir.join("kilter")),
            (None, Some(home)) => Ok(self.absolute(home)?.join(below_home).join("kilter")),
            (None, None) => Err(Error::missing(format!(
                "neither `{variable}` nor `HOME` is set, so kilter has no place for its files"
            ))
            .help(format!("Set `HOME`, or `{variable}` to a directory that kilter may write."))),
        }
    }

    fn absolute(&self, dir: &str) -> Result<PathBuf> {
        let dir = Path::new(dir);
        match &self.cwd {
            _ if dir.is_absolute() => Ok(dir.to_path_buf()),
            Some(cwd) => Ok(cwd.join(dir)),
            None => Err(Error::missing("the current directory is gone").help("Change to a directory that exists.")),
        }
    }

    /// Returns the store shared by all projects: charts, rendered manifests, helm's empty homes.
    ///
    /// # Errors
    /// As [`Context::cache_dir`].
    pub(crate) fn store_dir(&self, below: &str) -> Result<PathBuf> {
        Ok(self.cache_dir()?.join(".store").join(below))
    }

    /// Returns how long one call of helm may take: `KILTER_HELM_TIMEOUT` in seconds, else a minute.
    ///
    /// # Errors
    /// When the variable is no whole number of seconds from 1 to 86,400.
    pub(crate) fn helm_timeout(&self) -> Result<Duration> {
        let Some(text) = self.var("KILTER_HELM_TIMEOUT") else { return Ok(crate::helm::TIMEOUT) };
        match text.parse() {
            Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
            _ => Err(Error::usage(format!("`KILTER_HELM_TIMEOUT` is `{text}`, which is no number of seconds"))
                .help("Set it to a whole number of seconds from 1 to 86400, or unset it to have 60.")),
        }
    }

    /// Returns what the toolchain has to know.
    ///
    /// # Errors
    /// As [`Context::cache_dir`].
    pub(crate) fn tool_settings(&self) -> Result<Settings> {
        let mut settings = Settings::new(self.cache_dir()?.join("tools"));
        for tool in Tool::all() {
            let variable = format!("KILTER_{}", tool.name().to_uppercase());
            if let Some(path) = self.var(&variable) {
                settings.explicit.insert(tool, self.absolute(path)?);
            }
        }
        settings.mirror = self.var("KILTER_MIRROR").map(str::to_owned);
        settings.offline = self.global.offline;
        let proxy = |upper: &str, lower: &str| self.var(upper).or(self.var(lower)).map(str::to_owned);
        settings.proxy = Proxy {
            http: proxy("HTTP_PROXY", "http_proxy"),
            https: proxy("HTTPS_PROXY", "https_proxy"),
            no_proxy: proxy("NO_PROXY", "no_proxy"),
        };
        settings.go = crate::exec::find_program("go", self.var("PATH").map(std::ffi::OsStr::new));
        let passed = GO_VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), self.var(name)?.to_owned())));
        settings.go_env = passed.collect();
        Ok(settings)
    }
}
