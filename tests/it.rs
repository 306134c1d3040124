//! The integration tests: one binary, one module per area.

mod charts;
mod detect_score;
mod support;
mod toolchain;
