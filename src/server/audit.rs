//! The audit log: one JSON line before an effect, one after it, however it ends; kilter-server has it on standard output. No
//! value of a variable and no ciphertext is in it.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::auth::Grant;
use super::failure::Refusal;
use crate::api::AppId;

/// Where the lines go.
pub(super) struct Log(Mutex<Box<dyn Write + Send>>);

impl Log {
    pub(super) fn new(out: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(out)))
    }

    fn write(&self, line: &Value) -> std::io::Result<()> {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all((line.to_string() + "\n").as_bytes())?;
        out.flush()
    }
}

/// What somebody is about to do. Its end is written when it is dropped, as a request also ends when its client goes away or its
/// time is over: then nobody knows here whether the effect took place, and the log says so.
pub(super) struct Entry<'a> {
    log: &'a Log,
    line: Value,
    outcome: Option<String>,
}

impl<'a> Entry<'a> {
    /// Writes the line before the effect; `about` are the facts of the action.
    ///
    /// # Errors
    /// When the line cannot be written: then nothing may take effect.
    pub(super) fn begin(
        log: &'a Log,
        request: &str,
        grant: &Grant,
        action: &str,
        id: &AppId,
        about: &Value,
    ) -> Result<Self, Refusal> {
        let line = json!({"audit": "begin", "time": now(), "request": request, "token": grant.id, "by": grant.record.name,
            "action": action, "org": id.org(), "app": id.app(), "env": id.env(), "about": about});
        log.write(&line).map_err(|error| {
            tracing::error!(%error, "cannot write the audit log");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "NoAudit", "the audit log cannot be written").retry_after(5)
        })?;
        Ok(Self { log, line, outcome: None })
    }

    /// Writes the line after it.
    pub(super) fn end(mut self, outcome: &str) {
        self.outcome = Some(outcome.to_owned());
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.line["audit"] = json!("end");
        self.line["time"] = json!(now());
        self.line["outcome"] = json!(self.outcome.as_deref().unwrap_or("interrupted"));
        if let Err(error) = self.log.write(&self.line) {
            tracing::error!(%error, "cannot write the audit log");
        }
    }
}

fn now() -> String {
    format!("{:.3}", Timestamp::now())
}
