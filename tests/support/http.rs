//! A small HTTP server on 127.0.0.1 that misbehaves as told and remembers what it was asked.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How the server answers one request for a file.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// The file; the rest of it when the client asks for a range of the file that it knows.
    File,
    /// The file as a whole, whatever the client asks for.
    Whole,
    /// As [`Reply::File`], but the connection ends after so many bytes of the body.
    Cut(usize),
    /// Bytes without end and without a length.
    Endless,
    /// The head of an answer, then one byte each few milliseconds.
    Slow,
    /// The head of an answer with this `Content-Length`, then the end.
    Claims(u64),
    /// The head of an answer, then nothing until the client hangs up.
    Silent,
    /// A status with a page.
    Page(u16, &'static str),
    /// A redirect to this path.
    Redirect(&'static str),
}

/// One request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The path, with its leading slash.
    pub(crate) path: String,
    /// The `Range` header.
    pub(crate) range: Option<String>,
    /// The `If-Range` header.
    pub(crate) if_range: Option<String>,
}

#[derive(Debug)]
struct Route {
    body: Vec<u8>,
    etag: Option<String>,
    /// One reply for each request; the last one stays.
    replies: Vec<Reply>,
}

#[derive(Debug, Default)]
struct State {
    routes: HashMap<String, Route>,
    requests: Vec<Request>,
    connections: usize,
    sent: usize,
}

/// The server; it lives as long as the test process.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    url: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// Starts a server that answers 404 to everything.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let server = Self { url, state };
        let handler = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let handler = handler.clone();
                handler.state.lock().unwrap().connections += 1;
                thread::spawn(move || handler.serve(stream));
            }
        });
        server
    }

    /// The address, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Serves a file with a strong ETag of its bytes.
    pub(crate) fn file(&self, path: &str, body: &[u8], replies: &[Reply]) {
        let etag = format!("\"{}\"", kilter::ids::Digest::of(body).hex());
        self.route(path, Route { body: body.to_vec(), etag: Some(etag), replies: replies.to_vec() });
    }

    /// Serves a file without an ETag.
    pub(crate) fn file_without_etag(&self, path: &str, body: &[u8], replies: &[Reply]) {
        self.route(path, Route { body: body.to_vec(), etag: None, replies: replies.to_vec() });
    }

    fn route(&self, path: &str, route: Route) {
        self.state.lock().unwrap().routes.insert(path.to_owned(), route);
    }

    /// What was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// How many bytes of bodies were sent so far.
    pub(crate) fn sent(&self) -> usize {
        self.state.lock().unwrap().sent
    }

    fn serve(&self, mut stream: TcpStream) {
        let Some(request) = read_request(&stream) else { return };
        let (reply, body, etag) = {
            let mut state = self.state.lock().unwrap();
            state.requests.push(request.clone());
            match state.routes.get_mut(&request.path) {
                Some(route) => {
                    let reply =
                        if route.replies.len() > 1 { route.replies.remove(0) } else { route.replies[0].clone() };
                    (reply, route.body.clone(), route.etag.clone())
                }
                None => (Reply::Page(404, "<html>not found</html>"), Vec::new(), None),
            }
        };
        // The client may hang up at any time: that is its right.
        let _ = self.answer(&mut stream, &request, reply, &body, etag.as_deref());
    }

    fn answer(
        &self,
        stream: &mut TcpStream,
        request: &Request,
        reply: Reply,
        body: &[u8],
        etag: Option<&str>,
    ) -> std::io::Result<()> {
        let tag = etag.map(|etag| format!("ETag: {etag}\r\n")).unwrap_or_default();
        match reply {
            Reply::File => self.send_file(stream, request, body, etag, usize::MAX),
            Reply::Cut(at) => self.send_file(stream, request, body, etag, at),
            Reply::Whole => {
                head(stream, "200 OK", &format!("Content-Length: {}\r\n{tag}", body.len()))?;
                self.send(stream, body)
            }
            Reply::Endless => {
                head(stream, "200 OK", "")?;
                loop {
                    self.send(stream, &[b'x'; 4096])?;
                }
            }
            Reply::Slow => {
                head(stream, "200 OK", &format!("Content-Length: {}\r\n{tag}", body.len()))?;
                for byte in body {
                    self.send(stream, &[*byte])?;
                    thread::sleep(Duration::from_millis(5));
                }
                Ok(())
            }
            Reply::Claims(length) => head(stream, "200 OK", &format!("Content-Length: {length}\r\n")),
            Reply::Silent => {
                head(stream, "200 OK", "Content-Length: 1000\r\n")?;
                stream.read(&mut [0]).map(|_| ())
            }
            Reply::Page(status, text) => {
                head(stream, &format!("{status} Page"), &format!("Content-Length: {}\r\n", text.len()))?;
                self.send(stream, text.as_bytes())
            }
            Reply::Redirect(to) => head(stream, "302 Found", &format!("Location: {to}\r\nContent-Length: 0\r\n")),
        }
    }

    fn send_file(
        &self,
        stream: &mut TcpStream,
        request: &Request,
        body: &[u8],
        etag: Option<&str>,
        cut: usize,
    ) -> std::io::Result<()> {
        let tag = etag.map(|etag| format!("ETag: {etag}\r\n")).unwrap_or_default();
        let start = request.range.as_deref().and_then(|range| {
            let start = range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok()?;
            (request.if_range.as_deref() == etag && start < body.len()).then_some(start)
        });
        let rest = &body[start.unwrap_or(0)..];
        let length = format!("Content-Length: {}\r\n{tag}", rest.len());
        match start {
            Some(start) => {
                let range = format!("Content-Range: bytes {start}-{}/{}\r\n", body.len() - 1, body.len());
                head(stream, "206 Partial Content", &format!("{range}{length}"))?;
            }
            None => head(stream, "200 OK", &length)?,
        }
        self.send(stream, &rest[..cut.min(rest.len())])
    }

    fn send(&self, stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
        stream.write_all(bytes)?;
        self.state.lock().unwrap().sent += bytes.len();
        Ok(())
    }
}

fn head(stream: &mut TcpStream, status: &str, headers: &str) -> std::io::Result<()> {
    stream.write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n").as_bytes())
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let mut request = Request { path, range: None, if_range: None };
    for line in lines.take_while(|line| !line.is_empty()) {
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("range") => request.range = Some(value.to_owned()),
            Some((name, value)) if name.eq_ignore_ascii_case("if-range") => request.if_range = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(request)
}
