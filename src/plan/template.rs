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
            let name = rest[start + 2..end].trim();
            let filled = self.placeholder(name, addresses)?;
            if name.starts_with(".Port.") && matches!(addresses, Addresses::Localhost(_)) {
                // The number is one of this machine already, and may be another port's in the cluster.
                out = self.localized_end(out);
            }
            let value = name.starts_with(".Values.") || matches!(name, ".Password" | ".Database");
            out.push_str(&if value { Quoting::of(text).quoted(filled) } else { filled });
            rest = &rest[end + 2..];
        }
        out.push_str(rest);
        let out = if text.contains("}}@") { without_empty_login(out) } else { out };
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

    fn of_values(&self, pointer: &str) -> Option<&str> {
        self.values.pointer(pointer).and_then(Value::as_str)
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
            // What the values decide beats what kilter would have chosen.
            ".Password" => self.of_values("/auth/password").unwrap_or(&self.password).to_owned(),
            ".Database" => self.of_values("/auth/database").unwrap_or(&self.database).to_owned(),
            ".Host" => self.host(),
            other => {
                let known = ".Name, .Project, .Namespace, .Host, .Port.<port>, .Values.<path>, .Password, .Database";
                return Err(format!("`{{{{ {other} }}}}` is unknown; known are {known}"));
            }
        })
    }

    /// Replaces the service's host and a colon at the end of a text by those of this machine.
    fn localized_end(&self, text: String) -> String {
        match text.strip_suffix(':').map(|rest| rest.strip_suffix(".cluster.local").unwrap_or(rest)) {
            Some(rest) if rest.ends_with(&self.host()) => {
                format!("{}:", replace_whole(rest, &self.host(), "127.0.0.1", |after| !after.is_empty()))
            }
            _ => text,
        }
    }

    /// Replaces the service's host, as `.Host` gives it or users write it in `provides`, by the address on this machine:
    /// with one of its ports after it both, else the host alone.
    fn localized(&self, text: String, addresses: &Addresses) -> String {
        let Addresses::Localhost(ports) = addresses else { return text };
        let hosts = [format!("{}.cluster.local", self.host()), self.host()];
        let mut out = text;
        for host in &hosts {
            for (port, host_port) in ports.values() {
                out = replace_whole(&out, &format!("{host}:{port}"), &format!("127.0.0.1:{host_port}"), more_digits);
            }
        }
        hosts.iter().fold(out, |out, host| replace_whole(&out, host, "127.0.0.1", more_host))
    }
}

/// How the value of a user stands in a text, so that whoever reads the text gets the value.
enum Quoting {
    /// As it is.
    Plain,
    /// In a URL: with `%XX`.
    Url,
    /// In the parameters of SQL Server's addresses and in strings of ODBC, where nothing is decoded: in braces
    /// (<https://learn.microsoft.com/en-us/sql/connect/jdbc/building-the-connection-url>).
    Braces,
    /// In a connection string of .NET: in quotation marks
    /// (<https://learn.microsoft.com/en-us/dotnet/api/system.data.common.dbconnectionstringbuilder>).
    Marks,
}

impl Quoting {
    /// Tells how a template is read by what it looks like.
    fn of(text: &str) -> Self {
        let (first, rest) = text.split_once(';').unwrap_or((text, ""));
        let is_word = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ');
        let is_pair = first.split_once('=').is_some_and(|(key, _)| is_word(key.trim()));
        let of_odbc = first.to_ascii_lowercase().starts_with("driver=");
        if is_pair && of_odbc {
            Self::Braces
        } else if is_pair && rest.contains('=') {
            Self::Marks
        } else if first.contains("sqlserver://") && rest.contains('=') {
            Self::Braces
        } else if text.contains("://") {
            Self::Url
        } else {
            Self::Plain
        }
    }

