//! The patterns of `kilter.yaml`: as regular expressions for editors, as functions and words for people.

use crate::ids::Name;

/// A name: what [`Name`] takes.
pub(super) const NAME: &str = "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$";
/// The path of an HTTP request.
pub(super) const HTTP_PATH: &str = "^/";
/// An age recipient. Native ones have 58 characters after `age1`, those of plugins and post-quantum ones more
/// (age's own format specification, C2SP age).
pub(super) const AGE: &str = "^age1[0-9a-z]{58,}$";
/// A Kubernetes version, a vendor's suffix included.
pub(super) const KUBERNETES: &str = r"^v?1\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$";

/// Says what is wrong with a text and how to write it right; `None` when it matches the pattern.
pub(super) fn complaint(pattern: &str, key: &str, text: &str) -> Option<(String, &'static str)> {
    match pattern {
        NAME => Name::new(text).err().map(|what| (what, "The name becomes part of names in Kubernetes.")),
        HTTP_PATH => (!text.starts_with('/')).then(|| {
            (format!("{key} must start with `/`, not be `{text}`"), "Write the path alone, for example `/healthz`.")
        }),
        AGE => (!is_age(text)).then(|| {
            (
                format!("`{text}` is not an age recipient"),
                "Write the public key, `age1` and at least 58 letters and digits; never the secret key.",
            )
        }),
        KUBERNETES => (!is_kubernetes(text)).then(|| {
            (format!("`{text}` is not a Kubernetes version"), "Write all three numbers, for example `v1.37.0`.")
        }),
        _ => None,
    }
}

fn is_age(text: &str) -> bool {
    let rest = text.strip_prefix("age1").unwrap_or_default();
    rest.len() >= 58 && rest.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
}

fn is_kubernetes(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('v').unwrap_or(text).strip_prefix("1.") else { return false };
    let (numbers, suffix) = match rest.find(['-', '+']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let suffix_char = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-');
    numbers.split_once('.').is_some_and(|(minor, patch)| number(minor) && number(patch))
        && suffix.is_none_or(|suffix| !suffix.is_empty() && suffix.bytes().all(suffix_char))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn patterns(schema: &Value, found: &mut Vec<String>) {
        found.extend(schema.get("pattern").and_then(Value::as_str).map(str::to_owned));
        match schema {
            Value::Object(map) => map.values().for_each(|value| patterns(value, found)),
            Value::Array(items) => items.iter().for_each(|value| patterns(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_pattern_of_the_schema_has_its_words() {
        let mut found = Vec::new();
        patterns(super::super::schema::schema(), &mut found);
        assert!(found.len() >= 5, "{found:?}");
        for pattern in found {
            assert!(complaint(&pattern, "`key`", "!").is_some(), "{pattern}");
        }
    }
}
