//! What services of the catalog need of one another.

use std::fmt;

use serde_json::{Value, json};

use crate::catalog::{self, CatalogService, Requirement};
use crate::config::model::ServiceSpec;

/// A service that another one needs and that the project lacks.
#[derive(Debug)]
pub(super) struct Need<'a> {
    /// Who needs it, by its name in the project.
    name: &'a str,
    what: &'a Requirement,
}

impl Need<'_> {
    /// The name of the catalog's service that is needed.
    pub(super) fn service(&self) -> &str {
        &self.what.service
    }

    /// The same for programs.
    pub(super) fn as_json(&self) -> Value {
        json!({"name": self.name, "service": self.what.service, "why": self.what.why})
    }
}

impl fmt::Display for Need<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` needs `{}` ({})", self.name, self.what.service, self.what.why.trim_end_matches('.'))
    }
}

/// Returns what new services need that is neither there nor among them.
pub(super) fn needs<'a>(new: &'a [ServiceSpec], there: &[ServiceSpec]) -> Vec<Need<'a>> {
    lacking(new, there, catalog::service)
}

/// The same by another catalog than kilter's own.
fn lacking<'a, 'catalog: 'a>(
    new: &'a [ServiceSpec],
    there: &[ServiceSpec],
    entry: impl Fn(&str) -> Option<&'catalog CatalogService>,
) -> Vec<Need<'a>> {
    let is_one = |spec: &ServiceSpec, service: &str| spec.name == service || spec.from.as_deref() == Some(service);
    let has = |service: &str| new.iter().chain(there).any(|spec| is_one(spec, service));
    let of_catalog = new.iter().filter(|spec| spec.chart.is_none());
    of_catalog
        .filter_map(|spec| Some((spec, entry(spec.from.as_deref().unwrap_or(&spec.name))?)))
        .flat_map(|(spec, about)| about.requires.iter().map(|what| Need { name: &spec.name, what }))
        .filter(|need| !has(need.service()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, from: Option<&str>) -> ServiceSpec {
        ServiceSpec { name: name.into(), from: from.map(Into::into), ..ServiceSpec::default() }
    }

    #[test]
    fn what_is_neither_there_nor_added_with_it_is_lacking() {
        let auth: CatalogService = serde_json::from_value(json!({
            "image": "acme/auth:1",
            "ports": [],
            "requires": [{"service": "postgres", "why": "it keeps users there."}, {"service": "redis", "why": "sessions"}],
        }))
        .unwrap();
        let lacks = |new: &[ServiceSpec], there: &[ServiceSpec]| -> Vec<String> {
            let needs = lacking(new, there, |name| (name == "auth").then_some(&auth));
            needs.iter().map(ToString::to_string).collect()
        };
        let (postgres, redis) = ("`auth` needs `postgres` (it keeps users there)", "`auth` needs `redis` (sessions)");
        let new = [spec("auth", None)];
        assert_eq!(lacks(&new, &[]), [postgres, redis]);
        assert_eq!(lacks(&new, &[spec("redis", None)]), [postgres]);
        assert_eq!(lacks(&new, &[spec("reports-db", Some("postgres"))]), [redis], "an instance is one, too");
        assert!(lacks(&[spec("auth", None), spec("redis", None)], &[spec("postgres", None)]).is_empty());
        let own = [ServiceSpec { chart: Some("./charts/auth".into()), ..spec("auth", None) }];
        assert!(lacks(&own, &[]).is_empty(), "a chart of one's own is another service");
        let second = [spec("login", Some("auth"))];
        assert_eq!(lacks(&second, &[spec("redis", None)]), ["`login` needs `postgres` (it keeps users there)"]);
        let needs = lacking(&second, &[], |_| Some(&auth));
        let json = json!({"name": "login", "service": "postgres", "why": "it keeps users there."});
        assert_eq!(needs[0].as_json(), json);
    }
}
