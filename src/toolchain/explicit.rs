//! Programs that the user named: checked for their version by running them, once per change of the file.

use std::path::{Path, PathBuf};

use semver::Version;

use super::model::{Installed, Settings, Source, Want};
use super::receipt::Receipt;
use crate::diag::{Error, Result};
use crate::exec::{Invocation, shell_word};
use crate::ids::Digest;

/// What a program says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) version: Version,
    pub(super) commit: Option<String>,
}

/// Returns the program that the user named when it has been checked since it last changed; starts no process.
pub(super) fn known(settings: &Settings, want: &Want, path: &Path) -> Result<Option<Installed>> {
    let variable = want.tool.variable();
    if !path.is_file() {
        return Err(Error::missing(format!("`{}` is no file, and `{variable}` names it", path.display()))
            .help(format!("Set `{variable}` to a {want}, or unset it and run `kilter tools install`.")));
    }
    match Receipt::read(&receipt_path(settings, want, path)) {
        Some(receipt) if receipt.tool == want.tool && receipt.is_fresh(path) => {
            require(settings, want, path, &receipt.version)?;
            Ok(Some(receipt.installed(path)))
        }
        _ => Ok(None),
    }
}

/// Runs the program that the user named to learn its version, and remembers it.
pub(super) fn check(settings: &Settings, want: &Want, path: &Path) -> Result<Installed> {
    let said = ask(settings, want, path)?;
    let receipt = Receipt::make(path, (want.tool, &said.version), said.commit, None, Source::Explicit)?;
    // A store that cannot be written costs the next run this check again, nothing else.
    let _ = receipt.write(&receipt_path(settings, want, path));
    require(settings, want, path, &said.version)?;
    Ok(receipt.installed(path))
}

/// Runs a program to learn its version; it gets an empty environment and a home of its own.
pub(super) fn ask(settings: &Settings, want: &Want, path: &Path) -> Result<Said> {
    let home = tempfile::tempdir().map_err(|error| Error::io("make a temporary directory", &error))?;
    let call = Invocation::new(path)
        .args(settings.pins.version_args(want.tool).iter().cloned())
        .env("HOME", home.path().to_string_lossy())
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        // tilt reports its use otherwise.
        .env("DO_NOT_TRACK", "1")
        .timeout(std::time::Duration::from_secs(30));
    // Without the environment: its home is gone by the time somebody reads this.
    let words = call.args.iter().map(String::as_str).map(shell_word);
    let line = [shell_word(&path.to_string_lossy())].into_iter().chain(words).collect::<Vec<_>>().join(" ");
    let told = call.capture()?;
    let fail = |what: String| {
        Error::missing(what)
            .detail(told.stderr.lines().chain(told.text().lines()).take(20).collect::<Vec<_>>().join("\n"))
            .help(format!("Run `{line}` to see what it says."))
    };
    if !told.ok() {
        return Err(fail(format!("`{}` does not say its version: {}", path.display(), told.ending)));
    }
    read_version(&told.text()).ok_or_else(|| fail(format!("`{}` prints no version", path.display())))
}

/// Reads the first full version and the first commit out of what a tool prints.
fn read_version(text: &str) -> Option<Said> {
    let words = || text.split(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
    let version = words().find_map(|word| Version::parse(word.trim_start_matches('v')).ok())?;
    let commit = words().find(|word| word.len() == 40 && word.chars().all(|c| c.is_ascii_hexdigit()));
    Some(Said { version, commit: commit.map(str::to_owned) })
}

fn require(settings: &Settings, want: &Want, path: &Path, version: &Version) -> Result<()> {
    if *version == want.version {
        return Ok(());
    }
    let (tool, variable) = (want.tool, want.tool.variable());
    let error = Error::missing(format!("`{}` is {tool} {version}, and {want} is needed", path.display()))
        .help(format!("Set `{variable}` to a {want}, or unset it and run `kilter tools install`."));
    Err(match settings.pins.floor_above(tool, version) {
        None => error.help(format!("Or pin this one in kilter.yaml: `tools: {{{tool}: {version}}}`.")),
        Some(_) => error, // kilter would refuse it there
    })
}

fn receipt_path(settings: &Settings, want: &Want, path: &Path) -> PathBuf {
    let place = Digest::of(path.as_os_str().as_encoded_bytes());
    settings.store.join("explicit").join(format!("{}-{}.json", want.tool, &place.hex()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_out_of_what_each_tool_prints() {
        let read = |text: &str| read_version(text).map(|said| (said.version.to_string(), said.commit));
        let commit = "bec5b06ed841fe5269972d864d5177944fd5970f";
        let helm = format!(r#"version.BuildInfo{{Version:"v4.3.0", GitCommit:"{commit}", GoVersion:"go1.26.8"}}"#);
        assert_eq!(read(&helm), Some(("4.3.0".into(), Some(commit.into()))));
        assert_eq!(read("v0.37.7, built 2026-08-15\n"), Some(("0.37.7".into(), None)));
        assert_eq!(read("kind v0.33.0 go1.26.8 linux/amd64\n"), Some(("0.33.0".into(), None)));
        assert_eq!(read("Client Version: v1.37.1\nKustomize Version: v5.8.1\n"), Some(("1.37.1".into(), None)));
        assert_eq!(read("sops 3.13.3\n"), Some(("3.13.3".into(), None)));
        assert_eq!(read("no version here\n"), None);
    }
}
