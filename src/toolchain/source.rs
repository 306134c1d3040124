//! Builds a pinned version with the Go toolchain at hand.
//!
//! Each version has a helper module compiled into kilter (`build/<recipe>`): its `go.mod` requires the tool at the
//! pinned version, its `go.sum` holds the hash of every module that goes in, so the Go command verifies what it
//! downloads against kilter's word. The linker sets the same variables as in the official build.

mod recipe;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::model::{Installed, Progress, Settings, Source, Want};
use super::pins::{Patch, Recipe};
use super::store::Slot;
use super::{ensure, explicit};
use crate::diag::{Error, Result};
use crate::exec::{self, Captured, Invocation};
use crate::fsx;

/// Begins the name of the directory in which a tool is built.
pub(super) const BUILD_DIR: &str = "build-";

/// The largest pinned tool takes some six minutes on two idle cores; a slow machine and network may take many more.
const BUILD_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);

/// How a build ended.
pub(super) enum Built {
    /// The tool is installed.
    Done(Installed),
    /// It cannot be built here: why, and what would change that.
    Cannot(String, Option<String>),
    /// The Go at hand is too old for it.
    GoTooOld { have: String, need: String },
}

/// Builds and installs a tool; the caller holds the lock of its slot.
///
/// # Errors
/// When the build fails, or what was built is not what was wanted.
pub(super) fn build(settings: &Settings, want: &Want, slot: &Slot, progress: &dyn Progress) -> Result<Built> {
    let pinned = settings.pins.recipe(want.tool, &want.version);
    let Some(recipe) = pinned.filter(|_| want.sha256.is_empty()) else {
        return Ok(Built::Cannot("kilter builds its own pinned versions only".into(), None));
    };
    let Some(go) = &settings.go else {
        let help = format!("Or install Go {} or newer: kilter then builds {} from source.", recipe.go, want.tool);
        return Ok(Built::Cannot("there is no `go` on PATH".into(), Some(help)));
    };
    let go = match Go::ask(settings, go)? {
        Ok(go) => go,
        Err(words) => return Ok(Built::Cannot(words, None)),
    };
    if !go.can_build(&recipe.go) {
        return Ok(Built::GoTooOld { have: go.version, need: recipe.go.clone() });
    }
    if let Some(compiler) = recipe.cgo.then(|| go.missing_compiler(settings)).flatten() {
        let words = format!("{} needs a C and a C++ compiler, and there is no `{compiler}` on PATH", want.tool);
        let help =
            format!("Or install `gcc` and `g++`, or set `CC` and `CXX`: kilter then builds {} from source.", want.tool);
        return Ok(Built::Cannot(words, Some(help)));
    }
    let _lock = fsx::Lock::acquire(&settings.store.join("build.lock"), || {
        progress.line("waiting for another build");
    })?;
    progress.line(&format!("building {want} from source with {}; this takes minutes", go.version));
    let installed = Work::new(settings, want, recipe, &go, slot)?.run()?;
    progress.line(&format!("{want} is built"));
    Ok(Built::Done(installed))
}

/// Returns the version to take when this Go is too old for the wanted one.
pub(super) fn fallback(settings: &Settings, want: &Want, have: &str) -> Option<Want> {
    let version = settings.pins.fallback(want.tool, &want.version).filter(|_| want.fallback)?;
    let recipe = settings.pins.recipe(want.tool, version)?;
    (numbers(have) >= numbers(&recipe.go)).then(|| Want::exact(want.tool, version.clone()))
}

/// The Go command at hand.
struct Go {
    path: PathBuf,
    /// As it calls itself, for example `go1.26.8`.
    version: String,
    /// Whether it would fetch a newer Go by itself.
    switches: bool,
    compilers: [String; 2],
}

