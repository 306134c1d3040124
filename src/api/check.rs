//! The rules of a template: what the server refuses with 400, and the operator once more, as anybody may write a KilterApp.

use std::collections::BTreeMap;

use super::{About, AppId, Component, MAX_SEALED, Platform, Template, check_sealed};
use crate::ids::{APP, Name, route_of};

/// Most bytes of all variables and commands of an app.
const MAX_TEXT: usize = 128 * 1024;
/// Most Secrets, and most components, of an app: the resource has no room for more.
const MAX_PARTS: usize = 20;
/// Most bytes of what people should know about an app: every list of apps has it.
const MAX_ABOUT: usize = 32 * 1024;
/// Most bytes of the name of a link: `link.NAME` is a key of a ConfigMap, which has at most 253 (`gitops::layout`).
const MAX_LINK: usize = 248;
/// Most words of a command.
const MAX_WORDS: usize = 200;

/// Returns everything that is wrong with a template, one sentence each; nothing when it can be deployed. Secrets that are
/// neither sealed nor external are the caller's to judge.
pub fn check(id: &AppId, template: &Template, platform: &Platform) -> Vec<String> {
    let mut wrong = Vec::new();
    if !is_image(&template.image) || !has_digest(&template.image) {
        wrong.push(format!("image: `{}` is not an image by digest (host/name@sha256:…)", shown(&template.image)));
    }
    if template.port == 0 {
        wrong.push("port: 0 is not a port".into());
    }
    if let Some(health) = &template.health
        && !is_path(health)
    {
        wrong.push(format!("health: `{}` is not a path that starts with `/`", shown(health)));
    }
    commands(template, &mut wrong);
    variables("variables", &template.variables, &mut wrong);
    resources(template, &mut wrong);
    secrets(id, template, &mut wrong);
    domains(id, template, platform, &mut wrong);
    components(id, template, platform, &mut wrong);
    for (what, count) in [("secrets", template.secrets.len()), ("components", template.components.len())] {
        if count > MAX_PARTS {
            wrong.push(format!("{what}: more than {MAX_PARTS} of them"));
        }
    }
    if text_of(template) > MAX_TEXT {
        wrong.push(format!("variables and commands have more than {} KiB together", MAX_TEXT / 1024));
    }
    if text_of_about(&template.about) > MAX_ABOUT {
        wrong.push(format!("about: more than {} KiB", MAX_ABOUT / 1024));
    }
    if let Some(name) = template.about.links.keys().find(|name| name.len() > MAX_LINK) {
        wrong.push(format!("about: the name of a link has more than {MAX_LINK} bytes: `{}`", shown(name)));
    }
    wrong
}

fn commands(template: &Template, wrong: &mut Vec<String>) {
    let own = [("command", &template.command), ("migration", &template.migration), ("seed", &template.seed)];
    for (what, words) in own {
        command(what, words, wrong);
    }
}

fn command(what: &str, words: &[String], wrong: &mut Vec<String>) {
    if words.len() > MAX_WORDS {
        wrong.push(format!("{what}: more than {MAX_WORDS} words"));
    }
    if words.iter().any(|word| word.contains('\0')) || words.first().is_some_and(String::is_empty) {
        wrong.push(format!("{what}: an empty program or a NUL character"));
    }
}

fn variables(what: &str, variables: &BTreeMap<String, String>, wrong: &mut Vec<String>) {
    for (name, value) in variables {
        let first = |c: char| c.is_ascii_alphabetic() || c == '_';
        if !name.starts_with(first) || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) {
            wrong.push(format!("{what}: `{}` is not the name of a variable", shown(name)));
        } else if value.contains('\0') {
            wrong.push(format!("{what}: `{name}` has a NUL character in it"));
        }
    }
}

fn resources(template: &Template, wrong: &mut Vec<String>) {
    if template.replicas > 1000 {
        wrong.push("replicas: more than 1000".into());
    }
    for (kind, amount) in template.resources.requests.iter().chain(&template.resources.limits) {
        if !["cpu", "memory", "ephemeral-storage"].contains(&kind.as_str()) || !is_quantity(amount) {
            wrong.push(format!("resources: `{}: {}` is not an amount of cpu or memory", shown(kind), shown(amount)));
        }
    }
}

