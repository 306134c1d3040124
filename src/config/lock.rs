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

    /// Gives every (service, port) a slot: the one that it has, else the lowest free one. No slot that is there moves
    /// or goes.
    pub fn assign_slots(&mut self, wanted: &[(&str, &str)]) {
        for (service, port) in wanted {
            let key = slot_key(service, port);
            if !self.slots.contains_key(&key) {
                let slot = self.free_slot();
                self.slots.insert(key, slot);
            }
        }
    }

    /// Drops the slots of every (service, port) that `keep` does not want.
    pub fn retain_slots(&mut self, keep: impl Fn(&str, &str) -> bool) {
        self.slots.retain(|key, _| key.split_once('/').is_some_and(|(service, port)| keep(service, port)));
    }

    /// Returns the slot of a port of a service.
    pub fn slot(&self, service: &str, port: &str) -> Option<u16> {
        self.slots.get(&slot_key(service, port)).copied()
    }

    fn free_slot(&self) -> u16 {
        let used: BTreeSet<u16> = self.slots.values().copied().collect();
        (0..u16::MAX).find(|slot| !used.contains(slot)).unwrap_or(u16::MAX)
    }

    /// Moves the later of two ports that have one slot.
    fn mend_slots(&mut self, warnings: &mut Vec<String>) {
        let mut owner: BTreeMap<u16, String> = BTreeMap::new();
        let mut homeless = Vec::new();
        for (key, slot) in &self.slots {
            match owner.get(slot) {
                None => _ = owner.insert(*slot, key.clone()),
                Some(first) => homeless.push((key.clone(), *slot, first.clone())),
            }
        }
        for (key, slot, first) in homeless {
            let free = self.free_slot();
            warnings.push(format!("`{key}` and `{first}` both had port slot {slot}: `{key}` moves to slot {free}"));
            self.slots.insert(key, free);
        }
    }
}

