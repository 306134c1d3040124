//! Which variables a project reads what its services provide from, where those are not kilter's own: what an example environment,
//! a schema of Prisma or the connection strings of .NET name, and what a framework reads by itself. How each service says it there
//! stands in its catalog.yaml.

mod ports;
mod shape;
mod words;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::confidence::{SELECT, Scope};
use super::decide::{about, is_within};
use super::dotnet::ConnectionString;
use super::env_files::PARAMETERS;
use super::model::Finding;
use super::rules::{Declared, RELATIONAL, ServiceRules, canonical};
use crate::catalog::Ecosystem;
use ports::port_of;
use words::VARIABLES;
pub(super) use words::own_words;

/// Words of variables that are not about the app in development: other databases have other contents.
const ELSEWHERE: [&str; 9] = ["ci", "e2e", "prod", "production", "shadow", "staging", "test", "testing", "tests"];

/// What it counts that a service is sure where the variable is named; more than any keys of a connection string.
const BESIDE: usize = 100;

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
    /// Which of the service's groups it is of: one is given whole or not at all.
    pub group: Option<usize>,
    /// How well the service fits what the project says of the variable: of several that could give it the best one does.
    pub fit: usize,
    /// File that names the variable, or the package that reads it; relative to the project's root.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
}

impl Form {
    /// Tells whether it says where the service is.
    pub fn leads(&self) -> bool {
        self.template.contains(HOST)
    }
}

/// Returns the names of the variables that the project's examples and schemas name.
pub(super) fn named(declared: &[Declared]) -> BTreeSet<String> {
    let of_schema = |one: &&Declared| one.ecosystem == Ecosystem::Prisma;
    let in_schemas = declared.iter().filter(of_schema).flat_map(|one| one.extras.iter().cloned());
    declared.iter().filter(in_example).map(|one| variable(one).to_owned()).chain(in_schemas).collect()
}

fn in_example(one: &&Declared) -> bool {
    one.ecosystem == Ecosystem::Env && one.scope == Scope::Example
}

/// Returns the forms of every service, each variable once for a service, by file and line. `settings` are the connection strings of
/// .NET, `findings` what makes the services likely.
pub(super) fn find(
    declared: &[Declared],
    settings: &[ConnectionString],
    findings: &[Finding],
    rules: &[ServiceRules<'_>],
) -> Vec<Form> {
    let named: Vec<&Declared> = declared.iter().filter(in_example).filter(|one| !is_elsewhere(variable(one))).collect();
    let packages = packages(declared);
    let mut forms = Vec::new();
    for about in rules {
        let finding = findings.iter().find(|finding| finding.name == about.name);
        let asked = Asked { about, declared, packages: &packages, named: &named, finding };
        let named = asked.addresses().chain(asked.groups()).chain(asked.reshaped()).chain(asked.drivers());
        let named = asked.settings(settings).chain(named).filter(|form| asked.is_other(form));
        // What a package reads it reads in no other form than its own.
        let read = asked.packages().filter(|form| asked.given(&form.variable).as_ref() != Some(&form.template));
        let mut of_service: Vec<Form> = Vec::new();
        for form in named.chain(read) {
            if of_service.iter().all(|other| other.variable != form.variable) {
                of_service.push(form);
            }
        }
        let beside: Vec<Form> = of_service.iter().flat_map(|form| asked.beside_port(form)).collect();
        of_service.retain(|form| beside.iter().all(|other| other.variable != form.variable));
        of_service.extend(beside.into_iter().filter(|form| asked.is_other(form)));
        // Those of one line stay as the catalog has them.
        of_service.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        forms.extend(of_service);
    }
    forms
}

/// The packages that the app runs with, by their canonical names, each where it comes first; those of a Maven group also by `group:*`.
type Packages<'a> = HashMap<(Ecosystem, String), &'a Declared>;

fn packages(declared: &[Declared]) -> Packages<'_> {
    let mut packages = Packages::new();
    for one in declared.iter().filter(|one| matches!(one.scope, Scope::Runtime | Scope::Production)) {
        let name = canonical(one.ecosystem, &one.name);
        if let Some((group, _)) = name.split_once(':').filter(|_| one.ecosystem == Ecosystem::Jvm) {
            packages.entry((one.ecosystem, format!("{group}:*"))).or_insert(one);
        }
        packages.entry((one.ecosystem, name)).or_insert(one);
    }
    packages
}

