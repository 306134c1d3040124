//! What a `catalog.yaml` says.
//!
//! Those of earlier and later kilters are read too, out of the store: what they do not have is left out, what they have
//! beside is passed over. A test holds the folders of this kilter to every field.

use indexmap::IndexMap;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A service of the catalog: the contents of its `catalog.yaml`.
///
/// Strings of `values`, `provides`, `forms` and `credentials` are templates. Filled in are `{{ .Name }}` (the service's name in
/// the project), `{{ .Project }}`, `{{ .Namespace }}`, `{{ .Host }}` and `{{ .Port.<port name> }}` (the in-cluster
/// address, or the one on localhost), `{{ .Password }}` (derived from project and service name) and `{{ .Database }}`
/// (the project's name). In `provides`, `forms` and `credentials` also
/// `{{ .Values.<path> }}`: the value that goes to helm, the user's overrides included, percent-encoded inside a URL.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogService {
    /// Group it is listed in, for example `database`.
    #[serde(default)]
    pub category: String,
    /// One line: what it is and what it brings along.
    #[serde(default)]
    pub description: String,
    /// Address of the product's own documentation.
    #[serde(default)]
    pub docs: String,
    /// Default image, exact tag; equals `image` of the chart's values.yaml.
    pub image: String,
    /// Repositories of images that start like the default one and hold more, for example `pgvector/pgvector`: a project that
    /// runs one of them keeps it.
    #[serde(default)]
    pub variants: Vec<String>,
    /// Ports of the Kubernetes Service; the first is the main one. Names are stable: slots in kilter.lock hang on them.
    pub ports: Vec<PortSpec>,
    /// Variables the app gets.
    #[serde(default)]
    pub provides: IndexMap<String, String>,
    /// The same in other forms, for projects that read it in one of them.
    #[serde(default, skip_serializing_if = "Forms::is_empty")]
    pub forms: Forms,
    /// What a person types to log in, shown by `kilter env`.
    #[serde(default)]
    pub credentials: Vec<Credential>,
    /// Values that kilter sets, over the chart's and under the user's.
    #[serde(default)]
    pub values: Value,
    /// Which packages reveal the service, per ecosystem.
    #[serde(default, deserialize_with = "of_known_ecosystems")]
    pub detect: IndexMap<Ecosystem, Rules>,
    /// The kind of service of which a project uses one, if it is of such a kind.
    #[serde(default)]
    pub one_of: Option<OneOf>,
    /// Other services of the catalog it needs.
    #[serde(default)]
    pub requires: Vec<Requirement>,
}

/// What a service provides in the forms in which projects read it: kilter.yaml gets those that a project asks for. All are
/// templates as those of `provides`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Forms {
    /// Variables that belong together, by their names in an example environment: one whose template has the host has to be
    /// named there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<IndexMap<String, String>>,
    /// Variables that a framework reads by itself, by the package of a manifest; `group:*` is any of that group,
    /// and with ` + ` between them all have to be there. The first that names a variable counts.
    #[serde(skip_serializing_if = "IndexMap::is_empty", deserialize_with = "of_known_ecosystems")]
    pub packages: IndexMap<Ecosystem, IndexMap<String, IndexMap<String, String>>>,
    /// What else the app is told where a variable leads to another port than the usual one: by the name of that port and by
    /// the variable.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub ports: IndexMap<String, IndexMap<String, IndexMap<String, String>>>,
    /// Addresses by their scheme, where more than that is other than in the address that `provides` has; with a `;` behind it
    /// those whose parameters stand behind one, as in Prisma's; by `@tcp(` the one that Go's driver of MySQL reads.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub addresses: IndexMap<String, String>,
    /// Values with which the service asks for no password, or for the one that clients take by themselves: for a project that
    /// names where it is, and neither a password nor a whole address.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub open: Value,
    /// Variables beside which clients take a password for a sign of TLS, which the service does not speak: with one of them it
    /// asks for none (`open`), and the app is told none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open_beside: Vec<String>,
    /// A connection string as .NET's libraries read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_string: Option<String>,
}

impl Forms {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One port of a service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortSpec {
    /// Name of the port in the Kubernetes Service and in `values.ports`, `values.nodePorts`.
    pub name: String,
    /// Port number in the cluster.
    pub port: u16,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// Whether a person opens it in a browser.
    #[serde(default)]
    pub ui: bool,
    /// Name of the port that stands for this one on the developer's machine, where a server tells its clients an address to go
    /// on at: pods are told another than clients on this machine. What the server is to tell these, the host port, is in the
    /// ConfigMap `<release>-host-ports` under the name of that port; the chart refers to it as optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub localhost: Option<String>,
}

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A page or an API over HTTP.
    Http,
    /// Anything else over TCP.
    #[serde(other)]
    Tcp,
}

