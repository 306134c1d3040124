//! The integration tests: one binary, one module per area.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

mod architecture;
mod charts;
mod cluster;
mod commands;
mod config;
mod detect_score;
mod e2e;
mod eject;
mod faults;
mod identity;
mod instances;
mod lock;
mod offline;
mod pty;
mod remote_charts;
mod services;
mod support;
mod together;
mod toolchain;
