//! Random bytes of the system's generator.

use std::fs::File;
use std::io::Read as _;

use crate::diag::{Error, Result};
use crate::ids::hex;

/// Returns random bytes.
///
/// # Errors
/// When the system gives none.
pub(super) fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| Error::io("read random bytes from `/dev/urandom`", &error))?;
    Ok(bytes)
}

/// Makes the key that tells one request from every other: one per run of a command, the same for its repetitions.
///
/// # Errors
/// When the system gives no random bytes.
pub fn idempotency_key() -> Result<String> {
    bytes::<16>().map(|bytes| hex(&bytes))
}
