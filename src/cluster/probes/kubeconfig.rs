//! Kubeconfig files: kilter's own, which names one cluster, and the user's, which is read and never written.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use serde::Deserialize;

use super::finding::Finding;
use crate::diag::{Error, Result};
use crate::{fsx, ids};

/// How long a server has to take a connection.
const TIMEOUT: Duration = Duration::from_millis(1500);

/// Largest kubeconfig that is read.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// What a kubeconfig says, as far as it matters here. Its users are not read: they hold credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Kubeconfig {
    current_context: Option<String>,
    contexts: Option<Vec<Named>>,
    clusters: Option<Vec<Named>>,
}

/// An entry of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
    context: Option<Context>,
    cluster: Option<Cluster>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Context {
    cluster: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Cluster {
    server: String,
    proxy_url: Option<String>,
}

/// A server to be asked whether it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its address as the kubeconfig has it.
    pub url: String,
    /// Host and port to connect to; `None` when the way to it is by a proxy, or the address is none.
    pub endpoint: Option<(String, u16)>,
}

impl Kubeconfig {
    /// Reads a kubeconfig.
    ///
    /// # Errors
    /// When it is not YAML, or not of that form: one line that says why, without the file's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let empty = text.lines().all(|line| line.trim().is_empty() || line.starts_with('#') || line == "---");
        if empty {
            return Ok(Self::default());
        }
        serde_yaml::from_str(text).map_err(|error| match error.location() {
            Some(at) => format!("line {}, column {}", at.line(), at.column()),
            None => "its form".to_owned(),
        })
    }

    /// Reads the files of the user's kubeconfig; of two entries of one name the first counts, as for kubectl. Files that
    /// are not there are passed over.
    ///
    /// # Errors
    /// When one cannot be read, or is no kubeconfig.
    pub fn read(files: &[PathBuf]) -> Result<Self> {
        let mut all = Self::default();
        for file in files {
            let Some(text) = fsx::read_text(file, MAX_FILE)? else { continue };
            let one = Self::parse(&text).map_err(|at| {
                Error::missing(format!("`{}` is no kubeconfig: {at}", file.display()))
                    .help("Correct it; `kubectl config view` says what it takes.")
            })?;
            all.current_context = all.current_context.or(one.current_context);
            all.contexts.get_or_insert_default().extend(one.contexts.unwrap_or_default());
            all.clusters.get_or_insert_default().extend(one.clusters.unwrap_or_default());
        }
        Ok(all)
    }

    /// Returns the context it uses by itself.
    pub fn current(&self) -> Option<&str> {
        self.current_context.as_deref().filter(|name| !name.is_empty())
    }

    /// Returns the names of its contexts.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.contexts.iter().flatten().map(|context| context.name.as_str())
    }

    /// Returns the server of a context; `None` when there is no such context, or its cluster is missing.
    pub fn server(&self, context: &str) -> Option<Server> {
        let find = |list: &Option<Vec<Named>>, name: &str| list.iter().flatten().find(|n| n.name == name).cloned();
        let cluster = find(&self.contexts, context)?.context?.cluster;
        let cluster = find(&self.clusters, &cluster)?.cluster?;
        let direct = cluster.proxy_url.is_none_or(|url| url.is_empty());
        Some(Server { endpoint: endpoint(&cluster.server).filter(|_| direct), url: cluster.server })
    }
}

/// Takes host and port out of a server's address.
fn endpoint(url: &str) -> Option<(String, u16)> {
    let (rest, port) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (rest, 443),
        (None, Some(rest)) => (rest, 80),
        (None, None) => (url, 443), // kubectl takes https for none
    };
    let authority = rest.split(['/', '?', '#']).next().filter(|text| !text.is_empty())?;
    match authority.rsplit_once(':') {
        Some((host, text)) if !text.ends_with(']') => {
            Some((host.trim_start_matches('[').trim_end_matches(']').to_owned(), text.parse().ok()?))
        }
        _ => Some((authority.trim_start_matches('[').trim_end_matches(']').to_owned(), port)),
    }
}

/// Returns the files of the user's kubeconfig: those of `KUBECONFIG`, else `~/.kube/config`.
pub fn files(variable: Option<&str>, home: Option<&str>) -> Vec<PathBuf> {
    match (variable, home) {
        (Some(list), _) => list.split(':').filter(|file| !file.is_empty()).map(PathBuf::from).collect(),
        (None, Some(home)) => vec![Path::new(home).join(".kube/config")],
        (None, None) => Vec::new(),
    }
}

/// Looks for a context in the user's kubeconfig; `None` when it is there with its cluster.
pub fn context(config: &Kubeconfig, name: &str, files: &[PathBuf]) -> Option<Finding> {
    let shown: Vec<String> = files.iter().map(|file| format!("`{}`", file.display())).collect();
    let shown = if shown.is_empty() { "the kubeconfig".to_owned() } else { shown.join(", ") };
    let names: Vec<&str> = config.contexts().collect();
    if config.server(name).is_some() {
        return None;
    }
    if names.contains(&name) {
        let fix = format!("Take it from whoever runs that cluster again; see `kubectl config view --context={name}`.");
        return Some(Finding::failed("kubeconfig", format!("the cluster of context `{name}` is not in {shown}"), fix));
    }
    let fix = match (ids::did_you_mean(name, names.iter().copied()), names.is_empty()) {
        (Some(near), _) => {
            format!("Did you mean `{near}`? Name it in kilter.yaml (`cluster.context`) or `KILTER_CONTEXT`.")
        }
        (None, true) => {
            "There is none at all: set `KUBECONFIG` to the file of your cluster, or take `provider: kind`.".into()
        }
        (None, false) => {
            let list = names.iter().take(8).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            format!("There are {list}. Name one in kilter.yaml (`cluster.context`) or `KILTER_CONTEXT`.")
        }
    };
    Some(Finding::failed("kubeconfig", format!("there is no context `{name}` in {shown}"), fix))
}

