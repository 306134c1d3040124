//! The pin table: which versions kilter knows, where their release files are and what their digests are.
//!
//! `pins.json` is the one place that holds versions and checksums of tools. Every SHA-256 in it stands, equal, in at
//! least two public records: the publishers' own checksum lists, package indexes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::model::Want;
use crate::diag::{Error, Result};
use crate::ids::Digest;

/// A tool that kilter runs and pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// Renders charts.
    Helm,
    /// Keeps the development cluster in step with the project.
    Tilt,
    /// Makes the local cluster.
    Kind,
    /// Reaches into the cluster: exec, logs, port-forward.
    Kubectl,
    /// Encrypts secrets.
    Sops,
}

impl Tool {
    /// Returns every tool, in the order in which they are shown.
    pub fn all() -> [Self; 5] {
        [Self::Helm, Self::Tilt, Self::Kind, Self::Kubectl, Self::Sops]
    }

    /// Returns the name, which is also the name of the program.
    pub fn name(self) -> &'static str {
        match self {
            Self::Helm => "helm",
            Self::Tilt => "tilt",
            Self::Kind => "kind",
            Self::Kubectl => "kubectl",
            Self::Sops => "sops",
        }
    }

    /// Reads a name; `None` when no tool has it.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|tool| tool.name() == name)
    }

    /// Returns the variable that names an explicit path, for example `KILTER_HELM`.
    pub fn variable(self) -> String {
        format!("KILTER_{}", self.name().to_uppercase())
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An operating system and a processor as release files name them, for example `linux-amd64`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Platform(String);

impl Platform {
    /// Returns the platform that this kilter was compiled for.
    pub fn host() -> Self {
        let os = match std::env::consts::OS {
            "macos" => "darwin",
            other => other,
        };
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self(format!("{os}-{arch}"))
    }

    /// Returns the platform as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the operating system and the processor.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once('-').unwrap_or((&self.0, ""))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The pin table.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pins {
    /// The image of a kind node, with its digest.
    pub kind_node: String,
    tools: BTreeMap<Tool, ToolPins>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ToolPins {
    default: Version,
    version_args: Vec<String>,
    release: Release,
    /// The oldest version of each line (first number) that is safe to run, oldest first.
    #[serde(default)]
    floors: Vec<Floor>,
    versions: BTreeMap<Version, VersionPin>,
}

/// The oldest version of a line that is safe to run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// The version.
    pub version: Version,
    /// What is published of the versions below it, for example `CVE-2026-35206`.
    pub advisories: Vec<String>,
}

/// Where a tool's release files are; `{version}`, `{os}` and `{arch}` are filled in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    host: String,
    path: String,
    /// The file inside the tar.gz; without it the release file is the program itself.
    member: Option<String>,
    /// Operating systems that this publisher calls by another name.
    #[serde(default)]
    os: BTreeMap<String, String>,
    /// Processors that this publisher calls by another name.
    #[serde(default)]
    arch: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionPin {
    /// The commit of the release, where it is known and the tool prints it.
    commit: Option<String>,
    /// The version to take when this one cannot be built with the Go at hand.
    fallback: Option<Version>,
    sha256: BTreeMap<String, Digest>,
    source: Option<Recipe>,
}

/// How a pinned version is built from source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// The folder below `build/` with the helper module (`go.mod`, `go.sum`).
    pub(super) recipe: String,
    /// The main package.
    pub(super) package: String,
    /// The oldest Go that can build it: the `go` line of the tool's own module.
    pub(super) go: String,
    /// Whether it needs a C and a C++ compiler.
    pub(super) cgo: bool,
    /// Build tags.
    #[serde(default)]
    pub(super) tags: Vec<String>,
    /// Variables that the linker sets, as the official build does: `package.name=value`.
    #[serde(default)]
    pub(super) stamps: Vec<String>,
    /// A module that is copied out of the module cache to add files that its archive lacks.
    pub(super) patch: Option<Patch>,
}

/// Files that are added to a module before it is built.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Patch {
    /// The module.
    pub(super) module: String,
    /// Paths inside the module; the recipe's folder holds a file of the same name for each.
    pub(super) add: Vec<String>,
}

/// One release file, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// The release host, for example `get.helm.sh`.
    pub host: String,
    /// The path on that host, without a leading slash.
    pub path: String,
    /// What the file must hash to.
    pub sha256: Digest,
    /// How the program is packed.
    pub packing: Packing,
}

/// How a program is packed in its release file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packing {
    /// The file is the program.
    Plain,
    /// The file is a tar.gz with the program at this path.
    TarGz(String),
}

static BUILTIN: LazyLock<Pins> =
    LazyLock::new(|| Pins::parse(include_str!("pins.json")).expect("pins.json is checked by a test"));

