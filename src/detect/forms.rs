//! Which variables a project reads what its services provide from, where those are not kilter's own: what an example environment,
//! a schema of Prisma or the connection strings of .NET name, and what a framework reads by itself. How each service says it there
//! stands in its catalog.yaml.

use super::confidence::Scope;
use super::dotnet::ConnectionString;
use super::rules::{Declared, RELATIONAL, ServiceRules, canonical};
use crate::catalog::Ecosystem;

/// Words of variables that are not about the app in development: other databases have other contents.
const ELSEWHERE: [&str; 9] = ["ci", "e2e", "prod", "production", "shadow", "staging", "test", "testing", "tests"];

/// The placeholder of the host.
pub(super) const HOST: &str = "{{ .Host }}";

/// What stands in kilter.yaml in place of a placeholder of the catalog that is filled in the same.
const SHORT: [(&str, &str); 2] =
    [("{{ .Values.auth.password }}", "{{ .Password }}"), ("{{ .Values.auth.database }}", "{{ .Database }}")];

/// A variable that the project reads, and what a service gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The service of the catalog that can give it.
    pub service: String,
    /// Name of the variable.
    pub variable: String,
    /// What the service gives, a template as in `provides`.
    pub template: String,
    /// File that names the variable, or the package that reads it; relative to the project's root.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
}

/// Returns the forms of every service, each variable once for a service, by file and line. `settings` are the connection strings of
/// .NET.
pub(super) fn find(declared: &[Declared], settings: &[ConnectionString], rules: &[ServiceRules<'_>]) -> Vec<Form> {
    let in_example = |one: &&Declared| one.ecosystem == Ecosystem::Env && one.scope == Scope::Example;
    let named: Vec<&Declared> = declared.iter().filter(in_example).filter(|one| !is_elsewhere(variable(one))).collect();
    let mut forms = Vec::new();
    for about in rules {
        let asked = Asked { about, declared, named: &named };
        let all = asked.addresses().chain(asked.drivers()).chain(asked.groups()).chain(asked.packages());
        let mut of_service: Vec<Form> = Vec::new();
        for form in all.chain(asked.settings(settings)).filter(|form| asked.is_other(form)) {
            if of_service.iter().all(|other| other.variable != form.variable) {
                of_service.push(form);
            }
        }
        // Those of one line stay as the catalog has them.
        of_service.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        forms.extend(of_service);
    }
    forms
}

/// What a project asks of one service.
struct Asked<'a> {
    about: &'a ServiceRules<'a>,
    declared: &'a [Declared],
    /// What the example environments name.
    named: &'a [&'a Declared],
}

impl<'a> Asked<'a> {
    fn form(&self, variable: &str, template: impl Into<String>, at: (&str, usize)) -> Form {
        let (service, (file, line)) = (self.about.name.to_owned(), at);
        let template = SHORT.iter().fold(template.into(), |text, (long, short)| text.replace(long, short));
        Form { service, variable: variable.into(), template, file: file.into(), line }
    }

    /// Tells whether the service does not give just that by itself.
    fn is_other(&self, form: &Form) -> bool {
        self.about.provides.get(&form.variable).is_none_or(|template| {
            let schemes = (scheme_of(template), scheme_of(&form.template));
            matches!(schemes, (Some(ours), Some(asked)) if ours != asked && (asked.contains('+') || asked.contains(':')))
        })
    }

    /// What has an address of the service in an example, or as the address of a datasource of Prisma.
    fn addresses(&self) -> impl Iterator<Item = Form> {
        let in_examples = self.named.iter().filter_map(|one| match (one.name.strip_suffix("://"), &one.extras[..]) {
            (Some(service), [variable, scheme, ..]) => Some((*one, service, variable, scheme.as_str())),
            _ => None,
        });
        let in_schemas = self.declared.iter().filter(|one| one.ecosystem == Ecosystem::Prisma);
        let in_schemas = in_schemas.filter(|one| one.scope == Scope::Runtime).flat_map(|one| {
            let variables = one.extras.iter().filter(|variable| !is_elsewhere(variable));
            variables.map(move |variable| (one, one.name.as_str(), variable, one.name.as_str()))
        });
        in_examples.chain(in_schemas).filter_map(|(one, service, variable, scheme)| {
            let template = self.address(service, scheme)?;
            Some(self.form(variable, template, (&one.file, one.line)))
        })
    }

