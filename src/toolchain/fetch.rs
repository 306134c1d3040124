//! Gets a release file into `<slot>/download.part`: resumed when it breaks, bounded in size and time, and never kept
//! with wrong bytes.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use super::model::{Limits, Progress, Proxy};
use super::pins::Tool;
use crate::diag::{Error, Result, io_words};
use crate::ids::Digest;
use crate::{exec, fsx};

/// How many redirects are followed; a release of GitHub needs one.
const MAX_REDIRECTS: u32 = 5;

const CLOSED_EARLY: &str = "the connection was closed early";

/// One release file to get.
pub(super) struct Job<'a> {
    pub(super) tool: Tool,
    pub(super) url: &'a str,
    pub(super) sha256: &'a Digest,
    pub(super) part: &'a Path,
    pub(super) limits: &'a Limits,
    pub(super) proxy: &'a Proxy,
}

/// How getting a file ended.
#[derive(Debug)]
pub(super) enum Fetched {
    /// The part file holds the right bytes.
    Complete,
    /// The file cannot be had there, for this reason; another place may have it.
    Unavailable(String),
}

/// How one attempt ended.
enum Attempt {
    /// The body is there to its end; `resumed` when some of it is from an earlier attempt.
    Ended { resumed: bool },
    /// The host has no such file, or does not want to give it.
    Refused(String),
    /// The connection failed or broke; the next attempt may go on where this one stopped.
    Broken(String),
    /// The host is not there: no reason to try it again now.
    Absent(String),
}

/// Downloads a file.
///
/// # Errors
/// When the file has the wrong bytes or is too large, when the disk fails, or when kilter is interrupted. A host that
/// cannot be reached or has no such file is [`Fetched::Unavailable`].
pub(super) fn download(job: &Job<'_>, progress: &dyn Progress) -> Result<Fetched> {
    let result = download_to_the_end(job, progress);
    progress.ended(job.tool);
    result
}

fn download_to_the_end(job: &Job<'_>, progress: &dyn Progress) -> Result<Fetched> {
    // A kilter that died between the last byte and the installation leaves a complete file.
    if job.part.is_file() && digest(job.part)? == *job.sha256 {
        return Ok(Fetched::Complete);
    }
    let agent = agent(job.limits, job.proxy, job.url)?;
    let mut pause = job.limits.backoff;
    let mut attempt = 1;
    loop {
        exec::pause_if_interrupted()?;
        let words = match once(job, &agent, progress)? {
            Attempt::Ended { resumed } => {
                let got = digest(job.part)?;
                if got == *job.sha256 {
                    return Ok(Fetched::Complete);
                }
                let page = looks_like_a_page(job.part);
                discard(job.part)?;
                if !resumed {
                    return Err(wrong_bytes(job.url, &got, job.sha256, page));
                }
                "the resumed file has wrong bytes".to_owned()
            }
            Attempt::Refused(words) | Attempt::Absent(words) => return Ok(Fetched::Unavailable(words)),
            Attempt::Broken(words) => words,
        };
        if attempt >= job.limits.attempts {
            return Ok(Fetched::Unavailable(format!("{words} (attempt {attempt} of {attempt})")));
        }
        progress.line(&format!("{}: {words}; trying again", job.url));
        rest(pause)?;
        pause *= 2;
        attempt += 1;
    }
}

/// Waits before the next attempt, but not longer than until kilter is interrupted.
fn rest(pause: Duration) -> Result<()> {
    let end = Instant::now() + pause;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        exec::pause_if_interrupted()?;
        thread::sleep(left.min(Duration::from_millis(50)));
    }
    Ok(())
}

/// Copies a file out of a directory that is laid out like the release hosts.
///
/// # Errors
/// As for [`download`].
pub(super) fn copy(job: &Job<'_>, file: &Path, progress: &dyn Progress) -> Result<Fetched> {
    let source = match File::open(file) {
        Ok(source) => source,
        Err(error) => return Ok(Fetched::Unavailable(io_words(&error))),
    };
    let total = source.metadata().map(|meta| meta.len()).ok();
    discard(job.part)?;
    let mut part = Part::open(job, 0)?;
    let ended = part.take_all(source, total, progress);
    progress.ended(job.tool);
    match ended? {
        Attempt::Ended { .. } => {}
        Attempt::Refused(words) | Attempt::Absent(words) | Attempt::Broken(words) => {
            return Ok(Fetched::Unavailable(words));
        }
    }
    let got = digest(job.part)?;
    if got != *job.sha256 {
        discard(job.part)?;
        return Err(wrong_bytes(job.url, &got, job.sha256, false));
    }
    Ok(Fetched::Complete)
}

/// Removes a part file and what is known about it.
pub(super) fn discard(part: &Path) -> Result<()> {
    fsx::remove(&validator_path(part))?;
    fsx::remove(part)
}

