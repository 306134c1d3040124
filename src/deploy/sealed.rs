//! Encrypting Secrets for the cluster, with sops and an age recipient.
//!
//! The values go to sops on standard input and come back encrypted; in clear they are in no argument, no file of kilter's and
//! no message. The ciphertext is kept and used again while its inputs are the same, because another one rolls the pods. What
//! is kept of the inputs is a digest under a random key of this machine, which reveals nothing about them to whoever gets the
//! kept file alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::dotenv::{self, Variables};
use crate::api::{MAX_SEALED, check_sealed};
use crate::diag::{Error, Result};
use crate::exec::Invocation;
use crate::fsx;
use crate::ids::{Digest, hex};

/// How long sops may take; it opens no connection for an age recipient.
const TIMEOUT: Duration = Duration::from_secs(60);

/// One Secret to encrypt.
#[derive(Debug, Clone, Copy)]
pub struct Seal<'a> {
    /// Its name.
    pub name: &'a str,
    /// The namespace it is for.
    pub namespace: &'a str,
    /// The age recipient.
    pub recipient: &'a str,
    /// Its keys and values.
    pub variables: &'a Variables,
}

/// What encrypts Secrets.
#[derive(Debug, Clone)]
pub struct Sealer {
    /// The sops to run.
    pub sops: PathBuf,
    /// The directory of this room's state.
    pub dir: PathBuf,
}

/// What is kept of one Secret.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// The inputs, as [`Sealer::fingerprint`] has them.
    inputs: Digest,
    sealed: String,
}

/// Reads the file of a Secret; `shown` names it in messages.
///
/// # Errors
/// When it is not there, or is no file of `KEY=VALUE` lines.
pub fn read_variables(path: &Path, shown: &str) -> Result<Variables> {
    match fsx::read_text(path, MAX_SEALED as u64)? {
        Some(text) => dotenv::parse(shown, &text),
        None => Err(Error::project(format!("`{shown}`, which kilter.yaml names under `secrets:`, is not there")).help(
            "Get the file from whoever keeps it. A Secret that is deployed already needs no file: name it under `appSecrets:` alone.",
        )),
    }
}

impl Sealer {
    /// Returns the Secret encrypted: the text kept from before when nothing changed.
    ///
    /// # Errors
    /// When sops fails, or what it says is not what was asked for.
    pub fn seal(&self, seal: &Seal<'_>) -> Result<String> {
        let path = self.place(seal);
        let inputs = self.fingerprint(seal)?;
        if let Some(text) = fsx::read_text(&path, 4 * MAX_SEALED as u64)?
            && let Ok(kept) = serde_json::from_str::<Kept>(&text)
            && kept.inputs == inputs
            && check_sealed(&kept.sealed, seal.name, seal.namespace).is_ok()
        {
            return Ok(kept.sealed);
        }
        let sealed = self.encrypt(seal)?;
        let kept = Kept { inputs, sealed: sealed.clone() };
        let text = serde_json::to_string(&kept).map_err(|error| Error::bug(error.to_string()))?;
        fsx::write_private(&path, text.as_bytes())?;
        Ok(sealed)
    }

    /// Where the ciphertext is kept: by what is no secret.
    fn place(&self, seal: &Seal<'_>) -> PathBuf {
        let id = [seal.recipient, seal.namespace, seal.name].join("\0");
        self.dir.join("sealed").join(format!("{}.json", &Digest::of(id.as_bytes()).hex()[..32]))
    }

    /// The inputs under this machine's key: a digest of a digest, each with the key before it.
    fn fingerprint(&self, seal: &Seal<'_>) -> Result<Digest> {
        let key = self.key()?;
        let inputs = json!([seal.recipient, seal.namespace, seal.name, seal.variables]).to_string();
        let inner = Digest::of(format!("{key}{inputs}").as_bytes());
        Ok(Digest::of(format!("{key}{inner}").as_bytes()))
    }

    fn key(&self) -> Result<String> {
        let path = self.dir.join("seal.key");
        let valid = |text: &String| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if let Some(key) = fsx::read_text(&path, 4096)?.filter(valid) {
            return Ok(key);
        }
        let _lock = fsx::Lock::acquire(&self.dir.join("seal.lock"), || {})?;
        if let Some(key) = fsx::read_text(&path, 4096)?.filter(valid) {
            return Ok(key);
        }
        let key = hex(&super::random::bytes::<32>()?);
        fsx::write_private(&path, key.as_bytes())?;
        Ok(key)
    }

