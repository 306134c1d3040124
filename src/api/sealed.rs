//! Encrypted Secrets: what the command line makes with sops, and what server and operator take.
//!
//! A sealed Secret is a JSON manifest of one Secret whose values sops encrypted (`--encrypted-regex ^stringData$`). Nobody but
//! Flux, which has the key, sees inside; what can be checked without the key is checked here, as the text is committed and
//! applied as it is. All keys are sorted: sops' checksum is over the values in their order, and Flux decrypts what it read
//! and wrote again with sorted keys (kustomize-controller, `internal/decryptor`).
//!
//! Nothing but the text in clear binds a ciphertext to its namespace: sops mixes only a value's path into its encryption, Flux has one
//! key for all apps and checks no checksum. Whoever has another app's ciphertext can therefore deploy it under a namespace of their own
//! and read it there. That they cannot have it is up to the repository's readers and its history, which no check here can stand in for:
//! an earlier ciphertext of a value that is the same still is as good, and only the history has it.

use serde_json::{Map, Value};

use crate::ids::Digest;

/// Most bytes of all the sealed Secrets of an app together (SPEC 7).
pub const MAX_SEALED: usize = 256 * 1024;

/// How sops writes an encrypted value.
const ENCRYPTED: (&str, &str) = ("ENC[AES256_GCM,data:", "]");

/// Checks that a sealed Secret is one Secret of that name and namespace with nothing in clear.
///
/// # Errors
/// In words that quote no value.
pub fn check_sealed(text: &str, name: &str, namespace: &str) -> Result<(), String> {
    if text.len() > MAX_SEALED {
        return Err(format!("secret `{name}` has more than {} KiB", MAX_SEALED / 1024));
    }
    let value: Value = serde_json::from_str(text).map_err(|_| format!("secret `{name}` is not JSON"))?;
    if pairs_in(text) != pairs_of(&value) {
        return Err(format!("secret `{name}` has a key twice"));
    }
    let object = value.as_object().ok_or_else(|| format!("secret `{name}` is not an object"))?;
    only(object, &["apiVersion", "kind", "metadata", "sops", "stringData", "type"], name)?;
    let is = |at: &Value, text: &str| at.as_str() == Some(text);
    if !is(&value["apiVersion"], "v1") || !is(&value["kind"], "Secret") {
        return Err(format!("secret `{name}` is not a Secret of version v1"));
    }
    if object.get("type").is_some_and(|kind| !is(kind, "Opaque")) {
        return Err(format!("secret `{name}`: its type is not Opaque"));
    }
    let metadata = value["metadata"].as_object().ok_or_else(|| format!("secret `{name}` has no metadata"))?;
    only(metadata, &["name", "namespace"], name)?;
    if !is(&value["metadata"]["name"], name) || !is(&value["metadata"]["namespace"], namespace) {
        return Err(format!("secret `{name}` was encrypted for another name or namespace than `{namespace}`"));
    }
    let data = value["stringData"].as_object().filter(|data| !data.is_empty());
    let data = data.ok_or_else(|| format!("secret `{name}` has no stringData"))?;
    for (key, value) in data {
        // sops leaves an empty text as it is: there is nothing in it to hide.
        if !value.as_str().is_some_and(|value| value.is_empty() || is_encrypted(value)) {
            return Err(format!("secret `{name}`: `{}` is not encrypted", crate::api::check::shown(key)));
        }
    }
    check_sops(&value["sops"], name)
}

/// Checks what sops says of itself: an age recipient has the key, and nobody else. Flux would ask every other service that is named
/// here for it, a Vault at a stranger's address among them, or a cloud's with rights of its own.
fn check_sops(sops: &Value, name: &str) -> Result<(), String> {
    let other = || format!("secret `{name}` is not encrypted with sops for an age recipient");
    let object = sops.as_object().ok_or_else(other)?;
    // What the pinned sops writes for age (sops, `stores.Metadata`); older ones write the services that they do not use as null.
    let said =
        object.iter().filter(|(_, value)| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    let said: Map<String, Value> = said.map(|(key, value)| (key.clone(), value.clone())).collect();
    only(&said, &["age", "encrypted_regex", "lastmodified", "mac", "version"], name)?;
    let recipients = said.get("age").and_then(Value::as_array).ok_or_else(other)?;
    for recipient in recipients {
        only(recipient.as_object().ok_or_else(other)?, &["enc", "recipient"], name)?;
    }
    let texts = recipients.iter().all(|one| one["enc"].is_string() && one["recipient"].is_string());
    if !texts || !sops["mac"].as_str().is_some_and(is_encrypted) || sops["encrypted_regex"] != "^stringData$" {
        return Err(other());
    }
    Ok(())
}

/// Returns the digest that the pod template carries, so that another ciphertext rolls the pods.
pub fn digest_of_sealed(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// Counts the keys of all objects in a JSON text. Of a key that is there twice one reader takes the first value and another the last:
/// what is checked would not be what is applied.
fn pairs_in(json: &str) -> usize {
    let (mut pairs, mut quoted, mut escaped) = (0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b':' if !quoted => pairs += 1,
            _ => {}
        }
    }
    pairs
}

/// Counts the same in what was read of it.
fn pairs_of(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.values().map(|value| 1 + pairs_of(value)).sum(),
        Value::Array(list) => list.iter().map(pairs_of).sum(),
        _ => 0,
    }
}