/// Makes one request and takes its body.
fn once(job: &Job<'_>, agent: &Agent, progress: &dyn Progress) -> Result<Attempt> {
    let have = fs::metadata(job.part).map_or(0, |meta| meta.len());
    let validator = validator(job).filter(|_| have > 0);
    let mut request = agent.get(job.url).header(header::ACCEPT_ENCODING, "identity");
    if let Some(etag) = &validator {
        request = request.header(header::RANGE, format!("bytes={have}-")).header(header::IF_RANGE, etag);
    }
    let response = match request.call() {
        Ok(response) => response,
        Err(error) => return Ok(failed(&error)),
    };
    match response.status() {
        StatusCode::OK => {
            remember_validator(job, &response)?;
            Part::open(job, 0)?.take(response, progress)
        }
        StatusCode::PARTIAL_CONTENT if continues(&response, have, validator.as_deref()) => {
            Part::open(job, have)?.take(response, progress)
        }
        // The file has changed or is shorter than what is here: start again.
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
            discard(job.part)?;
            Ok(Attempt::Broken("cannot go on where the download stopped".into()))
        }
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Ok(Attempt::Broken(format!("the host answers {status}")))
        }
        status => Ok(Attempt::Refused(format!("the host answers {status}"))),
    }
}

/// The file that is being filled.
struct Part<'a> {
    file: File,
    have: u64,
    job: &'a Job<'a>,
}

impl<'a> Part<'a> {
    /// Opens the part file to go on after its first `have` bytes.
    fn open(job: &'a Job<'a>, have: u64) -> Result<Self> {
        let fail = |error: &std::io::Error| Error::io(format!("write `{}`", job.part.display()), error);
        let mut file =
            OpenOptions::new().create(true).truncate(false).write(true).open(job.part).map_err(|error| fail(&error))?;
        file.set_len(have).and_then(|()| file.seek(SeekFrom::Start(have))).map_err(|error| fail(&error))?;
        Ok(Self { file, have, job })
    }

    /// Takes the body of a response.
    fn take(&mut self, response: Response<Body>, progress: &dyn Progress) -> Result<Attempt> {
        let body = response.into_body();
        let total = body.content_length().map(|length| self.have + length);
        self.take_all(body.into_reader(), total, progress)
    }

    /// Takes everything a reader gives, within the limits.
    fn take_all(&mut self, mut reader: impl Read, total: Option<u64>, progress: &dyn Progress) -> Result<Attempt> {
        let resumed = self.have > 0;
        let limits = self.job.limits;
        let mut pace = Pace { since: Instant::now(), bytes: 0 };
        let mut buffer = vec![0; 64 * 1024];
        loop {
            if total.unwrap_or(self.have) > limits.max_download || self.have > limits.max_download {
                discard(self.job.part)?;
                return Err(self.too_large());
            }
            progress.bytes(self.job.tool, self.have, total);
            exec::pause_if_interrupted()?;
            match reader.read(&mut buffer) {
                Ok(0) if total.is_some_and(|total| self.have < total) => {
                    return Ok(Attempt::Broken(CLOSED_EARLY.into()));
                }
                Ok(0) => return Ok(Attempt::Ended { resumed }),
                Ok(n) => {
                    self.file
                        .write_all(&buffer[..n])
                        .map_err(|error| Error::io(format!("write `{}`", self.job.part.display()), &error))?;
                    self.have += n as u64;
                    if pace.is_too_slow(n as u64, limits) {
                        return Ok(Attempt::Broken(stalled(limits)));
                    }
                }
                Err(error) => return Ok(Attempt::Broken(broken_words(error, limits))),
            }
        }
    }

    fn too_large(&self) -> Error {
        Error::missing(format!("`{}` is larger than {}", self.job.url, fsx::size(self.job.limits.max_download)))
            .help("Nothing of it was kept or run.")
            .help("Check the mirror (`KILTER_MIRROR`) or the proxy that answered.")
    }
}

/// Watches that a download goes on.
struct Pace {
    since: Instant,
    bytes: u64,
}

impl Pace {
    fn is_too_slow(&mut self, more: u64, limits: &Limits) -> bool {
        self.bytes += more;
        if self.since.elapsed() < limits.stall {
            return false;
        }
        let slow = self.bytes < limits.stall_bytes;
        *self = Self { since: Instant::now(), bytes: 0 };
        slow
    }
}

/// Says why a body ended before its end.
fn broken_words(error: std::io::Error, limits: &Limits) -> String {
    match ureq::Error::from(error) {
        ureq::Error::Timeout(_) => stalled(limits),
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => CLOSED_EARLY.into(),
        ureq::Error::Io(error) => io_words(&error).to_lowercase(),
        other => other.to_string(),
    }
}

fn stalled(limits: &Limits) -> String {
    format!("less than {} came in {:?}", fsx::size(limits.stall_bytes), limits.stall)
}