/// What a project asks of one service.
struct Asked<'a> {
    about: &'a ServiceRules<'a>,
    declared: &'a [Declared],
    packages: &'a Packages<'a>,
    /// What the example environments name.
    named: &'a [&'a Declared],
    finding: Option<&'a Finding>,
}

impl<'a> Asked<'a> {
    fn form(&self, variable: &str, template: impl Into<String>, at: (&str, usize)) -> Form {
        let (service, (file, line)) = (self.about.name.to_owned(), at);
        let template = short(&template.into());
        let fit = if self.is_beside(file) { BESIDE } else { 0 };
        Form { service, variable: variable.into(), template, group: None, fit, file: file.into(), line }
    }

    /// Tells whether what makes the service sure stands where a file is about.
    fn is_beside(&self, file: &str) -> bool {
        let evidence = self.finding.into_iter().flat_map(|finding| &finding.evidence);
        let sure = evidence.filter(|piece| piece.confidence >= SELECT && piece.ecosystem != Ecosystem::Env);
        sure.into_iter().any(|piece| is_within(&piece.file, about(file)))
    }

    /// Tells whether the service does not give just that by itself. `postgres` is the same scheme as `postgresql`.
    fn is_other(&self, form: &Form) -> bool {
        let Some(ours) = self.about.provides.get(&form.variable) else { return true };
        match (scheme_of(ours), scheme_of(&form.template)) {
            _ if port_of(ours) != port_of(&form.template) => true,
            (Some(our), Some(asked)) => !our.starts_with(asked) || is_numbered(&form.template),
            (Some(_), None) | (None, Some(_)) => true,
            // Words that are filled with nothing.
            (None, None) => {
                ![ours, &form.template].iter().any(|template| template.contains("{{")) && *ours != form.template
            }
        }
    }

    /// Tells whether an example names a variable.
    fn names(&self, name: &str) -> bool {
        self.named.iter().any(|one| variable(one) == name)
    }

    /// What the service gives by itself.
    fn given(&self, variable: &str) -> Option<String> {
        self.about.provides.get(variable).map(|template| short(template))
    }

    /// What the service gives by itself, in the shape that the example has.
    fn reshaped(&self) -> impl Iterator<Item = Form> {
        let is_free = |one: &&&Declared| self.about.forms.groups.iter().all(|group| !group.contains_key(&one.name));
        self.named.iter().filter(is_free).filter_map(|one| {
            let template = self.at_its_port(one, self.shaped(one, self.about.provides.get(&one.name)?));
            Some(self.form(&one.name, template, (&one.file, one.line)))
        })
    }

    /// What has an address of the service in an example, or as the address of a datasource of Prisma.
    fn addresses(&self) -> impl Iterator<Item = Form> {
        let in_examples = self.named.iter().filter_map(|one| match (one.name.strip_suffix("://"), &one.extras[..]) {
            (Some(service), [variable, scheme, ..]) => Some((*one, service, variable, scheme.as_str())),
            _ => None,
        });
        let number = |one: &Declared| one.extras.iter().skip(2).find(|extra| extra.starts_with('/')).cloned();
        let numbered = move |one: &Declared, template: String| match number(one) {
            Some(number) if one.ecosystem == Ecosystem::Env && !after_host(&template).contains('/') => {
                template + &number
            }
            _ => template,
        };
        let in_schemas = self.declared.iter().filter(|one| one.ecosystem == Ecosystem::Prisma);
        let in_schemas = in_schemas.filter(|one| one.scope == Scope::Runtime).flat_map(|one| {
            let variables = one.extras.iter().filter(|variable| !is_elsewhere(variable));
            variables.map(move |variable| (one, one.name.as_str(), variable, one.name.as_str()))
        });
        in_examples.chain(in_schemas).filter_map(move |(one, service, variable, scheme)| {
            let template = numbered(one, self.address(one, service, scheme)?);
            Some(self.form(variable, self.at_its_port(one, template), (&one.file, one.line)))
        })
    }

