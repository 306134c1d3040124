//! Gets a tool that is not there: mirror, official release, source build, in this order.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::fetch::{self, Fetched, Job};
use super::model::{Installed, Progress, Settings, Source, Want};
use super::pins::{Asset, Tool};
use super::receipt::Receipt;
use super::source::{self, Built};
use super::store::{Slot, find};
use super::{explicit, unpack};
use crate::diag::{Error, Kind, Result};
use crate::exec::redact;
use crate::fsx;

/// Returns a tool, after getting it when it is not there yet. Any number of kilters may do so at once: one works, the
/// others wait for it.
///
/// # Errors
/// When the tool cannot be had anywhere, a release file has the wrong bytes, or the user named another version.
pub fn ensure(settings: &Settings, want: &Want, progress: &dyn Progress) -> Result<Installed> {
    ensured(settings, want, &Redacted(progress)).map_err(|error| error.reworded(redact))
}

/// Says everything without the logins of mirror and proxy.
struct Redacted<'a>(&'a dyn Progress);

impl Progress for Redacted<'_> {
    fn line(&self, text: &str) {
        self.0.line(&redact(text));
    }

    fn bytes(&self, tool: Tool, done: u64, total: Option<u64>) {
        self.0.bytes(tool, done, total);
    }

    fn ended(&self, tool: Tool) {
        self.0.ended(tool);
    }
}

fn ensured(settings: &Settings, want: &Want, progress: &dyn Progress) -> Result<Installed> {
    if let Some(installed) = find(settings, want)? {
        return Ok(installed);
    }
    if let Some(path) = settings.explicit.get(&want.tool) {
        return explicit::check(settings, want, path);
    }
    let slot = Slot::new(settings, want.tool, &want.version);
    let _lock = fsx::Lock::acquire(&slot.dir.join("lock"), || {
        progress.line(&format!("waiting for another kilter that gets {want}"));
    })?;
    // Another kilter may have got it while this one waited.
    if let Some(installed) = find(settings, want)? {
        return Ok(installed);
    }
    sweep(&slot)?;
    get(settings, want, &slot, progress)
}

fn get(settings: &Settings, want: &Want, slot: &Slot, progress: &dyn Progress) -> Result<Installed> {
    let mut tried = Vec::new();
    match settings.pins.asset(want, &settings.platform) {
        Ok(asset) => {
            for place in places(settings, &asset) {
                match from_release(settings, want, slot, &asset, &place, progress)? {
                    Ok(installed) => return Ok(installed),
                    Err(words) => tried.push(format!("{}: {words}", place.address())),
                }
            }
        }
        // A platform without releases may still have a Go.
        Err(error) if error.kind() == Kind::Missing && !settings.offline => {
            tried.push(error.problems()[0].what.clone());
        }
        Err(error) => return Err(error),
    }
    if settings.offline {
        return Err(offline(want, &tried));
    }
    match source::build(settings, want, slot, progress)? {
        Built::Done(installed) => Ok(installed),
        Built::Cannot(words, help) => {
            tried.push(format!("source build: {words}"));
            let error = nowhere(want, &tried);
            Err(help.into_iter().fold(error, Error::help))
        }
        Built::GoTooOld { have, need } => {
            let words = format!("{want} needs Go {need}, and this is {have}");
            if let Some(other) = source::fallback(settings, want, &have) {
                progress.line(&format!("{words}: taking {other} in its place"));
                return ensured(settings, &other, progress);
            }
            tried.push(format!("source build: {words}"));
            let help = format!("Or install Go {need} or newer: kilter then builds {} from source.", want.tool);
            Err(nowhere(want, &tried).help(help))
        }
    }
}

/// One place where a release file may be.
enum Place {
    Directory(PathBuf),
    Mirror(String),
    Release(String),
}

impl Place {
    fn address(&self) -> String {
        match self {
            Self::Directory(path) => path.display().to_string(),
            Self::Mirror(url) | Self::Release(url) => url.clone(),
        }
    }

    fn source(&self) -> Source {
        match self {
            Self::Release(url) => Source::Release(url.clone()),
            _ => Source::Mirror(self.address()),
        }
    }
}

/// Lists where to look for a release file, best first; without sockets when offline.
fn places(settings: &Settings, asset: &Asset) -> Vec<Place> {
    let mut places = Vec::new();
    if let Some(mirror) = settings.mirror.as_deref().filter(|mirror| !mirror.is_empty()) {
        let base = mirror.trim_end_matches('/');
        if base.starts_with("http://") || base.starts_with("https://") {
            places.push(Place::Mirror(format!("{base}/{}/{}", asset.host, asset.path)));
        } else {
            let base = Path::new(base.strip_prefix("file://").unwrap_or(base));
            places.push(Place::Directory(base.join(&asset.host).join(&asset.path)));
        }
    }
    places.push(Place::Release(format!("https://{}/{}", asset.host, asset.path)));
    places.retain(|place| !settings.offline || matches!(place, Place::Directory(_)));
    places
}

