//! Small files of the mirror that are no tools: charts that this kilter no longer carries.

use std::io::Read as _;
use std::path::Path;

use ureq::http::StatusCode;

use super::fetch;
use super::model::Settings;
use crate::diag::{Error, Result, io_words};
use crate::exec::redact;
use crate::fsx;

/// A file of the mirror, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorFile {
    /// Where it was, for messages: without a login.
    pub address: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Reads `<mirror>/<path>`, at most `limit` bytes of it. `None` when there is no mirror, it does not have the file, or
/// it is a URL and no socket may be opened. The caller checks the bytes before it uses them.
///
/// # Errors
/// When the mirror cannot be reached, or the file is larger than `limit`.
pub fn from_mirror(settings: &Settings, path: &str, limit: u64) -> Result<Option<MirrorFile>> {
    let Some(mirror) = settings.mirror.as_deref().filter(|mirror| !mirror.is_empty()) else { return Ok(None) };
    let base = mirror.trim_end_matches('/');
    if !base.starts_with("http://") && !base.starts_with("https://") {
        let file = Path::new(base.strip_prefix("file://").unwrap_or(base)).join(path);
        let address = file.display().to_string();
        return Ok(fsx::read(&file, limit)?.map(|bytes| MirrorFile { address, bytes }));
    }
    if settings.offline {
        return Ok(None);
    }
    let url = format!("{base}/{path}");
    let address = redact(&url);
    let fail = |words: String| {
        Error::missing(format!("the mirror does not give `{address}`: {}", redact(&words)))
            .help("Check `KILTER_MIRROR` and the network, then run the same command again.")
    };
    let agent = fetch::agent(&settings.limits, &settings.proxy, &url)?;
    let response = agent.get(&url).call().map_err(|error| fail(error.to_string()))?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
        status => return Err(fail(format!("the host answers {status}"))),
    }
    let mut bytes = Vec::new();
    let read = response.into_body().into_reader().take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| fail(io_words(&error)))?;
    if bytes.len() as u64 > limit {
        return Err(fail(format!("it is larger than {}", fsx::size(limit))));
    }
    Ok(Some(MirrorFile { address, bytes }))
}