impl Go {
    /// Asks a Go command about itself. The inner error says why it cannot be used.
    fn ask(settings: &Settings, path: &Path) -> Result<Result<Self, String>> {
        let told = call(settings, path)
            .args(["env", "GOVERSION", "GOTOOLCHAIN", "CC", "CXX"])
            .cwd("/")
            .timeout(Duration::from_secs(60))
            .capture()?;
        let text = told.text();
        let mut lines = text.lines().map(str::to_owned);
        let mut next = || lines.next().unwrap_or_default();
        let (version, toolchain, compilers) = (next(), next(), [next(), next()]);
        if !told.ok() || version.is_empty() {
            return Ok(Err(format!("`{} env` failed: {}", path.display(), tail(&told, 1))));
        }
        // Before Go 1.21 there was no such setting, and no switching.
        let switches = !(toolchain.is_empty() || toolchain.starts_with("local"));
        Ok(Ok(Self { path: path.to_path_buf(), version, switches, compilers }))
    }

    fn can_build(&self, need: &str) -> bool {
        self.switches || numbers(&self.version) >= numbers(need)
    }

    /// Returns the first compiler of cgo that is not there.
    fn missing_compiler(&self, settings: &Settings) -> Option<&str> {
        let search_path = settings.go_env.get("PATH").map(std::ffi::OsStr::new);
        // CC may hold arguments after the program.
        let programs = self.compilers.iter().filter_map(|compiler| compiler.split_whitespace().next());
        programs.into_iter().find(|program| exec::find_program(program, search_path).is_none())
    }
}

/// Returns the numbers of a Go version (`go1.26.8`, `1.26`, `go1.27rc1`).
fn numbers(version: &str) -> [u32; 3] {
    let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut numbers = [0; 3];
    for (slot, part) in numbers.iter_mut().zip(digits.split('.')) {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        *slot = part[..end].parse().unwrap_or_default();
        if end < part.len() {
            break;
        }
    }
    numbers
}

/// A call of the Go command with Go's own settings and nothing else.
fn call(settings: &Settings, go: &Path) -> Invocation {
    settings.go_env.iter().fold(Invocation::new(go), |call, (name, value)| call.env(name, value))
}

/// One build in a directory of its own, which goes with it.
struct Work<'a> {
    settings: &'a Settings,
    want: &'a Want,
    recipe: &'a Recipe,
    go: &'a Go,
    slot: &'a Slot,
    dir: tempfile::TempDir,
}

impl<'a> Work<'a> {
    fn new(settings: &'a Settings, want: &'a Want, recipe: &'a Recipe, go: &'a Go, slot: &'a Slot) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix(BUILD_DIR)
            .tempdir_in(&slot.dir)
            .map_err(|error| Error::io(format!("make a directory in `{}`", slot.dir.display()), &error))?;
        Ok(Self { settings, want, recipe, go, slot, dir })
    }

    fn run(self) -> Result<Installed> {
        let files = recipe::files(&self.recipe.recipe)
            .ok_or_else(|| Error::bug(format!("there is no recipe `{}` to build {}", self.recipe.recipe, self.want)))?;
        let patch = self.recipe.patch.as_ref();
        let added = |name: &str| patch.is_some_and(|patch| patch.add.iter().any(|path| ends_in(path, name)));
        for (name, text) in files.iter().filter(|(name, _)| !added(name)) {
            fsx::write(&self.dir.path().join(name), text.as_bytes())?;
        }
        if let Some(patch) = patch {
            self.patch(patch, files)?;
        }
        let out = self.dir.path().join("out");
        self.compile(&out)?;
        let said = explicit::ask(self.settings, self.want, &out)?;
        if said.version != self.want.version {
            return Err(Error::bug(format!("what was built as {} calls itself {}", self.want, said.version)));
        }
        ensure::install(&out, self.slot)?;
        let pinned = self.settings.pins.commit(self.want.tool, &self.want.version).map(str::to_owned);
        let source = Source::Built(self.go.version.clone());
        ensure::record(self.slot, self.want, said.commit.or(pinned), None, source)
    }