    fn encrypt(&self, seal: &Seal<'_>) -> Result<String> {
        let call = Invocation { stdin: Some(manifest(seal).to_string().into_bytes()), ..Invocation::new(&self.sops) };
        // Settings of sops would be looked for from the working directory up, and in the user's home.
        let call = call.cwd("/").timeout(TIMEOUT).args([
            "encrypt",
            "--age",
            seal.recipient,
            "--encrypted-regex",
            "^stringData$",
            "--input-type",
            "json",
            "--output-type",
            "json",
            "--filename-override",
            "secret.json",
        ]);
        let said = call.capture()?;
        if !said.ok() {
            // The words of sops may quote what it read.
            return Err(Error::tool(format!("sops cannot encrypt the Secret `{}`: {}", seal.name, said.ending))
                .detail(hidden(&said.stderr, seal.variables))
                .help("Check that `sopsRecipient:` in kilter.yaml is the cluster's age recipient."));
        }
        let sealed = sorted(&said.text()).ok_or_else(|| unexpected(seal, "it is not JSON"))?;
        check_sealed(&sealed, seal.name, seal.namespace).map_err(|why| unexpected(seal, &why))?;
        let same = serde_json::from_str::<Value>(&sealed).is_ok_and(|value| {
            let keys = value["stringData"].as_object().map(|data| data.keys().cloned().collect::<Vec<_>>());
            keys.is_some_and(|keys| keys.iter().eq(seal.variables.keys()))
                && value["sops"]["age"]
                    .as_array()
                    .is_some_and(|to| to.iter().any(|to| to["recipient"] == seal.recipient))
        });
        if same { Ok(sealed) } else { Err(unexpected(seal, "its keys or its recipient are others")) }
    }
}

/// The Secret in clear, all keys sorted (see `api::sealed`).
fn manifest(seal: &Seal<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": seal.name, "namespace": seal.namespace},
        "stringData": seal.variables,
        "type": "Opaque",
    })
}

/// Writes a JSON text with all keys sorted; `None` when it is no JSON.
fn sorted(text: &str) -> Option<String> {
    fn sort(value: Value) -> Value {
        match value {
            Value::Object(map) => {
                let mut entries: Vec<(String, Value)> = map.into_iter().collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Object(entries.into_iter().map(|(key, value)| (key, sort(value))).collect::<Map<_, _>>())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(sort).collect()),
            other => other,
        }
    }
    serde_json::from_str(text).ok().map(|value| sort(value).to_string())
}

/// Takes every value out of a text.
fn hidden(text: &str, variables: &Variables) -> String {
    let parts = variables.values().flat_map(|value| value.lines()).filter(|part| part.len() >= 3);
    parts.fold(text.trim().to_owned(), |text, part| text.replace(part, "…"))
}

fn unexpected(seal: &Seal<'_>, why: &str) -> Error {
    Error::tool(format!("sops did not encrypt the Secret `{}` as asked: {why}", seal.name))
        .help("Take kilter's own sops: unset `KILTER_SOPS` and run `kilter tools install sops`.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_sorted_down_to_the_last_key() {
        let variables = Variables::from([("B".into(), "2".into()), ("A".into(), "1".into())]);
        let seal = Seal { name: "s", namespace: "shop-prod", recipient: "age1x", variables: &variables };
        let text = manifest(&seal).to_string();
        assert_eq!(sorted(&text).unwrap(), text);
        assert_eq!(sorted(r#"{"b": [{"d": 1, "c": 2}], "a": ""}"#).unwrap(), r#"{"a":"","b":[{"c":2,"d":1}]}"#);
    }

    #[test]
    fn what_is_kept_of_the_inputs_is_known_to_this_machine_alone() {
        let dir = tempfile::tempdir().unwrap();
        let sealer = |name: &str| Sealer { sops: "/nowhere".into(), dir: dir.path().join(name) };
        let variables = Variables::from([("A".into(), "1".into())]);
        let seal = Seal { name: "s", namespace: "shop-prod", recipient: "age1x", variables: &variables };
        let (one, other) = (sealer("one"), sealer("other"));
        assert_eq!(one.fingerprint(&seal).unwrap(), one.fingerprint(&seal).unwrap());
        assert_ne!(one.fingerprint(&seal).unwrap(), other.fingerprint(&seal).unwrap());
        assert_ne!(one.fingerprint(&seal).unwrap(), one.fingerprint(&Seal { namespace: "x", ..seal }).unwrap());
        assert_eq!(one.place(&seal), one.place(&Seal { variables: &Variables::new(), ..seal }));
    }

    #[test]
    fn words_of_sops_show_no_value() {
        let variables = Variables::from([("A".into(), "hunter2\ncanary".into())]);
        assert_eq!(hidden("bad: hunter2 and canary\n", &variables), "bad: … and …");
    }
}
