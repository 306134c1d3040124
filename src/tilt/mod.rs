//! Tilt: the text of its Tiltfile, and the running one.

mod objects;
mod plain;
mod process;
mod reach;
mod resource;
mod tiltfile;

pub use objects::{Object, TiltService, is_workload, objects};
pub use process::{Session, Start, TILTFILE, Tilt};
pub use resource::{Phase, Resource};
pub use tiltfile::{TiltInput, tiltfile};
