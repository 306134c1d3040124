//! Images of the app: the text of Dockerfile.dev.

mod dockerfile;

pub use dockerfile::{CONTEXT_IGNORE, dockerfile_dev};
