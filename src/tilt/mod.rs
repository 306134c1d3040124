//! Tilt: the text of its Tiltfile.

mod tiltfile;

pub use tiltfile::{TiltInput, TiltService, Workload, tiltfile, workloads};
