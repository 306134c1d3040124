//! Getting the tools: the store, mirrors and their faults, explicit paths, source builds.
//!
//! The mirror is a local server; the official hosts are behind a proxy that refuses connections, so that no test
//! reaches them.

mod download;
mod explicit;
mod source;
mod store;

use std::borrow::Cow;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use kilter::diag::Error;
use kilter::ids::Digest;
use kilter::toolchain::{self, Asset, Installed, Limits, Packing, Pins, Progress, Settings, Tool, Want};
use serde_json::{Value, json};

use crate::support::http::{Reply, Server};

/// A store in a directory of its own, a mirror, and pins that name a small helm.
struct Bench {
    dir: tempfile::TempDir,
    server: Server,
    settings: Settings,
    lines: Lines,
}

/// Keeps what was said.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Progress for Lines {
    fn line(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }

    fn bytes(&self, _tool: Tool, _done: u64, _total: Option<u64>) {}
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start();
        let mut settings = Settings::new(dir.path().join("tools"));
        settings.mirror = Some(server.url().to_owned());
        settings.proxy.https = Some("http://127.0.0.1:1".into());
        settings.limits = Limits {
            backoff: Duration::ZERO,
            attempts: 3,
            max_download: 1 << 20,
            max_program: 1 << 20,
            ..settings.limits
        };
        let bench = Self { dir, server, settings, lines: Lines::default() };
        bench.with_release(&archive())
    }

    /// Pins the default helm to a release file with these bytes.
    fn with_release(mut self, bytes: &[u8]) -> Self {
        let platform = self.settings.platform.to_string();
        self.pin(|pins| {
            let version = pins["tools"]["helm"]["default"].as_str().unwrap().to_owned();
            pins["tools"]["helm"]["versions"][version]["sha256"][platform] = json!(Digest::of(bytes).hex());
        });
        self
    }

    /// Changes the pin table.
    fn pin(&mut self, change: impl FnOnce(&mut Value)) {
        let mut pins: Value = match fs::read_to_string(self.path("pins.json")) {
            Ok(text) => serde_json::from_str(&text).unwrap(),
            Err(_) => serde_json::from_str(include_str!("../../src/toolchain/pins.json")).unwrap(),
        };
        change(&mut pins);
        let text = pins.to_string();
        write(&self.path("pins.json"), text.as_bytes());
        self.settings.pins = Cow::Owned(Pins::parse(&text).unwrap());
    }

    fn want(&self) -> Want {
        Want::pinned(&self.settings.pins, Tool::Helm)
    }

    fn asset(&self) -> Asset {
        self.settings.pins.asset(&self.want(), &self.settings.platform).unwrap()
    }

    /// Lets the mirror serve these bytes as helm's release file.
    fn serve(&self, bytes: &[u8], replies: &[Reply]) {
        self.server.file(&self.release_path(), bytes, replies);
    }

    fn release_path(&self) -> String {
        format!("/{}/{}", self.asset().host, self.asset().path)
    }

    fn ensure(&self) -> Result<Installed, Error> {
        toolchain::ensure(&self.settings, &self.want(), &self.lines)
    }

    fn find(&self) -> Result<Option<Installed>, Error> {
        toolchain::find(&self.settings, &self.want())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The directory of the default helm.
    fn slot(&self) -> PathBuf {
        let want = self.want();
        self.settings.store.join("helm").join(want.version.to_string()).join(self.settings.platform.as_str())
    }

    /// The files of that directory.
    fn files(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.slot()) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// A text with the parts taken out that differ from run to run and from machine to machine.
    fn shown(&self, text: impl ToString) -> String {
        text.to_string()
            .replace(self.server.url(), "http://mirror")
            .replace(&self.dir.path().display().to_string(), "/dir")
            .replace(self.settings.platform.as_str(), "OS-ARCH")
    }

    fn failure(&self) -> String {
        self.shown(self.ensure().unwrap_err())
    }

    fn said(&self) -> String {
        self.shown(self.lines.0.lock().unwrap().join("\n"))
    }
}

/// A helm that says its version; long enough to be cut in the middle.
fn program() -> Vec<u8> {
    let mut text = "#!/bin/sh\necho 'version.BuildInfo{Version:\"v4.3.0\"}'\nexit 0\n".as_bytes().to_vec();
    let mut state = 1_u32;
    // Noise that gzip cannot shrink.
    text.extend((0..200_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    }));
    text
}

/// Helm's release archive for this platform.
fn archive() -> Vec<u8> {
    let platform = kilter::toolchain::Platform::host();
    tar_gz(&[(&format!("{platform}/README.md"), b"read me"), (&format!("{platform}/helm"), &program())])
}

/// A tar.gz with these members, names taken as they are.
pub(crate) fn tar_gz(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        // Not `set_path`, which refuses `..`.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn write(path: &Path, bytes: &[u8]) {
    kilter::fsx::write(path, bytes).unwrap();
}

/// Writes a shell script that may be run.
fn script(path: &Path, text: &str) {
    crate::support::project::write_script(path, text);
}

#[test]
fn the_archive_of_the_tests_is_like_helms() {
    let bench = Bench::new();
    assert_eq!(bench.asset().packing, Packing::TarGz(format!("{}/helm", bench.settings.platform)));
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&program()).unwrap();
    assert!(gz.finish().unwrap().len() > 190_000, "the program must not shrink");
}