    /// The service's address with a scheme, if it is one of the service: `service` is the part that says which.
    fn address(&self, one: &Declared, service: &str, scheme: &str) -> Option<String> {
        let forms = self.about.forms;
        // Prisma has no other way to say them.
        let has_parameters = one.ecosystem == Ecosystem::Prisma || one.extras.iter().any(|extra| extra == PARAMETERS);
        if let Some(template) = forms.addresses.get(&format!("{scheme}{PARAMETERS}")).filter(|_| has_parameters) {
            return Some(template.clone());
        }
        if let Some(template) = forms.addresses.get(scheme) {
            return Some(template.clone());
        }
        let knows = |ecosystem, name: &str| {
            self.about.detect.get(&ecosystem).is_some_and(|rules| rules.strong.iter().any(|rule| rule == name))
        };
        if scheme.starts_with("jdbc:") {
            return None;
        }
        if let Some(template) = self.of_go(one) {
            return Some(format!("{scheme}://{template}"));
        }
        // Kilter's services are reached in the plain.
        let scheme = match scheme.split_once('+') {
            Some((plain, "ssl" | "tls" | "starttls" | "sentinel" | "cluster" | "unix" | "socket")) => plain,
            _ => scheme,
        };
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
            // A number is a port, and that one's of this machine is another.
            let (variable, word) = one.name.split_once('=').filter(|(_, word)| word.parse::<u16>().is_err())?;
            Some(self.form(variable, word, (&one.file, one.line)))
        })
    }

    /// The variables of a group that an example names, where one of them leads to the host; also with words of the project before
    /// them (`SHOP_DB_HOST`), those with the same words as a group of their own.
    fn groups(&self) -> impl Iterator<Item = Form> {
        let is_plain = |one: &&&Declared| !one.name.contains(['=', ':']);
        let plain: Vec<&Declared> = self.named.iter().filter(is_plain).copied().collect();
        let groups = &self.about.forms.groups;
        let mut found: Vec<Vec<(&Declared, &String)>> = groups
            .iter()
            .map(|group| plain.iter().filter_map(|one| Some((*one, group.get(&one.name)?))).collect())
            .collect();
        // A variable that the catalog knows as it is is not another one with a word before it.
        let mut prefixed = BTreeMap::<(usize, &str), Vec<(&Declared, &String)>>::new();
        for one in plain.iter().filter(|one| !VARIABLES.contains(one.name.as_str())) {
            for (index, group) in groups.iter().enumerate() {
                let words = |name: &str| own_words(&one.name, name, self.about);
                for (words, template) in group.iter().filter_map(|(name, template)| Some((words(name)?, template))) {
                    prefixed.entry((index, words)).or_default().push((one, template));
                }
            }
        }
        found.extend(prefixed.into_values());
        let mut forms = Vec::new();
        for (index, group) in found.iter().enumerate() {
            let leads = |file: &str| group.iter().any(|(one, template)| one.file == file && template.contains(HOST));
            // A switch without a value is off for whoever only asks whether it is there.
            let is_switch = |template: &str| ["true", "false"].iter().any(|word| template.eq_ignore_ascii_case(word));
            let is_left = |one: &Declared| one.extras.get(1).is_some_and(String::is_empty);
            let told =
                group.iter().filter(|(one, template)| leads(&one.file) && !(is_switch(template) && is_left(one)));
            for (one, template) in told {
                let template = self.at_its_port(one, self.shaped(one, template));
                let form = self.form(&one.name, template, (&one.file, one.line));
                forms.push(Form { group: Some(index), ..form });
            }
        }
        forms.into_iter()
    }

    /// What a framework of the app reads.
    fn packages(&self) -> impl Iterator<Item = Form> {
        let rules = self.about.forms.packages.iter();
        let rules = rules.flat_map(|(ecosystem, packages)| packages.iter().map(move |rule| (*ecosystem, rule)));
        let read = rules.filter_map(|(ecosystem, (package, variables))| {
            let of = |package| self.packages.get(&(ecosystem, canonical(ecosystem, package))).copied();
            let all: Option<Vec<&Declared>> = package.split(" + ").map(of).collect();
            Some((*all?.first()?, variables))
        });
        read.flat_map(move |(one, variables)| {
            // A port alone is of use to who names it.
            let has_host = variables.values().any(|template| template == HOST);
            let is_told = move |variable: &str, template: &str| {
                has_host || !template.starts_with("{{ .Port.") || self.names(variable)
            };
            let variables = variables.iter().filter(move |(variable, template)| is_told(variable, template));
            variables.map(move |(variable, template)| self.form(variable, template, (&one.file, one.line)))
        })
    }

    /// The connection strings of .NET that are about the service.
    fn settings(&self, settings: &[ConnectionString]) -> impl Iterator<Item = Form> {
        let template = self.about.forms.connection_string.as_deref();
        let scheme = template.and_then(scheme_of);
        let is_relational = self.about.one_of.is_some_and(|of| of.kind == RELATIONAL);
        let ports: Vec<u16> = self.about.ports.iter().map(|port| port.port).collect();
        let about = settings.iter().filter(|one| !is_elsewhere(&one.name)).filter(move |one| {
            one.port.is_some_and(|port| ports.contains(&port))
                || (one.port.is_none() && one.scheme.is_some() && one.scheme.as_deref() == scheme)
                || (one.port.is_none() && one.is_database && is_relational)
        });
        let forms = about.filter_map(|one| {
            let form = self.form(&one.variable, template?, (&one.file, one.line));
            let own =
                template?.split(';').filter_map(|pair| pair.split_once('=')).map(|(key, _)| key.to_ascii_lowercase());
            Some(Form { fit: form.fit + own.filter(|key| one.keys.contains(key)).count(), ..form })
        });
        forms.collect::<Vec<_>>().into_iter()
    }
}