    fn quoted(&self, value: String) -> String {
        let needs =
            |special: &[char]| value.contains(special) || value.trim() != value || value.chars().any(char::is_control);
        match self {
            Self::Url => percent_encoded(&value),
            Self::Braces if needs(&[';', '{', '}', '=', ':', '\\', '/', '[', ']']) => {
                format!("{{{}}}", value.replace('}', "}}"))
            }
            Self::Marks if needs(&[';', '\'', '"']) => format!("\"{}\"", value.replace('"', "\"\"")),
            _ => value,
        }
    }
}

/// Writes a value so that it can stand in a URL: all but RFC 3986's unreserved characters as `%XX`.
fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded =
        text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    encoded.collect()
}

/// Takes a login without a password out of an address: the service asks for none.
fn without_empty_login(address: String) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address };
    match rest.split_once(":@") {
        Some((user, server)) if !user.contains(['/', '@', ':', '?']) => format!("{scheme}://{server}"),
        _ => address,
    }
}

/// Replaces `from` where no longer name begins before it (`db` is not in `users-db`) and what follows does not go on.
fn replace_whole(text: &str, from: &str, to: &str, goes_on: fn(&str) -> bool) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        out.push_str(before);
        let begins = !out.ends_with(in_name) || ends_encoded(&out);
        let whole = begins && !goes_on(after);
        out.push_str(if whole { to } else { from });
        rest = after;
    }
    out + rest
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

