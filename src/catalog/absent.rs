//! Names that people look for and that are no service of the catalog: `vendor-charts/absent.yaml`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::ABSENT;

/// Why a name is no service, and what to take.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Absent {
    /// One sentence, with its full stop.
    why: String,
    /// Services of the catalog, the first of them the likelier.
    instead: Vec<String>,
}

fn all() -> &'static BTreeMap<String, Absent> {
    static ALL: OnceLock<BTreeMap<String, Absent>> = OnceLock::new();
    ALL.get_or_init(|| serde_json::from_str(ABSENT).expect("a test reads vendor-charts/absent.yaml"))
}

/// Says why a name is no service of the catalog and what to take in its place; `None` when nothing is known about it.
///
/// # Panics
/// Never: the file is compiled in, and a test reads it.
pub fn absent(name: &str) -> Option<String> {
    let Absent { why, instead } = all().get(name)?;
    let instead: Vec<String> = instead.iter().map(|service| format!("`{service}`")).collect();
    Some(format!("{why} Take {}.", instead.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::service;

    #[test]
    fn every_absent_name_leads_to_a_service_and_is_none_itself() {
        for (name, Absent { why, instead }) in all() {
            assert!(service(name).is_none(), "{name} is a service");
            assert!(why.ends_with('.') && !why.contains('\n'), "{name}: {why}");
            assert!(!instead.is_empty(), "{name} leads nowhere");
            for taken in instead {
                assert!(service(taken).is_some(), "{name}: {taken} is no service");
            }
        }
    }

    #[test]
    fn the_sentence_says_why_and_what_to_take() {
        let said = absent("minio").unwrap();
        assert!(said.ends_with("Take `garage` or `rustfs`."), "{said}");
        assert_eq!(absent("postgres"), None);
    }

    #[test]
    fn everyday_names_lead_to_what_is_meant() {
        for (name, meant) in [
            ("mongo", "mongodb"),
            ("elastic", "elasticsearch"),
            ("maria", "mariadb"),
            ("pg", "postgres"),
            ("pgvector", "postgres"),
            ("sqlserver", "mssql"),
            ("smtp", "mailpit"),
        ] {
            let said = absent(name).unwrap();
            assert!(said.ends_with(&format!("Take `{meant}`.")), "{name}: {said}");
        }
    }
}
