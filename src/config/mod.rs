//! `kilter.yaml` and `kilter.lock`: reading, checking, editing in place.

mod check;
pub mod edit;
mod load;
pub mod lock;
mod merge;
pub mod model;
mod node;
mod patterns;
mod read;
mod rules;
mod scalar;
mod schema;
mod services;
mod source;
mod syntax;
mod words;

pub use load::{Known, Loaded, load};
pub use node::{Key, Node, NodeKind, PathItem, Scalar, Style};
pub use scalar::Typed;
pub use schema::schema_json;
pub use services::is_remote;
pub use source::{MAX_BYTES, Source, text_of};