fn slot_key(service: &str, port: &str) -> String {
    format!("{service}/{port}")
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn service(origin: Origin, values: Option<&str>) -> LockedService {
        LockedService {
            origin,
            chart: "postgres".into(),
            chart_version: "1.0.0".into(),
            chart_digest: Digest::of(b"chart"),
            source: None,
            image: Some("postgres:17.6".into()),
            values: values.map(|text| Digest::of(text.as_bytes())),
            manifest: None,
        }
    }

    fn lock() -> Lock {
        let name = |text: &str| Name::new(text).unwrap();
        Lock {
            project: LockedProject {
                name: name("shop"),
                port: Some(3000),
                dev: Some("npm run dev".into()),
                image: Some("node:22-alpine".into()),
                health: None,
                stack: Some(serde_json::json!({"manager": "npm", "manifests": ["package.json"], "reloads": true})),
            },
            helm: LockedTool { version: "4.3.0".into(), commit: Some("abc".into()) },
            kubernetes: "v1.37.0".into(),
            services: [
                (name("postgres"), service(Origin::Catalog, Some("v"))),
                (name("on"), service(Origin::Inline, None)),
            ]
            .into(),
            slots: [("postgres/sql".into(), 0), ("postgres/web".into(), 1), ("on/http".into(), 2)].into(),
        }
    }

    #[test]
    fn one_sorted_line_per_service_and_slot() {
        insta::assert_snapshot!(lock().to_text(), @r#"
        # Written by kilter; commit it, do not edit it. It holds the versions that everyone renders with:
        # `kilter upgrade` moves them, `kilter render` mends this file after a merge.
        version: 1
        project:
          name: "shop"
          port: 3000
          dev: "npm run dev"
          image: "node:22-alpine"
          stack: {"manager": "npm", "manifests": ["package.json"], "reloads": true}
        helm: {"version": "4.3.0", "commit": "abc"}
        kubernetes: "v1.37.0"
        services:
          "on": {"origin": "inline", "chart": "postgres", "chartVersion": "1.0.0", "chartDigest": "sha256:cc57fc1903e444cf6a726490b43b27ee9f87facc037f86872201847c565b45fb", "image": "postgres:17.6"}
          "postgres": {"origin": "catalog", "chart": "postgres", "chartVersion": "1.0.0", "chartDigest": "sha256:cc57fc1903e444cf6a726490b43b27ee9f87facc037f86872201847c565b45fb", "image": "postgres:17.6", "values": "sha256:4c94485e0c21ae6c41ce1dfe7b6bfaceea5ab68e40a2476f50208e526f506080"}
        slots:
          "on/http": 2
          "postgres/sql": 0
          "postgres/web": 1
        "#);
    }

    #[test]
    fn text_and_lock_are_the_same() {
        let parsed = parse("kilter.lock", &lock().to_text()).unwrap();
        assert_eq!(parsed, Parsed { lock: lock(), conflicts: false, warnings: vec![] });
        let mut empty = lock();
        empty.services.clear();
        empty.slots.clear();
        assert_eq!(parse("kilter.lock", &empty.to_text()).unwrap().lock, empty);
    }

    #[test]
    fn a_lock_of_the_future_or_a_damaged_one_is_refused() {
        let message = |text: &str| parse("kilter.lock", text).unwrap_err().to_string();
        let future = lock().to_text().replace("version: 1\n", "version: 2\n");
        insta::assert_snapshot!(message(&future), @r#"
        `kilter.lock` was written by a newer kilter (format 2).
          = Install the kilter that the project uses, or a newer one; `kilter version` shows yours.
        "#);
        insta::assert_snapshot!(message(""), @r#"
        `kilter.lock` is not what kilter writes: it is empty.
          = Restore it from version control; or delete it, and `kilter render` writes a new one with this kilter's versions.
        "#);
        insta::assert_snapshot!(message("version: 1\nproject: 3\n"), @r#"
        `kilter.lock` is not what kilter writes: invalid type: integer `3`, expected the map `project`.
          = Restore it from version control; or delete it, and `kilter render` writes a new one with this kilter's versions.
        "#);
        insta::assert_snapshot!(message("a: [\n"), @r#"
        `kilter.lock` is not what kilter writes: line 1: `[` is opened and never closed.
          = Restore it from version control; or delete it, and `kilter render` writes a new one with this kilter's versions.
        "#);
    }

    #[test]
    fn both_sides_of_a_conflict_are_kept_and_the_later_name_moves() {
        let text = lock().to_text();
        let side = |name: &str| format!("  \"{name}/http\": 3\n");
        let merged = text.replace(
            "  \"on/http\": 2\n",
            &format!(
                "<<<<<<< HEAD\n{}  \"on/http\": 2\n||||||| base\n  \"on/http\": 7\n=======\n  \"on/http\": 2\n{}>>>>>>> other\n",
                side("mailpit"),
                side("redis"),
            ),
        );
        let parsed = parse("kilter.lock", &merged).unwrap();
        assert!(parsed.conflicts);
        assert_eq!(
            parsed.lock.slots.keys().collect::<Vec<_>>(),
            ["mailpit/http", "on/http", "postgres/sql", "postgres/web", "redis/http"]
        );
        assert_eq!((parsed.lock.slots["mailpit/http"], parsed.lock.slots["redis/http"]), (3, 4));
        assert_eq!(parsed.lock.slots["on/http"], 2);
        insta::assert_snapshot!(parsed.warnings.join("\n"), @"`redis/http` and `mailpit/http` both had port slot 3: `redis/http` moves to slot 4");
    }

    #[test]
    fn a_clean_merge_with_one_slot_twice_is_mended() {
        let text = lock().to_text().replace("\"on/http\": 2", "\"on/http\": 0");
        let parsed = parse("kilter.lock", &text).unwrap();
        assert!(!parsed.conflicts);
        assert_eq!((parsed.lock.slots["on/http"], parsed.lock.slots["postgres/sql"]), (0, 2));
        assert_eq!(parsed.warnings.len(), 1);
    }

    #[test]
    fn sides_that_differ_keep_ours_and_say_so() {
        let text = lock().to_text();
        let line = text.lines().find(|line| line.contains("\"on\":")).unwrap();
        let theirs = line.replace("postgres:17.6", "postgres:18.0");
        let merged = text.replace(line, &format!("<<<<<<< HEAD\n{line}\n=======\n{theirs}\n>>>>>>> other"));
        let parsed = parse("kilter.lock", &merged.replace('\n', "\r\n")).unwrap();
        assert_eq!(parsed.lock, lock());
        assert_eq!(parsed.warnings, ["both sides of the merge changed `services.on`: the first side is kept"]);
    }

    proptest! {
        #[test]
        fn any_text_survives(dev in any::<String>(), image in "\\PC{0,20}", key in "[a-z]{1,5}/[a-z]{1,5}", slot: u16) {
            let mut lock = lock();
            lock.project.dev = Some(dev);
            lock.services.get_mut("on").unwrap().image = Some(image);
            lock.slots = [(key, slot)].into();
            let text = lock.to_text();
            let parsed = parse("kilter.lock", &text).unwrap();
            prop_assert_eq!(&parsed.lock, &lock);
            prop_assert_eq!(parsed.lock.to_text(), text);
        }

        #[test]
        fn adding_never_moves_another(first in prop::collection::vec("[a-d]{1,2}", 0..8), gone in "[a-d]", second in prop::collection::vec("[a-d]{1,2}", 0..8)) {
            let mut lock = lock();
            lock.slots.clear();
            lock.assign_slots(&first.iter().map(|s| (s.as_str(), "p")).collect::<Vec<_>>());
            lock.retain_slots(|service, _| service != gone);
            let before = lock.slots.clone();
            lock.assign_slots(&second.iter().map(|s| (s.as_str(), "p")).collect::<Vec<_>>());
            for (key, slot) in &before {
                prop_assert_eq!(lock.slots.get(key), Some(slot));
            }
            let used: BTreeSet<u16> = lock.slots.values().copied().collect();
            prop_assert_eq!(used.len(), lock.slots.len());
            prop_assert!(second.iter().all(|s| lock.slot(s, "p").is_some()));
            if before.is_empty() {
                prop_assert!(used.iter().copied().eq(0..u16::try_from(used.len()).unwrap()));
            }
        }
    }
}
