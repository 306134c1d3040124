//! kilter: real backing services in development and a one-command deploy, from one small `kilter.yaml`.
//!
//! ```text
//! dev   kilter.yaml → config → detect → plan → values → helm → artifacts → tilt → cluster
//! ```
//!
//! Each stage hands the next one type. Everything between "file read" and "tool called" is pure: values in, values out.

pub mod artifacts;
pub mod catalog;
#[cfg(feature = "cli")]
pub mod cli;
pub mod cluster;
pub mod config;
pub mod detect;
pub mod diag;
pub mod exec;
pub mod fsx;
pub mod helm;
pub mod ids;
pub mod image;
pub mod plan;
pub mod tilt;
pub mod toolchain;
pub mod values;
pub mod yaml;
