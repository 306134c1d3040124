//! The ports that Tilt forwards: it does so a moment after a pod runs.

use std::time::{Duration, Instant};

use super::Dev;
use crate::cli::context::Context;
use crate::cluster::holders;
use crate::diag::{Error, Problem, Result};
use crate::exec::interrupted;
use crate::plan::{APP, Origin, SLOTS};

/// How long a forward may take; Tilt tries again after up to 15 seconds.
const FORWARDED_WITHIN: Duration = Duration::from_secs(20);

/// How often the system is asked: it tells nobody that a port is listened on.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Dev {
    /// Waits until somebody listens on each of these ports, which Tilt forwards; warns of those where nobody does.
    ///
    /// # Errors
    /// When kilter is interrupted.
    pub(crate) fn await_forwards(&self, ctx: &Context, ports: &[u16]) -> Result<()> {
        let began = Instant::now();
        loop {
            let taken = holders(ports);
            let Some(missing) = ports.iter().find(|port| !taken.contains_key(port)) else { return Ok(()) };
            if began.elapsed() > FORWARDED_WITHIN {
                let problem = Problem::new(format!(
                    "the port {missing} of this machine leads nowhere yet: Tilt does not forward it"
                ));
                ctx.ui.warn(&problem.help(format!("See what Tilt says: `{}`.", self.session.log().display())));
                return Ok(());
            }
            if interrupted() {
                return Err(Error::interrupted());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Returns the ports of this machine that Tilt forwards for services.
    pub(crate) fn forwards_of(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<u16> {
        self.forwarded().into_iter().filter(|(service, _)| is_wanted(service)).map(|(_, port)| port).collect()
    }

    /// Returns the ports of this machine that Tilt forwards, each with its service.
    pub(crate) fn forwarded(&self) -> Vec<(String, u16)> {
        let all = !self.plan.node_ports || self.target.forwards(&self.cluster);
        let app = self.plan.app.iter().filter(|app| all || app.slot >= SLOTS).map(|app| (APP.to_owned(), app.slot));
        let services = self.plan.services.iter().flat_map(|service| {
            let chart = service.origin == Origin::Chart;
            let ports = service.ports.iter().filter(move |port| all || chart || port.slot >= SLOTS);
            ports.map(|port| (service.name.to_string(), port.slot))
        });
        app.chain(services).map(|(service, slot)| (service, self.instance.host_port(slot))).collect()
    }
}
