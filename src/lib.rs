//! kilter: real backing services in development and a one-command deploy, from one small `kilter.yaml`.
//!
//! ```text
//! dev   kilter.yaml → config → detect → plan → values → helm → artifacts → tilt → cluster
//! prod  project → image → deploy → server → KilterApp → operator → values → helm → gitops → Flux → Gateway
//! ```
//!
//! Each stage hands the next one type. Everything between "file read" and "tool called" is pure: values in, values out.

pub mod api;
#[cfg(feature = "cli")]
pub mod artifacts;
pub mod catalog;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod cluster;
pub mod config;
#[cfg(feature = "cli")]
pub mod deploy;
#[cfg(feature = "cli")]
pub mod detect;
pub mod diag;
pub mod exec;
pub mod fsx;
#[cfg(feature = "platform")]
pub mod gitops;
pub mod helm;
pub mod ids;
#[cfg(feature = "cli")]
pub mod image;
#[cfg(feature = "platform")]
pub mod operator;
#[cfg(feature = "cli")]
pub mod plan;
#[cfg(feature = "platform")]
pub mod server;
#[cfg(feature = "cli")]
pub mod tilt;
pub mod toolchain;
pub mod values;
pub mod yaml;