    fn compile(&self, out: &Path) -> Result<()> {
        let stamps = self.recipe.stamps.iter().map(|stamp| format!(" -X {stamp}"));
        let call = self
            .go_call()
            .args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false"])
            .arg(format!("-tags={}", self.recipe.tags.join(",")))
            .arg(format!("-ldflags=-s -w{}", stamps.collect::<String>()))
            .args(["-o", &out.to_string_lossy(), &self.recipe.package]);
        self.must(&call).map(|_| ())
    }

    /// Copies a module out of the read-only module cache, adds files to it and makes the build use the copy.
    fn patch(&self, patch: &Patch, files: &[(&str, &str)]) -> Result<()> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Downloaded {
            dir: PathBuf,
        }
        let told = self.must(&self.go_call().args(["mod", "download", "-json", &patch.module]))?;
        let module: Downloaded = serde_json::from_slice(&told.stdout)
            .map_err(|error| Error::tool(format!("`go mod download` says what kilter cannot read: {error}")))?;
        let copy = self.dir.path().join("patched");
        copy_tree(&module.dir, &copy).map_err(|error| Error::io(format!("copy `{}`", module.dir.display()), &error))?;
        for path in &patch.add {
            let text = files.iter().find(|(name, _)| ends_in(path, name)).map_or("", |(_, text)| text);
            fsx::write(&copy.join(path), text.as_bytes())?;
        }
        let go_mod = files.iter().find(|(name, _)| *name == "go.mod").map_or("", |(_, text)| text);
        let replaced = format!("{go_mod}\nreplace {} => ./patched\n", patch.module);
        fsx::write(&self.dir.path().join("go.mod"), replaced.as_bytes())
    }

    /// A call of the Go command in the build directory.
    fn go_call(&self) -> Invocation {
        let (os, arch) = self.settings.platform.parts();
        call(self.settings, &self.go.path)
            .env("GOOS", os)
            .env("GOARCH", arch)
            .env("GO111MODULE", "on")
            .env("GOWORK", "off")
            .env("CGO_ENABLED", if self.recipe.cgo { "1" } else { "0" })
            .cwd(self.dir.path())
            .timeout(BUILD_TIMEOUT)
    }

    fn must(&self, call: &Invocation) -> Result<Captured> {
        let told = call.capture()?;
        if told.ok() {
            return Ok(told);
        }
        Err(Error::missing(format!("{} cannot be built from source with {}", self.want, self.go.version))
            .detail(tail(&told, 20))
            .help("Check that Go can reach its module proxy (`go env GOPROXY`), then run the same command again.")
            .help(format!("Or set `{}` to a {}.", self.want.tool.variable(), self.want)))
    }
}

fn ends_in(path: &str, name: &str) -> bool {
    Path::new(path).file_name() == Some(std::ffi::OsStr::new(name))
}

fn tail(told: &Captured, lines: usize) -> String {
    let said: Vec<&str> = told.stderr.trim().lines().collect();
    said[said.len().saturating_sub(lines)..].join("\n")
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_tree(&source, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::{Pins, Tool};

    #[test]
    fn go_versions_are_compared_by_number() {
        assert_eq!(numbers("go1.26.8"), [1, 26, 8]);
        assert_eq!(numbers("go1.27rc1"), [1, 27, 0]);
        assert_eq!(numbers("1.17"), [1, 17, 0]);
        assert!(numbers("go1.9.7") < numbers("1.26.0"));
    }

    #[test]
    fn every_pinned_version_has_a_recipe_that_pins_its_modules() {
        let pins = Pins::builtin();
        for tool in Tool::all() {
            for version in pins.versions(tool) {
                let recipe = pins.recipe(tool, version).unwrap();
                let files = recipe::files(&recipe.recipe).unwrap();
                let text = |name: &str| files.iter().find(|(file, _)| *file == name).unwrap().1;
                assert!(text("go.mod").contains(&format!("go {}\n", recipe.go)), "{tool} {version}");
                assert!(text("go.sum").lines().count() > 20, "{tool} {version}");
                for path in recipe.patch.iter().flat_map(|patch| &patch.add) {
                    assert!(files.iter().any(|(name, _)| ends_in(path, name)), "{path}");
                }
            }
        }
    }
}
