//! Getting a chart from a registry or repository, once: helm pulls the archive, kilter unpacks it under its own rules.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use super::Helm;
use super::charts::{Files, MAX_BYTES};
use super::directory::MAX_FILES;
use crate::diag::{Error, Result};
use crate::exec::{Environment, Invocation, redact};
use crate::fsx;

/// Pulls `reference` (`oci://…` or `https://…/name`) at an exact version and returns its files by path inside the chart.
/// The digest that is locked is not checked here. helm runs with the user's own environment, for proxies, certificates and registry logins, but without plugins.
///
/// # Errors
/// When helm cannot get it, or the archive is not a plain chart.
pub fn pull(helm: &Helm, reference: &str, version: &str) -> Result<Files> {
    let temp = tempfile::tempdir().map_err(|error| Error::io("make a temporary directory", &error))?;
    let call = invocation(helm, reference, version, temp.path());
    let captured = call.capture()?;
    if !captured.ok() {
        return Err(Error::tool(format!("helm could not pull chart `{reference}` {version}"))
            .detail(format!("$ {}\n{}", call.shell_line(), captured.stderr.trim_end()))
            .reworded(redact)
            .help("Check the address and the version, then run `kilter render` again.")
            .help("A registry that wants a login: `\"$(kilter tools path helm)\" registry login HOST`."));
    }
    let entries = std::fs::read_dir(temp.path()).map_err(|error| Error::io("read a temporary directory", &error))?;
    let archive = entries.flatten().map(|e| e.path()).find(|p| p.extension().is_some_and(|ext| ext == "tgz"));
    let archive = archive.ok_or_else(|| Error::tool(format!("helm pulled no archive of `{reference}` {version}")))?;
    let size = std::fs::metadata(&archive).map_err(|error| Error::io("read a pulled chart", &error))?.len();
    if size > MAX_BYTES {
        return Err(refused(reference, &format!("is larger than {}", fsx::size(MAX_BYTES))));
    }
    let bytes = fsx::read(&archive, MAX_BYTES)?.unwrap_or_default();
    unpack(&bytes, reference)
}

fn invocation(helm: &Helm, reference: &str, version: &str, destination: &Path) -> Invocation {
    let mut call = Invocation::new(&helm.path).inherit_env().timeout(Duration::from_secs(300)).arg("pull");
    call = match (reference.starts_with("oci://"), reference.trim_end_matches('/').rsplit_once('/')) {
        (false, Some((repository, name))) => call.args([name, "--repo", repository]),
        _ => call.arg(reference),
    };
    if on_loopback(reference) {
        call = call.arg("--plain-http");
    }
    if let Environment::Inherit(vars) = &mut call.env {
        for (variable, below) in [("HELM_CACHE_HOME", "cache"), ("HELM_DATA_HOME", "data"), ("HELM_PLUGINS", "plugins")]
        {
            vars.insert(variable.into(), Some(destination.join(below).to_string_lossy().into_owned()));
        }
        vars.insert("HELM_NO_PLUGINS".into(), Some("1".into()));
        vars.insert("HELM_DEBUG".into(), None);
    }
    call.args(["--version", version, "--destination", &destination.to_string_lossy()])
}

/// A registry on this machine speaks plain HTTP, as docker and containerd take for granted too.
fn on_loopback(reference: &str) -> bool {
    let host = reference.strip_prefix("oci://").unwrap_or_default();
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(|rest| rest.starts_with(['/', ':'])))
}

fn refused(reference: &str, why: &str) -> Error {
    Error::project(format!("the archive of chart `{reference}` {why}"))
        .help("Use another version of the chart, or copy it into the project and check it there.")
}

/// Reads a chart archive: ordinary files below one directory, no links, no path that leaves it, bounded in size.
///
/// # Errors
/// When it is no archive, or has something else in it.
pub fn unpack(archive: &[u8], reference: &str) -> Result<Files> {
    let bad = |why: String| refused(reference, &why);
    let mut files = Files::new();
    let mut total = 0;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive).take(2 * MAX_BYTES));
    let entries = tar.entries().map_err(|error| bad(format!("cannot be read: {error}")))?;
    for entry in entries {
        let mut entry = entry.map_err(|error| bad(format!("cannot be read: {error}")))?;
        let path = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| bad("has a name that is not UTF-8".into()))?;
        match entry.header().entry_type() {
            tar::EntryType::Directory | tar::EntryType::XGlobalHeader => continue,
            tar::EntryType::Regular => {}
            _ => return Err(bad(format!("has something that is no ordinary file: `{path}`"))),
        }
        let plain = path.strip_prefix("./").unwrap_or(&path);
        let safe = plain.split('/').all(|part| !matches!(part, "" | "." | "..")) && !plain.contains(['\\', '\0']);
        let inside = plain.split_once('/').map(|(_, inside)| inside).filter(|_| safe);
        let inside = inside.ok_or_else(|| bad(format!("has a path that kilter does not take: `{path}`")))?;
        let mut bytes = Vec::new();
        (&mut entry)
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| bad(format!("cannot be read: {error}")))?;
        total += bytes.len() as u64;
        files.insert(inside.to_owned(), bytes);
        if total > MAX_BYTES || files.len() > MAX_FILES {
            return Err(bad(format!("holds more than {} or {MAX_FILES} files", fsx::size(MAX_BYTES))));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (path, bytes) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            // The builder refuses hostile paths, so they are written past it.
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            tar.append(&header, *bytes).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn an_archive_is_unpacked_without_its_first_directory() {
        let files = unpack(&archive(&[("c/Chart.yaml", b"a"), ("c/templates/x.yaml", b"b")]), "oci://x/c").unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["Chart.yaml", "templates/x.yaml"]);
    }

    #[test]
    fn hostile_paths_are_refused() {
        for path in ["c/../../x", "/etc/passwd", "c/./x", "c//x", "x", r"c/a\b"] {
            assert!(unpack(&archive(&[(path, b"x")]), "oci://x/c").is_err(), "{path}");
        }
    }
}
