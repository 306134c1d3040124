//! Nothing of the machine is in an artifact: no path, home, user, host, host port or date.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::project::{Project, command};

/// What the surroundings of a test are called.
const CANARY: &str = "canary";

/// Fails when a trace of the machine is in a file. kind.yaml, which holds the host ports, is looked at for the others.
pub(crate) fn assert_no_trace(project: &Project, found: &BTreeMap<PathBuf, Vec<u8>>, artifacts: &Path) {
    let mut traces: BTreeSet<String> = [CANARY.to_owned(), project.outside("").display().to_string()].into();
    traces.extend(host_name());
    traces.extend(dates());
    let kind = fs::read(artifacts.join("kind.yaml")).unwrap_or_default();
    let ports = host_ports(&kind);
    let texts = found.iter().map(|(path, bytes)| (path.as_path(), bytes)).chain([(Path::new("kind.yaml"), &kind)]);
    for (path, bytes) in texts {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        for trace in &traces {
            assert!(!text.contains(&trace.to_lowercase()), "{}: has `{trace}`\n{text}", path.display());
        }
        let numbers = text.split(|c: char| !c.is_ascii_alphanumeric()).filter_map(|word| word.parse::<u16>().ok());
        let found: Vec<u16> = numbers.filter(|number| ports.contains(number)).collect();
        let expected = if path == Path::new("kind.yaml") { ports.len() } else { 0 };
        assert_eq!(found.len(), expected, "{}: has host ports {found:?}", path.display());
    }
}

/// The machine's own name, unless it is a word that stands in texts for other reasons.
fn host_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    (name.len() > 6 && name != "localhost").then_some(name)
}

/// Today, as it may be written, in the zone farthest east and west.
fn dates() -> Vec<String> {
    let date = |zone: &str| {
        let said =
            command(Path::new("/bin/date")).args(["+%Y-%m-%d %Y%m%d %d/%b/%Y"]).env("TZ", zone).output().unwrap();
        String::from_utf8(said.stdout).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let dates = [date("UTC-14"), date("UTC"), date("UTC+12")].concat();
    assert!(dates.iter().all(|date| date.len() >= 8), "{dates:?}");
    dates
}

/// The host ports that a kind.yaml maps; none with a context.
fn host_ports(kind: &[u8]) -> BTreeSet<u16> {
    let kind: serde_json::Value = serde_yaml::from_slice(kind).unwrap();
    let mappings = kind["nodes"][0]["extraPortMappings"].as_array().cloned().unwrap_or_default();
    mappings.iter().map(|mapping| u16::try_from(mapping["hostPort"].as_u64().unwrap()).unwrap()).collect()
}
