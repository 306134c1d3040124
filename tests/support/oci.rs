//! A registry on 127.0.0.1 that holds one chart, as much of the OCI distribution specification as a pull needs.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use kilter::ids::Digest;
use serde_json::json;

/// Media type of a manifest.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The registry; it lives as long as the test process.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    address: String,
    files: Arc<HashMap<String, (&'static str, Vec<u8>)>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    /// Starts a registry that has this chart archive as `charts/<name>:<version>`.
    pub(crate) fn start(name: &str, version: &str, archive: &[u8]) -> Self {
        let config = json!({"apiVersion": "v2", "name": name, "version": version}).to_string().into_bytes();
        let descriptor =
            |media: &str, bytes: &[u8]| json!({"mediaType": media, "digest": Digest::of(bytes), "size": bytes.len()});
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor("application/vnd.cncf.helm.config.v1+json", &config),
            "layers": [descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", archive)],
        });
        let manifest = manifest.to_string().into_bytes();
        let at = |kind: &str, reference: &str| format!("/v2/charts/{name}/{kind}/{reference}");
        let blob = "application/octet-stream";
        let files = HashMap::from([
            ("/v2/".to_owned(), (blob, b"{}".to_vec())),
            (at("manifests", version), (MANIFEST, manifest.clone())),
            (at("manifests", Digest::of(&manifest).as_str()), (MANIFEST, manifest)),
            (at("blobs", Digest::of(&config).as_str()), (blob, config)),
            (at("blobs", Digest::of(archive).as_str()), (blob, archive.to_vec())),
        ]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let registry = Self { address, files: Arc::new(files), asked: Arc::default() };
        let server = registry.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                // The client may hang up at any time: that is its right.
                thread::spawn(move || server.serve(stream));
            }
        });
        registry
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
        let first = lines.next()?;
        let mut words = first.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        lines.take_while(|line| !line.is_empty()).for_each(drop);
        self.asked.lock().unwrap().push(path.clone());
        let (status, media, body) = match self.files.get(&path) {
            Some((media, body)) => ("200 OK", *media, body.as_slice()),
            None => ("404 Not Found", "application/json", &b"{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\"}]}"[..]),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: {media}\r\nContent-Length: {}\r\nDocker-Content-Digest: {}\r\n\r\n",
            body.len(),
            Digest::of(body)
        );
        stream.write_all(head.as_bytes()).ok()?;
        if method != "HEAD" {
            stream.write_all(body).ok()?;
        }
        Some(())
    }
}
