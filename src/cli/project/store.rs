//! Charts of a plan on disk: compiled in, stored, the project's own, or pulled.

use std::collections::BTreeMap;

use super::Project;
use super::prepare::{RemoteChart, remote};
use crate::catalog::{self, CatalogService};
use crate::cli::context::Context;
use crate::config::lock::{Lock, Origin};
use crate::diag::Result;
use crate::helm::Chart;
use crate::helm::charts::ChartStore;
use crate::ids::Digest;
use crate::plan::{ChartSource, not_carried};

/// Reads the catalog files of locked charts that this kilter no longer carries, as far as the store has them.
pub(crate) fn older_catalogs(ctx: &Context, lock: Option<&Lock>) -> Result<BTreeMap<Digest, CatalogService>> {
    let mut older = BTreeMap::new();
    for locked in lock.iter().flat_map(|lock| lock.services.values()) {
        let carried = catalog::chart(&locked.chart).is_some_and(|chart| chart.digest() == locked.chart_digest);
        if locked.origin == Origin::Catalog
            && !carried
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

/// Returns the chart of a service as a directory whose digest is known.
pub(crate) fn chart(ctx: &Context, project: &Project, source: &ChartSource) -> Result<Chart> {
    let store = chart_store(ctx)?;
    match source {
        ChartSource::Embedded { name, digest } => match catalog::chart(name) {
            Some(chart) if chart.digest() == *digest => store.embedded(chart),
            _ => store.stored(name, digest).ok_or_else(|| not_carried(name, digest)),
        },
        ChartSource::Local(dir) => store.local(&project.root.join(dir), dir),
        ChartSource::Remote { reference, version, digest } => {
            remote(ctx, project, &store, &RemoteChart { reference, version, digest: digest.as_ref() })
        }
    }
}
