//! Tools that go on talking: what they say arrives piece by piece, until they end or nobody listens any more.

use std::io::{BufRead as _, BufReader, PipeReader};
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::thread;

use serde_json::Value;

use super::{Ending, Invocation, interrupt};
use crate::diag::{Error, Result};

/// One thing that a stream says.
#[derive(Debug)]
pub enum Said<T> {
    /// A line, or a JSON document.
    Item(T),
    /// It has ended; with the last of what it said on standard error.
    Ended(Ending, String),
}

/// A tool that is listened to. It is ended, with everything it started, when this is dropped.
#[derive(Debug)]
pub struct Stream {
    group: u32,
    _registered: interrupt::Registered,
}

impl Drop for Stream {
    fn drop(&mut self) {
        interrupt::end_group(self.group);
    }
}

impl Invocation {
    /// Starts the call and hands over each line of its standard output, without the line end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn lines(&self, tell: impl Fn(Said<String>) + Send + Sync + 'static) -> Result<Stream> {
        self.stream(tell, |out, item| {
            let mut out = BufReader::new(out);
            let mut line = Vec::new();
            while out.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                let text = String::from_utf8_lossy(&line);
                item(text.trim_end_matches(['\n', '\r']).to_owned());
                line.clear();
            }
        })
    }

    /// Starts the call and hands over each JSON document of its standard output. What is not JSON ends the reading.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn documents(&self, tell: impl Fn(Said<Value>) + Send + Sync + 'static) -> Result<Stream> {
        self.stream(tell, |out, item| {
            let documents = serde_json::Deserializer::from_reader(BufReader::new(out)).into_iter();
            documents.map_while(std::result::Result::ok).for_each(item);
        })
    }

    fn stream<T: 'static>(
        &self,
        tell: impl Fn(Said<T>) + Send + Sync + 'static,
        read: impl FnOnce(PipeReader, &dyn Fn(T)) + Send + 'static,
    ) -> Result<Stream> {
        if let Some(told) = super::ON_START.get() {
            told(self);
        }
        let (out_read, out_write) = std::io::pipe().map_err(|e| Error::io("open a pipe", &e))?;
        let (err_read, err_write) = std::io::pipe().map_err(|e| Error::io("open a pipe", &e))?;
        let (handle, registered) = interrupt::Registered::start(|| {
            let handle = self.start(out_write, err_write)?;
            let group = handle.pids().first().copied().unwrap_or_default();
            Ok((handle, group))
        })?;
        let group = registered.group();
        let tell = Arc::new(tell);
        thread::spawn(move || {
            let stderr = super::capture::read_tail(err_read);
            let item = Arc::clone(&tell);
            read(out_read, &move |value| item(Said::Item(value)));
            interrupt::end_group(group);
            let ending = match handle.wait().map(|output| (output.status.code(), output.status.signal())) {
                Ok((Some(code), _)) => Ending::Exited(code),
                Ok((None, signal)) => Ending::Signalled(signal.unwrap_or_default()),
                Err(_) => Ending::Signalled(0),
            };
            tell(Said::Ended(ending, String::from_utf8_lossy(&super::capture::join(stderr)).into_owned()));
        });
        Ok(Stream { group, _registered: registered })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_and_documents_arrive_one_by_one() {
        let (send, heard) = channel();
        let call = Invocation::new("/bin/sh").args(["-c", "echo one; echo two; echo no >&2; exit 3"]);
        let stream = call.lines(move |said| send.send(said).unwrap()).unwrap();
        let next = || heard.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(matches!(next(), Said::Item(line) if line == "one"));
        assert!(matches!(next(), Said::Item(line) if line == "two"));
        assert!(matches!(next(), Said::Ended(Ending::Exited(3) | Ending::Signalled(_), words) if words == "no\n"));
        drop(stream);
        let (send, heard) = channel();
        let call = Invocation::new("/bin/sh").args(["-c", "printf '{\"a\":\\n1}\\n{\"a\":2}'; sleep 600"]);
        let stream = call.documents(move |said| send.send(said).unwrap()).unwrap();
        let next = || heard.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(matches!(next(), Said::Item(value) if value["a"] == 1));
        drop(stream);
        let ended = std::iter::from_fn(|| Some(next())).find(|said| matches!(said, Said::Ended(..)));
        assert!(matches!(ended, Some(Said::Ended(Ending::Signalled(9), _))), "dropping ends it: {ended:?}");
    }
}