fn is_encrypted(text: &str) -> bool {
    text.starts_with(ENCRYPTED.0) && text.ends_with(ENCRYPTED.1)
}

fn only(object: &Map<String, Value>, known: &[&str], name: &str) -> Result<(), String> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("secret `{name}`: `{}` has no place in it", crate::api::check::shown(key))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sealed() -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop-prod"},
            "stringData": {"KEY": "ENC[AES256_GCM,data:abc=,iv:x=,tag:y=,type:str]"}, "type": "Opaque",
            "sops": {"age": [{"recipient": "age1x", "enc": "…"}], "mac": "ENC[AES256_GCM,data:m,iv:x,tag:y,type:str]",
                "encrypted_regex": "^stringData$", "lastmodified": "2026-11-24T10:00:00Z", "version": "3.13.3"}})
    }

    #[test]
    fn one_whole_secret_passes() {
        check_sealed(&sealed().to_string(), "s", "shop-prod").unwrap();
        let mut empty = sealed();
        empty["stringData"]["NOTHING"] = json!("");
        empty["stringData"]["A \":\\"] = json!("");
        (empty["sops"]["kms"], empty["sops"]["pgp"]) = (Value::Null, json!([]));
        check_sealed(&empty.to_string(), "s", "shop-prod").unwrap();
    }

    #[test]
    fn everything_else_is_refused_without_a_value_in_the_words() {
        let spoil: [fn(&mut Value); 21] = [
            |v| v["stringData"]["KEY"] = json!("canary in clear"),
            |v| v["stringData"]["NAME\n"] = json!("canary under a name of two lines"),
            |v| v["data"] = json!({"KEY": "canary in base64"}),
            |v| v["kind"] = json!("ClusterRoleBinding"),
            |v| v["metadata"]["namespace"] = json!("other"),
            |v| v["metadata"]["name"] = json!("other"),
            |v| v["metadata"]["labels"] = json!({"a": "b"}),
            |v| v["metadata"]["annotations"] = json!({"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}),
            |v| v["sops"] = Value::Null,
            |v| v["sops"]["age"] = json!([]),
            |v| v["stringData"] = json!({}),
            |v| v["type"] = json!("kubernetes.io/service-account-token"),
            |v| v["sops"]["hc_vault"] = json!([{"vault_address": "http://canary.example.org", "enc": "x"}]),
            |v| v["sops"]["kms"] = json!([{"arn": "arn:aws:kms:canary", "enc": "x"}]),
            |v| v["sops"]["gcp_kms"] = json!([{"resource_id": "canary", "enc": "x"}]),
            |v| v["sops"]["azure_kv"] = json!([{"vault_url": "http://canary.example.org", "enc": "x"}]),
            |v| v["sops"]["key_groups"] = json!([{"hc_vault": [{"vault_address": "http://canary.example.org"}]}]),
            |v| v["sops"]["shamir_threshold"] = json!(2),
            |v| v["sops"]["age"][0]["vault_address"] = json!("http://canary.example.org"),
            |v| v["sops"]["age"][0]["enc"] = Value::Null,
            |v| v["sops"]["mac"] = json!("canary"),
        ];
        for spoil in spoil {
            let mut value = sealed();
            spoil(&mut value);
            let error = check_sealed(&value.to_string(), "s", "shop-prod").unwrap_err();
            assert!(!error.contains("canary"), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        // The last one is as it should be.
        for (from, key) in [("{", "sops"), ("{", "stringData"), ("\"metadata\":{", "namespace")] {
            let twice = sealed().to_string().replacen(from, &format!("{from}\"{key}\":\"canary: \\\" {{\","), 1);
            assert_eq!(check_sealed(&twice, "s", "shop-prod").unwrap_err(), "secret `s` has a key twice");
        }
        assert!(check_sealed("---\nkind: Secret\n---\n", "s", "shop-prod").is_err());
        assert!(check_sealed(&" ".repeat(MAX_SEALED + 1), "s", "shop-prod").is_err());
    }
}
