//! The features of a crate (<https://doc.rust-lang.org/cargo/reference/features.html>): which are on unless somebody says
//! otherwise, and what they switch on among the dependencies.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::toml::Toml;

/// The table `features`.
pub(super) struct Features {
    /// Features that are on by default, `default` among them.
    on: BTreeSet<String>,
    /// What each feature asks for, with the line.
    all: BTreeMap<String, Vec<(String, usize)>>,
}

/// What the default features do to a dependency.
pub(super) struct Switched {
    /// Whether they switch an optional one on.
    pub on: bool,
    /// Features of it that they ask for.
    pub features: Vec<String>,
}

impl Features {
    pub(super) fn read(toml: &Toml) -> Self {
        let entries = toml.get(&["features"]).map(Toml::entries).unwrap_or_default();
        let asks =
            |list: &Toml| list.list().iter().filter_map(|ask| Some((ask.text()?.to_owned(), ask.line))).collect();
        let all: BTreeMap<String, Vec<(String, usize)>> =
            entries.iter().map(|(name, _, list)| (name.clone(), asks(list))).collect();
        let mut on = BTreeSet::new();
        let mut next = vec!["default".to_owned()];
        while let Some(name) = next.pop() {
            if on.insert(name.clone()) {
                next.extend(
                    all.get(&name).into_iter().flatten().map(|(ask, _)| ask.clone()).filter(|ask| is_name(ask)),
                );
            }
        }
        Self { on, all }
    }

    /// Says what the default features do to the dependency of this name.
    pub(super) fn of_default(&self, key: &str) -> Switched {
        let asks: Vec<&str> =
            self.all.iter().filter(|(name, _)| self.on.contains(*name)).flat_map(|(_, asks)| texts(asks)).collect();
        let features = asks.iter().filter_map(|ask| feature_of(ask, key)).map(str::to_owned).collect();
        // A name that is no feature is that of an optional dependency.
        let by_name = self.on.contains(key) && !self.all.contains_key(key);
        let on = by_name
            || asks.iter().any(|ask| ask.strip_prefix("dep:") == Some(key))
            || asks.iter().any(|ask| ask.split_once('/').is_some_and(|(name, _)| name == key));
        Switched { on, features }
    }

    /// Returns the features of a dependency that are asked for by features which are off: the one that asks, the one that
    /// is asked for, the line.
    pub(super) fn of_others(&self, key: &str) -> Vec<(String, String, usize)> {
        let off = self.all.iter().filter(|(name, _)| !self.on.contains(*name));
        off.flat_map(|(name, asks)| {
            asks.iter().filter_map(|(ask, line)| Some((name.clone(), feature_of(ask, key)?.to_owned(), *line)))
        })
        .collect()
    }
}

fn texts(asks: &[(String, usize)]) -> impl Iterator<Item = &str> {
    asks.iter().map(|(ask, _)| ask.as_str())
}

fn is_name(ask: &str) -> bool {
    !ask.contains(['/', ':'])
}

/// Returns `feature` of `key/feature` and `key?/feature`.
fn feature_of<'a>(ask: &'a str, key: &str) -> Option<&'a str> {
    let (name, feature) = ask.split_once('/')?;
    (name.trim_end_matches('?') == key).then_some(feature)
}
