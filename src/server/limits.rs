//! What one client, and all together, may ask of the server.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

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
/// Requests at once, unless the server is started with another number.
pub const AT_ONCE: usize = 256;
/// The part of them that one token may have: a client that keeps its requests open leaves room for others.
const SHARE: usize = 8;

/// The limits.
#[derive(Debug)]
pub(super) struct Limits {
    tokens: DefaultKeyedRateLimiter<String>,
    failures: DefaultDirectRateLimiter,
    running: Semaphore,
    /// How many requests of one token may run at once, and how many do; without those of which none runs.
    share: usize,
    of_tokens: Mutex<HashMap<String, usize>>,
}

/// A request of a token that runs, for as long as this lives.
#[derive(Debug)]
pub(super) struct OneOf<'a> {
    limits: &'a Limits,
    token: String,
}

impl Drop for OneOf<'_> {
    fn drop(&mut self) {
        let mut running = self.limits.of_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        match running.get_mut(&self.token) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(running.remove(&self.token)),
        }
    }
}

impl Limits {
    /// Creates the limits: requests per second and token, and requests at once.
    pub(super) fn new(per_second: NonZeroU32, at_once: usize) -> Self {
        let failures = NonZeroU32::new(FAILURES).unwrap_or(NonZeroU32::MIN);
        Self {
            tokens: RateLimiter::keyed(Quota::per_second(per_second)),
            failures: RateLimiter::direct(Quota::per_second(failures)),
            running: Semaphore::new(at_once),
            share: (at_once / SHARE).max(1),
            of_tokens: Mutex::default(),
        }
    }

    /// Counts a request of a token; the answer when it is one too many.
    pub(super) fn spend(&self, token: &str) -> Option<Refusal> {
        self.tokens.check_key(&token.to_owned()).is_err().then(too_many)
    }

    /// Begins a request of a token; the answer when too many of its requests run already.
    pub(super) fn begin(&self, token: &str) -> Result<OneOf<'_>, Refusal> {
        let mut running = self.of_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let count = running.entry(token.to_owned()).or_default();
        if *count >= self.share {
            let words = format!("{} requests of this token run already", self.share);
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TooManyAtOnce", words).retry_after(1));
        }
        *count += 1;
        Ok(OneOf { limits: self, token: token.to_owned() })
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
