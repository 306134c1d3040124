//! Integration tests, one binary: one module per area.

mod config;
mod config_edit;
