//! From the plan to one release per service: the values file, byte for byte, beside its chart.

#[cfg(feature = "cli")]
mod draft;
#[cfg(feature = "platform")]
mod production;
mod release;

#[cfg(feature = "cli")]
pub use draft::{Draft, drafts};
#[cfg(feature = "platform")]
pub use production::production_values;
pub use release::{Chart, Release};