/// Tells whether a text ends with `%XX`: one character, whose digits are no part of a name.
fn ends_encoded(text: &str) -> bool {
    let end = &text.as_bytes()[text.len().saturating_sub(3)..];
    matches!(end, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// Tells whether a port number has further digits: 80 is not in 8080.
fn more_digits(after: &str) -> bool {
    after.starts_with(|c: char| c.is_ascii_digit())
}

/// Tells whether a host's name goes on, or it has a port: one that is none of the service's stays what it is.
fn more_host(after: &str) -> bool {
    after.starts_with(in_name) || after.strip_prefix(':').is_some_and(more_digits)
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
    fn values_are_quoted_as_those_read_them_who_decode_nothing() {
        let inside = Addresses::InCluster([("mssql".into(), 1433)].into());
        let filled = |password: &str, template: &str| {
            let values = serde_json::json!({"auth": {"password": password}});
            Fill { values, ..fill() }.text(template, &inside).unwrap()
        };
        let jdbc = "jdbc:sqlserver://{{ .Host }}:{{ .Port.mssql }};user=sa;password={{ .Values.auth.password }}";
        let net = "Server={{ .Host }};Password={{ .Password }};Encrypt=True";
        let key = "Endpoint=http://{{ .Host }};Key={{ .Values.auth.password }}";
        for (password, in_jdbc, in_net) in [
            ("P@ss%w0rd!", "P@ss%w0rd!", "P@ss%w0rd!"),
            ("P;w}0rd", "{P;w}}0rd}", "\"P;w}0rd\""),
            ("P\"w=0rd ", "{P\"w=0rd }", "\"P\"\"w=0rd \""),
        ] {
            let server = "jdbc:sqlserver://cache.shop-dev.svc:1433;user=sa;password=";
            assert_eq!(filled(password, jdbc), format!("{server}{in_jdbc}"));
            assert_eq!(filled(password, net), format!("Server=cache.shop-dev.svc;Password={in_net};Encrypt=True"));
            assert_eq!(filled(password, key), format!("Endpoint=http://cache.shop-dev.svc;Key={in_net}"));
        }
        assert_eq!(filled("a/b", jdbc), "jdbc:sqlserver://cache.shop-dev.svc:1433;user=sa;password={a/b}");
        for (template, stated) in [
            ("pgsql:host={{ .Host }};password={{ .Password }}", "pgsql:host=cache.shop-dev.svc;password=it's;x"),
            ("Driver={X};Server={{ .Host }};PWD={{ .Password }}", "Driver={X};Server=cache.shop-dev.svc;PWD={it's;x}"),
            ("-Da={{ .Password }};b=c", "-Da=it's;x;b=c"),
        ] {
            assert_eq!(filled("it's;x", template), stated);
        }
        for (password, stated) in [("", "redis://cache.shop-dev.svc/0"), ("a", "redis://me:a@cache.shop-dev.svc/0")] {
            assert_eq!(filled(password, "redis://me:{{ .Values.auth.password }}@{{ .Host }}/0"), stated);
        }
        assert_eq!(filled("", "redis://me:@{{ .Host }}/0"), "redis://me:@cache.shop-dev.svc/0", "what somebody wrote");
        let account = "AccountName=x;AccountKey={{ .Password }};BlobEndpoint=http://{{ .Host }}/x";
        let stated = "AccountName=x;AccountKey=a/b+c==;BlobEndpoint=http://cache.shop-dev.svc/x";
        assert_eq!(filled("a/b+c==", account), stated, "base64 is read as it is");
        let url = "sqlserver://sa:{{ .Password }}@{{ .Host }}?database=shop";
        assert_eq!(filled("P;w", url), "sqlserver://sa:P%3Bw@cache.shop-dev.svc?database=shop");
    }

    #[test]
    fn both_addresses_of_one_template() {
        let inside = Addresses::InCluster([("redis".into(), 6379)].into());
        let local = Addresses::Localhost([("redis".into(), (6379, 20003))].into());
        let template = "redis://:{{ .Password }}@{{.Host}}:{{ .Port.redis }}/0";
        assert_eq!(fill().text(template, &inside).unwrap(), "redis://:p%40ss%2Fword@cache.shop-dev.svc:6379/0");
        assert_eq!(fill().text(template, &local).unwrap(), "redis://:p%40ss%2Fword@127.0.0.1:20003/0");
        let written = "http://{{ .Name }}.{{ .Namespace }}.svc:6379/x http://cache.shop-dev.svc:63790";
        assert_eq!(fill().text(written, &local).unwrap(), "http://127.0.0.1:20003/x http://cache.shop-dev.svc:63790");
        assert!(fill().text("{{ .Nope }}", &inside).is_err());
        assert!(fill().text("{{ .Name", &inside).is_err());
    }

    #[test]
    fn the_host_and_a_port_in_digits_are_an_address_on_this_machine() {
        let local = Addresses::Localhost([("api".into(), (8080, 20001)), ("web".into(), (20001, 20002))].into());
        let filled = |template: &str| fill().text(template, &local).unwrap();
        assert_eq!(filled("http://{{ .Host }}:8080/x"), "http://127.0.0.1:20001/x");
        assert_eq!(filled("{{ .Host }}.cluster.local:8080"), "127.0.0.1:20001");
        assert_eq!(filled("{{ .Host }}"), "127.0.0.1");
        assert_eq!(filled("http://cache.shop-dev.svc.cluster.local/"), "http://127.0.0.1/");
        assert_eq!(filled("u=http%3A%2F%2F{{ .Host }}%2F"), "u=http%3A%2F%2F127.0.0.1%2F");
        // The host port of one is the port of the other in the cluster.
        assert_eq!(filled("{{ .Host }}:{{ .Port.api }}"), "127.0.0.1:20001");
        assert_eq!(filled("{{ .Host }}:20001,{{ .Port.web }}"), "127.0.0.1:20002,20002");
    }

    #[test]
    fn other_services_whose_names_end_or_begin_alike_stay() {
        let local = Addresses::Localhost([("redis".into(), (6379, 20003))].into());
        for text in ["redis://my-cache.shop-dev.svc:6379", "x.cache.shop-dev.svc", "cache.shop-dev.svc.example.com"] {
            assert_eq!(fill().text(text, &local).unwrap(), text);
        }
        let two = "my-cache.shop-dev.svc:6379,cache.shop-dev.svc:6379";
        assert_eq!(fill().text(two, &local).unwrap(), "my-cache.shop-dev.svc:6379,127.0.0.1:20003");
    }
}
