//! The names of an app: what its KilterApp, its namespace and its host are called.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Platform, Template};
use crate::ids::{Digest, Name, environment_name, lettered};

/// Namespaces that no app may have (SPEC 7): exactly these, or everything that begins with one that ends in `-`.
pub const RESERVED: [&str; 4] = ["default", "kube-", "flux-", "kilter-"];

/// Longest name of a release that helm takes (`maxReleaseNameLen` in
/// <https://github.com/helm/helm/blob/main/pkg/chart/v2/util/validate_name.go>); an app's is its namespace.
const MAX_RELEASE: usize = 53;

/// The environment whose host name is the app's own.
const MAIN_ENV: &str = "prod";

/// An environment of an app of an organisation, checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "(String, String, String)", try_from = "(String, String, String)")]
pub struct AppId {
    org: Name,
    app: Name,
    env: Name,
}

impl AppId {
    /// Checks the three names; each is a DNS-1123 label that begins with a letter (a Service's name has to).
    ///
    /// # Errors
    /// In words, which name is wrong and why.
    pub fn new(org: &str, app: &str, env: &str) -> Result<Self, String> {
        let of = |what: &str, name: Result<Name, String>| name.map_err(|why| format!("{what}: {why}"));
        let (org, name) = (of("org", lettered(org))?, of("app", lettered(app))?);
        let id = Self { org, app: name, env: of("env", environment_name(env))? };
        let namespace = id.namespace();
        if namespace.len() > MAX_RELEASE {
            let length = namespace.len();
            return Err(format!(
                "app: `{namespace}`, app and environment, has {length} characters; helm takes at most {MAX_RELEASE} for a release"
            ));
        }
        let reserved = |word: &str| namespace == word || (word.ends_with('-') && namespace.starts_with(word));
        if RESERVED.iter().any(|word| reserved(word)) || RESERVED.contains(&app) {
            return Err(format!("app: the name `{namespace}` belongs to the cluster; give the app another name"));
        }
        Ok(id)
    }

    /// Returns the organisation.
    pub fn org(&self) -> &str {
        self.org.as_str()
    }

    /// Returns the app.
    pub fn app(&self) -> &str {
        self.app.as_str()
    }

    /// Returns the environment.
    pub fn env(&self) -> &str {
        self.env.as_str()
    }

    /// Tells whether these are its names. `web` in `eu-prod` and `web-eu` in `prod` share a namespace, and orgs may share both.
    pub fn is_of(&self, org: &str, app: &str, env: &str) -> bool {
        (self.org(), self.app(), self.env()) == (org, app, env)
    }

    /// Returns the name of the KilterApp and of the app's namespace: `<app>-<env>`, at most 53 characters.
    pub fn namespace(&self) -> String {
        format!("{}-{}", self.app, self.env)
    }

    /// Returns the first label of the app's host: `<app>`, or `<app>-<env>` outside `prod`.
    pub fn host_label(&self) -> String {
        if self.env.as_str() == MAIN_ENV { self.app.to_string() } else { self.namespace() }
    }

    /// Returns the app's own host name.
    pub fn host(&self, platform: &Platform) -> String {
        format!("{}.{}", self.host_label(), platform.domain)
    }

    /// Returns every host name of the app, its own first; none when it is not public.
    pub fn hostnames(&self, platform: &Platform, template: &Template) -> Vec<String> {
        if !template.public {
            return Vec::new();
        }
        let mut names = vec![self.host(platform)];
        let routes = template.components.iter().filter_map(|component| component.route.as_deref());
        for name in template.domains.iter().map(String::as_str).chain(routes.filter(|route| !route.starts_with('/'))) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// Returns where the app answers: its route's address, or the Service's inside the cluster (SPEC 7).
    pub fn url(&self, platform: &Platform, template: &Template) -> String {
        if template.public {
            return platform.url(&self.host(platform));
        }
        format!("http://{}.{}.svc:{}", self.app, self.namespace(), template.port)
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {}", self.org, self.app, self.env)
    }
}

impl From<AppId> for (String, String, String) {
    fn from(id: AppId) -> Self {
        (id.org().into(), id.app().into(), id.env().into())
    }
}

impl TryFrom<(String, String, String)> for AppId {
    type Error = String;

    fn try_from((org, app, env): (String, String, String)) -> Result<Self, String> {
        Self::new(&org, &app, &env)
    }
}

/// Returns the id of a deploy: the same for the same idempotency key of the same app, and a DNS-1123 label, as it becomes
/// part of the names of Jobs.
pub fn deploy_id(id: &AppId, key: &str) -> String {
    let digest = Digest::of(format!("{}/{}/{}\0{key}", id.org, id.app, id.env).as_bytes());
    format!("d{}", &digest.hex()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place() {
        for (org, app, env) in [
            ("acme", "../x", "prod"),
            ("acme", "x", ".."),
            ("acme", "shop", "pröd"),
            ("acme", "kube", "system"),
            ("acme", "kube-x", "prod"),
            ("acme", "flux", "system"),
            ("acme", "kilter", "system"),
            ("acme", "default", "prod"),
            ("acme", "1shop", "prod"),
            ("", "shop", "prod"),
            ("acme", &"a".repeat(64), "prod"),
            ("acme", "shop", &"e".repeat(21)),
            ("acme", "shop\n", "prod"),
            ("acme", "shop\0", "prod"),
            ("acme", &"a".repeat(33), &"e".repeat(20)),
            ("acme", &"a".repeat(40), &"e".repeat(13)),
        ] {
            assert!(AppId::new(org, app, env).is_err(), "{org}/{app} {env}");
        }
        for (app, env) in [(40, 12), (32, 20)] {
            let longest = AppId::new("acme", &"a".repeat(app), &"e".repeat(env)).unwrap();
            assert_eq!(longest.namespace().len(), 53);
        }
        let long = AppId::new("acme", &"a".repeat(40), &"e".repeat(20)).unwrap_err();
        assert!(long.contains("has 61 characters") && long.contains("helm takes at most 53"), "{long}");
    }

    #[test]
    fn prod_has_the_short_host() {
        let platform = Platform { domain: "apps.example.com".into(), ..Platform::default() };
        let template = Template { public: true, domains: vec!["www.example.com".into()], ..Template::default() };
        let prod = AppId::new("acme", "shop", "prod").unwrap();
        assert_eq!(prod.hostnames(&platform, &template), ["shop.apps.example.com", "www.example.com"]);
        assert_eq!(prod.url(&platform, &template), "https://shop.apps.example.com");
        let staging = AppId::new("acme", "shop", "staging").unwrap();
        assert_eq!(staging.url(&platform, &template), "https://shop-staging.apps.example.com");
        let internal = Template { public: false, port: 3000, ..template };
        assert_eq!(staging.hostnames(&platform, &internal), Vec::<String>::new());
        assert_eq!(staging.url(&platform, &internal), "http://shop.shop-staging.svc:3000");
    }

    #[test]
    fn a_deploy_is_known_by_its_key() {
        let id = AppId::new("acme", "shop", "prod").unwrap();
        let other = AppId::new("acme", "shop", "staging").unwrap();
        assert_eq!(deploy_id(&id, "k"), deploy_id(&id, "k"));
        assert_ne!(deploy_id(&id, "k"), deploy_id(&id, "l"));
        assert_ne!(deploy_id(&id, "k"), deploy_id(&other, "k"));
        assert!(Name::new(&deploy_id(&id, "k")).is_ok());
    }
}
