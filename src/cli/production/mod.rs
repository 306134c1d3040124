//! What the commands of production share: which server, which app, and following what was begun.

mod access;
mod follow;
mod target;

pub(crate) use access::{Access, ServerArgs, client, credentials, lock_credentials, wrong_token};
pub(crate) use follow::{Begun, WaitArgs, asking, printable};
pub(crate) use target::{AppArgs, Place, Said, named};