/// Makes what speaks HTTP, with the limits and the proxy for a URL.
pub(super) fn agent(limits: &Limits, proxy_settings: &Proxy, url: &str) -> Result<Agent> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(MAX_REDIRECTS)
        .proxy(proxy_for(proxy_settings, url)?)
        .user_agent(concat!("kilter/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(limits.connect))
        .timeout_connect(Some(limits.connect))
        .timeout_recv_response(Some(limits.stall))
        .timeout_per_read(Some(limits.stall));
    Ok(config.build().into())
}

/// Picks the proxy for a URL as the usual variables say.
///
/// # Errors
/// When the variable holds no address of a proxy.
pub fn proxy_for(settings: &Proxy, url: &str) -> Result<Option<ureq::Proxy>> {
    let (name, value) = match url.starts_with("https:") {
        true => ("HTTPS_PROXY", &settings.https),
        false => ("HTTP_PROXY", &settings.http),
    };
    let Some(value) = value.as_deref().filter(|value| !value.is_empty()) else { return Ok(None) };
    let bad = || {
        Error::usage(format!("`{name}` is not the address of a proxy"))
            .help("Write it like `http://proxy.example:3128`, or unset it.")
    };
    let parsed = ureq::Proxy::new(value).map_err(|_| bad())?;
    let mut builder = ureq::Proxy::builder(parsed.protocol()).host(parsed.host()).port(parsed.port());
    if let Some(user) = parsed.username() {
        builder = builder.username(user);
    }
    if let Some(password) = parsed.password() {
        builder = builder.password(password);
    }
    for expression in settings.no_proxy.iter().flat_map(|list| list.split(',')) {
        builder = builder.no_proxy(expression.trim());
    }
    builder.build().map(Some).map_err(|_| bad())
}

/// Sorts what a request can fail of before there is an answer.
fn failed(error: &ureq::Error) -> Attempt {
    match error {
        ureq::Error::HostNotFound => Attempt::Absent("the host name is not known".into()),
        ureq::Error::ConnectionFailed => Attempt::Absent("no connection".into()),
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Attempt::Absent("connection refused".into())
        }
        ureq::Error::Timeout(_) => Attempt::Absent("no answer in time".into()),
        ureq::Error::TooManyRedirects => Attempt::Refused(format!("more than {MAX_REDIRECTS} redirects")),
        ureq::Error::BadUri(words) => Attempt::Refused(format!("not a URL: {words}")),
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Attempt::Broken(CLOSED_EARLY.into())
        }
        ureq::Error::Io(error)
            if matches!(error.kind(), std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable) =>
        {
            Attempt::Absent(io_words(error).to_lowercase())
        }
        // The resolver of the standard library has no kind for this, only these words.
        ureq::Error::Io(error) if error.to_string().starts_with("failed to lookup address information") => {
            Attempt::Absent("the host name is not known".into())
        }
        ureq::Error::Io(error) => Attempt::Broken(io_words(error).to_lowercase()),
        other => Attempt::Absent(other.to_string()),
    }
}

/// Tells whether a partial answer continues what is here: the same file, from the byte that was asked for.
fn continues(response: &Response<Body>, have: u64, validator: Option<&str>) -> bool {
    let range = text(response, header::CONTENT_RANGE).unwrap_or_default();
    range.starts_with(&format!("bytes {have}-")) && validator.is_some() && text(response, header::ETAG) == validator
}

fn text(response: &Response<Body>, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

/// Keeps the strong ETag of a file whose download begins; without one a broken download starts again.
fn remember_validator(job: &Job<'_>, response: &Response<Body>) -> Result<()> {
    let path = validator_path(job.part);
    match text(response, header::ETAG).filter(|etag| etag.starts_with('"')) {
        Some(etag) => fsx::write(&path, format!("{}\n{etag}\n", exec::redact(job.url)).as_bytes()),
        None => fsx::remove(&path),
    }
}

/// Returns the ETag of what is in the part file when it came from this address.
fn validator(job: &Job<'_>) -> Option<String> {
    let text = fsx::read_text(&validator_path(job.part), 8192).ok()??;
    let (url, etag) = text.trim_end().split_once('\n')?;
    (url == exec::redact(job.url)).then(|| etag.to_owned())
}

fn validator_path(part: &Path) -> PathBuf {
    part.with_extension("etag")
}

fn digest(path: &Path) -> Result<Digest> {
    File::open(path)
        .and_then(Digest::of_reader)
        .map_err(|error| Error::io(format!("read `{}`", path.display()), &error))
}

fn looks_like_a_page(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(256).read_to_end(&mut start));
    read.is_ok() && start.trim_ascii_start().starts_with(b"<")
}

fn wrong_bytes(url: &str, got: &Digest, expected: &Digest, page: bool) -> Error {
    let error = Error::missing(format!("`{url}` is not the file that kilter expects"))
        .detail(format!("expected {expected}\ngot      {got}"))
        .help("Nothing of it was kept or run.");
    let error = match page {
        true => error.help("It looks like a web page: a proxy or a login page may have answered for the host."),
        false => error,
    };
    error.help("Check the mirror (`KILTER_MIRROR`) or the proxy that answered; tell kilter's maintainers when the publisher itself sends this file.")
}
