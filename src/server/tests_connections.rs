//! What goes over a connection: slow heads and bodies, two lengths for one body, and a stop in the middle.

use std::time::Duration;

use axum::Router;
use futures::channel::oneshot;
use tokio::net::{TcpListener, TcpStream};

use super::listen::{Patience, serve};
use super::routes::router_within;
use super::test_server::{Bed, SHOP, image};
use crate::api::NAMESPACE;

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(60);

/// Serves a router on a port of its own; the sender ends it.
async fn listening(router: Router, head: Duration) -> (TcpStream, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let patience = Patience { head, answer: LONG };
    let stopped = async { stopped.await.unwrap_or_default() };
    let served = tokio::spawn(async move { serve(listener, router, patience, stopped).await });
    (TcpStream::connect(address).await.unwrap(), stop, served)
}

async fn write(stream: &TcpStream, text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        stream.writable().await.unwrap();
        match stream.try_write(rest) {
            Ok(n) => rest = &rest[n..],
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
}

/// Reads until the words come, or the end.
async fn read_until(stream: &TcpStream, words: &str) -> String {
    let mut said = String::new();
    let reading = async {
        while !said.contains(words) {
            stream.readable().await.unwrap();
            let mut bytes = [0; 4096];
            match stream.try_read(&mut bytes) {
                Ok(0) => break,
                Ok(n) => said.push_str(&String::from_utf8_lossy(&bytes[..n])),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
    };
    tokio::time::timeout(LONG, reading).await.unwrap();
    said
}

const END: &str = "the end of the connection";

fn head(bed: &Bed, more: &str) -> String {
    let token = &bed.token;
    format!(
        "POST {SHOP}/deploys HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nidempotency-key: key-0001\r\n{more}\r\n"
    )
}

#[tokio::test]
async fn a_slow_head_ends_the_connection() {
    let bed = Bed::new().await;
    let (stream, _stop, _served) = listening(bed.router.clone(), Duration::from_millis(50)).await;
    write(&stream, "POST /v1/info HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
    assert!(!read_until(&stream, END).await.contains("200 OK"));
}

#[tokio::test]
async fn a_slow_body_is_answered_and_ends_the_connection() {
    let bed = Bed::new().await;
    let router = router_within(bed.server.clone(), Duration::from_millis(50));
    let (stream, _stop, _served) = listening(router, LONG).await;
    write(&stream, &(head(&bed, "content-length: 1000\r\n") + "{\"template\": ")).await;
    let said = read_until(&stream, END).await;
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("\"code\":\"TooSlow\""), "{said}");
    assert!(bed.cluster.get("kilterapps", NAMESPACE, "shop-prod").is_none());
}

#[tokio::test]
async fn a_stop_lets_a_running_request_end() {
    let bed = Bed::new().await;
    let (stream, stop, served) = listening(bed.router.clone(), LONG).await;
    let body = image(1).to_string();
    let more = format!("expect: 100-continue\r\ncontent-length: {}\r\n", body.len());
    write(&stream, &head(&bed, &more)).await;
    assert!(read_until(&stream, "100 Continue").await.contains("100 Continue"));
    stop.send(()).unwrap();
    write(&stream, &body).await;
    let said = read_until(&stream, END).await;
    assert!(said.starts_with("HTTP/1.1 202"), "{said}");
    tokio::time::timeout(LONG, served).await.unwrap().unwrap();
    assert_eq!(bed.shop()["spec"]["revision"], 1);
}

#[tokio::test]
async fn a_length_beside_chunks_hides_no_second_request() {
    for chunks_first in [true, false] {
        let bed = Bed::new().await;
        let (stream, _stop, _served) = listening(bed.router.clone(), LONG).await;
        let body = image(1).to_string();
        // By its length the body goes on behind its last chunk; by its chunks that is another request.
        let hidden = format!("DELETE {SHOP} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", bed.token);
        let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n{hidden}", body.len());
        let (length, chunked) = (format!("content-length: {}\r\n", chunks.len()), "transfer-encoding: chunked\r\n");
        let more = if chunks_first { format!("{chunked}{length}") } else { format!("{length}{chunked}") };
        write(&stream, &(head(&bed, &more) + &chunks)).await;
        let said = read_until(&stream, END).await;
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "one answer, and the end: {said}");
    }
}