/// A template with the short names of its placeholders.
fn short(template: &str) -> String {
    SHORT.iter().fold(template.to_owned(), |text, (long, short)| text.replace(long, short))
}

fn scheme_of(template: &str) -> Option<&str> {
    template.split_once("://").map(|(scheme, _)| scheme)
}

/// The variable that a line of an example is about.
fn variable(one: &Declared) -> &str {
    one.extras.first().map_or(&one.name, String::as_str)
}

/// Tells whether one of the words of a name, as `TEST_DATABASE_URL` and `StagingConnection` have them, says that it is about
/// something else.
fn is_elsewhere(variable: &str) -> bool {
    let mut words = String::new();
    for c in variable.chars() {
        if c.is_ascii_uppercase() && words.ends_with(|c: char| c.is_ascii_lowercase()) {
            words.push('_');
        }
        words.push(c);
    }
    words.split('_').any(|word| ELSEWHERE.contains(&word.to_ascii_lowercase().as_str()))
}

/// What stands behind the scheme of an address.
fn after_host(template: &str) -> &str {
    template.split_once("://").map_or("", |(_, rest)| rest)
}

/// Tells whether an address ends with the number of a database.
fn is_numbered(template: &str) -> bool {
    after_host(template).rsplit_once('/').is_some_and(|(_, number)| number.parse::<u8>().is_ok())
}

#[cfg(test)]
mod tests;
