//! The ports of this machine that an instance is about to take: what has them is said before anything starts. Tilt only
//! goes on trying, and docker says it when the node is made.

use std::ffi::OsStr;
use std::time::Duration;

use super::{Dev, tilt_of};
use crate::cli::context::Context;
use crate::cluster::probes::socket::{self, Published};
use crate::cluster::{self, BLOCK};
use crate::diag::{Error, Kind, Problem, Result};
use crate::exec::{Captured, Invocation, find_program};

/// How long docker may take for its containers.
const PS_TIMEOUT: Duration = Duration::from_secs(2);

impl Dev {
    /// Requires that the ports are free that Tilt is about to take: that of its page, and those that it forwards.
    ///
    /// # Errors
    /// Names whoever has one of them.
    pub(crate) fn require_ports(&self, ctx: &Context) -> Result<()> {
        let mut ports: Vec<u16> = self.forwarded().into_iter().map(|(_, port)| port).collect();
        ports.push(self.session.port);
        self.require_free(ctx, &ports)
    }

    /// Requires that the ports are free that a node of kind's has on this machine: its whole block.
    ///
    /// # Errors
    /// Names whoever has one of them.
    pub(super) fn require_block(&self, ctx: &Context) -> Result<()> {
        let ports: Vec<u16> = (0..BLOCK).map(|slot| self.instance.host_port(slot)).collect();
        self.require_free(ctx, &ports)
    }

    fn require_free(&self, ctx: &Context, ports: &[u16]) -> Result<()> {
        let tilt = tilt_of(&self.session.dir);
        let others = cluster::others(ports, &self.instance, tilt.as_ref(), &|| published(ctx));
        let problems: Vec<Problem> =
            cluster::taken(&others).into_iter().map(|(what, fix)| Problem::new(what).help(fix)).collect();
        if problems.is_empty() { Ok(()) } else { Err(Error::from_problems(Kind::Missing, problems)) }
    }
}

/// Returns the containers that have ports of this machine; none when docker does not say.
pub(crate) fn published(ctx: &Context) -> Vec<Published> {
    let Some(docker) = find_program("docker", ctx.var("PATH").map(OsStr::new)) else { return Vec::new() };
    let call = Invocation::new(docker).inherit_env().args(["ps", "--no-trunc", "--format", socket::PS_FORMAT]);
    let said = call.timeout(PS_TIMEOUT).capture().ok().filter(Captured::ok);
    said.map(|said| socket::published(&said.text())).unwrap_or_default()
}