/// Gets a release file, checks it, takes the program out and installs it. The inner error says why this place does not
/// have the file.
fn from_release(
    settings: &Settings,
    want: &Want,
    slot: &Slot,
    asset: &Asset,
    place: &Place,
    progress: &dyn Progress,
) -> Result<Result<Installed, String>> {
    let (address, part) = (place.address(), slot.part());
    let job = Job {
        tool: want.tool,
        url: &address,
        sha256: &asset.sha256,
        part: &part,
        limits: &settings.limits,
        proxy: &settings.proxy,
    };
    progress.line(&format!("getting {want} from {address}"));
    let fetched = match place {
        Place::Directory(file) => fetch::copy(&job, file, progress)?,
        Place::Mirror(_) | Place::Release(_) => fetch::download(&job, progress)?,
    };
    if let Fetched::Unavailable(words) = fetched {
        progress.line(&format!("{address}: {words}"));
        return Ok(Err(words));
    }
    let mut temp = temporary(slot, want.tool)?;
    unpack::program(&part, &asset.packing, &address, &settings.limits, &mut temp)?;
    install(temp.into_temp_path().as_ref(), slot)?;
    let commit = settings.pins.commit(want.tool, &want.version).map(str::to_owned);
    let archive = Some(asset.sha256.clone());
    record(slot, want, commit, archive, place.source()).map(Ok)
}

fn temporary(slot: &Slot, tool: Tool) -> Result<tempfile::NamedTempFile> {
    tempfile::Builder::new()
        .prefix(&format!(".{tool}."))
        .suffix(fsx::TEMP_SUFFIX)
        .tempfile_in(&slot.dir)
        .map_err(|error| Error::io(format!("write `{}`", slot.program.display()), &error))
}

/// Moves a finished program to its place: executable, synced, whole or not at all.
pub(super) fn install(file: &Path, slot: &Slot) -> Result<()> {
    let fail = |error: &std::io::Error| Error::io(format!("write `{}`", slot.program.display()), error);
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).map_err(|error| fail(&error))?;
    File::open(file).and_then(|file| file.sync_all()).map_err(|error| fail(&error))?;
    let _held = fsx::COMMIT.lock().unwrap_or_else(PoisonError::into_inner);
    fs::rename(file, &slot.program).map_err(|error| fail(&error))
}

/// Writes the receipt of the program that was just installed: from now on it counts. What was downloaded goes first, so
/// that a kilter killed between the two leaves a program to get again and no large file that nobody sweeps.
pub(super) fn record(
    slot: &Slot,
    want: &Want,
    commit: Option<String>,
    archive: Option<crate::ids::Digest>,
    source: Source,
) -> Result<Installed> {
    let receipt = Receipt::make(&slot.program, (want.tool, &want.version), commit, archive, source)?;
    fetch::discard(&slot.part())?;
    receipt.write(&slot.receipt())?;
    Ok(receipt.installed(&slot.program))
}

/// Removes what killed kilters left; the caller holds the lock, so nobody is writing now.
fn sweep(slot: &Slot) -> Result<()> {
    let Ok(entries) = fs::read_dir(&slot.dir) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let unfinished = name.starts_with('.') && name.ends_with(fsx::TEMP_SUFFIX);
        if unfinished || name.starts_with(source::BUILD_DIR) {
            fsx::remove(&entry.path())?;
        }
    }
    Ok(())
}

fn offline(want: &Want, tried: &[String]) -> Error {
    let error = Error::missing(format!("{want} is not installed, and `--offline` forbids to get it"));
    let error = if tried.is_empty() { error } else { error.detail(tried.join("\n")) };
    error
        .help("Run `kilter tools install` once without `--offline`.")
        .help("Or set `KILTER_MIRROR` to a directory that is laid out like the release hosts.")
        .help(format!("Or set `{}` to a {want}.", want.tool.variable()))
}

fn nowhere(want: &Want, tried: &[String]) -> Error {
    Error::missing(format!("{want} cannot be had"))
        .detail(tried.join("\n"))
        .help("Check the network and run the same command again: a download goes on where it stopped.")
        .help("Or set `KILTER_MIRROR` to a URL or directory that is laid out like the release hosts.")
        .help(format!("Or set `{}` to a {want}.", want.tool.variable()))
}
