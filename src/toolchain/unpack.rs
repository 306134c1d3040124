//! Takes one program out of a release file whose digest has been checked.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use flate2::read::GzDecoder;

use super::model::Limits;
use super::pins::Packing;
use crate::diag::{Error, Result};
use crate::fsx;

/// Copies the program in the release file at `file` to `out`. Nothing else of an archive touches the disk: members are
/// compared by name and streamed, never unpacked. `from` is the address of the file, for messages.
pub(super) fn program(file: &Path, packing: &Packing, from: &str, limits: &Limits, out: &mut impl Write) -> Result<()> {
    let broken = |error: &std::io::Error| {
        Error::missing(format!("`{from}` cannot be unpacked: {}", crate::diag::io_words(error)))
            .help("Check that the `sha256` is that of the publisher's release file.")
    };
    let reader = BufReader::new(File::open(file).map_err(|error| broken(&error))?);
    let Packing::TarGz(member) = packing else { return copy(reader, from, limits, out) };
    // The limit is on what comes out of the gzip stream in all, so that members that are skipped count too.
    let stream = GzDecoder::new(reader).take(2 * limits.max_program);
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries().map_err(|error| broken(&error))? {
        let entry = entry.map_err(|error| broken(&error))?;
        if entry.header().entry_type().is_file() && is_member(&entry.path_bytes(), member) {
            return copy(entry, from, limits, out);
        }
    }
    Err(Error::missing(format!("`{from}` holds no file `{member}`"))
        .help("Check that the `sha256` is that of the publisher's release file."))
}

fn is_member(path: &[u8], member: &str) -> bool {
    path.strip_prefix(b"./").unwrap_or(path) == member.as_bytes()
}

fn copy(reader: impl Read, from: &str, limits: &Limits, out: &mut impl Write) -> Result<()> {
    let copied = std::io::copy(&mut reader.take(limits.max_program + 1), out)
        .map_err(|error| Error::io(format!("unpack `{from}`"), &error))?;
    if copied > limits.max_program {
        return Err(Error::missing(format!(
            "the program in `{from}` is larger than {}",
            fsx::size(limits.max_program)
        ))
        .help("Check that the `sha256` is that of the publisher's release file."));
    }
    Ok(())
}
