//! What every route needs: the body as its type, the names of the path checked, an id of the request.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::failure::Refusal;
use super::state::Server;
use crate::api::AppId;
use crate::ids::hex;

/// Identifies a request in the logs.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub String);

/// A JSON body. Unknown fields are errors, and an empty body is an empty object.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| {
            let status = rejection.status();
            match status {
                StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(status, "TooLarge", "the body is larger than 1 MiB"),
                _ => Refusal::bad("BadBody", "the body could not be read"),
            }
        })?;
        let bytes = if bytes.is_empty() { Bytes::from_static(b"{}") } else { bytes };
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            let words = error.to_string();
            let what =
                if error.is_data() { words.split(", expected").next().unwrap_or_default() } else { "it is not JSON" };
            // A value is quoted behind "invalid type: string", or integer; a name of a field may be told.
            let quotes: &[char] = if what.starts_with("invalid") { &['"', '`'] } else { &['"'] };
            let what = what.split(quotes).next().unwrap_or_default().trim_end();
            Refusal::bad("BadBody", format!("the body is not what this takes ({place}): {what}"))
        })
    }
}

/// Checks the names of a path.
pub(super) fn app_id((org, app, env): &(String, String, String)) -> Result<AppId, Refusal> {
    AppId::new(org, app, env).map_err(|why| bad_name(&why))
}

/// Refuses a name of a path or query; `why` may quote it.
pub(super) fn bad_name(why: &str) -> Refusal {
    let clean: String = why.chars().take(200).map(|c| if c.is_control() { '?' } else { c }).collect();
    Refusal::bad("BadName", clean)
}

/// Counts the request, gives it an id, and says both in the answer.
pub(super) async fn observe(State(server): State<Arc<Server>>, mut request: Request, next: Next) -> Response {
    let id = super::tokens::entropy::<8>().map(|bytes| hex(&bytes)).unwrap_or_default();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    request.extensions_mut().insert(RequestId(id.clone()));
    let began = Instant::now();
    let mut response = next.run(request).await;
    server.metrics.answered(route.as_deref().unwrap_or("none"), response.status().as_u16(), began.elapsed());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    response
}
