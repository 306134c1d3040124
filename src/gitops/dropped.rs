//! Secrets that a spec names no more. Pods of before name them until the last of them is gone, and one that starts again without
//! its Secret does not come up: so they stay in the repository for one more deploy, in a directory of their own.

use std::collections::BTreeMap;

use super::{APPS, AppReceipt, Files, Phase};
use crate::api::{AppId, KilterAppSpec};
use crate::ids::Digest;

/// Ciphertexts by the name of their Secret.
pub type Sealed = BTreeMap<String, Vec<u8>>;

/// A Secret that the head has and the next spec does not name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Its name.
    pub name: String,
    /// Whether the spec of the head did not name it either.
    pub is_former: bool,
    path: String,
}

/// What the file of a Secret begins with.
const SECRET: &str = "secret-";
/// The directory of those that the spec does not name.
const FORMER: &str = "former";

/// Returns the path of a Secret within `jobs/`.
pub(super) fn secret_path(name: &str, is_former: bool) -> String {
    let file = format!("{SECRET}{name}.json");
    if is_former { format!("{FORMER}/{file}") } else { file }
}

/// Tells whether a path of the repository is that of a ciphertext, `apps/<namespace>/jobs/secret-<name>.json` or the same below
/// `former/`: the namespace may begin with that word, too.
pub fn is_ciphertext(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let (place, file) = match parts.as_slice() {
        [place @ .., FORMER, file] | [place @ .., file] => (place, file),
        [] => return false,
    };
    matches!(place, [APPS, _, phase] if *phase == Phase::Jobs.name()) && file.starts_with(SECRET)
}

/// Returns the Secrets of an app at the head, as its receipt lists them, that a spec does not name. One that it names as external is
/// somebody's from now on.
pub fn dropped(id: &AppId, spec: &KilterAppSpec, receipt: &AppReceipt) -> Vec<Dropped> {
    let home = format!("{APPS}/{}/jobs/", id.namespace());
    let of = |path: &String| {
        let rest = path.strip_prefix(&home)?;
        let file = rest.strip_prefix(FORMER).and_then(|rest| rest.strip_prefix('/'));
        let (is_former, file) = file.map_or((false, rest), |file| (true, file));
        let name = file.strip_prefix(SECRET)?.strip_suffix(".json")?.to_owned();
        Some(Dropped { name, is_former, path: path.clone() })
    };
    let named = |name: &str| spec.template.secrets.iter().any(|secret| secret.name == name);
    receipt.files.keys().filter_map(of).filter(|dropped| !named(&dropped.name)).collect()
}

/// Returns the bytes of dropped Secrets; without those that somebody changed.
pub fn sealed(dropped: Vec<Dropped>, receipt: &AppReceipt, files: &Files) -> Sealed {
    let whole = |path: &str| files.get(path).filter(|bytes| receipt.files.get(path) == Some(&Digest::of(bytes)));
    dropped.into_iter().filter_map(|one| Some((one.name, whole(&one.path)?.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::files;
    use super::super::tests::{self, change};
    use super::*;
    use crate::api::{Platform, SecretRef, Template};

    /// The spec of an app with these Secrets.
    fn spec(secrets: &[&str]) -> KilterAppSpec {
        let secret =
            |name: &&str| SecretRef { name: (*name).into(), sealed: Some(format!("sealed {name}")), external: false };
        tests::spec(Template { secrets: secrets.iter().map(secret).collect(), ..Template::default() })
    }

    #[test]
    fn ciphertexts_are_known_by_their_place() {
        for (path, expected) in [
            ("apps/shop-prod/jobs/secret-a.json", true),
            ("apps/shop-prod/jobs/former/secret-a.json", true),
            ("apps/secret-prod/app/app.yaml", false),
            ("apps/secret-prod/jobs/jobs.yaml", false),
            ("apps/shop-prod/app/former/secret-a.json", false),
            ("apps/former/secret-a.json", false),
            ("secret-a.json", false),
        ] {
            assert_eq!(is_ciphertext(path), expected, "{path}");
        }
    }

    #[test]
    fn what_a_spec_drops_is_carried_over_byte_for_byte() {
        let id = AppId::new("acme", "shop", "prod").unwrap();
        let receipt = change("shop", 1, "i@sha256:1").files.unwrap().1;
        let platform = Platform::default();
        let write = |spec: &KilterAppSpec, former: &Sealed| {
            let receipt = AppReceipt { files: BTreeMap::new(), ..receipt.clone() };
            files(&id, spec, &platform, &[], former, receipt).unwrap()
        };
        let names = |all: &[Dropped]| -> Vec<(String, bool)> {
            all.iter().map(|one| (one.name.clone(), one.is_former)).collect()
        };
        let (first, head) = write(&spec(&["a", "b"]), &Sealed::new());
        let next = dropped(&id, &spec(&["a"]), &head);
        assert_eq!(names(&next), [("b".to_owned(), false)]);
        let kept = sealed(next, &head, &first);
        assert_eq!(kept, Sealed::from([("b".into(), b"sealed b".to_vec())]));

        let (second, head) = write(&spec(&["a"]), &kept);
        assert_eq!(second["apps/shop-prod/jobs/former/secret-b.json"], first["apps/shop-prod/jobs/secret-b.json"]);
        let resources = String::from_utf8(second["apps/shop-prod/jobs/kustomization.yaml"].clone()).unwrap();
        assert!(resources.contains("- former/secret-b.json\n"), "Flux applies it: {resources}");
        // The same spec again: the same bytes.
        let again = dropped(&id, &spec(&["a"]), &head);
        assert_eq!(names(&again), [("b".to_owned(), true)]);
        assert_eq!(write(&spec(&["a"]), &sealed(again, &head, &second)).0, second);
        // Named again, or somebody's: nothing is carried over.
        assert_eq!(dropped(&id, &spec(&["a", "b"]), &head), []);
        let mut external = spec(&["a", "b"]);
        (external.template.secrets[1].sealed, external.template.secrets[1].external) = (None, true);
        assert_eq!(dropped(&id, &external, &head), []);
        // What somebody wrote there is not kilter's.
        let mut tampered = second;
        tampered.insert("apps/shop-prod/jobs/former/secret-b.json".into(), b"other".to_vec());
        assert_eq!(sealed(dropped(&id, &spec(&["a"]), &head), &head, &tampered), Sealed::new());
    }
}
