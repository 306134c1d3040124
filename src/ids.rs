//! Checked names and digests: what has one of these types is safe in a path, a label and a command line.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Longest project name, so that `<name>-dev`, `kilter-<name>` and pod names stay within 63 characters.
pub const MAX_NAME: usize = 40;

/// Longest name of an environment, so that there is room for the app's in front of it.
const MAX_ENVIRONMENT: usize = 20;

/// The app's own name among services and components, under which its release, artifacts and slots are kept.
pub const APP: &str = "app";

/// Returns what a route leads by, for comparison: a path prefix is the same with and without a slash at its end (the Gateway API's
/// `PathPrefix`), a host name is itself.
pub fn route_of(route: &str) -> &str {
    match route.starts_with('/').then(|| route.trim_end_matches('/')) {
        Some("") => "/",
        Some(path) => path,
        None => route,
    }
}

/// Checks the name of an environment: a [`Name`] of at most 20 characters that begins with a letter.
///
/// # Errors
/// In words, why it is none.
pub fn environment_name(text: &str) -> Result<Name, String> {
    if text.len() > MAX_ENVIRONMENT {
        let length = text.chars().count();
        return Err(format!("`{text}` has {length} characters; an environment has at most {MAX_ENVIRONMENT}"));
    }
    lettered(text)
}

/// Checks a name that begins with a letter, as that of a Service has to.
///
/// # Errors
/// In words, why it is none.
pub fn lettered(text: &str) -> Result<Name, String> {
    match Name::new(text) {
        Ok(name) if text.starts_with(|c: char| c.is_ascii_digit()) => {
            Err(format!("`{name}` begins with a digit; begin with a letter"))
        }
        checked => checked,
    }
}

/// A DNS-1123 label of at most [`MAX_NAME`] characters: the name of a project, service, component or environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// Checks a name. The error says in words what a name may be.
    pub fn new(text: &str) -> Result<Self, String> {
        let ok_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() {
            return Err("a name cannot be empty".into());
        }
        if text.len() > MAX_NAME {
            return Err(format!("`{text}` has {} characters; a name has at most {MAX_NAME}", text.chars().count()));
        }
        if !text.chars().all(ok_char) || text.starts_with('-') || text.ends_with('-') {
            return Err(format!(
                "`{text}` is not a name: use lower-case letters, digits and `-`, with a letter or digit at both ends"
            ));
        }
        Ok(Self(text.into()))
    }

    /// Makes a name out of any text (a directory name, a package name); `None` when nothing usable is left.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut out = String::new();
        for c in text.chars() {
            let c = c.to_ascii_lowercase();
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                out.push(c);
            } else if !out.is_empty() && !out.ends_with('-') {
                out.push('-');
            }
        }
        out.truncate(MAX_NAME);
        let out = out.trim_matches('-');
        Self::new(out).ok()
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// A SHA-256 digest, written `sha256:<64 hex digits>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// Computes the digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_hasher(Sha256::new_with_prefix(bytes))
    }

    /// Computes the digest of everything a reader gives.
    pub fn of_reader(mut reader: impl std::io::Read) -> std::io::Result<Self> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(Self::from_hasher(hasher)),
                n => hasher.update(&buffer[..n]),
            }
        }
    }

    /// Finishes a running SHA-256.
    pub fn from_hasher(hasher: Sha256) -> Self {
        Self(format!("sha256:{}", hex(&hasher.finalize())))
    }

    /// Reads `sha256:<hex>` or a bare `<hex>` of 64 lower-case digits; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let ok = digits.len() == 64 && digits.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
        ok.then(|| Self(format!("sha256:{digits}")))
    }

    /// Returns the 64 hex digits.
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }

    /// Returns `sha256:<hex>`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes bytes as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a sha256 digest"))
    }
}

/// Finds the candidate that a misspelled word most likely meant (at most two edits, or a third of its length).
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Counts the edits (insert, delete, replace, swap of neighbours) between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels() {
        assert!(Name::new("shop-2").is_ok());
        for bad in ["", "Shop", "-a", "a-", "a_b", "a.b", "ä", &"a".repeat(41)] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Name::from_text("My Shop_2!").unwrap().as_str(), "my-shop-2");
        assert_eq!(Name::from_text("@acme/web").unwrap().as_str(), "acme-web");
        assert!(Name::from_text("日本").is_none());
    }

    #[test]
    fn suggestions_are_close() {
        assert_eq!(did_you_mean("servces", ["services", "secrets"]), Some("services"));
        assert_eq!(did_you_mean("potsgres", ["postgres", "redis"]), Some("postgres"));
        assert_eq!(did_you_mean("kafka", ["postgres", "redis"]), None);
    }
}
