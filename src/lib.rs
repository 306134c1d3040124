//! kilter: real backing services in development and a one-command deploy, from one small `kilter.yaml`.
//!
//! ```text
//! dev   kilter.yaml → config → detect → plan → values → helm → artifacts → tilt → cluster
//! ```
//!
//! Each stage hands the next one type. Everything between "file read" and "tool called" is pure.

pub mod catalog;
pub mod config;
#[cfg(feature = "cli")]
pub mod detect;
pub mod diag;
pub mod exec;
pub mod fsx;
pub mod ids;
#[cfg(feature = "cli")]
pub mod image;
pub mod toolchain;
pub mod yaml;
