//! `kilter.lock`: what kilter decided once and keeps to. Committed; one sorted line per service and per port slot, so
//! that merges stay small.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::source::{self, Source};
use super::{merge, read};
use crate::diag::{Error, Problem, Result};
use crate::ids::{Digest, Name};

/// The format that this kilter writes. A higher number in a file means that a newer kilter wrote it.
const VERSION: u64 = 1;

/// Locked slots end here, unless a project has more ports: ten blocks of host ports.
const MOST_SLOTS: u16 = 480;

const HEADER: &str = "\
# Written by kilter; commit it, do not edit it. It holds the versions that everyone renders with:
# `kilter upgrade` moves them, `kilter render` mends this file after a merge.
";

/// The contents of a `kilter.lock`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", expecting = "a map")]
pub struct Lock {
    /// What kilter found out about the project.
    pub project: LockedProject,
    /// The helm that renders.
    pub helm: LockedTool,
    /// The Kubernetes version that charts see.
    pub kubernetes: String,
    /// What each service is rendered from.
    pub services: BTreeMap<Name, LockedService>,
    /// `service/port` → slot: its NodePort is 30000 + slot, its host port the project's block + slot.
    pub slots: BTreeMap<String, u16>,
}

/// What kilter found out about a project; kilter.yaml beats it, it beats finding out again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", expecting = "the map `project`")]
pub struct LockedProject {
    /// Name of the project.
    pub name: Name,
    /// Port of the app.
    #[serde(default)]
    pub port: Option<u16>,
    /// Command that starts the app in dev.
    #[serde(default)]
    pub dev: Option<String>,
    /// Base image of the dev container.
    #[serde(default)]
    pub image: Option<String>,
    /// Path for readiness probes.
    #[serde(default)]
    pub health: Option<String>,
    /// The app's language and package manager, as detection has it (`detect::Stack`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<Value>,
}

/// A tool by what is in its output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", expecting = "a version and a commit")]
pub struct LockedTool {
    /// Version, without `v`.
    pub version: String,
    /// Commit that it was built from, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// Where a service comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// kilter's catalog.
    Catalog,
    /// `image` and `port` in kilter.yaml.
    Inline,
    /// A chart of the user's.
    Chart,
}

/// What a service is rendered from, and what came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", expecting = "what a service is rendered from")]
pub struct LockedService {
    /// Where it comes from; a later catalog entry of the same name does not change that.
    pub origin: Origin,
    /// Name of the chart.
    pub chart: String,
    /// `version` of its Chart.yaml.
    pub chart_version: String,
    /// Digest of its files.
    pub chart_digest: Digest,
    /// Address that a remote chart was pulled from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The catalog's default image at the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Digest of the values file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Digest>,
    /// Digest of the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
}

/// A lock that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What it says, mended where a merge left it in two minds.
    pub lock: Lock,
    /// Whether there were conflict markers in it.
    pub conflicts: bool,
    /// What was mended, for people.
    pub warnings: Vec<String>,
}

/// Reads a `kilter.lock`; `file` is its name for messages. Both sides of a merge conflict are taken; of two ports with
/// one slot the later one moves to a free slot.
///
/// # Errors
/// A newer kilter wrote it, or it is not what kilter writes.
pub fn parse(file: &str, text: &str) -> Result<Parsed> {
    source::text_of(file, text.as_bytes())?;
    let mut warnings = Vec::new();
    let conflicts = merge::has_markers(text);
    let mut read = if conflicts { None } else { Some(read_value(file, text)?) };
    // A merge without a conflict can leave a line twice.
    if conflicts || read.as_ref().is_some_and(|(_, problems)| !problems.is_empty()) {
        let merged = merge::union(text, &mut warnings);
        read = Some(read_value(file, &merged)?);
    }
    let (value, problems) = read.unwrap_or((Value::Null, Vec::new()));
    if let Some(problem) = problems.into_iter().next() {
        return Err(damaged(file, &problem.what));
    }
    let mut lock = from_value(file, value)?;
    lock.mend_slots(&mut warnings);
    Ok(Parsed { lock, conflicts, warnings })
}

fn read_value(file: &str, text: &str) -> Result<(Value, Vec<Problem>)> {
    let tree = read::parse(&Source::new(file, text), false).map_err(|error| {
        let problem = &error.problems()[0];
        let line = problem.place.as_ref().map_or(1, |place| place.line);
        damaged(file, &format!("line {line}: {}", problem.what))
    })?;
    Ok((tree.root.to_json(), tree.problems))
}

