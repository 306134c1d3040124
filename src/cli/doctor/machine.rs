//! The checks of the machine: disk, memory, inotify's limits, routes.

use std::path::Path;

use crate::cli::context::Context;
use crate::cluster::probes;
use crate::cluster::probes::finding::Finding;
use crate::cluster::probes::network::{self, Subnet};
use crate::diag::{Error, Result};
use crate::fsx;

/// Least free space that a render, an image and a cluster can be expected to need.
const MIN_FREE: u64 = 2 * 1024 * 1024 * 1024;

/// Looks at what the machine has. What its system does not tell is left out.
pub(super) fn all(ctx: &Context) -> Vec<Finding> {
    let mut found = vec![disk(ctx)];
    found.extend(probes::text("/proc/meminfo").and_then(|text| probes::machine::memory(&text)));
    found.extend(probes::machine::inotify(|name| probes::text(&format!("/proc/sys/fs/inotify/{name}"))));
    found
}

/// Looks for routes into the ranges of docker and the cluster.
pub(super) fn routes(cluster: &[Subnet]) -> Vec<Finding> {
    let Some(table) = probes::text("/proc/net/route") else { return Vec::new() };
    network::routes(&table, &probes::bridges(), cluster)
}

fn disk(ctx: &Context) -> Finding {
    let free = ctx.cache_dir().and_then(|dir| free_space(&dir).map(|free| (dir, free)));
    match free {
        Ok((dir, free)) if free < MIN_FREE => Finding::warning(
            "disk",
            format!("{} free for `{}`", fsx::size(free), dir.display()),
            "Free some space, or point `KILTER_CACHE_DIR` at a larger disk.",
        ),
        Ok((dir, free)) => Finding::ok("disk", format!("{} free for `{}`", fsx::size(free), dir.display())),
        Err(error) => Finding::error("disk", &error),
    }
}

/// Bytes that may be written below a directory, which need not be there yet.
pub(super) fn free_space(dir: &Path) -> Result<u64> {
    let there = dir.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(there)
        .map_err(|error| Error::io(format!("look at the disk of `{}`", there.display()), &error.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}
