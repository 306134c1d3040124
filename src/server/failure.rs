//! Answers that are not 2xx: one form for all of them, one word for programs and a line for people.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::{Failure, FailureBody};

/// A request that is not done.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub status: StatusCode,
    pub failure: Failure,
    /// Seconds after which it may be tried again.
    pub retry_after: Option<u32>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let failure = Failure { code: code.into(), message: message.into(), ..Failure::default() };
        Self { status, failure, retry_after: None }
    }

    pub(super) fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", what)
    }

    pub(super) fn conflict(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    #[must_use]
    pub(super) fn help(mut self, help: &str) -> Self {
        self.failure.help.push(help.into());
        self
    }

    #[must_use]
    pub(super) fn problems(mut self, problems: Vec<String>) -> Self {
        self.failure.problems = problems;
        self
    }

    #[must_use]
    pub(super) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The API server did not do what was asked of it. Its words are neither for the answer nor for the log: they quote what was
    /// sent (`Invalid value: "…"`).
    pub(super) fn cluster(what: &str, error: &kube::Error) -> Self {
        let why = match error {
            kube::Error::Api(status) => format!("{} ({})", status.reason, status.code),
            kube::Error::SerdeError(_) => "an object that cannot be read".to_owned(),
            error => crate::daemon::words(error),
        };
        tracing::error!(what, error = why, "the API server refused or did not answer");
        // The rules of the resource itself.
        if matches!(error, kube::Error::Api(status) if matches!(status.code, 400 | 422)) {
            return Self::bad("Invalid", "the cluster takes the deploy for invalid");
        }
        let refusal =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "ClusterUnavailable", format!("the cluster could not {what}"));
        refusal
            .retry_after(2)
            .help("Nothing was lost: try again; a deploy with the same Idempotency-Key is the same deploy.")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(FailureBody { error: self.failure })).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