impl Pins {
    /// Returns the table that is compiled in.
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// Reads a table (the format of `pins.json`).
    ///
    /// # Errors
    /// When the text is no such table; in the words of the JSON reader.
    pub fn parse(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    /// Returns the Kubernetes version of the kind node, for example `v1.37.0`: what charts see by default.
    pub fn kubernetes(&self) -> &str {
        let tag = self.kind_node.split_once(':').map_or("", |(_, tag)| tag);
        tag.split('@').next().unwrap_or_default()
    }

    /// Returns the version of a tool that kilter takes by default.
    ///
    /// # Panics
    /// When the table lacks the tool: a table names all of them.
    pub fn default_version(&self, tool: Tool) -> &Version {
        &self.tool(tool).default
    }

    /// Returns the versions of a tool that are in the table, oldest first.
    pub fn versions(&self, tool: Tool) -> impl Iterator<Item = &Version> {
        self.tool(tool).versions.keys()
    }

    /// Tells whether a version is in the table.
    pub fn has(&self, tool: Tool, version: &Version) -> bool {
        self.pin(tool, version).is_some()
    }

    /// Returns the floor that a version is below: that of its line, or of the oldest line when it is of a line before it.
    /// `None` when it may be run.
    pub fn floor_above(&self, tool: Tool, version: &Version) -> Option<&Floor> {
        let line_or_later = |floor: &&Floor| floor.version.major >= version.major;
        self.tool(tool).floors.iter().find(line_or_later).filter(|floor| *version < floor.version)
    }

    /// Returns the commit of a pinned version, where it is known.
    pub fn commit(&self, tool: Tool, version: &Version) -> Option<&str> {
        self.pin(tool, version)?.commit.as_deref()
    }

    /// Returns the digest that a release file must have: the project's own word first, then the table's.
    pub(super) fn sha256(&self, want: &Want, platform: &Platform) -> Option<Digest> {
        let pinned = || self.pin(want.tool, &want.version)?.sha256.get(platform.as_str());
        want.sha256.get(platform.as_str()).or_else(pinned).cloned()
    }

    /// Returns the release file of a version on a platform.
    ///
    /// # Errors
    /// When neither the table nor the project knows its SHA-256.
    pub fn asset(&self, want: &Want, platform: &Platform) -> Result<Asset> {
        let sha256 = self.sha256(want, platform).ok_or_else(|| self.unknown(want, platform))?;
        let release = &self.tool(want.tool).release;
        let (os, arch) = platform.parts();
        let own = |names: &BTreeMap<String, String>, name: &str| names.get(name).map_or(name, |n| n).to_owned();
        let fill = |text: &str| {
            text.replace("{version}", &want.version.to_string())
                .replace("{os}", &own(&release.os, os))
                .replace("{arch}", &own(&release.arch, arch))
        };
        let packing = release.member.as_ref().map_or(Packing::Plain, |member| Packing::TarGz(fill(member)));
        Ok(Asset { host: release.host.clone(), path: fill(&release.path), sha256, packing })
    }

    fn unknown(&self, want: &Want, platform: &Platform) -> Error {
        let tool = want.tool;
        let known: Vec<String> = self.versions(tool).map(|version| format!("`{version}`")).collect();
        let (known, version) = (known.join(", "), &want.version);
        if self.has(tool, version) {
            return Error::missing(format!("{tool} {version} has no release for {platform}"))
                .help(format!("Set `{}` to a {tool} {version} of your own.", tool.variable()));
        }
        Error::project(format!("{tool} {version} is none of kilter's pins and has no `sha256` for {platform}"))
            .help(format!("Take a pinned version: {known}."))
            .help(format!(
                "Or give the checksum of the release file: \
                 `tools: {{{tool}: {{version: \"{version}\", sha256: {{{platform}: …}}}}}}`."
            ))
    }

    /// Returns the arguments with which a tool prints its version.
    pub(super) fn version_args(&self, tool: Tool) -> &[String] {
        &self.tool(tool).version_args
    }

    /// Returns how a version is built; `None` when it is not one of the table's.
    pub(super) fn recipe(&self, tool: Tool, version: &Version) -> Option<&Recipe> {
        self.pin(tool, version)?.source.as_ref()
    }

    /// Returns the version to take when this one cannot be built.
    pub(super) fn fallback(&self, tool: Tool, version: &Version) -> Option<&Version> {
        self.pin(tool, version)?.fallback.as_ref()
    }

    fn pin(&self, tool: Tool, version: &Version) -> Option<&VersionPin> {
        self.tool(tool).versions.get(version)
    }

    fn tool(&self, tool: Tool) -> &ToolPins {
        self.tools.get(&tool).expect("a table names every tool")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_tool_on_every_platform() {
        let pins = Pins::builtin();
        for tool in Tool::all() {
            assert!(pins.has(tool, pins.default_version(tool)), "{tool}");
            for version in pins.versions(tool) {
                let want = Want::exact(tool, version.clone());
                for platform in ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"] {
                    pins.asset(&want, &Platform(platform.into())).unwrap();
                }
                if let Some(fallback) = pins.pin(tool, version).unwrap().fallback.as_ref() {
                    assert!(pins.has(tool, fallback));
                }
            }
        }
        assert_eq!(pins.kubernetes(), "v1.37.0");
        let (image, digest) = pins.kind_node.split_once('@').unwrap();
        assert_eq!(image, "kindest/node:v1.37.0");
        assert!(Digest::parse(digest).is_some());
    }

    #[test]
    fn what_is_known_to_be_unsafe_is_below_a_floor() {
        let floor = |version: &str| {
            let floor = Pins::builtin().floor_above(Tool::Helm, &Version::parse(version).unwrap());
            floor.map(|floor| (floor.version.to_string(), floor.advisories.join(" ")))
        };
        let (three, both) = (("3.20.2", "CVE-2026-35206"), ("4.1.4", "CVE-2026-35205 CVE-2026-35206"));
        for (version, expected) in [
            ("2.17.0", Some(three)),
            ("3.20.1", Some(three)),
            ("3.20.2", None),
            ("3.22.0", None),
            ("4.0.0", Some(both)),
            ("4.1.3", Some(both)),
            // A version before its release is older than it.
            ("4.1.4-rc.1", Some(both)),
            ("4.1.4", None),
            ("4.3.0", None),
            ("5.0.0", None),
        ] {
            assert_eq!(floor(version), expected.map(|(v, a)| (v.to_owned(), a.to_owned())), "{version}");
        }
        let pins = Pins::builtin();
        for tool in Tool::all() {
            assert!(pins.versions(tool).all(|version| pins.floor_above(tool, version).is_none()), "{tool}");
            assert!(pins.tool(tool).floors.is_sorted_by_key(|floor| &floor.version), "{tool}");
        }
    }

    #[test]
    fn addresses_are_those_of_the_publishers() {
        let address = |tool, platform: &str| {
            let want = Want::pinned(Pins::builtin(), tool);
            let asset = Pins::builtin().asset(&want, &Platform(platform.into())).unwrap();
            let member = match asset.packing {
                Packing::Plain => String::new(),
                Packing::TarGz(member) => format!(" > {member}"),
            };
            format!("{}/{}{member}", asset.host, asset.path)
        };
        let all: Vec<String> = Tool::all()
            .into_iter()
            .flat_map(|tool| [address(tool, "linux-amd64"), address(tool, "darwin-arm64")])
            .collect();
        insta::assert_snapshot!(all.join("\n"), @r"
        get.helm.sh/helm-v4.3.0-linux-amd64.tar.gz > linux-amd64/helm
        get.helm.sh/helm-v4.3.0-darwin-arm64.tar.gz > darwin-arm64/helm
        github.com/tilt-dev/tilt/releases/download/v0.37.7/tilt.0.37.7.linux.x86_64.tar.gz > tilt
        github.com/tilt-dev/tilt/releases/download/v0.37.7/tilt.0.37.7.mac.arm64.tar.gz > tilt
        github.com/kubernetes-sigs/kind/releases/download/v0.33.0/kind-linux-amd64
        github.com/kubernetes-sigs/kind/releases/download/v0.33.0/kind-darwin-arm64
        dl.k8s.io/release/v1.37.1/bin/linux/amd64/kubectl
        dl.k8s.io/release/v1.37.1/bin/darwin/arm64/kubectl
        github.com/getsops/sops/releases/download/v3.13.3/sops-v3.13.3.linux.amd64
        github.com/getsops/sops/releases/download/v3.13.3/sops-v3.13.3.darwin.arm64
        ");
    }

    #[test]
    fn an_unknown_version_needs_its_checksum() {
        let want = Want::exact(Tool::Helm, Version::new(4, 1, 9));
        let error = Pins::builtin().asset(&want, &Platform("linux-amd64".into())).unwrap_err();
        insta::assert_snapshot!(error, @r#"
        helm 4.1.9 is none of kilter's pins and has no `sha256` for linux-amd64.
          = Take a pinned version: `3.22.0`, `4.2.4`, `4.3.0`.
          = Or give the checksum of the release file: `tools: {helm: {version: "4.1.9", sha256: {linux-amd64: …}}}`.
        "#);
        let want = Want::exact(Tool::Kind, Version::new(0, 33, 0));
        let error = Pins::builtin().asset(&want, &Platform("freebsd-amd64".into())).unwrap_err();
        insta::assert_snapshot!(error, @r"
        kind 0.33.0 has no release for freebsd-amd64.
          = Set `KILTER_KIND` to a kind 0.33.0 of your own.
        ");
    }
}
