//! What one client, and all together, may ask of the server.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::Semaphore;

use super::failure::Refusal;
use super::state::Server;

/// Most bytes of a request's body: a template with its sealed Secrets.
pub(super) const MAX_BODY: usize = 1024 * 1024;
/// Most failed logins of everybody per second.
const FAILURES: u32 = 20;

/// The limits.
#[derive(Debug)]
pub(super) struct Limits {
    tokens: DefaultKeyedRateLimiter<String>,
    failures: DefaultDirectRateLimiter,
    running: Semaphore,
}

impl Limits {
    /// Creates the limits: requests per second and token, and requests at once.
    pub(super) fn new(per_second: NonZeroU32, at_once: usize) -> Self {
        let failures = NonZeroU32::new(FAILURES).unwrap_or(NonZeroU32::MIN);
        Self {
            tokens: RateLimiter::keyed(Quota::per_second(per_second)),
            failures: RateLimiter::direct(Quota::per_second(failures)),
            running: Semaphore::new(at_once),
        }
    }

    /// Counts a request of a token; the answer when it is one too many.
    pub(super) fn spend(&self, token: &str) -> Option<Refusal> {
        self.tokens.check_key(&token.to_owned()).is_err().then(too_many)
    }

    /// Counts a failed login.
    pub(super) fn spend_failure(&self) -> Option<Refusal> {
        self.failures.check().is_err().then(too_many)
    }
}

fn too_many() -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "too many requests").retry_after(1)
}

/// Lets no more requests run at once than the server can bear; the others are told to come back.
pub(super) async fn shed(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    match server.limits.running.try_acquire() {
        Ok(_running) => next.run(request).await,
        Err(_) => {
            server.metrics.refused("Overloaded");
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Overloaded", "the server has too much to do");
            refusal.retry_after(1).into_response()
        }
    }
}
