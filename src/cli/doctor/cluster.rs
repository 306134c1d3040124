//! The checks of what leads to the cluster: the project's host ports, and kubeconfig files.

use std::collections::BTreeSet;
use std::path::Path;

use super::docker::Docker;
use crate::cli::context::Context;
use crate::cli::dev::{sessions, tilt_of};
use crate::cli::project::Project;
use crate::cluster::probes::finding::Finding;
use crate::cluster::probes::kubeconfig::{self, Kubeconfig, Server};
use crate::cluster::{self, BLOCK};
use crate::config::model::{HostAccess, Provider};
use crate::diag::Result;
use crate::plan::Plan;

/// Returns the context that a project uses, where it does not have a cluster of its own.
pub(super) fn context(ctx: &Context, project: &Project) -> Option<String> {
    let cluster = project.loaded.config.cluster.as_ref();
    let named =
        cluster.filter(|cluster| cluster.provider == Provider::Context).and_then(|cluster| cluster.context.clone());
    ctx.var("KILTER_CONTEXT").map(str::to_owned).or(named)
}

/// Looks whether the project's ports on this machine are free, or its own cluster's or Tilt's; a finding for each other
/// holder.
pub(super) fn ports(ctx: &Context, project: &Project, plan: &Plan, docker: &Docker) -> Vec<Finding> {
    let instance = match project.look(ctx, plan) {
        Ok(instance) => instance,
        Err(error) => return vec![Finding::error("ports", &error)],
    };
    let mut slots: BTreeSet<u16> = plan.slots().into_iter().map(|(_, slot)| slot).collect();
    let given = project.loaded.config.cluster.as_ref().filter(|cluster| cluster.provider == Provider::Context);
    if context(ctx, project).is_none() {
        slots.extend(0..BLOCK); // kind takes the whole block when it makes the cluster
    } else if given.is_some_and(|cluster| cluster.host_access == Some(HostAccess::Nodeport)) {
        slots.clear(); // they are that cluster's own
    }
    let mut ports: Vec<u16> = slots.into_iter().map(|slot| instance.host_port(slot)).collect();
    ports.push(instance.tilt_port);
    let tilt = sessions(ctx).ok().and_then(|sessions| tilt_of(&sessions.join(project.key())));
    let others = cluster::others(&ports, &instance, tilt.as_ref(), &|| docker.containers());
    if others.is_empty() {
        return vec![Finding::ok("ports", format!("nobody else has {}", cluster::listed(&ports)))];
    }
    cluster::taken(&others).into_iter().map(|(what, fix)| Finding::failed("ports", what, fix)).collect()
}

/// Looks whether what kubeconfig files name is still there.
pub(super) fn kubeconfig(ctx: &Context, project: &Project) -> Option<Finding> {
    let own = project.artifacts(ctx).ok()?.root.join("kubeconfig");
    let found = match context(ctx, project) {
        Some(name) => of_context(ctx, &name, &own),
        None => of_kind(ctx, &own),
    };
    found.unwrap_or_else(|error| Some(Finding::error("kubeconfig", &error)))
}

/// The cluster that kilter made, by kilter's own kubeconfig: there is none before the first `kilter up`.
fn of_kind(ctx: &Context, own: &Path) -> Result<Option<Finding>> {
    let config = Kubeconfig::read(&[own.to_path_buf()])?;
    let Some((name, server)) = config.current().and_then(|name| Some((name, config.server(name)?))) else {
        return Ok(None);
    };
    let fix = "`kilter up` starts it again, or makes it anew when it is gone.";
    Ok(answering(ctx, &format!("the cluster `{name}`"), &server, fix))
}

/// A cluster of the user's.
fn of_context(ctx: &Context, name: &str, own: &Path) -> Result<Option<Finding>> {
    let files = kubeconfig::files(ctx.var("KUBECONFIG"), ctx.var("HOME"));
    let config = Kubeconfig::read(&files)?;
    if let Some(finding) = kubeconfig::context(&config, name, &files) {
        return Ok(Some(finding));
    }
    let Some(server) = config.server(name) else { return Ok(None) };
    let copy = Kubeconfig::read(&[own.to_path_buf()])?;
    let copied = copy.current().and_then(|name| copy.server(name)).filter(|copied| copied.url != server.url);
    if let Some(copied) = copied {
        let what = format!("kilter's copy leads to {}, the context `{name}` to {} by now", copied.url, server.url);
        return Ok(Some(Finding::warning("kubeconfig", what, "`kilter up` takes the context's address over.")));
    }
    let fix =
        "Start it, or connect to its network. If it is gone, name another context in kilter.yaml or `KILTER_CONTEXT`.";
    Ok(answering(ctx, &format!("the cluster of context `{name}`"), &server, fix))
}

/// Looks whether the registry of a cluster that exists takes connections: Tilt pushes the app's image there.
pub(super) fn registry(ctx: &Context, project: &Project, plan: &Plan) -> Option<Finding> {
    context(ctx, project)?;
    let named = project.loaded.config.cluster.as_ref().and_then(|cluster| cluster.registry.as_deref());
    let (named, _) = named.zip(plan.app.as_ref())?;
    let (host, port) = endpoint(named);
    if ctx.global.offline || proxied(ctx, host) {
        return None;
    }
    Some(match kubeconfig::answers(host, port) {
        true => Finding::ok("registry", format!("`{named}` answers")),
        false => Finding::warning(
            "registry",
            format!("`{named}` does not answer, and the app's image is to go there"),
            "Start it, or name another: `cluster: {registry: HOST}` in kilter.yaml.",
        ),
    })
}

/// Splits the name of a registry, `HOST`, `HOST:PORT`, with or without a path: without a port it is that of https.
fn endpoint(registry: &str) -> (&str, u16) {
    let host = registry.split('/').next().unwrap_or(registry);
    let with_port = host.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = with_port.unwrap_or((host, 443));
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

/// Tells whether a connection would go by a proxy: it says nothing then.
fn proxied(ctx: &Context, host: &str) -> bool {
    let proxy = ["HTTPS_PROXY", "https_proxy"].iter().any(|name| ctx.var(name).is_some());
    proxy && !matches!(host, "127.0.0.1" | "::1" | "localhost")
}

/// Connects to a server, unless that is not to be done, or goes by a proxy.
fn answering(ctx: &Context, who: &str, server: &Server, fix: &str) -> Option<Finding> {
    let (host, port) = server.endpoint.as_ref().filter(|_| !ctx.global.offline)?;
    if proxied(ctx, host) {
        return None;
    }
    let url = &server.url;
    Some(match kubeconfig::answers(host, *port) {
        true => Finding::ok("kubeconfig", format!("{who} answers at {url}")),
        false => Finding::warning("kubeconfig", format!("{who} does not answer at {url}"), fix),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_has_a_host_and_a_port() {
        let all = ["ghcr.io/acme", "localhost:5010", "[::1]:5000/dev", "registry"].map(endpoint);
        assert_eq!(all, [("ghcr.io", 443), ("localhost", 5010), ("::1", 5000), ("registry", 443)]);
    }
}