fn secrets(id: &AppId, template: &Template, wrong: &mut Vec<String>) {
    let mut names: Vec<&str> = Vec::new();
    for secret in &template.secrets {
        if !is_label(&secret.name) || names.contains(&secret.name.as_str()) {
            wrong.push(format!("secrets: `{}` is not a name, or is there twice", shown(&secret.name)));
            continue;
        }
        names.push(&secret.name);
        match &secret.sealed {
            Some(_) if secret.external => {
                wrong.push(format!("secrets: `{}` is sent and external at once", secret.name));
            }
            Some(text) => wrong.extend(check_sealed(text, &secret.name, &id.namespace()).err()),
            None => {}
        }
    }
    if template.secrets.iter().filter_map(|secret| secret.sealed.as_ref()).map(String::len).sum::<usize>() > MAX_SEALED
    {
        wrong.push(format!("secrets: more than {} KiB together", MAX_SEALED / 1024));
    }
}

/// A route has at most 16 host names and 16 rules (gateway.networking.k8s.io/v1 HTTPRoute).
const MAX_OF_ROUTE: usize = 15;

fn domains(id: &AppId, template: &Template, platform: &Platform, wrong: &mut Vec<String>) {
    let paths = template.components.iter().filter(|c| c.route.as_ref().is_some_and(|route| route.starts_with('/')));
    if template.domains.len() > MAX_OF_ROUTE || paths.count() > MAX_OF_ROUTE {
        wrong.push(format!("domains: more than {MAX_OF_ROUTE} of them, or of components below a path"));
    }
    let own = id.host(platform);
    if template.public && platform.reserves(&own) {
        wrong.push(format!(
            "app: `{own}` would be its host name, which is the platform's own; give the app or the environment another name"
        ));
    }
    for domain in &template.domains {
        wrong.extend(domain_complaint("domains", domain, id, platform));
    }
}

/// A host name under the cluster's domain is another app's to have, by its name; what the platform itself answers under, nobody's.
fn domain_complaint(what: &str, domain: &str, id: &AppId, platform: &Platform) -> Option<String> {
    if !is_host(domain) {
        return Some(format!("{what}: `{}` is not a host name", shown(domain)));
    }
    if platform.reserves(domain) {
        return Some(format!("{what}: `{domain}` is a host name of the platform itself; give another"));
    }
    let below = domain == platform.domain || domain.ends_with(&format!(".{}", platform.domain));
    let own = id.host(platform);
    let of_own = domain == own || domain.ends_with(&format!(".{own}"));
    (below && !of_own)
        .then(|| format!("{what}: `{domain}` is under the cluster's domain; only names under `{own}` are this app's"))
}

fn components(id: &AppId, template: &Template, platform: &Platform, wrong: &mut Vec<String>) {
    let mut names: Vec<&str> = Vec::new();
    let mut routes: BTreeMap<&str, &str> = BTreeMap::new();
    for component in &template.components {
        let name = &component.name;
        if name == APP {
            wrong.push(format!("components: `{APP}` is the app's own name; give the component another"));
            continue;
        }
        if Name::new(name).is_err() || names.contains(&name.as_str()) || format!("{}-{name}", id.app()).len() > 63 {
            wrong.push(format!("components: `{}` is not a name, is there twice, or is too long", shown(name)));
            continue;
        }
        names.push(name);
        let leads = component.route.as_deref().map(route_of);
        if let Some((route, first)) = leads.and_then(|route| Some((route, routes.insert(route, name)?))) {
            wrong.push(format!(
                "components.{name}: `{}` is the route of `{first}` already; give one of them another",
                shown(route)
            ));
        }
        self::component(&format!("components.{name}"), component, id, platform, wrong);
    }
}

fn component(what: &str, component: &Component, id: &AppId, platform: &Platform, wrong: &mut Vec<String>) {
    if let Some(image) = &component.image
        && !is_image(image)
    {
        wrong.push(format!("{what}: `{}` is not an image", shown(image)));
    }
    command(what, &component.command, wrong);
    variables(what, &component.variables, wrong);
    let Some(route) = &component.route else { return };
    if component.port.is_none() {
        wrong.push(format!("{what}: a route needs a port"));
    }
    if route.starts_with('/') {
        if route_of(route) == "/" {
            wrong.push(format!("{what}: the path `/` is the app's own; give a path below it, or a host name"));
        } else if !is_route(route) {
            wrong.push(format!("{what}: `{}` is not a path that a route can have", shown(route)));
        }
    } else if *route == id.host(platform) {
        wrong.push(format!("{what}: `{route}` is the app's own host name; give a path or a name below it"));
    } else {
        wrong.extend(domain_complaint(what, route, id, platform));
    }
}

/// Counts the bytes of what a user writes freely.
fn text_of(template: &Template) -> usize {
    let map = |map: &BTreeMap<String, String>| map.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    let words = |words: &[String]| words.iter().map(String::len).sum::<usize>();
    let components = template.components.iter().map(|c| map(&c.variables) + words(&c.command));
    map(&template.variables)
        + words(&template.command)
        + words(&template.migration)
        + words(&template.seed)
        + components.sum::<usize>()
}

