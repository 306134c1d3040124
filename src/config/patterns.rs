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
/// The name of an image: a host, a path in lower case, a tag, a digest (the grammar of the package `reference` of
/// github.com/distribution/reference, which container runtimes go by).
pub(super) const IMAGE: &str = concat!(
    r"^(([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(:[0-9]+)?/)?",
    r"[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*)*",
    r"(:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?",
    r"(@[a-zA-Z][a-zA-Z0-9]*([-_+.][a-zA-Z][a-zA-Z0-9]*)*:[a-fA-F0-9]{32,})?$",
);

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
        IMAGE => (!is_image(text)).then(|| {
            (
                format!("`{text}` is not the name of an image"),
                "Write it as it is pulled, its path in lower case: for example `registry.example.com/team/name:1.2`.",
            )
        }),
        _ => None,
    }
}

fn is_image(text: &str) -> bool {
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    let (path, tag) = match rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((path, tag)) => (path, Some(tag)),
        None => (rest, None),
    };
    let (first, others) = path.split_once('/').map_or((path, None), |(first, others)| (first, Some(others)));
    let begins = is_image_part(first) || others.is_some() && is_image_host(first);
    begins
        && others.is_none_or(|others| others.split('/').all(is_image_part))
        && tag.is_none_or(is_image_tag)
        && digest.is_none_or(is_image_digest)
}

/// Letters and digits, with one of `.`, `_`, `__` or any number of `-` between them.
fn is_image_part(part: &str) -> bool {
    let is_in_a_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(is_in_a_word)
        && part.ends_with(is_in_a_word)
        && part
            .split(is_in_a_word)
            .all(|between| matches!(between, "." | "_" | "__") || between.bytes().all(|b| b == b'-'))
}

fn is_image_host(host: &str) -> bool {
    let number = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    if let Some((address, port)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let address_char = |b: u8| b.is_ascii_hexdigit() || b == b':';
        return !address.is_empty()
            && address.bytes().all(address_char)
            && (port.is_empty() || port.strip_prefix(':').is_some_and(number));
    }
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let label = |label: &str| {
        label.starts_with(|c: char| c.is_ascii_alphanumeric())
            && label.ends_with(|c: char| c.is_ascii_alphanumeric())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    name.split('.').all(label) && port.is_none_or(number)
}

fn is_image_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128 && tag.starts_with(word) && tag.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

/// `sha256:` and its digits, or of another algorithm.
fn is_image_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    algorithm.split(['-', '_', '+', '.']).all(word) && hex.len() >= 32 && hex.bytes().all(|b| b.is_ascii_hexdigit())
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
    fn images_are_named_as_registries_name_them() {
        let digest = format!("sha256:{}", "4c5ee1e2".repeat(8));
        let right = [
            "postgres",
            "node:22-alpine",
            "localhost:5000/a/b",
            "registry.example.com:443/team/name__x.y--z:v1_2",
            "[::1]:5000/a",
            "HOST/a:Tag",
            "host:80",
            &format!("a@{digest}"),
            &format!("ghcr.io/a/b:1@{digest}"),
        ];
        let wrong = [
            "POSTGRES:16",
            "a/B",
            "a b",
            "a:",
            "a:-1",
            "a/",
            "/a",
            "a//b",
            "a..b",
            "a___b",
            "a_",
            "https://a/b",
            "a:80x/b",
            "a@sha256:1",
            "[::1",
            &format!("a:{}", "t".repeat(129)),
            &format!("a@{digest}@{digest}"),
        ];
        let validator = jsonschema::draft202012::new(&serde_json::json!({"pattern": IMAGE})).unwrap();
        for (texts, is) in [(&right[..], true), (&wrong[..], false)] {
            for text in texts {
                assert_eq!((is_image(text), validator.is_valid(&Value::from(*text))), (is, is), "{text}");
            }
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