fn from_value(file: &str, mut value: Value) -> Result<Lock> {
    let Some(map) = value.as_object_mut() else { return Err(damaged(file, "it is empty")) };
    match map.shift_remove("version").as_ref().map(Value::as_u64) {
        Some(Some(VERSION)) => {}
        Some(Some(newer)) if newer > VERSION => {
            return Err(Error::project(format!("`{file}` was written by a newer kilter (format {newer})"))
                .help("Install the kilter that the project uses, or a newer one; `kilter version` shows yours."));
        }
        _ => return Err(damaged(file, "it does not say its version")),
    }
    // A section without lines is written as a key alone.
    for section in ["services", "slots"] {
        if map.get(section).is_none_or(Value::is_null) {
            map.insert(section.into(), Value::Object(serde_json::Map::new()));
        }
    }
    Lock::deserialize(value).map_err(|error| damaged(file, &error.to_string()))
}

fn damaged(file: &str, why: &str) -> Error {
    Error::project(format!("`{file}` is not what kilter writes: {why}"))
        .help("Restore it from version control; or delete it, and `kilter render` writes a new one with this kilter's versions.")
}

impl Lock {
    /// Returns the text of the file: the same bytes for the same lock.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}version: {VERSION}\nproject:\n");
        let project = &self.project;
        let mut field = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                _ = writeln!(text, "  {name}: {value}");
            }
        };
        field("name", Some(json(&project.name)));
        field("port", project.port.map(|port| port.to_string()));
        field("dev", project.dev.as_ref().map(json));
        field("image", project.image.as_ref().map(json));
        field("health", project.health.as_ref().map(json));
        field("stack", project.stack.as_ref().map(json));
        _ = writeln!(text, "helm: {}", json(&self.helm));
        _ = writeln!(text, "kubernetes: {}", json(&self.kubernetes));
        text.push_str("services:\n");
        for (name, service) in &self.services {
            _ = writeln!(text, "  {}: {}", json(name), json(service));
        }
        text.push_str("slots:\n");
        for (port, slot) in &self.slots {
            _ = writeln!(text, "  {}: {slot}", json(port));
        }
        text
    }

    /// Moves the later of two ports that have one slot, and what no kilter can have written: each 48 slots are a block of
    /// this machine's ports.
    fn mend_slots(&mut self, warnings: &mut Vec<String>) {
        let end = self.slots.len().max(usize::from(MOST_SLOTS));
        let mut owner: BTreeMap<u16, &str> = BTreeMap::new();
        let mut homeless = Vec::new();
        for (key, slot) in &self.slots {
            if usize::from(*slot) >= end {
                homeless.push((key.clone(), format!("`{key}` had port slot {slot}, which no project needs")));
            } else if let Some(first) = owner.get(slot) {
                homeless.push((key.clone(), format!("`{key}` and `{first}` both had port slot {slot}")));
            } else {
                owner.insert(*slot, key);
            }
        }
        for (key, what) in homeless {
            let free = free_slot(self.slots.values(), 0);
            warnings.push(format!("{what}: `{key}` moves to slot {free}"));
            self.slots.insert(key, free);
        }
    }
}

/// Gives every wanted `service/port` a slot: the locked one, else the lowest from `first` on that neither a wanted port holds
/// in the lock nor an earlier one got. No slot that is locked moves; those of ports no longer wanted are free again.
pub fn assign_slots(locked: &BTreeMap<String, u16>, wanted: &[(String, u16)]) -> BTreeMap<String, u16> {
    let mut slots: BTreeMap<String, u16> =
        wanted.iter().filter_map(|(key, _)| Some((key.clone(), *locked.get(key)?))).collect();
    for (key, first) in wanted {
        if !slots.contains_key(key) {
            slots.insert(key.clone(), free_slot(slots.values(), *first));
        }
    }
    slots
}

fn free_slot<'a>(taken: impl Iterator<Item = &'a u16>, first: u16) -> u16 {
    let taken: BTreeSet<u16> = taken.copied().collect();
    (first..u16::MAX).find(|slot| !taken.contains(slot)).unwrap_or(u16::MAX)
}

/// Writes a value as JSON on one line, with a space after `:` and `,` as YAML wants it, and nothing unprintable.
fn json(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Spaced);
    // Strings, numbers and maps with string keys: nothing that JSON cannot say.
    value.serialize(&mut serializer).expect("a lock is plain data");
    let text = String::from_utf8_lossy(&out);
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') {
            _ = write!(clean, "\\u{:04x}", u32::from(c));
        } else {
            clean.push(c);
        }
    }
    clean
}

/// JSON with spaces: a `:` with nothing after it is no key to every YAML reader.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests;