/// Counts the bytes of what is there for people.
fn text_of_about(about: &About) -> usize {
    let texts = [&about.description, &about.owner, &about.agent].into_iter().flatten().map(String::len);
    let links = about.links.iter().map(|(name, address)| name.len() + address.len());
    texts.chain(about.tags.iter().map(String::len)).chain(links).sum()
}

/// Returns a text that somebody sent so that it can stand in a message: one line, at most 80 characters.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn is_label(text: &str) -> bool {
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= 63 && text.chars().all(ok) && !text.starts_with('-') && !text.ends_with('-')
}

pub(super) fn is_host(text: &str) -> bool {
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && text.len() <= 1024
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains("..")
}

/// What the Gateway API takes as a path (the rules of HTTPPathMatch).
fn is_route(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let refused = ["//", "/./", "%2f", "%5c", "#", "?"];
    is_path(text) && !lower.ends_with("/.") && refused.iter().all(|part| !lower.contains(part))
}

/// The grammar of distribution's `reference` package: a path of lower-case parts behind an optional host, a tag, a digest.
fn is_image(text: &str) -> bool {
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    if digest.is_some_and(|digest| !digest.starts_with("sha256:") || crate::ids::Digest::parse(digest).is_none()) {
        return false;
    }
    let last = rest.rsplit('/').next().unwrap_or_default();
    let (path, tag) = match last.split_once(':') {
        Some((_, tag)) => (&rest[..rest.len() - tag.len() - 1], Some(tag)),
        None => (rest, None),
    };
    let tag_char = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if tag.is_some_and(|tag| {
        tag.is_empty() || tag.len() > 128 || tag.starts_with(['.', '-']) || !tag.chars().all(tag_char)
    }) {
        return false;
    }
    let part = |part: &str| {
        let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.ends_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(ok)
    };
    let host = |host: &str| {
        let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
        port.is_none_or(|port| port.parse::<u16>().is_ok()) && (name == "localhost" || name.split('.').all(is_label))
    };
    let mut parts: Vec<&str> = path.split('/').collect();
    if parts.len() > 1 && parts[0].contains(['.', ':']) && !host(parts.remove(0)) {
        return false;
    }
    path.len() <= 255 && parts.into_iter().all(part)
}

fn has_digest(image: &str) -> bool {
    image.contains("@sha256:")
}

