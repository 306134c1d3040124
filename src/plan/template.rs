//! Filling in `{{ .Name }}` and the like in catalog and kilter.yaml strings.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the templates of one service are filled with, but for the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// Name of the service in the project.
    pub name: String,
    /// Name of the project.
    pub project: String,
    /// Namespace.
    pub namespace: String,
    /// Password derived from project and service.
    pub password: String,
    /// Name of the project's database.
    pub database: String,
    /// The values that go to helm, once they are complete: what the user overrides reaches the app's variables too.
    pub values: Value,
}

/// Where the ports of a service are reached from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addresses {
    /// From pods: the Service's name and its own ports.
    InCluster(BTreeMap<String, u16>),
    /// From this machine: 127.0.0.1 and, per port name, the port in the cluster and the host port.
    Localhost(BTreeMap<String, (u16, u16)>),
}

impl Addresses {
    /// The names of the ports, for messages.
    fn ports(&self) -> String {
        let names: Vec<String> = match self {
            Self::InCluster(ports) => ports.keys().map(|name| format!("`{name}`")).collect(),
            Self::Localhost(ports) => ports.keys().map(|name| format!("`{name}`")).collect(),
        };
        if names.is_empty() { "none at all".into() } else { names.join(", ") }
    }
}

impl Fill {
    /// Returns the name of the service's host in the cluster.
    pub fn host(&self) -> String {
        format!("{}.{}.svc", self.name, self.namespace)
    }

    /// Fills one string.
    ///
    /// # Errors
    /// Names a placeholder that does not exist, or that is not closed.
    pub fn text(&self, text: &str, addresses: &Addresses) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            let end = rest[start..].find("}}").ok_or_else(|| format!("`{text}`: `{{{{` without `}}}}`"))? + start;
            out.push_str(&rest[..start]);
            let filled = self.placeholder(rest[start + 2..end].trim(), addresses)?;
            let in_url = text.contains("://") && rest[start + 2..end].trim().starts_with(".Values.");
            out.push_str(&if in_url { percent_encoded(&filled) } else { filled });
            rest = &rest[end + 2..];
        }
        out.push_str(rest);
        Ok(self.localized(out, addresses))
    }

    /// Fills every string of a value; a string that is one number-like placeholder stays a string.
    ///
    /// # Errors
    /// As [`Fill::text`].
    pub fn value(&self, value: &Value, addresses: &Addresses) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => Value::String(self.text(text, addresses)?),
            Value::Array(items) => {
                Value::Array(items.iter().map(|v| self.value(v, addresses)).collect::<Result<_, _>>()?)
            }
            Value::Object(map) => Value::Object(
                map.iter().map(|(k, v)| Ok((k.clone(), self.value(v, addresses)?))).collect::<Result<_, String>>()?,
            ),
            other => other.clone(),
        })
    }

    fn placeholder(&self, name: &str, addresses: &Addresses) -> Result<String, String> {
        if let Some(port) = name.strip_prefix(".Port.") {
            let found = match addresses {
                Addresses::InCluster(ports) => ports.get(port).copied(),
                Addresses::Localhost(ports) => ports.get(port).map(|(_, host)| *host),
            };
            return found
                .map(|p| p.to_string())
                .ok_or_else(|| format!("`{{{{ {name} }}}}`: it has no port `{port}`, but {}", addresses.ports()));
        }
        if let Some(path) = name.strip_prefix(".Values.") {
            let value = path.split('.').try_fold(&self.values, |value, key| value.get(key));
            return match value {
                Some(Value::String(text)) => Ok(text.clone()),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
                _ => Err(format!("`{{{{ {name} }}}}`: the values have no text there")),
            };
        }
        Ok(match name {
            ".Name" => self.name.clone(),
            ".Project" => self.project.clone(),
            ".Namespace" => self.namespace.clone(),
            ".Password" => self.password.clone(),
            ".Database" => self.database.clone(),
            ".Host" => match addresses {
                Addresses::InCluster(_) => self.host(),
                Addresses::Localhost(_) => "127.0.0.1".into(),
            },
            other => {
                let known = ".Name, .Project, .Namespace, .Host, .Port.<port>, .Values.<path>, .Password, .Database";
                return Err(format!("`{{{{ {other} }}}}` is unknown; known are {known}"));
            }
        })
    }

    /// Replaces `<name>.<namespace>.svc:<port>`, as users write it in `provides`, by the address on this machine.
    fn localized(&self, text: String, addresses: &Addresses) -> String {
        let Addresses::Localhost(ports) = addresses else { return text };
        let mut out = text;
        for suffix in [".svc.cluster.local", ".svc"] {
            for (port, host_port) in ports.values() {
                let from = format!("{}.{}{suffix}:{port}", self.name, self.namespace);
                out = replace_whole(&out, &from, &format!("127.0.0.1:{host_port}"));
            }
        }
        out
    }
}

/// Writes a value so that it can stand in a URL: all but RFC 3986's unreserved characters as `%XX`.
fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded =
        text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    encoded.collect()
}

/// Replaces `from` where no further digit follows it, so that port 80 does not match 8080.
fn replace_whole(text: &str, from: &str, to: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let after = &rest[at + from.len()..];
        let whole = !after.starts_with(|c: char| c.is_ascii_digit());
        out.push_str(&rest[..at]);
        out.push_str(if whole { to } else { from });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill() -> Fill {
        Fill {
            name: "cache".into(),
            project: "shop".into(),
            namespace: "shop-dev".into(),
            password: "pw".into(),
            database: "shop".into(),
            values: serde_json::json!({"auth": {"password": "p@ss/word", "port": 1}}),
        }
    }

    #[test]
    fn values_reach_the_variables_and_are_safe_in_urls() {
        let inside = Addresses::InCluster([("redis".into(), 6379)].into());
        let url = fill().text("redis://:{{ .Values.auth.password }}@{{ .Host }}:{{ .Values.auth.port }}", &inside);
        assert_eq!(url.unwrap(), "redis://:p%40ss%2Fword@cache.shop-dev.svc:1");
        assert_eq!(fill().text("{{ .Values.auth.password }}", &inside).unwrap(), "p@ss/word");
        assert!(fill().text("{{ .Values.auth }}", &inside).is_err());
        assert!(fill().text("{{ .Values.nope.x }}", &inside).is_err());
    }

    #[test]
    fn both_addresses_of_one_template() {
        let inside = Addresses::InCluster([("redis".into(), 6379)].into());
        let local = Addresses::Localhost([("redis".into(), (6379, 20003))].into());
        let template = "redis://:{{ .Password }}@{{.Host}}:{{ .Port.redis }}/0";
        assert_eq!(fill().text(template, &inside).unwrap(), "redis://:pw@cache.shop-dev.svc:6379/0");
        assert_eq!(fill().text(template, &local).unwrap(), "redis://:pw@127.0.0.1:20003/0");
        let written = "http://{{ .Name }}.{{ .Namespace }}.svc:6379/x http://cache.shop-dev.svc:63790";
        assert_eq!(fill().text(written, &local).unwrap(), "http://127.0.0.1:20003/x http://cache.shop-dev.svc:63790");
        assert!(fill().text("{{ .Nope }}", &inside).is_err());
        assert!(fill().text("{{ .Name", &inside).is_err());
    }
}
