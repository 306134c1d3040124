//! The shape of a variable: a host, one with its port, a whole address, a switch.

use super::{Asked, HOST, port_of, scheme_of};
use crate::detect::env_files::{ALONE, DIGIT, OF_GO, WITH_PORT};
use crate::detect::rules::Declared;

impl<'a> Asked<'a> {
    /// A template of a group in the shape that the example's value has: a host, one with its port, a whole address; a switch.
    pub(super) fn shaped(&self, one: &Declared, template: &str) -> String {
        if let Some(template) = self.of_go(one) {
            return template.to_owned();
        }
        let of_it = |other: &&&Declared| other.file == one.file && other.extras.first() == Some(&one.name);
        let holds_address = self.named.iter().filter(of_it).any(|other| other.name.starts_with("http"));
        let shape = one.extras.get(1).map(String::as_str);
        let port = self.about.ports.first().map(|port| format!("{HOST}:{{{{ .Port.{} }}}}", port.name));
        let bare = template.strip_prefix("http://").unwrap_or(template);
        let is_host = bare == HOST || bare.strip_prefix(HOST).is_some_and(|rest| rest.starts_with(":{{ .Port."));
        // Where the port has no variable of its own, it is told with the host.
        let beside = one.name.rsplit_once('_').map(|(words, _)| format!("{words}_PORT"));
        let has_port = self.named.iter().any(|other| other.file == one.file && Some(&other.name) == beside.as_ref());
        let numbered = self.named.iter().filter(of_it).any(|other| other.extras.iter().any(|e| e.starts_with(':')));
        match (is_host, shape) {
            (true, _) if holds_address && has_port && !numbered => format!("http://{HOST}"),
            (true, None | Some("")) if has_port && !holds_address => HOST.to_owned(),
            (true, _) if holds_address && bare != template => template.to_owned(),
            (true, _) if holds_address => self.main_address().unwrap_or(template).to_owned(),
            (true, Some(WITH_PORT)) if bare == HOST => port.unwrap_or_else(|| template.to_owned()),
            (true, Some(ALONE)) if bare == HOST || has_port => HOST.to_owned(),
            (true, Some(WITH_PORT | ALONE)) => bare.to_owned(),
            (false, Some(WITH_PORT)) if scheme_of(template).is_some() => match port_of(template) {
                Some(port) => format!("{HOST}:{{{{ .Port.{port} }}}}"),
                None => template.to_owned(),
            },
            (false, Some(DIGIT)) if template.eq_ignore_ascii_case("true") => "1".to_owned(),
            (false, Some(DIGIT)) if template.eq_ignore_ascii_case("false") => "0".to_owned(),
            _ => template.to_owned(),
        }
    }

    /// The service's address as Go's driver of MySQL reads it, where the example has one.
    pub(super) fn of_go(&self, one: &Declared) -> Option<&'a str> {
        let is_of_go = one.extras.iter().any(|extra| extra == OF_GO);
        self.about.forms.addresses.get(OF_GO).filter(|_| is_of_go).map(String::as_str)
    }
}
