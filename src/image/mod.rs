//! Images of the app: the text of Dockerfile.dev and of the production Dockerfile; building and pushing.

mod dockerfile;
mod php;
mod production;
mod push;

pub use dockerfile::{CONTEXT_IGNORE, built_here, dockerfile_dev};
pub use production::{dockerfile_production, production_ignore};
pub use push::{Built, Job, build, push};
