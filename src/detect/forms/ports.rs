//! Which port of a service a variable leads to: a server may speak several protocols, each on its own.

use super::{Asked, Form, scheme_of, variable};
use crate::catalog::{PortSpec, Protocol};
use crate::detect::rules::Declared;

impl<'a> Asked<'a> {
    /// A template with the port of the service that the example's value has the number of; without a number, with the one that
    /// a package of the app reads there: clients that speak another protocol go to another port.
    pub(super) fn at_its_port(&self, one: &Declared, template: String) -> String {
        let Some(ours) = port_of(&template) else { return template };
        let of_it = self.named.iter().filter(|other| other.file == one.file && variable(other) == variable(one));
        // A page of the service has a port, too.
        let scheme = scheme_of(&template).map(|scheme| format!("{scheme}://"));
        let of_it = of_it.filter(|other| scheme.as_ref().is_none_or(|scheme| *scheme == other.name));
        let mut numbers = of_it.filter_map(|other| other.extras.iter().find_map(|extra| extra.strip_prefix(':')));
        let meant = match numbers.next().and_then(|number| number.parse::<u16>().ok()) {
            Some(number) => self.port(number, ours).map(|port| port.name.clone()),
            None => self
                .packages()
                .find(|form| form.variable == variable(one))
                .and_then(|form| port_of(&form.template).map(str::to_owned)),
        };
        match meant {
            Some(meant) if meant != ours => {
                let (before, after) =
                    template.split_once(&format!("{{{{ .Port.{ours} }}}}")).unwrap_or((&template, ""));
                // A path is of the usual protocol.
                let after = if self.about.forms.ports.contains_key(&meant) { "" } else { after };
                format!("{before}{{{{ .Port.{meant} }}}}{after}")
            }
            _ => template,
        }
    }

    /// The port of a number that an app can mean in place of another: none for people, none that is of use on this machine alone,
    /// and one of HTTP only where the service is reached over it.
    fn port(&self, number: u16, in_place_of: &str) -> Option<&'a PortSpec> {
        let ports = self.about.ports;
        let is_http = |port: Option<&PortSpec>| port.is_some_and(|port| port.protocol == Protocol::Http);
        let speaks = is_http(ports.first()) || is_http(ports.iter().find(|port| port.name == in_place_of));
        ports.iter().find(|port| port.port == number).filter(|port| {
            let stands_in = ports.iter().any(|other| other.localhost.as_ref() == Some(&port.name));
            !port.ui && !stands_in && (port.protocol == Protocol::Tcp || speaks)
        })
    }

    /// What else the app is told where the form of a variable leads to a port.
    pub(super) fn beside_port(&self, form: &Form) -> impl Iterator<Item = Form> {
        let port = port_of(&form.template).and_then(|port| self.about.forms.ports.get(port));
        let told = port.and_then(|beside| beside.get(&form.variable)).into_iter().flatten();
        told.map(|(variable, template)| self.form(variable, template, (&form.file, form.line)))
    }
}

/// The name of the port in a template that has one.
pub(super) fn port_of(template: &str) -> Option<&str> {
    let (_, rest) = template.split_once("{{ .Port.")?;
    rest.split_once(" }}").map(|(port, _)| port)
}