/// Connects to a server, and says whether somebody takes the connection within a second and a half. Nothing is sent.
pub fn answers(host: &str, port: u16) -> bool {
    let (send, receive) = mpsc::channel();
    let host = host.to_owned();
    // Looking up a name has no time limit of its own.
    std::thread::spawn(move || {
        let addresses = (host.as_str(), port).to_socket_addrs().into_iter().flatten();
        let _ = send.send(addresses.take(2).any(|address| TcpStream::connect_timeout(&address, TIMEOUT / 2).is_ok()));
    });
    receive.recv_timeout(TIMEOUT).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::probes::finding::State;

    const CONFIG: &str = "apiVersion: v1
kind: Config
current-context: team
contexts:
- {name: team, context: {cluster: team, user: me, namespace: x}}
- {name: old, context: {cluster: gone, user: me}}
clusters:
- name: team
  cluster: {server: 'https://10.1.2.3:6443', certificate-authority-data: AAAA}
- {name: far, cluster: {server: 'https://far', proxy-url: 'http://proxy:1'}}
users: [{name: me, user: {token: canary}}]
";

    #[test]
    fn the_server_of_a_context_is_found() {
        let config = Kubeconfig::parse(CONFIG).unwrap();
        assert_eq!(config.current(), Some("team"));
        let server = config.server("team").unwrap();
        assert_eq!((server.url.as_str(), server.endpoint), ("https://10.1.2.3:6443", Some(("10.1.2.3".into(), 6443))));
        assert_eq!((config.server("old"), config.server("nope")), (None, None));
        for (url, host, port) in [
            ("https://127.0.0.1:41234", "127.0.0.1", 41234),
            ("https://[::1]:6443/k8s/x", "::1", 6443),
            ("https://[fd00::1]", "fd00::1", 443),
            ("http://api.example", "api.example", 80),
            ("https://api.example/k8s/clusters/c-1:2", "api.example", 443),
            ("api.example:8443", "api.example", 8443),
        ] {
            assert_eq!(endpoint(url), Some((host.to_owned(), port)), "{url}");
        }
        assert_eq!((endpoint("https://"), endpoint("https://x:port")), (None, None));
        let far = CONFIG.replace("cluster: team, user", "cluster: far, user");
        assert_eq!(Kubeconfig::parse(&far).unwrap().server("team").unwrap().endpoint, None, "by its proxy only");
    }

    #[test]
    fn damaged_and_empty_files_are_told_apart() {
        for text in ["", "\n# nothing\n", "---\n", "contexts:\nclusters: null\n"] {
            assert_eq!(Kubeconfig::parse(text).unwrap().contexts().count(), 0, "{text:?}");
        }
        let error = Kubeconfig::parse("contexts: [{name: x}\nusers: canary: canary").unwrap_err();
        assert!(error.starts_with("line ") && !error.contains("canary"), "{error}");
        Kubeconfig::parse("contexts: {a: b}").unwrap_err();
    }

    #[test]
    fn a_context_that_is_gone_is_named() {
        let config = Kubeconfig::parse(CONFIG).unwrap();
        let files = [PathBuf::from("/home/eve/.kube/config")];
        assert_eq!(context(&config, "team", &files), None);
        let gone = context(&config, "teem", &files).unwrap();
        assert_eq!(
            (gone.state, gone.what.as_str()),
            (State::Failed, "there is no context `teem` in `/home/eve/.kube/config`")
        );
        assert!(gone.fix.unwrap().starts_with("Did you mean `team`?"));
        assert!(context(&config, "production", &files).unwrap().fix.unwrap().starts_with("There are `team`, `old`."));
        assert!(context(&config, "old", &files).unwrap().what.starts_with("the cluster of context `old` is not in"));
        let none = context(&Kubeconfig::default(), "team", &[]).unwrap();
        assert!(none.fix.unwrap().contains("`KUBECONFIG`"));
    }

    #[test]
    fn the_first_of_several_files_counts() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fsx::write(&path, text.as_bytes()).unwrap();
            path
        };
        let second = CONFIG.replace("10.1.2.3", "10.9.9.9").replace("name: old", "name: other");
        let list = [dir.path().join("absent"), write("a", CONFIG), write("b", &second)];
        let config = Kubeconfig::read(&list).unwrap();
        assert_eq!(config.contexts().collect::<Vec<_>>(), ["team", "old", "team", "other"]);
        assert_eq!(config.server("team").unwrap().url, "https://10.1.2.3:6443");
        let error = Kubeconfig::read(&[write("c", "a: [")]).unwrap_err();
        assert!(error.to_string().contains("/c` is no kubeconfig: line "), "{error}");
        assert_eq!(files(Some("/a::/b"), Some("/home/eve")), [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert_eq!(files(None, Some("/home/eve")), [PathBuf::from("/home/eve/.kube/config")]);
        assert_eq!(files(None, None), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_server_answers_while_it_listens() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(answers("127.0.0.1", port) && answers("localhost", port));
        assert!(!answers("127.0.0.1", 1), "nobody listens on tcpmux");
    }
}
