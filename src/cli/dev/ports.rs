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
use crate::plan::{Origin, Plan};

/// How long docker may take for its containers.
const PS_TIMEOUT: Duration = Duration::from_secs(2);

impl Dev {
    /// Requires that the ports are free that Tilt is about to take: that of its page, and those that it forwards.
    ///
    /// # Errors
    /// Names whoever has one of them.
    pub(crate) fn require_ports(&self, ctx: &Context) -> Result<()> {
        let slots = forwarded(&self.plan, self.target.forwards(&self.cluster));
        let mut ports: Vec<u16> = slots.into_iter().map(|slot| self.instance.host_port(slot)).collect();
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

/// Returns the slots that Tilt forwards, as its Tiltfile says: `all`, or those that no NodePort serves.
fn forwarded(plan: &Plan, all: bool) -> Vec<u16> {
    let served = |slot: u16| plan.node_ports && slot < BLOCK;
    let app = plan.app.iter().map(|app| app.slot).filter(|slot| all || !served(*slot));
    let services = plan.services.iter().flat_map(|service| {
        // The Services of a user's chart have the NodePorts that it says, if any.
        let own = service.origin == Origin::Chart;
        service.ports.iter().map(|port| port.slot).filter(move |slot| all || own || !served(*slot))
    });
    app.chain(services).collect()
}

/// Returns the containers that have ports of this machine; none when docker does not say.
fn published(ctx: &Context) -> Vec<Published> {
    let Some(docker) = find_program("docker", ctx.var("PATH").map(OsStr::new)) else { return Vec::new() };
    let call = Invocation::new(docker).inherit_env().args(["ps", "--no-trunc", "--format", socket::PS_FORMAT]);
    let said = call.timeout(PS_TIMEOUT).capture().ok().filter(Captured::ok);
    said.map(|said| socket::published(&said.text())).unwrap_or_default()
}
