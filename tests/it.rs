//! One integration binary; a module per area.

mod support;
mod toolchain;
