//! kilter-operator: watches KilterApps and brings each one into the flux repository, and tells what became of it.
//!
//! ```text
//! observe → decide (pure) → act (one effect) → observe …
//! ```
//!
//! Each effect can be repeated, and nothing that matters is kept in memory alone: whatever dies at whatever moment, the next
//! round goes on from what is there.

mod apps;
mod committer;
#[cfg(target_os = "linux")]
mod confine;
mod decide;
mod flux;
mod history;
mod lease;
mod memory;
mod metrics;
mod observe;
mod pace;
mod plans;
mod render;
mod report;
mod rerender;
mod run;
#[cfg(test)]
mod testing;
mod workload;

#[cfg(target_os = "linux")]
pub use confine::become_confined;
pub use rerender::rerender;
pub use run::{Settings, run};

/// Field manager of what the operator writes.
const MANAGER: &str = "kilter-operator";