    /// The service's address with a scheme, if it is one of the service: `service` is the part that says which.
    fn address(&self, service: &str, scheme: &str) -> Option<String> {
        let forms = self.about.forms;
        if let Some(template) = forms.addresses.get(scheme) {
            return Some(template.clone());
        }
        let knows = |ecosystem, name: &str| {
            self.about.detect.get(&ecosystem).is_some_and(|rules| rules.strong.iter().any(|rule| rule == name))
        };
        if scheme.starts_with("jdbc:") {
            return None;
        }
        let plain = forms.addresses.get(service).map(String::as_str);
        let is_ours = knows(Ecosystem::Env, &format!("{service}://")) || knows(Ecosystem::Prisma, service);
        let address = plain.or_else(|| self.main_address().filter(|_| is_ours))?;
        let (_, rest) = address.split_once("://")?;
        // What stands behind `?` is of the client's library, and a driver after `+` is another one.
        let rest = if scheme.contains('+') { rest.split('?').next().unwrap_or(rest) } else { rest };
        Some(format!("{scheme}://{rest}"))
    }

    /// The first address that the service gives.
    fn main_address(&self) -> Option<&'a str> {
        self.about.provides.values().map(String::as_str).find(|template| template.contains("://"))
    }

    /// What chooses the service by a word in an example: `CACHE_STORE=redis`.
    fn drivers(&self) -> impl Iterator<Item = Form> {
        let rules = self.about.detect.get(&Ecosystem::Env);
        let chosen = self
            .named
            .iter()
            .filter(move |one| one.name.contains('=') && rules.is_some_and(|rules| rules.strong.contains(&one.name)));
        chosen.filter_map(|one| {
            let (variable, word) = one.name.split_once('=')?;
            Some(self.form(variable, word, (&one.file, one.line)))
        })
    }

    /// The variables of a group that an example names, where one of them leads to the host.
    fn groups(&self) -> impl Iterator<Item = Form> {
        let plain: Vec<&Declared> = self.named.iter().copied().filter(|one| one.extras.is_empty()).collect();
        let holds_address = |one: &Declared| {
            let of_it = |other: &&&Declared| other.file == one.file && other.extras.first() == Some(&one.name);
            self.named.iter().find(of_it).is_some_and(|other| other.name.starts_with("http"))
        };
        let mut forms = Vec::new();
        for group in &self.about.forms.groups {
            let of_group: Vec<(&Declared, &String)> =
                plain.iter().filter_map(|one| Some((*one, group.get(&one.name)?))).collect();
            let leads = |file: &str| of_group.iter().any(|(one, template)| one.file == file && template.contains(HOST));
            for (one, template) in of_group.iter().filter(|(one, _)| leads(&one.file)) {
                let whole = self.main_address().filter(|_| template.as_str() == HOST && holds_address(one));
                forms.push(self.form(&one.name, whole.unwrap_or(template), (&one.file, one.line)));
            }
        }
        forms.into_iter()
    }

    /// What a framework of the app reads.
    fn packages(&self) -> impl Iterator<Item = Form> {
        let runs = |one: &&Declared| matches!(one.scope, Scope::Runtime | Scope::Production);
        self.declared.iter().filter(runs).flat_map(move |one| {
            let packages = self.about.forms.packages.get(&one.ecosystem);
            let name = canonical(one.ecosystem, &one.name);
            let fits = move |package: &str| match package.strip_suffix(":*") {
                Some(group) => name.strip_prefix(group).is_some_and(|rest| rest.starts_with(':')),
                None => canonical(one.ecosystem, package) == name,
            };
            let read = packages.into_iter().flatten().filter(move |(package, _)| fits(package));
            read.flat_map(|(_, variables)| variables)
                .map(move |(variable, template)| self.form(variable, template, (&one.file, one.line)))
        })
    }

    /// The connection strings of .NET that are about the service.
    fn settings(&self, settings: &[ConnectionString]) -> impl Iterator<Item = Form> {
        let template = self.about.forms.connection_string.as_deref();
        let scheme = template.and_then(scheme_of);
        let is_relational = self.about.one_of.is_some_and(|of| of.kind == RELATIONAL);
        let ports: Vec<u16> = self.about.ports.iter().map(|port| port.port).collect();
        let about = settings.iter().filter(move |one| {
            one.port.is_some_and(|port| ports.contains(&port))
                || (one.port.is_none() && one.scheme.is_some() && one.scheme.as_deref() == scheme)
                || (one.port.is_none() && one.is_database && is_relational)
        });
        let forms = about.filter_map(|one| {
            let variable = format!("ConnectionStrings__{}", one.name);
            Some(self.form(&variable, template?, (&one.file, one.line)))
        });
        forms.collect::<Vec<_>>().into_iter()
    }
}

fn scheme_of(template: &str) -> Option<&str> {
    template.split_once("://").map(|(scheme, _)| scheme)
}

/// The variable that a line of an example is about.
fn variable(one: &Declared) -> &str {
    one.extras.first().map_or(&one.name, String::as_str)
}

fn is_elsewhere(variable: &str) -> bool {
    variable.split('_').any(|word| ELSEWHERE.contains(&word.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests;
