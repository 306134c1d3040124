//! Images of the app: the text of Dockerfile.dev, and how its command is started again.

mod dockerfile;
mod restart;

pub use dockerfile::{CONTEXT_IGNORE, dockerfile_dev};
pub use restart::{SUPERVISOR, restarts, supervised};
