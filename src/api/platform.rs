//! What the people who run a cluster decide once for every app on it: read by the server and the operator from one file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::check::{is_host, shown};

/// The settings of the platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Platform {
    /// Domain under which every app has its host name, for example `apps.example.com`.
    pub domain: String,
    /// `https`, or `http` where nothing ends TLS.
    pub scheme: String,
    /// Port of the Gateway when it is not the scheme's own.
    pub port: Option<u16>,
    /// Host names that no app may have: those under which the platform itself answers, kilter-server above all, as whoever has
    /// that name is sent everybody's tokens.
    pub reserved_hosts: Vec<String>,
    /// The Gateway that routes attach to.
    pub gateway: Gateway,
    /// NetworkPolicy peers that may reach the pods of public apps: where the Gateway's own pods are.
    pub peers: Vec<serde_json::Value>,
    /// Names of image pull Secrets that every pod refers to.
    pub pull_secrets: Vec<String>,
    /// The Kubernetes version that charts see, for example `v1.36.0`.
    pub kubernetes: String,
    /// Platforms that the nodes run, for example `linux/amd64`; the first is what images are built for.
    pub platforms: Vec<String>,
    /// age recipient that secrets are encrypted for.
    pub sops_recipient: Option<String>,
    /// Whether containers have a read-only root file system unless their image cannot.
    pub read_only_root: bool,
    /// How Flux applies what the operator commits.
    pub flux: Flux,
    /// Further labels of every app's namespace, for example a Pod Security level.
    pub namespace_labels: BTreeMap<String, String>,
}

/// A Gateway.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Gateway {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The listener, when routes may not attach to all of them.
    pub section: String,
}

/// How Flux applies what the operator commits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Flux {
    /// Name of the GitRepository, in kilter's namespace.
    pub source: String,
    /// ServiceAccount in kilter's namespace that Flux applies apps as.
    pub service_account: String,
    /// Secret in kilter's namespace with the age key that decrypts the apps' Secrets; none when left out.
    pub sops_secret: Option<String>,
    /// How often Flux looks for drift, for example `10m`.
    pub interval: String,
    /// How soon Flux tries again what failed, for example `30s`.
    pub retry_interval: String,
    /// How long the Jobs of a deploy may take, for example `10m`.
    pub jobs_timeout: String,
}

impl Default for Flux {
    fn default() -> Self {
        Self {
            source: "kilter".into(),
            service_account: "kilter-apps".into(),
            sops_secret: None,
            interval: "10m".into(),
            retry_interval: "30s".into(),
            jobs_timeout: "10m".into(),
        }
    }
}

impl Flux {
    /// Returns `jobs_timeout` in whole seconds, rounded up and at least one; `None` when it is not a time that Flux
    /// takes (`timeout` in kustomize.toolkit.fluxcd.io/v1: numbers with `ms`, `s`, `m` or `h`; fractions are refused here).
    pub fn jobs_seconds(&self) -> Option<u64> {
        let mut rest = self.jobs_timeout.as_str();
        let mut milliseconds = 0_u64;
        while !rest.is_empty() {
            let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
            let unit = after.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(after.len());
            let (unit, after) = after.split_at(unit);
            let worth = match unit {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                _ => return None,
            };
            milliseconds = milliseconds.checked_add(number.parse::<u64>().ok()?.checked_mul(worth)?)?;
            rest = after;
        }
        (milliseconds > 0).then(|| milliseconds.div_ceil(1000))
    }
}

impl Default for Platform {
    fn default() -> Self {
        Self {
            domain: String::new(),
            scheme: "https".into(),
            port: None,
            reserved_hosts: Vec::new(),
            gateway: Gateway::default(),
            peers: Vec::new(),
            pull_secrets: Vec::new(),
            kubernetes: "v1.36.0".into(),
            platforms: vec!["linux/amd64".into()],
            sops_recipient: None,
            read_only_root: false,
            flux: Flux::default(),
            namespace_labels: BTreeMap::new(),
        }
    }
}

impl Platform {
    /// Reads the settings from YAML.
    ///
    /// # Errors
    /// In words, what cannot be read or is missing.
    pub fn from_yaml(text: &str) -> Result<Self, String> {
        let platform: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        for (key, value) in [
            ("domain", &platform.domain),
            ("gateway.name", &platform.gateway.name),
            ("gateway.namespace", &platform.gateway.namespace),
        ] {
            if value.is_empty() {
                return Err(format!("`{key}` is missing"));
            }
        }
        // One that is written otherwise would be reserved for nothing.
        if let Some(wrong) = platform.reserved_hosts.iter().find(|host| !is_host(&host.to_ascii_lowercase())) {
            return Err(format!("`reservedHosts`: `{}` is not a host name", shown(wrong)));
        }
        if platform.flux.jobs_seconds().is_none() {
            return Err(format!("`flux.jobsTimeout` is a time as `10m`, not `{}`", platform.flux.jobs_timeout));
        }
        if !["http", "https"].contains(&platform.scheme.as_str()) {
            return Err(format!("`scheme` is `http` or `https`, not `{}`", platform.scheme));
        }
        Ok(platform)
    }

    /// Tells whether a host name is one that no app may have.
    pub fn reserves(&self, host: &str) -> bool {
        self.reserved_hosts.iter().any(|reserved| reserved.eq_ignore_ascii_case(host))
    }

    /// Returns the address of a host on the Gateway.
    pub fn url(&self, host: &str) -> String {
        match self.port {
            Some(port) => format!("{}://{host}:{port}", self.scheme),
            None => format!("{}://{host}", self.scheme),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_jobs_is_read_as_flux_reads_it() {
        let seconds = |text: &str| Flux { jobs_timeout: text.into(), ..Flux::default() }.jobs_seconds();
        for (text, expected) in [("10m", 600), ("1h30m", 5400), ("90s", 90), ("1500ms", 2), ("1m0s", 60)] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["", "10", "m", "10d", "-1m", "1.5h", "10 m", "0s", "99999999999999999999s", "9999999999999999999h"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn a_reserved_host_is_a_host_name() {
        let yaml = |host: &str| {
            format!(
                "domain: apps.example.com\ngateway: {{name: public, namespace: gateways}}\nreservedHosts: ['{host}']\n"
            )
        };
        assert!(Platform::from_yaml(&yaml("Kilter.example.com")).unwrap().reserves("kilter.example.com"));
        for wrong in ["https://kilter.example.com", "kilter", "*.example.com", "kilter.example.com.", ""] {
            assert!(Platform::from_yaml(&yaml(wrong)).unwrap_err().contains("reservedHosts"), "{wrong}");
        }
    }

    #[test]
    fn settings_that_flux_would_refuse_are_refused() {
        let yaml = |timeout: &str| {
            format!(
                "domain: apps.example.com\ngateway: {{name: public, namespace: gateways}}\nflux: {{jobsTimeout: {timeout}}}\n"
            )
        };
        assert_eq!(Platform::from_yaml(&yaml("20m")).unwrap().flux.jobs_seconds(), Some(1200));
        assert!(Platform::from_yaml(&yaml("soon")).unwrap_err().contains("jobsTimeout"));
    }
}
