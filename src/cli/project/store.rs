//! Charts of a plan on disk: compiled in, stored, the project's own, or pulled.

use std::collections::BTreeMap;

use super::Project;
use super::prepare::{RemoteChart, remote};
use crate::catalog::{self, CatalogService};
use crate::cli::context::Context;
use crate::config::lock::{Lock, Origin};
use crate::diag::Result;
use crate::helm::charts::{ChartStore, MAX_BYTES};
use crate::helm::{Chart, unpack};
use crate::ids::Digest;
use crate::plan::{ChartSource, not_carried};
use crate::toolchain::{MirrorFile, from_mirror};

/// Reads the catalog files of locked charts that this kilter no longer carries, as far as the store has them.
pub(crate) fn older_catalogs(ctx: &Context, lock: Option<&Lock>) -> Result<BTreeMap<Digest, CatalogService>> {
    let mut older = BTreeMap::new();
    for locked in lock.iter().flat_map(|lock| lock.services.values()) {
        let carried = catalog::chart(&locked.chart).is_some_and(|chart| chart.digest() == locked.chart_digest);
        if locked.origin == Origin::Catalog
            && !carried
            && stored(ctx, &locked.chart, &locked.chart_digest)?.is_some()
            && let Some(about) = chart_store(ctx)?.catalog(&locked.chart_digest)
        {
            older.insert(locked.chart_digest.clone(), about);
        }
    }
    Ok(older)
}

/// Returns the store of charts.
pub(crate) fn chart_store(ctx: &Context) -> Result<ChartStore> {
    Ok(ChartStore { root: ctx.store_dir("charts")? })
}

/// Returns a chart of an earlier kilter: out of the store, or out of the mirror, from where it goes into the store.
fn stored(ctx: &Context, name: &str, digest: &Digest) -> Result<Option<Chart>> {
    let store = chart_store(ctx)?;
    if let Some(chart) = store.stored(name, digest) {
        return Ok(Some(chart));
    }
    let Some(file) = mirrored(ctx, digest)? else { return Ok(None) };
    let files = unpack(&file.bytes, &file.address)?;
    store.carried_elsewhere(&files, digest, &file.address).map(Some)
}

/// Returns the archive that the mirror has under a chart's digest, not yet checked.
pub(super) fn mirrored(ctx: &Context, digest: &Digest) -> Result<Option<MirrorFile>> {
    from_mirror(&ctx.tool_settings()?, &format!("charts/{}.tgz", digest.hex()), MAX_BYTES)
}

/// Returns the chart of a service as a directory whose digest is known.
pub(super) fn chart(ctx: &Context, project: &Project, service: &str, source: &ChartSource) -> Result<Chart> {
    let store = chart_store(ctx)?;
    match source {
        ChartSource::Embedded { name, digest } => match catalog::chart(name) {
            Some(chart) if chart.digest() == *digest => store.embedded(chart),
            _ => stored(ctx, name, digest)?.ok_or_else(|| not_carried(name, service, digest)),
        },
        ChartSource::Local(dir) => {
            let local = store.local(&project.root.join(dir), dir);
            local.map_err(|error| project.located(error.about(service, &["chart"])))
        }
        ChartSource::Remote { reference, version, digest } => {
            remote(ctx, project, &store, &RemoteChart { service, reference, version, digest: digest.as_ref() })
        }
    }
}
