//! kilter-server: takes deploys over HTTP and keeps them as KilterApps. It runs no helm, has no key of the repository, and no
//! rights on the Secrets of apps.
//!
//! A request is authenticated, checked as a whole, written to the audit log, and then takes effect in one write of one object, so
//! that a 2xx answer means: the API server has it. The host names of a deploy are claimed before that, each by an object of its own. What it needs of the API server is the Role `kilter-server` of the chart
//! `kilter-platform`.

mod answers;
mod apps;
mod audit;
mod auth;
mod deploys;
mod failure;
mod hosts;
mod info;
mod limits;
mod listen;
mod logs;
mod metrics;
mod openapi;
mod plans;
mod routes;
mod stalled;
mod state;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_bounds;
#[cfg(test)]
mod tests_connections;
#[cfg(test)]
mod tests_edge;
#[cfg(test)]
mod tests_hosts;
#[cfg(test)]
mod tests_plans;
mod tokens;
mod upsert;

pub use limits::AT_ONCE;
pub use listen::{Settings, run};
pub use tokens::{NewToken, create_token, list_tokens, revoke_token};

/// Field manager of what the server writes.
const MANAGER: &str = "kilter-server";
