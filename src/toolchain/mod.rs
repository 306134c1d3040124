//! The pinned tools: find, download, verify, build from source. One store shared by all projects.
//!
//! ```text
//! explicit path → store → mirror → official release → source build
//! ```
//!
//! [`find`] answers from the store alone, without a process and without hashing; [`ensure`] gets what is missing. What
//! is got is checked against a compiled-in SHA-256 before a byte of it is unpacked or run. The room reads no
//! environment: whatever it needs of it comes in with [`Settings`].

#![cfg_attr(not(feature = "cli"), allow(dead_code, reason = "without the cli tools are found, never got"))]

#[cfg(feature = "cli")]
mod ensure;
mod explicit;
#[cfg(feature = "cli")]
mod fetch;
#[cfg(feature = "cli")]
mod mirror;
mod model;
mod pins;
mod receipt;
#[cfg(feature = "cli")]
mod source;
mod store;
#[cfg(feature = "cli")]
mod unpack;

#[cfg(feature = "cli")]
pub use ensure::ensure;
#[cfg(feature = "cli")]
pub use fetch::proxy_for;
#[cfg(feature = "cli")]
pub use mirror::{MirrorFile, from_mirror};
pub use model::{Installed, Limits, Progress, Proxy, Settings, Source, Want};
pub use pins::{Asset, Floor, Packing, Pins, Platform, Tool};
pub use store::{find, list};
