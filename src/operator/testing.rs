//! An API server that a test plays: every request is answered as the test says.

use std::future::Future;
use std::io;

use axum::body::Body;
use axum::http::{Request, Response};
use serde_json::Value;

/// Returns a client of an API server that answers a request with a status and a body. A request's body is null when it has none.
pub(super) fn client<F>(answer: impl Fn(Request<Value>) -> F + Clone + Send + 'static) -> kube::Client
where
    F: Future<Output = (u16, Value)> + Send + 'static,
{
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect_bytes().await.map_err(io::Error::other)?;
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let (status, said) = answer(Request::from_parts(head, body)).await;
            let response = Response::builder().status(status).body(Body::from(said.to_string()));
            response.map_err(io::Error::other)
        }
    });
    kube::Client::new(service, "default")
}