/// One line of `kilter env` for a person: user, password and the like.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// What it is, for example `password`.
    pub name: String,
    /// Its value, a template.
    pub value: String,
}

/// A service that another one needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    /// Name of the catalog service.
    pub service: String,
    /// Why, for the message when it is missing.
    pub why: String,
}

/// A family of manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ecosystem {
    /// package.json.
    Node,
    /// requirements*.txt, pyproject.toml, Pipfile, setup.cfg.
    Python,
    /// go.mod.
    Go,
    /// schema.prisma: the `provider` of a datasource.
    Prisma,
    /// Gemfile, *.gemspec.
    Ruby,
    /// composer.json.
    Php,
    /// pom.xml, Gradle's build files and version catalogs, sbt's builds: `group:artifact`, without the version of Scala behind it.
    Jvm,
    /// *.csproj, *.fsproj, Directory.Packages.props.
    Dotnet,
    /// mix.exs.
    Elixir,
    /// Cargo.toml; a feature as `crate[feature]`.
    Rust,
    /// Compose files and devcontainers: the image without its tag, `docker.io` and `library/` left out.
    Compose,
    /// Examples of environment files (`.env.example`): names of variables.
    Env,
    /// Files of hosts: the add-ons of Heroku's app.json by their slug, `databases` and `type: keyvalue` of Render's blueprint,
    /// `engine: PG` of DigitalOcean's app spec.
    Hosting,
}

/// Reads what is said of the ecosystems that this kilter knows.
fn of_known_ecosystems<'de, D, T>(input: D) -> Result<IndexMap<Ecosystem, T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let all = IndexMap::<String, Value>::deserialize(input)?;
    let known = all.into_iter().filter_map(|(name, said)| {
        let ecosystem = Ecosystem::deserialize(Value::from(name)).ok()?;
        Some(T::deserialize(said).map(|said| (ecosystem, said)).map_err(D::Error::custom))
    });
    known.collect()
}

/// The packages of one ecosystem that reveal a service, by whole name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rules {
    /// Packages that speak to this kind of service alone: selected. `name[extra]` asks for an extra.
    pub strong: Vec<String>,
    /// Packages that often, not always, mean it: proposed, not selected.
    pub weak: Vec<String>,
    /// Packages with which a project's own tests start the real service: selected, in a dev group too.
    pub tests: Vec<String>,
    /// Those of the strong ones that are drivers as such, without a mapper of objects: an option in a manifest that names a
    /// relational database.
    pub bare: Vec<String>,
}

/// A kind of service of which a project uses one: packages for two of them in one manifest are alternatives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OneOf {
    /// Name of the kind, for example `relational database`.
    pub kind: String,
    /// Of several in one manifest the one with the lowest rank is selected.
    pub rank: u32,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::CHARTS;

    /// Tells whether everything that is said is in what was understood; names the first that is not.
    fn passed_over(said: &Value, understood: &Value, at: &str) -> Option<String> {
        match (said, understood) {
            (Value::Object(said), Value::Object(_)) => said
                .iter()
                .find_map(|(key, value)| passed_over(value, &understood[key.as_str()], &format!("{at}/{key}"))),
            (Value::Array(said), Value::Array(understood)) if said.len() == understood.len() => said
                .iter()
                .zip(understood)
                .enumerate()
                .find_map(|(n, (said, understood))| passed_over(said, understood, &format!("{at}/{n}"))),
            _ => (said != understood).then(|| at.to_owned()),
        }
    }

    fn read(said: &Value) -> (CatalogService, Option<String>) {
        let service = CatalogService::deserialize(said).unwrap();
        let understood = serde_json::to_value(&service).unwrap();
        (service, passed_over(said, &understood, ""))
    }

    #[test]
    fn nothing_in_our_own_catalog_is_passed_over() {
        for chart in CHARTS {
            let Some(catalog) = chart.catalog else { continue };
            let (service, passed_over) = read(&serde_json::from_str(catalog).unwrap());
            assert_eq!(passed_over, None, "{}", chart.name);
            for text in [&service.category, &service.description, &service.docs] {
                assert!(!text.is_empty(), "{}", chart.name);
            }
        }
    }

    #[test]
    fn the_catalogs_of_other_kilters_are_read() {
        let least = json!({"image": "x:1", "ports": [{"name": "x", "port": 1, "protocol": "tcp"}]});
        assert_eq!(read(&least).0.ports[0].protocol, Protocol::Tcp);
        for (pointer, key, value) in [
            ("", "tier", json!(1)),
            ("", "detect", json!({"zig": {"strong": ["x"]}})),
            ("/ports/0", "internal", json!(true)),
            ("/ports/0", "protocol", json!("udp")),
        ] {
            let mut later = least.clone();
            later.pointer_mut(pointer).unwrap()[key] = value;
            assert_eq!(read(&later).1.unwrap().split('/').nth(1), Some(if pointer.is_empty() { key } else { "ports" }));
        }
    }
}
