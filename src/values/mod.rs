//! From the plan to one release per service: the values file, byte for byte, beside its chart.

#[cfg(feature = "cli")]
mod draft;
mod release;

#[cfg(feature = "cli")]
pub use draft::{Draft, drafts};
pub use release::{Chart, Release};
