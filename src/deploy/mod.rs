//! The developer's side of production: the login store, kilter-server's client, the request that is made of kilter.yaml,
//! sealed Secrets, and following a deploy. It knows no cluster.
//!
//! ```text
//! kilter.yaml ─▶ request ─▶ Template ─▶ client ─▶ kilter-server
//! secrets: local file ─▶ dotenv ─▶ sealed (sops) ─▶ Template
//! ```

mod client;
mod dotenv;
mod follow;
mod git;
mod login;
mod remembered;
mod request;
mod sealed;
mod timeline;

pub use client::{Client, idempotency_key, rest};
pub use dotenv::{Variables, variables};
pub use follow::{Followed, follow};
pub use git::{Checkout, web_address};
pub use login::{Access, Login, Logins, ServerUrl};
pub use remembered::{Remembered, remember, remembered};
pub(crate) use request::refuse_missing;
pub use request::{App, Asked, check, missing, request};
pub use sealed::{Seal, Sealer, read_variables};
pub use timeline::{Hop, hops, waterfall};
