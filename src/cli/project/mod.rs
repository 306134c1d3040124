//! A project as commands work on it: opened, planned, rendered, stored. The story of every command that renders.

mod open;
mod outcome;
mod prepare;
mod store;

pub(crate) use open::Project;
pub(crate) use outcome::Outcome;
pub(crate) use prepare::{Prepared, wanted};
pub(crate) use store::older_catalogs;
