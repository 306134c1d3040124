//! The audit log: one JSON line before an effect, one after it; kilter-server has it on standard output. No value of a variable and no ciphertext is
//! in it.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::auth::Grant;
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

/// What somebody is about to do.
pub(super) struct Entry<'a> {
    log: &'a Log,
    line: Value,
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
    ) -> std::io::Result<Self> {
        let entry = Self {
            log,
            line: json!({"audit": "begin", "time": now(), "request": request, "token": grant.id, "by": grant.record.name,
                "action": action, "org": id.org(), "app": id.app(), "env": id.env(), "about": about}),
        };
        log.write(&entry.line)?;
        Ok(entry)
    }

    /// Writes the line after it.
    pub(super) fn end(mut self, outcome: &str) {
        self.line["audit"] = json!("end");
        self.line["time"] = json!(now());
        self.line["outcome"] = json!(outcome);
        if let Err(error) = self.log.write(&self.line) {
            tracing::error!(%error, "cannot write the audit log");
        }
    }
}

fn now() -> String {
    format!("{:.3}", Timestamp::now())
}
