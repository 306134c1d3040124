//! Tilt: the text of its Tiltfile.

mod tiltfile;
mod workloads;

pub use tiltfile::{TiltInput, TiltService, tiltfile};
pub use workloads::{Workload, workloads};
