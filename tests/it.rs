//! The integration tests: one binary, one module per area.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod support;
mod toolchain;
