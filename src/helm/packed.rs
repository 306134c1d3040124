//! What is looked at in a subchart that is packed below `charts/`. helm reads it; kilter only has to know some of its files.

use super::charts::Files;
use crate::diag::Error;

/// Reads the files that are wanted, by their path inside it, and the packed charts out of a packed chart that lies in so many
/// others.
///
/// # Errors
/// Why it cannot be read.
#[cfg(feature = "cli")]
pub(super) fn packed(archive: &[u8], wanted: impl Fn(&str) -> bool, depth: usize) -> Result<Files, String> {
    use std::io::Read as _;

    // How deep packed subcharts may lie in one another.
    const DEEPEST: usize = 8;
    // helm's own limit.
    const MAX_UNPACKED: u64 = 5 * super::charts::MAX_BYTES;
    if depth == DEEPEST {
        return Err("it is too deep in others".into());
    }
    let mut files = Files::new();
    let mut left = MAX_UNPACKED;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive).take(2 * MAX_UNPACKED));
    for entry in tar.entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| error.to_string())?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).replace('\\', "/");
        let Some((_, inside)) = path.trim_start_matches("./").split_once('/') else { continue };
        if !wanted(inside) && !inside.ends_with(".tgz") {
            continue;
        }
        let mut bytes = Vec::new();
        (&mut entry).take(left + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        left = left.checked_sub(bytes.len() as u64).ok_or("it is too large")?;
        files.insert(inside.to_owned(), bytes);
    }
    Ok(files)
}

/// See above.
#[cfg(not(feature = "cli"))]
pub(super) fn packed(_archive: &[u8], _wanted: impl Fn(&str) -> bool, _depth: usize) -> Result<Files, String> {
    Err("this program takes unpacked charts only".into())
}

/// The error for a packed chart that cannot be read.
pub(super) fn unreadable(shown: &str, place: &str, why: &str) -> Error {
    Error::project(format!("chart `{shown}`: the packed chart `{place}` cannot be read: {why}"))
        .help("Unpack it below `charts/`, or pack it anew: `helm package`.")
}
