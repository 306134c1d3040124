//! Tilt: the text of its Tiltfile.

mod objects;
mod tiltfile;

pub use objects::{Object, TiltService, objects};
pub use tiltfile::{TiltInput, tiltfile};