/// The form of a Kubernetes quantity (`resource.Quantity`): a number with an optional suffix.
fn is_quantity(text: &str) -> bool {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &text[number.len()..];
    let known = ["", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    !number.is_empty() && number.parse::<f64>().is_ok_and(|n| n.is_finite() && n >= 0.0) && known.contains(&suffix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SecretRef;

    const DIGEST: &str = "sha256:4c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e2";

    fn platform() -> Platform {
        Platform { domain: "apps.example.com".into(), ..Platform::default() }
    }

    fn fine() -> Template {
        Template {
            image: format!("registry.example:5000/acme/shop@{DIGEST}"),
            port: 3000,
            replicas: 1,
            ..Template::default()
        }
    }

    fn complaints(change: impl FnOnce(&mut Template)) -> Vec<String> {
        let mut template = fine();
        change(&mut template);
        check(&AppId::new("acme", "shop", "prod").unwrap(), &template, &platform())
    }

    #[test]
    fn an_ordinary_template_is_fine() {
        let found = complaints(|t| {
            t.health = Some("/healthz".into());
            t.variables.insert("LOG_LEVEL".into(), "{{ .Values }}\n- x: 'y'\u{7}".into());
            t.domains = vec!["www.example.org".into(), "a.shop.apps.example.com".into()];
            t.resources.limits.insert("memory".into(), "512Mi".into());
            t.components = vec![Component {
                name: "api".into(),
                port: Some(1),
                route: Some("/api".into()),
                ..Component::default()
            }];
            t.secrets = vec![SecretRef { name: "shop-secrets".into(), external: true, sealed: None }];
            t.about.links.insert("l".repeat(248), "https://example.org".into());
        });
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn images_have_a_digest_and_a_form() {
        for image in
            ["", "shop", "shop:latest", "x y@sha256:1", "REG/x", "a/../b", "-x", "x@sha256:", "x:@", "a//b", "x;y"]
        {
            assert_eq!(complaints(|t| t.image = image.into()).len(), 1, "{image}");
            let with = format!("{image}@{DIGEST}");
            let good = ["shop", "shop:latest"].contains(&image);
            assert_eq!(complaints(|t| t.image = with.clone()).is_empty(), good, "{with}");
        }
        for image in ["localhost:5010/a/b", "ghcr.io/acme/shop:v1.2", "a_b/d-e"] {
            assert!(complaints(|t| t.image = format!("{image}@{DIGEST}")).is_empty(), "{image}");
        }
    }

    #[test]
    fn what_the_platform_answers_under_is_no_apps() {
        let host = |host: &str| {
            let platform = Platform { reserved_hosts: vec!["Kilter.example.org".into(), host.into()], ..platform() };
            move |change: fn(&mut Template)| {
                let mut template = fine();
                template.public = true;
                change(&mut template);
                check(&AppId::new("acme", "shop", "prod").unwrap(), &template, &platform)
            }
        };
        let of = host("git.shop.apps.example.com");
        assert_eq!(of(|t| t.domains = vec!["www.example.org".into(), "x.kilter.example.org".into()]), [""; 0]);
        assert_eq!(
            of(|t| t.domains = vec!["kilter.example.org".into()]),
            ["domains: `kilter.example.org` is a host name of the platform itself; give another"]
        );
        let route = of(|t| {
            let route = Some("git.shop.apps.example.com".into());
            t.components = vec![Component { name: "git".into(), port: Some(80), route, ..Component::default() }];
        });
        assert_eq!(
            route,
            ["components.git: `git.shop.apps.example.com` is a host name of the platform itself; give another"]
        );
        let of = host("shop.apps.example.com");
        let own = of(|_| ());
        assert!(own.len() == 1 && own[0].starts_with("app: `shop.apps.example.com` would be"), "{own:?}");
        assert_eq!(of(|t| t.public = false), [""; 0], "without a route it has no host name");
    }

    #[test]
    fn no_two_components_have_one_route() {
        let of = |routes: &[&str]| {
            let component = |(n, route): (usize, &&str)| Component {
                name: format!("c{n}"),
                port: Some(80),
                route: Some((*route).to_owned()),
                ..Component::default()
            };
            complaints(|t| t.components = routes.iter().enumerate().map(component).collect())
        };
        assert_eq!(of(&["/api", "/api2", "/api/v2", "a.example.org", "b.example.org"]), Vec::<String>::new());
        // The Gateway API takes a path prefix with and without a slash at its end for one.
        for twice in [["/api", "/api"], ["/api", "/api/"], ["a.example.org", "a.example.org"]] {
            let route = twice[0];
            let expected = format!("components.c1: `{route}` is the route of `c0` already; give one of them another");
            assert_eq!(of(&twice), [expected]);
        }
        assert_eq!(of(&["/"]).len(), 1);
    }

    #[test]
    fn what_is_wrong_is_named_in_one_line() {
        let one = |change: fn(&mut Template), word: &str| {
            let found = complaints(change);
            assert!(found.len() == 1 && found[0].contains(word) && !found[0].contains('\n'), "{found:?}");
        };
        one(|t| t.health = Some("healthz".into()), "health");
        one(|t| t.health = Some("/a\nb: c".into()), "health");
        one(|t| drop(t.variables.insert("A=B\n".into(), "x".into())), "variables");
        one(|t| drop(t.variables.insert("A".into(), "x\0".into())), "NUL");
        one(|t| drop(t.variables.insert("A".into(), "x".repeat(200_000))), "KiB");
        one(|t| t.about.agent = Some("x".repeat(40_000)), "about");
        one(|t| drop(t.about.links.insert("l".repeat(249), "https://example.org".into())), "link");
        one(|t| t.domains = vec!["other.apps.example.com".into()], "cluster's domain");
        one(|t| t.domains = vec!["apps.example.com".into()], "cluster's domain");
        one(|t| t.domains = vec!["a b.example.org".into()], "host name");
        one(|t| t.command = vec![String::new()], "command");
        one(|t| drop(t.resources.requests.insert("cpu".into(), "lots".into())), "resources");
        one(|t| t.secrets = vec![SecretRef { name: "../x".into(), ..SecretRef::default() }], "secrets");
        one(|t| t.components = vec![Component { name: "../x".into(), ..Component::default() }], "components");
        one(|t| t.components = vec![Component { name: "app".into(), ..Component::default() }], "app's own name");
        one(
            |t| t.components = vec![Component { name: "x".into(), route: Some("/x".into()), ..Component::default() }],
            "port",
        );
        one(
            |t| t.secrets = vec![SecretRef { name: "s".into(), sealed: Some("kind: Secret".into()), external: false }],
            "JSON",
        );
    }
}
