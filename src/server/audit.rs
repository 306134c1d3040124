//! The audit log: one JSON line on standard output before an effect, one after it. No value of a variable and no ciphertext is
//! in it.

use std::io::Write as _;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::auth::Grant;
use crate::api::AppId;

/// What somebody is about to do.
#[derive(Debug)]
pub(super) struct Entry {
    line: Value,
}

impl Entry {
    /// Writes the line before the effect; `about` are the facts of the action.
    ///
    /// # Errors
    /// When the line cannot be written: then nothing may take effect.
    pub(super) fn begin(
        request: &str,
        grant: &Grant,
        action: &str,
        id: &AppId,
        about: &Value,
    ) -> std::io::Result<Self> {
        let entry = Self {
            line: json!({"audit": "begin", "time": now(), "request": request, "token": grant.id, "by": grant.record.name,
                "action": action, "org": id.org(), "app": id.app(), "env": id.env(), "about": about}),
        };
        write(&entry.line)?;
        Ok(entry)
    }

    /// Writes the line after it.
    pub(super) fn end(mut self, outcome: &str) {
        self.line["audit"] = json!("end");
        self.line["time"] = json!(now());
        self.line["outcome"] = json!(outcome);
        if let Err(error) = write(&self.line) {
            tracing::error!(%error, "cannot write the audit log");
        }
    }
}

fn now() -> String {
    format!("{:.3}", Timestamp::now())
}

fn write(line: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all((line.to_string() + "\n").as_bytes())?;
    out.flush()
}
