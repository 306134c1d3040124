//! A project as commands work on it: opened, planned, rendered, stored. The story of every command that renders.

mod app;
mod file;
mod guide;
mod open;
mod outcome;
mod prepare;
mod store;
mod tools;

pub(crate) use app::{OLDER, TAKE_UP, lock_facts};
pub(crate) use file::{KILTER_LOCK, find_root, load, read_config};
pub(crate) use guide::{begin as begin_guide, tell as tell_guide, will_begin as will_begin_guide};
pub(crate) use open::{Project, instance_of, lock_of, unknown_catalog_service};
pub(crate) use outcome::Outcome;
pub(crate) use prepare::{Prepared, unknown_service};
pub(crate) use store::older_catalogs;
pub(crate) use tools::{pinned_tool, present, tool, wanted};
